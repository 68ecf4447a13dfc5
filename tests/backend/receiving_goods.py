"""Goods on their way to the test warehouse: tags, notices and passages through a portal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from backend import ledger, receiving
from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from backend.receiving import AsnContent, AsnPlate, AsnTag, NewAsn
from device_drivers.gs1 import sgtin96_hex, sscc96_hex, sscc_with_check_digit
from edge.messages import Event, TagPassage, TagsPassed, TagStray, encode_data
from tests.conftest import Warehouse

EACH = {"TEA-250": "06412345000012", "MILK-1L": "06412345000029", "DRILL-X": "06412345000036"}
CASE = {"TEA-250": "16412345000019", "MILK-1L": "16412345000026"}
EXPIRY = date(2027, 6, 30)


def sscc(n: int) -> str:
    return sscc_with_check_digit(3, "6412345", n)


def plate_tag(n: int) -> str:
    return sscc96_hex(sscc(n), 7)


def unit_tag(sku: str, serial: int) -> str:
    return sgtin96_hex(EACH[sku], 7, serial)


def case_tag(sku: str, serial: int) -> str:
    return sgtin96_hex(CASE[sku], 7, serial)


@dataclass(frozen=True)
class Portal:
    code: str
    place_id: UUID | None


def passed(
    conn: Conn,
    ctx: Context,
    door_id: UUID | None,
    epcs: Iterable[str],
    *,
    direction: str = "in",
    confidence: float = 0.95,
    passage: str | None = None,
    strays: Iterable[str] = (),
    portal: str = "portal-1",
) -> None:
    """One event of a portal, handled in a transaction of its own."""
    at = datetime.now(UTC)
    data = TagsPassed(
        portal=portal,
        passage_id=passage or new_id().hex,
        direction=direction,  # type: ignore[arg-type]
        tags=[TagPassage(epc=e, confidence=confidence, reads=9, first_at=at, last_at=at) for e in epcs],
        strays=[TagStray(epc=e, why="parked", reads=3) for e in strays],
    )
    event = Event(
        seq=1,
        device=portal,
        type="tags_passed",
        occurred_at=at,
        correlation_id=ctx.correlation_id,
        data=encode_data(data),
    )
    with conn.transaction():
        receiving.on_tags_passed(conn, ctx, Portal(portal, door_id), event, data)


def pallet_asn(
    conn: Conn,
    w: Warehouse,
    number: str = "ASN-1",
    *,
    first: int = 1,
    door: str | None = None,
    item_tags: bool = False,
) -> UUID:
    """A pallet of two cases of tea (12 each) and one of milk (10, lot L1), and two tagged drills loose."""
    pallet, tea1, tea2, milk = (sscc(first + n) for n in range(4))
    tags = [AsnTag(unit_tag("DRILL-X", first * 100 + n)) for n in (1, 2)]
    if item_tags:
        tags += [AsnTag(unit_tag("TEA-250", first * 100 + n), tea1) for n in range(12)]
    tea = (AsnContent(w.items["TEA-250"], Decimal(12)),)
    with conn.transaction():
        return receiving.expect(
            conn,
            w.ctx("user:integrator"),
            NewAsn(
                number,
                w.supplier_id,
                plates=(
                    AsnPlate(pallet, "pallet"),
                    AsnPlate(tea1, "case", pallet, tea),
                    AsnPlate(tea2, "case", pallet, tea),
                    AsnPlate(
                        milk, "case", pallet, (AsnContent(w.items["MILK-1L"], Decimal(10), "L1", EXPIRY),)
                    ),
                ),
                tags=tuple(tags),
                dock_door_id=w.places[door] if door else None,
            ),
        )


def stock(conn: Conn, w: Warehouse, place: str) -> dict[str, Decimal]:
    """What the books have at a place, by SKU."""
    names = {v: k for k, v in w.items.items()}
    found: dict[str, Decimal] = {}
    for row in ledger.rows_at(conn, w.site_id, w.places[place]):
        found[names[row.item_id]] = found.get(names[row.item_id], Decimal(0)) + row.on_hand
    return found


def outcomes(conn: Conn) -> dict[str, int]:
    return dict(conn.execute("select outcome, count(*) from passage_tag group by outcome").fetchall())
