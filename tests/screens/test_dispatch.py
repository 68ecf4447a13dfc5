"""The dispatcher's board in a real browser, 1440 x 900, over the real API, planner and streets: drag, keys, two dispatchers,
trays, a plan with its difference, and a browser that cannot draw maps."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from backend import dispatch
from backend.app import create_app
from backend.auth.principals import hash_password
from backend.context import Context
from backend.db import Conn
from backend.dispatch import plan_run
from backend.ids import new_id
from edge.messages import Event, PositionReported, encode_data
from tests.chromium import ARGUMENTS, intercept
from tests.conftest import Warehouse, tool
from tests.screens import delivery_day as deliveries
from tests.screens.delivery_day import DeliveryDay, at
from tests.screens.handheld import eventually
from tests.served import served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SHOTS = os.environ.get("STOWAGE_TEST_SHOTS")


def chromium() -> str:
    return tool("chromium", "chromium", "/usr/bin/chromium", "/usr/bin/chromium-browser")


@pytest.fixture(scope="module")
def browsers() -> Iterator[dict[bool, Browser]]:
    """With WebGL in software, and (False) without any."""
    with sync_playwright() as playwright:
        drawing = [*ARGUMENTS, "--enable-unsafe-swiftshader"]
        blind = [*ARGUMENTS, "--disable-3d-apis"]
        both = {
            draws: playwright.chromium.launch(executable_path=chromium(), args=args)
            for draws, args in ((True, drawing), (False, blind))
        }
        yield both
        for browser in both.values():
            browser.close()


@dataclass
class Office:
    """The application, two dispatchers, and a planned day with something in every tray."""

    base: str
    sessions: dict[str, dict[str, Any]]
    conn: Conn
    ctx: Context
    day: DeliveryDay

    def board(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.sessions['dora']['token']}"}
        answer = httpx.get(
            f"{self.base}/api/v1/delivery-board",
            params={"day": str(self.day.day)},
            headers=headers,
            timeout=60,
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def where(self, customer: str) -> tuple[str, int] | None:
        """The vehicle and place of a customer's delivery."""
        for route in self.board()["routes"]:
            for n, stop in enumerate(s for s in route["stops"] if s["job"]):
                if stop["job"]["customer_name"] == customer:
                    return route["vehicle"]["code"], n + 1
        return None


@pytest.fixture
def office(
    database_url: str,
    conn: Conn,
    warehouse: Warehouse,
    web_root: Path,
    helsinki: None,
    helsinki_map_dir: Path,
) -> Iterator[Office]:
    ctx = Context("user:test", warehouse.site_id, datetime.now(UTC), str(new_id()))
    for name in ("dora", "dan"):
        conn.execute(
            """insert into app_user (id, username, name, password_hash, roles, site_id)
               values (%s, %s, %s, %s, array['dispatcher'], %s)""",
            [new_id(), name, f"{name.title()} Dispatcher", hash_password("a good password"), ctx.site_id],
        )
    date = deliveries.tomorrow()
    wanted = deliveries.customers(helsinki_map_dir, 16)
    day = deliveries.delivery_day(
        conn, ctx, warehouse.customer_id, wanted[:13], vans=3, day=date, max_weight_g=90_000
    )
    morning, evening = at(date, 8), at(date, 16)
    for customer, number, opens, closes, weight in (
        (wanted[13], "WEB-2001", morning, evening, 900_000),
        (wanted[14], "WEB-2002", at(date, 5), at(date, 5.5), 9000),
        (deliveries.Customer("Island Hut", "Suomenlinna C 1", 60.1454, 24.9881), "WEB-2003", morning, evening, 900),
    ):  # fmt: skip
        deliveries.job(
            conn, ctx, warehouse.customer_id, customer, opens, closes, number=number, weight_g=weight
        )
    deliveries.job(
        conn, ctx, warehouse.customer_id, None, morning, evening, number="WEB-2004", name="Lost Parcel",
        address="Nowhere Lane 99",
    )  # fmt: skip
    deliveries.plan_now(conn, ctx, date, limit_s=0.5)
    deliveries.job(
        conn, ctx, warehouse.customer_id, wanted[15], morning, evening, number="WEB-2005", weight_g=2000
    )
    deliveries.draw_lines(conn, ctx)
    with served(create_app(database_url, web_root=web_root)) as base:
        sessions = {}
        for name in ("dora", "dan"):
            login = httpx.post(
                f"{base}/api/v1/auth/login",
                json={"username": name, "password": "a good password"},
                timeout=60,
            )
            sessions[name] = login.json()
        yield Office(base, sessions, conn, ctx, day)


