"""Which antenna a tag belongs to, and when that is worth telling.

A tag that several antennas hear stays where it is until another antenna hears it clearly better: the means of
RSSI are compared with a margin that melts while the old antenna hears nothing (the rule of EdgeX's RFID
inventory: 6 dB, from 500 ms on 0.008 dB less each ms, two reads at least). A tag is told when it arrives, when
it moves, every `refresh_s` while it stays and when it left; each time with all reads since the last time.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from edge.cleaning.presence import Presence, PresenceSettings

UNKNOWN_RSSI_CDBM = -7000
"""Stands for a reader that gives no RSSI: then only the silence of the old antenna decides."""
SWEEP_S = 1.0


class ZoneSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    presence: PresenceSettings = field(default_factory=PresenceSettings)
    refresh_s: float = 10.0
    """A tag that stays is told again so often."""
    threshold_cdb: float = 600.0
    """So much louder another antenna must hear a tag before it moves there ..."""
    holdoff_s: float = 0.5
    slope_cdb_per_s: float = -800.0
    """... and so much less for each second that the old antenna has been silent beyond `holdoff_s`."""
    min_reads: int = 2
    """At the new antenna."""


class Sighting(NamedTuple):
    epc: str
    antenna: int
    reads: int
    peak_rssi_cdbm: int | None
    first_at: float
    last_at: float


class _Heard:
    __slots__ = ("last_at", "mean", "reads")

    def __init__(self, rssi: float, at: float, reads: int) -> None:
        self.mean = rssi
        self.reads = reads
        self.last_at = at


class _Tag:
    __slots__ = ("antenna", "first_at", "heard", "last_at", "peak", "reads", "told_at")

    def __init__(self, antenna: int, at: float) -> None:
        self.antenna = antenna
        self.heard: dict[int, _Heard] = {}
        self.told_at = at
        self.reads = 0
        self.peak: int | None = None
        self.first_at = at
        self.last_at = at


class Zones:
    """`read` every read; `due` every report interval."""

    def __init__(self, settings: ZoneSettings | None = None) -> None:
        self._settings = settings or ZoneSettings()
        self._presence = Presence(self._settings.presence)
        self._tags: dict[str, _Tag] = {}
        self._news: dict[str, None] = {}
        self._swept_at = 0.0

    def read(self, epc: str, antenna: int, at: float, rssi_cdbm: int | None, reads: int = 1) -> None:
        tag = self._tags.get(epc)
        if self._presence.read(epc, at) or tag is None:
            self._news[epc] = None
            if tag is None:
                tag = self._tags[epc] = _Tag(antenna, at)
        if not tag.reads:
            tag.first_at = at
        tag.reads += reads
        tag.last_at = at
        if rssi_cdbm is not None and (tag.peak is None or rssi_cdbm > tag.peak):
            tag.peak = rssi_cdbm
        rssi = UNKNOWN_RSSI_CDBM if rssi_cdbm is None else rssi_cdbm
        heard = tag.heard.get(antenna)
        if heard is None:
            heard = tag.heard[antenna] = _Heard(rssi, at, reads)
        else:
            heard.mean += (rssi - heard.mean) * 0.3
            heard.reads += reads
            heard.last_at = at
        if antenna != tag.antenna and self._moved(tag, heard, at):
            tag.antenna = antenna
            tag.heard = {antenna: heard}
            self._news[epc] = None

    def due(self, now: float) -> list[Sighting]:
        """What is worth telling now."""
        gone: list[str] = []
        if now - self._swept_at >= SWEEP_S:
            self._swept_at = now
            gone = self._presence.departed(now)
            for epc, tag in self._tags.items():
                if now - tag.told_at >= self._settings.refresh_s:
                    self._news[epc] = None
            self._news.update(dict.fromkeys(gone))
        told = []
        for epc in self._news:
            tag = self._tags[epc]
            if tag.reads:
                told.append(Sighting(epc, tag.antenna, tag.reads, tag.peak, tag.first_at, tag.last_at))
            tag.told_at = now
            tag.reads = 0
            tag.peak = None
        self._news.clear()
        for epc in gone:
            del self._tags[epc]
        return told

    def __len__(self) -> int:
        return len(self._tags)

    def _moved(self, tag: _Tag, heard: _Heard, at: float) -> bool:
        s = self._settings
        old = tag.heard.get(tag.antenna)
        if old is None:
            return True
        if heard.reads < s.min_reads:
            return False
        margin = min(s.threshold_cdb, s.slope_cdb_per_s * (at - old.last_at - s.holdoff_s) + s.threshold_cdb)
        return heard.mean > old.mean + margin
