"""Waves: orders that are picked together, in one walk through the aisles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.live.announce import announce
from backend.picking.follow import put_in_walking_order


@dataclass(frozen=True)
class Wave:
    id: UUID
    number: str
    created_at: datetime
    created_by: str
    orders: int
    tasks: int
    tasks_done: int
    state: str
    """open | picking | done"""


SELECT = """
    select w.id, w.number, w.created_at, w.created_by, y.orders, y.tasks, y.tasks_done,
           case when y.tasks = y.tasks_done then 'done' when y.begun then 'picking' else 'open' end as state
    from wave w
         cross join lateral (select count(distinct t.order_id) as orders, count(*) as tasks, count(*) filter (where t.state in ('done', 'short')) as tasks_done,
                                    coalesce(bool_or(t.picked > 0 or t.state = 'claimed'), false) as begun
                             from pick_task t where t.site_id = w.site_id and t.wave_id = w.id and t.state <> 'cancelled') y
    where w.site_id = %s"""


def wave(conn: Conn, site_id: UUID, wave_id: UUID) -> Wave:
    with conn.cursor(row_factory=class_row(Wave)) as cur:
        found = cur.execute(f"{SELECT} and w.id = %s".encode(), [site_id, wave_id]).fetchone()
    if found is None:
        raise NotFound("There is no such wave at this site.", field="wave_id")
    return found


def waves(conn: Conn, site_id: UUID, before: UUID | None, limit: int) -> list[Wave]:
    """The newest first."""
    with conn.cursor(row_factory=class_row(Wave)) as cur:
        return cur.execute(
            f"{SELECT} and (%s::uuid is null or w.id < %s) order by w.id desc limit %s".encode(),
            [site_id, before, before, limit],
        ).fetchall()


def create_wave(
    conn: Conn,
    ctx: Context,
    *,
    order_ids: Sequence[UUID] | None = None,
    due_before: datetime | None = None,
    max_orders: int = 20,
) -> Wave:
    """Of the orders named, or of the most urgent ones that have something to pick. Raises Conflict, NotFound."""
    if order_ids is None:
        rows = conn.execute(
            """select id from sales_order where site_id = %s and wave_id is null and state in ('allocated', 'picking')
                 and (%s::timestamptz is null or due_at <= %s) order by priority, due_at, id limit %s""",
            [ctx.site_id, due_before, due_before, max_orders],
        ).fetchall()
        chosen = [r[0] for r in rows]
    else:
        chosen = list(dict.fromkeys(order_ids))
    locked = conn.execute(
        "select id, number, state, wave_id from sales_order where site_id = %s and id = any(%s) order by id for update",
        [ctx.site_id, chosen],
    ).fetchall()
    if order_ids is not None and len(locked) < len(chosen):
        raise NotFound("One of these orders is not at this site.", field="order_ids")
    fit = [r for r in locked if r[2] in ("allocated", "picking") and r[3] is None]
    if order_ids is not None and len(fit) < len(locked):
        unfit = next(r for r in locked if r not in fit)
        raise Conflict(
            f"{unfit[1]} is {'in a wave already' if unfit[3] else unfit[2]}; it cannot join.",
            field="order_ids",
        )
    if not fit:
        raise Conflict("No order has anything to pick that is not in a wave already.")
    wave_id = new_id()
    conn.execute(
        """insert into wave (site_id, id, number, created_at, created_by)
           values (%s, %s, 'W-' || lpad(nextval('wave_number_seq')::text, 5, '0'), %s, %s)""",
        [ctx.site_id, wave_id, ctx.now, ctx.actor],
    )
    ids = [r[0] for r in fit]
    conn.execute(
        "update sales_order set wave_id = %s where site_id = %s and id = any(%s)", [wave_id, ctx.site_id, ids]
    )
    conn.execute(
        """update pick_task set wave_id = %s where site_id = %s and order_id = any(%s) and state in ('open', 'claimed')""",
        [wave_id, ctx.site_id, ids],
    )
    put_in_walking_order(conn, ctx, wave_id=wave_id)
    announce(conn, ctx.site_id, "tasks", wave_id)
    return wave(conn, ctx.site_id, wave_id)
