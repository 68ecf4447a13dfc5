"""Which postings go into which document, and in which order. No ERP is asked here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from backend import ledger
from backend.db import Conn
from backend.integration.erp import outbox
from backend.integration.erp.connector import ErpBusy, ErpClosedPeriod, ErpRefused, ErpUnknownItem, Posted
from tests.conftest import Warehouse, put_stock

LATER = timedelta(minutes=1)


def move(
    conn: Conn,
    w: Warehouse,
    sku: str,
    quantity: str,
    source: str,
    target: str,
    cause: str = "transfer",
    **evidence: object,
) -> str:
    with conn.transaction():
        (posted,) = ledger.post(
            conn,
            w.ctx(),
            [
                ledger.Move(
                    w.items[sku],
                    Decimal(quantity),
                    ledger.Spot(w.places[source]),
                    ledger.Spot(w.places[target]),
                    cause,
                    cause,
                    evidence=evidence,
                )
            ],
        )
    return str(posted.movement_id)


def groups(conn: Conn) -> list[outbox.Group]:
    with conn.transaction():
        return outbox.next_groups(conn, datetime.now(UTC) + LATER)


def lines(conn: Conn, group: outbox.Group) -> set[str]:
    return {line.key for line in outbox.document(conn, group).lines}


def post_all(conn: Conn) -> list[str]:
    """Say yes to everything, round by round; the kinds in the order they were sent."""
    sent = []
    while due := groups(conn):
        for group in due:
            sent.append(group.kind)
            with conn.transaction():
                outbox.settle_posted(conn, group, Posted("1", "1"), datetime.now(UTC))
    return sent


def state(conn: Conn, posting: str) -> tuple[str, str | None]:
    row = conn.execute("select state, words from posting where id = %s", [posting]).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_move_inside_one_erp_location_is_no_posting(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    post_all(conn)
    inside = move(conn, warehouse, "TEA-250", "4", "A-01-1", "A-01-2")
    assert conn.execute("select posting from movement where id = %s", [inside]).fetchone() == ("nothing",)
    assert groups(conn) == []


def test_opening_stock_imported_from_the_erp_is_not_sent_back(conn: Conn, warehouse: Warehouse) -> None:
    known = move(conn, warehouse, "TEA-250", "10", "ADJUSTMENT", "A-01-1", "opening", erp_import=True)
    assert state(conn, known)[0] == "posted"
    assert groups(conn) == []


def test_what_belongs_together_waits_a_moment_and_becomes_one_document(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    post_all(conn)
    first = move(conn, warehouse, "TEA-250", "4", "A-01-1", "C-01-1")
    second = move(conn, warehouse, "TEA-250", "3", "A-01-1", "C-01-2")
    row = conn.execute("select max(recorded_at) from posting").fetchone()
    assert row is not None
    with conn.transaction():
        assert outbox.next_groups(conn, row[0] + 0.9 * outbox.QUIET) == []
        (group,) = outbox.next_groups(conn, row[0] + outbox.QUIET)
    assert (group.kind, lines(conn, group)) == ("internal", {first, second})


def test_a_frozen_group_keeps_its_members_and_its_reference(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    (group,) = groups(conn)
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    (again,) = groups(conn)
    assert outbox.document(conn, again) == outbox.document(conn, group)
    assert len(group.reference) <= 35


def test_an_item_is_posted_in_the_order_it_moved(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    move(conn, warehouse, "TEA-250", "4", "A-01-1", "C-01-1")
    move(conn, warehouse, "TEA-250", "2", "C-01-1", "A-01-1")
    move(conn, warehouse, "TEA-250", "1", "A-01-1", "CUSTOMER", "shipment")
    (only,) = groups(conn)
    assert only.kind == "count"
    assert post_all(conn) == ["count", "internal", "internal", "shipment"]


def test_a_parked_line_holds_back_its_own_item_and_no_other(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    put_stock(conn, warehouse, "CABLE", "A-01-1", "10")
    (group,) = groups(conn)
    tea = next(x.key for x in outbox.document(conn, group).lines if x.item == "TEA-250")
    with conn.transaction():
        outbox.settle_refused(conn, group, ErpUnknownItem("no product TEA-250", [tea]), datetime.now(UTC))
    behind = move(conn, warehouse, "TEA-250", "1", "A-01-1", "C-01-1")
    move(conn, warehouse, "CABLE", "1", "A-01-1", "C-01-1")
    assert post_all(conn) == ["count", "internal"]
    assert state(conn, tea) == ("parked", "no product TEA-250")
    assert state(conn, behind)[0] == "waiting"
    with conn.transaction():
        assert outbox.retry(conn, warehouse.site_id, UUID(tea), datetime.now(UTC))
    assert post_all(conn) == ["count", "internal"]
    assert state(conn, tea)[0] == state(conn, behind)[0] == "posted"


def test_a_refusal_that_names_no_line_is_halved_until_it_does(conn: Conn, warehouse: Warehouse) -> None:
    for n in range(1, 6):
        put_stock(conn, warehouse, "TEA-250" if n % 2 else "CABLE", "A-01-1", str(n))
    bad = "3"
    refused = 0
    while due := groups(conn):
        for group in due:
            document = outbox.document(conn, group)
            with conn.transaction():
                if any(line.quantity == Decimal(bad) for line in document.lines):
                    refused += 1
                    outbox.settle_refused(conn, group, ErpRefused("something is wrong"), datetime.now(UTC))
                else:
                    outbox.settle_posted(conn, group, Posted("1", "1"), datetime.now(UTC))
    states = conn.execute(
        "select m.quantity, p.state from posting p join movement m on m.id = p.id order by p.seq"
    ).fetchall()
    assert [(int(q), s) for q, s in states if s != "posted"] == [(3, "parked")]
    assert refused <= 4


def test_a_closed_period_parks_the_whole_document_and_another_day_frees_it(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "1")
    put_stock(conn, warehouse, "CABLE", "A-01-1", "2")
    (group,) = groups(conn)
    members = lines(conn, group)
    with conn.transaction():
        outbox.settle_refused(conn, group, ErpClosedPeriod("reopen the period"), datetime.now(UTC))
    assert {state(conn, m) for m in members} == {("parked", "reopen the period")}
    other_day = (datetime.now(UTC) - timedelta(days=3)).date()
    for m in members:
        with conn.transaction():
            outbox.retry(conn, warehouse.site_id, UUID(m), datetime.now(UTC), erp_date=other_day)
    (again,) = groups(conn)
    assert (again.occurred_on, lines(conn, again)) == (other_day, members)
    assert again.reference != group.reference


def test_a_document_that_the_erp_fails_over_while_others_pass_is_parked_in_the_end(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "1")
    now = datetime.now(UTC) + LATER
    for _ in range(outbox.FAILURES_BEFORE_PARKING):
        with conn.transaction():
            (group,) = outbox.next_groups(conn, now)
            outbox.settle_failed(conn, group, ErpBusy("HTTP 500"), now, others_passed=True)
        now += timedelta(hours=1)
    row = conn.execute("select id, state, words from posting").fetchone()
    assert row is not None
    assert row[1:] == ("parked", "HTTP 500")
    with conn.transaction():
        assert outbox.retry(conn, warehouse.site_id, row[0], now)
        (again,) = outbox.next_groups(conn, now)
    assert again.reference == group.reference


@pytest.mark.parametrize("source", ["SUPPLIER", "PRODUCTION"])
def test_a_move_that_has_no_document_in_the_erp_is_parked_at_once(
    conn: Conn, warehouse: Warehouse, source: str
) -> None:
    odd = move(conn, warehouse, "TEA-250", "1", source, "ADJUSTMENT" if source == "SUPPLIER" else "A-01-1")
    assert state(conn, odd)[0] == "parked"
    assert "no ERP document" in (state(conn, odd)[1] or "")
