"""The one wire contract between what stands beside the devices and the backend.

Everything that crosses MQTT is declared here: topics, envelopes and the data of each event type. A gateway
that is not ours implements this page (JSON Schema: `stowage schema`, examples: `docs/wire-contract.md`).
Promise: a field is never removed or re-typed inside `VERSION`; unknown fields are ignored by readers.
To add an event type: a struct here, a line in `EVENT_TYPES`, a handler in `backend/ingest`.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import Meta, Struct

VERSION = 1
MAX_MESSAGE_BYTES = 256 * 1024
"""A publish above this is refused by the backend (dead letter); the agent splits its batches below it."""

Code = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$", description="Code of a site, agent or device")
]
EpcHex = Annotated[str, Meta(pattern=r"^[0-9A-F]{4,128}$", description="EPC memory as read, hexadecimal")]
Aware = Annotated[datetime, Meta(tz=True, description="RFC 3339 with zone")]


# --- topics -----------------------------------------------------------------------------------------------


def topic(site: str, agent: str, channel: Literal["events", "ack", "status", "commands", "ingress"]) -> str:
    """`stowage/v1/{site}/{agent}/{channel}`. `ack` and `status` are retained, nothing else is."""
    return f"stowage/v{VERSION}/{site}/{agent}/{channel}"


# --- event data, one struct a type ------------------------------------------------------------------------


class TagSighting(Struct, frozen=True, kw_only=True):
    """One tag over one reporting interval at one antenna."""

    epc: EpcHex
    antenna: Annotated[int, Meta(ge=0, le=255)]
    reads: Annotated[int, Meta(ge=1)]
    peak_rssi_cdbm: int | None = None
    first_at: Aware
    last_at: Aware


class TagsSeen(Struct, frozen=True, kw_only=True):
    """What a reader's antennas saw, smoothed. An observation: it moves no stock by itself."""

    sightings: Annotated[list[TagSighting], Meta(min_length=1)]


class TagPassage(Struct, frozen=True, kw_only=True):
    """Evidence that one tag went through a portal."""

    epc: EpcHex
    confidence: Annotated[float, Meta(ge=0, le=1)]
    reads: Annotated[int, Meta(ge=1)]
    peak_rssi_cdbm: int | None = None
    first_at: Aware
    last_at: Aware


class TagStray(Struct, frozen=True, kw_only=True):
    """A tag that was read and judged not to have passed, and why (parked, cross_read, weak, undecided)."""

    epc: EpcHex
    why: str
    reads: Annotated[int, Meta(ge=1)]
    peak_rssi_cdbm: int | None = None


class TagsPassed(Struct, frozen=True, kw_only=True):
    """One passage through a portal (a dock door): what went which way, together.

    `passage_id` groups events of one passage when it had to be split over several."""

    portal: Code
    passage_id: str
    direction: Literal["in", "out"]
    tags: list[TagPassage]
    strays: list[TagStray] = []


class BarcodeScanned(Struct, frozen=True, kw_only=True):
    """A code as the scanner gave it, without prefix, symbology identifier, suffix. FNC1 stays GS (0x1D)."""

    text: Annotated[str, Meta(min_length=1, max_length=4096)]
    symbology: str | None = None
    """AIM symbology identifier, e.g. `]C1`, where the scanner sends it."""


class Weighed(Struct, frozen=True, kw_only=True):
    """A stable weight. Dynamic, overloaded and underloaded answers are never sent as a weight."""

    weight_g: Decimal
    tare_g: Decimal | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """One measured value of one channel of a sensor."""

    channel: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    """temperature, humidity, door_open, ..."""
    value: Decimal
    unit: str
    """UCUM where there is one: Cel, %, 1."""


class Measured(Struct, frozen=True, kw_only=True):
    """Sensor values taken at one moment."""

    readings: Annotated[list[Reading], Meta(min_length=1)]


