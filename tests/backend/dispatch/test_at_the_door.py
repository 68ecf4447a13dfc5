"""From the departure to the customer's door and back: each outcome moves stock once, and the books stay right."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest

from backend import ledger, orders, returns, shipping
from backend.db import Conn, connect
from backend.dispatch import come_back, load, proof
from backend.dispatch.proof import AlreadyProved, HandedOver, MoreThanAboard, Piece, WrongParcel
from backend.errors import Conflict, Forbidden, Invalid
from backend.ids import new_id
from backend.live.floor import get_floor
from backend.shipping import WrongVehicle
from device_drivers.gs1 import sgtin96_hex
from tests.backend.dispatch.road import (
    DEPOT,
    Customer,
    add_job,
    books_are_right,
    drive,
    in_place,
    job_row,
    pack_order,
    stocked,
    told,
)
from tests.backend.orders.flow import let_jobs_run, on_hand, reserved, stages
from tests.backend.receiving_goods import EACH
from tests.backend.shipping.test_shipping import PREFIX, discrepancies, passage
from tests.conftest import Warehouse, put_stock


def test_what_departs_on_a_route_is_in_transit_until_it_is_handed_over(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2)).leave()
    assert d.route().state == "under_way"
    assert d.job("Kahvila").state == "aboard"
    assert d.order("Kahvila").state == "shipped"
    assert (in_place(conn, warehouse, "in_transit"), in_place(conn, warehouse, "customer")) == (8, 0)
    assert reserved(conn, warehouse, "TEA-250") == 0
    today = get_floor(conn, warehouse.site_id).today
    assert (today.picked, today.picked_plan, today.shipped, today.shipped_plan) == (8, 8, 8, 8)
    books_are_right(conn)
    made = d.deliver("Kahvila", receiver_name="Aino")
    assert get_floor(conn, warehouse.site_id).today.shipped == 8
    assert (made.outcome, made.receiver_name) == ("delivered", "Aino")
    assert (in_place(conn, warehouse, "in_transit"), in_place(conn, warehouse, "customer")) == (0, 8)
    assert d.job("Kahvila").state == "delivered"
    assert d.stop("Kahvila").state == "done"
    books_are_right(conn)


def test_a_shipment_without_a_route_goes_to_the_customer_as_ever(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    o, (carton,) = pack_order(conn, warehouse, Customer("Carrier's"))
    row = conn.execute(
        "select shipment_id from shipment_order where order_id = %s and current", [o.id]
    ).fetchone()
    assert row is not None
    with conn.transaction():
        shipping.load(conn, warehouse.ctx(), row[0], carton.sscc, "DOCK-2")
        shipping.depart(conn, warehouse.ctx(), row[0])
    assert (in_place(conn, warehouse, "in_transit"), in_place(conn, warehouse, "customer")) == (0, 4)
    books_are_right(conn)


def test_a_packed_order_for_our_vans_is_not_loaded_alone_before_its_route_is_released(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila"))
    for state, words in (("ready", "on no route yet"), ("planned", "not released yet")):
        conn.execute("update delivery_job set state = %s where id = %s", [state, d.jobs["Kahvila"]])
        with pytest.raises(Conflict, match=words), conn.transaction():
            shipping.load(conn, warehouse.ctx(), d.shipment_id, d.sscc("Kahvila"), "DOCK-2")
    conn.execute("update delivery_job set state = 'released' where id = %s", [d.jobs["Kahvila"]])
    d.load_all()
    assert d.route().state == "loading"


# --- loading ----------------------------------------------------------------------------------------------


def test_the_last_stop_is_loaded_first_and_a_wrong_parcel_is_refused_and_recorded(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("First", cartons=2), Customer("Last"))
    _, (stray,) = pack_order(conn, warehouse, Customer("Elsewhere"))
    m = load.manifest(conn, warehouse.site_id, d.route_id)
    assert [c.customer_name for c in m.cartons] == ["Last", "First", "First"]
    assert m.next_sscc == d.sscc("Last")
    with pytest.raises(WrongVehicle) as refused:
        load.load(conn, d.ctx(), d.route_id, stray.sscc, "DOCK-2")
    assert refused.value.more["seen"] == stray.sscc
    assert "SH-" in refused.value.more["expected"]
    assert load.manifest(conn, warehouse.site_id, d.route_id).loaded == 0
    noted = conn.execute(
        "select evidence->>'seen' from delivery_event where what = 'wrong_parcel'"
    ).fetchall()
    assert noted == [(stray.sscc,)]


def test_an_incomplete_route_leaves_only_when_somebody_who_may_says_why(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Whole"), Customer("Half", cartons=2), Customer("None"))
    with conn.transaction():
        for code in (d.sscc("Whole"), d.sscc("Half")):
            load.load(conn, d.ctx(), d.route_id, code, "DOCK-2")
    with pytest.raises(Conflict) as refused:
        d.depart()
    assert set(refused.value.more["not_loaded"]) == {d.sscc("Half", 1), d.sscc("None")}
    with pytest.raises(Forbidden):
        d.depart(anyway=True, reason="late")
    with pytest.raises(Invalid):
        d.depart(anyway=True, may_anyway=True)
    d.depart(anyway=True, reason="the rest is not found", may_anyway=True)
    assert (d.job("Whole").state, d.job("Half").state, d.job("None").state) == ("aboard", "aboard", "ready")
    assert d.stop("None").state == "skipped"
    assert d.job("None").unplanned == "left_behind"
    rest = conn.execute(
        "select j.id, j.state from delivery_job j join delivery_job_carton c on c.job_id = j.id where c.carton_id = %s",
        [d.cartons["Half"][1].id],
    ).fetchall()
    assert [(i != d.jobs["Half"], s) for i, s in rest] == [(True, "ready")]
    assert in_place(conn, warehouse, "in_transit") == 8
    books_are_right(conn)


# --- outcomes ---------------------------------------------------------------------------------------------


def test_a_customer_refuses_two_of_five_cartons(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=5)).leave()
    lines = [HandedOver(c.sscc) for c in d.cartons["Kahvila"][:3]]
    lines += [HandedOver(c.sscc, "none", reason="not ordered") for c in d.cartons["Kahvila"][3:]]
    made = d.deliver("Kahvila", *lines)
    assert made.outcome == "partly_delivered"
    assert sorted(x.delivered for x in made.lines) == [0, 0, 4, 4, 4]
    assert {x.reason for x in made.lines if x.delivered == 0} == {"not ordered"}
    assert (in_place(conn, warehouse, "in_transit"), in_place(conn, warehouse, "customer")) == (8, 12)
    (said,) = told(conn, "order.partly_delivered")
    assert said["number"] == d.orders["Kahvila"].number
    assert [x["delivered"] for x in said["proof"]["lines"]].count("0") == 2
    books_are_right(conn)
    with pytest.raises(Conflict, match="is aboard"):
        d.finish()
    for n in (3, 4):
        back = d.unload(d.sscc("Kahvila", n))
        assert (back.place_code, back.outcome, back.next_job_id) == ("QUAR", "partly_delivered", None)
    assert on_hand(conn, warehouse, "TEA-250", "QUAR") == 8
    assert in_place(conn, warehouse, "in_transit") == 0
    status = conn.execute(
        "select distinct status from balance where place_id = %s and on_hand > 0", [warehouse.places["QUAR"]]
    )
    assert status.fetchall() == [("quarantine",)]
    assert d.order("Kahvila").state == "shipped"
    d.finish()
    assert d.route().state == "finished"
    books_are_right(conn)


def test_some_pieces_of_a_carton_are_taken_and_no_more_than_there_are(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    tea = warehouse.items["TEA-250"]
    with pytest.raises(MoreThanAboard):
        d.deliver("Kahvila", HandedOver(d.sscc("Kahvila"), "pieces", (Piece(tea, Decimal(5)),)))
    with pytest.raises(MoreThanAboard):
        d.deliver(
            "Kahvila",
            HandedOver(d.sscc("Kahvila"), "pieces", (Piece(tea, Decimal(3)), Piece(tea, Decimal(2)))),
        )
    assert in_place(conn, warehouse, "customer") == 0
    made = d.deliver(
        "Kahvila", HandedOver(d.sscc("Kahvila"), "pieces", (Piece(tea, Decimal(3)),), "one is broken")
    )
    assert (made.outcome, made.lines[0].aboard, made.lines[0].delivered) == ("partly_delivered", 4, 3)
    back = d.unload("TEA-250", quantity=Decimal(1))
    assert back.place_code == "QUAR"
    assert (in_place(conn, warehouse, "in_transit"), in_place(conn, warehouse, "customer")) == (0, 3)
    books_are_right(conn)


def test_a_serial_read_at_the_door_after_its_van_left_is_no_stranger(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="101")
    drive(conn, warehouse, Customer("Rauta", sku="DRILL-X", each="1")).leave()
    passage(conn, warehouse, sgtin96_hex(EACH["DRILL-X"], PREFIX, 101))
    assert discrepancies(conn) == []
    books_are_right(conn)


def test_serials_are_handed_over_one_by_one(conn: Conn, warehouse: Warehouse) -> None:
    for serial in ("D-1", "D-2"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=serial)
    d = drive(conn, warehouse, Customer("Rauta", sku="DRILL-X", each="2")).leave()
    drill = warehouse.items["DRILL-X"]
    made = d.deliver(
        "Rauta", HandedOver(d.sscc("Rauta"), "pieces", (Piece(drill, Decimal(1), serial="D-2"),), "one is enough"),
        scanned=(d.sscc("Rauta"),),
    )  # fmt: skip
    assert {x.serial: (x.delivered, x.scanned) for x in made.lines} == {"D-1": (0, True), "D-2": (1, True)}
    d.unload(d.sscc("Rauta"))
    assert in_place(conn, warehouse, "customer", "DRILL-X") == 1
    assert on_hand(conn, warehouse, "DRILL-X", "QUAR") == 1
    books_are_right(conn)


def test_nobody_is_there_and_the_second_attempt_is_delivered(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2), Customer("Kioski")).leave()
    d.fail("Kahvila", "nobody_there")
    d.deliver("Kioski")
    assert told(conn, "delivery.nobody_there")[0]["attempt"] == 1
    with pytest.raises(Conflict, match="scan the SSCC"):
        d.unload("TEA-250")
    assert d.unload(d.sscc("Kahvila")).next_job_id is None
    back = d.unload(d.sscc("Kahvila", 1))
    assert back.place_code == "STAGE-OUT"
    assert back.next_job_id is not None
    o = d.order("Kahvila")
    assert (o.state, stages(o)) == ("packed", {"packed": 8})
    assert reserved(conn, warehouse, "TEA-250") == 8
    let_jobs_run(conn)
    d.finish()
    books_are_right(conn)
    again = job_row(conn, back.next_job_id)
    assert (again.state, again.attempt, again.previous_id) == ("ready", 2, d.jobs["Kahvila"])
    first = d.job("Kahvila")
    assert again.window_from - first.window_from >= timedelta(hours=20)
    assert (again.window_from, again.window_until) == come_back.next_window(
        first.window_from, first.window_until, d.now, HELSINKI
    )  # the same hours, and on a day the clocks change not as many of them
    # the next day, on the same van
    with conn.transaction():
        shipment = shipping.plan(
            conn, warehouse.ctx(), [o.id], vehicle_id=d.vehicle_id, door_id=warehouse.places["DOCK-2"]
        )
    conn.execute(
        """insert into delivery_route (site_id, id, number, state, day, vehicle_id, shift_id, depot_id, shipment_id, starts_at, ends_at)
           select site_id, gen_random_uuid(), 'RT-2', 'released', day, vehicle_id, shift_id, depot_id, %s, starts_at, ends_at
           from delivery_route where id = %s""",
        [shipment.id, d.route_id],
    )
    row = conn.execute("select id from delivery_route where number = 'RT-2'").fetchone()
    assert row is not None
    conn.execute(
        """insert into delivery_stop (site_id, id, route_id, position, job_id, planned_arrival_at, planned_start_at, planned_leave_at)
           values (%s, gen_random_uuid(), %s, 1, %s, now(), now(), now())""",
        [warehouse.site_id, row[0], back.next_job_id],
    )
    conn.execute("update delivery_job set state = 'released' where id = %s", [back.next_job_id])
    stop = conn.execute("select id from delivery_stop where route_id = %s", [row[0]]).fetchone()
    assert stop is not None
    d.route_id, d.stops["Kahvila"] = row[0], stop[0]
    d.leave()
    assert d.deliver("Kahvila").attempt == 2
    assert (in_place(conn, warehouse, "in_transit"), in_place(conn, warehouse, "customer")) == (0, 12)
    assert d.order("Kahvila").state == "shipped"
    books_are_right(conn)


HELSINKI = ZoneInfo("Europe/Helsinki")


@pytest.mark.parametrize(
    ("window", "now", "next_"),
    [
        (("10.12. 09:00", "10.12. 12:00"), "10.12. 11:00", ("11.12. 09:00", "11.12. 12:00")),
        (
            ("10.12. 09:00", "10.12. 12:00"),
            "11.12. 10:00",
            ("12.12. 09:00", "12.12. 12:00"),
        ),  # tried a day late
        (("10.12. 22:00", "11.12. 02:00"), "11.12. 01:00", ("11.12. 22:00", "12.12. 02:00")),  # over midnight
        (("10.12. 09:00", "13.12. 18:00"), "12.12. 10:00", ("14.12. 06:00", "14.12. 18:00")),  # days wide
        (
            ("24.10. 09:00", "24.10. 12:00"),
            "24.10. 11:00",
            ("25.10. 09:00", "25.10. 12:00"),
        ),  # the clocks go back
    ],
)
def test_a_further_attempt_has_the_same_hours_on_the_next_day(
    window: tuple[str, str], now: str, next_: tuple[str, str]
) -> None:
    def at(text: str) -> datetime:
        return datetime.strptime(f"2026 {text}", "%Y %d.%m. %H:%M").replace(tzinfo=HELSINKI)

    found = come_back.next_window(at(window[0]), at(window[1]), at(now), HELSINKI)
    assert [t.astimezone(HELSINKI) for t in found] == [at(t) for t in next_]


def test_what_was_never_tried_is_ready_again_once_it_is_unloaded(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    back = d.unload(d.sscc("Kahvila"))
    assert (back.outcome, back.next_job_id) == (None, None)
    assert (d.job("Kahvila").state, d.job("Kahvila").unplanned) == ("ready", "brought_back")
    assert d.stop("Kahvila").state == "skipped"
    assert d.order("Kahvila").state == "packed"
    d.finish()
    books_are_right(conn)


def test_what_the_van_should_have_and_has_not_is_looked_for_and_promised_anew(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    d.fail("Kahvila", "nobody_there")
    with pytest.raises(Forbidden):
        d.finish(anyway=True, reason="gone")
    d.finish(anyway=True, reason="stolen at the lights", may_anyway=True)
    assert in_place(conn, warehouse, "discrepancy") == 4
    assert conn.execute("select kind from discrepancy").fetchall() == [("missing_from_vehicle",)]
    assert stages(d.order("Kahvila")) == {"allocated": 4}
    books_are_right(conn)


# --- once, and by whom ------------------------------------------------------------------------------------


def test_a_second_proof_is_refused_and_the_first_stands(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    made = d.deliver("Kahvila")
    with pytest.raises(AlreadyProved) as refused:
        d.fail("Kahvila", "refused")
    assert refused.value.more["proof_id"] == str(made.id)
    for query in ("update delivery_proof set outcome = 'refused'", "delete from delivery_proof_line"):
        with pytest.raises(psycopg.Error):
            conn.execute(query.encode())
    books_are_right(conn)


def test_two_phones_at_once_hand_it_over_once(conn: Conn, warehouse: Warehouse, database_url: str) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    outcomes: list[str] = []

    def hand_over() -> None:
        with connect(database_url, autocommit=True) as own, own.transaction():
            try:
                proof.deliver(own, d.ctx(), d.stops["Kahvila"], [], proof.Evidence())
                outcomes.append("done")
            except AlreadyProved:
                outcomes.append("proved")

    threads = [threading.Thread(target=hand_over) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(outcomes) == ["done", "proved", "proved", "proved"]
    assert in_place(conn, warehouse, "customer") == 4
    books_are_right(conn)


def test_a_proof_that_comes_late_says_when_it_was_and_never_before_the_departure(
    conn: Conn, warehouse: Warehouse
) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Early"), Customer("Late")).leave()
    d.now += timedelta(hours=2)
    at = d.now - timedelta(minutes=50)
    assert d.deliver("Late", occurred_at=at).occurred_at == at
    assert d.deliver("Early", occurred_at=at - timedelta(days=3)).occurred_at == d.route().departed_at
    moved = conn.execute(
        "select occurred_at from movement where cause_kind = 'delivery' order by seq limit 1"
    ).fetchone()
    assert moved == (at,)
    with pytest.raises(AlreadyProved):
        d.deliver("Late", occurred_at=d.now + timedelta(hours=1))


def test_the_future_is_not_proved(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    with pytest.raises(Invalid, match="clock"):
        d.deliver("Kahvila", occurred_at=d.now + timedelta(hours=1))


def test_every_carton_is_spoken_of_and_a_foreign_scan_is_refused(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2), Customer("Kioski")).leave()
    with pytest.raises(Invalid, match="Say what became of"):
        d.deliver("Kahvila", HandedOver(d.sscc("Kahvila")))
    with pytest.raises(Invalid, match="no carton aboard"):
        d.deliver("Kahvila", HandedOver(d.sscc("Kioski")))
    with pytest.raises(WrongParcel) as refused:
        d.deliver("Kahvila", scanned=(d.sscc("Kioski"),))
    assert d.sscc("Kahvila") in refused.value.more["expected"]
    with pytest.raises(Invalid, match="say why"):
        d.deliver("Kahvila", *[HandedOver(c.sscc, "none") for c in d.cartons["Kahvila"]])


def test_goods_of_a_van_that_broke_down_go_on_with_another(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    broken = drive(conn, warehouse, Customer("Kahvila", cartons=2)).leave()
    rescue = drive(conn, warehouse, Customer("Kioski"), driver="rita", code="VAN-2", gps=None).leave()
    job = broken.jobs["Kahvila"]
    conn.execute("update delivery_route set state = 'broken_down' where id = %s", [broken.route_id])
    conn.execute("update delivery_stop set state = 'skipped' where id = %s", [broken.stops["Kahvila"]])
    conn.execute(
        "update delivery_job set state = 'released', goods_on_route_id = %s where id = %s",
        [broken.route_id, job],
    )
    for position, kind in ((2, "take_over"), (3, "delivery")):
        conn.execute(
            """insert into delivery_stop (site_id, id, route_id, position, kind, job_id, planned_arrival_at, planned_start_at,
                                          planned_leave_at) values (%s, gen_random_uuid(), %s, %s, %s, %s, now(), now(), now())""",
            [warehouse.site_id, rescue.route_id, position, kind, job],
        )
    meet, door = (r[0] for r in conn.execute(
        "select id from delivery_stop where route_id = %s and job_id = %s order by position", [rescue.route_id, job]).fetchall())  # fmt: skip
    rescue.stops["Kahvila"] = door
    with pytest.raises(Conflict, match="nothing aboard"):
        rescue.deliver("Kahvila")
    with pytest.raises(WrongParcel), conn.transaction():
        come_back.take_over(conn, rescue.ctx(), meet, rescue.sscc("Kioski"))
    for c in broken.cartons["Kahvila"]:
        with conn.transaction():
            come_back.take_over(conn, rescue.ctx(), meet, c.sscc)
    assert job_row(conn, job).state == "aboard"
    assert rescue.deliver("Kahvila").route_id == rescue.route_id
    rescue.deliver("Kioski")
    rescue.finish()
    broken.finish()
    assert in_place(conn, warehouse, "in_transit") == 0
    books_are_right(conn)


def test_a_customer_gives_back_what_they_took_and_no_more(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2)).leave()

    def give_back(quantity: int) -> None:
        line = returns.ReturnLine(
            "too much", "as_new", item_id=warehouse.items["TEA-250"], quantity=Decimal(quantity)
        )
        with conn.transaction():
            returns.receive_return(
                conn, warehouse.ctx(), returns.NewReturn((line,), order_id=d.orders["Kahvila"].id)
            )

    with pytest.raises(Conflict, match="0 of"):
        give_back(1)  # it is in the van
    d.deliver(
        "Kahvila", HandedOver(d.sscc("Kahvila")), HandedOver(d.sscc("Kahvila", 1), "none", reason="wet")
    )
    d.unload(d.sscc("Kahvila", 1))
    with pytest.raises(Conflict, match="4 of"):
        give_back(5)
    give_back(4)
    books_are_right(conn)


@pytest.mark.parametrize("with_order", [True, False])
def test_a_serial_still_aboard_comes_back_by_unloading_and_not_as_a_return(
    conn: Conn, warehouse: Warehouse, with_order: bool
) -> None:
    for serial in ("D-1", "D-2"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=serial)
    d = drive(conn, warehouse, Customer("Rauta", cartons=2, sku="DRILL-X", each="1")).leave()
    taken, refused = d.sscc("Rauta"), d.sscc("Rauta", 1)
    d.deliver("Rauta", HandedOver(taken), HandedOver(refused, "none", reason="wet"))

    def give_back(sscc: str) -> None:
        (content,) = next(c for c in d.cartons["Rauta"] if c.sscc == sscc).contents
        line = returns.ReturnLine("hums", "opened", item_id=content.item_id, serial=content.serial)
        order_id = d.orders["Rauta"].id if with_order else None
        with conn.transaction():
            returns.receive_return(conn, warehouse.ctx(), returns.NewReturn((line,), order_id=order_id))

    with pytest.raises(Conflict, match=f"aboard a vehicle; unload it on {d.route().number}"):
        give_back(refused)
    give_back(taken)
    d.unload(refused)
    with pytest.raises(Conflict, match="in stock"):
        give_back(refused)
    books_are_right(conn)


def test_what_is_aboard_is_not_corrected_away(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    row = conn.execute("select id from movement where cause_kind = 'shipment'").fetchone()
    assert row is not None
    with pytest.raises(Conflict, match="unload it on its route"):
        ledger.reverse(conn, d.ctx(), row[0], "oops")


def test_a_carton_of_another_delivery_of_the_order_does_not_hold_the_route_up(
    conn: Conn, warehouse: Warehouse
) -> None:
    """Its order is on the shipment; it is brought another time."""
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila", cartons=2))
    later, rest = new_id(), d.cartons["Kahvila"][1]
    add_job(
        conn,
        warehouse,
        later,
        d.orders["Kahvila"],
        [],
        "Kahvila",
        DEPOT,
        d.starts_at,
        d.starts_at,
        state="ready",
    )
    conn.execute("update delivery_job_carton set job_id = %s where carton_id = %s", [later, rest.id])
    with pytest.raises(Conflict, match="on no route yet"):
        shipping.load(conn, d.ctx(), d.shipment_id, rest.sscc, "DOCK-2")
    d.leave()
    assert d.route().state == "under_way"
    assert (d.job("Kahvila").state, job_row(conn, later).state) == ("aboard", "ready")
    books_are_right(conn)


def test_an_order_that_left_is_not_given_out_again(conn: Conn, warehouse: Warehouse) -> None:
    """Refused goods do not make the order wait again: what becomes of it is for sales to say."""
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila")).leave()
    d.fail("Kahvila", "refused", "too late")
    d.unload(d.sscc("Kahvila"))
    let_jobs_run(conn)
    with conn.transaction():
        orders.allocate_waiting(conn, warehouse.ctx(), [warehouse.items["TEA-250"]])
    assert stages(d.order("Kahvila")) == {"shipped": 4}
    assert told(conn, "order.refused")[0]["reason"] == "too late"
    books_are_right(conn)


def test_a_job_of_an_order_that_a_carrier_took_is_over(conn: Conn, warehouse: Warehouse) -> None:
    stocked(conn, warehouse)
    d = drive(conn, warehouse, Customer("Kahvila"))
    conn.execute("update delivery_route set state = 'cancelled' where id = %s", [d.route_id])
    with conn.transaction():
        shipping.load(conn, warehouse.ctx(), d.shipment_id, d.sscc("Kahvila"), "DOCK-2")
        shipping.depart(conn, warehouse.ctx(), d.shipment_id)
    assert d.job("Kahvila").state == "cancelled"
    assert in_place(conn, warehouse, "customer") == 4
    books_are_right(conn)
