"""The road over HTTP: a driver's whole day, what a phone sends twice or late, whose routes are whose, and the customer's link."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.db import Conn
from backend.dispatch import driver_routes, tracking
from backend.dispatch.proof import clean_signature
from backend.errors import Invalid
from backend.ids import new_id
from tests.backend.dispatch.day import ZONE
from tests.backend.dispatch.road import (
    AGENT,
    DEPOT,
    GPS,
    Customer,
    Drive,
    books_are_right,
    drive,
    in_place,
    metres_north,
    stocked,
    told,
)
from tests.conftest import Api, Warehouse

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
SIGNATURE = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 300 100" width="300" height="100">
<script>alert(1)</script><path d="M 10,10 C 20,20 30,5 40,40" stroke="black" onclick="alert(2)"/><circle r="1.5" cx="50" cy="60" fill="black"/>
<image xlink:href="https://elsewhere.example/x.png"/></svg>"""
MINUTE = timedelta(minutes=1)


@pytest.fixture
def d(conn: Conn, warehouse: Warehouse) -> Drive:
    stocked(conn, warehouse)
    return drive(
        conn,
        warehouse,
        Customer("Aino Aalto", cartons=2),
        Customer("Bo Berg"),
        now=datetime.now(UTC) - timedelta(hours=1),
    )


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def as_driver(api: Api, d: Drive, name: str = "dave") -> Api:
    return api.as_user(d.conn, name, ["driver"], d.w.site_id)


def test_a_driver_s_whole_day_over_the_api(api: Api, d: Drive) -> None:
    as_driver(api, d)
    began = d.starts_at.astimezone(ZONE).date()  # an hour ago: yesterday, soon after midnight
    (mine,) = ok(api.get("/api/v1/driver/routes", params={"day": str(began)}))["items"]
    assert (mine["id"], mine["state"], mine["cartons"], mine["loaded"]) == (str(d.route_id), "released", 3, 0)
    assert [s["job"]["customer_name"] for s in mine["stops"]] == ["Aino Aalto", "Bo Berg"]
    m = ok(api.get(f"/api/v1/delivery-routes/{d.route_id}/manifest"))
    refused = api.post(f"/api/v1/delivery-routes/{d.route_id}/depart", json={})
    assert (refused.status_code, len(refused.json()["not_loaded"])) == (409, 3)
    for c in m["cartons"]:
        m = ok(
            api.post(f"/api/v1/delivery-routes/{d.route_id}/load", json={"code": c["sscc"], "door": "DOCK-2"})
        )
    assert (m["complete"], m["next_sscc"]) == (True, None)
    route = ok(api.post(f"/api/v1/delivery-routes/{d.route_id}/depart", json={}))
    assert (route["state"], route["next_stop_id"]) == ("under_way", str(d.stops["Aino Aalto"]))
    ok(api.post(f"/api/v1/delivery-stops/{d.stops['Aino Aalto']}/arrive", json={"lat": 60.2, "lon": 24.9}))
    tea = str(d.w.items["TEA-250"])
    made = ok(
        api.post(
            f"/api/v1/delivery-stops/{d.stops['Aino Aalto']}/deliver",
            json={
                "receiver_name": "Aino",
                "signature_svg": SIGNATURE,
                "photo": {"type": "image/png", "base64": base64.b64encode(PNG).decode()},
                "lines": [
                    {"sscc": d.sscc("Aino Aalto"), "delivered": "all"},
                    {
                        "sscc": d.sscc("Aino Aalto", 1),
                        "delivered": [{"item_id": tea, "quantity": "1"}],
                        "reason": "one is enough",
                    },
                ],
                "scanned": [d.sscc("Aino Aalto")],
            },
        ),
        201,
    )
    assert (made["outcome"], [x["delivered"] for x in made["lines"]]) == ("partly_delivered", ["4", "1"])
    assert [x for x in ("script", "onclick", "example", "image") if x in made["signature_svg"]] == []
    assert made["signature_svg"].count("<path") == 2
    picture = api.get(f"/api/v1/delivery-proofs/{made['id']}/photo")
    assert (picture.content, picture.headers["content-type"], picture.headers["x-content-type-options"]) == (
        PNG,
        "image/png",
        "nosniff",
    )
    ok(
        api.post(
            f"/api/v1/delivery-stops/{d.stops['Bo Berg']}/fail",
            json={"outcome": "nobody_there", "reason": "dark"},
        ),
        201,
    )
    route = ok(api.get(f"/api/v1/driver/routes/{d.route_id}"))
    assert sorted((c["sscc"], c["outcome"]) for c in route["to_unload"]) == sorted(
        [(d.sscc("Aino Aalto", 1), "partly_delivered"), (d.sscc("Bo Berg"), "nobody_there")]
    )
    assert [c["where"] for c in route["stops"][0]["job"]["cartons"]] == ["delivered", "partly_delivered"]
    assert api.post(f"/api/v1/delivery-routes/{d.route_id}/finish", json={}).status_code == 409
    back = ok(
        api.post(f"/api/v1/delivery-routes/{d.route_id}/unload", json={"code": d.sscc("Aino Aalto", 1)})
    )
    assert (back["place_code"], back["next_job_id"]) == ("QUAR", None)
    back = ok(api.post(f"/api/v1/delivery-routes/{d.route_id}/unload", json={"code": d.sscc("Bo Berg")}))
    assert back["place_code"] == "STAGE-OUT"
    assert back["next_job_id"]
    assert ok(api.post(f"/api/v1/delivery-routes/{d.route_id}/finish", json={}))["state"] == "finished"
    (listed,) = ok(api.get("/api/v1/delivery-proofs", params={"job_id": str(d.jobs["Bo Berg"])}))["items"]
    assert (listed["outcome"], listed["reason"]) == ("nobody_there", "dark")
    whats = [
        e["what"]
        for e in ok(api.get("/api/v1/delivery-events", params={"route_id": str(d.route_id)}))["items"]
    ]
    assert whats[0] == "finished"
    assert "departed" in whats
    track = ok(api.get("/api/v1/vehicle-tracks", params={"route_id": str(d.route_id)}))
    assert (track["driven"], track["estimated"], len(track["planned"])) == ([], True, 4)
    books_are_right(d.conn)


