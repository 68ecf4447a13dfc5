"""What a vehicle's position means: arrivals and departures by geofence, the depot left and reached, live ETAs.

Cheap, because a position comes each second: one row is written, and more only when something happens or ten seconds have
passed. A position that is older than the newest known changes nothing: a vehicle does not go back in time. `watch` looks after
the silent ones: their ETAs are estimates by the plan after a few minutes, and after an hour somebody is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend import telemetry
from backend.context import Context
from backend.db import Conn
from backend.dispatch import etas
from backend.dispatch import on_the_road as road
from backend.dispatch.events import note
from backend.dispatch.on_the_road import RoadRoute, RoadStop
from backend.live.announce import announce
from edge.messages import Event, PositionReported
from routing.geo import Point, straight_m
from routing.geofence import Crossing, Geofence, Presence

STOP_RADIUS_M = 60.0
DEPOT_RADIUS_M = 120.0
WORTH_LOOKING_M = 1000.0
CERTAINLY_GONE_M = 250.0
"""Of a stop the driver reported by hand, or of a depot whose yard the receiver never saw."""
METRES_PER_HDOP = 5.0
AT_A_DOOR = ("delivery", "take_over")
FRESH = timedelta(minutes=5)
SILENT = timedelta(hours=1)
EVERY_S = 10.0


@dataclass(frozen=True)
class _Vehicle:
    id: UUID
    at: datetime | None
    presence: dict[str, Any] | None
    route_id: UUID | None
    route_state: str | None


def on_position(conn: Conn, ctx: Context, event: Event, data: PositionReported) -> None:
    """One position of a receiver. A receiver that no vehicle carries is telemetry only."""
    agent = ctx.actor.removeprefix("agent:").partition("/")[0]
    with conn.cursor(row_factory=class_row(_Vehicle)) as cur:
        v = cur.execute(
            """select v.id, n.at, n.presence, r.id as route_id, r.state as route_state
               from delivery_vehicle v left join vehicle_now n on n.site_id = v.site_id and n.vehicle_id = v.id
                    left join delivery_route r on r.site_id = v.site_id and r.vehicle_id = v.id
                         and r.state in ('loading', 'under_way', 'back')
               where v.site_id = %s and v.gps_agent = %s and v.gps_device = %s and v.active""",
            [ctx.site_id, agent, event.device],
        ).fetchone()
    if v is None:
        return
    at = min(event.occurred_at, ctx.now)
    if v.at is not None and at <= v.at:
        return
    kept = v.presence if v.presence and v.presence.get("route") == str(v.route_id) else {}
    if v.route_id is not None and v.route_state in ("loading", "under_way"):
        kept = _on_route(conn, ctx, v.route_id, kept, at, data)
    if v.route_id is not None:
        kept = {**kept, "route": str(v.route_id)}
    conn.execute(
        """insert into vehicle_now as n (site_id, vehicle_id, at, lat, lon, speed_kmh, course_deg, presence)
           values (%s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (site_id, vehicle_id) do update set at = excluded.at, lat = excluded.lat, lon = excluded.lon,
               speed_kmh = excluded.speed_kmh, course_deg = excluded.course_deg, presence = excluded.presence where n.at < excluded.at""",
        [ctx.site_id, v.id, at, data.lat, data.lon, data.speed_kmh, data.course_deg, Jsonb(kept)],
    )
    if v.at is None or at - v.at > FRESH:
        telemetry.close_alert(conn, ctx, "gps_silent", str(v.id))
    announce(conn, ctx.site_id, "positions", v.id)


def _on_route(
    conn: Conn, ctx: Context, route_id: UUID, kept: Mapping[str, Any], at: datetime, data: PositionReported
) -> dict[str, Any]:
    """What is known of fences after this position. Locks the route only where something happened."""
    r = road.route(conn, ctx.site_id, route_id)
    here = Point(data.lat, data.lon)
    accuracy_m = (data.hdop or 0.0) * METRES_PER_HDOP
    if r.state == "loading":
        return _while_loading(conn, ctx, r, kept, here, at)
    after: dict[str, Any] = {"looked": kept.get("looked")}
    depot, at_depot = _fence(
        kept, "depot", Point(r.depot_lat, r.depot_lon), DEPOT_RADIUS_M, here, at, accuracy_m
    )
    after["depot"] = depot.to_json()
    stops = road.stops(conn, ctx.site_id, route_id)
    crossed: list[tuple[RoadStop, Crossing]] = []
    inside: list[RoadStop] = []
    for s in stops:
        if s.kind not in AT_A_DOOR or s.lat is None or s.lon is None or s.state == "skipped":
            continue
        point = Point(s.lat, s.lon)
        if str(s.id) not in kept and straight_m(here, point) > WORTH_LOOKING_M:
            continue
        presence, crossing = _fence(kept, str(s.id), point, STOP_RADIUS_M, here, at, accuracy_m)
        if presence.is_inside or straight_m(here, point) <= WORTH_LOOKING_M:
            after[str(s.id)] = presence.to_json()
        if crossing is not None:
            crossed.append((s, crossing))
        if presence.is_inside:
            inside.append(s)
    happened = _at_stops(conn, ctx, r, stops, crossed, inside, here, at)
    happened |= _at_depot(conn, ctx, r, stops, at_depot, here, at)
    looked = after["looked"]
    if happened or looked is None or (at - datetime.fromisoformat(looked)).total_seconds() >= EVERY_S:
        after["looked"] = at.isoformat()
        if not happened:
            road.lock_route(conn, ctx.site_id, route_id)
        fresh = ctx.now - at <= FRESH
        etas.refresh(conn, ctx, route_id, etas.Seen(data.lat, data.lon, at) if fresh else None)
    return after


def _fence(
    kept: Mapping[str, Any],
    key: str,
    centre: Point,
    radius_m: float,
    here: Point,
    at: datetime,
    accuracy_m: float,
) -> tuple[Presence, Crossing | None]:
    return Geofence(centre, radius_m).seen(Presence.from_json(kept.get(key)), here, at, accuracy_m=accuracy_m)


def _at_stops(
    conn: Conn,
    ctx: Context,
    r: RoadRoute,
    stops: list[RoadStop],
    crossed: list[tuple[RoadStop, Crossing]],
    inside: list[RoadStop],
    here: Point,
    at: datetime,
) -> bool:
    gone = {s.id: c.at for s, c in crossed if c.kind == "departed"}
    came = {s.id: c.at for s, c in crossed if c.kind == "arrived"}
    leaving: list[tuple[RoadStop, datetime]] = []
    standing: RoadStop | None = None
    for s in stops:
        if (
            s.kind not in AT_A_DOOR
            or s.arrived_at is None
            or s.left_at is not None
            or s.lat is None
            or s.lon is None
        ):
            continue
        if s.id in gone:
            leaving.append((s, max(gone[s.id], s.arrived_at)))
        elif (
            s not in inside and straight_m(here, Point(s.lat, s.lon)) > CERTAINLY_GONE_M and at > s.arrived_at
        ):
            leaving.append((s, max(at, s.done_at or at)))
        elif s.state == "arrived":
            standing = s
    arriving = None
    if standing is None:
        arriving = next(
            (s for s in inside if s.state == "planned" or (s.state == "arrived" and s.left_at is not None)),
            None,
        )
    if not leaving and arriving is None:
        return False
    road.lock_route(conn, ctx.site_id, r.id)
    for s, when in leaving:
        now = road.stop(conn, ctx.site_id, s.id)
        if now.left_at is None and now.arrived_at is not None:
            road.set_left(conn, ctx, r, now, when)
    if arriving is not None:
        now = road.stop(conn, ctx.site_id, arriving.id)
        if now.state == "planned" or (now.state == "arrived" and now.left_at is not None):
            over = [x.done_at for x in stops if x.done_at is not None and x.done_at <= at]
            crossed_at = [came[now.id]] if now.id in came else []
            when = max(
                [*over, *crossed_at], default=at
            )  # at a door it stands at already: since it was done there
            road.set_arrived(conn, ctx, r, now, when, by="geofence")
    return True


def _at_depot(
    conn: Conn,
    ctx: Context,
    r: RoadRoute,
    stops: list[RoadStop],
    crossing: Crossing | None,
    here: Point,
    at: datetime,
) -> bool:
    if r.left_depot_at is None:
        away = straight_m(here, Point(r.depot_lat, r.depot_lon)) > CERTAINLY_GONE_M
        if not away and not (crossing is not None and crossing.kind == "departed"):
            return False
        when = crossing.at if crossing is not None and crossing.kind == "departed" else at
        road.lock_route(conn, ctx.site_id, r.id)
        conn.execute(
            "update delivery_route set left_depot_at = %s where site_id = %s and id = %s and left_depot_at is null",
            [when, ctx.site_id, r.id],
        )
        note(
            conn,
            ctx,
            "left_depot",
            f"{r.label} is on the road",
            route_id=r.id,
            evidence={"at": when.isoformat()},
        )
        return True
    if crossing is None or crossing.kind != "arrived":
        return False
    road.lock_route(conn, ctx.site_id, r.id)
    if any(
        s.state == "planned" and s.kind in ("delivery", "take_over")
        for s in road.stops(conn, ctx.site_id, r.id)
    ):
        note(conn, ctx, "at_depot", f"{r.label} is at the depot, with stops ahead", route_id=r.id,
             evidence={"at": crossing.at.isoformat()})  # fmt: skip
    else:
        road.set_back(conn, ctx, r, crossing.at, by="geofence")
    return True


def _while_loading(
    conn: Conn, ctx: Context, r: RoadRoute, kept: Mapping[str, Any], here: Point, at: datetime
) -> dict[str, Any]:
    """A vehicle that drives off before anybody said that it departs."""
    told = bool(kept.get("left_without_departing"))
    away = straight_m(here, Point(r.depot_lat, r.depot_lon)) > 2 * CERTAINLY_GONE_M
    if away and not told:
        telemetry.open_alert(
            conn, ctx, "left_without_departing", str(r.id),
            f"{r.label} has left the depot, and nobody said that it departs.", data={"route_id": str(r.id), "at": at.isoformat()},
        )  # fmt: skip
    elif not away and told:
        telemetry.close_alert(conn, ctx, "left_without_departing", str(r.id))
    return {"left_without_departing": away}


# --- the silent ones --------------------------------------------------------------------------------------


def watch(conn: Conn, ctx: Context) -> None:
    """Each minute: routes whose vehicle says nothing."""
    rows = conn.execute(
        """select r.id, r.vehicle_id, greatest(n.at, r.departed_at), v.gps_device from delivery_route r
           join delivery_vehicle v on v.site_id = r.site_id and v.id = r.vehicle_id
           left join vehicle_now n on n.site_id = r.site_id and n.vehicle_id = r.vehicle_id
           where r.site_id = %s and r.state = 'under_way' and (n.at is null or n.at < %s) order by r.id""",
        [ctx.site_id, ctx.now - FRESH],
    ).fetchall()
    for route_id, vehicle_id, heard_at, gps_device in rows:
        r = road.lock_route(conn, ctx.site_id, route_id)
        etas.refresh(conn, ctx, route_id)
        if gps_device is not None and heard_at is not None and ctx.now - heard_at >= SILENT:
            telemetry.open_alert(
                conn, ctx, "gps_silent", str(vehicle_id),
                f"{r.vehicle_code} has not said where it is since {heard_at:%H:%M} UTC; the times of {r.number} are estimates by the plan.",
                place_id=vehicle_id, data={"route_id": str(route_id), "last_at": heard_at.isoformat()},
            )  # fmt: skip
        announce(conn, ctx.site_id, "positions", vehicle_id)
