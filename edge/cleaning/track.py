"""Which positions of a vehicle are news: about one a second while it drives, one in half a minute while it stands.

Start and stop are always told. A standing receiver wanders by metres: that is no driving. Never later than `still_s`,
so that silence means that nothing is known.
"""

from __future__ import annotations

import math

from msgspec import Struct

from device_drivers.readings import Position

STARTS_KMH, STOPS_KMH = 5.0, 2.0
"""Between the two what was stays: a crawling queue is neither."""
METRES_A_DEGREE = 111_195.0


class TrackSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    interval_s: float = 1.0
    """While it drives: no more than one in so long ..."""
    move_m: float = 10.0
    """... and only after so far."""
    still_s: float = 30.0
    """At least one in so long, also while it stands."""


class Track:
    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._told: Position | None = None
        self._moving: bool | None = None

    def is_news(self, p: Position) -> bool:
        told, settings = self._told, self._settings
        moved = 0.0 if told is None else _distance_m(told, p)
        moving = self._is_moving(p, moved)
        started_or_stopped = moving != self._moving
        self._moving = moving
        if told is not None and not started_or_stopped:
            passed_s = (p.seen_at - told.seen_at).total_seconds()
            early = passed_s < settings.interval_s * 0.9  # a receiver's second is not always a whole one
            enough = moved >= settings.move_m * (1 if moving else 5)
            if 0 <= passed_s < settings.still_s and (early or not enough):
                return False
        self._told = p
        return True

    def _is_moving(self, p: Position, moved_m: float) -> bool:
        if p.speed_kmh is None:  # it does not say: then only the distance tells
            return moved_m >= self._settings.move_m
        if p.speed_kmh >= STARTS_KMH:
            return True
        return p.speed_kmh > STOPS_KMH and bool(self._moving)


def _distance_m(a: Position, b: Position) -> float:
    """Flat, which is good for the metres between two reports."""
    east = (b.lon - a.lon) * math.cos(math.radians(a.lat))
    return math.hypot(b.lat - a.lat, east) * METRES_A_DEGREE
