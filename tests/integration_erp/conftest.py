"""A Tryton server of its own for each module that asks for one; prepared once, then copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest

from backend import ledger
from backend.catalog import create_site, lot_of
from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from backend.integration.erp import imports
from backend.integration.erp.connect import connect
from backend.integration.erp.connector import Connector, Document, Kind, Line
from backend.integration.erp.send import Round, send_round
from backend.integration.erp.tryton import TrytonConnector
from stowage.parts.tryton import Tryton
from tests.integration_erp.proxy import Proxy

STORAGE, COLD, QUARANTINE, SUPPLIER, CUSTOMER, LOST = "STO", "COLD", "QUA", "SUP", "CUS", "LF"
_references = count(1)
_hours = count(1)
"""The clock of the sender runs ahead, an hour a round."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    part = Tryton(tmp_path_factory.mktemp("erp"))
    part.start()
    yield part
    part.stop()


@pytest.fixture
def erp(server: Tryton) -> Iterator[TrytonConnector]:
    connector = connect(server.url)
    assert isinstance(connector, TrytonConnector)
    yield connector
    connector.close()


def today() -> date:
    return datetime.now(UTC).date()


def reference() -> str:
    return f"SW-test-{next(_references)}"


def line(
    item: str,
    quantity: str | int,
    source: str,
    target: str,
    *,
    lot: str | None = None,
    key: str | None = None,
) -> Line:
    return Line(key or f"{item}/{lot}/{source}/{target}", item, Decimal(quantity), source, target, lot)


def document(kind: Kind, *lines: Line, order: str | None = None, partner: str | None = None, on: date | None = None,
             ref: str | None = None) -> Document:  # fmt: skip
    return Document(kind, ref or reference(), on or today(), lines, order, partner)


def stock(erp: Connector, *locations: str) -> dict[tuple[str, str], Decimal]:
    return {
        (row.item, row.location): row.quantity
        for row in erp.on_hand(locations or (STORAGE, COLD, QUARANTINE))
    }


def receive(erp: Connector, item: str, quantity: int, *, to: str = STORAGE, lot: str | None = None) -> None:
    erp.post(document(Kind.RECEIPT, line(item, quantity, SUPPLIER, to, lot=lot), partner="S-NORD"))


@pytest.fixture
def change(erp: Connector) -> Callable[[str, str], Decimal]:
    """How much an item's stock in a location changed since the test began."""
    before = stock(erp)

    def since(item: str, location: str) -> Decimal:
        return stock(erp).get((item, location), Decimal(0)) - before.get((item, location), Decimal(0))

    return since


# --- our side: a site whose places point into Tryton, with the items that Tryton has ---------------------------------


@dataclass(frozen=True)
class Site:
    """A site mapped on Tryton's warehouse, with its items and partners imported from there."""

    conn: Conn
    id: UUID
    places: dict[str, UUID]
    items: dict[str, UUID]
    partners: dict[str, UUID]

    def ctx(self) -> Context:
        return Context("user:test", self.id, datetime.now(UTC), "test")

    def move(
        self, sku: str, quantity: int | str, source: str, target: str, *, lot: str | None = None, cause: str = "transfer",
        cause_id: UUID | None = None, on: datetime | None = None, **evidence: object,
    ) -> UUID:  # fmt: skip
        """One movement; the id is the posting's too."""
        with self.conn.transaction():
            lot_id = lot_of(self.conn, self.items[sku], lot) if lot else None
            (posted,) = ledger.post(
                self.conn,
                self.ctx(),
                [
                    ledger.Move(
                        self.items[sku],
                        Decimal(quantity),
                        ledger.Spot(self.places[source]),
                        ledger.Spot(self.places[target]),
                        cause,
                        cause,
                        cause_id,
                        lot_id,
                        occurred_at=on,
                        evidence=evidence,
                    )
                ],
            )
        return posted.movement_id

    def receive(
        self,
        sku: str,
        quantity: int,
        target: str = "A-01",
        *,
        lot: str | None = None,
        supplier: str = "S-NORD",
    ) -> UUID:
        return self.move(
            sku,
            quantity,
            "SUPPLIER",
            target,
            lot=lot,
            cause="receipt",
            partner_id=str(self.partners[supplier]),
        )

    def ship(
        self,
        sku: str,
        quantity: int,
        source: str = "A-01",
        *,
        lot: str | None = None,
        customer: str = "C-WEB",
    ) -> UUID:
        return self.move(
            sku,
            quantity,
            source,
            "CUSTOMER",
            lot=lot,
            cause="shipment",
            partner_id=str(self.partners[customer]),
        )

    def on_hand(self) -> dict[tuple[str, str], Decimal]:
        """By sku and ERP location, as our ledger has it."""
        rows = self.conn.execute(
            """select i.sku, place_erp_location(b.place_id), sum(b.on_hand) from balance b join item i on i.id = b.item_id
               where b.on_hand <> 0 group by 1, 2"""
        ).fetchall()
        return {(sku, location): quantity for sku, location, quantity in rows}

    def states(self) -> dict[str, int]:
        return dict(self.conn.execute("select state, count(*) from posting group by 1").fetchall())

    def posting(self, posting_id: UUID) -> tuple[str, str | None, str | None]:
        row = self.conn.execute(
            "select state, problem, words from posting where id = %s", [posting_id]
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]


@pytest.fixture
def site(conn: Conn, erp: TrytonConnector) -> Site:
    with conn.transaction():
        site_id = create_site(conn, code="HAM1", name="Hamburg 1", time_zone="UTC")
        for code, kind, location in (
            ("DOCK-1", "dock_door", STORAGE),
            ("A-01", "bin", STORAGE),
            ("A-02", "bin", STORAGE),
            ("C-01", "bin", COLD),
            ("Q-01", "quarantine", QUARANTINE),
        ):
            conn.execute(
                "insert into place (id, site_id, code, kind, erp_location) values (%s, %s, %s, %s, %s)",
                [new_id(), site_id, code, kind, location],
            )
    ctx = Context("user:test", site_id, datetime.now(UTC), "test")
    tally = imports.Tally()
    imports.import_items(conn, erp, ctx, tally, ctx.now)
    assert tally.created > 10
    assert not tally.errors

    def names(query: str) -> dict[str, UUID]:
        return dict(conn.execute(query.encode()).fetchall())

    return Site(
        conn,
        site_id,
        names("select code, id from place"),
        names("select sku, id from item"),
        names("select code, id from partner"),
    )


def send_all(conn: Conn, erp: Connector, *, rounds: int = 200) -> Round:
    """Send until nothing is left that can go. Pauses and quiet times are skipped by the clock, not by waiting."""
    total = Round()
    for _ in range(rounds):
        now = datetime.now(UTC) + timedelta(hours=next(_hours))
        done = send_round(conn, erp, now)
        total = Round(total.posted + done.posted, total.parked + done.parked, done.failed)
        if done.idle or done.failed:
            return total
    raise AssertionError("the outbox does not come to rest")


@pytest.fixture
def proxy(server: Tryton) -> Iterator[Proxy]:
    between = Proxy(server.url)
    yield between
    between.close()
