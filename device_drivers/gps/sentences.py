"""NMEA 0183 bytes to moments: sentences are cut out of the stream, checked, and what speaks of one moment is put together.

Strict where pynmea2 is lenient: a sentence begins with `$`, has a checksum that is right, and every field that is there
is what the standard says; else it is Broken, with its bytes. Sentences that are not of RMC, GGA, GNS and VTG are read
over. Talkers (GP, GN, GL, GA, GB, QZ ...) are all alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import pynmea2
from msgspec import Struct

from device_drivers.readings import Fix

T = TypeVar("T")

LONGEST = 256
"""The standard says 82; receivers with more digits say more."""

_QUALITY: dict[int, Fix] = {1: "autonomous", 2: "differential", 3: "differential", 4: "rtk", 5: "float_rtk", 6: "estimated"}  # fmt: skip
_MODE: dict[str, Fix] = {"A": "autonomous", "D": "differential", "P": "differential", "R": "rtk", "F": "float_rtk", "E": "estimated"}  # fmt: skip
"""GGA's quality and the mode letters of RMC and GNS. 0 and N are no fix; 7, 8, M, S are somebody's input, not a place."""
_BEST_FIRST: tuple[Fix, ...] = ("rtk", "float_rtk", "differential", "autonomous", "estimated")
_KNOTS_KMH = 1.852


class Broken(Exception):
    """These bytes are no sentence, or one that says what cannot be. `frame` has them."""

    def __init__(self, reason: str, frame: bytes) -> None:
        super().__init__(reason)
        self.frame = frame


class Said(Struct, frozen=True, kw_only=True):
    """What one sentence said; None is what it does not speak of."""

    kind: str
    """RMC, GGA, GNS, VTG."""
    at: time | None = None
    day: date | None = None
    has_fix: bool | None = None
    lat: float | None = None
    lon: float | None = None
    speed_kmh: float | None = None
    course_deg: float | None = None
    hdop: float | None = None
    satellites: int | None = None
    fix: Fix | None = None


class Cutter:
    """Bytes in, sentences out. What stands before the first `$` after `start` is the rest of a sentence: nobody's fault."""

    def __init__(self) -> None:
        self._pending = b""
        self._begun = False

    def start(self) -> None:
        self._pending, self._begun = b"", False

    def cut(self, data: bytes) -> list[bytes | Broken]:
        found: list[bytes | Broken] = []
        self._pending += data
        if not self._begun:
            first = self._pending.find(b"$")
            if first < 0:
                self._pending = b"" if len(self._pending) > LONGEST else self._pending
                return []
            self._begun, self._pending = True, self._pending[first:]
        *lines, self._pending = re.split(rb"[\r\n]+", self._pending)
        if len(self._pending) > LONGEST:
            lines.append(self._pending)
            self._pending = b""
        for line in lines:
            # A `$` in the middle is the begin of a sentence, and what stands before it lost its end.
            *cut_short, whole = re.split(rb"(?<=.)(?=\$)", line, flags=re.DOTALL)
            found += [Broken("a sentence without its end", part) for part in cut_short]
            if whole:
                found.append(whole if len(whole) <= LONGEST else Broken("a sentence without end", whole))
        return found


def read_sentence(line: bytes) -> Said | None:
    """None: a good sentence that says nothing of where and when. Raises Broken."""
    if line[:1] == b"!":  # encapsulated (AIS); same checksum, other content
        return None
    if line[:1] != b"$":
        raise Broken("a sentence that does not begin with $", line)
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise Broken("bytes that are no text", line) from None
    try:
        sentence = pynmea2.parse(text, check=True)
    except pynmea2.ChecksumError as e:
        raise Broken(
            "the checksum is missing" if "missing" in str(e) else "the checksum is wrong", line
        ) from e
    except pynmea2.nmea.SentenceTypeError:
        return None  # the checksum was right
    except pynmea2.ParseError as e:
        raise Broken("no NMEA sentence", line) from e
    kind = getattr(sentence, "sentence_type", "")
    reader = {"RMC": _rmc, "GGA": _gga, "GNS": _gns, "VTG": _vtg}.get(kind)
    if reader is None:
        return None
    fields = _Fields(kind, [str(v) for v in sentence.data], line)
    return reader(fields)


class _Fields:
    """The fields of one sentence by number (from 1, as the standard counts), each as what it must be."""

    def __init__(self, kind: str, data: list[str], line: bytes) -> None:
        self.kind, self._data, self._line = kind, data, line

    def text(self, number: int) -> str:
        return self._data[number - 1].strip() if number <= len(self._data) else ""

    def broken(self, what: str) -> Broken:
        return Broken(f"{self.kind}: {what}", self._line)

    def number(self, number: int, name: str, low: float, high: float) -> float | None:
        text = self.text(number)
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise self.broken(f"{name} is {text!r}") from None
        if not value.is_finite() or not low <= value <= high:
            raise self.broken(f"{name} of {text} cannot be")
        return float(value)

    def time(self, number: int) -> time | None:
        text = self.text(number)
        if not text:
            return None
        found = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6})\d*)?", text)
        if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3]) > 60:
            raise self.broken(f"the time is {text!r}")
        # A leap second has no name in Python: it is told as the last moment before it.
        leap = int(found[3]) == 60
        micro = 999999 if leap else int((found[4] or "0").ljust(6, "0"))
        return time(int(found[1]), int(found[2]), min(int(found[3]), 59), micro, tzinfo=UTC)

    def day(self, number: int) -> date | None:
        """ddmmyy; years from 80 on are of the century before, as GPS began in 1980."""
        text = self.text(number)
        if not text:
            return None
        try:
            if not re.fullmatch(r"\d{6}", text):
                raise ValueError
            year = int(text[4:])
            return date(year + (1900 if year >= 80 else 2000), int(text[2:4]), int(text[:2]))
        except ValueError:
            raise self.broken(f"the date is {text!r}") from None

    def degrees(self, number: int, name: str, sides: str, most: int) -> float | None:
        """`dddmm.mmmm` and its side: field `number` and the next."""
        text, side = self.text(number), self.text(number + 1)
        if not text and not side:
            return None
        found = re.fullmatch(r"(\d{1,3})(\d\d(?:\.\d+)?)", text)
        if not found or side not in sides or not side:
            raise self.broken(f"the {name} is {text!r} {side!r}")
        minutes = float(found[2])
        value = int(found[1]) + minutes / 60
        if minutes >= 60 or value > most:
            raise self.broken(f"a {name} of {text} cannot be")
        return round(-value if side == sides[1] else value, 8)

    def place(self, number: int) -> tuple[float | None, float | None]:
        lat, lon = (
            self.degrees(number, "latitude", "NS", 90),
            self.degrees(number + 2, "longitude", "EW", 180),
        )
        if (lat is None) != (lon is None):
            raise self.broken("half a position")
        return lat, lon


