"""A license plate carried by hand: what is promised on it stays promised, and the tasks of its orders follow it.

Goods promised from a shelf that go where nobody picks (quarantine, a door) lose their promise, and their orders get others.
What was picked or packed already has its own way out: a carton is packed at its bench, loaded and unloaded by shipping.
"""

from __future__ import annotations

from uuid import UUID

from backend import ledger, orders, packing, picking
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.ledger import Posted, Reservation

SHELVES = ("bin", "zone", "aisle")
WORKPLACES = ("staging", "pack_bench")


class PlateOnItsWay(Conflict):
    """It is packed or loaded for an order; packing and shipping move it."""

    kind, title = "plate-on-its-way", "This is on its way to a customer"


def move_plate(
    conn: Conn,
    ctx: Context,
    license_plate_id: UUID,
    to_place_id: UUID,
    *,
    reason: str,
    cause_kind: str,
    cause_id: UUID | None = None,
) -> list[Posted]:
    """Moves the plate with all that is on it. Raises PlateOnItsWay, Conflict, NotEnoughStock."""
    kind = _kind(conn, to_place_id)
    held = ledger.reservations_on_plate(conn, ctx.site_id, license_plate_id)
    orders.lock_promised(conn, ctx, held)  # orders before stock, as everywhere
    ledger.lock_plates(conn, ctx.site_id, license_plate_id)
    ledger.lock_plate_rows(conn, ctx.site_id, license_plate_id)
    held = ledger.reservations_on_plate(
        conn, ctx.site_id, license_plate_id
    )  # and what was promised until now
    _refuse_cartons(conn, ctx, license_plate_id, kind)
    broken: list[Reservation] = []
    if kind not in (*SHELVES, *WORKPLACES):
        for r in held:
            if kind in ("dock_door", "vehicle") and _kind(conn, r.place_id) not in SHELVES:
                raise PlateOnItsWay(
                    "What is on it was picked for an order; pack it, and load it with its shipment."
                )
            ledger.release(conn, ctx, r.id)
            broken.append(r)
    posted = ledger.move_license_plate(
        conn, ctx, license_plate_id, to_place_id, reason=reason, cause_kind=cause_kind, cause_id=cause_id
    )
    for order_id in orders.lock_promised(conn, ctx, held):
        picking.follow(conn, ctx, order_id)
        orders.refresh_state(conn, ctx, order_id)
    if broken:
        orders.reallocate(conn, ctx, broken)
    return posted


def _refuse_cartons(conn: Conn, ctx: Context, license_plate_id: UUID, to_kind: str) -> None:
    inside = {license_plate_id} | {
        r.license_plate_id
        for r in ledger.on_plate(conn, ctx.site_id, license_plate_id)
        if r.license_plate_id is not None
    }
    for plate_id in sorted(inside):
        c = packing.find_carton(conn, ctx.site_id, plate_id)
        if c is None or c.state in ("shipped", "cancelled"):
            continue
        if c.state == "open":
            raise PlateOnItsWay(f"Carton {c.sscc} is being packed at {c.bench_code}; close it first.")
        if c.state == "loaded":
            raise PlateOnItsWay(f"Carton {c.sscc} of {c.order_number} is loaded; unload it first.")
        if to_kind not in WORKPLACES:
            raise PlateOnItsWay(
                f"Carton {c.sscc} is packed for {c.order_number}: it waits in staging, and is loaded with its shipment."
            )


def _kind(conn: Conn, place_id: UUID) -> str:
    row = conn.execute("select kind from place where id = %s", [place_id]).fetchone()
    return str(row[0]) if row else ""
