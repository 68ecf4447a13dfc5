"""A worker takes back the last step: stock, promises and tasks stand as before, or a sentence says why it cannot be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from backend import ledger, orders
from backend.db import Conn
from backend.ids import new_id
from tests.backend.orders.flow import accept, again, on_hand, stages
from tests.backend.receiving_goods import pallet_asn, sscc, stock
from tests.conftest import Api, Warehouse, put_stock

TEA, TEA_CASE, MILK = "06412345000012", "16412345000019", "06412345000029"


@pytest.fixture
def worker(api: Api, conn: Conn) -> Api:
    return api.as_user(conn, "wendy", ["worker"])


def do(api: Api, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(f"/api/v1{path}", json=body)
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()
    return found


def undo(api: Api) -> dict[str, Any]:
    named = api.get("/api/v1/undo").json()["step"]
    done = do(api, "/undo")
    assert done == named
    assert api.get("/api/v1/undo").json()["step"] is None
    return done


def refused(api: Api) -> str:
    answer = api.post("/api/v1/undo")
    assert answer.status_code == 409, answer.text
    return str(answer.json()["detail"])


def carton_of(worker: Api, conn: Conn, w: Warehouse) -> tuple[str, str, orders.Order]:
    """An open carton at the bench for an order of 4 tea, all picked into a tote."""
    put_stock(conn, w, "TEA-250", "A-01-1", "10")
    o = accept(conn, w, ("TEA-250", "4"))
    conn.execute(
        "insert into license_plate (id, site_id, code, kind) values (%s, %s, 'T-1', 'tote')",
        [new_id(), w.site_id],
    )
    task = do(worker, "/pick-tasks/next")["task"]
    do(worker, f"/pick-tasks/{task['id']}/confirm", place="A-01-1", code=TEA, quantity="4", tote="T-1")
    carton = do(worker, "/cartons", order_id=str(o.id), bench="BENCH-1")
    return carton["id"], carton["sscc"], o


def test_an_item_received_by_mistake_goes_back_to_the_supplier(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    receipt = do(worker, "/receipts", dock_door_id=str(warehouse.places["DOCK-1"]))
    do(worker, f"/receipts/{receipt['id']}/scans", code=TEA)
    do(worker, f"/receipts/{receipt['id']}/scans", code=TEA_CASE)
    assert undo(worker)["kind"] == "receive"
    assert stock(conn, warehouse, "DOCK-1").get("TEA-250") == 1
    assert worker.get(f"/api/v1/receipts/{receipt['id']}").json()["received"] == "1"
    assert ledger.verify(conn) == []


def test_a_pallet_received_by_mistake_is_expected_again_and_can_be_received_again(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    asn_id = pallet_asn(conn, warehouse, door="DOCK-1")
    receipt = do(worker, "/receipts", asn_id=str(asn_id))
    do(worker, f"/receipts/{receipt['id']}/scans", code=sscc(1))
    assert worker.get("/api/v1/putaway-tasks").json()["items"]
    undo(worker)
    assert stock(conn, warehouse, "DOCK-1") == {}
    assert worker.get("/api/v1/putaway-tasks").json()["items"] == []
    assert do(worker, f"/receipts/{receipt['id']}/scans", code=sscc(1))["units"] == "34"
    assert ledger.verify(conn) == []


def test_what_was_put_away_is_not_taken_back_from_the_receipt(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    receipt = do(worker, "/receipts", dock_door_id=str(warehouse.places["DOCK-1"]))
    do(worker, f"/receipts/{receipt['id']}/scans", code=TEA)
    with conn.transaction():
        row = ledger.rows_at(conn, warehouse.site_id, warehouse.places["DOCK-1"])[0]
        ledger.post(conn, warehouse.ctx(), [ledger.Move(row.item_id, Decimal(1), ledger.Spot(row.place_id), ledger.Spot(warehouse.places["A-01-1"]), "moved", "transfer")])  # fmt: skip
    assert "no longer stand at the door" in refused(worker)
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 1


def test_a_plate_put_away_by_mistake_stands_at_the_door_again(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    with_tea = do(worker, "/receipts", dock_door_id=str(warehouse.places["DOCK-1"]))
    do(worker, f"/receipts/{with_tea['id']}/scans", code="00" + sscc(7))
    do(worker, f"/receipts/{with_tea['id']}/scans", code=TEA_CASE, onto=sscc(7))
    (task,) = worker.get("/api/v1/putaway-tasks", params={"code": sscc(7)}).json()["items"]
    do(worker, f"/putaway-tasks/{task['id']}/confirm", place=task["proposed_place"])
    assert stock(conn, warehouse, "DOCK-1") == {}
    assert undo(worker)["kind"] == "putaway"
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 12}
    (again_,) = worker.get("/api/v1/putaway-tasks", params={"mine": True}).json()["items"]
    assert (again_["id"], again_["state"], again_["quantity"], again_["place"]) == (
        task["id"],
        "claimed",
        "12",
        None,
    )
    do(worker, f"/putaway-tasks/{task['id']}/confirm", place=task["proposed_place"])
    assert ledger.verify(conn) == []


def test_loose_goods_put_away_in_part_become_one_task_again(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    receipt = do(worker, "/receipts", dock_door_id=str(warehouse.places["DOCK-1"]))
    do(worker, f"/receipts/{receipt['id']}/scans", code=TEA, quantity="10")
    do(worker, f"/receipts/{receipt['id']}/close")
    (task,) = worker.get("/api/v1/putaway-tasks").json()["items"]
    do(worker, f"/putaway-tasks/{task['id']}/confirm", place="A-01-2", quantity="4", override=True)
    undo(worker)
    (task,) = worker.get("/api/v1/putaway-tasks").json()["items"]
    assert task["quantity"] == "10"
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 10}
    assert ledger.verify(conn) == []


@pytest.mark.parametrize("taken", ["1", "4"])
def test_a_pick_taken_back_is_to_be_picked_again(
    worker: Api, conn: Conn, warehouse: Warehouse, taken: str
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "4"))
    task = do(worker, "/pick-tasks/next")["task"]
    do(worker, f"/pick-tasks/{task['id']}/confirm", place="A-01-1", code=TEA, quantity=taken)
    assert undo(worker)["kind"] == "pick"
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 10
    assert stages(again(conn, warehouse, o)) == {"allocated": 4}
    same = do(worker, "/pick-tasks/next")["task"]
    assert (same["id"], same["remaining"], same["state"]) == (task["id"], "4", "claimed")
    do(worker, f"/pick-tasks/{task['id']}/confirm", place="A-01-1", code=TEA, quantity="4")
    assert stages(again(conn, warehouse, o)) == {"picked": 4}
    assert ledger.verify(conn) == []


def test_what_was_packed_goes_back_into_its_tote(worker: Api, conn: Conn, warehouse: Warehouse) -> None:
    carton_id, _, o = carton_of(worker, conn, warehouse)
    do(worker, f"/cartons/{carton_id}/contents", code=TEA)
    do(worker, f"/cartons/{carton_id}/contents", code=TEA, quantity="2")
    assert undo(worker)["kind"] == "pack"
    assert worker.get(f"/api/v1/cartons/{carton_id}").json()["contents"][0]["quantity"] == "1"
    assert stages(again(conn, warehouse, o)) == {"picked": 3, "packed": 1}
    assert [
        (int(r.on_hand), int(r.reserved))
        for r in ledger.rows_at(conn, warehouse.site_id, warehouse.places["STAGE-OUT"])
    ] == [(3, 3)]
    assert ledger.verify(conn) == []


def test_a_pick_that_somebody_packed_is_not_taken_back(worker: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "4"))
    task = do(worker, "/pick-tasks/next")["task"]
    do(worker, f"/pick-tasks/{task['id']}/confirm", place="A-01-1", code=TEA, quantity="4")
    worker.as_user(conn, "paul", ["worker"])
    carton = do(worker, "/cartons", order_id=str(o.id), bench="BENCH-1")
    do(worker, f"/cartons/{carton['id']}/contents", code=TEA, quantity="4")
    worker.as_user(conn, "wendy", ["worker"])
    assert "taken on from there" in refused(worker)
    assert stages(again(conn, warehouse, o)) == {"packed": 4}


def test_a_closed_carton_is_not_opened_by_an_undo_but_its_loading_is_undone(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    carton_id, code, o = carton_of(worker, conn, warehouse)
    do(worker, f"/cartons/{carton_id}/contents", code=TEA, quantity="4")
    do(worker, f"/cartons/{carton_id}/weight", weight_g=str(4 * 280 + 250))
    do(worker, f"/cartons/{carton_id}/close")
    assert "closed" in refused(worker)
    (shipment,) = worker.get("/api/v1/shipments").json()["items"]
    do(worker, f"/shipments/{shipment['id']}/load", code="00" + code, door="DOCK-2")
    assert undo(worker)["kind"] == "load"
    assert on_hand(conn, warehouse, "TEA-250", "BENCH-1") == 4
    assert stages(again(conn, warehouse, o)) == {"packed": 4}
    now = worker.get(f"/api/v1/shipments/{shipment['id']}").json()
    assert (now["state"], now["door_code"], now["cartons"][0]["state"]) == ("planned", None, "closed")
    do(worker, f"/shipments/{shipment['id']}/load", code="00" + code, door="DOCK-1")
    do(worker, f"/shipments/{shipment['id']}/depart")
    assert "left" in refused(worker)
    assert ledger.verify(conn) == []


def test_a_moved_plate_is_where_it_was_in_the_books_and_on_its_label(
    worker: Api, conn: Conn, warehouse: Warehouse
) -> None:
    receipt = do(worker, "/receipts", dock_door_id=str(warehouse.places["DOCK-1"]))
    do(worker, f"/receipts/{receipt['id']}/scans", code="00" + sscc(8))
    do(worker, f"/receipts/{receipt['id']}/scans", code=TEA_CASE, onto=sscc(8))
    do(worker, "/moves", code=sscc(8), to_place="A-01-1")
    undo(worker)
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 12}
    row = conn.execute("select place_id from license_plate where code = %s", [sscc(8)]).fetchone()
    assert row == (warehouse.places["DOCK-1"],)
    assert ledger.verify(conn) == []
