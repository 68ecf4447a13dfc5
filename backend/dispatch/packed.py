"""Packed orders become delivery jobs by themselves, in the transaction that closed their last carton.

Weight is what the scale said (else what the contents should weigh); volume is the items' own, and where an item has none
5 ml a gram, with a seventh more for the air in the carton. What only some vehicles may carry is read from the contents, too
(`goods`). Cartons that are packed later (a backorder that arrived) join
the order's job while it is not released, and are a further job after that. Orders that are fetched, or go with a carrier, are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend import orders
from backend.context import Context
from backend.db import Conn
from backend.dispatch import goods, jobs
from backend.dispatch.events import note
from backend.dispatch.jobs import Job
from backend.dispatch.locate import address_of, locate
from backend.ids import new_id
from backend.orders import Order

AT_THE_DOOR_S, PER_CARTON_S, LONGEST_S = 180, 30, 3600
SOONEST = timedelta(hours=1)
OVERDUE = timedelta(hours=24)
"""An order whose time is up when it is packed is brought within a day of that."""


@dataclass(frozen=True)
class _Carton:
    id: UUID
    weight_g: int
    volume_ml: int


def on_order_packed(conn: Conn, ctx: Context, order_id: UUID) -> UUID | None:
    """The order's job, where all that is promised of it is packed now. The caller holds the order."""
    if not _has_depot(conn, ctx.site_id):
        return None
    order = orders.order(conn, ctx.site_id, order_id)
    if str(order.ship_to.get("method") or "van") != "van" or order.state == "cancelled":
        return None
    if any(line.allocated > 0 or line.picked > 0 for line in order.lines):
        return None
    cartons = _cartons_without_a_job(conn, ctx.site_id, order_id)
    if not cartons:
        return None
    joins = _open_job(conn, ctx, order_id)
    return _join(conn, ctx, joins, cartons) if joins is not None else _make(conn, ctx, order, cartons)


def on_order_cancelled(conn: Conn, ctx: Context, order_id: UUID) -> None:
    """Nothing of it is loaded (`orders.cancel` has seen to that): its jobs leave board and trays. The caller holds the order."""
    from backend.dispatch import moves

    for job in jobs.many(
        conn,
        " and j.order_id = %s and j.state in ('to_review', 'ready', 'planned', 'released') order by j.id",
        [ctx.site_id, order_id],
    ):
        moves.take_off(conn, ctx, job)
        conn.execute(
            """update delivery_job set state = 'cancelled', finished_at = %s, unplanned = null, unplanned_detail = '',
                      version = version + 1 where site_id = %s and id = %s""",
            [ctx.now, ctx.site_id, job.id],
        )
        note(conn, ctx, "cancelled", "its order was cancelled", job_id=job.id, route_id=job.route_id)


def _has_depot(conn: Conn, site_id: UUID) -> bool:
    row = conn.execute("select 1 from depot where site_id = %s and active limit 1", [site_id]).fetchone()
    return row is not None


def _cartons_without_a_job(conn: Conn, site_id: UUID, order_id: UUID) -> list[_Carton]:
    with conn.cursor(row_factory=class_row(_Carton)) as cur:
        return cur.execute(
            """select c.id, ceil(coalesce(c.weight_g, c.tare_g + coalesce(n.weight_g, 0)))::bigint as weight_g,
                      ceil(coalesce(n.volume_ml, 0) * 8 / 7)::bigint as volume_ml
               from carton c left join lateral (
                    select sum(x.quantity * i.weight_g) as weight_g,
                           sum(x.quantity * coalesce(i.volume_ml, i.weight_g * 5, 1000)) as volume_ml
                    from carton_content x join item i on i.id = x.item_id
                    where x.site_id = c.site_id and x.carton_id = c.id) n on true
               where c.site_id = %s and c.order_id = %s and c.state = 'closed' and not exists (
                   select 1 from delivery_job_carton d join delivery_job j on j.site_id = d.site_id and j.id = d.job_id
                   where d.site_id = c.site_id and d.carton_id = c.id and j.state <> 'cancelled')
               order by c.position""",
            [site_id, order_id],
        ).fetchall()


def _open_job(conn: Conn, ctx: Context, order_id: UUID) -> Job | None:
    found = jobs.many(
        conn,
        " and j.order_id = %s and j.state in ('to_review', 'ready', 'planned') and j.goods_on_route_id is null"
        " order by j.id desc limit 1",
        [ctx.site_id, order_id],
    )
    return found[0] if found else None


