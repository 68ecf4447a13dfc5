"""`board_drop_ms`: a dispatcher drags a stop to another place on a board of 300 stops, in Chromium; from letting go until the
screen shows what the backend made of it (the route's new version, painted).

Real parts throughout: the planner made the routes on Helsinki's streets, every drop is timed, checked and committed by the
backend. The median of the drops counts; also told: the first drop after opening, and how long every slot of the day took to be there after picking up.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
from playwright.sync_api import Page

from backend.app import create_app
from backend.auth.principals import hash_password
from backend.context import Context
from backend.db import connect
from backend.ids import new_id
from backend.migrate import migrate
from stowage.parts.node import build_screens
from stowage.parts.postgres import EmbeddedPostgres
from tests.bench.figure import Figure, figure
from tests.chromium import chromium
from tests.conftest import build_warehouse
from tests.screens import delivery_day as deliveries
from tests.served import served

STOPS, VANS, DROPS = 300, 20, 12
HOURS = (8, 11.5)

WATCH = """([route]) => {
  const lane = document.querySelector(`[data-route="${route}"]`);
  const before = lane.dataset.version;
  window.__dropped = new Promise((done) => {
    let begun = 0;
    addEventListener("pointerup", () => { begun = performance.now(); }, { once: true, capture: true });
    const watch = new MutationObserver(() => {
      if (lane.dataset.version === before) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
    });
    watch.observe(lane, { attributes: true });
  });
}"""


def measure() -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stowage-bench-")))
        web_root = build_screens(Path(__file__).parents[2] / "dashboards", folder / "npm.log")
        url = stack.enter_context(EmbeddedPostgres(folder / "postgres" / "data", durable=False))
        migrate(url)
        map_dir = stack.enter_context(deliveries.helsinki(folder))
        conn = stack.enter_context(connect(url, autocommit=True))
        warehouse = build_warehouse(conn)
        ctx = Context("user:bench", warehouse.site_id, datetime.now(UTC), str(new_id()))
        conn.execute(
            """insert into app_user (id, username, name, password_hash, roles, site_id)
               values (%s, 'dora', 'Dora Dispatcher', %s, array['dispatcher'], %s)""",
            [new_id(), hash_password("a good password"), warehouse.site_id],
        )
        day = deliveries.tomorrow()
        wanted = deliveries.customers(map_dir, STOPS)
        deliveries.delivery_day(
            conn, ctx, warehouse.customer_id, wanted, vans=VANS, day=day, hours=HOURS, max_weight_g=230_000
        )
        deliveries.plan_now(conn, ctx, day, limit_s=4)
        deliveries.draw_lines(conn, ctx)
        base = stack.enter_context(served(create_app(url, web_root=web_root)))
        yield _drops(base, str(day), conn_stops=_count(conn))


def _count(conn: object) -> int:
    row = conn.execute("select count(*) from delivery_stop where kind = 'delivery'").fetchone()  # type: ignore[attr-defined]
    return int(row[0])


def _drops(base: str, day: str, conn_stops: int) -> Figure:
    login = httpx.post(f"{base}/api/v1/auth/login", json={"username": "dora", "password": "a good password"})
    session = json.dumps(json.dumps(login.json()))
    with chromium("--enable-unsafe-swiftshader") as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        context.add_init_script(f"localStorage.setItem('stowage.session', {session})")
        page = context.new_page()
        page.goto(f"{base}/dispatch?day={day}")
        page.locator("[data-ready]").wait_for(timeout=60_000)
        page.locator("[data-route]").first.wait_for()
        took, picked = [], []
        for n in range(DROPS):
            slots_ms, drop_ms = _drop(page, n)
            picked.append(slots_ms)
            took.append(drop_ms)
    return figure(
        "board_drop_ms", statistics.median(took), "ms", must=500, aim=100, lower_is_better=True,
        stops=conn_stops, drops=DROPS, worst=round(max(took)), first=round(took[0]),
        slots_after_pick_up_ms=round(statistics.median(picked)),
    )  # fmt: skip


def _drop(page: Page, n: int) -> tuple[float, float]:
    """Takes a stop of one vehicle and lets it go on the first good slot of another."""
    for which in range(8):
        asked, own = _pick_up(page, n, which)
        good = page.locator(f"[data-route]:not([data-route='{own}']) [data-slot-mark='good']")
        for k in range(good.count()):
            target = good.nth(k).bounding_box()
            if target is not None and 560 < target["y"] < 850:
                other = good.nth(k).evaluate("(e) => e.closest('[data-route]').dataset.route")
                page.mouse.move(target["x"], target["y"] + 12, steps=4)
                page.locator(f"[data-route='{other}'] [data-slot-mark][data-over]").wait_for(state="attached")
                page.evaluate(WATCH, [other])
                page.mouse.up()
                took = float(page.evaluate("window.__dropped"))
                page.wait_for_load_state("networkidle")
                return asked, took
        page.keyboard.press("Escape")
        page.mouse.up()
    raise AssertionError("no vehicle has a good place for any of these stops")


def _pick_up(page: Page, n: int, which: int) -> tuple[float, str | None]:
    """A stop of the nth lane is in the hand; how long it took until every slot of the day was there."""
    lanes = page.locator("[data-route]")
    lane = lanes.nth(n % lanes.count())
    lane.scroll_into_view_if_needed()
    blocks = lane.locator("[data-movable]")
    box = blocks.nth(which % blocks.count()).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    begun = time.perf_counter()
    page.mouse.move(box["x"] + 12, box["y"] + 4, steps=2)
    page.locator("[data-slot-mark]").first.wait_for(state="attached", timeout=20_000)
    return (time.perf_counter() - begun) * 1000, lane.get_attribute("data-route")
