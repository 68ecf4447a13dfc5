"""Promising stock to orders: first expired first out, never more than is there, in the order of urgency.

Every function here holds the order's row while it changes what is promised to it, and lets the pick tasks follow.
Bins that a picker found short are left out until they are counted (`block_bin`, `unblock_bin`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from backend import jobs, ledger
from backend.context import Context
from backend.db import Conn
from backend.ledger import Reservation
from backend.live.announce import announce
from backend.orders.order import Order, OrderLine, lock_order

BLOCK_LASTS = timedelta(hours=24)
WAITING_AT_ONCE = 500


def allocate(conn: Conn, ctx: Context, order_id: UUID, item_ids: Collection[UUID] | None = None) -> Order:
    """Promises what is free to the order's waiting lines; what is missing stays waiting (a backorder)."""
    from backend.picking import follow  # picking builds on orders; only this one call goes back

    present = lock_order(conn, ctx.site_id, order_id)
    if not present.is_over:
        if _drop_expired(conn, ctx, present):
            present = lock_order(conn, ctx.site_id, order_id)
        # one order of items for everybody, so that two orders never wait for each other
        for line in sorted(present.lines, key=lambda x: (x.item_id, x.position)):
            if line.waiting > 0 and (item_ids is None or line.item_id in item_ids):
                _promise(conn, ctx, line)
        follow(conn, ctx, order_id)
    return refresh_state(conn, ctx, order_id)


def reallocate_expired(conn: Conn, ctx: Context) -> list[UUID]:
    """Lots that expired while they were promised: their orders get other stock, or wait. Returns those orders."""
    rows = conn.execute(
        """select distinct l.order_id from sales_order_line l join sales_order o on o.id = l.order_id
           join pick_task t on t.site_id = l.site_id and t.line_id = l.id and t.state in ('open', 'claimed')
           join lot on lot.id = t.lot_id and lot.expires_on <= %s
           where l.site_id = %s and o.state not in ('shipped', 'cancelled') order by l.order_id""",
        [local_day(conn, ctx.site_id, ctx.now), ctx.site_id],
    ).fetchall()
    for (order_id,) in rows:
        allocate(conn, ctx, order_id)
    return [r[0] for r in rows]


def allocate_waiting(conn: Conn, ctx: Context, item_ids: Iterable[UUID]) -> list[UUID]:
    """After stock arrived or came free: serves waiting lines by priority and due time. Returns the orders touched.

    Takes order rows after the caller's balances; where two callers then wait for each other, the database breaks it and
    the transaction is run again (`db.in_transaction`). A big batch defers the job `allocate_waiting` instead."""
    wanted = sorted(set(item_ids))
    if not wanted:
        return []
    rows = conn.execute(
        """select o.id from sales_order o
           where o.site_id = %s and o.state not in ('shipped', 'cancelled') and exists (
                 select 1 from order_line_progress g
                 where g.site_id = o.site_id and g.order_id = o.id and g.item_id = any(%s) and g.waiting > 0)
           order by o.priority, o.due_at, o.id limit %s""",
        [ctx.site_id, wanted, WAITING_AT_ONCE],
    ).fetchall()
    urgent_first = [r[0] for r in rows]
    conn.execute(
        "select 1 from sales_order where site_id = %s and id = any(%s) order by id for update",
        [ctx.site_id, urgent_first],
    )
    for order_id in urgent_first:
        allocate(conn, ctx, order_id, wanted)
    return urgent_first


def promises_changed(conn: Conn, ctx: Context, item_ids: Iterable[UUID]) -> None:
    """After the commit: waiting orders get what came free, and replenishment looks at what can be promised now."""
    wanted = sorted({str(i) for i in item_ids})
    if wanted:
        changed = {"site_id": str(ctx.site_id), "item_ids": wanted, "correlation_id": ctx.correlation_id}
        jobs.defer(conn, "stock_changed", changed, lock=f"stock_changed:{ctx.site_id}")


def reallocate(conn: Conn, ctx: Context, broken: Iterable[Reservation]) -> list[UUID]:
    """Reality took what was promised: the orders concerned get other stock, or wait. Returns those orders."""
    concerned = lock_promised(conn, ctx, broken)
    for order_id in concerned:
        allocate(conn, ctx, order_id)
    return concerned


def lock_promised(conn: Conn, ctx: Context, promises: Iterable[Reservation]) -> list[UUID]:
    """Holds the orders that these promises are for, in the order of their ids, and returns them."""
    lines = sorted({r.demand_id for r in promises if r.demand_kind == "order_line"})
    rows = conn.execute(
        """select id from sales_order where site_id = %s and id in (
               select order_id from sales_order_line where site_id = %s and id = any(%s)) order by id for update""",
        [ctx.site_id, ctx.site_id, lines],
    ).fetchall()
    return [r[0] for r in rows]


