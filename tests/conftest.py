"""Real parts for every test: one PostgreSQL for the session, one fresh migrated database for each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import hypothesis
import psycopg
import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from backend import ledger, maps
from backend.app import create_app
from backend.auth.principals import hash_password, issue_token
from backend.catalog.sites import create_site
from backend.context import Context
from backend.db import Conn, connect
from backend.ids import new_id
from backend.migrate import migrate
from stowage.parts import PartFailed
from stowage.parts.node import build_screens
from stowage.parts.postgres import EmbeddedPostgres
from stowage.parts.roads import Roads, fetch_programs, helsinki_map
from stowage.parts.tryton import default_cache_dir
from tests.chromium import chromium

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")  # how long an example takes is the machine's affair

REQUIRE_ALL = os.environ.get("STOWAGE_TEST_REQUIRE_ALL") == "1"
VECTORS = Path(__file__).parents[1].parent / "shared" / "vectors"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was printed may hold what no UTF-8 has, where a test gives just that; a report is sent as UTF-8."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def missing(what: str, how: str) -> None:
    """Skips, saying what is missing and how to get it; where everything must be there, fails."""
    text = f"{what} is missing: {how}"
    if REQUIRE_ALL:
        pytest.fail(text)
    pytest.skip(text)


def tool(name: str, package: str, *elsewhere: str) -> str:
    """The path of a program that a test needs, or a skip that says which Debian package has it."""
    found = shutil.which(name) or next((p for p in elsewhere if Path(p).is_file()), None)
    if found is None:
        missing(name, f"apt-get install {package}")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The test data from outside; not part of the project, so a test that needs it skips without it."""
    if not VECTORS.is_dir():
        pytest.skip(
            f"the outside test vectors are not beside the checkout ({VECTORS.parent.name}/{VECTORS.name})"
        )
    return VECTORS


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a running server whose database is migrated: the template of every test's own.

    In memory where the machine has room there: making a test's database is then ten times faster."""
    memory = Path("/dev/shm")
    fast = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
    folder = (
        Path(tempfile.mkdtemp(prefix="stowage-test-", dir=memory))
        if fast
        else tmp_path_factory.mktemp("postgres")
    )
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "data", durable=False) as url:
            migrate(url)
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def other_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def fresh_database(postgres: str, *, migrated: bool = True) -> Iterator[str]:
    """URL of a new database on the session's server, dropped at the end."""
    name, template = f"t{new_id().hex}", urlsplit(postgres).path.lstrip("/") if migrated else "template0"
    admin = other_database(postgres, "postgres")
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f'create database "{name}" template "{template}" strategy file_copy'.encode())
    try:
        yield other_database(postgres, name)
    finally:
        with psycopg.connect(admin, autocommit=True) as conn:
            conn.execute(f'drop database "{name}" with (force)'.encode())


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    with fresh_database(postgres, migrated=False) as url:
        yield url


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A database of this test alone, migrated and empty."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def conn(database_url: str) -> Iterator[Conn]:
    """A connection as the application has it, in autocommit: use `with conn.transaction()`."""
    with connect(database_url, autocommit=True) as c:
        yield c


@dataclass(frozen=True)
class Warehouse:
    """A small site, made through the same functions as a real one."""

    site_id: UUID
    code: str
    places: dict[str, UUID]
    items: dict[str, UUID]
    supplier_id: UUID
    customer_id: UUID

    def ctx(self, actor: str = "user:test") -> Context:
        return Context(actor, self.site_id, datetime.now(UTC), str(new_id()))


ITEMS = [
    # sku, name, tracking, expiry, class, weight_g, gtin of each, gtin of case, units a case
    ("TEA-250", "Green tea 250 g", "none", False, "ambient", "280", "06412345000012", "16412345000019", 12),
    ("MILK-1L", "Milk 1 l", "lot", True, "chilled", "1040", "06412345000029", "16412345000026", 10),
    ("DRILL-X", "Cordless drill", "serial", False, "ambient", "1800", "06412345000036", None, None),
    ("CABLE", "Cable by the metre", "none", False, "ambient", "45", None, None, None),
]

