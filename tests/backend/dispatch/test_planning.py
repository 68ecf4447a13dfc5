"""A day is planned over Helsinki's real streets: proposed, checked, accepted; what cannot be planned says why."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from backend import maps
from backend.db import Conn
from backend.dispatch import moves, plan_run, planning
from backend.errors import ChangedMeanwhile, Conflict
from stowage.parts.roads import Roads as RoadServer
from tests.backend.dispatch.day import IN_THE_SEA, Day, put
from tests.conftest import Warehouse


@pytest.fixture
def day(conn: Conn, warehouse: Warehouse, helsinki: None) -> Day:
    return Day(conn, warehouse)


def test_a_plan_is_proposed_and_changes_nothing_until_it_is_accepted(day: Day) -> None:
    day.van("VAN-1")
    for name in ("Kamppi", "Kaisa", "Toolo"):
        day.job(name)
    p = day.plan()
    assert p.state == "proposed", p.problem
    assert p.proposal is not None
    assert p.difference is not None
    assert [x["customer_name"] for x in p.difference["added"]] == ["Kamppi", "Kaisa", "Toolo"]
    assert day.board().routes == []
    assert len(day.board().trays.unplanned) == 3

    board = day.accept(p)
    (route,) = board.routes
    assert sorted(day.names(route)) == ["Kaisa", "Kamppi", "Toolo"]
    assert board.trays.unplanned == []
    assert {day.of(n).state for n in day.jobs} == {"planned"}
    assert route.geometry is not None
    assert len(route.geometry) > 20
    assert route.load.cartons == 0  # no cartons were packed for these
    assert 1500 < route.distance_m < 30_000


def test_the_times_follow_from_the_roads_and_keep_windows_and_shift(day: Day) -> None:
    day.van("VAN-1")
    day.job("Bulevardi", "10:00", "10:30")
    day.job("Kaisa", "12:00", "12:20")
    day.job("Kamppi", "08:00", "09:00")
    (route,) = day.planned().routes
    assert day.names(route) == ["Kamppi", "Bulevardi", "Kaisa"]
    for stop in route.stops:
        assert stop.job is not None
        assert stop.job.window_from <= stop.planned_start_at <= stop.job.window_until
        assert stop.late_s == 0
    for before, after in pairwise(route.stops):
        drive = (after.planned_arrival_at - before.planned_leave_at).total_seconds()
        assert drive == after.leg_s > 30
    assert route.starts_at >= day.at("08:10")  # after ten minutes of loading
    assert route.distance_m > sum(s.leg_m for s in route.stops)  # and home again


def test_what_cannot_be_planned_stands_in_a_tray_with_its_reason(day: Day) -> None:
    day.van("VAN-1", kg=100)
    day.job("Kamppi")
    day.job("Kaisa piano", kg=180)
    day.job("Toolo sunrise", "06:00", "06:30")
    day.job("Sea buoy", where=IN_THE_SEA)
    day.job("Bulevardi unknown", state="to_review")
    day.conn.execute("update delivery_job set lat = null, lon = null where state = 'to_review'")
    trays = day.planned().trays
    assert {j.customer_name: j.reason for j in trays.unplanned} == {
        "Kaisa piano": "too_heavy",
        "Toolo sunrise": "window_too_short",
    }
    assert [(j.customer_name, j.reason) for j in trays.unroutable] == [("Sea buoy", "too_far_from_road")]
    assert [j.customer_name for j in trays.review] == ["Bulevardi unknown"]
    said = {j.customer_name: j.detail for j in [*trays.unplanned, *trays.unroutable]}
    assert "180.0 kg" in said["Kaisa piano"]
    assert "carries 100.0 kg" in said["Kaisa piano"]
    assert "VAN-1" in said["Toolo sunrise"]
    assert "after its window closes" in said["Toolo sunrise"]
    assert "nearest road" in said["Sea buoy"]


def test_what_finds_no_room_or_no_time_says_which_van_comes_nearest(day: Day) -> None:
    day.van("VAN-1", "08:00", "09:00", kg=25)
    for n in range(4):
        day.job(f"Kaisa {n}")
    board = day.planned()
    left = board.trays.unplanned
    assert len(left) == 2
    assert {j.reason for j in left} == {"no_capacity_left"}
    assert "kg less" in left[0].detail


def test_where_not_all_find_room_the_urgent_ones_do(day: Day) -> None:
    day.van("VAN-1", kg=25)
    for n in range(4):
        day.job(f"Kaisa {n}", priority=5)
    day.job("Bulevardi", priority=1)
    day.job("Toolo", priority=2)
    (route,) = day.planned().routes
    assert sorted(day.names(route)) == ["Bulevardi", "Toolo"]


def test_a_plan_of_one_route_leaves_the_others_and_their_reasons_alone(day: Day) -> None:
    day.van("VAN-1", kg=25)
    day.van("VAN-2", kg=25)
    for n in range(4):
        day.job(f"Kaisa {n}")
    day.planned()
    day.job("Toolo")
    one = day.route("VAN-1")
    before = day.route("VAN-2")
    p = day.plan(route_ids=[one.id])
    day.accept(p)
    assert day.route("VAN-2") == before
    assert day.of("Toolo").reason is None  # the other van was not asked


def test_a_plan_spans_midnight(day: Day) -> None:
    day.van("NIGHT", "20:00", "04:00", end_days=1)
    day.job("Kamppi", "21:00", "22:00")
    late = day.job("Bulevardi", "00:30", "01:30", end_days=1)
    opens = day.at("00:30", days=1)  # a day of the clock later, which may have 25 hours
    day.conn.execute("update delivery_job set window_from = %s where id = %s", [opens, late])
    board = day.planned()
    (route,) = board.routes
    assert day.names(route) == ["Kamppi", "Bulevardi"]
    assert route.stops[1].planned_start_at >= day.at("00:30", days=1)
    assert route.day == day.day
    assert board.trays.unplanned == []


def test_a_driver_gets_the_break_between_the_stops(day: Day) -> None:
    day.van("VAN-1", "08:00", "14:00", break_s=1800, break_from="11:00", break_until="11:30")
    day.job("Kamppi", "09:00", "10:00")
    day.job("Bulevardi", "12:30", "13:30")
    (route,) = day.planned().routes
    assert [s.kind for s in route.stops] == ["delivery", "break", "delivery"]
    pause = route.stops[1]
    assert day.at("11:00") <= pause.planned_start_at <= day.at("11:30")
    assert pause.planned_leave_at - pause.planned_start_at == timedelta(minutes=30)


def test_without_a_road_server_there_is_no_plan_and_it_can_be_tried_again(
    day: Day, osrm_url: str, helsinki_map_dir: Path
) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    maps.configure("http://127.0.0.1:9", helsinki_map_dir)
    p = day.plan()
    assert p.state == "failed"
    assert "road server" in (p.problem or "")
    assert "Nothing was changed" in (p.problem or "")
    maps.configure(osrm_url, helsinki_map_dir)
    assert day.plan().state == "proposed"


def test_when_the_road_server_dies_during_planning_nothing_changes(
    day: Day, helsinki_map_dir: Path, osrm_url: str, tmp_path: Path
) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    day.planned()
    day.job("Kaisa")
    before = day.board()
    server = RoadServer(tmp_path, map_dir=helsinki_map_dir)
    try:
        maps.configure(server.start(), helsinki_map_dir)
        with day.conn.transaction():
            p = planning.start(day.conn, day.ctx(), day.day, limit_s=1)
        said: list[str] = []

        def dies(text: str) -> None:
            said.append(text)
            if text.startswith("driving the plan again"):
                server.stop()

        plan_run.compute(day.conn, day.ctx("job:delivery_plan"), p.id, on_progress=dies)
    finally:
        server.stop()
    assert any(text.startswith("planning 2 deliveries on 1 vehicle") for text in said)
    failed = planning.plan(day.conn, day.w.site_id, p.id)
    assert (failed.state, failed.proposal) == ("failed", None)
    assert "Nothing was changed" in (failed.problem or "")
    after = day.board()
    assert (after.routes, after.trays) == (before.routes, before.trays)
    maps.configure(osrm_url, helsinki_map_dir)
    assert day.plan().state == "proposed"


def test_a_plan_is_not_accepted_over_a_board_that_has_changed(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2")
    for name in ("Kamppi", "Kaisa", "Toolo"):
        day.job(name)
    day.planned()
    second = day.plan()
    route = next(r for r in day.board().routes if r.stops)
    stop = route.stops[0]
    with day.conn.transaction():
        moves.remove(day.conn, day.ctx(), route.id, stop.id, version=route.version)
    with pytest.raises(ChangedMeanwhile) as e:
        day.accept(second)
    assert route.number in str(e.value.more["changed"])
    assert planning.plan(day.conn, day.w.site_id, second.id).state == "proposed"


def test_a_new_delivery_meanwhile_does_not_stop_a_plan(day: Day) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    p = day.plan()
    day.job("Kaisa")
    board = day.accept(p)
    assert [j.customer_name for j in board.trays.unplanned] == ["Kaisa"]


def test_a_plan_is_accepted_or_discarded_once(day: Day) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    p = day.plan()
    day.accept(p)
    with pytest.raises(ChangedMeanwhile):
        day.accept(p)
    again = planning.plan(day.conn, day.w.site_id, p.id)
    with pytest.raises(Conflict):
        planning.discard(day.conn, day.ctx(), again.id, again.version)


def test_planning_again_adds_what_is_new_and_leaves_the_others_on_their_vans(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2")
    for n in range(3):
        for name in ("Kamppi", "Kaisa", "Toolo"):
            day.job(f"{name} {n}", "09:00", "11:30", kg=100)
    day.planned()
    before = {n: day.van_of(n) for n in day.jobs}
    day.job("Station")
    p = day.plan()
    assert p.difference is not None
    assert [x["customer_name"] for x in p.difference["added"]] == ["Station"]
    assert p.difference["moved"] == []
    day.accept(p)
    assert {n: day.van_of(n) for n in before} == before
    assert day.van_of("Station") is not None


def test_a_locked_route_is_left_alone_and_a_locked_stop_stays_with_its_van(day: Day) -> None:
    day.van("VAN-1", kg=1000)
    day.van("VAN-2", kg=1000)
    day.job("Kamppi")
    day.job("Bulevardi")
    with day.conn.transaction():
        route_id = moves.new_route(
            day.conn, day.ctx(), shift_id=day.shifts["VAN-1"], vehicle_id=None, day=None
        )
    put(day, "Kamppi", "VAN-1", 1)
    with day.conn.transaction():
        other = moves.new_route(day.conn, day.ctx(), shift_id=day.shifts["VAN-2"], vehicle_id=None, day=None)
    put(day, "Bulevardi", "VAN-2", 1)
    route = day.route("VAN-1")
    with day.conn.transaction():
        moves.lock_route(day.conn, day.ctx(), route_id, route.version, locked=True)
        moves.lock_stop(day.conn, day.ctx(), day.route("VAN-2").stops[0].id, locked=True)
    for name in ("Kaisa", "Toolo", "Station"):
        day.job(name)
    day.planned()
    assert day.names(day.route("VAN-1")) == ["Kamppi"]
    assert "Bulevardi" in day.names(day.route("VAN-2"))
    assert day.route("VAN-2").id == other
    assert len(day.names(day.route("VAN-2"))) == 4


def test_without_a_shift_or_without_work_there_is_no_plan_and_it_says_so(day: Day) -> None:
    day.job("Kamppi")
    assert "No vehicle is free" in (day.plan().problem or "")
    day.van("VAN-1")
    day.conn.execute("update delivery_job set state = 'cancelled'")
    assert "Nothing waits" in (day.plan().problem or "")


def test_a_window_that_is_over_says_so(day: Day) -> None:
    day.van("VAN-1")
    day.job("Kamppi")
    old = day.job("Kaisa")
    day.conn.execute(
        "update delivery_job set window_from = now() - interval '3 days', window_until = now() - interval '2 days' where id = %s",
        [old],
    )
    left = day.planned().trays.unplanned
    assert [(j.customer_name, j.reason) for j in left] == [("Kaisa", "window_too_short")]
    assert "ended on" in left[0].detail
