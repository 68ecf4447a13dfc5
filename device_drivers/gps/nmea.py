"""Satellite receivers that speak NMEA 0183, on a serial line or USB-CDC, or behind a TCP gateway.

RMC, GGA, GNS and VTG of one moment become one Position. A sentence that is cut short or has a wrong checksum is rejected
with its bytes; without a fix there is no position, and the device's detail says so; a jump that no vehicle can make is
rejected until the receiver has insisted on it. Times are the receiver's, corrected by its offset from our clock, so that
a receiver that is 1024 weeks behind (week roll-over) or just switched on does no harm; the raw stamp is kept.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import time
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from msgspec import Meta

from device_drivers.driver import BadOptions, Clock, DeviceLost, Driver, utc_now
from device_drivers.driver import Options as DriverOptions
from device_drivers.gps.sentences import Broken, Cutter, Moment, Said, put_together, read_sentence
from device_drivers.readings import DeviceInfo, Position, Reading, RejectedFrame
from device_drivers.serial_port import SerialOptions, SerialPort

CLOCK_STEP_S = 5.0
"""The receiver's clock went by so much more (or back) than ours: it was set, and its offset is measured again."""
INSISTS = 5
"""So many positions in a row at the new place make a jump true."""
NO_FIX_AFTER_S = 5.0
"""A bridge is no news; a garage is."""
EARTH_M = 6_371_000.0
WEEK_ROLL_OVER = timedelta(weeks=1024)


class NmeaOptions(SerialOptions, frozen=True, kw_only=True):
    port: str = ""
    """The serial line; or `host` for a receiver behind a TCP gateway."""
    baudrate: int = 4800
    """The standard's; many receivers speak 9600, USB ones at any."""
    host: str | None = None
    tcp_port: Annotated[int, Meta(ge=1, le=65535)] = 10110
    silence_s: float = 10.0
    """A receiver speaks every second, with or without a fix: after so long without a sentence it is lost."""
    moment_s: float = 0.25
    """Sentences of one moment come together; after such a pause the moment is complete."""
    max_speed_kmh: float = 200.0
    """A move that would need more is a jump."""
    max_hdop: float = 10.0
    """A fix that is less exact than this is treated as none."""

    def __post_init__(self) -> None:
        if bool(self.host) == bool(self.port):
            raise ValueError("either `port` (serial line) or `host` (TCP gateway) is needed")


