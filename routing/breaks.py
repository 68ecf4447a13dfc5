"""Plans whose drivers rest: sequences are made without breaks, timed with them, and made again with less day where too long.

PyVRP knows no breaks (one faked as a stop without distance teleports the van). Where all drivers rest alike, the rest is cut
out of the day: what comes after it comes that much earlier, and a plan of the shorter day becomes one of the whole day when
each van stands still at that time. `schedule` then puts the breaks of each finished sequence exactly where they cost least.
A vehicle that they still make late gets a shorter shift, and the plan is made again from there; what does not fit after the
last round is taken out and put in elsewhere by `repair`, which counts breaks exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from routing.problem import Break, Job, Problem, Vehicle, Window
from routing.repair import Misfit, Sequences, timed
from routing.schedule import Known

Search = Callable[[Problem, float, Sequences | None], Sequences]
"""(problem, deadline, where to start) -> sequences."""

SHARES = (0.6, 0.2, 0.2)
"""Of the time: the first plan, and up to two more with shorter shifts."""


def without_breaks(problem: Problem) -> Problem:
    return replace(problem, vehicles=tuple(replace(v, breaks=()) for v in problem.vehicles))


def plan_with_breaks(known: Known, search: Search, deadline: float, start: Sequences | None) -> Sequences:
    """Sequences that leave room for the breaks as far as a shorter day brings that about."""
    base = cut_out(known.problem)
    shorter: dict[str, int] = {}
    began = time.monotonic()
    span = deadline - began
    found, until = start, began
    for share in SHARES:
        until += share * span
        found = search(_with_shorter_shifts(base, shorter), until, found)
        late = {
            v.id: less for v in known.problem.vehicles if v.breaks and (less := _too_long_s(known, v, found))
        }
        if not late or time.monotonic() >= deadline:
            break
        for id_, less in late.items():
            shorter[id_] = shorter.get(id_, 0) + less
    return found or {}


def cut_out(problem: Problem) -> Problem:
    """Without breaks: their time is taken out of the day where all vehicles have the same, else they are left out only."""
    kinds = {v.breaks for v in problem.vehicles}
    if len(kinds) != 1:
        return without_breaks(problem)
    rests = sorted(next(iter(kinds)), key=lambda b: b.window.opens_s)

    def at(t: int) -> int:
        return t - sum(min(max(0, t - _begin(b)), b.duration_s) for b in rests)

    def window(w: Window) -> Window:
        return Window(at(w.opens_s), at(w.closes_s))

    def job(j: Job) -> Job:
        return replace(j, windows=tuple(window(w) for w in j.windows), release_s=at(j.release_s))

    def vehicle(v: Vehicle) -> Vehicle:
        shift = window(v.shift)
        rest_s = v.shift.closes_s - v.shift.opens_s - (shift.closes_s - shift.opens_s)
        longest = None if v.max_duration_s is None else max(0, v.max_duration_s - rest_s)
        return replace(v, breaks=(), shift=shift, max_duration_s=longest)

    return replace(
        problem,
        vehicles=tuple(vehicle(v) for v in problem.vehicles),
        jobs=tuple(job(j) for j in problem.jobs),
        shipments=tuple(
            replace(s, pickup=job(s.pickup), delivery=job(s.delivery)) for s in problem.shipments
        ),
    )


def _begin(rest: Break) -> int:
    """In the middle of its window: who is serving a customer then rests right after."""
    return (rest.window.opens_s + rest.window.closes_s) // 2


def _too_long_s(known: Known, vehicle: Vehicle, sequences: Sequences) -> int:
    """By how much the shift should be shorter; 0 where the breaks fit."""
    stops = sequences.get(vehicle.id)
    tried = timed(known, vehicle, stops) if stops else None
    if not isinstance(tried, Misfit):
        return 0
    rest_s = sum(b.duration_s for b in vehicle.breaks)
    if tried.times is None or tried.times.missed_breaks:
        return rest_s
    late = sum(tried.times.late_s.values()) + tried.times.overtime_s + tried.times.over_duration_s
    return min(rest_s, max(300, late))


def _with_shorter_shifts(problem: Problem, shorter: dict[str, int]) -> Problem:
    def changed(v: Vehicle) -> Vehicle:
        less = shorter.get(v.id, 0)
        limit = None if v.max_duration_s is None else max(0, v.max_duration_s - less)
        closes = max(v.shift.opens_s, v.shift.closes_s - less)
        return replace(v, shift=Window(v.shift.opens_s, closes), max_duration_s=limit)

    return replace(problem, vehicles=tuple(changed(v) for v in problem.vehicles))
