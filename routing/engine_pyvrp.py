"""Sequences by PyVRP: `Model(problem, ...)` says the problem in its words, `search` runs seeds side by side.

PyVRP's search runs outside Python's global lock, so the seeds are threads: no process to start, nothing to copy. What the
words of `problem` become: a job with several windows is a group of clients of which one is served; an open route ends at a
place that is no distance from anywhere; who may serve what is a load that the others have no room for; a way that does not
exist takes longer than any shift. A required job is required; where no such plan is found it becomes optional at a price
that no other saving outweighs (`strict=False`). Source: PyVRP 0.14 (pyvrp.org), its iterated local search.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import Any

import numpy as np
from pyvrp import (
    Activity,
    ActivityType,
    Client,
    ClientGroup,
    CostEvaluator,
    Depot,
    Location,
    PenaltyManager,
    PenaltyParams,
    ProblemData,
    RandomNumberGenerator,
    Route,
    Shipment,
    Solution,
    VehicleType,
)
from pyvrp.exceptions import PenaltyBoundWarning, ScalingWarning
from pyvrp.IteratedLocalSearch import IteratedLocalSearch, IteratedLocalSearchParams
from pyvrp.search import OPERATORS, LocalSearch, PerturbationManager, compute_neighbours

from routing.problem import NO_ROAD, Job, Problem, Vehicle, Window
from routing.repair import Sequences, Stops, allowed, amount
from routing.schedule import Stop

THREADS = 2
_NO_LIMIT = 2**63 - 1
"""Of a duration or distance; also what PyVRP says an infeasible plan costs."""


@dataclass(frozen=True)
class Found:
    sequences: Sequences
    cost: int | None
    """In the model's own units, to compare answers of one model; None: some rule is broken."""


