"""Orders are taken once, promised from stock once, and given back whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from backend import ledger, orders
from backend.db import Conn, connect
from backend.errors import ChangedMeanwhile, Invalid, Unknown
from backend.ids import new_id
from backend.ledger import Move, Spot
from backend.orders import NewLine, OrderDiffers
from tests.backend.orders.flow import accept, again, let_jobs_run, new_order, on_hand, reserved, stages
from tests.conftest import Api, Warehouse, build_warehouse, put_stock


def test_an_order_gets_what_is_there_and_the_rest_waits(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "8")
    o = accept(conn, warehouse, ("TEA-250", "10"))
    assert stages(o) == {"allocated": 8, "waiting": 2}
    assert o.state == "allocated"
    assert ledger.verify(conn) == []


def test_first_expired_goes_out_first_and_what_has_expired_stays(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="LATE", expires_on="2099-02-01")
    put_stock(conn, warehouse, "MILK-1L", "C-01-2", "5", lot="SOON", expires_on="2099-01-01")
    put_stock(conn, warehouse, "MILK-1L", "C-01-2", "5", lot="OVER", expires_on="2020-01-01")
    o = accept(conn, warehouse, ("MILK-1L", "7"))
    rows = conn.execute(
        "select l.code, r.quantity from reservation r join lot l on l.id = r.lot_id where r.demand_id = %s order by 1",
        [o.lines[0].id],
    ).fetchall()
    assert rows == [("LATE", 2), ("SOON", 5)]
    more = accept(conn, warehouse, ("MILK-1L", "9"))
    assert stages(more) == {"allocated": 3, "waiting": 6}


def test_the_same_order_twice_is_one_order(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    new = new_order(warehouse, ("TEA-250", "4"), number="CRM-7", source="crm")
    with conn.transaction():
        first = orders.accept(conn, warehouse.ctx(), new)
    with conn.transaction():
        assert orders.accept(conn, warehouse.ctx(), new).id == first.id
    assert reserved(conn, warehouse, "TEA-250") == 4
    with pytest.raises(OrderDiffers, match=first.number), conn.transaction():
        orders.accept(
            conn, warehouse.ctx(), replace(new, lines=[NewLine(warehouse.items["TEA-250"], Decimal(5))])
        )


def test_an_order_of_a_crm_asks_the_erp_for_a_sale_once_and_one_of_the_erp_does_not(
    conn: Conn, warehouse: Warehouse
) -> None:
    new = new_order(warehouse, ("TEA-250", "1"), number="CRM-8", source="crm")
    for _ in range(2):
        with conn.transaction():
            o = orders.accept(conn, warehouse.ctx(), new)
    accept(conn, warehouse, ("TEA-250", "1"), source="erp")
    jobs = conn.execute(
        "select args ->> 'order_id' from procrastinate_jobs where task_name = 'erp_create_sale'"
    ).fetchall()
    assert jobs == [(str(o.id),)]
    with conn.transaction():
        orders.set_erp_reference(conn, warehouse.ctx(), o.id, "17", "SO17")
    assert again(conn, warehouse, o).erp_number == "SO17"
    assert orders.find_by_number(conn, warehouse.site_id, "SO17") == o.id
    assert orders.find_by_number(conn, warehouse.site_id, o.number.lower()) == o.id


def test_ten_orders_for_five_pieces_get_five(database_url: str, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "3")
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "2")
    got: list[int] = []
    failures: list[BaseException] = []

    def take() -> None:
        try:
            with connect(database_url) as c, c.transaction():
                o = orders.accept(c, warehouse.ctx(), new_order(warehouse, ("TEA-250", "1")))
                got.append(stages(o).get("allocated", 0))
        except Exception as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=take) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert sorted(got) == [0] * 5 + [1] * 5
    assert reserved(conn, warehouse, "TEA-250") == 5
    assert ledger.verify(conn) == []


def test_stock_that_arrives_goes_to_the_urgent_order_first(conn: Conn, warehouse: Warehouse) -> None:
    late = accept(conn, warehouse, ("TEA-250", "4"), due_h=5)
    soon = accept(conn, warehouse, ("TEA-250", "4"), due_h=1)
    urgent = accept(conn, warehouse, ("TEA-250", "4"), due_h=9, priority=1)
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "6")
    with conn.transaction():
        touched = orders.allocate_waiting(conn, warehouse.ctx(), [warehouse.items["TEA-250"]])
    assert touched == [urgent.id, soon.id, late.id]
    assert [stages(again(conn, warehouse, o)) for o in (urgent, soon, late)] == [
        {"allocated": 4},
        {"allocated": 2, "waiting": 2},
        {"waiting": 4},
    ]
    assert ledger.verify(conn) == []


def test_a_promise_that_reality_breaks_is_made_again_from_other_stock(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    put_stock(conn, warehouse, "TEA-250", "A-02-1", "3")
    o = accept(conn, warehouse, ("TEA-250", "5"))
    with conn.transaction():
        ctx = warehouse.ctx()
        away = Spot(ledger.virtual_place(conn, warehouse.site_id, "adjustment"))
        seen = ledger.post_observed(
            conn,
            ctx,
            Move(
                warehouse.items["TEA-250"],
                Decimal(5),
                Spot(warehouse.places["A-01-1"]),
                away,
                "gone",
                "adjustment",
            ),
        )
        assert orders.reallocate(conn, ctx, seen.broken) == [o.id]
    assert stages(again(conn, warehouse, o)) == {"allocated": 3, "waiting": 2}
    assert ledger.verify(conn) == []


def test_a_blocked_bin_is_not_promised_until_it_is_counted(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    place, item = warehouse.places["A-01-1"], warehouse.items["TEA-250"]
    with conn.transaction():
        orders.block_bin(conn, warehouse.ctx(), place, item, "short pick")
    o = accept(conn, warehouse, ("TEA-250", "2"))
    assert stages(o) == {"waiting": 2}
    assert orders.availability(conn, warehouse.site_id, item).promiseable == 0
    with conn.transaction():
        orders.unblock_bin(conn, warehouse.ctx(), place, item)
    let_jobs_run(conn)
    assert stages(again(conn, warehouse, o)) == {"allocated": 2}


def test_cancelling_gives_the_promise_to_who_waits(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    first = accept(conn, warehouse, ("TEA-250", "5"))
    second = accept(conn, warehouse, ("TEA-250", "3"))
    for _ in range(2):  # cancelling twice is cancelling once
        with conn.transaction():
            assert orders.cancel(conn, warehouse.ctx(), first.id, "customer called").state == "cancelled"
    let_jobs_run(conn)
    assert stages(again(conn, warehouse, second)) == {"allocated": 3}
    assert reserved(conn, warehouse, "TEA-250") == 3
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 5
    assert ledger.verify(conn) == []


def test_two_people_changing_a_line_at_once_the_second_is_shown_the_present(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "9")
    o = accept(conn, warehouse, ("TEA-250", "5"))
    line = o.lines[0]
    with conn.transaction():
        changed = orders.change_line(conn, warehouse.ctx(), o.id, line.id, Decimal(8), line.version)
    assert stages(changed) == {"allocated": 8}
    with pytest.raises(ChangedMeanwhile) as refusal, conn.transaction():
        orders.change_line(conn, warehouse.ctx(), o.id, line.id, Decimal(1), line.version)
    assert refusal.value.more["present"]["quantity"] == "8"
    with conn.transaction():
        less = orders.change_line(conn, warehouse.ctx(), o.id, line.id, Decimal(2), 2)
    assert stages(less) == {"allocated": 2}
    assert reserved(conn, warehouse, "TEA-250") == 2
    with conn.transaction():
        assert orders.change_line(conn, warehouse.ctx(), o.id, line.id, Decimal(0), 3).state == "cancelled"
    assert ledger.verify(conn) == []


@pytest.mark.parametrize(
    ("line", "field"),
    [(("TEA-250", "0"), "lines.0.quantity"), (("TEA-250", "-1"), "lines.0.quantity"), (("TEA-250", "NaN"), "lines.0.quantity"),
     (("TEA-250", "0.5"), "lines.0.quantity"), (("TEA-250", "1e12"), "lines.0.quantity")],
)  # fmt: skip
def test_a_quantity_that_cannot_be_is_refused_at_the_line(
    conn: Conn, warehouse: Warehouse, line: tuple[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        accept(conn, warehouse, line)
    assert refusal.value.field == field


def test_a_supplier_is_no_customer_and_an_unknown_item_is_named(conn: Conn, warehouse: Warehouse) -> None:
    good = new_order(warehouse, ("TEA-250", "1"))
    with pytest.raises(Unknown) as refusal, conn.transaction():
        orders.accept(conn, warehouse.ctx(), replace(good, customer_id=warehouse.supplier_id))
    assert refusal.value.field == "customer_id"
    with pytest.raises(Unknown) as refusal, conn.transaction():
        orders.accept(
            conn, warehouse.ctx(), replace(good, lines=[*good.lines, NewLine(new_id(), Decimal(1))])
        )
    assert refusal.value.field == "lines.1.item_id"


# --- over HTTP --------------------------------------------------------------------------------------------

BODY = {
    "external_number": "CRM-1",
    "source": "crm",
    "customer_code": "CUST-1",
    "lines": [{"sku": "TEA-250", "quantity": "3"}],
}


def test_an_order_over_http_counts_packs_in_base_units(conn: Conn, warehouse: Warehouse, api: Api) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "40")
    answer = api.post(
        "/api/v1/sales-orders",
        json=BODY
        | {
            "lines": [
                {"gtin": "16412345000019", "quantity": "2"},
                {"sku": "tea-250", "pack": "case", "quantity": "1"},
            ]
        },
    )
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert [line["quantity"] for line in body["lines"]] == ["24", "12"]
    assert body["state"] == "allocated"
    assert not body["backordered"]
    assert api.get(f"/api/v1/sales-orders/{body['id']}").json() == body
    listed = api.get("/api/v1/sales-orders", params={"q": "CRM-1", "state": "allocated"}).json()
    assert [o["id"] for o in listed["items"]] == [body["id"]]
    left = api.get("/api/v1/availability", params={"item_id": str(warehouse.items["TEA-250"])}).json()
    assert (left["on_hand"], left["reserved"], left["promiseable"], left["waiting"]) == ("40", "36", "4", "0")


def test_a_list_of_orders_pages_without_losing_or_doubling(
    conn: Conn, warehouse: Warehouse, api: Api
) -> None:
    made = [accept(conn, warehouse, ("TEA-250", "1")) for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get(
            "/api/v1/sales-orders", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [o["id"] for o in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [str(o.id) for o in reversed(made)]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [({"lines": []}, 422, "lines"), ({"lines": [{"sku": "NOPE", "quantity": "1"}]}, 422, "lines.0.sku"),
     ({"lines": [{"quantity": "1"}]}, 422, "lines.0"), ({"lines": [{"sku": "TEA-250", "quantity": "0"}]}, 422, "lines.0.quantity"),
     ({"lines": [{"sku": "TEA-250", "quantity": "NaN"}]}, 422, "lines.0.quantity"),
     ({"lines": [{"sku": "TEA-250", "quantity": "1", "pack": "barrel"}]}, 422, "lines.0.pack"),
     ({"customer_code": "NOBODY"}, 422, "customer_code"), ({"due_at": "2027-01-01T10:00:00"}, 422, "due_at")],
)  # fmt: skip
def test_a_wrong_order_is_refused_with_the_field_and_leaves_nothing(
    conn: Conn, warehouse: Warehouse, api: Api, change: dict[str, object], status: int, field: str
) -> None:
    answer = api.post("/api/v1/sales-orders", json=BODY | change)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert conn.execute("select count(*) from sales_order").fetchone() == (0,)


def test_a_worker_takes_no_orders_and_another_site_sees_none(
    conn: Conn, warehouse: Warehouse, api: Api
) -> None:
    o = accept(conn, warehouse, ("TEA-250", "1"))
    other = build_warehouse(conn, "TRE1")
    api.as_user(conn, "wendy", ["worker"], warehouse.site_id)
    assert api.post("/api/v1/sales-orders", json=BODY).status_code == 403
    api.as_user(conn, "lee", ["lead"], other.site_id)
    assert api.get(f"/api/v1/sales-orders/{o.id}").status_code == 404
    assert api.post(f"/api/v1/sales-orders/{o.id}/cancel", json={"reason": "mine"}).status_code == 404
    assert api.get("/api/v1/sales-orders").json()["items"] == []


def test_two_leads_change_one_line_over_http(conn: Conn, warehouse: Warehouse, api: Api) -> None:
    o = accept(conn, warehouse, ("TEA-250", "5"))
    url = f"/api/v1/sales-orders/{o.id}/lines/{o.lines[0].id}"
    assert api.patch(url, json={"version": 1, "quantity": "4"}).status_code == 200
    second = api.patch(url, json={"version": 1, "quantity": "6"})
    assert second.status_code == 409
    assert second.json()["present"]["quantity"] == "4"
    assert api.patch(url, json={"version": 2, "quantity": "-1"}).status_code == 422


def test_an_order_is_found_by_any_of_its_numbers_at_its_own_site(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    other = build_warehouse(conn, "TRE1")
    o = accept(conn, warehouse, ("TEA-250", "1"), number="WEB-77")
    for q in (o.number.lower(), "web-77"):
        for site, found in ((warehouse, [str(o.id)]), (other, [])):
            hits = api.get("/api/v1/search", params={"q": q, "site_id": str(site.site_id)}).json()["items"]
            assert [h["id"] for h in hits if h["kind"] == "sales_order"] == found
