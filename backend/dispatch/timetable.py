"""Writing a timed sequence onto a route: its stops, their times and legs. The line along the road is fetched afterwards.

Stops keep their id while their job stays on the route, so that locks and screens follow them. What is done is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from backend import jobs as durable
from backend.context import Context
from backend.db import Conn
from backend.dispatch import board as boards
from backend.dispatch.board import Route
from backend.dispatch.board import Stop as BoardStop
from backend.dispatch.situation import Situation, Van, leg, place_of
from backend.errors import Conflict, register
from backend.ids import new_id
from backend.live.announce import announce
from routing import problem as words
from routing.geo import Point
from routing.problem import Visit

register(
    {
        "delivery_stop_job_once": (Conflict, "This delivery is on another route already.", "job_id"),
        "delivery_route_one_under_way": (Conflict, "This vehicle is on the road with another route.", "vehicle_id"),
        "delivery_route_shift_once": (Conflict, "This shift has a route already.", "shift_id"),
    }
)  # fmt: skip


@dataclass(frozen=True)
class NewStop:
    """A stop as it is to stand on the route."""

    kind: str
    job_id: UUID | None
    arrival_at: datetime
    start_at: datetime
    leave_at: datetime
    leg_m: int
    leg_s: int
    late_s: int
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class NewTimes:
    """What a route becomes: `stops` follow those that are done."""

    starts_at: datetime
    ends_at: datetime
    distance_m: int
    drive_s: int
    late_s: int
    estimated: bool
    stops: tuple[NewStop, ...]


def times_of(s: Situation, route: words.Route) -> NewTimes:
    """The route in the clock's time, leg by leg. Distance and driving time are those still to come."""
    vehicle, van = s.vehicle(route.vehicle), s.vans[route.vehicle]
    here, guess, driven = vehicle.start, False, 0
    stops: list[NewStop] = []
    for visit in route.visits:
        stop = _stop(s, visit, here)
        if visit.kind != "break":
            there = s.places[(visit.kind, visit.id)]
            guess = guess or s.is_guess(here, there)
            driven += stop.leg_s
            here = there
        stops.append(stop)
    if vehicle.end is not None and stops:
        guess = guess or s.is_guess(here, vehicle.end)
        driven += leg(s, here, vehicle.end)[1]
    late = max(0, round((s.at(route.end_s) - van.shift.ends_at).total_seconds()))
    return NewTimes(
        s.at(route.start_s), s.at(route.end_s), route.distance_m, driven, late, guess, tuple(stops)
    )


def _stop(s: Situation, visit: Visit, here: int) -> NewStop:
    arrive, start, leave = s.at(visit.arrive_s), s.at(visit.start_s), s.at(visit.leave_s)
    if visit.kind == "break":
        return NewStop("break", None, arrive, start, leave, 0, 0, 0)
    job = s.jobs[visit.id]
    at = s.places[(visit.kind, visit.id)]
    metres, seconds = leg(s, here, at)
    if visit.kind == "pickup":
        p = s.points[at]
        return NewStop("take_over", job.id, arrive, start, leave, metres, seconds, 0, p.lat, p.lon)
    late = max(0, round((start - job.window_until).total_seconds()))
    return NewStop("delivery", job.id, arrive, start, leave, metres, seconds, late)


# --- routes -----------------------------------------------------------------------------------------------


def new_route(
    conn: Conn, ctx: Context, van: Van, day: date, times: NewTimes | None = None, plan_id: UUID | None = None
) -> UUID:
    """A draft; empty until stops are written. Raises Conflict where the shift has one, or is none any more."""
    held = conn.execute(  # until the route stands: who takes off the shift or the van meanwhile waits, and sees it
        """select s.cancelled_at is null and v.active from vehicle_shift s
           join delivery_vehicle v on v.site_id = s.site_id and v.id = s.vehicle_id
           where s.site_id = %s and s.id = %s for share""",
        [ctx.site_id, van.shift.id],
    ).fetchone()
    if held is None or not held[0]:
        raise Conflict(
            f"The shift of {van.vehicle.code} was taken off, or the vehicle is not used any more.",
            field="shift_id",
        )
    route_id = new_id()
    leaves = max(van.shift.starts_at, ctx.now) + timedelta(seconds=van.depot.load_s)
    conn.execute(
        """insert into delivery_route (site_id, id, number, day, vehicle_id, shift_id, depot_id, plan_id, starts_at, ends_at)
           values (%s, %s, 'RT-' || lpad(nextval('delivery_route_number_seq')::text, 6, '0'), %s, %s, %s, %s, %s, %s, %s)""",
        [
            ctx.site_id, route_id, day, van.vehicle.id, van.shift.id, van.depot.id, plan_id,
            times.starts_at if times else leaves, times.ends_at if times else leaves,
        ],
    )  # fmt: skip
    announce(conn, ctx.site_id, "deliveries", route_id)
    return route_id


