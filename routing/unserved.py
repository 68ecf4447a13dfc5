"""Why a job is not served: one reason of `UnservedReason`, and a sentence with figures that says what would make it fit.

`impossible` finds before any planning what no plan can serve: each job alone, with every vehicle that may serve it, empty.
`left_out` says of a finished plan why the rest of it did not get in: every slot of every vehicle is looked at, and the
nearest one is named. To add a reason: a word in `UnservedReason`, and its test here, in the order in which they exclude.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from routing.problem import NO_ROAD, Job, Matrix, Route, Unserved, Vehicle
from routing.repair import (
    Board,
    Misfit,
    Slot,
    Stops,
    allowed,
    amount,
    jobs_of,
    may_serve,
    overload,
    prize_of,
    timed,
)
from routing.schedule import Known, Stop

ENOUGH = 200
"""So many slots are tried exactly for a reason; the nearest first."""


def impossible(known: Known) -> list[Unserved]:
    """What no vehicle could serve even if it had nothing else to do."""
    kinds = _kinds(known.problem.vehicles, known)
    ways = _Ways(known)
    ids = [*known.jobs, *known.shipments]
    return [found for id_ in ids if (found := _alone(known, ways, kinds, id_)) is not None]


def _alone(known: Known, ways: _Ways, kinds: Sequence[Vehicle], id_: str) -> Unserved | None:
    may = [v for v in kinds if may_serve(known, v, id_)]
    if not may:
        return Unserved(id_, "no_vehicle_allowed", _nobody(known, kinds, id_))
    if not all(job.windows for job in jobs_of(known, id_)):
        return Unserved(id_, "window_too_short", "it is never open. It fits once it has a window.")
    over = [(_too_much(known, v, id_), v) for v in may]
    carrying = [v for much, v in over if much is None]
    if not carrying:
        (units, dimension), nearest = min(
            ((much, v) for much, v in over if much is not None), key=lambda f: f[0][0]
        )
        has = nearest.capacity[dimension]
        return Unserved(
            id_,
            "too_heavy",
            f"needs {has + units}{_of(nearest, dimension)}; {nearest.id}, the largest that may serve it, carries {has}. "
            f"It fits with {units} less, or in parts.",
        )
    reaching = [v for v in carrying if ways.reach(v, id_)]
    if not reaching:
        return Unserved(
            id_,
            "no_road",
            f"no road leads there and back for {_names(carrying)}. It fits once its place is put on a road.",
        )
    misfits: list[tuple[Vehicle, Misfit]] = []
    for v in reaching:
        tried = timed(known, v, _stops(known, id_))
        if isinstance(tried, Route) or ways.may_be_in_time(v, id_):
            return None
        misfits.append((v, tried))
    return Unserved(id_, "window_too_short", _too_late(known, misfits))


def left_out(board: Board, id_: str) -> Unserved:
    """Why what could be served alone is not in this plan."""
    known, prize = board.known, prize_of(board.known, id_)
    slots = list(board.slots(id_))
    in_time = sorted((s for s in slots if not s.late_s), key=lambda s: (s.over or (0, 0))[1])
    cheapest: Fraction | None = None
    full: Unserved | None = None
    for slot in in_time[:ENOUGH]:
        stops = slot.stops()
        tried = timed(known, slot.vehicle, stops)
        if isinstance(tried, Route):
            cost = board.more(slot.vehicle, tried)
            cheapest = cost if cheapest is None else min(cheapest, cost)
        elif full is None:
            full = _full(known, slot, tried, stops, id_)
    if cheapest is not None and prize is not None:
        return Unserved(
            id_,
            "not_worth_it",
            f"serving it costs {_cost(known, cheapest)} more, leaving it out {_own(known, prize)}. "
            f"It is served from a prize of {_cost(known, cheapest)} on.",
        )
    return full or Unserved(id_, "no_time_left", _no_time(board, slots))


def _full(known: Known, slot: Slot, tried: Misfit, stops: Stops, id_: str) -> Unserved | None:
    """Whether nothing but room is missing in this slot."""
    where = f"{slot.vehicle.id} has {{}} for it{_place(slot.after)}"
    if tried.rule == "too_many_stops":
        return Unserved(
            id_,
            "no_capacity_left",
            f"{where.format('room and time')}, and may make {slot.vehicle.max_stops} stops: it fits with {tried.by} more.",
        )
    if tried.rule != "over_capacity" or isinstance(
        timed(known, replace(slot.vehicle, capacity=()), stops), Misfit
    ):
        return None
    dimension, units = overload(known, slot.vehicle, stops) or (0, 0)
    return Unserved(
        id_,
        "no_capacity_left",
        f"{where.format('time')}, and is full: it fits with {units} less{_of(slot.vehicle, dimension)}, "
        f"or once {units} are taken off that vehicle.",
    )


def _no_time(board: Board, slots: Sequence[Slot]) -> str:
    """The slot with the least lateness, in exact time."""
    nearest: tuple[int, str] | None = None
    ranked = sorted(slots, key=lambda s: (s.over is not None, s.late_s))
    for slot in ranked[:ENOUGH]:
        if nearest is not None and slot.late_s >= nearest[0]:
            break
        tried = timed(board.known, replace(slot.vehicle, capacity=()), slot.stops())
        times = tried.times if isinstance(tried, Misfit) else None
        if times is None or times.no_road:
            continue
        late = [f"{_time(board.known, s)} late at {visit}" for visit, s in times.late_s.items()]
        late += [f"{_time(board.known, times.overtime_s)} of overtime"] if times.overtime_s else []
        late += (
            [f"{_time(board.known, times.over_duration_s)} under way too long"]
            if times.over_duration_s
            else []
        )
        late += [f"{_way(board.known, times.over_distance_m)} too far"] if times.over_distance_m else []
        late += ["no time for the driver's break"] if times.missed_breaks else []
        total = sum(times.late_s.values()) + times.overtime_s + times.over_duration_s
        total += 3600 * len(times.missed_breaks) + times.over_distance_m
        if nearest is None or total < nearest[0]:
            nearest = total, f"{slot.vehicle.id}{_place(slot.after)} would be {', '.join(late)}"
    if nearest is None:
        return "every vehicle that may serve it has a full day. It fits with one vehicle or one trip more."
    return f"nearest is a place where {nearest[1]}. It fits with that much more time there, or with one vehicle more."


# --- each alone ---------------------------------------------------------------------------------------------


class _Ways:
    """Which places can be reached at all, and in how little time, also by way of others. Computed once a start and end."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._least: dict[tuple[int, int, bool], np.ndarray[tuple[int], np.dtype[np.float64]]] = {}

    def _from(self, profile: int, place: int, *, back: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        key = (profile, place, back)
        if key not in self._least:
            self._least[key] = _least_s(self._known.problem.matrices[profile], place, back=back)
        return self._least[key]

    def _legs(self, v: Vehicle, id_: str) -> list[float]:
        jobs = jobs_of(self._known, id_)
        legs = [float(self._from(v.profile, v.start, back=False)[jobs[0].location])]
        if len(jobs) == 2:
            legs.append(float(self._from(v.profile, jobs[0].location, back=False)[jobs[1].location]))
        if v.end is not None:
            legs.append(float(self._from(v.profile, v.end, back=True)[jobs[-1].location]))
        return legs

    def reach(self, v: Vehicle, id_: str) -> bool:
        jobs = jobs_of(self._known, id_)
        here = v.start
        for place in (*(j.location for j in jobs), *(() if v.end is None else (v.end,))):
            matrix = self._known.problem.matrices[v.profile]
            if NO_ROAD in (matrix.distance_m[here, place], matrix.duration_s[here, place]):
                return all(np.isfinite(self._legs(v, id_)))
            here = place
        return True

    def may_be_in_time(self, v: Vehicle, id_: str) -> bool:
        """Where a way by others is faster than the direct one, being late alone proves nothing."""
        jobs = jobs_of(self._known, id_)
        direct: list[int] = []
        here = v.start
        for place in (*(j.location for j in jobs), *(() if v.end is None else (v.end,))):
            matrix = self._known.problem.matrices[v.profile]
            road = matrix.distance_m[here, place] != NO_ROAD
            direct.append(int(matrix.duration_s[here, place]) if road else NO_ROAD)
            here = place
        least = self._legs(v, id_)
        return any(d == NO_ROAD or s < d for s, d in zip(least, direct, strict=True)) and self._in_time(
            v, jobs, least
        )

    @staticmethod
    def _in_time(v: Vehicle, jobs: Sequence[Job], legs: Sequence[float]) -> bool:
        now: float = max(v.shift.opens_s, *(j.release_s for j in jobs))
        for job, leg in zip(jobs, legs, strict=False):
            begins = [
                max(now + leg, w.opens_s) for w in job.windows if max(now + leg, w.opens_s) <= w.closes_s
            ]
            if not begins:
                return False
            now = min(begins) + job.service_s
        return now + (legs[-1] if v.end is not None else 0) <= v.shift.closes_s


def _least_s(matrix: Matrix, place: int, *, back: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Dijkstra over the matrix; infinite where no way leads. O(n^2)."""
    road = (matrix.distance_m != NO_ROAD) & (matrix.duration_s != NO_ROAD)
    way = np.where(road, matrix.duration_s, np.inf)
    way = way.T if back else way
    least = np.full(len(way), np.inf)
    least[place] = 0
    open_ = np.ones(len(way), bool)
    while open_.any():
        at = int(np.argmin(np.where(open_, least, np.inf)))
        if not np.isfinite(least[at]) or not open_[at]:
            break
        open_[at] = False
        least = np.minimum(least, least[at] + way[at])
    return least


def _kinds(vehicles: Iterable[Vehicle], known: Known) -> list[Vehicle]:
    """One of each: vehicles that differ in their name only, where no job names them."""
    jobs = [*known.jobs.values(), *(j for s in known.shipments.values() for j in (s.pickup, s.delivery))]
    named = {id_ for job in jobs for id_ in job.vehicles or ()}
    kinds: dict[Vehicle, Vehicle] = {}
    for v in vehicles:
        if v.shift.closes_s >= max(0, v.shift.opens_s) and (v.max_stops is None or v.max_stops > 0):
            kinds.setdefault(v if v.id in named else replace(v, id=""), v)
    return list(kinds.values())


def _stops(known: Known, id_: str) -> Stops:
    return (Stop("job", id_),) if id_ in known.jobs else (Stop("pickup", id_), Stop("delivery", id_))


def _too_much(known: Known, v: Vehicle, id_: str) -> tuple[int, int] | None:
    """(units too many, dimension) where it does not fit into the empty vehicle."""
    if id_ in known.jobs:
        job = known.jobs[id_]
        needs = [max(amount(job.delivery, d), amount(job.pickup, d)) for d in range(len(v.capacity))]
    else:
        needs = [amount(known.shipments[id_].load, d) for d in range(len(v.capacity))]
    over = [(n - c, d) for d, (n, c) in enumerate(zip(needs, v.capacity, strict=True)) if n > c]
    return max(over, default=None)


# --- sentences ----------------------------------------------------------------------------------------------


def _nobody(known: Known, kinds: Sequence[Vehicle], id_: str) -> str:
    jobs = jobs_of(known, id_)
    if not known.problem.vehicles:
        return "there is no vehicle. It fits once there is one."
    named = [j.vehicles for j in jobs if j.vehicles is not None]
    if named:
        only = frozenset.intersection(*named)
        there = sorted(v.id for v in known.problem.vehicles if v.id in only)
        if not there:
            names = ", ".join(sorted(only)) or "no vehicle"
            return f"only {names} may serve it, which is not among the {len(known.problem.vehicles)} vehicles of this plan."
        if not any(allowed(v, replace(j, skills=frozenset())) for v in kinds for j in jobs):
            return f"only {', '.join(there)} may serve it, which has no shift."
    skills = frozenset[str]().union(*(j.skills for j in jobs))
    if not skills:
        return "no vehicle has a shift. It fits once there is one."
    lacking = [(sorted(skills - v.skills), v.id) for v in kinds]
    if not lacking:
        return "no vehicle has a shift. It fits once there is one."
    least, nearest = min(lacking, key=lambda f: len(f[0]))
    return f"needs {', '.join(sorted(skills))}; {nearest} comes nearest and lacks {', '.join(least) or 'nothing but the right to'}."


def _too_late(known: Known, misfits: Sequence[tuple[Vehicle, Misfit]]) -> str:
    said: list[tuple[int, str]] = []
    for v, misfit in misfits:
        times = misfit.times
        if times is None:
            said.append((10**9, f"{v.id} may not do it ({misfit.rule.replace('_', ' ')})"))
            continue
        late = max(times.late_s.values(), default=0)
        wrong: list[tuple[str, str]] = []
        if late:
            wrong.append(
                (
                    f"is there {_time(known, late)} after its window closes",
                    f"a window that closes {_time(known, late)} later",
                )
            )
        if times.overtime_s:
            over = _time(known, times.overtime_s)
            wrong.append((f"is back {over} after the end of its shift", f"a {over} longer shift"))
        if times.over_duration_s:
            over = _time(known, times.over_duration_s)
            wrong.append((f"is under way {over} longer than it may", f"{over} more under way"))
        if times.over_distance_m:
            wrong.append(
                (
                    f"drives {_way(known, times.over_distance_m)} more than it may",
                    f"{_way(known, times.over_distance_m)} more",
                )
            )
        if times.missed_breaks:
            wrong.append(("finds no time for its driver's break", "another time for that break"))
        short = late + times.overtime_s + times.over_duration_s
        what, cure = " and ".join(w for w, _ in wrong), " and ".join(c for _, c in wrong)
        said.append((short, f"even with nothing else to do {v.id} {what}. It fits with {cure}."))
    return min(said)[1] if said else "no window is open."


def _of(vehicle: Vehicle, dimension: int) -> str:
    return f" (load {dimension + 1} of {len(vehicle.capacity)})" if len(vehicle.capacity) > 1 else ""


def _place(after: str | None) -> str:
    return f" after {after}" if after is not None else " as its first stop"


def _own(known: Known, value: int) -> str:
    return f"{value / (known.problem.unit or 1):.15g}"


def _time(known: Known, seconds: int) -> str:
    if known.problem.unit is not None:
        return _own(known, seconds)
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"


def _way(known: Known, metres: int) -> str:
    return f"{metres} m" if known.problem.unit is None else _own(known, metres)


def _names(vehicles: Sequence[Vehicle]) -> str:
    return ", ".join(v.id for v in vehicles[:3]) + (" and others" if len(vehicles) > 3 else "")


def _cost(known: Known, cost: Fraction) -> str:
    return _own(known, max(0, -(-cost.numerator // cost.denominator)))
