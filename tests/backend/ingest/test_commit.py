"""One batch, one transaction: what is taken, what is taken once, what becomes a dead letter."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from backend import devices, receiving, shipping
from backend.db import Conn
from backend.errors import Conflict
from backend.ingest import Publish, commit_batch, handlers
from backend.ingest.commit import retry
from backend.telemetry import open_alert
from edge import messages
from edge.messages import (
    BarcodeScanned,
    DeviceStateChanged,
    DeviceStatus,
    EventsLost,
    FrameRejected,
    IngressEvent,
    Weighed,
)
from tests.backend.ingest.sender import (
    EPC,
    Sender,
    measured,
    new_sender,
    passage,
    sightings,
    with_event_field,
)
from tests.conftest import Warehouse


@pytest.fixture
def sender(conn: Conn, warehouse: Warehouse) -> Sender:
    return new_sender(conn, warehouse)


@pytest.fixture(autouse=True)
def _only_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about ingest; what passages and scans do to the stock is tested with the slices."""
    for module in (receiving, shipping):
        monkeypatch.setattr(module, "on_tags_passed", lambda *_: None)
    for event in ("barcode_scanned", "weighed"):
        monkeypatch.setitem(handlers.HANDLERS, event, lambda *_: None)


def rows(conn: Conn, query: str) -> list[Any]:
    return conn.execute(query.encode()).fetchall()


def count(conn: Conn, table: str) -> int:
    return int(rows(conn, f"select count(*) from {table}")[0][0])


def letters(conn: Conn) -> list[tuple[str, str]]:
    return [tuple(r) for r in rows(conn, "select kind, state from dead_letter order by id")]


def test_events_become_evidence_and_are_acknowledged_after_the_commit(conn: Conn, sender: Sender) -> None:
    out = commit_batch(conn, [sender.batch(passage(), Weighed(weight_g=Decimal("812.5")))])
    assert out.acks == [sender.ack(2)]
    kept = rows(conn, "select type, seq, correlation_id <> '' from device_event order by seq")
    assert kept == [("tags_passed", 1, True), ("weighed", 2, True)]
    data = rows(conn, "select data from device_event where type = 'tags_passed'")[0][0]
    assert data["tags"][0]["epc"] == EPC


def test_the_same_batch_twice_is_one_and_is_acknowledged_twice(conn: Conn, sender: Sender) -> None:
    p = sender.batch(passage(), sightings(4), measured("4.1"))
    first, second = commit_batch(conn, [p]), commit_batch(conn, [p])
    assert first.acks == second.acks == [sender.ack(3)]
    assert (first.events, second.events, second.duplicates) == (3, 0, 3)
    assert (count(conn, "device_event"), count(conn, "observation"), count(conn, "sensor_value")) == (1, 4, 1)


def test_the_same_batch_twice_in_one_transaction_is_one(conn: Conn, sender: Sender) -> None:
    p = sender.batch(passage())
    assert commit_batch(conn, [p, p]).acks == [sender.ack(1)]
    assert count(conn, "device_event") == 1


def test_only_what_has_no_gap_before_it_is_acknowledged(conn: Conn, sender: Sender) -> None:
    first, second, third = (sender.batch(passage()) for _ in range(3))
    assert commit_batch(conn, [third]).acks == []
    assert commit_batch(conn, [first]).acks == [sender.ack(1)]
    assert commit_batch(conn, [third]).acks == [sender.ack(1)]
    assert commit_batch(conn, [second]).acks == [sender.ack(3)]
    assert count(conn, "device_event") == 3


def test_a_number_that_never_comes_is_declared_lost_after_a_while_and_loudly(
    conn: Conn, sender: Sender
) -> None:
    commit_batch(conn, [sender.batch(passage())])
    missing = sender.batch(passage())
    behind = sender.batch(passage())
    now = datetime.now(UTC)
    for _ in range(5):
        assert commit_batch(conn, [behind], now).acks == [sender.ack(1)]  # resending alone proves nothing
    assert commit_batch(conn, [behind], now + timedelta(seconds=90)).acks == [sender.ack(3)]
    assert rows(conn, "select kind, data ->> 'count' from alert") == [("events_lost", "1")]
    commit_batch(conn, [missing], now + timedelta(seconds=91))  # it comes after all: taken, once
    commit_batch(conn, [missing], now + timedelta(seconds=92))
    assert count(conn, "device_event") == 3


