"""What the devices screen shows and does."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend import receiving, shipping
from backend.db import Conn
from backend.ids import new_id
from backend.ingest import Publish, commit_batch
from edge.messages import DeviceStatus, FrameRejected, Weighed
from tests.backend.ingest.sender import Sender, measured, new_sender, passage
from tests.conftest import Api, Warehouse, build_warehouse


@pytest.fixture
def sender(conn: Conn, warehouse: Warehouse) -> Sender:
    return new_sender(conn, warehouse)


def test_the_tree_shows_who_is_alive(api: Api, conn: Conn, sender: Sender) -> None:
    door = DeviceStatus(
        device="door-1", kind="llrp_reader", state="online", readings_per_s=42.5, rejected_frames=2,
        clock_offset_s=-1.5, firmware="7.6.1", antennas={"1": "connected", "2": "disconnected"}, last_seen_at=datetime.now(UTC),
    )  # fmt: skip
    commit_batch(conn, [sender.status(door), sender.batch(measured("4.5"), device="cold-1")])
    (agent,) = api.get("/api/v1/agents").json()["items"]
    assert (agent["code"], agent["online"], agent["devices"], agent["events"]) == ("dock", True, 4, 1)
    found = {d["code"]: d for d in api.get("/api/v1/devices").json()["items"]}
    assert sorted(found) == ["cold-1", "door-1", "scale-1", "scanner-1"]
    shown = found["door-1"]
    assert (shown["state"], shown["readings_per_s"], shown["place"]) == ("online", 42.5, "DOCK-1")
    assert shown["read_rates"][-1] == 42.5
    assert shown["read_rates"][:20] == [None] * 20
    assert shown["antennas"] == {"1": "connected", "2": "disconnected"}
    assert found["scale-1"]["state"] == "unknown"
    (channel,) = found["cold-1"]["channels"]
    assert (channel["value"], channel["unit"], channel["low"], channel["high"]) == (4.5, "Cel", 2.0, 8.0)


def test_a_silent_agents_devices_are_unknown(api: Api, conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [sender.status(DeviceStatus(device="door-1", kind="llrp_reader", state="online"))])
    conn.execute("update agent_status set received_at = now() - interval '2 minutes'")
    assert {d["state"] for d in api.get("/api/v1/devices").json()["items"]} == {"unknown"}
    assert api.get("/api/v1/agents").json()["items"][0]["online"] is False


def test_devices_are_paged_without_loss(api: Api, sender: Sender) -> None:
    codes, cursor = [], None
    while True:
        page = api.get(
            "/api/v1/devices", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
        ).json()
        codes += [d["code"] for d in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert codes == ["cold-1", "door-1", "scale-1", "scanner-1"]


def test_a_device_is_given_its_door_and_its_limits(api: Api, warehouse: Warehouse, sender: Sender) -> None:
    made = api.post(
        "/api/v1/devices",
        json={
            "agent_id": str(sender.agent_id), "code": "door-2", "kind": "llrp_reader",
            "place_id": str(warehouse.places["DOCK-2"]), "purpose": "outbound",
        },
    )  # fmt: skip
    assert made.status_code == 201, made.text
    device = made.json()
    change = {
        "version": device["version"],
        "place_id": None,
        "limits": [{"channel": "temperature", "high": "-18"}],
    }
    changed = api.patch(f"/api/v1/devices/{device['id']}", json=change)
    assert (changed.json()["place"], changed.json()["purpose"]) == (None, "outbound")
    stale = api.patch(f"/api/v1/devices/{device['id']}", json=change)
    assert (stale.status_code, stale.json()["type"]) == (409, "/problems/changed-meanwhile")


@pytest.mark.parametrize(
    ("limit", "words"),
    [({"channel": "temperature"}, "needs a low or a high"), ({"channel": "t", "low": "9", "high": "2"}, "above the high"),
     ({"channel": "t", "low": "NaN"}, "finite")],
)  # fmt: skip
def test_a_limit_that_says_nothing_is_refused(
    api: Api, conn: Conn, sender: Sender, limit: dict[str, str], words: str
) -> None:
    ((device_id,),) = conn.execute("select id from device where code = 'cold-1'").fetchall()
    answer = api.patch(f"/api/v1/devices/{device_id}", json={"version": 1, "limits": [limit]})
    assert answer.status_code == 422
    assert words in answer.text


def test_places_and_devices_of_another_site_are_not_ours(api: Api, conn: Conn, sender: Sender) -> None:
    other = build_warehouse(conn, "TRE1")
    ((device_id,),) = conn.execute("select id from device where code = 'door-1'").fetchall()
    site = {"site_id": str(other.site_id)}
    assert api.get(f"/api/v1/devices/{device_id}", params=site).status_code == 404
    assert api.get("/api/v1/devices", params=site).json()["items"] == []
    site = {"site_id": str(conn.execute("select site_id from device limit 1").fetchall()[0][0])}
    body = {"version": 1, "place_id": str(other.places["DOCK-1"])}
    assert api.patch(f"/api/v1/devices/{device_id}", params=site, json=body).status_code == 422


def test_the_bench_shows_the_last_stable_weight(api: Api, conn: Conn, sender: Sender) -> None:
    before = api.get("/api/v1/bench-scale/scale-1/weight").json()
    assert before["weight_g"] is None
    commit_batch(
        conn, [sender.batch(*(Weighed(weight_g=Decimal(w)) for w in ("100", "812.50")), device="scale-1")]
    )
    shown = api.get("/api/v1/bench-scale/scale-1/weight").json()
    assert (shown["weight_g"], shown["age_s"] < 60) == ("812.5", True)
    assert api.get(f"/api/v1/bench-scale/{shown['device_id']}/weight").json()["weight_g"] == "812.5"
    assert api.get("/api/v1/bench-scale/nothing/weight").status_code == 404


def test_a_devices_page_has_its_evidence(api: Api, conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [sender.batch(FrameRejected(reason="checksum", frame_hex="00ff"))])
    ((device_id,),) = conn.execute("select id from device where code = 'door-1'").fetchall()
    (event,) = api.get(f"/api/v1/devices/{device_id}").json()["events"]
    assert (event["type"], event["data"]["frame_hex"]) == ("frame_rejected", "00ff")


def test_a_dead_letter_is_read_and_discarded(api: Api, conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [Publish(sender.topic("events"), b"\x00\xffnot json")])
    (letter,) = api.get("/api/v1/dead-letters", params={"state": "open"}).json()["items"]
    assert (letter["kind"], letter["payload_hex"][:4]) == ("unreadable", "00ff")
    assert letter["payload_text"] == "\ufffd\ufffdnot json"
    done = api.post(f"/api/v1/dead-letters/{letter['id']}/discard").json()
    assert (done["state"], done["settled_by"]) == ("discarded", "user:admin")
    assert api.post(f"/api/v1/dead-letters/{letter['id']}/retry").status_code == 409
    assert api.get("/api/v1/dead-letters", params={"state": "open"}).json()["items"] == []


def test_a_portal_without_a_door_waits_until_it_has_one(
    api: Api, conn: Conn, warehouse: Warehouse, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (receiving, shipping):
        monkeypatch.setattr(module, "on_tags_passed", lambda *_: None)
    conn.execute("update device set place_id = null where code = 'door-1'")
    p = sender.batch(passage())
    assert commit_batch(conn, [p]).acks == [sender.ack(1)]
    (letter,) = api.get("/api/v1/dead-letters").json()["items"]
    assert (letter["kind"], letter["device"], letter["agent"]) == ("no_place", "door-1", "dock")
    url = f"/api/v1/dead-letters/{letter['id']}/retry"
    assert (api.post(url).json()["state"], api.post(url).json()["times"]) == ("open", 3)
    conn.execute("update device set place_id = %s where code = 'door-1'", [warehouse.places["DOCK-1"]])
    assert api.post(url).json()["state"] == "retried"
    assert conn.execute("select count(*) from device_event").fetchall() == [(1,)]


def test_letters_of_a_site_that_does_not_exist_are_for_those_who_see_all_sites(
    api: Api, conn: Conn, warehouse: Warehouse, sender: Sender
) -> None:
    commit_batch(conn, [Publish("stowage/v1/NOWHERE/x/events", b"{}")])
    assert len(api.get("/api/v1/dead-letters").json()["items"]) == 1
    api.as_user(conn, "local", ["integrator"], warehouse.site_id)
    assert api.get("/api/v1/dead-letters").json()["items"] == []


def test_metrics_tell_what_the_database_knows(api: Api, conn: Conn, sender: Sender) -> None:
    status = sender.status(DeviceStatus(device="door-1", kind="llrp_reader", state="online"))
    commit_batch(
        conn, [status, sender.batch(passage(), device="nobody"), Publish(sender.topic("events"), b"x")]
    )
    page = api.get("/metrics")
    assert page.status_code == 200
    assert 'stowage_agent_online{agent="dock",site="HEL1"} 1.0' in page.text
    assert 'stowage_ingest_events_total{agent="dock",site="HEL1"} 1.0' in page.text
    assert 'stowage_dead_letters_open{kind="unreadable"} 1.0' in page.text
    assert "process_resident_memory_bytes" in page.text


def test_no_id_of_nothing_answers_otherwise_than_not_found(api: Api) -> None:
    for method, path in (("get", "devices/{}"), ("get", "dead-letters/{}"), ("post", "dead-letters/{}/discard"),
                         ("post", "agents/{}/revoke"), ("post", "alerts/{}/acknowledge")):  # fmt: skip
        answer = getattr(api, method)(f"/api/v1/{path.format(new_id())}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