class Model:
    """PyVRP's data for a problem, and the way back from its activities to our stops."""

    def __init__(self, problem: Problem, *, strict: bool) -> None:
        self.problem, self.strict = problem, strict
        self.vehicles = [v for v in problem.vehicles if _usable(v)]
        self._scale, self._unit = _cost_units(self.vehicles)
        self._clients: list[Stop] = []
        self._client_of: dict[str, list[int]] = {}
        self._shipment_of = {s.id: n for n, s in enumerate(problem.shipments)}
        self._depots: list[Stop] = []
        self._depot_of: dict[tuple[int, int], int] = {}
        self.types: list[list[str]] = []
        self.data = self._build()

    # --- from our words to PyVRP's --------------------------------------------------------------------------

    def _build(self) -> ProblemData:
        problem = self.problem
        places = len(problem.matrices[0].distance_m)
        self._nowhere = places  # where open routes end
        distances, durations = self._matrices(places)
        price = self._price()
        locks = _Locks(problem, self.vehicles)
        loads = _Loads(problem, self.vehicles, locks)
        depots: list[Depot] = []

        def depot(place: int, service_s: int) -> int:
            key = (place, service_s)
            if key not in self._depot_of:
                self._depot_of[key] = len(depots)
                depots.append(Depot(place, service_duration=service_s))
                self._depots.append(Stop("reload", str(place)))
            return self._depot_of[key]

        vehicle_types = []
        for alike in self._alike(locks):
            one = alike[0]
            start, end = depot(one.start, 0), depot(self._nowhere if one.end is None else one.end, 0)
            reloads = (
                [depot(p, one.reload_s) for p in dict.fromkeys(one.reload_at)] if one.max_trips > 1 else []
            )
            per_m, per_s = self._unit(one)
            vehicle_types.append(
                VehicleType(
                    len(alike), loads.capacity(one), start, end, self._scale * one.fixed_cost,
                    tw_early=max(0, one.shift.opens_s), tw_late=one.shift.closes_s, profile=one.profile,
                    unit_distance_cost=per_m, unit_duration_cost=per_s, reload_depots=reloads,
                    max_reloads=max(0, one.max_trips - 1),
                    shift_duration=_NO_LIMIT if one.max_duration_s is None else one.max_duration_s,
                    max_distance=_NO_LIMIT if one.max_distance_m is None else one.max_distance_m,
                )
            )  # fmt: skip
            self.types.append([v.id for v in alike])
        clients, groups = self._make_clients(loads, price)
        shipments = [
            self._shipment(s.pickup, s.delivery, loads.shipment(n), price)
            for n, s in enumerate(problem.shipments)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ScalingWarning)
            return ProblemData(
                [Location(0, 0)] * (places + 1), clients, depots, vehicle_types, distances, durations, groups, shipments
            )  # fmt: skip

    def _matrices(self, places: int) -> tuple[list[Any], list[Any]]:
        """With one place more, where open routes end; without a way it takes longer than any shift."""
        never = 2 * max((v.shift.closes_s for v in self.vehicles), default=0) + 1
        distances: list[Any] = []
        durations: list[Any] = []
        for matrix in self.problem.matrices:
            roadless = (matrix.distance_m == NO_ROAD) | (matrix.duration_s == NO_ROAD)
            far = 4 * int(matrix.distance_m.max(initial=0)) + 1
            distance = np.zeros((places + 1, places + 1), np.int64)
            duration = np.zeros((places + 1, places + 1), np.int64)
            distance[:places, :places] = np.where(roadless, far, matrix.distance_m)
            duration[:places, :places] = np.where(roadless, never, matrix.duration_s)
            distance[places, :places], duration[places, :places] = far, never
            np.fill_diagonal(distance, 0)
            np.fill_diagonal(duration, 0)
            distances.append(distance)
            durations.append(duration)
        return distances, durations

    def _price(self) -> int:
        """More than serving one job can cost: a vehicle of its own to the farthest place and back, all shift long."""
        most = 1
        for v in self.vehicles:
            per_m, per_s = self._unit(v)
            matrix = self.problem.matrices[v.profile]
            farthest = int(matrix.distance_m.max(initial=0))
            slowest = int(matrix.duration_s.max(initial=0)) + max(
                (j.service_s for j in self.problem.jobs), default=0
            )
            most = max(most, 3 * (per_m * farthest + per_s * slowest) + self._scale * v.fixed_cost)
        prizes = [j.prize or 0 for j in self.problem.jobs] + [
            s.pickup.prize or 0 for s in self.problem.shipments
        ]
        return most + 3 * self._scale * max(prizes, default=0)

    def _make_clients(self, loads: _Loads, price: int) -> tuple[list[Client], list[ClientGroup]]:
        clients: list[Client] = []
        groups: list[ClientGroup] = []
        for n, job in enumerate(self.problem.jobs):
            required, prize = self._worth(job, price)
            windows = _windows(job)
            group = None
            if len(windows) > 1:
                group = len(groups)
                mine = range(len(clients), len(clients) + len(windows))
                groups.append(ClientGroup(list(mine), required))
                required = False
            delivery, pickup = loads.job(n)
            for window in windows:
                self._client_of.setdefault(job.id, []).append(len(clients))
                self._clients.append(Stop("job", job.id))
                clients.append(
                    Client(job.location, delivery, pickup, job.service_s, window.opens_s, window.closes_s, job.release_s,
                           prize, required, group)
                )  # fmt: skip
        return clients, groups

    def _shipment(self, pickup: Job, delivery: Job, load: list[int], price: int) -> Shipment:
        required, prize = self._worth(pickup, price)
        first, last = _windows(pickup), _windows(delivery)
        return Shipment(
            pickup.location, delivery.location, first[0].opens_s, first[-1].closes_s, pickup.service_s,
            last[0].opens_s, last[-1].closes_s, delivery.service_s, load, prize, required,
        )  # fmt: skip

    def _worth(self, job: Job, price: int) -> tuple[bool, int]:
        if job.prize is not None:
            return False, self._scale * job.prize
        return (True, 0) if self.strict else (False, price)

    def _alike(self, locks: _Locks) -> list[list[Vehicle]]:
        """Vehicles between which nothing chooses are one type. The order of the problem is kept."""
        kinds: dict[Any, list[Vehicle]] = {}
        for v in self.vehicles:
            kinds.setdefault((replace(v, id=""), locks.seats(v)), []).append(v)
        return list(kinds.values())

    # --- from PyVRP's activities to our stops, and back ------------------------------------------------------

    def sequences(self, solution: Solution) -> Sequences:
        found: Sequences = {}
        free = [list(reversed(ids)) for ids in self.types]
        for route in solution.routes():
            stops: list[Stop] = []
            for a in list(route)[1:-1]:
                if a.is_client():
                    stops.append(self._clients[a.idx])
                elif a.is_depot():
                    stops.append(self._depots[a.idx])
                else:
                    shipment = self.problem.shipments[a.idx]
                    stops.append(Stop("pickup" if a.is_pickup() else "delivery", shipment.id))
            if any(s.kind != "reload" for s in stops):
                found[free[route.vehicle_type()].pop()] = _without_empty_trips(stops)
        return found

    def solution(self, sequences: Mapping[str, Sequence[Stop]]) -> Solution:
        """Of sequences of an earlier answer what this model still knows."""
        type_of = {id_: n for n, ids in enumerate(self.types) for id_ in ids}
        routes = []
        seen: set[Stop] = set()
        for vehicle_id, stops in sequences.items():
            if vehicle_id not in type_of:
                continue
            kind = type_of[vehicle_id]
            known = [s for s in stops if s not in seen and self._knows(s, kind)]
            seen.update(s for s in known if s.kind != "reload")
            both = {s.id for s in known if s.kind == "pickup"} & {s.id for s in known if s.kind == "delivery"}
            activities = [
                self._activity(s, kind) for s in known if s.kind in ("job", "reload") or s.id in both
            ]
            if any(not a.is_depot() for a in activities):
                routes.append(Route(self.data, activities, kind))
        return Solution(self.data, routes)

    def _knows(self, stop: Stop, kind: int) -> bool:
        if stop.kind == "job":
            return stop.id in self._client_of
        if stop.kind == "reload":
            return any(self._depots[d].id == stop.id for d in self.data.vehicle_type(kind).reload_depots)
        return stop.id in self._shipment_of

    def _activity(self, stop: Stop, kind: int) -> Activity:
        if stop.kind == "job":
            return Activity(ActivityType.CLIENT, self._client_of[stop.id][0])
        if stop.kind == "reload":
            reloads = self.data.vehicle_type(kind).reload_depots
            return Activity(ActivityType.DEPOT, next(d for d in reloads if self._depots[d].id == stop.id))
        side = ActivityType.PICKUP if stop.kind == "pickup" else ActivityType.DELIVERY
        return Activity(side, self._shipment_of[stop.id])

    def cost(self, model_cost: int) -> float:
        """In the problem's cost units."""
        return model_cost / self._scale


