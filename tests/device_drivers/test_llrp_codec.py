"""LLRP bytes <-> elements, on recorded messages of other implementations and real readers."""

from __future__ import annotations

import base64
import json
import re
import struct
import time
import xml.etree.ElementTree as ET
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers.llrp.codec import (
    HEADER,
    Element,
    FrameError,
    Framer,
    decode,
    element,
    encode,
    encode_parameter,
    message,
)
from device_drivers.llrp.definitions import MESSAGES, PARAMETERS
from device_drivers.llrp.reports import EPOCH, tag_reads
from device_drivers.llrp.status import explain
from tests.device_drivers.vectors import VECTORS, needs_vectors

LTK = sorted((VECTORS / "llrp" / "ltk").glob("*.bin"))
EDGEX = sorted((VECTORS / "llrp" / "edgex").glob("*.bytes"))
EDGEX_TYPES = {
    "CloseConnectionResponse": 4,
    "GetReaderCapabilitiesResponse": 11,
    "GetReaderConfigResponse": 12,
    "GetROSpecsResponse": 36,
    "GetAccessSpecsResponse": 54,
    "ROAccessReport": 61,
    "ReaderEventNotification": 63,
}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def frames_of(path: Path) -> list[bytes]:
    return Framer().feed(path.read_bytes())


def edgex_frame(path: Path) -> bytes:
    """The stored bytes lack the message header."""
    body = path.read_bytes()
    return HEADER.pack(0x400 | EDGEX_TYPES[path.name.split("-")[0]], HEADER.size + len(body), 7) + body


