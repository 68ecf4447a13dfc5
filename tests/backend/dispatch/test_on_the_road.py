"""What positions make of a route: arrivals, departures, times that carry the delay on, and what is told once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.db import Conn
from backend.dispatch import on_the_road, positions, road_views
from backend.errors import Conflict
from tests.backend.dispatch.road import (
    DEPOT,
    Customer,
    Drive,
    drive,
    metres_north,
    open_alerts,
    stocked,
    told,
)
from tests.conftest import Warehouse

MINUTE = timedelta(minutes=1)


@pytest.fixture
def d(conn: Conn, warehouse: Warehouse) -> Drive:
    """Three customers 2 km apart, to be reached after 10, 25 and 40 minutes; back after 55."""
    stocked(conn, warehouse)
    return drive(conn, warehouse, Customer("One"), Customer("Two"), Customer("Three")).leave()


def etas(d: Drive) -> list[int]:
    """Minutes after the start at which the stops ahead are reached."""
    found = on_the_road.stops(d.conn, d.w.site_id, d.route_id)
    return [
        round((s.eta_at - d.starts_at).total_seconds() / 60)
        for s in found
        if s.state == "planned" and s.eta_at
    ]


def test_at_the_departure_the_times_are_those_of_the_plan(d: Drive) -> None:
    assert etas(d) == [10, 25, 40]
    assert d.route().eta_by == "plan"
    assert [e["type"] for e in told(d.conn, "delivery.out_for_delivery", "delivery.arriving")] == [
        "delivery.out_for_delivery", "delivery.out_for_delivery", "delivery.out_for_delivery", "delivery.arriving",
    ]  # fmt: skip


def test_the_van_arrives_leaves_and_comes_back_by_what_its_receiver_says(d: Drive) -> None:
    start = d.starts_at
    d.stand(DEPOT, start + MINUTE, 60)
    d.at(metres_north(DEPOT, 700), start + 3 * MINUTE, speed_kmh=40)
    assert d.route().left_depot_at is not None
    arrived = start + 9 * MINUTE
    d.stand(d.points["One"], arrived, 60)
    assert (d.stop("One").state, d.stop("One").arrived_at, d.stop("One").arrived_by) == (
        "arrived",
        arrived,
        "geofence",
    )
    d.now = start + 12 * MINUTE
    d.deliver("One")
    left = start + 13 * MINUTE
    d.stand(metres_north(d.points["One"], 300), left, 60)
    assert d.stop("One").left_at == left
    for name, minute in (("Two", 24), ("Three", 39)):
        d.stand(d.points[name], start + minute * MINUTE, 60)
        d.deliver(name)
    d.at(metres_north(DEPOT, 3000), start + 46 * MINUTE, speed_kmh=40)
    d.stand(DEPOT, start + 54 * MINUTE, 60)
    assert d.route().state == "back"
    assert d.route().back_at == start + 54 * MINUTE
    words = [
        e.what
        for e in reversed(
            road_views.events(d.conn, d.w.site_id, route_id=d.route_id, job_id=None, before=None, limit=100)
        )
    ]
    assert [w for w in words if w in ("departed", "left_depot", "arrived", "left", "back")] == [
        "departed", "left_depot", "arrived", "left", "arrived", "left", "arrived", "left", "back",
    ]  # fmt: skip


def test_driving_past_is_no_arrival(d: Drive) -> None:
    at = d.starts_at + 8 * MINUTE
    for n, metres in enumerate(range(-300, 301, 15)):
        d.at(metres_north(d.points["One"], metres), at + timedelta(seconds=n), speed_kmh=54)
    assert d.stop("One").state == "planned"


def test_a_delay_is_carried_on_and_what_will_be_late_is_told_once_and_taken_back(d: Drive) -> None:
    d.conn.execute(
        "update delivery_job set window_until = %s where id = %s", [d.starts_at + 30 * MINUTE, d.jobs["Two"]]
    )
    d.at(metres_north(DEPOT, 1000), d.starts_at + 5 * MINUTE, speed_kmh=30)  # half way at half time
    assert etas(d) == [10, 25, 40]
    for second in range(0, 15 * 60 + 1, 15):  # a jam
        d.at(metres_north(DEPOT, 1000), d.starts_at + 5 * MINUTE + timedelta(seconds=second))
    assert etas(d) == [25, 40, 55]
    assert d.stop("Two").late_s == 600
    assert open_alerts(d.conn) == ["delivery_late"]
    assert [(e["type"], e["delivery_id"]) for e in told(d.conn, "delivery.late")] == [
        ("delivery.late", str(d.jobs["Two"]))
    ]
    # at the first door it is quicker than planned, and makes up for it
    d.stand(d.points["One"], d.now + 10 * timedelta(seconds=1), 60)
    d.deliver("One")
    assert d.stop("Two").late_s < 120
    assert open_alerts(d.conn) == []
    assert len(told(d.conn, "delivery.late")) == 1


def test_who_comes_before_the_window_waits_for_it(d: Drive) -> None:
    d.conn.execute(
        "update delivery_job set window_from = %s where id = %s", [d.starts_at + 60 * MINUTE, d.jobs["Two"]]
    )
    d.at(metres_north(DEPOT, 1000), d.starts_at + 5 * MINUTE, speed_kmh=30)
    assert etas(d) == [10, 25, 75]  # 60 + 5 at the door + 10 of the way


def test_a_break_is_held_where_it_falls_due_and_is_over_at_the_next_door(d: Drive) -> None:
    d.conn.execute("update vehicle_shift set break_from = %s, break_until = %s, break_s = 1800",
                   [d.starts_at + 20 * MINUTE, d.starts_at + 60 * MINUTE])  # fmt: skip
    d.conn.execute("update delivery_stop set position = position + 1 where position > 1")
    planned = d.starts_at + 20 * MINUTE
    d.conn.execute(
        """insert into delivery_stop (site_id, id, route_id, position, kind, planned_arrival_at, planned_start_at, planned_leave_at)
           values (%s, gen_random_uuid(), %s, 2, 'break', %s, %s, %s)""",
        [d.w.site_id, d.route_id, planned, planned, planned + 30 * MINUTE],
    )
    d.at(metres_north(DEPOT, 1000), d.starts_at + 5 * MINUTE, speed_kmh=30)
    assert etas(d) == [10, 60, 75]  # at the door until 15, the break from 20 to 50, ten minutes of way
    d.stand(d.points["One"], d.starts_at + 10 * MINUTE, 60)
    d.deliver("One")
    d.stand(d.points["Two"], d.starts_at + 61 * MINUTE, 60)
    states = d.conn.execute("select state from delivery_stop order by position").fetchall()
    assert [s for (s,) in states] == ["done", "done", "arrived", "planned"]


def test_stops_in_another_order_are_arrivals_too(d: Drive) -> None:
    d.stand(d.points["Two"], d.starts_at + 15 * MINUTE, 60)
    assert (d.stop("One").state, d.stop("Two").state) == ("planned", "arrived")
    d.deliver("Two")
    d.stand(metres_north(d.points["Two"], -400), d.now + MINUTE, 30)
    d.stand(d.points["One"], d.now + 5 * MINUTE, 60)
    assert d.stop("One").state == "arrived"
    d.deliver("One")
    found = road_views.events(
        d.conn, d.w.site_id, route_id=d.route_id, job_id=d.jobs["Two"], before=None, limit=9
    )
    assert "out of order" in next(e.detail for e in found if e.what == "arrived")


def test_two_customers_at_one_address_are_visited_one_after_the_other(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Up"), Customer("Down")).leave()
    conn.execute(
        "update delivery_job set lat = %s, lon = %s where id = %s", [*d.points["Up"], d.jobs["Down"]]
    )
    end = d.stand(d.points["Up"], d.starts_at + 10 * MINUTE, 60)
    assert (d.stop("Up").state, d.stop("Down").state) == ("arrived", "planned")
    d.deliver("Up")
    d.at(d.points["Up"], end + timedelta(seconds=30))
    assert (d.stop("Up").state, d.stop("Down").state) == ("done", "arrived")
    assert d.stop("Down").arrived_at == end


def test_the_driver_says_that_he_is_there_and_twice_is_once(d: Drive) -> None:
    at = d.starts_at + 9 * MINUTE
    d.now = d.starts_at + 11 * MINUTE
    for _ in range(2):
        with d.conn.transaction():
            on_the_road.arrive(d.conn, d.ctx(), d.stops["One"], occurred_at=at)
    assert (d.stop("One").arrived_at, d.stop("One").arrived_by) == (at, "driver")
    assert d.conn.execute("select count(*) from delivery_event where what = 'arrived'").fetchone() == (1,)
    d.deliver("One")
    with d.conn.transaction():
        on_the_road.arrive(d.conn, d.ctx(), d.stops["One"])  # the phone sends it again, late
    d.at(metres_north(d.points["One"], 900), d.starts_at + 20 * MINUTE)
    assert d.stop("One").left_at is not None


def test_one_arrives_only_under_way(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("One"))
    with pytest.raises(Conflict, match="under way"):
        on_the_road.arrive(conn, d.ctx(), d.stops["One"])


def test_late_positions_do_not_go_back_in_time(d: Drive) -> None:
    d.at(metres_north(DEPOT, 1500), d.starts_at + 6 * MINUTE)
    for minute in (1, 4, 6):
        d.at(DEPOT, d.starts_at + minute * MINUTE)
    row = d.conn.execute("select at, lat from vehicle_now").fetchone()
    assert row == (d.starts_at + 6 * MINUTE, metres_north(DEPOT, 1500).lat)


def test_a_receiver_that_is_silent_for_an_hour_is_told_and_the_times_are_by_the_plan(d: Drive) -> None:
    d.at(metres_north(DEPOT, 1000), d.starts_at + 5 * MINUTE, speed_kmh=30)
    assert d.route().eta_by == "position"
    d.now = d.starts_at + 12 * MINUTE
    positions.watch(d.conn, d.ctx("job:watch_vehicles"))
    assert d.route().eta_by == "plan"
    assert etas(d) == [12, 27, 42]  # it cannot have been there before now
    view = road_views.view(d.conn, d.ctx(), d.route_id)
    assert view["vehicle"]["stale"]
    assert open_alerts(d.conn) == []
    d.now = d.starts_at + 66 * MINUTE
    positions.watch(d.conn, d.ctx("job:watch_vehicles"))
    positions.watch(d.conn, d.ctx("job:watch_vehicles"))
    assert "gps_silent" in open_alerts(d.conn)
    with d.conn.transaction():  # the driver goes on by hand
        on_the_road.arrive(d.conn, d.ctx(), d.stops["One"])
    d.deliver("One")
    assert etas(d) == [76, 91]
    d.at(metres_north(d.points["One"], 1000), d.starts_at + 71 * MINUTE, speed_kmh=30)
    assert "gps_silent" not in open_alerts(d.conn)
    assert d.route().eta_by == "position"


def test_a_backlog_of_positions_says_when_it_really_was(d: Drive) -> None:
    """The agent had no network: what it kept comes at once, and the arrival has the time it had."""
    d.now = d.starts_at + 40 * MINUTE
    d.stand(d.points["One"], d.starts_at + 10 * MINUTE, 60)
    assert d.stop("One").arrived_at == d.starts_at + 10 * MINUTE


def test_a_van_that_drives_off_while_it_is_loaded_is_told(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("One"))
    d.load_all()
    d.at(metres_north(DEPOT, 800), d.starts_at + MINUTE, speed_kmh=40)
    assert open_alerts(conn) == ["left_without_departing"]
    d.at(DEPOT, d.starts_at + 3 * MINUTE)
    assert open_alerts(conn) == []


def test_the_track_shows_planned_against_driven(d: Drive) -> None:
    agent, device = d.conn.execute("select gen_random_uuid(), gen_random_uuid()").fetchone() or (None, None)
    d.conn.execute("insert into agent (id, site_id, code) values (%s, %s, 'van-1')", [agent, d.w.site_id])
    d.conn.execute(
        "insert into device (id, site_id, agent_id, code, kind) values (%s, %s, %s, 'gps-1', 'gps_receiver')",
        [device, d.w.site_id, agent],
    )
    for minute in range(1, 4):
        d.conn.execute(
            "insert into vehicle_position (site_id, device_id, at, lat, lon, fix) values (%s, %s, %s, %s, %s, 'autonomous')",
            [d.w.site_id, device, d.starts_at + minute * MINUTE, *metres_north(DEPOT, 500 * minute)],
        )
    d.now = d.starts_at + 10 * MINUTE
    t = road_views.track(d.conn, d.ctx(), d.route_id)
    assert [p.at for p in t.driven] == [
        d.starts_at + MINUTE,
        d.starts_at + 3 * MINUTE,
    ]  # between them it went straight
    assert 990 < t.driven_m < 1010
    assert t.planned_m == 10000
    assert [s["position"] for s in t.stops] == [1, 2, 3]
