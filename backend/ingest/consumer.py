"""From the broker to `commit_batch`, and the commit ack back.

Promises: nothing is acknowledged, to the broker or to an agent, that is not committed; broker and database may
go at any time and are waited for; what was in memory then, the agents send again. One consumer by default: a
second one does no harm (receipts are locked), but brokers differ in how they share subscriptions.
"""

from __future__ import annotations

import queue
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import structlog

from backend.db import Conn, DatabaseUnreachable, connect
from backend.ingest.commit import Outcome, Publish, commit_batch
from edge.broker import Broker
from edge.messages import VERSION

log = structlog.get_logger("backend.ingest")

MOST_MESSAGES, MOST_BYTES = 100, 8 * 1024 * 1024
"""A batch ends at either."""
FIRST_BYTES = 128 * 1024
"""The first batch is small: how fast this database is, is only known afterwards."""
QUICK_S, SLOW_S = 0.3, 1.0
"""The next batch may be twice as large after a quick one, half as large after a slow one. A transaction that takes
longer than our life between two accidents would never end, and agents send again what is not acknowledged in time."""
HOLD_S = 15.0
"""So long a database may be away while messages wait in memory; then we leave the broker until it is back."""
TOPICS = [(f"stowage/v{VERSION}/+/+/{channel}", 1) for channel in ("events", "status", "ingress")]


def run(database_url: str, mqtt_url: str, stop: threading.Event) -> None:
    """Until `stop`. Waits for a broker or database that is away; raises ValueError for a wrong `mqtt_url`."""
    consumer = Consumer(mqtt_url)
    failures = 0
    while not stop.is_set():
        try:
            with connect(database_url, autocommit=True) as conn:
                failures = 0
                with consumer:
                    _consume(conn, database_url, consumer, stop)
        except (DatabaseUnreachable, psycopg.OperationalError, psycopg.InterfaceError) as e:
            if failures % 20 == 0:
                log.warning("database_away", why=str(e))
            failures += 1
            stop.wait(min(5.0, 0.2 * 2 ** min(failures, 5)))


def _consume(conn: Conn, database_url: str, consumer: Consumer, stop: threading.Event) -> None:
    """Batches until `stop`, through short absences of the database. Raises when it stays away."""
    most_bytes = FIRST_BYTES
    while not stop.is_set():
        arrived = consumer.take(0.3, most_bytes)
        if not arrived:
            continue
        started_at = time.monotonic()
        publishes = [a.publish for a in arrived]
        away_since: float | None = None
        while True:
            try:
                if conn.closed:
                    conn = connect(database_url, autocommit=True)
                outcome = _commit(conn, publishes)
                break
            except (DatabaseUnreachable, psycopg.OperationalError, psycopg.InterfaceError) as e:
                conn.close()
                away_since = away_since or time.monotonic()
                if stop.is_set() or time.monotonic() - away_since > HOLD_S:
                    raise
                log.warning("batch_waits_for_database", messages=len(publishes), why=str(e).strip())
                stop.wait(0.3)
        consumer.done(arrived, outcome)
        size = sum(len(a.publish.payload) for a in arrived)
        most_bytes = next_size(most_bytes, size, time.monotonic() - started_at)
    conn.close()


def next_size(most_bytes: int, size: int, took_s: float) -> int:
    """How large the next batch may be, after one of `size` bytes. What was not full does not prove that more can be."""
    if took_s > SLOW_S:
        return max(FIRST_BYTES // 16, min(most_bytes, size) // 2)
    return min(MOST_BYTES, most_bytes * 2) if took_s < QUICK_S and size >= most_bytes else most_bytes


def _commit(conn: Conn, publishes: Sequence[Publish]) -> Outcome:
    """Whole; after deadlocks with other writers, message by message."""
    for attempt in range(3):
        try:
            return commit_batch(conn, publishes)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as e:
            log.info("batch_repeated", attempt=attempt, why=str(e).splitlines()[0])
    total = Outcome()
    for p in publishes:
        one = commit_batch(conn, [p])
        total.acks += one.acks
        total.events += one.events
        total.duplicates += one.duplicates
        total.letters += one.letters
    return total


@dataclass(frozen=True)
class _Arrived:
    publish: Publish
    mid: int
    qos: int
    connection: int


class Consumer:
    """The connection to the broker: `with Consumer(url) as c: c.take() ... c.done()`. Reconnects by itself."""

    def __init__(self, mqtt_url: str) -> None:
        self._broker = Broker.from_url(mqtt_url)
        self._queue: queue.Queue[_Arrived] = queue.Queue()
        self._connection = 0
        self._client: mqtt.Client | None = None

    def __enter__(self) -> Consumer:
        self._queue = queue.Queue()
        client = self._broker.client(f"stowage-ingest-{secrets.token_hex(6)}", manual_ack=True)
        client.reconnect_delay_set(1, 10)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_connect_fail = self._unreachable
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        client.loop_start()
        self._client = client
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def take(self, timeout_s: float, most_bytes: int = MOST_BYTES) -> list[_Arrived]:
        """What is there, up to a batch, at least one message; waits `timeout_s` for the first."""
        try:
            batch = [self._queue.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        size = len(batch[0].publish.payload)
        while len(batch) < MOST_MESSAGES and size < most_bytes:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
            size += len(batch[-1].publish.payload)
        return batch

    def done(self, arrived: Sequence[_Arrived], outcome: Outcome) -> None:
        """It is committed: tell the agents and the broker."""
        client = self._client
        assert client is not None
        for ack in outcome.acks:
            client.publish(ack.topic, ack.payload, qos=1, retain=True)
        for a in arrived:
            if a.connection == self._connection:  # numbers of an earlier connection mean other messages now
                client.ack(a.mid, a.qos)
        log.debug(
            "committed",
            messages=len(arrived),
            events=outcome.events,
            duplicates=outcome.duplicates,
            letters=outcome.letters,
        )

    # --- paho's thread ---

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            log.error(
                "broker_refuses",
                broker=str(self._broker),
                why=str(code),
                hint="check STOWAGE_MQTT_URL",
            )
            return  # fmt: skip
        self._connection += 1
        client.subscribe(TOPICS)

    def _subscribed(self, _client: mqtt.Client, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        if any(c.is_failure for c in codes):
            log.error(
                "broker_refuses_subscription",
                broker=str(self._broker),
                topics=[t for t, _ in TOPICS],
            )
            return  # fmt: skip
        log.info("broker_connected", broker=str(self._broker))

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if code.is_failure:
            log.warning("broker_away", broker=str(self._broker), why=str(code))

    def _unreachable(self, _client: mqtt.Client, _data: Any) -> None:
        why = sys.exc_info()[1]  # paho calls this while it handles it
        log.warning("broker_unreachable", broker=str(self._broker), why=str(why))

    def _received(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.retain and not message.topic.endswith("/status"):
            log.warning("retained_event_ignored", topic=message.topic)
            client.ack(message.mid, message.qos)
            return
        publish = Publish(message.topic, bytes(message.payload), message.retain)
        self._queue.put(_Arrived(publish, message.mid, message.qos, self._connection))
