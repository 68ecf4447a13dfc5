"""Chilled, frozen and hazardous goods go only with a vehicle that lists them: from the packed carton to the plan, the drag by
hand, the release, the dock door and the van that takes over."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend import orders, packing
from backend.db import Conn
from backend.dispatch import jobs, load, moves, release, slots, vehicles
from backend.dispatch.goods import able, cannot, needs, read_needs
from backend.dispatch.jobs import Job
from backend.errors import ChangedMeanwhile, Conflict
from backend.migrate import FOLDER
from backend.orders import NewLine, NewOrder, Order
from tests.backend.dispatch.day import PLACES, Day, call, put, released
from tests.backend.dispatch.road import Customer, drive, job_row
from tests.backend.orders.flow import let_jobs_run
from tests.backend.packing.test_packing import pick_all
from tests.conftest import Api, Warehouse, put_stock


@pytest.fixture
def day(conn: Conn, warehouse: Warehouse, helsinki: None) -> Day:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "100")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "20", lot="L1", expires_on="2099-01-01")
    return Day(conn, warehouse)


def accept(day: Day, name: str, *lines: tuple[str, str]) -> Order:
    at = PLACES[name]
    new = NewOrder(
        "api", None, day.w.customer_id, day.at("16:00"), [NewLine(day.w.items[sku], Decimal(n)) for sku, n in lines],
        ship_to={"name": name, "lat": str(at.lat), "lon": str(at.lon)},
    )  # fmt: skip
    with day.conn.transaction():
        return orders.accept(day.conn, day.w.ctx(), new)


def pack(day: Day, o: Order, *lines: tuple[str, str]) -> None:
    """One closed carton."""
    with day.conn.transaction():
        ctx = day.w.ctx()
        c = packing.open_carton(day.conn, ctx, o.id, day.w.places["BENCH-1"])
        for sku, n in lines:
            packing.pack(day.conn, ctx, c.id, sku, Decimal(n))
        weight = packing.carton(day.conn, day.w.site_id, c.id).expected_weight_g
        assert weight is not None
        packing.attach_weight(day.conn, ctx, c.id, weight, by="scale")
        packing.close_carton(day.conn, ctx, c.id)


def packed(day: Day, name: str, *lines: tuple[str, str]) -> Job:
    """Each line in a carton of its own."""
    o = accept(day, name, *lines)
    pick_all(day.conn, day.w, o)
    for line in lines:
        pack(day, o, line)
    (job,) = jobs.many(day.conn, " and j.order_id = %s", [day.w.site_id, o.id])
    day.jobs[name] = job.id
    return job


MILK, TEA = ("MILK-1L", "2"), ("TEA-250", "4")


def lists(day: Day, code: str, *skills: str) -> None:
    """What the vehicle may carry from now on, as the settings say it."""
    with day.conn.transaction():
        present = vehicles.vehicle(day.conn, day.w.site_id, day.vans[code])
        vehicles.change(day.conn, day.ctx(), present.id, present.version, {"skills": list(skills)})


def drafts(day: Day, *codes: str) -> None:
    for code in codes:
        with day.conn.transaction():
            moves.new_route(day.conn, day.ctx(), shift_id=day.shifts[code], vehicle_id=None, day=None)


def load_all(day: Day, code: str) -> None:
    route = day.route(code)
    with day.conn.transaction():
        for c in load.manifest(day.conn, day.w.site_id, route.id).cartons:
            load.load(day.conn, day.ctx(), route.id, c.sscc, "DOCK-2")


def drive_off(day: Day, code: str) -> None:
    day.now = day.route(code).starts_at
    load_all(day, code)
    with day.conn.transaction():
        load.depart(day.conn, day.ctx(), day.route(code).id)


# --- what a delivery needs --------------------------------------------------------------------------------


def test_a_delivery_needs_what_is_really_in_its_cartons(day: Day, api: Api) -> None:
    assert packed(day, "Kamppi", TEA).skills == []
    job = packed(day, "Kaisa", TEA, MILK)
    assert job.skills == ["chilled"]
    assert [c.goods for c in jobs.cartons_of(day.conn, day.w.site_id, job.id)] == [[], ["chilled"]]
    day.conn.execute("update item set storage_class = 'hazard' where sku = 'TEA-250'")
    assert packed(day, "Toolo", TEA, MILK).skills == ["chilled", "hazard"]
    assert day.of("Kaisa").skills == ["chilled"]  # as it was when it was packed
    api.as_user(day.conn, "dora", ["dispatcher"], day.w.site_id)
    assert call(api, "GET", f"/delivery-jobs/{job.id}")["carton_list"][1]["goods"] == ["chilled"]


def test_milk_that_is_packed_later_takes_the_delivery_off_a_van_that_does_not_cool(day: Day) -> None:
    day.van("VAN-1")
    o = accept(day, "Kamppi", ("TEA-250", "4"), ("MILK-1L", "26"))
    pick_all(day.conn, day.w, o)
    pack(day, o, TEA)
    pack(day, o, ("MILK-1L", "20"))
    (job,) = jobs.many(day.conn, " and j.order_id = %s", [day.w.site_id, o.id])
    day.jobs["Kamppi"] = job.id
    day.conn.execute("update delivery_job set skills = array['lift'] where id = %s", [job.id])
    lists(day, "VAN-1", "lift")
    drafts(day, "VAN-1")
    put(day, "Kamppi", "VAN-1", 1)
    put_stock(day.conn, day.w, "MILK-1L", "C-01-1", "6", lot="L1", expires_on="2099-01-01")
    let_jobs_run(day.conn)
    pick_all(day.conn, day.w, o)
    pack(day, o, ("MILK-1L", "6"))
    job = day.of("Kamppi")
    assert (job.cartons, job.skills, job.state, job.route_id) == (3, ["chilled", "lift"], "ready", None)
    assert job.reason == "no_vehicle_allowed"
    assert (
        job.detail
        == "This delivery needs a vehicle for chilled goods with lift; VAN-1 is not for chilled goods."
    )


def test_a_part_that_stayed_behind_and_a_second_attempt_need_what_is_in_them(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "20", lot="L1", expires_on="2099-01-01")
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2, sku="MILK-1L"))
    read_needs(conn, d.ctx(), d.jobs["Kahvila"])
    conn.execute("update delivery_vehicle set skills = array['chilled']")
    with conn.transaction():
        load.load(conn, d.ctx(), d.route_id, d.sscc("Kahvila"), "DOCK-2")
    d.depart(anyway=True, reason="it does not wait", may_anyway=True)
    stayed = conn.execute("select id, skills from delivery_job where unplanned = 'left_behind'").fetchall()
    assert [s for _, s in stayed] == [["chilled"]]
    d.fail("Kahvila", "nobody_there")
    back = d.unload(d.sscc("Kahvila"))
    assert back.next_job_id is not None
    assert job_row(conn, back.next_job_id).skills == ["chilled"]


def test_only_the_part_with_the_milk_needs_cooling_once_they_are_apart(day: Day) -> None:
    day.van("VAN-1")
    lists(day, "VAN-1", "chilled")
    packed(day, "Kamppi", TEA, MILK)
    day.planned()
    released(day, "VAN-1")
    route = day.route("VAN-1")
    milk = next(c for c in load.manifest(day.conn, day.w.site_id, route.id).cartons if c.goods == ["chilled"])
    day.now = route.starts_at
    with day.conn.transaction():
        load.load(day.conn, day.ctx(), route.id, milk.sscc, "DOCK-2")
        load.depart(day.conn, day.ctx(), route.id, anyway=True, reason="no room", may_anyway=True)
    (stayed,) = day.board().trays.unplanned
    assert (stayed.reason, stayed.skills) == ("left_behind", [])
    assert day.of("Kamppi").skills == ["chilled"]


# --- no van without it ------------------------------------------------------------------------------------


def test_a_van_that_does_not_cool_is_never_planned_with_milk_and_the_tray_says_why(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2", fixed_cents=50_000)
    packed(day, "Kamppi", MILK)
    packed(day, "Kaisa", TEA)
    (milk,) = day.planned().trays.unplanned
    assert (milk.customer_name, milk.reason) == ("Kamppi", "no_vehicle_allowed")
    assert milk.detail == (
        "It needs a vehicle for chilled goods; none that is free on this day has that. "
        "Make a shift for one that has, or say in the settings which vehicle can."
    )
    lists(day, "VAN-2", "frozen")  # not that: milk freezes in it
    assert [j.customer_name for j in day.planned().trays.unplanned] == ["Kamppi"]
    lists(day, "VAN-2", "frozen", "chilled")
    assert day.planned().trays.unplanned == []
    assert day.van_of("Kamppi") == "VAN-2"


def test_too_much_milk_for_the_van_that_cools_is_too_heavy_however_large_the_others_are(day: Day) -> None:
    day.van("BIG", kg=900)
    day.van("COOL", kg=1)
    lists(day, "COOL", "chilled")
    packed(day, "Kamppi", MILK)
    (milk,) = day.planned().trays.unplanned
    assert milk.reason == "too_heavy"
    assert "COOL, the largest free vehicle for it, carries 1.0 kg" in milk.detail


def test_a_place_on_a_van_that_does_not_cool_is_offered_as_impossible_and_refused_by_hand(day: Day) -> None:
    day.van("VAN-1")
    day.van("VAN-2")
    lists(day, "VAN-2", "chilled")
    milk = packed(day, "Kamppi", MILK)
    packed(day, "Kaisa", TEA)
    packed(day, "Toolo", MILK)
    drafts(day, "VAN-1")
    found = slots.slots(day.conn, day.ctx(), milk.id, day.day)
    words = f"VAN-1 is not for chilled goods, and Kamppi ({milk.number}) needs that."
    assert [[(v.kind, v.detail, v.allowed_anyway) for v in x.violations] for x in found.slots] == [
        [("missing_skill", words, False)]
    ]
    assert any("VAN-1" in way and "if it may carry chilled goods" in way for way in found.what_would_it_take)
    with pytest.raises(moves.BreaksARule) as e:
        put(day, "Kamppi", "VAN-1", 1, anyway=True)
    assert e.value.more["violations"] == [{"kind": "missing_skill", "detail": words, "allowed_anyway": False}]
    # one that is there already (the van lost its cooling) excuses no second one, and may still change its place
    lists(day, "VAN-1", "chilled")
    put(day, "Toolo", "VAN-1", 1)
    put(day, "Kaisa", "VAN-1", 2)
    lists(day, "VAN-1")
    with pytest.raises(moves.BreaksARule, match="Kamppi"):
        put(day, "Kamppi", "VAN-1", 1)
    put(day, "Toolo", "VAN-1", 2)
    drafts(day, "VAN-2")
    put(day, "Kamppi", "VAN-2", 1)
    assert day.van_of("Kamppi") == "VAN-2"


def test_a_van_that_lost_its_cooling_is_neither_released_nor_loaded_and_a_plan_takes_the_milk_off(
    day: Day,
) -> None:
    day.van("VAN-1")
    lists(day, "VAN-1", "chilled")
    milk = packed(day, "Kamppi", MILK)
    p = day.plan()
    lists(day, "VAN-1")
    with pytest.raises(ChangedMeanwhile):
        day.accept(p)
    lists(day, "VAN-1", "chilled")
    day.planned()
    lists(day, "VAN-1")
    with pytest.raises(Conflict) as e:
        released(day, "VAN-1")
    assert e.value.detail == (
        f"VAN-1 is not for chilled goods, and {milk.number} (Kamppi) needs that. "
        "Bring it with another vehicle, or say in the settings that this one can."
    )
    lists(day, "VAN-1", "chilled")
    released(day, "VAN-1")
    lists(day, "VAN-1")
    with pytest.raises(Conflict, match=f"VAN-1 is not for chilled goods, and {milk.number} needs that"):
        load_all(day, "VAN-1")
    route = day.route("VAN-1")
    with day.conn.transaction():
        release.withdraw(day.conn, day.ctx(), route.id, route.version)
    assert [j.reason for j in day.planned().trays.unplanned] == ["no_vehicle_allowed"]
    lists(day, "VAN-1", "chilled")
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    packed(day, "Toolo", MILK)
    (waits,) = day.planned().trays.unplanned  # the van that cools has left, and does not come back for it
    assert waits.detail.startswith(
        "It needs a vehicle for chilled goods; none that is free on this day has that."
    )
    lists(day, "VAN-1")  # what is aboard is brought, whatever the van lists now
    packed(day, "Kaisa", TEA)
    day.van("VAN-2")
    day.planned()
    assert day.names(day.route("VAN-1")) == ["Kamppi"]
    assert day.names(day.route("VAN-2")) == ["Kaisa"]


def test_the_milk_of_a_van_that_broke_down_is_taken_over_by_one_that_cools(day: Day) -> None:
    day.van("VAN-1")
    lists(day, "VAN-1", "chilled")
    packed(day, "Kamppi", MILK)
    packed(day, "Station", TEA)
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    with day.conn.transaction():
        release.break_down(day.conn, day.ctx(), day.route("VAN-1").id, "engine")
    day.van("VAN-2")
    (milk,) = day.planned().trays.unplanned
    assert (milk.customer_name, milk.reason) == ("Kamppi", "no_vehicle_allowed")
    assert "for chilled goods" in milk.detail
    assert day.van_of("Station") == "VAN-2"
    with pytest.raises(moves.BreaksARule, match="VAN-2 is not for chilled goods"):
        put(day, "Kamppi", "VAN-2", 1, anyway=True)
    day.van("VAN-3")
    lists(day, "VAN-3", "chilled")
    day.planned()
    assert day.van_of("Kamppi") == "VAN-3"


# --- what is shown, and what was there before -------------------------------------------------------------


def test_the_driver_and_the_board_see_which_cartons_are_chilled(day: Day, api: Api) -> None:
    day.van("VAN-1")
    lists(day, "VAN-1", "chilled")
    packed(day, "Kamppi", TEA, MILK)
    day.planned()
    released(day, "VAN-1")
    api.as_user(day.conn, "dora", ["dispatcher"], day.w.site_id)
    route_id = day.route("VAN-1").id
    shown = call(api, "GET", f"/driver/routes/{route_id}")["stops"][0]["job"]
    assert shown["skills"] == ["chilled"]
    assert [c["goods"] for c in shown["cartons"]] == [[], ["chilled"]]
    manifest = call(api, "GET", f"/delivery-routes/{route_id}/manifest")
    assert sorted(c["goods"] for c in manifest["cartons"]) == [[], ["chilled"]]
    route: dict[str, Any] = call(api, "GET", f"/delivery-routes/{route_id}")
    assert (route["vehicle"]["skills"], route["stops"][0]["job"]["skills"]) == (["chilled"], ["chilled"])


def test_open_deliveries_of_before_learn_what_they_need_and_vehicles_are_left_alone(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi", TEA, MILK)
    packed(day, "Kaisa", TEA)
    packed(day, "Toolo", MILK)
    day.conn.execute("update delivery_job set skills = '{}'")
    day.conn.execute("update delivery_job set skills = array['lift'] where customer_name = 'Kaisa'")
    day.conn.execute(
        "update delivery_job set state = 'delivered', finished_at = now() where customer_name = 'Toolo'"
    )
    (step,) = Path(FOLDER).glob("0074_*.sql")
    day.conn.execute(step.read_text(encoding="utf-8").encode())
    assert {n: day.of(n).skills for n in day.jobs} == {"Kamppi": ["chilled"], "Kaisa": ["lift"], "Toolo": []}
    assert vehicles.vehicle(day.conn, day.w.site_id, day.vans["VAN-1"]).skills == []


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        (["chilled"], ("a vehicle for chilled goods", "VAN is not for chilled goods", "it may carry chilled goods")),
        (
            ["chilled", "frozen", "hazard"],
            (
                "a vehicle for chilled, frozen and hazardous goods",
                "VAN is not for chilled, frozen and hazardous goods",
                "it may carry chilled, frozen and hazardous goods",
            ),
        ),
        (["tail lift"], ("a vehicle with tail lift", "VAN has no tail lift", "it has tail lift")),
        (
            ["hazard", "tail lift"],
            (
                "a vehicle for hazardous goods with tail lift",
                "VAN is not for hazardous goods and has no tail lift",
                "it may carry hazardous goods and has tail lift",
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_needed_is_said_in_words(skills: list[str], said: tuple[str, str, str]) -> None:
    assert (needs(skills), cannot("VAN", skills), able(skills)) == said
