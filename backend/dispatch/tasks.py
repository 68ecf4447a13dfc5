"""Jobs of dispatch: a plan is computed, the line of a changed route is fetched."""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from backend import jobs, maps
from backend.context import system_context
from backend.db import Conn
from backend.dispatch import board, depots, plan_run, timetable
from backend.errors import NotFound
from backend.live.announce import announce
from routing.roads import RoadsDown


@jobs.task("delivery_plan", what="Planning the delivery routes", owns_transaction=True, retries=1)
def delivery_plan(conn: Conn, site_id: str, plan_id: str, correlation_id: str) -> None:
    plan_run.compute(conn, system_context("job:delivery_plan", UUID(site_id), correlation_id), UUID(plan_id))


@jobs.task("delivery_route_geometry", what="Drawing a route on the map", owns_transaction=True, retries=5)
def delivery_route_geometry(conn: Conn, site_id: str, route_id: str) -> None:
    """Only while the route is as it was read. Raises RoadsDown, RoadsRefused where the server does not answer: asked again later."""
    ctx = system_context("job:delivery_route_geometry", UUID(site_id))
    try:
        route = board.route(conn, ctx.site_id, UUID(route_id))
    except NotFound:
        return
    if route.geometry is not None or not any(s.job for s in route.stops):
        return
    try:
        roads = maps.roads()
    except RoadsDown:
        return  # there is no road server at all: straight lines are shown, and said to be
    depot = depots.depot(conn, ctx.site_id, route.depot_id)
    line = roads.route(timetable.way_of((depot.lat, depot.lon), route.stops))
    with conn.transaction():
        done = conn.execute(
            "update delivery_route set geometry = %s where site_id = %s and id = %s and version = %s and geometry is null",
            [Jsonb(line.geometry), ctx.site_id, route.id, route.version],
        ).rowcount
        if done:
            announce(conn, ctx.site_id, "deliveries", route.id)
