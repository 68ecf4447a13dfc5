"""Moves between bins and transfers between sites keep every piece accounted for."""

from __future__ import annotations

from typing import Any

import pytest

from backend import ledger
from backend.db import Conn
from tests.conftest import Api, Warehouse, build_warehouse, put_stock


def where(conn: Conn, w: Warehouse, sku: str) -> dict[str, int]:
    rows = conn.execute(
        "select p.code, sum(on_hand) from balance b join place p on p.id = b.place_id where b.item_id = %s and on_hand > 0 group by p.code",
        [w.items[sku]],
    ).fetchall()
    return {code: int(quantity) for code, quantity in rows}


def test_a_case_moves_from_bin_to_bin_in_two_scans_and_undo_brings_it_back(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    answer = api.post(
        "/api/v1/moves", json={"code": "16412345000019", "from_place": "A-01-1", "to_place": "A-01-2"}
    )
    assert answer.status_code == 201, answer.text
    assert where(conn, warehouse, "TEA-250") == {"A-01-1": 18, "A-01-2": 12}
    assert api.post("/api/v1/undo").status_code == 200
    assert where(conn, warehouse, "TEA-250") == {"A-01-1": 30}
    assert api.post("/api/v1/undo").json()["type"] == "/problems/nothing-to-undo"


def test_undo_is_of_ones_own_last_step_only(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    api.post("/api/v1/moves", json={"code": "TEA-250", "from_place": "A-01-1", "to_place": "A-01-2"})
    assert api.as_user(conn, "wendy", ["worker"]).post("/api/v1/undo").status_code == 409


@pytest.mark.parametrize(
    ("move", "status", "field"),
    [
        ({"code": "TEA-250", "to_place": "A-01-2"}, 422, "from_place"),
        ({"code": "TEA-250", "from_place": "A-01-1", "to_place": "TEA-250"}, 422, "to_place"),
        (
            {"code": "TEA-250", "from_place": "A-01-1", "to_place": "A-01-2", "quantity": "31"},
            409,
            "quantity",
        ),
        ({"code": "TEA-250", "from_place": "A-01-1", "to_place": "A-01-2", "quantity": "0"}, 422, "quantity"),
        ({"code": "MILK-1L", "from_place": "C-01-1", "to_place": "C-01-2"}, 409, "lot"),
        ({"code": "A-01-1", "to_place": "A-01-2"}, 422, "code"),
    ],
)
def test_a_move_that_cannot_be_says_why(
    api: Api, conn: Conn, warehouse: Warehouse, move: dict[str, Any], status: int, field: str
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L1", expires_on="2027-01-31")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L2", expires_on="2027-02-28")
    answer = api.post("/api/v1/moves", json=move)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert where(conn, warehouse, "TEA-250") == {"A-01-1": 30}


def test_damaged_stock_is_set_apart_with_a_reason(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    body = {
        "code": "TEA-250",
        "from_place": "A-01-1",
        "to_place": "A-01-1",
        "quantity": "2",
        "to_status": "damaged",
        "reason": "wet",
    }
    assert api.post("/api/v1/moves", json=body).status_code == 201
    stock = api.get(f"/api/v1/items/{warehouse.items['TEA-250']}/stock").json()
    assert (stock["on_hand"], stock["available"], stock["blocked"]) == ("30", "28", "2")


def test_a_transfer_between_sites_is_short_by_what_did_not_arrive(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    here, there = {"site_id": str(warehouse.site_id)}, {"site_id": str(other.site_id)}
    body = {
        "to_site_id": str(other.site_id),
        "lines": [{"item": "TEA-250", "quantity": "10", "from_place": "A-01-1"}],
    }
    made = api.post("/api/v1/transfers", json=body, params=here).json()
    url = f"/api/v1/transfers/{made['id']}"
    assert api.post(f"{url}/receive", json={"to_place": "DOCK-1"}, params=there).status_code == 409
    assert api.post(f"{url}/dispatch", params=here).json()["state"] == "dispatched"
    assert api.post(f"{url}/dispatch", params=here).status_code == 409
    assert where(conn, warehouse, "TEA-250") == {"A-01-1": 20}
    counted = [{"line_id": made["lines"][0]["id"], "quantity": "9"}]
    got = api.post(f"{url}/receive", json={"to_place": "DOCK-1", "counted": counted}, params=there)
    assert (got.json()["state"], got.json()["lines"][0]["received"]) == ("received", "9")
    assert where(conn, other, "TEA-250") == {"A-01-1": 20, "DOCK-1": 9}
    assert api.get("/api/v1/discrepancies", params=there).json()["items"][0]["kind"] == "transfer_difference"
    assert ledger.verify(conn) == []