class NmeaReceiver(Driver[NmeaOptions]):
    """One receiver."""

    kind: ClassVar[str] = "gps_receiver"
    options_type: ClassVar[type[DriverOptions]] = NmeaOptions

    def __init__(self, device: str, options: NmeaOptions, now: Clock = utc_now) -> None:
        super().__init__(device, options, now)
        self._link: SerialPort | _TcpLink | None = None
        self._where = options.port or f"{options.host}:{options.tcp_port}"
        self._cutter = Cutter()
        self._said: list[Said] = []
        self._said_at = 0.0
        self._heard = 0.0  # the last good sentence, monotonic
        self._ready: list[Reading] = []
        self._forget()

    def _forget(self) -> None:
        self._last: Position | None = None
        self._elsewhere: list[Position] = []
        self._offset: timedelta | None = None
        self._clock: tuple[datetime, float] | None = None  # the receiver's newest stamp, and when we heard it
        self._fix_at = time.monotonic()
        self._told: tuple[str, timedelta | None] | None = None

    def open(self) -> DeviceInfo:
        """Online when the first good sentence was heard: a wrong baud rate is told at once."""
        self.close()
        self._cutter.start()
        self._said, self._ready = [], []
        self._forget()
        options = self.options
        if options.host is not None:
            self._link = _TcpLink(self.device, options.host, options.tcp_port)
        elif options.port:
            self._link = SerialPort(self.device, options)
            for _ in range(10):  # what the line kept from before we listened is old
                if not self._link.discard_input():
                    break
        else:
            raise BadOptions(f"{self.device}: neither port nor host")
        started = self._heard = time.monotonic()
        deadline, bytes_heard = started + min(3.0, options.silence_s), 0
        try:
            while self._heard == started:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DeviceLost(f"{self.device}: {self._silence(bytes_heard)}")
                data = self._link.read(left)
                bytes_heard += len(data)
                self._ready += self._take(data)
        except BaseException:
            self.close()
            raise
        return DeviceInfo("online", self.now(), f"listening on {self._where}")

    def _silence(self, bytes_heard: int) -> str:
        if not bytes_heard:
            return f"nothing comes on {self._where}; is the receiver switched on and its cable in?"
        return f"what comes on {self._where} is not NMEA 0183; is baudrate = {self.options.baudrate} right?"

    def read(self, timeout_s: float) -> list[Reading]:
        if self._link is None:
            raise DeviceLost(f"{self.device}: not connected")
        deadline = time.monotonic() + timeout_s
        while True:
            if self._ready:
                readings, self._ready = self._ready, []
                return readings
            now = time.monotonic()
            wait = deadline - now
            if self._said:
                wait = min(wait, self._said_at + self.options.moment_s - now)
            data = self._link.read(max(0.0, wait))
            self._ready += self._take(data)
            now = time.monotonic()
            if self._said and not data and now >= self._said_at + self.options.moment_s:
                self._ready += self._finish()
            if now - self._heard > self.options.silence_s:
                raise DeviceLost(f"{self.device}: {self._silence(0)}")
            if now >= deadline and not self._ready:
                return []

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    # --- sentences and moments ----------------------------------------------------------------------------

    def _take(self, data: bytes) -> list[Reading]:
        readings: list[Reading] = []
        for cut in self._cutter.cut(data) if data else []:
            try:
                if isinstance(cut, Broken):
                    raise cut
                said = read_sentence(cut)
            except Broken as e:
                readings.append(RejectedFrame(str(e), e.frame, self.now()))
                continue
            self._heard = time.monotonic()
            if said is None:
                continue
            if self._said and self._begins_another(said):
                readings += self._finish()
            if not self._said:
                self._said_at = time.monotonic()
            self._said.append(said)
            self._said_at = time.monotonic()
        return readings

    def _begins_another(self, said: Said) -> bool:
        at = next((s.at for s in self._said if s.at is not None), None)
        if at is not None and said.at is not None:
            return said.at != at
        return any(s.kind == said.kind for s in self._said)

    def _finish(self) -> list[Reading]:
        said, self._said = self._said, []
        if all(s.has_fix is None for s in said):
            return []  # speed and course of nowhere
        now = self.now()
        return self._judge(put_together(said, now), now)

    def _judge(self, m: Moment, now: datetime) -> list[Reading]:
        """Position, or why there is none."""
        self._set_clock(m, now)
        readings: list[Reading] = []
        good = m.has_fix and (m.hdop is None or m.hdop <= self.options.max_hdop)
        if not good or m.lat is None or m.lon is None:
            if time.monotonic() - self._fix_at >= NO_FIX_AFTER_S or self._last is None:
                bad = "its fix is too inexact" if m.has_fix else "it has no fix"
                readings += self._tell(f"{bad}; does its antenna see the sky?")
            return readings
        seen_at = now if m.at is None or self._offset is None else m.at - self._offset
        position = Position(
            m.lat, m.lon, seen_at, m.speed_kmh, m.course_deg, m.hdop, m.satellites, m.fix,
            None if m.at is None else m.at.isoformat(),
        )  # fmt: skip
        if (m.lat, m.lon) == (0.0, 0.0):
            return [
                *readings,
                self._refuse("a position of 0, 0, which is what receivers say when they have none", position),
            ]
        if self._last is not None and position.seen_at <= self._last.seen_at:
            return readings  # told already, or out of order
        if self._last is not None and (why := self._jump(self._last, position)):
            self._elsewhere = [p for p in self._elsewhere if not self._jump(p, position)] + [position]
            if len(self._elsewhere) < INSISTS:
                return [*readings, self._refuse(why, position)]
        self._elsewhere = []
        self._last, self._fix_at = position, time.monotonic()
        return [*readings, *self._tell(f"fix on {self._where}"), position]

    def _tell(self, detail: str) -> list[Reading]:
        """A change of health, once."""
        told = (detail, self._offset)
        if told == self._told:
            return []
        self._told = told
        if self._offset is None:
            return [DeviceInfo("online", self.now(), detail)]
        if abs(abs(self._offset) - WEEK_ROLL_OVER) < timedelta(weeks=1):
            detail += (
                "; its date is 1024 weeks off (GPS week roll-over) and is corrected: update its firmware"
            )
        elif abs(self._offset) > timedelta(minutes=1):
            detail += f"; its clock is {self._offset.total_seconds():.0f} s off and is corrected"
        return [DeviceInfo("online", self.now(), detail, clock_offset_s=self._offset.total_seconds())]

    def _refuse(self, why: str, p: Position) -> RejectedFrame:
        said = f"{p.lat:.6f} {p.lon:.6f} {p.device_at or ''}"
        return RejectedFrame(why, said.encode(), p.seen_at)

    def _jump(self, here: Position, there: Position) -> str:
        """Empty where a vehicle can have driven it. The receiver's own error is allowed for."""
        moved = distance_m(here.lat, here.lon, there.lat, there.lon)
        seconds = max(1.0, (there.seen_at - here.seen_at).total_seconds())
        allowed = (
            50.0 + 5.0 * ((here.hdop or 1) + (there.hdop or 1)) + self.options.max_speed_kmh / 3.6 * seconds
        )
        if moved <= allowed:
            return ""
        return f"a jump of {moved:.0f} m in {seconds:.0f} s, which is {moved / seconds * 3.6:.0f} km/h"

    # --- its clock ----------------------------------------------------------------------------------------

    def _set_clock(self, m: Moment, now: datetime) -> None:
        """Measures the offset at the first stamp, and again where the receiver's clock was set: at a cold start it begins
        anywhere. Lateness of the line is no step: then its stamps go on by themselves."""
        if m.at is None:
            return
        heard = time.monotonic()
        if self._clock is not None and self._offset is not None:
            theirs = (m.at - self._clock[0]).total_seconds()
            ours = heard - self._clock[1]
            if -1.0 < theirs <= ours + CLOCK_STEP_S:
                self._clock = (m.at, heard)
                return
            self._last = None if theirs < 0 else self._last
        self._clock, self._offset = (m.at, heard), m.at - now


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great circle, on a sphere."""
    a, b, dlon = math.radians(lat1), math.radians(lat2), math.radians(lon2 - lon1)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(dlon / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(h)))


class _TcpLink:
    """A gateway that passes a receiver's bytes on. Raises DeviceLost, nothing else."""

    def __init__(self, device: str, host: str, port: int) -> None:
        self._device, self._where = device, f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), 5)
        except OSError as e:
            raise DeviceLost(f"{device}: nothing answers at {self._where} ({e})") from e

    def read(self, timeout_s: float) -> bytes:
        try:
            ready, _, _ = select.select([self._socket], [], [], max(0.0, timeout_s))
            if not ready:
                return b""
            data = self._socket.recv(65536)
        except OSError as e:
            raise DeviceLost(f"{self._device}: the link to {self._where} broke ({e})") from e
        if not data:
            raise DeviceLost(f"{self._device}: {self._where} closed the link")
        return data

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
