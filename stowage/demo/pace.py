"""How fast the demo's people walk and its trucks come: waits that a stop ends at once."""

from __future__ import annotations

import threading

WALK_M_S = 5.0
"""They ride: forklifts and scooters."""


class Stopped(Exception):
    """The world is told to end; every wait raises it, so that nobody finishes a long walk first."""


class Pace:
    """`speed` shortens what people and trucks take; what devices measure stays in real time."""

    def __init__(self, speed: float, stop: threading.Event) -> None:
        self.speed, self.stop = speed, stop

    def wait(self, world_s: float) -> None:
        self.really(world_s / self.speed)

    def really(self, seconds: float) -> None:
        """Seconds of the clock on the wall. Raises Stopped."""
        if self.stop.wait(seconds):
            raise Stopped

    def walk(self, here: tuple[float, float], there: tuple[float, float]) -> None:
        """Along the aisles, not through the shelves."""
        self.wait((abs(here[0] - there[0]) + abs(here[1] - there[1])) / WALK_M_S)
