"""A serial barcode scanner: `scan(text)` is somebody pulling the trigger."""

from __future__ import annotations

from device_drivers.emulator.serial_line import SerialLine


class EmulatedScanner(SerialLine):
    def __init__(self, prefix: str = "", suffix: str = "\r", sends_aim: bool = True) -> None:
        self.prefix, self.suffix, self.sends_aim = prefix, suffix, sends_aim
        super().__init__()

    def scan(self, text: str, symbology: str | None = "]C1") -> None:
        """One code. `symbology` is the AIM identifier, None for a scanner that does not know it."""
        aim = symbology if self.sends_aim and symbology else ""
        self.send(f"{self.prefix}{aim}{text}{self.suffix}".encode())

    def scan_cut_short(self, text: str) -> None:
        """The code stops in the middle, without its suffix."""
        self.send(f"{self.prefix}{text[: len(text) // 2]}".encode())

    def scan_noise(self) -> None:
        """Bytes that no barcode has."""
        self.send(b"\xff\xfe\x80\x81\r")

    def scan_endless(self, count: int = 10_000) -> None:
        """A code longer than any barcode."""
        self.send(b"9" * count + self.suffix.encode())
