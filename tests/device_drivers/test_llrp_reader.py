"""The reader driver against an emulated reader: life cycle, watchdog, clocks, refusals, held reports."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from device_drivers.driver import DeviceBusy, DeviceLost, DeviceRefused, Driver, create_driver, keep_reading
from device_drivers.emulator import Antenna, EmulatedReader, Radio, Scene, WorldClock
from device_drivers.llrp.codec import element
from device_drivers.readings import DeviceInfo, RejectedFrame, TagRead
from tests.certificate import self_signed
from tests.device_drivers.rigs import EPC, is_a, read_until

OTHER = "3074257BF7194E4000001A86"


@contextmanager
def reader_with(tag: str | None = EPC, **settings: Any) -> Iterator[tuple[EmulatedReader, Scene]]:
    scene = Scene()
    if tag:
        scene.place_tag(tag, (1, 0))
    antennas = [Antenna(1, (0, 0)), Antenna(2, (2, 0))]
    reader = EmulatedReader(antennas, Radio(seed=1), scene, **{"round_s": 0.05, "tick_s": 0.02, **settings})
    reader.serve()
    try:
        yield reader, scene
    finally:
        reader.close()


def driver_of(reader: EmulatedReader, **options: Any) -> Driver[Any]:
    host, port = reader.address
    return create_driver("llrp", "dock-1", {"host": host, "port": port, **options})


def wait_until(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_real_time(seen_at: datetime, before: datetime) -> bool:
    """Of a read by a reader that was made after `before`; the offset of its clock is measured as late as it was opened."""
    now = datetime.now(UTC)
    return before <= seen_at <= now + (now - before)


def test_a_tag_in_the_field_is_read_with_antenna_rssi_phase_and_time() -> None:
    before = datetime.now(UTC)
    with reader_with() as (reader, _), driver_of(reader) as driver:
        read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert read.epc == EPC
        assert read.antenna in (1, 2)
        assert read.rssi_cdbm is not None
        assert -7000 < read.rssi_cdbm < -2000
        assert read.rssi_cdbm % 100, "hundredths of a dBm come from the vendor's extension"
        assert read.phase is not None
        assert 0 <= read.phase < 4096
        assert is_real_time(read.seen_at, before)
        assert read.device_at is not None


def test_opening_tells_model_firmware_antennas_and_clock() -> None:
    with reader_with() as (reader, _):
        reader.set_antenna(2, connected=False)
        start = time.monotonic()
        info = driver_of(reader).open()
        took = time.monotonic() - start
        assert (info.state, info.model, info.firmware) == ("online", "25882/2001002", "5.14.0.240")
        assert info.antennas == {1: "connected", 2: "disconnected"}
        assert info.clock_offset_s is not None
        assert -took - 0.01 <= info.clock_offset_s <= 0.01


def test_a_reader_of_another_make_works_without_extensions() -> None:
    with reader_with(is_impinj=False) as (reader, _), driver_of(reader) as driver:
        read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert read.phase is None
        assert read.rssi_cdbm is not None
        assert read.rssi_cdbm % 100 == 0


def test_long_epcs_are_read_whole() -> None:
    long_epc = "3666C4409047E159B2C2BF1000000000000000000000000000" + "0000"[:2]
    long_epc += "0" * (-len(long_epc) % 4)
    with reader_with(long_epc) as (reader, _), driver_of(reader) as driver:
        read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert read.epc == long_epc


# --- clocks -------------------------------------------------------------------------------------------


def test_a_reader_clock_in_the_year_2000_is_corrected_and_its_stamp_kept() -> None:
    before = datetime.now(UTC)
    offset = (datetime(2000, 1, 1, tzinfo=UTC) - before).total_seconds()
    with reader_with(clock_offset_s=offset) as (reader, _):
        driver = driver_of(reader)
        info = driver.open()
        late = (datetime.now(UTC) - before).total_seconds()
        assert info.clock_offset_s is not None
        assert offset - late - 0.01 <= info.clock_offset_s <= offset + 0.01
        read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert is_real_time(read.seen_at, before)
        assert read.device_at is not None
        assert read.device_at.startswith("2000-01-01T")
        driver.close()


def test_a_reader_that_only_counts_since_power_on_gives_real_times() -> None:
    before = datetime.now(UTC)
    with reader_with(uptime_only=True) as (reader, _), driver_of(reader) as driver:
        read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert is_real_time(read.seen_at, before)
        assert read.device_at is not None
        assert read.device_at.startswith("uptime ")


# --- links that die -----------------------------------------------------------------------------------


def test_a_half_open_link_is_noticed_after_two_missed_keepalives() -> None:
    with reader_with(None) as (reader, _), driver_of(reader, keepalive_s=0.5) as driver:
        reader.freeze()
        with pytest.raises(DeviceLost, match="no keepalive"):
            read_until(driver, lambda _: False)
        assert time.monotonic() - driver._last_sign_of_life > 2 * 0.5  # type: ignore[attr-defined]


def test_a_quiet_reader_with_keepalives_stays_connected() -> None:
    with reader_with(None) as (reader, _), driver_of(reader, keepalive_s=2) as driver:
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            assert driver.read(0.1) == []
        assert reader.is_connected


def test_a_pause_of_our_own_is_not_taken_for_the_readers_silence() -> None:
    """The spool may be full for a while; what the reader sent meanwhile waits in the socket."""
    with reader_with() as (reader, _), driver_of(reader, keepalive_s=1) as driver:
        read_until(driver, is_a(TagRead))
        time.sleep(3)
        assert any(isinstance(r, TagRead) for r in driver.read(5))


def test_a_dropped_connection_is_reopened_and_reads_on() -> None:
    stop, seen = threading.Event(), []
    with reader_with() as (reader, _):
        for readings in keep_reading(driver_of(reader), stop, poll_s=0.1, retry_s=(0.05,)):
            seen += [r.state if isinstance(r, DeviceInfo) else "read" for r in readings]
            if seen[-1:] == ["read"] and "offline" not in seen:
                reader.drop_connection()
            if "offline" in seen and "read" in seen[seen.index("offline") :]:
                stop.set()
    assert seen[0] == "online"


def test_reads_that_the_reader_held_while_nobody_listened_arrive_after_reconnecting() -> None:
    with reader_with(None) as (reader, scene):
        driver = driver_of(reader)
        driver.open()
        driver.close()
        wait_until(lambda: not reader.is_connected)
        scene.place_tag(OTHER, (1, 0))
        before = reader.reads_made
        wait_until(lambda: reader.reads_made > before + 3)
        scene.remove(OTHER)
        wait_for_quiet(reader)
        driver.open()
        made = reader.reads_made
        held = 0
        while held < made:
            readings = driver.read(30)
            assert readings, f"{held} of {made} reads arrived"
            held += sum(isinstance(r, TagRead) and r.epc == OTHER for r in readings)
        driver.close()


def test_what_the_reader_holds_stays_with_it_until_somebody_reads() -> None:
    """The reader forgets what it has sent, so an agent that is killed while it connects must not have asked yet."""
    with reader_with(None) as (reader, scene):
        driver_of(reader).open()
        reader.drop_connection()
        scene.place_tag(OTHER, (1, 0))
        before = reader.reads_made
        wait_until(lambda: reader.reads_made > before + 3)
        scene.remove(OTHER)
        wait_for_quiet(reader)
        driver_of(reader).open()
        reader.drop_connection()
        wait_until(lambda: not reader.is_connected)
        with driver_of(reader) as driver:
            read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert read.epc == OTHER


def wait_for_quiet(reader: EmulatedReader) -> None:
    last, since = reader.reads_made, time.monotonic()
    while time.monotonic() - since < 0.2:
        if reader.reads_made != last:
            last, since = reader.reads_made, time.monotonic()
        time.sleep(0.01)


def test_every_read_that_the_reader_made_arrives_once() -> None:
    with reader_with(None) as (reader, scene), driver_of(reader) as driver:
        for i in range(50):
            scene.place_tag(f"3074257BF7194E40000{i:05X}", (0.5 + i * 0.02, 0.3))
        counted = 0
        wait_until(lambda: reader.reads_made > 200)
        scene.remove(*[epc for epc, _, _ in scene.tags()])
        wait_for_quiet(reader)
        while counted < reader.reads_made and (readings := driver.read(30)):
            counted += sum(isinstance(r, TagRead) for r in readings)
        assert counted == reader.reads_made
        assert driver.read(0.3) == []


def test_a_stream_out_of_step_is_rejected_with_its_bytes_and_the_link_given_up() -> None:
    with reader_with(None) as (reader, _), driver_of(reader) as driver:
        reader.inject_truncated_frame()
        rejected, _ = read_until(driver, is_a(RejectedFrame))
        assert isinstance(rejected, RejectedFrame)
        assert rejected.frame
        with pytest.raises(DeviceLost):
            read_until(driver, lambda _: False)


def test_an_unknown_message_from_the_reader_is_ignored() -> None:
    with reader_with() as (reader, _), driver_of(reader) as driver:
        reader.inject(bytes.fromhex("07e70000000d00000001616263"))
        read_until(driver, is_a(TagRead))


def test_a_fast_world_gives_more_rounds_in_the_same_real_time_with_rising_stamps() -> None:
    def reads_in_a_second(speed: float) -> list[TagRead]:
        scene = Scene(WorldClock(speed))
        scene.place_tag(EPC, (1, 0))
        reader = EmulatedReader([Antenna(1, (0, 0))], Radio(seed=1), scene, round_s=0.1, tick_s=0.02)
        reader.serve()
        reads: list[TagRead] = []
        with driver_of(reader) as driver:
            end = time.monotonic() + 1
            while time.monotonic() < end:
                reads += [r for r in driver.read(0.05) if isinstance(r, TagRead)]
        reader.close()
        return reads

    slow, fast = reads_in_a_second(1), reads_in_a_second(20)
    assert len(fast) > 5 * len(slow) > 0
    assert [r.seen_at for r in fast] == sorted(r.seen_at for r in fast)


# --- refusals -----------------------------------------------------------------------------------------


def test_a_second_client_is_told_that_the_reader_is_taken_and_the_first_reads_on() -> None:
    with reader_with() as (reader, _), driver_of(reader) as first:
        with pytest.raises(DeviceBusy, match="another client is connected"):
            driver_of(reader).open()
        info, _ = read_until(first, is_a(DeviceInfo))
        assert isinstance(info, DeviceInfo)
        assert info.detail == "another client tried to connect"
        read_until(first, is_a(TagRead))


def test_a_busy_reader_is_a_fault_until_it_is_free() -> None:
    stop, states = threading.Event(), []
    with reader_with() as (reader, _):
        reader.occupy()
        for readings in keep_reading(driver_of(reader), stop, poll_s=0.1, retry_s=(0.05,)):
            states += [r.state for r in readings if isinstance(r, DeviceInfo)]
            if states == ["fault"]:
                reader.occupy(False)
            if "online" in states:
                stop.set()
    assert states == ["fault", "online"]


def test_a_refused_rospec_is_explained_in_words() -> None:
    with reader_with() as (reader, _):
        field_error = element("FieldError", FieldNum=2, ErrorCode=301)
        where = element("ParameterError", field_error, ParameterType=224, ErrorCode=201)
        reader.refuse("ADD_ROSPEC", element("LLRPStatus", where, StatusCode=100, ErrorDescription="no"))
        with pytest.raises(
            DeviceRefused, match=r"dock-1 refused ADD_ROSPEC: .*TransmitPower of RFTransmitter"
        ):
            driver_of(reader).open()
        wait_until(lambda: not reader.is_connected)
        reader.refuse("ADD_ROSPEC", None)
        driver_of(reader).open()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"antennas": [1, 7]}, r"2 antennas, not \[7\]"),
        ({"transmit_power_cdbm": 500}, "at least 10 dBm"),
        ({"rf_mode": 5}, r"no RF mode 5; the reader has \[1002\]"),
        ({"receive_sensitivity_index": 9}, "no receive sensitivity 9"),
    ],
)
def test_a_setting_that_the_reader_cannot_do_is_refused_before_it_is_sent(
    options: dict[str, Any], words: str
) -> None:
    with reader_with() as (reader, _), pytest.raises(DeviceRefused, match=words):
        driver_of(reader, **options).open()


def test_settings_are_fitted_to_the_readers_own_tables() -> None:
    options = {"antennas": [2], "transmit_power_cdbm": 2999, "rf_mode": 1002, "search_mode": "dual_target"}
    with reader_with() as (reader, _), driver_of(reader, **options) as driver:
        read, _ = read_until(driver, is_a(TagRead))
        assert isinstance(read, TagRead)
        assert read.antenna == 2
        (rospec,) = reader.rospecs
        antenna = rospec.first("AISpec", "InventoryParameterSpec", "AntennaConfiguration")
        assert antenna
        transmitter = antenna.first("RFTransmitter")
        assert transmitter
        assert (transmitter["TransmitPower"], transmitter["HopTableID"]) == (80, 1)


@pytest.mark.parametrize("known", [1, 2])
def test_version_1_1_is_agreed_where_both_know_it_and_dropped_where_not(known: int) -> None:
    with (
        reader_with(protocol_version=known) as (reader, _),
        driver_of(reader, protocol_version="1.1") as driver,
    ):
        read_until(driver, is_a(TagRead))


def test_a_cable_that_comes_off_an_antenna_is_told() -> None:
    with reader_with(None) as (reader, _), driver_of(reader) as driver:
        reader.set_antenna(2, connected=False)
        info, _ = read_until(driver, is_a(DeviceInfo))
        assert isinstance(info, DeviceInfo)
        assert info.antennas == {2: "disconnected"}
        assert info.detail == "antenna 2 disconnected"


def test_something_else_behind_the_port_is_not_taken_for_a_reader() -> None:
    with reader_with() as (reader, _):
        reader.greeting = b"SSH-2.0-OpenSSH_9.2\r\n"
        with pytest.raises(DeviceLost, match="dock-1"):
            driver_of(reader).open()


# --- TLS ----------------------------------------------------------------------------------------------


def test_a_self_signed_reader_is_refused_unless_this_one_is_allowed(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path, "DNS:reader"))
    with reader_with(tls=context) as (reader, _):
        with pytest.raises(DeviceLost, match="TLS"):
            driver_of(reader, tls="verify").open()
        with driver_of(reader, tls="insecure") as driver:
            read_until(driver, is_a(TagRead))
