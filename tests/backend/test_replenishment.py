"""What runs low is ordered once, from the right supplier, in a sensible quantity; sales is told to stop and to go on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from backend import replenishment
from backend.db import Conn
from backend.ids import new_id
from tests.conftest import Api, Warehouse, put_stock

RULES, SUGGESTIONS = "/api/v1/reorder-rules", "/api/v1/purchase-suggestions"


def offer(conn: Conn, w: Warehouse, *, code: str = "SUP-1", price: str = "2.50", minimum: str = "20", multiple: str = "12",
          preferred: bool = False) -> None:  # fmt: skip
    row = conn.execute("select id from partner where code = %s", [code]).fetchone()
    supplier = row[0] if row else new_id()
    if row is None:
        conn.execute(
            "insert into partner (id, code, name, is_supplier) values (%s, %s, %s, true)",
            [supplier, code, code],
        )
    conn.execute(
        "insert into supplier_item (supplier_id, item_id, unit_price, min_order_qty, pack_multiple, lead_time_d, preferred) values (%s, %s, %s, %s, %s, 3, %s)",
        [supplier, w.items["TEA-250"], price, minimum, multiple, preferred],
    )


def rule(api: Api, w: Warehouse, **changes: Any) -> Any:
    body = {
        "item_id": str(w.items["TEA-250"]),
        "reorder_point": "20",
        "target_level": "60",
        "safety_stock": "10",
        **changes,
    }
    return api.put(RULES, json=body)


def check(conn: Conn, w: Warehouse) -> None:
    with conn.transaction():
        replenishment.check(conn, w.ctx("job:test"), [w.items["TEA-250"]])


def test_an_item_below_its_reorder_point_is_suggested_once_in_whole_packs(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    offer(conn, warehouse)
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "15")
    assert rule(api, warehouse).status_code == 200
    for _ in range(3):
        check(conn, warehouse)
    found = api.get(SUGGESTIONS).json()["items"]
    assert [(s["quantity"], s["amount"], s["state"], s["supplier_name"]) for s in found] == [
        ("48", "120", "proposed", "SUP-1")
    ]
    assert found[0]["reason"]["position"] == "15.000000"


def test_a_small_order_is_approved_by_rule_and_asked_of_the_erp_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    offer(conn, warehouse)
    rule(api, warehouse, approve_above="500")
    for _ in range(3):
        check(conn, warehouse)
    assert [s["state"] for s in api.get(SUGGESTIONS).json()["items"]] == ["approved"]
    wanted = conn.execute(
        "select lines -> 0 ->> 'quantity' from erp_order where kind = 'purchase'"
    ).fetchall()
    assert [Decimal(q) for (q,) in wanted] == [60]


def test_a_large_order_waits_for_a_person_and_is_decided_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    offer(conn, warehouse)
    rule(api, warehouse, approve_above="100")
    url = f"{SUGGESTIONS}/{api.get(SUGGESTIONS).json()['items'][0]['id']}"
    api.as_user(conn, "wendy", ["worker"])
    assert api.post(f"{url}/approve", json={}).status_code == 403
    api.as_user(conn, "lena", ["lead"])
    done = api.post(f"{url}/approve", json={"quantity": "72"})
    assert (done.json()["state"], done.json()["quantity"], done.json()["decided_by"]) == (
        "approved",
        "72",
        "user:lena",
    )
    assert api.post(f"{url}/reject", json={"reason": "too late"}).status_code == 409


def test_what_is_on_order_and_what_is_waited_for_count(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    offer(conn, warehouse, minimum="1", multiple="1")
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "15")
    conn.execute(
        """insert into erp_purchase_line (erp_id, line_id, number, item_id, ordered, open_quantity, state)
           values ('7', '9', 'PO-7', %s, 30, 30, 'confirmed')""",
        [warehouse.items["TEA-250"]],
    )
    row = rule(api, warehouse).json()
    assert (row["on_order"], row["position"]) == ("30", "45")
    assert api.get(SUGGESTIONS).json()["items"] == []
    order = api.post(
        "/api/v1/sales-orders",
        json={"customer_code": "CUST-1", "lines": [{"sku": "TEA-250", "quantity": "35"}]},
    )
    assert order.status_code == 201, order.text
    check(conn, warehouse)
    assert [s["quantity"] for s in api.get(SUGGESTIONS).json()["items"]] == ["50"]


def test_what_came_in_full_is_not_on_order_any_more_and_looking_at_it_changes_nothing(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    offer(conn, warehouse)
    rule(api, warehouse, approve_above="500")
    (ordered,) = api.get(SUGGESTIONS).json()["items"]
    with conn.transaction():
        replenishment.purchase_made(conn, warehouse.ctx("job:test"), UUID(ordered["id"]), "PO-9")
    assert api.get(RULES).json()["items"][0]["on_order"] == "60"
    conn.execute(
        """insert into erp_purchase_line (erp_id, line_id, number, item_id, ordered, open_quantity, state)
           values ('9', '1', 'PO-9', %s, 60, 0, 'done')""",
        [warehouse.items["TEA-250"]],
    )
    seen = api.get(RULES)
    assert seen.status_code == 200, seen.text
    assert seen.json()["items"][0]["on_order"] == "0"
    assert [s["state"] for s in api.get(SUGGESTIONS).json()["items"]] == ["ordered"]
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "60")
    check(conn, warehouse)
    assert [s["state"] for s in api.get(SUGGESTIONS).json()["items"]] == ["received"]


def test_the_preferred_supplier_comes_first_then_the_cheapest(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    offer(conn, warehouse, code="SUP-1", price="2.50")
    offer(conn, warehouse, code="SUP-2", price="2.00")
    rule(api, warehouse)
    assert api.get(SUGGESTIONS).json()["items"][0]["supplier_name"] == "SUP-2"
    conn.execute("update supplier_item set preferred = true where unit_price = 2.50")
    check(conn, warehouse)
    assert [s["supplier_name"] for s in api.get(SUGGESTIONS).json()["items"]] == ["SUP-1"]


def test_an_item_nobody_sells_says_so(api: Api, warehouse: Warehouse) -> None:
    rule(api, warehouse)
    found = api.get(SUGGESTIONS).json()["items"][0]
    assert (found["supplier_name"], found["state"]) == (None, "proposed")
    answer = api.post(f"{SUGGESTIONS}/{found['id']}/approve", json={})
    assert (answer.status_code, answer.json()["field"]) == (409, "supplier_id")


def test_sales_is_told_to_stop_and_to_go_on_once_each(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    rule(api, warehouse)
    check(conn, warehouse)
    assert conn.execute("select type, data ->> 'promiseable' from webhook_event order by id").fetchall() == [
        ("item.stop_recommending", "5")
    ]
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "10")
    check(conn, warehouse)  # 15: above the safety stock, below the reorder point: nothing is said
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "10")
    check(conn, warehouse)
    check(conn, warehouse)
    assert [t for (t,) in conn.execute("select type from webhook_event order by id").fetchall()] == [
        "item.stop_recommending",
        "item.back_in_stock",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"target_level": "20"},
        {"safety_stock": "21"},
        {"reorder_point": "-1"},
        {"item_id": str(new_id())},
        {"version": 3},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    api: Api, conn: Conn, warehouse: Warehouse, changes: dict[str, Any]
) -> None:
    assert rule(api, warehouse, **changes).status_code in (404, 409, 422)
    assert conn.execute("select count(*) from reorder_rule").fetchone() == (0,)


def test_an_erp_purchase_becomes_a_delivery_notice_that_is_received(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    conn.execute(
        """insert into erp_purchase_line (erp_id, line_id, number, supplier_id, item_id, ordered, open_quantity, state, wanted_on)
           values ('7', '9', 'PO-7', %s, %s, 30, 24, 'confirmed', '2030-01-31')""",
        [warehouse.supplier_id, warehouse.items["TEA-250"]],
    )
    (line,) = api.get("/api/v1/purchase-orders").json()["items"]
    assert (line["asn_id"], line["asn_state"]) == (None, None)
    made = api.post("/api/v1/purchase-orders/PO-7/asn")
    assert made.status_code == 201, made.text
    (line,) = api.get("/api/v1/purchase-orders").json()["items"]
    assert (line["asn_id"], line["asn_state"]) == (made.json()["asn_id"], "expected")
    notice = api.get(f"/api/v1/asns/{made.json()['asn_id']}").json()
    assert (notice["source"], notice["source_ref"], notice["lines"][0]["quantity"]) == ("erp", "PO-7", "24")
    assert api.post("/api/v1/purchase-orders/PO-7/asn").json()["asn_id"] == made.json()["asn_id"]
    assert api.post("/api/v1/purchase-orders/PO-8/asn").status_code == 404
    conn.execute("update erp_purchase_line set open_quantity = 0")
    assert api.post("/api/v1/purchase-orders/PO-7/asn").status_code == 409


def test_a_notice_that_the_supplier_sent_is_shown_with_its_purchase_and_never_overwritten(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    conn.execute(
        """insert into erp_purchase_line (erp_id, line_id, number, supplier_id, item_id, ordered, open_quantity, state)
           select '7', n::text, 'PO-' || n, %s, %s, 30, 24, 'confirmed' from generate_series(7, 9) n""",
        [warehouse.supplier_id, warehouse.items["TEA-250"]],
    )
    sent = [
        api.post("/api/v1/asns", json={"number": number, "purchase_order": order, "lines": [{"sku": "TEA-250", "quantity": "5"}]})
        for number, order in (("DN-1", "PO-7"), ("PO-8", None))
    ]  # fmt: skip
    assert [s.status_code for s in sent] == [201, 201], [s.text for s in sent]
    lines = api.get("/api/v1/purchase-orders").json()["items"]
    assert [(line["number"], line["asn_id"], line["asn_source"]) for line in lines] == [
        ("PO-7", sent[0].json()["id"], "api"),
        ("PO-8", sent[1].json()["id"], "api"),
        ("PO-9", None, None),
    ]
    refused = api.post("/api/v1/purchase-orders/PO-8/asn")
    assert (refused.status_code, refused.json()["field"]) == (409, "number")
    assert api.get(f"/api/v1/asns/{sent[1].json()['id']}").json()["lines"][0]["quantity"] == "5"
    api.post(f"/api/v1/asns/{sent[1].json()['id']}/cancel")
    assert api.post("/api/v1/purchase-orders/PO-8/asn").status_code == 201