class Desk:
    """A dispatcher before the board; remembers everything that went wrong on the page."""

    def __init__(self, browser: Browser, office: Office, who: str = "dora", language: str = "en") -> None:
        self.office = office
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        self.context.set_default_timeout(30_000)
        session = json.dumps(json.dumps(office.sessions[who]))
        self.context.add_init_script(
            f"localStorage.setItem('stowage.language', '{language}'); localStorage.setItem('stowage.session', {session})"
        )
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        # What the software renderer says of its own speed is no fault of the page.
        self.page.on(
            "console",
            lambda m: (
                self.wrong.append(m.text)
                if m.type in ("error", "warning") and "GL Driver Message" not in m.text
                else None
            ),
        )
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.goto(f"{office.base}/dispatch?day={office.day.day}")
        self.page.locator("[data-route]").first.wait_for()

    def lane(self, vehicle: str) -> Locator:
        return self.page.locator("[data-route]", has_text=vehicle)

    def lift(self, what: Locator) -> None:
        """Takes it, and waits until every slot says what it means."""
        what.scroll_into_view_if_needed()
        box = what.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] / 2 + 9, box["y"] + 6, steps=3)
        self.page.locator("[data-slot-mark]").first.wait_for(state="attached")

    def over(self, mark: Locator) -> None:
        box = mark.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + 1, box["y"] + 20, steps=4)

    def shot(self, name: str) -> None:
        if SHOTS:
            self.page.screenshot(path=str(Path(SHOTS) / f"dispatch-{name}.png"))


@dataclass
class Chosen:
    """A delivery that fits another vehicle, too."""

    vehicle: str
    customer: str
    job_id: str
    other: str


def chosen(office: Office) -> Chosen:
    board = office.board()
    codes = {r["id"]: r["vehicle"]["code"] for r in board["routes"]}
    headers = {"Authorization": f"Bearer {office.sessions['dora']['token']}"}
    for route in board["routes"]:
        for job in (s["job"] for s in route["stops"] if s["job"]):
            answer = httpx.get(
                f"{office.base}/api/v1/delivery-jobs/{job['id']}/slots",
                params={"day": str(office.day.day)},
                headers=headers,
                timeout=60,
            )
            for slot in answer.json()["slots"]:
                if slot["route_id"] != route["id"] and not slot["violations"]:
                    return Chosen(
                        codes[route["id"]], job["customer_name"], job["id"], codes[slot["route_id"]]
                    )
    raise AssertionError("the day is so that two vans drive, and each has room for one more")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_board_opens_with_map_timeline_lists_and_trays(
    office: Office, browsers: dict[bool, Browser], language: str
) -> None:
    desk = Desk(browsers[True], office, language=language)
    page = desk.page
    page.locator("[data-ready]").wait_for(timeout=60_000)
    expect(page.locator("#content")).to_contain_text("OpenStreetMap")
    stops = sum(1 for r in office.board()["routes"] for s in r["stops"] if s["job"])
    expect(page.locator("[data-block]")).to_have_count(stops)
    text = page.locator("#content").inner_text()
    assert not re.search(r"\b(?:reason|tray|slot|plan|measure|route_state)\.[a-z_]+\b", text)
    if language == "zh":
        assert "未排" in text
        assert "调度" in text
    desk.shot(f"open-{language}")
    # Selected in the timeline: the list shows the route, the stop is marked in both.
    page.locator("[data-block]").first.click()
    customer = page.locator("[data-stop][data-chosen]")
    expect(customer).to_have_count(1)
    assert customer.get_attribute("data-stop") == page.locator("[data-block]").first.get_attribute(
        "data-block"
    )
    assert desk.wrong == []
    desk.context.close()


