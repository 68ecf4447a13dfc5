"""The far end of a pseudo-terminal: what a serial device is to its driver.

`path` is a link that stays the same when the device is unplugged and plugged in again, as /dev/serial/by-id does.
"""

from __future__ import annotations

import contextlib
import os
import select
import tempfile
import threading
import time
import tty
from pathlib import Path


class SerialLine:
    """A device on a pseudo-terminal. Subclasses answer in `received`, called in the line's own thread."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="emulated-serial-")
        self._link = Path(self._folder.name) / "port"
        self._master = -1
        self._slave = -1
        self._wake = -1
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self.plug_in()

    @property
    def path(self) -> str:
        """The device path to give to the driver."""
        return str(self._link)

    def plug_in(self) -> None:
        with self._lock:
            if self._master >= 0:
                return
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(os.ttyname(self._slave))
            asleep, self._wake = os.pipe()
            name = type(self).__name__
            self._thread = threading.Thread(
                target=self._listen, args=(self._master, asleep), name=name, daemon=True
            )
            self._thread.start()

    def unplug(self) -> None:
        """The cable comes out: the driver's next read fails."""
        with self._lock:
            if self._master < 0:
                return
            master, slave, self._master, self._slave = self._master, self._slave, -1, -1
            self._link.unlink(missing_ok=True)
        # The listener leaves before its descriptor is closed: the number may be another device's a moment later.
        os.close(self._wake)
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()
        for descriptor in (slave, master):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def close(self) -> None:
        self.unplug()
        self._folder.cleanup()

    def send(self, data: bytes) -> None:
        """Bytes as they are, also wrong ones."""
        with self._lock:
            if self._master >= 0:
                os.write(self._master, data)

    def received(self, data: bytes) -> None:
        """What the driver wrote."""

    def _listen(self, master: int, asleep: int) -> None:
        while True:
            ready, _, _ = select.select([master, asleep], [], [])
            if asleep in ready:
                os.close(asleep)
                return
            try:
                data = os.read(master, 4096)
            except OSError:
                time.sleep(0.01)  # nobody has the other end open
                continue
            self.received(data)
