"""An LLRP reader on TCP, as a driver meets it: capabilities, configuration, ROSpecs, keepalives, one client.

Its antennas hear what `radio` makes of the `scene`. Inventory rounds happen in world time, so a fast world gives more
reads a second; stamps come from the reader's own clock (`now` plus `clock_offset_s`, or only an uptime). With
`hold` configured by the client it keeps reads while nobody is connected and releases them when asked.
Misbehaviour on request: `freeze`, `drop_connection`, `unplug`, `occupy`, `inject`, `refuse`, `set_antenna`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from device_drivers.driver import Clock, utc_now
from device_drivers.emulator.radio import Antenna, Heard, Radio
from device_drivers.emulator.scene import Scene
from device_drivers.llrp import impinj
from device_drivers.llrp.codec import (
    Element,
    FrameError,
    Framer,
    Message,
    decode,
    element,
    encode,
    encode_parameter,
    message,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OTHER_VENDOR = 10642
"""Zebra's enterprise number: a reader that knows no Impinj extensions."""

_DISABLED, _INACTIVE, _ACTIVE = 0, 1, 2
_POWERS = {index: 1000 + 25 * (index - 1) for index in range(1, 82)}
_MAX_BUFFERED = 200_000
_MAX_ROUNDS_A_TICK = 40


class _Refused(Exception):
    def __init__(self, status: Element) -> None:
        self.status = status


def _status(code: int = 0, words: str = "", *details: Element) -> Element:
    return element("LLRPStatus", *details, StatusCode=code, ErrorDescription=words)


def _bad_field(parameter: int, field: int, code: int, words: str) -> _Refused:
    field_error = element("FieldError", FieldNum=field, ErrorCode=code)
    detail = element("ParameterError", field_error, ParameterType=parameter, ErrorCode=201)
    return _Refused(_status(100, words, detail))


