"""A way along the road: where somebody is after so many metres of it. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

METRES_A_DEGREE = 111_195.0
LatLon = tuple[float, float]


def distance_m(a: LatLon, b: LatLon) -> float:
    """Flat, which is good within a town."""
    east = (b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(b[0] - a[0], east) * METRES_A_DEGREE


def course_deg(a: LatLon, b: LatLon) -> float:
    """From true north, clockwise."""
    east = (b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.degrees(math.atan2(east, b[0] - a[0])) % 360


@dataclass(frozen=True)
class Way:
    points: tuple[LatLon, ...]
    reached_m: tuple[float, ...]
    """How far each point is from the first, along the way."""

    @classmethod
    def of(cls, points: Sequence[LatLon]) -> Way:
        kept = [p for n, p in enumerate(points) if n == 0 or p != points[n - 1]]
        reached = [0.0]
        for a, b in pairwise(kept):
            reached.append(reached[-1] + distance_m(a, b))
        return cls(tuple(kept), tuple(reached))

    @property
    def length_m(self) -> float:
        return self.reached_m[-1]

    def at(self, metres: float) -> tuple[LatLon, float]:
        """Where that is, and in which direction the way goes on."""
        metres = min(max(0.0, metres), self.length_m)
        if len(self.points) == 1:
            return self.points[0], 0.0
        n = min(bisect_right(self.reached_m, metres), len(self.points) - 1)
        a, b = self.points[n - 1], self.points[n]
        step = self.reached_m[n] - self.reached_m[n - 1]
        share = (metres - self.reached_m[n - 1]) / step if step else 1.0
        return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share), course_deg(a, b)

    def nearest(self, spot: LatLon, *, about_m: float | None = None) -> float:
        """How far along it is nearest to `spot`. A way may pass a spot twice: `about_m` says which time is meant."""
        best_m, best = 0.0, math.inf
        for n, (a, b) in enumerate(pairwise(self.points)):
            here_m, off_m = _foot(a, b, spot)
            along = self.reached_m[n] + here_m
            off = off_m + (0.0 if about_m is None else 0.1 * abs(along - about_m))
            if off < best:
                best_m, best = along, off
        return best_m

    def part(self, from_m: float, to_m: float) -> Way:
        """The piece between two distances; backwards is nothing but the first point."""
        start, end = self.at(from_m)[0], self.at(to_m)[0]
        between = [p for p, r in zip(self.points, self.reached_m, strict=True) if from_m < r < to_m]
        return Way.of([start, *between, end] if to_m > from_m else [start])


def _foot(a: LatLon, b: LatLon, spot: LatLon) -> tuple[float, float]:
    """How far from `a` along the piece to `b` it is nearest to `spot`, and how near that is."""
    scale = math.cos(math.radians(a[0]))
    bx, by = (b[1] - a[1]) * scale, b[0] - a[0]
    sx, sy = (spot[1] - a[1]) * scale, spot[0] - a[0]
    length = bx * bx + by * by
    share = min(1.0, max(0.0, (sx * bx + sy * by) / length)) if length else 0.0
    off = math.hypot(sx - share * bx, sy - share * by)
    return share * math.sqrt(length) * METRES_A_DEGREE, off * METRES_A_DEGREE


def to_the_stop(
    geometry: Sequence[Sequence[float]] | None,
    here: LatLon,
    there: LatLon,
    from_m: float,
    to_m: float,
    all_m: float,
) -> Way:
    """From where somebody is to a stop, along a route's planned way (`[lon, lat]`); straight where it has none or leads elsewhere.

    By the plan the leg is the metres `from_m` to `to_m` of `all_m`: a route may pass the same corner twice."""
    if geometry and len(geometry) > 1 and all_m > 0:
        whole = Way.of([(p[1], p[0]) for p in geometry])
        scale = whole.length_m / all_m
        end_m = whole.nearest(there, about_m=to_m * scale)
        start_m = whole.nearest(here, about_m=from_m * scale)
        if (
            start_m <= end_m
            and distance_m(whole.at(start_m)[0], here) < 300
            and distance_m(whole.at(end_m)[0], there) < 300
        ):
            part = whole.part(start_m, end_m)
            return Way.of([here, *part.points])
    return Way.of([here, there])