def utc(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


# --- recorded messages --------------------------------------------------------------------------------


@needs_vectors("llrp/ltk")
@pytest.mark.parametrize("path", LTK, ids=lambda p: p.stem)
def test_recorded_messages_come_back_byte_for_byte(path: Path) -> None:
    frames = frames_of(path)
    assert b"".join(frames) == path.read_bytes()
    for frame in frames:
        assert encode(decode(frame)) == frame


@needs_vectors("llrp/edgex")
@pytest.mark.parametrize("path", EDGEX, ids=lambda p: p.stem)
def test_messages_of_a_real_reader_come_back_byte_for_byte(path: Path) -> None:
    frame = edgex_frame(path)
    assert encode(decode(frame)) == frame


def compare(node: ET.Element, item: Element, where: str) -> int:
    """The XML beside a recording and what we read from its bytes; returns how many values were compared."""
    compared, parameters = 0, iter(item.parameters)
    for child in node:
        name = child.tag.partition("}")[2]
        text = (child.text or "").strip()
        if name in item.fields and not len(child):
            ours = item.fields[name]
            if isinstance(ours, tuple):
                ours = ours[1]
            if isinstance(ours, bytes):
                assert ours.hex() == text.lower(), f"{where}/{name}"
            elif isinstance(ours, list):
                base = 16 if "ffff" in text else 10
                assert ours == [int(part, base) for part in text.split()], f"{where}/{name}"
            elif name == "Session":  # the toolkit that wrote the XML mirrors two-bit fields
                assert ours == int(f"{int(text):02b}"[::-1], 2), f"{where}/{name}"
            elif re.fullmatch(r"-?\d+", text):
                assert ours == int(text), f"{where}/{name}"
            elif re.match(r"\d{4}-\d\d-\d\dT", text):
                assert utc(ours) == datetime.fromisoformat(text), f"{where}/{name}"
            compared += 1
        else:
            parameter = next(parameters)
            assert parameter.name == name, f"{where}/{name}"
            compared += compare(child, parameter, f"{where}/{name}")
    assert next(parameters, None) is None, f"{where}: more in the bytes than in the XML"
    return compared


@needs_vectors("llrp/ltk")
@pytest.mark.parametrize("path", LTK, ids=lambda p: p.stem)
def test_recorded_messages_say_what_the_xml_beside_them_says(path: Path) -> None:
    root = ET.parse(path.with_suffix(".xml")).getroot()
    nodes = list(root) if root.tag.endswith("packetSequence") else [root]
    frames = frames_of(path)
    assert len(nodes) == len(frames)
    for node, frame in zip(nodes, frames, strict=True):
        found = decode(frame)
        assert found.name == node.tag.partition("}")[2]
        assert found.message_id == int(node.attrib["MessageID"])
        compare(node, found.body, found.name)


@needs_vectors("llrp/edgex")
@pytest.mark.parametrize("path", [p for p in EDGEX if p.stem.startswith("ROAcc")], ids=lambda p: p.stem)
def test_tag_reports_of_a_real_reader_give_its_reads(path: Path) -> None:
    (tag,) = json.loads(path.with_suffix(".json").read_text())["TagReportData"]
    (read,) = tag_reads(edgex_frame(path), utc, utc, NOW)
    assert read.epc == base64.b64decode(tag["EPC96"]["EPC"]).hex().upper()
    assert (read.antenna, read.rssi_cdbm) == (tag["AntennaID"], tag["PeakRSSI"] * 100)
    assert read.seen_at == utc(tag["FirstSeenUTC"])


@needs_vectors("llrp/edgex")
def test_the_capabilities_of_a_real_reader_are_read() -> None:
    (path,) = [p for p in EDGEX if p.stem.startswith("GetReaderCap")]
    told = json.loads(path.with_suffix(".json").read_text())
    body = decode(edgex_frame(path)).body
    general = body.first("GeneralDeviceCapabilities")
    assert general
    assert general["ReaderFirmwareVersion"] == told["GeneralDeviceCapabilities"]["FirmwareVersion"]
    band = body.first("RegulatoryCapabilities", "UHFBandCapabilities")
    assert band
    levels = told["RegulatoryCapabilities"]["UHFBandCapabilities"]["TransmitPowerLevels"]
    ours = [e["TransmitPowerValue"] for e in band.all("TransmitPowerLevelTableEntry")]
    assert ours == [level["TransmitPowerValue"] for level in levels]
    hops = band.first("FrequencyInformation", "FrequencyHopTable")
    table = told["RegulatoryCapabilities"]["UHFBandCapabilities"]["FrequencyInformation"]
    assert hops
    assert hops["Frequency"] == table["FrequencyHopTables"][0]["Frequencies"]


@needs_vectors("llrp/ltk")
def test_the_fast_reader_and_the_codec_read_the_same_from_odd_reports() -> None:
    for frame in frames_of(VECTORS / "llrp" / "ltk" / "dx101_b.bin"):
        tags = list(decode(frame).body.all("TagReportData"))
        reads = tag_reads(frame, utc, utc, NOW)
        assert len(tags) == len(reads) > 0
        for tag, read in zip(tags, reads, strict=True):
            long, short = tag.first("EPCData"), tag.first("EPC_96")
            epc = long["EPC"][1] if long else short["EPC"] if short else b""
            assert read.epc == epc.hex().upper()
            antenna = tag.first("AntennaID")
            assert read.antenna == (antenna["AntennaID"] if antenna else 0)
            seen = tag.first("FirstSeenTimestampUTC")
            assert read.seen_at == (utc(seen["Microseconds"]) if seen else NOW)


# --- any message --------------------------------------------------------------------------------------

_KINDS: dict[str, st.SearchStrategy[Any]] = {
    **{f"u{bits}": st.integers(0, 2**bits - 1) for bits in (1, 2, 8, 16, 32, 64)},
    **{f"s{bits}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16)},
    **{f"u{bits}v": st.lists(st.integers(0, 2**bits - 1), max_size=5) for bits in (8, 16, 32)},
    "utf8": st.text(st.characters(codec="utf-8"), max_size=20),
    "bits": st.binary(max_size=30).map(lambda data: (len(data) * 8, data)),
    "b12": st.binary(min_size=12, max_size=12),
    "rest": st.binary(max_size=20),
}


@st.composite
def elements(draw: Any, names: Any, depth: int = 0) -> Element:
    definition = (MESSAGES | PARAMETERS)[draw(names)]
    fields = {name: draw(_KINDS[kind]) for name, kind in definition.fields if name != "_"}
    has_rest = any(kind == "rest" for _, kind in definition.fields)
    is_tv = definition.name in PARAMETERS and definition.number < 128
    parameters = []
    if not has_rest and not is_tv and depth < 3:
        parameters = draw(st.lists(elements(st.sampled_from(sorted(PARAMETERS)), depth + 1), max_size=3))
    return Element(definition.name, fields, parameters)


@settings(max_examples=300, deadline=None)
@given(elements(st.sampled_from(sorted(MESSAGES))), st.integers(0, 2**32 - 1))
def test_any_message_survives_the_wire(body: Element, message_id: int) -> None:
    sent = message("x", message_id)
    sent.name, sent.body = body.name, body
    assert decode(encode(sent)) == sent


def test_parameters_and_messages_nobody_knows_keep_their_bytes() -> None:
    unknown = struct.pack(">HH", 900, 4 + 3) + b"abc"
    custom = struct.pack(">HHII", 1023, 12 + 5, 4711, 1) + b"12345"
    frame = HEADER.pack(0x400 | 61, 10 + len(unknown + custom), 5) + unknown + custom
    found = decode(frame)
    assert [p.name for p in found.body.parameters] == ["Unknown", "Custom"]
    assert encode(found) == frame
    strange = HEADER.pack(0x400 | 999, 13, 5) + b"xyz"
    assert decode(strange).name == "Unknown"
    assert encode(decode(strange)) == strange


def test_the_length_of_a_bit_array_counts_bits() -> None:
    assert encode_parameter(element("EPCData", EPC=(20, b"\xab\xcd\xe0"))) == bytes.fromhex(
        "00f1 0009 0014 abcde0"
    )


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (element("RFTransmitter", HopTableID=1, ChannelIndex=0), "TransmitPower"),
        (element("RFTransmitter", HopTableID=70000, ChannelIndex=0, TransmitPower=1), "RFTransmitter"),
        (element("C1G2SingulationControl", Session=4, TagPopulation=1, TagTransitTime=0), "Session is 4"),
        (element("EPCData", EPC=(20, b"\xab")), "1 bytes for a bit array of 20 bits"),
    ],
)
def test_a_field_that_does_not_fit_is_named(broken: Element, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encode_parameter(broken)


# --- lying frames -------------------------------------------------------------------------------------


def report(*tags: bytes) -> bytes:
    body = b"".join(tags)
    return HEADER.pack(0x400 | 61, 10 + len(body), 1) + body


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\x04\x3d", "a header has 10"),
        (HEADER.pack(0x43D, 99, 1), "says 99 bytes, the frame has 10"),
        (report(struct.pack(">HH", 240, 3)), "claims 3 bytes"),
        (report(struct.pack(">HH", 240, 500)), "behind what contains it|claims 500 bytes"),
        (report(struct.pack(">HHB", 240, 5, 0x8D)), "behind what contains it|cut short"),
        (report(struct.pack(">HHB", 240, 5, 0xFF)), "unknown"),
        (report(struct.pack(">HHHHH", 240, 10, 241, 6, 96)), "96 bits|are needed"),
        (report(b"\x00"), "are needed|left where"),
        (report(struct.pack(">HHHH", 240, 8, 241, 600)), "behind what|claims 600"),
    ],
)
def test_lying_frames_are_refused_with_their_bytes_by_both_readers(frame: bytes, words: str) -> None:
    with pytest.raises(FrameError, match=words) as codec:
        decode(frame)
    assert codec.value.frame == frame
    if len(frame) > 10:
        with pytest.raises(FrameError, match=words) as fast:
            tag_reads(frame, utc, utc, NOW)
        assert fast.value.frame == frame