PLACES = [
    # code, kind, parent, class, erp location
    ("AMBIENT", "zone", None, "ambient", "STO"),
    ("COLD", "zone", None, "chilled", "COLD"),
    ("DOCK-1", "dock_door", None, "ambient", "STO"),
    ("DOCK-2", "dock_door", None, "ambient", "STO"),
    ("STAGE-OUT", "staging", None, "ambient", "STO"),
    ("BENCH-1", "pack_bench", None, "ambient", "STO"),
    ("QUAR", "quarantine", None, "ambient", "QUA"),
    ("A-01-1", "bin", "AMBIENT", "ambient", None),
    ("A-01-2", "bin", "AMBIENT", "ambient", None),
    ("A-02-1", "bin", "AMBIENT", "ambient", None),
    ("C-01-1", "bin", "COLD", "chilled", None),
    ("C-01-2", "bin", "COLD", "chilled", None),
]


def build_warehouse(conn: Conn, code: str = "HEL1") -> Warehouse:
    with conn.transaction():
        site_id = create_site(
            conn, code=code, name="Helsinki 1", time_zone="Europe/Helsinki", gs1_company_prefix="6412345"
        )
        places = dict(conn.execute("select code, id from place where site_id = %s", [site_id]).fetchall())
        for place_code, kind, parent, storage_class, erp in PLACES:
            places[place_code] = new_id()
            conn.execute(
                """insert into place (id, site_id, parent_id, code, kind, storage_class, erp_location, holds_stock, pick_sequence)
                   values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [
                    places[place_code],
                    site_id,
                    places.get(parent or ""),
                    place_code,
                    kind,
                    storage_class,
                    erp,
                    kind != "zone",
                    len(places),
                ],
            )
        items = dict(conn.execute("select sku, id from item").fetchall())
        for sku, name, tracking, expiry, storage_class, weight, each, case, per_case in ITEMS:
            if sku in items:
                continue
            items[sku] = new_id()
            decimals, unit = (2, "m") if sku == "CABLE" else (0, "each")
            conn.execute(
                """insert into item (id, sku, name, tracking, has_expiry, storage_class, weight_g, quantity_decimals, base_unit)
                   values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [items[sku], sku, name, tracking, expiry, storage_class, weight, decimals, unit],
            )
            conn.execute(
                "insert into item_pack (id, item_id, name, units, gtin) values (%s, %s, %s, 1, %s)",
                [new_id(), items[sku], unit, each],
            )
            if case:
                conn.execute(
                    "insert into item_pack (id, item_id, name, units, gtin) values (%s, %s, 'case', %s, %s)",
                    [new_id(), items[sku], per_case, case],
                )
        partners = {}
        for partner_code, supplier, customer in (("SUP-1", True, False), ("CUST-1", False, True)):
            row = conn.execute("select id from partner where code = %s", [partner_code]).fetchone()
            partners[partner_code] = row[0] if row else new_id()
            if row is None:
                conn.execute(
                    "insert into partner (id, code, name, is_supplier, is_customer) values (%s, %s, %s, %s, %s)",
                    [partners[partner_code], partner_code, partner_code, supplier, customer],
                )
    return Warehouse(site_id, code, places, items, partners["SUP-1"], partners["CUST-1"])


@pytest.fixture
def warehouse(conn: Conn) -> Warehouse:
    return build_warehouse(conn)


def put_stock(
    conn: Conn,
    warehouse: Warehouse,
    sku: str,
    place: str,
    quantity: str,
    *,
    lot: str | None = None,
    expires_on: str | None = None,
    serial: str | None = None,
    status: str = "available",
) -> None:
    """Opening stock, posted like every other movement."""
    with conn.transaction():
        lot_id = None
        if lot is not None:
            row = conn.execute(
                "insert into lot (id, item_id, code, expires_on) values (%s, %s, %s, %s) on conflict on constraint lot_code_unique do update set code = excluded.code returning id",
                [new_id(), warehouse.items[sku], lot, expires_on],
            ).fetchone()
            assert row is not None
            lot_id = row[0]
        ctx = warehouse.ctx()
        source = ledger.virtual_place(conn, warehouse.site_id, "adjustment")
        ledger.post(
            conn,
            ctx,
            [
                ledger.Move(
                    warehouse.items[sku],
                    Decimal(quantity),
                    ledger.Spot(source, status=status),
                    ledger.Spot(warehouse.places[place], status=status),
                    "opening",
                    "opening",
                    lot_id=lot_id,
                    serial=serial,
                )
            ],
        )


