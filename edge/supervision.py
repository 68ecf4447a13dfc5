"""One thread a device: whatever happens to a driver stays with that device.

A device that is away is tried again for ever, quickly at first (`keep_reading`); a driver that breaks in an
unforeseen way is logged, shown as a fault and started again. Readings are handed on one batch at a time, and
the next is read only when they are safe: while the spool refuses them the device waits, it is not told "done".
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from device_drivers.driver import DeviceError, Driver, create_driver, keep_reading
from device_drivers.readings import DeviceInfo, Reading, RejectedFrame, TagRead
from edge.config import DeviceSection
from edge.messages import DeviceStatus
from edge.spool import SpoolRefused

log = structlog.get_logger("edge.device")

Sink = Callable[[DeviceSection, list[Reading]], None]
"""Makes readings safe; none is a read in vain. Where it raises SpoolRefused it has kept them and wants to be called again with none."""

STORE_AGAIN_S = 1.0
BROKEN_DRIVER_S = (1.0, 5.0, 30.0)
RATE_OVER_S = 5.0
LISTEN_S = 0.5
LISTEN_AT_DOOR_S = 0.1
"""A passage ends with a silence, and silence is known only when a read has ended without readings."""


class SupervisedDevice:
    """A device's thread and what is known of its health."""

    def __init__(self, config: DeviceSection, sink: Sink, stop: threading.Event) -> None:
        self.config = config
        self._sink = sink
        self._stop = stop
        self._commands: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._restart = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device-{config.code}", daemon=True)
        self._driver: Driver[Any] | None = None
        self._info = DeviceInfo("offline", datetime.now(UTC), "starting")
        self._refused = ""
        self._last_seen_at: datetime | None = None
        self._rejected = 0
        self._readings = 0
        self._rate = (time.monotonic(), 0, 0.0)  # since, readings then, readings/s before

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    @property
    def online(self) -> bool:
        return self._info.state == "online"

    @property
    def kind(self) -> str:
        return self._driver.kind if self._driver else self.config.driver

    def command(self, name: str) -> None:
        """Do it between two reads; `restart_device` closes and opens the device."""
        if name == "restart_device":
            self._restart.set()
        else:
            self._commands.put(name)

    def status(self) -> DeviceStatus:
        info = self._info
        since, before, rate = self._rate
        now = time.monotonic()
        if now - since >= RATE_OVER_S:
            rate = (self._readings - before) / (now - since)
            self._rate = (now, self._readings, rate)
        return DeviceStatus(
            device=self.config.code,
            kind=self.kind,
            state="fault" if self._refused else info.state,
            detail=self._refused or info.detail,
            last_seen_at=self._last_seen_at,
            readings_per_s=round(rate, 1),
            rejected_frames=self._rejected,
            clock_offset_s=info.clock_offset_s,
            firmware=info.firmware,
            antennas={str(number): state for number, state in info.antennas.items()},
        )

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._driver = create_driver(self.config.driver, self.config.code, self.config.options)
                for readings in keep_reading(
                    self._driver,
                    self._stop,
                    LISTEN_AT_DOOR_S if self.config.portal else LISTEN_S,
                    retry_s=self.config.retry_s,
                    wait=self._wait,
                ):
                    self._hand_on(readings)
                    if readings:
                        failures = 0
                    self._obey(self._driver)
                    if self._restart.is_set():
                        self._restart.clear()
                        log.info("device_restarted", device=self.config.code)
                        break
            except Exception as e:  # the outer loop of this device
                log.exception("driver_broke", device=self.config.code)
                what = (
                    f"The driver {self.config.driver} broke ({type(e).__name__}: {e}); it is started again."
                )
                self._hand_on([DeviceInfo("fault", datetime.now(UTC), what)])
                self._wait(BROKEN_DRIVER_S[min(failures, len(BROKEN_DRIVER_S) - 1)])
                failures += 1

    def _hand_on(self, readings: list[Reading]) -> None:
        """Note the device's health and give the readings away, again and again until they are safe."""
        for reading in readings:
            if isinstance(reading, DeviceInfo):
                if reading.state != self._info.state or reading.detail != self._info.detail:
                    log.info(
                        "device_state", device=self.config.code, state=reading.state, detail=reading.detail
                    )
                self._info = reading
                continue
            self._readings += reading.reads if isinstance(reading, TagRead) else 1
            self._last_seen_at = reading.seen_at
            if isinstance(reading, RejectedFrame):
                self._rejected += 1
        while True:
            try:
                self._sink(self.config, readings)
                self._refused = ""
                return
            except SpoolRefused as e:
                if not self._refused:
                    log.error("readings_wait", device=self.config.code, why=str(e))
                self._refused = str(e)
                readings = []
                if self._stop.wait(STORE_AGAIN_S):
                    return

    def _obey(self, driver: Driver[Any]) -> None:
        while True:
            try:
                name = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                self._hand_on(driver.command(name))
            except DeviceError as e:
                log.warning("command_refused", device=self.config.code, command=name, why=str(e))

    def _wait(self, seconds: float) -> bool:
        """Between attempts; a restart cuts it short."""
        until = time.monotonic() + seconds
        while not self._stop.is_set() and not self._restart.is_set() and time.monotonic() < until:
            self._stop.wait(min(0.2, max(0.0, until - time.monotonic())))
        return self._stop.is_set()
