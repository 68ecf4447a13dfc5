"""A return is begun with its first lines, booked customer -> place all or none; more are added one by one.

Grade decides the status unless the person says otherwise: as new is available again, everything else waits in
quarantine. Against an order, nobody gives back more than was shipped to them, nor a serial that left with
another one or a lot that did not leave with it.
A line whose movement is reversed counts as not returned. Every line is checked by `_check` and booked by `_book`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from backend import dispatch, ledger, orders
from backend.catalog import LotExpiryDiffers, UnknownCode, lot_of, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound, Unknown
from backend.ids import new_id
from backend.live.announce import announce
from backend.putaway.propose import SHELVES, Load, check_place
from backend.putaway.tasks import ensure_loose_task
from backend.receiving.receipt import next_number

ZERO = Decimal(0)
TAKES_LINES_FOR = timedelta(hours=12)
"""A shift and its overtime: what comes later is another return."""


class MoreThanShipped(Conflict):
    kind, title = "more-than-shipped", "More comes back than was shipped"


class NotOfThisOrder(Conflict):
    kind, title = "not-of-this-order", "It did not leave with this order"


@dataclass(frozen=True)
class ReturnLine:
    """The item by id or by a scanned code. `quantity` counts what was scanned."""

    reason: str
    grade: str
    item_id: UUID | None = None
    code: str | None = None
    quantity: Decimal = Decimal(1)
    lot: str | None = None
    expires_on: date | None = None
    serial: str | None = None
    status: str | None = None
    place_id: UUID | None = None


@dataclass(frozen=True)
class NewReturn:
    lines: tuple[ReturnLine, ...]
    order_id: UUID | None = None
    customer_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True)
class What:
    """What was scanned, as far as it is about the goods. `units` counts base units."""

    item_id: UUID
    sku: str
    name: str
    unit: str
    units: Decimal
    lot: str | None
    expires_on: date | None
    serial: str | None


@dataclass(frozen=True)
class _Shipped:
    """The order, and by item what of it can still come back."""

    order: orders.Order
    left: dict[UUID, Decimal]


@dataclass(frozen=True)
class _Checked:
    line: ReturnLine
    what: What
    lot_id: UUID | None
    status: str
    place_id: UUID


@dataclass(frozen=True)
class Returnable:
    """What a scan would bring back. `left`: how many base units of the order can still come back, these included."""

    what: What
    order_id: UUID | None
    order_number: str | None
    left: Decimal | None


def receive_return(conn: Conn, ctx: Context, new: NewReturn) -> UUID:
    """Raises Invalid, Unknown, MoreThanShipped, NotOfThisOrder, Conflict (serial in stock); then nothing is booked."""
    customer_id = new.customer_id
    order: orders.Order | None = None
    if new.order_id is not None:
        order = orders.lock_order(conn, ctx.site_id, new.order_id)
        if customer_id not in (None, order.customer_id):
            raise Invalid(
                f"{order.number} went to {order.customer_code}, not to this customer.", field="customer_id"
            )
        customer_id = order.customer_id
    if (
        customer_id is not None
        and not conn.execute("select 1 from partner where id = %s and is_customer", [customer_id]).fetchone()
    ):
        raise Unknown("There is no such customer.", field="customer_id")
    checked = _check(conn, ctx, order, [(line, f"lines.{n}.") for n, line in enumerate(new.lines)])
    return_id = new_id()
    conn.execute(
        """insert into customer_return (id, site_id, number, order_id, customer_id, note, created_at, created_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [return_id, ctx.site_id, next_number(conn, ctx.site_id, "return", "RET"), new.order_id, customer_id, new.note,
         ctx.now, ctx.actor],
    )  # fmt: skip
    _book(conn, ctx, return_id, checked)
    return return_id


def add_line(conn: Conn, ctx: Context, return_id: UUID, line: ReturnLine) -> UUID:
    """One more line of a return; its id. Raises NotFound, Conflict (begun too long ago), and what `receive_return` does."""
    order_id, number, created_at = lock_return(conn, ctx.site_id, return_id)
    if not takes_lines(created_at, ctx.now):
        raise Conflict(f"{number} was begun more than 12 hours ago; begin a new return.")
    order = None if order_id is None else orders.order(conn, ctx.site_id, order_id)
    return _book(conn, ctx, return_id, _check(conn, ctx, order, [(line, "")]))[0]


def takes_lines(created_at: datetime, now: datetime) -> bool:
    return created_at > now - TAKES_LINES_FOR


