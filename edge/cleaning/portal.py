"""Which tags went through a door, which way, together; and which were only near it.

A door has antennas on its outer and its inner side. Evidence of one tag: when each side heard it best (mean
time, weighted by signal), how strongly, whether its signal and phase moved at all. Tags of one pallet move
together, so the clear ones lend their direction to the unclear ones. A tag is a stray when it is *parked*
(nothing about it moves), *weak* (never near), *cross_read* (a neighbouring door heard it better) or
*undecided* (no direction can be told). A passage closes after a silence; it is one result a direction.

Promise: `close` and everything before it depend on the reads alone, so that replaying the reads of an open
passage after a crash gives the same passage, with the same id.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from edge.cleaning.zones import UNKNOWN_RSSI_CDBM

Direction = Literal["in", "out"]


class PortalSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    inner: frozenset[int]
    """Antennas on the warehouse's side of the door."""
    outer: frozenset[int]
    """Antennas on the truck's side."""
    silence_s: float = 0.7
    """A passage whose tags are all decided closes after this silence."""
    undecided_silence_s: float = 2.0
    """... and after this one where a tag was heard well, but only from one side so far."""
    max_passage_s: float = 20.0
    """A tag heard longer than this is parked; a passage is cut here at the latest."""
    min_peak_rssi_cdbm: int = -6200
    """Tags that were never heard as loud as this are strays (weak)."""
    below_group_cdb: int = 1200
    """... and so are those whose peak is so far below the passage's typical peak."""
    parked_range_cdb: int = 500
    """A tag whose smoothed signal moved less than this while it was heard is parked."""


class PassedTag(NamedTuple):
    epc: str
    confidence: float
    reads: int
    peak_rssi_cdbm: int | None
    first_at: float
    last_at: float


class StrayTag(NamedTuple):
    epc: str
    why: str
    reads: int
    peak_rssi_cdbm: int | None


class Passage(NamedTuple):
    passage_id: str
    direction: Direction
    tags: list[PassedTag]
    strays: list[StrayTag]
    first_at: float
    last_at: float


class _Side:
    """How one side of the door heard one tag."""

    __slots__ = ("reads", "weight", "weighted_squares", "weighted_time")

    def __init__(self) -> None:
        self.reads = 0
        self.weight = 0.0
        self.weighted_time = 0.0
        self.weighted_squares = 0.0


class _Track:
    """Everything kept of one tag in the door: constant size, however often it is read."""

    __slots__ = (
        "first_at", "high", "inner", "last_at", "low", "near_at", "near_since", "outer", "peak", "phases", "power",
        "reads", "smooth", "still", "still_pairs",
    )  # fmt: skip

    def __init__(self, at: float) -> None:
        self.first_at = at
        self.last_at = at
        self.near_since: float | None = None  # when it was first loud enough to be in the door
        self.near_at = at  # when it was last about as loud as ever
        self.reads = 0
        self.inner = _Side()
        self.outer = _Side()
        self.peak: int | None = None
        self.power = 0.0
        self.smooth: dict[int, float] = {}  # antenna -> smoothed RSSI
        self.high: dict[int, float] = {}
        self.low: dict[int, float] = {}
        self.phases: dict[int, tuple[int, float, float]] = {}  # antenna -> channel, time, phase
        self.still = 0.0
        self.still_pairs = 0

    @property
    def loud(self) -> int:
        """Its peak; a reader without RSSI cannot tell near from far, so there everything is near."""
        return 0 if self.peak is None else self.peak

    def range_cdb(self) -> float:
        """How far the smoothed signal moved, at the antenna where it moved most."""
        return max((high - self.low[antenna] for antenna, high in self.high.items()), default=0.0)

    def direction_z(self) -> float:
        """How many standard errors the inner side heard the tag later than the outer side: > 0 is inwards."""
        inner, outer = self.inner, self.outer
        if not inner.reads or not outer.reads:
            return 0.0
        mean_inner = inner.weighted_time / inner.weight
        mean_outer = outer.weighted_time / outer.weight
        spread = 0.0
        for side, mean in ((inner, mean_inner), (outer, mean_outer)):
            spread += max(0.0, side.weighted_squares / side.weight - mean * mean) / side.reads
        return (mean_inner - mean_outer) / math.sqrt(spread + CLOCK_GRAIN_S**2)


