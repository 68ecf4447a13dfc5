"""`start_cold_s`, `start_warm_s`, `memory_run_mb`, `handheld_kb`: what a stranger waits for, and what it costs.

A copy of the checkout is run as `make run` runs it, demo and ERP included. Cold: no data and no built screens, but nothing
to download (packages, Tryton and the road engine are in this user's caches). The clock stops when the first page and the
API answer. Memory is the proportional set size of every process of the run but the ERP's, two minutes after the start.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Response

from stowage.parts.ports import free_port
from stowage.run import get
from tests.bench.figure import Figure, figure
from tests.bench.memory import pss_mb
from tests.chromium import chromium

CHECKOUT = Path(__file__).parents[2]
LIVES_S = 120
_LEFT_BEHIND = shutil.ignore_patterns(
    ".venv", ".stowage", "node_modules", "dist", "dist.*", ".git", ".hypothesis", "*_cache", "__pycache__"
)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        copy, data = Path(folder) / "checkout", Path(folder) / "data"
        shutil.copytree(CHECKOUT, copy, ignore=_LEFT_BEHIND)
        (copy / "dashboards" / "node_modules").symlink_to(CHECKOUT / "dashboards" / "node_modules")
        run = _Run(copy, data)
        try:
            yield from _figures(run)
        finally:
            run.stop()


def _figures(run: _Run) -> Iterator[Figure]:
    yield figure("start_cold_s", run.start(), "s", must=120, aim=60, lower_is_better=True)
    time.sleep(LIVES_S)
    found = run.memory_mb()
    run.stop()
    yield figure("start_warm_s", run.start(), "s", must=30, aim=10, lower_is_better=True)
    yield figure("memory_run_mb", sum(found.values()), "MB", must=2500, aim=1200, lower_is_better=True,
                 **{k: round(v) for k, v in sorted(found.items(), key=lambda x: -x[1])})  # fmt: skip
    yield figure("handheld_kb", _handheld_kb(run.address), "kB", must=300, aim=120, lower_is_better=True,
                 how="JavaScript and CSS of the handheld page, gzip")  # fmt: skip


class _Run:
    def __init__(self, checkout: Path, data: Path) -> None:
        self._checkout, self._data = checkout, data
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self) -> float:
        """Seconds until the first page and the API answer."""
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_")}
        with (self._data.parent / "said.txt").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stowage", "run"], cwd=self._checkout, stdout=said, stderr=said, start_new_session=True,
                env=clean | {"STOWAGE_DATA_DIR": str(self._data), "STOWAGE_HTTP_PORT": str(port)},
            )  # fmt: skip
        started = time.monotonic()
        while not (get("127.0.0.1", port, "/")[0] == 200 and get("127.0.0.1", port, "/readyz")[0] == 200):
            assert self._process.poll() is None, (self._data.parent / "said.txt").read_text()
            time.sleep(0.05)
        return time.monotonic() - started

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)

    def memory_mb(self) -> dict[str, float]:
        """Proportional set size by program, the ERP's processes left out."""
        mark = f"STOWAGE_DATA_DIR={self._data}".encode()
        found: dict[str, float] = {}
        for process in Path("/proc").iterdir():
            try:
                if not process.name.isdigit():
                    continue
                inside = (process / "cwd").readlink().is_relative_to(self._data)
                if not inside and mark not in (process / "environ").read_bytes():
                    continue
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if "trytond" in command:
                    continue
                name = _name(command)
                found[name] = found.get(name, 0) + pss_mb(process)
            except OSError:
                continue
        return found


def _name(command: str) -> str:
    ours = re.search(r"-m stowage (\w+)", command)
    if ours is not None:
        return ours[1]
    return (
        "postgres" if "postgres" in command else Path(command.split()[0]).name if command.split() else "other"
    )


def _handheld_kb(address: str) -> float:
    """What the browser fetches of JavaScript and CSS until the handheld's log-in stands, each file by gzip."""
    fetched: dict[str, float] = {}
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"{address}/handheld")
        page.locator("input[name=password]").wait_for()
        page.wait_for_load_state("networkidle")
        for answer in answers:
            if re.search(r"\.(js|css)$", answer.url):
                fetched[answer.url] = len(gzip.compress(answer.body(), 9)) / 1000
    assert fetched
    return sum(fetched.values())
