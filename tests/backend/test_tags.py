"""Tags and license plates: what an EPC stands for, said once, replaced but never overwritten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from backend import ledger
from backend.db import Conn
from device_drivers.gs1 import epc_from_hex, is_valid_sscc
from tests.backend.receiving_goods import CASE, EACH, case_tag, passed, plate_tag, sscc, stock, unit_tag
from tests.conftest import Api, Warehouse, put_stock


def commission(api: Api, epc: str, **more: Any) -> Any:
    return api.post("/api/v1/tags", json={"epc": epc, **more})


def test_a_tag_stands_for_an_item_with_its_lot_and_serial(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    milk = commission(api, unit_tag("MILK-1L", 5), code=f"(01){EACH['MILK-1L']}(17)270630(10)L1")
    assert milk.status_code == 201, milk.text
    assert (milk.json()["sku"], milk.json()["lot"], milk.json()["serial"], milk.json()["units"]) == (
        "MILK-1L",
        "L1",
        "5",
        "1",
    )
    case = commission(api, case_tag("TEA-250", 9), code=CASE["TEA-250"]).json()
    assert (case["pack"], case["units"]) == ("case", "12")
    uri = epc_from_hex(unit_tag("DRILL-X", 12)).pure_identity_uri
    drill = commission(api, uri or "", item_id=str(warehouse.items["DRILL-X"])).json()
    assert (drill["epc"], drill["serial"]) == (unit_tag("DRILL-X", 12), "12")
    found = api.get("/api/v1/lookup", params={"code": unit_tag("DRILL-X", 12)}).json()
    assert (found["kind"], found["sku"], found["serial"]) == ("tag", "DRILL-X", "12")


def test_the_same_epc_twice_is_refused_in_words(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    epc = unit_tag("DRILL-X", 12)
    assert commission(api, epc, item_id=str(warehouse.items["DRILL-X"])).status_code == 201
    again = commission(api, epc.lower(), item_id=str(warehouse.items["DRILL-X"]))
    assert (again.status_code, again.json()["field"]) == (409, "epc")
    assert (
        again.json()["detail"]
        == f"{epc} already stands for DRILL-X serial 12. Re-tag that one, or take another tag."
    )
    other = commission(api, "ABCD0001", item_id=str(warehouse.items["DRILL-X"]), serial="12")
    assert (other.status_code, other.json()["field"]) == (409, "serial")


def test_of_two_people_commissioning_one_epc_one_is_told(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    with ThreadPoolExecutor(4) as people:
        answers = people.map(
            lambda _: commission(api, "ABCD0001", item_id=str(warehouse.items["TEA-250"])).status_code,
            range(4),
        )
        assert sorted(answers) == [201, 409, 409, 409]
    assert conn.execute("select count(*) from tag").fetchone() == (1,)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"epc": "XYZ1"}, 422, "epc"),
        ({"epc": "urn:epc:id:sgtin:1.2.3"}, 422, "epc"),
        ({"epc": "ABCD0001"}, 422, "item_id"),
        ({"epc": "ABCD0001", "item_id": str(UUID(int=1))}, 422, "item_id"),
        ({"epc": "ABCD0001", "code": EACH["MILK-1L"]}, 422, "lot"),
        ({"epc": "ABCD0001", "code": EACH["DRILL-X"]}, 422, "serial"),
        ({"epc": unit_tag("TEA-250", 1), "code": EACH["DRILL-X"], "serial": "1"}, 422, "epc"),
        ({"epc": plate_tag(1), "code": EACH["TEA-250"]}, 422, "epc"),
        ({"epc": "ABCD0001", "license_plate": "P-404"}, 422, "license_plate"),
        ({"epc": "ABCD0001", "code": "A-01-1"}, 422, "code"),
        ({"epc": "ABCD0001", "code": "what is this"}, 404, "code"),
    ],
)
def test_a_tag_that_contradicts_itself_is_refused(
    api: Api, conn: Conn, body: dict[str, str], status: int, field: str
) -> None:
    refused = api.post("/api/v1/tags", json=body)
    assert (refused.status_code, refused.json().get("field")) == (status, field), refused.text
    assert conn.execute("select count(*) from tag").fetchone() == (0,)


def test_a_new_tag_replaces_the_old_one_and_the_old_reads_as_unknown(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    commission(api, "ABCD0001", code=f"(01){EACH['DRILL-X']}(21)S1")
    new = api.post("/api/v1/tags/ABCD0001/retag", json={"new_epc": "ABCD0002"})
    assert (new.status_code, new.json()["serial"], new.json()["state"]) == (200, "S1", "active")
    old = api.get("/api/v1/tags", params={"epc": "ABCD0001"}).json()["items"]
    assert [(t["state"], t["replaced_by"]) for t in old] == [("replaced", "ABCD0002")]
    assert api.post("/api/v1/tags/ABCD0001/retag", json={"new_epc": "ABCD0003"}).status_code == 404
    assert api.post("/api/v1/tags/ABCD0002/retag", json={"new_epc": "ABCD0002"}).status_code == 422
    assert commission(api, "ABCD0004", code=EACH["TEA-250"]).status_code == 201
    taken = api.post("/api/v1/tags/ABCD0002/retag", json={"new_epc": "ABCD0004"})
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/tag-in-use")
    assert api.get("/api/v1/tags", params={"epc": "ABCD0002"}).json()["items"][0]["state"] == "active"
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], ["ABCD0001"])
    assert [u["epc"] for u in api.get("/api/v1/unknown-tags").json()["items"]] == ["ABCD0001"]


def test_a_decommissioned_epc_may_be_used_again(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    commission(api, "ABCD0001", code=EACH["TEA-250"])
    assert api.post("/api/v1/tags/ABCD0001/decommission").status_code == 204
    assert api.post("/api/v1/tags/ABCD0001/decommission").status_code == 404
    assert commission(api, "ABCD0001", code=f"(01){EACH['DRILL-X']}(21)S1").status_code == 201


def test_an_unknown_tag_is_claimed_and_counted_or_dismissed(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], ["ABCD0001", "ABCD0002", "ABCD0003"])
    api.as_user(conn, "wanda", ["worker"])
    url = "/api/v1/unknown-tags/{}/claim"
    done = api.post(url.format("ABCD0001"), json={"sku": "DRILL-X", "serial": "S7"})
    assert done.status_code == 200, done.text
    assert api.get(f"/api/v1/receipts/{done.json()['receipt_id']}").json()["received"] == "1"
    assert stock(conn, warehouse, "DOCK-1") == {"DRILL-X": 1}
    kept = api.post(url.format("ABCD0002"), json={"sku": "TEA-250", "receive": False})
    assert (kept.status_code, kept.json()["receipt_id"]) == (200, None)
    assert api.post(url.format("ABCD0003"), json={"dismiss": True}).status_code == 200
    assert api.get("/api/v1/unknown-tags").json()["items"] == []
    assert api.post(url.format("ABCD0003"), json={"dismiss": True}).status_code == 404
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], ["ABCD0001", "ABCD0002"])
    assert stock(conn, warehouse, "DOCK-1") == {"DRILL-X": 1}
    assert ledger.verify(conn) == []


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "item_id"),
        ({"sku": "NOPE"}, 422, "item_id"),
        ({"sku": "DRILL-X"}, 422, "serial"),
        ({"license_plate": "P9"}, 422, "license_plate"),
    ],
)
def test_a_claim_that_says_too_little_leaves_the_tag_unknown(
    api: Api, conn: Conn, warehouse: Warehouse, body: dict[str, str], status: int, field: str
) -> None:
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], ["ABCD0001"])
    refused = api.post("/api/v1/unknown-tags/ABCD0001/claim", json=body)
    assert (refused.status_code, refused.json()["field"]) == (status, field), refused.text
    assert len(api.get("/api/v1/unknown-tags").json()["items"]) == 1


def test_a_license_plate_gets_an_sscc_of_ours_and_takes_loose_stock(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    body = {
        "kind": "pallet", "place_id": str(warehouse.places["A-01-1"]),
        "contents": [{"item_id": str(warehouse.items["TEA-250"]), "quantity": "24"}],
    }  # fmt: skip
    made = [api.post("/api/v1/license-plates", json=body | {"contents": []}).json()["code"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(is_valid_sscc(code) and code[1:8] == "6412345" for code in made)
    full = api.post("/api/v1/license-plates", json=body).json()
    assert [(c["sku"], c["quantity"]) for c in full["contents"]] == [("TEA-250", "24")]
    refused = api.post("/api/v1/license-plates", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-enough-stock")
    assert len(api.get("/api/v1/license-plates").json()["items"]) == 3
    assert ledger.verify(conn) == []


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"code": "364123450000000014"}, 422, "code"),
        ({"place_id": str(UUID(int=1))}, 422, "place_id"),
        ({"inside": "P-404"}, 422, "inside"),
        ({"kind": "bucket"}, 422, "kind"),
        ({"contents": [{"item_id": str(UUID(int=1)), "quantity": "1"}]}, 422, "place_id"),
    ],
)
def test_an_impossible_license_plate_is_refused(
    api: Api, conn: Conn, change: dict[str, Any], status: int, field: str
) -> None:
    refused = api.post("/api/v1/license-plates", json={"kind": "pallet", **change})
    assert (refused.status_code, refused.json()["field"]) == (status, field), refused.text
    assert conn.execute("select count(*) from license_plate").fetchone() == (0,)


def test_a_plate_code_is_used_once_at_a_site(api: Api) -> None:
    assert api.post("/api/v1/license-plates", json={"kind": "tote", "code": "TOTE-1"}).status_code == 201
    again = api.post("/api/v1/license-plates", json={"kind": "tote", "code": "TOTE-1"})
    assert (again.status_code, again.json()["field"]) == (409, "code")
    assert api.get(f"/api/v1/license-plates/{sscc(5)}").status_code == 404


def test_totes_are_made_many_at_once_each_with_a_label_that_is_its_code(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    body = {"kind": "tote", "code": "TOTE-08", "count": 3, "place": "stage-out", "print_labels": True}
    made = api.post("/api/v1/license-plates/series", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["labels"] == "no_printer"
    plates = made.json()["plates"]
    assert [(p["code"], p["kind"], p["place"], p["skus"]) for p in plates] == [
        (code, "tote", "STAGE-OUT", []) for code in ("TOTE-08", "TOTE-09", "TOTE-10")
    ]
    (label,) = api.get("/api/v1/labels", params={"subject_id": plates[2]["id"]}).json()["items"]
    zpl = api.get(f"/api/v1/labels/{label['id']}/zpl").text
    assert (label["title"], zpl.count("^FDTOTE-10^FS")) == ("tote TOTE-10", 2)  # to read and as a barcode
    assert "^BCN,150,N,N,N,A^FH^FDTOTE-10^FS" in zpl
    counted = api.post("/api/v1/license-plates/series", json={"code": "T9", "count": 2}).json()["plates"]
    assert [p["code"] for p in counted] == ["T9", "T10"]  # the screen says: from the first to the last
    unnamed = api.post("/api/v1/license-plates/series", json={"kind": "tote", "count": 2}).json()
    assert unnamed["labels"] == "none"
    assert all(is_valid_sscc(p["code"]) for p in unnamed["plates"])


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"code": "TOTE-1", "count": 3}, 409, "code"),  # TOTE-3 is there
        ({"code": "TOTE", "count": 2}, 422, "code"),
        ({"code": "364123450000000014"}, 422, "code"),
        (
            {"code": "TEA-249", "count": 2},
            409,
            "code",
        ),  # TEA-250 is an item, and a plate's code is looked for first
        ({"code": "a-01-1"}, 409, "code"),
        ({"place": "NOWHERE"}, 422, "place"),
        ({"place": "AMBIENT"}, 422, "place"),
        ({"count": 0}, 422, "count"),
        ({"count": 201}, 422, "count"),
    ],
)
def test_of_impossible_totes_none_is_made(
    api: Api, conn: Conn, warehouse: Warehouse, change: dict[str, Any], status: int, field: str
) -> None:
    api.post("/api/v1/license-plates", json={"kind": "tote", "code": "TOTE-3"})
    refused = api.post("/api/v1/license-plates/series", json=change)
    assert (refused.status_code, refused.json()["field"]) == (status, field), refused.text
    assert conn.execute("select code from license_plate").fetchall() == [("TOTE-3",)]


def test_license_plates_are_found_by_kind_by_what_is_on_them_and_by_where_they_stand(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    tea = [{"item_id": str(warehouse.items["TEA-250"]), "quantity": "24"}]
    here = {"place_id": str(warehouse.places["A-01-1"])}
    for body in (
        {"kind": "pallet", "code": "P-1", **here},
        {"kind": "case", "code": "C-1", "inside": "P-1", "contents": tea, **here},
        {"kind": "tote", "code": "T-1"},
        {"kind": "tote", "code": "T-2", "place_id": str(warehouse.places["STAGE-OUT"])},
    ):
        assert api.post("/api/v1/license-plates", json=body).status_code == 201

    def found(**filters: Any) -> list[str]:
        items = api.get("/api/v1/license-plates", params=filters).json()["items"]
        return sorted(p["code"] for p in items)

    assert found(kind="tote") == ["T-1", "T-2"]
    assert found(q="stage") == ["T-2"]
    assert found(q="tea-2") == ["C-1"]
    assert found(q="-1") == ["C-1", "P-1", "T-1"]
    assert found(empty=True) == ["T-1", "T-2"]
    assert found(empty=False) == ["C-1", "P-1"]  # the pallet holds a case
    assert found(state=["shipped", "gone"]) == []
    assert api.get("/api/v1/license-plates/P-1").json()["skus"] == ["TEA-250"]
