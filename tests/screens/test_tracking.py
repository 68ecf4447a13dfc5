"""The customer's link in a real browser against the real API, without a log-in: when it comes, and nothing of anybody else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from backend import maps
from backend.db import Conn
from tests.conftest import Warehouse
from tests.screens.driver_day import CUSTOMERS, DriverDay, a_day
from tests.screens.handheld import Backend

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SHOTS = os.environ.get("STOWAGE_TEST_SHOTS")


@dataclass
class Customer:
    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)

    def open(self, url: str) -> None:
        self.page.goto(urljoin(self.base, url))
        self.page.get_by_test_id("tracking").wait_for()

    def says(self, test_id: str, words: str) -> None:
        expect(self.page.get_by_test_id(test_id)).to_contain_text(words)

    def state(self, state: str) -> None:
        expect(self.page.get_by_test_id("state")).to_have_attribute("data-state", state)

    def later(self, seconds: int) -> None:
        """The page's own clock goes on: what it asks again by itself is asked now."""
        self.page.clock.fast_forward(seconds * 1000)

    def shot(self, name: str) -> None:
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SHOTS) / f"track-{name}.png")
        wide = self.page.evaluate("document.scrollingElement.scrollWidth > innerWidth")
        assert not wide, name


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="en-GB",
                                  timezone_id="Europe/Helsinki")  # fmt: skip
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def customer(backend: Backend, context: BrowserContext) -> Iterator[Customer]:
    page = context.new_page()
    made = Customer(page, backend.base)
    page.on("pageerror", lambda e: made.faults.append(str(e)))
    page.on(
        "console",
        lambda m: (
            made.faults.append(m.text)
            if m.type in ("error", "warning") and "status of 4" not in m.text and "ERR_" not in m.text
            and "WebGL" not in m.text and "GPU stall" not in m.text
            else None
        ),
    )  # fmt: skip
    page.on("request", lambda r: made.asked.add(r.url.split("?")[0].removeprefix(backend.base)))
    page.on("request", lambda r: made.tokens.append(r.url) if r.headers.get("authorization") else None)
    page.clock.install()
    yield made
    assert made.faults == []
    assert made.tokens == []  # nothing is asked in anybody's name


@pytest.fixture
def town(helsinki_map_dir: Path) -> Iterator[Path]:
    """The folder of a map that is not in use yet."""
    yield helsinki_map_dir
    maps.configure(None, None)


def link(office: Backend, job_id: str) -> str:
    return str(office.ask("POST", f"/delivery-jobs/{job_id}/tracking-link", {})["url"])


def leave(office: Backend, day: DriverDay) -> list[str]:
    """Everything is loaded and the van has left; the ids of the stops."""
    for order in reversed(day.orders):
        for sscc in order["sscc"]:
            office.ask("POST", f"/delivery-routes/{day.route_id}/load", {"code": sscc})
    route = office.ask("POST", f"/delivery-routes/{day.route_id}/depart", {})
    return [s["id"] for s in route["stops"]]


def drives_past(conn: Conn, day: DriverDay, lat: float, lon: float) -> None:
    """The van's newest position."""
    conn.execute(
        """insert into vehicle_now (site_id, vehicle_id, at, lat, lon) select site_id, id, now(), %s, %s from delivery_vehicle where id = %s
           on conflict (site_id, vehicle_id) do update set at = now(), lat = excluded.lat, lon = excluded.lon""",
        [lat, lon, day.vehicle["id"]],
    )


