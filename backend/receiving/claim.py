"""An unknown EPC is claimed: a person says what it is, and what was read coming in is received after all."""

from __future__ import annotations

from uuid import UUID

from backend.catalog.tags import NewTag, commission, read_epc
from backend.context import Context
from backend.db import Conn
from backend.errors import NotFound
from backend.putaway.propose import Load
from backend.putaway.tasks import ensure_loose_task
from backend.receiving.handheld import AlreadyCounted
from backend.receiving.plates import counted_serial
from backend.receiving.receipt import NewReceipt, Receipt, Take, book, lock_receipt, open_receipt, unit_key


def claim_unknown(conn: Conn, ctx: Context, new: NewTag, *, receive: bool) -> tuple[UUID, UUID | None]:
    """-> (tag, receipt it was received in). `receive`: the unit came in with the receipt its tag was read in.

    It is counted there even when that receipt is closed; without a receipt one without notice is opened. Raises NotFound,
    TagInUse, Invalid, AlreadyCounted."""
    epc = read_epc(new.epc)
    row = conn.execute(
        "select receipt_id, place_id from unknown_tag where site_id = %s and epc = %s and state = 'open'",
        [ctx.site_id, epc],
    ).fetchone()
    if row is None:
        raise NotFound(f"{epc} is not among the unknown tags of this site.", field="epc")
    receipt = _receipt(conn, ctx, row[0], row[1]) if receive and new.item_id is not None else None
    tag_id = commission(conn, ctx, new, origin="claimed")
    if receipt is not None:
        _count(conn, ctx, receipt, epc, tag_id)
    return tag_id, receipt.id if receipt else None


def _receipt(conn: Conn, ctx: Context, receipt_id: UUID | None, door_id: UUID | None) -> Receipt | None:
    if receipt_id is not None:
        return lock_receipt(conn, ctx.site_id, receipt_id)
    return open_receipt(conn, ctx, NewReceipt(door_id)) if door_id is not None else None


def _count(conn: Conn, ctx: Context, receipt: Receipt, epc: str, tag_id: UUID) -> None:
    row = conn.execute(
        """select t.item_id, i.sku, i.tracking, t.lot_id, t.serial, coalesce(k.units, 1) from tag t join item i on i.id = t.item_id
           left join item_pack k on k.id = t.pack_id where t.id = %s""",
        [tag_id],
    ).fetchone()
    assert row is not None
    item_id, sku, tracking, lot_id, tag_serial, units = row
    serial = tag_serial if tracking == "serial" else None
    if serial is not None and counted_serial(conn, ctx.site_id, item_id, serial):
        raise AlreadyCounted(f"{sku} serial {serial} is in stock already.", field="serial")
    book(
        conn,
        ctx,
        receipt,
        [Take(item_id, units, lot_id, serial, unit_key(tag_serial, units), epc=epc)],
        source="claim",
    )
    if receipt.state == "closed":
        ensure_loose_task(
            conn, ctx, "receipt", receipt.id, receipt.dock_door_id, Load(item_id, units, lot_id, "available")
        )