def test_a_track_is_as_many_points_as_its_drawing_needs_and_tells_where_nothing_was_heard(
    api: Api, d: Drive
) -> None:
    d.leave()
    left = d.now - timedelta(minutes=40)
    d.conn.execute("update delivery_route set departed_at = %s where id = %s", [left, d.route_id])
    agent, device = new_id(), new_id()
    d.conn.execute("insert into agent (id, site_id, code) values (%s, %s, %s)", [agent, d.w.site_id, AGENT])
    d.conn.execute(
        "insert into device (id, site_id, agent_id, code, kind) values (%s, %s, %s, %s, 'gps_receiver')",
        [device, d.w.site_id, agent, GPS],
    )
    # Five minutes north at 10 m/s, five standing, five on; then nothing for ten minutes and 8 km, then five on.
    driven = [(s, 10 * min(s, 300) + 10 * max(0, s - 600)) for s in range(901)]
    driven += [(s, 14_000 + 10 * (s - 1500)) for s in range(1500, 1801)]
    with d.conn.cursor() as cur:
        cur.executemany(
            """insert into vehicle_position (site_id, device_id, at, lat, lon, speed_kmh, fix)
               values (%s, %s, %s, %s, %s, 36, 'gps')""",
            [
                (d.w.site_id, device, left + timedelta(seconds=s), metres_north(DEPOT, m).lat, DEPOT.lon)
                for s, m in [*driven, (-60, 0)]
            ],
        )
    track = ok(api.get("/api/v1/vehicle-tracks", params={"route_id": str(d.route_id)}))
    shown = [
        (round((datetime.fromisoformat(p["at"]) - left).total_seconds()), p["after_gap"])
        for p in track["driven"]
    ]
    assert [s for s, _ in shown if s % 300 == 0] == [0, 300, 600, 900, 1500, 1800]
    assert len(shown) <= 10
    assert [s for s, gap in shown if gap] == [1500]
    assert abs(track["driven_m"] - 17_000) < 30
    for wrong, status in ({}, 422), ({"route_id": "van-1"}, 422), ({"route_id": str(new_id())}, 404):
        answer = api.get("/api/v1/vehicle-tracks", params=wrong)
        assert answer.status_code == status
        assert answer.json()["field"] == "route_id"


