"""Reads RO_ACCESS_REPORT straight from bytes to TagRead: the one hot place of LLRP.

Same rules as `codec` (a lying length raises FrameError), but no element is built for what is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from struct import Struct

from device_drivers.llrp import impinj
from device_drivers.llrp.codec import HEADER, FrameError
from device_drivers.readings import TagRead

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SIZES = {
    1: 2,
    2: 8,
    3: 8,
    4: 8,
    5: 8,
    6: 1,
    7: 2,
    8: 2,
    9: 4,
    10: 2,
    11: 2,
    12: 2,
    13: 12,
    14: 2,
    15: 2,
    16: 4,
}
_SIZES |= {17: 2, 18: 4, 19: 2, 20: 2}
_U16 = Struct(">H").unpack_from
_S16 = Struct(">h").unpack_from
_U64 = Struct(">Q").unpack_from
_TLV = Struct(">HH").unpack_from
_CUSTOM = Struct(">II").unpack_from

Correct = Callable[[int], datetime]
"""Device microseconds -> our time."""


def tag_reads(frame: bytes, correct_utc: Correct, correct_uptime: Correct, now: datetime) -> list[TagRead]:
    """The tags of one report. `now` stands in where the reader sends no time. Raises FrameError."""
    reads: list[TagRead] = []
    position, end = HEADER.size, len(frame)
    while position < end:
        if end - position < 4:
            raise FrameError(f"{end - position} bytes left where a parameter should start", frame)
        kind, length = _TLV(frame, position)
        if length < 4 or position + length > end:
            raise FrameError(f"parameter {kind} claims {length} bytes of {end - position}", frame)
        if kind == 240:
            reads.append(_tag_read(frame, position + 4, position + length, correct_utc, correct_uptime, now))
        elif kind > 1023:
            raise FrameError(f"no parameter can start with {frame[position : position + 2].hex()}", frame)
        position += length
    return reads


def _tag_read(
    frame: bytes, position: int, end: int, correct_utc: Correct, correct_uptime: Correct, now: datetime
) -> TagRead:
    epc: str | None = None
    antenna = channel = 0
    reads = 1
    rssi: int | None = None
    phase: int | None = None
    doppler: float | None = None
    first_utc = last_utc = first_up = last_up = -1
    while position < end:
        kind = frame[position]
        if kind & 0x80:
            kind &= 0x7F
            size = _SIZES.get(kind)
            if size is None or position + 1 + size > end:
                raise FrameError(f"TV parameter {kind} is unknown or cut short", frame)
            position += 1
            if kind == 13:
                epc = frame[position : position + 12].hex().upper()
            elif kind == 1:
                antenna = _U16(frame, position)[0]
            elif kind == 6:
                byte = frame[position]
                rssi = (byte - 256 if byte > 127 else byte) * 100 if rssi is None else rssi
            elif kind == 2:
                first_utc = _U64(frame, position)[0]
            elif kind == 4:
                last_utc = _U64(frame, position)[0]
            elif kind == 3:
                first_up = _U64(frame, position)[0]
            elif kind == 5:
                last_up = _U64(frame, position)[0]
            elif kind == 8:
                reads = _U16(frame, position)[0] or 1
            elif kind == 7:
                channel = _U16(frame, position)[0]
            position += size
            continue
        if end - position < 4:
            raise FrameError("a tag report ends inside a parameter", frame)
        kind, length = _TLV(frame, position)
        if length < 4 or position + length > end:
            raise FrameError(f"parameter {kind} claims {length} bytes of {end - position}", frame)
        if kind == 241:
            bits = _U16(frame, position + 4)[0] if length >= 6 else -1
            if bits < 0 or 6 + (bits + 7) // 8 != length:
                raise FrameError(f"EPC of {bits} bits in a parameter of {length} bytes", frame)
            epc = frame[position + 6 : position + length].hex().upper()
        elif kind == 1023 and length >= 14:
            vendor, subtype = _CUSTOM(frame, position + 4)
            if vendor == impinj.VENDOR:
                if subtype == impinj.PHASE:
                    phase = _U16(frame, position + 12)[0]
                elif subtype == impinj.PEAK_RSSI:
                    rssi = _S16(frame, position + 12)[0]
                elif subtype == impinj.DOPPLER:
                    doppler = _S16(frame, position + 12)[0] / 16
        elif kind > 1023:
            raise FrameError(f"no parameter can start with {frame[position : position + 2].hex()}", frame)
        position += length
    if epc is None:
        raise FrameError("a tag report without an EPC", frame)
    device_at: str | None = None
    seen_at, last_at = now, None
    try:
        if first_utc >= 0:
            seen_at, device_at = correct_utc(first_utc), utc_text(first_utc)
        elif first_up >= 0:
            seen_at, device_at = correct_uptime(first_up), f"uptime {first_up} us"
        if last_utc >= 0:
            last_at = correct_utc(last_utc)
        elif last_up >= 0:
            last_at = correct_uptime(last_up)
    except OverflowError as e:
        raise FrameError("a timestamp beyond the year 9999", frame) from e
    return TagRead(epc, antenna, seen_at, rssi, phase, doppler, channel or None, reads, last_at, device_at)


def utc_text(microseconds: int) -> str:
    """The reader's own stamp, as it stood. Raises OverflowError."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")
