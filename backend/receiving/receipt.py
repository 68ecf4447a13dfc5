"""A receipt: opened once per delivery notice, its lines, and booking what was counted into it.

`book` is the only way stock comes in here: entries, movements supplier -> dock door, plates, all together. `unbook` is
the way back. Whoever changes a receipt holds the lock of its notice and of the receipt (`lock_asns`, `lock_receipt`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound, Unknown
from backend.ids import new_id
from backend.live.announce import announce

ZERO = Decimal(0)


@dataclass(frozen=True)
class Receipt:
    id: UUID
    site_id: UUID
    number: str
    asn_id: UUID | None
    supplier_id: UUID | None
    dock_door_id: UUID
    origin: str
    state: str
    last_activity_at: datetime


@dataclass(frozen=True)
class NewReceipt:
    dock_door_id: UUID
    asn_id: UUID | None = None
    supplier_id: UUID | None = None
    origin: str = "handheld"


@dataclass(frozen=True)
class Take:
    """One quantity that was counted, and how."""

    item_id: UUID
    quantity: Decimal
    lot_id: UUID | None = None
    serial: str | None = None
    unit_serial: str | None = None
    license_plate_id: UUID | None = None
    status: str = "available"
    reason: str | None = None
    epc: str | None = None
    floating: bool = False
    lot_said: bool = False


@dataclass(frozen=True)
class Entry:
    """A `Take` that was booked."""

    id: UUID
    receipt_id: UUID
    receipt_line_id: UUID
    item_id: UUID
    lot_id: UUID | None
    serial: str | None
    unit_serial: str | None
    quantity: Decimal
    license_plate_id: UUID | None
    status: str
    epc: str | None
    floating: bool
    movement_id: UUID | None


_RECEIPT = "select id, site_id, number, asn_id, supplier_id, dock_door_id, origin, state, last_activity_at from receipt"
_ENTRY = """select id, receipt_id, receipt_line_id, item_id, lot_id, serial, unit_serial, quantity, license_plate_id, status,
                   epc, floating, movement_id from receipt_entry"""


def unit_key(serial: str | None, units: Decimal) -> str | None:
    """What makes two sightings the same unit of an item: a GTIN's serial. A case has numbers of its own."""
    return serial if serial is None or units == 1 else f"{units.normalize():f} x {serial}"


def next_number(conn: Conn, site_id: UUID, kind: str, prefix: str) -> str:
    row = conn.execute(
        """insert into document_number (site_id, kind, last) values (%s, %s, 1)
           on conflict (site_id, kind) do update set last = document_number.last + 1 returning last""",
        [site_id, kind],
    ).fetchone()
    assert row is not None
    return f"{prefix}-{row[0]:06d}"


def lock_asns(conn: Conn, site_id: UUID, asn_ids: Collection[UUID]) -> None:
    """In id order, so that two passages never wait for each other crosswise."""
    conn.execute(
        "select 1 from asn where site_id = %s and id = any(%s) order by id for update",
        [site_id, list(asn_ids)],
    )


