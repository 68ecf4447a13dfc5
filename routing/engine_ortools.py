"""Sequences by OR-Tools' routing library, for what PyVRP cannot state (`solve.engine_for` says when).

One node a visit, a dimension each for time, distance, stops and every load; a shipment is a pickup and delivery pair. Several
windows are gaps in the time of a node. Left to `repair`, which knows them exactly: trips with reloads, and vehicles that bring
goods from the depot and carry shipments at once. Guided local search until the deadline (OR-Tools 9.15).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from routing.problem import NO_ROAD, Job, Problem, Vehicle
from routing.repair import Sequences, Stops, allowed, amount
from routing.schedule import Stop

_SCALE = 36
"""Cost units are told in 36ths: a metre and a second then cost whole numbers for all but odd rates."""


def search(
    problem: Problem,
    *,
    deadline: float,
    start: Mapping[str, Stops] | None = None,
    on_cost: Callable[[float], None] | None = None,
) -> Sequences:
    """The best sequences found by then; empty where there is no time or nothing fits."""
    vehicles = [v for v in problem.vehicles if v.shift.closes_s >= max(0, v.shift.opens_s)]
    if time.monotonic() >= deadline or not vehicles:
        return {}
    model = _Model(problem, vehicles)
    return model.search(max(0.05, deadline - time.monotonic()), start or {}, on_cost)


class _Model:
    def __init__(self, problem: Problem, vehicles: list[Vehicle]) -> None:
        from ortools.constraint_solver import pywrapcp  # only where it is needed: it takes a while to load

        self.problem, self.vehicles = problem, vehicles
        self.visits: list[tuple[Stop, Job]] = [(Stop("job", j.id), j) for j in problem.jobs]
        for s in problem.shipments:
            self.visits += [(Stop("pickup", s.id), s.pickup), (Stop("delivery", s.id), s.delivery)]
        n, count = len(self.visits), len(vehicles)
        starts, ends = list(range(n, n + count)), list(range(n + count, n + 2 * count))
        self.places: list[int | None] = [job.location for _, job in self.visits]
        self.places += [v.start for v in vehicles] + [v.end for v in vehicles]
        self.manager = pywrapcp.RoutingIndexManager(n + 2 * count, count, starts, ends)
        self.routing: Any = pywrapcp.RoutingModel(self.manager)
        self._matrices: dict[tuple[int, str], int] = {}
        self._drive()
        self._load()
        self._serve()

    def _drive(self) -> None:
        """Costs, times, distances and the count of stops."""
        routing, vehicles = self.routing, self.vehicles
        ones = self._register(-1, "stops", self._ones)
        seconds = [self._register(v.profile, "seconds", self._seconds) for v in vehicles]
        metres = [self._register(v.profile, "metres", self._metres) for v in vehicles]
        self._late = max(v.shift.closes_s for v in vehicles)
        routing.AddDimensionWithVehicleTransits(seconds, self._late, self._late, False, "time")
        self.time = routing.GetDimensionOrDie("time")
        routing.AddDimensionWithVehicleTransitAndCapacity(
            metres,
            0,
            [_NO_LIMIT if v.max_distance_m is None else v.max_distance_m for v in vehicles],
            True,
            "distance",
        )
        most = [len(self.places) if v.max_stops is None else v.max_stops + 1 for v in vehicles]
        routing.AddDimensionWithVehicleCapacity(ones, 0, most, True, "stops")
        for k, v in enumerate(vehicles):
            per_m = _SCALE * v.cost_per_km / 1000
            costs = self._register(v.profile, f"cost {per_m}", partial(self._costs, per_m))
            routing.SetArcCostEvaluatorOfVehicle(costs, k)
            routing.SetFixedCostOfVehicle(_SCALE * v.fixed_cost, k)
            self.time.SetSpanCostCoefficientForVehicle(round(_SCALE * v.cost_per_h / 3600), k)
            if v.max_duration_s is not None:
                self.time.SetSpanUpperBoundForVehicle(v.max_duration_s, k)
            self.time.CumulVar(routing.Start(k)).SetRange(max(0, v.shift.opens_s), v.shift.closes_s)
            self.time.CumulVar(routing.End(k)).SetRange(max(0, v.shift.opens_s), v.shift.closes_s)
            routing.AddVariableMinimizedByFinalizer(self.time.CumulVar(routing.End(k)))

    def _load(self) -> None:
        routing = self.routing
        for d in range(max((len(v.capacity) for v in self.vehicles), default=0)):
            brought = [amount(job.delivery, d) for _, job in self.visits]
            taken = [amount(job.pickup, d) for _, job in self.visits]
            carried = {s.id: amount(s.load, d) for s in self.problem.shipments}
            for at, (stop, _) in enumerate(self.visits):
                if stop.kind != "job":
                    taken[at] = carried[stop.id] if stop.kind == "pickup" else -carried[stop.id]
            room = [v.capacity[d] if d < len(v.capacity) else _NO_LIMIT for v in self.vehicles]
            for name, loads in (("brought", brought), ("taken", taken)):
                loads = loads + [0] * (2 * len(self.vehicles))
                index = routing.RegisterUnaryTransitVector(loads)
                routing.AddDimensionWithVehicleCapacity(index, 0, room, True, f"{name} {d}")

    def _serve(self) -> None:
        """Windows, who may serve, what may be left out, pairs, goods that are not there yet."""
        routing, solver = self.routing, self.routing.solver()
        dear = self._dear()
        for at, (stop, job) in enumerate(self.visits):
            index = self.manager.NodeToIndex(at)
            halves = self._halves(stop, job)
            windows = self._windows(job)
            may = [k for k, v in enumerate(self.vehicles) if all(allowed(v, j) for j in halves)]
            if not self._in_order(halves):
                may, windows = [], [(0, self._late)]
            when = self.time.CumulVar(index)
            when.SetRange(windows[0][0], windows[-1][1])
            for (_, closed), (opens, _) in pairwise(windows):
                if opens > closed + 1:
                    when.RemoveInterval(closed + 1, opens - 1)
            routing.VehicleVar(index).SetValues([-1, *may])
            prize = halves[0].prize
            worth = dear if prize is None else _SCALE * prize
            routing.AddDisjunction([index], worth if stop.kind == "job" else -(-worth // 2))
            for k in range(len(self.vehicles)) if job.release_s > 0 else ():
                ours = solver.IsEqualCstVar(routing.VehicleVar(index), k)
                solver.Add(self.time.CumulVar(routing.Start(k)) >= ours * job.release_s)
        for at in range(len(self.problem.jobs), len(self.visits), 2):
            if not self._in_order((self.visits[at][1], self.visits[at + 1][1])):
                continue
            pickup, delivery = self.manager.NodeToIndex(at), self.manager.NodeToIndex(at + 1)
            routing.AddPickupAndDelivery(pickup, delivery)
            solver.Add(routing.VehicleVar(pickup) == routing.VehicleVar(delivery))
            solver.Add(self.time.CumulVar(pickup) <= self.time.CumulVar(delivery))

    def _windows(self, job: Job) -> list[tuple[int, int]]:
        """Those that some shift reaches, in order; no end is before an earlier one."""
        found = sorted((max(0, w.opens_s), min(w.closes_s, self._late)) for w in job.windows)
        found = [(o, c) for o, c in found if o <= c]
        return [(o, max(c for _, c in found[: n + 1])) for n, (o, _) in enumerate(found)]

    def _in_order(self, halves: tuple[Job, ...]) -> bool:
        """Whether each can be served at all, and the second after the first."""
        windows = [self._windows(j) for j in halves]
        return all(windows) and windows[0][0][0] <= windows[-1][-1][1]

    def _halves(self, stop: Stop, job: Job) -> tuple[Job, ...]:
        if stop.kind == "job":
            return (job,)
        shipment = next(s for s in self.problem.shipments if s.id == stop.id)
        return shipment.pickup, shipment.delivery

    def _dear(self) -> int:
        """More than serving anything costs."""
        metres = max(int(m.distance_m.max(initial=0)) for m in self.problem.matrices)
        seconds = max(v.shift.closes_s for v in self.vehicles)
        rates = max(
            v.fixed_cost + 4 * v.cost_per_km * metres // 1000 + v.cost_per_h * seconds // 3600
            for v in self.vehicles
        )
        prizes = sum(j.prize or 0 for j in self.problem.jobs) + sum(
            s.pickup.prize or 0 for s in self.problem.shipments
        )
        return _SCALE * 2 * (rates + prizes + 1)

    # --- matrices between nodes --------------------------------------------------------------------------

    def _register(self, profile: int, what: str, make: Callable[[int], Any]) -> int:
        key = (profile, what)
        if key not in self._matrices:
            table = make(profile).astype(np.int64).tolist()
            self._matrices[key] = self.routing.RegisterTransitMatrix(table)
        return self._matrices[key]

    def _between(self, table: Any, never: int) -> Any:
        places = np.array([-1 if p is None else p for p in self.places])
        found = table[np.ix_(places, places)].copy()
        found[found == NO_ROAD] = never
        found[:, places == -1] = 0
        return found

    def _metres(self, profile: int) -> Any:
        return self._between(self.problem.matrices[profile].distance_m, _FAR)

    def _ones(self, _: int) -> Any:
        return np.ones((len(self.places), len(self.places)), np.int64)

    def _costs(self, per_m: float, profile: int) -> Any:
        return np.rint(per_m * self._metres(profile))

    def _seconds(self, profile: int) -> Any:
        """Service at the first of the two, and the way."""
        never = 2 * max(v.shift.closes_s for v in self.vehicles) + 1
        service = np.array([job.service_s for _, job in self.visits] + [0] * (2 * len(self.vehicles)))
        return self._between(self.problem.matrices[profile].duration_s, never) + service[:, None]

    # --- search ------------------------------------------------------------------------------------------

    def search(
        self, limit_s: float, start: Mapping[str, Stops], on_cost: Callable[[float], None] | None
    ) -> Sequences:
        from ortools.constraint_solver import pywrapcp, routing_enums_pb2

        routing = self.routing
        parameters = pywrapcp.DefaultRoutingSearchParameters()
        parameters.first_solution_strategy = (
            routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
        )
        parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
        parameters.time_limit.seconds = int(limit_s)
        parameters.time_limit.nanos = int(limit_s % 1 * 1e9)
        if on_cost is not None:
            routing.AddAtSolutionCallback(lambda: on_cost(routing.CostVar().Max() / _SCALE))
        routing.CloseModelWithParameters(parameters)
        first = self._first(start)
        found = None
        if first is not None:
            found = routing.SolveFromAssignmentWithParameters(first, parameters)
        if found is None:
            found = routing.SolveWithParameters(parameters)
        return {} if found is None else self._sequences(found)

    def _first(self, start: Mapping[str, Stops]) -> Any | None:
        node = {stop: n for n, (stop, _) in enumerate(self.visits)}
        routes = [[node[s] for s in start.get(v.id, ()) if s in node] for v in self.vehicles]
        return self.routing.ReadAssignmentFromRoutes(routes, True) if any(routes) else None

    def _sequences(self, found: Any) -> Sequences:
        sequences: Sequences = {}
        for k, v in enumerate(self.vehicles):
            stops = []
            index = found.Value(self.routing.NextVar(self.routing.Start(k)))
            while not self.routing.IsEnd(index):
                stops.append(self.visits[self.manager.IndexToNode(index)][0])
                index = found.Value(self.routing.NextVar(index))
            if stops:
                sequences[v.id] = tuple(stops)
        return sequences


_FAR = 10**9
_NO_LIMIT = 10**15
