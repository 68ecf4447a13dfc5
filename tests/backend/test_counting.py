"""Counts are blind, doubted by a second person, approved by a third, and end in the ledger as movements."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from backend import ledger
from backend.counting import raise_discrepancy
from backend.db import Conn
from tests.conftest import Api, Warehouse, put_stock

COUNTS = "/api/v1/count-tasks"


def on_hand(api: Api, w: Warehouse, sku: str) -> str:
    return str(api.get(f"/api/v1/items/{w.items[sku]}/stock").json()["on_hand"])


def count(api: Api, task: str, *lines: dict[str, Any]) -> dict[str, Any]:
    for line in lines:
        answer = api.post(f"{COUNTS}/{task}/lines", json=line)
        assert answer.status_code == 201, answer.text
    answer = api.post(f"{COUNTS}/{task}/submit")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_count_that_agrees_is_done_and_posts_nothing(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "24")
    task = api.post(COUNTS, json={"place": "A-01-1"}).json()
    assert not {"booked", "on_hand", "quantity"} & set(task), "the count is blind"
    done = count(api, task["id"], {"code": "(01)16412345000019", "quantity": "2"})
    assert done["state"] == "done"
    assert conn.execute("select count(*) from movement").fetchone() == (1,)


def test_a_difference_needs_a_second_person_and_a_lead(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "24")
    task = (
        api.as_user(conn, "wendy", ["worker"])
        .post(COUNTS, json={"place": "A-01-1", "item": "TEA-250"})
        .json()["id"]
    )
    assert count(api, task, {"code": "TEA-250", "quantity": "20"})["state"] == "recount"
    own = api.post(f"{COUNTS}/{task}/lines", json={"code": "TEA-250"})
    assert (own.status_code, own.json()["type"]) == (409, "/problems/needs-another-person")
    api.as_user(conn, "walter", ["lead"])
    assert count(api, task, {"code": "TEA-250", "quantity": "20"})["state"] == "to_approve"
    assert api.post(f"{COUNTS}/{task}/approve").status_code == 409
    assert on_hand(api, warehouse, "TEA-250") == "24"
    api.as_user(conn, "lena", ["lead"])
    assert api.get(f"{COUNTS}/{task}/differences").json()["items"][0]["change"] == "-4"
    assert api.post(f"{COUNTS}/{task}/approve").json()["state"] == "done"
    assert on_hand(api, warehouse, "TEA-250") == "20"
    assert ledger.verify(conn) == []


def test_a_small_difference_within_tolerance_is_posted_at_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "24")
    task = api.post(COUNTS, json={"place": "A-01-1", "tolerance": "1"}).json()["id"]
    assert count(api, task, {"code": "TEA-250", "quantity": "25"})["state"] == "done"
    assert on_hand(api, warehouse, "TEA-250") == "25"


def test_what_is_missing_breaks_the_promise_and_not_the_count(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    order = api.post(
        "/api/v1/sales-orders",
        json={"customer_code": "CUST-1", "lines": [{"sku": "TEA-250", "quantity": "5"}]},
    )
    assert order.status_code == 201, order.text
    task = api.post(COUNTS, json={"place": "A-01-1", "tolerance": "5"}).json()["id"]
    assert count(api, task, {"code": "TEA-250", "quantity": "3"})["state"] == "done"
    stock = api.get(f"/api/v1/items/{warehouse.items['TEA-250']}/stock").json()
    assert (stock["on_hand"], stock["reserved"]) == ("3", "3")
    assert ledger.verify(conn) == []


@pytest.mark.parametrize(
    ("line", "status", "field"),
    [
        ({"code": "TEA-250", "quantity": "-1"}, 422, "quantity"),
        ({"code": "MILK-1L"}, 422, "code"),
        ({"code": "A-01-2"}, 422, "code"),
        ({"code": "nonsense"}, 404, "code"),
    ],
)
def test_a_wrong_scan_changes_nothing(
    api: Api, conn: Conn, warehouse: Warehouse, line: dict[str, Any], status: int, field: str
) -> None:
    task = api.post(COUNTS, json={"place": "A-01-1", "item": "TEA-250"}).json()["id"]
    answer = api.post(f"{COUNTS}/{task}/lines", json=line)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert conn.execute("select count(*) from count_line").fetchone() == (0,)


def test_lots_are_counted_apart_and_the_wrong_lot_is_found(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "10", lot="L1", expires_on="2027-01-31")
    task = api.post(COUNTS, json={"place": "C-01-1", "tolerance": "10"}).json()["id"]
    count(
        api,
        task,
        {"code": "MILK-1L", "lot": "L1", "quantity": "6"},
        {"code": "MILK-1L", "lot": "L2", "expires_on": "2027-02-28", "quantity": "4"},
    )
    rows = ledger.rows_at(conn, warehouse.site_id, warehouse.places["C-01-1"])
    assert [(r.lot_code, r.on_hand) for r in rows] == [("L1", 6), ("L2", 4)]


def test_undo_takes_the_last_counted_line_back_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    task = api.post(COUNTS, json={"place": "A-01-1"}).json()["id"]
    api.post(f"{COUNTS}/{task}/lines", json={"code": "TEA-250"})
    assert api.post("/api/v1/undo").json()["kind"] == "count_line"
    assert api.get(f"{COUNTS}/{task}").json()["lines_counted"] == 0
    assert api.post("/api/v1/undo").status_code == 409


def test_a_discrepancy_asks_for_a_count_and_is_settled_by_it(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "8")
    with conn.transaction():
        raise_discrepancy(conn, warehouse.ctx(), "short_pick", item_id=warehouse.items["TEA-250"], place_id=warehouse.places["A-01-1"],
                          expected=Decimal(8), observed=Decimal(6), evidence={"reads": 3})  # fmt: skip
    found = api.get("/api/v1/discrepancies").json()["items"][0]
    assert (found["kind"], found["expected"], found["observed"], found["evidence"]) == (
        "short_pick",
        "8",
        "6",
        {"reads": 3, "count_task": found["evidence"]["count_task"]},
    )
    task = found["count_task_id"]
    assert count(api, task, {"code": "TEA-250", "quantity": "6"})["state"] == "recount"
    api.as_user(conn, "walter", ["lead"])
    count(api, task, {"code": "TEA-250", "quantity": "6"})
    api.as_user(conn, "lena", ["lead"])
    assert api.post(f"{COUNTS}/{task}/approve").status_code == 200
    settled = api.get(f"/api/v1/discrepancies/{found['id']}").json()
    assert (settled["state"], settled["resolution"]) == ("resolved", "counted: TEA-250 8 -> 6")
