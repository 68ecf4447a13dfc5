"""A database with TimescaleDB for the tests that must show that nothing above can tell the two forms apart.

It is PGlite with the extension, a PostgreSQL inside Node (`tests/timescale`): one connection at a time, and no
COPY. Real servers with TimescaleDB take the same migrations and the same statements.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.db import Conn, connect
from backend.ids import new_id
from backend.migrate import migrate
from tests.conftest import Warehouse, build_warehouse, missing, tool

FOLDER = Path(__file__).parents[2] / "timescale"


@pytest.fixture(scope="session")
def timescale_url() -> Iterator[str]:
    """A migrated database with TimescaleDB."""
    with _timescale() as url:
        migrate(url)
        yield url


@pytest.fixture
def empty_timescale_url() -> Iterator[str]:
    with _timescale() as url:
        yield url


def _install() -> None:
    """Once, whichever test process comes first: npm notes in the folder when it is through."""
    lock = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (FOLDER / "node_modules/.package-lock.json").is_file():
            return
        npm = tool("npm", "npm")
        done = subprocess.run([npm, "ci"], cwd=FOLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            missing("PGlite with TimescaleDB", f"`npm ci` in tests/timescale failed: {done.stderr[-300:]}")
    finally:
        os.close(lock)


class _timescale:
    def __enter__(self) -> str:
        node = tool("node", "nodejs")
        _install()
        self.folder = tempfile.mkdtemp(prefix="stowage-timescale-")
        self.server = subprocess.Popen(
            [node, FOLDER / "server.mjs", self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.server.stdout is not None
        assert self.server.stdout.readline() == b"ready\n"
        return f"postgresql://postgres:postgres@/template1?host={self.folder}&sslmode=disable"

    def __exit__(self, *_: object) -> None:
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(params=["plain", "timescale"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(request: pytest.FixtureRequest, form: str) -> Iterator[Conn]:
    """A connection as the application has it, to each of the two forms."""
    url = request.getfixturevalue("database_url" if form == "plain" else "timescale_url")
    with connect(url, autocommit=True) as conn:
        conn.execute("set role stowage_app")  # PGlite does not hear what a connection asks for at its start
        yield conn


@pytest.fixture
def site(store: Conn) -> Warehouse:
    """A site of this test alone."""
    return build_warehouse(store, f"S{new_id().hex[-12:]}")
