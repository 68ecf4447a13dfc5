"""User administration, roles and API tokens: who may what, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from backend.db import Conn
from tests.conftest import Api, Warehouse, build_warehouse

USER = {"username": "wendy", "name": "Wendy", "password": "long-enough", "roles": ["worker"]}


def made(api: Api, warehouse: Warehouse, **changes: Any) -> Any:
    answer = api.post("/api/v1/users", json={**USER, "site_id": str(warehouse.site_id), **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


def log_in(api: Api, name: str, password: str) -> Api:
    """Another browser."""
    answer = api.post("/api/v1/auth/login", json={"username": name, "password": password})
    assert answer.status_code == 200, answer.text
    other = Api(api.app, base_url="http://testserver", raise_server_exceptions=False)
    other.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return other


def test_a_new_user_logs_in_and_sees_what_the_role_allows(api: Api, warehouse: Warehouse) -> None:
    user = made(api, warehouse)
    assert "password" not in user
    wendy = log_in(api, "wendy", "long-enough")
    assert wendy.get("/api/v1/auth/me").json()["roles"] == ["worker"]
    assert wendy.get("/api/v1/pick-tasks").status_code == 200
    refused = wendy.post("/api/v1/users", json=USER)
    assert (refused.status_code, refused.json()["needed"]) == (403, ["admin"])
    assert wendy.post("/api/v1/auth/logout").status_code == 204
    assert wendy.get("/api/v1/auth/me").status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"password": "short"}, 422, "password"),
        ({"roles": ["boss"]}, 422, "roles.0"),
        ({"roles": []}, 422, "roles"),
        ({"username": "Not A Name"}, 422, "username"),
        ({"username": "admin"}, 409, "username"),
    ],
)
def test_a_user_that_cannot_be_is_refused_with_the_field(
    api: Api, conn: Conn, warehouse: Warehouse, changes: dict[str, Any], status: int, field: str
) -> None:
    answer = api.post("/api/v1/users", json={**USER, "site_id": str(warehouse.site_id), **changes})
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert conn.execute("select count(*) from app_user").fetchone() == (1,)


def test_who_is_switched_off_is_out_at_once(api: Api, warehouse: Warehouse) -> None:
    user = made(api, warehouse)
    wendy = log_in(api, "wendy", "long-enough")
    off = api.patch(f"/api/v1/users/{user['id']}", json={"version": user["version"], "active": False})
    assert off.json()["active"] is False
    assert wendy.get("/api/v1/auth/me").status_code == 401
    again = api.post("/api/v1/auth/login", json={"username": "wendy", "password": "long-enough"})
    assert again.status_code == 401


def test_a_new_password_ends_the_other_sessions(api: Api, warehouse: Warehouse) -> None:
    made(api, warehouse)
    here, there = log_in(api, "wendy", "long-enough"), log_in(api, "wendy", "long-enough")
    wrong = here.patch("/api/v1/auth/me", json={"password": "much-longer", "old_password": "guess"})
    assert wrong.status_code == 401
    right = here.patch("/api/v1/auth/me", json={"password": "much-longer", "old_password": "long-enough"})
    assert right.status_code == 200
    assert (here.get("/api/v1/auth/me").status_code, there.get("/api/v1/auth/me").status_code) == (200, 401)
    assert log_in(api, "wendy", "much-longer").get("/api/v1/auth/me").status_code == 200


def test_a_role_that_is_taken_away_is_gone_from_what_was_handed_out(api: Api, warehouse: Warehouse) -> None:
    user = made(api, warehouse, roles=["lead"])
    lena = log_in(api, "wendy", "long-enough")
    assert lena.get("/api/v1/audit-entries").status_code == 200
    api.patch(f"/api/v1/users/{user['id']}", json={"version": user["version"], "roles": ["worker"]})
    assert lena.get("/api/v1/audit-entries").status_code == 403


def test_two_administrators_changing_one_user_the_second_is_told(api: Api, warehouse: Warehouse) -> None:
    user = made(api, warehouse)
    for status in (200, 409):
        answer = api.patch(f"/api/v1/users/{user['id']}", json={"version": 1, "name": f"Wendy {status}"})
        assert answer.status_code == status
    assert answer.json()["present"]["name"] == "Wendy 200"


def test_nobody_takes_the_administration_from_himself(api: Api) -> None:
    me = api.get("/api/v1/auth/me").json()
    for change in ({"active": False}, {"roles": ["worker"]}):
        assert (
            api.patch(f"/api/v1/users/{me['id']}", json={"version": me["version"], **change}).status_code
            == 403
        )


def test_an_api_token_works_with_the_roles_it_was_given_until_it_is_revoked(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    api.as_user(conn, "ivan", ["integrator", "worker"], warehouse.site_id)
    beyond = api.post("/api/v1/api-tokens", json={"name": "crm", "roles": ["admin"]})
    assert (beyond.status_code, beyond.json()["field"]) == (403, "roles")
    issued = api.post(
        "/api/v1/api-tokens", json={"name": "crm", "roles": ["integrator"], "valid_days": 30}
    ).json()
    crm = Api(api.app, base_url="http://testserver", raise_server_exceptions=False)
    crm.headers["Authorization"] = f"Bearer {issued['token']}"
    assert crm.get("/api/v1/external-keys").status_code == 200
    assert crm.post("/api/v1/pick-tasks/next", json={}).status_code == 403
    assert issued["token"] not in api.get("/api/v1/api-tokens").text
    assert api.delete(f"/api/v1/api-tokens/{issued['api_token']['id']}").status_code == 204
    assert crm.get("/api/v1/external-keys").status_code == 401


def test_an_administrator_of_one_site_administers_that_site(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    theirs = made(api, other, username="theirs", roles=["integrator"])
    token = log_in(api, "theirs", "long-enough").post(
        "/api/v1/api-tokens", json={"name": "t", "roles": ["integrator"]}
    )
    token_id = token.json()["api_token"]["id"]
    api.as_user(conn, "hanna", ["admin"], warehouse.site_id)
    assert "theirs" not in api.get("/api/v1/users").text
    assert token_id not in api.get("/api/v1/api-tokens").text
    assert api.delete(f"/api/v1/api-tokens/{token_id}").status_code == 404
    assert api.patch(f"/api/v1/users/{theirs['id']}", json={"version": 1, "active": False}).status_code == 403
    for site_id in (None, str(other.site_id)):
        assert api.post("/api/v1/users", json={**USER, "site_id": site_id}).status_code == 403
    assert api.post("/api/v1/sites", json={"code": "NEW1", "name": "New"}).status_code == 403