def refresh_state(conn: Conn, ctx: Context, order_id: UUID) -> Order:
    """Brings the order's state up to where its goods are, and tells the screens."""
    present = lock_order(conn, ctx.site_id, order_id)
    state = _state_of(present)
    conn.execute(
        """update sales_order set state = %s, version = version + (state <> %s)::int,
                  shipped_at = case when %s = 'shipped' then coalesce(shipped_at, %s) end
           where site_id = %s and id = %s""",
        [state, state, state, ctx.now, ctx.site_id, order_id],
    )
    announce(conn, ctx.site_id, "orders", order_id)
    return lock_order(conn, ctx.site_id, order_id)


def block_bin(conn: Conn, ctx: Context, place_id: UUID, item_id: UUID, reason: str) -> None:
    """Nothing more of the item is promised from the bin until `unblock_bin`, at the longest for a day."""
    conn.execute(
        """insert into bin_block (site_id, place_id, item_id, reason, blocked_at, until) values (%s, %s, %s, %s, %s, %s)
           on conflict (site_id, place_id, item_id) do update set reason = excluded.reason, until = excluded.until""",
        [ctx.site_id, place_id, item_id, reason, ctx.now, ctx.now + BLOCK_LASTS],
    )


def unblock_bin(conn: Conn, ctx: Context, place_id: UUID, item_id: UUID | None = None) -> None:
    """The bin was counted (for one item, or whole): its stock may be promised again, and waiting orders get it."""
    freed = conn.execute(
        """delete from bin_block where site_id = %s and place_id = %s and (%s::uuid is null or item_id = %s)
           returning item_id""",
        [ctx.site_id, place_id, item_id, item_id],
    ).fetchall()
    promises_changed(conn, ctx, [r[0] for r in freed])


def blocked_bins(conn: Conn, site_id: UUID, item_id: UUID, now: datetime) -> set[UUID]:
    rows = conn.execute(
        "select place_id from bin_block where site_id = %s and item_id = %s and until > %s",
        [site_id, item_id, now],
    ).fetchall()
    return {r[0] for r in rows}


def local_day(conn: Conn, site_id: UUID, now: datetime) -> date:
    """Today where the goods are: a lot that expires today is not sent out any more."""
    row = conn.execute("select time_zone from site where id = %s", [site_id]).fetchone()
    return now.astimezone(ZoneInfo(row[0] if row else "UTC")).date()


# --- inside -----------------------------------------------------------------------------------------------


def _drop_expired(conn: Conn, ctx: Context, present: Order) -> bool:
    """Gives back what is promised on shelves of lots that have expired since."""
    held = [r for line in present.lines for r in ledger.reservations_of(conn, "order_line", line.id)]
    today = local_day(conn, ctx.site_id, ctx.now)
    expired = {
        r[0]
        for r in conn.execute(
            "select id from lot where id = any(%s) and expires_on <= %s", [[r.lot_id for r in held], today]
        ).fetchall()
    }
    shelves = {
        r[0]
        for r in conn.execute(
            "select id from place where id = any(%s) and kind = any(%s)",
            [[r.place_id for r in held if r.lot_id in expired], list(ledger.PICKABLE_KINDS)],
        ).fetchall()
    }
    dropped = [r for r in held if r.lot_id in expired and r.place_id in shelves]
    for r in dropped:
        ledger.release(conn, ctx, r.id)
    return bool(dropped)


def _promise(conn: Conn, ctx: Context, line: OrderLine) -> None:
    rows = ledger.candidates(
        conn, ctx.site_id, line.item_id, today=local_day(conn, ctx.site_id, ctx.now), lock=True
    )
    left_out = blocked_bins(conn, ctx.site_id, line.item_id, ctx.now)
    missing = line.waiting
    for row in rows:
        if missing <= 0:
            break
        if row.place_id in left_out:
            continue
        take = min(row.free, missing)
        ledger.reserve(conn, ctx, "order_line", line.id, row, take)
        missing -= take


def _state_of(order: Order) -> str:
    if order.state == "cancelled":
        return "cancelled"

    def total(stage: str) -> Decimal:
        return sum((getattr(line, stage) for line in order.lines), Decimal(0))

    if all(line.shipped == line.quantity for line in order.lines):
        return "shipped" if total("shipped") > 0 else "cancelled"
    to_pick, to_pack = total("allocated"), total("picked")
    if total("loaded") > 0 and to_pick + to_pack + total("packed") == 0:
        return "loaded"
    if total("packed") + total("loaded") > 0 and to_pick + to_pack == 0:
        return "packed"
    if to_pack + total("packed") + total("loaded") > 0:
        return "picking"
    return "allocated" if to_pick > 0 else "open"
