"""Changing one row of dispatch's settings: only the version that was seen, told in words where it is another one now."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from psycopg import sql

from backend.context import Context
from backend.db import Conn
from backend.errors import ChangedMeanwhile


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


def update_version(
    conn: Conn,
    ctx: Context,
    table: str,
    row_id: UUID,
    version: int,
    present: Versioned,
    changes: dict[str, Any],
    words: str,
) -> None:
    """Sets the columns (names of ours, never input). Raises ChangedMeanwhile with the present version."""
    sets = [sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder()) for k in changes]
    done = conn.execute(
        sql.SQL("update {} set {} where site_id = {} and id = {} and version = {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join([*sets, sql.SQL("version = version + 1")]),
            *[sql.Placeholder()] * 3,
        ),
        [*changes.values(), ctx.site_id, row_id, version],
    ).rowcount
    if not done:
        raise ChangedMeanwhile(
            f"Somebody else changed {words} meanwhile; look at it again.",
            field="version",
            present={"id": str(row_id), "version": present.version},
        )