def _usable(v: Vehicle) -> bool:
    return v.shift.closes_s >= max(0, v.shift.opens_s) and min(v.capacity, default=0) >= 0


def _cost_units(vehicles: Sequence[Vehicle]) -> tuple[int, Callable[[Vehicle], tuple[int, int]]]:
    """PyVRP's costs are whole numbers a metre and a second: the least factor that says ours within 0.1 %."""
    rates = {r for v in vehicles for r in (v.cost_per_km / 1000, v.cost_per_h / 3600) if r}
    scale = next(
        (k for k in (1, *range(2, 1001)) if all(abs(round(k * r) - k * r) <= 0.001 * k * r for r in rates)), 1000
    )  # fmt: skip

    def unit(v: Vehicle) -> tuple[int, int]:
        return round(scale * v.cost_per_km / 1000), round(scale * v.cost_per_h / 3600)

    return scale, unit


def _windows(job: Job) -> list[Window]:
    """In order, without those that are over before the goods are there; overlapping ones joined."""
    merged: list[Window] = []
    for w in sorted(job.windows, key=lambda w: w.opens_s):
        opens, closes = max(0, w.opens_s), w.closes_s
        if closes < max(opens, job.release_s):
            continue
        if merged and opens <= merged[-1].closes_s + 1:
            merged[-1] = Window(merged[-1].opens_s, max(closes, merged[-1].closes_s))
        else:
            merged.append(Window(opens, closes))
    return merged


def _without_empty_trips(stops: Sequence[Stop]) -> Stops:
    """A reload after nothing, or before nothing but the end, is no reload."""
    kept = [
        stop for kind, run in groupby(stops, key=lambda s: s.kind == "reload") for stop in (list(run)[-1:] if kind else run)
    ]  # fmt: skip
    while kept and kept[0].kind == "reload":
        del kept[0]
    while kept and kept[-1].kind == "reload":
        del kept[-1]
    return tuple(kept)


