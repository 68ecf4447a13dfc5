"""Readings to events on a real spool: what is told once, what waits for a full disk, what survives a kill."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from device_drivers.readings import (
    DeviceInfo,
    Position,
    Reading,
    RejectedFrame,
    ScannedCode,
    SensorValue,
    SensorValues,
    TagRead,
    Weight,
)
from edge import messages
from edge.config import DeviceSection
from edge.intake import Intake
from edge.messages import (
    BarcodeScanned,
    DeviceStateChanged,
    EventBatch,
    EventData,
    FrameRejected,
    Measured,
    PositionReported,
    TagsPassed,
    TagsSeen,
    Weighed,
)
from edge.spool import Spool, SpoolRefused

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DOOR = msgspec.convert(
    {"code": "dock-1", "driver": "llrp", "purpose": "portal", "portal": {"outer": [1], "inner": [2]}},
    DeviceSection,
)
BENCH = DeviceSection(code="bench-1", driver="serial_barcode")


class Rig:
    """An intake with a clock of the test's own."""

    def __init__(self, path: Path) -> None:
        self.clock = 1000.0
        self.lon = 24.0
        self.spool = Spool(path)
        self.spool.open()
        self.intake = Intake([DOOR, BENCH, VAN], self.spool, lambda: self.clock)
        self.intake.resume()

    def at(self) -> datetime:
        return START + timedelta(seconds=self.clock - 1000)

    def say(self, *readings: Reading, device: DeviceSection = BENCH) -> None:
        self.intake.take(device, list(readings))

    def wait(self, seconds: float, *, listening: bool = True) -> None:
        """Nothing comes; or nobody listens, because the device's thread is held up."""
        for _ in range(round(seconds / 0.05)):
            self.clock += 0.05
            self.intake.tick()
            if listening:
                self.intake.take(DOOR, [])

    def read(self, epc: str, antenna: int, rssi: int = -4500) -> None:
        self.intake.take(DOOR, [TagRead(epc, antenna, self.at(), rssi)])

    def half(self, epcs: list[str], antenna: int) -> None:
        """One side of the door hears the tags for half a second, louder and fainter again."""
        for step in range(10):
            self.clock += 0.05
            for epc in epcs:
                self.read(epc, antenna, -4500 - 200 * abs(step - 5))
            self.intake.tick()

    def stored(self) -> list[EventData]:
        found: list[EventData] = []
        after = None
        while batch := self.spool.pending(after, 10**9):
            message = msgspec.json.decode(batch.message("hq", "a"), type=EventBatch)
            found += [messages.decode_data(e) for e in message.events]
            after = batch.last
        return found

    def passages(self) -> list[tuple[str, list[str]]]:
        return [
            (d.direction, sorted(t.epc for t in d.tags)) for d in self.stored() if isinstance(d, TagsPassed)
        ]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "spool.db")
    yield rig
    rig.spool.close()


def online(rig: Rig) -> None:
    rig.say(DeviceInfo("online", rig.at()), device=DOOR)


VAN = DeviceSection(code="van-1", driver="nmea_gps")


def drive(rig: Rig, seconds: int, speed_kmh: float | None, wander_m: float = 0.0) -> int:
    """East at a speed, a position a second; how many of them were told."""
    before = len(rig.stored())
    for n in range(seconds):
        rig.clock += 1.0
        rig.lon += ((speed_kmh or 0) / 3.6 + wander_m * (-1) ** n) / 55_600
        rig.say(Position(60.0, rig.lon, rig.at(), speed_kmh, 90.0, 0.9, 9), device=VAN)
    return len(rig.stored()) - before


def test_a_van_tells_each_second_where_it_drives_and_each_half_minute_where_it_stands(rig: Rig) -> None:
    assert drive(rig, 30, 50) == 30
    assert drive(rig, 60, 0, wander_m=4) == 1 + 1  # that it stopped, and once more
    assert drive(rig, 30, 9) in (6, 7, 8)  # that it started, and then each ten metres
    assert drive(rig, 1, 0) == 1
    first = rig.stored()[0]
    assert isinstance(first, PositionReported)
    assert (first.lat, first.speed_kmh, first.course_deg, first.satellites, first.fix) == (
        60.0,
        50,
        90.0,
        9,
        "autonomous",
    )


