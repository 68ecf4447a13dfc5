"""What an integrator and a shift leader look after, in a real browser: failed work, commands, wrong scans, keys, cartons."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from backend import jobs, packing, worker
from backend.db import Conn
from backend.ids import new_id
from backend.ingest import commit_batch
from tests.backend.ingest.sender import new_sender
from tests.backend.orders.flow import accept
from tests.backend.packing.test_packing import pick_all
from tests.backend.shipping import test_shipping as goods
from tests.conftest import Warehouse, put_stock
from tests.dashboards.desktop import Running, Watched
from tests.screens import delivery_day

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def run_worker_until(database_url: str, conn: Conn, what: str) -> None:
    """The worker runs until `what` is a row."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(database_url, None, stop))
    thread.start()
    deadline = time.monotonic() + 60
    try:
        while conn.execute(what.encode()).fetchone() is None:
            assert time.monotonic() < deadline, what
            time.sleep(0.1)
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), "the worker goes on"


def test_work_that_failed_for_good_is_seen_with_its_reason_and_tried_again(
    database_url: str,
    running: Running,
    conn: Conn,
    warehouse: Warehouse,
    browser: Browser,
) -> None:
    with conn.transaction():
        jobs.defer(
            conn,
            "delivery_plan",
            {"site_id": str(warehouse.site_id), "plan_id": str(new_id()), "correlation_id": "c"},
        )
    run_worker_until(database_url, conn, "select 1 from alert where kind = 'job_failed'")

    chinese = Watched(browser, running, "zh")
    chinese.open("/devices?tab=alerts")
    expect(chinese.page.get_by_text("规划配送路线：试了 2 次仍失败：")).to_be_visible()
    chinese.page.get_by_role("link", name="查看").click()
    expect(chinese.page.get_by_role("row", name=re.compile("失败.*规划配送路线"))).to_be_visible()
    assert not chinese.wrong
    chinese.context.close()

    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open("/outbox?tab=work")
    row = page.get_by_role("row", name=re.compile("Planning the delivery routes"))
    expect(row).to_contain_text("There is no such plan")
    expect(row).to_contain_text("failed")
    row.get_by_role("button", name="Retry").click()
    expect(row).to_contain_text("to be tried again")
    expect(row.get_by_role("button", name="Retry")).to_have_count(0)
    watched.open("/devices?tab=alerts")
    page.get_by_text("Nothing is wrong").wait_for()
    assert not watched.wrong
    watched.context.close()


def test_nothing_fails_is_said(running: Running, browser: Browser) -> None:
    watched = Watched(browser, running, "en")
    for path, words in [
        ("/outbox?tab=work", "Nothing fails"),
        ("/discrepancies?tab=wrong-scans", "No wrong scans"),
        ("/outbox?tab=keys", "No keys here"),
    ]:
        watched.open(path)
        expect(watched.page.locator("#content")).to_contain_text(words)
    assert not watched.wrong
    watched.context.close()


def test_a_device_is_told_what_it_knows(
    running: Running, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    sender = new_sender(conn, warehouse)
    ids = dict(conn.execute("select code, id from device").fetchall())
    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open(f"/devices/{ids['scale-1']}")
    expect(page.locator("#content")).to_contain_text("Its agent dock is away.")
    expect(page.get_by_role("button", name="Tare")).to_be_disabled()

    commit_batch(conn, [sender.status()])
    watched.open(f"/devices/{ids['scale-1']}")
    page.get_by_role("button", name="Tare").click()
    told = page.get_by_role("table", name="Commands").get_by_role("row")
    expect(told.nth(1)).to_contain_text(re.compile("waiting.*Tare.*ada", re.DOTALL))
    page.get_by_role("button", name="Restart").click()
    page.get_by_role("button", name="Press again").click()
    expect(told.nth(1)).to_contain_text(re.compile("waiting.*Restart", re.DOTALL))
    assert conn.execute("select command from device_command order by id").fetchall() == [
        ("tare_scale",),
        ("restart_device",),
    ]
    watched.open(f"/devices/{ids['cold-1']}")
    page.get_by_role("button", name="Restart").wait_for()
    expect(page.get_by_role("button", name="Tare")).to_have_count(0)
    assert not watched.wrong
    watched.context.close()


def test_wrong_scans_are_seen_as_they_happen_and_by_person(
    running: Running, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    order = accept(conn, warehouse, ("TEA-250", "4"))
    (task,) = running.ask("GET", "/pick-tasks")["items"]
    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open("/discrepancies?tab=wrong-scans")
    with pytest.raises(AssertionError, match="wrong-pick"):
        running.ask(
            "POST", f"/pick-tasks/{task['id']}/confirm", {"place": "A-01-2", "code": "06412345000012"}
        )
    row = page.get_by_role("row", name=re.compile("another place"))
    for words in ("ada", "A-01-1", "A-01-2", "TEA-250", order.number):
        expect(row).to_contain_text(words)
    row.get_by_role("link", name="ada").click()
    expect(page).to_have_url(re.compile("who=user%3Aada"))
    expect(row).to_be_visible()
    page.goto(f"{running.base}/discrepancies?tab=wrong-scans&who=user:bob")
    page.get_by_text("No wrong scans").wait_for()
    page.get_by_role("button", name="bob").click()
    expect(row).to_be_visible()
    row.get_by_role("link", name=order.number).click()
    page.wait_for_url(f"{running.base}/orders/{order.id}")
    assert not watched.wrong
    watched.context.close()


def test_a_key_of_another_system_is_set_by_a_form(
    running: Running, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    running.ask(
        "PUT",
        "/external-keys",
        {"system": "erp", "kind": "partner", "our_code": "SUP-1", "their_key": "P-77"},
    )
    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open("/outbox?tab=keys")
    page.get_by_role("button", name="Set a key").click()
    dialog = page.get_by_role("dialog")
    for label, value in {"System": "crm", "Ours": "TEA-999", "Their key": "T-1"}.items():
        dialog.get_by_label(re.compile(f"^{label}")).fill(value)
    dialog.get_by_role("button", name="Save").click()
    page.get_by_text("There is no item TEA-999 here.").wait_for()
    watched.wrong.clear()  # the refusal
    dialog.get_by_label(re.compile("^Ours")).fill("TEA-250")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    row = page.get_by_role("row", name=re.compile("crm.*TEA-250.*T-1"))
    row.get_by_role("button", name="Edit").click()
    dialog.get_by_label(re.compile("^Their key")).fill("T-2")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile("crm.*TEA-250.*T-2"))).to_be_visible()
    page.get_by_placeholder("System, e.g. erp").fill("erp")
    expect(page.get_by_role("row", name=re.compile("crm"))).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile("erp.*SUP-1.*P-77"))).to_be_visible()
    assert not watched.wrong
    watched.context.close()