def test_what_the_phone_sends_again_is_done_once(api: Api, d: Drive) -> None:
    d.leave()
    as_driver(api, d)
    at = (datetime.now(UTC) - timedelta(minutes=20)).isoformat()
    key = {"Idempotency-Key": str(new_id())}
    answers = [
        api.post(
            f"/api/v1/delivery-stops/{d.stops['Bo Berg']}/deliver", json={"occurred_at": at}, headers=key
        )
        for _ in range(3)
    ]
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].json()["occurred_at"].replace("Z", "+00:00") == at
    other = api.post(f"/api/v1/delivery-stops/{d.stops['Bo Berg']}/deliver", json={"occurred_at": at})
    assert (other.status_code, other.json()["type"], other.json()["proof_id"]) == (
        409,
        "/problems/already-proved",
        answers[0].json()["id"],
    )
    assert in_place(d.conn, d.w, "customer") == 4


def test_another_driver_s_route_is_not_for_this_one(api: Api, d: Drive) -> None:
    d.leave()
    as_driver(api, d, "eve")
    assert ok(api.get("/api/v1/driver/routes"))["items"] == []
    stop = d.stops["Aino Aalto"]
    for answer in (
        api.get(f"/api/v1/driver/routes/{d.route_id}"),
        api.get("/api/v1/driver/routes", params={"driver_id": str(d.route().driver_id)}),
        api.post(f"/api/v1/delivery-stops/{stop}/arrive", json={}),
        api.post(f"/api/v1/delivery-stops/{stop}/deliver", json={}),
        api.post(f"/api/v1/delivery-stops/{stop}/fail", json={"outcome": "refused", "reason": "no"}),
        api.post(f"/api/v1/delivery-routes/{d.route_id}/finish", json={}),
        api.post(f"/api/v1/delivery-routes/{d.route_id}/breakdown", json={}),
    ):
        assert answer.status_code == 403, answer.text
    made = d.deliver("Aino Aalto")
    assert api.get(f"/api/v1/delivery-proofs/{made.id}").status_code == 404
    assert ok(api.get("/api/v1/delivery-proofs"))["items"] == []
    api.as_user(d.conn, "lea", ["dispatcher"], d.w.site_id)
    assert ok(api.get(f"/api/v1/delivery-proofs/{made.id}"))["customer_name"] == "Aino Aalto"
    assert (
        len(ok(api.get("/api/v1/driver/routes", params={"driver_id": str(d.route().driver_id)}))["items"])
        == 1
    )


def test_a_wrong_parcel_is_refused_with_expected_and_seen_and_stays_recorded(api: Api, d: Drive) -> None:
    as_driver(api, d)
    answer = api.post(f"/api/v1/delivery-routes/{d.route_id}/load", json={"code": "TEA-250"})
    assert (answer.status_code, answer.json()["type"], answer.json()["seen"]) == (
        409,
        "/problems/wrong-vehicle",
        "TEA-250",
    )
    events = ok(api.get("/api/v1/delivery-events", params={"route_id": str(d.route_id)}))["items"]
    assert (events[0]["what"], events[0]["evidence"]["expected"]) == ("wrong_parcel", d.sscc("Bo Berg"))


@pytest.mark.parametrize(
    ("photo", "why"),
    [
        ({"type": "image/jpeg", "base64": base64.b64encode(PNG).decode()}, "no image/jpeg"),
        ({"type": "image/png", "base64": "abcdefghi"}, "base64"),
        ({"type": "image/png", "base64": base64.b64encode(PNG + b"x" * 1_190_000).decode()}, None),
    ],
)
def test_a_photo_is_a_picture_of_its_type(api: Api, d: Drive, photo: dict[str, str], why: str | None) -> None:
    d.leave()
    as_driver(api, d)
    answer = api.post(f"/api/v1/delivery-stops/{d.stops['Bo Berg']}/deliver", json={"photo": photo})
    if why is None:
        assert answer.status_code == 201, answer.text
    else:
        assert answer.status_code == 422
        assert why in answer.json()["detail"]
        assert in_place(d.conn, d.w, "customer") == 0


@pytest.mark.parametrize(
    "svg",
    ["", "no svg", "<svg></svg>", '<!DOCTYPE x [<!ENTITY a "b">]><svg><path d="M0 0"/></svg>', '<svg><path d="url(#x)"/></svg>',
     '<html><path d="M0 0"/></html>'],
)  # fmt: skip
def test_what_is_no_signature_is_refused(svg: str) -> None:
    with pytest.raises(Invalid):
        clean_signature(svg)


