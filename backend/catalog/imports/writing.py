"""Writing one row: in a savepoint of its own, so that a refusal lands on its row and column and the rest is still checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg

from backend import errors
from backend.catalog.imports.table import Column, Row
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Refused

EXTERNAL = (
    Column("external_system", "The outside system that knows it by another key: erp, crm, supplier:CODE"),
    Column("external_key", "That key"),
)


@dataclass
class Importing:
    """One import under way."""

    conn: Conn
    ctx: Context
    import_id: UUID
    created: int = 0
    updated: int = 0

    def write(
        self, row: Row, write: Callable[[], bool | None], fields: Mapping[str, str] | None = None
    ) -> None:
        """`write` returns True for a new thing, False for a changed one. A refusal is noted on the row.

        `fields`: a refusal's field -> column of the file, where they differ."""
        try:
            with self.conn.transaction():
                made = write()
        except Refused as e:
            row.fail(self._column(row, e.field, fields), e.detail)
            return
        except psycopg.Error as e:
            known = errors.from_database(e)
            if known is None:
                raise
            row.fail(self._column(row, known.field, fields), known.detail)
            return
        if made is True:
            self.created += 1
        elif made is False:
            self.updated += 1

    @staticmethod
    def _column(row: Row, name: str | None, fields: Mapping[str, str] | None) -> str | None:
        column = (fields or {}).get(name or "", name)
        return column if column in row.cells else None

    def map_key(self, row: Row, kind: str, our_id: UUID) -> None:
        """The outside system's key of what this row made."""
        system = row.text("external_system", most=63, pattern=r"[a-z][a-z0-9_:.\-]*")
        key = row.text("external_key")
        if (system is None) != (key is None):
            row.fail(
                "external_key" if key is None else "external_system",
                "system and key belong together; fill in both or none",
            )
            return
        if system is None or key is None:
            return
        taken = self.conn.execute(
            "select our_id from external_key where system = %s and kind = %s and their_key = %s",
            [system, kind, key],
        ).fetchone()
        if taken is not None and taken[0] != our_id:
            raise Conflict(f"{system} knows another {kind} by the key {key}.", field="external_key")
        self.conn.execute(
            """insert into external_key (system, kind, our_id, their_key) values (%s, %s, %s, %s)
               on conflict (system, kind, our_id) do update set their_key = excluded.their_key""",
            [system, kind, our_id, key],
        )

    def ids(self, query: str, *params: object) -> dict[str, UUID]:
        """Code -> id, by a query that gives the two."""
        return dict(self.conn.execute(query.encode(), params).fetchall())
