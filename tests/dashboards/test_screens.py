"""Every screen in a real browser against the real API: it says something, nothing fails, in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from backend.db import Conn
from backend.ids import new_id
from tests.conftest import Warehouse, put_stock
from tests.dashboards.desktop import Running, Watched

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]

SCREENS = [
    "/floor",
    "/stock",
    "/items/{item}",
    "/movements",
    "/transfers",
    "/movements/{movement}",
    "/units/{serial}",
    "/places/{place}",
    "/receipts",
    "/receipts?tab=asns",
    "/receipts?tab=putaway",
    "/receipts?tab=returns",
    "/receipts/{receipt}",
    "/asns/{asn}",
    "/returns/{return}",
    "/orders",
    "/orders?tab=waves",
    "/orders?tab=shipments",
    "/orders/{order}",
    "/shipments/{shipment}",
    "/dispatch",
    "/discrepancies",
    "/discrepancies?tab=counts&count=all",
    "/discrepancies?tab=wrong-scans",
    "/replenishment",
    "/replenishment?tab=rules",
    "/replenishment?tab=on_order",
    "/outbox",
    "/outbox?tab=documents",
    "/outbox?tab=orders",
    "/outbox?tab=drift",
    "/outbox?tab=imports",
    "/outbox?tab=webhooks",
    "/outbox?tab=deliveries",
    "/outbox?tab=keys",
    "/outbox?tab=work&work=all",
    "/outbox/{movement}",
    "/devices",
    "/devices?tab=alerts",
    "/devices?tab=dead-letters",
    "/devices/{device}",
    "/settings/me",
    "/settings/sites",
    "/settings/places",
    "/settings/plates",
    "/settings/items",
    "/settings/partners",
    "/settings/imports",
    "/settings/tags",
    "/settings/labels",
    "/settings/depots",
    "/settings/vehicles",
    "/settings/shifts",
    "/settings/users",
    "/settings/tokens",
    "/settings/audit",
    "/settings/ledger",
]


@pytest.fixture
def busy(running: Running, conn: Conn, warehouse: Warehouse) -> Running:
    """A warehouse in which something of everything has happened."""
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "480")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "60", lot="L1", expires_on="2027-01-31")
    put_stock(conn, warehouse, "DRILL-X", "A-02-1", "1", serial="SN-1")
    ask, ids = running.ask, running.ids
    soon = (datetime.now(UTC) + timedelta(hours=4)).isoformat()
    asn = ask(
        "POST",
        "/asns",
        {
            "number": "ASN-1",
            "supplier_id": str(warehouse.supplier_id),
            "lines": [{"sku": "TEA-250", "quantity": "24"}],
        },
    )
    receipt = ask("POST", "/receipts", {"asn_id": asn["id"], "dock_door_id": str(warehouse.places["DOCK-1"])})
    ask("POST", f"/receipts/{receipt['id']}/scans", {"code": "TEA-250", "quantity": "12"})
    order = ask(
        "POST",
        "/sales-orders",
        {
            "external_number": "WEB-1",
            "customer_id": str(warehouse.customer_id),
            "due_at": soon,
            "lines": [{"sku": "TEA-250", "quantity": "12"}, {"sku": "MILK-1L", "quantity": "600"}],
        },
    )
    ask("POST", "/waves", {"order_ids": [order["id"]], "max_orders": 1})
    shipment = ask("POST", "/shipments", {"order_ids": [order["id"]]})
    ask("POST", "/count-tasks", {"place": "A-01-2"})
    ask(
        "PUT",
        "/reorder-rules",
        {"item_id": str(warehouse.items["TEA-250"]), "reorder_point": "900", "target_level": "1200"},
    )
    agent = ask("POST", "/agents", {"code": "DOCK"})
    device = ask(
        "POST",
        "/devices",
        {
            "agent_id": agent["agent"]["id"],
            "code": "COLD-1",
            "kind": "climate_sensor",
            "place_id": str(warehouse.places["COLD"]),
        },
    )
    depot = ask("POST", "/depots", {"code": "YARD", "name": "Yard", "lat": 60.1935, "lon": 24.9527})
    van = ask(
        "POST",
        "/delivery-vehicles",
        {"code": "VAN-1", "depot_id": depot["id"], "max_weight_g": 800_000, "max_volume_ml": 6_000_000},
    )
    ask(
        "POST",
        "/vehicle-shifts",
        {"vehicle_id": van["id"], "starts_at": datetime.now(UTC).isoformat(), "ends_at": soon},
    )
    ask("POST", "/webhook-subscriptions", {"name": "CRM", "url": "https://crm.example/hooks", "types": []})
    returned = ask(
        "POST",
        "/returns",
        {"lines": [{"code": "TEA-250", "quantity": "2", "reason": "not wanted", "grade": "as_new"}]},
    )
    damaged = {"code": "TEA-250", "reason": "arrived damaged", "grade": "damaged"}
    ask("POST", f"/returns/{returned['id']}/lines", damaged)
    ids |= {
        "return": returned["id"],
        "item": str(warehouse.items["TEA-250"]),
        "movement": ask("GET", "/movements?cause_kind=receipt")["items"][0]["id"],
        "serial": "SN-1",
        "place": str(warehouse.places["COLD"]),
        "receipt": receipt["id"],
        "asn": asn["id"],
        "order": order["id"],
        "shipment": shipment["id"],
        "device": device["id"],
    }
    return running


A_KEY = re.compile(r"\b(?:common:|(?:field|state|action|nav|problem|kind|unit|tab|chapter)\.)[a-z_]+\b")


@pytest.mark.timeout(900)  # some sixty pages one after the other
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_screen_opens_without_a_fault(busy: Running, browser: Browser, language: str) -> None:
    watched = Watched(browser, busy, language)
    faults: list[str] = []
    for screen in SCREENS:
        path = screen.format_map(busy.ids)
        text = watched.open(path)
        if A_KEY.search(text):
            faults.append(f"{screen}: a key instead of a word: {A_KEY.search(text)}")
        if watched.page.locator("#content [role=alert]").count():
            faults.append(f"{screen}: {watched.page.locator('#content [role=alert]').first.inner_text()}")
        if language == "zh" and not re.search(r"[\u4e00-\u9fff]", text):
            faults.append(f"{screen}: nothing on it is Chinese")
        faults += [f"{screen}: {what}" for what in watched.wrong]
        watched.wrong.clear()
    watched.context.close()
    assert not faults, "\n".join(faults)


def test_an_empty_system_says_what_to_do_next(running: Running, browser: Browser) -> None:
    watched = Watched(browser, running, "en")
    for path, words in [
        ("/receipts", "No receipts yet"),
        ("/dispatch", "nothing to dispatch yet"),
        ("/orders", "They come from the ERP"),
        ("/discrepancies", "Books and reality agree"),
        ("/replenishment?tab=rules", "No rules yet"),
        ("/devices", "No agents yet"),
    ]:
        watched.open(path)
        expect(watched.page.locator("#content")).to_contain_text(words)
    assert not watched.wrong
    watched.context.close()


def test_a_system_without_a_site_says_what_comes_first(bare: Running, browser: Browser) -> None:
    watched = Watched(browser, bare, "en")
    watched.open("/floor")
    expect(watched.page.locator("#content")).to_contain_text("Create the site")
    watched.page.get_by_role("link", name="Open", exact=True).first.click()
    watched.page.get_by_text("There is no site yet").wait_for()
    assert not watched.wrong
    watched.context.close()


def test_a_person_logs_in_and_comes_back_to_where_they_wanted_to_go(
    running: Running, browser: Browser
) -> None:
    watched = Watched(browser, running, "en", logged_in=False)
    page = watched.page
    page.goto(f"{running.base}/stock")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("The name or the password is wrong.").wait_for()
    page.get_by_label("Password", exact=True).fill("a good password")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{running.base}/stock")
    page.get_by_text("TEA-250").first.wait_for()
    watched.context.close()


def test_search_is_one_key_away_and_a_scanned_code_opens_its_page(busy: Running, browser: Browser) -> None:
    watched = Watched(browser, busy, "en")
    watched.open("/orders")
    watched.page.keyboard.press("/")
    watched.page.get_by_role("combobox").fill("green")
    watched.page.get_by_role("option", name=re.compile("TEA-250")).wait_for()
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url(f"{busy.base}/items/{busy.ids['item']}")
    watched.open("/orders")
    watched.page.keyboard.press("/")
    expect(watched.page.get_by_role("combobox")).to_be_focused()
    watched.page.keyboard.type("06412345000012")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url(f"{busy.base}/items/{busy.ids['item']}")
    assert not watched.wrong
    watched.context.close()


def test_a_change_elsewhere_appears_without_a_reload(busy: Running, browser: Browser) -> None:
    watched = Watched(browser, busy, "en")
    watched.open(f"/receipts/{busy.ids['receipt']}")
    watched.page.locator("[role=status][data-status=open]").wait_for()
    busy.ask("POST", f"/receipts/{busy.ids['receipt']}/scans", {"code": "TEA-250", "quantity": "5"})
    watched.page.locator("#content").get_by_text("17", exact=True).first.wait_for()
    assert not watched.wrong
    watched.context.close()


def test_the_books_are_corrected_by_a_form_that_shows_its_mistakes(busy: Running, browser: Browser) -> None:
    watched = Watched(browser, busy, "en")
    page = watched.page
    before = int(busy.ask("GET", f"/items/{busy.ids['item']}/stock")["on_hand"])
    watched.open(f"/items/{busy.ids['item']}")
    page.get_by_role("button", name="Adjust stock").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Place").fill("NO-SUCH-BIN")
    dialog.get_by_label("Change").fill("-2")
    dialog.get_by_label("Reason").fill("two were broken")
    dialog.get_by_role("button", name="Post the adjustment").click()
    page.get_by_text("names no item, place").wait_for()
    dialog.get_by_label("Place").fill("A-01-1")
    dialog.get_by_role("button", name="Post the adjustment").click()
    dialog.wait_for(state="detached")
    stock = busy.ask("GET", f"/items/{busy.ids['item']}/stock")
    assert stock["on_hand"] == str(before - 2)
    page.get_by_text(str(before - 2)).first.wait_for()
    watched.context.close()


def test_a_fleet_is_set_up_by_forms(running: Running, browser: Browser, conn: Conn) -> None:
    conn.execute(
        "insert into app_user (id, username, name, password_hash, roles) values (%s, 'dan', 'Dan Driver', 'x', array['driver'])",
        [new_id()],
    )
    watched = Watched(browser, running, "en")
    page = watched.page
    dialog = page.get_by_role("dialog")
    watched.open("/settings/depots")
    expect(page.locator("#content")).to_contain_text("There is no depot yet")
    page.get_by_role("button", name="Add a depot").first.click()
    for label, value in {
        "Code": "YARD",
        "Name": "Yard",
        "Latitude": "60.1935",
        "Longitude": "24.9527",
    }.items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("cell", name="60.19350, 24.95270").wait_for()

    watched.open("/settings/vehicles")
    page.get_by_role("button", name="Add a vehicle").first.click()
    for label, value in {
        "Code": "VAN-7",
        "Plate": "XYZ-7",
        "Load (kg)": "812.5",
        "Room (m³)": "7.25",
    }.items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("combobox", name="Carries").press("ArrowDown")
    for goods in ("Chilled", "Hazard"):
        page.get_by_role("option", name=goods).click()
    page.keyboard.press("Escape")
    dialog.get_by_label("Has", exact=True).fill("tail lift, ")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("cell", name="812.5").wait_for()
    expect(page.get_by_test_id("goods")).to_have_text("chilledhazardtail lift")
    (van,) = running.ask("GET", "/delivery-vehicles")["items"]
    assert van["skills"] == ["chilled", "hazard", "tail lift"]
    assert (van["max_weight_g"], van["max_volume_ml"], van["cost_per_km_cents"]) == (812_500, 7_250_000, 60)

    watched.open("/settings/shifts?week=2027-03-22")  # the clocks change on its Sunday
    page.get_by_role("button", name="Add a shift: VAN-7, 28 Mar 2027").click()
    dialog.get_by_label("Driver").click()
    page.get_by_role("option", name="Dan Driver").click()
    dialog.get_by_label(re.compile("^From")).fill("07:30")
    dialog.get_by_label(re.compile("^Until")).fill("15:30")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("button", name=re.compile("07:30 – 15:30.*Dan Driver")).click()
    (shift,) = running.ask("GET", "/vehicle-shifts?day=2027-03-28")["items"]
    assert datetime.fromisoformat(shift["starts_at"]) == datetime(2027, 3, 28, 4, 30, tzinfo=UTC)
    assert (shift["break_s"], shift["driver_name"]) == (1800, "Dan Driver")
    dialog.get_by_label("Take it off").check()
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    page.get_by_role("button", name=re.compile("07:30")).wait_for(state="detached")
    assert not watched.wrong
    watched.context.close()
