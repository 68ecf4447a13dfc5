"""What people do in another order than was thought of: half a delivery unloaded before its door, ends of routes with goods
elsewhere, shipments changed behind a route's back. Whatever it is, the books stay right and nothing is lost from the board."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from backend import shipping
from backend.db import Conn, connect
from backend.dispatch import come_back, load, moves, proof, release, shifts, vehicles
from backend.dispatch import on_the_road as road
from backend.errors import ChangedMeanwhile, Conflict
from tests.backend.dispatch.day import Day, put, released
from tests.backend.dispatch.road import (
    Customer,
    Drive,
    books_are_right,
    drive,
    in_place,
    stocked,
)
from tests.backend.dispatch.test_release import drive_off, packed
from tests.backend.dispatch.test_whole_days import on_the_road, stop_of
from tests.conftest import Api, Warehouse, put_stock


@pytest.fixture
def day(conn: Conn, warehouse: Warehouse, helsinki: None) -> Day:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "200")
    return Day(conn, warehouse)


def sscc_of(day: Day, name: str) -> list[str]:
    rows = day.conn.execute(
        "select p.code from delivery_job_carton x join license_plate p on p.id = x.carton_id where x.job_id = %s",
        [day.jobs[name]],
    ).fetchall()
    return [r[0] for r in rows]


def put_or_new(day: Day, name: str) -> None:
    with day.conn.transaction():
        moves.new_route(day.conn, day.ctx(), shift_id=day.shifts["VAN-1"], vehicle_id=None, day=None)
    put(day, name, "VAN-1", 1, anyway=True)


def open_jobs_with(d: Drive, sscc: str) -> list[str]:
    """States of the open deliveries that are to bring this carton."""
    rows = d.conn.execute(
        """select j.state from delivery_job j join delivery_job_carton x on x.site_id = j.site_id and x.job_id = j.id
           join license_plate p on p.id = x.carton_id where p.code = %s and j.finished_at is null""",
        [sscc],
    ).fetchall()
    return [r[0] for r in rows]


# --- half of a delivery comes back before its door -------------------------------------------------------


@pytest.mark.parametrize("outcome", ["delivered", "refused"])
def test_a_carton_that_was_unloaded_before_its_door_is_brought_another_time(
    conn: Conn, warehouse: Warehouse, outcome: str
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2)).leave()
    d.unload(d.sscc("Kahvila", 0))
    if outcome == "delivered":
        d.deliver("Kahvila")
    else:
        d.fail("Kahvila", "refused")
        d.unload(d.sscc("Kahvila", 1))
    d.finish()
    assert open_jobs_with(d, d.sscc("Kahvila", 0)) == ["ready"]
    assert open_jobs_with(d, d.sscc("Kahvila", 1)) == []
    books_are_right(conn)


def test_half_unloaded_and_half_lost_the_half_that_is_here_is_brought_another_time(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2)).leave()
    d.unload(d.sscc("Kahvila", 0))
    d.finish(anyway=True, reason="the other one fell off", may_anyway=True)
    assert open_jobs_with(d, d.sscc("Kahvila", 0)) == ["ready"]
    books_are_right(conn)


def test_nobody_there_and_half_lost_the_other_half_is_tried_again(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2)).leave()
    d.fail("Kahvila", "nobody_there")
    d.unload(d.sscc("Kahvila", 0))
    d.finish(anyway=True, reason="the other one fell off", may_anyway=True)
    assert open_jobs_with(d, d.sscc("Kahvila", 0)) == ["ready"]
    assert open_jobs_with(d, d.sscc("Kahvila", 1)) == []
    books_are_right(conn)


def test_what_is_refused_at_a_later_attempt_counts_once(day: Day) -> None:
    """Brought back untried, driven again, and half of it refused: the customer may give back the half they have."""
    day.van("VAN-1")
    job = packed(day, "Kamppi")
    for _ in range(2):
        put_or_new(day, "Kamppi")
        released(day, "VAN-1")
        drive_off(day, "VAN-1")
        r = on_the_road(day, "VAN-1")
        if _ == 0:
            (sscc,) = sscc_of(day, "Kamppi")
            with day.conn.transaction():
                come_back.unload(day.conn, day.ctx("user:worker"), r.id, sscc)
                come_back.finish(day.conn, day.ctx("user:worker"), r.id)
    stop = stop_of(day, r, "Kamppi")
    piece = proof.Piece(day.w.items["TEA-250"], Decimal(1))
    with day.conn.transaction():
        proof.deliver(
            day.conn, day.ctx("user:dave"), stop.id, [proof.HandedOver(sscc, "pieces", (piece,), "too much")], proof.Evidence()
        )  # fmt: skip
    assert proof.not_with_customer(day.conn, day.w.site_id, job.order_id) == {day.w.items["TEA-250"]: 3}
    books_are_right(day.conn)


# --- goods of a van that broke down ------------------------------------------------------------------------


def broken(day: Day, *names: str) -> None:
    day.van("VAN-1")
    for name in names:
        packed(day, name)
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    route = day.route("VAN-1")
    with day.conn.transaction():
        release.break_down(day.conn, day.ctx(), route.id, "engine")


def rescue(day: Day, *names: str) -> None:
    day.van("VAN-2")
    with day.conn.transaction():
        moves.new_route(day.conn, day.ctx(), shift_id=day.shifts["VAN-2"], vehicle_id=None, day=None)
    for name in names:
        put(day, name, "VAN-2", 1, anyway=True)


def test_what_was_lost_with_a_broken_van_is_no_delivery_any_more(day: Day) -> None:
    broken(day, "Kamppi")
    first = on_the_road(day, "VAN-1")
    rescue(day, "Kamppi")
    assert day.of("Kamppi").state == "planned"
    with day.conn.transaction():
        come_back.finish(day.conn, day.ctx(), first.id, anyway=True, reason="burnt out", may_anyway=True)
    assert day.of("Kamppi").state == "cancelled"
    assert day.route("VAN-2").stops == []
    books_are_right(day.conn)


def test_a_rescue_that_ends_without_the_goods_leaves_them_where_they_are(day: Day) -> None:
    broken(day, "Kamppi")
    first = on_the_road(day, "VAN-1")
    rescue(day, "Kamppi")
    released(day, "VAN-2")
    drive_off(day, "VAN-2")
    second = on_the_road(day, "VAN-2")
    with day.conn.transaction():
        come_back.finish(
            day.conn, day.ctx(), second.id, anyway=True, reason="never found it", may_anyway=True
        )
    job = day.of("Kamppi")
    assert (job.state, job.goods_on_route_id, job.reason) == ("ready", first.id, "vehicle_broke_down")
    books_are_right(day.conn)


def test_a_route_that_was_cancelled_meanwhile_does_not_depart(day: Day) -> None:
    """A route that only fetches goods has no shipment; its own lock has to say whether it may leave."""
    broken(day, "Kamppi")
    rescue(day, "Kamppi")
    released(day, "VAN-2")
    route = day.route("VAN-2")
    with day.conn.transaction():
        release.cancel(day.conn, day.ctx(), route.id, route.version)
    with pytest.raises(Conflict), day.conn.transaction():
        road.leave(day.conn, day.ctx(), route.id)


def test_a_departure_in_the_year_one_is_one_now(day: Day) -> None:
    broken(day, "Kamppi")
    rescue(day, "Kamppi")
    released(day, "VAN-2")
    route = day.route("VAN-2")
    with day.conn.transaction():
        load.depart(day.conn, day.ctx(), route.id, occurred_at=datetime(1, 1, 1, tzinfo=UTC))
    left = on_the_road(day, "VAN-2").departed_at
    assert left is not None
    assert left > day.ctx().now - timedelta(days=1)


def test_goods_that_were_towed_home_need_no_rescue(day: Day) -> None:
    broken(day, "Kamppi", "Kaisa")
    first = on_the_road(day, "VAN-1")
    rescue(day, "Kamppi")
    before = day.route("VAN-2").version
    (sscc,) = sscc_of(day, "Kamppi")
    with day.conn.transaction():
        come_back.unload(day.conn, day.ctx("user:worker"), first.id, sscc)
    assert (day.of("Kamppi").state, day.of("Kamppi").goods_on_route_id) == ("ready", None)
    assert day.route("VAN-2").stops == []
    assert day.route("VAN-2").version > before
    put(day, "Kamppi", "VAN-2", 1, anyway=True)
    assert [s.kind for s in day.route("VAN-2").stops] == ["delivery"]
    released(day, "VAN-2")
    drive_off(day, "VAN-2")
    books_are_right(day.conn)


# --- a shipment that is changed behind its route's back ----------------------------------------------------


def test_a_route_s_shipment_stays_on_its_van(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila"))
    other = drive(conn, warehouse, Customer("Kioski"), driver="rita", code="VAN-2", gps=None)
    s = shipping.shipment(conn, warehouse.site_id, d.shipment_id)
    with pytest.raises(Conflict, match="RT-VAN-1"), conn.transaction():
        shipping.assign(conn, d.ctx(), s.id, s.version, vehicle_id=other.vehicle_id, door_id=s.door_id)
    with conn.transaction():  # another door is the yard's own business
        shipping.assign(conn, d.ctx(), s.id, s.version, vehicle_id=d.vehicle_id, door_id=None)


def test_an_order_on_a_released_route_is_not_taken_by_another_shipment(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila"))
    with pytest.raises(Conflict, match="RT-VAN-1"), conn.transaction():
        shipping.plan(conn, d.ctx(), [d.orders["Kahvila"].id])
    d.leave().deliver("Kahvila")
    assert in_place(conn, warehouse, "customer") == 4
    books_are_right(conn)


# --- days on which the clocks change -----------------------------------------------------------------------


@pytest.mark.parametrize("changes", [date(2027, 3, 28), date(2027, 10, 31)])
def test_on_the_day_the_clocks_change_the_times_are_true(day: Day, changes: date) -> None:
    day.day = changes
    day.now = day.at("00:30")
    day.van("VAN-1", "09:00", "15:00")
    day.job("Kamppi", "10:00", "10:30")
    day.job("Kaisa", "13:00", "13:30")
    (route,) = day.planned().routes
    assert day.at("09:00") <= route.starts_at
    assert route.ends_at <= day.at("15:00")
    assert [s.late_s for s in route.stops] == [0, 0]
    for s, opens in zip(route.stops, ("10:00", "13:00"), strict=True):
        assert day.at(opens) <= s.planned_start_at <= day.at(opens) + timedelta(minutes=30)


def test_a_night_in_which_the_clocks_go_back_has_one_hour_more(day: Day) -> None:
    day.day = date(2027, 10, 30)
    day.now = day.at("12:00")
    day.van("NIGHT", "22:00", "06:00", end_days=1)
    day.job("Kamppi", "23:00", "23:30")
    opens = day.at("05:00", days=1)
    day.job("Kaisa")
    day.conn.execute(
        "update delivery_job set window_from = %s, window_until = %s where id = %s",
        [opens, opens + timedelta(minutes=20), day.jobs["Kaisa"]],
    )
    (route,) = day.planned().routes
    last = route.stops[-1]
    assert opens <= last.planned_start_at <= opens + timedelta(minutes=20)
    assert route.late_s == 0


def test_the_last_day_of_the_calendar_is_no_day_of_a_driver(api: Api, warehouse: Warehouse) -> None:
    answer = api.get("/api/v1/driver/routes?day=9999-12-31")
    assert (answer.status_code, answer.json()["field"]) == (422, "day")


# --- two people at once ------------------------------------------------------------------------------------


def test_a_shift_is_not_taken_off_while_somebody_makes_its_route(day: Day, database_url: str) -> None:
    day.van("VAN-1")
    shift = shifts.shift(day.conn, day.w.site_id, day.shifts["VAN-1"])
    with connect(database_url, autocommit=True) as other:
        with day.conn.transaction():
            moves.new_route(day.conn, day.ctx(), shift_id=shift.id, vehicle_id=None, day=None)
            other.execute("set lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
                shifts.change(other, day.ctx(), shift.id, shift.version, {"cancelled": True})
        with pytest.raises(Conflict, match="drives in this shift"), other.transaction():
            shifts.change(other, day.ctx(), shift.id, shift.version, {"cancelled": True})


def test_a_van_is_not_given_up_while_somebody_makes_its_route(day: Day, database_url: str) -> None:
    van = day.van("VAN-1")
    with connect(database_url, autocommit=True) as other:
        with day.conn.transaction():
            moves.new_route(day.conn, day.ctx(), shift_id=day.shifts["VAN-1"], vehicle_id=None, day=None)
            other.execute("set lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
                vehicles.change(other, day.ctx(), van, 1, {"active": False})
        with pytest.raises(Conflict, match="finish or cancel it first"), other.transaction():
            vehicles.change(other, day.ctx(), van, 1, {"active": False})


def test_a_van_that_was_given_up_after_the_plan_gets_no_route(day: Day) -> None:
    van = day.van("VAN-1")
    day.job("Kamppi")
    p = day.plan()
    with day.conn.transaction():
        vehicles.change(day.conn, day.ctx(), van, 1, {"active": False})
    with pytest.raises(ChangedMeanwhile):
        day.accept(p)
    with pytest.raises(Conflict, match="not used any more"), day.conn.transaction():
        moves.new_route(day.conn, day.ctx(), shift_id=day.shifts["VAN-1"], vehicle_id=None, day=None)
    assert day.of("Kamppi").state == "ready"
