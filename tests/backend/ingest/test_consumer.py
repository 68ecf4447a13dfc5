"""Ingest with a real broker, a real database and the agent's own spool and uplink, while each of them dies."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from backend import devices, ingest
from backend.db import Conn, connect
from backend.migrate import migrate
from backend.worker import write_broker_access
from edge.broker import Broker
from edge.messages import AgentStatus, BarcodeScanned
from edge.spool import NewEvent, Spool
from edge.uplink import Uplink, UplinkSettings
from stowage.parts.broker import EmbeddedBroker, find_mosquitto
from stowage.parts.postgres import EmbeddedPostgres
from tests.backend.ingest.sender import Sender, new_sender, passage
from tests.conftest import Warehouse, build_warehouse, missing


def until(condition: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for: {what}"
        time.sleep(0.05)


def count(conn: Conn, table: str) -> int:
    return int(conn.execute(f"select count(*) from {table}".encode()).fetchall()[0][0])


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        missing("mosquitto", "apt-get install mosquitto")
    part = EmbeddedBroker(tmp_path / "broker", tmp_path / "access", kind=request.param)
    part.start()
    yield part
    part.stop()


@pytest.fixture
def ingesting(database_url: str, broker: EmbeddedBroker) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(database_url, broker.url(), stop))
    thread.start()
    yield
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


class Client:
    """A publisher with the backend's own account, and what came on the ack topics."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        address = Broker.from_url(broker.url())
        self.acks: list[tuple[str, bytes, bool]] = []
        self.ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(address.username, address.password)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _c, _d, m: self.acks.append((m.topic, bytes(m.payload), m.retain))
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        assert self.ready.wait(60)

    def _connected(self, *_: object) -> None:
        self.client.subscribe("stowage/v1/+/+/ack", 1)

    def publish(self, p: ingest.Publish, *, retain: bool = False) -> None:
        self.client.publish(p.topic, p.payload, qos=1, retain=retain).wait_for_publish(60)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[Client]:
    c = Client(broker)
    yield c
    c.close()


def test_an_event_is_committed_then_acknowledged_retained(
    conn: Conn, warehouse: Warehouse, ingesting: None, broker: EmbeddedBroker, client: Client
) -> None:
    sender = new_sender(conn, warehouse)
    publish_until_acknowledged(
        client, sender, 1, [sender.batch(BarcodeScanned(text="A"), device="scanner-1")]
    )
    assert count(conn, "device_event") == 1
    late = Client(broker)
    until(lambda: late.acks[:1] == [(sender.topic("ack"), sender.ack(1).payload, True)], "the retained ack")
    late.close()


def publish_until_acknowledged(
    client: Client, sender: Sender, seq: int, batches: list[ingest.Publish]
) -> None:
    """As an agent does: again and again, whatever the broker said."""
    wanted = sender.ack(seq).payload
    deadline = time.monotonic() + 60
    while wanted not in [a[1] for a in client.acks]:
        assert time.monotonic() < deadline, "no ack came"
        for b in batches:
            client.publish(b)
        time.sleep(0.5)


def test_a_retained_event_is_history_and_ignored(
    conn: Conn, warehouse: Warehouse, database_url: str, broker: EmbeddedBroker, client: Client
) -> None:
    sender = new_sender(conn, warehouse)
    old = sender.batch(BarcodeScanned(text="OLD"), device="scanner-1")
    client.client.subscribe(old.topic, 1)
    client.publish(old, retain=True)
    until(lambda: (old.topic, old.payload, False) in client.acks, "the broker to have passed it on")
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(database_url, broker.url(), stop))
    thread.start()
    try:
        sender.epoch = "ab" * 8
        sender.seq = 0
        publish_until_acknowledged(
            client, sender, 1, [sender.batch(BarcodeScanned(text="NEW"), device="scanner-1")]
        )
        assert conn.execute("select data ->> 'text' from device_event").fetchall() == [("NEW",)]
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    late = Client(broker)
    late.client.subscribe(old.topic, 1)
    until(
        lambda: (old.topic, old.payload, True) in late.acks,
        "the retained event, which was there all the time",
    )
    late.close()