def test_an_epoch_has_its_own_numbers(conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [sender.batch(passage())])
    sender.epoch, sender.seq = "ab" * 8, 0
    assert commit_batch(conn, [sender.batch(passage())]).acks == [sender.ack(1)]
    assert count(conn, "device_event") == 2


def test_a_poisonous_event_is_kept_aside_and_the_rest_flows_on(conn: Conn, sender: Sender) -> None:
    events = [sender.event(passage()) for _ in range(3)]
    broken = msgspec.structs.replace(events[1], data=msgspec.Raw(b'{"portal": 7}'))
    out = commit_batch(conn, [sender.publish([events[0], broken, events[2]])])
    assert out.acks == [sender.ack(3)]
    assert [r[0] for r in rows(conn, "select seq from device_event order by seq")] == [1, 3]
    ((kind, reason, payload, alone, device),) = rows(
        conn, "select kind, reason, payload, alone, device from dead_letter"
    )
    assert (kind, alone, device) == ("unreadable", True, "door-1")
    assert "portal" in reason
    assert json.loads(bytes(payload))["events"][0]["seq"] == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [("type", "tags_dreamt"), ("device", "no such/device"), ("occurred_at", "yesterday"), ("data", None), ("correlation_id", 5)],
)  # fmt: skip
def test_one_event_with_a_broken_field_does_not_hold_its_batch(
    conn: Conn, sender: Sender, field: str, value: object
) -> None:
    p = with_event_field(sender.batch(passage(), passage()), **{field: value})
    assert commit_batch(conn, [p]).acks == [sender.ack(2)]
    assert (count(conn, "device_event"), letters(conn)) == (1, [("unreadable", "open")])


def test_an_event_without_a_readable_number_does_not_hold_the_others(conn: Conn, sender: Sender) -> None:
    p = with_event_field(sender.batch(passage(), passage()), seq="one")
    assert commit_batch(conn, [p]).acks == []
    assert (count(conn, "device_event"), letters(conn)) == (1, [("unreadable", "open")])


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"null", b"[]", b'{"v":1}', b'{"v":"1"}', b"\xff\xfe\x00", b'{"v":1,"site":"HEL1","agent":"dock"}'],
)  # fmt: skip
def test_a_message_that_is_none_is_kept_with_its_bytes(conn: Conn, sender: Sender, payload: bytes) -> None:
    out = commit_batch(conn, [Publish(sender.topic("events"), payload), sender.batch(passage())])
    assert out.acks == [sender.ack(1)]
    assert letters(conn) == [("unreadable", "open")]
    assert bytes(rows(conn, "select payload from dead_letter")[0][0]) == payload


def test_a_newer_version_waits_as_a_dead_letter_and_is_not_acknowledged(conn: Conn, sender: Sender) -> None:
    newer = sender.publish([sender.event(passage())], v=2)
    assert commit_batch(conn, [newer]).acks == []
    assert letters(conn) == [("newer_version", "open")]
    commit_batch(conn, [newer])
    assert rows(conn, "select times from dead_letter") == [(2,)]


@pytest.mark.parametrize(
    ("topic", "kind"),
    [("stowage/v1/NOWHERE/dock/events", "unknown_site"), ("stowage/v1/HEL1/stranger/events", "unknown_agent")],
)  # fmt: skip
def test_strangers_become_dead_letters(conn: Conn, sender: Sender, topic: str, kind: str) -> None:
    p = sender.batch(passage())
    assert commit_batch(conn, [Publish(topic, p.payload)]).acks == []
    assert letters(conn) == [(kind, "open")]
    assert commit_batch(conn, [p]).acks == [sender.ack(1)]


def test_an_agent_cannot_speak_for_another(conn: Conn, warehouse: Warehouse, sender: Sender) -> None:
    other = new_sender(conn, warehouse, "other")
    commit_batch(conn, [Publish(other.topic("events"), sender.batch(passage()).payload)])
    assert (letters(conn), count(conn, "device_event")) == ([("wrong_sender", "open")], 0)


