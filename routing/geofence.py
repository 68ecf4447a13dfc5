"""When a vehicle has arrived and when it has left, from its positions, so that GPS noise does not flap.

Pure: the state goes in and comes out, the caller keeps it (`Presence.to_json`). Arrival needs positions inside the
fence for `dwell_s`, so passing by is no arrival; departure needs positions beyond a wider fence for `leave_s`. The
moment told is that of the first position inside, or outside: when it happened, not when it was sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from routing.geo import Point, metres_from, straight_m

CIRCLE_SEGMENTS = 16
SILENT_S = 600.0
"""After so long without a position, what was about to happen begins anew."""


def inside(point: Point, stop_point: Point, radius_m: float) -> bool:
    """Whether one position is inside the circle; says nothing about arrival."""
    return straight_m(point, stop_point) <= radius_m


@dataclass(frozen=True)
class Presence:
    """What is known so far. A new stop begins with `Presence()`."""

    is_inside: bool = False
    turning_since: datetime | None = None
    """Since when positions have been on the other side."""
    last_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "is_inside": self.is_inside,
            "turning_since": self.turning_since.isoformat() if self.turning_since else None,
            "last_at": self.last_at.isoformat() if self.last_at else None,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Presence:
        if not kept:
            return cls()
        since, last = kept.get("turning_since"), kept.get("last_at")
        return cls(
            bool(kept.get("is_inside")),
            datetime.fromisoformat(since) if since else None,
            datetime.fromisoformat(last) if last else None,
        )


@dataclass(frozen=True)
class Crossing:
    kind: Literal["arrived", "departed"]
    at: datetime


@dataclass(frozen=True)
class Geofence:
    """A circle round the stop, or an outline (a yard, a block) where one is given."""

    centre: Point
    radius_m: float = 60.0
    leave_radius_m: float | None = None
    """How far out counts as gone; the ring between is neither. Default: 1.5 times the radius, at least 40 m more."""
    dwell_s: float = 20.0
    leave_s: float = 20.0
    outline: tuple[Point, ...] = ()

    def seen(
        self, before: Presence, point: Point, at: datetime, *, accuracy_m: float = 0.0
    ) -> tuple[Presence, Crossing | None]:
        """One more position. One that is older than the last, or too vague to tell, changes nothing."""
        if before.last_at is not None and at <= before.last_at:
            return before, None
        if accuracy_m > 2 * self.radius_m:
            return before, None
        silent = before.last_at is not None and (at - before.last_at).total_seconds() > SILENT_S
        now = replace(before, last_at=at, turning_since=None if silent else before.turning_since)
        away_m = self.distance_m(point)
        is_other_side = away_m > self._gap_m if before.is_inside else away_m <= 0
        if not is_other_side:
            if before.is_inside or away_m > self._gap_m:
                return replace(now, turning_since=None), None
            return now, None  # in the ring: neither for nor against
        since = now.turning_since or at
        if (at - since).total_seconds() < (self.leave_s if before.is_inside else self.dwell_s):
            return replace(now, turning_since=since), None
        crossing = Crossing("departed" if before.is_inside else "arrived", since)
        return Presence(not before.is_inside, None, at), crossing

    def distance_m(self, point: Point) -> float:
        """Metres to the fence; 0 inside."""
        return float(self._shape.distance(shapely.Point(metres_from(self.centre, point))))

    def polygon(self) -> list[list[float]]:
        """The fence as a GeoJSON ring, for maps."""
        shape = self._shape
        lat_m = straight_m(self.centre, Point(self.centre.lat + 0.001, self.centre.lon)) * 1000
        lon_m = straight_m(self.centre, Point(self.centre.lat, self.centre.lon + 0.001)) * 1000
        ring = shapely.get_coordinates(shapely.get_exterior_ring(shape)).tolist()
        return [[self.centre.lon + x / lon_m, self.centre.lat + y / lat_m] for x, y in ring]

    @property
    def _gap_m(self) -> float:
        if self.leave_radius_m is not None:
            return max(0.0, self.leave_radius_m - self.radius_m)
        return max(40.0, self.radius_m / 2)

    @cached_property
    def _shape(self) -> BaseGeometry:
        if self.outline:
            return _local(self.centre, self.outline)
        return shapely.Point(0, 0).buffer(self.radius_m, quad_segs=CIRCLE_SEGMENTS)


def _local(centre: Point, outline: Sequence[Point]) -> BaseGeometry:
    return shapely.make_valid(shapely.Polygon([metres_from(centre, p) for p in outline]))
