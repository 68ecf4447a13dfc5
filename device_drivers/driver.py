"""The one interface of all drivers, the table of drivers, and the loop that keeps a device alive.

A driver is a class with `kind`, an `Options` struct, `open()`, `read(timeout_s)` and `close()`. Its
constructor only stores arguments. `create_driver` finds it in `DRIVERS` and checks the options, so that an
unknown key fails at start. All calls come from one thread. To add one: a folder, a line in `DRIVERS`, an
emulator, and a line in the contract test (README.md beside this file).

    driver = create_driver("llrp", "dock-1", {"host": "10.0.0.7"})
    for readings in keep_reading(driver, stop):
        ...
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec
from msgspec import Struct

from device_drivers.readings import DeviceInfo, Reading

DRIVERS = {
    "llrp": "device_drivers.llrp.driver:LlrpReader",
    "serial_barcode": "device_drivers.barcode.serial_scanner:SerialScanner",
    "mt_sics": "device_drivers.scale.mt_sics:MtSicsScale",
    "toledo_8217": "device_drivers.scale.toledo_8217:Toledo8217Scale",
    "nci": "device_drivers.scale.nci:NciScale",
    "modbus": "device_drivers.modbus.sensors:ModbusSensors",
    "nmea_gps": "device_drivers.gps.nmea:NmeaReceiver",
}
"""Name in the configuration -> module:class, imported when used."""


class DeviceError(Exception):
    """Base of what drivers raise. The message is a sentence for the person at the device."""


class DeviceLost(DeviceError):
    """The device does not answer or its cable or link is gone: `close()`, and `open()` again later."""


class DeviceBusy(DeviceError):
    """Somebody else holds the device, e.g. another client is connected to the reader."""


class DeviceRefused(DeviceError):
    """The device answered and said no: a setting it cannot do, a command it does not know. Retry needs a
    change."""


class BadOptions(ValueError):
    """The configuration names no driver, an unknown key or a wrong value. Raised before the device is
    touched."""


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of each driver's options: an unknown key is an error, never ignored."""


OptionsT = TypeVar("OptionsT", bound=Options)
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Driver(ABC, Generic[OptionsT]):
    """One device. See the module docstring for how it is used."""

    kind: ClassVar[str]
    """llrp_reader, barcode_scanner, scale, climate_sensor, gps_receiver ...: what people call it."""
    options_type: ClassVar[type[Options]]
    commands: ClassVar[frozenset[str]] = frozenset()
    """Names that `command` understands."""

    def __init__(self, device: str, options: OptionsT, now: Clock = utc_now) -> None:
        self.device = device
        self.options = options
        self.now = now

    @abstractmethod
    def open(self) -> DeviceInfo:
        """Connects and configures. Raises DeviceLost, DeviceBusy, DeviceRefused; closed again when it
        raises."""

    @abstractmethod
    def read(self, timeout_s: float) -> list[Reading]:
        """Waits up to `timeout_s` for readings and returns what there is, oldest first; nothing is `[]`.

        Bytes that make no sense come back as RejectedFrame. Raises DeviceLost."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the device. May be called twice and never raises DeviceError."""

    def command(self, name: str) -> list[Reading]:
        """Carries out one of `commands` between two reads and returns the answer. Raises DeviceError."""
        raise DeviceRefused(f"{self.device}: a {self.kind} has no command {name!r}")

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def driver_class(name: str) -> type[Driver[Any]]:
    """The class behind a name of `DRIVERS`. Raises BadOptions."""
    if name not in DRIVERS:
        raise BadOptions(f"no driver {name!r}; there are: {', '.join(DRIVERS)}")
    module, _, attribute = DRIVERS[name].partition(":")
    found: type[Driver[Any]] = getattr(import_module(module), attribute)
    return found


def create_driver(name: str, device: str, options: Mapping[str, Any], now: Clock = utc_now) -> Driver[Any]:
    """A closed driver. Raises BadOptions naming the key."""
    cls = driver_class(name)
    try:
        return cls(device, msgspec.convert(dict(options), type=cls.options_type, strict=True), now)
    except msgspec.ValidationError as e:
        raise BadOptions(f"{device}: {e}") from e


def keep_reading(
    driver: Driver[Any],
    stop: threading.Event,
    poll_s: float = 0.5,
    retry_s: tuple[float, ...] = (0.2, 0.5, 1, 2, 5, 10),
    wait: Callable[[float], bool] | None = None,
) -> Iterator[list[Reading]]:
    """Opens the device, yields what it gives, and comes back after every loss, until `stop` is set.

    Yields `[]` after each `poll_s` without readings, so that the caller can send commands in between.
    Losing the device yields DeviceInfo(offline), a refusal DeviceInfo(fault); the next tries come after
    `retry_s`, quick at first, then for ever at its last step. Closes the driver when it ends or the caller
    stops iterating."""
    wait = wait or stop.wait
    failures = 0
    last_words = ""
    try:
        while not stop.is_set():
            try:
                yield [driver.open()]
                last_words = ""
                while not stop.is_set():
                    yield driver.read(poll_s)
                    failures = 0
            except DeviceError as e:
                driver.close()
                if str(e) != last_words:
                    lost = isinstance(e, DeviceLost)
                    yield [DeviceInfo("offline" if lost else "fault", driver.now(), str(e))]
                    last_words = str(e)
                else:
                    yield []
                wait(retry_s[min(failures, len(retry_s) - 1)])
                failures += 1
    finally:
        driver.close()


__all__ = [
    "DRIVERS",
    "BadOptions",
    "DeviceBusy",
    "DeviceError",
    "DeviceInfo",
    "DeviceLost",
    "DeviceRefused",
    "Driver",
    "Options",
    "Reading",
    "create_driver",
    "driver_class",
    "keep_reading",
    "utc_now",
]
