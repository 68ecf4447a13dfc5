"""One return is one command: all lines are booked customer -> place, or none.

Grade decides the status unless the person says otherwise: as new is available again, everything else waits in
quarantine. Against an order, nobody gives back more than was shipped to them, nor a serial that left with another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from backend import dispatch, ledger, orders
from backend.catalog import lot_of, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, Unknown
from backend.ids import new_id
from backend.live.announce import announce
from backend.putaway.propose import SHELVES, Load, check_place
from backend.putaway.tasks import ensure_loose_task
from backend.receiving.receipt import next_number

ZERO = Decimal(0)


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
class _Booked:
    line: ReturnLine
    item_id: UUID
    units: Decimal
    lot_id: UUID | None
    serial: str | None
    status: str
    place_id: UUID


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
    booked = [_line(conn, ctx, line, f"lines.{n}") for n, line in enumerate(new.lines)]
    if order is not None:
        _check_against(conn, ctx.site_id, order, booked)
    return_id = new_id()
    conn.execute(
        """insert into customer_return (id, site_id, number, order_id, customer_id, note, created_at, created_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [return_id, ctx.site_id, next_number(conn, ctx.site_id, "return", "RET"), new.order_id, customer_id, new.note,
         ctx.now, ctx.actor],
    )  # fmt: skip
    customer = ledger.virtual_place(conn, ctx.site_id, "customer")
    posted = ledger.post(
        conn,
        ctx,
        [
            ledger.Move(
                b.item_id, b.units, ledger.Spot(customer, None, b.status), ledger.Spot(b.place_id, None, b.status),
                b.line.reason, "return", return_id, b.lot_id, b.serial, evidence={"grade": b.line.grade},
            )
            for b in booked
        ],
    )  # fmt: skip
    with conn.cursor() as cur:
        cur.executemany(
            """insert into customer_return_line (site_id, id, return_id, line_no, item_id, lot_id, serial, quantity, reason, grade,
                   status, place_id, movement_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                [ctx.site_id, new_id(), return_id, n, b.item_id, b.lot_id, b.serial, b.units, b.line.reason, b.line.grade,
                 b.status, b.place_id, p.movement_id]
                for n, (b, p) in enumerate(zip(booked, posted, strict=True), 1)
            ],
        )  # fmt: skip
    _to_putaway(conn, ctx, return_id, booked)
    announce(conn, ctx.site_id, "receipts", return_id)
    return return_id


def _line(conn: Conn, ctx: Context, line: ReturnLine, field: str) -> _Booked:
    item_id, units, lot, expires_on, serial = (
        line.item_id,
        line.quantity,
        line.lot,
        line.expires_on,
        line.serial,
    )
    if line.code:
        found = resolve_code(conn, ctx.site_id, line.code)
        if found.item_id is None:
            raise Invalid(f"{line.code} is {found.label}, not an item.", field=f"{field}.code")
        item_id, units = found.item_id, line.quantity * found.units
        lot, expires_on, serial = (
            found.lot_code or lot,
            found.expires_on or expires_on,
            found.serial or serial,
        )
    row = conn.execute("select sku, tracking from item where id = %s", [item_id]).fetchone()
    if item_id is None or row is None:
        raise Unknown("There is no such item.", field=f"{field}.item_id")
    sku, tracking = row
    if tracking == "lot" and not lot:
        raise Invalid(f"{sku} is kept by lot; say which lot came back.", field=f"{field}.lot")
    if tracking == "serial":
        if not serial:
            raise Invalid(
                f"{sku} is kept by serial number; say which one came back.", field=f"{field}.serial"
            )
        if conn.execute(
            "select 1 from balance where item_id = %s and serial = %s and on_hand > 0", [item_id, serial]
        ).fetchone():
            raise Conflict(
                f"{sku} serial {serial} is in stock; it cannot come back.", field=f"{field}.serial"
            )
    status = line.status or ("available" if line.grade == "as_new" else "quarantine")
    place_id = _place(conn, ctx, line.place_id, status, Load(item_id, units, None, status), field)
    return _Booked(
        line,
        item_id,
        units,
        lot_of(conn, item_id, lot, expires_on) if lot else None,
        serial if tracking == "serial" else None,
        status,
        place_id,
    )


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
            raise Invalid(
                f"The site has no {' or '.join(kinds)} place; say where it goes.", field=f"{field}.place_id"
            )
        return UUID(str(row[0]))
    place = conn.execute(
        "select kind, is_physical from place where id = %s and site_id = %s", [place_id, ctx.site_id]
    ).fetchone()
    if place is None or not place[1]:
        raise Unknown("There is no such place at this site.", field=f"{field}.place_id")
    if place[0] in (*SHELVES, "quarantine"):
        judged = check_place(conn, ctx.site_id, [load], place_id)
        if judged.forbidden:
            raise Conflict(" ".join(judged.forbidden), field=f"{field}.place_id")
    return place_id


def _check_against(conn: Conn, site_id: UUID, order: orders.Order, booked: list[_Booked]) -> None:
    shipped: dict[UUID, Decimal] = {}
    skus = {line.item_id: line.sku for line in order.lines}
    for line in order.lines:
        shipped[line.item_id] = shipped.get(line.item_id, ZERO) + line.shipped
    for item_id, quantity in conn.execute(
        """select l.item_id, sum(l.quantity) from customer_return r join customer_return_line l on l.return_id = r.id
           where r.order_id = %s group by l.item_id""",
        [order.id],
    ).fetchall():
        shipped[item_id] = shipped.get(item_id, ZERO) - quantity
    for item_id, quantity in dispatch.not_with_customer(conn, site_id, order.id).items():
        shipped[item_id] = shipped.get(item_id, ZERO) - quantity
    for n, b in enumerate(booked):
        if b.item_id not in skus:
            raise MoreThanShipped(
                f"{order.number} has no such item; receive it without the order.", field=f"lines.{n}.item_id"
            )
        left = shipped[b.item_id]
        if b.units > left:
            raise MoreThanShipped(
                f"Of {skus[b.item_id]}, {max(left, ZERO).normalize():f} of {order.number} can still come back, "
                f"not {b.units.normalize():f}. What is beyond that is received without the order.",
                field=f"lines.{n}.quantity",
            )
        shipped[b.item_id] = left - b.units
        if b.serial is not None:
            _check_serial(conn, site_id, order, skus[b.item_id], b, f"lines.{n}.serial")


def _check_serial(conn: Conn, site_id: UUID, order: orders.Order, sku: str, b: _Booked, field: str) -> None:
    """By the carton it was packed in last; a unit that no carton knows may have left before anybody scanned."""
    row = conn.execute(
        """select o.id, o.number from carton_content x join carton c on c.site_id = x.site_id and c.id = x.carton_id
                  join sales_order o on o.site_id = c.site_id and o.id = c.order_id
           where x.site_id = %s and x.item_id = %s and x.serial = %s and c.state = 'shipped' order by c.closed_at desc limit 1""",
        [site_id, b.item_id, b.serial],
    ).fetchone()
    if row is not None and row[0] != order.id:
        raise NotOfThisOrder(
            f"{sku} serial {b.serial} left with {row[1]}, not with {order.number}; receive it for that order.",
            field=field,
            order_id=str(row[0]),
        )


def _to_putaway(conn: Conn, ctx: Context, return_id: UUID, booked: list[_Booked]) -> None:
    for b in booked:
        kind = conn.execute("select kind from place where id = %s", [b.place_id]).fetchone()
        if kind and kind[0] not in (*SHELVES, "quarantine"):
            ensure_loose_task(
                conn, ctx, "return", return_id, b.place_id, Load(b.item_id, b.units, b.lot_id, b.status)
            )
