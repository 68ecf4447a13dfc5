"""A Tryton server of its own for each module that asks for one; prepared once, then copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from backend.integration.erp.connect import connect
from backend.integration.erp.connector import Connector, Document, Kind, Line
from backend.integration.erp.tryton import TrytonConnector
from stowage.parts.tryton import Tryton

STORAGE, COLD, QUARANTINE, SUPPLIER, CUSTOMER, LOST = "STO", "COLD", "QUA", "SUP", "CUS", "LF"
_references = count(1)


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


@pytest.fixture
def log_of(server: Tryton) -> Path:
    return server.data_dir / "trytond.log"


def today() -> date:
    return datetime.now(UTC).date()


def reference() -> str:
    return f"SW-test-{next(_references)}"


def line(item: str, quantity: str | int, source: str, target: str, *, lot: str | None = None, key: str | None = None) -> Line:
    return Line(key or f"{item}/{lot}/{source}/{target}", item, Decimal(quantity), source, target, lot)


def document(kind: Kind, *lines: Line, order: str | None = None, partner: str | None = None, on: date | None = None,
             ref: str | None = None) -> Document:  # fmt: skip
    return Document(kind, ref or reference(), on or today(), lines, order, partner)


def stock(erp: Connector, *locations: str) -> dict[tuple[str, str], Decimal]:
    return {(row.item, row.location): row.quantity for row in erp.on_hand(locations or (STORAGE, COLD, QUARANTINE))}


def receive(erp: Connector, item: str, quantity: int, *, to: str = STORAGE, lot: str | None = None) -> None:
    erp.post(document(Kind.RECEIPT, line(item, quantity, SUPPLIER, to, lot=lot), partner="S-NORD"))


@pytest.fixture
def change(erp: Connector) -> Callable[[str, str], Decimal]:
    """How much an item's stock in a location changed since the test began."""
    before = stock(erp)

    def since(item: str, location: str) -> Decimal:
        return stock(erp).get((item, location), Decimal(0)) - before.get((item, location), Decimal(0))

    return since
