"""The driver's phone in a real browser against the real API: one whole day, and what goes wrong on it."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from backend import ledger
from backend.db import Conn
from tests.chromium import intercept
from tests.conftest import Warehouse
from tests.screens.driver_day import DriverDay, a_day, person
from tests.screens.handheld import WATCH, Backend

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SHOTS = os.environ.get("STOWAGE_TEST_SHOTS")
TARGETS = """() => {
  const wrong = [];
  for (const e of document.querySelectorAll('main button, main a, main input:not([type=file])')) {
    const r = e.getBoundingClientRect();
    if (r.width === 0) continue;
    const name = e.dataset.testid ?? e.textContent;
    if (r.width < 47.5 || r.height < 47.5) wrong.push(`small ${name} ${r.width}x${r.height}`);
    if (r.left < -0.5 || r.right > innerWidth + 0.5) wrong.push(`outside ${name}`);
    if (e.className.includes('main') && r.bottom > innerHeight + 0.5) wrong.push(`below the thumb ${name}`);
  }
  if (document.scrollingElement.scrollHeight > innerHeight || document.scrollingElement.scrollWidth > innerWidth) wrong.push('page scrolls');
  return wrong;
}"""


def picture(width: int, height: int) -> bytes:
    """A PNG of a door in a wall, as large as a camera's."""
    wall, door = b"\xc8\xb9\xa5", b"\x2f\x5d\x4b"
    rows = b"".join(
        b"\0"
        + (
            wall * (width // 3)
            + (door if y > height // 5 else wall) * (width // 3)
            + wall * (width - 2 * (width // 3))
        )
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )


@dataclass
class Phone:
    page: Page
    base: str
    faults: list[str] = field(default_factory=list)

    def log_in(self, username: str) -> None:
        self.page.goto(f"{self.base}/driver")
        self.page.locator("input[name=username]").fill(username)
        self.page.locator("input[name=password]").fill("test-password")
        self.fits("login")
        self.page.locator("button[type=submit]").click()
        self.page.get_by_test_id("driver-home").wait_for()

    def open(self, day: DriverDay) -> None:
        self.page.get_by_test_id(f"route-{day.route_number}").click()
        self.page.get_by_test_id("route").wait_for()

    def at(self, step: str) -> None:
        expect(self.page.get_by_test_id("route")).to_have_attribute("data-step", step)

    def settled(self) -> None:
        """Everything done on the phone has arrived."""
        expect(self.page.get_by_test_id("route")).to_have_attribute("data-pending", "0")

    def press(self, test_id: str) -> None:
        self.page.get_by_test_id(test_id).click()

    def wedge(self, code: str) -> None:
        self.page.keyboard.type(code)
        self.page.keyboard.press("Enter")

    def scan(self, code: str, tone: str = "good") -> None:
        before = self.answers()
        self.wedge(code)
        self.page.wait_for_function(f"window.answers.length > {len(before)}")
        assert self.answers()[-1] == tone, self.page.inner_text("main")

    def answers(self) -> list[str]:
        return list(self.page.evaluate("window.answers"))

    def says(self, test_id: str, words: str) -> None:
        expect(self.page.get_by_test_id(test_id)).to_contain_text(words)

    def sign(self) -> None:
        paper = self.page.get_by_test_id("signature")
        paper.scroll_into_view_if_needed()
        box = paper.bounding_box()
        assert box is not None
        mouse, x, y = self.page.mouse, box["x"] + 60, box["y"] + box["height"] / 2
        mouse.move(x, y)
        mouse.down()
        for n in range(1, 25):
            mouse.move(x + n * 9, y + (28 if n % 4 < 2 else -28))
        mouse.up()

    def photograph(self) -> None:
        self.page.get_by_test_id("photo").set_input_files(
            {"name": "door.png", "mimeType": "image/png", "buffer": picture(2400, 1800)}
        )
        self.page.get_by_test_id("photo-shown").wait_for()

    def fits(self, name: str) -> None:
        self.page.wait_for_function(
            "!document.querySelector('[data-testid=answer]')?.checkVisibility({visibilityProperty: true})"
        )
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SHOTS) / f"driver-{name}.png")
        assert self.page.evaluate(TARGETS) == [], name


def short(sscc: str) -> str:
    """As it stands on the screen: the last eight digits."""
    return f"… {sscc[-8:-4]} {sscc[-4:]}"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="en-GB",
                                  timezone_id="Europe/Helsinki")  # fmt: skip
    context.set_default_timeout(30_000)
    context.add_init_script(WATCH)
    yield context
    context.close()


@pytest.fixture
def phone(backend: Backend, context: BrowserContext) -> Iterator[Phone]:
    """Nobody is logged in yet; no error may come up while it is used."""
    page = context.new_page()
    made = Phone(page, backend.base)
    page.on("pageerror", lambda e: made.faults.append(str(e)))
    page.on(
        "console",
        lambda m: (
            made.faults.append(m.text)
            if m.type in ("error", "warning") and "status of 4" not in m.text and "ERR_" not in m.text
            else None
        ),
    )
    yield made
    assert made.faults == []


def proofs(office: Backend, day: DriverDay) -> dict[str, Any]:
    return {p["order_id"]: p for p in office.ask("GET", f"/delivery-proofs?route_id={day.route_id}")["items"]}


def load_all(phone: Phone, day: DriverDay) -> None:
    phone.page.get_by_test_id("amount").wait_for()
    for order in reversed(day.orders):
        for sscc in order["sscc"]:
            phone.scan(f"00{sscc}")
    phone.settled()


def test_a_whole_day_of_one_driver(
    phone: Phone, office: Backend, conn: Conn, warehouse: Warehouse, browser: Browser
) -> None:
    day = a_day(office, conn, warehouse)
    anna, kahvila, bjorn, toimisto = day.orders
    phone.log_in("dan")
    phone.fits("routes")
    phone.open(day)

    # loading: the last stop's carton is asked for first; a parcel of another order is refused, in red
    phone.at("load")
    phone.says("amount", "/ 5")
    expect(phone.page.get_by_test_id("next-carton")).to_have_attribute("data-sscc", toimisto["sscc"][0])
    phone.fits("load")
    phone.wedge(f"00{day.elsewhere['sscc'][0]}")
    phone.page.wait_for_function("window.answers.length > 0")
    if SHOTS:
        phone.page.screenshot(path=Path(SHOTS) / "driver-wrong-flash.png")
    assert phone.answers()[-1] == "bad"
    phone.says("verdict", "Wrong parcel")
    verdict = phone.page.get_by_test_id("verdict")
    expect(verdict.get_by_test_id("expected")).to_have_text(short(toimisto["sscc"][0]))
    expect(verdict.get_by_test_id("seen")).to_have_text(short(day.elsewhere["sscc"][0]))
    phone.fits("wrong")
    phone.says("amount", "0/ 5")
    phone.scan(f"00{toimisto['sscc'][0]}")
    expect(phone.page.get_by_test_id("next-carton")).to_have_attribute("data-sscc", bjorn["sscc"][0])
    phone.press("type-code")  # no scanner at hand: the last digits by thumb
    phone.fits("type")
    phone.page.locator("input[name=code]").fill(bjorn["sscc"][0][-6:])
    phone.page.locator("input[name=code]").press("Enter")
    phone.says("amount", "2/ 5")
    for sscc in (*kahvila["sscc"], *anna["sscc"]):
        phone.scan(f"00{sscc}")
    phone.fits("loaded")
    phone.press("depart")

    # the first stop: both cartons, a signature
    phone.at("drive")
    phone.settled()
    phone.says("address", "Aleksanterinkatu 52")
    phone.says("customer", "Anna Virtanen")
    phone.says("note", "Ring twice")
    expect(phone.page.get_by_test_id("call")).to_have_attribute("href", "tel:+358401234567")
    phone.press("navigate-other")
    phone.fits("navigate")
    phone.press("app-google")
    expect(phone.page.get_by_test_id("navigate")).to_have_attribute(
        "href", "https://www.google.com/maps/dir/?api=1&destination=60.168600,24.942800&travelmode=driving"
    )
    phone.fits("drive")
    phone.press("arrived")
    phone.at("stop")
    phone.scan(f"00{kahvila['sscc'][0]}", tone="bad")  # for the next stop
    phone.fits("not-here")
    phone.scan(f"00{anna['sscc'][0]}")
    phone.press(f"tick-{anna['sscc'][1]}")
    phone.fits("goods")
    phone.press("to-sign")
    expect(phone.page.get_by_test_id("delivered")).to_be_disabled()
    phone.page.locator("input[name=receiver]").fill("Anna Virtanen")
    phone.sign()
    phone.fits("sign")
    phone.press("delivered")

    # the second: five of twelve are damaged
    phone.at("drive")
    phone.says("customer", "Kahvila Kallio")
    phone.settled()
    phone.press("stop-list")
    phone.fits("stops")
    phone.press("stop-list")
    phone.press("arrived")
    phone.press(f"keep-{kahvila['sscc'][0]}")
    phone.press("why-damaged")
    phone.press("keep-some")
    for _ in range(5):
        phone.press("more-TEA-250")
    phone.says("kept-TEA-250", "5")
    phone.fits("keep")
    phone.press("keep-done")
    phone.fits("partly")
    phone.press("to-sign")
    phone.page.locator("input[name=receiver]").fill("Kaisa")
    phone.sign()
    phone.press("delivered")

    # the third refuses, at the fourth nobody is there
    phone.says("customer", "Björn Lindqvist")
    phone.press("arrived")
    phone.press("refused")
    phone.press("why-not_ordered")
    phone.page.locator("input[name=note]").fill("ordered elsewhere")
    phone.fits("refuse")
    phone.press("failed")
    phone.says("customer", "Toimisto")
    phone.press("arrived")
    phone.press("nobody")
    phone.press("why-no_answer")
    expect(phone.page.get_by_test_id("failed")).to_be_disabled()
    phone.photograph()
    phone.fits("nobody")
    phone.press("failed")

    # back at the depot: three cartons come out by scan
    phone.at("home")
    phone.settled()
    phone.says("comes-back", "3 cartons")
    phone.fits("back")
    phone.press("unload")
    phone.at("unload")
    phone.fits("unload")
    phone.scan(f"00{anna['sscc'][0]}", tone="bad")
    for order in (kahvila, bjorn, toimisto):
        phone.scan(f"00{order['sscc'][0]}")
    phone.settled()
    phone.says("instruction", "The van is empty")
    phone.fits("empty")
    phone.press("finish")
    phone.settled()
    phone.says("instruction", "Route finished")
    phone.fits("finished")

    found = proofs(office, day)
    assert [found[o["id"]]["outcome"] for o in day.orders] == [
        "delivered",
        "partly_delivered",
        "refused",
        "nobody_there",
    ]
    assert found[anna["id"]]["receiver_name"] == "Anna Virtanen"
    assert "<path" in found[anna["id"]]["signature_svg"]
    assert [line["scanned"] for line in found[anna["id"]]["lines"]] == [
        line["sscc"] == anna["sscc"][0] for line in found[anna["id"]]["lines"]
    ]
    (part,) = found[kahvila["id"]]["lines"]
    assert (part["aboard"], part["delivered"], part["reason"]) == ("12", "7", "damaged")
    assert found[bjorn["id"]]["reason"] == "not_ordered: ordered elsewhere"
    assert found[toimisto["id"]]["photo_type"] == "image/jpeg"
    assert ledger.verify(conn) == []
    state = office.ask("GET", f"/driver/routes/{day.route_id}")["state"]
    assert state == "finished"
    at_the_desk(browser, phone.base, conn, day)


def at_the_desk(browser: Browser, base: str, conn: Conn, day: DriverDay) -> None:
    """What a lead sees of it on the orders' pages: proofs with signature and photo, and the link for a further attempt."""
    anna, kahvila, _, toimisto = day.orders
    person(conn, "lena", "lead")
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.set_default_timeout(30_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.goto(f"{base}/login?to=/orders/{anna['id']}")
    page.get_by_label("User name").fill("lena")
    page.get_by_label("Password", exact=True).fill("test-password")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature")).not_to_have_js_property("naturalWidth", 0)
    expect(page.get_by_test_id("proof")).to_contain_text("Anna Virtanen")
    page.get_by_test_id("proof").scroll_into_view_if_needed()
    desk_shot(page, "order")
    page.goto(f"{base}/orders/{kahvila['id']}")
    expect(page.get_by_role("table", name="Handed over")).to_contain_text("damaged")
    page.goto(f"{base}/orders/{toimisto['id']}")
    expect(page.get_by_test_id("photo")).not_to_have_js_property("naturalWidth", 0)
    expect(page.get_by_test_id("proof")).to_contain_text("nobody opens")
    page.get_by_test_id("tracking-link").click()  # of the second attempt, which is to be planned
    expect(page.get_by_test_id("tracking-url")).to_contain_text("/track/")
    page.get_by_test_id("tracking-url").scroll_into_view_if_needed()
    desk_shot(page, "order-again")
    for chapter in ("depots", "vehicles", "shifts"):
        page.goto(f"{base}/settings/{chapter}")
        page.get_by_text("VALLILA" if chapter == "depots" else "VAN-1").first.wait_for()
        desk_shot(page, chapter)
    context.close()
    assert faults == []


def desk_shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"desk-{name}.png")


def sign_for(phone: Phone, name: str) -> None:
    phone.press("tick-all")
    phone.press("to-sign")
    phone.page.locator("input[name=receiver]").fill(name)
    phone.sign()


def test_a_signature_survives_a_dead_network_a_reload_and_a_refusal(
    phone: Phone, office: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    day = a_day(office, conn, warehouse, stops=3)
    phone.log_in("dan")
    phone.open(day)
    load_all(phone, day)
    phone.press("depart")
    phone.settled()

    # planned anew meanwhile: the last stop comes first now; said until it was seen
    expect(phone.page.get_by_test_id("changed")).to_have_count(0)
    route = office.ask("GET", f"/driver/routes/{day.route_id}")
    last = route["stops"][-1]["job"]
    office.ask("POST", f"/delivery-routes/{day.route_id}/stops",
               {"job_id": last["id"], "position": 1, "version": route["version"], "from_version": route["version"], "anyway": True})  # fmt: skip
    phone.says("changed", "1 stop moved")
    phone.says("customer", last["customer_name"])
    phone.fits("changed")
    phone.press("change-accept")
    expect(phone.page.get_by_test_id("changed")).to_have_count(0)

    # it is delivered, and nobody hears the answer; then the network is dead, and the phone starts anew
    phone.press("arrived")
    phone.settled()
    sign_for(phone, "Björn")
    keys: list[str | None] = []
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.url)
        if len(lost) == 1:
            route.fetch()
        route.abort("connectionreset")

    def delivers(r: Request) -> bool:
        return r.method == "POST" and urlsplit(r.url).path.endswith("/deliver")

    phone.page.on("request", lambda r: keys.append(r.headers.get("idempotency-key")) if delivers(r) else None)
    intercept(phone.page, "**/deliver?*", lose)
    intercept(phone.page, "**/deliver", lose)
    phone.press("delivered")
    phone.at("drive")  # the next stop does not wait for the network
    phone.says("customer", "Anna Virtanen")
    phone.says("cut-off", "kept on this phone")
    phone.says("pending", "1")
    phone.fits("cut-off")
    with phone.page.expect_request(delivers):
        phone.page.reload()
    phone.says("pending", "1")
    phone.says("customer", "Anna Virtanen")
    expect(phone.page.get_by_test_id("changed")).to_have_count(0)
    phone.page.unroute("**/deliver?*")
    phone.page.unroute("**/deliver")
    phone.page.evaluate("window.dispatchEvent(new Event('online'))")
    phone.settled()
    assert len(keys) > 2
    assert len(set(keys)) == 1
    assert conn.execute(
        "select receiver_name, signature_svg like '%<path%' from delivery_proof"
    ).fetchall() == [("Björn", True)]

    # the office has ended a delivery that the driver has a signature for: it is refused, and stays with its sentence
    phone.press("arrived")
    phone.settled()
    sign_for(phone, "Anna")
    intercept(phone.page, "**/driver/routes/**", lambda r: r.abort())  # the phone has not heard of it yet
    stop = next(
        s
        for s in office.ask("GET", f"/driver/routes/{day.route_id}")["stops"]
        if s["job"]["customer_name"] == "Anna Virtanen"
    )
    office.ask(
        "POST",
        f"/delivery-stops/{stop['id']}/fail",
        {"outcome": "refused", "reason": "said on the telephone"},
    )
    phone.press("delivered")
    phone.says("not-taken", "Anna Virtanen")
    phone.page.unroute("**/driver/routes/**")
    phone.says("customer", "Kahvila Kallio")
    phone.fits("refused")
    phone.page.reload()
    phone.says("not-taken", "Anna Virtanen")
    phone.press("not-taken-drop")
    phone.press("not-taken-drop")
    expect(phone.page.get_by_test_id("not-taken")).to_have_count(0)
    assert {p["outcome"] for p in proofs(office, day).values()} == {"delivered", "refused"}


def test_the_driver_speaks_chinese_in_the_dark(
    phone: Phone, office: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    day = a_day(office, conn, warehouse, stops=2, break_s=1800, released=False)
    phone.log_in("dan")
    phone.page.get_by_test_id("no-routes").wait_for()
    phone.fits("no-routes")
    phone.press("language")
    phone.press("theme")
    route = office.ask("GET", f"/delivery-routes/{day.route_id}")
    office.ask("POST", f"/delivery-routes/{day.route_id}/release", {"version": route["version"]})
    expect(phone.page.get_by_test_id(f"route-{day.route_number}")).to_contain_text("装车")  # without a reload
    phone.fits("zh-routes")
    phone.open(day)
    phone.says("instruction", "扫描并装车")
    phone.fits("zh-load")
    phone.wedge(f"00{day.elsewhere['sscc'][0]}")
    phone.says("verdict", "包裹不对")
    phone.fits("zh-wrong")
    load_all(phone, day)
    phone.press("depart")
    phone.at("drive")
    phone.settled()
    # the break lies where planning put it
    stops = office.ask("GET", f"/driver/routes/{day.route_id}")["stops"]
    assert sorted(s["kind"] for s in stops) == ["break", "delivery", "delivery"]
    for stop in stops:
        if stop["kind"] == "break":
            phone.fits("zh-rest")
            phone.press("rest-start")
            phone.press("rest-over")
            continue
        phone.says("customer", stop["job"]["customer_name"])
        phone.fits("zh-drive")
        phone.press("arrived")
        phone.fits("zh-goods")
        phone.press("nobody")
        phone.fits("zh-nobody")
        phone.press("back")
        sign_for(phone, "安娜")
        phone.fits("zh-sign")
        phone.press("delivered")
    phone.at("home")
    phone.settled()
    phone.fits("zh-home")
    words = phone.page.inner_text("main")
    assert "driver:" not in words
    assert phone.page.evaluate("document.documentElement.lang") == "zh-CN"


def test_another_van_takes_over_the_goods_of_one_that_broke_down(
    phone: Phone, office: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    conn.execute("update item set storage_class = 'chilled' where sku = 'TEA-250'")
    day = a_day(office, conn, warehouse, stops=2, carries=("chilled",))
    anna, kahvila = day.orders
    phone.log_in("dan")
    phone.open(day)
    expect(phone.page.get_by_test_id("next-carton").get_by_test_id("goods")).to_have_text("chilled")
    phone.fits("load-chilled")
    load_all(phone, day)
    phone.press("depart")
    phone.settled()
    expect(phone.page.get_by_test_id("goods")).to_have_text("chilled")
    conn.execute(
        """insert into vehicle_now (site_id, vehicle_id, at, lat, lon) select site_id, id, now(), 60.1801, 24.9502
           from delivery_vehicle where id = %s""",
        [day.vehicle["id"]],
    )
    phone.press("stop-list")
    phone.press("break-down")
    phone.fits("break-down-sure")
    phone.press("break-down")
    phone.at("broken_down")
    phone.settled()
    phone.fits("broken-down")

    # the dispatcher gives all of it to another van, whose driver has nothing to load
    now = datetime.now(UTC)
    van = {"code": "VAN-2", "depot_id": day.depot["id"], "plate": "XYZ-789", "max_weight_g": 800_000, "max_volume_ml": 6_000_000,
           "skills": ["chilled"]}  # fmt: skip
    shift = {"vehicle_id": office.ask("POST", "/delivery-vehicles", van)["id"], "driver_id": str(person(conn, "rita", "driver")),
             "starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=8)).isoformat()}  # fmt: skip
    rescue = office.ask(
        "POST", "/delivery-routes", {"shift_id": office.ask("POST", "/vehicle-shifts", shift)["id"]}
    )
    for job in day.jobs:
        put = {
            "job_id": job["id"],
            "position": len(rescue["stops"]) + 1,
            "version": rescue["version"],
            "anyway": True,
        }
        rescue = office.ask("POST", f"/delivery-routes/{rescue['id']}/stops", put)["routes"][0]
    office.ask("POST", f"/delivery-routes/{rescue['id']}/release", {"version": rescue["version"]})
    phone.press("to-routes")
    phone.press("log-out")
    phone.log_in("rita")
    phone.press(f"route-{rescue['number']}")
    phone.at("load")
    phone.says("nothing", "Nothing to load here")
    phone.fits("nothing-to-load")
    phone.press("depart")

    # to where the van stands, not to the customer; all of it in one visit, in any order
    phone.at("drive")
    phone.settled()
    phone.says("address", "VAN-1")
    for name in ("Anna Virtanen", "Kahvila Kallio"):
        phone.says("customer", name)
    expect(phone.page.get_by_test_id("call")).to_have_count(0)
    phone.press("navigate-other")
    phone.press("app-google")
    expect(phone.page.get_by_test_id("navigate")).to_have_attribute(
        "href", "https://www.google.com/maps/dir/?api=1&destination=60.180100,24.950200&travelmode=driving"
    )
    phone.fits("to-broken-down")
    phone.press("arrived")
    phone.at("stop")
    phone.says("from-vehicle", "VAN-1")
    phone.says("amount", "0/ 3")
    phone.wedge(f"00{day.elsewhere['sscc'][0]}")
    phone.says("verdict", "Wrong parcel")
    phone.says("verdict", short(day.elsewhere["sscc"][0]))
    phone.fits("take-over")
    phone.scan(f"00{anna['sscc'][1]}")
    phone.says("amount", "1/ 3")
    phone.scan(f"00{anna['sscc'][0]}")
    phone.settled()
    phone.at("stop")  # the rest of it stands in the same van
    phone.says("amount", "2/ 3")
    phone.press("stop-list")
    phone.says("stop-1", "Take over")
    phone.fits("take-over-stops")
    phone.press("stop-list")
    phone.scan(f"00{kahvila['sscc'][0]}")

    # from there on it is a route like any other
    for name in ("Anna Virtanen", "Kahvila Kallio"):
        phone.at("drive")
        phone.settled()
        phone.says("customer", name)
        phone.press("arrived")
        sign_for(phone, name)
        phone.press("delivered")
    phone.at("home")
    phone.settled()
    phone.press("finish")
    phone.settled()
    phone.says("instruction", "Route finished")
    phone.fits("rescued")
    found = office.ask("GET", f"/delivery-proofs?route_id={rescue['id']}")["items"]
    assert {p["outcome"] for p in found} == {"delivered"}
    assert len(found) == 2
    assert ledger.verify(conn) == []
