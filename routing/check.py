"""Whether a plan keeps every rule of its problem: `check(problem, plan)` drives each route again, from the matrices alone.

It shares no code with what makes plans; it believes nothing a plan says of itself but its times, and tests those. An empty
answer means the plan may be saved and driven. Every rule has its own kind of `Violation`, with a sentence that has figures.
To add a rule: a function here that takes one driven route, its line in `ROUTE_RULES`, and a test that breaks just that rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from routing.problem import (
    NO_ROAD,
    Break,
    Job,
    Plan,
    Problem,
    Route,
    Shipment,
    Vehicle,
    Violation,
    ViolationKind,
    Visit,
)


def check(problem: Problem, plan: Plan) -> list[Violation]:
    """What the plan breaks, route by route, then over all; empty where it keeps every rule. O(visits)."""
    vehicles = {v.id: v for v in problem.vehicles}
    known = _Known({j.id: j for j in problem.jobs}, {s.id: s for s in problem.shipments})
    found: list[Violation] = []
    for route in plan.routes:
        vehicle = vehicles.get(route.vehicle)
        if vehicle is None:
            found.append(Violation("unknown_vehicle", f"there is no vehicle {route.vehicle}", route.vehicle))
            continue
        drive = _drive(problem, known, vehicle, route)
        for rule in ROUTE_RULES:
            found += rule(drive)
    found += _used_twice(plan)
    found += _served(problem, plan)
    found += _cost(problem, plan)
    return found


@dataclass(frozen=True)
class _Known:
    jobs: dict[str, Job]
    shipments: dict[str, Shipment]

    def find(self, visit: Visit) -> tuple[Job, Shipment | None] | None:
        """The job, or the half of the shipment that is visited."""
        if visit.kind == "job":
            job = self.jobs.get(visit.id)
            return (job, None) if job else None
        shipment = self.shipments.get(visit.id)
        if shipment is None:
            return None
        return (shipment.pickup if visit.kind == "pickup" else shipment.delivery), shipment


@dataclass(frozen=True)
class _Stop:
    visit: Visit
    job: Job
    shipment: Shipment | None


@dataclass(frozen=True)
class _Leg:
    """From one place to the next; `moving_s` is the time there was for it, breaks on the way taken out."""

    to: str | None
    """The visit it leads to; None: the end."""
    distance_m: int
    duration_s: int
    moving_s: int
    road: bool


@dataclass(frozen=True)
class _Trip:
    departs_s: int
    stops: tuple[_Stop, ...]


@dataclass(frozen=True)
class _Drive:
    """One route, driven again: its legs from the matrices, its stops as the problem knows them, trip by trip."""

    vehicle: Vehicle
    route: Route
    legs: tuple[_Leg, ...]
    trips: tuple[_Trip, ...]
    strangers: tuple[Visit, ...]

    @property
    def stops(self) -> Iterator[_Stop]:
        return (stop for trip in self.trips for stop in trip.stops)

    def broken(self, kind: ViolationKind, detail: str, visit: str | None = None) -> Violation:
        return Violation(kind, detail, self.vehicle.id, visit)


def _drive(problem: Problem, known: _Known, vehicle: Vehicle, route: Route) -> _Drive:
    matrix = problem.matrices[vehicle.profile]
    legs: list[_Leg] = []
    trips: list[_Trip] = []
    strangers: list[Visit] = []
    here, left, moving = vehicle.start, route.start_s, 0
    departs, stops = route.start_s, list[_Stop]()

    def drive_to(place: int, to: str | None) -> None:
        metres, seconds = int(matrix.distance_m[here, place]), int(matrix.duration_s[here, place])
        road = NO_ROAD not in (metres, seconds)
        legs.append(_Leg(to, metres if road else 0, seconds if road else 0, moving, road))

    for visit in route.visits:
        moving += visit.arrive_s - left
        left = visit.leave_s
        if visit.kind == "break":
            continue
        if visit.kind == "reload":
            trips.append(_Trip(departs, tuple(stops)))
            departs, stops = visit.leave_s, []
            if not visit.id.isdecimal() or int(visit.id) >= len(matrix.distance_m):
                continue
            place = int(visit.id)
        else:
            found = known.find(visit)
            if found is None:
                strangers.append(visit)
                continue
            stops.append(_Stop(visit, *found))
            place = found[0].location
        drive_to(place, visit.id)
        here, moving = place, 0
    trips.append(_Trip(departs, tuple(stops)))
    moving += route.end_s - left
    if vehicle.end is not None:
        drive_to(vehicle.end, None)
    return _Drive(vehicle, route, tuple(legs), tuple(trips), tuple(strangers))


def _unknown(drive: _Drive) -> Iterator[Violation]:
    for visit in drive.strangers:
        what = "job" if visit.kind == "job" else "shipment"
        yield drive.broken("unknown_job", f"there is no {what} {visit.id}", visit.id)


def _roads(drive: _Drive) -> Iterator[Violation]:
    for leg in drive.legs:
        if not leg.road:
            yield drive.broken("no_road", f"there is no road to {leg.to or 'the end'}", leg.to)


def _times(drive: _Drive) -> Iterator[Violation]:
    """Nothing happens before what comes before it, and a leg takes at least its time; waiting is allowed anywhere."""
    route = drive.route
    moments: list[tuple[str, int, str | None]] = [("the start", route.start_s, None)]
    for v in route.visits:
        moments += [(f"arrival at {v.id}", v.arrive_s, v.id), (f"service at {v.id}", v.start_s, v.id)]
        moments += [(f"leaving {v.id}", v.leave_s, v.id)]
    moments += [("the end", route.end_s, None)]
    for (before, earlier, _), (after, later, visit) in pairwise(moments):
        if later < earlier:
            yield drive.broken(
                "time_travel",
                f"{after} ({later} s) is {earlier - later} s before {before} ({earlier} s)",
                visit,
            )
    for leg in drive.legs:
        if leg.moving_s < leg.duration_s and leg.moving_s >= 0:
            yield drive.broken(
                "time_travel",
                f"the way to {leg.to or 'the end'} takes {leg.duration_s} s, the plan leaves {leg.moving_s} s",
                leg.to,
            )


def _windows(drive: _Drive) -> Iterator[Violation]:
    for stop in drive.stops:
        start = stop.visit.start_s
        if not any(w.opens_s <= start <= w.closes_s for w in stop.job.windows):
            said = ", ".join(f"{w.opens_s} to {w.closes_s}" for w in stop.job.windows) or "never"
            yield drive.broken("outside_window", f"service begins at {start} s, open {said}", stop.visit.id)


def _service(drive: _Drive) -> Iterator[Violation]:
    for stop in drive.stops:
        took = stop.visit.leave_s - stop.visit.start_s
        if 0 <= took < stop.job.service_s:
            yield drive.broken(
                "service_too_short",
                f"service takes {stop.job.service_s} s, the plan leaves {took} s",
                stop.visit.id,
            )
    for visit in drive.route.visits:
        took = visit.leave_s - visit.start_s
        if visit.kind == "reload" and 0 <= took < drive.vehicle.reload_s:
            yield drive.broken(
                "service_too_short",
                f"loading takes {drive.vehicle.reload_s} s, the plan leaves {took} s",
                visit.id,
            )


def _shift(drive: _Drive) -> Iterator[Violation]:
    shift, route = drive.vehicle.shift, drive.route
    if route.start_s < shift.opens_s:
        yield drive.broken(
            "outside_shift",
            f"leaves {shift.opens_s - route.start_s} s before the shift begins ({shift.opens_s} s)",
        )
    if route.end_s > shift.closes_s:
        yield drive.broken(
            "outside_shift",
            f"is back {route.end_s - shift.closes_s} s after the shift ends ({shift.closes_s} s)",
        )


def _distance(drive: _Drive) -> Iterator[Violation]:
    metres = sum(leg.distance_m for leg in drive.legs)
    if metres != drive.route.distance_m:
        yield drive.broken("wrong_distance", f"drives {metres} m, the plan says {drive.route.distance_m} m")
    longest = drive.vehicle.max_distance_m
    if longest is not None and metres > longest:
        yield drive.broken("too_far", f"drives {metres} m, {metres - longest} m more than it may")


def _duration(drive: _Drive) -> Iterator[Violation]:
    seconds = drive.route.end_s - drive.route.start_s
    longest = drive.vehicle.max_duration_s
    if longest is not None and seconds > longest:
        yield drive.broken(
            "too_long", f"is under way for {seconds} s, {seconds - longest} s more than it may"
        )


def _stop_count(drive: _Drive) -> Iterator[Violation]:
    count, most = sum(1 for _ in drive.stops), drive.vehicle.max_stops
    if most is not None and count > most:
        yield drive.broken("too_many_stops", f"has {count} stops, {count - most} more than it may")


def _loads(drive: _Drive) -> Iterator[Violation]:
    """At the depot all deliveries of the trip are aboard; each stop takes off first and then puts on."""
    for number, trip in enumerate(drive.trips, 1):
        for dimension, capacity in enumerate(drive.vehicle.capacity):
            load = sum(_amount(s.job.delivery, dimension) for s in trip.stops)
            most, where = load, None
            for stop in trip.stops:
                load += _amount(stop.job.pickup, dimension) - _amount(stop.job.delivery, dimension)
                if stop.shipment is not None:
                    amount = _amount(stop.shipment.load, dimension)
                    load += amount if stop.visit.kind == "pickup" else -amount
                if load > most:
                    most, where = load, stop.visit.id
            if most > capacity:
                at = f"leaving {where}" if where else "leaving the depot"
                yield drive.broken(
                    "over_capacity",
                    f"carries {most} {at} on trip {number}, {most - capacity} more than it can (dimension {dimension})",
                    where,
                )


def _amount(load: Sequence[int], dimension: int) -> int:
    return load[dimension] if dimension < len(load) else 0


def _trips(drive: _Drive) -> Iterator[Violation]:
    vehicle = drive.vehicle
    for visit in drive.route.visits:
        if visit.kind == "reload" and visit.id not in {str(depot) for depot in vehicle.reload_at}:
            yield drive.broken("wrong_reload", f"may not load at {visit.id}", visit.id)
    if len(drive.trips) > max(vehicle.max_trips, 1):
        yield drive.broken(
            "too_many_trips", f"makes {len(drive.trips)} trips, it may make {max(vehicle.max_trips, 1)}"
        )


def _release(drive: _Drive) -> Iterator[Violation]:
    for trip in drive.trips:
        for stop in trip.stops:
            early = stop.job.release_s - trip.departs_s
            if early > 0:
                yield drive.broken(
                    "before_release",
                    f"the trip leaves {early} s before its goods are ready ({stop.job.release_s} s)",
                    stop.visit.id,
                )


def _skills(drive: _Drive) -> Iterator[Violation]:
    for stop in drive.stops:
        for job in _both(stop):
            if lacking := job.skills - drive.vehicle.skills:
                yield drive.broken("missing_skill", f"needs {', '.join(sorted(lacking))}", stop.visit.id)
                break


def _allowed(drive: _Drive) -> Iterator[Violation]:
    for stop in drive.stops:
        for job in _both(stop):
            if job.vehicles is not None and drive.vehicle.id not in job.vehicles:
                only = ", ".join(sorted(job.vehicles)) or "no vehicle"
                yield drive.broken("vehicle_not_allowed", f"only {only} may serve it", stop.visit.id)
                break


def _both(stop: _Stop) -> Iterator[Job]:
    """A rule of who may serve binds both ends of a shipment."""
    if stop.shipment is None:
        yield stop.job
    else:
        yield stop.shipment.pickup
        yield stop.shipment.delivery


def _shipments(drive: _Drive) -> Iterator[Violation]:
    for number, trip in enumerate(drive.trips, 1):
        ends = [s.visit for s in trip.stops if s.shipment is not None]
        taken = {v.id: at for at, v in reversed(list(enumerate(ends))) if v.kind == "pickup"}
        brought = {v.id: at for at, v in enumerate(ends) if v.kind == "delivery"}
        for id_ in dict.fromkeys(v.id for v in ends):
            if id_ not in taken or id_ not in brought:
                done = "taken" if id_ in taken else "brought"
                yield drive.broken("split_shipment", f"is only {done} on trip {number}", id_)
            elif brought[id_] < taken[id_]:
                yield drive.broken("pickup_after_delivery", "is brought before it is taken", id_)


def _breaks(drive: _Drive) -> Iterator[Violation]:
    """Every break that is due has a rest of its own: long enough, begun in its window."""
    rests = [v for v in drive.route.visits if v.kind == "break"]
    due = [
        pause
        for pause in drive.vehicle.breaks
        if drive.route.start_s < pause.window.opens_s + pause.duration_s
        and drive.route.end_s > pause.window.closes_s
    ]
    taken: dict[int, Break] = {}  # which rest serves which break

    def seat(pause: Break, tried: set[int]) -> bool:
        """Augmenting paths: a rest already taken goes to this break where its own break finds another."""
        for at, rest in enumerate(rests):
            fits = pause.window.opens_s <= rest.start_s <= pause.window.closes_s
            if fits and rest.leave_s - rest.start_s >= pause.duration_s and at not in tried:
                tried.add(at)
                if at not in taken or seat(taken[at], tried):
                    taken[at] = pause
                    return True
        return False

    for pause in due:
        if not seat(pause, set()):
            yield drive.broken(
                "missing_break",
                f"no rest of {pause.duration_s} s begins between {pause.window.opens_s} s and {pause.window.closes_s} s",
            )


ROUTE_RULES: tuple[Callable[[_Drive], Iterator[Violation]], ...] = (
    _unknown, _roads, _times, _windows, _service, _shift, _distance, _duration, _stop_count, _loads, _trips, _release,
    _skills, _allowed, _shipments, _breaks,
)  # fmt: skip


def _used_twice(plan: Plan) -> Iterator[Violation]:
    for vehicle, count in Counter(r.vehicle for r in plan.routes).items():
        if count > 1:
            yield Violation("vehicle_used_twice", f"has {count} routes", vehicle)


def _served(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """All that is asked for is visited once or listed as left out, never both."""
    visits = Counter((v.kind, v.id) for r in plan.routes for v in r.visits)
    left_out = Counter(u.id for u in plan.unserved)
    asked: dict[str, tuple[int | None, list[int]]] = {}
    for job in problem.jobs:
        asked[job.id] = (job.prize, [visits["job", job.id]])
    for shipment in problem.shipments:
        asked[shipment.id] = (
            shipment.pickup.prize,
            [visits["pickup", shipment.id], visits["delivery", shipment.id]],
        )
    for id_, (_prize, times) in asked.items():
        if max(times) > 1:
            yield Violation("visited_twice", f"is visited {max(times)} times", None, id_)
        if left_out[id_] > 1:
            yield Violation("visited_twice", f"is listed as left out {left_out[id_]} times", None, id_)
        if left_out[id_] and any(times):
            yield Violation("served_and_unserved", "is visited, and listed as left out", None, id_)
        if not left_out[id_] and not all(times):
            yield Violation("not_visited", "is neither visited nor listed as left out", None, id_)
    for unserved in plan.unserved:
        if unserved.id not in asked:
            yield Violation("unknown_job", f"there is no job {unserved.id}", None, unserved.id)
        elif unserved.reason == "not_worth_it" and asked[unserved.id][0] is None:
            yield Violation("not_visited", "must be served whatever it costs", None, unserved.id)


def _cost(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """Fractions of a cost unit may be rounded either way, a route's distance and its time each by itself or together."""
    vehicles = {v.id: v for v in problem.vehicles}
    least = most = 0
    for route in plan.routes:
        vehicle = vehicles.get(route.vehicle)
        if vehicle is None:
            continue
        least += vehicle.fixed_cost
        most += vehicle.fixed_cost
        seconds = route.end_s - route.start_s
        for amount, per in (
            (vehicle.cost_per_km * route.distance_m, 1000),
            (vehicle.cost_per_h * seconds, 3600),
        ):
            least += amount // per
            most += -(-amount // per)
    visited = {(v.kind, v.id) for r in plan.routes for v in r.visits}
    prizes = [job.prize or 0 for job in problem.jobs if ("job", job.id) not in visited]
    prizes += [s.pickup.prize or 0 for s in problem.shipments if ("delivery", s.id) not in visited]
    least, most = least + sum(prizes), most + sum(prizes)
    if not least <= plan.cost <= most:
        costs = f"{least}" if least == most else f"{least} to {most}"
        yield Violation("wrong_cost", f"costs {costs}, the plan says {plan.cost}")
