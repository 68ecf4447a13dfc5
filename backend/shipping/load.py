"""Loading: each carton's SSCC is scanned at the door; a carton of another vehicle is refused, and that is recorded."""

from __future__ import annotations

from typing import Any, NoReturn
from uuid import UUID

from backend import ledger, orders, packing
from backend.catalog.codes import UnknownCode, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, RefusedButRecorded
from backend.live.announce import announce
from backend.packing.carton import Carton, find_carton
from backend.picking.confirm import outbound_staging
from backend.shipping.shipment import (
    Shipment,
    lock_orders,
    lock_shipment,
    note,
    shipment,
    shipment_of_order,
)


class WrongVehicle(Conflict, RefusedButRecorded):
    """This carton does not belong on this shipment. Nothing moved; the mismatch is recorded."""

    kind, title = "wrong-vehicle", "That does not belong on this vehicle"


def load(conn: Conn, ctx: Context, shipment_id: UUID, code: str, door: str | None = None) -> Shipment:
    """`code`: scan of the carton's SSCC; `door`: scan of the door. Raises WrongVehicle, Conflict, NotFound."""
    from backend import dispatch  # it plans shipments; only these calls go back

    s = shipment(conn, ctx.site_id, shipment_id)
    c = _carton_of(conn, ctx, s, code)
    lock_orders(conn, ctx.site_id, [c.order_id])
    s = lock_shipment(conn, ctx.site_id, shipment_id)
    c = _carton_of(conn, ctx, s, code)
    if s.state == "cancelled":
        raise Conflict(f"{s.number} was cancelled; nothing can be loaded on it.", state=s.state)
    if s.is_over:
        raise Conflict(f"{s.number} has {s.state}; nothing can be loaded on it.", state=s.state)
    if not any(o.order_id == c.order_id for o in s.orders):
        own = shipment_of_order(conn, ctx.site_id, c.order_id)
        right = own.label if own else "no shipment yet"
        _refuse(
            conn,
            ctx,
            s,
            code,
            right,
            f"Carton {c.sscc} of {c.order_number} belongs to {right}, not to {s.label}.",
        )
    if c.state == "loaded":
        raise Conflict(f"Carton {c.sscc} is loaded already.", field="code")
    if c.state != "closed":
        raise Conflict(f"Carton {c.sscc} is {c.state}; it has to be packed and closed first.", field="code")
    dispatch.refuse_unreleased(conn, ctx.site_id, c.id)
    dispatch.refuse_unable(conn, ctx.site_id, c.id)
    s = _at_door(conn, ctx, s, door)
    return put_on(conn, ctx, s, c)


