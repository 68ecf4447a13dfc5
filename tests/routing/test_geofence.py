"""Arrival and departure from positions: once each, at the right moment, whatever the noise."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.geo import Point, metres_from, straight_m
from routing.geofence import Crossing, Geofence, Presence, inside

STOP = Point(60.1710, 24.9415)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FENCE = Geofence(STOP, radius_m=60, dwell_s=20, leave_s=20)


def off(metres: float, degrees: float = 90) -> Point:
    """A point so far from the stop, in that direction."""
    east, north = metres * math.sin(math.radians(degrees)), metres * math.cos(math.radians(degrees))
    lat = STOP.lat + math.degrees(north / 6_371_008.8)
    return Point(lat, STOP.lon + math.degrees(east / 6_371_008.8 / math.cos(math.radians(STOP.lat))))


def watch(distances: list[float], every_s: float = 5, fence: Geofence = FENCE) -> list[Crossing]:
    presence, seen = Presence(), []
    for n, metres in enumerate(distances):
        presence, crossing = fence.seen(presence, off(metres), NOON + timedelta(seconds=n * every_s))
        seen += [crossing] if crossing else []
    return seen


def test_an_arrival_is_told_once_with_the_moment_it_came_in() -> None:
    approach = [600.0, 400, 200, 50, 20, 10, 10, 10, 10, 10, 10, 10, 10]
    assert watch(approach) == [Crossing("arrived", NOON + timedelta(seconds=15))]


def test_a_departure_is_told_with_the_moment_it_was_gone() -> None:
    stay = [10.0] * 10
    leave = [80.0, 120, 300, 500, 700, 900, 900]
    assert [c.kind for c in watch(stay + leave)] == ["arrived", "departed"]
    assert watch(stay + leave)[1].at == NOON + timedelta(seconds=55)  # 80 m is still beside it


def test_passing_by_is_no_arrival() -> None:
    assert watch([400.0, 200, 50, 20, 50, 200, 400, 600]) == []


def test_noise_around_the_fence_does_not_flap() -> None:
    noisy = random.Random(3)
    at_the_edge = [10.0] * 6 + [noisy.uniform(30, 95) for _ in range(500)]
    assert [c.kind for c in watch(at_the_edge)] == ["arrived"]


def test_single_wild_positions_are_no_departure() -> None:
    wild = ([10.0] * 6 + [900.0]) * 20
    assert [c.kind for c in watch(wild)] == ["arrived"]


def test_a_position_too_vague_to_tell_changes_nothing() -> None:
    presence, _ = FENCE.seen(Presence(), off(10), NOON)
    assert FENCE.seen(presence, off(10), NOON + timedelta(seconds=60), accuracy_m=500) == (presence, None)


def test_positions_that_come_late_or_twice_change_nothing() -> None:
    presence = Presence(is_inside=True, last_at=NOON)
    assert FENCE.seen(presence, off(900), NOON - timedelta(seconds=50)) == (presence, None)
    assert FENCE.seen(presence, off(900), NOON) == (presence, None)


def test_after_an_hour_of_silence_one_position_is_not_enough() -> None:
    presence, _ = FENCE.seen(Presence(), off(10), NOON)
    later = NOON + timedelta(hours=1)
    presence, crossing = FENCE.seen(presence, off(10), later)
    assert crossing is None
    presence, crossing = FENCE.seen(presence, off(10), later + timedelta(seconds=20))
    assert crossing == Crossing("arrived", later)


def test_the_state_survives_being_kept_as_json() -> None:
    presence, _ = FENCE.seen(Presence(), off(10), NOON)
    assert Presence.from_json(presence.to_json()) == presence
    assert Presence.from_json(None) == Presence()


def test_a_yard_has_an_outline_of_its_own() -> None:
    yard = Geofence(STOP, outline=(off(500, 0), off(500, 90), off(500, 180), off(500, 270)), dwell_s=0)
    assert yard.distance_m(off(300, 90)) == 0
    assert yard.distance_m(off(490, 45)) == pytest.approx(490 - 500 / math.sqrt(2), abs=2)
    assert yard.seen(Presence(), off(300, 45), NOON)[1] == Crossing("arrived", NOON)


def test_inside_is_a_circle_on_the_ground() -> None:
    assert inside(off(59), STOP, 60)
    assert not inside(off(61, 37), STOP, 60)
    ring = [Point(lat, lon) for lon, lat in FENCE.polygon()]
    assert all(straight_m(p, STOP) == pytest.approx(60, abs=0.5) for p in ring)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 360), st.floats(0.1, 900)), max_size=60))
def test_arrivals_and_departures_always_alternate(track: list[tuple[float, float, float]]) -> None:
    presence, at, kinds = Presence(), NOON, []
    for metres, direction, later_s in track:
        at += timedelta(seconds=later_s)
        presence, crossing = FENCE.seen(presence, off(metres, direction), at)
        if crossing:
            kinds.append(crossing.kind)
            assert crossing.at <= at
            assert presence.is_inside == (crossing.kind == "arrived")
    assert kinds == [("arrived", "departed")[n % 2] for n in range(len(kinds))]


@settings(deadline=None)
@given(st.floats(0, 2000), st.floats(0, 360))
def test_metres_on_the_plane_are_those_on_the_earth(metres: float, direction: float) -> None:
    east, north = metres_from(STOP, off(metres, direction))
    assert math.hypot(east, north) == pytest.approx(metres, abs=0.5)
