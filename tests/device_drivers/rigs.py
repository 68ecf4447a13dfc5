"""One rig for each driver: the driver, its emulated device, and how to make that device do something.

A new driver adds a rig here and is run through the whole contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from device_drivers.driver import Driver, create_driver
from device_drivers.emulator import (
    Antenna,
    EmulatedGps,
    EmulatedModbus,
    EmulatedReader,
    EmulatedScale,
    EmulatedScanner,
    Radio,
    Scene,
)
from device_drivers.readings import (
    DeviceInfo,
    Position,
    Reading,
    RejectedFrame,
    ScannedCode,
    SensorValues,
    TagRead,
    Weight,
)
from stowage.parts.ports import free_port

EPC = "3074257BF7194E4000001A85"


@dataclass
class Rig:
    driver_name: str
    options: dict[str, Any]
    reading: type
    """What the device gives when stimulated."""
    stimulate: Callable[[], object]
    misbehave: Callable[[], object]
    """Makes it send bytes that make no sense, without losing the link."""
    behave: Callable[[], object]
    unplug: Callable[[], object]
    plug_in: Callable[[], object]

    def driver(self, **more: Any) -> Driver[Any]:
        return create_driver(self.driver_name, "device-1", {**self.options, **more})


def nothing() -> None:
    pass


@contextmanager
def llrp() -> Iterator[Rig]:
    scene = Scene()
    device = EmulatedReader([Antenna(1, (0, 0))], Radio(seed=1), scene, round_s=0.05, tick_s=0.02)
    host, port = device.serve(free_port())  # one that nobody is given while it is unplugged

    def back() -> None:
        device.plug_in()

    yield Rig(
        "llrp",
        {"host": host, "port": port},
        TagRead,
        lambda: scene.place_tag(EPC, (1, 0)),
        device.inject_lying_report,
        nothing,
        device.unplug,
        back,
    )
    device.close()


@contextmanager
def serial_barcode() -> Iterator[Rig]:
    device = EmulatedScanner()
    options = {"port": device.path}
    scan = lambda: device.scan("0109506000134352")  # noqa: E731
    yield Rig(
        "serial_barcode",
        options,
        ScannedCode,
        scan,
        device.scan_noise,
        nothing,
        device.unplug,
        device.plug_in,
    )
    device.close()


def _scale(protocol: Any, **more: Any) -> Callable[[], Any]:
    @contextmanager
    def rig() -> Iterator[Rig]:
        device = EmulatedScale(protocol, resolution_g=1)
        grams = iter(range(100, 100_000, 50))

        def nonsense() -> None:
            device.answers_nonsense = True

        def sense() -> None:
            device.answers_nonsense = False

        yield Rig(
            protocol,
            {"port": device.path, "poll_s": 0.02, "answer_timeout_s": 5.0, "lost_after": 2, **more},
            Weight,
            lambda: device.put(next(grams)),
            nonsense,
            sense,
            device.unplug,
            device.plug_in,
        )
        device.close()

    return rig


def _modbus(over: str) -> Callable[[], Any]:
    @contextmanager
    def rig() -> Iterator[Rig]:
        device = EmulatedModbus()
        slaves = [{"unit": 1}, {"unit": 2, "kind": "door"}]
        options: dict[str, Any] = {"slaves": slaves, "poll_s": 0.05, "timeout_s": 2.0}
        if over == "tcp":
            host, port = device.serve(free_port())
            options |= {"host": host, "tcp_port": port}
        else:
            options |= {"port": device.serve_rtu()}
        yield Rig(
            "modbus",
            options,
            SensorValues,
            lambda: device.set(temperature=Decimal("-5.2"), door_open=True),
            lambda: device.garble(1),
            lambda: device.revive(1),
            device.unplug,
            device.plug_in,
        )
        device.close()

    return rig


@contextmanager
def nmea_gps() -> Iterator[Rig]:
    device = EmulatedGps(every_s=0.1)
    yield Rig(
        "nmea_gps",
        {"port": device.path, "moment_s": 0.02, "silence_s": 30.0},
        Position,
        nothing,
        device.send_bad_checksum,
        nothing,
        device.unplug,
        device.plug_in,
    )
    device.close()


RIGS: dict[str, Callable[[], Any]] = {
    "llrp": llrp,
    "serial_barcode": serial_barcode,
    "mt_sics": _scale("mt_sics"),
    "toledo_8217": _scale("toledo_8217", unit="g", bytesize=8, parity="N"),
    "nci": _scale("nci"),
    "modbus_tcp": _modbus("tcp"),
    "modbus_rtu": _modbus("rtu"),
    "nmea_gps": nmea_gps,
}


def read_until(
    driver: Driver[Any], wanted: Callable[[Reading], bool], within_s: float = 60.0
) -> tuple[Reading, list[Reading]]:
    """The first reading that is wanted, and everything read on the way."""
    deadline, seen = time.monotonic() + within_s, []
    while time.monotonic() < deadline:
        for reading in driver.read(0.2):
            seen.append(reading)
            if wanted(reading):
                return reading, seen
    raise AssertionError(f"not read within {within_s} s; read: {seen}")


def is_a(*kinds: type) -> Callable[[Reading], bool]:
    return lambda reading: isinstance(reading, kinds)


__all__ = ["EPC", "RIGS", "DeviceInfo", "RejectedFrame", "Rig", "is_a", "read_until"]
