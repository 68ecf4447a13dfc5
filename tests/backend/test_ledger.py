"""The five decisions, as far as the ledger keeps them."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import psycopg
import pytest

from backend import ledger
from backend.db import Conn, connect
from backend.errors import Conflict, Invalid, Unknown
from backend.ids import new_id
from backend.ledger import Move, NotEnoughStock, Spot
from tests.conftest import Warehouse, build_warehouse, put_stock


def move(w: Warehouse, sku: str, quantity: str, from_: str, to: str, **more: object) -> Move:
    return Move(
        w.items[sku],
        Decimal(quantity),
        Spot(w.places[from_]),
        Spot(w.places[to]),
        "test",
        "adjustment",
        **more,
    )  # type: ignore[arg-type]


def on_hand(conn: Conn, w: Warehouse, sku: str, place: str) -> Decimal:
    return sum(
        (r.on_hand for r in ledger.rows_at(conn, w.site_id, w.places[place], w.items[sku])), Decimal(0)
    )


def test_a_move_takes_from_one_place_and_gives_to_another(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "24")
    with conn.transaction():
        ledger.post(conn, warehouse.ctx(), [move(warehouse, "TEA-250", "10", "A-01-1", "A-01-2")])
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 14
    assert on_hand(conn, warehouse, "TEA-250", "A-01-2") == 10
    assert ledger.verify(conn) == []


def test_more_than_is_there_is_refused_in_words_and_changes_nothing(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    with (
        pytest.raises(NotEnoughStock, match=r"A-01-1 has 5 each of TEA-250; 6 cannot be taken"),
        conn.transaction(),
    ):
        ledger.post(conn, warehouse.ctx(), [move(warehouse, "TEA-250", "6", "A-01-1", "A-01-2")])
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 5


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity", "0.5", "1e13"])
def test_a_quantity_that_cannot_be_is_refused(conn: Conn, warehouse: Warehouse, quantity: str) -> None:
    with pytest.raises(Invalid) as refusal, conn.transaction():
        ledger.post(conn, warehouse.ctx(), [move(warehouse, "TEA-250", quantity, "ADJUSTMENT", "A-01-1")])
    assert refusal.value.field == "quantity"


def test_lots_and_serials_must_be_named(conn: Conn, warehouse: Warehouse) -> None:
    for sku, field in (("MILK-1L", "lot"), ("DRILL-X", "serial")):
        with pytest.raises(Invalid) as refusal, conn.transaction():
            ledger.post(conn, warehouse.ctx(), [move(warehouse, sku, "1", "ADJUSTMENT", "A-01-1")])
        assert refusal.value.field == field


def test_a_serial_is_in_stock_once(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="S1")
    with pytest.raises(psycopg.errors.UniqueViolation, match="balance_serial_once"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-2", "1", serial="S1")
    with pytest.raises(psycopg.errors.CheckViolation, match="balance_serial_is_one"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="S1")
    with conn.transaction():
        ledger.post(conn, warehouse.ctx(), [move(warehouse, "DRILL-X", "1", "A-01-1", "A-01-2", serial="S1")])
    assert on_hand(conn, warehouse, "DRILL-X", "A-01-2") == 1


def test_another_sites_place_is_refused(conn: Conn, warehouse: Warehouse) -> None:
    other = build_warehouse(conn, "TRE1")
    with pytest.raises(Unknown, match="another site"), conn.transaction():
        ledger.post(
            conn,
            warehouse.ctx(),
            [
                replace(
                    move(warehouse, "TEA-250", "1", "ADJUSTMENT", "A-01-1"), to=Spot(other.places["A-01-1"])
                )
            ],
        )


def test_nobody_rewrites_the_ledger(database_url: str, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    for statement in (
        "update movement set quantity = 1",
        "delete from movement",
        "truncate movement cascade",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())
        with (
            connect(database_url, as_owner=True, autocommit=True) as owner,
            pytest.raises(psycopg.errors.RestrictViolation, match="append-only"),
        ):
            owner.execute(statement.encode())


def test_verify_finds_a_balance_that_was_tampered_with(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    with connect(database_url, as_owner=True, autocommit=True) as owner:
        owner.execute("update balance set on_hand = 7, reserved = 1")
    assert {(m.what, m.expected, m.found) for m in ledger.verify(conn)} == {
        ("balance", 5, 7),
        ("reserved", 0, 1),
    }


def test_a_correction_is_a_reversing_movement_and_happens_once(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    with conn.transaction():
        posted = ledger.post(conn, warehouse.ctx(), [move(warehouse, "TEA-250", "2", "A-01-1", "A-01-2")])
        ledger.reverse(conn, warehouse.ctx(), posted[0].movement_id, "wrong bin")
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 5
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "5")
    with pytest.raises(psycopg.errors.UniqueViolation, match="movement_reversed_once"), conn.transaction():
        ledger.reverse(conn, warehouse.ctx(), posted[0].movement_id, "again")


def test_a_move_inside_one_erp_location_is_nothing_to_post(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    with conn.transaction():
        ledger.post(
            conn,
            warehouse.ctx(),
            [
                move(warehouse, "TEA-250", "2", "A-01-1", "A-01-2"),
                move(warehouse, "TEA-250", "1", "A-01-1", "QUAR"),
            ],
        )
    rows = conn.execute("select erp_from, erp_to, posting from movement order by seq").fetchall()
    assert rows == [("LOST_FOUND", "STO", "to_post"), ("STO", "STO", "nothing"), ("STO", "QUA", "to_post")]


def test_reserved_stock_is_not_taken_by_others_and_goes_along_when_picked(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    demand = new_id()
    with conn.transaction():
        row = ledger.candidates(conn, warehouse.site_id, warehouse.items["TEA-250"], lock=True)[0]
        reservation = ledger.reserve(conn, warehouse.ctx(), "order_line", demand, row, Decimal(7))
    with pytest.raises(NotEnoughStock, match="of which 7 are reserved"), conn.transaction():
        ledger.post(conn, warehouse.ctx(), [move(warehouse, "TEA-250", "4", "A-01-1", "A-01-2")])
    with conn.transaction():
        posted = ledger.post(
            conn,
            warehouse.ctx(),
            [
                move(
                    warehouse,
                    "TEA-250",
                    "5",
                    "A-01-1",
                    "STAGE-OUT",
                    reservation_id=reservation,
                    carry_reservation=True,
                )
            ],
        )
    assert posted[0].reservation_id is not None
    assert {(r.place_id, r.quantity) for r in ledger.reservations_of(conn, "order_line", demand)} == {
        (warehouse.places["A-01-1"], 2),
        (warehouse.places["STAGE-OUT"], 5),
    }
    assert ledger.verify(conn) == []


def test_ten_callers_for_five_pieces_get_five(database_url: str, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    outcomes: list[str] = []

    def take() -> None:
        with connect(database_url) as c:
            try:
                with c.transaction():
                    for row in ledger.candidates(c, warehouse.site_id, warehouse.items["TEA-250"], lock=True)[
                        :1
                    ]:
                        ledger.reserve(c, warehouse.ctx(), "order_line", new_id(), row, Decimal(1))
                        outcomes.append("got")
                        return
                outcomes.append("none")
            except Conflict:
                outcomes.append("none")

    threads = [threading.Thread(target=take) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(outcomes) == ["got"] * 5 + ["none"] * 5
    assert ledger.verify(conn) == []


def test_opposite_moves_at_once_wait_for_each_other_and_conserve_stock(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "50")
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "50")
    failures: list[Exception] = []

    def shuttle(from_: str, to: str) -> None:
        try:
            with connect(database_url) as c:
                for _ in range(40):
                    with c.transaction():
                        ledger.post(c, warehouse.ctx(), [move(warehouse, "TEA-250", "1", from_, to)])
        except Exception as e:  # noqa: BLE001 (a thread's failure is shown by the test)
            failures.append(e)

    threads = [
        threading.Thread(target=shuttle, args=a) for a in [("A-01-1", "A-01-2"), ("A-01-2", "A-01-1")] * 2
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 50
    assert ledger.verify(conn) == []


def test_reality_beats_the_books(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    demand = new_id()
    with conn.transaction():
        row = ledger.candidates(conn, warehouse.site_id, warehouse.items["TEA-250"], lock=True)[0]
        ledger.reserve(conn, warehouse.ctx(), "order_line", demand, row, Decimal(4))
        seen = ledger.post_observed(
            conn, warehouse.ctx(), move(warehouse, "TEA-250", "8", "A-01-1", "DOCK-1")
        )
    assert seen.missing == 3
    assert [(b.demand_id, b.quantity) for b in seen.broken] == [(demand, 4)]
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 0
    assert on_hand(conn, warehouse, "TEA-250", "DOCK-1") == 8
    assert ledger.verify(conn) == []
