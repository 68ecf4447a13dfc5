"""A route leaves the planner's hands: released (its shipment is loaded at the door, customers are told when), withdrawn,
cancelled; and what becomes of it when its vehicle breaks down. Locks: orders, then the route, then its jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from backend import orders, shipping
from backend.context import Context
from backend.db import Conn
from backend.dispatch import board as boards
from backend.dispatch import goods, moves, timetable, vehicles
from backend.dispatch.board import Route
from backend.dispatch.events import note
from backend.dispatch.jobs import Job
from backend.dispatch.situation import last_seen
from backend.errors import Conflict
from backend.integration import webhooks
from backend.live.announce import announce

PROMISE = timedelta(minutes=30)
"""The customer is told the planned time, give or take this, inside the window that was agreed."""
ROUNDED = timedelta(minutes=5)


def release(conn: Conn, ctx: Context, route_id: UUID, version: int, *, door_id: UUID | None = None) -> None:
    """Raises ChangedMeanwhile, Conflict (nothing on it, an order is elsewhere, goods the vehicle is not for), NotFound, Unknown."""
    route = _held_with_orders(conn, ctx, route_id, version)
    if route.state != "draft":
        raise Conflict(f"{route.number} is {route.state.replace('_', ' ')} already.", state=route.state)
    brought = _jobs_of(route)
    if not brought:
        raise Conflict(f"{route.number} has no stops; there is nothing to release.")
    if route.starts_at < ctx.now:
        moves.retime(conn, ctx, route)
        route = boards.route(conn, ctx.site_id, route_id)
        brought = _jobs_of(route)
    at_depot = [j for j in brought if j.goods_on_route_id is None]
    _check_able(conn, ctx, route, brought)
    _check_free(conn, ctx, route, at_depot)
    shipment_id = None
    if at_depot:
        made = shipping.plan(
            conn, ctx, list(dict.fromkeys(j.order_id for j in at_depot)), vehicle_id=route.vehicle.id, door_id=door_id,
            for_route=True,
        )  # fmt: skip
        shipment_id = made.id
    conn.execute(
        """update delivery_route set state = 'released', shipment_id = %s, released_at = %s, version = version + 1
           where site_id = %s and id = %s""",
        [shipment_id, ctx.now, ctx.site_id, route_id],
    )
    for stop in route.stops:
        if stop.kind == "delivery" and stop.job is not None:
            _promise(conn, ctx, route, stop.job, stop.planned_start_at)
    note(conn, ctx, "released", f"{len(brought)} deliveries on {route.vehicle.code}", route_id=route_id)


def _promise(conn: Conn, ctx: Context, route: Route, job: Job, planned: datetime) -> None:
    opens, closes = promise_of(job, planned)
    conn.execute(
        """update delivery_job set state = 'released', promised_from = %s, promised_until = %s, version = version + 1
           where site_id = %s and id = %s""",
        [opens, closes, ctx.site_id, job.id],
    )
    note(
        conn,
        ctx,
        "released",
        f"promised {opens:%H:%M} to {closes:%H:%M} UTC",
        route_id=route.id,
        job_id=job.id,
    )
    order = orders.order(conn, ctx.site_id, job.order_id)
    webhooks.emit(
        conn,
        ctx,
        "delivery.planned",
        str(job.order_id),
        {
            "delivery": job.number,
            "number": order.number,
            "external_number": order.external_number,
            "source": order.source,
            "attempt": job.attempt,
            "expected_from": opens.isoformat(),
            "expected_until": closes.isoformat(),
        },
    )


def promise_of(job: Job, planned: datetime) -> tuple[datetime, datetime]:
    """Around the planned time, never outside the window (unless it is late: then what will be)."""
    step = ROUNDED.total_seconds()
    opens = datetime.fromtimestamp((planned - PROMISE).timestamp() // step * step, planned.tzinfo)
    closes = opens + 2 * PROMISE
    if planned <= job.window_until:
        closes = min(closes, max(job.window_until, planned))
    return min(max(opens, job.window_from), planned), closes


def withdraw(conn: Conn, ctx: Context, route_id: UUID, version: int) -> None:
    """A draft again: its stops stay, its shipment is dissolved. Raises ChangedMeanwhile, Conflict (being loaded), NotFound."""
    route = _held_with_orders(conn, ctx, route_id, version, not_loaded=True)
    if route.state != "released":
        raise Conflict(f"{route.number} is {route.state.replace('_', ' ')}, not released.", state=route.state)
    _dissolve(conn, ctx, route)
    conn.execute(
        """update delivery_route set state = 'draft', shipment_id = null, released_at = null, version = version + 1
           where site_id = %s and id = %s""",
        [ctx.site_id, route_id],
    )
    conn.execute(
        """update delivery_job set state = 'planned', version = version + 1
           where site_id = %s and id = any(%s) and state = 'released'""",
        [ctx.site_id, [j.id for j in _jobs_of(route)]],
    )
    note(conn, ctx, "withdrawn", f"{route.number} is a draft again", route_id=route_id)


def cancel(conn: Conn, ctx: Context, route_id: UUID, version: int) -> None:
    """Its jobs go to the tray. Raises ChangedMeanwhile, Conflict (something is loaded, or it left), NotFound."""
    route = _held_with_orders(conn, ctx, route_id, version, not_loaded=True)
    if route.state not in ("draft", "released"):
        raise Conflict(f"{route.number} is {route.state.replace('_', ' ')}.", state=route.state)
    if route.state != "draft":
        _dissolve(conn, ctx, route)
    brought = _jobs_of(route)
    conn.execute("delete from delivery_stop where site_id = %s and route_id = %s", [ctx.site_id, route_id])
    for j in brought:
        timetable.to_tray(conn, ctx, [j.id], *moves.why_in_tray(j))
    conn.execute(
        """update delivery_route set state = 'cancelled', finished_at = %s, version = version + 1 where site_id = %s and id = %s""",
        [ctx.now, ctx.site_id, route_id],
    )
    note(conn, ctx, "cancelled", f"{len(brought)} deliveries go back to the tray", route_id=route_id)


def break_down(conn: Conn, ctx: Context, route_id: UUID, words: str) -> None:
    """The vehicle stands: what it still carries waits for another one. Raises Conflict (not on the road), NotFound."""
    route = boards.lock_routes(conn, ctx.site_id, [route_id])[0]
    if route.state == "broken_down":
        return
    if route.state != "under_way":
        raise Conflict(
            f"{route.number} is {route.state.replace('_', ' ')}, not under way; cancel it, or change its vehicle.",
            state=route.state,
        )
    depot = conn.execute(
        "select lat, lon from depot where site_id = %s and id = %s", [ctx.site_id, route.depot_id]
    ).fetchone()
    assert depot is not None
    lat, lon = last_seen(conn, ctx, route) or (depot[0], depot[1])
    left = [x for x in route.stops if x.state in ("planned", "arrived")]
    here = [x.job for x in left if x.kind == "delivery" and x.job is not None]
    conn.execute(
        "update delivery_stop set state = 'skipped' where site_id = %s and id = any(%s)",
        [ctx.site_id, [x.id for x in left]],
    )
    aboard = [j.id for j in here if j.state == "aboard"]
    conn.execute(
        """update delivery_job set state = 'ready', unplanned = 'vehicle_broke_down', unplanned_detail = %s,
                  goods_on_route_id = case when id = any(%s) then %s else goods_on_route_id end, version = version + 1
           where site_id = %s and id = any(%s) and state in ('aboard', 'planned', 'released')""",
        [
            f"{route.vehicle.code} broke down with it{f' ({words})' if words else ''}; another vehicle has to take it over.",
            aboard, route_id, ctx.site_id, [j.id for j in here],
        ],
    )  # fmt: skip
    conn.execute(
        """update delivery_route set state = 'broken_down', stands_lat = %s, stands_lon = %s, eta_back_at = null,
                  version = version + 1 where site_id = %s and id = %s""",
        [lat, lon, ctx.site_id, route_id],
    )
    for j in here:
        note(conn, ctx, "broken_down", f"{route.vehicle.code} broke down", route_id=route_id, job_id=j.id)
    note(
        conn, ctx, "broken_down", words or f"{route.vehicle.code} broke down", route_id=route_id,
        evidence={"lat": lat, "lon": lon, "jobs": [j.number for j in here]},
    )  # fmt: skip


# --- inside -----------------------------------------------------------------------------------------------


def _jobs_of(route: Route) -> list[Job]:
    return [x.job for x in route.stops if x.kind == "delivery" and x.job is not None]


def _held_with_orders(
    conn: Conn, ctx: Context, route_id: UUID, version: int, *, not_loaded: bool = False
) -> Route:
    """Orders before the route; where somebody changed the route in between, the version says so. `not_loaded`: whoever did
    not see yet that loading has begun is told that, rather than only that something changed."""
    seen = boards.route(conn, ctx.site_id, route_id)
    conn.execute(
        "select 1 from sales_order where site_id = %s and id = any(%s) order by id for update",
        [ctx.site_id, sorted({j.order_id for j in _jobs_of(seen)})],
    )
    route = boards.lock_routes(conn, ctx.site_id, [route_id])[0]
    if not_loaded and route.state == "loading":
        raise Conflict(
            f"{route.number} is being loaded: cartons are on {route.vehicle.code} already. Unload them first.",
            state=route.state,
        )
    moves.check_version(route, version)
    moves.check_version(route, seen.version)
    return route


def _check_able(conn: Conn, ctx: Context, route: Route, brought: list[Job]) -> None:
    """The vehicle may have been for these goods when they were planned."""
    has = set(vehicles.vehicle(conn, ctx.site_id, route.vehicle.id).skills)
    for job in brought:
        if missing := set(job.skills) - has:
            raise Conflict(
                f"{goods.cannot(route.vehicle.code, missing)}, and {job.number} ({job.customer_name}) needs that. {goods.REMEDY}",
                field="vehicle", delivery=job.number, missing=sorted(missing),
            )  # fmt: skip


def _check_free(conn: Conn, ctx: Context, route: Route, brought: list[Job]) -> None:
    """An order is on one shipment at a time: an earlier delivery of it has to leave first."""
    row = conn.execute(
        """select j.number, r.number, p.code from delivery_job j
                  join delivery_stop s on s.site_id = j.site_id and s.job_id = j.id and s.kind = 'delivery' and s.state = 'planned'
                  join delivery_route r on r.site_id = s.site_id and r.id = s.route_id join place p on p.id = r.vehicle_id
           where j.site_id = %s and j.order_id = any(%s) and r.id <> %s and r.state in ('released', 'loading') limit 1""",
        [ctx.site_id, [j.order_id for j in brought], route.id],
    ).fetchone()
    if row is not None:
        raise Conflict(
            f"{row[0]} of the same order is on {row[1]} ({row[2]}), which has not left yet; put both on one vehicle, or release this one later."
        )


def _dissolve(conn: Conn, ctx: Context, route: Route) -> None:
    """Each order has a shipment of its own again. Raises Conflict where something is loaded."""
    for order_id in sorted({j.order_id for j in _jobs_of(route) if j.goods_on_route_id is None}):
        shipping.plan(conn, ctx, [order_id], for_route=True)
        announce(conn, ctx.site_id, "orders", order_id)
