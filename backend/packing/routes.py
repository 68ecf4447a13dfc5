"""Packing over HTTP: what the packing screen and the handheld ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from fastapi.responses import HTMLResponse
from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict, Field

from backend import api, orders, packing
from backend.api import Ctx, Db, Quantity, Site, Who, allow
from backend.catalog.codes import resolve_code
from backend.errors import Invalid, Unknown
from backend.handheld import Step, record_step
from backend.packing.bench import order_in
from backend.packing.carton import Carton as CartonRow
from backend.packing.carton import cartons
from backend.packing.pack import pack_scan
from backend.packing.packing_list import Language, packing_list
from backend.packing.undo import undo_of
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["packing"])

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Scan = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
CartonState = Literal["open", "closed", "loaded", "shipped", "cancelled"]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CartonContent(Out):
    line_id: UUID
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    lot_code: str | None
    expires_on: date | None
    serial: str | None
    quantity: Quantity


class Carton(Out):
    id: UUID
    sscc: str
    order_id: UUID
    order_number: str
    position: int = Field(description="The how manieth carton of its order")
    bench_id: UUID
    bench_code: str
    place_code: str | None
    state: CartonState
    tare_g: Quantity
    weight_g: Quantity | None
    expected_weight_g: Quantity | None = Field(
        description="Null where the weight of something inside is not known"
    )
    tolerance_g: Quantity
    weight_check: Literal["not_weighed", "good", "off", "cannot_say"]
    weighed_at: datetime | None
    weighed_by: str | None
    override_by: str | None
    override_reason: str | None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    version: int
    contents: list[CartonContent]


def _carton(c: CartonRow) -> Carton:
    return Carton.model_validate(c)


# --- what is to be packed ---------------------------------------------------------------------------------


class ToPack(BaseModel):
    sku: str
    item_name: str
    unit: str
    picked: Quantity = Field(description="Waiting to be packed")
    packed: Quantity


class PackOrder(BaseModel):
    """An order with picked goods that wait to be packed."""

    order_id: UUID
    order_number: str
    customer_name: str
    state: str
    priority: int
    due_at: datetime
    still_to_pick: Quantity = Field(description="Base units promised that are still on the shelf")
    where: list[str] = Field(description="Totes and places where the picked goods stand")
    lines: list[ToPack]


@dataclass(frozen=True)
class _PackOrderRow:
    id: UUID
    where_codes: list[str]


@router.get("/pack-orders", response_model=Page[PackOrder])
def list_pack_orders(conn: Db, site: Site, limit: Limit = 50, cursor: Cursor = None) -> Page[PackOrder]:
    """The most urgent first."""
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=class_row(_PackOrderRow)) as cur:
        rows = cur.execute(
            """with waiting as (
                   select l.order_id, array_agg(distinct coalesce(lp.code, p.code)) as where_codes
                   from reservation v join sales_order_line l on l.id = v.demand_id join place p on p.id = v.place_id
                        left join license_plate lp on lp.id = v.license_plate_id
                   where v.site_id = %s and v.demand_kind = 'order_line' and v.closed_at is null
                     and p.kind in ('staging', 'pack_bench', 'quarantine') and lp.kind is distinct from 'carton'
                   group by l.order_id)
               select o.id, w.where_codes from sales_order o join waiting w on w.order_id = o.id
               where o.site_id = %s and (%s::uuid is null or (o.priority, o.due_at, o.id) >
                     (select a.priority, a.due_at, a.id from sales_order a where a.id = %s))
               order by o.priority, o.due_at, o.id limit %s""",
            [site, site, after, after, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.id], lambda r: _pack_order(conn, site, r))


def _pack_order(conn: Db, site: UUID, row: _PackOrderRow) -> PackOrder:
    o = orders.order(conn, site, row.id)
    return PackOrder(
        order_id=o.id,
        order_number=o.number,
        customer_name=o.customer_name,
        state=o.state,
        priority=o.priority,
        due_at=o.due_at,
        still_to_pick=sum((line.allocated for line in o.lines), Decimal(0)),
        where=row.where_codes,
        lines=[
            ToPack(sku=x.sku, item_name=x.item_name, unit=x.unit, picked=x.picked, packed=x.packed)
            for x in o.lines
            if x.picked > 0 or x.packed > 0
        ],
    )


class PackBench(BaseModel):
    """A bench, what is open there, and what its devices and people last did."""

    id: UUID
    code: str
    name: str
    carton: Carton | None
    last_at: datetime | None
    last_what: str | None = Field(description="opened, packed, unpacked, weighed, closed, refused, ignored")
    last_code: str | None
    last_detail: str | None


@dataclass(frozen=True)
class _BenchRow:
    id: UUID
    code: str
    name: str
    at: datetime | None
    what: str | None
    seen: str | None
    detail: str | None


@router.get("/pack-benches", response_model=Page[PackBench])
def list_pack_benches(conn: Db, site: Site) -> Page[PackBench]:
    with conn.cursor(row_factory=class_row(_BenchRow)) as cur:
        rows = cur.execute(
            """select p.id, p.code, p.name, e.at, e.what, e.code as seen, e.detail from place p left join lateral (
                   select at, what, code, detail from bench_event b where b.site_id = p.site_id and b.bench_id = p.id
                   order by b.id desc limit 1) e on true
               where p.site_id = %s and p.kind = 'pack_bench' and p.active order by p.code""",
            [site],
        ).fetchall()
    open_ones = {c.bench_id: c for c in cartons(conn, " and c.state = 'open'", [site])}
    return Page(
        items=[
            PackBench(
                id=r.id, code=r.code, name=r.name, last_at=r.at, last_what=r.what, last_code=r.seen, last_detail=r.detail,
                carton=_carton(open_ones[r.id]) if r.id in open_ones else None,
            )
            for r in rows
        ]
    )  # fmt: skip


# --- cartons ----------------------------------------------------------------------------------------------


@router.get("/cartons", response_model=Page[Carton])
def list_cartons(
    conn: Db,
    site: Site,
    order_id: UUID | None = None,
    state: Annotated[list[CartonState] | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Carton]:
    """The newest first."""
    before = uuid_cursor(cursor)
    rows = cartons(
        conn,
        """ and (%s::uuid is null or c.order_id = %s) and (%s::text[] is null or c.state = any(%s))
            and (%s::uuid is null or c.id < %s) order by c.id desc limit %s""",
        [site, order_id, order_id, state, state, before, before, limit + 1],
    )
    return page_of(rows, limit, lambda c: [c.id], _carton)


class NewCarton(BaseModel):
    """The order by its id, or by a scan of its number or of the tote its goods are in."""

    order_id: UUID | None = None
    code: Scan | None = None
    bench_id: UUID | None = None
    bench: Scan | None = Field(
        default=None, description="The bench by a scan of its code, instead of bench_id"
    )
    tare_g: Quantity | None = Field(
        default=None, description="What the empty carton weighs; 250 g unless said"
    )


@router.post("/cartons", response_model=Carton, status_code=201, dependencies=[allow("worker")])
def open_carton(body: NewCarton, conn: Db, ctx: Ctx) -> Carton:
    return _carton(
        packing.open_carton(conn, ctx, _order_of(conn, ctx, body), _bench_of(conn, ctx, body), body.tare_g)
    )


def _order_of(conn: Db, ctx: Ctx, body: NewCarton) -> UUID:
    if (body.order_id is None) == (body.code is None):
        raise Invalid("Say which order: order_id, or a scan of its number or tote in code.", field="order_id")
    if body.order_id is not None:
        return body.order_id
    found = resolve_code(conn, ctx.site_id, body.code or "")
    if found.kind == "sales_order":
        return found.id
    in_tote = order_in(conn, ctx, found.license_plate_id) if found.license_plate_id else None
    if in_tote is None:
        raise Unknown(f"{found.label} is neither an order nor a tote with goods of one.", field="code")
    return in_tote


def _bench_of(conn: Db, ctx: Ctx, body: NewCarton) -> UUID:
    if (body.bench_id is None) == (body.bench is None):
        raise Invalid("Say which bench: bench_id, or a scan of its code in bench.", field="bench_id")
    if body.bench_id is not None:
        return body.bench_id
    found = resolve_code(conn, ctx.site_id, body.bench or "")
    if found.place_kind != "pack_bench" or found.place_id is None:
        raise Unknown(f"{found.label} is no packing bench.", field="bench")
    return found.place_id


@router.get("/cartons/{carton_id}", response_model=Carton)
def get_carton(carton_id: UUID, conn: Db, site: Site) -> Carton:
    return _carton(packing.carton(conn, site, carton_id))


class PackScan(BaseModel):
    code: Scan
    quantity: Quantity | None = Field(
        default=None, gt=0, description="In base units; else one of what was scanned"
    )
    lot: Text | None = None
    serial: Text | None = None


@router.post("/cartons/{carton_id}/contents", response_model=Carton, dependencies=[allow("worker")])
def pack_item(carton_id: UUID, body: PackScan, conn: Db, ctx: Ctx) -> Carton:
    """A wrong item is 409 with what is expected; nothing moves, the mismatch is recorded."""
    done = pack_scan(conn, ctx, carton_id, body.code, body.quantity, lot=body.lot, serial=body.serial)
    label = f"{done.quantity.normalize():f} x {done.sku}, {done.carton.order_number}"
    record_step(conn, ctx, Step("pack", label, undo_of(done)))
    return _carton(done.carton)


class Unpack(BaseModel):
    item_id: UUID
    quantity: Quantity = Field(gt=0)
    lot: Text | None = None
    serial: Text | None = None


@router.post("/cartons/{carton_id}/contents/remove", response_model=Carton, dependencies=[allow("worker")])
def unpack_item(carton_id: UUID, body: Unpack, conn: Db, ctx: Ctx) -> Carton:
    return _carton(
        packing.unpack(conn, ctx, carton_id, body.item_id, body.quantity, lot=body.lot, serial=body.serial)
    )


class CartonWeight(BaseModel):
    weight_g: Quantity = Field(gt=0, description="Cardboard included")


@router.post("/cartons/{carton_id}/weight", response_model=Carton, dependencies=[allow("worker")])
def weigh_carton(carton_id: UUID, body: CartonWeight, conn: Db, ctx: Ctx) -> Carton:
    """A weight read by a person; a bench with a scale of its own does this by itself."""
    return _carton(packing.attach_weight(conn, ctx, carton_id, body.weight_g, by=ctx.actor))


class CloseCarton(BaseModel):
    override_reason: Text | None = Field(
        default=None, description="A lead closes a carton against its weight"
    )


@router.post("/cartons/{carton_id}/close", response_model=Carton, dependencies=[allow("worker")])
def close_carton(carton_id: UUID, body: CloseCarton, conn: Db, ctx: Ctx, who: Who) -> Carton:
    return _carton(
        packing.close_carton(
            conn, ctx, carton_id, override_reason=body.override_reason, may_override=who.may("lead")
        )
    )


@router.get("/cartons/{carton_id}/packing-list", response_class=HTMLResponse, response_model=None)
def get_packing_list(
    carton_id: UUID, conn: Db, site: Site, language: Annotated[Language, Query()] = "en"
) -> HTMLResponse:
    """A page to print. In Chinese each heading says the English beside it."""
    c = packing.carton(conn, site, carton_id)
    all_cartons = [x for x in packing.cartons_of_order(conn, site, c.order_id) if x.state != "cancelled"]
    order = orders.order(conn, site, c.order_id)
    return HTMLResponse(packing_list(order, c, max(len(all_cartons), c.position), language))