def test_a_revoked_agent_is_not_heard(conn: Conn, warehouse: Warehouse, sender: Sender) -> None:
    with conn.transaction():
        devices.revoke_agent(conn, warehouse.ctx(), sender.agent_id)
    assert commit_batch(conn, [sender.batch(passage())]).acks == []
    assert (letters(conn), count(conn, "device_event")) == ([("revoked", "open")], 0)


def test_an_agent_that_is_not_enrolled_is_not_heard(conn: Conn, warehouse: Warehouse) -> None:
    with conn.transaction():
        created = devices.create_agent(conn, warehouse.ctx(), "new")
    early = Sender(warehouse.code, "new", created.id, "")
    commit_batch(conn, [early.batch(passage())])
    assert letters(conn) == [("unknown_agent", "open")]


def test_a_message_above_the_limit_is_refused(conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [Publish(sender.topic("events"), b" " * (messages.MAX_MESSAGE_BYTES + 1))])
    assert letters(conn) == [("too_large", "open")]


def test_a_topic_keeps_a_bounded_number_of_letters(
    conn: Conn, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.devices.dead_letters.MOST_PER_TOPIC", 5)
    for n in range(9):
        commit_batch(conn, [Publish(sender.topic("events"), b"broken %d" % n)])
    assert rows(conn, "select count(*), sum(times) from dead_letter") == [(5, 9)]


def test_events_that_overtake_the_status_of_their_device_are_taken_when_it_comes(
    conn: Conn, sender: Sender
) -> None:
    p = sender.batch(sightings(2), FrameRejected(reason="checksum", frame_hex="00ff"), device="door-9")
    assert commit_batch(conn, [p]).acks == [sender.ack(2)]
    assert letters(conn) == [("unknown_device", "open")] * 2
    commit_batch(conn, [sender.status(DeviceStatus(device="door-9", kind="llrp_reader", state="online"))])
    assert letters(conn) == [("unknown_device", "retried")] * 2
    assert (count(conn, "observation"), count(conn, "device_event")) == (2, 1)


def test_a_clock_in_the_year_2000_does_not_spoil_the_time(conn: Conn, sender: Sender) -> None:
    old = datetime(2000, 1, 1, 0, 3, tzinfo=UTC)
    events = [
        sender.event(passage(), occurred_at=old, device_at="2000-01-01T00:03:00Z"),
        sender.event(measured("4.0"), "cold-1", occurred_at=old),
        sender.event(sightings(1), occurred_at=old),
    ]
    commit_batch(conn, [sender.publish(events)])
    ((occurred_at, device_at),) = rows(conn, "select occurred_at, device_at from device_event")
    assert abs(occurred_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert device_at == "2000-01-01T00:03:00Z"
    recent = "at > now() - interval '1 minute'"
    assert count(conn, f"sensor_value where {recent}") == count(conn, f"observation where {recent}") == 1
    assert rows(conn, "select distinct kind from alert") == [("device_clock",)]


def test_a_handler_that_refuses_leaves_nothing_behind_but_its_letter(
    conn: Conn, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(conn: Conn, ctx: Any, device: Any, event: Any, data: Any) -> None:
        open_alert(conn, ctx, "scanned", str(event.seq), "A trace that must go when the handler refuses.")
        if data.text == "bad":
            raise Conflict("This carton is closed.")
        if data.text == "worse":
            conn.execute("select 1 / 0")

    monkeypatch.setitem(handlers.HANDLERS, "barcode_scanned", refuses)
    texts = ("good", "bad", "worse", "good")
    out = commit_batch(conn, [sender.batch(*(BarcodeScanned(text=t) for t in texts), device="scanner-1")])
    assert out.acks == [sender.ack(4)]
    assert [r[0] for r in rows(conn, "select seq from device_event order by seq")] == [1, 4]
    assert [r[0] for r in rows(conn, "select subject from alert order by subject")] == ["1", "4"]
    reasons = [
        r[0] for r in rows(conn, "select reason from dead_letter where kind = 'handler_failed' order by id")
    ]
    assert reasons[0] == "This carton is closed."
    assert "division by zero" in reasons[1]


def test_a_dead_letter_is_taken_when_its_cause_is_gone_and_only_once(
    conn: Conn, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = True
    handled: list[str] = []

    def on_scan(conn: Conn, ctx: Any, device: Any, event: Any, data: Any) -> None:
        if closed:
            raise Conflict("This carton is closed.")
        handled.append(data.text)

    monkeypatch.setitem(handlers.HANDLERS, "barcode_scanned", on_scan)
    p = sender.batch(BarcodeScanned(text="A"), device="scanner-1")
    commit_batch(conn, [p])
    ((letter,),) = rows(conn, "select id from dead_letter")
    with conn.transaction():
        refused = retry(conn, letter, datetime.now(UTC))
    assert refused is not None
    assert refused.reason == "This carton is closed."
    closed = False
    for _ in range(2):
        with conn.transaction():
            assert retry(conn, letter, datetime.now(UTC)) is None
    commit_batch(conn, [p])
    assert handled == ["A"]


def test_a_whole_message_is_taken_when_its_sender_is_known_and_only_once(
    conn: Conn, warehouse: Warehouse
) -> None:
    late = Sender(warehouse.code, "late", warehouse.site_id, "")
    p = late.batch(passage())
    commit_batch(conn, [p])
    ((letter,),) = rows(conn, "select id from dead_letter")
    new_sender(conn, warehouse, "late")
    for _ in range(2):
        with conn.transaction():
            assert retry(conn, letter, datetime.now(UTC)) is None
    assert commit_batch(conn, [p]).acks == [late.ack(1)]
    assert count(conn, "device_event") == 1


def test_a_lost_event_is_an_alert_with_a_growing_count(conn: Conn, sender: Sender) -> None:
    lost = EventsLost(count=7, reason="spool full")
    commit_batch(conn, [sender.batch(lost, lost, device="spool")])
    assert rows(conn, "select kind, severity, data ->> 'count', state from alert") == [
        ("events_lost", "critical", "14", "open")
    ]


def test_a_device_says_how_it_is(conn: Conn, sender: Sender) -> None:
    commit_batch(
        conn, [sender.batch(DeviceStateChanged(state="fault", detail="antenna 2 is off", firmware="7.1"))]
    )
    assert rows(
        conn,
        "select state, detail, firmware from device_status s join device d on d.id = s.device_id where code = 'door-1'",
    ) == [("fault", "antenna 2 is off", "7.1")]


def test_a_last_will_turns_the_agent_offline(conn: Conn, sender: Sender) -> None:
    online = sender.status(
        DeviceStatus(device="door-1", kind="llrp_reader", state="online", readings_per_s=12.5)
    )
    commit_batch(conn, [online])
    assert rows(conn, "select online, epoch from agent_status") == [(True, sender.epoch)]
    commit_batch(conn, [sender.status(state="offline")])
    assert rows(conn, "select online, epoch from agent_status") == [(False, sender.epoch)]


def test_an_old_status_that_the_broker_kept_makes_nobody_alive(conn: Conn, sender: Sender) -> None:
    p = replace(sender.status(), retained=True)
    commit_batch(conn, [p], datetime.now(UTC) + timedelta(hours=1))
    assert rows(conn, "select received_at < now() + interval '1 minute' from agent_status") == [(True,)]


@pytest.fixture
def ingress(sender: Sender) -> Any:
    def make(event_id: str | None = None, weight: str = "100") -> Publish:
        data = messages.encode_data(Weighed(weight_g=Decimal(weight)))
        message = IngressEvent(
            v=1, device="scale-1", type="weighed", occurred_at=datetime.now(UTC), event_id=event_id, data=data
        )
        return Publish(sender.topic("ingress"), messages.encode(message))

    return make


def test_a_publisher_without_a_sequence_is_taken_once_by_its_event_id(conn: Conn, ingress: Any) -> None:
    for p in (ingress("a"), ingress("a"), ingress("b")):
        assert commit_batch(conn, [p]).acks == []
    assert rows(conn, "select count(*), min(epoch) from device_event") == [(2, "ingress")]


def test_a_publisher_without_any_identity_is_taken_once_by_its_bytes(conn: Conn, ingress: Any) -> None:
    p = ingress()
    for _ in range(3):
        commit_batch(conn, [p])
    commit_batch(conn, [ingress(weight="101")])
    assert count(conn, "device_event") == 2


def test_an_unknown_tag_that_a_reader_sees_is_kept_to_be_claimed(conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [sender.batch(sightings(1))])
    assert rows(conn, "select epc, reads from unknown_tag") == [(f"{EPC[:16]}00000000", 3)]
