"""Taking back a person's last scan into a receipt."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.putaway.tasks import cancel_tasks_for_plates, ensure_plate_tasks
from backend.receiving.handheld import NewScan, Scanned
from backend.receiving.plates import plates_and_inside
from backend.receiving.receipt import entries_where, lock_receipt, unbook


def undo_of(receipt_id: UUID, new: NewScan, done: Scanned, place_id: UUID) -> dict[str, Any]:
    """What `undo_scan` needs to know."""
    return {
        "receipt_id": str(receipt_id),
        "entry_ids": [str(i) for i in done.entry_ids],
        "plate_id": str(done.license_plate_id) if done.outcome == "plate_counted" else None,
        "line_id": str(done.receipt_line_id) if done.receipt_line_id else None,
        "reason": new.reason,
        "place_id": str(place_id),
    }


def undo_scan(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    """Raises Conflict where the receipt is closed, or the goods went on."""
    receipt = lock_receipt(conn, ctx.site_id, UUID(undo["receipt_id"]))
    if receipt.state != "open":
        raise Conflict(f"{receipt.number} is closed; a lead can correct it by an adjustment.")
    ids = [UUID(i) for i in undo["entry_ids"]]
    entries = entries_where(conn, "site_id = %s and id = any(%s)", [ctx.site_id, ids])
    if len(entries) != len(ids):
        raise Conflict("A portal has taken this back already.")
    tree = None
    if undo["plate_id"] is not None:
        plate_id = UUID(undo["plate_id"])
        tree = plates_and_inside(conn, [plate_id])[1][plate_id]
    try:
        unbook(conn, ctx, receipt, entries, "undone by the worker")
    except ledger.NotEnoughStock as e:
        raise Conflict(
            f"The goods no longer stand at the door: they were put away or promised. {e.detail}"
        ) from e
    if tree is not None:
        if any(ledger.on_plate(conn, ctx.site_id, i) for i in tree):
            raise Conflict("More was put on this license plate meanwhile; count it at the door.")
        conn.execute("update asn_plate set received_at = null where license_plate_id = any(%s)", [list(tree)])
        conn.execute(
            "update license_plate set state = 'expected', place_id = null where id = any(%s)", [list(tree)]
        )
        cancel_tasks_for_plates(conn, ctx, tree)
    onto = {e.license_plate_id for e in entries if e.license_plate_id is not None}
    if tree is None and onto:
        cancel_tasks_for_plates(conn, ctx, onto)
        ensure_plate_tasks(conn, ctx, receipt.id, receipt.dock_door_id)
    if undo["line_id"] is not None and undo["reason"] is not None:
        conn.execute(
            """update receipt_line l set over_reason = null where site_id = %s and id = %s and over_reason = %s
               and not exists (select 1 from receipt_entry e where e.receipt_line_id = l.id and e.reversed_at is null
                               and e.reason = l.over_reason)""",
            [ctx.site_id, UUID(undo["line_id"]), undo["reason"]],
        )
