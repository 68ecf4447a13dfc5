"""Spool to broker: publishes what is pending, releases what the backend has committed.

Promises: nothing leaves the spool on the broker's word, only on the backend's `ack`; what is not acknowledged
is sent again, from the lowest number, on a timer and after every reconnect (no broker session is trusted).
The retained `status` is renewed every few seconds, and the last will says offline. Retained, expired or
unreadable commands are ignored. Runs in one thread of its own: `Uplink(...).run(stop)`.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import structlog

from edge import messages
from edge.broker import Broker
from edge.messages import Ack, AgentStatus, Command
from edge.spool import Position, Spool, SpoolRefused

log = structlog.get_logger("edge.uplink")

BATCH_BYTES = messages.MAX_MESSAGE_BYTES - 1024
BATCH_EVENTS = 250
"""A message is the least that the backend can commit, and it must be able to do that on a bad day."""


class BrokerUnreachable(Exception):
    """The broker cannot be reached or refuses us; the message says why. The agent tries again by itself."""


@dataclass(frozen=True, kw_only=True)
class UplinkSettings:
    window: int = 16
    """Messages sent and not yet committed."""
    resend_s: float = 5.0
    """Without any progress for so long, everything unacknowledged goes out again; doubles up to the next."""
    resend_max_s: float = 60.0
    status_every_s: float = 3.0
    back_off_s: float = 0.5
    back_off_max_s: float = 30.0
    keepalive_s: int = 15


class Uplink:
    """`status` is asked for the agent's state; `on_command` gets each valid command and must not block."""

    def __init__(
        self,
        site: str,
        agent: str,
        broker: Broker,
        spool: Spool,
        *,
        status: Callable[[], AgentStatus],
        on_command: Callable[[Command], None],
        settings: UplinkSettings | None = None,
    ) -> None:
        self.site = site
        self.agent = agent
        self.broker = broker
        self._spool = spool
        self._status = status
        self._on_command = on_command
        self._settings = settings or UplinkSettings()
        self._changed = threading.Condition()
        self._acks: deque[Ack] = deque()
        self._ready = False  # connected and subscribed
        self._was_ready = False
        self._lost: str | None = None  # why the connection ended
        self._news = False
        self._status_due = False
        self._in_flight: deque[tuple[str, Position]] = deque()

    def wake(self) -> None:
        """There is something new in the spool."""
        with self._changed:
            self._news = True
            self._changed.notify()

    def report_status(self) -> None:
        """Publish the status now instead of at its next turn."""
        with self._changed:
            self._status_due = True
            self._changed.notify()

    @property
    def connected(self) -> bool:
        return self._ready

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Raises SpoolDamaged only; a broker that is away is waited for."""
        failures = 0
        while not stop.is_set():
            try:
                self._session(stop)
                failures = 0
            except (BrokerUnreachable, SpoolRefused) as e:
                if failures == 0 or failures % 20 == 0:
                    log.warning(
                        "broker_unreachable", broker=str(self.broker), why=str(e), spool=self._spool.depth
                    )
                failures = 1 if self._was_ready else failures + 1
                longest = min(
                    self._settings.back_off_max_s, self._settings.back_off_s * 2.0 ** min(failures - 1, 10)
                )
                stop.wait(random.uniform(longest / 2, longest))

    # --- one connection -------------------------------------------------------------------------------

    def _session(self, stop: threading.Event) -> None:
        self._ready, self._was_ready, self._lost = False, False, None
        self._acks.clear()
        self._in_flight.clear()
        try:
            client = self._client()
        except OSError as e:
            raise BrokerUnreachable(f"{self.broker}: {self.broker.ca_file}: {e}") from e
        try:
            try:
                client.connect(self.broker.host, self.broker.port, self._settings.keepalive_s)
            except (OSError, ValueError) as e:
                raise BrokerUnreachable(f"{self.broker}: {e}") from e
            client.loop_start()
            self._wait_until_ready(stop)
            if self._ready:
                log.info("broker_connected", broker=str(self.broker), spool=self._spool.depth)
                self._pump(client, stop)
            if stop.is_set() and self._ready:
                said = client.publish(
                    messages.topic(self.site, self.agent, "status"),
                    messages.encode(msgspec.structs.replace(self._status(), state="offline")),
                    qos=1,
                    retain=True,
                )
                said.wait_for_publish(2.0)
        finally:
            self._ready = False
            client.disconnect()
            client.loop_stop()

    def _client(self) -> mqtt.Client:
        client = self.broker.client(f"stowage-{self.site}-{self.agent}", reconnect_on_failure=False)
        will = AgentStatus(v=messages.VERSION, state="offline", at=datetime.now(UTC))
        client.will_set(
            messages.topic(self.site, self.agent, "status"), messages.encode(will), qos=1, retain=True
        )
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        client.on_disconnect = self._disconnected
        return client

    def _wait_until_ready(self, stop: threading.Event) -> None:
        until = time.monotonic() + 10.0
        with self._changed:
            while not self._ready and self._lost is None and not stop.is_set():
                if (
                    not self._changed.wait(min(0.2, max(0.0, until - time.monotonic())))
                    and time.monotonic() > until
                ):
                    raise BrokerUnreachable(f"{self.broker} accepts connections but does not answer")
            if self._lost is not None:
                raise BrokerUnreachable(self._lost)
            self._was_ready = self._ready

    def _pump(self, client: mqtt.Client, stop: threading.Event) -> None:
        """Send, take acks, send again; until the connection ends."""
        s = self._settings
        sent: Position | None = None
        resend_after = s.resend_s
        progress_at = time.monotonic()
        status_at = 0.0
        while not stop.is_set():
            now = time.monotonic()
            with self._changed:
                if self._lost is not None:
                    raise BrokerUnreachable(self._lost)
                acks = list(self._acks)
                self._acks.clear()
                self._news = False
                if self._status_due:
                    status_at, self._status_due = 0.0, False
            if self._take(acks):
                progress_at, resend_after = now, s.resend_s
            if self._in_flight and now - progress_at >= resend_after:
                log.info("resending", unacknowledged=len(self._in_flight), spool=self._spool.depth)
                self._in_flight.clear()
                sent = None
                progress_at, resend_after = now, min(s.resend_max_s, resend_after * 2)
            if not self._in_flight:
                progress_at = now
            while len(self._in_flight) < s.window:
                batch = self._spool.pending(sent, BATCH_BYTES, BATCH_EVENTS)
                if batch is None:
                    break
                client.publish(
                    messages.topic(self.site, self.agent, "events"),
                    batch.message(self.site, self.agent),
                    qos=1,
                )
                sent = batch.last
                self._in_flight.append((batch.epoch, batch.last))
            if now - status_at >= s.status_every_s:
                status_at = now
                client.publish(
                    messages.topic(self.site, self.agent, "status"),
                    messages.encode(self._status()),
                    qos=1,
                    retain=True,
                )
            with self._changed:
                if not (self._acks or self._news or self._lost or self._status_due or stop.is_set()):
                    self._changed.wait(min(0.5, s.status_every_s))

    def _take(self, acks: list[Ack]) -> bool:
        """Release what is committed; True where something was."""
        progress = False
        for ack in acks:
            try:
                progress |= self._spool.release(ack.epoch, ack.seq) > 0
            except SpoolRefused as e:  # a full disk can refuse even this; the next ack comes
                log.warning("release_failed", why=str(e))
            self._in_flight = deque(
                (epoch, last) for epoch, last in self._in_flight if epoch != ack.epoch or last.seq > ack.seq
            )
        return progress

    # --- paho's thread --------------------------------------------------------------------------------

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._ended(
                f"{self.broker} refuses user {self.broker.username!r}: {code}. Enrol this agent again."
            )
            return
        client.subscribe([(messages.topic(self.site, self.agent, c), 1) for c in ("ack", "commands")])

    def _subscribed(self, _client: mqtt.Client, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._ended(f"{self.broker} does not let {self.site}/{self.agent} read its own ack topic")
            return
        with self._changed:
            self._ready = True
            self._changed.notify()

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        self._ended(f"{self.broker} closed the connection: {code}")

    def _ended(self, why: str) -> None:
        with self._changed:
            if self._lost is None:
                self._lost = why
            self._changed.notify()

    def _received(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            if message.topic == messages.topic(self.site, self.agent, "ack"):
                ack = messages.decode(Ack, bytes(message.payload))
                with self._changed:
                    self._acks.append(ack)
                    self._changed.notify()
                return
            if message.topic != messages.topic(self.site, self.agent, "commands"):
                return  # amqtt can deliver what another session had subscribed
            if message.retain:
                log.warning("retained_command_ignored", topic=message.topic)
                return
            command = messages.decode(Command, bytes(message.payload))
            if command.expires_at < datetime.now(UTC):
                log.warning("expired_command_ignored", command=command.command, id=command.id)
                return
            self._on_command(command)
        except messages.UnreadableMessage as e:
            log.warning("unreadable_message", topic=message.topic, why=str(e))
