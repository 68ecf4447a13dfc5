"""Release."""

from __future__ import annotations

from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import Unavailable


def release(conn: Conn, ctx: Context, route_id: UUID, version: int, *, door_id: UUID | None) -> None:
    raise Unavailable("This part of dispatch is not there yet.")


def cancel(conn: Conn, ctx: Context, route_id: UUID, version: int) -> None:
    raise Unavailable("This part of dispatch is not there yet.")


def break_down(conn: Conn, ctx: Context, route_id: UUID, words: str) -> None:
    raise Unavailable("This part of dispatch is not there yet.")
