"""Brings a database to this program's schema: `migrations/NNNN_verb_noun.sql`, in order, each in a transaction.

`NNNN_x.timescale.sql` and `NNNN_x.plain.sql` are two forms of one migration; which is taken depends on the
extension being available, and is remembered. A changed file or a database newer than the program is refused
in words. To add a migration: the next number, a verb, a noun, and its GRANTs at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager
from psycopg import sql

from backend.db import APP_ROLE, Conn, connect

FOLDER = Path(__file__).parent / "migrations"
MINIMUM_SERVER = 150000
_LOCK = 7_300_211  # any number, the same in every program that migrates


class CannotMigrate(RuntimeError):
    """The database cannot be brought to this schema. The message says why and what to do."""


@dataclass(frozen=True)
class Migration:
    name: str  # 0005_create_telemetry
    path: Path

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def available(*, timescale: bool, folder: Path = FOLDER) -> list[Migration]:
    """The migrations this program brings, in order, in the form for a server with or without TimescaleDB."""
    form = "timescale" if timescale else "plain"
    found = []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        name, _, variant = path.name.removesuffix(".sql").partition(".")
        if not variant or variant == form:
            found.append(Migration(name, path))
    return found


def migrate(
    database_url: str, *, say: Callable[[str], None] = lambda _: None, folder: Path = FOLDER
) -> list[str]:
    """Applies what is missing; returns the names applied. Raises CannotMigrate, DatabaseUnreachable."""
    with connect(database_url, as_owner=True, autocommit=True) as conn:
        if conn.info.server_version < MINIMUM_SERVER:
            raise CannotMigrate(
                f"the server is PostgreSQL {conn.info.server_version // 10000}; Stowage needs 15 or newer. Upgrade the server."
            )
        conn.execute("set client_min_messages to warning")
        conn.execute("select pg_advisory_lock(%s)", [_LOCK])
        try:
            _prepare(conn)
            timescale = _uses_timescale(conn)
            todo = pending(conn, timescale=timescale, folder=folder)
            _migrate_job_queue(conn)
            for migration in todo:
                say(f"applying {migration.name}")
                _apply(conn, migration)
            return [m.name for m in todo]
        finally:
            conn.execute("select pg_advisory_unlock(%s)", [_LOCK])


def pending(conn: Conn, *, timescale: bool, folder: Path = FOLDER) -> list[Migration]:
    """What is still to be applied. Raises CannotMigrate for a newer database or a changed file."""
    applied: dict[str, str] = dict(
        conn.execute("select name, sha256 from schema_migration where kind = 'stowage'").fetchall()
    )
    ours = available(timescale=timescale, folder=folder)
    newer = sorted(set(applied) - {m.name for m in ours})
    if newer:
        raise CannotMigrate(
            f"the database was made by a newer Stowage (it has {newer[-1]}, which this program does not know). "
            "Install that version, or restore a backup made by this one."
        )
    for m in ours:
        if m.name in applied and applied[m.name] != m.sha256:
            raise CannotMigrate(
                f"{m.path.name} was changed after it was applied. Restore the file and write a new migration."
            )
    return [m for m in ours if m.name not in applied]


def is_current(conn: Conn) -> bool:
    """Whether this database has exactly this program's schema. Reads only."""
    if conn.execute("select to_regclass('schema_migration')").fetchone() == (None,):
        return False
    return not pending(conn, timescale=_uses_timescale(conn))


def _prepare(conn: Conn) -> None:
    conn.execute(
        """create table if not exists schema_migration (
               name text not null, kind text not null default 'stowage', sha256 text not null,
               applied_at timestamptz not null default now(), primary key (kind, name))"""
    )
    try:
        if conn.execute("select 1 from pg_roles where rolname = %s", [APP_ROLE]).fetchone() is None:
            conn.execute(sql.SQL("create role {} nologin").format(sql.Identifier(APP_ROLE)))
        if conn.execute(
            "select not pg_has_role(current_user, %s, 'SET')"
            if conn.info.server_version >= 160000
            else "select not pg_has_role(current_user, %s, 'MEMBER')",
            [APP_ROLE],
        ).fetchone() == (True,):
            conn.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(APP_ROLE)))
        conn.execute(sql.SQL("grant usage on schema public to {}").format(sql.Identifier(APP_ROLE)))
        conn.execute(sql.SQL("grant select on schema_migration to {}").format(sql.Identifier(APP_ROLE)))
    except psycopg.errors.InsufficientPrivilege as e:
        raise CannotMigrate(
            f"the database user may not create the role {APP_ROLE}, which the application works as. "
            f"As an administrator: CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO <user> WITH ADMIN OPTION."
        ) from e


def _uses_timescale(conn: Conn) -> bool:
    """Whether the database keeps telemetry in TimescaleDB. Decided once, when the extension can be had, and kept."""
    row = conn.execute("select sha256 from schema_migration where kind = 'telemetry'").fetchone()
    if row is not None:
        return bool(row[0] == "timescale")
    there = (
        conn.execute("select 1 from pg_available_extensions where name = 'timescaledb'").fetchone()
        is not None
    )
    if there:
        conn.execute("create extension if not exists timescaledb")
    conn.execute(
        "insert into schema_migration (kind, name, sha256) values ('telemetry', 'store', %s)",
        ["timescale" if there else "plain"],
    )
    return there


def _migrate_job_queue(conn: Conn) -> None:
    """procrastinate's own schema: whole at first, then by its own migration files."""
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    applied = {
        r[0]
        for r in conn.execute("select name from schema_migration where kind = 'procrastinate'").fetchall()
    }
    if applied:
        todo = [(f.name, f.read_text()) for f in files if f.name not in applied]
    else:
        todo = [(f.name, "") for f in files]
        todo[-1] = (files[-1].name, SchemaManager.get_schema())
    if not todo:
        return
    with conn.transaction():
        for name, statements in todo:
            if statements:
                conn.execute(statements.encode())
            conn.execute(
                "insert into schema_migration (kind, name, sha256) values ('procrastinate', %s, '')", [name]
            )
        for kind in ("tables", "sequences"):
            for (relation,) in conn.execute(
                "select format('%%I', relname) from pg_class where relname like 'procrastinate%%' and relkind = any(%s)",
                [["r"] if kind == "tables" else ["S"]],
            ).fetchall():
                right = "select, insert, update, delete" if kind == "tables" else "usage, select"
                conn.execute(
                    f"grant {right} on {'sequence ' if kind == 'sequences' else ''}{relation} to {APP_ROLE}".encode()
                )


def _apply(conn: Conn, migration: Migration) -> None:
    text = migration.path.read_text()
    try:
        with conn.transaction():
            conn.execute(text.encode())
            conn.execute(
                "insert into schema_migration (name, sha256) values (%s, %s)",
                [migration.name, migration.sha256],
            )
    except psycopg.Error as e:
        line = ""
        if e.diag.statement_position:
            line = f":{text.encode()[: int(e.diag.statement_position)].count(bytes([10])) + 1}"
        raise CannotMigrate(f"{migration.path.name}{line}: {e}") from e
