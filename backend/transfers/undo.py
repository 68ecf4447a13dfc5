"""Taking back a person's last move from place to place."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.transfers.plates import move_plate


def undo_move(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    """Each movement is reversed, the last one first. A plate goes back whole, onto the plate it stood on."""
    if undo.get("license_plate_id") is None or undo.get("from_place_id") is None:
        for movement_id in reversed(undo["movement_ids"]):
            ledger.reverse(conn, ctx, UUID(movement_id), "undone by the worker")
        return
    plate_id, place_id = UUID(undo["license_plate_id"]), UUID(undo["from_place_id"])
    move_plate(conn, ctx, plate_id, place_id, reason="undone by the worker", cause_kind="transfer")
    put_back_on(conn, ctx, plate_id, undo.get("parent_id"))


def put_back_on(conn: Conn, ctx: Context, license_plate_id: UUID, parent_id: str | None) -> None:
    """It stands on its old plate again, where that one still stands there."""
    if parent_id is not None:
        conn.execute(
            """update license_plate lp set parent_id = up.id from license_plate up
               where lp.id = %s and lp.site_id = %s and up.id = %s and up.place_id = lp.place_id""",
            [license_plate_id, ctx.site_id, UUID(parent_id)],
        )
