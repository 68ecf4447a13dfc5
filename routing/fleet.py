"""Fewest vehicles first: where each vehicle costs more than all the driving, one vehicle after another is taken away.

A high fixed cost alone leads a search nowhere: no single move empties a route. So for half of the time the question is only
whether one vehicle less still serves everything, as often as the answer is yes; then the driving of that fleet is made short.
Holds for a fleet of one kind; of several kinds the cheapest mix is a matter of cost, which the search weighs by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from routing.engine_pyvrp import Model, search
from routing.problem import Problem
from routing.repair import Sequences, Stops, amount


def matters(problem: Problem) -> bool:
    """Whether a vehicle of this fleet costs more than any plan drives, and nothing may be left out."""
    fleet = {replace(v, id="") for v in problem.vehicles}
    optional = [j for j in problem.jobs if j.prize is not None]
    optional += [s.pickup for s in problem.shipments if s.pickup.prize is not None]
    bound = any(j.vehicles is not None for j in problem.jobs) or any(
        s.pickup.vehicles is not None or s.delivery.vehicles is not None for s in problem.shipments
    )
    if len(fleet) != 1 or optional or bound:
        return False
    (one,) = fleet
    farthest = problem.matrices[one.profile].distance_m.max(axis=1, initial=0).sum()
    return one.cost_per_h == 0 and one.fixed_cost > one.cost_per_km * int(farthest) / 1000


def plan_with_fewest(
    problem: Problem,
    *,
    deadline: float,
    seed: int,
    start: Mapping[str, Stops] | None,
    on_cost: Callable[[float], None] | None,
) -> Sequences | None:
    """None where no plan that serves everything was found."""
    began = time.monotonic()
    extra = problem.vehicles[0].fixed_cost
    cheap = replace(problem, vehicles=tuple(replace(v, fixed_cost=0) for v in problem.vehicles))
    found = search(
        Model(cheap, strict=True),
        deadline=began + 0.1 * (deadline - began), seed=seed, start=start,
        give_up_at=began + 0.25 * (deadline - began),
    )  # fmt: skip
    if found.cost is None:
        return None
    best, least = found.sequences, _least(problem)
    while len(best) > least and (now := time.monotonic()) < began + 0.5 * (deadline - began):
        fewer = _renamed(best, problem)
        fewer = dict(sorted(fewer.items(), key=lambda kv: -len(kv[1]))[:-1])
        fleet = tuple(v for v in cheap.vehicles if v.id in fewer)
        model = Model(replace(cheap, vehicles=fleet), strict=True)
        until = max(began + 0.5 * (deadline - began), now)
        tried = search(model, deadline=until, seed=seed + len(best), start=fewer, first_feasible=True)
        if tried.cost is None:
            break
        best = tried.sequences
        if on_cost is not None:
            on_cost(extra * len(best))
    fleet = tuple(v for v in cheap.vehicles if v.id in best)
    report = None if on_cost is None else (lambda cost: on_cost(cost + extra * len(best)))
    last = search(
        Model(replace(cheap, vehicles=fleet), strict=True), deadline=deadline, seed=seed, start=best, on_cost=report
    )  # fmt: skip
    return best if last.cost is None else last.sequences


def _renamed(sequences: Sequences, problem: Problem) -> Sequences:
    names = [v.id for v in problem.vehicles]
    return dict(zip(names, sequences.values(), strict=False))


def _least(problem: Problem) -> int:
    """No fewer vehicles can carry the loads."""
    one = problem.vehicles[0]
    trips = max(1, one.max_trips) if one.reload_at else 1
    least = 1
    for d, capacity in enumerate(one.capacity):
        brought = sum(amount(j.delivery, d) for j in problem.jobs)
        taken = sum(amount(j.pickup, d) for j in problem.jobs)
        least = max(least, -(-max(brought, taken) // max(1, capacity * trips)))
    return least
