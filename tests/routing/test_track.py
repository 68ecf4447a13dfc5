"""A track with fewer points says the same: where the vehicle was at each moment, where it stood, and where nobody knows."""

from __future__ import annotations

import random
from itertools import pairwise

from routing.geo import EARTH_RADIUS_M, Point, straight_m
from routing.track import Seen, simplified

START = Point(60.17, 24.94)
DEGREE_M = EARTH_RADIUS_M * 3.141592653589793 / 180


def seen(at_s: float, north_m: float, east_m: float = 0.0) -> Seen:
    return Seen(at_s, Point(START.lat + north_m / DEGREE_M, START.lon + east_m / DEGREE_M / 0.4975))


def place_at(track: list[Seen], at_s: float) -> Point:
    """Between the two points around a moment, as far as the time has come."""
    for a, b in pairwise(track):
        if a.at_s <= at_s <= b.at_s:
            share = (at_s - a.at_s) / (b.at_s - a.at_s)
            return Point(
                a.where.lat + share * (b.where.lat - a.where.lat), a.where.lon + share * (b.where.lon - a.where.lon)
            )  # fmt: skip
    raise AssertionError(at_s)


def test_a_straight_drive_is_its_two_ends() -> None:
    track = [seen(s, 10.0 * s) for s in range(600)]
    assert [(k.n, k.after_gap) for k in simplified(track, tolerance_m=5, gap_s=120)] == [
        (0, False),
        (599, False),
    ]


def test_a_stop_on_a_straight_road_stays_a_stop() -> None:
    there = [seen(s, 10.0 * s) for s in range(100)]
    stands = [seen(100 + s, 1000.0) for s in range(420)]
    on = [seen(520 + s, 1000.0 + 10 * s) for s in range(100)]
    track = [*there, *stands, *on]
    kept = [track[k.n] for k in simplified(track, tolerance_m=5, gap_s=120)]
    assert len(kept) < 8
    assert straight_m(place_at(kept, 300), seen(0, 1000.0).where) < 6


def test_every_moment_of_a_wild_drive_is_within_the_tolerance() -> None:
    rng = random.Random(4)
    track, north, east = [], 0.0, 0.0
    for s in range(3000):
        north, east = north + rng.uniform(-14, 20), east + rng.uniform(-16, 18)
        track.append(seen(s, north, east))
    kept = [track[k.n] for k in simplified(track, tolerance_m=25, gap_s=120)]
    assert len(kept) < len(track) / 3
    assert max(straight_m(place_at(kept, x.at_s), x.where) for x in track) < 25.5


def test_silence_is_a_gap_with_both_its_ends_kept() -> None:
    track = [*(seen(s, 10.0 * s) for s in range(60)), *(seen(600 + s, 6000 + 10.0 * s) for s in range(60))]
    found = simplified(track, tolerance_m=5, gap_s=120)
    assert [(k.n, k.after_gap) for k in found] == [(0, False), (59, False), (60, True), (119, False)]


def test_few_points_and_points_of_one_moment_are_kept_as_they_are() -> None:
    assert simplified([], tolerance_m=5, gap_s=120) == []
    assert [k.n for k in simplified([seen(0, 0)], tolerance_m=5, gap_s=120)] == [0]
    same = [seen(0, 0), seen(0, 500), seen(0, 0)]
    assert [k.n for k in simplified(same, tolerance_m=5, gap_s=120)] == [0, 1, 2]
