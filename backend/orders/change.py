"""Changing and cancelling an order at any stage before it is loaded, giving everything back.

What was only promised is free again at once. What was picked or packed already stands somewhere on the floor: its promise
is released and a putaway task brings it back to a shelf, so that no ghost stock stays behind.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import ChangedMeanwhile, Conflict, NotFound
from backend.integration import webhooks
from backend.ledger import Move, Reservation, Spot
from backend.orders.accept import check_quantity
from backend.orders.allocate import allocate, promises_changed, refresh_state
from backend.orders.order import Order, OrderLine, lock_order

SHELVES = ("bin", "zone", "aisle")


class OrderUnderWay(Conflict):
    """Loaded or shipped: too late for this change."""

    kind, title = "order-under-way", "The order is too far on its way"


def cancel(conn: Conn, ctx: Context, order_id: UUID, reason: str) -> Order:
    """Everything back; once cancelled, cancelling again changes nothing. Raises NotFound, OrderUnderWay."""
    from backend import dispatch, packing, picking, shipping  # they build on orders; cancelling tells them

    present = lock_order(conn, ctx.site_id, order_id)
    if present.state == "cancelled":
        return present
    if present.state == "shipped" or any(line.shipped > 0 for line in present.lines):
        raise OrderUnderWay(f"{present.number} has left already; register a return when it comes back.")
    if any(line.loaded > 0 for line in present.lines):
        raise OrderUnderWay(f"{present.number} is on the vehicle; unload it first, then cancel.")
    conn.execute(
        """update sales_order set state = 'cancelled', cancelled_at = %s, cancel_reason = %s, version = version + 1
           where site_id = %s and id = %s""",
        [ctx.now, reason, ctx.site_id, order_id],
    )
    for line in present.lines:
        _give_back(conn, ctx, line, line.quantity)
    picking.follow(conn, ctx, order_id)
    packing.on_order_cancelled(conn, ctx, order_id)
    shipping.on_order_cancelled(conn, ctx, order_id)
    dispatch.on_order_cancelled(conn, ctx, order_id)
    _tell(conn, ctx, present, reason)
    promises_changed(conn, ctx, [line.item_id for line in present.lines])
    return refresh_state(conn, ctx, order_id)


def change_line(
    conn: Conn, ctx: Context, order_id: UUID, line_id: UUID, quantity: Decimal, version: int
) -> Order:
    """The line's new quantity in base units; 0 takes the line off. What is packed already is not touched.

    Raises ChangedMeanwhile with the present line, OrderUnderWay, Invalid, NotFound."""
    from backend import dispatch, picking

    present = lock_order(conn, ctx.site_id, order_id)
    line = next((x for x in present.lines if x.id == line_id), None)
    if line is None:
        raise NotFound("The order has no such line.", field="line_id")
    if line.version != version:
        raise ChangedMeanwhile(
            f"Somebody else changed this line meanwhile: it is {line.quantity.normalize():f} {line.unit} of {line.sku} now.",
            field="version",
            present={
                "id": str(line.id),
                "quantity": format(line.quantity.normalize(), "f"),
                "unit": line.unit,
                "version": line.version,
            },
        )
    if present.is_over:
        raise OrderUnderWay(f"{present.number} is {present.state}; it cannot be changed any more.")
    if quantity != 0:
        _check_step(conn, line, quantity)
    fixed = line.packed + line.loaded + line.shipped
    if quantity < fixed:
        raise OrderUnderWay(
            f"{fixed.normalize():f} {line.unit} of {line.sku} are packed, loaded or shipped; unpack them first.",
            field="quantity",
            fixed=format(fixed.normalize(), "f"),
        )
    less = line.quantity - quantity
    if less > 0:
        _give_back(conn, ctx, line, max(Decimal(0), less - line.waiting))
    conn.execute(
        "update sales_order_line set quantity = %s, version = version + 1 where site_id = %s and id = %s",
        [quantity, ctx.site_id, line_id],
    )
    if all(x.quantity == 0 for x in present.lines if x.id != line_id) and quantity == 0:
        return cancel(conn, ctx, order_id, "every line was taken off")
    promises_changed(conn, ctx, [line.item_id])
    if less < 0:
        return allocate(conn, ctx, order_id, [line.item_id])
    picking.follow(conn, ctx, order_id)
    dispatch.on_order_packed(conn, ctx, order_id)  # what was still awaited may have been the last
    return refresh_state(conn, ctx, order_id)


# --- inside -----------------------------------------------------------------------------------------------


def _give_back(conn: Conn, ctx: Context, line: OrderLine, amount: Decimal) -> None:
    """Releases up to `amount`: what is still on a shelf first, then what was picked, which goes back by a task."""
    held = ledger.reservations_of(conn, "order_line", line.id)
    kinds = _place_kinds(conn, held)
    shelf_first: Callable[[Reservation], Any] = lambda r: (kinds[r.place_id] not in SHELVES, r.id)  # noqa: E731
    for r in sorted(held, key=shelf_first):
        if amount <= 0:
            return
        given = ledger.release(conn, ctx, r.id, min(amount, r.quantity))
        amount -= given
        if given > 0 and kinds[r.place_id] not in SHELVES:
            _put_back(conn, ctx, r, given, line.order_id)


def _put_back(conn: Conn, ctx: Context, r: Reservation, quantity: Decimal, order_id: UUID) -> None:
    """Picked goods leave tote or carton where they stand, and a putaway task brings them to a shelf."""
    from backend.putaway.propose import Load
    from backend.putaway.tasks import ensure_loose_task

    if r.license_plate_id is not None:
        here = Spot(r.place_id, r.license_plate_id)
        move = Move(
            r.item_id, quantity, here, Spot(r.place_id), "taken out again", "putaway", order_id, r.lot_id, r.serial, r.owner_id
        )  # fmt: skip
        ledger.post(conn, ctx, [move])
    ensure_loose_task(conn, ctx, "order", order_id, r.place_id, Load(r.item_id, quantity, r.lot_id))


def _place_kinds(conn: Conn, held: list[Reservation]) -> dict[UUID, str]:
    rows = conn.execute(
        "select id, kind from place where id = any(%s)", [[r.place_id for r in held]]
    ).fetchall()
    return dict(rows)


def _check_step(conn: Conn, line: OrderLine, quantity: Decimal) -> None:
    row = conn.execute("select quantity_decimals from item where id = %s", [line.item_id]).fetchone()
    assert row is not None
    check_quantity(quantity, line.sku, row[0], line.unit, "quantity")


def _tell(conn: Conn, ctx: Context, cancelled: Order, reason: str) -> None:
    webhooks.emit(
        conn,
        ctx,
        "order.cancelled",
        str(cancelled.id),
        {
            "number": cancelled.number,
            "external_number": cancelled.external_number,
            "source": cancelled.source,
            "reason": reason,
        },
    )
