"""CSV files as people make them: everything or nothing, every error with its row and column."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend import ledger
from backend.catalog.imports import KINDS, Report, import_csv
from backend.db import Conn
from backend.errors import Conflict
from tests.backend.receiving_goods import EACH, passed, plate_tag, sscc, stock, unit_tag
from tests.conftest import Api, Warehouse


def load(conn: Conn, w: Warehouse, kind: str, text: str, dry_run: bool = False) -> Report:
    with conn.transaction():
        return import_csv(conn, w.ctx(), kind, text, dry_run)


def wrong(report: Report) -> list[tuple[int, str | None]]:
    return [(e.row, e.column) for e in report.errors]


def count(conn: Conn, table: str) -> int:
    row = conn.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


ITEMS = """sku,name,name_zh,gtin,tracking,has_expiry,storage_class,weight_g,pack_name,pack_units,pack_gtin,external_system,external_key
RICE-1K,"Rice, 1 kg",米,4006381333931,lot,yes,ambient,1010,inner,6,,erp,17
RICE-1K,,,,,,,,case,24,14006381333938,,
SAW,Hand saw,,,serial,,,400.5,,,,,
"""


def test_items_come_with_gtins_packs_and_the_keys_of_other_systems(conn: Conn, warehouse: Warehouse) -> None:
    report = load(conn, warehouse, "items", ITEMS)
    assert (report.imported, report.rows, report.created, report.updated, report.errors) == (
        True,
        3,
        2,
        0,
        [],
    )
    packs = conn.execute(
        "select k.name, k.units, k.gtin from item_pack k join item i on i.id = k.item_id where i.sku = 'RICE-1K' order by units"
    ).fetchall()
    assert packs == [("each", 1, "04006381333931"), ("inner", 6, None), ("case", 24, "14006381333938")]
    assert conn.execute(
        "select e.their_key from external_key e join item i on i.id = e.our_id where i.sku = 'RICE-1K'"
    ).fetchone() == ("17",)
    again = load(conn, warehouse, "items", ITEMS.replace("Hand saw", "Fine saw"))
    assert (again.created, again.updated) == (0, 2)
    assert conn.execute("select name, weight_g from item where sku = 'SAW'").fetchone() == ("Fine saw", 400.5)


def test_one_wrong_row_keeps_the_whole_file_out_and_all_errors_are_named(
    conn: Conn, warehouse: Warehouse
) -> None:
    before = count(conn, "item")
    report = load(
        conn,
        warehouse,
        "items",
        "sku,name,gtin,tracking,weight_g,has_expiry,pack_name,pack_units,external_system,external_key\n"
        "GOOD,Good,,,,,,,,\n"
        ",No code,,,,,,,,\n"
        "BAD 1,Blank,4006381333932,batch,-3,maybe,,,,\n"
        "BAD2,,,,,,,,,\n"
        f"BAD3,Taken,{EACH['TEA-250']},,,,,,,\n"
        "BAD4,Pack,,,,,case,,erp,\n"
        "TEA-250,,,lot,,,,,,\n"
        "BAD5,Expiry,,,,yes,,,,\n",
    )
    assert not report.imported
    assert wrong(report) == [
        (3, "sku"), (4, "gtin"), (4, "has_expiry"), (4, "sku"), (4, "tracking"), (4, "weight_g"), (5, "name"), (6, "gtin"),
        (7, "pack_units"), (8, "tracking"), (9, "tracking"),
    ]  # fmt: skip
    assert count(conn, "item") == before


def test_a_dry_run_writes_nothing_and_says_what_it_would(conn: Conn, warehouse: Warehouse) -> None:
    before = count(conn, "item")
    report = load(conn, warehouse, "items", ITEMS, dry_run=True)
    assert (report.imported, report.created, report.errors) == (False, 2, [])
    assert (count(conn, "item"), count(conn, "import_run")) == (before, 0)


@pytest.mark.parametrize(
    "data",
    [
        "sku;name;weight_g\nÄPFEL;x;1\nTOFU;Tofu geräuchert;1,5\n".replace("ÄPFEL;x;1\n", "").encode(
            "cp1252"
        ),
        "\ufeffSKU, Name ,Weight G\r\nTOFU, Tofu geräuchert ,1.5\r\n\r\n".encode(),
        "sku\tname\tweight-g\nTOFU\tTofu geräuchert\t1.5\n".encode("utf-16"),
        'sep=;\nsku;name;weight_g\n"TOFU";"Tofu geräuchert";1,5\n'.encode(),
        "sku|name|weight_g\rTOFU|Tofu geräuchert|1.5".replace("\r", "\n").encode(),
    ],
    ids=["semicolons-cp1252", "bom-crlf-blanks", "utf16-tabs", "sep-hint", "pipes"],
)
def test_files_of_every_spreadsheet_are_read(api: Api, conn: Conn, data: bytes) -> None:
    answer = api.post(
        "/api/v1/imports", data={"kind": "items"}, files={"file": ("items.csv", data, "text/csv")}
    )
    assert answer.status_code == 200, answer.text
    assert conn.execute("select name, weight_g::float from item where sku = 'TOFU'").fetchone() == (
        "Tofu geräuchert",
        1.5,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name\nx\n", [(1, "sku")]),
        ("sku,name,colour\nA,b,red\n", [(1, "colour")]),
        ("sku,name,sku\nA,b,A\n", [(1, "sku")]),
        ("sku,name\nA,b,c\n", [(2, None)]),
        ('sku,name\n"A\nB",c\n', [(3, "sku")]),
    ],
)
def test_a_header_or_row_that_does_not_fit_is_named(
    conn: Conn, warehouse: Warehouse, text: str, expected: list[Any]
) -> None:
    report = load(conn, warehouse, "items", text)
    assert (report.imported, wrong(report)) == (False, expected)


def test_places_may_name_a_parent_further_down_and_take_over_its_class(
    conn: Conn, warehouse: Warehouse
) -> None:
    report = load(
        conn,
        warehouse,
        "places",
        "code,kind,parent,storage_class,pick_sequence,max_units,mixed_lots,erp_location,x_m\n"
        "F-01-1,bin,F-01,,11,40,no,,12.5\n"
        "F-01,aisle,FROZEN,,,,,,\n"
        "FROZEN,zone,,frozen,,,,FRZ,\n"
        "A-01-1,,,,5,,,,\n",
    )
    assert (report.created, report.updated, report.errors) == (3, 1, [])
    row = conn.execute(
        "select storage_class, holds_stock, max_units, mixed_lots, place_erp_location(id), x_m::float from place where code = 'F-01-1'"
    ).fetchone()
    assert row == ("frozen", True, 40, False, "FRZ", 12.5)
    assert conn.execute("select pick_sequence, kind from place where code = 'A-01-1'").fetchone() == (
        5,
        "bin",
    )


def test_a_place_inside_itself_and_other_impossible_places_are_refused(
    conn: Conn, warehouse: Warehouse
) -> None:
    before = count(conn, "place")
    report = load(
        conn,
        warehouse,
        "places",
        "code,kind,parent,max_units\nX,zone,Y,\nY,zone,X,\nX,zone,,\nB1,,,\nB2,cupboard,,\nB3,bin,NOWHERE,\n"
        "DOCK-1,bin,,\nSUPPLIER,,,\nB4,bin,,0\n",
    )
    assert set(wrong(report)) >= {
        (3, "parent"), (4, "code"), (5, "kind"), (6, "kind"), (7, "parent"), (8, "kind"), (9, "code"), (10, "max_units"),
    }  # fmt: skip
    assert count(conn, "place") == before


def test_partners_and_their_prices(conn: Conn, warehouse: Warehouse) -> None:
    partners = load(
        conn, warehouse, "partners",
        "code,name,is_supplier,gln,email,external_system,external_key\nACME,Acme Oy,yes,6412345000005,orders@acme.example,erp,P7\n",
    )  # fmt: skip
    assert (partners.created, partners.errors) == (1, [])
    prices = (
        "supplier,sku,unit_price,currency,lead_time_d,min_order_qty,pack_multiple,preferred\n"
        'ACME,TEA-250,"2,40",EUR,5,24,12,yes\nSUP-1,TEA-250,2.10,EUR,21,120,12,no\n'
    )
    first = load(conn, warehouse, "supplier-items", prices)
    assert (first.created, first.errors) == (2, [])
    assert (load(conn, warehouse, "supplier-items", prices).updated) == 2
    assert conn.execute("select sum(unit_price) from supplier_item").fetchone() == (4.5,)
    report = load(
        conn, warehouse, "supplier-items",
        "supplier,sku,unit_price,lead_time_d,currency\nCUST-1,TEA-250,1,,\nACME,NOPE,1,,\nACME,CABLE,,,\nACME,DRILL-X,-1,1.5,euro\n",
    )  # fmt: skip
    assert wrong(report) == [
        (2, "supplier"),
        (3, "sku"),
        (4, "unit_price"),
        (5, "currency"),
        (5, "lead_time_d"),
        (5, "unit_price"),
    ]


OPENING = """place;sku;quantity;lot;expires_on;serial;status;license_plate
A-01-1;TEA-250;120;;;;;
A-01-2;TEA-250;24;;;;damaged;PAL-1
C-01-1;MILK-1L;30;L1;30.6.2027;;;
A-02-1;DRILL-X;;;;S1;;
A-02-1;CABLE;12,25;;;;;
"""


def test_opening_stock_is_booked_and_the_same_file_is_taken_once(conn: Conn, warehouse: Warehouse) -> None:
    report = load(conn, warehouse, "opening-stock", OPENING)
    assert (report.imported, report.created, report.errors) == (True, 5, [])
    assert stock(conn, warehouse, "A-01-1") == {"TEA-250": 120}
    assert [float(q) for q in stock(conn, warehouse, "A-02-1").values()] == [1, 12.25]
    assert conn.execute("select count(distinct cause_id), min(cause_kind) from movement").fetchone() == (
        1,
        "opening",
    )

    with pytest.raises(Conflict, match="twice would double the stock"):
        load(conn, warehouse, "opening-stock", OPENING.replace("\n", "\r\n"))
    assert ledger.verify(conn) == []


def test_wrong_opening_stock_books_nothing(conn: Conn, warehouse: Warehouse) -> None:
    report = load(
        conn,
        warehouse,
        "opening-stock",
        "place,sku,quantity,lot,expires_on,serial\nA-01-1,TEA-250,5,,,\nNOWHERE,TEA-250,5,,,\nA-01-1,TEA-250,0.5,,,\nA-01-1,MILK-1L,5,,,\n"
        "C-01-1,MILK-1L,5,L1,,\nC-01-1,MILK-1L,5,L1,2027-02-30,\nA-01-1,DRILL-X,1,,,S1\nA-01-1,DRILL-X,1,,,S1\nA-01-1,TEA-250,NaN,,,\n"
        "AMBIENT,TEA-250,5,,,\n",
    )
    assert wrong(report) == [
        (3, "place"), (4, "quantity"), (5, "lot"), (6, "expires_on"), (7, "expires_on"), (9, "serial"), (10, "quantity"), (11, "place"),
    ]  # fmt: skip
    assert count(conn, "movement") == 0


def test_two_people_importing_the_same_opening_stock_book_it_once(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    def send(_: int) -> int:
        return int(api.post(
            "/api/v1/imports", data={"kind": "opening-stock"}, files={"file": ("o.csv", OPENING.encode(), "text/csv")}
        ).status_code)  # fmt: skip

    with ThreadPoolExecutor(3) as people:
        assert sorted(people.map(send, range(3))) == [200, 409, 409]
    assert stock(conn, warehouse, "A-01-1") == {"TEA-250": 120}


def test_delivery_notices_with_pallets_cases_tags_and_loose_goods(conn: Conn, warehouse: Warehouse) -> None:
    report = load(
        conn,
        warehouse,
        "asns",
        "number,supplier,dock_door,expected_at,sku,quantity,lot,expires_on,sscc,inside,epc\n"
        f"D-1,SUP-1,DOCK-1,2027-01-10T08:00+02:00,TEA-250,12,,,{sscc(2)},{sscc(1)},\n"
        f"D-1,,,,MILK-1L,10,L1,2027-06-30,{sscc(3)},{sscc(1)},\n"
        f"D-1,,,,,,,,,,{unit_tag('DRILL-X', 1)}\n"
        "D-1,,,,CABLE,20,,,,,\n"
        "D-2,SUP-1,,,TEA-250,24,,,,,\n",
    )
    assert (report.errors, report.created) == ([], 2)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), unit_tag("DRILL-X", 1)])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 12, "MILK-1L": 10, "DRILL-X": 1}
    lines = conn.execute(
        "select i.sku, l.quantity::int from asn_line l join asn a on a.id = l.asn_id join item i on i.id = l.item_id where a.number = 'D-1' order by 1"
    ).fetchall()
    assert lines == [("CABLE", 20), ("DRILL-X", 1), ("MILK-1L", 10), ("TEA-250", 12)]


def test_a_wrong_notice_keeps_all_notices_of_the_file_out(conn: Conn, warehouse: Warehouse) -> None:
    report = load(
        conn,
        warehouse,
        "asns",
        f"number,supplier,sku,quantity,sscc,epc\nD-1,SUP-1,TEA-250,1,,\nD-2,CUST-1,TEA-250,1,,\nD-3,,NOPE,,,\nD-4,,TEA-250,1,{sscc(1)[:-1]}X,\n"
        f"D-5,,MILK-1L,1,{sscc(1)},\nD-6,,,,,ABCD\nD-7,SUP-1,TEA-250,1,,\nD-7,ACME,TEA-250,1,,\n",
    )
    assert (3, "supplier") in wrong(report)
    assert {(4, "quantity"), (4, "sku"), (6, "sscc"), (7, "epc"), (9, "supplier")} <= set(wrong(report))
    assert count(conn, "asn") + count(conn, "license_plate") == 0


def test_the_api_answers_a_dry_run_with_a_report_and_an_import_with_a_refusal(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    bad = {"file": ("p.csv", b"code,kind\nB-1,bin\nB-2,cupboard\n", "text/csv")}
    dry = api.post("/api/v1/imports", data={"kind": "places", "dry_run": "true"}, files=bad)
    assert (dry.status_code, dry.json()["errors_count"], dry.json()["imported"]) == (200, 1, False)
    refused = api.post("/api/v1/imports", data={"kind": "places"}, files=bad)
    assert (refused.status_code, refused.json()["errors"][0]["row"]) == (422, 3)
    assert conn.execute("select count(*) from place where code = 'B-1'").fetchone() == (0,)
    for data, content, field in (
        ({"kind": "cats"}, b"a\nb\n", "kind"),
        ({"kind": "items"}, b"", "file"),
        ({"kind": "items"}, b"sku,name\n", "file"),
        ({}, b"sku\nA\n", "kind"),
    ):
        answer = api.post("/api/v1/imports", data=data, files={"file": ("x.csv", content, "text/csv")})
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    api.as_user(conn, "wanda", ["worker"])
    assert api.post("/api/v1/imports", data={"kind": "places"}, files=bad).status_code == 403


def test_the_same_key_twice_is_one_import(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\nopening-stock\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="o.csv"\r\n\r\n'
        + OPENING.encode()
        + b"\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "one-import"}
    answers = [api.post("/api/v1/imports", content=body, headers=headers) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [r["file_name"] for r in api.get("/api/v1/imports").json()["items"]] == ["o.csv"]


def test_totes_come_from_a_file_and_stay_as_they_are_when_it_comes_again(
    conn: Conn, warehouse: Warehouse
) -> None:
    text = "code,kind,place\nTOTE-1,,STAGE-OUT\nTOTE-2,tote,\nP-1,Pallet,\n"
    report = load(conn, warehouse, "license-plates", text)
    assert (report.imported, report.created, report.errors) == (True, 3, [])
    made = (
        "select l.code, l.kind, p.code from license_plate l left join place p on p.id = l.place_id order by 1"
    )
    totes = [("P-1", "pallet", None), ("TOTE-1", "tote", "STAGE-OUT"), ("TOTE-2", "tote", None)]
    assert conn.execute(made.encode()).fetchall() == totes
    again = load(conn, warehouse, "license-plates", text.replace("STAGE-OUT", "DOCK-1"))
    assert (again.imported, again.created, again.updated) == (True, 0, 0)
    bad = "code,kind,place\nTOTE-1,pallet,\nTOTE-9,bucket,\nTOTE-8,,NOWHERE\nTOTE-7,,AMBIENT\nTOTE-6,,\nTOTE-6,,\n364123450000000014,,\n"
    refused = load(conn, warehouse, "license-plates", bad)
    assert wrong(refused) == [
        (2, "kind"), (3, "kind"), (4, "place"), (5, "place"), (7, "code"), (8, "code"),
    ]  # fmt: skip
    assert conn.execute(made.encode()).fetchall() == totes


def test_a_code_that_no_text_can_have_keeps_the_totes_of_its_file_out(
    conn: Conn, warehouse: Warehouse
) -> None:
    refused = load(conn, warehouse, "license-plates", "code\nTOTE-1\nTO\0TE\nA-01-1\ntea-250\n")
    assert wrong(refused) == [(3, "code"), (4, "code"), (5, "code")]
    assert count(conn, "license_plate") == 0


def test_every_column_is_documented(api: Api) -> None:
    kinds = {k["kind"]: k for k in api.get("/api/v1/imports/kinds").json()["items"]}
    assert (
        set(kinds) == set(KINDS)
        == {"items", "places", "license-plates", "partners", "supplier-items", "opening-stock", "asns"}
    )  # fmt: skip
    assert all(c["doc"] for k in kinds.values() for c in k["columns"])
