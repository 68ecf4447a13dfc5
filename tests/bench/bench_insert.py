"""One urgent stop into a plan of 200: every slot of every route, exact. The median of twenty, on a town of chance; with and
without a break for every driver."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np

import routing
from routing import insertion
from routing.problem import Break, Job, Matrix, Plan, Problem, Unserved, Vehicle, Window
from routing.schedule import Known, Line, stops_of
from tests.bench.figure import Figure, figure

SHIFT_S = 10 * 3600


def town(vans: int, stops: int) -> tuple[Problem, Plan]:
    """Places within 10 km, half of them with a window of two hours; each van serves a sector, in the order of the windows."""
    dice = Random(1)
    places = np.array(
        [[dice.uniform(-10_000, 10_000), dice.uniform(-10_000, 10_000)] for _ in range(stops + 2)]
    )
    metres = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)).astype(np.int64) * 4 // 3
    jobs = []
    for n in range(1, stops + 2):
        opens = dice.randrange(0, SHIFT_S - 7200)
        window = Window(opens, opens + 7200) if n % 2 else Window(0, SHIFT_S)
        jobs.append(Job(f"J{n}", n, (dice.randrange(2000, 30_000), 1), windows=(window,), service_s=180))
    vehicles = tuple(
        Vehicle(f"VAN-{n}", 0, 0, (600_000, 60), Window(0, SHIFT_S), fixed_cost=20_000, cost_per_h=20_000) for n in range(vans)
    )  # fmt: skip
    problem = Problem(vehicles, (Matrix(metres, metres // 9),), tuple(jobs))
    return problem, planned(problem)


def planned(problem: Problem) -> Plan:
    """All but the last job."""
    known = Known(problem)
    first = problem.vehicles[0].start
    corner = problem.matrices[0].distance_m[:, first]
    order = sorted(problem.jobs[:-1], key=lambda j: (int(corner[j.location]), j.id))
    share = -(-len(order) // len(problem.vehicles))
    routes = []
    for n, vehicle in enumerate(problem.vehicles):
        mine = sorted(order[n * share : (n + 1) * share], key=lambda j: j.windows[0].closes_s)
        routes.append(Line.of(known, vehicle, stops_of([j.id for j in mine])).timed().route)
    return Plan(tuple(routes), (Unserved(problem.jobs[-1].id, "no_time_left", "urgent, just came in"),))


def measure() -> Iterator[Figure]:
    problem, plan = town(vans=12, stops=200)
    urgent = problem.jobs[-1].id
    unit = "ms, every slot of 12 vans with 200 stops"
    yield figure("insert_ms", _timed(problem, plan, urgent), unit, must=100, aim=10, lower_is_better=True)
    resting = tuple(replace(v, breaks=(Break(Window(14_400, 21_600), 1800),)) for v in problem.vehicles)
    problem = replace(problem, vehicles=resting)
    plan = planned(problem)
    yield figure("insert_with_breaks_ms", _timed(problem, plan, urgent), unit, lower_is_better=True)


def _timed(problem: Problem, plan: Plan, urgent: str) -> float:
    took = []
    for _ in range(20):
        started = time.perf_counter()
        slot = insertion.best(problem, plan, urgent)
        took.append(time.perf_counter() - started)
    assert slot is not None, "nothing was measured: there is no slot at all"
    broken = routing.check(problem, insertion.placed(problem, plan, urgent, slot))
    assert slot.vehicle not in {v.vehicle for v in broken}, broken
    return 1000 * statistics.median(took)
