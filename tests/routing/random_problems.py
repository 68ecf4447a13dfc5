"""Small random problems with every rule in them, and random plans for them; the same seed makes the same."""

from __future__ import annotations

from random import Random

import numpy as np

from routing.insertion import route_cost
from routing.problem import (
    NO_ROAD,
    Break,
    Job,
    Matrix,
    Plan,
    Problem,
    Route,
    Shipment,
    Unserved,
    Vehicle,
    Window,
)
from routing.schedule import Known, Line, Stop

DAY_S = 10_000


def random_problem(dice: Random, jobs: int = 7) -> Problem:
    """Few places, tight times; about every second problem has a rule of each kind."""
    places = dice.randint(3, 8)
    dimensions = dice.randint(0, 2)
    matrices = tuple(_matrix(dice, places, roads=dice.random() < 0.8) for _ in range(dice.choice((1, 1, 2))))

    def windows() -> tuple[Window, ...]:
        if dice.random() < 0.4:
            return (Window(0, 3 * DAY_S),)
        opens = [dice.randrange(0, DAY_S) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
        return tuple(Window(o, o + dice.choice((0, 600, 2000, 4000))) for o in opens)

    def load(most: int) -> tuple[int, ...]:
        return tuple(dice.randint(0, most) for _ in range(dimensions))

    def job(id_: str, *, goods: bool) -> Job:
        return Job(
            id_,
            dice.randrange(places),
            load(6) if goods and dice.random() < 0.8 else (),
            load(6) if goods and dice.random() < 0.3 else (),
            windows(),
            dice.choice((0, 60, 300)),
            prize=dice.choice((None, None, None, 50, 3000)),
            skills=frozenset({"fridge"}) if dice.random() < 0.15 else frozenset(),
            vehicles=frozenset({"V0"}) if dice.random() < 0.1 else None,
            release_s=dice.choice((0, 0, 0, dice.randrange(0, DAY_S // 2))) if goods else 0,
        )

    shipments = []
    for n in range(dice.choice((0, 0, 1, 2))):
        shipments.append(Shipment(f"S{n}", job(f"S{n}p", goods=False), job(f"S{n}d", goods=False), load(6)))
    vehicles = tuple(_vehicle(dice, n, places, dimensions, len(matrices)) for n in range(dice.randint(1, 3)))
    jobs_ = tuple(job(f"J{n}", goods=True) for n in range(dice.randint(0, jobs)))
    return Problem(vehicles, matrices, jobs_, tuple(shipments))


def _matrix(dice: Random, places: int, *, roads: bool) -> Matrix:
    seconds = np.array([[dice.randint(20, 900) for _ in range(places)] for _ in range(places)], np.int64)
    metres = seconds * dice.choice((7, 12)) + dice.randint(0, 99)
    for matrix in (seconds, metres):
        np.fill_diagonal(matrix, 0)
    if not roads:
        a, b = dice.sample(range(places), 2)
        metres[a, b] = NO_ROAD
        seconds[a, b] = dice.choice((NO_ROAD, 30))
    return Matrix(metres, seconds)


def _vehicle(dice: Random, number: int, places: int, dimensions: int, profiles: int) -> Vehicle:
    start = dice.randrange(min(2, places))
    opens = dice.choice((0, 0, dice.randrange(3000)))
    reloads = dice.random() < 0.4
    return Vehicle(
        f"V{number}",
        start,
        dice.choice((start, start, dice.randrange(places), None)),
        tuple(dice.randint(5, 20) for _ in range(dimensions)),
        Window(opens, opens + dice.choice((3000, DAY_S, 2 * DAY_S))),
        dice.randrange(profiles),
        dice.choice((0, 500)),
        dice.choice((1000, 1000, 350)),
        dice.choice((0, 0, 3600, 20_000)),
        dice.choice((None, None, 20_000)),
        dice.choice((None, None, 6000)),
        dice.choice((None, None, 3)),
        frozenset({"fridge"}) if dice.random() < 0.5 else frozenset(),
        tuple(
            Break(Window(o, o + dice.choice((0, 900, 3000))), dice.choice((300, 900)))
            for o in (dice.randrange(DAY_S) for _ in range(dice.choice((0, 0, 1, 1, 2))))
        ),
        (start,) if reloads else (),
        dice.choice((0, 300)) if reloads else 0,
        dice.choice((2, 3)) if reloads else 1,
    )


def random_plan(dice: Random, problem: Problem, share: float = 0.8) -> Plan:
    """Routes in any order, timed exactly whether they keep the rules or not; the rest is left out."""
    known = Known(problem)
    sequences: dict[str, list[Stop]] = {v.id: [] for v in problem.vehicles}
    left_out: list[Unserved] = []
    for id_ in dice.sample([*known.jobs, *known.shipments], len(known.jobs) + len(known.shipments)):
        if dice.random() > share:
            left_out.append(Unserved(id_, "no_time_left", "not tried"))
            continue
        stops = sequences[dice.choice(problem.vehicles).id]
        at = dice.randint(0, len(stops))
        if id_ in known.jobs:
            stops.insert(at, Stop("job", id_))
        else:
            stops.insert(at, Stop("pickup", id_))
            stops.insert(dice.randint(at + 1, len(stops)), Stop("delivery", id_))
    routes: list[Route] = []
    for vehicle in problem.vehicles:
        stops = sequences[vehicle.id]
        if vehicle.reload_at and len(stops) > 2 and dice.random() < 0.7:
            stops.insert(dice.randint(1, len(stops) - 1), Stop("reload", str(vehicle.reload_at[0])))
        if stops:
            routes.append(Line.of(known, vehicle, stops).timed().route)
    return Plan(tuple(routes), tuple(left_out), cost_of(problem, routes, left_out))


def cost_of(problem: Problem, routes: list[Route], left_out: list[Unserved]) -> int:
    known = Known(problem)
    prizes = [
        (known.jobs[u.id] if u.id in known.jobs else known.shipments[u.id].pickup).prize or 0
        for u in left_out
    ]
    return sum(prizes) + sum(
        route_cost(known.vehicles[r.vehicle], r.distance_m, r.end_s - r.start_s) for r in routes
    )
