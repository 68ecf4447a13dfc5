"""`solve(problem, limit_s=...)`: the best plan found in that time, feasible always, with a reason for all that is left out.

Reads like its contents: what nobody can serve is set aside with its reason; an engine makes sequences; breaks are put in;
what does not fit exactly is taken out, and what was left out is put in where it fits; every route is timed; the rest is
explained. Which engine is decided in `engine_for`, nowhere else. To add a rule: its field in `problem`, its constraint in
the engines' models, its line in `repair` or `schedule`, and independently its check in `check`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import inf
from typing import Literal

import numpy as np

from routing.breaks import plan_with_breaks, without_breaks
from routing.problem import Plan, Problem, Route, Unserved
from routing.repair import Board, Sequences, amount, cost_of, prize_of, take_out, timed, trips, visited
from routing.schedule import Known, stops_of
from routing.unserved import impossible, left_out

Engine = Literal["pyvrp", "ortools"]

LARGEST_WAY, LARGEST = 10**12, 10**16
"""Sums of more would not fit the engines' 64 bits."""


@dataclass(frozen=True)
class Progress:
    elapsed_s: float
    cost: float
    """Of the best plan so far, before breaks and exact times; what is left out is in it at a high price."""


OnProgress = Callable[[Progress], None]


class BadProblem(ValueError):
    """The problem contradicts itself: an id twice, a place outside the matrices. The text says what to mend."""


def solve(
    problem: Problem,
    *,
    limit_s: float,
    seed: int = 0,
    start: Plan | None = None,
    on_progress: OnProgress | None = None,
) -> Plan:
    """The best plan found within about `limit_s` seconds, on two threads; sooner where nothing is gained any more.

    `start`: an earlier plan to begin from, also of a problem that has changed since. `on_progress` is called from the search's
    threads. Raises `BadProblem`; what cannot be served never fails, it is in `unserved`."""
    began = time.monotonic()
    complain(problem)
    known = Known(problem)
    hopeless = impossible(known)
    possible = _without(problem, {u.id for u in hopeless})
    deadline = began + max(0.0, limit_s - min(0.5, 0.05 * limit_s))
    search = partial(_search, seed=seed, on_cost=_reporter(began, on_progress))
    first = _sequences(possible, start) if start is not None else None
    if any(v.breaks for v in problem.vehicles):
        found = plan_with_breaks(Known(possible), search, deadline, first)
    else:
        found = search(possible, deadline, first)
    last = max(began + limit_s, time.monotonic() + 0.2 + 0.05 * limit_s)
    board = _fitted(Known(possible), found, last)
    if first is not None:
        board = min(board, _fitted(Known(possible), first, last), key=_rank)
    return _plan(known, board, hopeless)


# --- which engine --------------------------------------------------------------------------------------------


def engine_for(problem: Problem) -> tuple[Engine, str]:
    """PyVRP wherever it can state the problem; and why not, where it cannot.

    Not the engines' but settled exactly afterwards: breaks (`breaks`), and stops limited over several trips (`repair`)."""
    for s in problem.shipments:
        if len(s.pickup.windows) > 1 or len(s.delivery.windows) > 1:
            return "ortools", "a shipment has several windows"
        if max(s.pickup.release_s, s.delivery.release_s) > 0:
            return "ortools", "a shipment has a release time"
    limited = [v for v in problem.vehicles if v.max_stops is not None]
    if limited and problem.shipments:
        return "ortools", "stops are limited, and shipments count twice"
    return "pyvrp", ""


def _search(
    problem: Problem,
    deadline: float,
    start: Sequences | None,
    *,
    seed: int,
    on_cost: Callable[[float], None] | None,
) -> Sequences:
    if not problem.jobs and not problem.shipments:
        return {}
    engine, _ = engine_for(problem)
    if (
        engine == "ortools"
    ):  # either engine is a large library: who only imports `routing` does not pay for it
        from routing import engine_ortools

        return engine_ortools.search(without_breaks(problem), deadline=deadline, start=start, on_cost=on_cost)
    return _by_pyvrp(problem, deadline, start, seed, on_cost)


