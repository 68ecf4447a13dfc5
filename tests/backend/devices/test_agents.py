"""An agent's life over the API, as the broker sees it."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

from backend import devices
from backend.db import Conn
from stowage.parts.broker import password_matches
from tests.conftest import Api, Warehouse


def created(api: Api, code: str = "dock") -> dict[str, Any]:
    answer = api.post("/api/v1/agents", json={"code": code, "name": "Dock side"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def enrolled(api: Api, code: str) -> Any:
    return api.post("/api/v1/agents/enrol", json={"code": code}, headers={"Authorization": ""})


def access(conn: Conn) -> tuple[dict[str, str], str]:
    passwords, rights = devices.broker_access(conn)
    return dict(line.split(":", 1) for line in passwords.splitlines()), rights


def test_a_code_becomes_a_secret_that_the_broker_accepts(api: Api, conn: Conn) -> None:
    made = created(api)
    assert made["agent"]["state"] == "enrolling"
    assert access(conn) == ({}, "")
    answer = enrolled(api, made["enrol_code"].lower().replace("-", " "))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["site"], said["agent"], said["mqtt_username"]) == ("HEL1", "dock", "HEL1/dock")
    hashes, rights = access(conn)
    assert password_matches(said["secret"], hashes["HEL1/dock"])
    assert rights.splitlines() == [
        "user HEL1/dock",
        "topic write stowage/v1/HEL1/dock/events",
        "topic write stowage/v1/HEL1/dock/status",
        "topic write stowage/v1/HEL1/dock/ingress",
        "topic read stowage/v1/HEL1/dock/ack",
        "topic read stowage/v1/HEL1/dock/commands",
    ]


def test_a_code_is_good_once(api: Api) -> None:
    code = created(api)["enrol_code"]
    assert enrolled(api, code).status_code == 200
    again = enrolled(api, code)
    assert (again.status_code, again.json()["field"]) == (403, "code")


def test_a_code_expires(api: Api, conn: Conn) -> None:
    code = created(api)["enrol_code"]
    conn.execute("update agent set enrol_expires_at = now() - %s", [timedelta(seconds=1)])
    assert enrolled(api, code).status_code == 403


def test_a_wrong_code_is_refused_in_words(api: Api) -> None:
    answer = enrolled(api, "2222-2222-2222-2222")
    assert answer.status_code == 403
    assert "get a new one" in answer.json()["detail"]


def test_a_rotated_secret_replaces_the_old_one(api: Api, conn: Conn) -> None:
    made = created(api)
    first = enrolled(api, made["enrol_code"]).json()["secret"]
    second = api.post(f"/api/v1/agents/{made['agent']['id']}/rotate-secret").json()["secret"]
    hashes, _ = access(conn)
    assert password_matches(second, hashes["HEL1/dock"])
    assert not password_matches(first, hashes["HEL1/dock"])


def test_a_revoked_agent_has_no_account_and_comes_back_with_a_new_code(api: Api, conn: Conn) -> None:
    made = created(api)
    enrolled(api, made["enrol_code"])
    agent_id = made["agent"]["id"]
    assert api.post(f"/api/v1/agents/{agent_id}/revoke").json()["state"] == "revoked"
    assert access(conn) == ({}, "")
    assert api.post(f"/api/v1/agents/{agent_id}/rotate-secret").status_code == 409
    code = api.post(f"/api/v1/agents/{agent_id}/enrol-code").json()["enrol_code"]
    assert enrolled(api, code).status_code == 200
    assert list(access(conn)[0]) == ["HEL1/dock"]


def test_no_secret_and_no_code_is_stored_or_shown_again(api: Api, conn: Conn) -> None:
    made = created(api)
    secret = enrolled(api, made["enrol_code"]).json()["secret"]
    stored = str(
        conn.execute("select * from agent").fetchall() + conn.execute("select * from audit_entry").fetchall()
    )
    assert secret not in stored
    assert base64.b64encode(hashlib.sha256(secret.encode()).digest()).decode() not in stored
    assert made["enrol_code"] not in stored
    assert secret not in api.get("/api/v1/agents").text


def test_two_agents_of_one_code_are_refused(api: Api) -> None:
    created(api)
    answer = api.post("/api/v1/agents", json={"code": "dock"})
    assert (answer.status_code, answer.json()["field"]) == (409, "code")


def test_a_worker_may_look_but_not_manage(api: Api, conn: Conn) -> None:
    made = created(api)
    api.as_user(conn, "wilma", ["worker"])
    assert api.get("/api/v1/agents").status_code == 200
    assert api.post("/api/v1/agents", json={"code": "mine"}).status_code == 403
    assert api.post(f"/api/v1/agents/{made['agent']['id']}/revoke").status_code == 403


def test_the_backends_own_account_can_be_put_in_front(conn: Conn, warehouse: Warehouse) -> None:
    passwords, rights = devices.broker_access(conn, ("stowage", "$7$1$x$y"))
    assert passwords == "stowage:$7$1$x$y\n"
    assert rights.startswith("user stowage\ntopic readwrite stowage/#\n")
