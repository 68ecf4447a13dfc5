"""Whatever is asked, what `solve` answers passes `check`: a thousand random small problems, and all that others published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import vroom
from hypothesis import given, settings
from hypothesis import strategies as st

import routing
from routing import insertion
from routing.formats import read
from routing.problem import NO_ROAD, Job, Matrix, Plan, Problem, Vehicle
from routing.schedule import Stop, sorted_windows, timed
from tests.routing.random_problems import cost_of, random_plan, random_problem


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32))
def test_a_thousand_small_problems_get_plans_that_keep_every_rule(seed: int) -> None:
    dice = Random(seed)
    problem = random_problem(dice)
    plan = routing.solve(problem, limit_s=0.01, seed=seed % 1000)
    assert routing.check(problem, plan) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_is_left_out_where_a_slot_is_free_and_worth_it(seed: int) -> None:
    dice = Random(seed)
    problem = random_problem(dice, jobs=10)
    found = _left_out_for_nothing(problem, limit_s=0.8)
    if found:  # the time may have been over before all was tried
        found = _left_out_for_nothing(problem, limit_s=20)
    assert found == []


def _left_out_for_nothing(problem: Problem, limit_s: float) -> list[object]:
    plan = routing.solve(problem, limit_s=limit_s, seed=1)
    prizes = {j.id: j.prize for j in problem.jobs}
    found: list[object] = []
    for unserved in plan.unserved:
        if unserved.id not in prizes:
            continue
        slot, prize = insertion.best(problem, plan, unserved.id), prizes[unserved.id]
        # Costs are rounded: one more or less says nothing.
        if slot is not None and (prize is None or slot.extra_cost < prize - 1):
            found.append((unserved, slot))
    return found


def test_a_place_that_only_a_way_by_another_stop_leads_home_from_is_served() -> None:
    """One matrix is enough to say that there is no road."""
    metres = np.array([[0, 1000, 2000], [1000, 0, 1000], [NO_ROAD, 1000, 0]])
    jobs = (Job("END", 2), Job("BESIDE", 1))
    problem = Problem((Vehicle("VAN", 0, 0),), (Matrix(metres, metres.clip(0) // 10),), jobs)
    plan = routing.solve(problem, limit_s=0.3)
    assert (routing.check(problem, plan), plan.unserved) == ([], ())
    assert [v.id for v in plan.routes[0].visits] == ["END", "BESIDE"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_an_earlier_plan_to_begin_from_whatever_it_is_leads_to_a_plan_that_keeps_every_rule(
    seed: int,
) -> None:
    dice = Random(seed)
    problem = random_problem(dice)
    start = random_plan(dice, problem)
    assert routing.check(problem, routing.solve(problem, limit_s=0.02, start=start)) == []


# --- what others published ----------------------------------------------------------------------------------


def published(problem: Problem, file: Path) -> Plan:
    """A `.sol`: route k is the k-th vehicle's; nodes count from 0, and a 0 between them is another visit to the depot."""
    known = {j.id for j in problem.jobs}
    routes = []
    for line in file.read_text().splitlines():
        if not line.startswith("Route"):
            continue
        name, _, nodes = line.partition(":")
        vehicle = problem.vehicles[int(name.split("#")[1]) - 1]
        stops = [
            Stop("job", str(int(n) + 1)) if str(int(n) + 1) in known else Stop("reload", n)
            for n in nodes.split()
        ]
        if stops:
            found = timed(problem, vehicle, stops)
            assert found.feasible, (file.name, vehicle.id, found.late_s, found.overtime_s)
            routes.append(found.route)
    return Plan(tuple(routes), (), cost_of(problem, routes, []))


