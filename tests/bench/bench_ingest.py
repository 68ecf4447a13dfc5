"""`ingest_reads_per_s` and its ratio to a raw COPY; `ingest_passages_per_s`; `ingest_received_per_s`, into the ledger.

Tag reads go from an MQTT publish through the broker and ingest into committed rows, deduplicated, until the commit
ack is back. Broker, database (durable), ingest and publisher share this machine. The yardstick of the ratio is the
same rows, made ready beforehand, by raw binary COPY, 1,000 a transaction, into the same table.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from backend.db import Conn, connect
from backend.ids import new_id
from backend.migrate import migrate
from device_drivers.gs1 import sgtin96_hex
from edge import messages
from edge.broker import Broker
from edge.messages import Ack, Event, EventBatch, EventData, TagPassage, TagSighting, TagsPassed, TagsSeen
from stowage.parts.broker import EmbeddedBroker
from stowage.parts.postgres import EmbeddedPostgres
from tests.backend.ingest.sender import Sender, new_sender
from tests.conftest import build_warehouse

READS_A_EVENT, EVENTS_A_MESSAGE, MESSAGES = 50, 20, 400
EPCS = 5000
WINDOW = 32
PASSAGES = 3000
RECEIVED = 1000

INGEST = """import sys, threading
from backend import ingest
from stowage import logs
logs.set_up("ingest")
ingest.run(sys.argv[1], sys.argv[2], threading.Event())"""


def measure() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        database = EmbeddedPostgres(Path(folder) / "pg")
        broker = EmbeddedBroker(Path(folder) / "broker", Path(folder) / "access")
        with database as url, broker:
            migrate(url)
            with connect(url, autocommit=True) as conn, (Path(folder) / "ingest.log").open("wb") as log:
                sender = new_sender(conn, build_warehouse(conn))
                conn.execute("update device set purpose = 'none' where code = 'door-1'")
                ingest = subprocess.Popen([sys.executable, "-c", INGEST, url, broker.url()], stdout=log)
                try:
                    _run(broker, sender, list(_reads(sender, 20)))  # everything is warm
                    yield from _reads_and_ratio(conn, broker, sender)
                    yield from _passages(broker, sender)
                    yield from _into_the_ledger(conn, broker, sender)
                finally:
                    ingest.kill()
                    ingest.wait()


def _reads_and_ratio(conn: Conn, broker: EmbeddedBroker, sender: Sender) -> Iterator[dict[str, Any]]:
    reads = READS_A_EVENT * EVENTS_A_MESSAGE * MESSAGES
    batches = list(_reads(sender, MESSAGES))
    before = _count(conn)
    seconds = _run(broker, sender, batches)
    assert _count(conn) - before == reads, "every read is a row, once"
    ours = reads / seconds
    yield {"figure": "ingest_reads_per_s", "value": round(ours), "unit": "reads/s", "must": 60000, "aim": 150000,
           "reads": reads, "seconds": round(seconds, 2)}  # fmt: skip
    raw = _raw_copy(conn, reads)
    yield {"figure": "ingest_copy_ratio", "value": round(ours / raw, 3), "unit": "ratio", "must": 0.25, "aim": 0.5,
           "ingest_reads_per_s": round(ours), "copy_rows_per_s": round(raw)}  # fmt: skip


def _passages(broker: EmbeddedBroker, sender: Sender) -> Iterator[dict[str, Any]]:
    """Passages one tag each through a portal: savepoint, evidence and receipt, without the stock's own work."""
    events = [_passage(n) for n in range(PASSAGES)]
    batches = [_batch(sender, events[i : i + 50]) for i in range(0, PASSAGES, 50)]
    seconds = _run(broker, sender, batches)
    yield {"figure": "ingest_passages_per_s", "value": round(PASSAGES / seconds), "unit": "passages/s", "must": 300,
           "seconds": round(seconds, 2)}  # fmt: skip


def _into_the_ledger(conn: Conn, broker: EmbeddedBroker, sender: Sender) -> Iterator[dict[str, Any]]:
    """Passages of one tagged unit each through an inbound door: each is received, and a movement."""
    conn.execute("update device set purpose = 'inbound' where code = 'door-1'")
    events = [_passage(n, sgtin96_hex("06412345000012", 7, n)) for n in range(RECEIVED)]
    batches = [_batch(sender, events[i : i + 25]) for i in range(0, RECEIVED, 25)]
    seconds = _run(broker, sender, batches)
    moved = conn.execute("select count(*) from movement").fetchall()[0][0]
    assert moved == RECEIVED, f"{moved} of {RECEIVED} are movements"
    yield {"figure": "ingest_received_per_s", "value": round(RECEIVED / seconds), "unit": "passages/s", "must": 100,
           "seconds": round(seconds, 2)}  # fmt: skip