def test_a_report_without_an_epc_is_refused() -> None:
    with pytest.raises(FrameError, match="without an EPC"):
        tag_reads(
            report(encode_parameter(element("TagReportData", element("AntennaID", AntennaID=1)))),
            utc,
            utc,
            NOW,
        )


def test_parameters_nested_without_end_are_refused_not_a_crash() -> None:
    inner = b""
    for _ in range(4000):
        inner = struct.pack(">HH", 240, 4 + len(inner)) + inner
    with pytest.raises(FrameError, match="nested"):
        decode(report(inner))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(sorted(d.number for d in MESSAGES.values())))
def test_any_bytes_in_a_frame_are_a_message_or_a_refusal(body: bytes, number: int) -> None:
    frame = HEADER.pack(0x400 | number, HEADER.size + len(body), 1) + body
    for read in (decode, lambda f: tag_reads(f, utc, utc, NOW)):
        with suppress(FrameError):
            read(frame)


@needs_vectors("llrp/ltk")
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_recorded_message_with_wrong_bytes_is_a_message_or_a_refusal(data: st.DataObject) -> None:
    frame = bytearray(frames_of(data.draw(st.sampled_from(LTK)))[0])
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    del frame[data.draw(st.integers(0, len(frame))) :]
    with suppress(FrameError):
        decode(bytes(frame))
    with suppress(FrameError):
        tag_reads(bytes(frame), utc, utc, NOW)
    with suppress(FrameError):
        Framer().feed(bytes(frame))


