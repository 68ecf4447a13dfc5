"""Both embedded brokers: the same accounts, the same rights, the same behaviour when killed."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from stowage.parts import PartFailed
from stowage.parts.amqtt_broker import covers
from stowage.parts.broker import (
    ACCOUNT,
    EmbeddedBroker,
    can_log_in,
    find_mosquitto,
    password_hash,
    password_matches,
)

AGENT_ACL = """user dock
topic write stowage/v1/north/dock/events
topic write stowage/v1/north/dock/status
topic read stowage/v1/north/dock/ack
"""


def until(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "agents.passwd").write_text(f"dock:{password_hash('open sesame')}\n")
    (tmp_path / "access" / "agents.acl").write_text(AGENT_ACL)
    part = EmbeddedBroker(tmp_path / "broker", tmp_path / "access", kind=request.param)
    part.start()
    yield part
    part.stop()
    assert not part.running()


class Listener:
    """A client that collects what reaches it."""

    def __init__(self, port: int, user: str, password: str, topic: str) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.subscribed = threading.Event()
        self.topic = topic
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(user, password)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(60)

    def _on_connect(self, *_: object) -> None:
        self.client.subscribe(self.topic, qos=1)

    def _on_message(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        self.received.append((message.topic, bytes(message.payload)))

    def _on_subscribe(self, *_: object) -> None:
        self.subscribed.set()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def publish(port: int, user: str, password: str, topic: str, payload: bytes) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, payload, qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def backend_password(broker: EmbeddedBroker) -> str:
    return broker.url().split(":")[2].split("@")[0]


def test_an_agent_reaches_the_backend_and_nobody_elses_topics(broker: EmbeddedBroker) -> None:
    assert broker.port is not None
    listener = Listener(broker.port, ACCOUNT, backend_password(broker), "stowage/v1/#")
    publish(broker.port, "dock", "open sesame", "stowage/v1/north/other/events", b"forged")
    publish(broker.port, "dock", "open sesame", "stowage/v1/north/dock/events", b"true")
    assert until(lambda: listener.received != [])
    assert listener.received == [("stowage/v1/north/dock/events", b"true")]
    listener.close()


def test_an_agent_cannot_listen_to_another_agent(broker: EmbeddedBroker) -> None:
    assert broker.port is not None
    listener = Listener(broker.port, "dock", "open sesame", "stowage/v1/#")
    publish(broker.port, ACCOUNT, backend_password(broker), "stowage/v1/north/other/ack", b"not yours")
    own = Listener(broker.port, "dock", "open sesame", "stowage/v1/north/dock/ack")
    publish(broker.port, ACCOUNT, backend_password(broker), "stowage/v1/north/dock/ack", b"yours")
    assert until(lambda: own.received != [])
    listener.subscribed.clear()
    listener.client.subscribe(
        "stowage/v1/north/dock/status", 1
    )  # what was on its way comes before the answer
    assert listener.subscribed.wait(60)
    assert listener.received in ([], [("stowage/v1/north/dock/ack", b"yours")])
    listener.close()
    own.close()


@pytest.mark.parametrize(
    ("user", "password"), [("dock", "wrong"), ("nobody", "x"), (None, None), ("dock", "")]
)
def test_a_wrong_account_is_refused(broker: EmbeddedBroker, user: str | None, password: str | None) -> None:
    assert broker.port is not None
    assert not can_log_in("127.0.0.1", broker.port, user, password)


def test_a_new_account_works_and_a_revoked_one_stops_without_a_restart(broker: EmbeddedBroker) -> None:
    assert broker.port is not None
    port, before = broker.port, broker.pid
    accounts = broker.access_dir / "agents.passwd"
    accounts.write_text(accounts.read_text() + f"bench:{password_hash('new')}\n")
    assert until(lambda: can_log_in("127.0.0.1", port, "bench", "new"))
    accounts.write_text(f"bench:{password_hash('new')}\n")
    assert until(lambda: not can_log_in("127.0.0.1", port, "dock", "open sesame"))
    assert broker.pid == before


def test_a_killed_broker_comes_back_at_the_same_address(broker: EmbeddedBroker) -> None:
    url = broker.url()
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    assert until(lambda: not broker.running())
    assert broker.start() == url
    assert broker.ready()


def test_the_address_is_the_same_at_the_next_run_and_another_when_it_is_taken(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "b", tmp_path / "a") as url:
        pass
    with EmbeddedBroker(tmp_path / "b", tmp_path / "a") as again:
        assert again == url
    with socket.socket() as taken:
        taken.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # the broker's last connections are still winding down
        taken.bind(("127.0.0.1", int(url.rpartition(":")[2])))
        taken.listen()
        with EmbeddedBroker(tmp_path / "b", tmp_path / "a") as other:
            assert other != url


def test_a_port_in_use_is_said_in_words(tmp_path: Path, broker: EmbeddedBroker) -> None:
    second = EmbeddedBroker(tmp_path / "second", tmp_path / "access", kind=broker.kind, port=broker.port)
    with pytest.raises(PartFailed, match="did not start"):
        second.start()
    assert not second.running()


def test_a_broker_that_is_asked_for_and_missing_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stowage.parts.broker.find_mosquitto", lambda: None)
    with pytest.raises(PartFailed, match="mosquitto is not installed"):
        EmbeddedBroker(tmp_path / "b", tmp_path / "a", kind="mosquitto").start()
    part = EmbeddedBroker(tmp_path / "b", tmp_path / "a")
    with part:
        assert part.describe().startswith("embedded amqtt on 127.0.0.1:")


def test_a_password_hash_matches_its_password_only() -> None:
    hashed = password_hash("open sesame")
    assert password_matches("open sesame", hashed)
    assert not password_matches("open sesam", hashed)
    for broken in ("", "$7$", "$7$x$y$z", "$6$101$AAAA$AAAA", "$7$101$*$*"):
        assert not password_matches("open sesame", broken)


@pytest.mark.parametrize(
    ("allowed", "asked", "yes"),
    [
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a/#", False),
        ("a/b", "a/+", False),
        ("a/b", "#", False),
        ("a/b", "a/b", True),
        ("a/b", "a", False),
    ],
)
def test_a_filter_covers_what_it_covers(allowed: str, asked: str, yes: bool) -> None:
    assert covers(allowed, asked) is yes
