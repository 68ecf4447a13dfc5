"""Where one more stop fits: every slot of every route, with what it costs and what it breaks, exact.

`slots` answers while a dispatcher drags, so it is fast (all are timed at once, `side_by_side`); `best` is the
cheapest slot that breaks nothing; `what_would_it_take` says what stands in the way, in sentences with figures. A job that is
in the plan already is moved: all figures are the plan after against the plan as it is. `placed` and `removed` make the plan
of it. Positions count the stops of a route without its breaks (they are placed anew) and without the job itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from routing.problem import Job, Plan, Problem, Route, Unserved, Vehicle, Violation
from routing.schedule import Known, Line, Stop, Timed, stops_of
from routing.side_by_side import timed_slots

Ints = npt.NDArray[np.int64]
_Times = tuple[tuple[int, int | None], Timed, tuple[int, ...]]
"""Position (a shipment has two), times, and by how much the load is too much."""


@dataclass(frozen=True)
class Slot:
    vehicle: str
    position: int
    """How many stops of the route come before it."""
    extra_m: int
    extra_s: int
    """Of the duration of all routes, waiting and breaks included."""
    extra_cost: int
    """Of the routes; the prize of an optional job that is served now is not taken off."""
    late_s: dict[str, int]
    """By visit id: how late the stops of this route are then, its own included."""
    violations: list[Violation]
    """All that the route breaks then, also what it broke before."""
    arrive_s: int
    start_s: int
    leave_s: int
    """Of the stop itself (a shipment's pickup)."""
    ends_s: int
    """The vehicle is at the end."""
    overtime_s: int = 0
    over_load: tuple[int, ...] = ()
    """By dimension, how much more than its capacity the vehicle would carry."""
    drop_position: int | None = None
    """Of a shipment's delivery, its pickup counted."""

    @property
    def feasible(self) -> bool:
        return not self.violations


def slots(problem: Problem, plan: Plan, job_id: str) -> list[Slot]:
    """Every slot of every vehicle, also of those that stand still, in the problem's order. KeyError: no such job or shipment."""
    return [tried.slot for tried in _Board(Known(problem), plan, job_id).tried()]


def best(problem: Problem, plan: Plan, job_id: str) -> Slot | None:
    """The cheapest slot that breaks nothing, by cost, then metres, then seconds; None where there is none."""
    fits = [s for s in slots(problem, plan, job_id) if s.feasible]
    return min(fits, key=lambda s: (s.extra_cost, s.extra_m, s.extra_s), default=None)


def placed(problem: Problem, plan: Plan, job_id: str, slot: Slot) -> Plan:
    """The plan with the job in that slot, all routes it touches timed anew."""
    known = Known(problem)
    board = _Board(known, plan, job_id)
    stops = board.with_it(board.without[slot.vehicle], slot.position, slot.drop_position)
    changed = {slot.vehicle: stops}
    if board.now_on is not None and board.now_on != slot.vehicle:
        changed[board.now_on] = board.without[board.now_on]
    left_out = tuple(u for u in plan.unserved if u.id != job_id)
    return _changed(known, plan, changed, left_out)


def removed(problem: Problem, plan: Plan, job_id: str, why: Unserved) -> Plan:
    """The plan without the job, which is listed as left out."""
    known = Known(problem)
    board = _Board(known, plan, job_id)
    changed = {} if board.now_on is None else {board.now_on: board.without[board.now_on]}
    return _changed(known, plan, changed, (*(u for u in plan.unserved if u.id != job_id), why))


def route_cost(vehicle: Vehicle, distance_m: int, duration_s: int) -> int:
    """Rounded to the nearest cost unit."""
    metres, seconds = vehicle.cost_per_km * distance_m, vehicle.cost_per_h * duration_s
    return vehicle.fixed_cost + (metres + 500) // 1000 + (seconds + 1800) // 3600


NeedKind = Literal[
    "window_opens_earlier", "window_closes_later", "overtime", "other_window_closes_later", "less_load", "longer_time",
    "longer_way", "more_stops", "no_break", "allowed", "skill",
]  # fmt: skip


@dataclass(frozen=True)
class Need:
    """One thing that would have to be otherwise, and by how much (seconds, metres, load, stops)."""

    kind: NeedKind
    amount: int
    visit: str | None = None
    """Whose window: its own, or that of another stop which would be late."""
    dimension: int | None = None
    """Of the load."""
    skills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Way:
    """How it would fit: all `needs` together make this slot break nothing. None: it fits as it is."""

    vehicle: str
    position: int
    start_s: int
    """Service would begin."""
    extra_cost: int
    needs: tuple[Need, ...]
    sentence: str
    drop_position: int | None = None
    """As in `Slot`."""


def what_would_it_take(
    problem: Problem,
    plan: Plan,
    job_id: str,
    *,
    limit: int = 5,
    clock: Callable[[int], str] | None = None,
    name: Callable[[str], str] = str,
    units: Sequence[str] = (),
    able: Callable[[Sequence[str]], str] = lambda skills: f"it can do {', '.join(skills)}",
) -> list[Way]:
    """The nearest ways to fit a job in, the easiest first; one where it fits, none where no road leads to it.

    `clock` says a time of the problem (otherwise hours from its zero), `name` a vehicle or visit id, `units` what a load
    dimension counts ("g" is said in kg), `able` what a vehicle with these skills could."""
    board = _Board(Known(problem), plan, job_id)
    tried = list(board.tried())
    said = _Sayer(job_id, clock or _hours, name, units, able)
    fits = [t.slot for t in tried if t.slot.feasible]
    if fits:
        slot = min(fits, key=lambda s: (s.extra_cost, s.extra_m, s.extra_s))
        return [said.way(slot, slot.start_s, ())]
    nearest: dict[frozenset[NeedKind], tuple[int, Slot, int, tuple[Need, ...]]] = {}
    for one in tried:
        if one.timed.no_road:
            continue
        for needs, start in board.ways(one):
            kinds = frozenset(n.kind for n in needs)
            rank = sum(n.amount for n in needs)
            if needs and (kinds not in nearest or rank < nearest[kinds][0]):
                nearest[kinds] = rank, one.slot, start, needs
    ranked = sorted(nearest.values(), key=lambda w: (len(w[3]), [EASY.index(n.kind) for n in w[3]], w[0]))
    kept: list[tuple[int, Slot, int, tuple[Need, ...]]] = []
    for way in ranked:
        kinds_of_it = {n.kind for n in way[3]}
        if not any({n.kind for n in k[3]} <= kinds_of_it for k in kept):
            kept.append(way)
    return [said.way(slot, start, needs) for _, slot, start, needs in kept[:limit]]


EASY: tuple[NeedKind, ...] = get_args(NeedKind)
"""What is asked of this customer or the driver comes before what is asked of others."""


@dataclass(frozen=True)
class _Sayer:
    job_id: str
    clock: Callable[[int], str]
    name: Callable[[str], str]
    units: Sequence[str]
    able: Callable[[Sequence[str]], str]

    def way(self, slot: Slot, start: int, needs: tuple[Need, ...]) -> Way:
        conditions = [said for n in needs if (said := self._if(n))]
        grants = [said for n in needs if (said := self._with(n))]
        sentence = f"fits {self.name(slot.vehicle)} at {self.clock(start)}"
        sentence += f" if {' and '.join(conditions)}" if conditions else ""
        sentence += f" with {' and '.join(grants)}" if grants else ""
        return Way(slot.vehicle, slot.position, start, slot.extra_cost, needs, sentence, slot.drop_position)

    def _if(self, need: Need) -> str:
        whose = self.name(need.visit or "")
        said: dict[NeedKind, str] = {
            "window_opens_earlier": f"the window opens {_minutes(need.amount)} earlier",
            "window_closes_later": f"the window closes {_minutes(need.amount)} later",
            "other_window_closes_later": f"{whose} may be served {_minutes(need.amount)} late",
            "longer_time": f"the route may take {_minutes(need.amount)} longer",
            "longer_way": f"the route may be {need.amount / 1000:.1f} km longer",
            "more_stops": f"the route may have {need.amount} more stop{'s' if need.amount > 1 else ''}",
            "skill": self.able(need.skills),
            "allowed": "it may be served by this vehicle",
            "no_break": "the driver goes without the rest",
        }
        return said.get(need.kind, "")

    def _with(self, need: Need) -> str:
        if need.kind == "overtime":
            return f"{_minutes(need.amount)} overtime"
        if need.kind == "less_load":
            unit = self.units[need.dimension or 0] if (need.dimension or 0) < len(self.units) else ""
            if unit == "g" and need.amount >= 1000:
                return f"{-(-need.amount // 100) / 10:g} kg less"
            return f"{need.amount} {unit}".rstrip() + " less"
        return ""


def _hours(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"


def _minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'s' if minutes != 1 else ''}"


def _changed(
    known: Known, plan: Plan, changed: dict[str, list[Stop]], left_out: tuple[Unserved, ...]
) -> Plan:
    routes = {r.vehicle: r for r in plan.routes}
    for vehicle, stops in changed.items():
        if _drives(stops):
            routes[vehicle] = Line.of(known, known.vehicles[vehicle], stops).timed().route
        else:
            routes.pop(vehicle, None)
    cost = sum(
        route_cost(known.vehicles[r.vehicle], r.distance_m, r.end_s - r.start_s) for r in routes.values()
    )
    for unserved in left_out:
        asked = known.jobs.get(unserved.id)
        if asked is None and unserved.id in known.shipments:
            asked = known.shipments[unserved.id].pickup
        cost += (asked.prize or 0) if asked else 0
    return Plan(tuple(routes.values()), left_out, cost)


def _drives(stops: Sequence[Stop]) -> bool:
    return any(s.kind != "reload" for s in stops)


class _Board:
    """A plan without one job, ready to take it anywhere."""

    def __init__(self, known: Known, plan: Plan, job_id: str) -> None:
        self.known = known
        self.job_id = job_id
        self.shipment = None if job_id in known.jobs else known.shipments[job_id]
        mine = {("pickup", job_id), ("delivery", job_id)} if self.shipment else {("job", job_id)}
        self.routes: dict[str, Route] = {r.vehicle: r for r in plan.routes}
        self.before = {
            v.id: stops_of(self.routes[v.id].visits) if v.id in self.routes else []
            for v in known.problem.vehicles
        }
        self.without = {
            v: [s for s in stops if (s.kind, s.id) not in mine] for v, stops in self.before.items()
        }
        self.now_on = next((v for v, stops in self.before.items() if len(stops) > len(self.without[v])), None)

    def with_it(self, stops: list[Stop], position: int, drop_position: int | None) -> list[Stop]:
        if self.shipment is None:
            return [*stops[:position], Stop("job", self.job_id), *stops[position:]]
        taken = [*stops[:position], Stop("pickup", self.job_id), *stops[position:]]
        assert drop_position is not None
        return [*taken[:drop_position], Stop("delivery", self.job_id), *taken[drop_position:]]

    def tried(self) -> Iterator[_Tried]:
        saved = _Used(0, 0, 0)
        if self.now_on is not None:
            saved = self._used(self.now_on, self.before).minus(self._used(self.now_on, self.without))
        vehicles = self.known.problem.vehicles
        for vehicle, found in zip(vehicles, self._timed(vehicles), strict=True):
            base = self._used(vehicle.id, self.without).plus(saved)
            barred = self._barred(vehicle, self.without[vehicle.id])
            for position, timed, over in found:
                yield self._tried(vehicle, position, timed, base, barred, over)

    def _timed(self, vehicles: Sequence[Vehicle]) -> Iterator[Iterable[_Times]]:
        if self.shipment is not None:
            yield from (self._pairs_timed(vehicle) for vehicle in vehicles)
            return
        job = self.known.jobs[self.job_id]
        lines = [Line.of(self.known, v, self.without[v.id]) for v in vehicles]
        for line, found in zip(lines, timed_slots(self.known, lines, job), strict=True):
            over = _over_loads(self.known, line.vehicle, line.stops, job)
            yield [
                ((at, None), timed or self._one(line.vehicle, at, None).timed(), over[at])
                for at, timed in enumerate(found)
            ]

    def _pairs_timed(self, vehicle: Vehicle) -> Iterator[_Times]:
        for position, drop in _pairs(self.without[vehicle.id]):
            line = self._one(vehicle, position, drop)
            yield (position, drop), line.timed(), _over_load(self.known, vehicle, line.stops)

    def _one(self, vehicle: Vehicle, position: int, drop: int | None) -> Line:
        return Line.of(self.known, vehicle, self.with_it(self.without[vehicle.id], position, drop))

    def ways(self, tried: _Tried) -> Iterator[tuple[tuple[Need, ...], int]]:
        """What would make one slot break nothing, and when service would begin: as it comes, or by moving the job's window."""
        slot, vehicle = tried.slot, self.known.vehicles[tried.slot.vehicle]
        fixed = self._granted(vehicle, slot)
        if fixed is None:
            return
        yield (*_late(tried.timed, self.job_id), *fixed), slot.start_s
        if self.shipment is not None or not (slot.late_s or slot.overtime_s or tried.timed.missed_breaks):
            return
        job = self.known.jobs[self.job_id]
        line = self._one(vehicle, slot.position, None)
        own = line.windows[slot.position]
        for earliest, latest in line.leeway(slot.position):
            for opens, closes in self.known.windows(job):
                if latest < opens:
                    need = Need("window_opens_earlier", opens - latest, job.id)
                    line.windows[slot.position] = ((latest, closes),)
                elif earliest > closes:
                    need = Need("window_closes_later", earliest - closes, job.id)
                    line.windows[slot.position] = ((opens, earliest),)
                else:
                    continue
                timed = line.timed()
                line.windows[slot.position] = own
                start = next(v.start_s for v in timed.route.visits if v.id == job.id and v.kind == "job")
                yield (need, *_late(timed, job.id), *fixed), start

    def _granted(self, vehicle: Vehicle, slot: Slot) -> list[Need] | None:
        """What no time can mend; None where nothing can."""
        needs: list[Need] = []
        asked = self._asked()
        full = _over_load(self.known, vehicle, self.without[vehicle.id])
        for dimension, amount in enumerate(slot.over_load):
            if not amount:
                continue
            carried = [_amount(load, dimension) for job in asked for load in (job.delivery, job.pickup)]
            carried += [_amount(self.shipment.load, dimension)] if self.shipment else []
            if (full and full[dimension]) or amount >= max(carried):
                return None  # it carries too much also without this one, or no place is left at all
            needs.append(Need("less_load", amount, dimension=dimension))
        stops = sum(1 for s in self.without[vehicle.id] if s.kind != "reload") + len(asked)
        if vehicle.max_stops is not None and stops > vehicle.max_stops:
            needs.append(Need("more_stops", stops - vehicle.max_stops))
        if any(job.vehicles is not None and vehicle.id not in job.vehicles for job in asked):
            needs.append(Need("allowed", 0))
        if lacking := frozenset[str]().union(*(job.skills for job in asked)) - vehicle.skills:
            needs.append(Need("skill", 0, skills=tuple(sorted(lacking))))
        return needs

    def _asked(self) -> list[Job]:
        return (
            [self.shipment.pickup, self.shipment.delivery]
            if self.shipment
            else [self.known.jobs[self.job_id]]
        )

    def _used(self, vehicle: str, stops: dict[str, list[Stop]]) -> _Used:
        if not _drives(stops[vehicle]):
            return _Used(0, 0, 0)
        route = Line.of(self.known, self.known.vehicles[vehicle], stops[vehicle]).timed().route
        return _Used.of(self.known.vehicles[vehicle], route)

    def _tried(
        self, vehicle: Vehicle, position: tuple[int, int | None], timed: Timed, base: _Used, barred: list[Violation],
        over: tuple[int, ...],
    ) -> _Tried:  # fmt: skip
        extra = _Used.of(vehicle, timed.route).minus(base)
        visit = next(v for v in timed.route.visits if v.id == self.job_id and v.kind in ("job", "pickup"))
        broken = barred + timed.violations(vehicle) if barred or not timed.feasible else []
        for dimension, amount in enumerate(over):
            if amount:
                said = f"carries {amount} more than it can (dimension {dimension})"
                broken = [*broken, Violation("over_capacity", said, vehicle.id, self.job_id)]
        slot = Slot(
            vehicle.id, position[0], extra.metres, extra.seconds, extra.cost, timed.late_s, broken, visit.arrive_s,
            visit.start_s, visit.leave_s, timed.route.end_s, timed.overtime_s, over, position[1],
        )  # fmt: skip
        return _Tried(slot, timed)

    def _barred(self, vehicle: Vehicle, stops: list[Stop]) -> list[Violation]:
        """What no position changes."""
        asked = (
            [self.shipment.pickup, self.shipment.delivery]
            if self.shipment
            else [self.known.jobs[self.job_id]]
        )
        found: list[Violation] = []
        if lacking := frozenset[str]().union(*(job.skills for job in asked)) - vehicle.skills:
            found.append(
                Violation("missing_skill", f"needs {', '.join(sorted(lacking))}", vehicle.id, self.job_id)
            )
        if any(job.vehicles is not None and vehicle.id not in job.vehicles for job in asked):
            found.append(
                Violation("vehicle_not_allowed", "another vehicle must serve it", vehicle.id, self.job_id)
            )
        count = sum(1 for s in stops if s.kind != "reload") + len(asked)
        if vehicle.max_stops is not None and count > vehicle.max_stops:
            found.append(
                Violation("too_many_stops", f"has {count} stops, {count - vehicle.max_stops} more than it may", vehicle.id)
            )  # fmt: skip
        return found


@dataclass(frozen=True)
class _Tried:
    slot: Slot
    timed: Timed


@dataclass(frozen=True)
class _Used:
    metres: int
    seconds: int
    cost: int

    @classmethod
    def of(cls, vehicle: Vehicle, route: Route) -> _Used:
        seconds = route.end_s - route.start_s
        return cls(route.distance_m, seconds, route_cost(vehicle, route.distance_m, seconds))

    def plus(self, other: _Used) -> _Used:
        return _Used(self.metres + other.metres, self.seconds + other.seconds, self.cost + other.cost)

    def minus(self, other: _Used) -> _Used:
        return _Used(self.metres - other.metres, self.seconds - other.seconds, self.cost - other.cost)


def _late(timed: Timed, job_id: str) -> list[Need]:
    needs = [
        Need("window_closes_later" if visit == job_id else "other_window_closes_later", late, visit)
        for visit, late in timed.late_s.items()
    ]
    if timed.overtime_s:
        needs.append(Need("overtime", timed.overtime_s))
    if timed.over_duration_s:
        needs.append(Need("longer_time", timed.over_duration_s))
    if timed.over_distance_m:
        needs.append(Need("longer_way", timed.over_distance_m))
    needs += [Need("no_break", 0) for _ in timed.missed_breaks]
    return needs


def _pairs(stops: Sequence[Stop]) -> Iterator[tuple[int, int]]:
    """Where the two ends of a shipment can stand on one trip: pickup, and delivery with the pickup counted."""
    for position in range(len(stops) + 1):
        for drop in range(position + 1, len(stops) + 2):
            if drop > position + 1 and stops[drop - 2].kind == "reload":
                break
            yield position, drop


def _over_load(known: Known, vehicle: Vehicle, stops: Sequence[Stop]) -> tuple[int, ...]:
    """By dimension, the most by which the load is above the capacity anywhere; empty where nowhere."""
    if not vehicle.capacity:
        return ()
    most = np.max([_along(known, vehicle, trip).max(axis=0) for trip in _trips(stops)], axis=0)
    over = np.maximum(most - np.array(vehicle.capacity, np.int64), 0)
    return tuple(over.tolist()) if over.any() else ()


def _over_loads(known: Known, vehicle: Vehicle, stops: Sequence[Stop], job: Job) -> list[tuple[int, ...]]:
    """The same with the job at each position. On its trip its delivery rides until there, and its pickup from there."""
    dimensions = len(vehicle.capacity)
    if not dimensions:
        return [()] * (len(stops) + 1)
    rides = [_along(known, vehicle, trip) for trip in _trips(stops)]
    delivery, pickup = _padded(job.delivery, dimensions), _padded(job.pickup, dimensions)
    most = []
    for number, ride in enumerate(rides):
        until = np.maximum.accumulate(ride) + delivery
        after = np.maximum.accumulate(ride[::-1])[::-1] + pickup
        elsewhere = [r.max(axis=0) for r in (*rides[:number], *rides[number + 1 :])]
        most.append(np.max([until, after, *(np.broadcast_to(e, ride.shape) for e in elsewhere)], axis=0))
    over = np.maximum(np.concatenate(most) - np.array(vehicle.capacity, np.int64), 0)
    barred = over.any(axis=1).tolist()
    return [tuple(o) if bad else () for o, bad in zip(over.tolist(), barred, strict=True)]


def _trips(stops: Sequence[Stop]) -> list[list[Stop]]:
    trips: list[list[Stop]] = [[]]
    for stop in stops:
        if stop.kind == "reload":
            trips.append([])
        else:
            trips[-1].append(stop)
    return trips


def _along(known: Known, vehicle: Vehicle, trip: Sequence[Stop]) -> Ints:
    """[moment, dimension]: the load when the trip begins and after each stop."""
    dimensions = len(vehicle.capacity)
    changes: list[Sequence[int]] = [(0,) * dimensions]
    aboard = np.zeros(dimensions, np.int64)
    for stop in trip:
        if stop.kind == "job":
            job = known.jobs[stop.id]
            off, on = _padded(job.delivery, dimensions), _padded(job.pickup, dimensions)
            aboard += np.array(off, np.int64)
            changes.append([n - f for n, f in zip(on, off, strict=True)])
        else:
            goods = _padded(known.shipments[stop.id].load, dimensions)
            changes.append(goods if stop.kind == "pickup" else [-g for g in goods])
    loads: Ints = np.cumsum(np.array(changes, np.int64), axis=0) + aboard
    return loads


def _padded(load: Sequence[int], dimensions: int) -> tuple[int, ...]:
    return (*load, *(0,) * dimensions)[:dimensions]


def _amount(load: Sequence[int], dimension: int) -> int:
    return load[dimension] if dimension < len(load) else 0
