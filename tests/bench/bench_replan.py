"""`replan_s`: a day of 300 stops at noon. Half of them are done or on the way and frozen; a third of the rest is aboard its van;
ten orders have come in. Each van goes on from its last frozen stop when it is free there.

The figure is the time of the whole call; beside it, how far the answer is from what ten times as long finds."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace

import routing
from routing.problem import Job, Plan, Problem, Route, Window
from tests.bench.bench_insert import town
from tests.bench.figure import Figure, figure

VANS, STOPS, NEW = 16, 300, 10
LIMIT_S = 1.5


def morning() -> tuple[Problem, Plan]:
    problem, _ = town(VANS, STOPS)
    problem = replace(problem, jobs=problem.jobs[:STOPS])
    return problem, routing.solve(problem, limit_s=5)


def noon(problem: Problem, plan: Plan) -> tuple[Problem, Plan]:
    """What is left to plan, and the part of the morning's plan that is left."""
    dice = random.Random(1)
    jobs = {j.id: j for j in problem.jobs}
    vehicles, left, routes = [], [], []
    for vehicle in problem.vehicles:
        route = next((r for r in plan.routes if r.vehicle == vehicle.id), None)
        if route is None:
            vehicles.append(vehicle)
            continue
        done, ahead = route.visits[: len(route.visits) // 2], route.visits[len(route.visits) // 2 :]
        free_s = done[-1].leave_s if done else vehicle.shift.opens_s
        at = jobs[done[-1].id].location if done else vehicle.start
        vehicles.append(replace(vehicle, start=at, shift=Window(free_s, vehicle.shift.closes_s)))
        aboard = {v.id for v in ahead if dice.random() < 1 / 3}
        left += [
            replace(jobs[v.id], vehicles=frozenset({vehicle.id}) if v.id in aboard else None) for v in ahead
        ]
        routes.append(Route(vehicle.id, free_s, route.end_s, ahead, 0))
    free = sorted(v.shift.opens_s for v in vehicles)[len(vehicles) // 2]
    new = [
        Job(
            f"NEW-{n}",
            1 + dice.randrange(STOPS),
            (5000, 1),
            windows=(Window(free, free + 14_400),),
            service_s=180,
        )
        for n in range(NEW)
    ]
    return replace(problem, vehicles=tuple(vehicles), jobs=(*left, *new)), Plan(tuple(routes))


def measure() -> Iterator[Figure]:
    problem, plan = noon(*morning())
    started = time.perf_counter()
    fast = routing.solve(problem, limit_s=LIMIT_S, start=plan)
    took = time.perf_counter() - started
    assert not routing.check(problem, fast)
    slow = routing.solve(problem, limit_s=10 * LIMIT_S, start=plan)
    yield figure(
        "replan_s", took, "s, 300 stops, half of them frozen", must=10, aim=2, lower_is_better=True,
        left=len(problem.jobs), not_served=len(fast.unserved), not_served_slow=len(slow.unserved),
        dearer_than_slow_pct=round(100 * (fast.cost / slow.cost - 1), 2),
    )  # fmt: skip