def _by_pyvrp(
    problem: Problem,
    deadline: float,
    start: Sequences | None,
    seed: int,
    on_cost: Callable[[float], None] | None,
) -> Sequences:
    """All that is required first; where that is found to be too much, as much of it as goes."""
    from routing import engine_pyvrp, fleet

    now = time.monotonic()
    if not _surely_too_much(problem):
        if fleet.matters(problem):
            fewest = fleet.plan_with_fewest(
                problem, deadline=deadline, seed=seed, start=start, on_cost=on_cost
            )
            if fewest is not None:
                return fewest
        model = engine_pyvrp.Model(problem, strict=True)
        give_up_at = now + 0.25 * (deadline - now)
        found = engine_pyvrp.search(
            model, deadline=deadline, seed=seed, start=start, give_up_at=give_up_at, on_cost=on_cost
        )
        if found.cost is not None:
            return found.sequences
        start = found.sequences
    board = _fitted(Known(problem), start or {}, time.monotonic())
    model = engine_pyvrp.Model(problem, strict=False)
    return engine_pyvrp.search(
        model, deadline=deadline, seed=seed, start=board.sequences or None, on_cost=on_cost
    ).sequences


def _surely_too_much(problem: Problem) -> bool:
    """More to bring, or to take along, than all vehicles together can carry on all their trips."""
    required = [j for j in problem.jobs if j.prize is None]
    for d in range(max((len(v.capacity) for v in problem.vehicles), default=0)):
        if any(len(v.capacity) <= d for v in problem.vehicles):
            continue
        room = sum(v.capacity[d] * (max(1, v.max_trips) if v.reload_at else 1) for v in problem.vehicles)
        if room < max(
            sum(amount(j.delivery, d) for j in required), sum(amount(j.pickup, d) for j in required)
        ):
            return True
    return not problem.vehicles


# --- from sequences to a plan ---------------------------------------------------------------------------------


def _fitted(known: Known, sequences: Sequences, deadline: float) -> Board:
    """Every sequence driveable, and all put in that was left out and fits somewhere."""
    kept: Sequences = {}
    for vehicle in known.problem.vehicles:
        if sequences.get(vehicle.id):
            stops, _, _ = take_out(known, vehicle, sequences[vehicle.id])
            if stops:
                kept[vehicle.id] = stops
    board = Board(known, kept)
    served = visited(kept)
    missing = [id_ for id_ in (*known.jobs, *known.shipments) if id_ not in served]
    required_first = sorted(missing, key=lambda id_: -_want(known, id_))
    while required_first:
        refused = []
        for id_ in required_first:
            if time.monotonic() > deadline and not (
                known.problem.vehicles and _want(known, id_) == inf and board.idle
            ):
                return board
            if not board.put_in(id_, deadline):
                refused.append(id_)
        if len(refused) == len(required_first):
            break
        required_first = refused  # what came in since may lead there, or home from there
    return board


def _want(known: Known, id_: str) -> float:
    prize = prize_of(known, id_)
    return inf if prize is None else float(prize)


def _rank(board: Board) -> tuple[int, Fraction]:
    """Fewest required left out, then cheapest."""
    known, served = board.known, visited(board.sequences)
    missing = [id_ for id_ in (*known.jobs, *known.shipments) if id_ not in served]
    prizes = [prize_of(known, id_) for id_ in missing]
    cost = sum((cost_of(known.vehicles[r.vehicle], r) for r in _routes(board)), Fraction(0))
    return sum(p is None for p in prizes), cost + sum(p or 0 for p in prizes)


def _routes(board: Board) -> list[Route]:
    routes = []
    for vehicle in board.known.problem.vehicles:
        stops = board.sequences.get(vehicle.id)
        if stops:
            route = timed(board.known, vehicle, stops)
            assert isinstance(route, Route), f"{vehicle.id} cannot drive what was planned: {route}"
            routes.append(route)
    return routes


def _plan(known: Known, board: Board, hopeless: list[Unserved]) -> Plan:
    served = visited(board.sequences)
    set_aside = {u.id for u in hopeless}
    missing = [i for i in (*known.jobs, *known.shipments) if i not in served and i not in set_aside]
    unserved = [*hopeless, *(left_out(board, id_) for id_ in missing)]
    routes = _routes(board)
    cost = sum((cost_of(known.vehicles[r.vehicle], r) for r in routes), Fraction(0))
    cost += sum(prize_of(known, u.id) or 0 for u in unserved)
    return Plan(tuple(routes), tuple(unserved), round(cost))


def _sequences(problem: Problem, plan: Plan) -> Sequences:
    """What an earlier plan says of jobs and vehicles that are still there."""
    jobs, shipments = {j.id for j in problem.jobs}, {s.id for s in problem.shipments}
    vehicles = {v.id for v in problem.vehicles}
    taken: set[tuple[str, str]] = set()
    found: Sequences = {}
    for route in plan.routes:
        if route.vehicle not in vehicles or route.vehicle in found:
            continue
        stops = []
        for stop in stops_of(route.visits):
            ids = jobs if stop.kind == "job" else shipments
            if stop.kind != "reload" and (stop.id not in ids or (stop.kind, stop.id) in taken):
                continue
            if stop.kind != "reload":
                taken.add((stop.kind, stop.id))
            stops.append(stop)
        both = {
            s.id
            for trip in trips(stops)
            for at, s in enumerate(trip)
            if s.kind == "delivery" and any(t.kind == "pickup" and t.id == s.id for t in trip[:at])
        }  # on one trip, taken before they are brought
        whole = tuple(s for s in stops if s.kind in ("job", "reload") or s.id in both)
        if any(s.kind != "reload" for s in whole):
            found[route.vehicle] = whole
    return found


