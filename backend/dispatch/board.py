"""The board of a day: its routes with their stops, the trays of what is not planned, the vehicles and the shifts that are
free. A fixed number of queries, however many stops there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from backend.context import Context
from backend.db import Conn
from backend.dispatch import depots, jobs, shifts
from backend.dispatch.days import bounds, day_of
from backend.dispatch.depots import Depot
from backend.dispatch.jobs import Job
from backend.dispatch.shifts import Shift
from backend.errors import NotFound

STALE = timedelta(minutes=2)
OVER = ("finished", "cancelled", "broken_down")
"""Nothing more happens on such a route, and its shift is free."""
NO_WAY = ("too_far_from_road", "no_road")


@dataclass(frozen=True)
class Vehicle:
    id: UUID
    code: str
    plate: str
    max_weight_g: int
    max_volume_ml: int
    max_cartons: int
    skills: list[str]


@dataclass(frozen=True)
class Driver:
    id: UUID
    name: str


@dataclass(frozen=True)
class Load:
    weight_g: int
    volume_ml: int
    cartons: int


@dataclass(frozen=True)
class Stop:
    id: UUID
    route_id: UUID
    position: int
    kind: str
    state: str
    locked: bool
    job_id: UUID | None
    planned_arrival_at: datetime
    planned_start_at: datetime
    planned_leave_at: datetime
    eta_at: datetime | None
    late_s: int
    arrived_at: datetime | None
    left_at: datetime | None
    done_at: datetime | None
    leg_m: int
    leg_s: int
    lat: float | None = None
    """Where it is, where that is not the customer's door."""
    lon: float | None = None
    job: Job | None = None

    @property
    def is_open(self) -> bool:
        """Still to be driven to."""
        return self.state == "planned"


@dataclass(frozen=True)
class Route:
    id: UUID
    number: str
    state: str
    day: date
    locked: bool
    version: int
    depot_id: UUID
    shipment_id: UUID | None
    vehicle: Vehicle
    driver: Driver | None
    shift: Shift
    starts_at: datetime
    ends_at: datetime
    distance_m: int
    drive_s: int
    geometry: list[list[float]] | None
    estimated: bool
    late_s: int
    eta_back_at: datetime | None
    released_at: datetime | None
    departed_at: datetime | None
    stops: list[Stop] = field(default_factory=list)

    @property
    def load(self) -> Load:
        brought = [
            s.job for s in self.stops if s.kind == "delivery" and s.job is not None and s.state != "skipped"
        ]
        return Load(
            sum(j.weight_g for j in brought),
            sum(j.volume_ml for j in brought),
            sum(j.cartons for j in brought),
        )


@dataclass(frozen=True)
class Trays:
    unplanned: list[Job]
    review: list[Job]
    unroutable: list[Job]


@dataclass(frozen=True)
class VehicleNow:
    id: UUID
    code: str
    lat: float
    lon: float
    at: datetime
    speed_kmh: float | None
    course_deg: float | None
    stale: bool


@dataclass(frozen=True)
class Board:
    day: date
    now: datetime
    depots: list[Depot]
    routes: list[Route]
    trays: Trays
    vehicles: list[VehicleNow]
    free_shifts: list[Shift]


def board(conn: Conn, ctx: Context, day: date | None = None) -> Board:
    today = day_of(conn, ctx.site_id, ctx.now)
    day = day or today
    shown = routes(conn, ctx.site_id, day=day, still_driven_at=ctx.now if day == today else None)
    of_day = shifts.shifts_of_day(conn, ctx.site_id, day)
    taken = {r.shift.id for r in shown if r.state not in OVER}
    broken = {r.vehicle.id for r in shown if r.state == "broken_down"}
    return Board(
        day,
        ctx.now,
        [d for d in depots.depots(conn, ctx.site_id) if d.active],
        shown,
        trays(conn, ctx, day, of_day),
        vehicles_now(conn, ctx),
        [s for s in of_day if s.id not in taken and s.vehicle_id not in broken and s.ends_at > ctx.now],
    )


def trays(conn: Conn, ctx: Context, day: date, of_day: Sequence[Shift]) -> Trays:
    """What waits for the day: every open job whose window begins before the day's last shift ends."""
    waiting = waiting_jobs(conn, ctx.site_id, horizon(conn, ctx.site_id, day, of_day))
    return Trays(
        [j for j in waiting if j.state == "ready" and j.reason not in NO_WAY],
        [j for j in waiting if j.state == "to_review"],
        [j for j in waiting if j.state == "ready" and j.reason in NO_WAY],
    )


def horizon(conn: Conn, site_id: UUID, day: date, of_day: Sequence[Shift]) -> datetime:
    """Where the day ends for planning: at its midnight, or with a shift that goes on beyond."""
    _, end = bounds(conn, site_id, day)
    return max([end, *(s.ends_at for s in of_day)])


def waiting_jobs(conn: Conn, site_id: UUID, until: datetime) -> list[Job]:
    """The most urgent first."""
    return jobs.many(
        conn,
        " and j.finished_at is null and j.state in ('ready', 'to_review') and j.window_from < %s"
        " order by j.priority, j.window_until, j.id",
        [site_id, until],
    )


# --- routes -----------------------------------------------------------------------------------------------

