"""A bench scale: MT-SICS by default, Toledo 8217 or NCI on request. `put(weight_g)` is a parcel on the pan."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from device_drivers.emulator.serial_line import SerialLine
from device_drivers.scale.units import GRAMS

Protocol = Literal["mt_sics", "toledo_8217", "nci"]


class EmulatedScale(SerialLine):
    def __init__(
        self,
        protocol: Protocol = "mt_sics",
        unit: Literal["g", "kg", "lb"] = "g",
        resolution_g: Decimal | int = Decimal(1),
        capacity_g: Decimal | int = 30_000,
    ) -> None:
        self._protocol, self._unit = protocol, unit
        self._resolution_g, self._capacity_g = Decimal(resolution_g), Decimal(capacity_g)
        self._load_g = Decimal(0)
        self._zero_g = Decimal(0)
        self._tare_g = Decimal(0)
        self._commands = b""
        self.is_moving = False
        """Dynamic: the pan still swings."""
        self.is_busy = False
        """Answers that it cannot tell now."""
        self.is_silent = False
        """Does not answer at all: switched off."""
        self.answers_nonsense = False
        super().__init__()

    def put(self, weight_g: Decimal | int, moving: bool = False) -> None:
        """What lies on the pan from now on; above the capacity the scale is overloaded, below zero underloaded."""
        self._load_g, self.is_moving = Decimal(weight_g), moving

    def settle(self) -> None:
        self.is_moving = False

    def received(self, data: bytes) -> None:
        self._commands += data
        end = {"mt_sics": b"\r\n", "nci": b"\r", "toledo_8217": b""}[self._protocol]
        if end:
            *commands, self._commands = self._commands.split(end)
        else:
            commands, self._commands = [bytes([byte]) for byte in self._commands], b""
        answer = {"mt_sics": self._mt_sics, "nci": self._nci, "toledo_8217": self._toledo}[self._protocol]
        for command in commands:
            if command and not self.is_silent:
                self.send(
                    b"\x00\x13?!\r\n" if self.answers_nonsense else answer(command.decode("ascii", "replace"))
                )

    @property
    def _net_g(self) -> Decimal:
        return self._load_g - self._zero_g - self._tare_g

    def _is_over(self) -> bool:
        return self._load_g > self._capacity_g

    def _is_under(self) -> bool:
        return self._load_g - self._zero_g < -self._resolution_g * 9

    def _shown(self, grams: Decimal) -> str:
        rounded = (grams / self._resolution_g).quantize(Decimal(1)) * self._resolution_g
        value = rounded / GRAMS[self._unit]
        return f"{value:.2f}" if self._unit == "g" else f"{value:.3f}"

    def _mt_sics(self, command: str) -> bytes:
        if command in ("S", "SI"):
            return self._mt_sics_weight().encode() + b"\r\n"
        if command in ("Z", "T"):
            if self.is_moving or self.is_busy:
                return f"{command} I\r\n".encode()
            if self._is_over() or self._is_under():
                return f"{command} {'+' if self._is_over() else '-'}\r\n".encode()
            if command == "Z":
                self._zero_g, self._tare_g = self._load_g, Decimal(0)
                return b"Z A\r\n"
            self._tare_g = self._load_g - self._zero_g
            return f"T S {self._shown(self._tare_g):>10} {self._unit}\r\n".encode()
        if command == "TA":
            return f"TA A {self._shown(self._tare_g):>10} {self._unit}\r\n".encode()
        if command == "@":
            self._tare_g = Decimal(0)
        if command in ("I4", "@"):
            return b'I4 A "EMULATED01"\r\n'
        return b"ES\r\n"

    def _mt_sics_weight(self) -> str:
        if self.is_busy:
            return "S I"
        if self._is_over() or self._is_under():
            return "S +" if self._is_over() else "S -"
        return f"S {'D' if self.is_moving else 'S'} {self._shown(self._net_g):>10} {self._unit}"

    def _toledo(self, command: str) -> bytes:
        if command == "Z":
            self._zero_g = self._load_g
            return b"\x02?\x40\r"
        if command != "W":
            return b"\x02?\x00\r"
        status = self.is_moving | self._is_over() << 1 | self._is_under() << 2
        if status or self.is_busy:
            return b"\x02?" + bytes([0x40 | status]) + b"\r"
        return f"\x02{self._shown(self._net_g)}\r".encode()

    def _nci(self, command: str) -> bytes:
        if command == "Z":
            self._zero_g = self._load_g
        status = bytes([0x30 | self.is_moving, 0x30 | self._is_under() | self._is_over() << 1])
        if self._is_over() or self._is_under() or command != "W":
            return b"\n" + status + b"\r\x03"
        return f"\n{self._shown(self._net_g):>8}{self._unit}\r\n".encode() + status + b"\r\x03"