def test_a_customer_follows_their_own_delivery_and_nobody_elses(
    customer: Customer, office: Backend, conn: Conn, warehouse: Warehouse, town: Path
) -> None:
    day = a_day(office, conn, warehouse, stops=2)
    anna, kahvila = (link(office, job["id"]) for job in day.jobs)
    me = customer

    me.open(kahvila)
    me.state("planned")
    me.shot("planned")
    stops = leave(office, day)
    drives_past(conn, day, 60.1850, 24.9500)
    me.later(16)
    me.state("on_the_way")
    me.says("before", "1 stop before you")
    expect(me.page.get_by_test_id("eta")).to_have_text(re.compile(r"\d{2}:\d{2} – .*\d{2}:\d{2}"))
    me.shot("on-the-way")
    assert me.page.locator("[data-kind=van]").count() == 0  # it drives to somebody else
    assert me.page.get_by_test_id("distance").count() == 0

    office.ask("POST", f"/delivery-stops/{stops[0]}/arrive", {})
    office.ask("POST", f"/delivery-stops/{stops[0]}/deliver", {"receiver_name": "Anna"})
    conn.execute("update delivery_stop set left_at = now() where id = %s", [stops[0]])
    drives_past(conn, day, 60.1684, 24.9405)
    me.later(16)
    me.state("next")
    expect(me.page.get_by_test_id("distance")).to_be_visible()  # without a map it is said in words
    me.shot("next-in-words")
    maps.configure(None, town)
    me.page.reload()
    expect(me.page.locator("[data-kind=van]")).to_be_visible()
    expect(me.page.locator("[data-kind=home]")).to_be_visible()
    me.page.wait_for_load_state("networkidle")
    me.later(1)
    me.shot("next")
    me.page.set_viewport_size({"width": 1280, "height": 800})
    me.later(1)
    me.shot("next-desktop")
    me.page.set_viewport_size({"width": 390, "height": 844})
    me.later(1)

    # the network is gone: what was known stays, and its age is said
    me.page.route("**/api/v1/tracking/**", lambda r: r.abort())
    me.later(60)
    me.says("fresh", "No connection")
    me.shot("stale")
    me.page.unroute("**/api/v1/tracking/**")
    me.later(16)
    expect(me.page.get_by_test_id("fresh")).not_to_contain_text("No connection")

    office.ask("POST", f"/delivery-stops/{stops[1]}/arrive", {})
    me.later(16)
    me.state("arrived")
    office.ask("POST", f"/delivery-stops/{stops[1]}/deliver", {"receiver_name": "Kaisa"})
    me.later(16)
    me.state("delivered")
    me.says("outcome", "Handed over")
    me.shot("delivered")
    me.page.get_by_test_id("language").click()
    me.says("state", "已送达")
    me.shot("zh-delivered")

    words = me.page.content()
    secrets = [
        CUSTOMERS[0]["name"],
        "Anna",
        "Aleksanterinkatu",
        "Dan",
        "VAN-1",
        "ABC-123",
        day.route_number,
        "SO-0",
        "Kaisa",
    ]
    assert [s for s in secrets if s in words] == []
    assert {p for p in me.asked if p.startswith("/api/")} <= {
        f"/api/v1{urlsplit(kahvila).path.replace('/track/', '/tracking/')}",
        "/api/v1/map",
    } | {p for p in me.asked if p.startswith("/api/v1/map/tiles/")}
    assert not [
        p for p in me.asked if "Desktop" in p or "mantine" in p.lower()
    ]  # the component library stays away

    conn.execute("update tracking_link set expires_at = now() - interval '1 hour'")
    me.open(kahvila)
    me.says("sorry", "此链接已失效")
    me.page.get_by_test_id("language").click()
    me.says("sorry", "This link has ended")
    me.shot("ended")
    me.open("/track/no-such-token-at-all")
    me.says("sorry", "There is no delivery under this link")
    me.shot("unknown")
    assert anna


def test_the_times_are_those_of_the_door_wherever_the_phone_is(
    browser: Browser, office: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    day = a_day(office, conn, warehouse, stops=1)
    url = link(office, day.jobs[0]["id"])
    told = office.ask("GET", f"/tracking/{url.rsplit('/', 1)[1]}")
    assert told["time_zone"] == "Europe/Helsinki"

    def clock(at: str, zone: str) -> str:
        return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(zone)):%H:%M}"

    for abroad in ("America/Los_Angeles", "Asia/Kolkata"):
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, locale="en-GB", timezone_id=abroad
        )
        page = context.new_page()
        page.goto(urljoin(office.base, url))
        arrival = page.get_by_test_id("eta")
        expect(arrival).to_contain_text(clock(told["eta_until"], "Europe/Helsinki"))
        expect(arrival).not_to_contain_text(clock(told["eta_until"], abroad))
        window = page.get_by_text(clock(told["window_until"], "Europe/Helsinki"))
        expect(window.first).to_be_visible()
        context.close()
