"""What drivers give: one frozen struct for each kind of reading.

Times are timezone-aware UTC. `seen_at` is corrected by the offset between device clock and our clock that the
driver measured when it connected; `device_at` is the device's own stamp as it stood, where it has a clock.
A new kind of reading: a struct here, a member of `Reading`, a case in the edge agent.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class TagRead(Struct, frozen=True, gc=False):
    """One tag at one antenna over one reporting interval, usually a single read."""

    epc: str
    """EPC memory, upper-case hexadecimal; `device_drivers.gs1.epc_from_hex` says what it means."""
    antenna: int
    seen_at: datetime
    """First read of the interval."""
    rssi_cdbm: int | None = None
    """Peak, hundredths of a dBm."""
    phase: int | None = None
    """0 to 4095 for one turn of the carrier."""
    doppler_hz: float | None = None
    channel: int | None = None
    reads: int = 1
    last_at: datetime | None = None
    """Last read of the interval, where the reader tells it."""
    device_at: str | None = None


class ScannedCode(Struct, frozen=True, gc=False):
    """One barcode, without prefix, AIM identifier and suffix. FNC1 stays GS (0x1D)."""

    text: str
    seen_at: datetime
    symbology: str | None = None
    """AIM symbology identifier, e.g. `]C1`, where the scanner sends it."""


class Weight(Struct, frozen=True, gc=False):
    """What a scale answered. Only `stable` carries a weight that may be booked."""

    state: Literal["stable", "dynamic", "overload", "underload"]
    seen_at: datetime
    weight_g: Decimal | None = None
    """Net, exact; None for over- and underload."""
    tare_g: Decimal | None = None


class SensorValue(Struct, frozen=True, gc=False):
    channel: str
    """temperature, humidity, door_open ..."""
    value: Decimal
    unit: str
    """UCUM: Cel, %, 1."""


class SensorValues(Struct, frozen=True):
    """Values taken at one moment."""

    values: tuple[SensorValue, ...]
    seen_at: datetime


Fix = Literal["autonomous", "differential", "rtk", "float_rtk", "estimated"]
"""How the receiver knows where it is; `estimated` is its dead reckoning."""


class Position(Struct, frozen=True, gc=False):
    """Where a receiver with a fix is, WGS 84 degrees. Without a fix there is no position."""

    lat: float
    lon: float
    seen_at: datetime
    speed_kmh: float | None = None
    course_deg: float | None = None
    """Over ground, from true north; None where the receiver does not say."""
    hdop: float | None = None
    satellites: int | None = None
    fix: Fix = "autonomous"
    device_at: str | None = None


class RejectedFrame(Struct, frozen=True, gc=False):
    """Bytes that made no sense, with the reason in words. Never guessed at."""

    reason: str
    frame: bytes
    seen_at: datetime


class DeviceInfo(Struct, frozen=True):
    """The device's health. `detail` is a sentence a person can act on."""

    state: Literal["online", "offline", "fault"]
    seen_at: datetime
    detail: str = ""
    model: str | None = None
    firmware: str | None = None
    clock_offset_s: float | None = None
    """Device clock minus ours when the driver connected; already applied to `seen_at`."""
    antennas: dict[int, Literal["connected", "disconnected"]] = {}


Reading = TagRead | ScannedCode | Weight | SensorValues | Position | RejectedFrame | DeviceInfo
