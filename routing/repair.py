"""Sequences made to fit, exactly: what does not fit is taken out, what was left out is put in where it costs least.

An engine's sequences pass here before they become routes: `timed` times each with every rule of the problem, `take_out`
removes the fewest stops from one that breaks a rule, `put_in` tries every slot of every vehicle. A slot is first tried
against the earliest and latest times around it (Savelsbergh 1992), which rules out most in constant time, and then exactly.
To add a rule that is not about times: `_misfit`. Rules about times are in `schedule`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from routing.problem import NO_ROAD, Job, Route, Shipment, Vehicle, Window
from routing.schedule import FOREVER, Known, Line, Stop, Timed

Stops = tuple[Stop, ...]
Sequences = dict[str, Stops]
"""Vehicle id to its stops in order, reloads included; no breaks and no times."""


@dataclass(frozen=True)
class Misfit:
    """Why a sequence cannot be driven: a rule that is not about times, or the times with what is late in them."""

    rule: str
    by: int = 0
    times: Timed | None = None


def allowed(vehicle: Vehicle, job: Job) -> bool:
    return job.skills <= vehicle.skills and (job.vehicles is None or vehicle.id in job.vehicles)


def amount(load: Sequence[int], dimension: int) -> int:
    """A load that is not named is 0."""
    return load[dimension] if dimension < len(load) else 0


def jobs_of(known: Known, id_: str) -> tuple[Job, ...]:
    """The job, or both ends of the shipment: the rules of who may serve it bind both."""
    if id_ in known.jobs:
        return (known.jobs[id_],)
    shipment = known.shipments[id_]
    return shipment.pickup, shipment.delivery


def may_serve(known: Known, vehicle: Vehicle, id_: str) -> bool:
    return all(allowed(vehicle, job) for job in jobs_of(known, id_))


def prize_of(known: Known, id_: str) -> int | None:
    """None: it must be served."""
    return jobs_of(known, id_)[0].prize


def trips(stops: Sequence[Stop]) -> Iterator[list[Stop]]:
    trip: list[Stop] = []
    for stop in stops:
        if stop.kind == "reload":
            yield trip
            trip = []
        else:
            trip.append(stop)
    yield trip


def visited(sequences: Mapping[str, Sequence[Stop]]) -> set[str]:
    return {s.id for stops in sequences.values() for s in stops if s.kind != "reload"}


def overload(known: Known, vehicle: Vehicle, stops: Sequence[Stop]) -> tuple[int, int] | None:
    """(dimension, units too many) of the fullest moment; at the depot all deliveries of a trip are aboard."""
    for dimension, capacity in enumerate(vehicle.capacity):
        for trip in trips(stops):
            load = sum(amount(known.jobs[s.id].delivery, dimension) for s in trip if s.kind == "job")
            changes = [load]
            for stop in trip:
                if stop.kind == "job":
                    job = known.jobs[stop.id]
                    changes.append(amount(job.pickup, dimension) - amount(job.delivery, dimension))
                else:
                    goods = amount(known.shipments[stop.id].load, dimension)
                    changes.append(goods if stop.kind == "pickup" else -goods)
            most = max(accumulate(changes))
            if most > capacity:
                return dimension, most - capacity
    return None


def timed(known: Known, vehicle: Vehicle, stops: Stops) -> Route | Misfit:
    """The route with its breaks and exact times, or what stands in the way."""
    misfit = _misfit(known, vehicle, stops)
    if misfit is not None:
        return misfit
    times = Line.of(known, vehicle, list(stops)).timed()
    return times.route if times.feasible else Misfit("times", times=times)


def _misfit(known: Known, vehicle: Vehicle, stops: Stops) -> Misfit | None:
    visits = [s for s in stops if s.kind != "reload"]
    if not all(may_serve(known, vehicle, s.id) for s in visits):
        return Misfit("not_allowed")
    if vehicle.max_stops is not None and len(visits) > vehicle.max_stops:
        return Misfit("too_many_stops", len(visits) - vehicle.max_stops)
    reloads = len(stops) - len(visits)
    if reloads and reloads + 1 > vehicle.max_trips:
        return Misfit("too_many_trips", reloads + 1 - vehicle.max_trips)
    if any(s.kind == "reload" and int(s.id) not in vehicle.reload_at for s in stops):
        return Misfit("wrong_reload")
    for trip in trips(stops):
        aboard: set[str] = set()
        for stop in trip:
            if stop.kind == "pickup":
                aboard.add(stop.id)
            elif stop.kind == "delivery" and stop.id not in aboard:
                return Misfit("split_shipment")
            elif stop.kind == "delivery":
                aboard.discard(stop.id)
        if aboard:
            return Misfit("split_shipment")
    full = overload(known, vehicle, stops)
    return None if full is None else Misfit("over_capacity", full[1])


def cost_of(vehicle: Vehicle, route: Route) -> Fraction:
    seconds = route.end_s - route.start_s
    metres = Fraction(vehicle.cost_per_km * route.distance_m, 1000)
    return vehicle.fixed_cost + metres + Fraction(vehicle.cost_per_h * seconds, 3600)


# --- what is too much ---------------------------------------------------------------------------------------


def take_out(known: Known, vehicle: Vehicle, stops: Stops) -> tuple[Stops, Route | None, list[str]]:
    """The sequence without the fewest, least wanted stops, its route, and what was taken out."""
    out: list[str] = []
    while stops:
        tried = timed(known, vehicle, stops)
        if isinstance(tried, Route):
            return stops, tried, out
        ids = list(dict.fromkeys(s.id for s in stops if s.kind != "reload"))
        ranked: list[tuple[float, int, str, Stops]] = []
        for n, id_ in enumerate(ids):
            rest = without(stops, {id_})
            left = timed(known, vehicle, rest) if rest else None
            prize = prize_of(known, id_)
            worth = FOREVER if prize is None else prize
            trouble = _trouble(left) if isinstance(left, Misfit) else 0
            ranked.append((trouble * FOREVER + worth, n, id_, rest))
        _, _, id_, stops = min(ranked)
        out.append(id_)
    return (), None, out


def _trouble(misfit: Misfit) -> int:
    if misfit.times is None:
        return FOREVER + misfit.by
    times = misfit.times
    late = sum(times.late_s.values()) + times.overtime_s + times.over_duration_s + times.over_distance_m
    return 1 + late + FOREVER // 4 * (len(times.missed_breaks) + len(times.no_road))


def without(stops: Sequence[Stop], ids: set[str]) -> Stops:
    """A trip that is empty then is not made."""
    kept: list[Stop] = []
    for stop in stops:
        if stop.kind == "reload":
            if kept and kept[-1].kind == "reload":
                kept.pop()
            if kept:
                kept.append(stop)
        elif stop.id not in ids:
            kept.append(stop)
    while kept and kept[-1].kind == "reload":
        kept.pop()
    return tuple(kept)


# --- what was left out --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """Where something could be put in; `metres` and `seconds` more, the latter of driving and service alone."""

    vehicle: Vehicle
    stops: Callable[[], Stops]
    metres: int
    seconds: int
    late_s: int
    """By how much the earliest and latest times around it say it is too late; 0 where only exact timing can tell."""
    over: tuple[int, int] | None
    """(dimension, units) that the vehicle is too full by on this trip, at least. None: only the exact load can tell."""
    after: str | None
    """The visit it comes after; None: the start of the trip."""


class Board:
    """All vehicles' sequences with the earliest and latest times of every stop, for trying slots fast."""

    def __init__(self, known: Known, sequences: Mapping[str, Stops]) -> None:
        self.known = known
        self.sequences: Sequences = dict(sequences)
        self._lanes: dict[str, _Lane] = {}
        self._named = {
            n
            for id_ in (*known.jobs, *known.shipments)
            for j in jobs_of(known, id_)
            for n in j.vehicles or ()
        }

    def lane(self, vehicle: Vehicle) -> _Lane:
        if vehicle.id not in self._lanes:
            stops = list(self.sequences.get(vehicle.id, ()))
            self._lanes[vehicle.id] = _Lane(Line.of(self.known, vehicle, stops), self.known)
        return self._lanes[vehicle.id]

    def put(self, vehicle_id: str, stops: Stops) -> None:
        self.sequences[vehicle_id] = stops
        self._lanes.pop(vehicle_id, None)

    def vehicles(self) -> Iterator[Vehicle]:
        """Those that drive, and one of each kind that does not yet."""
        idle: set[Vehicle] = set()
        for vehicle in self.known.problem.vehicles:
            if vehicle.shift.closes_s < vehicle.shift.opens_s:
                continue
            kind = vehicle if vehicle.id in self._named else replace(vehicle, id="")
            if self.sequences.get(vehicle.id):
                yield vehicle
            elif kind not in idle:
                idle.add(kind)
                yield vehicle

    @property
    def idle(self) -> bool:
        return any(not self.sequences.get(v.id) for v in self.vehicles())

    def slots(self, id_: str) -> Iterator[Slot]:
        for vehicle in self.vehicles():
            if may_serve(self.known, vehicle, id_):
                yield from self.lane(vehicle).slots(id_)

    def extra_cost(self, slot: Slot) -> Fraction:
        v = slot.vehicle
        new = 0 if self.sequences.get(v.id) else v.fixed_cost
        return new + Fraction(v.cost_per_km * slot.metres, 1000) + Fraction(v.cost_per_h * slot.seconds, 3600)

    def put_in(self, id_: str, deadline: float) -> bool:
        """The cheapest slot that keeps every rule; an optional one only where it pays.

        After the deadline only vehicles that stand idle are tried, and only for what is required."""
        prize = prize_of(self.known, id_)
        ranked = sorted(
            ((self.extra_cost(s), n, s) for n, s in enumerate(self.slots(id_)) if not s.late_s and s.over is None), key=lambda r: r[:2]
        )  # fmt: skip
        for cost, _, slot in ranked:
            if prize is not None and cost - self._hours(slot) >= prize:
                continue  # its hours may fall into a wait that is there anyway, its metres never
            if time.monotonic() > deadline and (prize is not None or self.sequences.get(slot.vehicle.id)):
                continue
            stops = slot.stops()
            route = timed(self.known, slot.vehicle, stops)
            if isinstance(route, Misfit):
                continue
            if prize is not None and self.more(slot.vehicle, route) >= prize:
                continue
            self.put(slot.vehicle.id, stops)
            return True
        return False

    def _hours(self, slot: Slot) -> Fraction:
        return Fraction(slot.vehicle.cost_per_h * slot.seconds, 3600)

    def more(self, vehicle: Vehicle, route: Route) -> Fraction:
        """What the route costs more than the vehicle's present one."""
        stops = self.sequences.get(vehicle.id)
        present = timed(self.known, vehicle, stops) if stops else None
        before = cost_of(vehicle, present) if isinstance(present, Route) else 0
        return cost_of(vehicle, route) - before