def lock_receipt(conn: Conn, site_id: UUID, receipt_id: UUID) -> Receipt:
    """Locks the notice first, then the receipt. Raises NotFound."""
    row = conn.execute(
        "select asn_id from receipt where site_id = %s and id = %s", [site_id, receipt_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such receipt at this site.")
    if row[0] is not None:
        lock_asns(conn, site_id, [row[0]])
    return _receipt(conn, "where site_id = %s and id = %s for update", [site_id, receipt_id])


def _receipt(conn: Conn, where: str, params: list[Any]) -> Receipt:
    found = _find(conn, where, params)
    if found is None:
        raise NotFound("There is no such receipt at this site.")
    return found


def _find(conn: Conn, where: str, params: list[Any]) -> Receipt | None:
    with conn.cursor(row_factory=class_row(Receipt)) as cur:
        return cur.execute(f"{_RECEIPT} {where}".encode(), params).fetchone()


def open_receipt_of(conn: Conn, asn_id: UUID) -> Receipt | None:
    return _find(conn, "where asn_id = %s and state = 'open' for update", [asn_id])


def blind_receipt_at(conn: Conn, site_id: UUID, door_id: UUID, since: datetime) -> Receipt | None:
    """The open receipt without notice at a door, still active."""
    return _find(
        conn,
        """where site_id = %s and dock_door_id = %s and asn_id is null and state = 'open' and last_activity_at > %s
           order by last_activity_at desc limit 1 for update""",
        [site_id, door_id, since],
    )


def latest_receipt_at(conn: Conn, site_id: UUID, door_id: UUID, since: datetime) -> Receipt | None:
    return _find(
        conn,
        """where site_id = %s and dock_door_id = %s and state = 'open' and last_activity_at > %s
           order by last_activity_at desc limit 1""",
        [site_id, door_id, since],
    )


def source_of_receipt(
    conn: Conn, site_id: UUID, receipt_id: UUID
) -> tuple[str, str, str | None, UUID | None]:
    """(receipt number, source of its notice: api|csv|erp|none, purchase order there, supplier), for posting."""
    row = conn.execute(
        """select r.number, coalesce(a.source, 'none'), a.source_ref, r.supplier_id from receipt r
           left join asn a on a.id = r.asn_id where r.site_id = %s and r.id = %s""",
        [site_id, receipt_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such receipt at this site.")
    return row[0], row[1], row[2], row[3]


def open_receipt(conn: Conn, ctx: Context, new: NewReceipt) -> Receipt:
    """Opens a receipt; a notice's open receipt is joined, not doubled. Raises Unknown, Conflict."""
    supplier_id = new.supplier_id
    if new.asn_id is not None:
        asn = conn.execute(
            "select number, state, supplier_id from asn where site_id = %s and id = %s for update",
            [ctx.site_id, new.asn_id],
        ).fetchone()
        if asn is None:
            raise Unknown("There is no such delivery notice at this site.", field="asn_id")
        if asn[1] == "cancelled":
            raise Conflict(f"The delivery notice {asn[0]} was cancelled.", field="asn_id")
        present = open_receipt_of(conn, new.asn_id)
        if present is not None:
            return present
        supplier_id = asn[2] or supplier_id
    _check_door_and_supplier(conn, ctx, new.dock_door_id, supplier_id, seen=new.origin == "portal")
    receipt_id = new_id()
    conn.execute(
        """insert into receipt (id, site_id, number, asn_id, supplier_id, dock_door_id, origin, opened_at, opened_by, last_activity_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [receipt_id, ctx.site_id, next_number(conn, ctx.site_id, "receipt", "R"), new.asn_id, supplier_id, new.dock_door_id,
         new.origin, ctx.now, ctx.actor, ctx.now],
    )  # fmt: skip
    if new.asn_id is not None:
        conn.execute("update asn set state = 'arriving' where id = %s", [new.asn_id])
        _copy_lines(conn, ctx.site_id, receipt_id, new.asn_id)
    announce(conn, ctx.site_id, "receipts", receipt_id)
    return _receipt(conn, "where id = %s", [receipt_id])


def _check_door_and_supplier(
    conn: Conn, ctx: Context, door_id: UUID, supplier_id: UUID | None, *, seen: bool
) -> None:
    """`seen`: goods came in there, so the door was not closed."""
    door = conn.execute(
        "select kind, active, holds_stock, code from place where id = %s and site_id = %s",
        [door_id, ctx.site_id],
    ).fetchone()
    if door is None:
        raise Unknown("There is no such dock door at this site.", field="dock_door_id")
    if door[0] not in ("dock_door", "staging"):
        raise Invalid(f"{door[3]} is no dock door.", field="dock_door_id")
    if not door[2] or not (door[1] or seen):
        raise Conflict(f"{door[3]} is closed; receive at another door.", field="dock_door_id")
    if (
        supplier_id is not None
        and not conn.execute("select 1 from partner where id = %s and is_supplier", [supplier_id]).fetchone()
    ):
        raise Unknown("There is no such supplier.", field="supplier_id")


def _copy_lines(conn: Conn, site_id: UUID, receipt_id: UUID, asn_id: UUID) -> None:
    """What the notice still expects: its lines less what earlier receipts counted."""
    rows = conn.execute(
        """select a.id, a.item_id, a.lot_id, a.quantity - coalesce(sum(e.quantity), 0), count(r.id)
           from asn_line a left join receipt_line r on r.asn_line_id = a.id
                left join receipt_entry e on e.receipt_line_id = r.id and e.reversed_at is null
           where a.asn_id = %s group by a.id, a.item_id, a.lot_id, a.quantity, a.line_no order by a.line_no""",
        [asn_id],
    ).fetchall()
    with conn.cursor() as cur:
        cur.executemany(
            """insert into receipt_line (site_id, id, receipt_id, line_no, asn_line_id, item_id, lot_id, expected)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                [site_id, new_id(), receipt_id, n, asn_line, item_id, lot_id, max(rest, ZERO)]
                for n, (asn_line, item_id, lot_id, rest, earlier) in enumerate(rows, 1)
                if rest > 0 or earlier == 0
            ],
        )


# --- booking ----------------------------------------------------------------------------------------------


def book(
    conn: Conn,
    ctx: Context,
    receipt: Receipt,
    takes: Sequence[Take],
    *,
    source: str,
    occurred_at: datetime | None = None,
) -> list[Entry]:
    """Counts into the receipt and moves supplier -> dock door. A tag that was counted meanwhile is left out."""
    if not takes:
        return []
    lines = _lines(conn, receipt)
    entries: list[Entry] = []
    reasons: list[str | None] = []
    for t in takes:
        line_id = _line_for(conn, receipt, lines, t)
        row = conn.execute(
            """insert into receipt_entry (site_id, id, receipt_id, receipt_line_id, item_id, lot_id, serial, unit_serial, quantity,
                   license_plate_id, status, reason, epc, floating, lot_said, source, actor, occurred_at)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
               on conflict (site_id, epc) where epc is not null and reversed_at is null do nothing returning id""",
            [receipt.site_id, new_id(), receipt.id, line_id, t.item_id, t.lot_id, t.serial, t.unit_serial, t.quantity,
             t.license_plate_id, t.status, t.reason, t.epc, t.floating, t.lot_said, source, ctx.actor, occurred_at or ctx.now],
        ).fetchone()  # fmt: skip
        if row is not None:
            reasons.append(t.reason)
            entries.append(
                Entry(row[0], receipt.id, line_id, t.item_id, t.lot_id, t.serial, t.unit_serial, t.quantity,
                      t.license_plate_id, t.status, t.epc, t.floating, None)
            )  # fmt: skip
    supplier = ledger.virtual_place(conn, receipt.site_id, "supplier")
    moves = [
        ledger.Move(
            e.item_id,
            e.quantity,
            ledger.Spot(supplier, None, e.status),
            ledger.Spot(receipt.dock_door_id, e.license_plate_id, e.status),
            reason or f"received in {receipt.number}",
            "receipt",
            receipt.id,
            e.lot_id,
            e.serial,
            occurred_at=occurred_at,
            evidence={"epc": e.epc} if e.epc else {},
        )
        for e, reason in zip(entries, reasons, strict=True)
    ]
    posted = ledger.post(conn, ctx, moves, observed=source == "portal")
    entries = [replace(e, movement_id=p.movement_id) for e, p in zip(entries, posted, strict=True)]
    with conn.cursor() as cur:
        cur.executemany(
            "update receipt_entry set movement_id = %s where site_id = %s and id = %s",
            [[e.movement_id, receipt.site_id, e.id] for e in entries],
        )
    plate_ids = sorted({e.license_plate_id for e in entries if e.license_plate_id is not None})
    conn.execute(
        "update license_plate set place_id = %s, state = 'open' where id = any(%s)",
        [receipt.dock_door_id, plate_ids],
    )
    touch(conn, ctx, receipt)
    return entries


def unbook(conn: Conn, ctx: Context, receipt: Receipt, entries: Sequence[Entry], reason: str) -> None:
    """Takes entries back by reversing movements. Raises NotEnoughStock where the goods no longer stand at the door."""
    supplier = ledger.virtual_place(conn, receipt.site_id, "supplier")
    ledger.post(
        conn,
        ctx,
        [
            ledger.Move(
                e.item_id,
                e.quantity,
                ledger.Spot(receipt.dock_door_id, e.license_plate_id, e.status),
                ledger.Spot(supplier, None, e.status),
                reason,
                "receipt",
                receipt.id,
                e.lot_id,
                e.serial,
                reverses_id=e.movement_id,
            )
            for e in entries
        ],
    )
    conn.execute(
        "update receipt_entry set reversed_at = %s where site_id = %s and id = any(%s)",
        [ctx.now, receipt.site_id, [e.id for e in entries]],
    )
    touch(conn, ctx, receipt)


def touch(conn: Conn, ctx: Context, receipt: Receipt) -> None:
    conn.execute(
        "update receipt set last_activity_at = greatest(last_activity_at, %s) where id = %s",
        [ctx.now, receipt.id],
    )
    announce(conn, receipt.site_id, "receipts", receipt.id)


def entries_where(conn: Conn, where: str, params: list[Any]) -> list[Entry]:
    """Entries that stand (not taken back)."""
    with conn.cursor(row_factory=class_row(Entry)) as cur:
        return cur.execute(
            f"{_ENTRY} where reversed_at is null and {where} order by id".encode(), params
        ).fetchall()


Lines = dict[tuple[UUID, UUID | None], UUID]


def _lines(conn: Conn, receipt: Receipt) -> Lines:
    rows = conn.execute(
        "select item_id, lot_id, id from receipt_line where receipt_id = %s", [receipt.id]
    ).fetchall()
    return {(r[0], r[1]): r[2] for r in rows}


def _line_for(conn: Conn, receipt: Receipt, lines: Lines, t: Take) -> UUID:
    """The line of this lot, else the line of any lot, else a new one that expected nothing."""
    found = lines.get((t.item_id, t.lot_id)) or lines.get((t.item_id, None))
    if found is not None:
        return found
    line_id = new_id()
    conn.execute(
        """insert into receipt_line (site_id, id, receipt_id, line_no, item_id, lot_id)
           values (%s, %s, %s, (select coalesce(max(line_no), 0) + 1 from receipt_line where receipt_id = %s), %s, %s)""",
        [receipt.site_id, line_id, receipt.id, receipt.id, t.item_id, t.lot_id],
    )
    lines[(t.item_id, t.lot_id)] = line_id
    return line_id
