"""A vehicle's satellite receiver on a pseudo-terminal: `be_at(lat, lon, speed_kmh, course_deg)` is where the vehicle is.

It speaks RMC, GGA and VTG once a second with a receiver's noise; a cold start has no fix for a while, first not even the
time. Own bytes, not pynmea2's, so that driver and emulator cannot share a mistake. Misbehaviour: `lose_sky`, `see_sky`,
`fall_silent`, `send_bad_checksum`, `send_cut_short`, `jump`, `roll_over`, `unplug`.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from device_drivers.emulator.serial_line import SerialLine

KNOTS_KMH = 1.852
METRES_A_DEGREE = 111_195.0


class EmulatedGps(SerialLine):
    def __init__(
        self,
        lat: float = 60.1699,
        lon: float = 24.9384,
        *,
        every_s: float = 1.0,
        cold_start_s: float = 0.0,
        noise_m: float = 1.5,
        seed: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`noise_m`: standard deviation of the error, which wanders slowly as a real receiver's does."""
        self._lat, self._lon, self._speed_kmh, self._course_deg = lat, lon, 0.0, 0.0
        self._every_s, self._noise_m, self._chance, self._now = every_s, noise_m, random.Random(seed), now
        self._error = (0.0, 0.0)
        self._rounds = 0
        self._cold_rounds = math.ceil(cold_start_s / every_s)
        self._no_sky = False
        self._silent = False
        self._clock_off = timedelta(0)
        self._state = threading.Lock()
        self._stop = threading.Event()
        super().__init__()
        self._speaker = threading.Thread(target=self._speak, name="emulated-gps", daemon=True)
        self._speaker.start()

    def be_at(self, lat: float, lon: float, speed_kmh: float = 0.0, course_deg: float = 0.0) -> None:
        with self._state:
            self._lat, self._lon, self._speed_kmh, self._course_deg = lat, lon, speed_kmh, course_deg % 360

    def lose_sky(self) -> None:
        """A tunnel or a garage: it speaks on, without a fix."""
        self._no_sky = True

    def see_sky(self) -> None:
        self._no_sky = False

    def fall_silent(self) -> None:
        self._silent = True

    def speak_again(self) -> None:
        self._silent = False

    def roll_over(self, weeks: int = 1024) -> None:
        """The receiver's calendar is so many weeks behind."""
        self._clock_off = timedelta(weeks=-weeks)

    def send_bad_checksum(self) -> None:
        self.send(self._moment()[0].replace(b"A", b"B", 1))

    def send_cut_short(self) -> None:
        """A sentence stops in the middle, and the next begins in the same line."""
        self.send(self._moment()[0][:25])

    def send(self, data: bytes) -> None:
        """A receiver does not wait for its listener: what nobody takes from the line is lost."""
        with self._lock:
            if self._master >= 0:
                os.set_blocking(self._master, False)
                with contextlib.suppress(BlockingIOError):
                    os.write(self._master, data)

    def close(self) -> None:
        self._stop.set()
        self._speaker.join(5)
        super().close()

    # --- what it says -------------------------------------------------------------------------------------

    def _speak(self) -> None:
        while not self._stop.wait(self._every_s):
            if not self._silent:
                self._rounds += 1
                self.send(b"".join(self._moment()))

    def _moment(self) -> list[bytes]:
        with self._state:
            lat, lon, speed_kmh, course = self._lat, self._lon, self._speed_kmh, self._course_deg
        at = self._now() + self._clock_off
        clock, day = f"{at:%H%M%S}.{at.microsecond // 10000:02d}", f"{at:%d%m%y}"
        if self._rounds <= self._cold_rounds or self._no_sky:
            if not self._no_sky and self._rounds <= self._cold_rounds / 2:
                clock = day = ""  # not even the time is known yet
            return [
                sentence(f"GNRMC,{clock},V,,,,,,,{day},,,N"),
                sentence("GNVTG,,,,,,,,,N"),
                sentence(f"GNGGA,{clock},,,,,0,{self._chance.randint(0, 2):02d},99.99,,,,,,"),
            ]
        lat, lon = self._with_error(lat, lon)
        hdop = f"{self._chance.uniform(0.7, 1.3):.2f}"
        place = f"{degrees(lat, 2)},{'S' if lat < 0 else 'N'},{degrees(lon, 3)},{'W' if lon < 0 else 'E'}"
        speed = (
            max(0.0, speed_kmh + self._chance.gauss(0, 0.15))
            if speed_kmh > 0.5
            else abs(self._chance.gauss(0, 0.1))
        )
        turn = f"{course:.2f}" if speed > 1 else ""  # a standing receiver knows no course
        return [
            sentence(f"GNRMC,{clock},A,{place},{speed / KNOTS_KMH:.3f},{turn},{day},,,A"),
            sentence(f"GNVTG,{turn},T,,M,{speed / KNOTS_KMH:.3f},N,{speed:.3f},K,A"),
            sentence(f"GNGGA,{clock},{place},1,{self._chance.randint(8, 14):02d},{hdop},12.4,M,17.6,M,,"),
        ]

    def _with_error(self, lat: float, lon: float) -> tuple[float, float]:
        """First-order wandering: neighbouring seconds err alike."""
        keep = 0.9
        new = self._noise_m * math.sqrt(1 - keep * keep)
        north, east = (keep * e + self._chance.gauss(0, new) for e in self._error)
        self._error = north, east
        return lat + north / METRES_A_DEGREE, lon + east / METRES_A_DEGREE / max(
            0.01, math.cos(math.radians(lat))
        )


def degrees(value: float, width: int) -> str:
    """`ddmm.mmmmm`; rounded as a whole, so that 59.999999 minutes become a degree."""
    hundred_thousandths = round(abs(value) * 60 * 100_000)
    whole, rest = divmod(hundred_thousandths, 60 * 100_000)
    return f"{whole:0{width}d}{rest // 100_000:02d}.{rest % 100_000:05d}"


def sentence(body: str) -> bytes:
    """`$` body `*` checksum CR LF; the checksum is the exclusive or of the body's bytes."""
    check = 0
    for byte in body.encode("ascii"):
        check ^= byte
    return f"${body}*{check:02X}\r\n".encode("ascii")
