"""NCI, the protocol of Weigh-Tronix and many parcel scales.

`W<CR>` answers `<LF>xxxx.xxlb<CR><LF>hh<CR><ETX>`: weight with unit, then status bytes; without a valid weight only
the status. `Z<CR>` zeroes. Status (low nibbles): first 1 in motion, 2 at zero; second 1 under, 2 over capacity.
"""

from __future__ import annotations

import re
from typing import ClassVar

from device_drivers.driver import Options as DriverOptions
from device_drivers.readings import Reading, Weight
from device_drivers.scale.polled import PolledScale, ScaleOptions
from device_drivers.scale.units import to_grams

ETX = b"\x03"
_WEIGHT = re.compile(rb"\n(?: *(-?\d*\.?\d+) *([A-Za-z]{1,2})\r\n)?(.{2,4})\r\x03", re.DOTALL)


class NciOptions(ScaleOptions, frozen=True, kw_only=True):
    pass


class NciScale(PolledScale[NciOptions]):
    options_type: ClassVar[type[DriverOptions]] = NciOptions
    commands: ClassVar[frozenset[str]] = frozenset({"zero_scale"})

    def ask(self) -> bytes:
        self.line.discard_input()
        self.line.write(b"W\r")
        return self.line.read_until(ETX, self.options.answer_timeout_s)

    def understand(self, frame: bytes) -> Weight | None:
        found = _WEIGHT.fullmatch(frame)
        if found is None:
            raise ValueError(f"no NCI answer: {frame!r}")
        number, unit, status = found[1], found[2], found[3]
        if status[1] & 2:
            return Weight("overload", self.now())
        if status[1] & 1:
            return Weight("underload", self.now())
        if number is None:
            return Weight("dynamic", self.now()) if status[0] & 1 else None
        weight_g = to_grams(number.decode(), unit.decode().lower())
        return Weight("dynamic" if status[0] & 1 else "stable", self.now(), weight_g)

    def command(self, name: str) -> list[Reading]:
        if name != "zero_scale":
            return super().command(name)
        self.line.discard_input()
        self.line.write(b"Z\r")
        self.line.read_until(ETX, self.options.answer_timeout_s)
        self._last = None
        return []