def test_a_stop_is_dragged_onto_another_vehicle(office: Office, browsers: dict[bool, Browser]) -> None:
    one = chosen(office)
    desk = Desk(browsers[True], office)
    desk.lift(desk.page.locator(f"[data-block='{one.job_id}']"))
    good = desk.lane(one.other).locator("[data-slot-mark=good], [data-slot-mark=best]").first
    desk.over(good)
    # What it means is said while dragging, and the list shows every slot of the vehicle under the pointer.
    expect(
        desk.page.get_by_text("All promises kept").or_(desk.page.get_by_text("Best place"))
    ).to_be_visible()
    expect(desk.page.locator("[data-list] [data-slot]").first).to_contain_text("km")
    desk.shot("drag")
    version = desk.lane(one.other).get_attribute("data-version")
    desk.page.mouse.up()
    expect(desk.lane(one.other)).not_to_have_attribute("data-version", version or "")
    found = office.where(one.customer)
    assert found is not None
    assert found[0] == one.other
    assert desk.wrong == []
    desk.context.close()


def test_a_slot_that_breaks_a_promise_is_asked_about_and_one_that_cannot_be_is_refused(
    office: Office, browsers: dict[bool, Browser]
) -> None:
    desk = Desk(browsers[True], office)
    page = desk.page
    # Nothing that is too heavy may be put anywhere.
    heavy = page.locator("[data-job]", has_text="900 kg")
    desk.lift(heavy)
    desk.over(page.locator("[data-slot-mark=forbidden]").first)
    expect(page.get_by_text("Not possible")).to_be_visible()
    page.mouse.up()
    expect(page.get_by_role("alert")).to_contain_text("stays where it is")
    expect(page.get_by_role("alert")).to_contain_text("more than it can")
    page.get_by_role("button", name="Close", exact=True).click()
    # A window that is over breaks a promise; a dispatcher may do it on purpose.
    early = page.locator("[data-job]", has_text="Window too short")
    name = early.locator("strong").inner_text()
    desk.lift(early)
    desk.over(page.locator("[data-slot-mark=late]").last)
    page.mouse.up()
    expect(page.get_by_role("alert")).to_contain_text("this breaks a rule")
    assert office.where(name) is None
    page.get_by_role("button", name="Do it anyway").click()
    expect(page.locator("[data-block][data-late]")).not_to_have_count(0)
    assert office.where(name) is not None
    assert [w for w in desk.wrong if "422" not in w] == []
    desk.context.close()


def test_chilled_goods_say_so_and_go_on_no_van_that_does_not_cool(
    office: Office, browsers: dict[bool, Browser]
) -> None:
    one = chosen(office)
    office.conn.execute(
        "update delivery_vehicle set skills = array['chilled'] where id = (select id from place where code = %s)",
        [one.vehicle],
    )
    office.conn.execute("update delivery_job set skills = array['chilled'] where id = %s", [one.job_id])
    desk = Desk(browsers[True], office)
    page = desk.page
    page.locator(f"[data-block='{one.job_id}']").click()
    stop = page.locator(f"[data-stop='{one.job_id}']")
    expect(stop.get_by_test_id("goods")).to_have_text("chilled")
    expect(page.locator("[data-lacking]")).to_have_count(0)
    desk.shot("chilled")
    desk.lift(page.locator(f"[data-block='{one.job_id}']"))
    desk.over(desk.lane(one.other).locator("[data-slot-mark=forbidden]").first)
    expect(page.get_by_text("Not possible")).to_be_visible()
    page.mouse.up()
    expect(page.get_by_role("alert")).to_contain_text(f"{one.other} is not for chilled goods")
    page.get_by_role("button", name="Close", exact=True).click()
    found = office.where(one.customer)
    assert found is not None
    assert found[0] == one.vehicle
    # its cooling fails: the board says which stop is in the wrong van
    office.conn.execute("update delivery_vehicle set skills = '{}'")
    page.reload()
    page.locator(f"[data-block='{one.job_id}']").click()
    expect(stop.locator("[data-lacking=true]")).to_have_text("chilled")
    expect(page.get_by_text(f"{one.vehicle} is not for this")).to_be_visible()
    desk.shot("not-for-this")
    page.get_by_role("button", name="Off the route").click()
    waiting = page.locator(f"[data-job='{one.job_id}']")
    expect(waiting.get_by_test_id("goods")).to_have_text("chilled")
    expect(page.locator("li", has=waiting)).to_contain_text("if it may carry chilled goods")
    desk.shot("tray-chilled")
    assert [w for w in desk.wrong if "422" not in w] == []
    desk.context.close()


