"""Goods come back from a customer: graded, into quarantine or on sale, never more than was shipped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from backend import ledger, returns
from backend.catalog import lot_of
from backend.db import Conn
from backend.ids import new_id
from backend.integration.erp import outbox
from backend.integration.erp.connector import Posted
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


def packed(
    conn: Conn, w: Warehouse, order_id: UUID, serial: str | None = None, lot_id: UUID | None = None
) -> None:
    """A carton of an order that left, with one unit in it."""
    carton = new_id()
    conn.execute(
        "insert into license_plate (id, site_id, code, kind) values (%s, %s, %s, 'carton')",
        [carton, w.site_id, carton.hex],
    )
    conn.execute(
        """insert into carton (site_id, id, order_id, position, bench_id, state, tare_g, opened_at, opened_by, closed_at, closed_by)
           select %s, %s, %s, count(*) + 1, %s, 'shipped', 100, clock_timestamp(), 'user:w', clock_timestamp(), 'user:w'
           from carton where order_id = %s""",
        [w.site_id, carton, order_id, w.places["DOCK-1"], order_id],
    )
    conn.execute(
        """insert into carton_content (site_id, id, carton_id, line_id, item_id, serial, lot_id, quantity)
           select site_id, %s, %s, id, item_id, %s, %s, 1 from sales_order_line where order_id = %s""",
        [new_id(), carton, serial, lot_id, order_id],
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


def test_a_lot_that_did_not_leave_with_the_order_does_not_come_back_for_it(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order, before_cartons = (shipped_order(conn, warehouse, "MILK-1L", "2") for _ in range(2))
    for lot in ("L1", "L0"):
        lot_id = lot_of(conn, warehouse.items["MILK-1L"], lot, date(2060, 1, 1))
        packed(conn, warehouse, order, lot_id=lot_id)

    def milk(lot: str) -> list[dict[str, Any]]:
        return [
            {"code": f"(01){EACH['MILK-1L']}(17)600101(10){lot}", "reason": "too much", "grade": "opened"}
        ]

    refused = give_back(api, milk("L2"), order_id=str(order))
    assert (refused.status_code, refused.json()["field"]) == (409, "lines.0.lot")
    assert (refused.json()["expected"], refused.json()["seen"]) == (["L0", "L1"], "L2")
    assert "received without the order" in refused.json()["detail"]
    assert stock(conn, warehouse, "QUAR") == {}
    assert give_back(api, milk("L1"), order_id=str(order)).status_code == 201
    assert give_back(api, milk("L2")).status_code == 201
    assert give_back(api, milk("L2"), order_id=str(before_cartons)).status_code == 201
    assert stock(conn, warehouse, "QUAR") == {"MILK-1L": 3}


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
        (tea("1.5"), 422, "lines.0.quantity"),
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


# --- scan by scan -----------------------------------------------------------------------------------------


def add(api: Api, begun: Any, line: dict[str, Any]) -> Any:
    return api.post(f"/api/v1/returns/{begun.json()['id']}/lines", json=line)


def looked_at(api: Api, code: str, **more: Any) -> Any:
    return api.get("/api/v1/returnable", params={"code": code, **more})


def drill(serial: str, **more: Any) -> dict[str, Any]:
    return {"code": f"(01){EACH['DRILL-X']}(21){serial}", "reason": "hums", "grade": "opened", **more}


def came_back(api: Api, return_id: str) -> list[tuple[int, str, str, bool]]:
    lines = api.get(f"/api/v1/returns/{return_id}").json()["lines"]
    return [(x["line_no"], x["sku"], x["quantity"], x["taken_back"]) for x in lines]


def test_a_return_grows_scan_by_scan_and_each_scan_is_booked_at_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "30"))
    begun = give_back(api, [tea("2")], order_id=order)
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 2}
    key = {"Idempotency-Key": str(new_id())}
    case = {"code": CASE["TEA-250"], "reason": "box torn", "grade": "damaged"}
    for _ in range(2):
        more = api.post(f"/api/v1/returns/{begun.json()['id']}/lines", json=case, headers=key)
        assert more.status_code == 201, more.text
    assert more.json()["lines"][-1]["place"] == "QUAR"
    api.as_user(conn, "paul", ["worker"])
    assert add(api, begun, tea()).status_code == 201
    assert came_back(api, begun.json()["id"]) == [
        (1, "TEA-250", "2", False), (2, "TEA-250", "12", False), (3, "TEA-250", "1", False),
    ]  # fmt: skip
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 3}
    (task,) = api.get("/api/v1/putaway-tasks").json()["items"]
    assert task["quantity"] == "3"
    assert api.get("/api/v1/returns", params={"order_id": order}).json()["items"][0]["takes_lines"] is True
    assert ledger.verify(conn) == []


def test_a_later_line_meets_the_same_checks_as_the_first(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="S9")
    order = shipped_order(conn, warehouse, "TEA-250", "2")
    begun = give_back(api, [tea()], order_id=str(order))
    blind = give_back(api, [tea()])
    for to, line, status, field in (
        (begun, tea("2"), 409, "quantity"),
        (begun, drill("S1"), 409, "item_id"),
        (blind, drill("S9"), 409, "serial"),
        (blind, tea(code=EACH["MILK-1L"]), 422, "lot"),
        (blind, tea(code=EACH["MILK-1L"], lot="L1"), 422, "expires_on"),
        (blind, tea(code=EACH["DRILL-X"]), 422, "serial"),
        (blind, tea(code="A-01-1"), 422, "code"),
        (blind, tea(place_id=str(warehouse.places["C-01-1"])), 409, "place_id"),
    ):
        refused = add(api, to, line)
        assert (refused.status_code, refused.json().get("field")) == (status, field), refused.text
    assert came_back(api, begun.json()["id"]) == [(1, "TEA-250", "1", False)]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 2}


def test_a_return_takes_no_line_the_next_day(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    yesterday = replace(warehouse.ctx(), now=datetime.now(UTC) - timedelta(hours=13))
    line = returns.ReturnLine("not wanted", "as_new", item_id=warehouse.items["TEA-250"])
    with conn.transaction():
        begun = returns.receive_return(conn, yesterday, returns.NewReturn((line,)))
    refused = api.post(f"/api/v1/returns/{begun}/lines", json=tea())
    assert refused.status_code == 409
    assert "begin a new return" in refused.json()["detail"]
    assert api.get("/api/v1/returns").json()["items"][0]["takes_lines"] is False


def test_two_people_adding_to_one_return_stay_within_what_was_shipped(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "5"))
    begun = give_back(api, [tea("1")], order_id=order)
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda _: add(api, begun, tea("2")).status_code, range(4)))
    assert sorted(answers) == [201, 201, 409, 409]
    assert [line[0] for line in came_back(api, begun.json()["id"])] == [1, 2, 3]
    assert ledger.verify(conn) == []


def test_one_serial_scanned_by_two_people_comes_back_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    blind = [give_back(api, [tea()]) for _ in range(4)]
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda b: add(api, b, drill("S1")).status_code, blind))
    assert sorted(answers) == [201, 409, 409, 409]
    assert stock(conn, warehouse, "QUAR") == {"DRILL-X": 1}


def test_what_can_come_back_is_seen_before_anything_is_booked(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order = shipped_order(conn, warehouse, "DRILL-X", "2")
    packed(conn, warehouse, order, "S1")
    for code in ("S1", f"(01){EACH['DRILL-X']}(21)S1"):  # a serial that left needs no item code
        seen = looked_at(api, code).json()
        assert (seen["sku"], seen["serial"], seen["order_id"], seen["left"]) == (
            "DRILL-X", "S1", str(order), None,
        )  # fmt: skip
    assert looked_at(api, "S1", order_id=str(order)).json()["left"] == "2"
    assert looked_at(api, CASE["TEA-250"], quantity="2").json()["units"] == "24"
    asked = looked_at(api, EACH["DRILL-X"])
    assert (asked.status_code, asked.json()["ask"]) == (422, ["serial"])
    assert looked_at(api, EACH["MILK-1L"]).json()["ask"] == ["lot"]
    assert looked_at(api, EACH["MILK-1L"], lot="L1").json()["ask"] == ["expires_on"]
    conn.execute(
        "insert into lot (id, item_id, code, expires_on) values (%s, %s, 'L2', '2030-01-01')",
        [new_id(), warehouse.items["MILK-1L"]],
    )
    other_day = looked_at(api, EACH["MILK-1L"], lot="L2", expires_on="2030-01-02")
    assert (other_day.status_code, other_day.json()["field"]) == (409, "expires_on")
    wrong = looked_at(api, EACH["TEA-250"], order_id=str(order))
    assert (wrong.status_code, wrong.json()["expected"], wrong.json()["seen"]) == (
        409, [{"sku": "DRILL-X", "quantity": "2"}], "TEA-250",
    )  # fmt: skip
    finer = looked_at(api, EACH["TEA-250"], quantity="1.5")
    assert (finer.status_code, finer.json()["field"]) == (422, "quantity")
    unknown = looked_at(api, "S2")
    assert (unknown.status_code, unknown.json()["field"]) == (404, "code")
    assert conn.execute("select count(*) from movement").fetchone() == (0,)
    assert conn.execute("select code from lot").fetchall() == [("L2",)]


# --- taken back -------------------------------------------------------------------------------------------


def test_the_last_scan_is_taken_back_and_can_come_back_again(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "3"))
    begun = give_back(api, [tea()], order_id=order)
    add(api, begun, tea("2"))
    step = api.get("/api/v1/undo").json()["step"]
    assert step == {"kind": "return", "label": "2 x TEA-250"}
    assert api.post("/api/v1/undo").status_code == 200
    assert came_back(api, begun.json()["id"]) == [(1, "TEA-250", "1", False), (2, "TEA-250", "2", True)]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 1}
    (task,) = api.get("/api/v1/putaway-tasks").json()["items"]
    assert task["quantity"] == "1"
    assert add(api, begun, tea("2")).status_code == 201
    assert add(api, begun, tea("1")).status_code == 409
    assert ledger.verify(conn) == []


def test_a_serial_taken_back_is_with_the_customer_and_leaves_no_task(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    begun = give_back(api, [drill("S1", grade="as_new")])
    assert len(api.get("/api/v1/putaway-tasks").json()["items"]) == 1
    assert api.post("/api/v1/undo").status_code == 200
    assert stock(conn, warehouse, "DOCK-1") == {}
    assert api.get("/api/v1/putaway-tasks").json()["items"] == []
    assert add(api, begun, drill("S1")).status_code == 201
    assert ledger.verify(conn) == []


def test_a_lead_takes_any_line_back_and_it_counts_no_more(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "2"))
    api.as_user(conn, "wendy", ["worker"])
    begun = give_back(api, [tea("2", grade="opened")], order_id=order).json()
    address = f"/api/v1/returns/{begun['id']}/lines/{begun['lines'][0]['id']}/take-back"
    wrong = {"reason": "another customer's"}
    assert api.post(address, json=wrong).status_code == 403
    api.as_user(conn, "lena", ["lead"])
    assert (
        "page of the return"
        in api.post(f"/api/v1/movements/{begun['lines'][0]['movement_id']}/reverse", json=wrong).json()[
            "detail"
        ]
    )
    assert (
        api.post(f"/api/v1/returns/{begun['id']}/lines/{new_id()}/take-back", json=wrong).status_code == 404
    )
    assert api.post(address, json={"reason": ""}).status_code == 422
    assert api.post(address, json=wrong).json()["lines"][0]["taken_back"] is True
    assert api.post(address, json=wrong).status_code == 409
    assert stock(conn, warehouse, "QUAR") == {}
    api.as_user(conn, "wendy", ["worker"])
    assert give_back(api, [tea("2")], order_id=order).status_code == 201
    assert ledger.verify(conn) == []


def test_what_was_moved_on_is_not_taken_back(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    api.as_user(conn, "wendy", ["worker"])
    give_back(api, [tea(grade="opened")])
    api.as_user(conn, "paul", ["worker"])
    moved = api.post(
        "/api/v1/moves",
        json={"code": EACH["TEA-250"], "from_place": "QUAR", "to_place": "A-01-2", "quantity": "1", "reason": "moved"},
    )  # fmt: skip
    assert moved.status_code < 300, moved.text
    refused = api.as_user(conn, "wendy", ["worker"]).post("/api/v1/undo")
    assert refused.status_code == 409
    assert "no longer lie" in refused.json()["detail"]


def test_a_line_whose_putaway_is_done_is_not_taken_from_what_else_stands_there(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "DOCK-1", "5")
    api.as_user(conn, "wendy", ["worker"])
    give_back(api, [tea()])
    api.as_user(conn, "paul", ["worker"])
    (task,) = api.get("/api/v1/putaway-tasks").json()["items"]
    api.post(f"/api/v1/putaway-tasks/{task['id']}/confirm", json={"place": "A-01-1", "override": True})
    refused = api.as_user(conn, "wendy", ["worker"]).post("/api/v1/undo")
    assert refused.status_code == 409
    assert "put away already" in refused.json()["detail"]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 5}


def test_a_part_put_away_and_undone_is_a_task_of_what_stands_there(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    begun = give_back(api.as_user(conn, "wendy", ["worker"]), [tea("2")])
    add(api, begun, tea("3"))
    api.as_user(conn, "paul", ["worker"])
    (task,) = api.get("/api/v1/putaway-tasks").json()["items"]
    part = {"place": "A-01-1", "quantity": "2", "override": True}
    assert api.post(f"/api/v1/putaway-tasks/{task['id']}/confirm", json=part).status_code == 200
    assert api.as_user(conn, "wendy", ["worker"]).post("/api/v1/undo").status_code == 200
    assert api.get("/api/v1/putaway-tasks").json()["items"] == []
    assert api.as_user(conn, "paul", ["worker"]).post("/api/v1/undo").status_code == 200
    (task,) = api.get("/api/v1/putaway-tasks").json()["items"]
    assert (task["quantity"], stock(conn, warehouse, "DOCK-1")) == ("2", {"TEA-250": 2})
    assert ledger.verify(conn) == []


# --- to the ERP -------------------------------------------------------------------------------------------


def post_what_waits(conn: Conn) -> list[tuple[str, str | None, list[str]]]:
    """The documents that go out now: kind, partner, quantities."""
    sent = []
    while True:
        with conn.transaction():
            due = outbox.next_groups(conn, datetime.now(UTC) + timedelta(minutes=1))
        if not due:
            return sent
        for group in due:
            with conn.transaction():
                document = outbox.document(conn, group)
                sent.append(
                    (
                        str(document.kind),
                        document.partner,
                        [str(x.quantity.normalize()) for x in document.lines],
                    )
                )
                outbox.settle_posted(conn, group, Posted("1", "1"), datetime.now(UTC))


def test_lines_that_come_later_are_posted_too_and_each_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    order = str(shipped_order(conn, warehouse, "TEA-250", "9"))
    begun = give_back(api, [tea("1")], order_id=order)
    add(api, begun, tea("2"))
    assert post_what_waits(conn) == [("customer_return", "CUST-1", ["1", "2"])]
    add(api, begun, tea("3"))
    assert post_what_waits(conn) == [("customer_return", "CUST-1", ["3"])]
    api.post("/api/v1/undo")
    assert post_what_waits(conn) == [("shipment", "CUST-1", ["3"])]
    add(api, begun, tea("4"))
    assert post_what_waits(conn) == [("customer_return", "CUST-1", ["4"])]
    assert post_what_waits(conn) == []
