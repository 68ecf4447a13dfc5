"""A person receives with a scanner: what counts, what is asked, what is refused and in which words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from backend import ledger, receiving
from backend.context import system_context
from backend.db import Conn
from backend.ids import new_id
from tests.backend.receiving_goods import CASE, EACH, pallet_asn, passed, plate_tag, sscc, stock, unit_tag
from tests.conftest import Api, Warehouse, build_warehouse

Json = dict[str, Any]


def new_asn(api: Api, w: Warehouse, lines: list[Json], number: str = "PO-7", **more: Any) -> Json:
    answer = api.post(
        "/api/v1/asns", json={"number": number, "supplier_id": str(w.supplier_id), "lines": lines, **more}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def open_receipt(api: Api, **body: Any) -> str:
    answer = api.post("/api/v1/receipts", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def receipt_at_door(api: Api, w: Warehouse, **body: Any) -> str:
    return open_receipt(api, dock_door_id=str(w.places["DOCK-1"]), **body)


def scan(api: Api, receipt: str, code: str, **more: Any) -> Any:
    return api.post(f"/api/v1/receipts/{receipt}/scans", json={"code": code, **more})


def test_an_item_counts_one_a_case_its_pack_and_a_quantity_multiplies(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    asn = new_asn(api, warehouse, [{"sku": "TEA-250", "quantity": "50"}])
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    assert scan(api, receipt, EACH["TEA-250"]).json()["units"] == "1"
    assert scan(api, receipt, EACH["TEA-250"]).json()["units"] == "1"
    done = scan(api, receipt, CASE["TEA-250"], quantity="2").json()
    assert (done["units"], done["receipt"]["lines"][0]["received"], done["receipt"]["short"]) == (
        "24",
        "26",
        "24",
    )
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 26}


def test_one_scan_of_the_sscc_receives_all_of_its_contents_and_a_second_is_refused(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    receipt = receipt_at_door(api, warehouse, asn_number="ASN-1")
    done = scan(api, receipt, f"(00){sscc(1)}")
    assert (done.status_code, done.json()["outcome"], done.json()["units"]) == (201, "plate_counted", "34")
    again = scan(api, receipt, f"(00){sscc(1)}")
    assert again.status_code == 409
    assert again.json()["detail"] == f"{sscc(1)} was received already in R-000001 by admin."
    assert scan(api, receipt, sscc(2)).status_code == 409  # its case came with it
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}
    assert ledger.verify(conn) == []


def test_what_the_portal_counted_the_handheld_does_not_count_again(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), unit_tag("DRILL-X", 101)])
    receipt = receipt_at_door(api, warehouse, asn_number="ASN-1")
    for code in (sscc(1), unit_tag("DRILL-X", 101), f"(01){EACH['DRILL-X']}(21)101"):
        refused = scan(api, receipt, code)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/already-counted"), (
            refused.text
        )
    assert scan(api, receipt, f"(01){EACH['DRILL-X']}(21)102").status_code == 201
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [unit_tag("DRILL-X", 102)])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 2}


def test_lot_and_expiry_come_out_of_the_code(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    asn = new_asn(api, warehouse, [{"sku": "MILK-1L", "quantity": "20"}])
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    done = scan(api, receipt, f"(01){CASE['MILK-1L']}(17)270630(10)L9")
    assert (done.status_code, done.json()["lot"], done.json()["units"]) == (201, "L9", "10")
    other = scan(api, receipt, f"(01){CASE['MILK-1L']}(17)280101(10)L9")
    assert (other.status_code, other.json()["field"]) == (409, "expires_on")


def test_a_lot_is_asked_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    asn = new_asn(api, warehouse, [{"sku": "MILK-1L", "quantity": "20"}])
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    asked = scan(api, receipt, EACH["MILK-1L"])
    assert (asked.status_code, asked.json()["ask"]) == (422, ["lot", "expires_on"])
    asked = scan(api, receipt, EACH["MILK-1L"], lot="L5")
    assert (asked.status_code, asked.json()["ask"]) == (422, ["expires_on"])
    assert scan(api, receipt, EACH["MILK-1L"], lot="L5", expires_on="2027-01-31").status_code == 201
    done = scan(api, receipt, EACH["MILK-1L"])
    assert (done.status_code, done.json()["lot"]) == (201, "L5")
    assert scan(api, receipt, f"(01){EACH['MILK-1L']}(10)L5", lot="L6").json()["field"] == "lot"


def test_a_serial_is_asked_and_refused_twice_and_countable_items_are_not(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    asn = new_asn(api, warehouse, [{"sku": "DRILL-X", "quantity": "3"}, {"sku": "TEA-250", "quantity": "3"}])
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    assert scan(api, receipt, EACH["DRILL-X"]).json()["ask"] == ["serial"]
    assert scan(api, receipt, EACH["DRILL-X"], serial="S1").status_code == 201
    assert scan(api, receipt, EACH["DRILL-X"], serial="S1").status_code == 409
    assert scan(api, receipt, EACH["DRILL-X"], serial="S2", quantity="2").json()["field"] == "quantity"
    for _ in range(3):
        assert scan(api, receipt, EACH["TEA-250"]).status_code == 201


def test_more_than_expected_asks_for_a_reason_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    asn = new_asn(api, warehouse, [{"sku": "TEA-250", "quantity": "12"}])
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    scan(api, receipt, CASE["TEA-250"])
    over = scan(api, receipt, CASE["TEA-250"])
    assert (over.status_code, over.json()["override_possible"]) == (409, True)
    assert "12 each of TEA-250 are expected, this makes 24" in over.json()["detail"]
    done = scan(api, receipt, CASE["TEA-250"], reason="bonus case")
    assert (done.status_code, done.json()["receipt"]["lines"][0]["over"]) == (201, "12")


def test_a_wrong_code_says_what_was_expected_and_seen(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    asn = new_asn(api, warehouse, [{"sku": "TEA-250", "quantity": "12"}])
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    for code, status in (
        (EACH["DRILL-X"], 409),
        ("A-01-1", 409),
        ("nonsense", 404),
        ("04006381333931", 404),
        ("(01)123", 404),
    ):
        wrong = scan(api, receipt, code, serial="S1")
        assert wrong.status_code == status, wrong.text
        assert "12 TEA-250" in wrong.json()["detail"]
        assert wrong.json()["expected"] == [{"sku": "TEA-250", "quantity": "12"}]
    assert stock(conn, warehouse, "DOCK-1") == {}


def test_damaged_goods_need_a_reason_and_are_kept_apart(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    receipt = receipt_at_door(api, warehouse)
    assert scan(api, receipt, EACH["TEA-250"], status="damaged").json()["ask"] == ["reason"]
    done = scan(api, receipt, EACH["TEA-250"], status="damaged", reason="torn", quantity="2").json()
    assert done["receipt"]["damaged"] == "2"
    rows = ledger.rows_at(conn, warehouse.site_id, warehouse.places["DOCK-1"])
    assert [(r.status, r.on_hand) for r in rows] == [("damaged", 2)]


def test_an_sscc_nobody_announced_opens_a_plate_that_is_filled(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    receipt = receipt_at_door(api, warehouse)
    opened = scan(api, receipt, f"(00){sscc(40)}")
    assert (opened.status_code, opened.json()["outcome"]) == (201, "plate_opened")
    assert (
        scan(api, receipt, CASE["TEA-250"], onto=sscc(40)).json()["license_plate_id"]
        == opened.json()["license_plate_id"]
    )
    plate = api.get(f"/api/v1/license-plates/{sscc(40)}").json()
    assert [(c["sku"], c["quantity"]) for c in plate["contents"]] == [("TEA-250", "12")]


def test_closing_makes_short_final_and_a_difference_without_a_reason_a_discrepancy(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    asn = new_asn(
        api, warehouse, [{"sku": "TEA-250", "quantity": "12"}, {"sku": "CABLE", "quantity": "5.25"}]
    )
    receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
    first = scan(api, receipt, EACH["TEA-250"]).json()["receipt"]
    lines = {line["sku"]: line["id"] for line in first["lines"]}
    closed = api.post(
        f"/api/v1/receipts/{receipt}/close",
        json={"short_reasons": [{"line_id": lines["CABLE"], "reason": "supplier is out of it"}]},
    ).json()
    assert (closed["state"], {line["sku"]: line["short"] for line in closed["lines"]}) == (
        "closed",
        {"TEA-250": "11", "CABLE": "5.25"},
    )
    assert conn.execute("select kind, expected, observed from discrepancy").fetchall() == [
        ("receipt_short", 12, 1)
    ]
    assert api.post(f"/api/v1/receipts/{receipt}/close", json={}).status_code == 409
    assert scan(api, receipt, EACH["TEA-250"]).status_code == 409
    assert api.get(f"/api/v1/asns/{asn['id']}").json()["state"] == "received"
    # the rest comes a day later: a second receipt expects only that
    late = receipt_at_door(api, warehouse, asn_id=asn["id"])
    assert api.get(f"/api/v1/receipts/{late}").json()["expected"] == "16.25"


def test_a_silent_portal_receipt_closes_by_itself(conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse, "ASN-1", first=1)
    pallet_asn(conn, warehouse, "ASN-2", first=11)
    door = warehouse.places["DOCK-1"]
    passed(conn, warehouse.ctx(), door, [plate_tag(1), unit_tag("DRILL-X", 101), unit_tag("DRILL-X", 102)])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-2"], [plate_tag(11)])
    now = warehouse.ctx().now
    ctx = system_context("job:test", warehouse.site_id)

    def closed_after(wait: Any) -> set[str]:
        with conn.transaction():
            receiving.close_silent(conn, ctx, now + wait)
        return {
            r[0]
            for r in conn.execute(
                "select a.number from receipt r join asn a on a.id = r.asn_id where r.state = 'closed'"
            ).fetchall()
        }

    assert closed_after(receiving.close.COMPLETE_SILENCE * 0.5) == set()
    assert closed_after(receiving.close.COMPLETE_SILENCE * 2) == {"ASN-1"}
    assert closed_after(receiving.close.SHORT_SILENCE * 2) == {"ASN-1", "ASN-2"}
    assert conn.execute("select kind, expected, observed from discrepancy").fetchall() == [
        ("receipt_short", 2, 0)
    ]


def test_two_people_open_the_same_notice_and_share_one_receipt(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    asn = new_asn(api, warehouse, [{"sku": "TEA-250", "quantity": "40"}])

    def one_person(_: int) -> str:
        receipt = receipt_at_door(api, warehouse, asn_id=asn["id"])
        for _n in range(5):
            assert scan(api, receipt, EACH["TEA-250"]).status_code == 201
        return receipt

    with ThreadPoolExecutor(4) as people:
        receipts = set(people.map(one_person, range(4), timeout=120))
    assert len(receipts) == 1
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 20}
    assert ledger.verify(conn) == []


def test_two_people_scanning_the_same_sscc_count_it_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse)
    receipt = receipt_at_door(api, warehouse, asn_number="ASN-1")
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda _: scan(api, receipt, sscc(1)).status_code, range(4), timeout=120))
    assert sorted(answers) == [201, 409, 409, 409]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}


def test_the_same_key_twice_is_one_scan_and_another_body_is_refused(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    receipt = receipt_at_door(api, warehouse)
    key = {"Idempotency-Key": str(new_id())}
    url = f"/api/v1/receipts/{receipt}/scans"
    first = api.post(url, json={"code": EACH["TEA-250"]}, headers=key)
    again = api.post(url, json={"code": EACH["TEA-250"]}, headers=key)
    assert (first.status_code, again.json()) == (201, first.json())
    assert api.post(url, json={"code": CASE["TEA-250"]}, headers=key).status_code == 409
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 1}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"code": EACH["TEA-250"], "quantity": "0"}, 422, "quantity"),
        ({"code": EACH["TEA-250"], "quantity": "-1"}, 422, "quantity"),
        ({"code": EACH["TEA-250"], "quantity": "NaN"}, 422, "quantity"),
        ({"code": EACH["TEA-250"], "quantity": "1.5"}, 422, "quantity"),
        ({"code": ""}, 422, "code"),
        ({"code": EACH["TEA-250"], "status": "eaten"}, 422, "status"),
        ({"code": EACH["TEA-250"], "onto": "P-404"}, 422, "onto"),
        ({"code": "x\x00y"}, 422, "code"),
    ],
)
def test_a_bad_scan_says_which_field_and_changes_nothing(
    api: Api, conn: Conn, warehouse: Warehouse, body: Json, status: int, field: str
) -> None:
    receipt = receipt_at_door(api, warehouse)
    refused = api.post(f"/api/v1/receipts/{receipt}/scans", json=body)
    assert (refused.status_code, refused.json().get("field")) == (status, field), refused.text
    assert stock(conn, warehouse, "DOCK-1") == {}


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"lines": []}, 422, "lines"),
        ({"lines": [{"sku": "NOPE", "quantity": "1"}]}, 422, "lines.0.item_id"),
        ({"lines": [{"quantity": "1"}]}, 422, "lines.0.item_id"),
        ({"lines": [{"sku": "TEA-250", "quantity": "0.5"}]}, 422, "lines"),
        ({"supplier_id": str(UUID(int=1))}, 422, "supplier_id"),
        ({"dock_door_id": str(UUID(int=1))}, 422, "dock_door_id"),
        ({"plates": [{"code": sscc(1)[:-1] + "x"}]}, 201, None),
        ({"plates": [{"code": sscc(1)[:-1] + str((int(sscc(1)[-1]) + 1) % 10)}]}, 422, "plates"),
        ({"plates": [{"code": "P1", "inside": "P2"}]}, 422, "plates"),
        ({"plates": [{"code": "P1", "inside": "P2"}, {"code": "P2", "inside": "P1"}]}, 422, "plates"),
        ({"plates": [{"code": "P1", "contents": [{"sku": "MILK-1L", "quantity": "1"}]}]}, 422, "plates"),
        ({"plates": [{"code": "P1", "contents": [{"sku": "TEA-250", "quantity": "2"}]}]}, 422, "lines"),
        ({"tags": [{"epc": "zzzz"}]}, 422, "epc"),
        ({"tags": [{"epc": "ABCD"}]}, 422, "tags"),
        ({"tags": [{"epc": unit_tag("TEA-250", 1), "sku": "DRILL-X"}]}, 422, "tags"),
        ({"tags": [{"epc": unit_tag("TEA-250", 1)}, {"epc": unit_tag("TEA-250", 1)}]}, 422, "tags"),
        ({"expected_at": "2026-01-01T00:00:00"}, 422, "expected_at"),
    ],
)
def test_a_notice_that_contradicts_itself_is_refused_whole(
    api: Api, conn: Conn, warehouse: Warehouse, change: Json, status: int, field: str | None
) -> None:
    body = {
        "number": "A1",
        "supplier_id": str(warehouse.supplier_id),
        "lines": [{"sku": "TEA-250", "quantity": "1"}],
    }
    answer = api.post("/api/v1/asns", json={**body, **change})
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    if status != 201:
        assert conn.execute(
            "select (select count(*) from asn) + (select count(*) from license_plate) + (select count(*) from tag)"
        ).fetchone() == (0,)


def test_a_notice_number_an_sscc_and_a_tag_are_promised_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    lines = [{"sku": "TEA-250", "quantity": "5"}]
    for body, field in (
        ({"number": "ASN-1", "lines": lines}, "number"),
        ({"number": "ASN-2", "lines": lines, "plates": [{"code": sscc(1)}]}, "plates"),
        ({"number": "ASN-2", "tags": [{"epc": unit_tag("DRILL-X", 101)}]}, "tags"),
    ):
        refused = api.post("/api/v1/asns", json=body)
        assert (refused.status_code, refused.json()["field"]) == (409, field), refused.text
    assert [a["number"] for a in api.get("/api/v1/asns").json()["items"]] == ["ASN-1"]


def test_another_site_sees_and_changes_nothing(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), "ABCD"])
    receipt = conn.execute("select id from receipt").fetchone()
    task = conn.execute("select id from putaway_task").fetchone()
    assert receipt is not None
    assert task is not None
    other = build_warehouse(conn, "TRE1")
    api.as_user(conn, "tina", ["lead"], other.site_id)
    assert api.get("/api/v1/receipts").json()["items"] == []
    assert api.get("/api/v1/unknown-tags").json()["items"] == []
    assert api.get(f"/api/v1/receipts/{receipt[0]}").status_code == 404
    assert scan(api, str(receipt[0]), EACH["TEA-250"]).status_code == 404
    assert api.post(f"/api/v1/putaway-tasks/{task[0]}/confirm", json={"place": "A-01-1"}).status_code == 404
    assert api.get(f"/api/v1/license-plates/{sscc(1)}").status_code == 404


def test_a_driver_may_not_receive(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    api.as_user(conn, "dora", ["driver"])
    assert api.post("/api/v1/receipts", json={}).status_code == 403
    assert api.post("/api/v1/asns", json={"number": "A", "lines": []}).status_code == 403