def put_on(
    conn: Conn,
    ctx: Context,
    s: Shipment,
    c: Carton,
    *,
    seen_by: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> Shipment:
    """The carton goes onto the vehicle (or to the door) in the books. The caller holds order and shipment."""
    if s.there is None:
        raise Invalid("Say at which door this is loaded.", field="door")
    ledger.move_license_plate(
        conn, ctx, c.id, s.there, reason="load", cause_kind="load", cause_id=s.id,
        evidence={"carton": c.sscc, "order_id": str(c.order_id)} | (evidence or {}),
    )  # fmt: skip
    conn.execute(
        """insert into shipment_carton (site_id, shipment_id, carton_id, loaded_at, loaded_by, confirmed_at, confirmed_by)
           values (%s, %s, %s, %s, %s, %s, %s)
           on conflict (site_id, shipment_id, carton_id) do update set loaded_at = excluded.loaded_at, loaded_by = excluded.loaded_by,
               confirmed_at = excluded.confirmed_at, confirmed_by = excluded.confirmed_by, unloaded_at = null""",
        [ctx.site_id, s.id, c.id, ctx.now, seen_by or ctx.actor, ctx.now if seen_by else None, seen_by],
    )
    packing.set_loaded(conn, ctx, c.id)
    conn.execute(
        "update shipment set state = 'loading', version = version + 1 where site_id = %s and id = %s",
        [ctx.site_id, s.id],
    )
    note(conn, ctx, "loaded", f"carton {c.sscc} of {c.order_number}", shipment_id=s.id, door_id=s.door_id, code=c.sscc,
         evidence=evidence)  # fmt: skip
    _tell_route(conn, ctx, s)
    orders.refresh_state(conn, ctx, c.order_id)
    announce(conn, ctx.site_id, "tasks", s.id)
    return shipment(conn, ctx.site_id, s.id)


def unload(conn: Conn, ctx: Context, shipment_id: UUID, code: str) -> Shipment:
    """Off the vehicle again, to staging. Raises Conflict (not loaded here), NotFound."""
    s = shipment(conn, ctx.site_id, shipment_id)
    c = _carton_of(conn, ctx, s, code)
    lock_orders(conn, ctx.site_id, [c.order_id])
    s = lock_shipment(conn, ctx.site_id, shipment_id)
    if s.is_over or not any(x.carton_id == c.id and x.loaded_at is not None for x in s.cartons):
        raise Conflict(f"Carton {c.sscc} is not loaded on {s.label}.", field="code")
    return take_off(conn, ctx, s, c)


def take_off(
    conn: Conn,
    ctx: Context,
    s: Shipment,
    c: Carton,
    evidence: dict[str, Any] | None = None,
    *,
    to: UUID | None = None,
) -> Shipment:
    """To `to`, else to staging. The caller holds order and shipment."""
    ledger.move_license_plate(
        conn, ctx, c.id, to or outbound_staging(conn, ctx.site_id), reason="unload", cause_kind="load", cause_id=s.id,
        evidence={"carton": c.sscc} | (evidence or {}),
    )  # fmt: skip
    conn.execute(
        """update shipment_carton set unloaded_at = %s where site_id = %s and shipment_id = %s and carton_id = %s""",
        [ctx.now, ctx.site_id, s.id, c.id],
    )
    packing.set_unloaded(conn, ctx, c.id)
    conn.execute(
        "update shipment set version = version + 1 where site_id = %s and id = %s", [ctx.site_id, s.id]
    )
    note(conn, ctx, "unloaded", f"carton {c.sscc} of {c.order_number}", shipment_id=s.id, door_id=s.door_id, code=c.sscc,
         evidence=evidence)  # fmt: skip
    _tell_route(conn, ctx, s)
    orders.refresh_state(conn, ctx, c.order_id)
    announce(conn, ctx.site_id, "tasks", s.id)
    return shipment(conn, ctx.site_id, s.id)


# --- inside -----------------------------------------------------------------------------------------------


def _tell_route(conn: Conn, ctx: Context, s: Shipment) -> None:
    from backend import dispatch

    dispatch.on_loading_changed(conn, ctx, s.id)


def _refuse(conn: Conn, ctx: Context, s: Shipment, code: str, expected: str, detail: str) -> NoReturn:
    note(conn, ctx, "refused", detail, shipment_id=s.id, door_id=s.door_id, code=code, expected=expected)
    raise WrongVehicle(detail, field="code", expected=expected, seen=code)


def _carton_of(conn: Conn, ctx: Context, s: Shipment, code: str) -> Carton:
    try:
        found = resolve_code(conn, ctx.site_id, code)
    except UnknownCode:
        found = None
    plate_id = found.license_plate_id if found is not None and found.item_id is None else None
    c = find_carton(conn, ctx.site_id, plate_id) if plate_id is not None else None
    if c is None:
        _refuse(
            conn,
            ctx,
            s,
            code,
            f"a carton of {s.label}",
            f"{found.label if found else repr(code)} is no carton; scan its SSCC.",
        )
    return c


def _at_door(conn: Conn, ctx: Context, s: Shipment, door: str | None) -> Shipment:
    if door is None:
        return s
    try:
        found = resolve_code(conn, ctx.site_id, door)
    except UnknownCode:
        found = None
    if found is None or found.place_kind != "dock_door":
        raise Invalid(f"{door!r} is no dock door here.", field="door")
    if s.door_id is None:
        conn.execute(
            "update shipment set door_id = %s, version = version + 1 where site_id = %s and id = %s",
            [found.place_id, ctx.site_id, s.id],
        )
        return shipment(conn, ctx.site_id, s.id)
    if found.place_id != s.door_id:
        _refuse(
            conn,
            ctx,
            s,
            door,
            s.door_code or "",
            f"{s.label} is loaded at {s.door_code}; this is {found.code}.",
        )
    return s
