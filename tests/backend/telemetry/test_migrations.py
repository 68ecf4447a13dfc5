"""The whole chain of migrations on the oldest server that is supported, on TimescaleDB, and from an older schema with data."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.db import Conn, connect
from backend.ids import new_id
from backend.ledger import verify
from backend.migrate import FOLDER, CannotMigrate, available, is_current, migrate
from tests.conftest import build_warehouse, missing, put_stock

OLDEST = 15


@pytest.fixture(scope="session")
def oldest_server_url() -> Iterator[str]:
    """PostgreSQL of the minimum version, from Debian's package, in a folder of its own."""
    programs = Path(f"/usr/lib/postgresql/{OLDEST}/bin")
    if not (programs / "postgres").is_file():
        missing(f"PostgreSQL {OLDEST}", f"apt-get install postgresql-{OLDEST}")
    folder = Path(tempfile.mkdtemp(prefix="stowage-oldest-"))
    as_user: dict[str, Any] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid}
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "stowage", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **as_user,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
        cwd=folder, stdout=(folder / "log").open("wb"), stderr=subprocess.STDOUT, **as_user,
    )  # fmt: skip
    try:
        for _ in range(600):
            ready = subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False)
            if ready.returncode == 0:
                break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql://stowage@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def oldest_database_url(oldest_server_url: str) -> Iterator[str]:
    name = f"t{new_id().hex}"
    with connect(oldest_server_url, as_owner=True, autocommit=True) as admin:
        admin.execute(f'create database "{name}"'.encode())
    yield oldest_server_url.replace("/postgres?", f"/{name}?")
    with connect(oldest_server_url, as_owner=True, autocommit=True) as admin:
        admin.execute(f'drop database "{name}" with (force)'.encode())


def only_up_to(number: str, folder: Path) -> Path:
    """The migrations as an older program had them."""
    for path in FOLDER.glob("*.sql"):
        if path.name[:4] <= number:
            shutil.copy(path, folder)
    return folder


def a_working_day(conn: Conn) -> None:
    """Stock that moves: opening, a transfer, expiry lots."""
    warehouse = build_warehouse(conn)
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "24")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "10", lot="L1", expires_on="2027-01-01")


def test_the_whole_chain_runs_on_the_oldest_server(oldest_database_url: str) -> None:
    applied = migrate(oldest_database_url)
    assert applied == [m.name for m in available(timescale=False)]
    assert migrate(oldest_database_url) == []
    with connect(oldest_database_url, autocommit=True) as conn:
        assert conn.info.server_version // 10000 == OLDEST
        assert is_current(conn)
        a_working_day(conn)
        assert verify(conn) == []


@pytest.mark.parametrize("number", ["0003", "0010", "0011"])
def test_an_older_schema_with_data_in_it_is_brought_up(
    oldest_database_url: str, tmp_path: Path, number: str
) -> None:
    old = migrate(oldest_database_url, folder=only_up_to(number, tmp_path))
    assert old[-1][:4] == number
    with connect(oldest_database_url, autocommit=True) as conn:
        a_working_day(conn)
        before = conn.execute("select count(*), sum(quantity) from movement").fetchall()
    new = migrate(oldest_database_url)
    assert [*old, *new] == [m.name for m in available(timescale=False)]
    with connect(oldest_database_url, autocommit=True) as conn:
        assert conn.execute("select count(*), sum(quantity) from movement").fetchall() == before
        assert verify(conn) == []
        assert is_current(conn)


def test_every_step_brings_the_data_along(oldest_database_url: str, tmp_path: Path) -> None:
    """One migration at a time over a database that is in use, as an installation that takes every update."""
    names = [m.path.name[:4] for m in available(timescale=False)]
    migrate(oldest_database_url, folder=only_up_to("0003", tmp_path))
    with connect(oldest_database_url, autocommit=True) as conn:
        a_working_day(conn)
    for number in names:
        if number > "0003":
            migrate(oldest_database_url, folder=only_up_to(number, tmp_path))
    with connect(oldest_database_url, autocommit=True) as conn:
        assert verify(conn) == []
        assert is_current(conn)


def test_an_older_program_refuses_a_newer_database_in_words(oldest_database_url: str, tmp_path: Path) -> None:
    migrate(oldest_database_url)
    with pytest.raises(CannotMigrate, match="newer Stowage"):
        migrate(oldest_database_url, folder=only_up_to("0010", tmp_path))


def test_the_whole_chain_runs_on_timescale(empty_timescale_url: str) -> None:
    applied = migrate(empty_timescale_url)
    assert applied == [m.name for m in available(timescale=True)]
    with connect(empty_timescale_url, autocommit=True) as conn:
        conn.execute("set role stowage_app")
        assert is_current(conn)
        a_working_day(conn)
        assert verify(conn) == []


def test_an_older_schema_with_data_is_brought_up_on_timescale(
    empty_timescale_url: str, tmp_path: Path
) -> None:
    migrate(empty_timescale_url, folder=only_up_to("0003", tmp_path))
    with connect(empty_timescale_url, autocommit=True) as conn:
        conn.execute("set role stowage_app")
        a_working_day(conn)
    migrate(empty_timescale_url)
    with connect(empty_timescale_url, autocommit=True) as conn:
        assert verify(conn) == []
        assert is_current(conn)


def test_both_forms_have_the_same_columns(database_url: str, timescale_url: str) -> None:
    shape = """select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_class c join pg_attribute a on a.attrelid = c.oid
               where c.relname in ('observation', 'sensor_value', 'sensor_5min', 'sensor_hourly', 'vehicle_position') and a.attnum > 0 and not a.attisdropped
                 and c.relnamespace = 'public'::regnamespace order by 1, a.attnum"""
    found = []
    for url in (database_url, timescale_url):
        with connect(url, autocommit=True) as conn:
            found.append(conn.execute(shape.encode()).fetchall())
    assert found[0] == found[1]
    assert len(found[0]) == 8 + 5 + 8 + 8 + 10