class PositionReported(Struct, frozen=True, kw_only=True):
    """Where a vehicle's satellite receiver is, WGS 84. Only with a fix: without one there is no position.

    Thinned at the agent: about one a second while it drives, one in half a minute while it stands, always at start and
    stop."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    speed_kmh: Annotated[float, Meta(ge=0, le=2000)] | None = None
    course_deg: Annotated[float, Meta(ge=0, lt=360)] | None = None
    """Over ground, from true north, clockwise; None where it stands or the receiver does not say."""
    hdop: Annotated[float, Meta(ge=0)] | None = None
    """Horizontal dilution of precision: about a fifth of the error in metres."""
    satellites: Annotated[int, Meta(ge=0, le=200)] | None = None
    """In use."""
    fix: Literal["autonomous", "differential", "rtk", "float_rtk", "estimated"] = "autonomous"
    """`estimated`: the receiver's dead reckoning, e.g. in a tunnel."""


class FrameRejected(Struct, frozen=True, kw_only=True):
    """Bytes that did not make sense. Never guessed at: kept, counted, shown."""

    reason: str
    frame_hex: Annotated[str, Meta(pattern=r"^([0-9a-f]{2})*$", max_length=8192)]


class DeviceStateChanged(Struct, frozen=True, kw_only=True):
    """A device came, went or changed its health. `detail` is a sentence a person can act on."""

    state: Literal["online", "offline", "fault"]
    detail: str = ""
    firmware: str | None = None
    clock_offset_s: float | None = None
    """Device clock minus agent clock at connection; already applied to `occurred_at`."""


class EventsLost(Struct, frozen=True, kw_only=True):
    """A declared loss: the spool was full. Counted and shown, never silent."""

    count: Annotated[int, Meta(ge=1)]
    reason: str


EventData = (
    TagsSeen
    | TagsPassed
    | BarcodeScanned
    | Weighed
    | Measured
    | PositionReported
    | FrameRejected
    | DeviceStateChanged
    | EventsLost
)

EVENT_TYPES: dict[str, type[Struct]] = {
    "tags_seen": TagsSeen,
    "tags_passed": TagsPassed,
    "barcode_scanned": BarcodeScanned,
    "weighed": Weighed,
    "measured": Measured,
    "position_reported": PositionReported,
    "frame_rejected": FrameRejected,
    "device_state_changed": DeviceStateChanged,
    "events_lost": EventsLost,
}


# --- envelopes --------------------------------------------------------------------------------------------


class Event(Struct, frozen=True, kw_only=True):
    """One event of one device. Its identity is (agent, epoch, seq): receiving it twice is receiving once."""

    seq: Annotated[int, Meta(ge=1)]
    """Counts up by one inside an epoch, without gaps; the order of events is the order of seq."""
    device: Code
    type: str
    """A key of `EVENT_TYPES`; `data` has that type's shape."""
    occurred_at: Aware
    """At the device, corrected by the offset measured at connection."""
    device_at: str | None = None
    """The raw stamp of the device's own clock, as it stood."""
    correlation_id: str
    """One id from this read to the ERP posting."""
    data: msgspec.Raw


class EventBatch(Struct, frozen=True, kw_only=True):
    """What is published on `events`, QoS 1. All events share one epoch and are in rising seq."""

    v: int
    site: Code
    agent: Code
    epoch: Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}$")]
    """Random, new whenever a spool is created or opened, so that a restored spool never reuses a number.
    What an earlier epoch left behind is sent first, under its own epoch."""
    events: Annotated[list[Event], Meta(min_length=1, max_length=1000)]


class Ack(Struct, frozen=True, kw_only=True):
    """Published retained on `ack`: everything up to and including `seq` of `epoch` is committed."""

    v: int
    epoch: str
    seq: Annotated[int, Meta(ge=0)]


class DeviceStatus(Struct, frozen=True, kw_only=True):
    device: Code
    kind: str
    """llrp_reader, barcode_scanner, scale, climate_sensor, gps_receiver, ..."""
    state: Literal["online", "offline", "fault"]
    detail: str = ""
    last_seen_at: Aware | None = None
    readings_per_s: float = 0.0
    rejected_frames: int = 0
    clock_offset_s: float | None = None
    firmware: str | None = None
    antennas: dict[str, str] = {}
    """antenna number -> connected | disconnected"""


