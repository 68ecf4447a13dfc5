"""Climate sensors and door contacts on one bus, over TCP and RTU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from device_drivers.driver import BadOptions, DeviceLost, Driver, create_driver
from device_drivers.emulator import EmulatedModbus
from device_drivers.emulator.modbus import crc16
from device_drivers.modbus import sensors
from device_drivers.readings import DeviceInfo, Reading, RejectedFrame, SensorValues
from tests.device_drivers.rigs import is_a, read_until

SLAVES = [{"unit": 1}, {"unit": 2, "kind": "door"}]


@pytest.fixture(params=["tcp", "rtu"])
def bus(request: pytest.FixtureRequest) -> Iterator[tuple[EmulatedModbus, dict[str, Any]]]:
    device = EmulatedModbus()
    if request.param == "tcp":
        host, port = device.serve()
        yield device, {"host": host, "tcp_port": port}
    else:
        yield device, {"port": device.serve_rtu()}
    device.close()


def driver_of(where: dict[str, Any], **options: Any) -> Driver[Any]:
    options = {"slaves": SLAVES, "poll_s": 0.05, "timeout_s": 2.0, **where, **options}
    return create_driver("modbus", "cold-room-1", options)


def tells(channel: str, value: str) -> Callable[[Reading], bool]:
    return lambda r: (
        isinstance(r, SensorValues) and (channel, Decimal(value)) in [(v.channel, v.value) for v in r.values]
    )


def test_temperature_humidity_and_door_are_told_with_their_units(
    bus: tuple[EmulatedModbus, dict[str, Any]],
) -> None:
    device, where = bus
    device.set(temperature="4.5", humidity="61.3", door_open=True)
    with driver_of(where) as driver:
        reading, _ = read_until(driver, tells("temperature", "4.5"))
        assert isinstance(reading, SensorValues)
        assert [(v.channel, str(v.value), v.unit) for v in reading.values] == [
            ("temperature", "4.5", "Cel"),
            ("humidity", "61.3", "%"),
        ]
        read_until(driver, tells("door_open", "1"))
        device.set(door_open=False)
        read_until(driver, tells("door_open", "0"))


def test_frost_is_negative(bus: tuple[EmulatedModbus, dict[str, Any]]) -> None:
    device, where = bus
    device.set(temperature="-18.4")
    with driver_of(where) as driver:
        read_until(driver, tells("temperature", "-18.4"))


def test_frost_is_negative_also_from_sensors_that_add_ten_thousand() -> None:
    device = EmulatedModbus(negative="offset_10000")
    host, port = device.serve()
    slaves = [{"unit": 1, "negative": "offset_10000", "channel_prefix": "freezer_"}]
    device.set(temperature="-18.4")
    with driver_of({"host": host, "tcp_port": port}, slaves=slaves) as driver:
        read_until(driver, tells("freezer_temperature", "-18.4"))
        device.set(temperature="21.0")
        read_until(driver, tells("freezer_temperature", "21.0"))
    device.close()


def test_one_dead_sensor_does_not_silence_the_others(bus: tuple[EmulatedModbus, dict[str, Any]]) -> None:
    """More polls than it takes pymodbus to give up a bus."""
    device, where = bus
    with driver_of(where) as driver:
        read_until(driver, is_a(SensorValues))
        device.kill(1)
        fault, _ = read_until(driver, is_a(DeviceInfo))
        assert isinstance(fault, DeviceInfo)
        assert fault.state == "fault"
        assert "sensor 1 does not answer" in fault.detail
        for opened in [True, False] * 6:
            device.set(door_open=opened)
            read_until(driver, tells("door_open", str(int(opened))))


def test_a_dead_sensor_is_reported_once_and_welcomed_back(
    bus: tuple[EmulatedModbus, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "DEAD_PAUSE_S", 0.1)
    device, where = bus
    with driver_of(where, timeout_s=1.0) as driver:
        device.kill(1)
        read_until(driver, is_a(DeviceInfo))
        more = [r for _ in range(5) for r in driver.read(0.2)]
        assert not any(isinstance(r, DeviceInfo) for r in more)
        device.revive(1)
        back, _ = read_until(driver, is_a(DeviceInfo))
        assert isinstance(back, DeviceInfo)
        assert (back.state, back.detail) == ("online", "sensor 1 answers again")
        read_until(driver, tells("temperature", "4.0"))


def test_a_bus_where_nobody_answers_is_lost(bus: tuple[EmulatedModbus, dict[str, Any]]) -> None:
    device, where = bus
    device.kill(1)
    device.kill(2)
    with pytest.raises(DeviceLost, match=r"no sensor on .* answers"):
        driver_of(where).open()


def test_a_torn_probe_is_rejected_with_its_registers(bus: tuple[EmulatedModbus, dict[str, Any]]) -> None:
    device, where = bus
    with driver_of(where) as driver:
        device.garble(1)
        rejected, _ = read_until(driver, is_a(RejectedFrame))
        assert isinstance(rejected, RejectedFrame)
        assert rejected.frame == b"\xff\xff\xff\xff"
        assert "humidity of 6553.5 % is impossible" in rejected.reason


def test_a_wrong_register_is_a_fault_with_the_sensors_answer(
    bus: tuple[EmulatedModbus, dict[str, Any]],
) -> None:
    _, where = bus
    slaves = [{"unit": 1, "register": 40}, {"unit": 2, "kind": "door"}]
    with driver_of(where, slaves=slaves) as driver:
        fault, _ = read_until(driver, is_a(DeviceInfo))
        assert isinstance(fault, DeviceInfo)
        assert "exception 2" in fault.detail


def test_a_normally_closed_contact_is_turned_round(bus: tuple[EmulatedModbus, dict[str, Any]]) -> None:
    device, where = bus
    device.set(door_open=False)
    with driver_of(where, slaves=[{"unit": 2, "kind": "door", "open_when": 0}]) as driver:
        read_until(driver, tells("door_open", "1"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slaves": SLAVES}, "either `host`"),
        ({"slaves": SLAVES, "host": "x", "port": "/dev/ttyS0"}, "either `host`"),
        ({"slaves": [], "host": "x"}, "`slaves` is empty"),
        ({"slaves": [{"unit": 0}], "host": "x"}, "unit"),
        ({"slaves": [{"unit": 1, "kind": "window"}], "host": "x"}, "kind"),
        ({"slaves": [{"unit": 1, "colour": 1}], "host": "x"}, "colour"),
    ],
)
def test_wrong_options_are_named_at_start(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOptions, match=words):
        create_driver("modbus", "cold-room-1", options)


def test_the_crc_is_the_one_of_the_standard() -> None:
    assert crc16(bytes.fromhex("010400010002")) == bytes.fromhex("200B")
