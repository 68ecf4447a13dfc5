"""A day of deliveries as a problem for `routing`: some vehicles with their shifts, what they have aboard or planned, what waits.

Vehicles and jobs keep their own names in it (`VAN-1`, `DJ-000012`) and time runs from the site's midnight, so that what
routing says of them can be read by people. What is done is left out; a van under way starts where it is, with its goods
bound to it; a stop that is locked stays with its van. Where the road server does not answer, a person's move is
timed along straight lines and says so (`estimated`); a plan is never made of that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import numpy as np

from backend.context import Context
from backend.db import Conn
from backend.dispatch import board as boards
from backend.dispatch import depots, vehicles
from backend.dispatch.board import Route
from backend.dispatch.board import Stop as BoardStop
from backend.dispatch.days import bounds
from backend.dispatch.depots import Depot
from backend.dispatch.jobs import Job
from backend.dispatch.shifts import Shift
from backend.dispatch.vehicles import DeliveryVehicle
from routing import problem as words
from routing.geo import Point, straight_m
from routing.problem import HORIZON_S, NO_ROAD, Matrix, Problem, Window
from routing.roads import RoadMatrix, RoadsDown, RoadsRefused, Snap
from routing.schedule import Stop, Timed, stops_of, timed

CENT = 1000
"""Cost units a cent, so that a metre's and a second's share are whole enough."""
FRESH = timedelta(minutes=10)
TAKE_OVER_S, TAKE_OVER_CARTON_S = 120, 30
HERE = "here"
"""Where a van on the road is now, as a stop that it cannot leave later."""
DETOUR, METRES_A_S = 1.4, 8.0


@dataclass(frozen=True)
class Van:
    """One vehicle in one shift; `label` is its name in the problem."""

    label: str
    shift: Shift
    vehicle: DeliveryVehicle
    depot: Depot
    route: Route | None
    done: tuple[BoardStop, ...] = ()
    """Behind it: these stay as they are."""
    ahead: tuple[BoardStop, ...] = ()

    @property
    def on_the_road(self) -> bool:
        return self.route is not None and self.route.state == "under_way"


@dataclass
class Situation:
    zero: datetime
    now: datetime
    vans: dict[str, Van]
    jobs: dict[str, Job]
    """By number: what is in the problem."""
    problem: Problem
    points: list[Point]
    roads: RoadMatrix
    straight: bool
    """No road server: all is estimated."""
    unroutable: dict[str, str]
    """Jobs too far from any road, with the reason."""
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """(kind of visit, job number) to the index of its point."""

    def at(self, seconds: int) -> datetime:
        """In the site's own time. Counted in UTC: a local day has 23 or 25 hours when the clocks change."""
        return (self.zero.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(self.zero.tzinfo)

    def seconds(self, moment: datetime) -> int:
        return round((moment.astimezone(UTC) - self.zero.astimezone(UTC)).total_seconds())

    def vehicle(self, label: str) -> words.Vehicle:
        return next(v for v in self.problem.vehicles if v.id == label)

    def sequence(self, label: str) -> list[Stop]:
        """What is ahead of the van on the board, as far as it is in the problem. Breaks are placed anew."""
        found: list[Stop] = []
        shipped = {s.id for s in self.problem.shipments}
        for s in self.vans[label].ahead:
            if s.job is None or s.job.number not in self.jobs:
                continue
            if s.kind == "take_over":
                if s.job.number in shipped:
                    found.append(Stop("pickup", s.job.number))
            else:
                found.append(Stop("delivery" if s.job.number in shipped else "job", s.job.number))
        return found

    def timed(self, label: str, stops: Sequence[Stop]) -> Timed:
        """A van at the depot leaves as late as it may; one on the road drives on at once, and waits where it has to."""
        vehicle = self.vehicle(label)
        found = timed(self.problem, vehicle, stops)
        if not self.vans[label].on_the_road or not stops:
            return found
        opens = vehicle.shift.opens_s
        here = words.Job(HERE, vehicle.start, windows=(Window(opens, opens),))
        pinned = replace(self.problem, jobs=(*self.problem.jobs, here))
        at_once = timed(pinned, vehicle, [Stop("job", HERE), *stops])
        if found.feasible and not at_once.feasible:
            return found  # the driver rests first
        visits = tuple(v for v in at_once.route.visits if v.id != HERE)
        return replace(at_once, route=replace(at_once.route, visits=visits))

    def as_driven(self, route: words.Route) -> words.Route:
        if not self.vans[route.vehicle].on_the_road:
            return route
        return self.timed(route.vehicle, stops_of(route.visits)).route

    def is_guess(self, start: int, end: int) -> bool:
        return self.straight or (start, end) in self.roads.estimated

    def cost(self, routes: Iterable[words.Route]) -> int:
        """In the problem's units."""
        by_id = {v.id: v for v in self.problem.vehicles}
        total = 0
        for r in routes:
            v = by_id[r.vehicle]
            total += v.fixed_cost + v.cost_per_km * r.distance_m // 1000
            total += v.cost_per_h * (r.end_s - r.start_s) // 3600
        return total

    def present(self) -> words.Plan:
        """The board as it is, timed anew."""
        routes = []
        for label in self.vans:
            if stops := self.sequence(label):
                routes.append(self.timed(label, stops).route)
        return words.Plan(tuple(routes), (), self.cost(routes))


# --- making one -------------------------------------------------------------------------------------------


def vans_of(conn: Conn, site_id: UUID, pairs: Sequence[tuple[Shift, Route | None]]) -> list[Van]:
    """Each shift with its route, where it has one."""
    known = {v.id: v for v in vehicles.vehicles(conn, site_id)}
    yards = {d.id: d for d in depots.depots(conn, site_id)}
    codes = [s.vehicle_code for s, _ in pairs]
    found = []
    for shift, route in pairs:
        vehicle = known[shift.vehicle_id]
        several = codes.count(shift.vehicle_code) > 1
        label = f"{shift.vehicle_code} ({shift.starts_at:%H:%M})" if several else shift.vehicle_code
        stops = route.stops if route is not None else []
        yard = yards[route.depot_id if route is not None else vehicle.depot_id]
        found.append(
            Van(
                label, shift, vehicle, yard, route,
                tuple(s for s in stops if not s.is_open), tuple(s for s in stops if s.is_open),
            )
        )  # fmt: skip
    return found


def situation(
    conn: Conn, ctx: Context, day: date, vans: Sequence[Van], waiting: Sequence[Job], *, strict: bool
) -> Situation:
    """`waiting`: jobs that are on none of the vans. `strict`: raises RoadsDown or RoadsRefused instead of estimating."""
    zero, _ = bounds(conn, ctx.site_id, day)
    planned = [s.job for van in vans for s in van.ahead if s.job is not None and s.kind == "delivery"]
    wanted = {j.number: j for j in [*planned, *waiting] if j.lat is not None and j.lon is not None}
    broken = _broken_down(conn, ctx.site_id, list(wanted.values()))
    points: list[Point] = []
    index: dict[Point, int] = {}

    def place(lat: float, lon: float) -> int:
        p = Point(lat, lon)
        if p not in index:
            index[p] = len(points)
            points.append(p)
        return index[p]

    starts = {van.label: _start(conn, ctx, van) for van in vans}
    start_at = {label: place(*where) for label, (where, _) in starts.items()}
    home = {van.label: place(van.depot.lat, van.depot.lon) for van in vans}
    where = {number: place(j.lat or 0.0, j.lon or 0.0) for number, j in wanted.items()}
    stands = {
        number: place(*broken[j.goods_on_route_id])
        for number, j in wanted.items()
        if j.state != "aboard" and j.goods_on_route_id is not None and j.goods_on_route_id in broken
    }
    ways, straight = _ways(points, strict)
    far = {number: ways.unroutable[at] for number, at in where.items() if at in ways.unroutable}
    found = Situation(
        zero, ctx.now, {van.label: van for van in vans}, wanted,
        Problem((), (ways.matrix,)), points, ways, straight, far,
    )  # fmt: skip
    found.problem = Problem(
        tuple(
            _vehicle(found, van, start_at[van.label], home[van.label], starts[van.label][1]) for van in vans
        ),
        (ways.matrix,),
        tuple(_job(found, n, where[n]) for n in found.jobs if n not in stands),
        tuple(_shipment(found, n, where[n], stands[n]) for n in found.jobs if n in stands),
    )
    for n in found.jobs:
        found.places[("delivery" if n in stands else "job", n)] = where[n]
        if n in stands:
            found.places[("pickup", n)] = stands[n]
    return found


def bound_to(s: Situation) -> dict[str, str]:
    """Jobs that cannot change their van: goods aboard, a locked stop, a locked or released route."""
    found: dict[str, str] = {}
    for label, van in s.vans.items():
        fixed = van.route is not None and (van.route.locked or van.route.state in ("released", "loading"))
        for stop in van.ahead:
            if stop.job is None or stop.kind != "delivery":
                continue
            if fixed or stop.locked or stop.job.state == "aboard":
                found[stop.job.number] = label
    return found


def with_bonds(s: Situation, bonds: dict[str, str], may_be_late: Collection[str] = ()) -> Problem:
    """The problem with these jobs bound to these vans. `may_be_late`: those of them that cannot be in time, each as late at
    most as it would be anyway, and so their vans."""
    late = _late_anyway(s, {bonds[number] for number in may_be_late})

    def bound(job: words.Job, number: str, kind: str) -> words.Job:
        label = bonds.get(number)
        if label is None:
            return job
        windows = job.windows
        extra = late[label].late_s.get(number, 0) if number in may_be_late else 0
        if extra and kind != "pickup":
            last = windows[-1]
            windows = (*windows[:-1], Window(last.opens_s, last.closes_s + extra))
        return replace(job, vehicles=frozenset({label}), windows=windows)

    return Problem(
        tuple(
            replace(v, shift=Window(v.shift.opens_s, v.shift.closes_s + late[v.id].overtime_s)) if v.id in late else v
            for v in s.problem.vehicles
        ),
        s.problem.matrices,
        tuple(bound(j, j.id, "job") for j in s.problem.jobs),
        tuple(
            replace(x, pickup=bound(x.pickup, x.id, "pickup"), delivery=bound(x.delivery, x.id, "delivery"))
            for x in s.problem.shipments
        ),
    )  # fmt: skip


def _late_anyway(s: Situation, labels: Iterable[str]) -> dict[str, Timed]:
    """Goods that are aboard have to be brought, late or not: no later than the present order of stops would."""
    return {label: s.timed(label, s.sequence(label)) for label in labels}


def _broken_down(conn: Conn, site_id: UUID, wanted: Sequence[Job]) -> dict[UUID, tuple[float, float]]:
    ids = sorted({j.goods_on_route_id for j in wanted if j.goods_on_route_id is not None})
    if not ids:
        return {}
    rows = conn.execute(
        "select id, stands_lat, stands_lon from delivery_route where site_id = %s and id = any(%s) and stands_lat is not null",
        [site_id, ids],
    ).fetchall()
    return {r[0]: (r[1], r[2]) for r in rows}


def _start(conn: Conn, ctx: Context, van: Van) -> tuple[tuple[float, float], datetime]:
    """Where the van is free to go on, and from when."""
    depot = (van.depot.lat, van.depot.lon)
    loads = timedelta(seconds=van.depot.load_s)
    if van.route is None or van.route.state in ("draft", "released"):
        return depot, max(van.shift.starts_at, ctx.now) + loads
    if van.route.state == "loading":
        return depot, max(van.shift.starts_at + loads, ctx.now)
    here = [s for s in van.done if s.state == "arrived"]
    if here and (at := place_of(here[-1])) is not None:
        stop = here[-1]
        service = stop.planned_leave_at - stop.planned_start_at
        return at, max(ctx.now, (stop.arrived_at or ctx.now) + service)
    return last_seen(conn, ctx, van.route) or depot, ctx.now


def last_seen(conn: Conn, ctx: Context, route: Route) -> tuple[float, float] | None:
    """Where the van is by its GPS, else at the last stop it was at; None: still at the depot for all we know."""
    row = conn.execute(
        "select lat, lon, at from vehicle_now where site_id = %s and vehicle_id = %s",
        [ctx.site_id, route.vehicle.id],
    ).fetchone()
    if row is not None and row[2] > ctx.now - FRESH:
        return row[0], row[1]
    behind = [s for s in route.stops if not s.is_open and place_of(s) is not None]
    if behind:
        return place_of(behind[-1])
    if row is not None and route.departed_at is not None and row[2] > route.departed_at:
        return row[0], row[1]
    return None


def place_of(stop: BoardStop) -> tuple[float, float] | None:
    if stop.lat is not None and stop.lon is not None:
        return stop.lat, stop.lon
    if stop.job is None or stop.job.lat is None or stop.job.lon is None:
        return None
    return stop.job.lat, stop.job.lon


def demand(job: Job) -> tuple[int, int, int]:
    return job.weight_g, job.volume_ml, job.cartons


def _vehicle(s: Situation, van: Van, start: int, end: int, free_at: datetime) -> words.Vehicle:
    v = van.vehicle
    # Back in the van: what was refused, or nobody was there to take.
    back = [x.job for x in van.done if x.state == "failed" and x.job is not None]
    capacity = tuple(
        max(0, most - sum(demand(j)[n] for j in back))
        for n, most in enumerate((v.max_weight_g, v.max_volume_ml, v.max_cartons))
    )
    return words.Vehicle(
        van.label, start, end, capacity, Window(s.seconds(free_at), s.seconds(van.shift.ends_at)),
        fixed_cost=0 if van.on_the_road else v.fixed_cost_cents * CENT,
        cost_per_km=v.cost_per_km_cents * CENT, cost_per_h=v.cost_per_h_cents * CENT,
        skills=frozenset(v.skills), breaks=_breaks(s, van, free_at),
    )  # fmt: skip


def _breaks(s: Situation, van: Van, free_at: datetime) -> tuple[words.Break, ...]:
    shift = van.shift
    if not shift.break_s or shift.break_from is None or shift.break_until is None:
        return ()
    rested = any(x.kind == "break" and x.state != "planned" for x in van.done)
    rested = rested or any(
        x.kind == "break" and x.planned_leave_at <= s.now for x in van.ahead if van.on_the_road
    )
    if rested or (van.on_the_road and shift.break_until < free_at):
        return ()
    return (words.Break(Window(s.seconds(shift.break_from), s.seconds(shift.break_until)), shift.break_s),)


def _window(s: Situation, job: Job) -> Window:
    return Window(max(0, s.seconds(job.window_from)), min(HORIZON_S, s.seconds(job.window_until)))


def _job(s: Situation, number: str, at: int) -> words.Job:
    job = s.jobs[number]
    return words.Job(
        number, at, delivery=demand(job), windows=(_window(s, job),), service_s=job.service_s, skills=_needs(job),
        vehicles=_may_bring(s, job),
    )  # fmt: skip


def _needs(job: Job) -> frozenset[str]:
    """What is aboard its van is brought by it, whatever that lists."""
    return frozenset() if job.state == "aboard" else frozenset(job.skills)


def _may_bring(s: Situation, job: Job) -> frozenset[str] | None:
    """Goods at the depot go with a van that has not left: one under way does not come back for them. None: any may."""
    if job.state == "aboard":
        return None
    able = frozenset(
        label
        for label, van in s.vans.items()
        if not van.on_the_road or any(x.job is not None and x.job.id == job.id for x in van.ahead)
    )
    return None if len(able) == len(s.vans) else able


def _shipment(s: Situation, number: str, at: int, stands: int) -> words.Shipment:
    """Goods in a van that broke down: another one takes them over there, and brings them."""
    job = s.jobs[number]
    skills = frozenset(job.skills)
    pickup = words.Job(
        number, stands, service_s=TAKE_OVER_S + TAKE_OVER_CARTON_S * job.cartons, skills=skills
    )
    delivery = words.Job(number, at, windows=(_window(s, job),), service_s=job.service_s, skills=skills)
    return words.Shipment(number, pickup, delivery, demand(job))


def _ways(points: Sequence[Point], strict: bool) -> tuple[RoadMatrix, bool]:
    from backend import maps

    if not points:
        return RoadMatrix(
            Matrix(np.zeros((0, 0), np.int64), np.zeros((0, 0), np.int64)), [], {}, set()
        ), False
    try:
        return maps.roads().matrix(points), False
    except (RoadsDown, RoadsRefused):
        if strict:
            raise
    distance = np.array([[round(straight_m(a, b) * DETOUR) for b in points] for a in points], np.int64)
    duration = (distance / METRES_A_S).round().astype(np.int64)
    return RoadMatrix(Matrix(distance, duration), [Snap(p.lat, p.lon, 0) for p in points], {}, set()), True


def leg(s: Situation, start: int, end: int) -> tuple[int, int]:
    """Metres and seconds; 0 where there is no road (the stop says so)."""
    m, sec = int(s.roads.matrix.distance_m[start, end]), int(s.roads.matrix.duration_s[start, end])
    return (0, 0) if NO_ROAD in (m, sec) else (m, sec)


def pairs_of_day(
    conn: Conn, site_id: UUID, day: date, of_day: Sequence[Shift]
) -> list[tuple[Shift, Route | None]]:
    """Each shift of the day with its route on the board; a vehicle that broke down has none to offer."""
    shown = boards.routes(conn, site_id, day=day)
    by_shift = {r.shift.id: r for r in shown if r.state not in boards.OVER}
    broken = {r.vehicle.id for r in shown if r.state == "broken_down"}
    return [(s, by_shift.get(s.id)) for s in of_day if s.vehicle_id not in broken]