def test_a_receiver_that_tells_no_speed_is_thinned_by_distance(rig: Rig) -> None:
    assert drive(rig, 31, None) == 1 + 1
    for n in range(20):
        rig.clock += 1.0
        rig.say(Position(60.0, rig.lon + n * 5 / 55_600, rig.at()), device=VAN)
    assert 8 <= len(rig.stored()) - 2 <= 11


def test_a_position_out_of_contract_is_rejected_and_blocks_nothing(rig: Rig) -> None:
    rig.say(Position(91.0, 24.0, rig.at(), 50.0), device=VAN)
    (stored,) = rig.stored()
    assert isinstance(stored, FrameRejected)
    assert "out of contract" in stored.reason


def test_each_reading_becomes_its_event(rig: Rig) -> None:
    at = rig.at()
    rig.say(ScannedCode("4006381333931", at, "]E0"))
    rig.say(Weight("stable", at, Decimal("12.5"), Decimal(2)))
    rig.say(SensorValues((SensorValue("temperature", Decimal("-18.4"), "Cel"),), at))
    rig.say(RejectedFrame("bad checksum", b"\x02\xff", at))
    rig.say(DeviceInfo("fault", at, "no paper"))
    assert rig.stored() == [
        BarcodeScanned(text="4006381333931", symbology="]E0"),
        Weighed(weight_g=Decimal("12.5"), tare_g=Decimal(2)),
        Measured(readings=[messages.Reading(channel="temperature", value=Decimal("-18.4"), unit="Cel")]),
        FrameRejected(reason="bad checksum", frame_hex="02ff"),
        DeviceStateChanged(state="fault", detail="no paper"),
    ]


def test_only_stable_weights_are_told_and_each_weighing_once(rig: Rig) -> None:
    at = rig.at()
    for state, grams in (
        ("stable", 100),
        ("stable", 100),
        ("dynamic", 70),
        ("stable", 50),
        ("overload", None),
        ("stable", 50),
    ):
        rig.say(Weight(state, at, None if grams is None else Decimal(grams)))  # type: ignore[arg-type]
    assert [d.weight_g for d in rig.stored() if isinstance(d, Weighed)] == [100, 50, 50]


def test_what_the_contract_does_not_allow_is_rejected_and_the_rest_flows_on(rig: Rig) -> None:
    at = rig.at()
    rig.say(ScannedCode("", at), ScannedCode("x" * 5000, at), ScannedCode("good", at))
    rig.say(SensorValues((SensorValue("Not A Channel", Decimal(1), "1"),), at))
    rig.say(TagRead("", 1, at, -4500), TagRead("E280", 1, at, -4500))
    rig.wait(0.1)
    kinds = [type(d).__name__ for d in rig.stored()]
    assert kinds.count("FrameRejected") == 4
    assert kinds.count("BarcodeScanned") == 1
    assert kinds.count("TagsSeen") == 1


def test_an_attempt_that_goes_on_failing_is_one_event(rig: Rig) -> None:
    for n in range(5):
        rig.say(DeviceInfo("offline", rig.at(), f"attempt {n}"))
    rig.say(DeviceInfo("online", rig.at()))
    assert [d.state for d in rig.stored() if isinstance(d, DeviceStateChanged)] == ["offline", "online"]


def test_a_thousand_rejected_frames_a_second_are_a_few_events_with_the_count(rig: Rig) -> None:
    for _ in range(1000):
        rig.say(RejectedFrame("noise", b"\xff", rig.at()))
    rig.clock += 5
    rig.say(RejectedFrame("noise", b"\xff", rig.at()))
    sent = [d for d in rig.stored() if isinstance(d, FrameRejected)]
    assert len(sent) == 21
    assert sent[-1].reason == "noise (and 980 more before it)"


def test_a_passage_is_stored_once_and_its_journal_goes_with_it(rig: Rig) -> None:
    online(rig)
    rig.half(["AAAA", "BBBB"], 1)
    rig.half(["AAAA", "BBBB"], 2)
    assert rig.spool.journalled("dock-1")
    assert rig.passages() == []
    rig.wait(3)
    assert rig.passages() == [("in", ["AAAA", "BBBB"])]
    assert rig.spool.journalled("dock-1") == []


