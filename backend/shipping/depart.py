"""Departure: what is on the vehicle goes to the customer in the books, and stops being promised. What stayed, stays.

On a delivery route of our own it goes to the in-transit place first: it is the customer's when the driver hands it over.
Each movement has cause `shipment` and the shipment's id, and says in its evidence for which order and line: from that the
ERP's delivery documents are made.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from backend import ledger, orders, packing, telemetry
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.integration import webhooks
from backend.ledger import Move, Spot
from backend.ledger.reserve import reservations_on_key
from backend.live.announce import announce
from backend.orders import Order
from backend.shipping.plan import on_carton_closed
from backend.shipping.shipment import Shipment, lock_orders, lock_shipment, note, shipment


def depart(conn: Conn, ctx: Context, shipment_id: UUID, *, anyway: bool = False) -> Shipment:
    """`anyway`: also where packed cartons stay behind, or something is on the vehicle that does not belong there.

    Raises Conflict (nothing loaded, gone already, or not complete and not `anyway`), NotFound."""
    from backend import dispatch  # it plans shipments; only these calls go back

    order_ids = [o.order_id for o in shipment(conn, ctx.site_id, shipment_id).orders]
    lock_orders(conn, ctx.site_id, order_ids)
    s = lock_shipment(conn, ctx.site_id, shipment_id)
    if s.is_over:
        raise Conflict(f"{s.number} has {s.state} already.", state=s.state)
    if {o.order_id for o in s.orders} != set(order_ids):
        raise Conflict(f"The orders of {s.number} were changed just now; look at it again.")
    route_id, by_van = dispatch.delivered_by_van(conn, ctx.site_id, s.id)
    loaded = [c for c in s.cartons if c.loaded_at is not None]
    staying = [c for c in s.cartons if c.loaded_at is None]
    if not loaded:
        raise Conflict(f"Nothing is loaded on {s.label}.")
    strays = _strays(conn, ctx, s)
    # what our vans bring another time does not belong on this route, although its order is on the shipment
    missing = [c for c in staying if route_id is None or c.carton_id in by_van]
    if (missing or strays) and not anyway:
        words = [f"carton {c.sscc} of {c.order_number} is {c.state}, not loaded" for c in missing]
        words += [f"{code} is on the vehicle and does not belong there" for code in strays]
        raise Conflict(
            f"{s.label} is not as it should be: {'; '.join(words[:5])}. Load or unload, or depart anyway.",
            not_loaded=[c.sscc for c in missing],
            strays=strays,
        )
    present = {o.id: o for o in (orders.order(conn, ctx.site_id, i) for i in sorted(order_ids))}
    shipped: dict[UUID, Decimal] = {}
    moves: list[Move] = []
    for c in loaded:
        target = "in_transit" if c.carton_id in by_van else "customer"
        there = Spot(ledger.virtual_place(conn, ctx.site_id, target), c.carton_id)
        moves += _goods_issue(conn, ctx, s, there, c.carton_id, c.sscc, present[c.order_id], shipped)
        packing.set_shipped(conn, ctx, c.carton_id)
    ledger.post(conn, ctx, moves)
    for line_id, quantity in shipped.items():
        orders.record_shipped(conn, ctx, line_id, quantity)
    conn.execute(
        """update shipment set state = 'departed', departed_at = %s, departed_by = %s, version = version + 1
           where site_id = %s and id = %s""",
        [ctx.now, ctx.actor, ctx.site_id, s.id],
    )
    conn.execute(
        "update shipment_order set current = false where site_id = %s and shipment_id = %s",
        [ctx.site_id, s.id],
    )
    for order_id in {c.order_id for c in staying}:
        on_carton_closed(conn, ctx, order_id)  # what stayed behind leaves with another shipment
    note(conn, ctx, "departed", f"{len(loaded)} cartons", shipment_id=s.id, door_id=s.door_id)
    for order in present.values():
        after = orders.refresh_state(conn, ctx, order.id)
        _tell(conn, ctx, s, after, {c.sscc for c in loaded if c.order_id == order.id}, shipped)
    if s.door_id is not None:
        _close_alerts(conn, ctx, s)
    dispatch.on_shipment_departed(conn, ctx, s.id, route_id, by_van, moves)
    announce(conn, ctx.site_id, "deliveries", s.id)
    return shipment(conn, ctx.site_id, s.id)


def _goods_issue(
    conn: Conn,
    ctx: Context,
    s: Shipment,
    there: Spot,
    carton_id: UUID,
    sscc: str,
    order: Order,
    shipped: dict[UUID, Decimal],
) -> list[Move]:
    moves: list[Move] = []
    for row in ledger.on_plate(conn, ctx.site_id, carton_id):
        key = (
            row.place_id,
            row.item_id,
            row.lot_id,
            row.serial,
            row.license_plate_id,
            row.owner_id,
            row.status,
        )
        evidence: dict[str, Any] = {
            "order_id": str(order.id),
            "order": order.number,
            "sscc": sscc,
            "shipment": s.number,
        }
        base = Move(
            row.item_id, row.on_hand, Spot(row.place_id, row.license_plate_id, row.status), replace(there, status=row.status),
            "shipped", "shipment", s.id, row.lot_id, row.serial, row.owner_id, evidence=evidence,
        )  # fmt: skip
        for r in reservations_on_key(conn, ctx.site_id, key):
            for_line = {"order_line_id": str(r.demand_id)} if r.demand_kind == "order_line" else {}
            moves.append(
                replace(base, quantity=r.quantity, reservation_id=r.id, evidence=evidence | for_line)
            )
            if for_line:
                shipped[r.demand_id] = shipped.get(r.demand_id, Decimal(0)) + r.quantity
        if row.free > 0:
            moves.append(replace(base, quantity=row.free))
    return moves


def _strays(conn: Conn, ctx: Context, s: Shipment) -> list[str]:
    """What the books have on the vehicle that is no loaded carton of this shipment."""
    if s.vehicle_id is None:
        return []
    ours = {c.carton_id for c in s.cartons if c.loaded_at is not None}
    return sorted(
        {
            r.license_plate_code or "loose goods"
            for r in ledger.rows_at(conn, ctx.site_id, s.vehicle_id)
            if r.license_plate_id not in ours
        }
    )


def _close_alerts(conn: Conn, ctx: Context, s: Shipment) -> None:
    telemetry.close_alert(conn, ctx, "wrong_goods_at_door", str(s.door_id))


def _tell(
    conn: Conn, ctx: Context, s: Shipment, order: Order, sscc: set[str], shipped: dict[UUID, Decimal]
) -> None:
    lines = [
        {
            "sku": line.sku,
            "quantity": format(shipped[line.id].normalize(), "f"),
            "unit": line.unit,
            "ordered": format(line.quantity.normalize(), "f"),
            "waiting": format(line.waiting.normalize(), "f"),
        }
        for line in order.lines
        if line.id in shipped
    ]
    if not lines:
        return
    webhooks.emit(
        conn,
        ctx,
        "order.shipped",
        str(order.id),
        {
            "number": order.number,
            "external_number": order.external_number,
            "source": order.source,
            "shipment": s.number,
            "vehicle": s.vehicle_code,
            "cartons": sorted(sscc),
            "lines": lines,
            "complete": order.state == "shipped",
            "shipped_at": ctx.now.isoformat(),
        },
    )
