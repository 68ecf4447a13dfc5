"""`routing.solve`: every kind of problem gets a plan that the independent check accepts, and every job left out its reason.

The problems are small and drawn with a seed; the check drives the answer again from the matrices. Optimal values are known
where a problem is small enough to be tried out by hand.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

import routing
from routing.formats import read
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
    Visit,
    Window,
)
from routing.solve import BadProblem, Progress, engine_for

DAY = Window(0, 36_000)


def town(places: int, seed: int = 1) -> Matrix:
    """Places within ten kilometres, driven at ten metres a second; no way is as long as the way back."""
    draw = random.Random(seed)
    at = [(draw.randint(0, 10_000), draw.randint(0, 10_000)) for _ in range(places)]
    away = np.array([[round(np.hypot(a[0] - b[0], a[1] - b[1])) for b in at] for a in at], dtype=np.int64)
    away += np.array([[draw.randint(0, 200) for _ in at] for _ in at])
    np.fill_diagonal(away, 0)
    return Matrix(away, away // 10)


def line(*metres: int) -> Matrix:
    """Places on one straight road, ten metres a second."""
    away = np.array([[abs(a - b) for b in metres] for a in metres], dtype=np.int64)
    return Matrix(away, away // 10)


def jobs(count: int, seed: int = 1, load: int = 5) -> tuple[Job, ...]:
    draw = random.Random(seed)
    return tuple(
        Job(f"J{n}", n, (draw.randint(1, load),), service_s=300, windows=(Window(o := draw.randint(0, 20_000), o + 7200),))
        for n in range(1, count + 1)
    )  # fmt: skip


def van(name: str = "VAN-1", **rules: object) -> Vehicle:
    return replace(Vehicle(name, 0, 0, (40,), DAY), **rules)  # type: ignore[arg-type]


def solve(problem: Problem, limit_s: float = 0.4, **more: object) -> Plan:
    """Solved, and accepted by the check."""
    plan = routing.solve(problem, limit_s=limit_s, **more)  # type: ignore[arg-type]
    assert routing.check(problem, plan) == []
    return plan


def route(plan: Plan, vehicle: str = "VAN-1") -> Route:
    return next(r for r in plan.routes if r.vehicle == vehicle)


def visited(plan: Plan, vehicle: str = "VAN-1") -> list[str]:
    return [v.id for v in route(plan, vehicle).visits]


def left_out(plan: Plan) -> dict[str, Unserved]:
    return {u.id: u for u in plan.unserved}


# --- plans ---------------------------------------------------------------------------------------------------


def test_nothing_to_do_is_no_route() -> None:
    assert solve(Problem((van(),), (town(2),))) == Plan((), (), 0)


def test_a_small_round_is_the_shortest_there_is() -> None:
    matrix = town(7)
    plan = solve(Problem((van(),), (matrix,), tuple(Job(f"J{n}", n) for n in range(1, 7))))
    away = matrix.distance_m
    shortest = min(
        sum(int(away[a, b]) for a, b in zip((0, *way), (*way, 0), strict=True))
        for way in permutations(range(1, 7))
    )
    assert plan.cost == route(plan).distance_m == shortest


def test_a_small_problem_does_not_take_all_the_time_it_may() -> None:
    solve(Problem((van(),), (town(4),), jobs(3)), limit_s=3600)  # longer than any test may take


def test_a_fleet_serves_what_its_loads_windows_and_shifts_allow() -> None:
    plan = solve(Problem(tuple(van(f"VAN-{n}") for n in range(1, 6)), (town(41),), jobs(40)))
    assert plan.unserved == ()


def test_every_dimension_of_the_load_counts() -> None:
    both = tuple(Job(f"J{n}", n, (1, 10)) for n in range(1, 5))
    plan = solve(Problem((van(capacity=(40, 20)), van("VAN-2", capacity=(40, 20))), (town(5),), both))
    assert sorted(len(r.visits) for r in plan.routes) == [2, 2]


def test_a_job_with_two_windows_is_served_in_one_of_them() -> None:
    early, late = Window(0, 100), Window(20_000, 20_100)
    there = Job("J1", 1, windows=(early, late))
    plan = solve(Problem((van(shift=Window(5_000, 36_000)),), (line(0, 5_000),), (there,)))
    assert route(plan).visits[0].start_s == 20_000


def test_the_start_is_as_late_as_delays_nothing() -> None:
    plan = solve(Problem((van(),), (line(0, 5_000),), (Job("J1", 1, windows=(Window(10_000, 12_000),)),)))
    assert route(plan).start_s == 9_500


def test_depots_differ_and_an_open_route_ends_where_it_is() -> None:
    matrix = line(0, 1_000, 9_000, 10_000)
    plan = solve(
        Problem((Vehicle("A", 0, None), Vehicle("B", 3, 3)), (matrix,), (Job("near A", 1), Job("near B", 2)))
    )
    assert visited(plan, "A") == ["near A"]
    assert route(plan, "A").distance_m == 1_000
    assert visited(plan, "B") == ["near B"]


def test_the_cheaper_vehicle_goes_first_whether_it_is_a_day_a_kilometre_or_an_hour_that_costs() -> None:
    matrix = line(0, 5_000)
    for dear in ({"fixed_cost": 9_000}, {"cost_per_km": 1_300}, {"cost_per_h": 9_000}):
        plan = solve(Problem((van("DEAR", **dear), van("CHEAP")), (matrix,), (Job("J1", 1),)))
        assert [r.vehicle for r in plan.routes] == ["CHEAP"], dear


def test_costs_that_are_no_whole_number_a_metre_are_summed_exactly() -> None:
    plan = solve(
        Problem(
            (van(fixed_cost=700, cost_per_km=1_250, cost_per_h=2_900),), (line(0, 5_000),), (Job("J1", 1),)
        )
    )
    assert plan.cost == round(700 + 1.25 * 10_000 + 2_900 * 1_000 / 3_600)


def test_each_vehicle_drives_by_its_own_matrix() -> None:
    truck = line(0, 5_000)
    bicycle = Matrix(truck.distance_m // 2, truck.duration_s)
    plan = solve(Problem((van("TRUCK"), van("BICYCLE", profile=1)), (truck, bicycle), (Job("J1", 1),)))
    assert route(plan, "BICYCLE").distance_m == 5_000


def test_skills_and_locks_decide_who_serves() -> None:
    fleet = tuple(van(f"VAN-{n}", skills=frozenset({"cold"}) if n == 2 else frozenset()) for n in range(1, 5))
    wanted = (
        Job("frozen", 1, skills=frozenset({"cold"})),
        Job("aboard 3", 2, vehicles=frozenset({"VAN-3"})),
        Job("aboard 4", 3, vehicles=frozenset({"VAN-4"})),
        Job("either", 4, vehicles=frozenset({"VAN-1", "VAN-4"})),
    )
    plan = solve(Problem(fleet, (town(5),), wanted))
    by = {v.id: r.vehicle for r in plan.routes for v in r.visits}
    assert (by["frozen"], by["aboard 3"], by["aboard 4"]) == ("VAN-2", "VAN-3", "VAN-4")
    assert by["either"] in ("VAN-1", "VAN-4")


def test_twenty_vans_whose_goods_are_aboard_keep_them() -> None:
    fleet = tuple(van(f"VAN-{n}") for n in range(20))
    wanted = tuple(Job(f"J{n}", n, vehicles=frozenset({f"VAN-{n % 20}"})) for n in range(1, 41))
    plan = solve(Problem(fleet, (town(41),), wanted))
    assert {v.id: r.vehicle for r in plan.routes for v in r.visits} == {
        f"J{n}": f"VAN-{n % 20}" for n in range(1, 41)
    }


def test_a_trip_waits_for_its_goods() -> None:
    plan = solve(Problem((van(),), (line(0, 1_000, 2_000),), (Job("J1", 1), Job("J2", 2, release_s=7_000))))
    assert route(plan).start_s >= 7_000


def test_a_van_that_may_reload_makes_a_second_trip_and_takes_its_time_for_it() -> None:
    vehicle = van(capacity=(10,), reload_at=(0,), reload_s=900, max_trips=2)
    plan = solve(Problem((vehicle,), (line(0, 1_000, 2_000),), (Job("J1", 1, (8,)), Job("J2", 2, (8,)))))
    loading = next(v for v in route(plan).visits if v.kind == "reload")
    assert plan.unserved == ()
    assert loading.leave_s - loading.start_s == 900


def test_what_is_taken_along_fits_where_something_was_brought() -> None:
    swap = tuple(Job(f"J{n}", n, (20,), (20,)) for n in (1, 2))
    plan = solve(Problem((van(),), (town(3),), swap))
    assert plan.unserved == ()


def test_shipments_go_from_door_to_door_in_the_right_order() -> None:
    wanted = tuple(
        Shipment(f"S{n}", Job(f"S{n}", n, service_s=60), Job(f"S{n}", n + 4, service_s=60), (15,))
        for n in range(1, 5)
    )
    plan = solve(Problem((van(), van("VAN-2")), (town(9),), (), wanted))
    assert plan.unserved == ()


def test_a_limit_of_distance_duration_or_stops_is_kept() -> None:
    for limit in ({"max_distance_m": 30_000}, {"max_duration_s": 3_000}, {"max_stops": 3}):
        fleet = tuple(van(f"VAN-{n}", **limit) for n in range(1, 5))
        plan = solve(Problem(fleet, (town(11),), tuple(Job(f"J{n}", n, service_s=60) for n in range(1, 11))))
        assert len(plan.routes) > 1, limit


# --- what PyVRP cannot state ---------------------------------------------------------------------------------


def test_what_pyvrp_cannot_state_goes_to_ortools_and_what_it_can_does_not() -> None:
    once = Shipment("S1", Job("S1", 1), Job("S1", 2), (1,))
    twice = replace(once, pickup=replace(once.pickup, windows=(Window(0, 10), Window(500, 600))))
    ready = replace(once, pickup=replace(once.pickup, release_s=5))
    plain = Problem((van(),), (town(3),), (Job("J1", 1, windows=(Window(0, 10), Window(90, 99))),), (once,))
    assert engine_for(plain)[0] == "pyvrp"
    assert engine_for(replace(plain, vehicles=(van(breaks=(Break(DAY, 60),)),)))[0] == "pyvrp"
    assert engine_for(replace(plain, shipments=(twice,)))[0] == "ortools"
    assert engine_for(replace(plain, shipments=(ready,)))[0] == "ortools"
    assert engine_for(replace(plain, vehicles=(van(max_stops=5),)))[0] == "ortools"


def test_a_shipment_with_two_windows_is_taken_in_one_of_them() -> None:
    open_twice = (Window(0, 100), Window(9_000, 9_500))
    wanted = tuple(
        Shipment(f"S{n}", Job(f"S{n}", n, windows=open_twice), Job(f"S{n}", n + 2), (5,)) for n in (1, 2)
    )
    plan = solve(Problem((van(shift=Window(3_000, 36_000)),), (town(5),), (), wanted))
    assert plan.unserved == ()
    assert all(v.start_s >= 9_000 for v in route(plan).visits)


def test_a_shipment_counts_as_two_stops() -> None:
    wanted = tuple(Shipment(f"S{n}", Job(f"S{n}", n), Job(f"S{n}", n + 3), (5,)) for n in (1, 2, 3))
    plan = solve(Problem((van(max_stops=4), van("VAN-2", max_stops=4)), (town(7),), (), wanted))
    assert plan.unserved == ()
    assert sorted(len(r.visits) for r in plan.routes) == [2, 4]


# --- breaks --------------------------------------------------------------------------------------------------


def test_a_driver_rests_where_it_delays_nothing() -> None:
    lunch = Break(Window(11_000, 13_000), 1_800)
    waits = Job("J2", 1, windows=(Window(14_000, 15_000),))
    plan = solve(
        Problem(
            (van(breaks=(lunch,)),),
            (line(0, 5_000),),
            (Job("J1", 1, windows=(Window(9_000, 10_000),)), waits),
        )
    )
    assert [v.start_s for v in route(plan).visits if v.id == "J2"] == [14_000]
    assert sum(v.kind == "break" for v in route(plan).visits) == 1


def test_a_day_that_is_too_full_for_the_break_is_shared_with_another_van() -> None:
    """Eight hours of service in nine and a half hours of shift leave no hour for lunch; a second van does."""
    lunch = Break(Window(14_000, 18_000), 3_600)
    busy = tuple(Job(f"J{n}", n, service_s=2_700) for n in range(1, 13))
    fleet = (van(breaks=(lunch,)), van("VAN-2", breaks=(lunch,), fixed_cost=10))
    plan = solve(Problem(fleet, (line(*range(0, 2_600, 200)),), busy), limit_s=1)
    assert plan.unserved == ()
    assert len(plan.routes) == 2


def test_no_break_is_taken_by_who_is_home_before_it_is_due() -> None:
    plan = solve(
        Problem((van(breaks=(Break(Window(20_000, 22_000), 1_800),)),), (line(0, 500),), (Job("J1", 1),))
    )
    assert [v.kind for v in route(plan).visits] == ["job"]


# --- what is left out ----------------------------------------------------------------------------------------


def test_too_much_work_is_never_a_failure_and_everything_left_out_says_why() -> None:
    plan = solve(Problem((van(capacity=(10,)),), (town(31),), jobs(30)))
    assert {u.reason for u in plan.unserved} <= {"no_capacity_left", "no_time_left"}
    assert 0 < len(plan.unserved) < 30


def test_no_vehicle_at_all_is_a_reason_too() -> None:
    plan = solve(Problem((), (town(2),), jobs(1)))
    assert left_out(plan)["J1"].reason == "no_vehicle_allowed"


@pytest.mark.parametrize(
    ("job", "reason", "words"),
    [
        (Job("J1", 1, (50,)), "too_heavy", ["50", "VAN-1", "40", "10 less"]),
        (Job("J1", 2), "no_road", ["VAN-1"]),
        (Job("J1", 1, windows=(Window(0, 100),)), "window_too_short", ["VAN-1", "closes 7 min later"]),
        (Job("J1", 1, windows=()), "window_too_short", ["never open"]),
        (Job("J1", 1, service_s=40_000), "window_too_short", ["longer shift"]),
        (Job("J1", 1, skills=frozenset({"cold"})), "no_vehicle_allowed", ["cold", "VAN-1"]),
        (Job("J1", 1, vehicles=frozenset({"VAN-9"})), "no_vehicle_allowed", ["VAN-9"]),
        (Job("J1", 1, prize=9_000), "not_worth_it", ["10000", "9000"]),
    ],
)
def test_what_cannot_be_served_says_why_and_what_would_make_it_fit(
    job: Job, reason: str, words: list[str]
) -> None:
    matrix = line(0, 5_000, 6_000)
    matrix.distance_m[:, 2] = matrix.distance_m[2, :] = NO_ROAD
    matrix.distance_m[2, 2] = 0
    plan = solve(Problem((van(),), (matrix,), (job,)))
    found = left_out(plan)["J1"]
    assert found.reason == reason
    assert [w for w in words if w not in found.detail] == [], found.detail


def test_a_full_van_says_how_much_is_too_much() -> None:
    plan = solve(Problem((van(),), (line(0, 1_000, 2_000),), (Job("J1", 1, (30,)), Job("J2", 2, (25,)))))
    (found,) = plan.unserved
    assert found.reason == "no_capacity_left"
    assert "15 less" in found.detail


def test_a_full_day_says_how_late_it_would_be() -> None:
    at_eight = (Window(5_000, 5_000),)
    far = line(0, 20_000, -20_000)
    plan = solve(Problem((van(),), (far,), (Job("J1", 1, windows=at_eight), Job("J2", 2, windows=at_eight))))
    (found,) = plan.unserved
    assert found.reason == "no_time_left"
    assert "67 min late" in found.detail


def test_a_required_job_takes_the_place_of_an_optional_one() -> None:
    want = (Job("must", 1, (30,)), Job("may", 2, (30,), prize=1_000_000))
    plan = solve(Problem((van(),), (line(0, 9_000, 100),), want))
    assert visited(plan) == ["must"]


def test_an_optional_job_is_served_where_its_prize_pays_the_way() -> None:
    plan = solve(
        Problem((van(),), (line(0, 5_000, -8_000),), (Job("J1", 1, prize=11_000), Job("J2", 2, prize=11_000)))
    )
    assert visited(plan) == ["J1"]
    assert plan.cost == 10_000 + 11_000


# --- starting from an earlier plan ---------------------------------------------------------------------------


def test_a_plan_to_start_from_never_comes_out_worse() -> None:
    problem = Problem(tuple(van(f"VAN-{n}") for n in range(1, 5)), (town(61),), jobs(60, load=2))
    first = solve(problem, limit_s=1)
    again = solve(problem, limit_s=0.1, start=first)
    assert (len(again.unserved), again.cost) <= (len(first.unserved), first.cost)


def test_a_new_job_is_put_into_the_plan_there_is() -> None:
    before = Problem(tuple(van(f"VAN-{n}") for n in range(1, 5)), (town(42),), jobs(40, load=2))
    after = replace(before, jobs=(*before.jobs, Job("URGENT", 41)))
    plan = solve(after, limit_s=0.2, start=solve(before))
    assert "URGENT" in {v.id for r in plan.routes for v in r.visits}


def test_a_start_that_speaks_of_other_vans_and_jobs_does_no_harm() -> None:
    stranger = Route("VAN-9", 0, 1, (Visit("job", "J1", 0, 0, 0), Visit("job", "gone", 0, 0, 0)), 0)
    odd = Plan((stranger, replace(stranger, vehicle="VAN-1")))
    assert solve(Problem((van(),), (town(4),), jobs(3)), start=odd).unserved == ()


def test_the_same_seed_gives_the_same_plan_where_the_search_ends_by_itself() -> None:
    problem = Problem((van(),), (town(6),), jobs(5))
    assert solve(problem, limit_s=30, seed=3) == solve(problem, limit_s=30, seed=3)


def test_progress_is_told_while_it_is_made() -> None:
    told: list[Progress] = []
    solve(Problem((van(),), (town(21),), jobs(20, load=1)), on_progress=told.append)
    assert told
    assert all(p.elapsed_s >= 0 and p.cost > 0 for p in told)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Problem((van(), van()), (town(2),)), "two vehicles called VAN-1"),
        (Problem((van(),), (town(2),), (Job("J1", 2),)), "place 2"),
        (Problem((van(profile=1),), (town(2),)), "profile 1"),
        (Problem((van(),), (town(2),), (Job("J1", 1, (-1,)),)), "negative"),
        (Problem((van(),), ()), "no matrix"),
        (Problem((van(breaks=(Break(Window(0, 5), -5),)),), (town(2),)), "VAN-1 .* break"),
        (Problem((van(fixed_cost=10**18),), (town(2),)), "VAN-1 .* too large"),
        (Problem((van(),), (town(2),), (Job("J1", 1, (10**18,)),)), "J1 .* too large"),
        (Problem((van(),), (town(2),), (Job("J1", 1, windows=(Window(0, 2**63 - 1),)),)), "J1 .* too large"),
        (Problem((van(),), (line(0, 10**15),)), "matrix 0 .* too large"),
    ],
)
def test_a_problem_that_contradicts_itself_is_refused_in_a_sentence(problem: Problem, words: str) -> None:
    with pytest.raises(BadProblem, match=words):
        routing.solve(problem, limit_s=1)


# --- what others published -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "best", "gap"),
    [
        ("solomon/C101.txt", 827.3, 0.01),
        ("solomon/RC208.txt", 776.1, 0.08),
        ("homberger_200/c1_2_1.txt", 2698.6, 0.25),
        ("pdptw/lc101.txt", 828.94, 0.05),
        ("pdptw/lrc101.txt", 1708.8, 0.10),
        ("mdvrptw/PR11A.vrp", 6655.534, 0.60),
        ("mtvrptwr/R201R0.5.vrp", 1442.6, 0.15),
        ("mtvrptwr/C201R0.25.vrp", 1500.6, 0.15),
    ],
)
def test_published_instances_are_served_whole_and_near_the_best_known(
    vectors: Path, file: str, best: float, gap: float
) -> None:
    instance = read(vectors / "vrp" / file)
    plan = solve(instance.problem, limit_s=1.2)
    for _ in range(20):  # a slow machine gets there later
        if not plan.unserved and instance.cost(plan) <= best * (1 + gap):
            break
        plan = solve(instance.problem, limit_s=5, start=plan)
    assert plan.unserved == ()
    assert instance.cost(plan) <= best * (1 + gap)


def test_fewest_vehicles_come_first_where_that_is_asked_for(vectors: Path) -> None:
    instance = read(vectors / "vrp" / "solomon" / "C201.txt", objective="vehicles", rounding="exact")
    plan = solve(instance.problem, limit_s=1.5)
    assert len(plan.routes) == 3
