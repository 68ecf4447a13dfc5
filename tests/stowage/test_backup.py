"""A backup holds everything as of one moment, and a restore brings it back or changes nothing."""

import json
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from backend.db import connect
from backend.migrate import is_current, migrate
from stowage.backup import BackupFailed, backup, restore
from stowage.parts.child import unprivileged_user
from stowage.parts.postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    part = EmbeddedPostgres(tmp_path_factory.mktemp("backup") / "db", durable=False)
    with part:
        yield part


@pytest.fixture
def databases(server: EmbeddedPostgres) -> tuple[str, str]:
    """Two databases of one server: a migrated one with data in it, and an empty one."""
    names = ("filled", "empty")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {name}".encode())
    migrate(server.url("filled"))
    with psycopg.connect(server.url("filled")) as connection:
        connection.execute("CREATE TABLE remembered (id int PRIMARY KEY, words text, half int)")
        connection.execute(
            "INSERT INTO remembered SELECT n, 'SET transaction_timeout = 0;', n FROM generate_series(1, 500) n"
        )
        connection.execute(
            "CREATE FUNCTION no() RETURNS trigger AS 'BEGIN RAISE ''append only''; END' LANGUAGE plpgsql"
        )
        connection.execute(
            "CREATE TRIGGER keep BEFORE INSERT OR UPDATE OR DELETE ON remembered EXECUTE FUNCTION no()"
        )
    return server.url("filled"), server.url("empty")


def test_a_restored_database_is_the_one_that_was_saved(databases: tuple[str, str], tmp_path: Path) -> None:
    filled, empty = databases
    said = backup(filled, tmp_path / "b.stowage")
    assert str(tmp_path / "b.stowage") in said
    assert (tmp_path / "b.stowage").stat().st_mode & 0o077 == 0
    restore(empty, tmp_path / "b.stowage")
    with psycopg.connect(filled) as before, psycopg.connect(empty) as after:
        everything = "SELECT * FROM remembered ORDER BY id"
        assert after.execute(everything).fetchall() == before.execute(everything).fetchall()
        rights = """SELECT table_name, privilege_type FROM information_schema.role_table_grants
                    WHERE grantee = 'stowage_app' ORDER BY 1, 2"""
        assert after.execute(rights).fetchall() == before.execute(rights).fetchall()
        with pytest.raises(psycopg.errors.RaiseException, match="append only"):
            after.execute("DELETE FROM remembered")
    with connect(empty) as connection:
        assert is_current(connection)
    backup(empty, tmp_path / "again.stowage")


def test_a_backup_taken_while_others_write_is_of_one_moment(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    filled, empty = databases
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("CREATE TABLE debit (n int); CREATE TABLE credit (n int)")
    stop, paid = Event(), Event()

    def pay() -> None:
        with psycopg.connect(filled) as connection:
            while not stop.is_set():
                with connection.transaction():
                    connection.execute("INSERT INTO debit VALUES (1)")
                    connection.execute("INSERT INTO credit VALUES (1)")
                paid.set()

    payer = Thread(target=pay)
    payer.start()
    try:
        assert paid.wait(60)
        backup(filled, tmp_path / "b.stowage")
    finally:
        stop.set()
        payer.join()
    restore(empty, tmp_path / "b.stowage")
    with psycopg.connect(empty) as connection:
        both = connection.execute(
            "SELECT (SELECT count(*) FROM debit), (SELECT count(*) FROM credit)"
        ).fetchone()
    assert both is not None
    assert both[0] == both[1] > 0


def test_a_database_that_is_not_empty_is_left_alone(databases: tuple[str, str], tmp_path: Path) -> None:
    filled, empty = databases
    backup(filled, tmp_path / "b.stowage")
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS number")
    with pytest.raises(BackupFailed, match="the database is not empty"):
        restore(empty, tmp_path / "b.stowage")
    with psycopg.connect(empty) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("mine",)]


@pytest.mark.parametrize("damage", ["cut", "flipped", "not a backup"])
def test_a_damaged_file_is_refused_and_nothing_is_changed(
    databases: tuple[str, str], tmp_path: Path, damage: str
) -> None:
    filled, empty = databases
    file = tmp_path / "b.stowage"
    backup(filled, file)
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        middle = len(whole) // 2
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    else:
        file.write_text("hello")
    with pytest.raises(BackupFailed, match=r"damaged|not a whole backup"):
        restore(empty, file)
    with psycopg.connect(empty) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


def test_a_backup_of_a_newer_version_is_refused(databases: tuple[str, str], tmp_path: Path) -> None:
    filled, empty = databases
    with psycopg.connect(filled) as connection:
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_from_the_future', '')")
    backup(filled, tmp_path / "b.stowage")
    with pytest.raises(BackupFailed, match="made by a newer Stowage"):
        restore(empty, tmp_path / "b.stowage")


def test_an_older_backup_is_brought_to_this_version(databases: tuple[str, str], tmp_path: Path) -> None:
    filled, empty = databases
    backup(filled, tmp_path / "b.stowage")
    with tarfile.open(tmp_path / "b.stowage") as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert manifest["migrations"]
    assert manifest["rows"]["public.remembered"] == 500
    assert "as of" in restore(empty, tmp_path / "b.stowage")


def test_a_backup_never_overwrites(databases: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "b.stowage").write_text("precious")
    with pytest.raises(BackupFailed, match="exists already"):
        backup(databases[0], tmp_path / "b.stowage")
    assert (tmp_path / "b.stowage").read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["b.stowage"]


def test_a_database_without_stowage_is_not_backed_up(databases: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="has no Stowage in it"):
        backup(databases[1], tmp_path / "b.stowage")
    with pytest.raises(BackupFailed, match="cannot write"):
        backup(databases[0], tmp_path / "nowhere" / "b.stowage")


def test_a_backup_goes_into_the_oldest_server_we_support(databases: tuple[str, str], tmp_path: Path) -> None:
    programs = Path("/usr/lib/postgresql/15/bin")
    if not (programs / "postgres").exists():
        pytest.skip("PostgreSQL 15 is not installed")
    backup(databases[0], tmp_path / "b.stowage")
    user = unprivileged_user()
    options = {"user": user[0], "group": user[1], "extra_groups": []} if user is not None else {}
    folder = Path(subprocess.check_output(["mktemp", "-d", "-p", "/var/tmp"], text=True).strip())
    try:
        if user is not None:
            subprocess.run(["chown", f"{user[0]}:{user[1]}", folder], check=True)
        run = [str(programs / "initdb"), "-D", f"{folder}/db", "-U", "old", "-A", "trust", "-N"]
        subprocess.run(run, check=True, capture_output=True, **options)  # type: ignore[call-overload]
        serve = [str(programs / "postgres"), "-D", f"{folder}/db", "-k", str(folder), "-h", "", "-F"]
        process = subprocess.Popen(serve, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
        try:
            url = f"postgresql://old@/postgres?host={folder}"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    psycopg.connect(url).close()
                    break
                except psycopg.OperationalError:
                    time.sleep(0.05)
            restore(url, tmp_path / "b.stowage")
            with psycopg.connect(url) as connection:
                row = connection.execute("SELECT count(*), min(words) FROM remembered").fetchone()
            assert row == (500, "SET transaction_timeout = 0;")
        finally:
            process.terminate()
            process.wait(60)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