CLOCK_GRAIN_S = 0.05
"""Two antennas take turns; a difference below their turn says nothing."""
PHASE_GAP_S = 1.0
PHASE_PAIRS = 6
STILL = 0.85
"""Mean cosine of the phase steps (same antenna, same channel) above which a tag did not move."""
NEAR_CDB = 1000
"""A tag whose signal has fallen so far below its peak has left the door, although it is still heard."""
PARKED_JUMP_CDB = 700
"""So much louder than where it stood, at any antenna: a parked tag is being taken away."""
PARKED_FORGET_S = 120.0
NEIGHBOUR_MEMORY_S = 10.0
PASSED_AGAIN_S = 5.0
"""A tag that goes the same way again within this is the same passage."""
CLEAR = 3.0
"""Standard errors from which on a tag's own evidence stands alone."""


class _Parked:
    """A tag known to stand near the door: how loud each antenna hears it."""

    __slots__ = ("last_at", "mean")

    def __init__(self, mean: dict[int, float], at: float) -> None:
        self.mean = mean
        self.last_at = at


class Portal:
    """One door. `read` every read; `close` several times a second."""

    def __init__(self, code: str, settings: PortalSettings) -> None:
        self.code = code
        self.neighbours: list[Portal] = []
        self._settings = settings
        self._tracks: dict[str, _Track] = {}
        self._parked: dict[str, _Parked] = {}
        self._recent: dict[str, tuple[float, float]] = {}  # epc -> power, last heard, of closed passages
        self._passed: dict[str, tuple[Direction, float]] = {}
        self._first_at = 0.0
        self._last_at = 0.0

    @property
    def is_open(self) -> bool:
        """There are reads that no passage has settled yet."""
        return bool(self._tracks)

    def read(
        self,
        epc: str,
        antenna: int,
        at: float,
        rssi_cdbm: int | None = None,
        phase_rad: float | None = None,
        channel: int = 0,
        reads: int = 1,
    ) -> None:
        rssi = UNKNOWN_RSSI_CDBM if rssi_cdbm is None else rssi_cdbm
        track = self._tracks.get(epc)
        if track is None:
            if self._parked and self._still_parked(epc, antenna, at, rssi):
                return
            if not self._tracks:
                self._first_at = at
            track = self._tracks[epc] = _Track(at)
        track.reads += reads
        if at > track.last_at:
            track.last_at = at
        if at > self._last_at:
            self._last_at = at
        if rssi_cdbm is not None and (track.peak is None or rssi_cdbm > track.peak):
            track.peak = rssi_cdbm
        s = self._settings
        if rssi_cdbm is None or rssi >= max(s.min_peak_rssi_cdbm, track.loud - NEAR_CDB):
            track.near_at = at
            if track.near_since is None:
                track.near_since = at
        weight = 10.0 ** ((rssi + 6000) / 2000)  # amplitude: the moment when it was near counts most
        track.power += weight * weight * reads
        side = track.inner if antenna in s.inner else track.outer if antenna in s.outer else None
        if side is not None:
            t = at - track.first_at
            side.reads += reads
            weight *= reads
            side.weight += weight
            side.weighted_time += weight * t
            side.weighted_squares += weight * t * t
        smooth = track.smooth.get(antenna)
        smooth = rssi if smooth is None else smooth + (rssi - smooth) * 0.25
        track.smooth[antenna] = smooth
        if smooth > track.high.get(antenna, -1e9):
            track.high[antenna] = smooth
        if smooth < track.low.get(antenna, 1e9):
            track.low[antenna] = smooth
        if phase_rad is not None:
            before = track.phases.get(antenna)
            if before is not None and before[0] == channel and at - before[1] < PHASE_GAP_S:
                track.still += math.cos(phase_rad - before[2])
                track.still_pairs += 1
            track.phases[antenna] = (channel, at, phase_rad)

    def close(self, now: float) -> list[Passage]:
        """The passages that are over now; usually none. Afterwards `is_open` is False if any was over."""
        if not self._tracks:
            return []
        s = self._settings
        for epc in [e for e, t in self._tracks.items() if t.last_at - t.first_at > s.max_passage_s / 2]:
            if self._stands(self._tracks[epc]):
                self._park(epc, self._tracks.pop(epc))
        in_door = [t for t in self._tracks.values() if t.near_since is not None and not self._stands(t)]
        if not in_door:  # only strays: they are let go together, when it is quiet or after a while
            quiet = now - self._last_at >= s.undecided_silence_s
            return self._judge() if quiet or now - self._first_at >= s.max_passage_s else []
        silent = now - max(t.near_at for t in in_door)
        lasted = now - min(t.near_since or now for t in in_door)
        if lasted < s.max_passage_s:
            waits = any(not (t.inner.reads and t.outer.reads) for t in in_door)
            if silent < (s.undecided_silence_s if waits else s.silence_s):
                return []
        return self._judge()

    def heard(self, epc: str) -> float:
        """The power with which this door heard a tag, now or a moment ago; for the neighbours' question."""
        track = self._tracks.get(epc)
        return max(track.power if track else 0.0, self._recent.get(epc, (0.0, 0.0))[0])

    # --- judging --------------------------------------------------------------------------------------

    def _judge(self) -> list[Passage]:
        s = self._settings
        strays: list[StrayTag] = []
        moving: dict[str, _Track] = {}
        for epc, track in self._tracks.items():
            why = self._why_stray(epc, track)
            if why:
                strays.append(StrayTag(epc, why, track.reads, track.peak))
                if why == "parked":
                    self._park(epc, track)
            else:
                moving[epc] = track
        if moving:
            typical = sorted(t.loud for t in moving.values())[len(moving) * 3 // 4]
            for epc in [e for e, t in moving.items() if t.loud < typical - s.below_group_cdb]:
                track = moving.pop(epc)
                strays.append(StrayTag(epc, "weak", track.reads, track.peak))
        prior = _group_direction([t.direction_z() for t in moving.values()])
        passed: dict[Direction, list[PassedTag]] = {"in": [], "out": []}
        for epc, t in moving.items():
            own = max(-6.0, min(6.0, t.direction_z()))
            z = own if abs(own) >= CLEAR else own + prior
            if abs(z) < 1.0:
                strays.append(StrayTag(epc, "undecided", t.reads, t.peak))
                continue
            direction: Direction = "in" if z > 0 else "out"
            before = self._passed.get(epc)
            if before is not None and before[0] == direction and t.first_at - before[1] < PASSED_AGAIN_S:
                continue  # the tail of the passage before
            self._passed[epc] = (direction, t.last_at)
            confidence = round(1 / (1 + math.exp(-1.2 * abs(z))), 3)
            passed[direction].append(PassedTag(epc, confidence, t.reads, t.peak, t.first_at, t.last_at))
        last_at = self._last_at
        self._passed = {e: p for e, p in self._passed.items() if last_at - p[1] < PASSED_AGAIN_S}
        self._recent = {e: r for e, r in self._recent.items() if last_at - r[1] < NEIGHBOUR_MEMORY_S}
        self._parked = {e: p for e, p in self._parked.items() if last_at - p.last_at < PARKED_FORGET_S}
        self._recent.update({epc: (t.power, t.last_at) for epc, t in self._tracks.items()})
        self._tracks = {}
        found: list[Direction] = [d for d in ("in", "out") if passed[d]]
        return [
            Passage(
                f"{self.code}-{round(min(t.first_at for t in passed[way]) * 1000)}-{way}",
                way,
                passed[way],
                strays if way == found[0] else [],
                min(t.first_at for t in passed[way]),
                max(t.last_at for t in passed[way]),
            )
            for way in found
        ]

    def _why_stray(self, epc: str, track: _Track) -> str:
        if track.loud < self._settings.min_peak_rssi_cdbm and track.peak is not None:
            return "weak"
        if self._stands(track):
            return "parked"
        if any(door.heard(epc) > track.power for door in self.neighbours):
            return "cross_read"
        return ""

    def _stands(self, track: _Track) -> bool:
        if track.still_pairs >= PHASE_PAIRS:
            return track.still / track.still_pairs > STILL
        if track.peak is None or track.reads < 5:
            return False
        return track.range_cdb() < self._settings.parked_range_cdb and abs(track.direction_z()) < CLEAR

    # --- parked tags ----------------------------------------------------------------------------------

    def _park(self, epc: str, track: _Track) -> None:
        self._parked[epc] = _Parked(dict(track.smooth), track.last_at)

    def _still_parked(self, epc: str, antenna: int, at: float, rssi: float) -> bool:
        parked = self._parked.get(epc)
        if parked is None:
            return False
        mean = parked.mean.get(antenna, self._settings.min_peak_rssi_cdbm - PARKED_JUMP_CDB)
        if at - parked.last_at > PARKED_FORGET_S or rssi > mean + PARKED_JUMP_CDB:
            del self._parked[epc]
            return False
        parked.mean[antenna] = mean + (rssi - mean) * 0.02
        parked.last_at = at
        return True


def _group_direction(zs: Sequence[float]) -> float:
    """What the passage as a whole says about a tag that cannot say itself: -3 .. 3 standard errors."""
    clear = [max(-CLEAR, min(CLEAR, z)) for z in zs if abs(z) >= 1.0]
    if not clear:
        return 0.0
    agreement = sum(clear) / sum(abs(z) for z in clear)
    return CLEAR * agreement if abs(agreement) > 0.5 else 0.0