def _join(conn: Conn, ctx: Context, job: Job, cartons: Sequence[_Carton]) -> UUID:
    """More of the same order, before its vehicle was told."""
    from backend.dispatch import moves

    job = jobs.lock_with_route(conn, ctx.site_id, job.id)
    conn.execute(
        """update delivery_job set weight_g = weight_g + %s, volume_ml = volume_ml + %s, service_s = least(service_s + %s, %s),
                  unplanned = null, unplanned_detail = '', version = version + 1 where site_id = %s and id = %s""",
        [
            sum(c.weight_g for c in cartons), sum(c.volume_ml for c in cartons), PER_CARTON_S * len(cartons),
            max(LONGEST_S, job.service_s), ctx.site_id, job.id,
        ],
    )  # fmt: skip
    _put(conn, ctx, job.id, cartons)
    note(conn, ctx, "joined", f"{len(cartons)} more cartons", job_id=job.id, route_id=job.route_id)
    if job.state == "planned":
        moves.job_changed(conn, ctx, jobs.job(conn, ctx.site_id, job.id))
    return job.id


def _make(conn: Conn, ctx: Context, order: Order, cartons: Sequence[_Carton]) -> UUID:
    to = order.ship_to
    address = address_of(to) or _partner_address(conn, order.customer_id)
    found = locate(to, address)
    opens, closes, doubt = window_of(order, ctx.now)
    job_id = new_id()
    conn.execute(
        """insert into delivery_job (site_id, id, number, order_id, state, customer_name, phone, address, note, lat, lon, located_by,
                                     located_as, window_from, window_until, service_s, weight_g, volume_ml, skills, priority, created_at)
           values (%s, %s, 'DJ-' || lpad(nextval('delivery_job_number_seq')::text, 6, '0'), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                   %s, %s, %s, %s, %s, '{}', %s, %s)""",
        [
            ctx.site_id, job_id, order.id, "ready" if found else "to_review", str(to.get("name") or order.customer_name)[:200],
            str(to.get("phone") or "")[:100], address, _notes(order, doubt), found.lat if found else None,
            found.lon if found else None, found.by if found else None, found.as_ if found else "", opens, closes,
            _service_s(to, len(cartons)), sum(c.weight_g for c in cartons), sum(c.volume_ml for c in cartons), order.priority,
            ctx.now,
        ],
    )  # fmt: skip
    _put(conn, ctx, job_id, cartons)
    where = (
        f"{address or 'no address'}; the map does not know it for sure"
        if found is None
        else address or f"{found.lat:.5f}, {found.lon:.5f}"
    )
    note(conn, ctx, "packed", f"{len(cartons)} cartons of {order.number} to {where}", job_id=job_id)
    return job_id


def _put(conn: Conn, ctx: Context, job_id: UUID, cartons: Sequence[_Carton]) -> None:
    conn.execute(
        "insert into delivery_job_carton (site_id, job_id, carton_id) select %s, %s, unnest(%s::uuid[])",
        [ctx.site_id, job_id, [c.id for c in cartons]],
    )
    goods.read_needs(conn, ctx, job_id)


def _partner_address(conn: Conn, partner_id: UUID) -> str:
    row = conn.execute("select address from partner where id = %s", [partner_id]).fetchone()
    return str(row[0])[:500] if row and row[0] else ""


def _notes(order: Order, doubt: str) -> str:
    return " ".join(t for t in (str(order.ship_to.get("note") or ""), doubt) if t)[:2000]


def _service_s(ship_to: dict[str, Any], cartons: int) -> int:
    try:
        told = int(float(ship_to["service_min"]) * 60)
    except (KeyError, TypeError, ValueError, OverflowError):
        told = -1
    return told if 0 <= told <= 14400 else min(LONGEST_S, AT_THE_DOOR_S + PER_CARTON_S * cartons)


def window_of(order: Order, now: datetime) -> tuple[datetime, datetime, str]:
    """What the customer wants, else from now until it is due; and a remark where what they want cannot be read."""
    wanted = {name: order.ship_to.get(name) for name in ("window_from", "window_until")}
    read = {name: _moment(text) for name, text in wanted.items() if text}
    opens = read.get("window_from") or now
    due = order.due_at if order.due_at > now + SOONEST else now + OVERDUE
    closes = read.get("window_until") or max(due, opens)
    if None in read.values() or closes < opens:
        said = " to ".join(str(text) for text in wanted.values() if text)[:200]
        return now, due, f"(The wanted window {said!r} cannot be read.)"
    return opens, closes, ""


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and 2000 <= moment.year <= 2200 else None