_ROUTE = """
    select r.id, r.number, r.state, r.day, r.locked, r.version, r.depot_id, r.shipment_id, r.starts_at, r.ends_at, r.distance_m,
           r.drive_s, r.geometry, r.estimated, r.late_s, r.eta_back_at, r.released_at, r.departed_at,
           v.id as v_id, p.code as v_code, v.plate, v.max_weight_g, v.max_volume_ml, v.max_cartons, v.skills,
           s.id as s_id, s.driver_id, u.name as driver_name, s.starts_at as s_starts_at, s.ends_at as s_ends_at, s.break_s,
           s.break_from, s.break_until, s.cancelled_at, s.version as s_version
    from delivery_route r join delivery_vehicle v on v.site_id = r.site_id and v.id = r.vehicle_id join place p on p.id = v.id
         join vehicle_shift s on s.site_id = r.site_id and s.id = r.shift_id left join app_user u on u.id = s.driver_id
    where r.site_id = %s"""

_STOPS = """
    select id, route_id, position, kind, state, locked, job_id, planned_arrival_at, planned_start_at, planned_leave_at, eta_at,
           late_s, arrived_at, left_at, done_at, leg_m, leg_s, lat, lon
    from delivery_stop where site_id = %s and route_id = any(%s) and state <> 'skipped' order by position"""


def routes(
    conn: Conn,
    site_id: UUID,
    *,
    day: date | None = None,
    route_ids: Sequence[UUID] | None = None,
    still_driven_at: datetime | None = None,
) -> list[Route]:
    """Of a day, or by id, with their stops and jobs; three queries. Cancelled ones only by id. `still_driven_at`: also
    routes of days before that are on the road then, or whose shift goes on."""
    ids = None if route_ids is None else list(route_ids)
    with conn.cursor(row_factory=dict_row) as cur:
        heads = cur.execute(
            (
                _ROUTE
                + """ and (%s::date is null or r.day = %s or (r.day < %s and %s::timestamptz is not null and (
                           r.state in ('loading', 'under_way', 'back') or r.state in ('draft', 'released') and s.ends_at > %s)))
                      and (%s::uuid[] is null or r.id = any(%s)) and (%s or r.state <> 'cancelled')
                      order by p.code, r.starts_at, r.id"""
            ).encode(),
            [site_id, day, day, day, still_driven_at, still_driven_at, ids, ids, ids is not None],
        ).fetchall()
    if not heads:
        return []
    with conn.cursor(row_factory=class_row(Stop)) as stop_cur:
        stops = stop_cur.execute(_STOPS, [site_id, [h["id"] for h in heads]]).fetchall()
    wanted = [s.job_id for s in stops if s.job_id is not None]
    of_stop = {j.id: j for j in (jobs.many(conn, " and j.id = any(%s)", [site_id, wanted]) if wanted else [])}
    by_route: dict[UUID, list[Stop]] = {}
    for s in stops:
        with_job = Stop(**{**s.__dict__, "job": of_stop.get(s.job_id) if s.job_id else None})
        by_route.setdefault(s.route_id, []).append(with_job)
    return [_route(h, by_route.get(h["id"], [])) for h in heads]


def _route(h: dict[str, Any], stops: list[Stop]) -> Route:
    driver = Driver(h["driver_id"], h["driver_name"]) if h["driver_id"] else None
    return Route(
        h["id"], h["number"], h["state"], h["day"], h["locked"], h["version"], h["depot_id"], h["shipment_id"],
        Vehicle(h["v_id"], h["v_code"], h["plate"], h["max_weight_g"], h["max_volume_ml"], h["max_cartons"], h["skills"]),
        driver,
        Shift(
            h["s_id"], h["v_id"], h["v_code"], h["driver_id"], h["driver_name"], h["s_starts_at"], h["s_ends_at"],
            h["break_s"], h["break_from"], h["break_until"], h["cancelled_at"], h["s_version"],
        ),
        h["starts_at"], h["ends_at"], h["distance_m"], h["drive_s"], h["geometry"], h["estimated"], h["late_s"],
        h["eta_back_at"], h["released_at"], h["departed_at"], stops,
    )  # fmt: skip


def route(conn: Conn, site_id: UUID, route_id: UUID) -> Route:
    """Raises NotFound, also for a route of another site."""
    found = routes(conn, site_id, route_ids=[route_id])
    if not found:
        raise NotFound("There is no such delivery route at this site.", field="route_id")
    return found[0]


def lock_routes(conn: Conn, site_id: UUID, route_ids: Sequence[UUID]) -> list[Route]:
    """The routes, held until the transaction ends: by id, after orders, before jobs. Raises NotFound."""
    conn.execute(
        "select 1 from delivery_route where site_id = %s and id = any(%s) order by id for update",
        [site_id, sorted(set(route_ids))],
    )
    found = {r.id: r for r in routes(conn, site_id, route_ids=route_ids)}
    if any(i not in found for i in route_ids):
        raise NotFound("There is no such delivery route at this site.", field="route_id")
    return [found[i] for i in route_ids]


def vehicles_now(conn: Conn, ctx: Context) -> list[VehicleNow]:
    """Where each vehicle was heard last."""
    with conn.cursor(row_factory=class_row(VehicleNow)) as cur:
        return cur.execute(
            """select n.vehicle_id as id, p.code, n.lat, n.lon, n.at, n.speed_kmh, n.course_deg, n.at < %s as stale
               from vehicle_now n join place p on p.id = n.vehicle_id where n.site_id = %s order by p.code""",
            [ctx.now - STALE, ctx.site_id],
        ).fetchall()
