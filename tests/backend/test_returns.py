"""Goods come back from a customer: graded, into quarantine or on sale, never more than was shipped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from backend import ledger
from backend.db import Conn
from backend.ids import new_id
from tests.backend.receiving_goods import CASE, EACH, stock
from tests.conftest import Api, Warehouse, put_stock


def give_back(api: Api, lines: list[dict[str, Any]], **more: Any) -> Any:
    return api.post("/api/v1/returns", json={"lines": lines, **more})


def tea(quantity: str = "1", **more: Any) -> dict[str, Any]:
    return {"code": EACH["TEA-250"], "quantity": quantity, "reason": "not wanted", "grade": "as_new", **more}


def shipped_order(conn: Conn, w: Warehouse, sku: str, quantity: str) -> UUID:
    """An order that left already, as shipping leaves it behind."""
    order_id, line_id = new_id(), new_id()
    conn.execute(
        """insert into sales_order (site_id, id, number, source, external_number, customer_id, state, due_at, received_at, shipped_at)
           values (%s, %s, %s, 'api', %s, %s, 'shipped', now(), now(), now())""",
        [w.site_id, order_id, f"SO-{order_id.hex[-6:].upper()}", order_id.hex, w.customer_id],
    )
    conn.execute(
        "insert into sales_order_line (site_id, id, order_id, position, item_id, quantity, shipped) values (%s, %s, %s, 1, %s, %s, %s)",
        [w.site_id, line_id, order_id, w.items[sku], Decimal(quantity), Decimal(quantity)],
    )
    return order_id


def test_as_new_is_available_again_and_the_rest_waits_in_quarantine(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    answer = give_back(
        api,
        [
            tea("2"),
            {"code": CASE["TEA-250"], "reason": "box torn", "grade": "damaged"},
            {
                "code": f"(01){EACH['DRILL-X']}(21)S1",
                "reason": "does not turn",
                "grade": "unusable",
                "status": "damaged",
            },
        ],
        customer_id=str(warehouse.customer_id),
    )
    assert answer.status_code == 201, answer.text
    assert [(x["sku"], x["quantity"], x["status"], x["place"]) for x in answer.json()["lines"]] == [
        ("TEA-250", "2", "available", "DOCK-1"), ("TEA-250", "12", "quarantine", "QUAR"), ("DRILL-X", "1", "damaged", "QUAR"),
    ]  # fmt: skip
    assert stock(conn, warehouse, "QUAR") == {"TEA-250": 12, "DRILL-X": 1}
    tasks = api.get("/api/v1/putaway-tasks").json()["items"]
    assert [(t["what"], t["quantity"], t["cause_kind"]) for t in tasks] == [
        ("TEA-250 Green tea 250 g", "2", "return")
    ]
    moved = conn.execute("select distinct cause_kind, erp_from from movement").fetchall()
    assert moved == [("return", "CUSTOMER")]
    assert ledger.verify(conn) == []


def test_nobody_gives_back_more_than_was_shipped(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "5"))
    assert give_back(api, [tea("3")], order_id=order).status_code == 201
    refused = give_back(api, [tea("1"), tea("2")], order_id=order)
    assert (refused.status_code, refused.json()["field"]) == (409, "lines.1.quantity")
    assert "1 of SO-" in refused.json()["detail"]
    other = give_back(
        api, [{"code": f"(01){EACH['DRILL-X']}(21)S1", "reason": "x", "grade": "opened"}], order_id=order
    )
    assert (other.status_code, other.json()["field"]) == (409, "lines.0.item_id")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 3}


def test_two_people_returning_the_same_order_stay_within_what_was_shipped(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "5"))
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda _: give_back(api, [tea("2")], order_id=order).status_code, range(4)))
    assert sorted(answers) == [201, 201, 409, 409]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 4}


def test_a_serial_that_is_in_stock_cannot_come_back(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="S1")
    refused = give_back(
        api,
        [
            tea(),
            {"item_id": str(warehouse.items["DRILL-X"]), "serial": "S1", "reason": "x", "grade": "as_new"},
        ],
    )
    assert (refused.status_code, refused.json()["field"]) == (409, "lines.1.serial")
    assert stock(conn, warehouse, "DOCK-1") == {}


def packed(conn: Conn, w: Warehouse, order_id: UUID, serial: str) -> None:
    """A carton of an order that left, with one serial in it."""
    carton = new_id()
    conn.execute(
        "insert into license_plate (id, site_id, code, kind) values (%s, %s, %s, 'carton')",
        [carton, w.site_id, carton.hex],
    )
    conn.execute(
        """insert into carton (site_id, id, order_id, position, bench_id, state, tare_g, opened_at, opened_by, closed_at, closed_by)
           values (%s, %s, %s, 1, %s, 'shipped', 100, clock_timestamp(), 'user:w', clock_timestamp(), 'user:w')""",
        [w.site_id, carton, order_id, w.places["DOCK-1"]],
    )
    conn.execute(
        """insert into carton_content (site_id, id, carton_id, line_id, item_id, serial, quantity)
           select site_id, %s, %s, id, item_id, %s, 1 from sales_order_line where order_id = %s""",
        [new_id(), carton, serial, order_id],
    )


def test_a_serial_comes_back_for_the_order_it_left_with_last(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    first, second = (shipped_order(conn, warehouse, "DRILL-X", "1") for _ in range(2))
    packed(conn, warehouse, first, "S1")
    packed(conn, warehouse, second, "S1")  # it had come back in between
    drill = [{"code": f"(01){EACH['DRILL-X']}(21)S1", "reason": "hums", "grade": "opened"}]
    refused = give_back(api, drill, order_id=str(first))
    assert (refused.status_code, refused.json()["field"]) == (409, "lines.0.serial")
    assert refused.json()["order_id"] == str(second)
    assert "receive it for that order" in refused.json()["detail"]
    assert stock(conn, warehouse, "QUAR") == {}
    assert give_back(api, drill, order_id=str(second)).status_code == 201
    assert stock(conn, warehouse, "QUAR") == {"DRILL-X": 1}


def test_the_same_key_twice_is_one_return(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    key = {"Idempotency-Key": str(new_id())}
    for _ in range(2):
        assert api.post("/api/v1/returns", json={"lines": [tea()]}, headers=key).status_code == 201
    assert len(api.get("/api/v1/returns").json()["items"]) == 1


@pytest.mark.parametrize(
    ("line", "status", "field"),
    [
        ({"reason": "x", "grade": "as_new"}, 422, "lines.0.item_id"),
        (tea("0"), 422, "lines.0.quantity"),
        (tea("1.5"), 422, "quantity"),
        (tea(grade="mint"), 422, "lines.0.grade"),
        (tea(reason=""), 422, "lines.0.reason"),
        (tea(code="A-01-1"), 422, "lines.0.code"),
        (tea(code=EACH["MILK-1L"]), 422, "lines.0.lot"),
        (tea(code=EACH["DRILL-X"]), 422, "lines.0.serial"),
        (tea(place_id=str(UUID(int=1))), 422, "lines.0.place_id"),
    ],
)
def test_a_bad_line_says_which_field_and_nothing_is_booked(
    api: Api, conn: Conn, warehouse: Warehouse, line: dict[str, Any], status: int, field: str
) -> None:
    refused = give_back(api, [line])
    assert (refused.status_code, refused.json().get("field")) == (status, field), refused.text
    assert conn.execute("select count(*) from movement").fetchone() == (0,)


def test_a_forbidden_bin_is_refused_with_its_reason(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    refused = give_back(api, [tea(place_id=str(warehouse.places["C-01-1"]))])
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "TEA-250 needs ambient; C-01-1 is chilled.",
    )
