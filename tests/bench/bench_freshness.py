"""`freshness_p99_ms_1k`, `_10k`, `memory_edge_mb`: from the last read at a dock door's antenna to the number that a browser shows.

A tagged case walks through the door (LLRP over TCP, portal cleaning, spool, broker, ingest, ledger, live push); the clock
runs from the last time the reader hears it until the open receipt's page shows it as received. Meanwhile a shelf
reader of the same agent delivers 1,000 or 10,000 reads a second, and everything shares this machine. The portal itself
waits `silence_s` (0.7 s) to know that the passage is over; that wait is inside the figure.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, LiteralString

import httpx
from playwright.sync_api import Page

from backend import receiving
from backend.auth.principals import hash_password
from backend.db import Conn, connect
from backend.devices import agents, registry
from backend.ids import new_id
from backend.migrate import migrate
from backend.receiving.asn import AsnTag, NewAsn
from device_drivers.gs1 import sgtin96_hex
from stowage.parts.broker import EmbeddedBroker
from stowage.parts.child import spawn
from stowage.parts.node import build_screens
from stowage.parts.ports import free_port
from stowage.parts.postgres import EmbeddedPostgres
from stowage.run import get
from tests.bench.figure import Figure, figure
from tests.bench.memory import pss_mb
from tests.chromium import chromium
from tests.conftest import build_warehouse

PASSAGES, PREFIX, CASE_GTIN, PER_CASE = 100, "6412345", "16412345000019", 12
ROOT = Path(__file__).parents[2]
WATCH = """() => {
    window.shown = {};
    const look = () => {
        const received = document.querySelector('a[href^="/movements?cause_id="]');
        const units = received && received.textContent.replace(/[^0-9]/g, "");
        if (units && !(units in window.shown)) window.shown[units] = Date.now() / 1000;
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def measure() -> Iterator[Figure]:
    screens = build_screens(ROOT / "dashboards", Path(tempfile.gettempdir()) / "stowage-bench-screens.log")
    for name, reads_per_s in (("1k", 1_000), ("10k", 10_000)):
        found, rate, edge_mb = _freshness(screens, reads_per_s)
        found.sort()
        yield figure(f"freshness_p99_ms_{name}", 1000 * found[math.ceil(0.99 * len(found)) - 1], "ms", must=1000, aim=250,
                     lower_is_better=True, p50_ms=round(1000 * found[len(found) // 2]), worst_ms=round(1000 * found[-1]), passages=len(found), reads_per_s=round(rate))  # fmt: skip
        if name == "10k":
            yield figure(
                "memory_edge_mb",
                edge_mb,
                "MB",
                must=150,
                aim=80,
                lower_is_better=True,
                how="two readers, 10,000 reads/s",
            )


def _freshness(screens: Path, reads_per_s: int) -> tuple[list[float], float, float]:
    """Seconds of each passage, the reads a second that were there beside them, and the agent's memory in MB."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        url = stack.enter_context(EmbeddedPostgres(folder / "db"))
        broker_url = stack.enter_context(EmbeddedBroker(folder / "broker", folder / "access"))
        migrate(url)
        cases = [sgtin96_hex(CASE_GTIN, len(PREFIX), 1000 + n) for n in range(PASSAGES + 1)]
        with connect(url) as conn:
            _lay(conn, cases)
        field = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.freshness_field", str(reads_per_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=ROOT,
        )  # fmt: skip
        stack.callback(field.wait)
        stack.callback(field.kill)
        assert field.stdout is not None
        door_port, shelf_port = map(int, field.stdout.readline().split())
        (folder / "agent.toml").write_text(_agent(broker_url, door_port, shelf_port))
        port = free_port()
        environment = os.environ | {
            "STOWAGE_DATABASE_URL": url, "STOWAGE_MQTT_URL": broker_url, "STOWAGE_DATA_DIR": str(folder), "STOWAGE_ERP_URL": "none",
            "STOWAGE_HTTP_PORT": str(port), "STOWAGE_WEB_ROOT": str(screens),
        }  # fmt: skip
        for program in (["ingest"], ["api"], ["edge", "--config", str(folder / "agent.toml")]):
            child = spawn(
                [sys.executable, "-m", "stowage", *program], log=folder / f"{program[0]}.log", env=environment
            )
            stack.callback(child.stop)
        while get("127.0.0.1", port, "/readyz")[0] != 200:
            time.sleep(0.1)
        page = stack.enter_context(chromium()).new_page(viewport={"width": 1440, "height": 900})
        base = f"http://127.0.0.1:{port}"
        login = httpx.post(
            f"{base}/api/v1/auth/login", json={"username": "lena", "password": "bench-password"}
        )
        page.context.add_init_script(f"localStorage.setItem('stowage.session', {json.dumps(login.text)})")
        _wait_for(url, "select 1 from agent_status where online")
        _ask(field, cases[0])
        receipt_id = _wait_for(url, "select id from receipt")
        page.goto(f"{base}/receipts/{receipt_id}")
        page.get_by_text("TEA-250").first.wait_for()
        page.evaluate(WATCH)
        _ask(field, "rate")
        found = []
        for n, epc in enumerate(cases[1:]):
            left_at = _ask(field, epc)
            found.append(_shown_at(page, (n + 2) * PER_CASE) - left_at)
        return found, _ask(field, "rate"), pss_mb(Path(f"/proc/{child.process.pid}"))


def _lay(conn: Conn, cases: list[str]) -> None:
    """The warehouse, its lead, a notice of all the cases, and the agent with its two readers."""
    with conn.transaction():
        w = build_warehouse(conn, "hq")
        ctx = w.ctx()
        tags = tuple(AsnTag(epc, item_id=w.items["TEA-250"]) for epc in cases)
        receiving.expect(conn, ctx, NewAsn("ASN-1", w.supplier_id, tags=tags))
        conn.execute(
            "insert into app_user (id, username, name, password_hash, roles, site_id) values (%s, 'lena', 'Lena', %s, '{lead}', %s)",
            [new_id(), hash_password("bench-password"), w.site_id],
        )
        agent = agents.create_agent(conn, ctx, "agent-1")
        agents.enrol(conn, agent.enrol_code, ctx.now)
        for code, place, purpose in (("dock-1", "DOCK-1", "inbound"), ("shelf", "A-01-1", "none")):
            registry.register_device(
                conn, ctx, agent.id, code, "llrp_reader", place_id=w.places[place], purpose=purpose
            )


def _agent(broker_url: str, door_port: int, shelf_port: int) -> str:
    return f"""
[agent]
site = "hq"
code = "agent-1"
data_dir = "agent"

[broker]
url = "{broker_url}"

[[device]]
code = "dock-1"
driver = "llrp"
purpose = "portal"
options = {{ host = "127.0.0.1", port = {door_port} }}
portal = {{ outer = [1, 2], inner = [3, 4] }}

[[device]]
code = "shelf"
driver = "llrp"
purpose = "zone"
options = {{ host = "127.0.0.1", port = {shelf_port} }}
"""


def _ask(field: subprocess.Popen[str], line: str) -> float:
    assert field.stdin is not None
    assert field.stdout is not None
    print(line, file=field.stdin, flush=True)
    return float(field.stdout.readline())


def _shown_at(page: Page, units: int) -> float:
    """When the page first showed so many units as received."""
    return float(
        page.wait_for_function("units => window.shown[units]", arg=str(units), timeout=20_000).json_value()
    )


def _wait_for(url: str, query: LiteralString) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connect(url) as conn:
            row = conn.execute(query).fetchone()
        if row is not None:
            return row[0]
        time.sleep(0.1)
    raise TimeoutError(query)
