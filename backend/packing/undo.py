"""Taking back the last scan into a carton."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.packing.pack import Packed, take_back


def undo_of(done: Packed) -> dict[str, Any]:
    """What `undo_content` needs to know."""
    return {
        "carton_id": str(done.carton.id),
        "into": [[str(line_id), str(movement_id)] for line_id, movement_id in done.into],
        "place_id": str(done.carton.bench_id),
    }


def undo_content(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    """Raises Conflict where the carton was closed, or the goods were taken out of it."""
    into = [(UUID(line_id), UUID(movement_id)) for line_id, movement_id in undo["into"]]
    take_back(conn, ctx, UUID(undo["carton_id"]), into)
