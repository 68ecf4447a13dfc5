"""The serial line that barcode scanners and scales share: pyserial with our errors.

Options are common to both; a lost cable is DeviceLost with the port's name. Reads never block longer than asked.
"""

from __future__ import annotations

import contextlib
import select
import termios
import time
from typing import Literal

import serial

from device_drivers.driver import DeviceBusy, DeviceLost, Options

_GONE = (serial.SerialException, OSError, termios.error)
"""What pyserial lets through when a cable is pulled."""


class SerialOptions(Options, frozen=True, kw_only=True):
    port: str
    """/dev/ttyACM0, better /dev/serial/by-id/..., which survives replugging."""
    baudrate: int = 9600
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    flow_control: Literal["none", "xonxoff", "rtscts"] = "none"


class SerialPort:
    """An open serial line. Raises DeviceLost and DeviceBusy, nothing else."""

    def __init__(self, device: str, options: SerialOptions) -> None:
        self._device, self._name = device, options.port
        try:
            self._line = serial.Serial(
                options.port,
                options.baudrate,
                bytesize=options.bytesize,
                parity=options.parity,
                stopbits=options.stopbits,
                xonxoff=options.flow_control == "xonxoff",
                rtscts=options.flow_control == "rtscts",
                timeout=0,
                write_timeout=2,
                exclusive=True,
            )
        except _GONE as e:
            if "exclusively lock" in str(e):
                raise DeviceBusy(f"{device}: another program uses {options.port}; stop it first") from e
            raise DeviceLost(f"{device}: cannot open {options.port}; is the cable in? ({e})") from e

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, waiting up to `timeout_s` for the first byte."""
        try:
            ready, _, _ = select.select([self._line.fileno()], [], [], max(0.0, timeout_s))
            return bytes(self._line.read(65536)) if ready else b""
        except _GONE as e:
            raise DeviceLost(f"{self._device}: {self._name} is gone; is the cable in? ({e})") from e

    def read_until(self, end: bytes, timeout_s: float, limit: int = 4096) -> bytes:
        """Bytes up to and with `end`; what there is when time or `limit` runs out first."""
        deadline, data = time.monotonic() + timeout_s, b""
        while end not in data and len(data) < limit:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            data += self.read(left)
        return data

    def write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except _GONE as e:
            raise DeviceLost(f"{self._device}: cannot write to {self._name}; is the cable in? ({e})") from e

    def discard_input(self) -> bytes:
        """Throws away what has arrived so far, and returns it."""
        return self.read(0)

    def close(self) -> None:
        with contextlib.suppress(*_GONE):  # the device may be gone already
            self._line.close()
