"""LLRP reader driver: connects, fits its inventory to what the reader can do, and reads tags until the link dies.

Life cycle (LLRP 1.1 chapter 6): ConnectionAttemptEvent, capabilities, configuration with keepalives and
held reports, one ROSpec that starts at once; the first `read` releases what the reader held. Reports may arrive in
any state and are never dropped. A link without a sign of life for 2 keepalives is DeviceLost; what a reader
refuses is DeviceRefused with its reason in words. Not here: retrying (`driver.keep_reading`), smoothing and
direction (the edge agent).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections import deque
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from msgspec import Struct, field

from device_drivers.driver import Clock, DeviceBusy, DeviceLost, DeviceRefused, Driver, Options, utc_now
from device_drivers.llrp import impinj
from device_drivers.llrp.codec import (
    Element,
    FrameError,
    Framer,
    Message,
    decode,
    decode_parameters,
    element,
    encode,
    message,
)
from device_drivers.llrp.reports import EPOCH, tag_reads
from device_drivers.llrp.status import CONNECTION_ATTEMPT, SUCCESS, explain
from device_drivers.readings import DeviceInfo, Reading, RejectedFrame

RO_ACCESS_REPORT = 61
ROSPEC_ID = 1
MISSED_KEEPALIVES = 2

_EVENTS_WANTED = (4, 8)
"""Reader exceptions and antennas coming and going (LLRP 1.1 section 13.2.5.1)."""


class LlrpOptions(Options, frozen=True, kw_only=True):
    """What can be set for one reader. None leaves a choice to the reader."""

    host: str
    port: int = 5084
    """5085 is usual with TLS."""
    tls: Literal["off", "verify", "insecure"] = "off"
    """`insecure` takes self-signed certificates and the old suites of this one reader; never set it for
    all."""
    antennas: tuple[int, ...] = ()
    """Empty: all that the reader has."""
    transmit_power_cdbm: int | None = None
    """Hundredths of a dBm at the connector; the reader's next lower level is taken."""
    receive_sensitivity_index: int | None = None
    rf_mode: int | None = None
    """ModeIdentifier of the reader's table."""
    session: Literal[0, 1, 2, 3] = 1
    tag_population: int = 32
    search_mode: Literal["reader_selected", "single_target", "dual_target", "tag_focus"] | None = None
    """Impinj readers only."""
    report_every: int = 1
    """Tags a report; 1 is quickest, more is lighter on a busy reader."""
    keepalive_s: float = 10
    hold_reports: bool = True
    """The reader keeps reads while nobody is connected, where it can."""
    connect_timeout_s: float = 5
    reply_timeout_s: float = 10
    protocol_version: Literal["1.0.1", "1.1"] = "1.0.1"
    """1.1 is asked for, a reader that does not know it stays at 1.0.1."""


class Capabilities(Struct, frozen=True):
    """What the reader says it can do, as far as we fit to it."""

    antennas: int
    vendor: int
    model: int
    firmware: str
    holds_reports: bool
    powers: dict[int, int] = field(default_factory=dict)
    """Index -> hundredths of a dBm."""
    sensitivities: frozenset[int] = frozenset()
    hop_table: int = 0
    channel: int = 0
    rf_modes: frozenset[int] = frozenset()

    @classmethod
    def of(cls, body: Element) -> Capabilities:
        general, llrp = body.first("GeneralDeviceCapabilities"), body.first("LLRPCapabilities")
        if general is None or llrp is None:
            raise DeviceRefused("the reader does not tell its capabilities: it is not an LLRP 1.0.1 reader")
        band = body.first("RegulatoryCapabilities", "UHFBandCapabilities") or element("None")
        frequencies = band.first("FrequencyInformation") or element("None", Hopping=0)
        hop_table = frequencies.first("FrequencyHopTable")
        modes = band.first("C1G2UHFRFModeTable") or element("None")
        return cls(
            antennas=general["MaxNumberOfAntennaSupported"],
            vendor=general["DeviceManufacturerName"],
            model=general["ModelName"],
            firmware=general["ReaderFirmwareVersion"],
            holds_reports=bool(llrp["SupportsEventAndReportHolding"]),
            powers={e["Index"]: e["TransmitPowerValue"] for e in band.all("TransmitPowerLevelTableEntry")},
            sensitivities=frozenset(e["Index"] for e in general.all("ReceiveSensitivityTableEntry")),
            hop_table=hop_table["HopTableID"] if frequencies["Hopping"] and hop_table else 0,
            channel=0 if frequencies["Hopping"] else 1,
            rf_modes=frozenset(e["ModeIdentifier"] for e in modes.all("C1G2UHFRFModeTableEntry")),
        )


