"""`stowage backup FILE` and `stowage restore FILE`: the whole database in one file, embedded or your own.

A backup is a tar of `manifest.json` (program and schema version, rows of every table, SHA-256) and `database.dump`
(pg_dump's custom format), all as of one moment; it is taken while everything runs. A restore goes into an empty
database, in one transaction, counts the rows again, and brings the schema to this program's version.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from backend.db import APP_ROLE, Conn, connect
from backend.migrate import available, migrate
from stowage.parts.postgres import tool

FORMAT = 1


class BackupFailed(Exception):
    """A backup could not be written or read back. The text says why and what to do; nothing was changed."""


@dataclass(frozen=True)
class Manifest:
    format: int
    taken_at: str
    program: str
    server: int
    telemetry: str
    """Which form of the telemetry tables it has: `plain` or `timescale`."""
    migrations: list[str]
    rows: dict[str, int]
    dump_bytes: int
    dump_sha256: str


def backup(database_url: str, file: Path) -> str:
    """Write `file`, which must not exist. Returns a sentence. Raises BackupFailed, DatabaseUnreachable."""
    if file.exists():
        raise BackupFailed(f"{file} exists already; name a new file")
    try:
        with _scratch(file.parent) as scratch, connect(database_url, as_owner=True) as connection:
            dump = scratch / "database.dump"
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            manifest = _dump(database_url, connection, dump)
            making = scratch / "backup.tar"
            with making.open("wb") as stream:
                os.fchmod(stream.fileno(), 0o600)
                with tarfile.open(fileobj=stream, mode="w") as tar:
                    note = json.dumps(asdict(manifest), indent=1).encode()
                    header = tarfile.TarInfo("manifest.json")
                    header.size = len(note)
                    tar.addfile(header, io.BytesIO(note))
                    tar.add(dump, "database.dump")
                stream.flush()
                os.fsync(stream.fileno())
            os.link(making, file)  # fails when the name was taken meanwhile
    except FileExistsError:
        raise BackupFailed(f"{file} exists already; name a new file") from None
    except OSError as e:
        raise BackupFailed(f"cannot write {file}: {e.strerror or e}") from e
    size_mb = file.stat().st_size / 2**20
    return f"{file}: {sum(manifest.rows.values())} rows of {len(manifest.rows)} tables, {size_mb:.1f} MB"


def restore(database_url: str, file: Path) -> str:
    """Read `file` into an empty database, all or nothing. Returns a sentence. Raises BackupFailed,
    DatabaseUnreachable, CannotMigrate."""
    with connect(database_url, as_owner=True, autocommit=True) as connection:
        found = _tables(connection)
        if found:
            raise BackupFailed(
                f"the database is not empty (it has {len(found)} tables, such as {found[0]}); restore into a "
                "new one: `make clean` forgets the embedded database, or set STOWAGE_DATABASE_URL to an empty one"
            )
    try:
        with _scratch(None) as scratch:
            manifest, dump = _unpack(file, scratch)
            _refuse_a_newer_one(manifest, file)
            with connect(database_url, as_owner=True, autocommit=True) as connection:
                _prepare(connection, manifest)
                _load(database_url, dump, connection.info.server_version)
                if manifest.telemetry == "timescale":
                    connection.execute("SELECT timescaledb_post_restore()")
                _compare(connection, manifest)
    except OSError as e:
        raise BackupFailed(f"cannot read {file}: {e.strerror or e}") from e
    applied = migrate(database_url)
    newer = f"; {len(applied)} newer migrations applied" if applied else ""
    return f"restored {sum(manifest.rows.values())} rows of {len(manifest.rows)} tables, as of {manifest.taken_at}{newer}"


# --- writing ----------------------------------------------------------------------------------------------


def _dump(database_url: str, connection: Conn, dump: Path) -> Manifest:
    """pg_dump in the snapshot of `connection`, in which the rows are counted too."""
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    tables = _tables(connection)
    if "public.schema_migration" not in tables:
        raise BackupFailed("this database has no Stowage in it; check STOWAGE_DATABASE_URL")
    rows = {table: _count(connection, table) for table in tables}
    _run_tool(
        database_url,
        ["pg_dump", "--format=custom", "--no-owner", f"--snapshot={row[0]}", f"--file={dump}"],
    )
    kinds = connection.execute("SELECT kind, name, sha256 FROM schema_migration ORDER BY name").fetchall()
    return Manifest(
        format=FORMAT,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        program=_program_version(),
        server=connection.info.server_version,
        telemetry=next((sha for kind, _, sha in kinds if kind == "telemetry"), "plain"),
        migrations=[name for kind, name, _ in kinds if kind == "stowage"],
        rows=rows,
        dump_bytes=dump.stat().st_size,
        dump_sha256=_sha256(dump),
    )


# --- reading back -----------------------------------------------------------------------------------------


def _unpack(file: Path, scratch: Path) -> tuple[Manifest, Path]:
    dump = scratch / "database.dump"
    try:
        with tarfile.open(file) as tar:
            manifest = Manifest(**json.loads(_member(tar, "manifest.json").read()))
            if manifest.format != FORMAT:
                raise BackupFailed(f"{file} has format {manifest.format}, this program reads {FORMAT}")
            with dump.open("wb") as out:
                source = _member(tar, "database.dump")
                while piece := source.read(1 << 20):
                    out.write(piece)
    except (tarfile.TarError, KeyError, TypeError, ValueError, EOFError) as e:
        raise BackupFailed(f"{file} is not a whole backup of Stowage ({e})") from e
    if dump.stat().st_size != manifest.dump_bytes or _sha256(dump) != manifest.dump_sha256:
        raise BackupFailed(
            f"{file} is damaged: its contents do not have the recorded SHA-256; use another copy"
        )
    return manifest, dump


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream


def _refuse_a_newer_one(manifest: Manifest, file: Path) -> None:
    known = {m.name for m in available(timescale=manifest.telemetry == "timescale")}
    unknown = [name for name in manifest.migrations if name not in known]
    if unknown:
        raise BackupFailed(
            f"{file} was made by a newer Stowage ({manifest.program}; it has {unknown[-1]}); install that version"
        )


def _prepare(connection: Conn, manifest: Manifest) -> None:
    """What a dump of one database does not bring: the role that its grants name, and the extension."""
    if connection.info.server_version < 150000:
        raise BackupFailed("the server is older than PostgreSQL 15; upgrade it")
    try:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(APP_ROLE)))
        if manifest.telemetry == "timescale":
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            connection.execute("SELECT timescaledb_pre_restore()")
    except psycopg.Error as e:
        raise BackupFailed(f"the database cannot be prepared: {e}; ask its administrator") from e


def _load(database_url: str, dump: Path, server: int) -> None:
    """pg_restore writes SQL, psql runs it in one transaction. A setting that older servers do not know is left out."""
    with tempfile.TemporaryFile() as complaints:
        psql_command = [str(tool("psql")), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
        restore_command = [str(tool("pg_restore")), "--no-owner", "--file=-", str(dump)]
        reader = subprocess.Popen(restore_command, stdout=subprocess.PIPE, stderr=complaints)
        loader = subprocess.Popen(
            psql_command, stdin=subprocess.PIPE, stderr=complaints, env=_environment(database_url)
        )
        assert reader.stdout is not None
        assert loader.stdin is not None
        try:
            with loader.stdin as out:
                for line in reader.stdout:
                    if line == b"SET transaction_timeout = 0;\n" and server < 170000:
                        out.writelines(reader.stdout)
                        break
                    out.write(line)
        except BrokenPipeError:
            pass  # psql gave up; what it said is below
        finally:
            reader.stdout.close()
        codes = loader.wait(), reader.wait()
        if codes != (0, 0):
            complaints.seek(0)
            text = complaints.read().decode(errors="replace").strip().splitlines()
            raise BackupFailed(f"reading the backup into the database failed: {' | '.join(text[:3])}")


def _compare(connection: Conn, manifest: Manifest) -> None:
    for table, wanted in manifest.rows.items():
        found = _count(connection, table)
        if found != wanted:
            raise BackupFailed(f"{table} has {found} rows after the restore, the backup says {wanted}")


# --- both -------------------------------------------------------------------------------------------------


def _tables(connection: Conn) -> list[str]:
    """All tables with rows of their own, as schema.name, without those of the system and of extensions."""
    found = connection.execute(
        """SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
             AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE '\\_timescaledb\\_%'
             AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
           ORDER BY 1"""
    )
    return [str(name) for (name,) in found.fetchall()]


def _count(connection: Conn, table: str) -> int:
    schema, _, name = table.partition(".")
    parts = [part.removeprefix('"').removesuffix('"').replace('""', '"') for part in (schema, name)]
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*parts))).fetchone()
    assert row is not None
    return int(row[0])


def _run_tool(database_url: str, command: list[str]) -> None:
    words = [str(tool(command[0])), *command[1:]]
    done = subprocess.run(words, env=_environment(database_url), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " | ".join(done.stderr.strip().splitlines()[:3])
        raise BackupFailed(f"{command[0]} failed: {said or 'no output'}")


_LIBPQ = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY", "options": "PGOPTIONS", "connect_timeout": "PGCONNECT_TIMEOUT",
}  # fmt: skip


def _environment(database_url: str) -> dict[str, str]:
    """The URL as libpq's variables: a password never stands in a process list."""
    given: dict[str, Any] = conninfo_to_dict(database_url)
    return {**os.environ, **{_LIBPQ[key]: str(value) for key, value in given.items() if key in _LIBPQ}}


@contextmanager
def _scratch(beside: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".stowage-backup-", dir=beside) as folder:
        yield Path(folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _program_version() -> str:
    try:
        return version("stowage")
    except PackageNotFoundError:
        return "0.1.0"
