"""A scanner with a handshake: it gives the next code only when it was told that the last one is safe.

Run as a program it is the agent with this driver added, to be killed by the tests.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from typing import ClassVar

from device_drivers import driver
from device_drivers.driver import DeviceLost, Driver, Options
from device_drivers.readings import DeviceInfo, Reading, ScannedCode
from edge.agent import run


class ToldOptions(Options, frozen=True, kw_only=True):
    port: int


class ToldScanner(Driver[ToldOptions]):
    kind: ClassVar[str] = "barcode_scanner"
    options_type: ClassVar[type[Options]] = ToldOptions

    _socket: socket.socket | None = None

    def open(self) -> DeviceInfo:
        try:
            self._socket = socket.create_connection(("127.0.0.1", self.options.port), 5)
        except OSError as e:
            raise DeviceLost(str(e)) from e
        return DeviceInfo("online", self.now())

    def read(self, timeout_s: float) -> list[Reading]:
        assert self._socket is not None
        try:
            self._socket.sendall(b"next\n")  # being asked again means: what I gave before is safe
            line = self._socket.recv(1000)
        except OSError as e:
            raise DeviceLost(str(e)) from e
        if not line:
            raise DeviceLost("the scanner closed the line")
        return [ScannedCode(line.decode().strip(), self.now())]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class ToldScannerDevice:
    """The device's end: codes `n/attempt`; `safe` has those whose success it was told."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.safe: list[str] = []
        self._pause_s = pause_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        number, attempt = 0, 0
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            given = False
            with line:
                while True:
                    try:
                        asked = line.recv(100)
                    except OSError:
                        asked = b""
                    if not asked:
                        attempt += 1
                        break
                    if given:
                        self.safe.append(f"{number}/{attempt}")
                        number, attempt = number + 1, 0
                    given = True
                    time.sleep(self._pause_s)
                    try:
                        line.sendall(f"{number}/{attempt}\n".encode())
                    except OSError:
                        attempt += 1
                        break


if __name__ == "__main__":
    driver.DRIVERS["told"] = "tests.edge.told_device:ToldScanner"
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run(sys.argv[1], stop)