class Api(TestClient):
    """The real application on the test's database; writes get an Idempotency-Key unless one is given."""

    def request(self, method: Any, url: Any, **options: Any) -> Any:
        headers = dict(options.pop("headers", None) or {})
        if str(method).upper() not in ("GET", "HEAD") and "Idempotency-Key" not in headers:
            headers["Idempotency-Key"] = str(new_id())
        return super().request(method, url, headers=headers, **options)

    def as_user(self, conn: Conn, username: str, roles: list[str], site_id: UUID | None = None) -> Api:
        """Logs a (new) user in; the following calls are theirs. The password is `test-password`."""
        conn.execute(
            """insert into app_user (id, username, name, password_hash, roles, site_id) values (%s, %s, %s, %s, %s, %s)
               on conflict do nothing""",
            [new_id(), username, username.title(), _hash_of_test_password(), roles, site_id],
        )
        row = conn.execute("select id, roles from app_user where username = %s", [username]).fetchone()
        assert row is not None
        token = issue_token(
            conn,
            row[0],
            row[1],
            kind="session",
            name="test",
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        self.headers["Authorization"] = f"Bearer {token.secret}"
        return self


@cache
def _hash_of_test_password() -> str:
    return hash_password("test-password")


@cache
def _app() -> FastAPI:
    """Built once; which database it opens is said before it starts."""
    return create_app("")


@pytest.fixture
def api(database_url: str, conn: Conn, warehouse: Warehouse) -> Iterator[Api]:
    """The API over the `warehouse`, logged in as an admin; `api.as_user(conn, name, roles)` changes who asks."""
    app = _app()
    app.state.database_url = database_url
    with Api(app, base_url="http://testserver", raise_server_exceptions=False) as client:
        yield client.as_user(conn, "admin", ["admin"])


@pytest.fixture(scope="session")
def road_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `bin/osrm-*`, fetched once for all tests of this user."""
    folder = tmp_path_factory.mktemp("roads")
    try:
        return fetch_programs(default_cache_dir(folder), folder / "roads.log", lambda step: None)
    except PartFailed as e:
        missing("the road engine", str(e))
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def helsinki_map_dir(road_programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The map of central Helsinki (roads, addresses, tiles), built once for all tests of this user."""
    folder = tmp_path_factory.mktemp("helsinki")
    return helsinki_map(default_cache_dir(folder), folder / "roads.log", lambda step: None)


@pytest.fixture(scope="session")
def osrm_url(helsinki_map_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real road server with that map."""
    part = Roads(tmp_path_factory.mktemp("osrm"), map_dir=helsinki_map_dir)
    try:
        yield part.start()
    finally:
        part.stop()


@pytest.fixture
def helsinki(osrm_url: str, helsinki_map_dir: Path) -> Iterator[None]:
    """The backend knows Helsinki: its roads, its addresses, its picture."""
    maps.configure(osrm_url, helsinki_map_dir)
    yield
    maps.configure(None, None)


# --- the screens in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def web_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built screens."""
    log = tmp_path_factory.mktemp("npm") / "npm.log"
    try:
        return build_screens(Path(__file__).parents[1] / "dashboards", log)
    except PartFailed as e:
        missing("the built screens", f"{e} (see {log})")
        raise


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@contextmanager
def open_browser(*more: str) -> Iterator[Browser]:
    """Chromium with `more` arguments, or a skip that says what to install."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(chromium(*more))
        except FileNotFoundError as e:
            missing("chromium", str(e))
            raise
        yield opened
