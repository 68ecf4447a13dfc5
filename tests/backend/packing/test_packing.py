"""What is picked goes into cartons by scans, and a carton that weighs wrong is not closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from backend import ledger, orders, packing, picking
from backend.db import Conn
from backend.devices import DeviceRow
from backend.ids import new_id
from backend.orders import Order
from device_drivers.gs1 import is_valid_sscc
from edge.messages import BarcodeScanned, Event, Weighed, encode_data, type_of
from tests.backend.orders.flow import accept, again, on_hand, stages
from tests.conftest import Api, Warehouse, put_stock

TEA, MILK = "06412345000012", "06412345000029"


def pick_all(conn: Conn, w: Warehouse, o: Order, tote: str | None = None) -> None:
    if tote is not None:
        conn.execute(
            "insert into license_plate (id, site_id, code, kind) values (%s, %s, %s, 'tote')",
            [new_id(), w.site_id, tote],
        )
    with conn.transaction():
        ctx = w.ctx("user:picker")
        while (t := picking.next_task(conn, ctx, order_id=o.id)) is not None:
            picking.confirm(
                conn, ctx, t.id, place=t.place_code, code=t.serial or t.sku, quantity=t.remaining, tote=tote
            )


def bench_device(w: Warehouse, kind: str) -> DeviceRow:
    return DeviceRow(new_id(), kind.upper(), kind, w.places["BENCH-1"], "none", new_id(), "agent-1")


def event(data: Any, at: datetime | None = None) -> Event:
    return Event(
        seq=1, device="D", type=type_of(data), occurred_at=at or datetime.now(UTC), correlation_id="c", data=encode_data(data)
    )  # fmt: skip


def scan(conn: Conn, w: Warehouse, text: str) -> None:
    data = BarcodeScanned(text=text)
    with conn.transaction():
        packing.on_barcode_scanned(conn, w.ctx("agent:edge"), bench_device(w, "scanner"), event(data), data)


def weigh(conn: Conn, w: Warehouse, grams: str, at: datetime | None = None) -> None:
    data = Weighed(weight_g=Decimal(grams))
    with conn.transaction():
        packing.on_weighed(conn, w.ctx("agent:edge"), bench_device(w, "scale"), event(data, at), data)


def bench(api: Api) -> dict[str, Any]:
    (only,) = api.get("/api/v1/pack-benches").json()["items"]
    return dict(only)


@pytest.fixture
def picked(conn: Conn, warehouse: Warehouse) -> Order:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L1", expires_on="2099-01-01")
    o = accept(conn, warehouse, ("TEA-250", "3"), ("MILK-1L", "2"))
    pick_all(conn, warehouse, o, tote="T-1")
    return again(conn, warehouse, o)


def test_an_order_is_packed_weighed_and_closed_over_http(
    conn: Conn, warehouse: Warehouse, api: Api, picked: Order
) -> None:
    (to_pack,) = api.get("/api/v1/pack-orders").json()["items"]
    assert (to_pack["order_number"], to_pack["where"]) == (picked.number, ["T-1"])
    assert [(x["sku"], x["picked"]) for x in to_pack["lines"]] == [("TEA-250", "3"), ("MILK-1L", "2")]
    opened = api.post("/api/v1/cartons", json={"code": "T-1", "bench": "BENCH-1", "tare_g": "300"})
    assert opened.status_code == 201, opened.text
    url = f"/api/v1/cartons/{opened.json()['id']}"
    assert is_valid_sscc(opened.json()["sscc"])
    assert api.post(f"{url}/contents", json={"code": TEA}).status_code == 200
    assert api.post(f"{url}/contents", json={"code": TEA, "quantity": "2"}).status_code == 200
    c = api.post(f"{url}/contents", json={"code": MILK, "quantity": "2", "lot": "L1"}).json()
    assert [(n["sku"], n["quantity"], n["lot_code"]) for n in c["contents"]] == [
        ("TEA-250", "3", None),
        ("MILK-1L", "2", "L1"),
    ]
    assert c["expected_weight_g"] == "3220"  # 300 + 3 x 280 + 2 x 1040
    refused = api.post(f"{url}/close", json={})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/weight-differs")
    assert api.post(f"{url}/weight", json={"weight_g": "3230.5"}).json()["weight_check"] == "good"
    closed = api.post(f"{url}/close", json={}).json()
    assert (closed["state"], closed["override_by"]) == ("closed", None)
    assert again(conn, warehouse, picked).state == "packed"
    assert stages(again(conn, warehouse, picked)) == {"packed": 3}
    assert on_hand(conn, warehouse, "TEA-250", "BENCH-1") == 3
    (label,) = conn.execute("select subject_id from label where kind = 'sscc'").fetchall()
    assert str(label[0]) == closed["id"]
    page = api.get(f"{url}/packing-list")
    assert page.headers["content-type"].startswith("text/html")
    for words in (
        picked.number,
        closed["sscc"],
        "Green tea 250 g",
        "L1",
        "2099-01-01",
        "1 of 1",
        "3.2305 kg",
    ):
        assert words in page.text
    (shipment,) = api.get("/api/v1/shipments", params={"order_id": str(picked.id)}).json()["items"]
    assert shipment["state"] == "planned"
    assert ledger.verify(conn) == []


def test_a_packing_list_is_the_customers_to_read(
    conn: Conn, warehouse: Warehouse, api: Api, picked: Order
) -> None:
    c = api.post("/api/v1/cartons", json={"order_id": str(picked.id), "bench": "BENCH-1"}).json()
    url = f"/api/v1/cartons/{c['id']}"
    api.post(f"{url}/contents", json={"code": TEA, "quantity": "3"})
    conn.execute("update item set name_i18n = %s where sku = 'TEA-250'", [Jsonb({"zh": "绿茶 250 克"})])
    conn.execute(
        "update sales_order set ship_to = %s",
        [Jsonb({"name": "<b>Kahvila</b>", "street": "Kaisaniemenkatu 2", "postcode": "00100", "city": "Helsinki",
                "lat": 60.17155, "window_from": "2030-01-31T16:00:00Z", "note": "ring twice"})],
    )  # fmt: skip
    english = api.get(f"{url}/packing-list").text
    assert "&lt;b&gt;Kahvila&lt;/b&gt;, Kaisaniemenkatu 2, 00100 Helsinki<" in english
    assert not any(ours in english for ours in ("60.17155", "2030-01-31", "ring twice", "装箱单", "绿茶"))
    chinese = api.get(f"{url}/packing-list", params={"language": "zh"}).text
    for words in (
        "装箱单 <small>Packing list</small>",
        "第 1 箱，共 1 箱",
        "绿茶 250 克",
        "Green tea 250 g",
        "3 件",
    ):
        assert words in chinese
    assert api.get(f"{url}/packing-list", params={"language": "fi"}).status_code == 422


def test_a_carton_that_weighs_wrong_is_closed_only_by_a_lead_with_a_reason(
    conn: Conn, warehouse: Warehouse, api: Api, picked: Order
) -> None:
    api.as_user(conn, "wendy", ["worker"], warehouse.site_id)
    c = api.post("/api/v1/cartons", json={"order_id": str(picked.id), "bench": "BENCH-1"}).json()
    url = f"/api/v1/cartons/{c['id']}"
    assert api.post(f"{url}/close", json={}).json()["detail"].startswith("The carton is empty")
    api.post(f"{url}/contents", json={"code": TEA, "quantity": "3"})
    api.post(f"{url}/weight", json={"weight_g": "530"})  # 250 + 1 x 280: two packs are missing
    refused = api.post(f"{url}/close", json={})
    assert refused.status_code == 409
    assert (refused.json()["expected_weight_g"], refused.json()["weight_g"]) == ("1090", "530")
    assert bench(api)["last_what"] == "refused"
    assert api.post(f"{url}/close", json={"override_reason": "scale is off"}).status_code == 403
    api.as_user(conn, "lee", ["lead"], warehouse.site_id)
    done = api.post(f"{url}/close", json={"override_reason": "scale is off"}).json()
    assert (done["state"], done["override_by"], done["override_reason"]) == (
        "closed",
        "user:lee",
        "scale is off",
    )
    assert api.post(f"{url}/contents", json={"code": TEA}).status_code == 409


def test_a_wrong_item_stays_out_of_the_carton_and_is_recorded(
    conn: Conn, warehouse: Warehouse, api: Api, picked: Order
) -> None:
    c = api.post("/api/v1/cartons", json={"order_id": str(picked.id), "bench": "BENCH-1"}).json()
    url = f"/api/v1/cartons/{c['id']}/contents"
    for code in ("06412345000036", "garbage", "A-01-1"):
        refused = api.post(url, json={"code": code})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-in-order")
        assert refused.json()["expected"] == [
            {"sku": "TEA-250", "quantity": "3"},
            {"sku": "MILK-1L", "quantity": "2"},
        ]
        assert (bench(api)["last_what"], bench(api)["last_code"]) == ("refused", code)
    assert api.post(url, json={"code": TEA, "quantity": "4"}).json()["remaining"] == "3"
    assert api.get(f"/api/v1/cartons/{c['id']}").json()["contents"] == []
    assert ledger.verify(conn) == []


def test_what_is_taken_out_again_can_be_packed_again(conn: Conn, warehouse: Warehouse, picked: Order) -> None:
    with conn.transaction():
        ctx = warehouse.ctx()
        c = packing.open_carton(conn, ctx, picked.id, warehouse.places["BENCH-1"])
        packing.pack(conn, ctx, c.id, TEA, Decimal(3))
        c = packing.unpack(conn, ctx, c.id, warehouse.items["TEA-250"], Decimal(2))
        assert [(n.sku, n.quantity) for n in c.contents] == [("TEA-250", 1)]
        assert stages(orders.order(conn, warehouse.site_id, picked.id)) == {"picked": 2, "packed": 1}
        c = packing.pack(conn, ctx, c.id, TEA, Decimal(2))
        assert [(n.sku, n.quantity) for n in c.contents] == [("TEA-250", 3)]
    assert ledger.verify(conn) == []


def test_scanner_and_scale_of_the_bench_do_their_part(
    conn: Conn, warehouse: Warehouse, api: Api, picked: Order
) -> None:
    scan(conn, warehouse, TEA)
    assert bench(api)["last_what"] == "refused"
    weigh(conn, warehouse, "500")  # nothing is open: nobody's weight
    scan(conn, warehouse, "T-1")
    opened = bench(api)["carton"]
    assert opened["order_number"] == picked.number
    scan(conn, warehouse, picked.number)  # again: the same carton
    assert bench(api)["carton"]["id"] == opened["id"]
    for _ in range(3):
        scan(conn, warehouse, TEA)
    scan(conn, warehouse, TEA)  # a fourth was not picked
    assert bench(api)["last_what"] == "refused"
    scan(conn, warehouse, f"]C101{MILK}10L1")
    scan(conn, warehouse, f"01{MILK}10L1")
    c = bench(api)["carton"]
    assert [(n["sku"], n["quantity"]) for n in c["contents"]] == [("TEA-250", "3"), ("MILK-1L", "2")]
    now = datetime.now(UTC)
    weigh(conn, warehouse, "3171", now)
    weigh(conn, warehouse, "2800", now - timedelta(seconds=5))  # an older weight that came late
    weigh(conn, warehouse, "0", now + timedelta(seconds=5))  # taken off the scale
    c = bench(api)["carton"]
    assert (c["weight_g"], c["weighed_by"], c["weight_check"]) == ("3171", "SCALE", "good")
    assert api.post(f"/api/v1/cartons/{c['id']}/close", json={}).status_code == 200
    assert bench(api)["carton"] is None
    assert ledger.verify(conn) == []


def test_a_bench_packs_one_carton_at_a_time(
    conn: Conn, warehouse: Warehouse, api: Api, picked: Order
) -> None:
    other = accept(conn, warehouse, ("TEA-250", "1"))
    pick_all(conn, warehouse, other)
    first = {"order_id": str(picked.id), "bench": "BENCH-1"}
    assert (
        api.post("/api/v1/cartons", json=first).json()["id"]
        == api.post("/api/v1/cartons", json=first).json()["id"]
    )
    refused = api.post("/api/v1/cartons", json={"order_id": str(other.id), "bench": "BENCH-1"})
    assert (refused.status_code, refused.json()["field"]) == (409, "bench_id")


def test_nothing_picked_nothing_packed(conn: Conn, warehouse: Warehouse, api: Api) -> None:
    o = accept(conn, warehouse, ("TEA-250", "1"))
    assert api.post("/api/v1/cartons", json={"order_id": str(o.id), "bench": "BENCH-1"}).status_code == 409
    assert (
        api.post("/api/v1/cartons", json={"order_id": str(new_id()), "bench": "BENCH-1"}).status_code == 404
    )
    assert api.post("/api/v1/cartons", json={"order_id": str(o.id), "bench": "A-01-1"}).status_code == 422
    assert api.post("/api/v1/cartons", json={"order_id": str(o.id)}).status_code == 422


def test_a_serial_goes_into_a_carton_once(conn: Conn, warehouse: Warehouse, api: Api) -> None:
    for s in ("S1", "S2"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=s)
    o = accept(conn, warehouse, ("DRILL-X", "2"))
    pick_all(conn, warehouse, o)
    c = api.post("/api/v1/cartons", json={"order_id": str(o.id), "bench": "BENCH-1"}).json()
    url = f"/api/v1/cartons/{c['id']}/contents"
    assert api.post(url, json={"code": "06412345000036"}).json()["field"] == "serial"
    assert api.post(url, json={"code": "S1"}).status_code == 200
    assert api.post(url, json={"code": "S1"}).status_code == 409
    assert api.post(url, json={"code": "01064123450000362 1S2".replace(" ", "")}).status_code == 200
    assert ledger.verify(conn) == []


def test_cancelling_a_packed_order_empties_its_carton(
    conn: Conn, warehouse: Warehouse, picked: Order
) -> None:
    with conn.transaction():
        ctx = warehouse.ctx()
        c = packing.open_carton(conn, ctx, picked.id, warehouse.places["BENCH-1"])
        packing.pack(conn, ctx, c.id, TEA, Decimal(3))
    with conn.transaction():
        orders.cancel(conn, warehouse.ctx(), picked.id, "customer called")
    assert packing.carton(conn, warehouse.site_id, c.id).state == "cancelled"
    assert ledger.on_plate(conn, warehouse.site_id, c.id) == []
    tasks = conn.execute(
        "select quantity from putaway_task where state = 'open' order by quantity"
    ).fetchall()
    assert tasks == [(2,), (3,)]
    assert conn.execute("select count(*) from reservation where closed_at is null").fetchone() == (0,)
    assert ledger.verify(conn) == []
