"""Readings to events: the table says which reading becomes which event; tag reads go through cleaning first.

Scans, weights, measurements, rejected frames and device states become events at once and are on disk when
`take` returns. Tag reads are gathered: `tick` stores what cleaning made of them. The reads of an open passage
are journalled before they count, so that an agent that is killed in the middle of a passage goes on with it.
To add a reading: a function below and its line in HANDLERS.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import structlog

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
from edge import messages
from edge.cleaning.portal import Passage, Portal
from edge.cleaning.track import Track
from edge.cleaning.zones import Sighting, Zones
from edge.config import DeviceSection
from edge.messages import (
    BarcodeScanned,
    DeviceStateChanged,
    FrameRejected,
    Measured,
    PositionReported,
    TagPassage,
    TagSighting,
    TagsPassed,
    TagsSeen,
    TagStray,
    Weighed,
)
from edge.spool import NewEvent, Spool, SpoolRefused

log = structlog.get_logger("edge.intake")

TAGS_AN_EVENT = 500
"""A larger passage is split over events with one passage_id, to stay below the message limit."""
FRAME_BYTES = 4096
REJECTED_BURST = 20
REJECTED_PER_S = 1.0
GRACE_S = 30.0
"""A passage stays open while its reader is away, up to this: the reader gives its buffered reads afterwards."""
CLOCK_STEP_S = 60.0
TURN = 2 * math.pi / 4096

_TAG_READS = msgspec.msgpack.Decoder(list[TagRead])
_ENCODE = msgspec.msgpack.Encoder()


class DeviceIntake:
    """What one device said and what is to be stored of it. Not thread-safe: `Intake` holds the lock."""

    def __init__(self, config: DeviceSection) -> None:
        self.config = config
        self.zones = Zones(config.zone)
        self.portal = Portal(config.code, config.portal) if config.portal else None
        self.track = Track(config.track)
        self.online = False
        self.outgoing: list[NewEvent] = []  # events that are not stored yet
        self.reads: list[TagRead] = []  # reads that are not fed yet
        self.passed: list[NewEvent] = []  # passages that are not stored yet
        self.journalled_to = 0  # newest journal row that was fed
        self.closed_to = 0  # newest journal row of a closed passage
        self.settled_to = 0  # newest journal row that is gone
        self._latest = 0.0  # newest stamp of a tag read, in the reader's corrected time
        self._heard = 0.0  # and when it arrived, monotonic
        self._quiet_since = 0.0  # the same, or when the reader came back: its buffered reads follow
        self._listened_to = 0.0  # until when we know that there was nothing more, monotonic
        self._state = ("", "")
        self._weight: Decimal | None = None
        self._rejected_allowance = float(REJECTED_BURST)
        self._rejected_at = 0.0
        self._rejected_unsaid = 0

    def accept(self, readings: Iterable[Reading], monotonic: float) -> None:
        """Sort readings into events and tag reads; from here on they are ours. None: it was listened to in vain."""
        self._listened_to = monotonic
        for reading in readings:
            if isinstance(reading, TagRead):
                if 4 <= len(reading.epc) <= 128:
                    self.reads.append(reading)
                    continue
                reading = RejectedFrame("a tag with an empty EPC", reading.epc.encode(), reading.seen_at)
            handler = HANDLERS[type(reading)]
            if (event := handler(self, reading, monotonic)) is not None:
                self.outgoing.append(event)

    # --- readings that are events ---------------------------------------------------------------------

    def on_code(self, reading: ScannedCode, _monotonic: float) -> NewEvent:
        if not 1 <= len(reading.text) <= 4096:
            why = f"a code of {len(reading.text)} characters"
            return self._event(
                FrameRejected(reason=why, frame_hex=_hex(reading.text.encode())), reading.seen_at
            )
        return self._event(BarcodeScanned(text=reading.text, symbology=reading.symbology), reading.seen_at)

    def on_weight(self, reading: Weight, _monotonic: float) -> NewEvent | None:
        """A stable weight once; again when it changed or the scale moved in between."""
        if reading.state != "stable" or reading.weight_g is None:
            self._weight = None
            return None
        if reading.weight_g == self._weight:
            return None
        self._weight = reading.weight_g
        return self._event(Weighed(weight_g=reading.weight_g, tare_g=reading.tare_g), reading.seen_at)

    def on_values(self, reading: SensorValues, _monotonic: float) -> NewEvent | None:
        values = [messages.Reading(channel=v.channel, value=v.value, unit=v.unit) for v in reading.values]
        return self._event(Measured(readings=values), reading.seen_at) if values else None

    def on_position(self, reading: Position, _monotonic: float) -> NewEvent | None:
        """Thinned: a vehicle that drives tells more than one that stands."""
        if not self.track.is_news(reading):
            return None
        data = PositionReported(
            lat=reading.lat, lon=reading.lon, speed_kmh=reading.speed_kmh, course_deg=reading.course_deg,
            hdop=reading.hdop, satellites=reading.satellites, fix=reading.fix,
        )  # fmt: skip
        return self._event(data, reading.seen_at, device_at=reading.device_at)

    def on_rejected(self, reading: RejectedFrame, monotonic: float) -> NewEvent | None:
        """A broken line can reject thousands a second: a few are sent, all are counted."""
        earned = (monotonic - self._rejected_at) * REJECTED_PER_S
        self._rejected_allowance = min(REJECTED_BURST, self._rejected_allowance + earned)
        self._rejected_at = monotonic
        if self._rejected_allowance < 1:
            self._rejected_unsaid += 1
            return None
        self._rejected_allowance -= 1
        more = f" (and {self._rejected_unsaid} more before it)" if self._rejected_unsaid else ""
        self._rejected_unsaid = 0
        return self._event(
            FrameRejected(reason=reading.reason + more, frame_hex=_hex(reading.frame)), reading.seen_at
        )

    def on_info(self, reading: DeviceInfo, monotonic: float) -> NewEvent | None:
        """Only a change is an event; attempts that go on failing are not."""
        self.online = reading.state == "online"
        self._quiet_since = monotonic
        state = (reading.state, reading.detail if reading.state == "fault" else "")
        if state == self._state:
            return None
        self._state = state
        data = DeviceStateChanged(
            state=reading.state,
            detail=reading.detail,
            firmware=reading.firmware,
            clock_offset_s=reading.clock_offset_s,
        )
        return self._event(data, reading.seen_at)

    # --- tag reads ------------------------------------------------------------------------------------

    def feed(self, reads: Sequence[TagRead], monotonic: float) -> None:
        first = min(r.seen_at for r in reads).timestamp()
        if first < self._latest - CLOCK_STEP_S:
            self._start_over()
        zones, portal = self.zones, self.portal
        for r in reads:
            at = r.seen_at.timestamp()
            if at > self._latest:
                self._latest = at
            zones.read(r.epc, r.antenna, at, r.rssi_cdbm, r.reads)
            if portal is not None:
                phase = None if r.phase is None else r.phase * TURN
                portal.read(r.epc, r.antenna, at, r.rssi_cdbm, phase, r.channel or 0, r.reads)
        self._heard = self._quiet_since = monotonic

    def _start_over(self) -> None:
        """The reader's clock was put back: what was seen in its old time is closed, not compared."""
        log.warning("reader_clock_stepped", device=self.config.code)
        self._close(math.inf)
        self.zones = Zones(self.config.zone)
        self._latest = 0.0

    def sightings(self, monotonic: float) -> list[NewEvent]:
        found = self.zones.due(self._latest + (monotonic - self._heard))
        return [
            self._event(TagsSeen(sightings=[_sighting(s) for s in part]), _time(max(s.last_at for s in part)))
            for part in _parts(found)
        ]

    def close_passages(self, monotonic: float) -> None:
        """Late reports and steps of our own clock must not look like silence: this is the reader's time, and of it only
        what was listened to. Reads may wait for us, behind a slow disk or a busy processor."""
        if self.online:
            self._close(self._latest + max(0.0, self._listened_to - self._quiet_since))
        elif (quiet := monotonic - self._quiet_since) >= GRACE_S:
            self._close(self._latest + quiet)

    def replay(self, journalled: Iterable[tuple[int, bytes]], monotonic: float) -> None:
        """Go on with the passage that was open when the agent ended."""
        for row, body in journalled:
            reads = _TAG_READS.decode(body)
            self._close(min(r.seen_at for r in reads).timestamp())
            self.feed(reads, monotonic)
            self.journalled_to = row

    def _close(self, now: float) -> None:
        if self.portal is None or not self.portal.is_open:
            return
        self.passed += self._passage_events(self.portal.close(now))
        if not self.portal.is_open:
            self.closed_to = self.journalled_to

    def _passage_events(self, passages: Iterable[Passage]) -> list[NewEvent]:
        events = []
        for p in passages:
            strays = [
                TagStray(epc=s.epc, why=s.why, reads=s.reads, peak_rssi_cdbm=s.peak_rssi_cdbm)
                for s in p.strays
            ]
            event: NewEvent | None = None
            for start in range(0, max(len(p.tags), len(strays)), TAGS_AN_EVENT):
                part = slice(start, start + TAGS_AN_EVENT)
                data = TagsPassed(
                    portal=self.config.code,
                    passage_id=p.passage_id,
                    direction=p.direction,
                    tags=[
                        TagPassage(
                            epc=t.epc,
                            confidence=t.confidence,
                            reads=t.reads,
                            peak_rssi_cdbm=t.peak_rssi_cdbm,
                            first_at=_time(t.first_at),
                            last_at=_time(t.last_at),
                        )
                        for t in p.tags[part]
                    ],
                    strays=strays[part],
                )
                event = self._event(data, _time(p.last_at), event.correlation_id if event else None)
                events.append(event)
        return events

    def _event(
        self,
        data: messages.EventData,
        at: datetime,
        correlation_id: str | None = None,
        device_at: str | None = None,
    ) -> NewEvent:
        """What the contract does not allow goes out as rejected, with its content, instead of blocking the rest."""
        body = messages.encode(data)
        try:
            msgspec.json.decode(body, type=type(data))
        except msgspec.ValidationError as e:
            log.error("reading_out_of_contract", device=self.config.code, why=str(e))
            data = FrameRejected(
                reason=f"{messages.type_of(data)} out of contract: {e}", frame_hex=_hex(body)
            )
        event = NewEvent(device=self.config.code, data=data, occurred_at=at, device_at=device_at)
        return msgspec.structs.replace(event, correlation_id=correlation_id) if correlation_id else event


