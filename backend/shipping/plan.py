"""Which orders leave together: a shipment of its own for each packed order, until somebody puts several on one vehicle."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import ChangedMeanwhile, Conflict, NotFound, Unknown, register
from backend.ids import new_id
from backend.live.announce import announce
from backend.shipping.shipment import (
    Shipment,
    lock_orders,
    lock_shipment,
    shipment,
    shipment_of_order,
)

register(
    {
        "shipment_vehicle_once": (
            Conflict,
            "This vehicle has a shipment that has not left yet.",
            "vehicle_id",
        ),
        "shipment_order_once": (Conflict, "This order is on another shipment already.", "order_ids"),
    }
)


def on_carton_closed(conn: Conn, ctx: Context, order_id: UUID) -> Shipment:
    """The order's shipment: the one it is planned on, else a new one of its own. The caller holds the order."""
    present = shipment_of_order(conn, ctx.site_id, order_id)
    if present is not None and not present.is_over:
        return present
    return _make(conn, ctx, [order_id], None, None)


def plan(
    conn: Conn,
    ctx: Context,
    order_ids: Sequence[UUID],
    *,
    vehicle_id: UUID | None = None,
    door_id: UUID | None = None,
    for_route: bool = False,
) -> Shipment:
    """Several orders on one vehicle or through one door. Raises Conflict (loaded or gone already), NotFound, Unknown.

    `for_route`: dispatch asks, who alone takes an order off a released route."""
    from backend import dispatch  # it plans shipments; only these calls go back

    wanted = list(dict.fromkeys(order_ids))
    lock_orders(conn, ctx.site_id, wanted)
    if not for_route:
        dispatch.refuse_other_than_its_route(conn, ctx.site_id, wanted)
    rows = conn.execute(
        "select number, state from sales_order where site_id = %s and id = any(%s)", [ctx.site_id, wanted]
    ).fetchall()
    if len(rows) < len(wanted):
        raise NotFound("One of these orders is not at this site.", field="order_ids")
    for number, state in rows:
        if state in ("shipped", "cancelled"):
            raise Conflict(f"{number} is {state}; it cannot be put on a shipment.", field="order_ids")
    _check_places(conn, ctx, vehicle_id, door_id)
    for order_id in wanted:
        _take_off(conn, ctx, order_id)
    return _make(conn, ctx, wanted, vehicle_id, door_id)


def assign(
    conn: Conn,
    ctx: Context,
    shipment_id: UUID,
    version: int,
    *,
    vehicle_id: UUID | None,
    door_id: UUID | None,
) -> Shipment:
    """Another vehicle or door, while nothing is loaded. Raises ChangedMeanwhile, Conflict, NotFound, Unknown."""
    from backend import dispatch  # it plans shipments; only these calls go back

    s = lock_shipment(conn, ctx.site_id, shipment_id)
    if s.version != version:
        raise ChangedMeanwhile(
            f"Somebody else changed {s.number} meanwhile; look again.",
            field="version",
            present={"version": s.version, "vehicle": s.vehicle_code, "door": s.door_code, "state": s.state},
        )
    if s.is_over or any(c.loaded_at is not None for c in s.cartons):
        raise Conflict(f"{s.number} is being loaded or gone; unload it first.")
    dispatch.refuse_other_than_its_route(conn, ctx.site_id, [], s.id, vehicle_id)
    _check_places(conn, ctx, vehicle_id, door_id)
    conn.execute(
        "update shipment set vehicle_id = %s, door_id = %s, version = version + 1 where site_id = %s and id = %s",
        [vehicle_id, door_id, ctx.site_id, shipment_id],
    )
    announce(conn, ctx.site_id, "orders", shipment_id)
    return shipment(conn, ctx.site_id, shipment_id)


def on_order_cancelled(conn: Conn, ctx: Context, order_id: UUID) -> None:
    """Nothing of it is loaded (`orders.cancel` has seen to that): it leaves its shipment. The caller holds the order."""
    _take_off(conn, ctx, order_id)


def _take_off(conn: Conn, ctx: Context, order_id: UUID) -> None:
    present = shipment_of_order(conn, ctx.site_id, order_id)
    if present is None:
        return
    present = lock_shipment(conn, ctx.site_id, present.id)
    if any(c.order_id == order_id and c.loaded_at is not None for c in present.cartons):
        raise Conflict(
            f"Cartons of this order are loaded on {present.label}; unload them first.", field="order_ids"
        )
    conn.execute(
        "update shipment_order set current = false where site_id = %s and shipment_id = %s and order_id = %s",
        [ctx.site_id, present.id, order_id],
    )
    if all(o.order_id == order_id for o in present.orders):
        conn.execute(
            "update shipment set state = 'cancelled', version = version + 1 where site_id = %s and id = %s",
            [ctx.site_id, present.id],
        )
    announce(conn, ctx.site_id, "orders", present.id)


def _make(
    conn: Conn, ctx: Context, order_ids: Sequence[UUID], vehicle_id: UUID | None, door_id: UUID | None
) -> Shipment:
    shipment_id = new_id()
    conn.execute(
        """insert into shipment (site_id, id, number, vehicle_id, door_id, created_at, created_by)
           values (%s, %s, 'SH-' || lpad(nextval('shipment_number_seq')::text, 6, '0'), %s, %s, %s, %s)""",
        [ctx.site_id, shipment_id, vehicle_id, door_id, ctx.now, ctx.actor],
    )
    for order_id in order_ids:
        conn.execute(
            """insert into shipment_order (site_id, shipment_id, order_id) values (%s, %s, %s)
               on conflict (site_id, shipment_id, order_id) do update set current = true""",
            [ctx.site_id, shipment_id, order_id],
        )
    announce(conn, ctx.site_id, "orders", shipment_id)
    return shipment(conn, ctx.site_id, shipment_id)


def _check_places(conn: Conn, ctx: Context, vehicle_id: UUID | None, door_id: UUID | None) -> None:
    for place_id, kind, field in ((vehicle_id, "vehicle", "vehicle_id"), (door_id, "dock_door", "door_id")):
        if place_id is None:
            continue
        row = conn.execute(
            "select kind, active and holds_stock from place where site_id = %s and id = %s",
            [ctx.site_id, place_id],
        ).fetchone()
        if row is None or row[0] != kind or not row[1]:
            raise Unknown(f"There is no such {kind.replace('_', ' ')} at this site.", field=field)
