"""Opening a carton, scanning goods into it and out again, and the steps of its life that shipping takes.

Goods go from tote or staging into the carton and stay promised to their order; only what was picked for the carton's own
order goes in. The license plate gets its SSCC when the carton is opened; the label is printed when it is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

from backend import ledger, orders
from backend.catalog.codes import Resolved, UnknownCode, resolve_code
from backend.catalog.tags import NewPlate, create_plate
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, RefusedButRecorded, Unknown, register
from backend.ids import new_id
from backend.ledger import Move, Reservation, Spot
from backend.live.announce import announce
from backend.packing.carton import Carton, carton, find_carton, lock_carton, note, open_at_bench

DEFAULT_TARE_G = Decimal(250)

register(
    {"carton_one_open_at_a_bench": (Conflict, "The bench has an open carton; close it first.", "bench_id")}
)


class NotInOrder(Conflict, RefusedButRecorded):
    """What was scanned does not belong into this carton. Nothing moved; the mismatch is recorded."""

    kind, title = "not-in-order", "That does not belong into this carton"


@dataclass(frozen=True)
class _Source:
    """Picked goods of the order, waiting to be packed."""

    reservation: Reservation
    here: bool
    lot_code: str | None


def open_carton(
    conn: Conn, ctx: Context, order_id: UUID, bench_id: UUID, tare_g: Decimal | None = None
) -> Carton:
    """A new carton for an order with picked goods; the one that is open for it already at this bench, if there is one."""
    order = orders.lock_order(conn, ctx.site_id, order_id)
    if order.is_over:
        raise Conflict(f"{order.number} is {order.state}; there is nothing to pack.", field="order_id")
    _check_bench(conn, ctx, bench_id)
    if tare_g is not None and not (tare_g.is_finite() and 0 <= tare_g < 100_000):
        raise Invalid("The empty carton weighs between 0 and 100000 g.", field="tare_g")
    present = open_at_bench(conn, ctx.site_id, bench_id)
    if present is not None and present.order_id == order_id:
        return present
    if present is not None:
        raise Conflict(
            f"{present.bench_code} has an open carton of {present.order_number}; close it first.",
            field="bench_id",
            carton_id=str(present.id),
        )
    if not any(line.picked > 0 for line in order.lines):
        raise Conflict(f"Nothing of {order.number} is picked and still to be packed.", field="order_id")
    plate_id = create_plate(conn, ctx, NewPlate("carton", None, bench_id))
    conn.execute(
        """insert into carton (site_id, id, order_id, position, bench_id, tare_g, opened_at, opened_by)
           select %s, %s, %s, coalesce(max(position), 0) + 1, %s, %s, %s, %s from carton where site_id = %s and order_id = %s""",
        [ctx.site_id, plate_id, order_id, bench_id, DEFAULT_TARE_G if tare_g is None else tare_g, ctx.now, ctx.actor,
         ctx.site_id, order_id],
    )  # fmt: skip
    opened = carton(conn, ctx.site_id, plate_id)
    note(conn, ctx, bench_id, "opened", f"carton {opened.position} of {order.number}", carton_id=plate_id)
    announce(conn, ctx.site_id, "tasks", plate_id)
    return opened


def pack(
    conn: Conn,
    ctx: Context,
    carton_id: UUID,
    code: str,
    quantity: Decimal | None = None,
    *,
    lot: str | None = None,
    serial: str | None = None,
    symbology: str | None = None,
) -> Carton:
    """One scan into the carton; without `quantity` one of what was scanned (a case is its content).

    Raises NotInOrder, Invalid, Conflict, NotFound."""
    return pack_scan(conn, ctx, carton_id, code, quantity, lot=lot, serial=serial, symbology=symbology).carton


@dataclass(frozen=True)
class Packed:
    """`into`: (order line, movement) of what went in, for taking it back."""

    carton: Carton
    sku: str
    quantity: Decimal
    into: tuple[tuple[UUID, UUID], ...]


def pack_scan(
    conn: Conn,
    ctx: Context,
    carton_id: UUID,
    code: str,
    quantity: Decimal | None = None,
    *,
    lot: str | None = None,
    serial: str | None = None,
    symbology: str | None = None,
) -> Packed:
    """`pack`, and what it did."""
    c = _lock_open(conn, ctx, carton_id)
    try:
        seen: Resolved | None = resolve_code(conn, ctx.site_id, code, symbology=symbology)
    except UnknownCode:
        seen = None
    if seen is None or seen.item_id is None:
        _refuse(
            conn,
            ctx,
            c,
            code,
            f"{seen.label if seen else repr(code)} is no item; scan an item of {c.order_number}.",
        )
    amount = seen.units if quantity is None else quantity
    if not amount.is_finite() or amount <= 0:
        raise Invalid("The quantity must be above zero.", field="quantity")
    fitting = _fitting(conn, ctx, c, seen, code, lot or seen.lot_code, serial or seen.serial)
    there = sum((s.reservation.quantity for s in fitting), Decimal(0))
    if amount > there:
        raise Invalid(
            f"{there.normalize():f} of {seen.sku} are picked and not packed yet; {amount.normalize():f} are more than that.",
            field="quantity",
            remaining=format(there.normalize(), "f"),
        )
    moves, missing, lines = [], amount, []
    for source in fitting:
        r = source.reservation
        take = min(missing, r.quantity)
        if take <= 0:
            break
        moves.append(
            Move(
                r.item_id, take, Spot(r.place_id, r.license_plate_id), Spot(c.bench_id, c.id), "pack", "pack", c.id, r.lot_id,
                r.serial, r.owner_id, reservation_id=r.id, carry_reservation=True,
                evidence={"carton": c.sscc, "order_id": str(c.order_id), "code": code},
            )
        )  # fmt: skip
        _count_in(conn, ctx, c.id, r, take)
        lines.append(r.demand_id)
        missing -= take
    posted = ledger.post(conn, ctx, moves)
    note(conn, ctx, c.bench_id, "packed", f"{amount.normalize():f} x {seen.sku}", carton_id=c.id, code=code)
    into = tuple((line_id, p.movement_id) for line_id, p in zip(lines, posted, strict=True))
    return Packed(_changed(conn, ctx, c), seen.sku or code, amount, into)


def take_back(conn: Conn, ctx: Context, carton_id: UUID, into: list[tuple[UUID, UUID]]) -> Carton:
    """What one scan put in goes back to the totes it came from. Raises Conflict (closed, or taken out already)."""
    c = _lock_open(conn, ctx, carton_id)
    for line_id, movement_id in reversed(into):
        held = {r.id: r for r in ledger.reservations_of(conn, "order_line", line_id)}
        back = ledger.reverse(
            conn, ctx, movement_id, "undone by the worker", promised_to=("order_line", line_id)
        )
        after = {r.id: r for r in ledger.reservations_of(conn, "order_line", line_id)}
        came = next(r for i, r in after.items() if i not in held)
        _count_out(conn, ctx, c.id, came, back.quantity)
    note(conn, ctx, c.bench_id, "unpacked", "undone by the worker", carton_id=c.id)
    return _changed(conn, ctx, c)


def unpack(
    conn: Conn,
    ctx: Context,
    carton_id: UUID,
    item_id: UUID,
    quantity: Decimal,
    *,
    lot: str | None = None,
    serial: str | None = None,
) -> Carton:
    """Out of the carton again, onto the bench; still promised to the order. Raises Invalid, Conflict, NotFound."""
    c = _lock_open(conn, ctx, carton_id)
    inside = [
        n for n in c.contents
        if n.item_id == item_id and lot in (None, n.lot_code) and serial in (None, n.serial)
    ]  # fmt: skip
    there = sum((n.quantity for n in inside), Decimal(0))
    if not quantity.is_finite() or not 0 < quantity <= there:
        raise Invalid(f"The carton holds {there.normalize():f} of this.", field="quantity")
    moves, missing = [], quantity
    for n in inside:
        held = [
            r for r in ledger.reservations_of(conn, "order_line", n.line_id)
            if r.license_plate_id == c.id and (r.lot_id, r.serial) == (n.lot_id, n.serial)
        ]  # fmt: skip
        for r in held:
            take = min(missing, r.quantity)
            if take <= 0:
                break
            moves.append(
                Move(
                    r.item_id, take, Spot(r.place_id, c.id), Spot(c.bench_id), "unpack", "pack", c.id, r.lot_id, r.serial,
                    r.owner_id, reservation_id=r.id, carry_reservation=True, evidence={"carton": c.sscc},
                )
            )  # fmt: skip
            _count_out(conn, ctx, c.id, r, take)
            missing -= take
    ledger.post(conn, ctx, moves)
    note(conn, ctx, c.bench_id, "unpacked", f"{quantity.normalize():f} out", carton_id=c.id)
    return _changed(conn, ctx, c)


def on_order_cancelled(conn: Conn, ctx: Context, order_id: UUID) -> None:
    """Its cartons are void; what is inside goes back to the shelves by tasks (`orders.cancel` makes them)."""
    conn.execute(
        """update carton set state = 'cancelled', version = version + 1
           where site_id = %s and order_id = %s and state in ('open', 'closed')""",
        [ctx.site_id, order_id],
    )


def on_not_inside(
    conn: Conn,
    ctx: Context,
    license_plate_id: UUID,
    item_id: UUID,
    lot_id: UUID | None,
    serial: str | None,
    quantity: Decimal,
) -> None:
    """A count found elsewhere, or nowhere, what a carton here should hold; the books have followed, its contents do now."""
    c = find_carton(conn, ctx.site_id, license_plate_id)
    if c is None or c.state not in ("open", "closed", "loaded"):
        return
    missing = quantity
    for n in c.contents:
        if (n.item_id, n.lot_id, n.serial) != (item_id, lot_id, serial) or missing <= 0:
            continue
        gone = min(missing, n.quantity)
        _take_off(conn, (ctx.site_id, c.id, n.line_id, item_id, lot_id, serial), gone)
        missing -= gone
        note(
            conn,
            ctx,
            c.bench_id,
            "unpacked",
            f"{gone.normalize():f} {n.sku} counted elsewhere or not at all",
            carton_id=c.id,
        )
        _changed(conn, ctx, c)


def set_loaded(conn: Conn, ctx: Context, carton_id: UUID) -> None:
    """Shipping put it on the vehicle."""
    _set_state(conn, ctx, carton_id, "loaded", "open")


def set_unloaded(conn: Conn, ctx: Context, carton_id: UUID) -> None:
    _set_state(conn, ctx, carton_id, "closed", "open")


def set_shipped(conn: Conn, ctx: Context, carton_id: UUID) -> None:
    """It has left; its license plate too."""
    _set_state(conn, ctx, carton_id, "shipped", "shipped")


# --- inside -----------------------------------------------------------------------------------------------


def _set_state(conn: Conn, ctx: Context, carton_id: UUID, state: str, plate_state: str) -> None:
    conn.execute(
        "update carton set state = %s, version = version + 1 where site_id = %s and id = %s",
        [state, ctx.site_id, carton_id],
    )
    conn.execute(
        "update license_plate set state = %s where site_id = %s and id = %s",
        ["closed" if plate_state == "open" else plate_state, ctx.site_id, carton_id],
    )


def _lock_open(conn: Conn, ctx: Context, carton_id: UUID) -> Carton:
    c = lock_carton(conn, ctx.site_id, carton_id)
    if c.state != "open":
        raise Conflict(f"This carton is {c.state}; open another one.", state=c.state)
    return c


def _check_bench(conn: Conn, ctx: Context, bench_id: UUID) -> None:
    row = conn.execute(
        "select kind, active from place where site_id = %s and id = %s", [ctx.site_id, bench_id]
    ).fetchone()
    if row is None or row[0] != "pack_bench" or not row[1]:
        raise Unknown("There is no such packing bench at this site.", field="bench_id")


def _refuse(conn: Conn, ctx: Context, c: Carton, code: str, detail: str) -> NoReturn:
    note(conn, ctx, c.bench_id, "refused", detail, carton_id=c.id, code=code)
    raise NotInOrder(detail, field="code", seen=code, expected=_still_to_pack(conn, ctx, c))


def _fitting(
    conn: Conn, ctx: Context, c: Carton, seen: Resolved, code: str, lot: str | None, serial: str | None
) -> list[_Source]:
    """The picked goods that this scan can mean, the ones at the bench first."""
    waiting = [s for s in _picked(conn, ctx, c) if s.reservation.item_id == seen.item_id]
    if not waiting:
        _refuse(
            conn, ctx, c, code, f"{c.order_number} has no {seen.sku} that is picked and still to be packed."
        )
    if any(s.reservation.serial is not None for s in waiting):
        if serial is None:
            raise Invalid(f"{seen.sku} is kept by serial number; scan the serial.", field="serial")
        waiting = [s for s in waiting if s.reservation.serial == serial]
        if not waiting:
            _refuse(
                conn, ctx, c, code, f"{seen.sku} with serial {serial} was not picked for {c.order_number}."
            )
    lots = {s.lot_code for s in waiting}
    if lot is not None and lots != {None}:
        waiting = [s for s in waiting if s.lot_code == lot]
        if not waiting:
            _refuse(conn, ctx, c, code, f"Lot {lot} of {seen.sku} was not picked for {c.order_number}.")
    elif len(lots) > 1:
        raise Invalid(f"Several lots of {seen.sku} were picked; scan or enter the lot.", field="lot")
    return sorted(waiting, key=lambda s: (not s.here, s.reservation.id))


def _picked(conn: Conn, ctx: Context, c: Carton) -> list[_Source]:
    lines = conn.execute(
        "select id from sales_order_line where site_id = %s and order_id = %s order by position",
        [ctx.site_id, c.order_id],
    ).fetchall()
    held = [r for (line_id,) in lines for r in ledger.reservations_of(conn, "order_line", line_id)]
    kinds = dict(
        conn.execute(
            """select p.id, p.kind from place p where p.id = any(%s)""", [[r.place_id for r in held]]
        ).fetchall()
    )
    plates = dict(
        conn.execute(
            "select id, kind from license_plate where id = any(%s)", [[r.license_plate_id for r in held]]
        ).fetchall()
    )
    lots = dict(
        conn.execute("select id, code from lot where id = any(%s)", [[r.lot_id for r in held]]).fetchall()
    )
    return [
        _Source(r, r.place_id == c.bench_id, lots.get(r.lot_id))
        for r in held
        if kinds[r.place_id] not in ("bin", "zone", "aisle", "vehicle", "dock_door")
        and plates.get(r.license_plate_id) != "carton"
    ]


def _still_to_pack(conn: Conn, ctx: Context, c: Carton) -> list[dict[str, str]]:
    order = orders.order(conn, ctx.site_id, c.order_id)
    return [
        {"sku": line.sku, "quantity": format(line.picked.normalize(), "f")}
        for line in order.lines
        if line.picked > 0
    ]


def _count_in(conn: Conn, ctx: Context, carton_id: UUID, r: Reservation, quantity: Decimal) -> None:
    conn.execute(
        """insert into carton_content (site_id, id, carton_id, line_id, item_id, lot_id, serial, quantity)
           values (%s, %s, %s, %s, %s, %s, %s, %s)
           on conflict on constraint carton_content_unique do update set quantity = carton_content.quantity + excluded.quantity""",
        [ctx.site_id, new_id(), carton_id, r.demand_id, r.item_id, r.lot_id, r.serial, quantity],
    )


_SAME = """site_id = %s and carton_id = %s and line_id = %s and item_id = %s and lot_id is not distinct from %s
           and serial is not distinct from %s"""


def _count_out(conn: Conn, ctx: Context, carton_id: UUID, r: Reservation, quantity: Decimal) -> None:
    _take_off(conn, (ctx.site_id, carton_id, r.demand_id, r.item_id, r.lot_id, r.serial), quantity)


def _take_off(
    conn: Conn, key: tuple[UUID, UUID, UUID, UUID, UUID | None, str | None], quantity: Decimal
) -> None:
    """`key`: site, carton, order line, item, lot, serial."""
    conn.execute(f"delete from carton_content where {_SAME} and quantity <= %s".encode(), [*key, quantity])
    conn.execute(
        f"update carton_content set quantity = quantity - %s where {_SAME}".encode(), [quantity, *key]
    )


def _changed(conn: Conn, ctx: Context, c: Carton) -> Carton:
    conn.execute(
        "update carton set version = version + 1 where site_id = %s and id = %s", [ctx.site_id, c.id]
    )
    orders.refresh_state(conn, ctx, c.order_id)
    announce(conn, ctx.site_id, "tasks", c.id)
    return carton(conn, ctx.site_id, c.id)