def _without(problem: Problem, ids: set[str]) -> Problem:
    return replace(
        problem,
        jobs=tuple(j for j in problem.jobs if j.id not in ids),
        shipments=tuple(s for s in problem.shipments if s.id not in ids),
    )


def _reporter(began: float, on_progress: OnProgress | None) -> Callable[[float], None] | None:
    if on_progress is None:
        return None
    return lambda cost: on_progress(Progress(time.monotonic() - began, cost))


def complain(problem: Problem) -> None:
    """BadProblem where the problem contradicts itself; all of it is looked at before anything is planned."""
    if not problem.matrices:
        raise BadProblem("there is no matrix")
    places = len(problem.matrices[0].distance_m)
    for n, m in enumerate(problem.matrices):
        if m.distance_m.shape != (places, places) or m.duration_s.shape != (places, places):
            raise BadProblem(f"matrix {n} is not {places} by {places} like the first one")
        if np.diagonal(m.distance_m).any() or np.diagonal(m.duration_s).any():
            raise BadProblem(f"matrix {n} says that the way from a place to itself is not 0")
        if min(m.distance_m.min(initial=0), m.duration_s.min(initial=0)) < -1:
            raise BadProblem(f"matrix {n} has a negative way")
        if max(m.distance_m.max(initial=0), m.duration_s.max(initial=0)) > LARGEST_WAY:
            raise BadProblem(f"matrix {n} has a way that is too large: {LARGEST_WAY} is the most")
    for kind, ids in (("vehicle", [v.id for v in problem.vehicles]), ("job", [j.id for j in problem.jobs]),
                      ("shipment", [s.id for s in problem.shipments])):  # fmt: skip
        twice = sorted({id_ for id_ in ids if ids.count(id_) > 1}) if len(set(ids)) < len(ids) else []
        if twice:
            raise BadProblem(f"there are two {kind}s called {twice[0]}")
    both = {j.id for j in problem.jobs} & {s.id for s in problem.shipments}
    if both:
        raise BadProblem(f"{min(both)} is a job and a shipment")
    for v in problem.vehicles:
        if not 0 <= v.profile < len(problem.matrices):
            raise BadProblem(
                f"vehicle {v.id} has profile {v.profile}, and there are {len(problem.matrices)} matrices"
            )
        for place in (v.start, *(() if v.end is None else (v.end,)), *v.reload_at):
            if not 0 <= place < places:
                raise BadProblem(f"vehicle {v.id} is at place {place}, and there are {places}")
        if min(v.fixed_cost, v.cost_per_km, v.cost_per_h, v.reload_s) < 0:
            raise BadProblem(f"vehicle {v.id} has a negative cost or loading time")
        if any(b.duration_s < 0 for b in v.breaks):
            raise BadProblem(f"vehicle {v.id} has a break that takes less than no time")
        _not_too_large(
            f"vehicle {v.id}", v.fixed_cost, v.cost_per_km, v.cost_per_h, v.reload_s, *v.capacity, v.shift.opens_s,
            v.shift.closes_s, *(t for b in v.breaks for t in (b.window.opens_s, b.window.closes_s, b.duration_s)),
        )  # fmt: skip
    for j in (*problem.jobs, *(j for s in problem.shipments for j in (s.pickup, s.delivery))):
        if not 0 <= j.location < places:
            raise BadProblem(f"job {j.id} is at place {j.location}, and there are {places}")
        if min((*j.delivery, *j.pickup, j.service_s, j.prize or 0), default=0) < 0:
            raise BadProblem(f"job {j.id} has a negative load, service time or prize")
        times = (t for w in j.windows for t in (w.opens_s, w.closes_s))
        _not_too_large(f"job {j.id}", *j.delivery, *j.pickup, j.service_s, j.release_s, j.prize or 0, *times)
    for s in problem.shipments:
        if min(s.load, default=0) < 0:
            raise BadProblem(f"shipment {s.id} has a negative load")
        _not_too_large(f"shipment {s.id}", *s.load)


def _not_too_large(who: str, *values: int) -> None:
    over = [v for v in values if abs(v) > LARGEST]
    if over:
        raise BadProblem(f"{who} has a number that is too large ({over[0]}): {LARGEST} is the most")
