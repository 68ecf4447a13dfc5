"""A short pick: the shelf has less than the books say. The bin goes to the count queue, the order to the next bin."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from backend import counting, ledger, orders
from backend.context import Context
from backend.db import Conn
from backend.errors import Invalid
from backend.live.announce import announce
from backend.picking.claim import hold
from backend.picking.task import PickTask, task, tasks_where

Reason = Literal["empty", "too_few", "damaged", "not_found"]


@dataclass(frozen=True)
class ShortPicked:
    """`next`: the same goods from another bin, already this worker's; None: nothing else is there, `missing` waits."""

    task: PickTask
    discrepancy_id: UUID
    next: PickTask | None
    missing: Decimal


def short(conn: Conn, ctx: Context, task_id: UUID, reason: Reason, left: Decimal = Decimal(0)) -> ShortPicked:
    """What could be taken was confirmed before; `left` is what still lies in the bin. Raises NotYours, Conflict, Invalid."""
    if not left.is_finite() or left < 0:
        raise Invalid("What is left is a number of pieces, zero or more.", field="left")
    t = hold(conn, ctx, task_id)
    expected = sum((r.on_hand for r in ledger.rows_at(conn, ctx.site_id, t.place_id, t.item_id)), Decimal(0))
    discrepancy_id = counting.raise_discrepancy(
        conn, ctx, "short_pick", item_id=t.item_id, place_id=t.place_id, expected=expected, observed=left,
        evidence={"reason": reason, "task_id": str(t.id), "order": t.order_number, "asked": str(t.remaining),
                  "lot": t.lot_code, "serial": t.serial, "worker": ctx.actor},
    )  # fmt: skip
    orders.block_bin(conn, ctx, t.place_id, t.item_id, f"short pick: {reason}")
    conn.execute(
        """update pick_task set state = 'short', short_reason = %s, done_at = %s, version = version + 1
           where site_id = %s and id = %s""",
        [reason, ctx.now, ctx.site_id, task_id],
    )
    ledger.release(conn, ctx, t.reservation_id)
    before = _open_tasks(conn, ctx, t)
    present = orders.allocate(conn, ctx, t.order_id, [t.item_id])
    fresh = [x for x in _open_tasks(conn, ctx, t) if x.id not in {b.id for b in before}]
    if fresh:
        hold(conn, ctx, fresh[0].id)
    announce(conn, ctx.site_id, "tasks", task_id)
    return ShortPicked(
        task(conn, ctx.site_id, task_id),
        discrepancy_id,
        task(conn, ctx.site_id, fresh[0].id) if fresh else None,
        next(line.waiting for line in present.lines if line.id == t.line_id),
    )


def _open_tasks(conn: Conn, ctx: Context, t: PickTask) -> list[PickTask]:
    return tasks_where(
        conn,
        " and t.line_id = %s and t.state in ('open', 'claimed') order by t.sequence, t.id",
        [ctx.site_id, t.line_id],
    )