class AgentStatus(Struct, frozen=True, kw_only=True):
    """Published retained on `status` every few seconds and as last will (`state: offline`)."""

    v: int
    state: Literal["online", "offline"]
    at: Aware
    version: str = ""
    epoch: str | None = None
    spool_depth: int = 0
    spool_oldest_at: Aware | None = None
    events_lost: int = 0
    devices: list[DeviceStatus] = []


class Command(Struct, frozen=True, kw_only=True):
    """Backend to agent on `commands`. Never retained; ignored after `expires_at`."""

    v: int
    id: str
    device: Code | None = None
    command: Literal["restart_device", "zero_scale", "tare_scale", "report_status"]
    expires_at: Aware


class IngressEvent(Struct, frozen=True, kw_only=True):
    """Published on `ingress` by a gateway that keeps no sequence: best effort, no ack.

    Its identity is `event_id`, else a hash of the message in a bounded window."""

    v: int
    device: Code
    type: str
    occurred_at: Aware
    event_id: str | None = None
    data: msgspec.Raw


# --- reading and writing ----------------------------------------------------------------------------------


class UnreadableMessage(ValueError):
    """The bytes are not a message of this contract. The text says which field, or which version."""


class NewerVersion(UnreadableMessage):
    """A version this program does not know yet: update the backend, then retry the dead letter."""


class _Versioned(Struct):
    v: Any = None


EnvelopeT = TypeVar("EnvelopeT", EventBatch, Ack, AgentStatus, Command, IngressEvent)


def decode(kind: type[EnvelopeT], payload: bytes) -> EnvelopeT:
    """Bytes of one publish -> envelope. Raises UnreadableMessage, NewerVersion."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise UnreadableMessage(f"{len(payload)} bytes; a message may have {MAX_MESSAGE_BYTES}")
    try:
        version = msgspec.json.decode(payload, type=_Versioned).v
        if isinstance(version, int) and version > VERSION:
            raise NewerVersion(f"message version {version}; this backend reads up to {VERSION}")
        if version != VERSION:
            raise UnreadableMessage(f"field v is {version!r}, expected {VERSION}")
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise UnreadableMessage(str(e)) from e


def decode_data(event: Event | IngressEvent) -> EventData:
    """The typed data of an event. Raises UnreadableMessage for an unknown type or a wrong shape."""
    kind = EVENT_TYPES.get(event.type)
    if kind is None:
        raise UnreadableMessage(f"unknown event type {event.type!r}; known: {', '.join(EVENT_TYPES)}")
    try:
        return cast(EventData, msgspec.json.decode(event.data, type=kind))
    except msgspec.DecodeError as e:
        raise UnreadableMessage(f"{event.type}: {e}") from e


def encode(message: Struct) -> bytes:
    return msgspec.json.encode(message)


def encode_data(data: EventData) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(data))


def type_of(data: EventData) -> str:
    """`tags_seen` for TagsSeen, and so on."""
    return _TYPE_NAMES[type(data)]


_TYPE_NAMES: dict[type[Struct], str] = {kind: name for name, kind in EVENT_TYPES.items()}


def json_schema() -> dict[str, Any]:
    """JSON Schema of every envelope and every event's data, for gateways that are not ours."""
    kinds = [EventBatch, Ack, AgentStatus, Command, IngressEvent, *EVENT_TYPES.values()]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Stowage wire contract v{VERSION}",
        "oneOf": schemas[:5],
        "x-event-data": {name: schemas[5 + i] for i, name in enumerate(EVENT_TYPES)},
        "$defs": components,
    }


if __name__ == "__main__":  # python -m edge.messages > docs/wire-contract.schema.json
    print(json.dumps(json_schema(), indent=2))