def lock_return(conn: Conn, site_id: UUID, return_id: UUID) -> tuple[UUID | None, str, datetime]:
    """(order, number, created_at), held until the transaction ends; its order is locked first. Raises NotFound."""
    row = conn.execute(
        "select order_id, number, created_at from customer_return where site_id = %s and id = %s",
        [site_id, return_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such return at this site.")
    if row[0] is not None:
        orders.lock_order(conn, site_id, row[0])
    conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"return {return_id}"])
    return row[0], row[1], row[2]


def returnable(conn: Conn, site_id: UUID, order_id: UUID | None, line: ReturnLine) -> Returnable:
    """What `add_line` would say of these goods, before anybody says why they came and in which condition.

    Without an order, a serial tells the one that it left with. Raises as `receive_return` does."""
    shipped = None if order_id is None else _shipped(conn, site_id, orders.order(conn, site_id, order_id))
    what = _what(conn, site_id, shipped, line, "")
    _refuse_still_ours(conn, what, "")
    if shipped is not None:
        left = shipped.left[what.item_id]
        _take_from(conn, site_id, shipped, what, "")
        return Returnable(what, shipped.order.id, shipped.order.number, left)
    left_with = None if what.serial is None else _left_with(conn, site_id, what)
    told_id, told_number = left_with or (None, None)
    return Returnable(what, told_id, told_number, None)


def _check(
    conn: Conn, ctx: Context, order: orders.Order | None, lines: Sequence[tuple[ReturnLine, str]]
) -> list[_Checked]:
    """Each line with what its fields are called before their names in a refusal. The order is locked."""
    shipped = None if order is None else _shipped(conn, ctx.site_id, order)
    found = [(line, _what(conn, ctx.site_id, shipped, line, at), at) for line, at in lines]
    ledger.lock_serials(conn, [(what.item_id, what.serial) for _, what, _ in found if what.serial])
    for _, what, at in found:
        _refuse_still_ours(conn, what, at)
    checked = []
    for line, what, at in found:
        status = line.status or ("available" if line.grade == "as_new" else "quarantine")
        place_id = _place(
            conn, ctx, line.place_id, status, Load(what.item_id, what.units, None, status), f"{at}place_id"
        )
        lot_id = lot_of(conn, what.item_id, what.lot, what.expires_on) if what.lot else None
        checked.append(_Checked(line, what, lot_id, status, place_id))
        if shipped is not None:
            _take_from(conn, ctx.site_id, shipped, what, at)
    return checked


def _book(conn: Conn, ctx: Context, return_id: UUID, checked: Sequence[_Checked]) -> list[UUID]:
    customer = ledger.virtual_place(conn, ctx.site_id, "customer")
    posted = ledger.post(
        conn,
        ctx,
        [
            ledger.Move(
                c.what.item_id, c.what.units, ledger.Spot(customer, None, c.status), ledger.Spot(c.place_id, None, c.status),
                c.line.reason, "return", return_id, c.lot_id, c.what.serial, evidence={"grade": c.line.grade},
            )
            for c in checked
        ],
    )  # fmt: skip
    line_ids = [new_id() for _ in checked]
    with conn.cursor() as cur:
        cur.executemany(
            """insert into customer_return_line (site_id, id, return_id, line_no, item_id, lot_id, serial, quantity, reason, grade,
                   status, place_id, movement_id)
               select %s, %s, %s, coalesce(max(line_no), 0) + 1, %s, %s, %s, %s, %s, %s, %s, %s, %s
               from customer_return_line where return_id = %s""",
            [
                [ctx.site_id, line_id, return_id, c.what.item_id, c.lot_id, c.what.serial, c.what.units, c.line.reason,
                 c.line.grade, c.status, c.place_id, p.movement_id, return_id]
                for line_id, c, p in zip(line_ids, checked, posted, strict=True)
            ],
        )  # fmt: skip
    for c in checked:
        if waits_for_putaway(conn, c.place_id):
            ensure_loose_task(
                conn, ctx, "return", return_id, c.place_id,
                Load(c.what.item_id, c.what.units, c.lot_id, c.status),
            )  # fmt: skip
    announce(conn, ctx.site_id, "receipts", return_id)
    return line_ids


def waits_for_putaway(conn: Conn, place_id: UUID) -> bool:
    kind = conn.execute("select kind from place where id = %s", [place_id]).fetchone()
    return kind is not None and kind[0] not in (*SHELVES, "quarantine")


