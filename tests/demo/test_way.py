"""The way a van drives: along the planned line, to the right one of two passes, straight where there is none."""

from __future__ import annotations

import math

import pytest

from stowage.demo.shops import DEPOT, shops
from stowage.demo.way import Way, course_deg, distance_m, to_the_stop

NORTH = (60.18, 24.94)
CORNER = (60.17, 24.94)
EAST = (60.17, 24.96)


def test_somebody_on_a_way_is_where_the_metres_say_and_looks_ahead() -> None:
    way = Way.of([NORTH, CORNER, CORNER, EAST])
    assert len(way.points) == 3
    south_m = distance_m(NORTH, CORNER)
    assert south_m == pytest.approx(1111.95, abs=1)
    where, course = way.at(south_m / 2)
    assert where == pytest.approx((60.175, 24.94))
    assert course == pytest.approx(180)
    assert way.at(south_m + 1)[1] == pytest.approx(90, abs=0.1)
    assert way.at(-5)[0] == NORTH
    assert way.at(10**6)[0] == EAST
    assert way.nearest((60.175, 24.9401)) == pytest.approx(south_m / 2, abs=1)
    assert way.part(south_m / 2, south_m + 10).points[1] == CORNER


def test_the_second_pass_of_a_corner_is_not_the_first() -> None:
    there_and_back = [(p[1], p[0]) for p in (NORTH, CORNER, EAST, CORNER, NORTH)]
    legs = 2 * distance_m(NORTH, CORNER) + 2 * distance_m(CORNER, EAST)
    stop = (60.1752, 24.9402)
    out = to_the_stop(there_and_back, NORTH, stop, 0, 540, legs)
    back = to_the_stop(there_and_back, EAST, stop, legs / 2, legs - 540, legs)
    assert out.length_m == pytest.approx(534, abs=30)
    assert back.length_m == pytest.approx(distance_m(EAST, CORNER) + 578, abs=30)
    out_of_the_gate = to_the_stop(there_and_back, NORTH, EAST, 0, legs / 2, legs)
    assert out_of_the_gate.length_m == pytest.approx(legs / 2, abs=5), "not back from the end"
    home = to_the_stop(there_and_back, stop, NORTH, legs - 540, legs, legs)
    assert home.length_m == pytest.approx(534, abs=40)


def test_without_a_road_or_on_one_that_leads_elsewhere_it_is_straight() -> None:
    assert to_the_stop(None, NORTH, EAST, 0, 1, 2).points == (NORTH, EAST)
    elsewhere = [(25.5, 60.4), (25.6, 60.4)]
    assert to_the_stop(elsewhere, NORTH, EAST, 0, 1, 2).points == (NORTH, EAST)
    assert Way.of([NORTH, NORTH]).length_m == 0
    assert math.isfinite(Way.of([NORTH]).at(5)[1])
    assert course_deg(CORNER, NORTH) == pytest.approx(0)


def test_every_shop_is_in_the_middle_of_helsinki_and_named_once() -> None:
    every = [s for many in shops().values() for s in many]
    assert len({s.name for s in every}) == len(every)
    assert all(distance_m((s.lat, s.lon), (DEPOT.lat, DEPOT.lon)) < 1500 for s in every)