@pytest.mark.parametrize("halves", [1, 2])
def test_an_agent_that_is_killed_in_the_middle_of_a_passage_tells_it_whole(
    tmp_path: Path, halves: int
) -> None:
    first = Rig(tmp_path / "spool.db")
    online(first)
    first.half(["AAAA", "BBBB"], 2)
    if halves == 2:
        first.half(["AAAA", "BBBB"], 1)
    first.spool.close()  # nothing more is said: as after kill -9
    second = Rig(tmp_path / "spool.db")
    second.clock = first.clock + 4  # the reader had to be found again
    second.wait(2)
    assert second.passages() == []  # the reader is not back yet: its buffered reads may follow
    online(second)
    if halves == 1:
        second.half(["AAAA", "BBBB"], 1)
    second.wait(4)
    assert second.passages() == [("out", ["AAAA", "BBBB"])]
    second.spool.close()
    again = Rig(tmp_path / "spool.db")
    online(again)
    again.wait(4)
    assert again.passages() == [("out", ["AAAA", "BBBB"])]
    again.spool.close()


def test_reads_that_wait_for_a_slow_agent_are_not_the_readers_silence(rig: Rig) -> None:
    online(rig)
    rig.half(["AAAA", "BBBB"], 1)
    since = rig.at()
    rig.wait(6, listening=False)
    late = [
        TagRead(epc, 2, since + timedelta(seconds=0.05 * step), -4500 - 200 * abs(step - 5))
        for step in range(1, 11)
        for epc in ("AAAA", "BBBB")
    ]
    rig.intake.take(DOOR, late)
    rig.wait(4)
    assert rig.passages() == [("in", ["AAAA", "BBBB"])]


def test_a_reader_that_stays_away_does_not_keep_a_passage_open_for_ever(rig: Rig) -> None:
    online(rig)
    rig.half(["AAAA"], 1)
    rig.half(["AAAA"], 2)
    rig.say(DeviceInfo("offline", rig.at(), "cable"), device=DOOR)
    rig.wait(20)
    assert rig.passages() == []
    rig.wait(15)
    assert rig.passages() == [("in", ["AAAA"])]


def test_a_reader_whose_clock_is_put_back_goes_on(rig: Rig) -> None:
    online(rig)
    future = rig.at() + timedelta(days=365)
    rig.intake.take(DOOR, [TagRead("AAAA", 1, future, -4500)])
    rig.wait(0.1)
    rig.half(["AAAA", "BBBB"], 1)
    rig.half(["AAAA", "BBBB"], 2)
    rig.wait(3)
    assert rig.passages() == [("in", ["AAAA", "BBBB"])]
    assert len([d for d in rig.stored() if isinstance(d, TagsSeen)]) >= 2


def test_a_passage_of_two_thousand_tags_is_split_under_one_id(rig: Rig) -> None:
    online(rig)
    epcs = [f"{n:08X}" for n in range(2000)]
    for antenna in (1, 2):
        for step in range(4):
            rig.clock += 0.1
            at, rssi = rig.at(), -4500 - 200 * abs(step - 2)
            rig.intake.take(DOOR, [TagRead(epc, antenna, at, rssi) for epc in epcs])
            rig.intake.tick()
    rig.wait(3)
    parts = [d for d in rig.stored() if isinstance(d, TagsPassed)]
    assert len(parts) == 4
    assert len({p.passage_id for p in parts}) == 1
    assert sum(len(p.tags) for p in parts) == 2000


def test_while_the_disk_is_full_nothing_is_told_done_and_nothing_is_lost(rig: Rig) -> None:
    online(rig)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    rig.half(["AAAA"], 1)
    rig.half(["AAAA"], 2)
    said: list[str] = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(SpoolRefused, match="free space"):
            fill(rig, said)
        with pytest.raises(SpoolRefused, match="free space"):
            rig.wait(5)  # the passage closes now, and cannot be stored
        with pytest.raises(SpoolRefused):
            rig.say()  # the device is not read on
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    rig.wait(1)
    rig.say()  # what was kept is stored now
    assert [d.text.rstrip("x") for d in rig.stored() if isinstance(d, BarcodeScanned)] == said
    assert rig.passages() == [("in", ["AAAA"])]


def fill(rig: Rig, said: list[str]) -> None:
    for n in range(1000):
        said.append(f"{n}-")
        rig.say(ScannedCode(f"{n}-" + "x" * 3000, rig.at()))
