"""What every write of the API promises: done once, refused in words, nothing left behind."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from backend import ledger
from backend.app import COMMANDS_AT_ONCE
from backend.db import Conn
from tests.conftest import Api, Warehouse, build_warehouse, put_stock

ADJUST = "/api/v1/adjustments"


def adjustment(**changes: Any) -> dict[str, Any]:
    return {"item": "TEA-250", "place": "A-01-1", "change": "5", "reason": "found behind the rack", **changes}


def test_a_replayed_command_moves_stock_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    key = {"Idempotency-Key": "scan-0001"}
    first = api.post(ADJUST, json=adjustment(), headers=key)
    again = api.post(ADJUST, json=adjustment(), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.get(f"/api/v1/items/{warehouse.items['TEA-250']}/stock").json()["on_hand"] == "5"


def test_the_same_key_with_another_body_is_refused_with_both_shown(api: Api) -> None:
    key = {"Idempotency-Key": "scan-0001"}
    api.post(ADJUST, json=adjustment(), headers=key)
    answer = api.post(ADJUST, json=adjustment(change="6"), headers=key)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["first_body_sha256"] != answer.json()["this_body_sha256"]


def test_the_same_command_many_times_at_once_is_done_once(api: Api, warehouse: Warehouse) -> None:
    answers: list[int] = []

    def send() -> None:
        answers.append(
            api.post(ADJUST, json=adjustment(), headers={"Idempotency-Key": "scan-0002"}).status_code
        )

    # more than are worked on at once: who waits for the first one's key must leave it room to go on
    senders = 2 * COMMANDS_AT_ONCE + 2
    threads = [threading.Thread(target=send, daemon=True) for _ in range(senders)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [201] * senders
    assert api.get(f"/api/v1/items/{warehouse.items['TEA-250']}/stock").json()["on_hand"] == "5"


def test_a_write_without_a_key_is_refused(api: Api) -> None:
    answer = api.post(ADJUST, json=adjustment(), headers={"Idempotency-Key": ""})
    assert answer.status_code == 422
    assert answer.json()["field"] == "idempotency-key"


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"item": "NO-SUCH"}, 404, "code"),
        ({"place": "NO-SUCH"}, 404, "code"),
        ({"place": "TEA-250"}, 422, "place"),
        ({"change": "0"}, 422, "change"),
        ({"change": "-7"}, 409, "quantity"),
        ({"change": "NaN"}, 422, "change"),
        ({"change": "0.5"}, 422, "quantity"),
        ({"change": "1e30"}, 422, "change"),
        ({"change": []}, 422, "change"),
        ({"reason": ""}, 422, "reason"),
        ({"item": "MILK-1L"}, 422, "lot"),
        ({"item": "DRILL-X", "change": "1"}, 422, "serial"),
        ({"place": "AMBIENT"}, 422, "place_id"),
        ({"reason": "nul \x00 byte"}, 422, None),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    api: Api, conn: Conn, changes: dict[str, Any], status: int, field: str | None
) -> None:
    answer = api.post(ADJUST, json=adjustment(**changes), headers={"Idempotency-Key": "bad-input"})
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10
    assert conn.execute("select count(*) from movement").fetchone() == (0,)
    assert conn.execute("select count(*) from idempotency_key").fetchone() == (0,)


def test_a_worker_may_not_adjust_and_a_stranger_may_nothing(api: Api, conn: Conn) -> None:
    answer = api.as_user(conn, "wendy", ["worker"]).post(ADJUST, json=adjustment())
    assert answer.status_code == 403
    assert answer.json()["needed"] == ["lead"]
    api.headers["Authorization"] = "Bearer nonsense"
    assert api.post(ADJUST, json=adjustment()).status_code == 401
    assert api.get("/api/v1/items").status_code == 401


def test_an_expired_token_is_refused(api: Api, conn: Conn) -> None:
    conn.execute("update access_token set expires_at = now() - interval '1 second'")
    answer = api.get("/api/v1/auth/me")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not-logged-in")


def test_another_sites_data_is_not_there(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    other = build_warehouse(conn, "TRE1")
    put_stock(conn, other, "TEA-250", "A-01-1", "3")
    api.as_user(conn, "hanna", ["lead"], warehouse.site_id)
    assert api.get("/api/v1/balances", params={"site_id": str(other.site_id)}).status_code == 404
    assert api.get("/api/v1/balances").json()["items"] == []
    movement = conn.execute("select id from movement where site_id = %s", [other.site_id]).fetchone()
    assert movement is not None
    assert api.get(f"/api/v1/movements/{movement[0]}").status_code == 404
    assert (
        api.post(f"/api/v1/movements/{movement[0]}/reverse", json={"reason": "not mine"}).status_code == 404
    )


def test_a_body_too_large_is_refused(api: Api) -> None:
    answer = api.post(ADJUST, content=b"x" * (3 * 1024 * 1024))
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert api.post(ADJUST, content=(b"x" * 65536 for _ in range(60))).status_code == 413


def test_two_people_changing_the_same_place_the_second_is_told(api: Api, warehouse: Warehouse) -> None:
    url = f"/api/v1/places/{warehouse.places['A-01-1']}"
    assert api.patch(url, json={"version": 1, "max_units": "40"}).json()["version"] == 2
    late = api.patch(url, json={"version": 1, "max_units": "50"})
    assert (late.status_code, late.json()["present_version"]) == (409, 2)
    assert api.get(url).json()["max_units"] == "40"


def test_guessing_passwords_ends(api: Api) -> None:
    for _ in range(10):
        assert (
            api.post("/api/v1/auth/login", json={"username": "admin", "password": "wrong"}).status_code == 401
        )
    assert (
        api.post("/api/v1/auth/login", json={"username": "admin", "password": "test-password"}).status_code
        == 429
    )


def test_settings_remember_who_changed_them(api: Api, warehouse: Warehouse) -> None:
    api.patch(f"/api/v1/places/{warehouse.places['A-01-1']}", json={"version": 1, "name": "Tea shelf"})
    entry = api.get("/api/v1/audit-entries", params={"table_name": "place"}).json()["items"][0]
    assert (entry["actor"], entry["action"], entry["before"]["name"], entry["after"]["name"]) == (
        "user:admin",
        "update",
        "",
        "Tea shelf",
    )


@pytest.mark.parametrize(
    ("code", "kind", "units"),
    [
        ("TEA-250", "item", "1"),
        ("6412345000012", "item", "1"),
        ("(01)16412345000019", "pack", "12"),
        ("https://id.gs1.org/01/06412345000029/10/L42?17=270131", "item", "1"),
        ("a-01-1", "place", "1"),
    ],
)
def test_any_code_finds_what_it_names(api: Api, code: str, kind: str, units: str) -> None:
    answer = api.get("/api/v1/lookup", params={"code": code})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["kind"], answer.json()["units"]) == (kind, units)


def test_a_code_that_names_nothing_says_what_it_looked_like(api: Api) -> None:
    answer = api.get("/api/v1/lookup", params={"code": "(01)09506000134352"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-code")
    assert "09506000134352" in answer.json()["detail"]


def test_a_movement_is_reversed_through_the_api_and_the_books_agree(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    made = api.post(ADJUST, json=adjustment()).json()
    back = api.post(f"/api/v1/movements/{made['id']}/reverse", json={"reason": "counted wrong"})
    assert back.status_code == 201, back.text
    assert back.json()["reverses_id"] == made["id"]
    assert (
        api.post(f"/api/v1/movements/{made['id']}/reverse", json={"reason": "counted wrong"}).status_code
        == 409
    )
    assert ledger.verify(conn) == []
    assert api.get("/api/v1/ledger/verification").json()["mismatches"] == []


def test_the_stock_list_has_every_items_figures_in_one_answer(api: Api, warehouse: Warehouse) -> None:
    for change in (
        adjustment(change="5"),
        adjustment(place="A-01-2", change="2"),
        adjustment(change="1", status="damaged"),
    ):
        assert api.post(ADJUST, json=change).status_code == 201
    rows = {r["sku"]: r for r in api.get("/api/v1/stock").json()["items"]}
    assert set(rows) == set(warehouse.items)
    tea = rows["TEA-250"]
    assert (tea["on_hand"], tea["available"], tea["blocked"], tea["places"]) == ("8", "7", "1", 2)
    assert all(r["on_hand"] == "0" for sku, r in rows.items() if sku != "TEA-250")
    assert [r["sku"] for r in api.get("/api/v1/stock?q=green").json()["items"]] == ["TEA-250"]
    first = api.get("/api/v1/stock?limit=2").json()
    rest = api.get("/api/v1/stock", params={"cursor": first["next_cursor"]}).json()
    assert sorted(rows) == [r["sku"] for r in first["items"] + rest["items"]]
