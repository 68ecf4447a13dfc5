"""Taking back a worker's last pick: the goods go back into the bin, still promised, and the task is theirs again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from backend import ledger, orders
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.live.announce import announce
from backend.picking.confirm import Picked
from backend.picking.task import lock_task


def undo_of(done: Picked) -> dict[str, Any]:
    """What `undo_confirm` needs to know."""
    return {
        "task_id": str(done.task.id),
        "movement_id": str(done.movement_id),
        "quantity": str(done.quantity),
        "place_id": str(done.task.place_id),
    }


def undo_confirm(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    """Raises Conflict where the goods were packed meanwhile, or the order is over."""
    t = lock_task(conn, ctx.site_id, UUID(undo["task_id"]))
    order = orders.lock_order(conn, ctx.site_id, t.order_id)
    if order.is_over or t.state not in ("claimed", "done"):
        raise Conflict(f"{order.number} was changed meanwhile; this pick cannot be taken back.")
    if t.state == "claimed" and t.claimed_by not in (None, ctx.actor):
        raise Conflict(f"{str(t.claimed_by).removeprefix('user:')} does this task now.")
    quantity = Decimal(undo["quantity"])
    ledger.reverse(
        conn, ctx, UUID(undo["movement_id"]), "undone by the worker", promised_to=("order_line", t.line_id)
    )
    # the promise on the shelf is one again: what was left of it, and what came back
    here = [
        r for r in ledger.reservations_of(conn, "order_line", t.line_id)
        if (r.place_id, r.lot_id, r.serial, r.license_plate_id) == (t.place_id, t.lot_id, t.serial, t.license_plate_id)
    ]  # fmt: skip
    row = next(
        r for r in ledger.rows_at(conn, ctx.site_id, t.place_id, t.item_id)
        if (r.lot_id, r.serial, r.license_plate_id, r.owner_id, r.status)
        == (t.lot_id, t.serial, t.license_plate_id, None, "available")
    )  # fmt: skip
    own = [r for r in here if r.id == t.reservation_id]
    back = max((r for r in here if r.id != t.reservation_id), key=lambda r: r.id)
    if own:
        for r in (*own, back):
            ledger.release(conn, ctx, r.id)
        promise = ledger.reserve(conn, ctx, "order_line", t.line_id, row, own[0].quantity + back.quantity)
    else:
        promise = back.id
    conn.execute(
        """update pick_task set picked = picked - %s, state = 'claimed', claimed_by = %s, touched_at = %s, done_at = null,
                  zero_check = null, reservation_id = %s, version = version + 1 where site_id = %s and id = %s""",
        [quantity, ctx.actor, ctx.now, promise, ctx.site_id, t.id],
    )
    orders.refresh_state(conn, ctx, t.order_id)
    announce(conn, ctx.site_id, "tasks", t.id)
