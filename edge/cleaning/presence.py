"""Smoothing: is this tag still there, although it was missed the last few times?

Each tag has its own window, from its own read rate. SMURF (Jeffery et al., VLDB 2006) sizes the window so that
a present tag is hardly ever missed, and needs a second test to shrink it again when the tag leaves. Here both
come from one question: after a silence of k epochs, is "there and missed k times" still more likely than
"left"? With read rate p and chance h to leave in an epoch, q = (1-p)(1-h), the tag counts as there while

    q^k > h / (1 - q + h)        that is        k < ln(h / (1 - q + h)) / ln q

which has the smallest expected error of all windows for that p and h. p is the tag's own rate while it was
seen, leaning on the reader's typical rate while the tag is new. Measured against SMURF and fixed windows in
tests/edge/test_cleaning.py.
"""

from __future__ import annotations

import math

from msgspec import Struct

OWN_RATE_AFTER = 15.0
"""Epochs after which a tag's own read rate weighs as much as the reader's typical rate."""
HALF_LIFE = 30.0
"""Epochs in which a tag's old reads lose half their weight."""
READER_MEMORY = 0.999
LEARN_WINDOWS = 2
"""A silence up to so many windows still counts as missed reads of the same visit: otherwise only short silences
would be learned from, and windows would shrink for ever."""


class PresenceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    epoch_s: float = 0.2
    """The grain of time: reads of one tag inside it count once. About one inventory round of the reader."""
    expected_dwell_s: float = 20.0
    """How long a tag typically stays; its inverse is the chance to leave."""


class _Tag:
    __slots__ = ("epoch", "epochs", "forgotten_at", "leaves_at", "reads", "told")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.reads = 0.0
        self.epochs = 0.0
        self.leaves_at = 0.0
        self.forgotten_at = 0.0
        self.told = False  # that it has left


class Presence:
    """The tags that are there. `read` on every read, `departed` now and then."""

    def __init__(self, settings: PresenceSettings | None = None) -> None:
        self._settings = settings or PresenceSettings()
        self._hazard = min(0.5, self._settings.epoch_s / self._settings.expected_dwell_s)
        self._tags: dict[str, _Tag] = {}
        self._reads, self._epochs = 8.0, 20.0  # of the reader: starts at a rate of 0.4

    def read(self, epc: str, at: float) -> bool:
        """A tag was read; True where it was not there before."""
        epoch = int(at / self._settings.epoch_s)
        tag = self._tags.get(epc)
        if tag is not None and epoch <= tag.epoch:
            return False
        arrived = tag is None or at > tag.leaves_at
        if tag is None or at > tag.forgotten_at:
            tag = self._tags[epc] = _Tag(epoch)
        else:
            gap = epoch - tag.epoch
            keep = 0.5 ** (gap / HALF_LIFE)
            tag.reads = tag.reads * keep + 1
            tag.epochs = tag.epochs * keep + gap
            tag.epoch = epoch
            tag.told = False
            self._reads = self._reads * READER_MEMORY + 1
            self._epochs = self._epochs * READER_MEMORY + gap
        typical = self._reads / self._epochs
        rate = min(0.98, (tag.reads + OWN_RATE_AFTER * typical) / (tag.epochs + OWN_RATE_AFTER))
        window = self._window(rate)
        tag.leaves_at = (epoch + 1 + window) * self._settings.epoch_s
        tag.forgotten_at = (epoch + 1 + window * LEARN_WINDOWS) * self._settings.epoch_s
        return arrived

    def is_there(self, epc: str, at: float) -> bool:
        tag = self._tags.get(epc)
        return tag is not None and at <= tag.leaves_at

    def departed(self, now: float) -> list[str]:
        """The tags that have left since the last call."""
        gone = []
        for epc, tag in [(e, t) for e, t in self._tags.items() if now > t.leaves_at]:
            if not tag.told:
                tag.told = True
                gone.append(epc)
            if now > tag.forgotten_at:
                del self._tags[epc]
        return gone

    def _window(self, rate: float) -> int:
        """Missed epochs after which the tag counts as gone."""
        missed = (1 - rate) * (1 - self._hazard)
        return int(math.log(self._hazard / (1 - missed + self._hazard)) / math.log(missed))
