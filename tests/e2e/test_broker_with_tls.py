"""A broker with a certificate of the house: agent, ingest, worker and doctor reach it by the same notation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from backend import ingest
from backend.db import Conn
from backend.devices import commands
from edge.broker import Broker
from edge.messages import AgentStatus, BarcodeScanned
from edge.spool import NewEvent, Spool
from edge.uplink import Uplink, UplinkSettings
from stowage.config import Settings, SettingsInvalid, load
from stowage.doctor import Finding, examine
from tests.backend.ingest.sender import new_sender
from tests.certificate import self_signed
from tests.conftest import Warehouse, missing
from tests.edge.brokers import RunningBroker, find_mosquitto, wait_for


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    if find_mosquitto() is None:
        missing("mosquitto", "apt-get install mosquitto")
    certificate, key = self_signed(tmp_path, "IP:127.0.0.1")
    running = RunningBroker(
        "mosquitto", tmp_path, f"certfile {certificate}\nkeyfile {key}\nallow_anonymous true"
    )
    running.start()
    yield running
    running.kill()


@pytest.fixture
def url(broker: RunningBroker, tmp_path: Path) -> str:
    return f"mqtts://127.0.0.1:{broker.port}?ca_file={tmp_path / 'IP:127.0.0.1.pem'}"


def doctor(url: str) -> Finding:
    return next(f for f in examine(Settings(mqtt_url=url), only=["broker"]) if f.name == "broker")


def test_an_event_goes_up_and_a_command_comes_down_encrypted(
    conn: Conn, warehouse: Warehouse, database_url: str, url: str, tmp_path: Path
) -> None:
    sender = new_sender(conn, warehouse)
    spool = Spool(tmp_path / "spool.db")
    spool.open()
    stop = threading.Event()
    heard: list[str] = []
    uplink = Uplink(
        sender.site, sender.agent, Broker.from_url(url), spool,
        status=lambda: AgentStatus(v=1, state="online", at=datetime.now(UTC), epoch=spool.epoch),
        on_command=lambda command: heard.append(command.command), settings=UplinkSettings(resend_s=1.0),
    )  # fmt: skip
    threads = [
        threading.Thread(target=uplink.run, args=(stop,)),
        threading.Thread(target=ingest.run, args=(database_url, url, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        spool.append([
            NewEvent(device="scanner-1", data=BarcodeScanned(text="A"), occurred_at=datetime.now(UTC))
        ])  # fmt: skip
        uplink.wake()
        wait_for(lambda: spool.depth == 0, "the spool is released", 60)
        assert conn.execute("select data ->> 'text' from device_event").fetchall() == [("A",)]
        message = '{"v":1,"id":"1","device":"scanner-1","command":"report_status","expires_at":"2999-01-01T00:00:00Z"}'
        commands.publish(url, sender.topic("commands"), message.encode())
        wait_for(lambda: heard == ["report_status"], "the command", 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        spool.close()
    assert not any(thread.is_alive() for thread in threads)
    assert doctor(url).mark == "ok  "


def test_a_certificate_that_nobody_vouches_for_is_refused_and_the_sentence_says_what_to_do(
    url: str, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = url.partition("?")[0]
    found = doctor(unknown)
    assert found.mark == "FAIL"
    assert "not trusted (self-signed certificate)" in found.text
    assert "?ca_file=" in found.text
    elsewhere, _ = self_signed(tmp_path, "DNS:elsewhere")
    assert "not trusted" in doctor(f"{unknown}?ca_file={elsewhere}").text
    with pytest.raises(OSError, match="certificate verify failed"):
        commands.publish(unknown, "stowage/v1/a/b/commands", b"{}")
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(database_url, unknown, stop))
    thread.start()
    said = ""

    def is_said() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "broker_unreachable" in said

    try:
        wait_for(is_said, "ingest says it", 60)
    finally:
        stop.set()
        thread.join(30)
    assert "certificate verify failed" in said


def test_a_name_that_is_not_in_the_certificate_is_refused(url: str) -> None:
    assert "not trusted (Hostname mismatch" in doctor(url.replace("127.0.0.1", "localhost", 1)).text


def test_a_client_that_speaks_plainly_to_it_is_no_wrong_password(url: str) -> None:
    found = doctor("mqtt" + url.removeprefix("mqtts").partition("?")[0])
    assert found.mark == "FAIL"
    assert "refuses the account" not in found.text


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mqtts://broker:8883?ca_file={folder}/gone.pem", "No such file or directory"),
        ("mqtts://broker:8883?ca_file={folder}/empty.pem", "holds no certificate"),
        ("mqtt://broker?ca_file={folder}/empty.pem", "is for mqtts:// only"),
        ("mqtts://broker?cafile=x", "knows ca_file, not cafile"),
        ("mqtts://broker:port", "looks like mqtt://host:1883"),
        ("broker:1883", "looks like mqtt://host:1883"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_at_the_start(
    address: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(SettingsInvalid, match=sentence):
        load({"STOWAGE_MQTT_URL": address.format(folder=tmp_path)}, tmp_path)


def test_what_others_are_told_of_the_address_holds_no_secret_and_no_file(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path, "DNS:broker")
    there = Broker.from_url(f"mqtts://me:s%40cret@broker?ca_file={certificate}")
    assert (there.username, there.password, there.ca_file) == ("me", "s@cret", certificate)
    assert there.public_url == "mqtts://broker:8883"
    assert Broker.from_url("mqtt://[::1]").public_url == "mqtt://[::1]:1883"
    assert isinstance(there.client("x"), mqtt.Client)