def test_a_shift_leader_takes_a_carton_off_a_vehicle_and_sends_it_with_another(
    running: Running, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "40")
    goods.vehicle(conn, warehouse, "VAN-1")
    one = goods.packed(conn, warehouse)
    shipment = goods.shipment_of(conn, warehouse, one.order)
    goods.load(conn, warehouse, shipment, one.carton)
    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open(f"/shipments/{shipment.id}")
    happened = page.get_by_role("table", name="What happened")
    expect(happened).to_contain_text(f"carton {one.carton.sscc} of {one.order.number}")
    expect(page.get_by_role("button", name="Vehicle and door")).to_have_count(0)
    page.get_by_role("button", name="Take off").click()
    page.get_by_role("table", name="Cartons").get_by_role("button").click()
    expect(happened.get_by_role("row", name=re.compile("taken off"))).to_be_visible()
    page.get_by_role("button", name="Vehicle and door").click()
    page.get_by_role("combobox", name="Vehicle").click()
    page.get_by_role("option", name="VAN-1").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("dialog").wait_for(state="detached")
    expect(page.locator("header").filter(has_text=shipment.number)).to_contain_text("VAN-1")

    two = goods.packed(conn, warehouse)
    watched.open("/orders?tab=shipments")
    page.get_by_role("button", name="Plan a shipment").click()
    page.get_by_role("combobox", name="Orders").press("ArrowDown")
    for packed in (one, two):
        page.get_by_role("option", name=re.compile(packed.order.number)).click()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.wait_for_url(re.compile("/shipments/"))
    for packed in (one, two):
        expect(page.get_by_role("table", name="Orders")).to_contain_text(packed.order.number)
    assert not watched.wrong
    watched.context.close()


def test_a_shift_leader_takes_an_item_out_of_an_open_carton(
    running: Running, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    order = accept(conn, warehouse, ("TEA-250", "4"))
    pick_all(conn, warehouse, order)
    with conn.transaction():
        carton = packing.open_carton(conn, warehouse.ctx(), order.id, warehouse.places["BENCH-1"])
        packing.pack(conn, warehouse.ctx(), carton.id, "TEA-250")
    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open(f"/orders/{order.id}")
    inside = page.get_by_role("table", name=f"In carton {carton.sscc}")
    inside.get_by_role("button", name="Take out").click()
    inside.get_by_role("button").click()
    inside.wait_for(state="detached")
    assert packing.carton(conn, warehouse.site_id, carton.id).contents == ()
    assert not watched.wrong
    watched.context.close()


def test_a_dispatcher_corrects_the_address_of_a_delivery(
    running: Running, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    with conn.transaction():
        delivery_day.job(
            conn, warehouse.ctx(), warehouse.customer_id, None, soon, soon + timedelta(hours=2), number="SO-7", address="Nowhere 1"
        )  # fmt: skip
    (job,) = running.ask("GET", "/delivery-jobs")["items"]
    watched = Watched(browser, running, "en")
    page = watched.page
    watched.open(f"/orders/{job['order_id']}")
    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Phone").fill("+358 40 555 0123")
    dialog.get_by_label(re.compile("^Address")).fill("Unioninkatu 40, Helsinki")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    expect(page.locator("#content")).to_contain_text("Unioninkatu 40, Helsinki")
    changed = running.ask("GET", f"/delivery-jobs/{job['id']}")
    assert (changed["phone"], changed["version"]) == ("+358 40 555 0123", job["version"] + 1)
    assert not watched.wrong
    watched.context.close()
