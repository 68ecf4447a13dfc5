"""Every slot is what the plan would be with it: examples worked out by hand, and random plans against `check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

import routing
from routing import insertion
from routing.insertion import Need, Way, best, placed, removed, slots, what_would_it_take
from routing.problem import NO_ROAD, Break, Job, Matrix, Plan, Problem, Shipment, Unserved, Vehicle, Window
from routing.schedule import Known, Line, Stop, stops_of
from tests.routing.random_problems import cost_of, random_plan, random_problem

# A street: the depot at 0, then a place every 100 s and 1000 m.
METRES = np.array([[abs(a - b) * 1000 for b in range(6)] for a in range(6)], np.int64)
LEFT_OUT = Unserved("NEW", "no_time_left", "not tried yet")


def street(*vehicles: Vehicle, jobs: tuple[Job, ...], shipments: tuple[Shipment, ...] = ()) -> Problem:
    return Problem(vehicles, (Matrix(METRES, METRES // 10),), jobs, shipments)


def plan_of(problem: Problem, **routes: list[str | Stop]) -> Plan:
    """Vehicle ids cannot be keywords with a dash: VAN_1 is VAN-1."""
    known = Known(problem)
    driven = [
        Line.of(known, known.vehicles[name.replace("_", "-")], stops_of(visits)).timed().route
        for name, visits in routes.items()
    ]
    served = {v.id for r in driven for v in r.visits}
    left_out = [Unserved(j.id, "no_time_left", "") for j in problem.jobs if j.id not in served]
    left_out += [Unserved(s.id, "no_time_left", "") for s in problem.shipments if s.id not in served]
    return Plan(tuple(driven), tuple(left_out), cost_of(problem, driven, left_out))


def test_every_slot_of_every_vehicle_is_there_also_of_one_that_stands_still() -> None:
    problem = street(
        Vehicle("VAN-1", 0, 0), Vehicle("VAN-2", 0, 0, fixed_cost=500), jobs=(Job("A", 1), Job("B", 3), Job("NEW", 2))
    )  # fmt: skip
    found = slots(problem, plan_of(problem, VAN_1=["A", "B"]), "NEW")
    assert [(s.vehicle, s.position, s.extra_m, s.extra_s, s.extra_cost) for s in found] == [
        ("VAN-1", 0, 2000, 200, 2000),
        ("VAN-1", 1, 0, 0, 0),
        ("VAN-1", 2, 0, 0, 0),
        ("VAN-2", 0, 4000, 400, 4500),
    ]
    assert best(problem, plan_of(problem, VAN_1=["A", "B"]), "NEW") == found[1]


def test_a_slot_says_who_is_late_then_and_by_how_much() -> None:
    jobs = (
        Job("A", 1, windows=(Window(0, 500),)), Job("B", 3, windows=(Window(0, 400),)),
        Job("NEW", 5, service_s=60, windows=(Window(0, 800),)),
    )  # fmt: skip
    problem = street(Vehicle("VAN-1", 0, 0, shift=Window(0, 1000)), jobs=jobs)
    first, middle, last = slots(problem, plan_of(problem, VAN_1=["A", "B"]), "NEW")
    assert first.late_s == {"A": 460, "B": 760}
    assert middle.late_s == {"B": 360}
    assert (middle.overtime_s, [v.kind for v in middle.violations]) == (
        60,
        ["outside_window", "outside_shift"],
    )
    assert last.late_s == {}
    assert last.overtime_s == 60
    assert (last.arrive_s, last.leave_s, last.ends_s) == (500, 560, 1060)


def test_load_counts_until_it_is_brought_and_from_where_it_is_taken() -> None:
    jobs = (Job("A", 1, (6,), (2,)), Job("B", 2, (3,), (8,)), Job("NEW", 3, (1,), (1,)))
    problem = street(Vehicle("VAN-1", 0, 0, (10,)), jobs=jobs)
    plan = plan_of(problem, VAN_1=["A", "B"])  # aboard: 9, 5, 10
    assert [s.over_load for s in slots(problem, plan, "NEW")] == [(1,), (1,), (1,)]
    lighter = replace(problem, jobs=(*jobs[:2], Job("NEW", 3, (1,))))
    assert [s.over_load for s in slots(lighter, plan, "NEW")] == [(), (), (1,)]


def test_a_stop_that_is_in_the_plan_is_moved_and_the_figures_are_of_the_whole_plan() -> None:
    jobs = (Job("A", 1), Job("FAR", 5), Job("B", 4))
    problem = street(Vehicle("VAN-1", 0, 0), Vehicle("VAN-2", 0, 0), jobs=jobs)
    plan = plan_of(problem, VAN_1=["A", "FAR"], VAN_2=["B"])
    found = {(s.vehicle, s.position): s.extra_m for s in slots(problem, plan, "FAR")}
    assert found == {("VAN-1", 0): 0, ("VAN-1", 1): 0, ("VAN-2", 0): -6000, ("VAN-2", 1): -6000}
    moved = placed(problem, plan, "FAR", slots(problem, plan, "FAR")[3])
    assert routing.check(problem, moved) == []
    assert {r.vehicle: [v.id for v in r.visits] for r in moved.routes} == {
        "VAN-1": ["A"],
        "VAN-2": ["B", "FAR"],
    }
    assert moved.cost == plan.cost - 6000


def test_a_van_whose_only_stop_is_moved_away_stays_at_home() -> None:
    problem = street(
        Vehicle("VAN-1", 0, 0, fixed_cost=90), Vehicle("VAN-2", 0, 0), jobs=(Job("A", 1), Job("B", 2))
    )
    plan = plan_of(problem, VAN_1=["A"], VAN_2=["B"])
    slot = next(s for s in slots(problem, plan, "A") if s.vehicle == "VAN-2")
    assert slot.extra_cost == -2090
    assert [r.vehicle for r in placed(problem, plan, "A", slot).routes] == ["VAN-2"]


def test_a_stop_taken_out_is_listed_with_its_reason() -> None:
    problem = street(Vehicle("VAN-1", 0, 0), jobs=(Job("A", 1), Job("NEW", 2, prize=70)))
    less = removed(problem, plan_of(problem, VAN_1=["A", "NEW"]), "NEW", LEFT_OUT)
    assert routing.check(problem, less) == []
    assert (less.unserved, less.cost) == ((LEFT_OUT,), 2070)


def test_a_shipment_has_a_slot_for_each_pair_of_positions_on_one_trip() -> None:
    vehicle = Vehicle("VAN-1", 0, 0, (5,), reload_at=(0,), max_trips=2)
    goods = Shipment("NEW", Job("from", 1), Job("to", 2), (5,))
    problem = street(vehicle, jobs=(Job("A", 3, (1,)), Job("B", 4, (5,))), shipments=(goods,))
    plan = plan_of(problem, VAN_1=["A", Stop("reload", "0"), "B"])
    found = slots(problem, plan, "NEW")
    assert [(s.position, s.drop_position) for s in found] == [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)]
    assert [s.feasible for s in found] == [False, False, True, False, False, True]
    chosen = best(problem, plan, "NEW")
    assert chosen is not None
    assert routing.check(problem, placed(problem, plan, "NEW", chosen)) == []


def test_where_it_fits_it_is_said_so() -> None:
    problem = street(
        Vehicle("VAN-3", 0, 0), jobs=(Job("A", 1), Job("NEW", 2, windows=(Window(38_400, 39_000),)))
    )
    (way,) = what_would_it_take(problem, plan_of(problem, VAN_3=["A"]), "NEW")
    assert way.sentence == "fits VAN-3 at 10:40"
    assert way.needs == ()


def test_what_it_would_take_is_said_with_figures_the_easiest_first() -> None:
    """VAN-3 is at A at 700 and must be home by 1200; NEW, two places further, opens at 1080. VAN-4 has time, and 5 kg left."""
    jobs = (
        Job("A", 1, (5000,), windows=(Window(700, 700),)), Job("B", 1, (45_000,), windows=(Window(100, 100),)),
        Job("NEW", 3, (12_000,), windows=(Window(1080, 3000),)),
    )  # fmt: skip
    problem = street(
        Vehicle("VAN-3", 0, 0, (20_000,), Window(0, 1200)), Vehicle("VAN-4", 0, 0, (50_000,), Window(0, 3000)), jobs=jobs
    )  # fmt: skip
    ways = what_would_it_take(problem, plan_of(problem, VAN_3=["A"], VAN_4=["B"]), "NEW", units=("g",))
    assert [w.sentence for w in ways] == [
        "fits VAN-3 at 00:15 if the window opens 3 minutes earlier",
        "fits VAN-3 at 00:18 with 3 minutes overtime",
        "fits VAN-4 at 00:18 with 7 kg less",
    ]
    assert ways[0].needs == (Need("window_opens_earlier", 180, "NEW"),)
    assert ways[1].needs == (Need("overtime", 180),)
    assert ways[2].needs == (Need("less_load", 7000, dimension=0),)


def test_a_lock_a_skill_and_the_windows_of_others_are_named() -> None:
    jobs = (
        Job("SHOP-7", 2, windows=(Window(0, 200),)),
        Job("NEW", 1, service_s=240, vehicles=frozenset({"VAN-9"})),
    )
    problem = street(Vehicle("VAN-1", 0, None, shift=Window(0, 440)), jobs=jobs)
    ways = what_would_it_take(problem, plan_of(problem, VAN_1=["SHOP-7"]), "NEW", name=str.lower)
    assert {w.sentence for w in ways} == {
        "fits van-1 at 00:01 if shop-7 may be served 4 minutes late and it may be served by this vehicle",
        "fits van-1 at 00:05 if it may be served by this vehicle with 2 minutes overtime",
    }
    skilled = replace(problem, jobs=(jobs[0], Job("NEW", 2, skills=frozenset({"fridge"}))))
    (way,) = what_would_it_take(skilled, plan_of(problem, VAN_1=["SHOP-7"]), "NEW")
    assert way.sentence == "fits VAN-1 at 00:03 if it can do fridge"


def test_nothing_helps_where_no_road_leads() -> None:
    metres = METRES.copy()
    metres[2, :] = NO_ROAD
    problem = Problem((Vehicle("VAN-1", 0, 0),), (Matrix(metres, METRES // 10),), (Job("NEW", 2),))
    assert what_would_it_take(problem, Plan((), (LEFT_OUT,)), "NEW") == []


# --- at random ----------------------------------------------------------------------------------------------

NOT_OF_A_SLOT = {"split_shipment", "pickup_after_delivery"}
OF_ONE_STOP = {"missing_skill", "vehicle_not_allowed"}


def ids_of(problem: Problem) -> list[str]:
    return [*(j.id for j in problem.jobs), *(s.id for s in problem.shipments)]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
@example(1358)  # a break, and windows that opened only later
@example(30132)  # two breaks at once
def test_a_slot_says_what_check_says_of_the_plan_with_it(seed: int) -> None:
    """Metres, seconds, times, lateness and broken rules of each slot, against the plan made of it and driven by `check`."""
    dice = Random(seed)
    problem = random_problem(dice)
    plan = random_plan(dice, problem)
    if not ids_of(problem):
        return
    id_ = dice.choice(ids_of(problem))
    for slot in slots(problem, plan, id_):
        after = placed(problem, plan, id_, slot)
        found = [v for v in routing.check(problem, after) if v.vehicle == slot.vehicle]
        assert {v.kind for v in slot.violations} == {
            v.kind for v in found if v.kind not in NOT_OF_A_SLOT and (v.kind not in OF_ONE_STOP or v.visit == id_)
        }  # fmt: skip
        assert slot.late_s.keys() == {v.visit for v in found if v.kind == "outside_window"}
        assert slot.extra_m == sum(r.distance_m for r in after.routes) - sum(
            r.distance_m for r in plan.routes
        )
        assert slot.extra_s == sum(r.end_s - r.start_s for r in after.routes) - sum(
            r.end_s - r.start_s for r in plan.routes
        )
        route = next(r for r in after.routes if r.vehicle == slot.vehicle)
        visit = next(v for v in route.visits if v.id == id_ and v.kind in ("job", "pickup"))
        assert (slot.arrive_s, slot.start_s, slot.leave_s) == (visit.arrive_s, visit.start_s, visit.leave_s)
        assert slot.ends_s == route.end_s


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_what_it_would_take_is_enough_and_one_second_less_is_not(seed: int) -> None:
    dice = Random(seed)
    problem = random_problem(dice)
    plan = random_plan(dice, problem)
    if not ids_of(problem):
        return
    id_ = dice.choice(ids_of(problem))
    for way in what_would_it_take(problem, plan, id_):
        assert fits(granted(problem, way, id_), plan, id_, way), way
        if len(way.needs) == 1 and way.needs[0].amount and not problem.shipments:
            less = replace(way, needs=(replace(way.needs[0], amount=way.needs[0].amount - 1),))
            # A route that may take longer is timed anew, and may then do with less; all other figures are exact.
            assert way.needs[0].kind == "longer_time" or not fits(granted(problem, less, id_), plan, id_, way)


def fits(problem: Problem, plan: Plan, id_: str, way: Way) -> bool:
    where = (way.vehicle, way.position, way.drop_position)
    return any(
        s.feasible for s in slots(problem, plan, id_) if (s.vehicle, s.position, s.drop_position) == where
    )


def granted(problem: Problem, way: Way, id_: str) -> Problem:
    """The problem with all that it would take."""
    for need in way.needs:
        problem = _granted(problem, need, way.vehicle, id_)
    return problem


def _granted(problem: Problem, need: Need, vehicle_id: str, id_: str) -> Problem:
    n = need.amount

    def of_visit(id_: str | None, change: Callable[[Job], Job]) -> Problem:
        return replace(
            problem,
            jobs=tuple(change(j) if j.id == id_ else j for j in problem.jobs),
            shipments=tuple(
                replace(s, pickup=change(s.pickup), delivery=change(s.delivery)) if s.id == id_ else s
                for s in problem.shipments
            ),
        )

    def of_vehicle(change: Callable[[Vehicle], Vehicle]) -> Problem:
        return replace(
            problem, vehicles=tuple(change(v) if v.id == vehicle_id else v for v in problem.vehicles)
        )

    def less(load: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(max(0, x - n) if d == need.dimension else x for d, x in enumerate(load))

    match need.kind:
        case "window_opens_earlier":
            return of_visit(
                need.visit,
                lambda j: replace(j, windows=tuple(Window(w.opens_s - n, w.closes_s) for w in j.windows)),
            )
        case "window_closes_later" | "other_window_closes_later":
            return of_visit(
                need.visit,
                lambda j: replace(j, windows=tuple(Window(w.opens_s, w.closes_s + n) for w in j.windows)),
            )
        case "allowed":
            return of_visit(id_, lambda j: replace(j, vehicles=None))
        case "skill":
            return of_vehicle(lambda v: replace(v, skills=v.skills | set(need.skills)))
        case "overtime":
            return of_vehicle(lambda v: replace(v, shift=Window(v.shift.opens_s, v.shift.closes_s + n)))
        case "longer_time":
            return of_vehicle(lambda v: replace(v, max_duration_s=(v.max_duration_s or 0) + n))
        case "longer_way":
            return of_vehicle(lambda v: replace(v, max_distance_m=(v.max_distance_m or 0) + n))
        case "more_stops":
            return of_vehicle(lambda v: replace(v, max_stops=(v.max_stops or 0) + n))
        case "no_break":
            return of_vehicle(lambda v: replace(v, breaks=()))
        case "less_load":
            changed = of_visit(id_, lambda j: replace(j, delivery=less(j.delivery), pickup=less(j.pickup)))
            lighter = tuple(replace(s, load=less(s.load)) if s.id == id_ else s for s in changed.shipments)
            return replace(changed, shipments=lighter)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_timed_side_by_side_or_one_by_one_the_slots_are_the_same(seed: int) -> None:
    """Three breaks that are never due make a vehicle go the slow way."""
    dice = Random(seed)
    problem = random_problem(dice)
    problem = replace(problem, vehicles=tuple(replace(v, breaks=()) for v in problem.vehicles), shipments=())
    plan = random_plan(dice, problem)
    if not problem.jobs:
        return
    never = Break(Window(-10, -1), 5)
    slow = replace(problem, vehicles=tuple(replace(v, breaks=(never,) * 3) for v in problem.vehicles))
    id_ = dice.choice(problem.jobs).id
    assert slots(problem, plan, id_) == slots(slow, plan, id_)
    assert insertion.best(problem, plan, id_) == insertion.best(slow, plan, id_)
