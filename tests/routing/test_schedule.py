"""The times of a given sequence: against examples worked out by hand, and against trying everything second by second."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import routing
from routing.problem import NO_ROAD, Break, Job, Matrix, Plan, Problem, Shipment, Vehicle, Window
from routing.schedule import FOREVER, Known, Line, Stop, Timed, stops_of, timed

# A street: the depot at 0, then a place every 100 s and 1000 m.
METRES = np.array([[abs(a - b) * 1000 for b in range(5)] for a in range(5)], np.int64)


def on_the_street(vehicle: Vehicle, *jobs: Job, shipments: tuple[Shipment, ...] = ()) -> Problem:
    return Problem((vehicle,), (Matrix(METRES, METRES // 10),), jobs, shipments)


def in_order(problem: Problem) -> Timed:
    return timed(problem, problem.vehicles[0], [j.id for j in problem.jobs])


def test_it_leaves_as_late_as_still_gets_it_back_as_early_as_it_can_be() -> None:
    """A opens at 1000, which decides everything after; leaving before 900 would only be waiting."""
    problem = on_the_street(
        Vehicle("VAN", 0, 0, shift=Window(0, 5000)), Job("A", 1, windows=(Window(1000, 1200),), service_s=30),
        Job("B", 2, service_s=10),
    )  # fmt: skip
    route = in_order(problem).route
    assert (route.start_s, route.end_s, route.distance_m) == (900, 1340, 4000)
    assert [(v.arrive_s, v.start_s, v.leave_s) for v in route.visits] == [
        (1000, 1000, 1030),
        (1130, 1130, 1140),
    ]


def test_a_wait_that_a_later_start_cannot_spare_stays() -> None:
    problem = on_the_street(
        Vehicle("VAN", 0, 0), Job("A", 1, windows=(Window(0, 300),)), Job("B", 2, windows=(Window(1000, 1200),))
    )  # fmt: skip
    first, second = in_order(problem).route.visits
    assert (first.start_s, second.arrive_s, second.start_s) == (300, 400, 1000)


def test_a_closed_window_is_waited_out_until_the_next_one() -> None:
    problem = on_the_street(
        Vehicle("VAN", 0, 0, shift=Window(400, 5000)), Job("A", 1, windows=(Window(0, 450), Window(700, 800)))
    )
    assert in_order(problem).route.visits[0].start_s == 700


def test_where_an_hour_costs_a_later_window_that_spares_waiting_is_taken() -> None:
    """By the early window of B it would stand about for 1700 s until A opens, and be back 50 s earlier."""
    jobs = (
        Job("B", 1, windows=(Window(0, 200), Window(1950, 2500))), Job("A", 2, windows=(Window(2000, 2100),)),
        Job("C", 1, windows=(Window(0, 2150), Window(2200, 2400))),
    )  # fmt: skip
    cheap = in_order(on_the_street(Vehicle("VAN", 0, 0), *jobs)).route
    dear = in_order(on_the_street(Vehicle("VAN", 0, 0, cost_per_h=3600), *jobs)).route
    assert (cheap.start_s, cheap.end_s) == (100, 2200)
    assert (dear.start_s, dear.end_s) == (1850, 2250)


def test_what_is_too_late_is_timed_all_the_same_and_told_by_how_much() -> None:
    problem = on_the_street(
        Vehicle("VAN", 0, 0, shift=Window(0, 500), max_duration_s=550, max_distance_m=3500),
        Job("A", 1, windows=(Window(0, 60),), service_s=300), Job("B", 2, windows=(Window(0, 450), Window(0, 50))),
    )  # fmt: skip
    found = in_order(problem)
    assert found.late_s == {"A": 40, "B": 50}
    assert (found.overtime_s, found.over_duration_s, found.over_distance_m) == (200, 150, 500)
    assert not found.feasible
    assert [v.start_s for v in found.route.visits] == [100, 500]
    kinds = {v.kind for v in found.violations(problem.vehicles[0])}
    assert kinds == {"outside_window", "outside_shift", "too_long", "too_far"}


def test_goods_that_are_not_there_yet_hold_back_the_trip_they_go_with_and_no_other() -> None:
    vehicle = Vehicle("VAN", 0, 0, reload_at=(0,), reload_s=50, max_trips=2)
    problem = on_the_street(vehicle, Job("A", 1), Job("B", 2, release_s=1000))
    route = timed(problem, vehicle, ["A", Stop("reload", "0"), "B"]).route
    assert [(v.id, v.start_s, v.leave_s) for v in route.visits] == [("A", 850, 850), ("0", 950, 1000), ("B", 1200, 1200)]  # fmt: skip
    together = timed(problem, vehicle, ["A", "B"]).route
    assert together.start_s == 1000


def test_a_break_falls_into_a_wait_that_is_there_anyway() -> None:
    vehicle = Vehicle("VAN", 0, 0, breaks=(Break(Window(200, 900), 300),))
    problem = on_the_street(
        vehicle, Job("A", 1, windows=(Window(0, 100),)), Job("B", 2, windows=(Window(1000, 1000),))
    )
    route = in_order(problem).route
    assert [v.kind for v in route.visits] == ["job", "break", "job"]
    assert route.end_s == 1200


def test_a_break_on_the_way_stands_still_and_the_rest_of_the_way_is_driven_after_it() -> None:
    vehicle = Vehicle("VAN", 0, 0, shift=Window(0, 3000), breaks=(Break(Window(250, 300), 500),))
    problem = on_the_street(vehicle, Job("A", 1, windows=(Window(0, 100),)), Job("B", 4))
    route = in_order(problem).route
    rest = route.visits[1]
    assert (rest.kind, rest.arrive_s, rest.start_s, rest.leave_s) == ("break", 250, 250, 750)
    assert route.visits[2].arrive_s == 900
    assert routing.check(problem, Plan((route,), (), route.distance_m)) == []


def test_a_break_is_kept_and_the_stop_is_late() -> None:
    vehicle = Vehicle("VAN", 0, 0, breaks=(Break(Window(150, 200), 60),))
    found = in_order(on_the_street(vehicle, Job("A", 1, windows=(Window(100, 100),), service_s=400)))
    assert found.late_s == {"A": 110}
    assert found.missed_breaks == ()


def test_of_two_breaks_at_once_one_is_told_to_have_no_time() -> None:
    vehicle = Vehicle("VAN", 0, 0, breaks=(Break(Window(150, 200), 60), Break(Window(160, 160), 60)))
    found = in_order(on_the_street(vehicle, Job("A", 4, windows=(Window(400, 400),), service_s=400)))
    assert len(found.missed_breaks) == 1
    assert "missing_break" in {v.kind for v in found.violations(vehicle)}


def test_a_leg_without_a_road_is_told_and_an_open_route_needs_no_road_back() -> None:
    metres = METRES.copy()
    metres[1, 0] = NO_ROAD
    problem = Problem((Vehicle("VAN", 0, 0),), (Matrix(metres, METRES // 10),), (Job("A", 1),))
    assert in_order(problem).no_road == (None,)
    assert in_order(replace(problem, vehicles=(Vehicle("VAN", 0, None),))).feasible


def test_both_ends_of_a_shipment_are_timed() -> None:
    goods = Shipment("S", Job("from", 1, service_s=20), Job("to", 3, windows=(Window(0, 200),)), (1,))
    problem = on_the_street(Vehicle("VAN", 0, 0), shipments=(goods,))
    found = timed(problem, "VAN", [Stop("pickup", "S"), Stop("delivery", "S")])
    assert found.late_s == {"S": 120}


def test_leeway_is_what_all_else_leaves_to_a_stop() -> None:
    vehicle = Vehicle("VAN", 0, 0, shift=Window(0, 2000))
    problem = on_the_street(
        vehicle,
        Job("A", 1),
        Job("B", 2, windows=(Window(5000, 5000),)),
        Job("C", 3, windows=(Window(0, 900),)),
    )
    line = Line.of(Known(problem), vehicle, stops_of(["A", "B", "C"]))
    assert line.leeway(1) == [(200, 800)]


# --- second by second ---------------------------------------------------------------------------------------


def tiny(dice: Random) -> Problem:
    """Times of a few seconds, so that everything can be tried."""
    horizon, places = dice.choice((25, 40)), 3
    duration = np.array([[0 if a == b else dice.randint(0, 7) for b in range(places)] for a in range(places)])
    jobs = []
    for n in range(dice.randint(0, 3)):
        opens = [dice.randint(0, horizon) for _ in range(dice.randint(1, 3))]
        windows = tuple(Window(o, o + dice.randint(0, 8)) for o in opens)
        if dice.random() < 0.3:
            windows = (Window(0, horizon),)
        release = dice.choice((0, 0, dice.randint(0, 8)))
        jobs.append(
            Job(
                str(n),
                dice.randrange(places),
                windows=windows,
                service_s=dice.randint(0, 4),
                release_s=release,
            )
        )
    begins = [dice.randint(0, horizon) for _ in range(dice.choice((0, 0, 1, 1, 2)))]
    breaks = tuple(Break(Window(o, o + dice.randint(0, 10)), dice.randint(0, 5)) for o in begins)
    opens_s = dice.randint(0, 6)
    vehicle = Vehicle(
        "VAN", 0, dice.choice((0, 1, None)), shift=Window(opens_s, opens_s + horizon), breaks=breaks,
        cost_per_h=dice.choice((0, 3600)),
    )  # fmt: skip
    return Problem((vehicle,), (Matrix(duration, duration),), tuple(jobs))


def every_way(problem: Problem) -> dict[int, int]:
    """By departure, the earliest end: each second the vehicle drives, stands, rests or serves, whichever it may."""
    vehicle, jobs = problem.vehicles[0], problem.jobs
    way = [vehicle.start, *(j.location for j in jobs), *([] if vehicle.end is None else [vehicle.end])]
    legs = [int(problem.matrices[0].duration_s[a, b]) for a, b in pairwise(way)]
    found: dict[int, int] = {}
    first = max(vehicle.shift.opens_s, *(j.release_s for j in jobs), 0)
    for leaves in range(first, vehicle.shift.closes_s + 1):
        rests = vehicle.breaks
        had = frozenset(n for n, b in enumerate(rests) if leaves >= b.window.opens_s + b.duration_s)
        ahead = {leaves: {(0, legs[0] if legs else 0, had)}}
        for now in range(leaves, vehicle.shift.closes_s + 1):
            todo, seen = list(ahead.pop(now, ())), set[tuple[int, int, frozenset[int]]]()
            while todo:
                state = todo.pop()
                if state in seen:
                    continue
                seen.add(state)
                at, to_drive, rested = state
                after: list[tuple[int, tuple[int, int, frozenset[int]]]] = [(1, state)]
                for n, b in enumerate(rests):
                    if n not in rested and b.window.opens_s <= now <= b.window.closes_s:
                        after.append((b.duration_s, (at, to_drive, rested | {n})))
                if to_drive:
                    after.append((1, (at, to_drive - 1, rested)))
                elif at == len(jobs):
                    if all(n in rested or now <= b.window.closes_s for n, b in enumerate(rests)):
                        found.setdefault(leaves, now)
                elif any(w.opens_s <= now <= w.closes_s for w in jobs[at].windows):
                    onward = legs[at + 1] if at + 1 < len(legs) else 0
                    after.append((jobs[at].service_s, (at + 1, onward, rested)))
                for takes, new in after:
                    if takes:
                        ahead.setdefault(now + takes, set()).add(new)
                    else:
                        todo.append(new)
            if leaves in found:
                break
    return found


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_no_way_of_driving_waiting_and_resting_is_better(seed: int) -> None:
    problem = tiny(Random(seed))
    every, found = every_way(problem), in_order(problem)
    assert found.feasible == bool(every)
    if not every:
        return
    route = found.route
    if problem.vehicles[0].cost_per_h:
        assert route.end_s - route.start_s == min(end - start for start, end in every.items())
    else:
        end = min(every.values())
        assert (route.end_s, route.start_s) == (end, max(s for s, e in every.items() if e == end))
    broken = routing.check(problem, Plan((route,), (), 0))
    assert {v.kind for v in broken} <= {"wrong_cost"}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_leeway_is_exactly_when_service_may_begin(seed: int) -> None:
    """Second by second: with that one second as its only window the sequence is in time, or it is not."""
    dice = Random(seed)
    problem = tiny(dice)
    if not problem.jobs:
        return
    at = dice.randrange(len(problem.jobs))
    vehicle, jobs = problem.vehicles[0], problem.jobs
    ids = [j.id for j in jobs]
    freed = replace(jobs[at], windows=(Window(0, FOREVER),))
    free = replace(problem, jobs=(*jobs[:at], freed, *jobs[at + 1 :]))
    spans = Line.of(Known(free), vehicle, stops_of(ids)).leeway(at)
    for second in range(vehicle.shift.closes_s + 1):
        pinned = replace(jobs[at], windows=(Window(second, second),))
        in_time = timed(replace(problem, jobs=(*jobs[:at], pinned, *jobs[at + 1 :])), vehicle, ids).feasible
        if any(a <= second <= b for a, b in spans):
            assert in_time
        elif in_time:  # between the breaks' own times there may be more
            assert vehicle.breaks
