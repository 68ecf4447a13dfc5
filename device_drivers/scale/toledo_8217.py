"""Toledo 8213/8217, the protocol of retail and shipping scales.

`W` answers `<STX>xxx.xx<CR>` for a stable weight, or `<STX>?<status><CR>`; `Z` zeroes. The weight has no unit on the
wire: it comes from the options and must be what the scale is set to. Usual line: 9600 baud, 7 bits, even parity.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from device_drivers.driver import DeviceRefused
from device_drivers.driver import Options as DriverOptions
from device_drivers.readings import Reading, Weight
from device_drivers.scale.polled import PolledScale, ScaleOptions
from device_drivers.scale.units import to_grams

STX = b"\x02"

_MOVING, _OVER, _UNDER = 0x01, 0x02, 0x04


class Toledo8217Options(ScaleOptions, frozen=True, kw_only=True):
    unit: Literal["g", "kg", "lb", "oz"]
    bytesize: Literal[7, 8] = 7
    parity: Literal["N", "E", "O"] = "E"


class Toledo8217Scale(PolledScale[Toledo8217Options]):
    options_type: ClassVar[type[DriverOptions]] = Toledo8217Options
    commands: ClassVar[frozenset[str]] = frozenset({"zero_scale"})

    def ask(self) -> bytes:
        self.line.discard_input()
        self.line.write(b"W")
        return self.line.read_until(b"\r", self.options.answer_timeout_s)

    def understand(self, frame: bytes) -> Weight | None:
        body = frame.removeprefix(STX).removesuffix(b"\r")
        if len(body) != len(frame) - 2:
            raise ValueError("the answer is not framed by STX and CR")
        if body.startswith(b"?") and len(body) == 2:
            status = body[1]
            if status & _OVER:
                return Weight("overload", self.now())
            if status & _UNDER:
                return Weight("underload", self.now())
            return Weight("dynamic", self.now()) if status & _MOVING else None
        if not re.fullmatch(rb" *\d*\.?\d+", body):
            raise ValueError(f"no Toledo weight: {body!r}")
        return Weight("stable", self.now(), to_grams(body.decode().strip(), self.options.unit))

    def command(self, name: str) -> list[Reading]:
        if name != "zero_scale":
            return super().command(name)
        self.line.discard_input()
        self.line.write(b"Z")
        answer = self.line.read_until(b"\r", self.options.answer_timeout_s)
        if not answer.startswith(STX):
            raise DeviceRefused(f"{self.device}: zero refused: the scale answers {answer!r}")
        self._last = None
        return []
