"""The sending program as it runs in the worker, seen through the API as a person sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from backend.app import create_app
from backend.db import Conn
from backend.ids import new_id
from backend.integration.erp import drain
from backend.integration.erp.connector import NewLine, NewOrder
from backend.integration.erp.tryton import TrytonConnector
from stowage.parts.tryton import Tryton
from tests.conftest import Api
from tests.integration_erp.conftest import Site, reference

pytestmark = pytest.mark.tryton


def wait_for(what: Callable[[], Any], seconds: float = 150) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError("did not happen in time")


@pytest.fixture
def api(database_url: str, conn: Conn, site: Site) -> Iterator[Api]:
    with Api(create_app(database_url), base_url="http://testserver", raise_server_exceptions=False) as client:
        yield client.as_user(conn, "admin", ["admin"])


@pytest.fixture
def sender(database_url: str, server: Tryton, site: Site) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=drain.run, args=(database_url, server.url, stop))
    thread.start()
    yield
    stop.set()
    thread.join(120)
    assert not thread.is_alive()


def get(api: Api, path: str) -> Any:
    answer = api.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_movement_reaches_the_erp_by_itself_and_the_outbox_shows_it(
    api: Api, site: Site, sender: None
) -> None:
    posting = site.receive("GRC-CHOC-90", 6)
    seen = wait_for(lambda: (p := get(api, f"/postings/{posting}"))["state"] == "posted" and p)
    assert (seen["sku"], seen["quantity"], seen["from_place"], seen["to_place"]) == (
        "GRC-CHOC-90",
        "6",
        "SUPPLIER",
        "A-01",
    )
    assert seen["reference"].startswith("SW-")
    assert seen["erp_number"]
    (group,) = get(api, "/posting-groups?state=posted&limit=1")["items"]
    assert (group["id"], group["lines"], group["kind"]) == (seen["group_id"], 1, "receipt")
    assert [p["id"] for p in get(api, f"/postings?document={seen['erp_number']}&state=posted")["items"]] == [
        str(posting)
    ]
    status = get(api, "/erp/status")
    assert (status["state"], status["waiting"], status["parked"], status["posted_last_hour"]) == (
        "reachable",
        0,
        0,
        1,
    )
    assert "Stowage Demo" in status["identity"]


def test_a_parked_line_says_why_and_goes_after_a_retry(
    api: Api, site: Site, erp: TrytonConnector, sender: None
) -> None:
    sku = f"LATE-{new_id().hex[:6]}"
    site.conn.execute(
        "insert into item (id, sku, name) values (%s, %s, 'made here first')", [item := new_id(), sku]
    )
    site.items[sku] = item
    posting = site.receive(sku, 2)
    behind = site.move(sku, 1, "A-01", "C-01")
    parked = wait_for(lambda: (p := get(api, f"/postings/{posting}"))["state"] == "parked" and p)
    assert (parked["problem"], sku in parked["words"]) == ("unknown_item", True)
    assert get(api, f"/postings/{behind}")["held_by"] == str(posting)
    (like,) = list(
        erp._search("product.template", [("code", "=", "PACK-TAPE-66")], ["default_uom", "account_category"])
    )
    erp._create("product.template", {
        "name": sku, "code": sku, "type": "goods", "default_uom": like["default_uom"], "account_category": like["account_category"],
        "list_price": Decimal(1), "products": [("create", [{"cost_price": Decimal(1)}])]})  # fmt: skip
    answer = api.post(f"/api/v1/postings/{posting}/retry", json={})
    assert answer.status_code == 200, answer.text
    wait_for(lambda: get(api, f"/postings/{behind}")["state"] == "posted")
    again = api.post(f"/api/v1/postings/{posting}/retry", json={})
    assert again.status_code == 409
    worker = api.as_user(site.conn, "wanda", ["worker"])
    assert worker.post(f"/api/v1/postings/{posting}/retry", json={}).status_code == 403


def test_a_reconciliation_on_demand_answers_with_the_drift(api: Api, site: Site, sender: None) -> None:
    asked = api.post("/api/v1/erp/reconciliations")
    assert asked.status_code == 202, asked.text
    done = wait_for(
        lambda: next(
            (
                r
                for r in get(api, "/erp/reconciliations")["items"]
                if r["id"] == asked.json()["id"] and r["state"] == "done"
            ),
            None,
        )
    )
    assert done["compared"] >= done["drifting"]
    assert all(
        Decimal(d["theirs"]) + Decimal(d["not_yet_posted"]) - Decimal(d["ours"]) == Decimal(d["drift"])
        for d in done["drifts"]
    )


def test_sales_and_purchases_of_the_erp_come_in_by_themselves(
    api: Api, site: Site, erp: TrytonConnector, sender: None
) -> None:
    sale = erp.create_sale(NewOrder(reference(), "C-CAFE", (NewLine("GRC-TEA-100", Decimal(4)),)))
    purchase = erp.create_purchase(NewOrder(reference(), "S-NORD", (NewLine("GRC-TEA-100", Decimal(96)),)))
    row = wait_for(
        lambda: site.conn.execute(
            "select number, source from sales_order where erp_id = %s", [sale.id]
        ).fetchone()
    )
    assert row[1] == "erp"
    open_lines = wait_for(
        lambda: site.conn.execute(
            "select open_quantity from erp_purchase_line where erp_id = %s", [purchase.id]
        ).fetchall()
    )
    assert open_lines == [(96,)]


def test_an_import_takes_what_is_missing_and_says_what_it_could_not(
    api: Api, site: Site, erp: TrytonConnector, sender: None
) -> None:
    site.conn.execute("update item_pack set gtin = null where item_id = %s", [site.items["GRC-TEA-100"]])
    for kind in ("items", "locations", "opening_stock"):
        asked = api.post("/api/v1/erp/imports", json={"kind": kind})
        assert asked.status_code == 202, asked.text
        done = wait_for(
            lambda asked=asked: next(
                (
                    i
                    for i in get(api, "/erp/imports")["items"]
                    if i["id"] == asked.json()["id"] and i["state"] == "done"
                ),
                None,
            )
        )
        if kind == "items":
            assert (done["created"], done["errors"]) == (0, [])
        if kind == "opening_stock":
            assert all("lot" in e["words"] for e in done["errors"])
    unposted = site.conn.execute("select count(*) from posting where state <> 'posted'").fetchone()
    assert unposted == (0,)
