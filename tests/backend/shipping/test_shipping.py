"""What is packed leaves on its own vehicle, the portal says what really went, and the books follow."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from backend import ledger, orders, packing, picking, shipping
from backend.db import Conn, connect
from backend.devices import DeviceRow
from backend.errors import Conflict
from backend.ids import new_id
from backend.orders import Order
from backend.orders.change import OrderUnderWay
from backend.packing import Carton
from backend.shipping import Shipment, WrongVehicle
from device_drivers.gs1 import sgtin96_hex, sscc96_hex
from edge.messages import Event, TagPassage, TagsPassed, encode_data
from tests.backend.orders.flow import accept, again, on_hand, reserved, stages
from tests.backend.packing.test_packing import pick_all
from tests.conftest import Api, Warehouse, put_stock

PREFIX = 7  # digits of the test site's GS1 company prefix


@dataclass(frozen=True)
class Packed:
    order: Order
    carton: Carton


def packed(conn: Conn, w: Warehouse, sku: str = "TEA-250", quantity: str = "4") -> Packed:
    """An order, picked, packed into one closed carton."""
    o = accept(conn, w, (sku, quantity))
    pick_all(conn, w, o)
    with conn.transaction():
        ctx = w.ctx()
        c = packing.open_carton(conn, ctx, o.id, w.places["BENCH-1"])
        for line in ledger.rows_at(conn, w.site_id, w.places["STAGE-OUT"], w.items[sku]):
            if line.serial is not None:
                packing.pack(conn, ctx, c.id, line.serial)
        if sku != "DRILL-X":
            packing.pack(conn, ctx, c.id, sku, Decimal(quantity))
        weight = packing.carton(conn, w.site_id, c.id).expected_weight_g
        assert weight is not None
        packing.attach_weight(conn, ctx, c.id, weight, by="test")
        c = packing.close_carton(conn, ctx, c.id)
    return Packed(again(conn, w, o), c)


def shipment_of(conn: Conn, w: Warehouse, o: Order) -> Shipment:
    row = conn.execute(
        "select shipment_id from shipment_order where order_id = %s order by current desc, shipment_id desc limit 1",
        [o.id],
    ).fetchone()
    assert row is not None
    return shipping.shipment(conn, w.site_id, row[0])


def vehicle(conn: Conn, w: Warehouse, code: str) -> UUID:
    place_id = new_id()
    conn.execute(
        "insert into place (id, site_id, code, kind, erp_location) values (%s, %s, %s, 'vehicle', 'STO')",
        [place_id, w.site_id, code],
    )
    return place_id


def epc(c: Carton) -> str:
    return sscc96_hex(c.sscc, PREFIX)


def passage(
    conn: Conn,
    w: Warehouse,
    *epcs: str,
    door: str = "DOCK-2",
    direction: str = "out",
    confidence: float = 0.99,
) -> None:
    now = datetime.now(UTC)
    data = TagsPassed(
        portal="PORTAL-2",
        passage_id=new_id().hex,
        direction=direction,  # type: ignore[arg-type]
        tags=[TagPassage(epc=e, confidence=confidence, reads=12, first_at=now, last_at=now) for e in epcs],
    )
    device = DeviceRow(new_id(), "PORTAL-2", "llrp_reader", w.places[door], "outbound", new_id(), "edge")
    event = Event(
        seq=1,
        device="PORTAL-2",
        type="tags_passed",
        occurred_at=now,
        correlation_id="c",
        data=encode_data(data),
    )
    with conn.transaction():
        shipping.on_tags_passed(conn, w.ctx("agent:edge"), device, event, data)


def load(conn: Conn, w: Warehouse, s: Shipment, c: Carton, door: str | None = "DOCK-2") -> Shipment:
    with conn.transaction():
        return shipping.load(conn, w.ctx(), s.id, c.sscc, door)


def depart(conn: Conn, w: Warehouse, s: Shipment, *, anyway: bool = False) -> Shipment:
    with conn.transaction():
        return shipping.depart(conn, w.ctx(), s.id, anyway=anyway)


def discrepancies(conn: Conn) -> list[str]:
    return [r[0] for r in conn.execute("select kind from discrepancy order by kind").fetchall()]


def alerts(conn: Conn) -> int:
    row = conn.execute(
        "select count(*) from alert where kind = 'wrong_goods_at_door' and state <> 'closed'"
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def stock(conn: Conn, warehouse: Warehouse) -> Warehouse:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "100")
    return warehouse


def test_the_whole_way_over_http_from_order_to_departure(conn: Conn, stock: Warehouse, api: Api) -> None:
    def post(path: str, **body: Any) -> Any:
        answer = api.post(f"/api/v1{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    api.post("/api/v1/webhook-subscriptions", json={"url": "https://crm.example/hook", "types": []})
    o = post("/sales-orders", source="crm", external_number="C-1", customer_code="CUST-1",
             lines=[{"sku": "TEA-250", "quantity": "4"}])  # fmt: skip
    task = post("/pick-tasks/next", order_id=o["id"])["task"]
    post(f"/pick-tasks/{task['id']}/confirm", place=task["place_code"], code=task["gtin"], quantity="4")
    c = post("/cartons", code=o["number"], bench="BENCH-1")
    post(f"/cartons/{c['id']}/contents", code="06412345000012", quantity="4")
    post(
        f"/cartons/{c['id']}/weight",
        weight_g=post(f"/cartons/{c['id']}/weight", weight_g="1")["expected_weight_g"],
    )
    post(f"/cartons/{c['id']}/close")
    (s,) = api.get("/api/v1/shipments", params={"state": "planned"}).json()["items"]
    loaded = post(f"/shipments/{s['id']}/load", code=c["sscc"], door="DOCK-2")
    assert [x["sscc"] for x in loaded["cartons"] if x["loaded_at"]] == [c["sscc"]]
    assert api.get(f"/api/v1/sales-orders/{o['id']}").json()["state"] == "loaded"
    gone = post(f"/shipments/{s['id']}/depart")
    assert gone["state"] == "departed"
    done = api.get(f"/api/v1/sales-orders/{o['id']}").json()
    assert (done["state"], done["lines"][0]["shipped"]) == ("shipped", "4")
    assert done["shipped_at"] is not None
    movement = conn.execute(
        """select m.cause_id, m.posting, m.erp_from, m.erp_to, m.quantity, m.evidence ->> 'order_line_id', m.evidence ->> 'order_id'
           from movement m where m.cause_kind = 'shipment'"""
    ).fetchall()
    assert movement == [(UUID(s["id"]), "to_post", "STO", "CUSTOMER", 4, done["lines"][0]["id"], done["id"])]
    assert reserved(conn, stock, "TEA-250") == 0
    types = [r[0] for r in conn.execute("select type from webhook_event order by id").fetchall()]
    assert types == ["order.accepted", "order.shipped"]
    what = [e["what"] for e in api.get("/api/v1/shipment-events").json()["items"]]
    assert what == ["departed", "loaded"]
    assert api.get(f"/api/v1/cartons/{c['id']}/packing-list").status_code == 200
    assert ledger.verify(conn) == []


def test_a_carton_on_the_wrong_vehicle_is_refused_and_recorded(
    conn: Conn, stock: Warehouse, api: Api
) -> None:
    one, two = packed(conn, stock), packed(conn, stock)
    van = vehicle(conn, stock, "VAN-1")
    planned = api.post(
        "/api/v1/shipments", json={"order_ids": [str(one.order.id)], "vehicle_id": str(van)}
    ).json()
    refused = api.post(
        f"/api/v1/shipments/{planned['id']}/load", json={"code": two.carton.sscc, "door": "DOCK-2"}
    )
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wrong-vehicle")
    right = shipment_of(conn, stock, two.order)
    assert refused.json()["expected"] == right.number
    (event,) = api.get("/api/v1/shipment-events").json()["items"]
    assert (event["what"], event["code"]) == ("refused", two.carton.sscc)
    assert stages(again(conn, stock, two.order)) == {"packed": 4}
    ok = api.post(f"/api/v1/shipments/{planned['id']}/load", json={"code": one.carton.sscc})
    assert ok.status_code == 200, ok.text
    assert on_hand(conn, stock, "TEA-250", "BENCH-1") == 4
    twice = api.post(f"/api/v1/shipments/{planned['id']}/load", json={"code": one.carton.sscc})
    assert (twice.status_code, twice.json()["detail"]) == (
        409,
        f"Carton {one.carton.sscc} is loaded already.",
    )
    for code in ("garbage", "TEA-250"):
        assert api.post(f"/api/v1/shipments/{planned['id']}/load", json={"code": code}).status_code == 409
    assert ledger.verify(conn) == []


def test_what_passes_the_portal_is_loaded_and_what_was_loaded_is_confirmed(
    conn: Conn, stock: Warehouse
) -> None:
    scanned, read = packed(conn, stock), packed(conn, stock)
    load(conn, stock, shipment_of(conn, stock, scanned.order), scanned.carton)
    passage(conn, stock, epc(scanned.carton), epc(read.carton))
    for p in (scanned, read):
        (x,) = shipment_of(conn, stock, p.order).cartons
        assert (x.state, x.confirmed_at is not None) == ("loaded", True)
        assert stages(again(conn, stock, p.order)) == {"loaded": 4}
    passage(conn, stock, epc(read.carton))  # the same again changes nothing
    assert discrepancies(conn) == []
    for p in (scanned, read):
        depart(conn, stock, shipment_of(conn, stock, p.order))
        assert again(conn, stock, p.order).state == "shipped"
    passage(conn, stock, epc(read.carton))  # a late event of a carton that has left
    assert discrepancies(conn) == []
    assert ledger.verify(conn) == []


def test_a_weak_read_is_no_evidence(conn: Conn, stock: Warehouse) -> None:
    p = packed(conn, stock)
    passage(conn, stock, epc(p.carton), confidence=0.2)
    assert stages(again(conn, stock, p.order)) == {"packed": 4}


def test_a_carton_of_another_vehicle_at_this_door_raises_the_alarm_and_the_books_follow(
    conn: Conn, stock: Warehouse
) -> None:
    ours, theirs = packed(conn, stock), packed(conn, stock)
    van, truck = vehicle(conn, stock, "VAN-1"), vehicle(conn, stock, "TRUCK-1")
    with conn.transaction():
        s = shipping.plan(conn, stock.ctx(), [ours.order.id], vehicle_id=van, door_id=stock.places["DOCK-2"])
        shipping.plan(conn, stock.ctx(), [theirs.order.id], vehicle_id=truck, door_id=stock.places["DOCK-1"])
    passage(conn, stock, epc(ours.carton), epc(theirs.carton))
    assert discrepancies(conn) == ["wrong_vehicle"]
    assert alerts(conn) == 1
    there = {r.license_plate_code for r in ledger.rows_at(conn, stock.site_id, van)}
    assert there == {ours.carton.sscc, theirs.carton.sscc}
    with pytest.raises(Conflict, match="does not belong there"):
        depart(conn, stock, s)
    passage(conn, stock, epc(theirs.carton), direction="in")  # somebody carries it back
    assert alerts(conn) == 0
    assert stages(again(conn, stock, theirs.order)) == {"packed": 4}
    depart(conn, stock, s)
    assert again(conn, stock, ours.order).state == "shipped"
    passage(conn, stock, epc(theirs.carton), door="DOCK-1")
    assert stages(again(conn, stock, theirs.order)) == {"loaded": 4}
    assert ledger.verify(conn) == []


def test_a_loaded_carton_that_comes_back_in_is_off_the_vehicle(conn: Conn, stock: Warehouse) -> None:
    p = packed(conn, stock)
    passage(conn, stock, epc(p.carton))
    passage(conn, stock, epc(p.carton), direction="in")
    assert stages(again(conn, stock, p.order)) == {"packed": 4}
    with pytest.raises(Conflict, match="Nothing is loaded"):
        depart(conn, stock, shipment_of(conn, stock, p.order))
    passage(conn, stock, epc(p.carton))
    depart(conn, stock, shipment_of(conn, stock, p.order))
    assert again(conn, stock, p.order).state == "shipped"
    assert ledger.verify(conn) == []


def test_a_pallet_of_the_shelves_that_goes_out_breaks_promises_and_they_are_made_again(
    conn: Conn, warehouse: Warehouse
) -> None:
    plate = new_id()
    conn.execute(
        "insert into license_plate (id, site_id, code, kind, place_id) values (%s, %s, '364123450000000013', 'pallet', %s)",
        [plate, warehouse.site_id, warehouse.places["A-01-1"]],
    )
    with conn.transaction():
        source = ledger.Spot(ledger.virtual_place(conn, warehouse.site_id, "adjustment"))
        ledger.post(
            conn, warehouse.ctx(),
            [ledger.Move(warehouse.items["TEA-250"], Decimal(48), source, ledger.Spot(warehouse.places["A-01-1"], plate), "x", "opening")],
        )  # fmt: skip
    o = accept(conn, warehouse, ("TEA-250", "10"))
    put_stock(conn, warehouse, "TEA-250", "A-02-1", "6")
    row = conn.execute("select code from license_plate where id = %s", [plate]).fetchone()
    assert row is not None
    passage(conn, warehouse, sscc96_hex(row[0], PREFIX))
    assert discrepancies(conn) == ["unexpected_exit"]
    assert alerts(conn) == 1
    assert on_hand(conn, warehouse, "TEA-250", "DOCK-2") == 48
    assert stages(again(conn, warehouse, o)) == {"allocated": 6, "waiting": 4}
    passage(conn, warehouse, sscc96_hex(row[0], PREFIX))
    assert discrepancies(conn) == ["unexpected_exit"]
    assert ledger.verify(conn) == []


def test_a_serial_read_leaving_in_its_carton_confirms_it_and_one_from_the_shelf_is_a_discrepancy(
    conn: Conn, warehouse: Warehouse
) -> None:
    for s in ("101", "102"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=s)
    p = packed(conn, warehouse, "DRILL-X", "1")
    inside = p.carton.contents[0].serial
    assert inside is not None
    outside = {"101": "102", "102": "101"}[inside]
    passage(conn, warehouse, sgtin96_hex("06412345000036", PREFIX, inside))  # the carton's own tag was missed
    assert stages(again(conn, warehouse, p.order)) == {"loaded": 1}
    assert discrepancies(conn) == []
    passage(conn, warehouse, sgtin96_hex("06412345000036", PREFIX, outside))
    assert discrepancies(conn) == ["unexpected_exit"]
    depart(conn, warehouse, shipment_of(conn, warehouse, p.order))
    passage(conn, warehouse, sgtin96_hex("06412345000036", PREFIX, inside))
    assert discrepancies(conn) == ["unexpected_exit"]
    passage(conn, warehouse, sgtin96_hex("06412345000036", PREFIX, 999))
    assert discrepancies(conn) == ["unexpected_exit", "unknown_unit_left"]
    assert ledger.verify(conn) == []


def test_a_serial_that_is_being_packed_when_it_is_read_leaving_stays_in_its_carton(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="101")
    o = accept(conn, warehouse, ("DRILL-X", "1"))
    pick_all(conn, warehouse, o)
    with conn.transaction():
        box = packing.open_carton(conn, warehouse.ctx(), o.id, warehouse.places["BENCH-1"])
    tag = sgtin96_hex("06412345000036", PREFIX, "101")
    with ThreadPoolExecutor(1) as door, connect(database_url, autocommit=True) as packer:
        with packer.transaction():
            packing.pack(packer, warehouse.ctx(), box.id, "101")
            read = door.submit(passage, conn, warehouse, tag)
            while (
                not read.done() and not packer.execute("select 1 from pg_locks where not granted").fetchone()
            ):
                time.sleep(0.01)
        read.result()
    assert [n.serial for n in packing.carton(conn, warehouse.site_id, box.id).contents] == ["101"]
    assert [r.serial for r in ledger.on_plate(conn, warehouse.site_id, box.id)] == ["101"]
    assert ledger.verify(conn) == []


def test_unit_tags_account_for_what_is_shipped_once_and_more_than_that_is_out_of_place(
    conn: Conn, stock: Warehouse
) -> None:
    p = packed(conn, stock, quantity="2")
    tags = [sgtin96_hex("06412345000012", PREFIX, n) for n in (1, 2, 3)]
    passage(conn, stock, tags[0], confidence=0.3)
    passage(conn, stock, *tags[:2])  # all that is in the carton: it is loaded although its own tag was missed
    assert stages(again(conn, stock, p.order)) == {"loaded": 2}
    passage(conn, stock, *tags[:2])
    assert discrepancies(conn) == []
    passage(conn, stock, tags[2])
    passage(conn, stock, tags[2])
    assert discrepancies(conn) == ["unexpected_exit"]
    assert on_hand(conn, stock, "TEA-250", "DOCK-2") == 3
    assert ledger.verify(conn) == []


def test_an_unknown_tag_is_kept_with_its_reads(conn: Conn, stock: Warehouse) -> None:
    passage(conn, stock, "300000000000000000000ABC")
    assert conn.execute("select reads from unknown_tag").fetchall() == [(12,)]


def test_what_is_not_loaded_stays_for_the_next_shipment(conn: Conn, stock: Warehouse, api: Api) -> None:
    one, two = packed(conn, stock), packed(conn, stock)
    planned = api.post(
        "/api/v1/shipments",
        json={"order_ids": [str(one.order.id), str(two.order.id)], "door_id": str(stock.places["DOCK-2"])},
    ).json()
    url = f"/api/v1/shipments/{planned['id']}"
    assert api.post(f"{url}/depart", json={}).status_code == 409
    assert api.post(f"{url}/load", json={"code": one.carton.sscc}).status_code == 200
    incomplete = api.post(f"{url}/depart", json={})
    assert (incomplete.status_code, incomplete.json()["not_loaded"]) == (409, [two.carton.sscc])
    api.as_user(conn, "wendy", ["worker"], stock.site_id)
    assert api.post(f"{url}/depart", json={"anyway": True}).status_code == 403
    api.as_user(conn, "dora", ["dispatcher"], stock.site_id)
    assert api.post(f"{url}/depart", json={"anyway": True}).json()["state"] == "departed"
    assert again(conn, stock, one.order).state == "shipped"
    assert stages(again(conn, stock, two.order)) == {"packed": 4}
    later = shipment_of(conn, stock, two.order)
    assert later.id != UUID(planned["id"])
    assert later.state == "planned"
    assert api.post(f"{url}/depart", json={}).status_code == 409
    assert ledger.verify(conn) == []


def test_a_partly_shipped_order_gets_the_rest_when_stock_arrives(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "3")
    o = accept(conn, warehouse, ("TEA-250", "5"))
    with conn.transaction():
        first_wave = picking.create_wave(conn, warehouse.ctx(), order_ids=[o.id])
    pick_all(conn, warehouse, o)
    with conn.transaction():
        ctx = warehouse.ctx()
        c = packing.open_carton(conn, ctx, o.id, warehouse.places["BENCH-1"])
        packing.pack(conn, ctx, c.id, "TEA-250", Decimal(3))
        packing.close_carton(conn, ctx, c.id, override_reason="no scale", may_override=True)
    c = packing.carton(conn, warehouse.site_id, c.id)
    s = shipment_of(conn, warehouse, o)
    load(conn, warehouse, s, c)
    depart(conn, warehouse, s)
    assert (again(conn, warehouse, o).state, stages(again(conn, warehouse, o))) == (
        "open",
        {"shipped": 3, "waiting": 2},
    )
    with pytest.raises(OrderUnderWay), conn.transaction():
        orders.cancel(conn, warehouse.ctx(), o.id, "too late")
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "3")
    with conn.transaction():
        orders.allocate_waiting(conn, warehouse.ctx(), [warehouse.items["TEA-250"]])
    assert stages(again(conn, warehouse, o)) == {"shipped": 3, "allocated": 2}
    assert picking.wave(conn, warehouse.site_id, first_wave.id).state == "done", (
        "the rest is not part of that wave"
    )
    assert again(conn, warehouse, o).wave_id is None
    with conn.transaction():  # or the customer does without
        orders.change_line(conn, warehouse.ctx(), o.id, o.lines[0].id, Decimal(3), 1)
    assert again(conn, warehouse, o).state == "shipped"
    assert ledger.verify(conn) == []


def test_a_loaded_order_is_not_cancelled_until_it_is_unloaded(conn: Conn, stock: Warehouse) -> None:
    p = packed(conn, stock)
    s = load(conn, stock, shipment_of(conn, stock, p.order), p.carton)
    with pytest.raises(OrderUnderWay, match="unload"), conn.transaction():
        orders.cancel(conn, stock.ctx(), p.order.id, "too late?")
    with conn.transaction():
        shipping.unload(conn, stock.ctx(), s.id, p.carton.sscc)
    with conn.transaction():
        orders.cancel(conn, stock.ctx(), p.order.id, "not too late")
    assert shipping.shipment(conn, stock.site_id, s.id).orders == ()
    assert reserved(conn, stock, "TEA-250") == 0
    assert conn.execute("select sum(quantity) from putaway_task where state = 'open'").fetchone() == (4,)
    assert ledger.verify(conn) == []


def test_departing_twice_at_once_ships_once(database_url: str, conn: Conn, stock: Warehouse) -> None:
    p = packed(conn, stock)
    s = load(conn, stock, shipment_of(conn, stock, p.order), p.carton)
    outcomes: list[str] = []

    def go() -> None:
        with connect(database_url) as c:
            try:
                depart(c, stock, s)
                outcomes.append("departed")
            except Conflict:
                outcomes.append("refused")

    threads = [threading.Thread(target=go) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(outcomes) == ["departed", "refused", "refused"]
    assert again(conn, stock, p.order).lines[0].shipped == 4
    assert ledger.verify(conn) == []


def test_a_door_is_no_vehicle_and_a_vehicle_has_one_shipment(conn: Conn, stock: Warehouse, api: Api) -> None:
    one, two = packed(conn, stock), packed(conn, stock)
    van = str(vehicle(conn, stock, "VAN-1"))
    body = {"order_ids": [str(one.order.id)], "vehicle_id": str(stock.places["DOCK-2"])}
    assert api.post("/api/v1/shipments", json=body).json()["field"] == "vehicle_id"
    made = api.post("/api/v1/shipments", json=body | {"vehicle_id": van})
    assert made.status_code == 201, made.text
    again_ = api.post("/api/v1/shipments", json={"order_ids": [str(two.order.id)], "vehicle_id": van})
    assert (again_.status_code, again_.json()["field"]) == (409, "vehicle_id")
    url = f"/api/v1/shipments/{made.json()['id']}"
    assert (
        api.patch(url, json={"version": 1, "door_id": str(stock.places["DOCK-2"])}).json()["vehicle_id"]
        is None
    )
    stale = api.patch(url, json={"version": 1, "vehicle_id": van})
    assert (stale.status_code, stale.json()["present"]["version"]) == (409, 2)


def test_a_carton_at_a_door_that_is_not_its_own_is_refused(conn: Conn, stock: Warehouse) -> None:
    p = packed(conn, stock)
    with conn.transaction():
        s = shipping.plan(conn, stock.ctx(), [p.order.id], door_id=stock.places["DOCK-1"])
    with pytest.raises(WrongVehicle, match="is loaded at DOCK-1; this is DOCK-2"):
        load(conn, stock, s, p.carton)