class LlrpReader(Driver[LlrpOptions]):
    """One reader over TCP. Use through `create_driver("llrp", ...)` and `keep_reading`."""

    kind: ClassVar[str] = "llrp_reader"
    options_type: ClassVar[type[Options]] = LlrpOptions

    def __init__(self, device: str, options: LlrpOptions, now: Clock = utc_now) -> None:
        super().__init__(device, options, now)
        self._socket: socket.socket | None = None
        self._ready: list[Reading] = []
        """Readings not handed out yet; they outlive a broken link."""
        self._lost: DeviceLost | None = None
        self._is_released = True

    def open(self) -> DeviceInfo:
        self.close()
        self._framer = Framer()
        self._frames: deque[bytes] = deque()
        self._lost = None
        self._next_id = 1
        self._version = 1
        self._clock_offset = timedelta()
        self._boot = self.now()
        self._socket = self._connect()
        try:
            self._last_sign_of_life = time.monotonic()
            self._await_connection_event()
            return self._configure()
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> list[Reading]:
        if self._lost or self._socket is None:
            raise self._lost or DeviceLost(f"{self.device}: not connected")
        deadline = time.monotonic() + timeout_s
        try:
            self._release()
            while not self._ready and (frame := self._next_frame(deadline)) is not None:
                self._handle(frame)
            while self._frames:  # what is already here belongs to this call
                self._handle(self._frames.popleft())
        except DeviceLost as e:
            if not self._ready:
                raise
            self._lost = e  # first hand out what came before the loss
        readings, self._ready = self._ready, []
        return readings

    def close(self) -> None:
        link, self._socket = self._socket, None
        if link is None:
            return
        with contextlib.suppress(OSError):
            link.settimeout(0.3)
            link.sendall(encode(message("CLOSE_CONNECTION", self._take_id(), version=self._version)))
            while link.recv(1 << 18):  # the reader answers and hangs up
                pass
        link.close()

    def _release(self) -> None:
        """Have the reader give what it held. It forgets what it has sent, so it is asked only by the caller who
        takes it at once: until then the reads are safer with the reader than with us."""
        if not self._is_released:
            self._is_released = True
            self._send(message("ENABLE_EVENTS_AND_REPORTS", self._take_id(), version=self._version))

    # --- connecting -------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        options = self.options
        try:
            link = socket.create_connection((options.host, options.port), options.connect_timeout_s)
        except OSError as e:
            raise DeviceLost(f"{self.device}: no reader at {options.host}:{options.port} ({e})") from e
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if options.tls == "off":
            return link
        context = ssl.create_default_context()
        if options.tls == "insecure":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ALL:@SECLEVEL=0")
        try:
            return context.wrap_socket(link, server_hostname=options.host)
        except OSError as e:
            link.close()
            raise DeviceLost(f"{self.device}: TLS with {options.host}:{options.port} failed ({e})") from e

    def _await_connection_event(self) -> None:
        """The first thing a reader says: whether we may talk, and what its clock shows."""
        deadline = time.monotonic() + self.options.connect_timeout_s
        while (frame := self._next_frame(deadline)) is not None:
            try:
                event = decode(frame)
            except FrameError as e:
                raise DeviceLost(f"{self.device}: {self.options.host} does not speak LLRP: {e}") from e
            data = event.body.first("ReaderEventNotificationData")
            attempt = data.first("ConnectionAttemptEvent") if data else None
            if event.name == "READER_EVENT_NOTIFICATION" and data and attempt:
                if attempt["Status"] != SUCCESS:
                    words = CONNECTION_ATTEMPT.get(attempt["Status"], f"status {attempt['Status']}")
                    raise DeviceBusy(f"{self.device}: {words}")
                self._learn_clock(data)
                return
            self._handle(frame)
        raise DeviceLost(f"{self.device}: {self.options.host} took the connection but does not speak LLRP")

    def _learn_clock(self, event: Element) -> None:
        """One offset a connection: reader clocks may stand in the year 2000, or only count since power-on."""
        utc, uptime, now = event.first("UTCTimestamp"), event.first("Uptime"), self.now()
        try:
            if utc:
                self._clock_offset = EPOCH + timedelta(microseconds=utc["Microseconds"]) - now
            elif uptime:
                self._boot = now - timedelta(microseconds=uptime["Microseconds"])
        except OverflowError as e:
            raise DeviceRefused(f"{self.device}: the reader's clock shows no possible time; set it") from e

    def _configure(self) -> DeviceInfo:
        if self.options.protocol_version == "1.1":
            self._negotiate_version()
        capabilities = Capabilities.of(self._request("GET_READER_CAPABILITIES", RequestedData=0))
        vendor_extensions = capabilities.vendor == impinj.VENDOR and self._enable_impinj()
        properties = self._request("GET_READER_CONFIG", **_ANTENNA_PROPERTIES).all("AntennaProperties")
        self._request("SET_READER_CONFIG", *self._reader_config(capabilities), ResetToFactoryDefault=0)
        self._request("DELETE_ROSPEC", ROSpecID=0)
        self._request("ADD_ROSPEC", self._rospec(capabilities, vendor_extensions))
        self._request("ENABLE_ROSPEC", ROSpecID=ROSPEC_ID)
        self._is_released = False
        return DeviceInfo(
            "online",
            self.now(),
            model=f"{capabilities.vendor}/{capabilities.model}",
            firmware=capabilities.firmware,
            clock_offset_s=round(self._clock_offset.total_seconds(), 6),
            antennas={p["AntennaID"]: _antenna_state(p["AntennaConnected"]) for p in properties},
        )

    def _negotiate_version(self) -> None:
        """Asked with version 2 in the header; a 1.0.1 reader answers ERROR_MESSAGE and we stay at 1."""
        self._version = 2
        try:
            answer = self._request("GET_SUPPORTED_VERSION")
            if answer["SupportedVersion"] >= 2:
                self._request("SET_PROTOCOL_VERSION", ProtocolVersion=2)
                return
        except DeviceRefused:
            pass
        self._version = 1

    def _enable_impinj(self) -> bool:
        request = impinj.enable_extensions(self._take_id())
        answer = self._exchange(request)
        fields = answer.body.fields
        if answer.name != "CUSTOM_MESSAGE" or fields["MessageSubtype"] != impinj.ENABLE_EXTENSIONS_RESPONSE:
            return False
        status = next((p for p in decode_parameters(fields["Data"]) if p.name == "LLRPStatus"), None)
        return status is not None and status["StatusCode"] == SUCCESS

    def _reader_config(self, capabilities: Capabilities) -> list[Element]:
        events = [
            element("EventNotificationState", EventType=kind, NotificationState=1) for kind in _EVENTS_WANTED
        ]
        period_ms = int(self.options.keepalive_s * 1000)
        config = [
            element("ReaderEventNotificationSpec", *events),
            element("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=period_ms),
        ]
        if capabilities.holds_reports:
            hold = int(self.options.hold_reports)
            config.append(element("EventsAndReports", HoldEventsAndReportsUponReconnect=hold))
        return config

    def _rospec(self, capabilities: Capabilities, vendor_extensions: bool) -> Element:
        """An inventory on all wanted antennas, started at once and never ended (LLRP 1.1 chapter 11)."""
        antennas = list(self.options.antennas or range(1, capabilities.antennas + 1))
        missing = [antenna for antenna in antennas if not 1 <= antenna <= capabilities.antennas]
        if missing:
            raise DeviceRefused(
                f"{self.device}: the reader has {capabilities.antennas} antennas, not {missing}"
            )
        boundary = element(
            "ROBoundarySpec",
            element("ROSpecStartTrigger", ROSpecStartTriggerType=1),
            element("ROSpecStopTrigger", ROSpecStopTriggerType=0, DurationTriggerValue=0),
        )
        inventory = element(
            "AISpec",
            element("AISpecStopTrigger", AISpecStopTriggerType=0, DurationTrigger=0),
            element(
                "InventoryParameterSpec",
                *[self._antenna_configuration(n, capabilities, vendor_extensions) for n in antennas],
                InventoryParameterSpecID=1,
                ProtocolID=1,
            ),
            AntennaIDs=antennas,
        )
        selector = element("TagReportContentSelector", **_REPORT_CONTENT)
        vendor = [impinj.content_selector()] if vendor_extensions else []
        report = element("ROReportSpec", selector, *vendor, ROReportTrigger=1, N=self.options.report_every)
        return element("ROSpec", boundary, inventory, report, ROSpecID=ROSPEC_ID, Priority=0, CurrentState=0)

    def _antenna_configuration(self, antenna: int, can: Capabilities, vendor_extensions: bool) -> Element:
        """Only what was asked for, in the order of the binary encoding."""
        options, parts, inventory = self.options, [], []
        if options.receive_sensitivity_index is not None:
            if options.receive_sensitivity_index not in can.sensitivities:
                raise DeviceRefused(
                    f"{self.device}: no receive sensitivity {options.receive_sensitivity_index}; "
                    f"the reader has {sorted(can.sensitivities)}"
                )
            parts.append(element("RFReceiver", ReceiverSensitivity=options.receive_sensitivity_index))
        if options.transmit_power_cdbm is not None:
            power = _power_index(can.powers, options.transmit_power_cdbm, self.device)
            parts.append(
                element(
                    "RFTransmitter", HopTableID=can.hop_table, ChannelIndex=can.channel, TransmitPower=power
                )
            )
        if options.rf_mode is not None:
            if options.rf_mode not in can.rf_modes:
                raise DeviceRefused(
                    f"{self.device}: no RF mode {options.rf_mode}; the reader has {sorted(can.rf_modes)}"
                )
            inventory.append(element("C1G2RFControl", ModeIndex=options.rf_mode, Tari=0))
        inventory.append(
            element(
                "C1G2SingulationControl",
                Session=options.session,
                TagPopulation=options.tag_population,
                TagTransitTime=0,
            )
        )
        if options.search_mode and vendor_extensions:
            inventory.append(impinj.search_mode(options.search_mode))
        parts.append(element("C1G2InventoryCommand", *inventory, TagInventoryStateAware=0))
        return element("AntennaConfiguration", *parts, AntennaID=antenna)

    # --- talking ----------------------------------------------------------------------------------

    def _take_id(self) -> int:
        self._next_id = self._next_id % 0x7FFFFFFF + 1
        return self._next_id

    def _send(self, request: Message) -> None:
        if self._socket is None:
            raise DeviceLost(f"{self.device}: not connected")
        try:
            self._socket.settimeout(self.options.reply_timeout_s)
            self._socket.sendall(encode(request))
        except OSError as e:
            raise DeviceLost(f"{self.device}: the link to {self.options.host} broke ({e})") from e

    def _request(self, name: str, *parameters: Element, **fields: object) -> Element:
        """Sends and waits for the reply with the same id. Raises DeviceRefused with the reader's reason."""
        answer = self._exchange(message(name, self._take_id(), *parameters, version=self._version, **fields))
        status = answer.body.first("LLRPStatus")
        if status is None:
            raise DeviceRefused(f"{self.device}: {name} was answered by {answer.name} without a status")
        if status["StatusCode"] != SUCCESS:
            raise DeviceRefused(f"{self.device} refused {name}: {explain(status, name)}")
        return answer.body

    def _exchange(self, request: Message) -> Message:
        self._send(request)
        deadline = time.monotonic() + self.options.reply_timeout_s
        while (frame := self._next_frame(deadline)) is not None:
            if struct.unpack_from(">I", frame, 6)[0] == request.message_id and frame[1] != RO_ACCESS_REPORT:
                try:
                    return decode(frame)
                except FrameError as e:
                    raise DeviceRefused(f"{self.device}: unreadable answer to {request.name}: {e}") from e
            self._handle(frame)
        raise DeviceLost(f"{self.device}: no answer to {request.name} in {self.options.reply_timeout_s:g} s")

    def _next_frame(self, deadline: float) -> bytes | None:
        """The next frame until `deadline`, None when there is none. Raises DeviceLost."""
        while not self._frames:
            assert self._socket is not None
            now = time.monotonic()
            dead_at = self._last_sign_of_life + self.options.keepalive_s * (MISSED_KEEPALIVES + 0.5)
            try:
                self._socket.settimeout(max(min(deadline, dead_at) - now, 0.001))
                data = self._socket.recv(1 << 18)
            except TimeoutError:  # only an empty line is silence; we may have been away ourselves
                if time.monotonic() >= dead_at:
                    silence = time.monotonic() - self._last_sign_of_life
                    self._reject_pending("the reader fell silent inside a frame")
                    raise DeviceLost(
                        f"{self.device}: no keepalive for {silence:.0f} s, the link is dead"
                    ) from None
                if time.monotonic() >= deadline:
                    return None
                continue
            except OSError as e:
                raise DeviceLost(f"{self.device}: the link to {self.options.host} broke ({e})") from e
            if not data:
                self._reject_pending("the link closed inside a frame")
                raise DeviceLost(f"{self.device}: the reader closed the connection")
            self._last_sign_of_life = time.monotonic()
            try:
                self._frames.extend(self._framer.feed(data))
            except FrameError as e:
                self._ready.append(RejectedFrame(str(e), e.frame, self.now()))
                self._framer = Framer()
                raise DeviceLost(f"{self.device}: the byte stream lost its frames: {e}") from e
        return self._frames.popleft()

    def _reject_pending(self, reason: str) -> None:
        if self._framer.pending:
            self._ready.append(RejectedFrame(reason, self._framer.pending[:4096], self.now()))

    # --- what the reader says of itself -----------------------------------------------------------

    def _handle(self, frame: bytes) -> None:
        """One frame that nobody waits for: reports, keepalives, events."""
        try:
            if int.from_bytes(frame[:2]) & 0x3FF == RO_ACCESS_REPORT:
                for read in tag_reads(frame, self._correct_utc, self._correct_uptime, self.now()):
                    if len(read.epc) >= 4:
                        self._ready.append(read)
                    else:
                        reason = f"a tag with an EPC of {len(read.epc) * 4} bits"
                        self._ready.append(RejectedFrame(reason, bytes.fromhex(read.epc), read.seen_at))
                return
            event = decode(frame)
        except FrameError as e:
            self._ready.append(RejectedFrame(str(e), frame, self.now()))
            return
        if event.name == "KEEPALIVE":
            self._send(message("KEEPALIVE_ACK", event.message_id, version=self._version))
        elif event.name == "READER_EVENT_NOTIFICATION":
            self._handle_event(event.body.first("ReaderEventNotificationData") or element("None"))
        elif event.name == "ERROR_MESSAGE":
            status = event.body.first("LLRPStatus")
            reason = explain(status, "ERROR_MESSAGE") if status else "without a reason"
            self._ready.append(DeviceInfo("fault", self.now(), f"the reader reports an error: {reason}"))

    def _handle_event(self, event: Element) -> None:
        for item in event.parameters:
            if item.name == "AntennaEvent":
                antennas = {item["AntennaID"]: _antenna_state(item["EventType"])}
                detail = f"antenna {item['AntennaID']} {antennas[item['AntennaID']]}"
                self._ready.append(DeviceInfo("online", self.now(), detail, antennas=antennas))
            elif item.name == "ReaderExceptionEvent":
                self._ready.append(DeviceInfo("fault", self.now(), f"the reader reports: {item['Message']}"))
            elif item.name == "ReportBufferOverflowErrorEvent":
                detail = "the reader's buffer ran over while nobody was connected: reads are lost"
                self._ready.append(DeviceInfo("fault", self.now(), detail))
            elif item.name == "ReportBufferLevelWarningEvent":
                detail = f"the reader's buffer is {item['ReportBufferPercentageFull']} % full"
                self._ready.append(DeviceInfo("online", self.now(), detail))
            elif item.name == "ConnectionCloseEvent":
                raise DeviceLost(f"{self.device}: the reader ended the connection")
            elif item.name == "ConnectionAttemptEvent" and item["Status"] != SUCCESS:
                words = CONNECTION_ATTEMPT.get(item["Status"], f"status {item['Status']}")
                self._ready.append(DeviceInfo("online", self.now(), words))

    def _correct_utc(self, microseconds: int) -> datetime:
        return EPOCH + timedelta(microseconds=microseconds) - self._clock_offset

    def _correct_uptime(self, microseconds: int) -> datetime:
        return self._boot + timedelta(microseconds=microseconds)


_ANTENNA_PROPERTIES = {"AntennaID": 0, "RequestedData": 2, "GPIPortNum": 0, "GPOPortNum": 0}

_REPORT_CONTENT = {
    "EnableROSpecID": 0,
    "EnableSpecIndex": 0,
    "EnableInventoryParameterSpecID": 0,
    "EnableAntennaID": 1,
    "EnableChannelIndex": 1,
    "EnablePeakRSSI": 1,
    "EnableFirstSeenTimestamp": 1,
    "EnableLastSeenTimestamp": 1,
    "EnableTagSeenCount": 1,
    "EnableAccessSpecID": 0,
}


def _antenna_state(connected: int) -> Literal["connected", "disconnected"]:
    return "connected" if connected else "disconnected"


def _power_index(powers: dict[int, int], wanted_cdbm: int, device: str) -> int:
    """Transmit power on the wire is an index into the reader's own table."""
    fitting = [(power, index) for index, power in powers.items() if power <= wanted_cdbm]
    if not fitting:
        lowest = min(powers.values(), default=0)
        raise DeviceRefused(
            f"{device}: cannot transmit at {wanted_cdbm / 100:g} dBm, at least {lowest / 100:g} dBm"
        )
    return max(fitting)[1]
