"""Receiving a license plate by its contents, as the delivery notice names them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.receiving.receipt import Receipt, Take, entries_where

ZERO = Decimal(0)


@dataclass(frozen=True)
class PlateRow:
    """`asn_id`: the notice that names it; `received_at`: its SSCC was read, its contents are here."""

    id: UUID
    code: str
    kind: str
    state: str
    parent_id: UUID | None
    place_id: UUID | None
    asn_id: UUID | None
    received_at: object | None
    has_stock: bool


@dataclass(frozen=True)
class _ContentRow:
    license_plate_id: UUID
    item_id: UUID
    tracking: str
    lot_id: UUID | None
    serial: str | None
    quantity: Decimal
    counted: Decimal


def plates_and_inside(
    conn: Conn, plate_ids: Collection[UUID]
) -> tuple[dict[UUID, PlateRow], dict[UUID, set[UUID]]]:
    """The plates with all that stand on them, and root -> all inside it (itself too)."""
    pairs = conn.execute(
        """with recursive inside as (
               select id as root, id from license_plate where id = any(%s)
               union select i.root, c.id from license_plate c join inside i on c.parent_id = i.id)
           select root, id from inside""",
        [list(plate_ids)],
    ).fetchall()
    trees: dict[UUID, set[UUID]] = {}
    for root, inner in pairs:
        trees.setdefault(root, set()).add(inner)
    with conn.cursor(row_factory=class_row(PlateRow)) as cur:
        rows = cur.execute(
            """select lp.id, lp.code, lp.kind, lp.state, lp.parent_id, lp.place_id, ap.asn_id, ap.received_at,
                      exists (select 1 from balance b where b.license_plate_id = lp.id and b.on_hand > 0) as has_stock
               from license_plate lp left join asn_plate ap on ap.license_plate_id = lp.id where lp.id = any(%s)""",
            [list({inner for tree in trees.values() for inner in tree})],
        ).fetchall()
    return {r.id: r for r in rows}, trees


def contents_due(
    conn: Conn,
    ctx: Context,
    receipt: Receipt,
    tree: Collection[UUID],
    *,
    status: str = "available",
    reason: str | None = None,
) -> list[Take]:
    """Marks the plates as received and gives what is still to be counted on them.

    Single tags that were counted loose before their plate was known are put on the plate instead of counted again.
    Serial-tracked pieces whose serials nobody named stay open: they must be scanned one by one."""
    fresh = [
        r[0]
        for r in conn.execute(
            """update asn_plate set received_at = %s where license_plate_id = any(%s) and received_at is null
               returning license_plate_id""",
            [ctx.now, list(tree)],
        ).fetchall()
    ]
    conn.execute(
        "update license_plate set place_id = %s, state = 'open' where id = any(%s)",
        [receipt.dock_door_id, fresh],
    )
    with conn.cursor(row_factory=class_row(_ContentRow)) as cur:
        rows = cur.execute(
            """select c.license_plate_id, c.item_id, i.tracking, c.lot_id, c.serial, c.quantity,
                      coalesce((select sum(e.quantity) from receipt_entry e where e.license_plate_id = c.license_plate_id
                          and e.item_id = c.item_id and e.lot_id is not distinct from c.lot_id
                          and e.serial is not distinct from c.serial and e.reversed_at is null), 0) as counted
               from asn_content c join item i on i.id = c.item_id
               where c.license_plate_id = any(%s) order by c.license_plate_id, c.item_id, c.lot_id, c.serial""",
            [fresh],
        ).fetchall()
    takes = []
    for row in rows:
        due = row.quantity - row.counted
        if due <= 0 or (row.tracking == "serial" and row.serial is None):
            continue
        if row.serial is None:
            due -= _put_floating_on(conn, ctx, receipt, row, due)
        elif counted_serial(conn, receipt.site_id, row.item_id, row.serial):
            continue
        if due > 0:
            takes.append(
                Take(
                    row.item_id, due, row.lot_id, row.serial, row.serial, row.license_plate_id, status, reason
                )
            )
    return takes


def counted_serial(conn: Conn, site_id: UUID, item_id: UUID, serial: str) -> bool:
    """Whether this serial is in stock."""
    return (
        conn.execute(
            "select 1 from balance where item_id = %s and serial = %s and on_hand > 0", [item_id, serial]
        ).fetchone()
        is not None
    )


def _put_floating_on(conn: Conn, ctx: Context, receipt: Receipt, row: _ContentRow, due: Decimal) -> Decimal:
    """Loose units counted by single tags in this receipt, up to `due`, move onto the plate. Returns how much."""
    done, moves, chosen = ZERO, [], []
    for e in entries_where(
        conn,
        "receipt_id = %s and floating and license_plate_id is null and status = 'available' and item_id = %s and lot_id is not distinct from %s",
        [receipt.id, row.item_id, row.lot_id],
    ):
        if done + e.quantity > due:
            continue
        done += e.quantity
        chosen.append(e.id)
        door = receipt.dock_door_id
        moves.append(
            ledger.Move(
                e.item_id,
                e.quantity,
                ledger.Spot(door),
                ledger.Spot(door, row.license_plate_id),
                "its tag was read before its license plate's",
                "receipt",
                receipt.id,
                e.lot_id,
                e.serial,
            )
        )
    if not moves:
        return ZERO
    try:
        with conn.transaction():
            ledger.post(conn, ctx, moves)
    except ledger.NotEnoughStock:
        return ZERO  # somebody has put the loose units away already: they stay counted as loose
    conn.execute(
        "update receipt_entry set license_plate_id = %s, floating = false where site_id = %s and id = any(%s)",
        [row.license_plate_id, receipt.site_id, chosen],
    )
    return done