def test_a_signature_is_strokes_in_a_frame_of_ours() -> None:
    assert clean_signature('<svg viewBox="0 0 9 9"><g><path d="M0 0 L 5,5"/></g></svg>') == (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" fill="none" stroke="#000" stroke-width="2" '
        'stroke-linecap="round"><path d="M0 0 L 5,5"/></svg>'
    )


# --- the customer's link ----------------------------------------------------------------------------------


def link_of(api: Api, d: Drive, name: str) -> str:
    api.as_user(d.conn, "lea", ["dispatcher"], d.w.site_id)
    token = ok(api.post(f"/api/v1/delivery-jobs/{d.jobs[name]}/tracking-link", json={}), 201)["token"]
    del api.headers["Authorization"]
    return str(token)


def seen(api: Api, token: str) -> Any:
    return ok(api.get(f"/api/v1/tracking/{token}"))


def test_the_link_shows_one_delivery_and_nothing_else(api: Api, d: Drive) -> None:
    token = link_of(api, d, "Bo Berg")
    d.leave()
    shown = api.get(f"/api/v1/tracking/{token}")
    assert shown.json().keys() == {
        "state", "window_from", "window_until", "eta_from", "eta_until", "eta_is_estimate", "late", "stops_before",
        "vehicle", "destination", "outcome", "outcome_at", "expires_at", "time_zone",
    }  # fmt: skip
    assert shown.json()["time_zone"] == "Europe/Helsinki"  # where the door is, wherever the phone is
    assert (shown.json()["state"], shown.json()["stops_before"]) == ("on_the_way", 1)
    secret = [
        "Aino",
        "Aalto",
        "Berg",
        "dave",
        "Dave",
        "VAN-1",
        "RT-",
        "DJ-",
        "SO-",
        d.sscc("Bo Berg"),
        str(d.jobs["Bo Berg"]),
        "TEA",
    ]
    assert [s for s in secret if s in shown.text] == []
    assert shown.headers["cache-control"] == "no-store"


def test_the_van_is_shown_only_on_its_way_to_this_customer(api: Api, d: Drive) -> None:
    aino, bo = link_of(api, d, "Aino Aalto"), link_of(api, d, "Bo Berg")
    assert seen(api, aino)["vehicle"] is None
    d.leave()
    here = metres_north(DEPOT, 900)
    d.at(here, d.starts_at + 3 * MINUTE, speed_kmh=40)
    assert (seen(api, aino)["state"], seen(api, aino)["vehicle"]["lat"]) == ("next", here.lat)
    assert seen(api, bo)["vehicle"] is None, "it drives to somebody else"
    end = d.stand(d.points["Aino Aalto"], d.starts_at + 9 * MINUTE, 60)
    assert (seen(api, aino)["state"], seen(api, aino)["vehicle"]) == ("arrived", None)
    assert seen(api, bo)["vehicle"] is None
    d.deliver("Aino Aalto")
    assert (seen(api, bo)["stops_before"], seen(api, bo)["vehicle"]) == (0, None), (
        "it still stands at Aino's door"
    )
    d.at(d.points["Aino Aalto"], end + MINUTE)
    assert seen(api, bo)["vehicle"] is None
    away = metres_north(d.points["Aino Aalto"], 800)
    d.stand(away, end + 3 * MINUTE, 30)
    assert (seen(api, bo)["state"], seen(api, bo)["vehicle"]["lat"]) == ("next", away.lat)
    assert seen(api, aino)["vehicle"] is None
    d.now = end + 5 * MINUTE
    d.deliver("Bo Berg")
    d.at(metres_north(DEPOT, 2000), end + 8 * MINUTE, speed_kmh=40)
    assert (seen(api, bo)["state"], seen(api, bo)["vehicle"]) == ("delivered", None)


