"""Plans whose drivers rest: sequences are made without breaks, timed with them, and made again with less day where too long.

PyVRP knows no breaks (one faked as a stop without distance teleports the van). `schedule` puts the breaks of a finished
sequence exactly where they cost least; a vehicle whose breaks then make it late gets a shift that is shorter by its breaks,
and the plan is made again from there. What still does not fit after the last round is taken out and put in elsewhere by
`repair`, which counts breaks exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from routing.problem import Problem, Vehicle, Window
from routing.repair import Misfit, Sequences, timed
from routing.schedule import Known

Search = Callable[[Problem, float, Sequences | None], Sequences]
"""(problem, deadline, where to start) -> sequences."""

SHARES = (0.5, 0.25, 0.25)
"""Of the time: the first plan, and up to two more with shorter shifts."""


def without_breaks(problem: Problem) -> Problem:
    return replace(problem, vehicles=tuple(replace(v, breaks=()) for v in problem.vehicles))


def plan_with_breaks(known: Known, search: Search, deadline: float, start: Sequences | None) -> Sequences:
    """Sequences that leave room for the breaks as far as shorter shifts bring that about."""
    shorter: dict[str, int] = {}
    began = time.monotonic()
    span = deadline - began
    found, until = start, began
    for share in SHARES:
        until += share * span
        found = search(_with_shorter_shifts(known.problem, shorter), until, found)
        late = [v for v in known.problem.vehicles if v.breaks and not _fits(known, v, found)]
        if not late or time.monotonic() >= deadline:
            break
        for v in late:
            shorter[v.id] = shorter.get(v.id, 0) + _rest_s(v)
    return found or {}


def _fits(known: Known, vehicle: Vehicle, sequences: Sequences) -> bool:
    stops = sequences.get(vehicle.id)
    return not stops or not isinstance(timed(known, vehicle, stops), Misfit)


def _rest_s(vehicle: Vehicle) -> int:
    return sum(b.duration_s for b in vehicle.breaks)


def _with_shorter_shifts(problem: Problem, shorter: dict[str, int]) -> Problem:
    def changed(v: Vehicle) -> Vehicle:
        less = shorter.get(v.id, 0)
        limit = None if v.max_duration_s is None else max(0, v.max_duration_s - less)
        closes = max(v.shift.opens_s, v.shift.closes_s - less)
        return replace(v, breaks=(), shift=Window(v.shift.opens_s, closes), max_duration_s=limit)

    return replace(problem, vehicles=tuple(changed(v) for v in problem.vehicles))
