"""Connections to the database. The application never works as the owner of the tables.

`connect` for a program's own thread, `pool` for the API. Both take the role `stowage_app`, which may insert
into the ledger and read it, and nothing else.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

APP_ROLE = "stowage_app"

Conn = Connection[Any]
T = TypeVar("T")


class DatabaseUnreachable(RuntimeError):
    """The database does not answer. The message says where it was looked for and what to do."""


def app_conninfo(database_url: str) -> str:
    """The user's URL, working as `stowage_app`, in UTC."""
    return make_conninfo(database_url, options=f"-c role={APP_ROLE} -c TimeZone=UTC", connect_timeout=10)


def connect(database_url: str, *, as_owner: bool = False, autocommit: bool = False) -> Conn:
    """Raises DatabaseUnreachable."""
    try:
        return psycopg.connect(
            database_url if as_owner else app_conninfo(database_url), autocommit=autocommit
        )
    except psycopg.OperationalError as e:
        raise DatabaseUnreachable(
            f"the database does not answer: {e}. Check STOWAGE_DATABASE_URL, then run `stowage doctor`."
        ) from e


def open_pool(database_url: str, *, size: int = 16) -> ConnectionPool[Conn]:
    return ConnectionPool(
        app_conninfo(database_url),
        min_size=2,
        max_size=size,
        timeout=15,
        open=True,
        check=_still_there,
    )


def _still_there(conn: Conn) -> None:
    """An idle server says nothing. Where it did say something, most likely good-bye, psycopg asks it."""
    news = select.poll()
    news.register(conn, select.POLLIN)
    if news.poll(0):
        ConnectionPool.check_connection(conn)


def insert_rows(conn: Conn, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """All rows in one statement, as one JSON value that the database reads as rows of its table: less than half the time
    of a statement for each. The first row's keys are the columns, every row has them."""
    if rows:
        conn.execute(_insert(table, tuple(rows[0])), [msgspec.json.encode(rows).decode()])


@cache
def _insert(table: str, columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("insert into {t} ({c}) select {c} from json_populate_recordset(null::{t}, %s)").format(
        t=sql.Identifier(table), c=sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def in_transaction(conn: Conn, work: Callable[[], T], *, tries: int = 4) -> T:
    """Run `work` in one transaction; when the database breaks a deadlock, run it again from the start."""
    for attempt in range(1, tries + 1):
        try:
            with conn.transaction():
                return work()
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            if attempt == tries:
                raise
    raise AssertionError("unreachable")
