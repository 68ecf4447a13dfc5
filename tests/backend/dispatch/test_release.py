"""From the packed carton to the released route, and what happens to it when orders, stops and vans change under way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from backend import orders, packing, shipping
from backend.db import Conn
from backend.dispatch import board as boards
from backend.dispatch import jobs, load, moves, release, slots
from backend.dispatch.jobs import Job
from backend.errors import ChangedMeanwhile, Conflict
from backend.orders import NewLine, NewOrder, Order
from tests.backend.dispatch.day import IN_THE_SEA, PLACES, Day, call, put, released
from tests.backend.orders.flow import let_jobs_run
from tests.backend.packing.test_packing import pick_all
from tests.conftest import Api, Warehouse, put_stock


@pytest.fixture
def day(conn: Conn, warehouse: Warehouse, helsinki: None) -> Day:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "200")
    return Day(conn, warehouse)


def accept(day: Day, name: str, quantity: str = "4", **ship_to: Any) -> Order:
    where = {} if "street" in ship_to or "lat" in ship_to else at(PLACES[name])
    new = NewOrder(
        "api", None, day.w.customer_id, day.at("16:00"), [NewLine(day.w.items["TEA-250"], Decimal(quantity))],
        ship_to={"name": name, **where, **ship_to},
    )  # fmt: skip
    with day.conn.transaction():
        return orders.accept(day.conn, day.w.ctx(), new)


def at(p: Any) -> dict[str, str]:
    return {"lat": str(p.lat), "lon": str(p.lon)}


def pack(day: Day, o: Order, quantity: str, *, close: bool = True) -> UUID:
    with day.conn.transaction():
        ctx = day.w.ctx()
        c = packing.open_carton(day.conn, ctx, o.id, day.w.places["BENCH-1"])
        packing.pack(day.conn, ctx, c.id, "TEA-250", Decimal(quantity))
        weight = packing.carton(day.conn, day.w.site_id, c.id).expected_weight_g
        assert weight is not None
        packing.attach_weight(day.conn, ctx, c.id, weight + 4, by="scale")
        if close:
            packing.close_carton(day.conn, ctx, c.id)
        return c.id


def packed(day: Day, name: str, quantity: str = "4", **ship_to: Any) -> Job:
    o = accept(day, name, quantity, **ship_to)
    pick_all(day.conn, day.w, o)
    pack(day, o, quantity)
    (job,) = jobs_of(day, o)
    day.jobs[name] = job.id
    return job


def jobs_of(day: Day, o: Order) -> list[Job]:
    return jobs.many(day.conn, " and j.order_id = %s order by j.id", [day.w.site_id, o.id])


def drive_off(day: Day, code: str) -> None:
    """Loaded by scans, and gone, at the planned time."""
    route = day.route(code)
    day.now = route.starts_at
    with day.conn.transaction():
        for c in load.manifest(day.conn, day.w.site_id, route.id).cartons:
            load.load(day.conn, day.ctx(), route.id, c.sscc, "DOCK-2")
        load.depart(day.conn, day.ctx(), route.id)


# --- packed orders become deliveries ----------------------------------------------------------------------


def test_the_last_carton_of_an_order_makes_its_delivery(day: Day) -> None:
    o = accept(day, "Kamppi", "12", note="ring twice", window_from=day.at("09:00").isoformat(),
               window_until=day.at("11:00").isoformat(), phone="+358 1", service_min="7")  # fmt: skip
    pick_all(day.conn, day.w, o)
    pack(day, o, "5")
    assert jobs_of(day, o) == []
    pack(day, o, "7")
    (job,) = jobs_of(day, o)
    assert (job.state, job.customer_name, job.cartons, job.located_by) == ("ready", "Kamppi", 2, "order")
    assert job.weight_g == 12 * 280 + 2 * 250 + 2 * 4  # the scale's words, cardboard included
    assert job.volume_ml == 5 * 280 * 5 * 8 // 7 + 7 * 280 * 5 * 8 // 7  # 5 ml a gram, and air
    assert (job.window_from, job.window_until) == (day.at("09:00"), day.at("11:00"))
    assert (job.service_s, job.note, job.phone) == (420, "ring twice", "+358 1")


def test_an_item_that_is_known_to_be_bulky_takes_its_room(day: Day, api: Api) -> None:
    item = call(api, "GET", f"/items/{day.w.items['TEA-250']}")
    assert item["volume_ml"] is None
    call(api, "PATCH", f"/items/{item['id']}", {"version": item["version"], "volume_ml": "7000"})
    assert packed(day, "Kamppi", "2").volume_ml == 2 * 7000 * 8 // 7


def test_an_address_is_found_on_the_map_and_one_that_it_does_not_know_goes_to_review(day: Day) -> None:
    known = packed(day, "A", street="Aleksanterinkatu 52", city="Helsinki")
    assert (known.state, known.located_by) == ("ready", "map")
    assert abs((known.lat or 0) - 60.1686) < 0.002
    unknown = packed(day, "B", street="Nowhere Street 999", city="Atlantis")
    assert (unknown.state, unknown.lat, unknown.address) == (
        "to_review",
        None,
        "Nowhere Street 999, Atlantis",
    )
    assert [j.id for j in day.board().trays.review] == [unknown.id]


def test_an_order_that_is_fetched_makes_no_delivery(day: Day) -> None:
    o = accept(day, "Kamppi", method="pickup")
    pick_all(day.conn, day.w, o)
    pack(day, o, "4")
    assert jobs_of(day, o) == []


def test_a_window_that_cannot_be_read_is_said_and_the_due_time_counts(day: Day) -> None:
    job = packed(day, "Kamppi", window_from="soonish")
    assert "soonish" in job.note
    assert job.window_until == day.at("16:00")


def test_a_backorder_packed_later_joins_the_delivery_while_nobody_was_told_and_is_a_further_one_after(
    day: Day,
) -> None:
    o = accept(day, "Kamppi", "210")
    pick_all(day.conn, day.w, o)
    pack(day, o, "200")
    (job,) = jobs_of(day, o)
    put_stock(day.conn, day.w, "TEA-250", "A-01-1", "6")
    let_jobs_run(day.conn)
    pick_all(day.conn, day.w, o)
    pack(day, o, "6")
    (joined,) = jobs_of(day, o)
    assert (joined.id, joined.cartons) == (job.id, 2)
    assert joined.weight_g == job.weight_g + 6 * 280 + 254
    day.van("VAN-1")
    day.planned()
    released(day, "VAN-1")
    put_stock(day.conn, day.w, "TEA-250", "A-01-1", "4")
    let_jobs_run(day.conn)
    pick_all(day.conn, day.w, o)
    pack(day, o, "4")
    first, second = jobs_of(day, o)
    assert (first.state, first.cartons, second.state, second.cartons) == ("released", 2, "ready", 1)


def test_a_cancelled_order_takes_its_delivery_off_the_route(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi")
    gone = packed(day, "Kaisa")
    day.planned()
    with day.conn.transaction():
        orders.cancel(day.conn, day.w.ctx(), gone.order_id, "changed their mind")
    assert day.of("Kaisa").state == "cancelled"
    assert day.names(day.route("VAN-1")) == ["Kamppi"]


# --- release ----------------------------------------------------------------------------------------------


def test_a_released_route_is_a_shipment_and_the_customers_are_told_when(day: Day) -> None:
    day.van("VAN-1")
    job = packed(day, "Kamppi")
    other = packed(day, "Kaisa")
    day.planned()
    released(day, "VAN-1")
    route = day.route("VAN-1")
    assert (route.state, day.of("Kamppi").state) == ("released", "released")
    assert route.shipment_id is not None
    s = shipping.shipment(day.conn, day.w.site_id, route.shipment_id)
    assert (s.vehicle_code, s.door_code) == ("VAN-1", "DOCK-2")
    assert {o.order_id for o in s.orders} == {job.order_id, other.order_id}
    for stop in route.stops:
        assert stop.job is not None
        assert stop.job.promised_from is not None
        assert stop.job.promised_until is not None
        assert stop.job.promised_from <= stop.planned_start_at <= stop.job.promised_until
        assert stop.job.promised_until - stop.job.promised_from <= timedelta(hours=1)
    told = day.conn.execute(
        "select data->>'expected_from' from webhook_event where type = 'delivery.planned'"
    ).fetchall()
    assert len(told) == 2
    with pytest.raises(Conflict, match="withdraw"):
        put_in_tray(day, "VAN-1", "Kaisa")


def put_in_tray(day: Day, code: str, name: str) -> None:
    route = day.route(code)
    stop = next(s for s in route.stops if s.job is not None and s.job.customer_name == name)
    with day.conn.transaction():
        moves.remove(day.conn, day.ctx(), route.id, stop.id, version=route.version)


def test_a_release_is_withdrawn_and_a_route_cancelled_while_nothing_is_loaded(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi")
    packed(day, "Kaisa")
    day.planned()
    released(day, "VAN-1")
    route = day.route("VAN-1")
    with day.conn.transaction():
        release.withdraw(day.conn, day.ctx(), route.id, route.version)
    assert (day.route("VAN-1").state, day.of("Kamppi").state) == ("draft", "planned")
    put_in_tray(day, "VAN-1", "Kaisa")
    released(day, "VAN-1")
    route = day.route("VAN-1")
    with day.conn.transaction():
        release.cancel(day.conn, day.ctx(), route.id, route.version)
    assert {day.of(n).state for n in day.jobs} == {"ready"}
    assert [s.id for s in day.board().free_shifts] == [day.shifts["VAN-1"]]
    assert len(day.board().trays.unplanned) == 2


def test_a_route_that_is_being_loaded_is_neither_cancelled_nor_withdrawn(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi")
    day.planned()
    released(day, "VAN-1")
    seen = day.route("VAN-1")
    with day.conn.transaction():
        (c,) = load.manifest(day.conn, day.w.site_id, seen.id).cartons
        load.load(day.conn, day.ctx(), seen.id, c.sscc, "DOCK-2")
    # Also whoever still sees it released is told what happened, not only that something did.
    for version in (seen.version, day.route("VAN-1").version):
        for take_back in (release.cancel, release.withdraw):
            with pytest.raises(Conflict, match="Unload them first"), day.conn.transaction():
                take_back(day.conn, day.ctx(), seen.id, version)
    assert seen.shipment_id is not None
    with day.conn.transaction():
        shipping.unload(day.conn, day.ctx(), seen.shipment_id, c.sscc)
    route = day.route("VAN-1")
    with pytest.raises(ChangedMeanwhile), day.conn.transaction():
        release.withdraw(day.conn, day.ctx(), route.id, seen.version)
    with day.conn.transaction():
        release.withdraw(day.conn, day.ctx(), route.id, route.version)
    assert (day.route("VAN-1").state, day.of("Kamppi").state) == ("draft", "planned")
    with pytest.raises(Conflict, match="was cancelled; nothing can be loaded"), day.conn.transaction():
        shipping.load(day.conn, day.ctx(), seen.shipment_id, c.sscc, "DOCK-2")


# --- planning while vans are on the road -------------------------------------------------------------------


def test_planning_again_keeps_what_is_done_and_what_is_aboard(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2")
    for name in ("Kamppi", "Kluuvi", "Toolo"):
        packed(day, name)
    day.conn.execute("update vehicle_shift set cancelled_at = now() where id = %s", [day.shifts["VAN-2"]])
    day.planned()
    day.conn.execute("update vehicle_shift set cancelled_at = null where id = %s", [day.shifts["VAN-2"]])
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    route = day.route("VAN-1")
    first = route.stops[0]
    day.conn.execute(
        "update delivery_stop set state = 'done', arrived_at = planned_arrival_at, done_at = planned_leave_at where id = %s",
        [first.id],
    )
    day.conn.execute(
        "update delivery_job set state = 'delivered', finished_at = now() where id = %s", [first.job_id]
    )
    day.now = first.planned_leave_at
    packed(day, "Station")
    packed(day, "Kaisa")
    board = day.planned()
    van_1 = next(r for r in board.routes if r.vehicle.code == "VAN-1")
    assert van_1.stops[0].id == first.id
    assert (van_1.stops[0].state, van_1.stops[0].planned_arrival_at) == ("done", first.planned_arrival_at)
    assert {s.job_id for s in van_1.stops} == {s.job_id for s in route.stops}
    assert sorted(day.names(day.route("VAN-2"))) == ["Kaisa", "Station"]
    assert all(s.planned_arrival_at >= day.now for s in van_1.stops[1:])
    assert van_1.state == "under_way"


def on_the_road(day: Day, *names: str) -> boards.Route:
    """These are aboard VAN-1, and it has left."""
    day.van("VAN-1")
    for name in names:
        packed(day, name)
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    return day.route("VAN-1")


def served(day: Day, stop: boards.Stop) -> None:
    day.conn.execute(
        "update delivery_stop set state = 'done', done_at = planned_leave_at where id = %s", [stop.id]
    )
    day.conn.execute(
        "update delivery_job set state = 'delivered', finished_at = now() where id = %s", [stop.job_id]
    )
    day.now = stop.planned_leave_at


def wanted_otherwise(day: Day, later: boards.Stop, sooner: boards.Stop) -> None:
    """The customers have changed their minds: the one in the afternoon, the other before noon."""
    day.conn.execute(
        "update delivery_job set window_from = %s where id = %s", [day.at("13:00"), later.job_id]
    )
    day.conn.execute(
        "update delivery_job set window_until = %s where id = %s", [day.at("12:00"), sooner.job_id]
    )


def test_a_van_that_drives_on_while_somebody_looks_at_a_plan_is_no_change_of_the_board(day: Day) -> None:
    route = on_the_road(day, "Kamppi", "Kaisa", "Station")
    day.van("VAN-2")
    packed(day, "Toolo")
    p = day.plan()
    served(day, route.stops[0])
    day.accept(p)
    after = day.route("VAN-1")
    assert [s.id for s in after.stops] == [s.id for s in route.stops]
    assert [s.state for s in after.stops] == ["done", "planned", "planned"]
    assert day.names(day.route("VAN-2")) == ["Toolo"]


def test_what_a_plan_changes_on_a_van_that_has_driven_on_is_timed_from_where_it_is(day: Day) -> None:
    route = on_the_road(day, "Kamppi", "Kaisa", "Station")
    wanted_otherwise(day, route.stops[1], route.stops[2])
    p = day.plan()
    assert p.difference is not None
    assert p.proposal is not None
    assert p.difference["resequenced"] == ["VAN-1"]
    order = [s["job_id"] for s in p.proposal["routes"][0]["stops"]]
    first = next(s for s in route.stops if str(s.job_id) == order[0])
    served(day, first)
    day.accept(p)
    after = day.route("VAN-1")
    assert [str(s.job_id) for s in after.stops] == order
    assert [s.state for s in after.stops] == ["done", "planned", "planned"]
    assert after.stops[1].planned_arrival_at >= first.planned_leave_at
    assert after.geometry is None  # fetched behind


def test_a_van_that_went_elsewhere_than_the_plan_says_is_a_change_of_the_board(day: Day) -> None:
    route = on_the_road(day, "Kamppi", "Kaisa", "Station")
    wanted_otherwise(day, route.stops[1], route.stops[2])
    p = day.plan()
    served(day, route.stops[1])  # which the plan has last
    with pytest.raises(ChangedMeanwhile, match="gone on otherwise"):
        day.accept(p)


def test_a_van_on_the_road_drives_on_at_once_and_waits_where_it_has_to(day: Day) -> None:
    day.van("VAN-1", break_s=1800, break_from="11:00", break_until="12:00")
    packed(day, "Kamppi", window_until=day.at("12:00").isoformat())
    packed(day, "Kaisa", window_from=day.at("13:00").isoformat(), window_until=day.at("14:00").isoformat())
    day.planned()
    assert day.route("VAN-1").starts_at > day.at(
        "10:00"
    )  # at the depot it leaves late: nobody waits on the road
    day.conn.execute(
        "update delivery_route set starts_at = %s where id = %s", [day.at("08:30"), day.route("VAN-1").id]
    )
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    day.now = day.at("08:35")
    packed(day, "Station")
    day.planned()
    route = day.route("VAN-1")
    assert day.names(route) == ["Kamppi", "break", "Kaisa"]
    first, pause, last = route.stops
    assert day.now < first.planned_start_at < day.at("08:50")
    assert pause.planned_start_at == day.at("11:00")
    assert pause.planned_leave_at - pause.planned_start_at == timedelta(minutes=30)
    assert (last.planned_start_at, last.late_s) == (day.at("13:00"), 0)
    assert last.planned_arrival_at <= day.at("11:45")


def test_goods_aboard_are_brought_even_when_they_are_late(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi", window_from=day.at("08:00").isoformat(), window_until=day.at("09:00").isoformat())
    packed(day, "Kaisa")
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    day.now = day.at("11:00")
    packed(day, "Station")
    p = day.plan()
    assert p.state == "proposed", p.problem
    assert p.difference is not None
    assert [x["customer_name"] for x in p.difference["late_jobs"]] == ["Kamppi"]
    assert [x["customer_name"] for x in p.difference["kept_promises_broken"]].count("Kamppi") == 1
    day.accept(p)
    assert sorted(day.names(day.route("VAN-1"))) == ["Kaisa", "Kamppi"]


def test_stops_of_a_van_under_way_change_their_order_and_nothing_leaves_it(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2")
    packed(day, "Kamppi")
    packed(day, "Kaisa")
    packed(day, "Station")
    day.planned()
    code = day.van_of("Kamppi")
    assert code is not None
    released(day, code)
    drive_off(day, code)
    route = day.route(code)
    last = route.stops[-1]
    assert last.job is not None
    first = route.stops[0]
    assert first.job is not None
    day.conn.execute(
        "update delivery_job set promised_from = %s, promised_until = %s where id = %s",
        [
            first.planned_start_at - timedelta(minutes=1),
            first.planned_start_at + timedelta(minutes=1),
            first.job_id,
        ],
    )
    with pytest.raises(moves.BreaksARule, match="was told") as e:
        put(day, first.job.customer_name, code, len(route.stops))
    assert {(v["kind"], v["allowed_anyway"]) for v in e.value.more["violations"]} == {
        ("promise_broken", True)
    }
    assert day.names(day.route(code)) == day.names(route)
    put(day, last.job.customer_name, code, 1, anyway=True)
    assert day.names(day.route(code))[0] == last.job.customer_name
    with pytest.raises(Conflict, match="aboard"):
        put_in_tray(day, code, last.job.customer_name)


def test_when_a_van_breaks_down_the_next_plan_sends_another_to_take_its_goods_over(
    day: Day, api: Api
) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi")
    packed(day, "Toolo")
    packed(day, "Station")
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    route = day.route("VAN-1")
    first = route.stops[0]
    assert first.job is not None
    day.conn.execute(
        "update delivery_stop set state = 'done', done_at = planned_leave_at where id = %s", [first.id]
    )
    day.conn.execute(
        "update delivery_job set state = 'delivered', finished_at = now() where id = %s", [first.job_id]
    )
    day.now = first.planned_leave_at
    api.as_user(day.conn, "dave", ["driver"], day.w.site_id)
    broken = call(api, "POST", f"/delivery-routes/{route.id}/breakdown", {"note": "flat tyre"})
    assert broken["state"] == "broken_down"
    waiting = day.board().trays.unplanned
    assert len(waiting) == 2
    assert {j.reason for j in waiting} == {"vehicle_broke_down"}
    assert {j.goods_on_route_id for j in waiting} == {route.id}
    assert "flat tyre" in waiting[0].detail

    day.van("VAN-2")
    board = day.planned()
    rescue = next(r for r in board.routes if r.vehicle.code == "VAN-2")
    kinds = [(s.kind, s.job_id) for s in rescue.stops]
    for job in waiting:
        assert kinds.index(("take_over", job.id)) < kinds.index(("delivery", job.id))
    taken = next(s for s in rescue.stops if s.kind == "take_over")
    assert (taken.lat, taken.lon) == (first.job.lat, first.job.lon)  # where it was last known to be
    assert board.trays.unplanned == []
    released(day, "VAN-2")
    assert day.route("VAN-2").shipment_id is None  # nothing of it is at the depot
    phone = call(api, "GET", f"/driver/routes/{rescue.id}")["stops"]
    meets = next(s for s in phone if s["kind"] == "take_over")
    assert (meets["lat"], meets["lon"], meets["job"]["stands_in"]) == (taken.lat, taken.lon, "VAN-1")
    door = next(s for s in phone if s["kind"] == "delivery")
    assert (door["lat"], door["lon"]) == (door["job"]["lat"], door["job"]["lon"])
    with day.conn.transaction():
        load.depart(day.conn, day.ctx(), rescue.id)
    assert day.route("VAN-2").state == "under_way"


def test_a_van_that_is_far_from_any_road_by_its_gps_is_left_as_it_is_and_the_others_are_planned(
    day: Day,
) -> None:
    route = on_the_road(day, "Kamppi", "Station")
    day.now = route.starts_at + timedelta(minutes=2)
    day.conn.execute(
        "insert into vehicle_now (site_id, vehicle_id, at, lat, lon) values (%s, %s, %s, %s, %s)",
        [day.w.site_id, day.vans["VAN-1"], day.now, IN_THE_SEA.lat, IN_THE_SEA.lon],
    )
    day.van("VAN-2")
    packed(day, "Kaisa")
    day.planned()
    assert day.names(day.route("VAN-2")) == ["Kaisa"]
    assert day.route("VAN-1").stops == route.stops


def test_goods_of_a_van_that_broke_down_are_given_to_another_by_hand(day: Day) -> None:
    route = on_the_road(day, "Kamppi", "Station")
    with day.conn.transaction():
        release.break_down(day.conn, day.ctx(), route.id, "engine")
    day.van("VAN-2")
    packed(day, "Kaisa")
    with day.conn.transaction():
        moves.new_route(day.conn, day.ctx(), shift_id=day.shifts["VAN-2"], vehicle_id=None, day=None)
    put(day, "Kaisa", "VAN-2", 1)
    found = slots.slots(day.conn, day.ctx(), day.jobs["Kamppi"], day.day)
    assert [x.position for x in found.slots] == [1, 2]
    assert all(x.violations == [] for x in found.slots)
    put(day, "Kamppi", "VAN-2", 2)
    stops = [(s.kind, s.job_id) for s in day.route("VAN-2").stops]
    mine = day.jobs["Kamppi"]
    assert stops.index(("take_over", mine)) < stops.index(("delivery", mine))
    assert len(stops) == 3
    put_in_tray(day, "VAN-2", "Kamppi")
    assert [(s.kind, s.job_id) for s in day.route("VAN-2").stops] == [("delivery", day.jobs["Kaisa"])]
    assert day.of("Kamppi").reason == "vehicle_broke_down"
    assert day.of("Kamppi").goods_on_route_id == route.id


def test_a_van_that_broke_down_drives_no_more_that_day(day: Day) -> None:
    day.van("VAN-1", "08:00", "12:00")
    day.van("VAN-1", "13:00", "16:00")
    packed(day, "Kamppi", window_until=day.at("11:00").isoformat())
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    route = day.route("VAN-1")
    with day.conn.transaction():
        release.break_down(day.conn, day.ctx(), route.id, "engine")
        release.break_down(day.conn, day.ctx(), route.id, "engine")
    assert day.board().free_shifts == []
    assert "No vehicle is free" in (day.plan().problem or "")


def test_a_van_that_drives_through_midnight_is_on_the_board_of_both_days(day: Day) -> None:
    day.van("NIGHT", "20:00", "04:00", end_days=1)
    packed(day, "Kamppi", window_from=day.at("21:00").isoformat(), window_until=day.at("23:00").isoformat())
    packed(
        day,
        "Kaisa",
        window_from=day.at("01:00", days=1).isoformat(),
        window_until=day.at("02:00", days=1).isoformat(),
    )
    day.planned()
    for clock, shown in (
        ("00:30", ["NIGHT"]),
        ("04:30", []),
    ):  # a draft, too, for as long as its shift goes on
        day.now = day.at(clock, days=1)
        assert [r.vehicle.code for r in boards.board(day.conn, day.ctx()).routes] == shown
    day.now = day.at("20:30")
    released(day, "NIGHT")
    drive_off(day, "NIGHT")
    route = day.route("NIGHT")
    day.now = day.at("00:30", days=1)
    today = boards.board(day.conn, day.ctx())
    assert today.day == day.day + timedelta(days=1)
    assert [r.id for r in today.routes] == [route.id]
    assert day.names(today.routes[0]) == ["Kamppi", "Kaisa"]
    put(day, "Kaisa", "NIGHT", 1, anyway=True)  # and it can be changed there
    assert day.names(day.route("NIGHT")) == ["Kaisa", "Kamppi"]


def test_a_route_that_waited_too_long_is_timed_anew_when_it_is_released(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi")
    day.planned()
    day.now = day.at("12:00")
    released(day, "VAN-1")
    route = day.route("VAN-1")
    assert route.starts_at >= day.at("12:10")
    promised = day.of("Kamppi").promised_until
    assert promised is not None
    assert promised >= day.at("12:10")
