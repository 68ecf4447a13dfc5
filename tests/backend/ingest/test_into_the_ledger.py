"""From the wire to the stock: with the real slices behind ingest, whatever happens to the transaction."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from backend import ledger, receiving, shipping
from backend.db import Conn, connect
from backend.ingest import Publish, commit_batch, handlers
from backend.ingest.consumer import _commit
from edge.messages import BarcodeScanned, TagPassage, TagsPassed
from tests.backend.ingest.sender import Sender, new_sender
from tests.backend.receiving_goods import pallet_asn, plate_tag, stock, unit_tag
from tests.conftest import Warehouse


@pytest.fixture
def sender(conn: Conn, warehouse: Warehouse) -> Sender:
    return new_sender(conn, warehouse)


def passage(*epcs: str, direction: str = "in", passage_id: str = "p1") -> TagsPassed:
    at = datetime.now(UTC)
    tags = [TagPassage(epc=e, confidence=0.97, reads=9, first_at=at, last_at=at) for e in epcs]
    return TagsPassed(portal="door-1", passage_id=passage_id, direction=direction, tags=tags)  # type: ignore[arg-type]


def test_a_pallet_through_the_door_is_stock_at_the_dock_once(
    conn: Conn, warehouse: Warehouse, sender: Sender
) -> None:
    pallet_asn(conn, warehouse)
    arrival = sender.event(passage(plate_tag(1), plate_tag(2), plate_tag(3), plate_tag(4)))
    p = sender.publish([arrival])
    for _ in range(3):
        assert commit_batch(conn, [p, p]).acks == [sender.ack(1)]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}
    assert conn.execute("select distinct actor, correlation_id from movement").fetchall() == [
        ("agent:dock/door-1", arrival.correlation_id)
    ]
    assert ledger.verify(conn) == []


def test_a_door_for_one_direction_hands_all_its_passages_to_one_slice(
    conn: Conn, warehouse: Warehouse, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    for name, module in (("receiving", receiving), ("shipping", shipping)):
        monkeypatch.setattr(module, "on_tags_passed", lambda *_, name=name: called.append(name))
    for purpose in ("inbound", "outbound", "both", "none"):
        conn.execute("update device set purpose = %s where code = 'door-1'", [purpose])
        commit_batch(conn, [sender.batch(passage("AAAA"), passage("AAAA", direction="out"))])
    assert called == ["receiving", "receiving", "shipping", "shipping", "receiving", "shipping"]
    assert conn.execute("select count(*) from device_event").fetchall() == [(8,)]


def test_two_consumers_of_the_same_messages_take_them_once(
    conn: Conn, warehouse: Warehouse, sender: Sender, database_url: str
) -> None:
    publishes = [sender.batch(passage(unit_tag("TEA-250", n), passage_id=f"p{n}")) for n in range(20)]
    outcomes: list[Any] = []

    def consume() -> None:
        with connect(database_url, autocommit=True) as own:
            outcomes.extend(_commit(own, [p]) for p in publishes)

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sum(o.events for o in outcomes) == 20
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 20}
    assert ledger.verify(conn) == []


@pytest.mark.parametrize("after", range(0, 60, 4))
def test_a_connection_lost_after_any_statement_leaves_all_or_nothing(
    conn: Conn, warehouse: Warehouse, sender: Sender, database_url: str, after: int
) -> None:
    """The batch is done again on a new connection, as the consumer does."""
    pallet_asn(conn, warehouse)
    p = sender.batch(passage(plate_tag(1), plate_tag(2), plate_tag(3), plate_tag(4)))
    left = after

    class Breaking(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                with connect(database_url, as_owner=True, autocommit=True) as owner:
                    owner.execute("select pg_terminate_backend(%s)", [self.connection.info.backend_pid])
            return super().execute(query, *args, **options)

    with connect(database_url, autocommit=True) as doomed:
        doomed.cursor_factory = Breaking
        try:
            commit_batch(doomed, [p])
        except psycopg.OperationalError:
            assert stock(conn, warehouse, "DOCK-1") == {}
            assert conn.execute("select count(*) from device_event").fetchall() == [(0,)]
    assert commit_batch(conn, [p]).acks == [sender.ack(1)]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}
    assert conn.execute("select count(*) from dead_letter").fetchall() == [(0,)]
    assert ledger.verify(conn) == []


def test_a_deadlock_is_nobodys_fault_and_ends_in_no_dead_letter(
    conn: Conn, warehouse: Warehouse, sender: Sender, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_hold_one = threading.Barrier(2)
    waited: set[int] = set()

    def lock_in_the_order_of_the_scans(own: Conn, ctx: Any, device: Any, event: Any, data: Any) -> None:
        own.execute("select pg_advisory_xact_lock(hashtext(%s))", [data.text])
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            both_hold_one.wait(20)

    monkeypatch.setitem(handlers.HANDLERS, "barcode_scanned", lock_in_the_order_of_the_scans)
    other = new_sender(conn, warehouse, "other")
    batches = [
        s.batch(*(BarcodeScanned(text=t) for t in texts), device="scanner-1")
        for s, texts in ((sender, "AB"), (other, "BA"))
    ]
    acks: list[Publish] = []

    def consume(p: Publish) -> None:
        with connect(database_url, autocommit=True) as own:
            acks.extend(_commit(own, [p]).acks)

    threads = [threading.Thread(target=consume, args=(p,)) for p in batches]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sorted(a.topic for a in acks) == [sender.topic("ack"), other.topic("ack")]
    assert conn.execute("select count(*) from device_event").fetchall() == [(4,)]
    assert conn.execute("select count(*) from dead_letter").fetchall() == [(0,)]
