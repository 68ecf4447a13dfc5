"""The ways between all places of a board, asked of the road server behind the answer that shows the board, so that the first
drag is as fast as every other. What was asked is remembered by `routing.roads`, in this process."""

from __future__ import annotations

import threading
import time

from backend import maps
from backend.dispatch.board import Board
from routing.geo import Point
from routing.roads import RoadsDown, RoadsRefused

AGAIN_S = 3000.0
"""Before the road client forgets."""

_lock = threading.Lock()
_warmed: frozenset[Point] = frozenset()
_at = 0.0


def places(b: Board) -> frozenset[Point]:
    jobs = [s.job for r in b.routes if r.state == "draft" for s in r.stops if s.job is not None]
    jobs += b.trays.unplanned
    return frozenset(
        [Point(d.lat, d.lon) for d in b.depots]
        + [Point(j.lat, j.lon) for j in jobs if j.lat is not None and j.lon is not None]
    )


def warm(wanted: frozenset[Point]) -> None:
    """A road server that is away is no harm: whoever needs it says so."""
    global _warmed, _at
    with _lock:
        if wanted <= _warmed and time.monotonic() - _at < AGAIN_S:
            return
        try:
            maps.roads().matrix(sorted(wanted))
        except (RoadsDown, RoadsRefused):
            return
        _warmed, _at = wanted, time.monotonic()