# --- the stream ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(1, 7))
def test_frames_are_cut_from_the_stream_however_it_arrives(sizes: list[int], step: int) -> None:
    frames = [HEADER.pack(0x400 | 61, 10 + size, i) + bytes(size) for i, size in enumerate(sizes)]
    stream, framer, found = b"".join(frames), Framer(), []
    for i in range(0, len(stream), step):
        found += framer.feed(stream[i : i + step])
    assert found == frames
    assert framer.pending == b""


def test_noise_where_a_header_must_be_ends_the_stream_with_its_bytes() -> None:
    with pytest.raises(FrameError, match="no LLRP header") as e:
        Framer().feed(HEADER.pack(0x43E, 10, 1) + b"\xff" * 20)
    assert e.value.frame == b"\xff" * 20


def test_a_report_of_megabytes_is_buffered_in_linear_time() -> None:
    """16 MB in packets of 1460 bytes; a buffer that is copied for each packet would move 90 GB."""
    frame = HEADER.pack(0x43D, 10 + 16_000_000, 1) + bytes(16_000_000)
    framer, start, found = Framer(), time.process_time(), []
    for i in range(0, len(frame), 1460):
        found += framer.feed(frame[i : i + 1460])
    assert found == [frame]
    assert time.process_time() - start < 8


# --- words --------------------------------------------------------------------------------------------


def test_a_refusal_names_the_field_of_the_parameter_in_words() -> None:
    field_error = element("FieldError", FieldNum=2, ErrorCode=301)
    where = element("ParameterError", field_error, ParameterType=224, ErrorCode=201)
    status = element("LLRPStatus", where, StatusCode=100, ErrorDescription="power index 99")
    assert explain(status, "ADD_ROSPEC") == (
        "a parameter of the message is wrong: TransmitPower of RFTransmitter (a value is out of range); "
        'the reader says "power index 99"'
    )


def test_a_missing_parameter_is_named_with_what_should_contain_it() -> None:
    inner = element("ParameterError", ParameterType=184, ErrorCode=203)
    outer = element("ParameterError", inner, ParameterType=183, ErrorCode=200)
    status = element("LLRPStatus", outer, StatusCode=100, ErrorDescription="")
    assert "AISpecStopTrigger in AISpec (the parameter misses one)" in explain(status, "ADD_ROSPEC")
