"""Alerts, series and observations over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.db import Conn
from backend.ingest import commit_batch
from backend.telemetry import open_alert
from edge.messages import EventsLost
from tests.backend.ingest.sender import EPC, Sender, measured, new_sender, sightings
from tests.conftest import Api, Warehouse, build_warehouse


@pytest.fixture
def sender(conn: Conn, warehouse: Warehouse) -> Sender:
    return new_sender(conn, warehouse)


def device_id(conn: Conn, code: str = "cold-1") -> str:
    return str(conn.execute("select id from device where code = %s", [code]).fetchall()[0][0])


def test_a_chart_gets_its_points_its_limits_and_its_gaps(api: Api, conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [sender.batch(measured("4.25"), device="cold-1")])
    answer = api.get(
        "/api/v1/sensor-series",
        params={"device_id": device_id(conn), "channel": "temperature", "bucket": "5m"},
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["unit"], body["low"], body["high"], body["bucket_s"]) == ("Cel", 2.0, 8.0, 300)
    measured_points = [p for p in body["points"] if p["samples"]]
    assert [(p["average"], p["minimum"], p["maximum"]) for p in measured_points] == [(4.25, 4.25, 4.25)]
    assert len(body["points"]) in (288, 289)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"channel": "Bad Channel"}, "channel"),
        ({"bucket": "7m"}, "bucket"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"from": "0001-01-01T00:00:00Z"}, "from"),
        ({"to": "9999-12-31T23:59:59Z"}, "to"),
        ({"bucket": "10s"}, "bucket"),
        ({"device_id": "00000000-0000-7000-8000-000000000000"}, "device_id"),
    ],
)
def test_a_wrong_question_is_answered_in_words(
    api: Api, conn: Conn, sender: Sender, params: dict[str, Any], field: str
) -> None:
    asked = {"device_id": device_id(conn), "channel": "temperature", **params}
    answer = api.get("/api/v1/sensor-series", params=asked)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_observations_page_by_cursor(api: Api, conn: Conn, sender: Sender) -> None:
    commit_batch(conn, [sender.batch(sightings(5))])
    first = api.get("/api/v1/observations", params={"limit": 3}).json()
    second = api.get("/api/v1/observations", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert len({o["epc"] for o in first["items"] + second["items"]}) == 5
    assert second["next_cursor"] is None
    one = api.get("/api/v1/observations", params={"epc": f"{EPC[:16]}00000002"}).json()["items"]
    assert [(o["device"], o["place"]) for o in one] == [("door-1", "DOCK-1")]
    assert api.get("/api/v1/observations", params={"cursor": "bm9uc2Vuc2U"}).status_code == 422


def test_an_alert_is_acknowledged_by_name_and_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    with conn.transaction():
        alert_id = open_alert(conn, warehouse.ctx(), "out_of_range", "x", "Too warm.")
    done = api.post(f"/api/v1/alerts/{alert_id}/acknowledge").json()
    assert (done["state"], done["acknowledged_by"]) == ("acknowledged", "user:admin")
    api.as_user(conn, "wilma", ["worker"])
    assert api.post(f"/api/v1/alerts/{alert_id}/acknowledge").json()["acknowledged_by"] == "user:admin"
    assert api.get("/api/v1/alerts", params={"state": "open"}).json()["items"] == []


def test_a_loss_is_closed_by_the_person_who_saw_it(api: Api, conn: Conn, sender: Sender) -> None:
    lost = EventsLost(count=3, reason="spool full")
    commit_batch(conn, [sender.batch(lost, device="spool")])
    (alert,) = api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]
    assert (alert["kind"], alert["severity"]) == ("events_lost", "critical")
    assert api.post(f"/api/v1/alerts/{alert['id']}/acknowledge").json()["state"] == "closed"
    assert api.post(f"/api/v1/alerts/{alert['id']}/acknowledge").status_code == 409
    commit_batch(conn, [sender.batch(lost, device="spool")])
    assert len(api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]) == 1


def test_another_sites_alerts_and_series_are_not_ours(
    api: Api, conn: Conn, sender: Sender, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    with conn.transaction():
        alert_id = open_alert(conn, warehouse.ctx(), "out_of_range", "x", "Too warm.")
    site = {"site_id": str(other.site_id)}
    assert api.get("/api/v1/alerts", params=site).json()["items"] == []
    assert api.post(f"/api/v1/alerts/{alert_id}/acknowledge", params=site).status_code == 404
    asked = {**site, "device_id": device_id(conn), "channel": "temperature"}
    assert api.get("/api/v1/sensor-series", params=asked).status_code == 422


def test_alerts_page_newest_first(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    for n in range(5):
        with conn.transaction():
            open_alert(conn, warehouse.ctx(), "out_of_range", str(n), f"Alert {n}.")
    first = api.get("/api/v1/alerts", params={"limit": 3}).json()
    second = api.get("/api/v1/alerts", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [a["subject"] for a in first["items"] + second["items"]] == ["4", "3", "2", "1", "0"]
    assert datetime.fromisoformat(first["items"][0]["opened_at"]) > datetime.now(UTC) - timedelta(minutes=1)