def _what(conn: Conn, site_id: UUID, shipped: _Shipped | None, line: ReturnLine, at: str) -> What:
    """An item that the order does not have is refused before its lot or serial is asked for."""
    item_id, units, lot, expires_on, serial = (
        line.item_id,
        line.quantity,
        line.lot,
        line.expires_on,
        line.serial,
    )
    if line.code:
        try:
            found = resolve_code(conn, site_id, line.code)
        except UnknownCode:
            serial = line.code.strip()
            item_id = _item_that_left(conn, site_id, serial)
            if item_id is None:
                raise
        else:
            if found.item_id is None:
                raise Invalid(
                    f"{line.code} is {found.label}, not an item.", field=f"{at}code", seen=found.label
                )
            item_id, units = found.item_id, line.quantity * found.units
            lot, expires_on, serial = (
                found.lot_code or lot,
                found.expires_on or expires_on,
                found.serial or serial,
            )
    row = conn.execute(
        "select sku, name, base_unit, tracking, has_expiry, quantity_decimals from item where id = %s",
        [item_id],
    ).fetchone()
    if item_id is None or row is None:
        raise Unknown("There is no such item.", field=f"{at}item_id")
    sku, name, unit, tracking, has_expiry, decimals = row
    if units != round(units, decimals):
        finest = Decimal(1).scaleb(-decimals)
        raise Invalid(
            f"{sku} is counted in steps of {finest} {unit}; {units} is finer.", field=f"{at}quantity"
        )
    if shipped is not None and item_id not in shipped.left:
        skus = {x.item_id: x.sku for x in shipped.order.lines}
        raise MoreThanShipped(
            f"{shipped.order.number} has no such item; receive it without the order.",
            field=f"{at}item_id",
            expected=[
                {"sku": skus[i], "quantity": f"{q.normalize():f}"} for i, q in shipped.left.items() if q > 0
            ],
            seen=sku,
        )
    if tracking == "lot":
        if not lot:
            raise Invalid(f"{sku} is kept by lot; say which lot came back.", field=f"{at}lot", ask=["lot"])
        row = conn.execute(
            "select expires_on from lot where item_id = %s and code = %s", [item_id, lot]
        ).fetchone()
        known = row[0] if row else None
        if has_expiry and expires_on is None and known is None:
            raise Invalid(
                f"When does lot {lot} of {sku} expire?", field=f"{at}expires_on", ask=["expires_on"]
            )
        if None not in (known, expires_on) and known != expires_on:
            raise LotExpiryDiffers(
                f"Lot {lot} expires on {known}, not on {expires_on}. Check the label.",
                field=f"{at}expires_on",
            )
    if tracking != "serial":
        return What(item_id, sku, name, unit, units, lot, expires_on, None)
    if not serial:
        raise Invalid(
            f"{sku} is kept by serial number; say which one came back.", field=f"{at}serial", ask=["serial"]
        )
    if units != 1:
        raise Invalid(f"{sku} is kept by serial number: one at a time.", field=f"{at}quantity")
    return What(item_id, sku, name, unit, units, lot, expires_on, serial)


def _refuse_still_ours(conn: Conn, what: What, at: str) -> None:
    if what.serial is None:
        return
    if ledger.serial_in_stock(conn, what.item_id, what.serial) is not None:
        raise Conflict(
            f"{what.sku} serial {what.serial} is in stock; it cannot come back.", field=f"{at}serial"
        )
    route = dispatch.route_with_serial(conn, what.item_id, what.serial)
    if route is not None:
        raise Conflict(
            f"{what.sku} serial {what.serial} is aboard a vehicle; unload it on {route}.", field=f"{at}serial"
        )


def _item_that_left(conn: Conn, site_id: UUID, serial: str) -> UUID | None:
    """The item of a serial alone, where one that left has it: it is in no balance any more."""
    rows = conn.execute(
        """select distinct x.item_id from carton_content x join carton c on c.site_id = x.site_id and c.id = x.carton_id
           where x.site_id = %s and x.serial = %s and c.state = 'shipped' limit 2""",
        [site_id, serial],
    ).fetchall()
    return UUID(str(rows[0][0])) if len(rows) == 1 else None


