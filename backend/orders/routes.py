"""Sales orders over HTTP, and what can be promised."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend import api, orders
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.errors import Invalid, Unknown
from backend.orders.order import HEAD, Order, OrderLine, with_lines
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of

router = api.router(tags=["orders"])

State = Literal["open", "allocated", "picking", "packed", "loaded", "shipped", "cancelled"]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SalesOrderLine(Out):
    """Quantities in `unit`: quantity = waiting + allocated + picked + packed + loaded + shipped."""

    id: UUID
    position: int
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    pack_id: UUID | None
    pack_name: str | None
    pack_units: Quantity
    quantity: Quantity
    waiting: Quantity = Field(description="Not promised: a backorder until stock arrives")
    allocated: Quantity = Field(description="Promised, on the shelf")
    picked: Quantity
    packed: Quantity
    loaded: Quantity
    shipped: Quantity
    version: int


class SalesOrder(Out):
    id: UUID
    number: str
    source: Literal["erp", "crm", "api"]
    external_number: str
    customer_id: UUID
    customer_code: str
    customer_name: str
    state: State
    priority: int
    due_at: datetime
    ship_to: dict[str, Any]
    note: str
    erp_id: str | None = Field(description="Null while the sale is still to be made in the ERP")
    erp_number: str | None
    wave_id: UUID | None
    received_at: datetime
    shipped_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    version: int
    backordered: bool = Field(description="Some line waits for stock")
    lines: list[SalesOrderLine]


def shown(o: Order) -> SalesOrder:
    waits = not o.is_over and any(line.waiting > 0 for line in o.lines)
    fields = {k: v for k, v in o.__dict__.items() if k != "lines"}
    return SalesOrder(**fields, backordered=waits, lines=[_line(line) for line in o.lines])


def _line(line: OrderLine) -> SalesOrderLine:
    return SalesOrderLine.model_validate(line)


@router.get("/sales-orders", response_model=Page[SalesOrder])
def list_sales_orders(
    conn: Db,
    site: Site,
    state: Annotated[list[State] | None, Query()] = None,
    source: Annotated[Literal["erp", "crm", "api"] | None, Query()] = None,
    customer_id: UUID | None = None,
    item_id: UUID | None = None,
    wave_id: UUID | None = None,
    backordered: bool | None = None,
    q: Annotated[
        str | None, Query(max_length=100, description="Part of a number or of the customer's name")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SalesOrder]:
    """The newest first."""
    before = decode_cursor(cursor, 1)
    params = {
        "site": site, "state": state, "source": source, "customer": customer_id, "item": item_id, "wave": wave_id,
        "waits": backordered, "q": f"%{_escaped(q)}%" if q else None, "before": _uuid(before[0]) if before else None,
        "limit": limit + 1,
    }  # fmt: skip
    with conn.cursor(row_factory=class_row(Order)) as cur:
        heads = cur.execute(
            f"""{HEAD} where o.site_id = %(site)s and (%(before)s::uuid is null or o.id < %(before)s)
                and (%(state)s::text[] is null or o.state = any(%(state)s)) and (%(source)s::text is null or o.source = %(source)s)
                and (%(customer)s::uuid is null or o.customer_id = %(customer)s) and (%(wave)s::uuid is null or o.wave_id = %(wave)s)
                and (%(item)s::uuid is null or exists (select 1 from sales_order_line l where l.site_id = o.site_id
                     and l.order_id = o.id and l.item_id = %(item)s))
                and (%(waits)s::boolean is null or %(waits)s = (o.state not in ('shipped', 'cancelled') and exists (
                     select 1 from order_line_progress g where g.site_id = o.site_id and g.order_id = o.id and g.waiting > 0)))
                and (%(q)s::text is null or o.number ilike %(q)s or o.external_number ilike %(q)s or o.erp_number ilike %(q)s
                     or c.name ilike %(q)s)
                order by o.id desc limit %(limit)s""".encode(),
            params,
        ).fetchall()
    return page_of(with_lines(conn, site, heads), limit, lambda o: [o.id], shown)


def _escaped(q: str) -> str:
    if "\x00" in q:
        raise Invalid("A search text cannot hold NUL.", field="q")
    return q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as e:
        raise Invalid("The cursor is of another list; start without it.", field="cursor") from e


class NewSalesOrderLine(BaseModel):
    """The item by exactly one of its names; the quantity in `pack` (its name), else in the item's base unit."""

    item_id: UUID | None = None
    sku: Text | None = None
    gtin: Annotated[str, Field(pattern=r"^[0-9]{8,14}$")] | None = Field(
        default=None, description="May name a pack: then the quantity counts those packs"
    )
    quantity: Quantity
    pack: Text | None = None
    external_id: Text | None = None

    @model_validator(mode="after")
    def names_one_item(self) -> NewSalesOrderLine:
        if sum(x is not None for x in (self.item_id, self.sku, self.gtin)) != 1:
            raise ValueError("name the item by item_id, sku or gtin, one of them")
        return self


