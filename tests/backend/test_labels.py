"""Labels: ZPL that prints what it says and nothing else, to a folder or a printer, again when asked."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backend import labels
from backend.db import Conn, connect
from backend.errors import Conflict
from backend.jobs import TASKS
from backend.labels import zpl
from backend.labels.tasks import PrinterProblem, print_waiting_label
from device_drivers.gs1 import is_valid_sscc
from tests.conftest import Api, Warehouse, put_stock


def plate_with_tea(api: Api, conn: Conn, w: Warehouse) -> dict[str, Any]:
    put_stock(conn, w, "TEA-250", "A-01-1", "30")
    made = api.post(
        "/api/v1/license-plates",
        json={
            "kind": "pallet", "place_id": str(w.places["A-01-1"]),
            "contents": [{"item_id": str(w.items["TEA-250"]), "quantity": "24"}],
        },
    )  # fmt: skip
    return dict(made.json())


def waiting_jobs(conn: Conn) -> list[dict[str, Any]]:
    return [
        r[0]
        for r in conn.execute(
            "select args from procrastinate_jobs where task_name = 'labels_print' order by id"
        ).fetchall()
    ]


def test_an_sscc_label_carries_the_code_and_the_contents(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    plate = plate_with_tea(api, conn, warehouse)
    label = api.post("/api/v1/labels", json={"kind": "sscc", "ref": plate["id"], "copies": 2}).json()
    assert (label["state"], label["title"]) == ("no_printer", f"pallet {plate['code']}")
    text = api.get(f"/api/v1/labels/{label['id']}/zpl").text
    assert text.startswith("^XA\n^CI28\n")
    assert text.endswith("^PQ2\n^XZ\n")
    assert f"^FD>;>800{plate['code']}^FS" in text
    assert "24 each TEA-250 Green tea 250 g" in text


def test_what_people_write_never_becomes_a_command(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    nasty = "^XZ^XA~JR_5E\\ ü\n^FS"
    assert zpl.field_data(nasty) == "^FH^FD_5EXZ_5EXA_7EJR_5F5E_5C _C3_BC _5EFS^FS"
    conn.execute("update item set name = %s where sku = 'TEA-250'", [nasty])
    conn.execute("update place set name = %s where code = 'A-01-1'", [nasty])
    for kind, ref in (("item", warehouse.items["TEA-250"]), ("location", warehouse.places["A-01-1"])):
        label = api.post("/api/v1/labels", json={"kind": kind, "ref": str(ref)}).json()
        text = api.get(f"/api/v1/labels/{label['id']}/zpl").text
        assert (text.count("^XA"), text.count("^XZ"), text.count("~")) == (1, 1, 0)


def test_an_item_label_holds_gtin_expiry_lot_and_serial_as_gs1_datamatrix(
    api: Api, warehouse: Warehouse
) -> None:
    body = {
        "kind": "item",
        "ref": str(warehouse.items["MILK-1L"]),
        "lot": "L1",
        "expires_on": "2027-06-30",
        "serial": "S/9",
    }
    label = api.post("/api/v1/labels", json=body).json()
    text = api.get(f"/api/v1/labels/{label['id']}/zpl").text
    assert "^FD_1010641234500002917270630" in text
    assert "10L1_121S/9^FS" in text


def test_a_label_goes_to_the_folder_once_and_again_when_asked(
    api: Api, conn: Conn, warehouse: Warehouse, tmp_path: Path
) -> None:
    put = api.put(
        "/api/v1/printers",
        json={"code": "office", "kind": "folder", "target": str(tmp_path), "is_default": True},
    )
    assert put.status_code == 200, put.text
    label = api.post(
        "/api/v1/labels", json={"kind": "location", "ref": str(warehouse.places["A-01-1"])}
    ).json()
    assert (label["state"], label["printer"]) == ("waiting", "office")
    for _ in range(2):  # a job that runs again finds nothing to do
        print_waiting_label(conn, **waiting_jobs(conn)[0])
    assert [p.name for p in tmp_path.iterdir()] == [f"{label['id']}.zpl"]
    again = api.post(f"/api/v1/labels/{label['id']}/reprint", json={})
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    print_waiting_label(conn, **waiting_jobs(conn)[1])
    assert {p.name for p in tmp_path.iterdir()} == {f"{label['id']}.zpl", f"{label['id']}-2.zpl"}
    shown = api.get("/api/v1/labels").json()["items"][0]
    assert (shown["state"], shown["printed"]) == ("printed", 2)


def test_a_label_goes_over_the_wire_to_a_printer(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    received.extend(data)

        printer = threading.Thread(target=take, daemon=True)
        printer.start()
        target = f"127.0.0.1:{server.getsockname()[1]}"
        api.put("/api/v1/printers", json={"code": "dock", "kind": "raw_tcp", "target": target})
        label = api.post(
            "/api/v1/labels", json={"kind": "item", "ref": str(warehouse.items["TEA-250"]), "printer": "dock"}
        ).json()
        print_waiting_label(conn, label["id"])
        printer.join()
    assert received.decode() == api.get(f"/api/v1/labels/{label['id']}/zpl").text


def test_a_printer_that_is_not_there_is_tried_again_and_says_why(
    api: Api, conn: Conn, warehouse: Warehouse, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    api.put("/api/v1/printers", json={"code": "office", "kind": "folder", "target": str(folder)})
    label = api.post("/api/v1/labels", json={"kind": "item", "ref": str(warehouse.items["TEA-250"])}).json()
    folder.rmdir()
    with pytest.raises(PrinterProblem, match="the folder is not there"):
        print_waiting_label(conn, label["id"])
    failed = api.get("/api/v1/labels", params={"state": "failed"}).json()["items"]
    assert failed[0]["problem"].startswith("Printer office")
    folder.mkdir()
    print_waiting_label(conn, label["id"])
    assert api.get("/api/v1/labels").json()["items"][0]["state"] == "printed"
    assert TASKS["labels_print"].retries == 5


def test_a_carton_closed_by_packing_gets_its_label_and_its_packing_list(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    plate = plate_with_tea(api, conn, warehouse)
    with conn.transaction():
        label_id = labels.print_license_plate(conn, warehouse.ctx(), plate["id"])
    assert api.get("/api/v1/labels", params={"subject_id": plate["id"]}).json()["items"][0]["id"] == str(
        label_id
    )
    printed = api.post("/api/v1/labels", json={"kind": "packing_list", "ref": plate["id"]})
    assert printed.status_code == 201
    zpl = api.get(f"/api/v1/labels/{printed.json()['id']}/zpl").text
    assert plate["code"] in zpl
    assert "24 each" in zpl
    assert "TEA-250" in zpl


def test_sscc_numbers_never_repeat_and_need_a_prefix(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:

    def take(_: int) -> list[str]:
        with connect(database_url, autocommit=True) as c:
            return [labels.new_sscc(c, warehouse.site_id) for _ in range(10)]

    with ThreadPoolExecutor(4) as people:
        codes = [code for batch in people.map(take, range(4)) for code in batch]
    assert len(set(codes)) == 40
    assert all(is_valid_sscc(code) for code in codes)
    conn.execute("update site set next_sscc = %s where id = %s", [10**10, warehouse.site_id])
    with pytest.raises(Conflict, match="used up"):
        labels.new_sscc(conn, warehouse.site_id)
    conn.execute("update site set gs1_company_prefix = null where id = %s", [warehouse.site_id])
    with pytest.raises(Conflict, match="no GS1 company prefix"):
        labels.new_sscc(conn, warehouse.site_id)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "folder", "target": "/no/such/folder"}, "target"),
        ({"kind": "folder", "target": "relative"}, "target"),
        ({"kind": "raw_tcp", "target": "printer"}, "target"),
        ({"kind": "raw_tcp", "target": "printer:99999"}, "target"),
        ({"kind": "fax", "target": "x"}, "kind"),
    ],
)
def test_an_impossible_printer_is_refused(api: Api, body: dict[str, str], field: str) -> None:
    refused = api.put("/api/v1/printers", json={"code": "p", **body})
    assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_only_an_admin_says_where_printers_are_and_unknown_things_have_no_label(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    for kind in ("sscc", "item", "location", "packing_list"):
        answer = api.post("/api/v1/labels", json={"kind": kind, "ref": str(warehouse.site_id)})
        assert answer.status_code in (404, 422)
    api.as_user(conn, "lea", ["lead"])
    assert (
        api.put("/api/v1/printers", json={"code": "p", "kind": "raw_tcp", "target": "h:9100"}).status_code
        == 403
    )