def test_broken_messages_do_not_stop_the_stream(
    conn: Conn, warehouse: Warehouse, ingesting: None, client: Client
) -> None:
    sender = new_sender(conn, warehouse)
    before, after = (sender.batch(BarcodeScanned(text=t), device="scanner-1") for t in "AB")
    broken = [ingest.Publish(sender.topic("events"), b"\x00\x01"), ingest.Publish("stowage/v1/X/y/events", b"{}"),
              ingest.Publish(sender.topic("status"), b"[]"), ingest.Publish(sender.topic("ingress"), b"{}")]  # fmt: skip
    publish_until_acknowledged(client, sender, 1, [before])  # ingest listens: what is broken is sent once
    for b in broken:
        client.publish(b)
    publish_until_acknowledged(client, sender, 2, [after])
    until(lambda: count(conn, "dead_letter") == 4, "the four dead letters")


def test_a_backlog_on_a_slow_database_is_committed_in_many_pieces(
    conn: Conn, warehouse: Warehouse, database_url: str, broker: EmbeddedBroker, client: Client
) -> None:
    """All in one transaction would be lost with the next accident, and sent again all the while."""
    row_s, rows, messages = 0.004, 60, 24
    sender = new_sender(conn, warehouse)
    with connect(database_url, autocommit=True) as owner:
        owner.execute("set role none")
        owner.execute(
            f"""create table piece (number bigserial, transaction text not null);
                create function slow() returns trigger language plpgsql security definer as
                $$ begin
                    perform pg_sleep({row_s});
                    insert into piece (transaction) values (pg_current_xact_id()::text);
                    return new;
                end $$;
                create trigger slow before insert on device_event for each row execute function slow()""".encode()
        )
        stop = threading.Event()
        thread = threading.Thread(target=ingest.run, args=(database_url, broker.url(), stop))
        try:
            thread.start()
            first = sender.batch(BarcodeScanned(text="first"), device="scanner-1")
            publish_until_acknowledged(client, sender, 1, [first])
            backlog = [
                sender.batch(*(BarcodeScanned(text=f"{n} {m}") for m in range(rows)), device="scanner-1")
                for n in range(messages)
            ]
            all_rows, committed = 1 + messages * rows, 1
            for _ in range(10):  # sent again, as an agent does: the broker may lose some
                for batch in backlog:
                    client.publish(batch)
                still_until = time.monotonic() + 20
                while committed < all_rows and time.monotonic() < still_until:
                    time.sleep(0.05)
                    if (now := count(conn, "device_event")) > committed:
                        committed, still_until = now, time.monotonic() + 20
                if committed == all_rows:
                    break
            publish_until_acknowledged(client, sender, all_rows, backlog[-1:])
            pieces = [n for (n,) in owner.execute(
                "select count(*) from piece group by transaction order by min(number)"
            )]  # fmt: skip
        finally:
            stop.set()
            thread.join(60)
            owner.execute("drop function slow() cascade; drop table piece")
    assert sum(pieces) == all_rows
    assert max(pieces) < all_rows / 2, pieces
    for piece, after in itertools.pairwise(pieces):
        if piece * row_s > ingest.consumer.SLOW_S:
            assert after <= piece / 2 + rows, pieces


def test_a_wrong_broker_address_is_said_at_once(database_url: str) -> None:
    with pytest.raises(ValueError, match="mqtt://host:1883"):
        ingest.run(database_url, "http://here", threading.Event())


# --- everything dies --------------------------------------------------------------------------------------

INGEST = """
import sys, threading
from backend import ingest
ingest.run(sys.argv[1], sys.argv[2], threading.Event())
"""


