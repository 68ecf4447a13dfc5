"""The NMEA receiver: real sentences, broken ones, moments put together, a clock and a sky that misbehave."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from device_drivers.driver import BadOptions, DeviceLost, Driver, create_driver, utc_now
from device_drivers.emulator import EmulatedGps
from device_drivers.emulator.gps import degrees, sentence
from device_drivers.emulator.serial_line import SerialLine
from device_drivers.gps import nmea
from device_drivers.gps.sentences import Broken, Cutter, Said, put_together, read_sentence
from device_drivers.readings import DeviceInfo, Position, Reading, RejectedFrame
from tests.device_drivers.rigs import is_a, read_until

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KILPISJARVI = (69.05, 20.79)


def one(line: bytes) -> Said:
    said = read_sentence(line.strip())
    assert said is not None
    return said


def near(lat: float, lon: float, by: float = 1e-6) -> Any:
    return pytest.approx((lat, lon), abs=by)


# --- sentences as the standard and receivers write them ---------------------------------------------------


def test_the_standards_sentences_are_read() -> None:
    rmc = one(b"$GPRMC,225446,A,4916.45,N,12311.12,W,000.5,054.7,191194,020.3,E*68")
    assert rmc.has_fix
    assert (rmc.lat, rmc.lon) == near(49.274167, -123.185333)
    assert (rmc.speed_kmh, rmc.course_deg, str(rmc.day), str(rmc.at)) == (
        0.926,
        54.7,
        "1994-11-19",
        "22:54:46+00:00",
    )
    gga = one(b"$GPGGA,184353.07,1929.045,S,02410.506,E,1,04,2.6,100.00,M,-33.9,M,,0000*6D")
    assert (gga.lat, gga.lon) == near(-19.484083, 24.1751)
    assert (gga.satellites, gga.hdop, gga.fix, gga.has_fix) == (4, 2.6, "autonomous", True)
    vtg = one(b"$GPVTG,054.7,T,034.4,M,005.5,N,010.2,K*48")
    assert (vtg.course_deg, vtg.speed_kmh, vtg.has_fix) == (54.7, 10.2, None)


def test_all_talkers_are_alike_and_a_gns_of_several_constellations_is_one_fix() -> None:
    said = [
        one(sentence("GNGNS,014035.00,4332.69262,S,17235.48549,E,RR,13,0.9,25.63,11.24,,")),
        one(sentence("GPGNS,014035.00,,,,,,8,,,,1.0,23.0")),
        one(sentence("GLGNS,014035.00,,,,,,5,,,,1.0,23.0")),
    ]
    moment = put_together(said, NOW)
    assert (moment.has_fix, moment.fix, moment.satellites, moment.hdop) == (True, "rtk", 13, 0.9)
    assert (moment.lat, moment.lon) == near(-43.544877, 172.591425)
    for talker in ("GP", "GL", "GA", "GB", "BD", "QZ", "GN"):
        assert one(sentence(f"{talker}RMC,120000.00,A,6010.0,N,02456.0,E,0.1,,221126,,,A")).has_fix


def test_what_speaks_of_no_place_is_read_over() -> None:
    assert read_sentence(b"$GPGSV,3,1,11,03,03,111,00,04,15,270,00,06,01,010,00,13,06,292,00*74") is None
    assert read_sentence(sentence("PUBX,41,1,0007,0003,4800,0").strip()) is None
    assert read_sentence(sentence("GNXYZ,1,2,3").strip()) is None


GOOD = "GNRMC,120000.00,A,6010.12345,N,02456.54321,E,12.0,87.5,221126,,,A"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (sentence(GOOD)[:-4] + b"00\r\n", "the checksum is wrong"),
        (sentence(GOOD).partition(b"*")[0], "the checksum is missing"),
        (sentence(GOOD)[:30], "the checksum is missing"),
        (b"$GN\xff\xfe,1*00", "bytes that are no text"),
        (b"nonsense", "a sentence that does not begin with"),
        (b"$", "no NMEA sentence"),
        (sentence(GOOD.replace("6010.12345", "6060.12345")), "a latitude of 6060.12345 cannot be"),
        (sentence(GOOD.replace("6010.12345", "9010.12345")), "a latitude of 9010.12345 cannot be"),
        (sentence(GOOD.replace("6010.12345,N", "6010.12345,E")), "the latitude is"),
        (sentence(GOOD.replace("6010.12345,N", ",")), "half a position"),
        (sentence(GOOD.replace("6010.12345,N,02456.54321,E", ",,,")), "a fix without a position"),
        (sentence(GOOD.replace("120000.00", "250000.00")), "the time is"),
        (sentence(GOOD.replace("221126", "320126")), "the date is"),
        (sentence(GOOD.replace("12.0,", "NaN,")), "speed of NaN cannot be"),
        (sentence(GOOD.replace("12.0,", "-1,")), "speed of -1 cannot be"),
        (sentence(GOOD.replace("87.5", "400")), "course of 400 cannot be"),
        (sentence(GOOD.replace(",A,6010", ",X,6010")), "the status is 'X'"),
        (sentence("GNGGA,120000,6010.1,N,02456.1,E,,08,1.0,,,,,,"), "no word on its fix"),
    ],
)
def test_what_is_broken_is_rejected_with_its_bytes_never_guessed(line: bytes, why: str) -> None:
    with pytest.raises(Broken, match=why) as caught:
        read_sentence(line.strip())
    assert caught.value.frame == line.strip()


@pytest.mark.parametrize(
    "body",
    [
        GOOD.replace(",A,6010", ",V,6010"),  # a warning, though there is a position
        GOOD[:-1] + "N",
        GOOD[:-1] + "S",  # a simulator
        "GNGGA,120000,6010.1,N,02456.1,E,0,08,1.0,,,,,,",
        "GNGGA,120000,6010.1,N,02456.1,E,8,08,1.0,,,,,,",
        "GNGNS,120000,6010.1,N,02456.1,E,NN,08,1.0,,,,,",
    ],
)
def test_a_place_that_the_receiver_does_not_vouch_for_is_no_fix(body: str) -> None:
    assert not put_together([one(sentence(body))], NOW).has_fix


def test_one_sentence_that_says_no_fix_is_enough() -> None:
    said = [one(sentence(GOOD)), one(sentence("GNGGA,120000.00,,,,,0,00,99.99,,,,,,"))]
    assert not put_together(said, NOW).has_fix


def test_a_time_without_a_date_goes_over_midnight_rightly() -> None:
    gga = "GNGGA,{},6010.1,N,02456.1,E,1,08,1.0,,,,,,"
    before = put_together(
        [one(sentence(gga.format("235959.50")))], datetime(2026, 11, 22, 0, 0, 1, tzinfo=UTC)
    )
    after = put_together(
        [one(sentence(gga.format("000000.50")))], datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
    )
    assert before.at == datetime(2026, 11, 21, 23, 59, 59, 500_000, tzinfo=UTC)
    assert after.at == datetime(2026, 11, 22, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_leap_second_and_a_date_before_the_roll_over_are_dates() -> None:
    said = one(sentence(GOOD.replace("120000.00", "235960.00").replace("221126", "311216")))
    assert str(said.at) == "23:59:59.999999+00:00"
    assert str(one(sentence(GOOD.replace("221126", "070407"))).day) == "2007-04-07"


def test_sentences_are_cut_out_of_any_pieces_and_a_lost_end_costs_only_its_own() -> None:
    whole = sentence(GOOD)
    stream = b"3,E,1.0*55\r\n" + whole + whole[:20] + whole + b"\r\n\x00junk\r\n" + whole
    expected = [whole.strip(), whole[:20], whole.strip(), b"\x00junk", whole.strip()]
    for step in (1, 7, 64, 1000):
        cutter = Cutter()
        found: list[bytes] = []
        for start in range(0, len(stream), step):
            found += [
                c.frame if isinstance(c, Broken) else c for c in cutter.cut(stream[start : start + step])
            ]
        assert found == expected
    cutter = Cutter()
    cut = cutter.cut(whole + b"$" + b"9" * 5000)
    assert len(cut) == 2
    assert isinstance(cut[1], Broken)


def test_degrees_never_say_sixty_minutes() -> None:
    assert degrees(59.9999999999, 2) == "6000.00000"
    assert degrees(24.5, 3) == "02430.00000"


# --- the driver -------------------------------------------------------------------------------------------


class Line(SerialLine):
    """A receiver that says what the test says, from a thread that the open driver needs: the first round again and again
    until `begin`, because what stood on the line before it was opened is thrown away."""

    def __init__(self, *rounds: bytes) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._rounds = rounds
        self._speaker = threading.Thread(target=self._say, daemon=True)
        self._speaker.start()

    def begin(self) -> None:
        self._begun.set()

    def _say(self) -> None:
        while not self._begun.wait(0.06):
            self.send(self._rounds[0])
        for data in self._rounds[1:]:
            if self._stop.wait(0.06):
                return
            self.send(data)

    def close(self) -> None:
        self._stop.set()
        self._begun.set()
        self._speaker.join()
        super().close()


@contextmanager
def driver_on(line: SerialLine, now: datetime | None = None, **options: Any) -> Iterator[Driver[Any]]:
    """`now`: our clock stands, as the recordings do."""
    options = {"port": line.path, "moment_s": 0.02, "silence_s": 30.0, **options}
    driver = create_driver("nmea_gps", "gps-1", options, (lambda: now) if now else utc_now)
    with driver:
        if isinstance(line, Line):
            line.begin()
        yield driver


def rounds(*places: tuple[float, float], start: datetime = NOW, step_s: float = 1.0) -> list[bytes]:
    """A first word for the opening, then RMC and GGA a second."""
    said = [sentence("GNTXT,01,01,02,hello")]
    for n, (lat, lon) in enumerate(places):
        at = start + timedelta(seconds=n * step_s)
        place = f"{degrees(lat, 2)},N,{degrees(lon, 3)},E"
        said.append(
            sentence(f"GNRMC,{at:%H%M%S}.00,A,{place},10.0,90.0,{at:%d%m%y},,,A")
            + sentence(f"GNGGA,{at:%H%M%S}.00,{place},2,09,0.80,12.4,M,17.6,M,,")
        )
    return said


def read_all(driver: Driver[Any], count: int, kind: type = Position) -> tuple[list[Any], list[Reading]]:
    wanted: list[Any] = []
    seen: list[Reading] = []
    while len(wanted) < count:
        reading, more = read_until(driver, is_a(kind))
        wanted.append(reading)
        seen += more
    return wanted, seen


def places(readings: list[Position]) -> list[tuple[float, float]]:
    return [(round(p.lat, 5), round(p.lon, 5)) for p in readings]


def test_the_sentences_of_a_moment_are_one_position_with_the_receivers_time() -> None:
    line = Line(*rounds((60.17, 24.93), (60.17, 24.9302)))
    with driver_on(line, NOW + timedelta(seconds=3)) as driver:
        found, seen = read_all(driver, 2)
    line.close()
    assert places(found) == [(60.17, 24.93), (60.17, 24.9302)]
    first = found[0]
    assert (first.speed_kmh, first.course_deg, first.hdop, first.satellites, first.fix) == (
        18.52,
        90.0,
        0.8,
        9,
        "differential",
    )
    assert first.device_at == "2026-11-22T12:00:00+00:00"
    assert found[1].seen_at - first.seen_at == timedelta(seconds=1)
    assert first.seen_at == NOW + timedelta(seconds=3), "corrected by the offset of its clock"
    info = next(r for r in seen if isinstance(r, DeviceInfo))
    assert (info.state, info.clock_offset_s) == ("online", -3.0)


def test_a_receiver_whose_weeks_rolled_over_is_corrected_and_told() -> None:
    before = datetime.now(UTC)
    device = EmulatedGps(every_s=0.1)
    device.roll_over()
    with driver_on(device) as driver:
        (position,), seen = read_all(driver, 1)
    device.close()
    now = datetime.now(UTC)
    assert before <= position.seen_at <= now + (now - before)
    assert datetime.fromisoformat(position.device_at) < now - timedelta(weeks=1023)
    assert any("1024 weeks" in r.detail for r in seen if isinstance(r, DeviceInfo))


def test_a_jump_is_rejected_until_the_receiver_insists() -> None:
    here = [(60.17, 24.93 + n * 0.0001) for n in range(3)]
    there = [(60.30, 24.93 + n * 0.0001) for n in range(7)]
    back = (60.17, 24.9304)
    line = Line(*rounds(*here, KILPISJARVI, back, *there))
    with driver_on(line, NOW) as driver:
        found, seen = read_all(driver, 3 + 1 + 3)
    line.close()
    assert places(found) == [(lat, round(lon, 5)) for lat, lon in [*here, back, *there[4:]]]
    rejected = [r for r in seen if isinstance(r, RejectedFrame)]
    assert len(rejected) == 1 + 4
    assert "a jump of" in rejected[0].reason
    assert "km/h" in rejected[0].reason
    assert b"69.05" in rejected[0].frame


def test_a_clock_that_was_set_is_measured_again_and_nothing_is_told_in_its_old_time() -> None:
    cold = datetime(1980, 1, 6, 0, 0, 30, tzinfo=UTC)
    start = datetime.now(UTC)
    line = Line(*rounds((60.17, 24.93), start=cold), *rounds((60.17, 24.9302), (60.17, 24.9304)))
    with driver_on(line) as driver:
        found, seen = read_all(driver, 3)
    line.close()
    offsets = [r.clock_offset_s or 0.0 for r in seen if isinstance(r, DeviceInfo)]
    assert len(offsets) == 2
    assert offsets[0] < -40 * 365 * 86400
    assert all(start <= p.seen_at <= datetime.now(UTC) + timedelta(seconds=1) for p in found)


def test_a_position_of_zero_is_none() -> None:
    line = Line(*rounds((0.0, 0.0), (60.17, 24.93)))
    with driver_on(line, NOW) as driver:
        found, seen = read_all(driver, 1)
    line.close()
    assert places(found) == [(60.17, 24.93)]
    assert any(isinstance(r, RejectedFrame) and "0, 0" in r.reason for r in seen)


def test_a_cold_start_has_no_position_and_says_so_until_it_has_one() -> None:
    device = EmulatedGps(every_s=0.05, cold_start_s=3600)
    with driver_on(device) as driver:
        _, seen = read_until(driver, is_a(DeviceInfo))
        device._cold_rounds = 2 * device._rounds - 1  # from now on it knows the time, and soon the place
        position, more = read_until(driver, is_a(Position))
    device.close()
    seen += more
    details = [r.detail for r in seen if isinstance(r, DeviceInfo)]
    assert any("no fix" in d for d in details)
    assert details[-1].startswith("fix on")
    assert isinstance(position, Position)


def test_in_a_tunnel_there_is_no_position_and_afterwards_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmea, "NO_FIX_AFTER_S", 0.2)
    device = EmulatedGps(every_s=0.05)
    with driver_on(device) as driver:
        read_until(driver, is_a(Position))
        device.lose_sky()
        read_until(driver, lambda r: isinstance(r, DeviceInfo) and "no fix" in r.detail)
        assert not [r for _ in range(6) for r in driver.read(0.06) if isinstance(r, Position)]
        device.see_sky()
        read_until(driver, is_a(Position))
    device.close()


def test_an_inexact_fix_is_none() -> None:
    bad = sentence("GNGGA,120000.00,6010.0,N,02456.0,E,1,04,25.0,,,,,,")
    line = Line(
        sentence("GNTXT,01,01,02,hello"), bad, *rounds((60.17, 24.93), start=NOW + timedelta(seconds=1))
    )
    with driver_on(line, NOW) as driver:
        found, seen = read_all(driver, 1)
    line.close()
    assert places(found) == [(60.17, 24.93)]
    assert any(isinstance(r, DeviceInfo) and "inexact" in r.detail for r in seen)


def test_what_is_cut_short_is_rejected_and_the_next_sentence_counts() -> None:
    device = EmulatedGps(every_s=0.1)
    with driver_on(device) as driver:
        read_until(driver, is_a(Position))
        device.send_cut_short()
        rejected, _ = read_until(driver, is_a(RejectedFrame))
        read_until(driver, is_a(Position))
    device.close()
    assert isinstance(rejected, RejectedFrame)
    assert rejected.reason == "a sentence without its end"


def test_silence_and_a_wrong_baud_rate_are_told_in_words() -> None:
    device = EmulatedGps(every_s=0.1)
    with driver_on(device, silence_s=2.0) as driver:
        device.fall_silent()
        with pytest.raises(DeviceLost, match="nothing comes on"):
            read_until(driver, lambda _: False)
        with pytest.raises(DeviceLost, match="switched on"):
            driver.open()
    device.close()
    garbled = Line(b"\x80\xfe$\x12\x9a\r\n")
    with pytest.raises(DeviceLost, match="is baudrate = 4800 right"), driver_on(garbled, silence_s=2.0):
        pass
    garbled.close()


def test_a_receiver_behind_a_tcp_gateway_is_the_same() -> None:
    device = EmulatedGps(every_s=0.1)
    receiver = os.open(device.path, os.O_RDWR | os.O_NOCTTY)
    gateway = socket.create_server(("127.0.0.1", 0))

    def pass_on() -> None:
        client, _ = gateway.accept()
        with client:
            for _ in range(8):
                client.sendall(os.read(receiver, 1000))

    threading.Thread(target=pass_on, daemon=True).start()
    options = {"host": "127.0.0.1", "tcp_port": gateway.getsockname()[1], "moment_s": 0.02}
    with create_driver("nmea_gps", "gps-1", options) as driver:
        position, _ = read_until(driver, is_a(Position))
        assert isinstance(position, Position)
        assert (position.lat, position.lon) == near(60.1699, 24.9384, 0.001)
        with pytest.raises(DeviceLost, match="closed the link"):
            read_until(driver, lambda _: False)
    gateway.close()
    os.close(receiver)
    device.close()
    with pytest.raises(DeviceLost, match="nothing answers at 127"):
        create_driver("nmea_gps", "gps-1", options).open()


def test_it_needs_a_line_or_a_gateway_and_not_both() -> None:
    for options in ({}, {"port": "/dev/ttyUSB0", "host": "192.0.2.1"}):
        with pytest.raises(BadOptions, match="either `port`"):
            create_driver("nmea_gps", "gps-1", options)
