"""Barcode scanners on a serial line or USB-CDC: `<prefix><]cm><data><suffix>`.

Set the scanner to send AIM symbology identifiers and a suffix (CR, LF or TAB); both are understood, the identifier
may be missing. A frame that is too long, has the wrong prefix or holds bytes that no barcode has is rejected whole.
"""

from __future__ import annotations

import re
import time
from typing import ClassVar, Literal

from device_drivers.driver import Clock, DeviceLost, Driver, utc_now
from device_drivers.driver import Options as DriverOptions
from device_drivers.readings import DeviceInfo, Reading, RejectedFrame, ScannedCode
from device_drivers.serial_port import SerialOptions, SerialPort

_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_GS = "\x1d"
_SUFFIXES = {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n", "tab": b"\t", "any": b""}


class ScannerOptions(SerialOptions, frozen=True, kw_only=True):
    prefix: str = ""
    """What the scanner is set to send before each code."""
    suffix: Literal["any", "cr", "lf", "crlf", "tab"] = "any"
    max_bytes: int = 4096
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    gap_s: float = 0.5
    """A code that stops for so long without its suffix is cut short and rejected."""


class SerialScanner(Driver[ScannerOptions]):
    """One scanner."""

    kind: ClassVar[str] = "barcode_scanner"
    options_type: ClassVar[type[DriverOptions]] = ScannerOptions

    def __init__(self, device: str, options: ScannerOptions, now: Clock = utc_now) -> None:
        super().__init__(device, options, now)
        self._line: SerialPort | None = None
        self._pending = b""
        self._overlong = False
        self._last_byte = 0.0

    def open(self) -> DeviceInfo:
        self.close()
        self._pending, self._overlong = b"", False
        self._line = SerialPort(self.device, self.options)
        return DeviceInfo("online", self.now(), f"listening on {self.options.port}")

    def read(self, timeout_s: float) -> list[Reading]:
        if self._line is None:
            raise DeviceLost(f"{self.device}: not connected")
        deadline = time.monotonic() + timeout_s
        while True:
            wait = deadline - time.monotonic()
            if self._pending or self._overlong:
                wait = min(wait, self._last_byte + self.options.gap_s - time.monotonic())
            data = self._line.read(max(0.0, wait))
            if data:
                self._last_byte = time.monotonic()
                readings = self._take(data)
                if readings:
                    return readings
            elif self._pending and time.monotonic() >= self._last_byte + self.options.gap_s:
                frame, self._pending = self._pending, b""
                return [self._reject("the code stopped before its suffix", frame)]
            elif time.monotonic() >= deadline:
                return []

    def close(self) -> None:
        line, self._line = self._line, None
        if line:
            line.close()

    def _take(self, data: bytes) -> list[Reading]:
        """Cuts at suffixes; an overlong code is reported once and skipped to its end."""
        readings: list[Reading] = []
        suffix = _SUFFIXES[self.options.suffix]
        *frames, self._pending = (
            re.split(rb"[\r\n\t]", self._pending + data)
            if not suffix
            else (self._pending + data).split(suffix)
        )
        for frame in frames:
            if self._overlong:
                self._overlong = False
            elif frame:
                readings.append(self._code(frame))
        if len(self._pending) > self.options.max_bytes:
            if not self._overlong:
                reason = f"a code longer than {self.options.max_bytes} bytes"
                readings.append(self._reject(reason, self._pending))
            self._overlong, self._pending = True, b""
        return readings

    def _code(self, frame: bytes) -> Reading:
        if len(frame) > self.options.max_bytes:
            return self._reject(f"a code longer than {self.options.max_bytes} bytes", frame)
        try:
            text = frame.decode(self.options.encoding)
        except UnicodeDecodeError:
            return self._reject(f"bytes that are not {self.options.encoding}", frame)
        if not text.startswith(self.options.prefix):
            return self._reject(f"the code does not start with the prefix {self.options.prefix!r}", frame)
        text = text[len(self.options.prefix) :]
        symbology = None
        if _AIM.match(text):
            symbology, text = text[:3], text[3:]
        if not text.strip(_GS):
            return self._reject("a code without content", frame)
        if any(ord(c) < 0x20 and c != _GS for c in text) or "\x7f" in text:
            return self._reject("control characters inside the code", frame)
        return ScannedCode(text, self.now(), symbology)

    def _reject(self, reason: str, frame: bytes) -> RejectedFrame:
        return RejectedFrame(reason, frame[: self.options.max_bytes], self.now())