HANDLERS: dict[type[Any], Callable[[DeviceIntake, Any, float], NewEvent | None]] = {
    ScannedCode: DeviceIntake.on_code,
    Weight: DeviceIntake.on_weight,
    SensorValues: DeviceIntake.on_values,
    Position: DeviceIntake.on_position,
    RejectedFrame: DeviceIntake.on_rejected,
    DeviceInfo: DeviceIntake.on_info,
}


class Intake:
    """All devices of the agent in front of one spool. `take` from the devices' threads, `tick` from one."""

    def __init__(
        self, devices: Iterable[DeviceSection], spool: Spool, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._spool = spool
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sightings: list[NewEvent] = []  # not stored yet
        self._refused: SpoolRefused | None = None
        self._devices = {d.code: DeviceIntake(d) for d in devices}
        for device in self._devices.values():
            if device.portal and device.config.portal:
                neighbours = (self._devices[n].portal for n in device.config.portal.neighbours)
                device.portal.neighbours = [portal for portal in neighbours if portal]

    def resume(self) -> None:
        """Once, before the devices start."""
        for device in self._devices.values():
            if journalled := self._spool.journalled(device.config.code):
                device.replay(journalled, self._monotonic())
                log.info("passage_resumed", device=device.config.code, batches=len(journalled))

    def take(self, config: DeviceSection, readings: Sequence[Reading]) -> bool:
        """Make readings safe; True where the spool has something new. Called after every read of the device, also with
        none: that is how silence is known. Raises SpoolRefused: the readings are kept; call again with none until it
        returns, and read the device no further."""
        device, now = self._devices[config.code], self._monotonic()
        with self._lock:
            device.accept(readings, now)
            if self._refused:
                raise self._refused
            stored = bool(device.outgoing)
            if stored:
                self._spool.append(device.outgoing)
                _say(device.outgoing)
                device.outgoing = []
            if device.reads:
                if device.portal is not None:
                    device.journalled_to = self._spool.journal(config.code, _ENCODE.encode(device.reads))
                device.feed(device.reads, now)
                device.reads = []
        return stored

    def tick(self) -> bool:
        """Store what cleaning has ready; True where the spool has something new. Raises SpoolRefused: nothing is
        dropped, the devices wait, and the next tick tries again."""
        now = self._monotonic()
        stored = False
        with self._lock:
            try:
                for device in self._devices.values():
                    if self._refused is None:
                        self._sightings += device.sightings(now)
                        device.close_passages(now)
                    if device.passed:
                        self._spool.append(device.passed, settles=(device.config.code, device.closed_to))
                        _say(device.passed)
                        device.passed, device.settled_to, stored = [], device.closed_to, True
                    elif device.closed_to > device.settled_to:
                        self._spool.settle(device.config.code, device.closed_to)
                        device.settled_to = device.closed_to
                if self._sightings:
                    stored |= bool(self._spool.append(self._sightings))
                    self._sightings = []
                self._refused = None
            except SpoolRefused as e:
                self._refused = e
                raise
        return stored


def _say(stored: Sequence[NewEvent]) -> None:
    """The first line in the life of a correlation id. Values and positions are too many for the log."""
    for event in stored:
        say = log.debug if isinstance(event.data, Measured | PositionReported) else log.info
        say("event_stored", device=event.device, type=messages.type_of(event.data), correlation_id=event.correlation_id)  # fmt: skip


def _sighting(s: Sighting) -> TagSighting:
    return TagSighting(
        epc=s.epc,
        antenna=s.antenna,
        reads=s.reads,
        peak_rssi_cdbm=s.peak_rssi_cdbm,
        first_at=_time(s.first_at),
        last_at=_time(s.last_at),
    )


def _parts(found: Sequence[Any]) -> list[Any]:
    return [found[i : i + TAGS_AN_EVENT] for i in range(0, len(found), TAGS_AN_EVENT)]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _hex(frame: bytes) -> str:
    return frame[:FRAME_BYTES].hex()
