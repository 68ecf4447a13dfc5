"""A license plate is carried by hand: what is promised, packed or standing on another plate stays right."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest

from backend import ledger, orders, packing, picking
from backend.catalog.tags import NewPlate, create_plate
from backend.catalog.tags.plates import PlateContent
from backend.db import Conn, connect
from backend.transfers import move_by_code
from backend.transfers.plates import PlateOnItsWay
from tests.backend.orders.flow import accept, again, new_order, on_hand, stages
from tests.conftest import Warehouse, put_stock

TEA = "06412345000012"


def plate(
    conn: Conn, w: Warehouse, code: str, place: str, quantity: str = "0", *, kind: str = "pallet",
    parent: UUID | None = None,
) -> UUID:  # fmt: skip
    """A plate with that much tea on it."""
    contents = (PlateContent(w.items["TEA-250"], Decimal(quantity)),) if Decimal(quantity) else ()
    if contents:
        put_stock(conn, w, "TEA-250", place, quantity)
    with conn.transaction():
        return create_plate(conn, w.ctx(), NewPlate(kind, code, w.places[place], parent, contents))


def move(conn: Conn, w: Warehouse, code: str, to: str) -> None:
    with conn.transaction():
        move_by_code(conn, w.ctx(), code=code, to=to)


def tasks(conn: Conn, w: Warehouse) -> list[picking.PickTask]:
    return picking.tasks_where(conn, " and t.state in ('open', 'claimed') order by t.id", [w.site_id])


def place_of(conn: Conn, plate_id: UUID) -> tuple[object, object]:
    row = conn.execute("select place_id, parent_id from license_plate where id = %s", [plate_id]).fetchone()
    assert row is not None
    return row[0], row[1]


def test_the_task_goes_where_the_promised_pallet_went(conn: Conn, warehouse: Warehouse) -> None:
    plate(conn, warehouse, "P-1", "A-01-1", "12")
    o = accept(conn, warehouse, ("TEA-250", "5"))
    move(conn, warehouse, "P-1", "A-02-1")
    (t,) = tasks(conn, warehouse)
    assert (t.place_code, int(t.remaining)) == ("A-02-1", 5)
    with conn.transaction():
        picking.confirm(conn, warehouse.ctx(), t.id, place="A-02-1", code="P-1")
    assert stages(again(conn, warehouse, o)) == {"picked": 5}
    assert ledger.verify(conn) == []


def test_a_promised_pallet_set_apart_loses_its_promise_and_the_order_gets_other_stock(
    conn: Conn, warehouse: Warehouse
) -> None:
    plate(conn, warehouse, "P-1", "A-01-1", "12")
    o = accept(conn, warehouse, ("TEA-250", "5"))
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "3")
    move(conn, warehouse, "P-1", "QUAR")
    assert [(t.place_code, int(t.remaining)) for t in tasks(conn, warehouse)] == [("A-01-2", 3)]
    assert stages(again(conn, warehouse, o)) == {"allocated": 3, "waiting": 2}
    assert ledger.verify(conn) == []


@pytest.mark.parametrize(
    ("to", "to_pick", "spread"), [("A-02-1", [("A-02-1", 5)], {"allocated": 5}), ("QUAR", [], {"waiting": 5})]
)
def test_what_is_promised_while_the_pallet_is_carried_away_is_followed_too(
    database_url: str,
    conn: Conn,
    warehouse: Warehouse,
    to: str,
    to_pick: list[tuple[str, int]],
    spread: dict[str, int],
) -> None:
    plate(conn, warehouse, "P-1", "A-01-1", "12")
    with ThreadPoolExecutor(1) as somebody, connect(database_url, autocommit=True) as sales:
        with sales.transaction():
            o = orders.accept(sales, warehouse.ctx(), new_order(warehouse, ("TEA-250", "5")))
            carried = somebody.submit(move, conn, warehouse, "P-1", to)
            while (
                not carried.done()
                and not sales.execute("select 1 from pg_locks where not granted").fetchone()
            ):
                time.sleep(0.01)
        carried.result()
    assert [(t.place_code, int(t.remaining)) for t in tasks(conn, warehouse)] == to_pick
    assert stages(again(conn, warehouse, o)) == spread
    assert ledger.verify(conn) == []


def test_a_case_taken_off_its_pallet_stays_where_it_was_put(conn: Conn, warehouse: Warehouse) -> None:
    pallet = plate(conn, warehouse, "P-1", "A-01-1", "12")
    case = plate(conn, warehouse, "C-1", "A-01-1", "6", kind="case", parent=pallet)
    move(conn, warehouse, "C-1", "A-01-2")
    assert place_of(conn, case) == (warehouse.places["A-01-2"], None)
    move(conn, warehouse, "P-1", "A-02-1")
    assert on_hand(conn, warehouse, "TEA-250", "A-01-2") == 6
    assert on_hand(conn, warehouse, "TEA-250", "A-02-1") == 12
    assert ledger.verify(conn) == []


def test_a_case_moves_with_its_pallet_and_stays_on_it(conn: Conn, warehouse: Warehouse) -> None:
    pallet = plate(conn, warehouse, "P-1", "A-01-1", "12")
    case = plate(conn, warehouse, "C-1", "A-01-1", "6", kind="case", parent=pallet)
    move(conn, warehouse, "P-1", "A-02-1")
    assert place_of(conn, case) == (warehouse.places["A-02-1"], pallet)
    assert on_hand(conn, warehouse, "TEA-250", "A-02-1") == 18


def test_a_carton_goes_its_own_way(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "9")
    o = accept(conn, warehouse, ("TEA-250", "2"))
    (t,) = tasks(conn, warehouse)
    ctx = warehouse.ctx()
    with conn.transaction():
        picking.confirm(conn, ctx, t.id, place="A-01-1", code=TEA, quantity=Decimal(2))
        box = packing.open_carton(conn, ctx, o.id, warehouse.places["BENCH-1"])
        packing.pack(conn, ctx, box.id, TEA, Decimal(2))
    with pytest.raises(PlateOnItsWay, match="being packed"):
        move(conn, warehouse, box.sscc, "A-01-1")
    with conn.transaction():
        packing.close_carton(conn, ctx, box.id, override_reason="no scale", may_override=True)
    for place in ("A-01-1", "DOCK-1", "QUAR"):
        with pytest.raises(PlateOnItsWay, match="packed for"):
            move(conn, warehouse, box.sscc, place)
    move(conn, warehouse, box.sscc, "STAGE-OUT")
    assert stages(again(conn, warehouse, o)) == {"packed": 2}


def test_a_tote_that_is_carried_on_takes_along_what_is_in_it(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "9")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L1", expires_on="2099-01-01")
    o = accept(conn, warehouse, ("TEA-250", "2"), ("MILK-1L", "1"))
    tote = plate(conn, warehouse, "T-1", "STAGE-OUT", kind="tote")
    first, second = tasks(conn, warehouse)
    with conn.transaction():
        for t, to in ((first, None), (second, "BENCH-1")):
            picking.confirm(
                conn,
                warehouse.ctx(),
                t.id,
                place=t.place_code,
                code=t.sku,
                quantity=t.remaining,
                tote="T-1",
                to=to,
            )
    assert {r.place_code for r in ledger.on_plate(conn, warehouse.site_id, tote)} == {"BENCH-1"}
    assert place_of(conn, tote)[0] == warehouse.places["BENCH-1"]
    assert {line.picked for line in orders.order(conn, warehouse.site_id, o.id).lines} == {2, 1}
    assert ledger.verify(conn) == []