class _Locks:
    """Who may serve what, as loads that the others have no room for.

    A job bound to one vehicle takes half of a small set of loads, each vehicle another half (an antichain: no half
    contains another), so twenty bound vans need six loads, not twenty. Every other group of vehicles gets its own load."""

    def __init__(self, problem: Problem, vehicles: Sequence[Vehicle]) -> None:
        everyone = frozenset(v.id for v in vehicles)

        def group(jobs: Sequence[Job]) -> frozenset[str]:
            return frozenset(v.id for v in vehicles if all(allowed(v, j) for j in jobs))

        free = [(not j.skills and j.vehicles is None) for j in problem.jobs]
        self._jobs = [everyone if f else group((j,)) for f, j in zip(free, problem.jobs, strict=True)]
        self._shipments = [group((s.pickup, s.delivery)) for s in problem.shipments]
        groups = {g for g in (*self._jobs, *self._shipments) if g != everyone}
        single = sorted(next(iter(g)) for g in groups if len(g) == 1)
        width = next(k for k in range(64) if math.comb(k, k // 2) >= len(single)) if single else 0
        halves = combinations(range(width), width // 2)
        self._need = {frozenset((id_,)): frozenset(half) for id_, half in zip(single, halves, strict=False)}
        if len(single) == 1:  # of no loads there is no half
            width, self._need = 1, {frozenset(single): frozenset((0,))}
        others = sorted((g for g in groups if len(g) != 1), key=sorted)
        for n, group_ in enumerate(others):
            self._need[group_] = frozenset((width + n,))
        self.count = width + len(others)

    def seats(self, v: Vehicle) -> frozenset[int]:
        """The loads that this vehicle has room for."""
        return frozenset(n for group, need in self._need.items() if v.id in group for n in need)

    def job(self, n: int) -> frozenset[int]:
        return self._need.get(self._jobs[n], frozenset())

    def shipment(self, n: int) -> frozenset[int]:
        return self._need.get(self._shipments[n], frozenset())


class _Loads:
    """Loads in PyVRP's dimensions: ours, then the count of stops where it is limited, then the locks."""

    def __init__(self, problem: Problem, vehicles: Sequence[Vehicle], locks: _Locks) -> None:
        self._problem, self._locks = problem, locks
        self._ours = max((len(v.capacity) for v in vehicles), default=0)
        self._stops = any(v.max_stops is not None for v in vehicles)
        visits = len(problem.jobs) + 2 * len(problem.shipments) + 1
        self._plenty = [
            1 + sum(amount(j.delivery, d) + amount(j.pickup, d) for j in problem.jobs)
            + sum(amount(s.load, d) for s in problem.shipments)
            for d in range(self._ours)
        ]  # fmt: skip
        self._many = visits

    def capacity(self, v: Vehicle) -> list[int]:
        ours = [min(c, p) for c, p in zip(v.capacity, self._plenty, strict=False)]
        ours += self._plenty[len(ours) :]
        stops = [self._many if v.max_stops is None else max(0, v.max_stops)] if self._stops else []
        seats = self._locks.seats(v)
        return ours + stops + [self._many if n in seats else 0 for n in range(self._locks.count)]

    def job(self, n: int) -> tuple[list[int], list[int]]:
        job = self._problem.jobs[n]
        delivery = [amount(job.delivery, d) for d in range(self._ours)]
        pickup = [amount(job.pickup, d) for d in range(self._ours)]
        more = self._more(self._locks.job(n), 1)
        return delivery + more, pickup + [0] * len(more)

    def shipment(self, n: int) -> list[int]:
        load = [amount(self._problem.shipments[n].load, d) for d in range(self._ours)]
        return load + self._more(self._locks.shipment(n), 0)

    def _more(self, need: frozenset[int], stops: int) -> list[int]:
        return [stops] * self._stops + [int(k in need) for k in range(self._locks.count)]


# --- the search -----------------------------------------------------------------------------------------------


class Until:
    """When to stop: at the deadline, when nothing was gained for long, when told to, at the first plan that keeps every rule
    where that is enough, or where none was found by `give_up_at`."""

    def __init__(
        self,
        deadline: float,
        patience: int,
        *,
        give_up_at: float = math.inf,
        first_feasible: bool = False,
        told: threading.Event | None = None,
        on_cost: Callable[[int], None] | None = None,
    ) -> None:
        self._deadline, self._patience, self._give_up_at = deadline, patience, give_up_at
        self._first_feasible, self._told, self._on_cost = first_feasible, told, on_cost
        self._best, self._idle = _NO_LIMIT, 0

    def __call__(self, best_cost: int) -> bool:
        now = time.monotonic()
        self._idle += 1
        if best_cost < self._best:
            self._best, self._idle = best_cost, 0
            if self._on_cost is not None:
                self._on_cost(best_cost)
        found = best_cost < _NO_LIMIT
        enough = self._first_feasible if found else now >= self._give_up_at
        told = self._told is not None and self._told.is_set()
        return enough or told or now >= self._deadline or self._idle > self._patience


def _run(data: ProblemData, seed: int, sharp: float, start: Solution | None, until: Until) -> Solution:
    """One seed. `sharp`: how dear broken rules are at first, in mean ways; seeds that differ in it find different plans."""
    rng = RandomNumberGenerator(seed=seed)
    local = LocalSearch(data, rng, compute_neighbours(data), PerturbationManager())
    for operator in OPERATORS:
        if operator.supports(data):
            local.add_operator(operator(data))
    loads, late, far = _first_penalties(data, sharp)
    params = PenaltyParams(min_penalty=0.01, max_penalty=min(1e10, max(1e7, late, *loads)))
    penalties = PenaltyManager((loads, late, far), params)
    first = local(
        start if start is not None else Solution.make_random(data, rng),
        CostEvaluator([100_000.0] * data.num_load_dimensions, 100_000.0, 100_000.0),
        exhaustive=True,
    )
    search = IteratedLocalSearch(data, penalties, local, first, IteratedLocalSearchParams())
    return search.run(until, collect_stats=False, display=False).best


def _first_penalties(data: ProblemData, sharp: float) -> tuple[list[float], float, float]:
    """PyVRP starts with 50,000 a unit of anything and needs 100 updates down from there: far from what ten seconds have."""
    kind = data.vehicle_type(0)
    distance, duration = data.distance_matrix(kind.profile), data.duration_matrix(kind.profile)
    way = max(1.0, kind.unit_distance_cost * float(np.median(distance)) + kind.unit_duration_cost * float(np.median(duration)))  # fmt: skip
    prizes = [c.prize for c in data.clients() if not c.required] + [
        x.prize for x in data.shipments() if not x.required
    ]
    way = max(
        way, 40 * max(prizes, default=0) / sharp
    )  # to be too full must be dearer than to leave something out
    takes = max(1.0, float(np.median(duration)))
    loads = []
    for d in range(data.num_load_dimensions):
        amounts = [max(c.delivery[d], c.pickup[d]) for c in data.clients()] + [
            s.amount[d] for s in data.shipments()
        ]
        some = [a for a in amounts if a > 0]
        loads.append(sharp * way / (sum(some) / len(some)) / 20 if some else way)
    return loads, sharp * way / takes, max(1.0, sharp * kind.unit_distance_cost)


def search(
    model: Model,
    *,
    deadline: float,
    seed: int,
    start: Mapping[str, Sequence[Stop]] | None = None,
    give_up_at: float = math.inf,
    on_cost: Callable[[float], None] | None = None,
    first_feasible: bool = False,
    threads: int = THREADS,
) -> Found:
    """The best of several seeds side by side; `cost` None where none keeps every rule of the model.

    `first_feasible`: the first plan of any seed that keeps every rule ends the search; then only half of the seeds begin
    from `start`, since what is hard to reach from there may be near from elsewhere."""
    data = model.data
    if not model.types or not (data.num_clients or data.num_shipments):
        return Found({}, 0 if not model.strict else None)
    size = data.num_clients + data.num_shipments
    patience = 4000 + 400 * size
    report = None if on_cost is None else (lambda cost: on_cost(model.cost(cost)))
    began = None if start is None else model.solution(start)

    told = threading.Event()

    def run(n: int) -> Solution:
        until = Until(
            deadline, patience, give_up_at=give_up_at, first_feasible=first_feasible, told=told, on_cost=report
        )  # fmt: skip
        begin = None if first_feasible and n % 2 else began
        best = _run(data, seed + 7919 * n, (1000.0, 100.0)[n % 2], begin, until)
        if first_feasible and best.is_feasible():
            told.set()
        return best

    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore", PenaltyBoundWarning)
        try:
            best, cost = _best(data, list(pool.map(run, range(threads))))
        finally:
            told.set()  # whoever interrupts the wait need not wait for the deadline
    return Found(model.sequences(best), cost)


def _best(data: ProblemData, solutions: Sequence[Solution]) -> tuple[Solution, int | None]:
    plain = CostEvaluator([0.0] * data.num_load_dimensions, 0.0, 0.0)
    dear = CostEvaluator([1e5] * data.num_load_dimensions, 1e5, 1e5)
    kept = [s for s in solutions if s.is_feasible()]
    if kept:
        best = min(kept, key=plain.cost)
        return best, plain.cost(best)
    return min(solutions, key=dear.penalised_cost), None