def test_two_dispatchers_move_the_same_stop(office: Office, browsers: dict[bool, Browser]) -> None:
    one = chosen(office)
    dora, dan = Desk(browsers[True], office), Desk(browsers[True], office, "dan")
    # Dan is faster, and Dora's browser heard nothing of it before she let go: her word is still on its way.
    on_its_way: list[Route] = []
    intercept(dora.page, "**/delivery-routes/*/stops", lambda word: on_its_way.append(word), times=1)
    dora.lift(dora.page.locator(f"[data-block='{one.job_id}']"))
    dora.over(dora.lane(one.other).locator("[data-slot-mark=good], [data-slot-mark=best]").first)
    with dora.page.expect_request("**/delivery-routes/*/stops"):
        dora.page.mouse.up()
    dan.page.locator(f"[data-block='{one.job_id}']").click()
    dan.page.get_by_role("button", name="Off the route").click()
    expect(dan.page.locator("[data-job]", has_text=one.customer)).to_be_visible()
    eventually(lambda: office.where(one.customer) is None)
    (word,) = on_its_way
    word.continue_()
    alert = dora.page.get_by_role("alert")
    expect(alert).to_contain_text("Somebody else changed this meanwhile")
    dora.shot("clash")
    expect(dora.page.locator("[data-job]", has_text=one.customer)).to_be_visible()
    assert office.where(one.customer) is None, "nothing was overwritten"
    dan.context.close()
    dora.context.close()


def test_a_stop_is_moved_with_the_keyboard_alone(office: Office, browsers: dict[bool, Browser]) -> None:
    desk = Desk(browsers[False], office)
    page = desk.page
    waiting = page.locator("[data-job]", has_text="Not planned yet")
    name = waiting.locator("strong").inner_text()
    waiting.focus()
    page.keyboard.press("m")
    page.locator("[data-slot-mark]").first.wait_for(state="attached")
    page.keyboard.press("b")
    status = page.get_by_role("status").filter(has_text="Moving")
    expect(status).to_contain_text("Best place")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(status).to_contain_text("Best place")
    page.keyboard.press("Enter")
    expect(page.locator("[data-stop][data-chosen]")).to_contain_text(name)
    eventually(lambda: office.where(name) is not None)
    assert desk.wrong == []
    desk.context.close()


def test_a_browser_that_cannot_draw_maps_says_so_and_works(
    office: Office, browsers: dict[bool, Browser]
) -> None:
    desk = Desk(browsers[False], office)
    expect(desk.page.get_by_text("cannot draw the map")).to_be_visible()
    desk.page.locator("[data-block]").nth(1).click()
    expect(desk.page.locator("[data-stop][data-chosen]")).to_have_count(1)
    assert desk.wrong == []
    desk.context.close()


def test_the_trays_say_why_and_what_it_would_take(office: Office, browsers: dict[bool, Browser]) -> None:
    desk = Desk(browsers[False], office)
    page = desk.page
    heavy = page.locator("[data-job]", has_text="900 kg")
    expect(heavy).to_contain_text("Too much for any vehicle")
    heavy.click()
    expect(page.get_by_text("What would it take?")).to_be_visible()
    expect(page.locator("[data-tray]")).to_contain_text("less")
    desk.shot("why-not")
    page.get_by_text("No road 1").click()
    expect(page.locator("[data-job]", has_text="Island Hut")).to_contain_text("Too far from any road")
    page.get_by_text("Review 1").click()
    lost = page.locator("[data-job]", has_text="Lost Parcel")
    expect(lost).to_contain_text("does not know this address")
    # The person finds an address that the map knows, and that is where it is.
    lost.click()
    page.get_by_label("Find an address on the map").fill("Mannerheimintie 20")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Mannerheimintie 20")).first.click()
    page.get_by_role("button", name=re.compile("It is here")).click()
    expect(page.get_by_text("Review 0")).to_be_visible()
    assert desk.wrong == []
    desk.context.close()


