"""Taking an order: once by its source and outside number, then promising what is there.

An order that did not come from the ERP first becomes a sale there: the job `erp_create_sale` is written with it, and
the connector answers with `set_erp_reference`. Stock is promised at once all the same; nothing waits for the ERP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from backend import jobs
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound, Unknown
from backend.ids import new_id
from backend.integration import webhooks
from backend.live.announce import announce
from backend.orders.allocate import allocate, promises_changed
from backend.orders.order import Order, order

Source = Literal["erp", "crm", "api"]
MAX_LINES = 500


@dataclass(frozen=True)
class NewLine:
    """`quantity` counts base units of the item; `pack_id` is the pack it was ordered in."""

    item_id: UUID
    quantity: Decimal
    pack_id: UUID | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class NewOrder:
    """`external_number` is the source's own; with None the order gets ours (typed in by hand)."""

    source: Source
    external_number: str | None
    customer_id: UUID
    due_at: datetime
    lines: Sequence[NewLine]
    priority: int = 5
    ship_to: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    erp_id: str | None = None
    erp_number: str | None = None


class OrderDiffers(Conflict):
    """The same outside number came again with other content."""

    kind, title = "order-differs", "This order was sent before, with other content"


def accept(conn: Conn, ctx: Context, new: NewOrder) -> Order:
    """The order as it stands after promising stock. The same order again is the order that is there.

    Raises OrderDiffers, Invalid, Unknown."""
    _check(conn, new)
    order_id = new_id()
    row = conn.execute("select 'SO-' || lpad(nextval('sales_order_number_seq')::text, 6, '0')").fetchone()
    assert row is not None
    number = str(row[0])
    inserted = conn.execute(
        """insert into sales_order (site_id, id, number, source, external_number, customer_id, priority, due_at, ship_to, note,
                                    erp_id, erp_number, received_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict on constraint sales_order_external_number_unique do nothing""",
        [ctx.site_id, order_id, number, new.source, new.external_number or number, new.customer_id, new.priority,
         new.due_at, Jsonb(new.ship_to), new.note, new.erp_id, new.erp_number, ctx.now],
    ).rowcount  # fmt: skip
    if not inserted:
        return _same_as_before(conn, ctx, new)
    with conn.cursor() as cur:
        cur.executemany(
            """insert into sales_order_line (site_id, id, order_id, position, item_id, pack_id, quantity, external_id)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (ctx.site_id, new_id(), order_id, position, line.item_id, line.pack_id, line.quantity, line.external_id)
                for position, line in enumerate(new.lines, start=1)
            ],
        )  # fmt: skip
    if new.source != "erp":
        jobs.defer(
            conn,
            "erp_create_sale",
            {"site_id": str(ctx.site_id), "order_id": str(order_id), "correlation_id": ctx.correlation_id},
            lock=f"sales_order:{order_id}",
        )
    taken = allocate(conn, ctx, order_id)
    promises_changed(conn, ctx, [line.item_id for line in new.lines])
    announce(conn, ctx.site_id, "orders", order_id)
    _tell(conn, ctx, taken)
    return taken


def set_erp_reference(conn: Conn, ctx: Context, order_id: UUID, erp_id: str, erp_number: str) -> None:
    """The ERP has made the sale. Raises NotFound, and Conflict when it is tied to another sale already."""
    row = conn.execute(
        "select erp_id from sales_order where site_id = %s and id = %s for update", [ctx.site_id, order_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such order at this site.", field="order_id")
    if row[0] not in (None, erp_id):
        raise Conflict(f"The order is the ERP's sale {row[0]} already, it cannot be {erp_id} too.")
    conn.execute(
        "update sales_order set erp_id = %s, erp_number = %s where site_id = %s and id = %s",
        [erp_id, erp_number, ctx.site_id, order_id],
    )
    announce(conn, ctx.site_id, "orders", order_id)


def _same_as_before(conn: Conn, ctx: Context, new: NewOrder) -> Order:
    row = conn.execute(
        "select id from sales_order where site_id = %s and source = %s and external_number = %s",
        [ctx.site_id, new.source, new.external_number],
    ).fetchone()
    assert row is not None
    present = order(conn, ctx.site_id, row[0])
    sent = [(line.item_id, line.quantity) for line in new.lines]
    have = [(line.item_id, line.quantity) for line in present.lines]
    if sent != have or present.customer_id != new.customer_id:
        raise OrderDiffers(
            f"{new.external_number} is here already as {present.number}, with other lines or another customer. "
            "Change its lines, or send a new order under a new number.",
            field="external_number",
            order_id=str(present.id),
            number=present.number,
        )
    return present


def _tell(conn: Conn, ctx: Context, taken: Order) -> None:
    webhooks.emit(
        conn,
        ctx,
        "order.accepted",
        str(taken.id),
        {
            "number": taken.number,
            "external_number": taken.external_number,
            "source": taken.source,
            "lines": [
                {
                    "sku": line.sku,
                    "quantity": format(line.quantity.normalize(), "f"),
                    "unit": line.unit,
                    "promised": format(line.allocated.normalize(), "f"),
                    "waiting": format(line.waiting.normalize(), "f"),
                }
                for line in taken.lines
            ],
        },
    )


@dataclass(frozen=True)
class _Item:
    sku: str
    decimals: int
    unit: str
    active: bool


def _check(conn: Conn, new: NewOrder) -> None:
    if not new.lines:
        raise Invalid("An order needs at least one line.", field="lines")
    if len(new.lines) > MAX_LINES:
        raise Invalid(f"An order may have {MAX_LINES} lines, not {len(new.lines)}.", field="lines")
    customer = conn.execute("select is_customer from partner where id = %s", [new.customer_id]).fetchone()
    if customer is None or not customer[0]:
        raise Unknown("There is no such customer.", field="customer_id")
    items = {
        r[0]: _Item(*r[1:])
        for r in conn.execute(
            "select id, sku, quantity_decimals, base_unit, active from item where id = any(%s)",
            [[line.item_id for line in new.lines]],
        ).fetchall()
    }
    for at, line in enumerate(new.lines):
        item = items.get(line.item_id)
        if item is None or not item.active:
            raise Unknown("There is no such item, or it is not sold any more.", field=f"lines.{at}.item_id")
        check_quantity(line.quantity, item.sku, item.decimals, item.unit, f"lines.{at}.quantity")


def check_quantity(quantity: Decimal, sku: str, decimals: int, unit: str, field: str) -> None:
    """Above zero, not finer than the item is counted, not beyond what the ledger keeps. Raises Invalid."""
    if not quantity.is_finite() or quantity <= 0:
        raise Invalid(f"The quantity must be above zero, not {quantity}.", field=field)
    if quantity >= Decimal(10) ** 12:
        raise Invalid("The quantity is larger than the ledger keeps.", field=field)
    if quantity != round(quantity, decimals):
        raise Invalid(
            f"{sku} is counted in steps of {Decimal(1).scaleb(-decimals)} {unit}; {quantity} is finer.",
            field=field,
        )
