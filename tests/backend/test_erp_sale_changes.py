"""A sale of the ERP that is here already and is changed or cancelled there: followed where it can be, said where not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.db import Conn
from backend.integration.erp.connector import Order, OrderLine
from backend.integration.erp.orders import _take_sale
from tests.backend.orders.flow import let_jobs_run
from tests.conftest import Api, Warehouse, put_stock

NOW = datetime.now(UTC)
SALE = Order("77", "S-77", "", "CUST-1", "A customer", "confirmed", "EUR", NOW.date(), NOW.date(), NOW,
             (OrderLine("1", "TEA-250", Decimal(4), Decimal(4)), OrderLine("2", "CABLE", Decimal(2), Decimal(2))))  # fmt: skip


@pytest.fixture
def sale(api: Api, conn: Conn, warehouse: Warehouse) -> Order:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "20")
    take(conn, SALE)
    let_jobs_run(conn)
    return SALE


def take(conn: Conn, order: Order) -> None:
    with conn.transaction():
        _take_sale(conn, order, NOW + timedelta(seconds=1))


def ours(api: Api) -> Any:
    (found,) = api.get("/api/v1/sales-orders").json()["items"]
    return found


def alerts(api: Api) -> list[str]:
    found = api.get("/api/v1/alerts").json()["items"]
    return [a["message"] for a in found if a["kind"] == "erp_sale_changed" and a["state"] != "closed"]


def test_the_same_sale_again_says_nothing(api: Api, conn: Conn, sale: Order) -> None:
    take(conn, replace(sale, changed_at=NOW + timedelta(minutes=1)))
    shipped = (replace(sale.lines[0], open_quantity=Decimal(1)), sale.lines[1])
    take(conn, replace(sale, lines=shipped))
    assert (alerts(api), ours(api)["state"]) == ([], ours(api)["state"])


def test_a_sale_cancelled_in_the_erp_is_cancelled_here(api: Api, conn: Conn, sale: Order) -> None:
    take(conn, replace(sale, state="cancelled"))
    assert ours(api)["state"] == "cancelled"
    assert alerts(api) == []


def test_a_quantity_changed_in_the_erp_is_said_until_somebody_followed_it(
    api: Api, conn: Conn, sale: Order
) -> None:
    more = replace(sale, lines=(OrderLine("1", "TEA-250", Decimal(7), Decimal(7)), sale.lines[1]))
    take(conn, more)
    (words,) = alerts(api)
    assert "S-77" in words
    assert "TEA-250: 4 became 7" in words
    order = api.get(f"/api/v1/sales-orders/{ours(api)['id']}").json()
    line = next(x for x in order["lines"] if x["sku"] == "TEA-250")
    changed = api.patch(
        f"/api/v1/sales-orders/{order['id']}/lines/{line['id']}",
        json={"quantity": "7", "version": line["version"]},
    )
    assert changed.status_code == 200, changed.text
    take(conn, more)
    assert alerts(api) == []


def test_a_line_taken_off_or_added_in_the_erp_is_said(api: Api, conn: Conn, sale: Order) -> None:
    take(conn, replace(sale, lines=(sale.lines[0], OrderLine("3", "MILK-1L", Decimal(1), Decimal(1)))))
    (words,) = alerts(api)
    assert "CABLE: was taken off" in words
    assert "MILK-1L: 0 became 1" in words


def test_a_cancellation_that_comes_too_late_is_said_and_counted(
    api: Api, conn: Conn, warehouse: Warehouse, sale: Order
) -> None:
    conn.execute("update sales_order_line set shipped = 1 where item_id = %s", [warehouse.items["TEA-250"]])
    take(conn, replace(sale, state="cancelled"))
    (words,) = alerts(api)
    assert "cancelled there, but here it cannot be" in words
    assert api.get("/api/v1/erp/status").json()["orders_not_taken"] == 1
    (alert,) = api.get("/api/v1/alerts").json()["items"]
    assert api.post(f"/api/v1/alerts/{alert['id']}/acknowledge").status_code == 200
    assert alerts(api) == []
