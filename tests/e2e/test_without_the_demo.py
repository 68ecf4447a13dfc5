"""From an empty database to a shipped order, through the API alone: what `stowage run --empty` leaves to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backend import ledger
from backend.app import create_app
from backend.auth.administrator import make_administrator, nobody_can_log_in
from backend.db import Conn
from tests.backend.orders.flow import let_jobs_run
from tests.conftest import Api

PLACES = """code,kind,parent,erp_location,storage_class
STORE,zone,,STO,ambient
DOCK-1,dock_door,,STO,ambient
DOCK-2,dock_door,,STO,ambient
BENCH-1,pack_bench,,STO,ambient
STAGE,staging,,STO,ambient
A-01,bin,STORE,,ambient
A-02,bin,STORE,,ambient
"""
ITEMS = """sku,name,gtin,weight_g,pack_name,pack_units,pack_gtin
TEA,Green tea 250 g,06412345000012,280,inner,4,26412345000016
TEA,Green tea 250 g,06412345000012,280,case,12,16412345000019
TEA,Green tea 250 g,06412345000012,280,pallet,480,
"""
PARTNERS = """code,name,is_supplier,is_customer
SUP,A supplier,yes,no
CUS,A customer,no,yes
"""
PRICES = """supplier,sku,unit_price,currency,lead_time_d,min_order_qty,pack_multiple
SUP,TEA,1.20,EUR,5,24,12
"""
STOCK = """sku,place,quantity
TEA,A-01,10
"""


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    app = create_app(database_url)
    with Api(app, base_url="http://testserver", raise_server_exceptions=False) as client:
        yield client


def test_an_empty_system_becomes_a_warehouse_that_receives_and_ships(api: Api, conn: Conn) -> None:
    def post(path: str, **body: Any) -> Any:
        answer = api.post(f"/api/v1{path}", json=body)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return answer.json()

    def get(path: str, **query: Any) -> Any:
        answer = api.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def take(kind: str, text: str) -> Any:
        answer = api.post(
            "/api/v1/imports", data={"kind": kind}, files={"file": (f"{kind}.csv", text.encode())}
        )
        assert answer.status_code < 300, f"{kind}: {answer.text}"
        assert answer.json()["errors"] == []
        return answer.json()

    def log_in(name: str, password: str) -> None:
        api.headers.pop("Authorization", None)
        api.headers["Authorization"] = (
            f"Bearer {post('/auth/login', username=name, password=password)['token']}"
        )

    # the first administrator is made at the machine, everything else over the API
    assert nobody_can_log_in(conn)
    with conn.transaction():
        password = make_administrator(conn, "admin")
    log_in("admin", password)
    refused = api.get("/api/v1/places")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/no-site-yet")
    assert get("/sites")["items"] == []
    site = post(
        "/sites", code="TKU1", name="Turku", time_zone="Europe/Helsinki", gs1_company_prefix="6412345"
    )
    for name, roles in (("lena", ["lead"]), ("wendy", ["worker"]), ("ivan", ["integrator"])):
        post(
            "/users",
            username=name,
            name=name.title(),
            password="long-enough",
            roles=roles,
            site_id=site["id"],
        )

    log_in("lena", "long-enough")
    for kind, text in (("places", PLACES), ("items", ITEMS), ("partners", PARTNERS),
                       ("supplier-items", PRICES), ("opening-stock", STOCK)):  # fmt: skip
        take(kind, text)
    (tea,) = get("/items")["items"]
    assert {p["name"]: p["units"] for p in tea["packs"]} == {
        "each": "1",
        "inner": "4",
        "case": "12",
        "pallet": "480",
    }
    api.put("/api/v1/reorder-rules", json={"item_id": tea["id"], "reorder_point": "24", "target_level": "96"})

    # a delivery without a notice: two cases and an inner are 28 pieces
    log_in("wendy", "long-enough")
    places = {p["code"]: p["id"] for p in get("/places")["items"]}
    receipt = post("/receipts", dock_door_id=places["DOCK-1"])
    for gtin, count in (("16412345000019", "2"), ("26412345000016", "1")):
        post(f"/receipts/{receipt['id']}/scans", code=gtin, quantity=count)
    post(f"/receipts/{receipt['id']}/close")
    assert get(f"/items/{tea['id']}/stock")["on_hand"] == "38"
    for task in get("/putaway-tasks", state="open")["items"]:
        post(f"/putaway-tasks/{task['id']}/confirm", place=task["proposed_place"] or "A-02", override=True, reason="test")  # fmt: skip
    assert get("/balances", place_id=places["DOCK-1"])["items"] == []

    # an order of one case and three pieces
    log_in("ivan", "long-enough")
    order = post("/sales-orders", source="crm", external_number="C-1", customer_code="CUS",
                 lines=[{"gtin": "16412345000019", "quantity": "1"}, {"sku": "TEA", "quantity": "3"}])  # fmt: skip
    log_in("wendy", "long-enough")
    picked = 0
    while (task := post("/pick-tasks/next", order_id=order["id"])["task"]) is not None:
        post(
            f"/pick-tasks/{task['id']}/confirm",
            place=task["place_code"],
            code="TEA",
            quantity=task["quantity"],
        )
        picked += int(task["quantity"])
    assert picked == 15
    carton = post("/cartons", code=order["number"], bench="BENCH-1")
    post(f"/cartons/{carton['id']}/contents", code="16412345000019")
    filled = post(f"/cartons/{carton['id']}/contents", code="TEA", quantity="3")
    post(f"/cartons/{carton['id']}/weight", weight_g=filled["expected_weight_g"])
    post(f"/cartons/{carton['id']}/close")
    (shipment,) = get("/shipments", state="planned")["items"]
    post(f"/shipments/{shipment['id']}/load", code=carton["sscc"], door="DOCK-2")
    post(f"/shipments/{shipment['id']}/depart")

    assert get(f"/sales-orders/{order['id']}")["state"] == "shipped"
    assert get(f"/items/{tea['id']}/stock")["on_hand"] == "23"
    let_jobs_run(conn)
    (suggestion,) = get("/purchase-suggestions")["items"]
    assert (suggestion["sku"], int(suggestion["quantity"]) % 12) == ("TEA", 0)
    log_in("lena", "long-enough")
    actors = {m["actor"] for m in get("/movements")["items"]}
    assert actors == {"user:lena", "user:wendy"}
    assert get("/ledger/verification")["mismatches"] == [] == ledger.verify(conn)
