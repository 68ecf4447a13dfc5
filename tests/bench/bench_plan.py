"""Plans against the literature's best and against two other solvers: same instances, same time, same run.

`plan_gap_pct_100`, `_200`: mean gap of the distance to `best_known.json` on Solomon's and Homberger's samples, DIMACS rounding.
`plan_vs_ortools_pct`, `plan_vs_vroom_pct`: by how much their distances are longer than ours, in the mean. OR-Tools is asked by
the model that `routing` falls back to; VROOM explores as far as it can on two threads.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import vroom

import routing
from routing import engine_ortools
from routing.formats import read
from routing.problem import Problem
from routing.repair import visited
from routing.schedule import Known, Line
from tests.bench.figure import Figure, figure

LIMIT_S = 10.0
VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "vrp"


def measure() -> Iterator[Figure]:
    if not VECTORS.is_dir():
        return
    best = json.loads((VECTORS / "best_known.json").read_text())
    against: dict[str, list[float]] = {"ortools": [], "vroom": []}
    for size, folder in ((100, "solomon"), (200, "homberger_200")):
        gaps: dict[str, float] = {}
        for file in sorted((VECTORS / folder).glob("*.txt")):
            instance = read(file)
            plan = routing.solve(instance.problem, limit_s=LIMIT_S)
            assert not plan.unserved, file
            assert not routing.check(instance.problem, plan), file
            known = best[file.stem]["distance"]["cost"]
            gaps[file.stem] = round(100 * (float(instance.cost(plan)) / known - 1), 2)
            for name, solver in (("ortools", by_ortools), ("vroom", by_vroom)):
                theirs = solver(instance.problem)
                if theirs is not None:
                    against[name].append(100 * (theirs / plan.cost - 1))
        yield figure(
            f"plan_gap_pct_{size}", statistics.mean(gaps.values()), f"% above the best known, {LIMIT_S:.0f} s",
            must=1, aim=0.3, lower_is_better=True, each=gaps, load=os.getloadavg()[0],
        )  # fmt: skip
    for name, longer in against.items():
        yield figure(
            f"plan_vs_{name}_pct", statistics.mean(longer), "% longer than ours, same time", must=0,
            instances=len(longer), least=round(min(longer), 2), most=round(max(longer), 2),
        )  # fmt: skip


def by_ortools(problem: Problem) -> float | None:
    """Metres; None where it left something out."""
    found = engine_ortools.search(problem, deadline=time.monotonic() + LIMIT_S)
    if len(visited(found)) < len(problem.jobs):
        return None
    known = Known(problem)
    timed = [Line.of(known, known.vehicles[name], list(stops)).timed() for name, stops in found.items()]
    assert all(t.feasible for t in timed)
    return sum(t.route.distance_m for t in timed)


def by_vroom(problem: Problem) -> float | None:
    asked = vroom.Input()
    asked.set_durations_matrix("car", problem.matrices[0].duration_s.astype("uint32"))
    for n, v in enumerate(problem.vehicles):
        window = vroom.TimeWindow(v.shift.opens_s, v.shift.closes_s)
        asked.add_vehicle(vroom.Vehicle(n + 1, start=0, end=0, capacity=list(v.capacity), time_window=window))
    for n, j in enumerate(problem.jobs):
        windows = [vroom.TimeWindow(w.opens_s, w.closes_s) for w in j.windows]
        load = vroom.Amount(list(j.delivery))
        asked.add_job(
            vroom.Job(
                n + 1, location=j.location, default_service=j.service_s, delivery=load, time_windows=windows
            )
        )
    answer = asked.solve(exploration_level=5, nb_threads=2, timeout=timedelta(seconds=LIMIT_S))
    return None if answer.summary.unassigned else float(answer.summary.cost)