class Agent:
    """The agent's real spool and uplink, with its own account at the broker."""

    def __init__(self, folder: Path, sender: Sender, broker: EmbeddedBroker) -> None:
        self.spool = Spool(folder / "spool.db")
        self.spool.open()
        address = Broker.from_url(
            broker.url(), username=f"{sender.site}/{sender.agent}", password=sender.secret
        )
        assert address.username == f"{sender.site}/{sender.agent}"
        self.stop = threading.Event()
        settings = UplinkSettings(
            resend_s=0.5, resend_max_s=1.0, back_off_s=0.1, back_off_max_s=0.3, window=4
        )
        uplink = Uplink(
            sender.site,
            sender.agent,
            address,
            self.spool,
            status=self._status,
            on_command=lambda _: None,
            settings=settings,
        )
        self.uplink = uplink
        self.thread = threading.Thread(target=uplink.run, args=(self.stop,))
        self.thread.start()

    def _status(self) -> AgentStatus:
        return AgentStatus(v=1, state="online", at=datetime.now(UTC), epoch=self.spool.epoch)

    def say(self, text: str) -> None:
        self.spool.append([
            NewEvent(device="scanner-1", data=BarcodeScanned(text=text), occurred_at=datetime.now(UTC)),
            NewEvent(device="door-1", data=passage(), occurred_at=datetime.now(UTC)),
        ])  # fmt: skip
        self.uplink.wake()

    def close(self) -> None:
        self.stop.set()
        self.thread.join(60)
        self.spool.close()


def test_kills_of_broker_database_and_ingest_lose_and_double_nothing(tmp_path: Path) -> None:
    """A scan and a passage every few milliseconds; all parts killed in a seeded order; at the end all are there, once."""
    dice = random.Random(20261122)
    postgres = EmbeddedPostgres(tmp_path / "pg")
    broker = EmbeddedBroker(tmp_path / "broker", tmp_path / "access")
    url = postgres.start()
    programs: list[subprocess.Popen[bytes]] = []
    said: list[str] = []
    agent = None

    def start_ingest() -> None:
        log = (tmp_path / "ingest.log").open("ab")
        programs.append(
            subprocess.Popen([sys.executable, "-c", INGEST, url, broker.url()], stdout=log, stderr=log)
        )

    def kill_ingest() -> None:
        programs[-1].kill()
        programs[-1].wait()
        start_ingest()

    def kill_broker() -> None:
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        until(lambda: not broker.running(), "the broker's death")
        broker.start()

    def kill_database() -> None:
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
        until(lambda: not postgres.running(), "the database's death")
        postgres.start()

    def end_backends() -> None:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"
            )

    try:
        migrate(url)
        broker.start()
        with connect(url, autocommit=True) as conn:
            sender = new_sender(conn, build_warehouse(conn))
            conn.execute("update device set purpose = 'none' where code = 'door-1'")
            conn.execute("update device set place_id = null where code = 'scanner-1'")
            write_broker_access(*devices.broker_access(conn), tmp_path / "access")
        start_ingest()
        agent = Agent(tmp_path, sender, broker)
        until(lambda: agent.uplink.connected, "the agent's log-in with its own account")
        for _ in range(12):
            for _ in range(dice.randint(20, 60)):
                said.append(f"S{len(said)}")
                agent.say(said[-1])
                time.sleep(dice.random() * 0.01)
            dice.choice([kill_ingest, kill_broker, kill_database, end_backends])()
        until(lambda: agent.spool.depth == 0, "the empty spool", 90)
    finally:
        if agent is not None:
            agent.close()
        for p in programs:
            p.kill()
            p.wait()
        broker.stop()
        postgres.stop()
    with postgres, connect(url, autocommit=True) as conn:
        found = conn.execute(
            "select data ->> 'text' from device_event where type = 'barcode_scanned' order by epoch, seq"
        ).fetchall()
        passages = conn.execute("select count(*) from device_event where type = 'tags_passed'").fetchall()
        buried = conn.execute("select kind, reason from dead_letter").fetchall()
    assert [f[0] for f in found] == said
    assert passages == [(len(said),)]
    assert buried == []