def _rmc(f: _Fields) -> Said:
    status, mode = f.text(2), f.text(12)
    if status not in ("A", "V"):
        raise f.broken(f"the status is {status!r}")
    lat, lon = f.place(3)
    has_fix = status == "A" and (not mode or mode in _MODE)
    if has_fix and lat is None:
        raise f.broken("a fix without a position")
    knots = f.number(7, "speed", 0, 1000)
    return Said(
        kind="RMC", at=f.time(1), day=f.day(9), has_fix=has_fix, lat=lat, lon=lon,
        speed_kmh=None if knots is None else round(knots * _KNOTS_KMH, 3),
        course_deg=_turn(f.number(8, "course", 0, 360)), fix=_MODE.get(mode),
    )  # fmt: skip


def _gga(f: _Fields) -> Said:
    quality = f.number(6, "quality", 0, 9)
    if quality is None:
        raise f.broken("no word on its fix")
    lat, lon = f.place(2)
    has_fix = int(quality) in _QUALITY
    if has_fix and lat is None:
        raise f.broken("a fix without a position")
    return Said(
        kind="GGA", at=f.time(1), has_fix=has_fix, lat=lat, lon=lon, hdop=f.number(8, "HDOP", 0, 1000),
        satellites=_whole(f.number(7, "number of satellites", 0, 99)), fix=_QUALITY.get(int(quality)),
    )  # fmt: skip


def _gns(f: _Fields) -> Said:
    """One mode letter a constellation: the best of those that are in use. Receivers that send one GNS for each of several
    constellations leave modes and place out of all but the first."""
    modes = f.text(6)
    lat, lon = f.place(2)
    if not modes:
        return Said(kind="GNS", at=f.time(1))
    fixes = [_MODE[m] for m in modes if m in _MODE]
    best = next((x for x in _BEST_FIRST if x in fixes), None)
    if best is not None and lat is None:
        raise f.broken("a fix without a position")
    return Said(
        kind="GNS", at=f.time(1), has_fix=best is not None, lat=lat, lon=lon, hdop=f.number(8, "HDOP", 0, 1000),
        satellites=_whole(f.number(7, "number of satellites", 0, 99)), fix=best,
    )  # fmt: skip


def _vtg(f: _Fields) -> Said:
    mode = f.text(9)
    known = not mode or mode in _MODE
    return Said(
        kind="VTG",
        course_deg=_turn(f.number(1, "course", 0, 360)) if known else None,
        speed_kmh=f.number(7, "speed", 0, 2000) if known else None,
    )


def _turn(course: float | None) -> float | None:
    return None if course is None else course % 360


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


class Moment(Struct, frozen=True):
    """All that was said of one moment. `at` is the receiver's own clock."""

    at: datetime | None
    has_fix: bool
    lat: float | None
    lon: float | None
    speed_kmh: float | None
    course_deg: float | None
    hdop: float | None
    satellites: int | None
    fix: Fix


def put_together(said: list[Said], now: datetime) -> Moment:
    """Sentences of one moment. A fix needs all of them to agree that there is one; a date that nobody says is the one
    nearest to `now`, so that a time alone goes over midnight rightly."""

    def first(of: Callable[[Said], T | None], *kinds: str) -> T | None:
        order = sorted(said, key=lambda s: kinds.index(s.kind) if s.kind in kinds else len(kinds))
        return next((v for s in order if (v := of(s)) is not None), None)

    verdicts = [s.has_fix for s in said if s.has_fix is not None]
    at, day = first(lambda s: s.at, "RMC"), first(lambda s: s.day, "RMC")
    moment: datetime | None = None
    if at is not None:
        if day is not None:
            moment = datetime.combine(day, at)
        else:
            moment = datetime.combine(now.date(), at)
            moment += timedelta(days=round((now - moment) / timedelta(days=1)))
    place = next((s for k in ("GGA", "GNS", "RMC") for s in said if s.kind == k and s.lat is not None), None)
    return Moment(
        at=moment,
        has_fix=bool(verdicts) and all(verdicts) and place is not None,
        lat=place.lat if place else None,
        lon=place.lon if place else None,
        speed_kmh=first(lambda s: s.speed_kmh, "RMC", "VTG"),
        course_deg=first(lambda s: s.course_deg, "RMC", "VTG"),
        hdop=first(lambda s: s.hdop, "GGA", "GNS"),
        satellites=first(lambda s: s.satellites, "GGA", "GNS"),
        fix=first(lambda s: s.fix, "GGA", "GNS", "RMC") or "autonomous",
    )
