"""The serial barcode scanner: frames, identifiers, and what is not a code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from device_drivers.driver import DeviceBusy, Driver, create_driver
from device_drivers.emulator import EmulatedScanner
from device_drivers.gs1 import parse_scan
from device_drivers.readings import Reading, RejectedFrame, ScannedCode
from tests.device_drivers.rigs import is_a, read_until


@pytest.fixture
def scanner() -> Iterator[EmulatedScanner]:
    device = EmulatedScanner()
    yield device
    device.close()


def driver_of(scanner: EmulatedScanner, **options: Any) -> Driver[Any]:
    return create_driver("serial_barcode", "bench-1", {"port": scanner.path, **options})


def code(driver: Driver[Any]) -> ScannedCode:
    reading, _ = read_until(driver, is_a(ScannedCode))
    assert isinstance(reading, ScannedCode)
    return reading


def codes(driver: Driver[Any], count: int) -> list[str]:
    found: list[str] = []

    def enough(reading: Reading) -> bool:
        found.append(reading.text if isinstance(reading, ScannedCode) else repr(reading))
        return len(found) == count

    read_until(driver, enough)
    return found


def rejected(driver: Driver[Any]) -> RejectedFrame:
    reading, _ = read_until(driver, is_a(RejectedFrame))
    assert isinstance(reading, RejectedFrame)
    return reading


def test_a_code_comes_without_prefix_identifier_and_suffix_and_with_its_fnc1(
    scanner: EmulatedScanner,
) -> None:
    with driver_of(scanner) as driver:
        scanner.scan("010950600013435210LOT7\x1d21S1", "]C1")
        found = code(driver)
        assert (found.text, found.symbology) == ("010950600013435210LOT7\x1d21S1", "]C1")
        assert parse_scan(found.text, found.symbology).lot == "LOT7"


@pytest.mark.parametrize(
    ("suffix", "option"), [("\r", "any"), ("\r\n", "any"), ("\t", "any"), ("\r\n", "crlf")]
)
def test_every_usual_suffix_ends_a_code(suffix: str, option: str) -> None:
    device = EmulatedScanner(suffix=suffix)
    with driver_of(device, suffix=option) as driver:
        device.scan("4006381333931", "]E0")
        device.scan("A-01-02", None)
        assert codes(driver, 2) == ["4006381333931", "A-01-02"]
    device.close()


def test_two_scans_in_one_breath_are_two_codes_in_order(scanner: EmulatedScanner) -> None:
    with driver_of(scanner) as driver:
        scanner.send(b"FIRST\rSEC")
        scanner.send(b"OND\r")
        assert codes(driver, 2) == ["FIRST", "SECOND"]


def test_a_prefix_is_demanded_where_it_is_set() -> None:
    device = EmulatedScanner(prefix="~")
    with driver_of(device, prefix="~") as driver:
        device.scan("A-01", None)
        assert code(driver).text == "A-01"
        device.send(b"A-02\r")
        assert "prefix" in rejected(driver).reason
    device.close()


def test_a_digital_link_from_a_qr_code_arrives_whole(scanner: EmulatedScanner) -> None:
    link = "https://id.gs1.org/01/09506000134352/10/LOT7?17=270131"
    with driver_of(scanner) as driver:
        scanner.scan(link, "]Q1")
        assert code(driver).text == link


def test_noise_is_rejected_with_its_bytes_and_the_next_code_is_read(scanner: EmulatedScanner) -> None:
    with driver_of(scanner) as driver:
        scanner.scan_noise()
        assert rejected(driver).frame == b"\xff\xfe\x80\x81"
        scanner.send(b"AB\x00CD\r")
        assert "control characters" in rejected(driver).reason
        scanner.scan("GOOD")
        assert code(driver).text == "GOOD"


def test_an_endless_code_is_rejected_once_and_skipped_to_its_end(scanner: EmulatedScanner) -> None:
    with driver_of(scanner, max_bytes=100) as driver:
        scanner.scan_endless(5000)
        scanner.scan("GOOD")
        _, seen = read_until(driver, is_a(ScannedCode))
        assert [type(r) for r in seen] == [RejectedFrame, ScannedCode]
        assert seen[-1].text == "GOOD"  # type: ignore[union-attr]


def test_a_code_without_its_suffix_is_cut_short_and_never_glued_to_the_next(scanner: EmulatedScanner) -> None:
    with driver_of(scanner, gap_s=0.1) as driver:
        scanner.scan_cut_short("0109506000134352")
        assert rejected(driver).frame == b"01095060"
        scanner.scan("GOOD")
        assert code(driver).text == "GOOD"


def test_an_empty_scan_is_nothing_or_rejected_but_no_code(scanner: EmulatedScanner) -> None:
    with driver_of(scanner) as driver:
        scanner.send(b"\r\n\r")
        scanner.send(b"]C1\r")
        scanner.scan("GOOD")
        _, seen = read_until(driver, is_a(ScannedCode))
        assert [r.text for r in seen if isinstance(r, ScannedCode)] == ["GOOD"]


def test_a_port_that_another_program_uses_is_busy(scanner: EmulatedScanner) -> None:
    with driver_of(scanner), pytest.raises(DeviceBusy, match="another program uses"):
        driver_of(scanner).open()


def test_a_silent_scanner_waits_no_longer_than_asked(scanner: EmulatedScanner) -> None:
    with driver_of(scanner) as driver:
        start = time.monotonic()
        assert driver.read(0.2) == []
        assert 0.15 < time.monotonic() - start < 60
