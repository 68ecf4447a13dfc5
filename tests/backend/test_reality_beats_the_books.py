"""What a count, a portal or the calendar says is taken as it is, and the books follow, across the slices."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from backend import counting, ledger, orders, packing, picking, receiving
from backend.context import Context
from backend.counting import counts
from backend.db import Conn, connect
from backend.ledger import Move, Spot
from backend.picking.confirm import ExpiredLot
from backend.receiving import AsnTag, NewAsn
from tests.backend.orders.flow import accept, again, on_hand, stages
from tests.backend.packing.test_packing import pick_all
from tests.backend.receiving_goods import EACH, passed, stock, unit_tag
from tests.conftest import Api, Warehouse, build_warehouse, put_stock

TEA = "06412345000012"


def who(w: Warehouse, name: str) -> Context:
    return w.ctx(f"user:{name}")


def open_count(conn: Conn, w: Warehouse, place: str) -> UUID:
    with conn.transaction():
        return counting.open_count(conn, w.ctx(), w.places[place], None, reason="test")


def counted(conn: Conn, w: Warehouse, task: UUID, person: str, *codes: tuple[str, str]) -> str:
    """One round: what the person counted. -> the state of the count."""
    for code, quantity in codes:
        with conn.transaction():
            counts.add_line(conn, who(w, person), task, code, Decimal(quantity), None, None)
    with conn.transaction():
        return counts.submit(conn, who(w, person), task).state


def approve(conn: Conn, w: Warehouse, task: UUID) -> None:
    with conn.transaction():
        counts.approve(conn, who(w, "lead"), task)


def take(conn: Conn, w: Warehouse, sku: str, place: str, quantity: str) -> None:
    with conn.transaction():
        ledger.post(conn, w.ctx(), [Move(w.items[sku], Decimal(quantity), Spot(w.places[place]), Spot(w.places["STAGE-OUT"]),
                                         "taken", "transfer")])  # fmt: skip


def test_what_was_picked_after_the_count_is_no_difference(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    task = open_count(conn, warehouse, "A-01-1")
    with conn.transaction():
        counts.add_line(conn, who(warehouse, "ann"), task, TEA, Decimal(10), None, None)
    take(conn, warehouse, "TEA-250", "A-01-1", "4")
    assert counted(conn, warehouse, task, "ann") == "done"
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 6


def test_a_count_approved_late_corrects_by_what_was_wrong_when_it_was_counted(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "12")
    put_stock(conn, warehouse, "CABLE", "A-01-1", "5.5")
    task = open_count(conn, warehouse, "A-01-1")
    assert counted(conn, warehouse, task, "ann", (TEA, "10")) == "recount"
    assert counted(conn, warehouse, task, "bob", (TEA, "10")) == "to_approve"
    take(conn, warehouse, "TEA-250", "A-01-1", "5")
    put_stock(conn, warehouse, "CABLE", "A-01-1", "3")
    approve(conn, warehouse, task)
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 5
    assert on_hand(conn, warehouse, "CABLE", "A-01-1") == 3, "what came after it was found empty stays"
    assert ledger.verify(conn) == []


def test_a_serial_counted_in_another_bin_comes_from_where_the_books_had_it(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="S1")
    o = accept(conn, warehouse, ("DRILL-X", "1"))
    tag = unit_tag("DRILL-X", 7)
    conn.execute(
        "insert into tag (id, epc, item_id, serial) values (gen_random_uuid(), %s, %s, 'S1')",
        [tag, warehouse.items["DRILL-X"]],
    )
    task = open_count(conn, warehouse, "A-02-1")
    assert counted(conn, warehouse, task, "ann", (tag, "1")) == "recount"
    assert counted(conn, warehouse, task, "bob", (tag, "1")) == "to_approve"
    approve(conn, warehouse, task)
    assert on_hand(conn, warehouse, "DRILL-X", "A-01-1") == 0
    assert on_hand(conn, warehouse, "DRILL-X", "A-02-1") == 1
    tasks = picking.tasks_where(conn, " and t.state = 'open'", [warehouse.site_id])
    assert [t.place_code for t in tasks] == ["A-02-1"], "the order that was promised it finds it there"
    assert stages(again(conn, warehouse, o)) == {"allocated": 1}
    assert ledger.verify(conn) == []


def test_what_a_count_finds_elsewhere_is_in_no_carton_any_more(
    conn: Conn, warehouse: Warehouse, api: Api
) -> None:
    for serial in ("S1", "S2"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=serial)
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "3")
    o = accept(conn, warehouse, ("DRILL-X", "2"), ("TEA-250", "3"))
    pick_all(conn, warehouse, o)
    carton = api.post("/api/v1/cartons", json={"order_id": str(o.id), "bench": "BENCH-1"}).json()["id"]
    for code, quantity in (("S1", "1"), ("S2", "1"), (TEA, "3")):
        packed = api.post(f"/api/v1/cartons/{carton}/contents", json={"code": code, "quantity": quantity})
        assert packed.status_code == 200, packed.text

    def inside() -> list[tuple[str, str | None, Decimal]]:
        return [
            (n.sku, n.serial, n.quantity)
            for n in packing.carton(conn, warehouse.site_id, UUID(carton)).contents
        ]

    shelf = open_count(conn, warehouse, "A-02-1")
    drill = f"(01){EACH['DRILL-X']}(21)S1"
    assert counted(conn, warehouse, shelf, "ann", (drill, "1")) == "recount"
    assert counted(conn, warehouse, shelf, "bob", (drill, "1")) == "to_approve"
    approve(conn, warehouse, shelf)
    assert inside() == [("DRILL-X", "S2", 1), ("TEA-250", None, 3)]
    assert stages(again(conn, warehouse, o)) == {"packed": 1, "allocated": 1}, (
        "the order gets it from the shelf"
    )

    bench = open_count(conn, warehouse, "BENCH-1")
    there = ((f"(01){EACH['DRILL-X']}(21)S2", "1"), (TEA, "1"))
    assert counted(conn, warehouse, bench, "ann", *there) == "recount"
    assert counted(conn, warehouse, bench, "bob", *there) == "to_approve"
    approve(conn, warehouse, bench)
    assert inside() == [("DRILL-X", "S2", 1), ("TEA-250", None, 1)]
    assert ledger.verify(conn) == []


def test_a_serial_that_is_being_taken_away_while_the_count_ends_is_not_lost(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="S1")
    with conn.transaction():
        task = counting.open_count(
            conn, warehouse.ctx(), warehouse.places["A-01-1"], None, reason="test", tolerance=Decimal(1)
        )
    away = Move(warehouse.items["DRILL-X"], Decimal(1), Spot(warehouse.places["A-01-1"]), Spot(warehouse.places["STAGE-OUT"]),
                "taken", "transfer", serial="S1")  # fmt: skip
    with ThreadPoolExecutor(1) as ann, connect(database_url, autocommit=True) as picker:
        with picker.transaction():
            ledger.post(picker, warehouse.ctx(), [away])
            ended = ann.submit(counted, conn, warehouse, task, "ann")
            while (
                not ended.done() and not picker.execute("select 1 from pg_locks where not granted").fetchone()
            ):
                time.sleep(0.01)
        assert ended.result() == "done"
    assert stock(conn, warehouse, "STAGE-OUT") == {"DRILL-X": 1}
    assert ledger.verify(conn) == []


def test_a_closed_bin_is_counted_like_any_other(conn: Conn, warehouse: Warehouse) -> None:
    conn.execute("update place set active = false where code = 'A-01-2'")
    task = open_count(conn, warehouse, "A-01-2")
    assert counted(conn, warehouse, task, "ann", (TEA, "3")) == "recount"
    assert counted(conn, warehouse, task, "bob", (TEA, "3")) == "to_approve"
    approve(conn, warehouse, task)
    assert on_hand(conn, warehouse, "TEA-250", "A-01-2") == 3


def test_goods_found_in_quarantine_are_not_promised(conn: Conn, warehouse: Warehouse) -> None:
    task = open_count(conn, warehouse, "QUAR")
    counted(conn, warehouse, task, "ann", (TEA, "3"))
    counted(conn, warehouse, task, "bob", (TEA, "3"))
    approve(conn, warehouse, task)
    (row,) = ledger.rows_at(conn, warehouse.site_id, warehouse.places["QUAR"])
    assert (int(row.on_hand), row.status) == (3, "quarantine")


def test_one_count_settles_every_doubt_about_a_bin(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "8")
    for _ in range(2):
        with conn.transaction():
            counting.raise_discrepancy(
                conn,
                warehouse.ctx(),
                "short_pick",
                item_id=warehouse.items["TEA-250"],
                place_id=warehouse.places["A-01-1"],
            )
    (task,) = conn.execute("select id from count_task").fetchone() or (None,)
    assert task is not None
    assert counted(conn, warehouse, task, "ann", (TEA, "8")) == "done"
    assert conn.execute("select distinct state from discrepancy").fetchall() == [("resolved",)]


def test_a_serial_that_is_in_stock_does_not_hold_up_the_rest_of_the_passage(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="101")
    with conn.transaction():
        receiving.expect(
            conn, warehouse.ctx(), NewAsn("ASN-9", warehouse.supplier_id, tags=(AsnTag(unit_tag("DRILL-X", 101)), AsnTag(unit_tag("DRILL-X", 102))))
        )  # fmt: skip
    passed(
        conn,
        warehouse.ctx(),
        warehouse.places["DOCK-1"],
        [unit_tag("DRILL-X", 101), unit_tag("DRILL-X", 102)],
    )
    assert stock(conn, warehouse, "DOCK-1") == {"DRILL-X": 1}
    assert conn.execute("select kind from discrepancy").fetchall() == [("read_elsewhere",)]
    assert ledger.verify(conn) == []


def test_a_serial_that_another_site_has_is_reported_and_its_books_are_left_alone(
    conn: Conn, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    put_stock(conn, other, "DRILL-X", "A-01-1", "1", serial="101")
    passed(
        conn,
        warehouse.ctx(),
        warehouse.places["DOCK-1"],
        [unit_tag("DRILL-X", 101), unit_tag("DRILL-X", 102)],
    )
    assert stock(conn, warehouse, "DOCK-1") == {"DRILL-X": 1}
    assert stock(conn, other, "A-01-1") == {"DRILL-X": 1}
    assert conn.execute("select kind, site_id from discrepancy").fetchall() == [
        ("serial_of_another_site", warehouse.site_id)
    ]


def test_goods_come_in_through_a_door_that_is_closed_in_the_books(conn: Conn, warehouse: Warehouse) -> None:
    conn.execute("update place set active = false where code = 'DOCK-2'")
    passed(
        conn, warehouse.ctx(), warehouse.places["DOCK-2"], [unit_tag("TEA-250", 1), unit_tag("TEA-250", 2)]
    )
    assert stock(conn, warehouse, "DOCK-2") == {"TEA-250": 2}


def test_a_lot_that_expires_while_it_is_promised_is_not_picked(conn: Conn, warehouse: Warehouse) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L1", expires_on=soon.date().isoformat())
    put_stock(conn, warehouse, "MILK-1L", "C-01-2", "2", lot="L2", expires_on="2099-01-01")
    o = accept(conn, warehouse, ("MILK-1L", "4"))
    (t,) = picking.tasks_where(conn, " and t.state = 'open'", [warehouse.site_id])
    later = Context("user:ann", warehouse.site_id, soon + timedelta(days=1), "late")
    try:
        with conn.transaction():
            try:
                picking.confirm(
                    conn, later, t.id, place="C-01-1", code="MILK-1L", lot="L1", quantity=Decimal(1)
                )
            except ExpiredLot as e:  # as the API does: refused, and what was written stays
                refusal = e
    finally:
        assert "expired on" in refusal.detail
    assert stages(again(conn, warehouse, o)) == {"allocated": 2, "waiting": 2}
    (t,) = picking.tasks_where(conn, " and t.state in ('open', 'claimed')", [warehouse.site_id])
    assert (t.place_code, t.lot_code) == ("C-01-2", "L2")
    assert ledger.verify(conn) == []


def test_promises_on_expired_lots_are_made_anew_by_the_clock(conn: Conn, warehouse: Warehouse) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L1", expires_on=soon.date().isoformat())
    o = accept(conn, warehouse, ("MILK-1L", "4"))
    with conn.transaction():
        assert orders.reallocate_expired(conn, warehouse.ctx()) == []
        later = Context("job:test", warehouse.site_id, soon + timedelta(days=1), "late")
        assert orders.reallocate_expired(conn, later) == [o.id]
    assert stages(again(conn, warehouse, o)) == {"waiting": 4}
    assert ledger.verify(conn) == []


def test_an_item_that_is_not_sold_any_more_is_still_picked_and_counted(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    o = accept(conn, warehouse, ("TEA-250", "2"))
    conn.execute("update item set active = false where sku = 'TEA-250'")
    (t,) = picking.tasks_where(conn, " and t.state = 'open'", [warehouse.site_id])
    with conn.transaction():
        picking.confirm(conn, warehouse.ctx(), t.id, place="A-01-1", code=TEA, quantity=Decimal(2))
    assert stages(again(conn, warehouse, o)) == {"picked": 2}
    task = open_count(conn, warehouse, "A-01-1")
    assert counted(conn, warehouse, task, "ann", (TEA, "3")) == "done"


def test_another_sites_serials_and_tagged_plates_are_not_looked_up(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    put_stock(conn, other, "DRILL-X", "A-01-1", "1", serial="SECRET-9")
    conn.execute(
        """with p as (insert into license_plate (id, site_id, code, kind, place_id) values (gen_random_uuid(), %s, 'P-9', 'pallet', %s) returning id)
           insert into tag (id, epc, license_plate_id) select gen_random_uuid(), 'ABCD00000000000000000009', id from p""",
        [other.site_id, other.places["A-01-1"]],
    )
    for code in ("SECRET-9", "ABCD00000000000000000009"):
        here, there = ({"code": code, "site_id": str(w.site_id)} for w in (warehouse, other))
        assert api.get("/api/v1/lookup", params=here).status_code == 404
        assert api.get("/api/v1/lookup", params=there).status_code == 200


@pytest.mark.parametrize("kind", ["receipt", "pick", "shipment"])
def test_a_movement_of_a_document_is_not_corrected_behind_its_back(
    api: Api, conn: Conn, warehouse: Warehouse, kind: str
) -> None:
    with conn.transaction():
        posted = ledger.post(conn, warehouse.ctx(), [Move(
            warehouse.items["TEA-250"], Decimal(2), Spot(warehouse.places["SUPPLIER"]), Spot(warehouse.places["DOCK-1"]), "test", kind
        )])  # fmt: skip
    answer = api.post(f"/api/v1/movements/{posted[0].movement_id}/reverse", json={"reason": "a mistake"})
    assert (answer.status_code, answer.json()["cause"]) == (409, kind)
    assert on_hand(conn, warehouse, "TEA-250", "DOCK-1") == 2


def test_goods_on_a_pallet_go_to_another_site_and_nothing_stays_on_the_way(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "4")
    here, there = {"site_id": str(warehouse.site_id)}, {"site_id": str(other.site_id)}
    plate = {"kind": "pallet", "place_id": str(warehouse.places["A-01-1"]),
             "contents": [{"item_id": str(warehouse.items["TEA-250"]), "quantity": "3"}]}  # fmt: skip
    assert api.post("/api/v1/license-plates", json=plate, params=here).status_code == 201
    body = {
        "to_site_id": str(other.site_id),
        "lines": [{"item": "TEA-250", "quantity": "4", "from_place": "A-01-1"}],
    }
    made = api.post("/api/v1/transfers", json=body, params=here).json()
    url = f"/api/v1/transfers/{made['id']}"
    assert api.post(f"{url}/dispatch", params=here).status_code == 200
    line = {"line_id": made["lines"][0]["id"], "quantity": "3"}
    got = api.post(f"{url}/receive", json={"to_place": "DOCK-1", "counted": [line]}, params=there)
    assert got.status_code == 200
    row = conn.execute(
        """select coalesce(sum(case when t.kind = 'in_transit' then m.quantity else 0 end
                             - case when f.kind = 'in_transit' then m.quantity else 0 end), 0)
           from movement m join place f on f.id = m.from_place_id join place t on t.id = m.to_place_id"""
    ).fetchone()
    assert row == (0,)
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 0
    assert on_hand(conn, other, "TEA-250", "DOCK-1") == 3
    assert ledger.verify(conn) == []