class _Lane:
    """One vehicle's sequence. `free[i]`: the earliest it leaves place i (0: the start); `by[i]`: the latest it may begin at
    place i + 1 (the last: the end) so that nothing after is late. Breaks and limits of the whole only narrow that."""

    def __init__(self, line: Line, known: Known) -> None:
        self._line, self._known = line, known
        vehicle = line.vehicle
        matrix = known.problem.matrices[vehicle.profile]
        self._metres, self._seconds = matrix.distance_m, matrix.duration_s
        self.free = [line.opens_s]
        for at, stop_windows in enumerate(line.windows):
            arrive = self.free[-1] + line.leg_s[at]
            begin = next((max(arrive, o) for o, c in stop_windows if max(arrive, o) <= c), arrive)
            self.free.append(begin + line.service_s[at])
        self.by = [vehicle.shift.closes_s]
        for at in range(len(line.stops) - 1, -1, -1):
            leave = self.by[0] - line.leg_s[at + 1] - line.service_s[at]
            self.by.insert(
                0, max((min(leave, c) for o, c in line.windows[at] if o <= leave), default=-FOREVER)
            )
        self.places = [vehicle.start, *line.places]
        self.aboard: list[list[int]] = []
        """Place by place, the deliveries of the trip it is on, a dimension each: what is aboard when the trip starts."""
        self.taken: list[list[int]] = []
        for trip in trips(line.stops):
            jobs = [known.jobs[s.id] for s in trip if s.kind == "job"]
            loads = [sum(amount(j.delivery, d) for j in jobs) for d in range(len(vehicle.capacity))]
            taken = [sum(amount(j.pickup, d) for j in jobs) for d in range(len(vehicle.capacity))]
            self.aboard += [loads] * (len(trip) + 1)
            self.taken += [taken] * (len(trip) + 1)

    def slots(self, id_: str) -> Iterator[Slot]:
        if id_ in self._known.jobs:
            yield from self._single(self._known.jobs[id_])
        else:
            yield from self._double(self._known.shipments[id_])

    def _leg(self, start: int, end: int | None) -> tuple[int, int] | None:
        if end is None:
            return 0, 0
        metres, seconds = int(self._metres[start, end]), int(self._seconds[start, end])
        return None if NO_ROAD in (metres, seconds) else (metres, seconds)

    def _next(self, at: int) -> int | None:
        return self.places[at + 1] if at + 1 < len(self.places) else self._line.vehicle.end

    def _over(self, at: int, delivery: Sequence[int], pickup: Sequence[int]) -> tuple[int, int] | None:
        """Where the trip's deliveries, or its pickups, would be more than the vehicle carries."""
        most = [
            (
                max(self.aboard[at][d] + amount(delivery, d), self.taken[at][d] + amount(pickup, d))
                - capacity,
                d,
            )
            for d, capacity in enumerate(self._line.vehicle.capacity)
        ]
        units, dimension = max(most, default=(0, 0))
        return (dimension, units) if units > 0 else None

    def _after(self, at: int) -> str | None:
        stop = self._line.stops[at - 1] if at else None
        return stop.id if stop is not None and stop.kind != "reload" else None

    def _single(self, job: Job) -> Iterator[Slot]:
        line, stop = self._line, Stop("job", job.id)
        for at, here in enumerate(self.places):
            there, back = self._leg(here, job.location), self._leg(job.location, self._next(at))
            if there is None or back is None:
                continue
            arrive = max(self.free[at], job.release_s if _first_trip(line.stops, at) else 0) + there[1]
            begin = next(
                (max(arrive, w.opens_s) for w in _sorted(job) if max(arrive, w.opens_s) <= w.closes_s), None
            )
            own = (
                0 if begin is not None else arrive - max((w.closes_s for w in job.windows), default=-FOREVER)
            )
            after = (arrive if begin is None else begin) + job.service_s + back[1] - self.by[at]
            metres, seconds = (
                there[0] + back[0] - line.leg_m[at],
                there[1] + back[1] - line.leg_s[at] + job.service_s,
            )
            yield Slot(
                line.vehicle,
                lambda at=at: (*line.stops[:at], stop, *line.stops[at:]),  # type: ignore[misc]
                metres,
                seconds,
                max(0, own, after),
                self._over(at, job.delivery, job.pickup),
                self._after(at),
            )
            if line.stops and sum(s.kind == "reload" for s in line.stops) + 1 < line.vehicle.max_trips:
                yield from self._with_reload(at, stop, metres, seconds)

    def _with_reload(self, at: int, stop: Stop, metres: int, seconds: int) -> Iterator[Slot]:
        """A trip more: loading again before the stop, or after it. Whether there is time only exact timing tells."""
        line = self._line
        before, after = tuple(line.stops[:at]), tuple(line.stops[at:])
        here, next_ = self.places[at], self._next(at)
        place = self._known.jobs[stop.id].location
        for depot in dict.fromkeys(line.vehicle.reload_at):
            load = Stop("reload", str(depot))
            for new, way in (((load, stop), (here, depot, place)), ((stop, load), (place, depot, next_))):
                if (new[0] is load and not before) or (new[1] is load and not after):
                    continue
                to, on, straight = (
                    self._leg(way[0] or 0, depot),
                    self._leg(depot, way[2]),
                    self._leg(way[0] or 0, way[2]),
                )
                if to is None or on is None or straight is None:
                    continue
                more_m, more_s = (
                    to[0] + on[0] - straight[0],
                    to[1] + on[1] - straight[1] + line.vehicle.reload_s,
                )
                yield Slot(
                    line.vehicle,
                    lambda new=new: (*before, *new, *after),  # type: ignore[misc]
                    metres + more_m,
                    seconds + more_s,
                    0,
                    None,
                    self._after(at),
                )

    def _double(self, shipment: Shipment) -> Iterator[Slot]:
        """Both ends on one trip; only the time at the pickup is tried fast."""
        line = self._line
        first, last = Stop("pickup", shipment.id), Stop("delivery", shipment.id)
        p, d = shipment.pickup, shipment.delivery
        for at, here in enumerate(self.places):
            there = self._leg(here, p.location)
            if there is None:
                continue
            arrive = self.free[at] + there[1]
            own = arrive - max((w.closes_s for w in p.windows), default=-FOREVER)
            for to in range(at, len(self.places)):
                if any(s.kind == "reload" for s in line.stops[at:to]):
                    break
                back = self._leg(d.location, self._next(to))
                away = self._leg(p.location, d.location if to == at else self._next(at))
                near = (0, 0) if to == at else self._leg(self.places[to], d.location)
                if back is None or away is None or near is None:
                    continue
                gone = line.leg_m[at] + (line.leg_m[to] if to != at else 0)
                spent = line.leg_s[at] + (line.leg_s[to] if to != at else 0)
                after = max(arrive, min((w.opens_s for w in p.windows), default=0)) + p.service_s + away[1]
                after -= self.by[at] if to != at else max((w.closes_s for w in d.windows), default=-FOREVER)
                yield Slot(
                    line.vehicle,
                    lambda at=at, to=to: (
                        *line.stops[:at],
                        first,
                        *line.stops[at:to],
                        last,
                        *line.stops[to:],
                    ),  # type: ignore[misc]
                    there[0] + away[0] + near[0] + back[0] - gone,
                    there[1] + away[1] + near[1] + back[1] - spent + p.service_s + d.service_s,
                    max(0, own, after),
                    None,
                    self._after(at),
                )


def _first_trip(stops: Sequence[Stop], at: int) -> bool:
    return not any(s.kind == "reload" for s in stops[:at])


def _sorted(job: Job) -> list[Window]:
    return sorted(job.windows, key=lambda w: w.opens_s)