@pytest.mark.parametrize(
    "name",
    ["mdvrptw/PR11A", "mdvrptw/PR13A", "mtvrptwr/C201R0.25", "mtvrptwr/R201R0.5", "mtvrptwr/RC201R0.75"],
)
def test_the_best_known_solution_keeps_every_rule_at_its_published_cost(vectors: Path, name: str) -> None:
    file = vectors / "vrp" / f"{name}.sol"
    problem = read(file.with_suffix(".vrp")).problem
    plan = published(problem, file)
    assert routing.check(problem, plan) == []
    cost = next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith("Cost"))
    assert plan.cost == cost


def test_every_published_problem_gets_a_plan_that_keeps_every_rule(vectors: Path) -> None:
    files = [f for f in sorted((vectors / "vrp").glob("*/*")) if f.suffix in (".txt", ".vrp")]
    assert len(files) >= 16
    for file in files:
        problem = read(file).problem
        assert routing.check(problem, routing.solve(problem, limit_s=0.2)) == [], file.name


# --- a second opinion ---------------------------------------------------------------------------------------

CAUSES = {
    "over_capacity": "load",
    "outside_window": "time",
    "outside_shift": "time",
    "missing_skill": "skills",
}


def second_opinion(problem: Problem, plan: Plan) -> tuple[set[str], dict[int, int]]:
    """What VROOM's plan mode says of the same sequences: causes of violations, and by vehicle how long it drives."""
    asked = vroom.Input()
    asked.set_durations_matrix("car", problem.matrices[0].duration_s.astype("uint32"))
    numbers = {j.id: n for n, j in enumerate(problem.jobs)}
    dimensions = len(problem.vehicles[0].capacity)
    for n, vehicle in enumerate(problem.vehicles):
        route = next((r for r in plan.routes if r.vehicle == vehicle.id), None)
        if route is not None:
            singles = [vroom.VehicleStepSingle(numbers[v.id]) for v in route.visits]
            asked.add_vehicle(
                vroom.Vehicle(
                    n, start=vehicle.start, end=vehicle.end, profile="car", capacity=list(vehicle.capacity),
                    time_window=(vehicle.shift.opens_s, vehicle.shift.closes_s), skills={1} if vehicle.skills else set(),
                    steps=[vroom.VehicleStepStart(), *singles, vroom.VehicleStepEnd()],
                )
            )  # fmt: skip
    for job in problem.jobs:
        asked.add_job(
            vroom.Job(
                numbers[job.id], location=job.location, default_service=job.service_s,
                delivery=[*job.delivery, *[0] * dimensions][:dimensions],
                pickup=[*job.pickup, *[0] * dimensions][:dimensions],
                time_windows=list(sorted_windows(job)), skills={1} if job.skills else set(),
            )
        )  # fmt: skip
    found = asked.check(1).to_dict()
    causes = {v["cause"] for r in found["routes"] for step in r["steps"] for v in step["violations"]}
    causes |= {v["cause"] for r in found["routes"] for v in r["violations"]}
    causes = {"time" if cause in ("delay", "lead_time") else cause for cause in causes}
    return causes, {r["vehicle"]: r["duration"] for r in found["routes"]}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_vroom_finds_the_same_plans_feasible(seed: int) -> None:
    """Of what both know: loads, windows, shifts and skills; no breaks, reloads, shipments or limits."""
    dice = Random(seed)
    problem = random_problem(dice, jobs=5)
    vehicles = tuple(
        Vehicle(v.id, v.start, v.end, v.capacity, v.shift, skills=v.skills) for v in problem.vehicles
    )
    jobs = tuple(
        replace(j, windows=j.windows[:2], prize=None, vehicles=None, release_s=0) for j in problem.jobs
    )
    seconds = problem.matrices[0].duration_s.clip(0)
    problem = Problem(vehicles, (Matrix(seconds, seconds),), jobs)
    plan = random_plan(dice, problem, share=1)
    if not plan.routes:
        return
    ours = {CAUSES[v.kind] for v in routing.check(problem, plan)}
    theirs, driven = second_opinion(problem, plan)
    assert ours == theirs
    for number, duration in driven.items():
        route = next(r for r in plan.routes if r.vehicle == problem.vehicles[number].id)
        assert route.distance_m == duration
