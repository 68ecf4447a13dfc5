"""Scales: what they answer, what may be booked, and their commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.driver import DeviceLost, DeviceRefused, Driver, create_driver
from device_drivers.emulator import EmulatedScale
from device_drivers.readings import Reading, RejectedFrame, Weight
from device_drivers.scale.units import to_grams
from tests.device_drivers.rigs import is_a, read_until

PROTOCOLS = ["mt_sics", "toledo_8217", "nci"]
_OPTIONS: dict[str, dict[str, Any]] = {"toledo_8217": {"unit": "g", "bytesize": 8, "parity": "N"}}


@contextmanager
def scale(protocol: Any = "mt_sics", **options: Any) -> Iterator[tuple[EmulatedScale, Driver[Any]]]:
    unit = options.pop("unit", "g")
    device = EmulatedScale(protocol, unit=unit, resolution_g=options.pop("resolution_g", 1))
    common = {"port": device.path, "poll_s": 0.02, "answer_timeout_s": 5.0, "lost_after": 2}
    extra = {**_OPTIONS.get(protocol, {}), **({"unit": unit} if protocol == "toledo_8217" else {})}
    driver = create_driver(protocol, "bench-scale", {**common, **extra, **options})
    driver.open()
    try:
        yield device, driver
    finally:
        driver.close()
        device.close()


def weighs(grams: Decimal | int) -> Callable[[Reading], bool]:
    return lambda r: isinstance(r, Weight) and r.state == "stable" and r.weight_g == grams


def in_state(state: str) -> Callable[[Reading], bool]:
    return lambda r: isinstance(r, Weight) and r.state == state


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_parcel_on_the_scale_is_one_stable_weight(protocol: str) -> None:
    with scale(protocol) as (device, driver):
        read_until(driver, weighs(0))
        device.put(1250)
        _, seen = read_until(driver, weighs(1250))
        assert [r for r in seen if weighs(1250)(r)] == seen[-1:]
        assert driver.read(0.2) == [], "a weight that does not change is not told again"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_swinging_pan_is_dynamic_until_it_stands_still(protocol: str) -> None:
    with scale(protocol) as (device, driver):
        device.put(800, moving=True)
        read_until(driver, in_state("dynamic"))
        device.settle()
        read_until(driver, weighs(800))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_much_and_too_little_are_states_without_a_weight(protocol: str) -> None:
    with scale(protocol) as (device, driver):
        for load, state in ((40_000, "overload"), (-100, "underload")):
            device.put(load)
            reading, _ = read_until(driver, in_state(state))
            assert isinstance(reading, Weight)
            assert reading.weight_g is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_zero_makes_what_lies_there_nothing(protocol: str) -> None:
    with scale(protocol) as (device, driver):
        device.put(120)
        read_until(driver, weighs(120))
        driver.command("zero_scale")
        read_until(driver, weighs(0))
        device.put(620)
        read_until(driver, weighs(500))


def test_tare_is_told_with_the_net_weight() -> None:
    with scale() as (device, driver):
        device.put(300)
        read_until(driver, weighs(300))
        driver.command("tare_scale")
        device.put(1300)
        reading, _ = read_until(driver, weighs(1000))
        assert isinstance(reading, Weight)
        assert reading.tare_g == 300


def test_a_zero_that_the_scale_refuses_says_why() -> None:
    with scale(command_timeout_s=0.3) as (device, driver):
        device.put(10, moving=True)
        with pytest.raises(DeviceRefused, match="not stable; wait"):
            driver.command("zero_scale")
        device.put(40_000)
        with pytest.raises(DeviceRefused, match="upper limit"):
            driver.command("tare_scale")


def test_a_busy_scale_says_nothing_rather_than_something() -> None:
    with scale() as (device, driver):
        read_until(driver, weighs(0))
        device.is_busy = True
        device.put(500)
        assert driver.read(0.2) == []
        device.is_busy = False
        read_until(driver, weighs(500))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nonsense_is_rejected_with_its_bytes(protocol: str) -> None:
    with scale(protocol) as (device, driver):
        device.answers_nonsense = True
        reading, _ = read_until(driver, is_a(RejectedFrame))
        assert isinstance(reading, RejectedFrame)
        assert b"?!" in reading.frame


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_scale_that_was_switched_off_is_lost(protocol: str) -> None:
    with scale(protocol, answer_timeout_s=1.0) as (device, driver):
        device.is_silent = True
        with pytest.raises(DeviceLost, match="does not answer; is it on"):
            read_until(driver, lambda _: False)
        driver.close()
        with pytest.raises(DeviceLost, match="does not answer"):
            driver.open()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("unit", "load", "grams"), [("kg", 1250, 1250), ("lb", Decimal("453.59237"), "453.59237")]
)
def test_units_become_exact_grams(protocol: str, unit: str, load: Any, grams: Any) -> None:
    resolution = Decimal("0.45359237") if unit == "lb" else 1
    with scale(protocol, unit=unit, resolution_g=resolution) as (device, driver):
        device.put(load)
        read_until(driver, weighs(Decimal(grams)))


def test_the_scale_says_who_it_is() -> None:
    device = EmulatedScale()
    driver = create_driver("mt_sics", "bench-scale", {"port": device.path})
    assert driver.open().model == "EMULATED01"
    driver.close()
    device.close()


@pytest.mark.parametrize(
    ("frame", "grams"),
    [
        (b"S S     100.00 g\r\n", "100.00"),
        (b"S S      -0.50 g\r\n", "-0.50"),
        (b"S S     1.2345 kg\r\n", "1234.5"),
        (b"S S          5 oz\r\n", "141.747615625"),
    ],
)
def test_mt_sics_weights_are_understood(frame: bytes, grams: str) -> None:
    driver: Any = create_driver("mt_sics", "bench-scale", {"port": "/dev/null"})
    weight = driver.understand(frame)
    assert (weight.state, weight.weight_g) == ("stable", Decimal(grams))


@pytest.mark.parametrize(
    "frame",
    [b"S S     100.00 g", b"S S 100.00\r\n", b"S S 1,5 g\r\n", b"S S 5 stone\r\n", b"ES\r\n", b"S X 1 g\r\n"],
)
def test_mt_sics_answers_that_are_no_weight_are_refused(frame: bytes) -> None:
    driver: Any = create_driver("mt_sics", "bench-scale", {"port": "/dev/null"})
    with pytest.raises(ValueError):
        driver.understand(frame)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(st.data())
def test_any_bytes_are_a_weight_or_a_refusal(protocol: str, data: st.DataObject) -> None:
    options = {"port": "/dev/null", **_OPTIONS.get(protocol, {})}
    driver: Any = create_driver(protocol, "bench-scale", options)
    frame = data.draw(
        st.one_of(st.binary(max_size=30), st.text("SD+- .0123456789gkl\x02\x03\r\n?", max_size=24))
    )
    try:
        weight = driver.understand(frame.encode() if isinstance(frame, str) else frame)
    except ValueError:
        return
    assert weight is None or weight.state != "stable" or weight.weight_g.is_finite()


def test_no_unit_is_guessed() -> None:
    assert to_grams("1.5", "lb") == Decimal("680.388555")
    for number, unit in (("1.5", "stone"), ("1,5", "g"), ("NaN", "g"), ("", "g")):
        with pytest.raises(ValueError):
            to_grams(number, unit)