def test_after_the_break_the_next_customer_sees_the_van_again(api: Api, d: Drive) -> None:
    bo = link_of(api, d, "Bo Berg")
    d.conn.execute("update delivery_stop set position = position + 1 where position > 1")
    begins = d.starts_at + 20 * MINUTE
    (pause,) = d.conn.execute(
        """insert into delivery_stop (site_id, id, route_id, position, kind, planned_arrival_at, planned_start_at, planned_leave_at)
           values (%s, gen_random_uuid(), %s, 2, 'break', %s, %s, %s) returning id""",
        [d.w.site_id, d.route_id, begins, begins, begins + 30 * MINUTE],
    ).fetchone() or (None,)
    d.leave()
    end = d.stand(d.points["Aino Aalto"], d.starts_at + 9 * MINUTE, 60)
    d.deliver("Aino Aalto")
    away = metres_north(d.points["Aino Aalto"], 800)
    d.stand(away, end + 3 * MINUTE, 30)
    rests, goes_on = ({"occurred_at": (end + n * MINUTE).isoformat()} for n in (4, 5))
    as_driver(api, d)
    early = api.post(f"/api/v1/delivery-stops/{pause}/go-on", json={})
    assert (early.status_code, early.json()["detail"]) == (
        409,
        "This break has not begun; begin it first, or drive on to the next stop.",
    )
    ok(api.post(f"/api/v1/delivery-stops/{pause}/arrive", json=rests))
    assert (seen(api, bo)["state"], seen(api, bo)["vehicle"]) == ("on_the_way", None), "the driver rests"
    for _ in range(2):
        shown = ok(api.post(f"/api/v1/delivery-stops/{pause}/go-on", json=goes_on))
        assert [s["state"] for s in shown["stops"]] == ["done", "done", "planned"]
    d.at(away, end + 6 * MINUTE, speed_kmh=30)
    assert (seen(api, bo)["state"], seen(api, bo)["vehicle"]["lat"]) == ("next", away.lat)
    door = api.post(f"/api/v1/delivery-stops/{d.stops['Bo Berg']}/go-on", json={})
    assert (door.status_code, door.json()["detail"]) == (
        409,
        "This stop is no break; say at it what became of the delivery.",
    )


def test_the_link_ends_with_the_delivery_and_a_short_grace(api: Api, d: Drive) -> None:
    token = link_of(api, d, "Bo Berg")
    d.leave()
    assert seen(api, token)["outcome"] is None
    d.now = datetime.now(UTC) - tracking.GRACE + timedelta(minutes=5)
    d.fail("Bo Berg", "nobody_there")
    assert (seen(api, token)["outcome"], seen(api, token)["state"]) == ("nobody_there", "nobody_there")
    d.conn.execute("update tracking_link set expires_at = now() - interval '1 second'")
    gone = api.get(f"/api/v1/tracking/{token}")
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/gone")
    assert "over" in gone.json()["detail"]


def test_only_the_hash_of_a_token_is_kept_and_ended_links_leave_the_outbox(api: Api, d: Drive) -> None:
    token = link_of(api, d, "Bo Berg")
    assert len(token) >= 32
    kept = d.conn.execute("select token_hash from tracking_link").fetchone()
    assert kept is not None
    assert len(kept[0]) == 32
    assert token.encode() not in bytes(kept[0])
    d.leave()
    told_token = told(d.conn, "delivery.out_for_delivery")[1]["tracking_url"].rsplit("/", 1)[1]
    assert seen(api, told_token)["state"] != "delivered"
    d.deliver("Bo Berg")
    later = datetime.now(UTC) + timedelta(days=1)
    assert tracking.forget_told_links(d.conn, later) >= 1
    assert [
        e
        for e in told(d.conn, "delivery.out_for_delivery")
        if e["customer"] == "Bo Berg" and "tracking_url" in e
    ] == []


def test_guessing_links_is_slowed_down_and_customers_are_not(
    api: Api, d: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = link_of(api, d, "Bo Berg")
    monkeypatch.setattr(driver_routes, "guesses", tracking.Guesses(at_most=5))
    answers = [api.get(f"/api/v1/tracking/{new_id().hex}").status_code for _ in range(7)]
    assert answers == [404] * 5 + [429] * 2
    assert "state" in seen(api, token)


def test_a_link_ends_also_where_nothing_became_of_the_delivery(api: Api, d: Drive) -> None:
    token = link_of(api, d, "Bo Berg")
    d.conn.execute(
        "update delivery_job set state = 'cancelled', finished_at = now() where customer_name = 'Bo Berg'"
    )
    assert seen(api, token)["state"] == "cancelled"
    d.conn.execute(
        "update delivery_job set finished_at = now() - interval '3 hours' where customer_name = 'Bo Berg'"
    )
    assert api.get(f"/api/v1/tracking/{token}").status_code == 410
