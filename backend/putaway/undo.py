"""Taking back a person's last putaway: the goods go back to where they stood, and the task is theirs again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.live.announce import announce
from backend.putaway.tasks import loads_on_plate
from backend.transfers.plates import move_plate
from backend.transfers.undo import put_back_on


def undo_confirm(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    """Raises Conflict where the goods were moved on, taken from or promised since.

    Of loose goods, what came back is to be put away besides what still is: more may have come, or been taken back, since."""
    task_id = UUID(undo["task_id"])
    row = conn.execute(
        """select license_plate_id, from_place_id, case when state in ('open', 'claimed') then quantity else 0 end
           from putaway_task where site_id = %s and id = %s for update""",
        [ctx.site_id, task_id],
    ).fetchone()
    assert row is not None
    plate_id, from_place_id, waits = row
    if plate_id is None:
        quantity = waits + _loose_back(conn, ctx, undo)
    else:
        _plate_back(conn, ctx, undo, plate_id, from_place_id)
        quantity = Decimal(undo["quantity"])
    conn.execute(
        """update putaway_task set state = 'claimed', claimed_by = %s, claimed_at = coalesce(claimed_at, %s), quantity = %s,
                  place_id = null, overridden = false, done_by = null, done_at = null where id = %s""",
        [ctx.actor, ctx.now, quantity, task_id],
    )
    announce(conn, ctx.site_id, "tasks", task_id)


def _loose_back(conn: Conn, ctx: Context, undo: dict[str, Any]) -> Decimal:
    """How much stands there to be put away again."""
    back = Decimal(0)
    try:
        for movement_id in reversed(undo["movement_ids"]):
            back += ledger.reverse(conn, ctx, UUID(movement_id), "undone by the worker").quantity
    except ledger.NotEnoughStock as e:
        raise Conflict(f"The goods were taken or promised to an order since. {e.detail}") from e
    return back


def _plate_back(conn: Conn, ctx: Context, undo: dict[str, Any], plate_id: UUID, from_place_id: UUID) -> None:
    there = loads_on_plate(conn, ctx.site_id, plate_id, UUID(undo["place_id"]))
    if sum((load.quantity for load in there), Decimal(0)) != Decimal(undo["quantity"]):
        raise Conflict("Something was taken from this license plate since; move it by hand.")
    move_plate(
        conn, ctx, plate_id, from_place_id, reason="undone by the worker", cause_kind="putaway",
        cause_id=UUID(undo["task_id"]),
    )  # fmt: skip
    put_back_on(conn, ctx, plate_id, undo["parent_id"])
