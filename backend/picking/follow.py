"""Keeping tasks and promises the same: whoever changes what is promised to an order calls `follow` afterwards."""

from __future__ import annotations

from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from backend.ledger import Reservation
from backend.live.announce import announce
from backend.picking.task import PickTask, tasks_where
from routing.pick_path import BinStop, pick_path

SHELVES = ("bin", "zone", "aisle")


def follow(conn: Conn, ctx: Context, order_id: UUID) -> None:
    """Makes a task for each new promise on a shelf, and ends or resizes those whose promise went. Holds the order's row."""
    promised = {r.id: r for r in _shelf_reservations(conn, ctx, order_id)}
    present = tasks_where(
        conn,
        " and t.order_id = %s and t.state in ('open', 'claimed') for update of t",
        [ctx.site_id, order_id],
    )
    changed = False
    for t in present:
        changed |= _fit(conn, ctx, t, promised.pop(t.reservation_id, None))
    wave_id = _wave_of(conn, ctx, order_id, still_picking=bool(present))
    line_of = {r.id: r for r in promised.values()}
    for r in line_of.values():
        conn.execute(
            """insert into pick_task (site_id, id, order_id, line_id, wave_id, reservation_id, place_id, item_id, lot_id, serial,
                                      license_plate_id, quantity, created_at)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [ctx.site_id, new_id(), order_id, r.demand_id, wave_id, r.id, r.place_id, r.item_id, r.lot_id,
             r.serial, r.license_plate_id, r.quantity, ctx.now],
        )  # fmt: skip
    if line_of:
        put_in_walking_order(conn, ctx, wave_id=wave_id, order_id=order_id)
    if changed or line_of:
        announce(conn, ctx.site_id, "tasks", order_id)


def _wave_of(conn: Conn, ctx: Context, order_id: UUID, *, still_picking: bool) -> UUID | None:
    """The wave that new tasks of the order join. A backorder served later is not part of the wave that is over."""
    row = conn.execute(
        "select wave_id, state from sales_order where site_id = %s and id = %s", [ctx.site_id, order_id]
    ).fetchone()
    if row is None or row[0] is None:
        return None
    if not still_picking and row[1] not in ("allocated", "picking"):
        conn.execute(
            "update sales_order set wave_id = null where site_id = %s and id = %s", [ctx.site_id, order_id]
        )
        return None
    return UUID(str(row[0]))


def put_in_walking_order(
    conn: Conn, ctx: Context, *, wave_id: UUID | None, order_id: UUID | None = None
) -> None:
    """Numbers the open tasks of a wave (or of a single order) along the way through the aisles."""
    rows = conn.execute(
        """select t.id, p.code, p.pick_sequence from pick_task t join place p on p.id = t.place_id
           where t.site_id = %s and t.state in ('open', 'claimed')
             and (t.wave_id = %s or (%s::uuid is null and t.wave_id is null and t.order_id = %s)) order by t.id""",
        [ctx.site_id, wave_id, wave_id, order_id],
    ).fetchall()
    walked = pick_path(rows, lambda r: BinStop(r[1], r[2]))
    with conn.cursor() as cur:
        cur.executemany(
            "update pick_task set sequence = %s where site_id = %s and id = %s and sequence <> %s",
            [(at, ctx.site_id, r[0], at) for at, r in enumerate(walked, start=1)],
        )


def _fit(conn: Conn, ctx: Context, t: PickTask, promise: Reservation | None) -> bool:
    if promise is None:
        conn.execute(
            """update pick_task set state = case when picked > 0 then 'done' else 'cancelled' end, quantity = picked,
                      done_at = %s, version = version + 1 where site_id = %s and id = %s""",
            [ctx.now, ctx.site_id, t.id],
        )
        return True
    if promise.quantity == t.remaining:
        return False
    conn.execute(
        "update pick_task set quantity = picked + %s, version = version + 1 where site_id = %s and id = %s",
        [promise.quantity, ctx.site_id, t.id],
    )
    return True


def _shelf_reservations(conn: Conn, ctx: Context, order_id: UUID) -> list[Reservation]:
    lines = conn.execute(
        "select id from sales_order_line where site_id = %s and order_id = %s order by position",
        [ctx.site_id, order_id],
    ).fetchall()
    held = [r for (line_id,) in lines for r in ledger.reservations_of(conn, "order_line", line_id)]
    shelves = {
        row[0]
        for row in conn.execute(
            "select id from place where id = any(%s) and kind = any(%s)",
            [[r.place_id for r in held], list(SHELVES)],
        ).fetchall()
    }
    return [r for r in held if r.place_id in shelves]
