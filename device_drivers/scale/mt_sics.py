"""MT-SICS, the Mettler Toledo Standard Interface Command Set, level 0 and 1 (also spoken by many other makes).

`SI` answers at once: `S S     100.00 g` stable, `S D` dynamic, `S I` busy, `S +` and `S -` over and under. `Z` zeroes,
`T` tares (both wait for a stable weight), `TA` tells the tare, `I4` the serial number, `@` resets.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar

from device_drivers.driver import DeviceRefused
from device_drivers.driver import Options as DriverOptions
from device_drivers.readings import Reading, Weight
from device_drivers.scale.polled import PolledScale, ScaleOptions
from device_drivers.scale.units import to_grams

_VALUE = re.compile(r"S ([SD]) +(-? *\d+(?:\.\d+)?) (\w+)")
_REFUSALS = {
    "I": "the scale is busy or the weight is not stable; wait and try again",
    "L": "the scale does not know this command or a value is wrong",
    "+": "the upper limit is exceeded; take the load off",
    "-": "the lower limit is exceeded; put the pan on",
}


class MtSicsOptions(ScaleOptions, frozen=True, kw_only=True):
    command_timeout_s: float = 5
    """Zero and tare wait in the scale for a stable weight."""


class MtSicsScale(PolledScale[MtSicsOptions]):
    options_type: ClassVar[type[DriverOptions]] = MtSicsOptions

    _tare_g: Decimal | None = None

    def identify(self) -> str:
        """Serial number; a scale that does not know `I4` is still a scale."""
        self.line.write(b"I4\r\n")
        answer = self.line.read_until(b"\r\n", self.options.answer_timeout_s).decode("ascii", "replace")
        found = re.match(r'I4 A "(.*)"', answer)
        return found[1] if found else ""

    def ask(self) -> bytes:
        self.line.discard_input()
        self.line.write(b"SI\r\n")
        return self.line.read_until(b"\r\n", self.options.answer_timeout_s)

    def understand(self, frame: bytes) -> Weight | None:
        text = frame.decode("ascii", "replace").strip("\r\n")
        if not frame.endswith(b"\r\n"):
            raise ValueError("the answer stopped before its end")
        if text == "S I":
            return None
        if text in ("S +", "S -"):
            return Weight("overload" if text[2] == "+" else "underload", self.now())
        value = _VALUE.fullmatch(text)
        if value is None:
            raise ValueError(f"no MT-SICS weight: {text!r}")
        state = "stable" if value[1] == "S" else "dynamic"
        return Weight(state, self.now(), to_grams(value[2], value[3]), self._tare_g)  # type: ignore[arg-type]

    def command(self, name: str) -> list[Reading]:
        if name == "zero_scale":
            self._order("Z")
            self._tare_g = None
        elif name == "tare_scale":
            tare = self._order("T")
            value = re.fullmatch(r" *(-? *\d+(?:\.\d+)?) (\w+)", tare)
            self._tare_g = to_grams(value[1], value[2]) if value else None
        else:
            return super().command(name)
        self._last = None  # tell the weight again, it means something else now
        return []

    def _order(self, command: str) -> str:
        """Sends a command and returns what follows its acknowledgement. Raises DeviceRefused."""
        self.line.discard_input()
        self.line.write(command.encode() + b"\r\n")
        answer = (
            self.line.read_until(b"\r\n", self.options.command_timeout_s)
            .decode("ascii", "replace")
            .strip("\r\n")
        )
        code = answer.removeprefix(f"{command} ")[:1]
        if code in ("A", "S"):
            return answer[len(command) + 2 :]
        reason = _REFUSALS.get(code, f"it answers {answer!r}" if answer else "it does not answer")
        raise DeviceRefused(f"{self.device}: {command} refused: {reason}")
