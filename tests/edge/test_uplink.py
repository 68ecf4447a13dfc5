"""The uplink on real brokers: nothing leaves the spool before the consumer's ack, whatever dies between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge import messages
from edge.broker import Broker
from edge.messages import AgentStatus, BarcodeScanned, Command
from edge.spool import NewEvent, Spool
from edge.uplink import Uplink, UplinkSettings
from tests.edge.brokers import RunningBroker, find_mosquitto, wait_for
from tests.edge.consumer import Consumer

QUICK = UplinkSettings(resend_s=0.3, resend_max_s=1.0, status_every_s=0.5, back_off_s=0.1, back_off_max_s=0.3)


class Running:
    def __init__(self, spool: Spool, uplink: Uplink) -> None:
        self.spool = spool
        self.uplink = uplink
        self.commands: list[Command] = []

    def scan(self, *texts: str) -> None:
        now = datetime.now(UTC)
        self.spool.append([NewEvent(device="b", data=BarcodeScanned(text=t), occurred_at=now) for t in texts])
        self.uplink.wake()


@contextmanager
def uplink_on(broker: RunningBroker, path: Path, **login: str) -> Iterator[Running]:
    stop = threading.Event()
    commands: list[Command] = []
    with Spool(path / "spool.db") as spool:

        def status() -> AgentStatus:
            return AgentStatus(
                v=1, state="online", at=datetime.now(UTC), epoch=spool.epoch, spool_depth=spool.depth
            )

        uplink = Uplink(
            "hq",
            "agent-1",
            Broker(
                host="127.0.0.1",
                port=broker.port,
                username=login.get("username"),
                password=login.get("password"),
            ),
            spool,
            status=status,
            on_command=commands.append,
            settings=QUICK,
        )
        thread = threading.Thread(target=uplink.run, args=(stop,))
        thread.start()
        running = Running(spool, uplink)
        running.commands = commands
        try:
            yield running
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()


def texts(consumer: Consumer) -> list[str]:
    found = []
    for event in consumer.events():
        data = messages.decode_data(event)
        assert isinstance(data, BarcodeScanned)
        found.append(data.text)
    return found


def test_events_arrive_in_order_and_leave_the_spool_only_after_the_ack(
    broker: RunningBroker, tmp_path: Path
) -> None:
    consumer = Consumer(broker.port)
    consumer.acks = False
    consumer.start()
    with uplink_on(broker, tmp_path) as running:
        running.scan("a", "b")
        running.scan("c")
        wait_for(lambda: consumer.received >= 3, "events arrive")
        assert running.spool.depth == 3
        consumer.acks = True  # the resend timer brings them once more, and now they are acknowledged
        wait_for(lambda: running.spool.depth == 0, "spool empties")
    assert texts(consumer) == ["a", "b", "c"]
    assert consumer.received > 3
    consumer.stop()


def test_a_broker_that_dies_and_forgets_everything_loses_and_doubles_nothing(
    broker: RunningBroker, tmp_path: Path
) -> None:
    consumer = Consumer(broker.port)
    consumer.start()
    with uplink_on(broker, tmp_path) as running:
        for n in range(30):
            running.scan(f"{n}")
            if n % 10 == 5:
                broker.kill()
                running.scan(f"{n}, broker gone")
                broker.start()
        wait_for(lambda: running.spool.depth == 0, "spool empties")
    expected = []
    for n in range(30):
        expected += [f"{n}"] + ([f"{n}, broker gone"] if n % 10 == 5 else [])
    assert texts(consumer) == expected
    consumer.stop()


def test_a_restored_spool_whose_events_were_committed_is_released_by_the_retained_ack(
    broker: RunningBroker, tmp_path: Path
) -> None:
    consumer = Consumer(broker.port)
    consumer.start()
    with Spool(tmp_path / "spool.db") as spool:
        now = datetime.now(UTC)
        spool.append([NewEvent(device="b", data=BarcodeScanned(text=t), occurred_at=now) for t in "ab"])
    backup = (tmp_path / "spool.db").read_bytes()
    with uplink_on(broker, tmp_path) as running:
        wait_for(lambda: running.spool.depth == 0, "spool empties")
    consumer.stop()
    (tmp_path / "spool.db").write_bytes(backup)
    with Spool(tmp_path / "spool.db") as spool:
        assert spool.depth == 2
    with uplink_on(broker, tmp_path) as running:
        wait_for(lambda: running.spool.depth == 0, "the retained ack releases them")
    assert texts(consumer) == ["a", "b"]


def test_large_backlogs_go_out_in_messages_below_the_limit(broker: RunningBroker, tmp_path: Path) -> None:
    consumer = Consumer(broker.port)
    with Spool(tmp_path / "spool.db") as spool:
        for n in range(30):
            now = datetime.now(UTC)
            spool.append(
                [
                    NewEvent(device="b", data=BarcodeScanned(text=f"{n} {m} " + "x" * 1500), occurred_at=now)
                    for m in range(100)
                ]
            )
    consumer.start()
    with uplink_on(broker, tmp_path) as running:
        wait_for(lambda: running.spool.depth == 0, "spool empties", 60)
    assert len(consumer.committed) == 3000
    assert 200_000 < consumer.largest <= messages.MAX_MESSAGE_BYTES
    consumer.stop()


def test_status_is_retained_renewed_and_turns_offline_on_a_clean_stop(
    broker: RunningBroker, tmp_path: Path
) -> None:
    with uplink_on(broker, tmp_path) as running:
        running.scan("a")
        wait_for(lambda: running.uplink.connected, "connected")
        watcher = Consumer(broker.port)
        watcher.start()
        wait_for(lambda: any(s.spool_depth or s.epoch for s in watcher.statuses), "a status arrives")
        before = len(watcher.statuses)
        wait_for(lambda: len(watcher.statuses) > before + 1, "it is renewed")
        assert watcher.statuses[-1].state == "online"
        watcher.stop()
    late = Consumer(broker.port)
    late.start()
    wait_for(lambda: any(s.state == "offline" for s in late.statuses), "the retained status arrives")
    late.stop()


def command(name: str, seconds: float) -> Command:
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return Command(v=1, id="c1", device="b", command=name, expires_at=expires_at)  # type: ignore[arg-type]


def test_a_command_arrives_unless_it_is_expired_retained_or_unreadable(
    broker: RunningBroker, tmp_path: Path
) -> None:
    consumer = Consumer(broker.port)
    consumer.start()
    consumer.send(command("tare_scale", 60), retain=True)
    with uplink_on(broker, tmp_path) as running:
        wait_for(lambda: running.uplink.connected, "connected")
        consumer.send(command("zero_scale", -1))
        assert consumer._client is not None
        consumer._client.publish("stowage/v1/hq/agent-1/commands", b"{nonsense", qos=1)
        consumer.send(command("restart_device", 60))
        wait_for(lambda: bool(running.commands), "the command arrives")
        assert [c.command for c in running.commands] == ["restart_device"]
    consumer.stop()


def test_a_killed_agent_is_reported_offline_by_its_last_will(broker: RunningBroker, tmp_path: Path) -> None:
    watcher = Consumer(broker.port)
    watcher.start()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    with Spool(tmp_path / "spool.db") as spool:
        uplink = Uplink(
            "hq",
            "agent-1",
            Broker(host="127.0.0.1", port=broker.port),
            spool,
            status=lambda: AgentStatus(v=1, state="online", at=datetime.now(UTC)),
            on_command=lambda _: None,
        )
        client = uplink._client()
        client.connect("127.0.0.1", broker.port, 5)
        client.loop_start()
        wait_for(client.is_connected, "connected")
        socket = client.socket()
        assert socket is not None
        client.loop_stop()
        socket.close()  # what the kernel does for a killed process
        wait_for(lambda: any(s.state == "offline" for s in watcher.statuses), "the last will arrives")
    watcher.stop()


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_a_wrong_password_is_a_clear_sentence_and_the_right_one_is_used_when_it_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = RunningBroker("mosquitto", tmp_path, "allow_anonymous false")
    broker.start()
    try:
        with uplink_on(broker, tmp_path, username="agent-1", password="wrong") as running:
            running.scan("a")
            wait_for(lambda: "Enrol this agent again" in capsys.readouterr().out, "it is said")
            assert running.spool.depth == 1
    finally:
        broker.kill()