def test_a_plan_shows_its_difference_before_it_is_accepted(
    office: Office, browsers: dict[bool, Browser]
) -> None:
    desk = Desk(browsers[False], office)
    page = desk.page
    name = page.locator("[data-job]", has_text="Not planned yet").locator("strong").inner_text()
    page.get_by_role("button", name="Plan again").click()
    expect(page.get_by_role("status").filter(has_text="Planning")).to_be_visible()
    row = office.conn.execute("select id from delivery_plan where state = 'computing'").fetchone()
    assert row is not None
    plan_run.compute(office.conn, office.ctx, row[0])
    proposal = page.get_by_label("Proposal")
    expect(proposal).to_contain_text("1 comes onto a route")
    expect(proposal).to_contain_text(name)
    assert office.where(name) is None
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text("Nothing of it is on the board")).to_be_visible()
    desk.shot("plan")
    page.get_by_role("button", name="Accept").click()
    expect(proposal).to_have_count(0)
    assert office.where(name) is not None
    assert desk.wrong == []
    desk.context.close()


def test_a_route_is_locked_released_and_cancelled_and_a_broken_van_gives_its_stops_back(
    office: Office, browsers: dict[bool, Browser]
) -> None:
    def state(route_id: str) -> str:
        return str(next(r["state"] for r in office.board()["routes"] if r["id"] == route_id))

    def customer(route: dict[str, Any]) -> str:
        return str(next(s["job"]["customer_name"] for s in route["stops"] if s["job"]))

    first, second = [r for r in office.board()["routes"] if r["stops"]][:2]
    desk = Desk(browsers[False], office)
    page = desk.page
    desk.lane(first["vehicle"]["code"]).locator("[data-block]").first.click()
    page.get_by_role("button", name="Lock: plans leave").click()
    expect(page.get_by_role("button", name="Unlock this route")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Unlock this route").click()
    expect(page.get_by_role("button", name="Lock: plans leave")).to_be_visible()
    # Released: the driver has it. Nothing is loaded yet, so it can be cancelled, and its deliveries are in the tray again.
    page.get_by_role("button", name="Release", exact=True).click()
    page.get_by_role("button", name="Press again to confirm", exact=True).click()
    expect(page.get_by_text("is loaded at the door next")).to_be_visible()
    assert state(first["id"]) == "released"
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_role("menuitem", name="The vehicle broke down")).to_have_count(0)
    page.get_by_role("menuitem", name="Cancel the route").click()
    expect(page.locator("[data-job]", has_text=customer(first))).to_be_visible()
    # On the road the other van stands still.
    office.conn.execute(
        "update delivery_route set state = 'under_way', departed_at = now(), released_at = now() where id = %s",
        [second["id"]],
    )
    page.reload()
    desk.lane(second["vehicle"]["code"]).locator("[data-block]").first.click()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="The vehicle broke down").click()
    page.get_by_label("Note").fill("gearbox")
    page.get_by_role("button", name="It cannot go on").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("[data-job]", has_text=customer(second))).to_be_visible()
    assert state(second["id"]) == "broken_down"
    assert desk.wrong == []
    desk.context.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_release_is_withdrawn_and_what_happened_meanwhile_is_said(
    office: Office, browsers: dict[bool, Browser], language: str
) -> None:
    withdraw, sure = {"en": ("Withdraw", "Press again to confirm"), "zh": ("撤回下发", "再次点击确认")}[
        language
    ]
    route = next(r for r in office.board()["routes"] if r["stops"])
    desk = Desk(browsers[False], office, language=language)
    page = desk.page
    desk.lane(route["vehicle"]["code"]).locator("[data-block]").first.click()
    expect(page.get_by_role("button", name=withdraw, exact=True)).to_have_count(0)

    def press(words: str) -> None:
        page.get_by_role("button", name=words, exact=True).click()
        page.get_by_role("button", name=sure, exact=True).click()

    def before_it_arrives(change: str) -> None:
        """The next withdrawal is on its way when somebody else does this: the browser cannot have heard of it."""

        def on_the_way(word: Route) -> None:
            office.conn.execute(
                f"update delivery_route set {change}, version = version + 1 where id = %s".encode(),
                [route["id"]],
            )
            word.continue_()

        intercept(page, "**/withdraw", on_the_way, times=1)

    def now() -> dict[str, Any]:
        found: dict[str, Any] = next(r for r in office.board()["routes"] if r["id"] == route["id"])
        return found

    press({"en": "Release", "zh": "下发"}[language])
    expect(page.get_by_role("button", name=withdraw, exact=True)).to_be_visible()
    desk.shot(f"released-{language}")
    # Somebody loads the first carton, and this browser has not heard of it.
    before_it_arrives("state = 'loading'")
    press(withdraw)
    alert = page.locator("header [role=alert]")
    expect(alert).to_contain_text({"en": "Unload them first", "zh": "请先卸下"}[language])
    expect(page.get_by_role("button", name=withdraw, exact=True)).to_have_count(0)
    page.get_by_role("button", name={"en": "More", "zh": "更多"}[language], exact=True).click()
    item = page.get_by_role("menuitem", name=withdraw)
    expect(item).to_be_disabled()
    expect(item).to_contain_text({"en": "Unload them first", "zh": "请先卸下"}[language])
    desk.shot(f"withdraw-loading-{language}")
    page.keyboard.press("Escape")
    # Unloaded again, and locked by a colleague: that the route is another one now is said, and it is shown as it is.
    office.conn.execute(
        "update delivery_route set state = 'released', version = version + 1 where id = %s", [route["id"]]
    )
    page.reload()
    desk.lane(route["vehicle"]["code"]).locator("[data-block]").first.click()
    expect(page.get_by_role("button", name=withdraw, exact=True)).to_be_visible()
    before_it_arrives("locked = true")
    press(withdraw)
    expect(alert).to_contain_text({"en": "Somebody else changed", "zh": "他人"}[language])
    desk.shot(f"withdraw-clash-{language}")
    expect(
        page.get_by_role("button", name={"en": "Unlock this route", "zh": "解锁此线路"}[language])
    ).to_be_visible()
    assert now()["state"] == "released"
    press(withdraw)
    expect(
        page.get_by_role("button", name={"en": "Release", "zh": "下发"}[language], exact=True)
    ).to_be_visible()
    assert (now()["state"], len(now()["stops"])) == ("draft", len(route["stops"]))
    # A draft again: the selected stop can leave it.
    page.get_by_role("button", name={"en": "Off the route", "zh": "移出线路"}[language]).click()
    expect(page.locator("[data-stop]")).to_have_count(sum(s["job"] is not None for s in route["stops"]) - 1)
    assert [w for w in desk.wrong if "409" not in w] == []
    desk.context.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_driven_track_lies_over_the_planned_line_and_answers_where_the_van_was(
    office: Office, browsers: dict[bool, Browser], language: str
) -> None:
    route = max(office.board()["routes"], key=lambda r: len(r["stops"]))
    driving = deliveries.drive(office.conn, office.ctx, route, back=datetime.now(UTC) - timedelta(minutes=10))
    desk = Desk(browsers[True], office, language=language)
    page = desk.page
    page.goto(
        f"{office.base}/dispatch?day={driving.left.astimezone(deliveries.ZONE).date()}&route={route['id']}"
    )
    page.locator("[data-ready]").wait_for(timeout=60_000)
    strip = page.get_by_label({"en": "Planned and driven", "zh": "计划与实际行驶"}[language])
    expect(strip).to_contain_text({"en": "driven", "zh": "实际"}[language])
    slider = strip.get_by_role("slider")
    before = still(page.locator("canvas"))
    desk.shot(f"track-{language}")

    def ask(at: datetime) -> Locator:
        slider.fill(str(_step(int(at.timestamp() * 1000), int(slider.get_attribute("min") or 0))))
        return strip.get_by_role("status")

    customer, (came, went) = list(driving.stood.items())[1]
    middle = came + (went - came) / 2
    said = ask(middle)
    expect(said).to_contain_text(customer)
    asked = datetime.fromtimestamp(int(slider.input_value()) / 1000, deliveries.ZONE)
    assert abs(asked - middle) <= timedelta(seconds=8)  # its steps are 15 s
    expect(said).to_contain_text(f"{asked:%H:%M}")
    eventually(lambda: page.locator("canvas").screenshot() != before)  # the marker is on the map
    desk.shot(f"track-at-{language}")
    said = ask(driving.silent[0] + (driving.silent[1] - driving.silent[0]) / 2)
    expect(said).to_contain_text({"en": "no position from", "zh": "无定位"}[language])
    desk.shot(f"track-silent-{language}")
    slider.focus()
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text({"en": "km/h", "zh": "km/h"}[language])
    assert "km/h" in (slider.get_attribute("aria-valuetext") or "")
    # Another route has not left: nothing to compare.
    other = next(r for r in office.board()["routes"] if r["stops"])
    page.goto(f"{office.base}/dispatch?day={office.day.day}&route={other['id']}")
    page.locator("[data-list]").wait_for()
    expect(strip).to_have_count(0)
    assert desk.wrong == []
    desk.context.close()