def write(
    conn: Conn,
    ctx: Context,
    route_id: UUID,
    times: NewTimes,
    *,
    geometry: list[list[float]] | None = None,
    plan_id: UUID | None = None,
) -> None:
    """Replaces what is ahead on the route. The caller holds the route; jobs' states follow in `settle_jobs`."""
    present = boards.route(conn, ctx.site_id, route_id)
    done = [x for x in present.stops if not x.is_open]
    _write_stops(conn, ctx, present, len(done), times.stops)
    under_way = present.state == "under_way"
    conn.execute(
        """update delivery_route set starts_at = %s, ends_at = %s, distance_m = %s, drive_s = %s, late_s = %s, estimated = %s,
                  geometry = %s, eta_back_at = %s, plan_id = coalesce(%s, plan_id), version = version + 1
           where site_id = %s and id = %s""",
        [
            present.starts_at if under_way else times.starts_at, times.ends_at,
            times.distance_m + sum(x.leg_m for x in done), times.drive_s + sum(x.leg_s for x in done), times.late_s,
            times.estimated, Jsonb(geometry) if geometry else None, times.ends_at if under_way else None, plan_id,
            ctx.site_id, route_id,
        ],
    )  # fmt: skip
    if geometry is None:
        ask_for_geometry(conn, ctx, route_id)
    announce(conn, ctx.site_id, "deliveries", route_id)


def _write_stops(conn: Conn, ctx: Context, present: Route, behind: int, stops: Sequence[NewStop]) -> None:
    """What was served out of turn stands before what is ahead; what was passed over stands behind all."""
    conn.execute(
        """update delivery_stop set position = position + 10000
           where site_id = %s and route_id = %s and state = 'skipped' and position < 10000""",
        [ctx.site_id, present.id],
    )
    for position, old in enumerate((x for x in present.stops if not x.is_open), 1):
        if old.position != position:
            conn.execute(
                "update delivery_stop set position = %s where site_id = %s and id = %s",
                [position, ctx.site_id, old.id],
            )
    by_job = {(x.kind, x.job_id): x.id for x in present.stops if x.is_open and x.job_id is not None}
    pauses = [x.id for x in present.stops if x.is_open and x.kind == "break"]
    kept: list[UUID] = []
    rows: list[dict[str, Any]] = []
    for position, x in enumerate(stops, behind + 1):
        known = (
            by_job.get((x.kind, x.job_id)) if x.job_id is not None else (pauses.pop(0) if pauses else None)
        )
        stop_id = known or new_id()
        kept.append(stop_id)
        rows.append(
            {
                "site": ctx.site_id, "id": stop_id, "route": present.id, "position": position, "kind": x.kind,
                "job": x.job_id, "arrival": x.arrival_at, "start": x.start_at, "leave": x.leave_at, "leg_m": x.leg_m,
                "leg_s": x.leg_s, "late_s": x.late_s, "lat": x.lat, "lon": x.lon,
                "eta": x.arrival_at if present.state == "under_way" else None,
            }
        )  # fmt: skip
    conn.execute(
        "delete from delivery_stop where site_id = %s and route_id = %s and state = 'planned' and id <> all(%s)",
        [ctx.site_id, present.id, kept],
    )
    with conn.cursor() as cur:
        cur.executemany(
            """insert into delivery_stop (site_id, id, route_id, position, kind, job_id, planned_arrival_at, planned_start_at,
                                          planned_leave_at, leg_m, leg_s, late_s, lat, lon, eta_at)
               values (%(site)s, %(id)s, %(route)s, %(position)s, %(kind)s, %(job)s, %(arrival)s, %(start)s, %(leave)s,
                       %(leg_m)s, %(leg_s)s, %(late_s)s, %(lat)s, %(lon)s, %(eta)s)
               on conflict (site_id, id) do update set position = excluded.position, planned_arrival_at = excluded.planned_arrival_at,
                   planned_start_at = excluded.planned_start_at, planned_leave_at = excluded.planned_leave_at,
                   leg_m = excluded.leg_m, leg_s = excluded.leg_s, late_s = excluded.late_s, lat = excluded.lat,
                   lon = excluded.lon, eta_at = excluded.eta_at""",
            rows,
        )


def settle_jobs(conn: Conn, ctx: Context, route_ids: Sequence[UUID]) -> None:
    """Jobs on these routes are planned; of those that were `planned` and are on no route any more, none is left so."""
    conn.execute(
        """update delivery_job j set state = 'planned', unplanned = null, unplanned_detail = '', version = version + 1
           from delivery_stop s where s.site_id = %s and s.route_id = any(%s) and s.kind = 'delivery' and s.state = 'planned'
             and j.site_id = s.site_id and j.id = s.job_id and j.state = 'ready'""",
        [ctx.site_id, list(route_ids)],
    )


def to_tray(
    conn: Conn, ctx: Context, job_ids: Sequence[UUID], reason: str | None = None, detail: str = ""
) -> None:
    """Planned or released jobs that are on no route any more."""
    conn.execute(
        """update delivery_job set state = 'ready', unplanned = %s, unplanned_detail = %s, promised_from = null,
                  promised_until = null, version = version + 1
           where site_id = %s and id = any(%s) and state in ('planned', 'released')""",
        [reason, detail, ctx.site_id, list(job_ids)],
    )
    for job_id in job_ids:
        announce(conn, ctx.site_id, "deliveries", job_id)


# --- the line along the road ------------------------------------------------------------------------------


def ask_for_geometry(conn: Conn, ctx: Context, route_id: UUID) -> None:
    durable.defer(
        conn,
        "delivery_route_geometry",
        {"site_id": str(ctx.site_id), "route_id": str(route_id)},
        lock=f"delivery_route_geometry:{route_id}",
    )


def way_of(depot: tuple[float, float], stops: Sequence[BoardStop]) -> list[Point]:
    """Depot, stops, depot."""
    middle = [Point(*at) for x in stops if (at := place_of(x)) is not None]
    return [Point(*depot), *middle, Point(*depot)]
