"""What every driver promises, run over each of them with its emulated device."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from device_drivers.driver import (
    DRIVERS,
    BadOptions,
    DeviceLost,
    DeviceRefused,
    create_driver,
    driver_class,
    keep_reading,
)
from tests.device_drivers.rigs import RIGS, DeviceInfo, RejectedFrame, Rig, is_a, read_until


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with RIGS[request.param]() as rig:
        yield rig


def test_every_driver_of_the_table_has_a_rig_here() -> None:
    covered = set()
    for make in RIGS.values():
        with make() as rig:
            covered.add(rig.driver_name)
    assert covered == set(DRIVERS)


def test_it_opens_online_and_closes_as_often_as_you_like(rig: Rig) -> None:
    driver = rig.driver()
    assert driver.open().state == "online"
    driver.close()
    driver.close()


def test_its_constructor_touches_nothing(rig: Rig) -> None:
    rig.unplug()
    rig.driver()


def test_an_unknown_option_fails_before_the_device_is_touched(rig: Rig) -> None:
    with pytest.raises(BadOptions, match=r"device-1: .*spede"):
        rig.driver(spede=1)


def test_it_gives_what_the_device_says_with_a_time_that_is_now(rig: Rig) -> None:
    before = datetime.now(UTC)
    with rig.driver() as driver:
        rig.stimulate()
        reading, _ = read_until(driver, is_a(rig.reading))
        now = datetime.now(UTC)
        assert (
            before <= reading.seen_at <= now + (now - before)
        )  # its clock's offset is measured as late as that


def test_a_silent_device_costs_the_time_asked_for_and_no_more(rig: Rig) -> None:
    with rig.driver() as driver:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            driver.read(0.05)  # what it has to say at first
        start = time.monotonic()
        driver.read(0.3)
        assert time.monotonic() - start < 60


def test_nonsense_is_rejected_with_its_bytes_and_reading_goes_on(rig: Rig) -> None:
    with rig.driver() as driver:
        rig.misbehave()
        rejected, _ = read_until(driver, is_a(RejectedFrame))
        assert isinstance(rejected, RejectedFrame)
        assert rejected.frame
        assert rejected.reason
        rig.behave()
        rig.stimulate()
        read_until(driver, is_a(rig.reading))


def test_opening_a_device_that_is_not_there_says_so(rig: Rig) -> None:
    rig.unplug()
    with pytest.raises(DeviceLost, match="device-1"):
        rig.driver().open()


def test_a_pulled_plug_is_a_lost_device(rig: Rig) -> None:
    driver = rig.driver()
    driver.open()
    rig.unplug()
    with pytest.raises(DeviceLost, match="device-1"):
        read_until(driver, lambda _: False)
    driver.close()


def test_a_closed_driver_does_not_read(rig: Rig) -> None:
    driver = rig.driver()
    driver.open()
    driver.close()
    with pytest.raises(DeviceLost, match="not connected"):
        driver.read(0.1)


def test_it_can_be_opened_again_and_reads(rig: Rig) -> None:
    driver = rig.driver()
    driver.open()
    driver.close()
    driver.open()
    rig.stimulate()
    read_until(driver, is_a(rig.reading))
    driver.close()


def test_an_unknown_command_is_refused(rig: Rig) -> None:
    with rig.driver() as driver, pytest.raises(DeviceRefused, match="make_coffee"):
        driver.command("make_coffee")


def test_the_loop_comes_back_after_the_plug_was_pulled(rig: Rig) -> None:
    """Online, offline while it is away, online again, and readings flow as before."""
    stop = threading.Event()
    states: list[str] = []
    deadline = time.monotonic() + 120
    for readings in keep_reading(rig.driver(), stop, poll_s=0.1, retry_s=(0.1,)):
        assert time.monotonic() < deadline, states
        for reading in readings:
            if isinstance(reading, DeviceInfo):
                if not states or states[-1] != reading.state:
                    states.append(reading.state)
                if states == ["online"]:
                    rig.unplug()
                elif states == ["online", "offline"]:
                    rig.plug_in()
                elif states[-1] == "online":
                    rig.stimulate()
            elif isinstance(reading, rig.reading) and len(states) >= 3:
                stop.set()
    assert states == ["online", "offline", "online"]


@pytest.mark.parametrize("name", list(DRIVERS))
def test_each_line_of_the_table_leads_to_a_driver(name: str) -> None:
    cls = driver_class(name)
    assert cls.kind
    assert cls.options_type.__struct_config__.forbid_unknown_fields


def test_a_driver_that_is_not_in_the_table_lists_what_there_is() -> None:
    with pytest.raises(BadOptions, match="no driver 'llpr'; there are: llrp"):
        create_driver("llpr", "dock-1", {})


def test_a_wrong_option_value_names_the_key() -> None:
    with pytest.raises(BadOptions, match=r"dock-1: .*port"):
        create_driver("llrp", "dock-1", {"host": "10.0.0.7", "port": "5084"})
