"""Reading balances: what lies where, and which of it may be taken first (first expired, first out)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn


@dataclass(frozen=True)
class BalanceRow:
    """One key of a physical place, with the words a person needs."""

    place_id: UUID
    place_code: str
    place_kind: str
    pick_sequence: int | None
    item_id: UUID
    lot_id: UUID | None
    lot_code: str | None
    expires_on: date | None
    serial: str | None
    license_plate_id: UUID | None
    license_plate_code: str | None
    owner_id: UUID | None
    status: str
    on_hand: Decimal
    reserved: Decimal

    @property
    def free(self) -> Decimal:
        return self.on_hand - self.reserved


_SELECT = """
    select b.place_id, p.code as place_code, p.kind as place_kind, p.pick_sequence, b.item_id, b.lot_id, l.code as lot_code,
           l.expires_on, b.serial, b.license_plate_id, lp.code as license_plate_code, b.owner_id, b.status, b.on_hand, b.reserved
    from balance b join place p on p.id = b.place_id left join lot l on l.id = b.lot_id
         left join license_plate lp on lp.id = b.license_plate_id
    where b.site_id = %s and b.on_hand > 0"""


def _rows(conn: Conn, where: str, params: list[Any]) -> list[BalanceRow]:
    with conn.cursor(row_factory=class_row(BalanceRow)) as cur:
        return cur.execute((_SELECT + where).encode(), params).fetchall()


_LOCK_ORDER = """place_id, item_id, lot_id nulls first, serial collate "C" nulls first, license_plate_id nulls first,
                 owner_id nulls first, status"""
"""The order in which `post` locks, so that nobody waits crosswise."""

_INSIDE = """with recursive inside as (
                 select id from license_plate where id = %s
                 union select c.id from license_plate c join inside on c.parent_id = inside.id)
             select id from inside"""

PICKABLE_KINDS = ("bin", "zone", "aisle")
"""Stock is promised from shelves; what stands at a dock, a bench or on a vehicle is on its way somewhere."""


def candidates(
    conn: Conn,
    site_id: UUID,
    item_id: UUID,
    *,
    kinds: Collection[str] = PICKABLE_KINDS,
    today: date | None = None,
    lock: bool = False,
) -> list[BalanceRow]:
    """Available, unreserved stock of an item, the one to take first on top: expiry, then age, then the way there.

    With `lock` the rows are locked in key order first, so that two callers never promise the same piece."""
    if lock:
        conn.execute(
            f"""select 1 from balance where site_id = %s and item_id = %s and status = 'available' and on_hand > reserved
                order by {_LOCK_ORDER} for update""".encode(),
            [site_id, item_id],
        )
    return _rows(
        conn,
        """ and b.item_id = %s and b.status = 'available' and b.on_hand > b.reserved and b.owner_id is null and p.active
            and p.kind = any(%s) and (l.expires_on is null or %s::date is null or l.expires_on > %s)
            order by l.expires_on nulls last, l.created_at, p.pick_sequence nulls last, p.code, b.serial, lp.code""",
        [site_id, item_id, list(kinds), today, today],
    )


def rows_at(conn: Conn, site_id: UUID, place_id: UUID, item_id: UUID | None = None) -> list[BalanceRow]:
    """Everything that the books say lies in a place."""
    return _rows(
        conn,
        " and b.place_id = %s and (%s::uuid is null or b.item_id = %s) order by b.item_id, l.expires_on nulls last, l.code, b.serial",
        [site_id, place_id, item_id, item_id],
    )


def on_plate(conn: Conn, site_id: UUID, license_plate_id: UUID) -> list[BalanceRow]:
    """The contents of a license plate and of the plates inside it."""
    return _rows(
        conn,
        f" and b.license_plate_id in ({_INSIDE}) order by b.item_id, l.code, b.serial",
        [site_id, license_plate_id],
    )


def lock_plate_rows(conn: Conn, site_id: UUID, license_plate_id: UUID) -> None:
    """Nobody takes from the plate, or promises what is on it, until the transaction ends."""
    conn.execute(
        f"""select 1 from balance where site_id = %s and license_plate_id in ({_INSIDE})
            order by {_LOCK_ORDER} for update""".encode(),
        [site_id, license_plate_id],
    )


def lock_rows_at(conn: Conn, site_id: UUID, place_id: UUID, item_id: UUID | None = None) -> None:
    """Nobody takes what lies there, or brings more of it, until the transaction ends."""
    params = {"site": site_id, "place": place_id, "item": item_id}
    here = "site_id = %(site)s and place_id = %(place)s and (%(item)s::uuid is null or item_id = %(item)s)"
    serials = conn.execute(
        f"select item_id, serial from balance where {here} and serial is not null and on_hand > 0".encode(),
        params,
    ).fetchall()
    lock_serials(conn, serials)  # before balances, as everywhere
    conn.execute(f"select 1 from balance where {here} order by {_LOCK_ORDER} for update".encode(), params)


def row_of_serial(conn: Conn, site_id: UUID, item_id: UUID, serial: str) -> BalanceRow | None:
    """Where the site's books have a serial."""
    found = _rows(conn, " and b.item_id = %s and b.serial = %s", [site_id, item_id, serial])
    return found[0] if found else None


def lock_serials(conn: Conn, serials: Collection[tuple[UUID, str]]) -> None:
    """Nobody else moves these serials until the transaction ends: what is read of them now stays so."""
    for item_id, serial in sorted(set(serials)):
        conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"serial {item_id} {serial}"])


def serial_in_stock(conn: Conn, item_id: UUID, serial: str) -> UUID | None:
    """The site whose books have the serial; a serial exists once, over all sites."""
    row = conn.execute(
        "select site_id from balance where item_id = %s and serial = %s and on_hand > 0", [item_id, serial]
    ).fetchone()
    return None if row is None else UUID(str(row[0]))


def change_since(
    conn: Conn,
    site_id: UUID,
    place_id: UUID,
    item_id: UUID,
    lot_id: UUID | None,
    serial: str | None,
    since: datetime,
) -> Decimal:
    """How much more (or, negative, less) of an item and lot a place has than it had at a moment."""
    row = conn.execute(
        """select coalesce(sum(case when to_place_id = %(place)s then quantity else 0 end
                               - case when from_place_id = %(place)s then quantity else 0 end), 0)
           from movement where site_id = %(site)s and item_id = %(item)s and (from_place_id = %(place)s or to_place_id = %(place)s)
             and lot_id is not distinct from %(lot)s and serial is not distinct from %(serial)s and recorded_at > %(since)s""",
        {
            "site": site_id,
            "place": place_id,
            "item": item_id,
            "lot": lot_id,
            "serial": serial,
            "since": since,
        },
    ).fetchone()
    assert row is not None
    return Decimal(row[0])
