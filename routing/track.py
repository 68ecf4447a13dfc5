"""The way a vehicle was seen to drive, with no more points than its drawing needs.

`simplified` keeps a point wherever leaving it out would put the vehicle somewhere else at that moment: by time, not only by
shape (the synchronised distance of Meratnia and de By, "Spatiotemporal Compression Techniques for Moving Point Objects",
2004), so that a stop stays a stop and "where was it at 10:40" is answered as from all points. Where it was not heard, nothing
is drawn: the first point after such a gap is kept, and the last one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from routing.geo import Point, metres_from

Column = npt.NDArray[np.float64]


class Seen(NamedTuple):
    at_s: float
    where: Point


class Kept(NamedTuple):
    n: int
    after_gap: bool
    """Nothing was heard between the point before and this one."""


def simplified(track: Sequence[Seen], *, tolerance_m: float, gap_s: float) -> list[Kept]:
    """The points to keep, oldest first; every other one lies within `tolerance_m` of where they put the vehicle then."""
    if not track:
        return []
    plane = np.array([metres_from(track[0].where, seen.where) for seen in track], np.float64)
    at_s = np.array([seen.at_s for seen in track], np.float64)
    starts = [0, *(np.flatnonzero(np.diff(at_s) > gap_s) + 1).tolist()]
    kept: list[Kept] = []
    for start, end in zip(starts, [*starts[1:], len(track)], strict=True):
        piece = _needed(plane[start:end], at_s[start:end], tolerance_m)
        kept += [Kept(start + n, n == 0 and start > 0) for n in piece]
    return kept


def _needed(plane: Column, at_s: Column, tolerance_m: float) -> list[int]:
    needed = {0, len(at_s) - 1}
    open_ = [(0, len(at_s) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        span_s = at_s[last] - at_s[first]
        share = (at_s[first + 1 : last] - at_s[first]) / span_s if span_s > 0 else np.zeros(last - first - 1)
        expected = plane[first] + share[:, None] * (plane[last] - plane[first])
        away = np.hypot(*(plane[first + 1 : last] - expected).T)
        farthest = int(away.argmax())
        if away[farthest] > tolerance_m:
            middle = first + 1 + farthest
            needed.add(middle)
            open_ += [(first, middle), (middle, last)]
    return sorted(needed)