class EmulatedReader:
    """`EmulatedReader(antennas, radio, scene).serve()` gives (host, port). `close()` ends it."""

    def __init__(
        self,
        antennas: Sequence[Antenna],
        radio: Radio,
        scene: Scene,
        *,
        clock_offset_s: float = 0.0,
        uptime_only: bool = False,
        is_impinj: bool = True,
        can_hold: bool = True,
        protocol_version: int = 1,
        tls: ssl.SSLContext | None = None,
        round_s: float = 0.1,
        tick_s: float = 0.05,
        now: Clock = utc_now,
    ) -> None:
        self.antennas = {antenna.port: antenna for antenna in antennas}
        self.radio, self.scene = radio, scene
        self.clock_offset_s = clock_offset_s
        self._uptime_only, self._is_impinj, self._can_hold = uptime_only, is_impinj, can_hold
        self._protocol_version = protocol_version
        self._tls = tls
        self._round_s, self._tick_s, self._now = round_s, tick_s, now
        self._powered_on = now()
        self._listener: socket.socket | None = None
        self._address = ("127.0.0.1", 0)
        self._client: socket.socket | None = None
        self._send_lock = threading.Lock()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._frozen = threading.Event()
        self._occupied = False
        self._refusals: dict[str, Element] = {}
        self._disconnected_antennas: set[int] = set()
        self._rospecs: dict[int, Element] = {}
        self._buffer: deque[bytes] = deque(maxlen=_MAX_BUFFERED)
        self._held_events: list[Message] = []
        self._overflowed = False
        self._hold = False
        self._holding = False
        self._extended = False
        self._keepalive_s = 0.0
        self._next_keepalive = 0.0
        self._id = 0
        self.greeting: bytes | None = None
        """Said instead of the connection event: something else than a reader."""
        self.reads_made = 0
        """Tag reads since power-on, to compare with what arrived."""

    # --- power and plug -------------------------------------------------------------------------------

    def serve(self, port: int = 0, host: str = "127.0.0.1") -> tuple[str, int]:
        self._address = (host, port)
        self._listen()
        threading.Thread(target=self._inventory_loop, name="emulated-reader-air", daemon=True).start()
        return self._address

    def close(self) -> None:
        self._stop.set()
        self.unplug()

    def _listen(self) -> None:
        listener = socket.create_server(self._address)
        self._address = listener.getsockname()[:2]
        self._listener = listener
        threading.Thread(
            target=self._accept_loop, args=(listener,), name="emulated-reader", daemon=True
        ).start()

    # --- misbehaviour ---------------------------------------------------------------------------------

    def freeze(self, frozen: bool = True) -> None:
        """Half-open link: TCP stays, nothing is answered or sent, no keepalives either."""
        self._frozen.set() if frozen else self._frozen.clear()

    def drop_connection(self) -> None:
        """The cable is pulled and put back: the connection is gone, the reader runs on."""
        client, self._client = self._client, None
        if client:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def unplug(self) -> None:
        """Nobody listens at the address any more."""
        listener, self._listener = self._listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop_connection()

    def plug_in(self) -> None:
        """Back at the same address, with its ROSpecs and its buffer."""
        if self._listener is None:
            self._listen()

    def occupy(self, occupied: bool = True) -> None:
        """Another client holds the reader."""
        self._occupied = occupied

    def refuse(self, message_name: str, status: Element | None) -> None:
        """Answers this request with an error from now on; None ends that."""
        if status is None:
            self._refusals.pop(message_name, None)
        else:
            self._refusals[message_name] = status

    def inject(self, data: bytes) -> None:
        """Sends bytes as they are: truncated frames, lying lengths, noise."""
        client = self._client
        if client:
            self._send_bytes(client, data)

    def inject_lying_report(self) -> None:
        """A whole frame whose tag report claims more bytes than the frame has."""
        body = struct.pack(">HH", 240, 500) + b"\x8d" + bytes(12)
        self.inject(struct.pack(">HII", 0x400 | 61, 10 + len(body), self._take_id()) + body)

    def inject_truncated_frame(self) -> None:
        """A header that promises 100 bytes, and then the next frame: the stream is out of step."""
        self.inject(struct.pack(">HII", 0x400 | 61, 100, self._take_id()) + bytes(30))
        self.inject(b"\xff" * 200)

    def set_antenna(self, port: int, connected: bool) -> None:
        """An antenna cable comes off or on; the client is told."""
        (self._disconnected_antennas.discard if connected else self._disconnected_antennas.add)(port)
        self._event(element("AntennaEvent", EventType=int(connected), AntennaID=port))

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    @property
    def address(self) -> tuple[str, int]:
        return self._address

    @property
    def rospecs(self) -> list[Element]:
        """What the client has set up."""
        with self._lock:
            return list(self._rospecs.values())

    # --- the client -----------------------------------------------------------------------------------

    def _accept_loop(self, listener: socket.socket) -> None:
        while not self._stop.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                try:
                    client = self._tls.wrap_socket(client, server_side=True)
                except OSError:
                    continue
            if self.greeting is not None:
                client.sendall(self.greeting)
                client.close()
                continue
            if self._occupied or self._client is not None:
                self._greet(client, 2)
                client.close()
                self._event(element("ConnectionAttemptEvent", Status=4))
                continue
            with self._lock:
                self._client = client
                self._holding = self._hold
                self._extended = False
                self._next_keepalive = time.monotonic() + self._keepalive_s
            self._greet(client, 0)
            name = "emulated-reader-client"
            threading.Thread(target=self._serve_client, args=(client,), name=name, daemon=True).start()

    def _greet(self, client: socket.socket, status: int) -> None:
        attempt = element("ConnectionAttemptEvent", Status=status)
        data = element("ReaderEventNotificationData", self._timestamp(), attempt)
        self._send(client, message("READER_EVENT_NOTIFICATION", self._take_id(), data))

    def _serve_client(self, client: socket.socket) -> None:
        framer = Framer()
        while not self._stop.is_set():
            try:
                data = client.recv(1 << 16)
            except OSError:
                break
            if not data:
                break
            if self._frozen.is_set():
                continue
            try:
                frames = framer.feed(data)
            except FrameError:
                break
            for frame in frames:
                self._answer(client, frame)
        with self._lock:
            if self._client is client:
                self._client = None
        client.close()

    def _answer(self, client: socket.socket, frame: bytes) -> None:
        try:
            request = decode(frame)
        except FrameError as e:
            message_id = struct.unpack_from(">I", frame, 6)[0]
            self._send(client, message("ERROR_MESSAGE", message_id, _status(100, str(e))))
            return
        name = f"{request.name}_RESPONSE"
        try:
            if request.name in self._refusals:
                raise _Refused(self._refusals[request.name])
            if request.version > self._protocol_version:
                raise _Refused(_status(110, "version not supported"))
            answer = self._act(request)
        except _Refused as e:
            known = name in _RESPONSES and e.status["StatusCode"] not in (109, 110)
            answer = message(name if known else "ERROR_MESSAGE", request.message_id, e.status)
        if answer is not None:
            answer.version = request.version if request.version <= self._protocol_version else 1
            self._send(client, answer)
        if request.name == "CLOSE_CONNECTION":
            with self._lock:
                if self._client is client:
                    self._client = None  # who hears us hang up may come again
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _act(self, request: Message) -> Message | None:
        """One request -> its answer. Raises _Refused."""
        body, name = request.body, request.name
        content: list[Element] = []
        if name == "GET_READER_CAPABILITIES":
            content = self._capabilities()
        elif name == "GET_READER_CONFIG":
            content = self._config(body)
        elif name == "SET_READER_CONFIG":
            self._set_config(body)
        elif name in ("ADD_ROSPEC", "DELETE_ROSPEC", "GET_ROSPECS") or name in _STATE_AFTER:
            content = self._rospec_request(name, body)
        elif name == "ENABLE_EVENTS_AND_REPORTS":
            self._holding = False
            self._flush()
            return None
        elif name == "GET_REPORT":
            self._flush()
            return None
        elif name in ("KEEPALIVE_ACK", "CLOSE_CONNECTION", "DELETE_ACCESSSPEC", "GET_ACCESSSPECS"):
            if name == "KEEPALIVE_ACK":
                return None
        elif name == "GET_SUPPORTED_VERSION":
            versions = {"CurrentVersion": request.version, "SupportedVersion": self._protocol_version}
            answer = message("GET_SUPPORTED_VERSION_RESPONSE", request.message_id, _status())
            answer.body.fields = versions
            return answer
        elif name == "SET_PROTOCOL_VERSION":
            if body["ProtocolVersion"] > self._protocol_version:
                raise _Refused(_status(110, "version not supported"))
        elif (
            name == "CUSTOM_MESSAGE"
            and self._is_impinj
            and body["MessageSubtype"] == impinj.ENABLE_EXTENSIONS
        ):
            self._extended = True
            answer = message("CUSTOM_MESSAGE", request.message_id)
            subtype, data = impinj.ENABLE_EXTENSIONS_RESPONSE, encode_parameter(_status())
            answer.body.fields = {"VendorIdentifier": impinj.VENDOR, "MessageSubtype": subtype, "Data": data}
            return answer
        else:
            raise _Refused(_status(109, f"{name} is not supported"))
        return message(f"{name}_RESPONSE", request.message_id, _status(), *content)

    def _capabilities(self) -> list[Element]:
        ports = range(1, max(self.antennas) + 1)
        general = element(
            "GeneralDeviceCapabilities",
            element("ReceiveSensitivityTableEntry", Index=1, ReceiveSensitivityValue=0),
            element("GPIOCapabilities", NumGPIs=0, NumGPOs=0),
            *[element("PerAntennaAirProtocol", AntennaID=port, ProtocolID=[1]) for port in ports],
            MaxNumberOfAntennaSupported=len(ports),
            CanSetAntennaProperties=0,
            HasUTCClockCapability=int(not self._uptime_only),
            DeviceManufacturerName=impinj.VENDOR if self._is_impinj else OTHER_VENDOR,
            ModelName=2001002,
            ReaderFirmwareVersion="5.14.0.240",
        )
        llrp = element(
            "LLRPCapabilities",
            CanDoRFSurvey=0,
            CanReportBufferFillWarning=1,
            SupportsClientRequestOpSpec=0,
            CanDoTagInventoryStateAwareSingulation=0,
            SupportsEventAndReportHolding=int(self._can_hold),
            MaxNumPriorityLevelsSupported=1,
            ClientRequestOpSpecTimeout=0,
            MaxNumROSpecs=1,
            MaxNumSpecsPerROSpec=32,
            MaxNumInventoryParameterSpecsPerAISpec=1,
            MaxNumAccessSpecs=0,
            MaxNumOpSpecsPerAccessSpec=0,
        )
        mode = element(
            "C1G2UHFRFModeTableEntry",
            ModeIdentifier=1002,
            DRValue=1,
            EPCHAGTCConformance=0,
            MValue=2,
            ForwardLinkModulation=0,
            SpectralMaskIndicator=2,
            BDRValue=40000,
            PIEValue=1500,
            MinTariValue=6250,
            MaxTariValue=6250,
            StepTariValue=0,
        )
        powers = [
            element("TransmitPowerLevelTableEntry", Index=i, TransmitPowerValue=p) for i, p in _POWERS.items()
        ]
        frequencies = element(
            "FrequencyInformation",
            element("FrequencyHopTable", HopTableID=1, Frequency=[902750 + 500 * i for i in range(50)]),
            Hopping=1,
        )
        band = element("UHFBandCapabilities", *powers, frequencies, element("C1G2UHFRFModeTable", mode))
        regulatory = element("RegulatoryCapabilities", band, CountryCode=840, CommunicationsStandard=1)
        return [general, llrp, regulatory]

    def _config(self, request: Element) -> list[Element]:
        if request["RequestedData"] not in (0, 2):
            return []
        wanted = request["AntennaID"]
        return [
            element(
                "AntennaProperties",
                AntennaConnected=int(port in self.antennas and port not in self._disconnected_antennas),
                AntennaID=port,
                AntennaGain=0,
            )
            for port in range(1, max(self.antennas) + 1)
            if wanted in (0, port)
        ]

    def _set_config(self, config: Element) -> None:
        for item in config.parameters:
            if item.name == "KeepaliveSpec":
                self._keepalive_s = (
                    item["PeriodicTriggerValue"] / 1000 if item["KeepaliveTriggerType"] else 0.0
                )
                self._next_keepalive = time.monotonic() + self._keepalive_s
            elif item.name == "EventsAndReports":
                if not self._can_hold and item["HoldEventsAndReportsUponReconnect"]:
                    raise _bad_field(226, 0, 301, "holding is not supported")
                self._hold = bool(item["HoldEventsAndReportsUponReconnect"])
            elif item.name == "Custom" and not self._extended:
                raise _Refused(_status(111, "custom parameter"))

    def _rospec_request(self, name: str, body: Element) -> list[Element]:
        with self._lock:
            if name == "GET_ROSPECS":
                return list(self._rospecs.values())
            if name == "ADD_ROSPEC":
                rospec = body.first("ROSpec")
                if rospec is None:
                    raise _Refused(_status(103, "ROSpec missing"))
                self._check_rospec(rospec)
                self._rospecs[rospec["ROSpecID"]] = rospec
                return []
            wanted = body["ROSpecID"]
            if name == "DELETE_ROSPEC":
                if wanted and wanted not in self._rospecs:
                    raise _Refused(
                        _status(101, "no such ROSpec", element("FieldError", FieldNum=0, ErrorCode=300))
                    )
                for number in [wanted] if wanted else list(self._rospecs):
                    del self._rospecs[number]
                return []
            chosen = [r for n, r in self._rospecs.items() if wanted in (0, n)]
            if not chosen:
                raise _Refused(
                    _status(101, "no such ROSpec", element("FieldError", FieldNum=0, ErrorCode=300))
                )
            for rospec in chosen:
                trigger = rospec.first("ROBoundarySpec", "ROSpecStartTrigger")
                starts = name == "ENABLE_ROSPEC" and trigger and trigger["ROSpecStartTriggerType"] == 1
                if name == "START_ROSPEC" and rospec["CurrentState"] == _DISABLED:
                    raise _Refused(_status(101, "the ROSpec is disabled"))
                rospec.fields["CurrentState"] = _ACTIVE if starts else _STATE_AFTER[name]
            return []

    def _check_rospec(self, rospec: Element) -> None:
        """What a real reader looks at before it takes a ROSpec."""
        if rospec["CurrentState"] != _DISABLED:
            raise _bad_field(177, 2, 300, "a ROSpec starts disabled")
        if rospec["ROSpecID"] == 0 or rospec["ROSpecID"] in self._rospecs:
            raise _bad_field(177, 0, 300, "ROSpecID in use")
        if self._rospecs:
            raise _Refused(_status(105, "one ROSpec only"))
        inventory = rospec.first("AISpec")
        if inventory is None:
            raise _Refused(_status(103, "AISpec missing"))
        if any(port > max(self.antennas) for port in inventory["AntennaIDs"]):
            raise _bad_field(183, 0, 301, "no such antenna")
        for spec in inventory.all("InventoryParameterSpec"):
            for antenna in spec.all("AntennaConfiguration"):
                transmitter = antenna.first("RFTransmitter")
                if transmitter and transmitter["TransmitPower"] not in _POWERS:
                    raise _bad_field(224, 2, 301, "no such power level")
                if transmitter and transmitter["HopTableID"] != 1:
                    raise _bad_field(224, 0, 301, "no such hop table")
                control = antenna.first("C1G2InventoryCommand", "C1G2RFControl")
                if control and control["ModeIndex"] != 1002:
                    raise _bad_field(335, 0, 301, "no such mode")
        if not self._extended and _has_custom(rospec):
            raise _Refused(_status(111, "custom parameter"))

    # --- the air --------------------------------------------------------------------------------------

    def _inventory_loop(self) -> None:
        world, device = self.scene.clock(), self._now()
        while not self._stop.wait(self._tick_s):
            world_before, device_before = world, device
            world, device = self.scene.clock(), self._now()
            rounds = min(_MAX_ROUNDS_A_TICK, max(1, round((world - world_before) / self._round_s)))
            if world - world_before < self._round_s * 0.5:
                world, device = world_before, device_before  # too early for a round
                rounds = 0
            rospec = self._active_rospec()
            if rospec is not None:
                reports: list[bytes] = []
                for i in range(1, rounds + 1):
                    moment = world_before + (world - world_before) * i / rounds
                    stamp = device_before + (device - device_before) * i / rounds
                    reports += self._round(rospec, moment, self._device_us(stamp))
                if reports:
                    self._report(reports)
            self._keepalive()

    def _active_rospec(self) -> Element | None:
        with self._lock:
            return next((r for r in self._rospecs.values() if r["CurrentState"] == _ACTIVE), None)

    def _round(self, rospec: Element, moment: float, device_us: int) -> list[bytes]:
        inventory, content = rospec.first("AISpec"), rospec.first("ROReportSpec")
        assert inventory is not None
        ports = inventory["AntennaIDs"]
        wanted = sorted(self.antennas) if 0 in ports else ports
        selector = content.first("TagReportContentSelector") if content else None
        flags = selector.fields if selector else {}
        vendor = bool(content and self._extended and any(content.all("Custom")))
        tags = self.scene.tags(moment)
        heard: list[Heard] = []
        for port in wanted:
            if port in self.antennas and port not in self._disconnected_antennas:
                heard += self.radio.inventory(self.antennas[port], tags)
        return [self._tag_report(read, device_us, flags, vendor) for read in heard]

    def _tag_report(self, read: Heard, device_us: int, flags: dict[str, int], vendor: bool) -> bytes:
        epc = bytes.fromhex(read.epc)
        parts = [
            b"\x8d" + epc if len(epc) == 12 else struct.pack(">HHH", 241, 6 + len(epc), len(epc) * 8) + epc
        ]
        if flags.get("EnableAntennaID"):
            parts.append(struct.pack(">BH", 0x81, read.port))
        if flags.get("EnablePeakRSSI"):
            parts.append(struct.pack(">Bb", 0x86, max(-128, min(127, round(read.rssi_cdbm / 100)))))
        if flags.get("EnableChannelIndex"):
            parts.append(struct.pack(">BH", 0x87, device_us // 200_000 % 50 + 1))
        first, last = (0x83, 0x85) if self._uptime_only else (0x82, 0x84)
        if flags.get("EnableFirstSeenTimestamp"):
            parts.append(struct.pack(">BQ", first, device_us))
        if flags.get("EnableLastSeenTimestamp"):
            parts.append(struct.pack(">BQ", last, device_us))
        if flags.get("EnableTagSeenCount"):
            parts.append(struct.pack(">BH", 0x88, 1))
        if vendor:
            parts.append(struct.pack(">HHIIH", 1023, 14, impinj.VENDOR, impinj.PHASE, read.phase))
            parts.append(struct.pack(">HHIIh", 1023, 14, impinj.VENDOR, impinj.PEAK_RSSI, read.rssi_cdbm))
        body = b"".join(parts)
        return struct.pack(">HH", 240, 4 + len(body)) + body

    def _report(self, reports: list[bytes]) -> None:
        self.reads_made += len(reports)
        with self._lock:
            client = self._client
            if self._frozen.is_set() or client is None or self._holding:
                if self._hold:
                    self._overflowed |= len(self._buffer) + len(reports) > _MAX_BUFFERED
                    self._buffer.extend(reports)
                return
        self._send_reports(client, reports)

    def _flush(self) -> None:
        with self._lock:
            reports, client = list(self._buffer), self._client
            self._buffer.clear()
            events, self._held_events = self._held_events, []
        if client:
            for event in events:
                self._send(client, event)
        if client and reports:
            self._send_reports(client, reports)
        if client and self._overflowed:
            self._overflowed = False
            self._event(element("ReportBufferOverflowErrorEvent"))

    def _send_reports(self, client: socket.socket, reports: Iterable[bytes]) -> None:
        body = b"".join(reports)
        self._send_bytes(client, struct.pack(">HII", 0x400 | 61, 10 + len(body), self._take_id()) + body)

    def _keepalive(self) -> None:
        client = self._client
        if (
            client
            and self._keepalive_s
            and not self._frozen.is_set()
            and time.monotonic() >= self._next_keepalive
        ):
            self._next_keepalive = time.monotonic() + self._keepalive_s
            self._send(client, message("KEEPALIVE", self._take_id()))

    # --- bytes and clock ------------------------------------------------------------------------------

    def _event(self, *events: Element) -> None:
        data = element("ReaderEventNotificationData", self._timestamp(), *events)
        notification = message("READER_EVENT_NOTIFICATION", self._take_id(), data)
        with self._lock:
            client = self._client
            if client and self._holding:
                self._held_events.append(notification)
                return
        if client:
            self._send(client, notification)

    def _device_us(self, moment: datetime) -> int:
        if self._uptime_only:
            return (moment - self._powered_on) // timedelta(microseconds=1)
        return (moment + timedelta(seconds=self.clock_offset_s) - EPOCH) // timedelta(microseconds=1)

    def _timestamp(self) -> Element:
        kind = "Uptime" if self._uptime_only else "UTCTimestamp"
        return element(kind, Microseconds=self._device_us(self._now()))

    def _take_id(self) -> int:
        with self._lock:
            self._id = self._id % 0x7FFFFFFF + 1
            return self._id

    def _send(self, client: socket.socket, answer: Message) -> None:
        self._send_bytes(client, encode(answer))

    def _send_bytes(self, client: socket.socket, data: bytes) -> None:
        if self._frozen.is_set():
            return
        with self._send_lock, contextlib.suppress(OSError):
            client.sendall(data)


_STATE_AFTER = {
    "ENABLE_ROSPEC": _INACTIVE,
    "DISABLE_ROSPEC": _DISABLED,
    "START_ROSPEC": _ACTIVE,
    "STOP_ROSPEC": _INACTIVE,
}

_RESPONSES = frozenset(
    f"{name}_RESPONSE"
    for name in (
        "GET_READER_CAPABILITIES",
        "GET_READER_CONFIG",
        "SET_READER_CONFIG",
        "ADD_ROSPEC",
        "DELETE_ROSPEC",
        "ENABLE_ROSPEC",
        "DISABLE_ROSPEC",
        "START_ROSPEC",
        "STOP_ROSPEC",
        "GET_ROSPECS",
        "CLOSE_CONNECTION",
        "SET_PROTOCOL_VERSION",
    )
)


def _has_custom(item: Element) -> bool:
    return any(p.name == "Custom" or _has_custom(p) for p in item.parameters)
