"""The board by hand: slots while dragging, moves with their consequences, two dispatchers at once, locks, trays."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend import maps
from backend.db import Conn, connect
from backend.dispatch import board as boards
from backend.dispatch import moves, slots
from backend.dispatch.situation import Situation
from backend.errors import ChangedMeanwhile, Conflict
from backend.jobs import TASKS
from backend.worker import load_tasks
from routing.schedule import Stop, Timed
from tests.backend.dispatch.day import IN_THE_SEA, PLACES, Day, call, put
from tests.conftest import Api, Warehouse


@pytest.fixture
def day(conn: Conn, warehouse: Warehouse, helsinki: None) -> Day:
    return Day(conn, warehouse)


def drafts(day: Day, *codes: str) -> None:
    """An empty route for each van."""
    for code in codes:
        with day.conn.transaction():
            moves.new_route(day.conn, day.ctx(), shift_id=day.shifts[code], vehicle_id=None, day=None)


def test_a_stop_is_put_on_a_route_moved_within_it_and_back_into_the_tray(day: Day) -> None:
    day.van("VAN-1")
    for name in ("Kamppi", "Kaisa", "Toolo"):
        day.job(name)
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    put(day, "Kaisa", "VAN-1", 1)
    put(day, "Toolo", "VAN-1", 2)
    assert day.names(day.route("VAN-1")) == ["Kaisa", "Toolo", "Kamppi"]
    before = {s.job_id: s.id for s in day.route("VAN-1").stops}
    done = put(day, "Kamppi", "VAN-1", 1)
    route = day.route("VAN-1")
    assert day.names(route) == ["Kamppi", "Kaisa", "Toolo"]
    assert {s.job_id: s.id for s in route.stops} == before
    assert [s.position for s in route.stops] == [1, 2, 3]
    assert any("VAN-1:" in words and "km" in words for words in done.consequences)
    with day.conn.transaction():
        moves.remove(day.conn, day.ctx(), route.id, route.stops[1].id, version=route.version)
    assert day.names(day.route("VAN-1")) == ["Kamppi", "Toolo"]
    assert day.of("Kaisa").state == "ready"
    what = [
        e[0]
        for e in day.conn.execute(
            "select what from delivery_event where job_id = %s order by id", [day.jobs["Kaisa"]]
        )
    ]
    assert what == ["moved_by_hand", "moved_by_hand"]


def test_a_stop_moves_from_van_to_van(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2")
    for name in ("Kamppi", "Kaisa"):
        day.job(name)
    drafts(day, "VAN-1", "VAN-2")
    put(day, "Kamppi", "VAN-1", 1)
    put(day, "Kaisa", "VAN-1", 2)
    done = put(day, "Kamppi", "VAN-2", 1)
    assert len(done.route_ids) == 2
    assert (day.names(day.route("VAN-1")), day.names(day.route("VAN-2"))) == (["Kaisa"], ["Kamppi"])


def test_what_makes_somebody_late_is_said_and_done_only_anyway(day: Day) -> None:
    day.van("VAN-1")
    day.job("Kamppi", "08:00", "09:00")
    day.job("Kaisa", "12:00", "13:00")
    drafts(day, "VAN-1")
    put(day, "Kaisa", "VAN-1", 1)
    with pytest.raises(moves.BreaksARule) as e:
        put(day, "Kamppi", "VAN-1", 2)
    (broken,) = e.value.more["violations"]
    assert broken["kind"] == "outside_window"
    assert broken["allowed_anyway"]
    assert "Kamppi" in broken["detail"]
    assert "after the window ends (09:00)" in broken["detail"]
    assert day.names(day.route("VAN-1")) == ["Kaisa"]
    done = put(day, "Kamppi", "VAN-1", 2, anyway=True)
    assert "Kamppi" in done.consequences[0]
    assert day.route("VAN-1").stops[1].late_s > 3 * 3600 - 600
    day.job("Station")
    put(day, "Station", "VAN-1", 3)  # nobody is later for it: nothing new to complain about


def test_what_a_van_cannot_carry_is_never_allowed(day: Day) -> None:
    day.van("VAN-1", kg=100)
    day.job("Kamppi", kg=60)
    day.job("Kaisa", kg=60)
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    with pytest.raises(moves.BreaksARule) as e:
        put(day, "Kaisa", "VAN-1", 1, anyway=True)
    (broken,) = e.value.more["violations"]
    assert (broken["kind"], broken["allowed_anyway"]) == ("over_capacity", False)
    assert "120.0 kg of 100.0 kg" in broken["detail"]


def test_no_road_is_never_allowed(day: Day) -> None:
    day.van("VAN-1")
    day.job("Sea", where=IN_THE_SEA)
    drafts(day, "VAN-1")
    with pytest.raises(moves.BreaksARule) as e:
        put(day, "Sea", "VAN-1", 1, anyway=True)
    assert e.value.more["violations"][0]["kind"] == "no_road"


def together(day: Day, van: str, *names: str, anyway: bool = False) -> moves.Changed:
    """Several onto one van, as they are seen now."""
    routes = {r.id: r.version for r in day.board().routes}
    wanted = {day.jobs[n]: routes.get(at) if (at := day.of(n).route_id) else None for n in names}
    to = day.route(van)
    with day.conn.transaction():
        return moves.assign(day.conn, day.ctx(), to.id, wanted, version=to.version, anyway=anyway)


def test_several_come_onto_a_route_together_from_the_tray_and_from_another_van(day: Day) -> None:
    for code in ("VAN-1", "VAN-2"):
        day.van(code)
    day.job("Kamppi", "14:00", "16:00")
    for name in ("Kaisa", "Toolo", "Kruunu"):
        day.job(name, "08:00", "12:00")
    drafts(day, "VAN-1", "VAN-2")
    put(day, "Toolo", "VAN-2", 1)
    put(day, "Kruunu", "VAN-1", 1)
    done = together(day, "VAN-1", "Kamppi", "Kaisa", "Toolo", "Kruunu")
    assert set(done.route_ids) == {day.route("VAN-1").id, day.route("VAN-2").id}
    names = day.names(day.route("VAN-1"))
    assert sorted(names) == ["Kaisa", "Kamppi", "Kruunu", "Toolo"]
    assert names[-1] == "Kamppi", "each stands where nobody is late"
    assert [s.late_s for s in day.route("VAN-1").stops] == [0, 0, 0, 0]
    assert day.names(day.route("VAN-2")) == []
    assert {day.of(n).state for n in day.jobs} == {"planned"}


def test_together_means_all_or_none_and_each_that_does_not_fit_says_why(day: Day, api: Api) -> None:
    day.van("VAN-1", kg=100)
    day.job("Kamppi")
    day.job("Kaisa", kg=95)
    day.job("Toolo", kg=500)
    day.job("Sea", where=IN_THE_SEA)
    day.job("Kruunu", state="to_review")
    drafts(day, "VAN-1")
    api.as_user(day.conn, "dora", ["dispatcher"])
    route = day.route("VAN-1")
    body = {"version": route.version, "jobs": [{"job_id": str(i)} for i in day.jobs.values()]}
    said = call(api, "POST", f"/delivery-routes/{route.id}/assign", body, 422)
    assert (said["type"], said["field"]) == ("/problems/breaks-a-rule", "jobs")
    why = {r["customer_name"]: sorted({v["kind"] for v in r["violations"]}) for r in said["refused"]}
    assert why == {
        "Kaisa": ["over_capacity"], "Toolo": ["over_capacity"], "Sea": ["no_road"], "Kruunu": ["cannot_leave"]
    }  # fmt: skip
    assert day.names(day.route("VAN-1")) == []
    assert (day.of("Kamppi").state, day.route("VAN-1").version) == ("ready", route.version)
    body["jobs"] = [{"job_id": str(day.jobs["Kamppi"])}]
    done = call(api, "POST", f"/delivery-routes/{route.id}/assign", body)
    assert [s["job"]["customer_name"] for s in done["routes"][0]["stops"]] == ["Kamppi"]
    for wrong in ([], [{"job_id": "x"}], [{"job_id": str(day.jobs["Kamppi"])}] * 51):
        call(api, "POST", f"/delivery-routes/{route.id}/assign", {"version": 1, "jobs": wrong}, 422)


def test_together_may_make_somebody_late_on_purpose_and_notices_what_others_changed(day: Day) -> None:
    for code in ("VAN-1", "VAN-2"):
        day.van(code)
    day.job("Kamppi", "05:00", "05:30")
    day.job("Kaisa")
    drafts(day, "VAN-1", "VAN-2")
    with pytest.raises(moves.BreaksARule) as e:
        together(day, "VAN-1", "Kamppi", "Kaisa")
    ((kamppi),) = e.value.more["refused"]
    assert [v["allowed_anyway"] for v in kamppi["violations"]] == [True]
    assert together(day, "VAN-1", "Kamppi", "Kaisa", anyway=True).consequences
    assert len(day.names(day.route("VAN-1"))) == 2
    route, seen = day.route("VAN-2"), day.route("VAN-1").version
    put(day, "Kaisa", "VAN-1", 1, anyway=True)
    for from_version in (seen, None):
        with pytest.raises(ChangedMeanwhile), day.conn.transaction():
            moves.assign(
                day.conn, day.ctx(), route.id, {day.jobs["Kaisa"]: from_version}, version=route.version, anyway=True
            )  # fmt: skip
    day.conn.execute("update delivery_route set state = 'released' where id = %s", [route.id])
    with pytest.raises(Conflict, match="its stops cannot be changed"):
        together(day, "VAN-2", "Kaisa")


def test_many_goods_of_a_broken_van_are_taken_over_in_one_halt_without_trying_every_pair_of_places(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in ("VAN-1", "VAN-2"):
        day.van(code)
    for name in PLACES:
        day.job(name)
    drafts(day, "VAN-1", "VAN-2")
    broken = day.route("VAN-2").id
    day.conn.execute(
        "update delivery_route set state = 'broken_down', stands_lat = 60.17, stands_lon = 24.94 where id = %s",
        [broken],
    )
    day.conn.execute("update delivery_job set goods_on_route_id = %s", [broken])
    tried: list[int] = []
    timed = Situation.timed

    def counted(s: Situation, label: str, stops: Sequence[Stop]) -> Timed:
        tried.append(len(stops))
        return timed(s, label, stops)

    monkeypatch.setattr(Situation, "timed", counted)
    together(day, "VAN-1", *PLACES, anyway=True)
    kinds = [s.kind for s in day.route("VAN-1").stops]
    assert kinds.count("delivery") == len(PLACES)
    first = kinds.index("take_over")
    assert kinds[first : first + len(PLACES)] == ["take_over"] * len(PLACES)
    assert len(tried) < 5 * len(PLACES) ** 2


def test_two_dispatchers_move_the_same_stop_at_once_and_one_is_told(day: Day, database_url: str) -> None:
    for code in ("VAN-1", "VAN-2", "VAN-3"):
        day.van(code)
    day.job("Kamppi")
    drafts(day, "VAN-1", "VAN-2", "VAN-3")
    put(day, "Kamppi", "VAN-1", 1)
    job, source = day.of("Kamppi"), day.route("VAN-1")
    targets = [day.route("VAN-2"), day.route("VAN-3")]
    start = threading.Barrier(2)
    told: list[ChangedMeanwhile] = []

    def drag(to: boards.Route) -> None:
        with connect(database_url, autocommit=True) as conn:
            start.wait(10)
            try:
                with conn.transaction():
                    moves.move(
                        conn, day.ctx(), to.id, job.id, 1, version=to.version, from_version=source.version, anyway=False
                    )  # fmt: skip
            except ChangedMeanwhile as e:
                told.append(e)

    threads = [threading.Thread(target=drag, args=(to,)) for to in targets]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert len(told) == 1
    present = told[0].more["present"]
    now_on = day.van_of("Kamppi")
    assert now_on in ("VAN-2", "VAN-3")
    assert present["route_number"] == day.of("Kamppi").route_number
    assert "Kamppi" in told[0].detail
    assert sum(len(r.stops) for r in day.board().routes) == 1


def test_a_stop_that_a_colleague_put_elsewhere_is_not_moved_on_because_the_versions_look_alike(
    day: Day, database_url: str
) -> None:
    for code in ("VAN-1", "VAN-2", "VAN-3"):
        day.van(code)
    day.job("Kamppi")
    drafts(day, "VAN-1", "VAN-2", "VAN-3")
    put(day, "Kamppi", "VAN-1", 1)
    job, source, to = day.of("Kamppi"), day.route("VAN-1"), day.route("VAN-3")
    put(day, "Kamppi", "VAN-2", 1)
    with connect(database_url, autocommit=True) as conn, pytest.raises(ChangedMeanwhile), conn.transaction():
        moves.move(
            conn, day.ctx(), to.id, job.id, 1, version=to.version, from_version=source.version, anyway=False
        )
    assert day.van_of("Kamppi") == "VAN-2"


def test_a_move_over_a_route_that_changed_shows_the_present_one(day: Day, api: Api) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    day.job("Kaisa")
    drafts(day, "VAN-1")
    seen = day.route("VAN-1")
    put(day, "Kaisa", "VAN-1", 1)
    body = {"job_id": str(day.jobs["Kamppi"]), "position": 1, "version": seen.version}
    refused = call(api, "POST", f"/delivery-routes/{seen.id}/stops", body, expect=409)
    assert refused["type"] == "/problems/changed-meanwhile"
    assert [s["customer_name"] for s in refused["present"]["stops"]] == ["Kaisa"]
    body["version"] = refused["present"]["version"]
    done = call(api, "POST", f"/delivery-routes/{seen.id}/stops", body)
    assert [s["job"]["customer_name"] for s in done["routes"][0]["stops"]] == ["Kamppi", "Kaisa"]
    assert done["job"]["state"] == "planned"


def test_every_slot_says_what_it_costs_and_whom_it_makes_late(day: Day) -> None:
    day.van("VAN-1", kg=100)
    day.van("VAN-2", kg=30)
    day.job("Kamppi", "08:00", "09:00")
    day.job("Station", "13:00", "14:00")
    day.job("Kaisa", "08:30", "09:30", kg=40)
    drafts(day, "VAN-1", "VAN-2")
    put(day, "Kamppi", "VAN-1", 1)
    put(day, "Station", "VAN-1", 2)
    found = slots.slots(day.conn, day.ctx(), day.jobs["Kaisa"], day.day)
    on_first = [x for x in found.slots if x.route_id == day.route("VAN-1").id]
    assert [x.position for x in on_first] == [1, 2, 3]
    assert [[b.kind for b in x.violations] for x in on_first] == [[], [], ["outside_window"]]
    assert on_first[2].late[0].customer_name == "Kaisa"
    assert on_first[2].late[0].seconds > 3 * 3600
    (other,) = [x for x in found.slots if x.route_id == day.route("VAN-2").id]
    assert [b.kind for b in other.violations] == ["over_capacity"]
    assert "10.0 kg more" in other.violations[0].detail
    assert [x.best for x in found.slots].count(True) == 1
    best = next(x for x in found.slots if x.best)
    before = day.route("VAN-1")
    put(day, "Kaisa", "VAN-1", best.position)
    after = day.route("VAN-1")
    assert after.distance_m - before.distance_m == best.extra_m
    assert after.stops[best.position - 1].planned_arrival_at == best.arrival_at


def test_where_it_fits_nowhere_it_says_what_it_would_take(day: Day) -> None:
    day.van("VAN-1", "08:00", "10:00")
    day.job("Kamppi", "09:00", "09:30")
    day.job("Kaisa", "10:30", "11:00")
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    found = slots.slots(day.conn, day.ctx(), day.jobs["Kaisa"], day.day)
    assert all(x.violations for x in found.slots)
    assert not any(x.best for x in found.slots)
    assert any("overtime" in w or "earlier" in w for w in found.what_would_it_take)
    assert all(w.startswith("It fits VAN-1 at ") for w in found.what_would_it_take)


def test_when_the_road_server_is_away_a_move_is_an_estimate_and_says_so(
    day: Day, helsinki_map_dir: Path
) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    drafts(day, "VAN-1")
    maps.configure(None, helsinki_map_dir)
    done = put(day, "Kamppi", "VAN-1", 1)
    assert "straight lines" in done.consequences[-1]
    assert day.route("VAN-1").estimated


def test_the_line_along_the_road_is_fetched_behind_a_move(day: Day) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    assert day.route("VAN-1").geometry is None
    version = day.route("VAN-1").version
    run_jobs(day.conn, "delivery_route_geometry")
    route = day.route("VAN-1")
    assert route.geometry is not None
    assert len(route.geometry) > 10
    assert route.version == version  # nobody has to look again for it


def run_jobs(conn: Conn, name: str) -> None:
    """As the worker does."""
    load_tasks()
    rows = conn.execute(
        "delete from procrastinate_jobs where task_name = %s and status = 'todo' returning args", [name]
    ).fetchall()
    assert rows
    for (args,) in rows:
        TASKS[name].run(conn, **args)


def test_a_plan_is_made_and_accepted_through_the_api(day: Day, api: Api) -> None:
    api.as_user(day.conn, "dispatcher", ["dispatcher"], day.w.site_id)
    day.van("VAN-1")
    day.job("Kamppi")
    asked = call(api, "POST", "/delivery-plans", {"day": str(day.day), "limit_s": 1}, 202)
    assert asked["state"] == "computing"
    refused = call(api, "POST", f"/delivery-plans/{asked['id']}/accept", {"version": asked["version"]}, 409)
    assert "only a proposed one" in refused["detail"]
    run_jobs(day.conn, "delivery_plan")
    p = call(api, "GET", f"/delivery-plans/{asked['id']}")
    assert (p["state"], p["progress"]) == ("proposed", "done")
    assert [s["customer_name"] for r in p["proposal"]["routes"] for s in r["stops"]] == ["Kamppi"]
    assert p["difference"]["added"][0]["to_route"] == "VAN-1"
    done = call(api, "POST", f"/delivery-plans/{p['id']}/accept", {"version": p["version"]})
    assert done["state"] == "accepted"
    listed = call(api, "GET", "/delivery-plans", day=str(day.day))
    assert [x["id"] for x in listed["items"]] == [p["id"]]
    assert len(call(api, "GET", "/delivery-board", day=str(day.day))["routes"]) == 1


def test_a_dispatcher_works_through_the_api(day: Day, api: Api) -> None:
    api.as_user(day.conn, "dispatcher", ["dispatcher"], day.w.site_id)
    yard = call(api, "POST", "/depots", {"code": "NORTH", "name": "North", "lat": 60.178, "lon": 24.95}, 201)
    van = call(api, "POST", "/delivery-vehicles", {
        "code": "VAN-7", "depot_id": yard["id"], "plate": "ABC-123", "max_weight_g": 800_000, "max_volume_ml": 6_000_000,
    }, 201)  # fmt: skip
    assert (van["code"], van["depot_code"]) == ("VAN-7", "NORTH")
    api.as_user(day.conn, "dora", ["driver"], day.w.site_id)
    row = day.conn.execute("select id from app_user where username = 'dora'").fetchone()
    assert row is not None
    api.as_user(day.conn, "dispatcher", ["dispatcher"], day.w.site_id)
    shift = {
        "vehicle_id": van["id"], "driver_id": str(row[0]), "starts_at": day.at("08:00").isoformat(),
        "ends_at": day.at("16:00").isoformat(),
    }  # fmt: skip
    made = call(api, "POST", "/vehicle-shifts", shift, 201)
    again = call(api, "POST", "/vehicle-shifts", shift, 409)
    assert "has a shift from" in again["detail"]
    route = call(api, "POST", "/delivery-routes", {"vehicle_id": van["id"], "day": str(day.day)}, 201)
    assert route["driver"]["name"] == "Dora"
    day.job("Kamppi")
    job = str(day.jobs["Kamppi"])
    free = call(api, "GET", f"/delivery-jobs/{job}/slots", day=str(day.day))
    assert [x["best"] for x in free["slots"]] == [True]
    call(
        api,
        "POST",
        f"/delivery-routes/{route['id']}/stops",
        {"job_id": job, "position": 1, "version": route["version"]},
    )
    board = call(api, "GET", "/delivery-board", day=str(day.day))
    (shown,) = board["routes"]
    assert shown["stops"][0]["job"]["customer_name"] == "Kamppi"
    assert shown["load"] == {"weight_g": 10_000, "volume_ml": 50_000, "cartons": 0}
    assert board["free_shifts"] == []
    stop = shown["stops"][0]["id"]
    locked = call(api, "POST", f"/delivery-stops/{stop}/lock", {"locked": True})
    assert locked["stops"][0]["locked"]
    gone = call(api, "DELETE", f"/delivery-routes/{route['id']}/stops/{stop}", version=locked["version"])
    assert gone["job"]["state"] == "ready"
    empty = call(api, "GET", f"/delivery-routes/{route['id']}")
    refused = call(api, "POST", f"/delivery-routes/{route['id']}/release", {"version": empty["version"]}, 409)
    assert "no stops" in refused["detail"]
    call(api, "PATCH", f"/vehicle-shifts/{made['id']}", {"version": made["version"], "cancelled": True}, 409)
    call(api, "POST", f"/delivery-routes/{route['id']}/cancel", {"version": empty["version"]})
    off = call(api, "PATCH", f"/vehicle-shifts/{made['id']}", {"version": made["version"], "cancelled": True})
    assert off["cancelled_at"] is not None


def test_an_address_that_is_not_known_is_pinned_by_a_person(day: Day, api: Api) -> None:
    job_id = str(day.job("Kamppi", state="to_review"))
    day.conn.execute("update delivery_job set lat = null, lon = null, located_by = null")
    board = call(api, "GET", "/delivery-board", day=str(day.day))
    assert [j["id"] for j in board["trays"]["review"]] == [job_id]
    refused = call(api, "GET", f"/delivery-jobs/{job_id}/slots", expect=409)
    assert "put a pin" in refused["detail"]
    p = PLACES["Kamppi"]
    pinned = call(api, "POST", f"/delivery-jobs/{job_id}/pin", {"version": 1, "lat": p.lat, "lon": p.lon})
    assert (pinned["state"], pinned["located_by"]) == ("ready", "pin")
    assert pinned["events"][0]["what"] == "pinned"
    call(api, "POST", f"/delivery-jobs/{job_id}/pin", {"version": 1, "lat": p.lat, "lon": p.lon}, 409)


def test_another_address_is_looked_up_and_a_planned_one_that_nobody_knows_leaves_its_route(
    day: Day, api: Api
) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    day.job("Kaisa")
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    put(day, "Kaisa", "VAN-1", 2)
    job = day.of("Kamppi")

    def change(**fields: Any) -> Any:
        return call(api, "PATCH", f"/delivery-jobs/{job.id}", {"version": day.of("Kamppi").version, **fields})

    there = change(address="Aleksanterinkatu 52, Helsinki")
    assert there["located_by"] == "map"
    assert "leksanterinkatu" in there["located_as"]
    assert there["state"] == "planned"
    assert abs(there["lat"] - 60.1686) < 0.002
    nowhere = change(address="Nowhere Street 999, Atlantis")
    assert nowhere["state"] == "to_review"
    assert day.names(day.route("VAN-1")) == ["Kaisa"]


def test_a_changed_window_times_the_route_anew(day: Day, api: Api) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    job = day.of("Kamppi")
    window = {"window_from": day.at("14:00").isoformat(), "window_until": day.at("15:00").isoformat()}
    call(api, "PATCH", f"/delivery-jobs/{job.id}", {"version": job.version, **window})
    assert day.route("VAN-1").stops[0].planned_start_at >= day.at("14:00")


def test_the_board_asks_the_database_as_often_for_sixty_stops_as_for_one(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = psycopg.Cursor.execute

    def counted(self: Any, *args: Any, **more: Any) -> Any:
        asked.append(args[0])
        return real(self, *args, **more)

    day.van("VAN-1", kg=5000)
    day.job("Kamppi")
    day.planned()
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    day.board()
    for_one = len(asked)
    monkeypatch.undo()
    for n in range(60):
        day.job(f"Kamppi {n}", where=PLACES[list(PLACES)[n % 10]])
    day.planned(limit_s=2)
    asked.clear()
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    assert len(day.board().routes[0].stops) == 61
    assert len(asked) == for_one < 15


def test_a_driver_may_look_and_not_plan(day: Day, api: Api) -> None:
    api.as_user(day.conn, "dirk", ["driver"], day.w.site_id)
    call(api, "GET", "/delivery-board", day=str(day.day))
    call(api, "POST", "/delivery-plans", {"day": str(day.day)}, 403)
    with pytest.raises(Conflict):
        moves.new_route(day.conn, day.ctx(), shift_id=None, vehicle_id=day.depot_id, day=day.day)
