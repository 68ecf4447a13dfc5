"""`stowage plan FILE`: read a routing problem, plan it, check the plan, print it.

The figures are the file's own units. What a person reads and what `--json` prints is the same; progress goes to standard
error, so that the output can be piped. A file that cannot be read ends with one sentence (`BadFile`, `BadProblem`).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import routing
from routing.formats import Instance, Objective, Rounding, read
from routing.problem import Plan, Route, Violation, Visit
from routing.solve import Progress

QUIET_S = 3.0
"""A plan that takes no longer shows no progress; a longer one shows it as often."""


def plan_file(
    file: Path,
    *,
    limit_s: float,
    format_: str,
    objective: Objective,
    rounding: Rounding | None,
    seed: int,
    as_json: bool,
) -> bool:
    """Prints the plan; whether it is feasible."""
    instance = read(file, format_, objective, rounding)
    plan = routing.solve(instance.problem, limit_s=limit_s, seed=seed, on_progress=_Shown(instance))
    violations = routing.check(instance.problem, plan)
    answer = told(instance, plan, violations)
    print(json.dumps(answer) if as_json else "\n".join(_lines(instance, answer)), flush=True)
    return not violations


class _Shown:
    """The best cost so far, on standard error, every few seconds."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = threading.Lock()
        self._best: float | None = None
        self._said = time.monotonic()
        self._began = self._said

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            self._best = progress.cost if self._best is None else min(self._best, progress.cost)
            now = time.monotonic()
            if now - self._said >= QUIET_S:
                self._said = now
                best = self._best
                vehicles = ""
                if self._instance.surcharge:
                    vehicles = f" with {int(best // self._instance.surcharge)} vehicles"
                    best %= self._instance.surcharge
                print(
                    f"{now - self._began:.0f} s: {best / self._instance.scale:g}{vehicles}",
                    file=sys.stderr,
                    flush=True,
                )


def told(instance: Instance, plan: Plan, violations: list[Violation]) -> dict[str, Any]:
    return {
        "cost": instance.cost(plan),
        "vehicles": len(plan.routes),
        "feasible": not violations,
        "violations": [
            {"kind": v.kind, "detail": v.detail, "vehicle": v.vehicle, "visit": v.visit} for v in violations
        ],
        "routes": [_route(instance, r) for r in plan.routes],
        "unserved": [{"id": u.id, "reason": u.reason, "detail": u.detail} for u in plan.unserved],
    }


def _route(instance: Instance, route: Route) -> dict[str, Any]:
    shipments = {s.id: s for s in instance.problem.shipments}

    def stop(visit: Visit) -> str:
        """The file's number of a node; a shipment's two ends have one each."""
        if visit.kind == "pickup":
            return shipments[visit.id].pickup.id
        return shipments[visit.id].delivery.id if visit.kind == "delivery" else visit.id

    own = instance.own
    return {
        "vehicle": route.vehicle,
        "stops": [stop(v) for v in route.visits if v.kind not in ("break", "reload")],
        "distance": own(route.distance_m),
        "start": own(route.start_s),
        "end": own(route.end_s),
        "visits": [
            {
                "kind": v.kind,
                "id": stop(v),
                "arrive": own(v.arrive_s),
                "start": own(v.start_s),
                "leave": own(v.leave_s),
            }
            for v in route.visits
        ],
    }


def _lines(instance: Instance, answer: dict[str, Any]) -> list[str]:
    lines = [f"{instance.name}: cost {answer['cost']:g}, {answer['vehicles']} vehicles, "
             f"{'feasible' if answer['feasible'] else 'NOT feasible'}"]  # fmt: skip
    for route in answer["routes"]:
        way = " ".join(
            "|" if v["kind"] == "reload" else "(break)" if v["kind"] == "break" else v["id"]
            for v in route["visits"]
        )
        lines.append(f"{route['vehicle']:>6}  {route['distance']:>9g}  {way}")
    lines += [
        f"not served: {u['id']} ({u['reason'].replace('_', ' ')}): {u['detail']}" for u in answer["unserved"]
    ]
    lines += [
        f"broken: {v['kind']} {v['vehicle'] or ''} {v['visit'] or ''}: {v['detail']}"
        for v in answer["violations"]
    ]
    return lines