def still(canvas: Locator) -> bytes:
    """How it looks when all tiles are there: twice the same, a second apart."""
    seen: list[bytes] = []

    def again() -> bool:
        canvas.page.wait_for_timeout(1000)
        seen.append(canvas.screenshot())
        return seen[-1] in seen[-2:-1]

    eventually(again)
    return seen[-1]


def _step(at_ms: int, from_ms: int) -> int:
    """The slider's step that is nearest."""
    return from_ms + round((at_ms - from_ms) / 15_000) * 15_000


def test_a_track_goes_on_with_every_position_that_comes(
    office: Office, browsers: dict[bool, Browser]
) -> None:
    route = max(office.board()["routes"], key=lambda r: len(r["stops"]))
    driving = deliveries.drive(
        office.conn, office.ctx, route, back=datetime.now(UTC) - timedelta(seconds=30), state="under_way"
    )
    desk = Desk(browsers[False], office)
    page = desk.page
    page.goto(
        f"{office.base}/dispatch?day={driving.left.astimezone(deliveries.ZONE).date()}&route={route['id']}"
    )
    strip = page.get_by_label("Planned and driven")
    expect(strip).to_contain_text("driven so far")
    slider = strip.get_by_role("slider")
    last = int(slider.get_attribute("max") or 0)
    data = PositionReported(lat=60.1712, lon=24.9431, speed_kmh=12.0, hdop=0.9)
    event = Event(
        seq=1, device="gps", type="position_reported", occurred_at=datetime.now(UTC).replace(microsecond=0), correlation_id="c",
        data=encode_data(data),
    )  # fmt: skip
    with office.conn.transaction():
        ctx = replace(office.ctx, actor=f"agent:{driving.agent}", now=datetime.now(UTC))
        dispatch.on_position(office.conn, ctx, event, data)
    expect(slider).not_to_have_attribute("max", str(last))
    assert int(slider.get_attribute("max") or 0) == int(event.occurred_at.timestamp() * 1000)
    assert desk.wrong == []
    desk.context.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_several_stops_are_chosen_with_a_box_and_put_on_one_van(
    office: Office, browsers: dict[bool, Browser], language: str
) -> None:
    words = {
        "en": ("Selected stops", "Onto which van?", "Put them there", "Put the other one there", "Nothing was moved"),
        "zh": ("已选站点", "放到哪辆车？", "放到该车", "放入其余 1 个", "未作任何移动"),
    }  # fmt: skip
    title, onto, assign, others, nothing = words[language]
    board = office.board()
    desk = Desk(browsers[True], office, language=language)
    page = desk.page
    page.locator("[data-ready]").wait_for(timeout=60_000)
    canvas = page.locator("canvas").bounding_box()
    assert canvas is not None
    bar = page.get_by_label(title, exact=True)

    def drag_box() -> None:
        page.keyboard.down("Shift")
        page.mouse.move(canvas["x"] + 5, canvas["y"] + 5)
        page.mouse.down()
        page.mouse.move(canvas["x"] + canvas["width"] - 60, canvas["y"] + canvas["height"] - 5, steps=5)
        desk.shot(f"box-{language}")
        page.mouse.up()
        page.keyboard.up("Shift")

    drag_box()
    on_map = sum(s["job"] is not None for r in board["routes"] for s in r["stops"])
    expect(bar).to_contain_text(str(on_map + 3))
    expect(page.locator("[data-picked]")).to_have_count(3)
    desk.shot(f"selected-{language}")
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    # Without Shift the map is moved; after a press on the button it is a box again.
    page.locator("button[aria-pressed]", has=page.locator("svg.tabler-icon-marquee-2")).click()
    page.mouse.move(canvas["x"] + 5, canvas["y"] + 5)
    page.mouse.down()
    page.mouse.move(canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] - 5, steps=5)
    page.mouse.up()
    expect(bar).to_be_visible()
    expect(bar).not_to_contain_text(str(on_map + 3))
    page.keyboard.press("Escape")
    # One that fits and one that is too heavy: neither moves, and it says which does not fit and why.
    light = page.locator("[data-job]", has_text={"en": "Not planned yet", "zh": "尚未规划"}[language])
    name = light.locator("strong").inner_text()
    light.click(modifiers=["Shift"])
    page.locator("[data-job]", has_text="900").click(modifiers=["Shift"])
    expect(bar).to_contain_text("902")
    van = next(r for r in board["routes"] if r["stops"])
    page.get_by_label(onto).first.click()
    page.get_by_role("option", name=van["number"]).click()
    page.get_by_role("button", name=assign, exact=True).click()
    expect(bar.get_by_role("alert")).to_contain_text(nothing)
    expect(bar.get_by_role("alert")).to_contain_text({"en": "would carry", "zh": "装载"}[language])
    desk.shot(f"refused-{language}")
    assert office.where(name) is None
    page.get_by_role("button", name=others, exact=True).click()
    expect(bar).to_have_count(0)
    found = office.where(name)
    assert found is not None
    assert found[0] == van["vehicle"]["code"]
    assert [w for w in desk.wrong if "422" not in w] == []
    desk.context.close()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 844)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_dispatch_page_is_no_wider_than_a_phone(
    office: Office, browsers: dict[bool, Browser], width: int, height: int, language: str
) -> None:
    route = max(office.board()["routes"], key=lambda r: len(r["stops"]))
    driving = deliveries.drive(office.conn, office.ctx, route, back=datetime.now(UTC) - timedelta(minutes=10))
    desk = Desk(browsers[True], office, language=language)
    page = desk.page
    page.set_viewport_size({"width": width, "height": height})
    # What lies beyond the edge, clipped or not; lists that scroll by themselves and words that end in dots are meant so.
    wide = """() => [...document.querySelectorAll('body *')].filter(e => {
        const box = e.getBoundingClientRect();
        if (box.width === 0 || box.right <= innerWidth + 0.5 || e.closest('canvas, svg, .maplibregl-map')) return false;
        for (let p = e.parentElement; p; p = p.parentElement)
            if (p.hasAttribute('data-scroller') || getComputedStyle(p).textOverflow === 'ellipsis') return false;
        return true;
    }).map(e => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`)"""

    def fits(name: str) -> None:
        page.wait_for_timeout(300)
        desk.shot(f"phone-{width}-{language}-{name}")
        assert page.evaluate(wide) == []
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width

    fits("board")
    page.locator("[data-route] button").first.click()
    page.locator("[data-list]").wait_for()
    page.locator("[data-stop]").first.click()
    fits("route")
    page.goto(
        f"{office.base}/dispatch?day={driving.left.astimezone(deliveries.ZONE).date()}&route={route['id']}"
    )
    page.get_by_role("slider").wait_for()
    fits("track")
    assert desk.wrong == []
    desk.context.close()


def test_map_and_board_stand_in_windows_of_their_own(office: Office, browsers: dict[bool, Browser]) -> None:
    desk = Desk(browsers[False], office)
    page = desk.page
    page.goto(f"{office.base}/dispatch?day={office.day.day}&show=map")
    expect(page.get_by_text("cannot draw the map")).to_be_visible()
    expect(page.locator("[data-route]")).to_have_count(0)
    page.goto(f"{office.base}/dispatch?day={office.day.day}&show=board")
    page.locator("[data-route]").first.wait_for()
    expect(page.locator("[data-tray]")).to_be_visible()
    expect(page.get_by_text("cannot draw the map")).to_have_count(0)
    assert desk.wrong == []
    desk.context.close()