class NewSalesOrder(BaseModel):
    source: Literal["crm", "api"] = "api"
    external_number: Text | None = Field(
        default=None, description="The sender's own number; sent again it is the same order"
    )
    customer_id: UUID | None = None
    customer_code: Text | None = None
    due_at: datetime | None = Field(default=None, description="With zone; now when left out")
    priority: Annotated[int, Field(ge=1, le=9, description="1 is the most urgent")] = 5
    ship_to: Annotated[dict[str, Annotated[str, Field(max_length=500)]], Field(max_length=20)] = {}
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""
    lines: Annotated[list[NewSalesOrderLine], Field(min_length=1, max_length=500)]


@router.post(
    "/sales-orders", response_model=SalesOrder, status_code=201, dependencies=[allow("lead", "integrator")]
)
def create_sales_order(body: NewSalesOrder, conn: Db, ctx: Ctx) -> SalesOrder:
    """Takes the order once by its source and external number, and promises what is there."""
    if any("\x00" in k + v for k, v in body.ship_to.items()):
        raise Invalid("An address cannot hold NUL.", field="ship_to")
    if body.due_at is not None and body.due_at.tzinfo is None:
        raise Invalid("Give the due time with its zone, e.g. 2030-01-31T16:00:00Z.", field="due_at")
    if body.due_at is not None and not 2000 <= body.due_at.year <= 2200:
        raise Invalid("The due time is not of this age.", field="due_at")
    new = orders.NewOrder(
        body.source,
        body.external_number,
        _customer(conn, body),
        body.due_at or ctx.now,
        [_new_line(conn, line, at) for at, line in enumerate(body.lines)],
        body.priority,
        dict(body.ship_to),
        body.note,
    )
    return shown(orders.accept(conn, ctx, new))


def _customer(conn: Db, body: NewSalesOrder) -> UUID:
    if (body.customer_id is None) == (body.customer_code is None):
        raise Invalid("Say who the customer is, by customer_id or customer_code.", field="customer_id")
    if body.customer_id is not None:
        return body.customer_id
    row = conn.execute("select id from partner where code = %s", [body.customer_code]).fetchone()
    if row is None:
        raise Unknown(f"There is no customer {body.customer_code}.", field="customer_code")
    return UUID(str(row[0]))


def _new_line(conn: Db, line: NewSalesOrderLine, at: int) -> orders.NewLine:
    """Names and packs to ids and base units. Raises Unknown with the line's field."""
    pack_id, units, item_id = None, Decimal(1), line.item_id
    if line.gtin is not None:
        row = conn.execute(
            "select item_id, id, units from item_pack where gtin = %s", [line.gtin.zfill(14)]
        ).fetchone()
        if row is None:
            raise Unknown(f"No item has the GTIN {line.gtin}.", field=f"lines.{at}.gtin")
        item_id, pack_id, units = row
    elif line.sku is not None:
        row = conn.execute("select id from item where upper(sku) = upper(%s)", [line.sku]).fetchone()
        if row is None:
            raise Unknown(f"There is no item {line.sku}.", field=f"lines.{at}.sku")
        item_id = row[0]
    if line.pack is not None:
        row = conn.execute(
            "select id, units from item_pack where item_id = %s and name = %s", [item_id, line.pack]
        ).fetchone()
        if row is None:
            raise Unknown(f"The item has no pack {line.pack!r}.", field=f"lines.{at}.pack")
        pack_id, units = row
    assert item_id is not None
    return orders.NewLine(item_id, line.quantity * units, pack_id, line.external_id)


@router.get("/sales-orders/{order_id}", response_model=SalesOrder)
def get_sales_order(order_id: UUID, conn: Db, site: Site) -> SalesOrder:
    return shown(orders.order(conn, site, order_id))


class Cancellation(BaseModel):
    reason: Text


@router.post(
    "/sales-orders/{order_id}/cancel", response_model=SalesOrder, dependencies=[allow("lead", "integrator")]
)
def cancel_sales_order(order_id: UUID, body: Cancellation, conn: Db, ctx: Ctx) -> SalesOrder:
    """Gives everything back; picked goods get a putaway task. Refused once something is loaded."""
    return shown(orders.cancel(conn, ctx, order_id, body.reason))


class LineChange(BaseModel):
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    quantity: Annotated[Quantity, Field(ge=0, description="In base units; 0 takes the line off")]


@router.patch(
    "/sales-orders/{order_id}/lines/{line_id}",
    response_model=SalesOrder,
    dependencies=[allow("lead", "integrator")],
)
def change_sales_order_line(
    order_id: UUID, line_id: UUID, body: LineChange, conn: Db, ctx: Ctx
) -> SalesOrder:
    return shown(orders.change_line(conn, ctx, order_id, line_id, body.quantity, body.version))


# --- what can be promised ---------------------------------------------------------------------------------


class IncomingStock(Out):
    on: date
    quantity: Quantity
    document: str


class ItemAvailability(Out):
    item_id: UUID
    sku: str
    unit: str
    on_hand: Quantity
    reserved: Quantity
    waiting: Quantity = Field(description="Ordered by customers beyond what is reserved")
    promiseable: Quantity = Field(description="What a new order would get now")
    incoming: list[IncomingStock]


@router.get("/availability", response_model=ItemAvailability)
def get_availability(conn: Db, site: Site, item_id: UUID) -> ItemAvailability:
    return ItemAvailability.model_validate(orders.availability(conn, site, item_id, datetime.now(UTC)))
