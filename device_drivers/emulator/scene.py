"""What is where in the emulated building: tags on a floor plan, standing or under way, and the world's clock.

Places are metres on the floor plan. A tag moves along straight lines between points in world time, so positions are
exact at every moment and nothing has to be ticked. Safe to use from many threads: the world writes, readers read.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

XY = tuple[float, float]


class WorldClock:
    """Seconds of world time, running `speed` times as fast as real time. `speed` may be changed at any moment."""

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._speed = speed
        self._world_s = 0.0
        self._since = monotonic()
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            return self._world_s + (self._monotonic() - self._since) * self._speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        now = self()
        with self._lock:
            self._world_s, self._since, self._speed = now, self._monotonic(), speed


@dataclass(frozen=True, slots=True)
class _Path:
    """Way points in world time; before the first and behind the last the tag stands still."""

    times: tuple[float, ...]
    points: tuple[XY, ...]

    def at(self, moment: float) -> XY:
        i = bisect_right(self.times, moment)
        if i == 0:
            return self.points[0]
        if i == len(self.times):
            return self.points[-1]
        (x0, y0), (x1, y1) = self.points[i - 1], self.points[i]
        part = (moment - self.times[i - 1]) / (self.times[i] - self.times[i - 1])
        return x0 + (x1 - x0) * part, y0 + (y1 - y0) * part


class Scene:
    """The tags of the building. EPCs are upper-case hexadecimal of whole 16-bit words."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or WorldClock()
        self._paths: dict[str, _Path] = {}
        self._shielding_db: dict[str, float] = {}
        self._lock = threading.Lock()

    def place_tag(self, epc: str, xy: XY, shielding_db: float = 0.0) -> None:
        """Puts a tag down, or somewhere else. `shielding_db`: what the goods around it (metal, water) swallow."""
        if len(epc) % 4 or epc != epc.upper() or not epc:
            raise ValueError(f"EPC {epc!r}: upper-case hexadecimal of 16-bit words")
        with self._lock:
            self._paths[epc] = _Path((0.0,), (xy,))
            self._shielding_db[epc] = shielding_db

    def move(self, epcs: Iterable[str], *points: XY, speed_m_s: float = 1.5, spread_m: float = 0.0) -> float:
        """Sends tags together along way points from where they are now; returns the world time they arrive.

        `spread_m` keeps a pallet's tags that far apart (they follow one behind the other)."""
        now = self.clock()
        arrival = now
        with self._lock:
            for i, epc in enumerate(epcs):
                start = self._paths[epc].at(now)
                moment, times, way = now + i * spread_m / speed_m_s, [], [start]
                times.append(moment)
                for point in points:
                    distance = ((point[0] - way[-1][0]) ** 2 + (point[1] - way[-1][1]) ** 2) ** 0.5
                    if distance > 0:
                        moment += distance / speed_m_s
                        times.append(moment)
                        way.append(point)
                self._paths[epc] = _Path(tuple(times), tuple(way))
                arrival = max(arrival, moment)
        return arrival

    def remove(self, *epcs: str) -> None:
        with self._lock:
            for epc in epcs:
                self._paths.pop(epc, None)
                self._shielding_db.pop(epc, None)

    def where(self, epc: str) -> XY:
        with self._lock:
            return self._paths[epc].at(self.clock())

    def tags(self, moment: float | None = None) -> list[tuple[str, XY, float]]:
        """(EPC, position, shielding) of every tag at a moment of world time, now by default."""
        at = self.clock() if moment is None else moment
        with self._lock:
            return [(epc, path.at(at), self._shielding_db[epc]) for epc, path in self._paths.items()]
