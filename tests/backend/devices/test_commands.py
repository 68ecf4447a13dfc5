"""A person tells a device what to do; the worker publishes it; nothing of it stays at the broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from backend import worker
from backend.db import Conn
from backend.ingest import commit_batch
from edge.messages import Command, decode
from tests.backend.ingest.sender import Sender, new_sender
from tests.conftest import Api, Warehouse
from tests.edge.brokers import RunningBroker, find_mosquitto


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, f"waited for: {what}"
        time.sleep(0.05)


@pytest.fixture
def sender(conn: Conn, warehouse: Warehouse) -> Sender:
    """An agent that is there."""
    agent = new_sender(conn, warehouse)
    commit_batch(conn, [agent.status()])
    return agent


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    running = RunningBroker("mosquitto" if find_mosquitto() else "amqtt", tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def working(
    conn: Conn, database_url: str, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(worker, "PROGRAMS", [])
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(database_url, None, stop, None, broker.url))
    thread.start()
    until(  # a command lives for half a minute
        lambda: conn.execute("select 1 from procrastinate_workers").fetchone(), "the worker"
    )
    yield
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


class Heard:
    """What arrives at a subscriber of the agent's commands."""

    def __init__(self, broker: RunningBroker, topic: str) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self.ready = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda c, *_: c.subscribe(topic, 1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _c, _d, m: self.messages.append(m)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.ready.wait(60)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def device(conn: Conn, code: str) -> str:
    row = conn.execute("select id from device where code = %s", [code]).fetchone()
    assert row is not None
    return f"/api/v1/devices/{row[0]}"


def test_a_command_reaches_the_agent_once_and_is_not_kept_by_the_broker(
    api: Api, conn: Conn, sender: Sender, broker: RunningBroker, working: None
) -> None:
    heard = Heard(broker, sender.topic("commands"))
    url = device(conn, "scale-1")
    key = {"Idempotency-Key": "zero-the-scale"}
    asked = [api.post(f"{url}/commands", json={"command": "zero_scale"}, headers=key) for _ in range(2)]
    assert [a.status_code for a in asked] == [202, 202]
    assert asked[0].json()["state"] == "waiting"
    until(lambda: api.get(url).json()["commands"][0]["state"] == "sent", "the worker sent it")
    until(lambda: heard.messages, "the agent hears it")
    (message,) = heard.messages
    command = decode(Command, bytes(message.payload))
    assert (command.device, command.command, command.id) == ("scale-1", "zero_scale", asked[0].json()["id"])
    assert command.expires_at == datetime.fromisoformat(asked[0].json()["expires_at"])
    assert not message.retain
    heard.close()
    late = Heard(broker, sender.topic("commands"))
    late.client.publish(sender.topic("commands"), b"now", 1)  # what was kept would come before it
    until(lambda: late.messages, "what is said now")
    assert [m.payload for m in late.messages] == [b"now"]
    late.close()
    (shown,) = api.get(url).json()["commands"]
    assert shown["asked_by"] == "user:admin"


def test_a_device_says_what_it_can_be_told(api: Api, conn: Conn, sender: Sender) -> None:
    common = ["restart_device", "report_status"]
    knows = {code: api.get(device(conn, code)).json()["knows"] for code in ("scale-1", "door-1")}
    assert (sorted(knows["door-1"]), sorted(knows["scale-1"])) == (
        sorted(common),
        sorted([*common, "zero_scale", "tare_scale"]),
    )


def test_a_command_that_nobody_could_take_in_time_expires(
    api: Api, conn: Conn, sender: Sender, broker: RunningBroker, working: None
) -> None:
    broker.kill()
    url = device(conn, "door-1")
    assert api.post(f"{url}/commands", json={"command": "restart_device"}).status_code == 202
    until(
        lambda: conn.execute("select 1 from procrastinate_jobs where attempts > 0").fetchone(), "a first try"
    )
    conn.execute("update device_command set expires_at = now() - interval '1 minute'")
    broker.start()
    heard = Heard(broker, sender.topic("commands"))
    until(lambda: api.get(url).json()["commands"][0]["state"] == "expired", "it is given up")
    assert heard.messages == []
    heard.close()


def test_what_a_device_cannot_do_and_who_may_not_are_refused_in_words(
    api: Api, conn: Conn, warehouse: Warehouse, sender: Sender
) -> None:
    refused = api.post(f"{device(conn, 'door-1')}/commands", json={"command": "zero_scale"})
    assert (refused.status_code, refused.json()["type"], refused.json()["field"]) == (
        409, "/problems/device-cannot", "command",
    )  # fmt: skip
    assert api.post(f"{device(conn, 'door-1')}/commands", json={"command": "explode"}).status_code == 422
    api.as_user(conn, "wendy", ["worker"], warehouse.site_id)
    assert api.post(f"{device(conn, 'scale-1')}/commands", json={"command": "zero_scale"}).status_code == 202
    assert (
        api.post(f"{device(conn, 'door-1')}/commands", json={"command": "restart_device"}).status_code == 403
    )
    conn.execute("update agent_status set received_at = now() - interval '2 minutes'")
    away = api.post(f"{device(conn, 'scale-1')}/commands", json={"command": "zero_scale"})
    assert (away.status_code, "is away" in away.json()["detail"]) == (409, True)
    assert conn.execute("select count(*) from device_command").fetchone() == (1,)