def _reads(sender: Sender, messages_: int) -> Iterator[bytes]:
    now = datetime.now(UTC)
    number = 0
    for _ in range(messages_):
        events: list[EventData] = []
        for _ in range(EVENTS_A_MESSAGE):
            sightings = []
            for _ in range(READS_A_EVENT):
                number += 1
                at = now - timedelta(microseconds=number)
                epc = f"3034257BF7194E40{(number * 7919) % EPCS:08X}"
                sightings.append(
                    TagSighting(epc=epc, antenna=number % 4 + 1, reads=1, peak_rssi_cdbm=-5000 - number % 900, first_at=at, last_at=at)
                )  # fmt: skip
            events.append(TagsSeen(sightings=sightings))
        yield _batch(sender, events)


def _passage(number: int, epc: str | None = None) -> TagsPassed:
    now = datetime.now(UTC)
    tag = TagPassage(
        epc=epc or f"3034257BF7194E40{number:08X}", confidence=0.98, reads=20, first_at=now, last_at=now
    )
    return TagsPassed(portal="door-1", passage_id=secrets.token_hex(8), direction="in", tags=[tag])


def _batch(sender: Sender, data: Sequence[EventData]) -> bytes:
    events: list[Event] = [sender.event(d) for d in data]
    return messages.encode(
        EventBatch(v=1, site=sender.site, agent=sender.agent, epoch=sender.epoch, events=events)
    )


def _run(broker: EmbeddedBroker, sender: Sender, batches: list[bytes]) -> float:
    """Seconds from the first publish to the last commit ack, `WINDOW` messages ahead of it at most."""
    last = [messages.decode(EventBatch, b).events[-1].seq for b in batches]
    acked = 0
    news = threading.Condition()

    def on_message(_c: paho.Client, _d: object, m: paho.MQTTMessage) -> None:
        nonlocal acked
        ack = messages.decode(Ack, bytes(m.payload))
        with news:
            if ack.epoch == sender.epoch:
                acked = max(acked, ack.seq)
                news.notify()

    address = Broker.from_url(broker.url())
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(address.username, address.password)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    client.connect(address.host, address.port)
    client.subscribe(sender.topic("ack"), 1)
    client.loop_start()
    ready.wait(10)
    sent_at: list[float] = []
    start = time.monotonic()
    for i, payload in enumerate(batches):
        with news:
            while i >= WINDOW and acked < last[i - WINDOW]:
                assert news.wait(60), "no ack came"
        client.publish(sender.topic("events"), payload, qos=1)
        sent_at.append(time.monotonic())
    with news:
        while acked < last[-1]:
            # nobody listened yet when the first ones came: as an agent does, send again
            if not news.wait(5):
                for payload in batches:
                    client.publish(sender.topic("events"), payload, qos=1)
    seconds = time.monotonic() - start
    client.disconnect()
    client.loop_stop()
    return seconds


def _raw_copy(conn: Conn, rows: int) -> float:
    site, device = new_id(), new_id()
    now = datetime.now(UTC)
    ready = []
    for number in range(rows):
        at = now - timedelta(microseconds=number)
        ready.append(
            (
                site,
                device,
                f"3034257BF7194E40{(number * 7919) % EPCS:08X}",
                number % 4 + 1,
                1,
                -5000 - number % 900,
                at,
                at,
            )
        )
    encoded = [_encode(conn, ready[i : i + 1000]) for i in range(0, rows, 1000)]
    start = time.monotonic()
    for block in encoded:
        with conn.transaction(), conn.cursor().copy("copy observation from stdin (format binary)") as copy:
            copy.write(block)
    return rows / (time.monotonic() - start)


def _encode(conn: Conn, rows: list[tuple[Any, ...]]) -> bytes:
    """The very bytes of a binary COPY, made before the clock runs."""
    conn.execute("create temporary table if not exists encoding (like observation)")
    conn.execute("truncate encoding")
    with conn.cursor().copy("copy encoding from stdin (format binary)") as copy:
        copy.set_types(["uuid", "uuid", "text", "int2", "int4", "int4", "timestamptz", "timestamptz"])
        for row in rows:
            copy.write_row(row)
    with conn.cursor().copy("copy encoding to stdout (format binary)") as copy:
        return b"".join(bytes(block) for block in copy)


def _count(conn: Conn) -> int:
    return int(conn.execute("select count(*) from observation").fetchall()[0][0])
