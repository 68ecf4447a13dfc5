"""Taking back the last loading of a carton."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.packing.carton import carton
from backend.shipping.load import take_off
from backend.shipping.shipment import Shipment, lock_orders, lock_shipment


def places_of_cartons(conn: Conn, site_id: UUID, carton_ids: list[UUID]) -> dict[UUID, UUID]:
    """Where the cartons stand by the books."""
    rows = conn.execute(
        "select id, place_id from license_plate where site_id = %s and id = any(%s) and place_id is not null",
        [site_id, carton_ids],
    ).fetchall()
    return {UUID(str(i)): UUID(str(p)) for i, p in rows}


def undo_of(before: Shipment, after: Shipment, carton_id: UUID, from_place_id: UUID | None) -> dict[str, Any]:
    """What `undo_load` needs to know."""
    return {
        "shipment_id": str(after.id),
        "carton_id": str(carton_id),
        "from_place_id": str(from_place_id) if from_place_id else None,
        "was_planned": before.state == "planned",
        "door_was_open": before.door_id is None,
        "place_id": str(after.there) if after.there else None,
    }


def undo_load(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    """The carton goes back to where it stood. Raises Conflict where the vehicle has left."""
    shipment_id, carton_id = UUID(undo["shipment_id"]), UUID(undo["carton_id"])
    c = carton(conn, ctx.site_id, carton_id)
    lock_orders(conn, ctx.site_id, [c.order_id])
    s = lock_shipment(conn, ctx.site_id, shipment_id)
    if s.is_over:
        raise Conflict(f"{s.label} has {s.state}; the carton has left with it.")
    if not any(x.carton_id == c.id and x.loaded_at is not None for x in s.cartons):
        raise Conflict(f"Carton {c.sscc} is not loaded on {s.label} any more.")
    to = UUID(undo["from_place_id"]) if undo["from_place_id"] else None
    s = take_off(conn, ctx, s, c, {"undone": True}, to=to)
    if undo["was_planned"] and not any(x.loaded_at is not None for x in s.cartons):
        conn.execute(
            """update shipment set state = 'planned', door_id = case when %s then null else door_id end
               where site_id = %s and id = %s""",
            [undo["door_was_open"], ctx.site_id, s.id],
        )
