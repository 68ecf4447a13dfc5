"""`scan_answer_ms`: a worker scans goods into a receipt on the handheld, in Chromium at 360 x 640; from the Enter that ends the
scan until the answer stands over the whole screen. The median counts; also told: the worst, and how long of it was drawing
(from the backend's answer until it is seen).

Real parts throughout: keys as a wedge scanner sends them, the API, and a commit on Postgres for each scan.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from backend.app import create_app
from backend.auth.principals import hash_password
from backend.db import connect
from backend.ids import new_id
from backend.migrate import migrate
from stowage.parts.node import build_screens
from stowage.parts.postgres import EmbeddedPostgres
from tests.bench.figure import Figure, figure
from tests.chromium import chromium
from tests.conftest import build_warehouse
from tests.screens.handheld import WATCH, Handheld
from tests.served import served

SCANS = 40
TEA = "06412345000012"

ENTERED = """
window.enteredAt = [];
addEventListener('keydown', (e) => { if (e.key === 'Enter') window.enteredAt.push(performance.now()); }, { capture: true });
"""

LAGS = """(scans) => {
  const heard = performance.getEntriesByType('resource').filter((e) => e.name.includes('/scans')).slice(-scans);
  const [entered, shown] = [window.enteredAt.slice(-scans), window.shownAt.slice(-scans)];
  return heard.map((e, n) => [shown[n] - entered[n], shown[n] - e.responseEnd]);
}"""


def measure() -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stowage-bench-")))
        web_root = build_screens(Path(__file__).parents[2] / "dashboards", folder / "npm.log")
        url = stack.enter_context(EmbeddedPostgres(folder / "postgres" / "data"))
        migrate(url)
        conn = stack.enter_context(connect(url, autocommit=True))
        warehouse = build_warehouse(conn)
        conn.execute(
            """insert into app_user (id, username, name, password_hash, roles, site_id)
               values (%s, 'wilma', 'Wilma', %s, array['worker'], %s)""",
            [new_id(), hash_password("a good password"), warehouse.site_id],
        )
        base = stack.enter_context(served(create_app(url, web_root=web_root)))
        browser = stack.enter_context(chromium())
        context = browser.new_context(viewport={"width": 360, "height": 640}, has_touch=True, locale="en-GB")
        context.add_init_script(WATCH + ENTERED)
        hand = Handheld(context.new_page(), base)
        hand.log_in("wilma", "a good password")
        hand.open("receive")
        hand.scan("DOCK-1")
        for _ in range(SCANS):
            hand.scan(TEA)
        lags = hand.page.evaluate(LAGS, SCANS)
    assert len(lags) == SCANS
    whole, drawn = zip(*lags, strict=True)
    assert min(drawn) >= 0
    yield figure(
        "scan_answer_ms", statistics.median(whole), "ms, median from Enter to the answer on the screen", must=200, aim=50,
        lower_is_better=True, worst=round(max(whole)), drawn=round(statistics.median(drawn)), drawn_worst=round(max(drawn)), scans=SCANS,
    )  # fmt: skip
