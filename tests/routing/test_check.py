"""A plan that breaks a rule on purpose is caught: every rule alone, then many plans spoilt at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import routing
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
    ViolationKind,
    Visit,
    Window,
)
from tests.routing.random_problems import random_plan, random_problem

# Depot at 0, four places on a street of 100 s and 1000 m from one to the next.
METRES = np.array([[abs(a - b) * 1000 for b in range(5)] for a in range(5)], np.int64)
PROBLEM = Problem(
    vehicles=(
        Vehicle(
            "VAN-1", 0, 0, (10, 100), Window(0, 4000), fixed_cost=50, cost_per_km=1000, cost_per_h=3600,
            max_distance_m=20_000, max_duration_s=4000, max_stops=9, skills=frozenset({"fridge"}),
            breaks=(Break(Window(500, 900), 300),), reload_at=(0,), reload_s=60, max_trips=2,
        ),
        Vehicle("VAN-2", 0, None, (10, 100), Window(0, 4000)),
    ),
    matrices=(Matrix(METRES, METRES // 10),),
    jobs=(
        Job("A", 1, (6, 0), windows=(Window(0, 50), Window(150, 400)), service_s=60),
        Job("B", 2, (4, 0), pickup=(2, 0), service_s=60, skills=frozenset({"fridge"})),
        Job("C", 4, (9, 0), service_s=60, vehicles=frozenset({"VAN-1"}), release_s=1000),
        Job("D", 3, (1, 0), prize=700),
    ),
    shipments=(Shipment("S", Job("S-from", 1), Job("S-to", 3, windows=(Window(0, 3500),)), (1, 5)),),
)  # fmt: skip
VISITS = (
    Visit("job", "A", 100, 150, 210),
    Visit("job", "B", 310, 310, 370),
    Visit("break", "0", 420, 500, 800),  # half way home: 50 s of it are driven before, 150 s after
    Visit("reload", "0", 950, 950, 1010),
    Visit("pickup", "S", 1110, 1110, 1110),
    Visit("delivery", "S", 1310, 1310, 1310),
    Visit("job", "C", 1410, 1410, 1470),
)
GOOD = Plan(
    (Route("VAN-1", 0, 1870, VISITS, 12_000),),
    (Unserved("D", "not_worth_it", "costs more than it brings"),),
    50 + 12_000 + 1870 + 700,
)


def test_a_plan_that_keeps_every_rule_breaks_none() -> None:
    assert routing.check(PROBLEM, GOOD) == []


def vehicle(**changes: Any) -> tuple[Problem, Plan]:
    return replace(PROBLEM, vehicles=(replace(PROBLEM.vehicles[0], **changes), *PROBLEM.vehicles[1:])), GOOD


def job(id_: str, **changes: Any) -> tuple[Problem, Plan]:
    jobs = tuple(replace(j, **changes) if j.id == id_ else j for j in PROBLEM.jobs)
    return replace(PROBLEM, jobs=jobs), GOOD


def ends_of_s(**changes: Any) -> tuple[Problem, Plan]:
    whole = PROBLEM.shipments[0]
    return replace(PROBLEM, shipments=(replace(whole, pickup=replace(whole.pickup, **changes)),)), GOOD


def route(**changes: Any) -> tuple[Problem, Plan]:
    return PROBLEM, replace(GOOD, routes=(replace(GOOD.routes[0], **changes),))


def plan(**changes: Any) -> tuple[Problem, Plan]:
    return PROBLEM, replace(GOOD, **changes)


def visit(at: int, **changes: Any) -> tuple[Problem, Plan]:
    return route(visits=(*VISITS[:at], replace(VISITS[at], **changes), *VISITS[at + 1 :]))


def no_road(a: int, b: int, *, metres: bool) -> tuple[Problem, Plan]:
    """The plan knows no distance for that leg either, so that only the road is missing."""
    distance, duration = METRES.copy(), METRES // 10
    (distance if metres else duration)[a, b] = NO_ROAD
    less = int(METRES[a, b])
    shorter = replace(
        GOOD, routes=(replace(GOOD.routes[0], distance_m=12_000 - less),), cost=GOOD.cost - less
    )
    return replace(PROBLEM, matrices=(Matrix(distance, duration),)), shorter


def also_by_van_2(*visits: Visit, metres: int, ends_s: int) -> tuple[Problem, Plan]:
    """Somebody else drives, too; an open route without other costs than its metres."""
    return plan(routes=(*GOOD.routes, Route("VAN-2", 0, ends_s, visits, metres)), cost=GOOD.cost + metres)


def swapped_shipment() -> tuple[Problem, Plan]:
    """The same places at the same times, but goods are brought before they are taken."""
    turned = (replace(VISITS[4], kind="delivery"), replace(VISITS[5], kind="pickup"))
    whole = PROBLEM.shipments[0]
    ends = replace(
        whole, pickup=replace(whole.pickup, location=3), delivery=replace(whole.delivery, location=1)
    )
    return replace(PROBLEM, shipments=(ends,)), route(visits=(*VISITS[:4], *turned, *VISITS[6:]))[1]


def shipment_over_two_trips() -> tuple[Problem, Plan]:
    """Taken up beside A before the reload, brought after it."""
    visits = (VISITS[0], Visit("pickup", "S", 210, 210, 210), *VISITS[1:4], *VISITS[5:])
    return route(visits=visits)


def half_a_shipment() -> tuple[Problem, Plan]:
    problem, bare = PROBLEM, (*VISITS[:5], *VISITS[6:])
    return problem, route(visits=bare)[1]


BROKEN: list[tuple[ViolationKind, str, Callable[[], tuple[Problem, Plan]]]] = [
    ("unknown_vehicle", "a van nobody has", lambda: plan(routes=(*GOOD.routes, Route("VAN-9", 0, 0, (), 0)))),
    ("unknown_job", "a job nobody asked for",
     lambda: route(visits=(*VISITS, Visit("job", "Z", 1500, 1500, 1500)))),
    ("unknown_job", "an unknown one left out", lambda: plan(unserved=(*GOOD.unserved, Unserved("Z", "no_road", "")))),
    ("visited_twice", "by two vans",
     lambda: also_by_van_2(Visit("job", "A", 100, 150, 210), metres=1000, ends_s=210)),
    ("visited_twice", "left out twice", lambda: plan(unserved=GOOD.unserved * 2)),
    ("not_visited", "an optional job that is not mentioned", lambda: plan(unserved=())),
    ("not_visited", "left out for its cost, which is no reason for it",
     lambda: (job("D", prize=None)[0], replace(GOOD, cost=GOOD.cost - 700))),
    ("served_and_unserved", "visited and left out",
     lambda: plan(unserved=(*GOOD.unserved, Unserved("A", "no_time_left", "")))),
    ("vehicle_used_twice", "two routes of one van",
     lambda: plan(routes=(*GOOD.routes, Route("VAN-1", 2000, 2000, (), 0)), cost=GOOD.cost + 50)),
    ("over_capacity", "one more on the first trip than it carries", lambda: job("A", delivery=(7, 0))),
    ("over_capacity", "the second dimension, on the way", lambda: vehicle(capacity=(10, 4))),
    ("over_capacity", "what is picked up adds to what is still aboard", lambda: job("A", pickup=(7, 0))),
    ("outside_window", "too late for it", lambda: job("B", windows=(Window(0, 309),))),
    ("outside_window", "between two windows", lambda: job("A", windows=(Window(0, 149), Window(151, 400)))),
    ("outside_window", "never open", lambda: job("A", windows=())),
    ("outside_shift", "leaves a second early", lambda: vehicle(shift=Window(1, 4000))),
    ("outside_shift", "back a second late", lambda: vehicle(shift=Window(0, 1869))),
    ("time_travel", "arrives faster than the road allows", lambda: visit(0, arrive_s=99)),
    ("time_travel", "serves before it arrives", lambda: visit(1, arrive_s=311)),
    ("time_travel", "drives on during its break",
     lambda: visit(2, arrive_s=419)),
    ("time_travel", "home faster than the road allows",
     lambda: (PROBLEM, replace(GOOD, routes=(replace(GOOD.routes[0], end_s=1869),), cost=GOOD.cost - 1))),
    ("no_road", "no distance", lambda: no_road(1, 2, metres=True)),
    ("no_road", "no duration, on the way home", lambda: no_road(4, 0, metres=False)),
    ("wrong_distance", "a metre less", lambda: plan(
        routes=(replace(GOOD.routes[0], distance_m=11_999),), cost=GOOD.cost - 1)),
    ("too_far", "a metre more than it may", lambda: vehicle(max_distance_m=11_999)),
    ("too_long", "a second more than it may", lambda: vehicle(max_duration_s=1869)),
    ("too_many_stops", "a stop more than it may", lambda: vehicle(max_stops=4)),
    ("missing_skill", "no fridge", lambda: vehicle(skills=frozenset())),
    ("missing_skill", "of the other end of a shipment", lambda: ends_of_s(skills=frozenset({"lift"}))),
    ("vehicle_not_allowed", "locked to another van", lambda: job("C", vehicles=frozenset({"VAN-2"}))),
    ("before_release", "the second trip leaves before its goods are there", lambda: job("C", release_s=1011)),
    ("before_release", "so does the first", lambda: job("B", release_s=1)),
    ("pickup_after_delivery", "brought, then taken", swapped_shipment),
    ("split_shipment", "taken and never brought", half_a_shipment),
    ("split_shipment", "over two trips", shipment_over_two_trips),
    ("missing_break", "too short a rest", lambda: vehicle(breaks=(Break(Window(500, 900), 301),))),
    ("missing_break", "begun too late", lambda: vehicle(breaks=(Break(Window(300, 499), 300),))),
    ("missing_break", "one rest for two breaks", lambda: vehicle(breaks=PROBLEM.vehicles[0].breaks * 2)),
    ("too_many_trips", "a trip more than it may", lambda: vehicle(max_trips=1)),
    ("wrong_reload", "loads where it may not", lambda: vehicle(reload_at=(3,))),
    ("service_too_short", "a second less than the job takes", lambda: job("C", service_s=61)),
    ("service_too_short", "a second less than loading takes", lambda: vehicle(reload_s=61)),
    ("wrong_cost", "one less", lambda: plan(cost=GOOD.cost - 1)),
    ("wrong_cost", "the prize forgotten", lambda: plan(cost=GOOD.cost - 700)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "how", "make"), BROKEN, ids=[f"{kind}: {how}" for kind, how, _ in BROKEN])
def test_a_plan_that_breaks_one_rule_is_caught_for_that_rule(
    kind: ViolationKind, how: str, make: Callable[[], tuple[Problem, Plan]]
) -> None:
    found = routing.check(*make())
    # A shipment cut in two is, whatever one does, also a shipment that is not served whole.
    beside = {"not_visited"} if (kind, how) == ("split_shipment", "taken and never brought") else set()
    assert {v.kind for v in found} - beside == {kind}, found
    assert all(v.detail for v in found)


def test_every_kind_of_violation_has_a_plan_that_shows_it() -> None:
    assert {kind for kind, _, _ in BROKEN} == set(get_args(ViolationKind))


def test_a_break_is_not_due_where_it_fits_before_leaving_or_after_coming_back() -> None:
    early = vehicle(breaks=(Break(Window(-300, 0), 300),))
    assert routing.check(*early) == []
    late = vehicle(breaks=(Break(Window(1000, 1870), 300),))
    assert routing.check(*late) == []
    due = vehicle(breaks=(Break(Window(1000, 1869), 300),))
    assert [v.kind for v in routing.check(*due)] == ["missing_break"]


def test_two_breaks_each_find_their_rest_whichever_comes_first() -> None:
    """The wide one could take either rest, the narrow one only the first."""
    wide, narrow = Break(Window(0, 1000), 100), Break(Window(450, 600), 300)
    problem, _ = vehicle(breaks=(wide, narrow))
    rests = (*VISITS[:3], Visit("break", "0", 800, 800, 900), *VISITS[3:])
    later = tuple(
        replace(v, arrive_s=v.arrive_s + 100, start_s=v.start_s + 100, leave_s=v.leave_s + 100)
        if at > 3
        else v
        for at, v in enumerate(rests)
    )
    rested = Plan((Route("VAN-1", 0, 1970, later, 12_000),), GOOD.unserved, GOOD.cost + 100)
    assert routing.check(problem, rested) == []


def test_cost_may_be_rounded_either_way_and_no_further() -> None:
    problem, _ = vehicle(cost_per_km=333, cost_per_h=0)  # 3996 and 700 for what is left out
    assert routing.check(problem, replace(GOOD, cost=50 + 3996 + 700)) == []
    problem, _ = vehicle(cost_per_km=0, cost_per_h=1000)  # 519.44
    for cost, kinds in ((519, []), (520, []), (518, ["wrong_cost"]), (521, ["wrong_cost"])):
        found = routing.check(problem, replace(GOOD, cost=50 + cost + 700))
        assert [v.kind for v in found] == kinds


# --- random plans, spoilt at random -------------------------------------------------------------------------

Spoil = Callable[[Random, Problem, Plan], Plan | None]


def _change_visit(dice: Random, plan: Plan, how: Callable[[Visit], Visit | None]) -> Plan | None:
    at = [(r, n) for r in plan.routes for n, v in enumerate(r.visits) if how(v) is not None]
    if not at:
        return None
    chosen, n = dice.choice(at)
    new = how(chosen.visits[n])
    assert new is not None
    visits = (*chosen.visits[:n], new, *chosen.visits[n + 1 :])
    return replace(plan, routes=tuple(replace(r, visits=visits) if r is chosen else r for r in plan.routes))


def _forget_visit(dice: Random, problem: Problem, plan: Plan) -> Plan | None:
    at = [(r, n) for r in plan.routes for n, v in enumerate(r.visits) if v.kind not in ("break", "reload")]
    if not at:
        return None
    chosen, n = dice.choice(at)
    visits = (*chosen.visits[:n], *chosen.visits[n + 1 :])
    return replace(plan, routes=tuple(replace(r, visits=visits) if r is chosen else r for r in plan.routes))


def _serve_too_briefly(dice: Random, problem: Problem, plan: Plan) -> Plan | None:
    service = {("job", j.id): j.service_s for j in problem.jobs}
    return _change_visit(
        dice, plan,
        lambda v: replace(v, leave_s=v.start_s + service[v.kind, v.id] - 1) if service.get((v.kind, v.id)) else None,
    )  # fmt: skip


def _work_late(dice: Random, problem: Problem, plan: Plan) -> Plan | None:
    if not plan.routes:
        return None
    chosen = dice.choice(plan.routes)
    closes = next(v.shift.closes_s for v in problem.vehicles if v.id == chosen.vehicle)
    return replace(
        plan, routes=tuple(replace(r, end_s=closes + 1) if r is chosen else r for r in plan.routes)
    )


def _leave_early(dice: Random, problem: Problem, plan: Plan) -> Plan | None:
    if not plan.routes:
        return None
    chosen = dice.choice(plan.routes)
    opens = next(v.shift.opens_s for v in problem.vehicles if v.id == chosen.vehicle)
    return replace(
        plan, routes=tuple(replace(r, start_s=opens - 1) if r is chosen else r for r in plan.routes)
    )


SPOILT: list[tuple[set[ViolationKind], Spoil]] = [
    ({"not_visited"}, _forget_visit),
    ({"service_too_short"}, _serve_too_briefly),
    ({"outside_shift"}, _work_late),
    ({"outside_shift"}, _leave_early),
    ({"unknown_job"}, lambda dice, _, p: _change_visit(
        dice, p, lambda v: replace(v, id="nobody's") if v.kind in ("job", "pickup", "delivery") else None)),
    ({"time_travel"}, lambda dice, _, p: _change_visit(dice, p, lambda v: replace(v, arrive_s=v.start_s + 1))),
    ({"outside_window"}, lambda dice, _, p: _change_visit(
        dice, p, lambda v: replace(v, start_s=10**7, leave_s=10**7 + 300) if v.kind == "job" else None)),
    ({"wrong_distance"}, lambda dice, _, p: replace(
        p, routes=(*p.routes[1:], replace(p.routes[0], distance_m=p.routes[0].distance_m + 1))) if p.routes else None),
    ({"wrong_cost"}, lambda dice, _, p: replace(p, cost=p.cost + 1 + 2 * len(p.routes))),
    ({"vehicle_used_twice"}, lambda dice, _, p: replace(p, routes=(*p.routes, p.routes[0])) if p.routes else None),
    ({"not_visited"}, lambda dice, _, p: replace(p, unserved=p.unserved[1:]) if p.unserved else None),
    ({"visited_twice"}, lambda dice, _, p: replace(p, unserved=(*p.unserved, p.unserved[0])) if p.unserved else None),
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, len(SPOILT) - 1))
def test_a_plan_spoilt_at_random_is_rejected(seed: int, number: int) -> None:
    dice = Random(seed)
    problem = random_problem(dice)
    plan = random_plan(dice, problem)
    kinds, spoil = SPOILT[number]
    spoilt = spoil(dice, problem, plan)
    if spoilt is not None:
        assert kinds <= {v.kind for v in routing.check(problem, spoilt)}
