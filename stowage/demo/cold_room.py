"""The cold room: 2 to 8 °C, a compressor's slow wave and some noise; an open door warms it. In real time.

People open the door when they go in. Now and then somebody leaves it open, until the alert has called a colleague.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from stowage.demo.devices import Devices
from stowage.demo.pace import Pace
from stowage.demo.truth import Truth

log = structlog.get_logger(__name__)

COLD_C, HALL_C = 4.6, 14.0
WARMS_S, COOLS_S = 170.0, 120.0
FORGOTTEN_FOR_S = 100.0
"""Longer than the alert waits."""


class ColdRoom:
    def __init__(self, devices: Devices, pace: Pace, truth: Truth, chance: random.Random) -> None:
        self._devices, self._pace, self._truth, self._chance = devices, pace, truth, chance
        self._inside = 0
        self._left_open_until = 0.0
        self._lock = threading.Lock()
        self._warmth_c = 0.0
        self._forget_at = time.monotonic() + 75
        self._before = time.monotonic()

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Somebody goes in: the door is open meanwhile."""
        with self._lock:
            self._inside += 1
            if time.monotonic() > self._forget_at:
                self._forget_at = time.monotonic() + self._chance.uniform(900, 1800)
                self._left_open_until = time.monotonic() + FORGOTTEN_FOR_S
                self._truth.note("cold_door_left_open")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def breathe(self) -> None:
        """One step of the room's weather."""
        self._pace.really(1.0)
        now = time.monotonic()
        passed, self._before = now - self._before, now
        with self._lock:
            if (
                now > self._forget_at + 60
            ):  # nobody went in: somebody fetches a thermometer and leaves the door open
                self._forget_at = now + self._chance.uniform(900, 1800)
                self._left_open_until = now + FORGOTTEN_FOR_S
                self._truth.note("cold_door_left_open")
            is_open = self._inside > 0 or now < self._left_open_until
        if is_open:
            self._warmth_c += (HALL_C - COLD_C - self._warmth_c) * min(1.0, passed / WARMS_S)
        else:
            self._warmth_c -= self._warmth_c * min(1.0, passed / COOLS_S)
        wave = 0.7 * math.sin(2 * math.pi * now / 480)
        temperature = COLD_C + wave + self._warmth_c + self._chance.gauss(0, 0.05)
        humidity = (
            62 + 4 * math.sin(2 * math.pi * now / 700) + 2.5 * self._warmth_c + self._chance.gauss(0, 0.3)
        )
        self._devices.cold.set(round(temperature, 1), round(min(humidity, 99.0), 1), is_open)
