"""The embedded database: it keeps data, cleans up after every death, and says plainly what is wrong."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stowage.parts import PartFailed
from stowage.parts.postgres import EmbeddedPostgres, _servers_in

REPOSITORY = Path(__file__).parents[2]


def until(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_what_was_written_is_there_after_the_next_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "db") as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with EmbeddedPostgres(tmp_path / "db") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_stop_leaves_no_process_behind(tmp_path: Path) -> None:
    database = EmbeddedPostgres(tmp_path / "db", durable=False)
    database.start()
    assert _servers_in(tmp_path / "db")
    database.stop()
    assert _servers_in(tmp_path / "db") == []
    assert not database.running()


def test_the_socket_folder_is_closed_to_others_and_there_is_no_tcp(tmp_path: Path) -> None:
    database = EmbeddedPostgres(tmp_path / "db", durable=False)
    with database as url, psycopg.connect(url) as connection:
        assert database.socket_dir.stat().st_mode & 0o777 == 0o700
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_killed_server_starts_again_with_what_was_committed(tmp_path: Path) -> None:
    database = EmbeddedPostgres(tmp_path / "db")
    with database as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        assert database.pid is not None
        os.kill(database.pid, signal.SIGKILL)
        assert until(lambda: not database.running())
        assert database.start() == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


PARENT = """
import sys, time
from pathlib import Path
from stowage.parts.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
time.sleep(600)
"""


def test_the_server_dies_with_a_killed_parent_and_the_next_start_waits_for_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "db"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data_dir)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith("postgresql://")
    parent.kill()
    parent.wait()
    with EmbeddedPostgres(data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert _servers_in(data_dir) == []


def test_a_pid_file_whose_number_belongs_to_another_program_does_not_block(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "db", durable=False):
        pass
    (tmp_path / "db" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{tmp_path / 'db'}\n1700000000\n5432\n\n\n"
    )
    with EmbeddedPostgres(tmp_path / "db", durable=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_second_starter_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    in_use = pytest.raises(PartFailed, match="another program is already running the database")
    with EmbeddedPostgres(tmp_path / "db", durable=False), in_use:
        EmbeddedPostgres(tmp_path / "db").start()


def test_a_data_folder_of_an_unknown_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "db", durable=False):
        pass
    (tmp_path / "db" / "PG_VERSION").write_text("99\n")
    with pytest.raises(PartFailed, match=r"made by PostgreSQL 99.*stowage backup"):
        EmbeddedPostgres(tmp_path / "db").start()


def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "db.making").mkdir()
    (tmp_path / "db.making" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path / "db", durable=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_path_too_long_for_a_socket_still_works(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20) / ("longer" * 10) / "db"
    with EmbeddedPostgres(deep, durable=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


ANOTHER_USER = """
import sys
from pathlib import Path
from stowage.parts.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as url:
    print("up")
"""


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; elsewhere every test is one"
)
def test_a_user_without_rights_can_run_it_too() -> None:
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{REPOSITORY}:{packages}"}
    python = next((p for p in (sys.executable, "/usr/bin/python3") if _can_run(p, environment, nobody)), None)
    if python is None:
        pytest.skip("this Python or the checkout is closed to other users of the machine")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        os.chown(home, 65534, 65534)
        command = [python, "-c", ANOTHER_USER, f"{home}/db"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **nobody)
        assert done.stdout == "up\n", done.stderr


def _can_run(python: str, environment: dict[str, str], user: dict[str, Any]) -> bool:
    """Another interpreter only counts when it is of this version: the venv's extensions are built for one."""
    wanted = f"import psycopg, stowage, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    try:
        done = subprocess.run(
            [python, "-c", wanted], env=environment, capture_output=True, check=False, **user
        )
    except OSError:
        return False
    return done.returncode == 0