def _place(conn: Conn, ctx: Context, place_id: UUID | None, status: str, load: Load, field: str) -> UUID:
    """Said, else the site's first quarantine place, or dock where available goods wait for putaway."""
    if place_id is None:
        kinds = ["staging", "dock_door"] if status == "available" else ["quarantine"]
        row = conn.execute(
            """select id from place where site_id = %s and kind = any(%s) and active and holds_stock
               order by array_position(%s, kind) desc, code limit 1""",
            [ctx.site_id, kinds, kinds],
        ).fetchone()
        if row is None:
            raise Invalid(f"The site has no {' or '.join(kinds)} place; say where it goes.", field=field)
        return UUID(str(row[0]))
    place = conn.execute(
        "select kind, is_physical from place where id = %s and site_id = %s", [place_id, ctx.site_id]
    ).fetchone()
    if place is None or not place[1]:
        raise Unknown("There is no such place at this site.", field=field)
    if place[0] in (*SHELVES, "quarantine"):
        judged = check_place(conn, ctx.site_id, [load], place_id)
        if judged.forbidden:
            raise Conflict(" ".join(judged.forbidden), field=field)
    return place_id


def _shipped(conn: Conn, site_id: UUID, order: orders.Order) -> _Shipped:
    left: dict[UUID, Decimal] = {}
    for line in order.lines:
        left[line.item_id] = left.get(line.item_id, ZERO) + line.shipped
    for item_id, quantity in _came_back(conn, site_id, order.id):
        left[item_id] = left.get(item_id, ZERO) - quantity
    for item_id, quantity in dispatch.not_with_customer(conn, site_id, order.id).items():
        left[item_id] = left.get(item_id, ZERO) - quantity
    return _Shipped(order, left)


def _take_from(conn: Conn, site_id: UUID, shipped: _Shipped, what: What, at: str) -> None:
    """So much less can come back. Raises MoreThanShipped, NotOfThisOrder."""
    order = shipped.order
    there = max(shipped.left[what.item_id], ZERO)
    if what.units > there:
        raise MoreThanShipped(
            f"Of {what.sku}, {there.normalize():f} of {order.number} can still come back, "
            f"not {what.units.normalize():f}. What is beyond that is received without the order.",
            field=f"{at}quantity",
            expected=[{"sku": what.sku, "quantity": f"{there.normalize():f}"}],
            seen=[{"sku": what.sku, "quantity": f"{what.units.normalize():f}"}],
        )
    left_with = None if what.serial is None else _left_with(conn, site_id, what)
    if left_with is not None and left_with[0] != order.id:
        raise NotOfThisOrder(
            f"{what.sku} serial {what.serial} left with {left_with[1]}, not with {order.number}; receive it for that order.",
            field=f"{at}serial",
            order_id=str(left_with[0]),
            expected=order.number,
            seen=left_with[1],
        )
    lots = [] if what.lot is None else _lots_that_left(conn, site_id, order.id, what.item_id)
    if lots and what.lot not in lots:
        raise NotOfThisOrder(
            f"{order.number} had {what.sku} of lot {', '.join(lots)}, not of {what.lot}. Check the label; what is of "
            f"{what.lot} is received without the order.",
            field=f"{at}lot",
            expected=lots,
            seen=what.lot,
        )
    shipped.left[what.item_id] -= what.units


def _came_back(conn: Conn, site_id: UUID, order_id: UUID) -> list[tuple[UUID, Decimal]]:
    """Item and quantity of each line of the order's returns that stands."""
    rows = conn.execute(
        """select l.item_id, l.quantity, l.movement_id from customer_return r join customer_return_line l on l.return_id = r.id
           where r.order_id = %s""",
        [order_id],
    ).fetchall()
    taken_back = ledger.reversed_among(conn, site_id, [r[2] for r in rows])
    return [(r[0], r[1]) for r in rows if r[2] not in taken_back]


def _lots_that_left(conn: Conn, site_id: UUID, order_id: UUID, item_id: UUID) -> list[str]:
    """The lots of the order's cartons; none where it left before anybody scanned."""
    rows = conn.execute(
        """select distinct l.code from carton c join carton_content x on x.site_id = c.site_id and x.carton_id = c.id
                  join lot l on l.id = x.lot_id
           where c.site_id = %s and c.order_id = %s and c.state = 'shipped' and x.item_id = %s order by l.code""",
        [site_id, order_id, item_id],
    ).fetchall()
    return [row[0] for row in rows]


def _left_with(conn: Conn, site_id: UUID, what: What) -> tuple[UUID, str] | None:
    """The order (id, number) of the carton a serial was packed in last; a unit that no carton knows left before anybody scanned."""
    row = conn.execute(
        """select o.id, o.number from carton_content x join carton c on c.site_id = x.site_id and c.id = x.carton_id
                  join sales_order o on o.site_id = c.site_id and o.id = c.order_id
           where x.site_id = %s and x.item_id = %s and x.serial = %s and c.state = 'shipped' order by c.closed_at desc limit 1""",
        [site_id, what.item_id, what.serial],
    ).fetchone()
    return None if row is None else (row[0], row[1])
