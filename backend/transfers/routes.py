"""Moves between bins and transfers between sites."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.catalog import resolve_code
from backend.errors import Invalid, NotFound
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor
from backend.transfers import between_sites
from backend.transfers.between_sites import NewTransferLine
from backend.transfers.moves import move_by_code, place_named

router = api.router(tags=["transfers"])

Code = Annotated[str, Field(min_length=1, max_length=500)]
Amount = Annotated[Quantity, Field(gt=0, lt=10**11)]


class NewMove(BaseModel):
    code: Code = Field(description="License plate, tag, serial, item or pack, as scanned")
    to_place: Code
    from_place: Code | None = Field(default=None, description="Needed for loose items")
    quantity: Amount | None = Field(default=None, description="How many of what was scanned; one if absent")
    lot: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    to_status: Literal["available", "damaged", "quarantine"] | None = None
    reason: Annotated[str, Field(min_length=1, max_length=300)] = "moved"


class Moved(BaseModel):
    movement_ids: list[UUID]


@router.post("/moves", response_model=Moved, status_code=201, dependencies=[allow("worker")])
def move_stock(body: NewMove, conn: Db, ctx: Ctx) -> Moved:
    """From place to place, or into another status (then with a reason)."""
    posted = move_by_code(conn, ctx, code=body.code, to=body.to_place, from_=body.from_place, quantity=body.quantity, lot=body.lot,
                          to_status=body.to_status, reason=body.reason)  # fmt: skip
    return Moved(movement_ids=[p.movement_id for p in posted])


class TransferLineOut(BaseModel):
    id: UUID
    item_id: UUID
    sku: str
    lot_code: str | None
    serial: str | None
    quantity: Quantity
    received: Quantity


class TransferOut(BaseModel):
    id: UUID
    number: str
    from_site_id: UUID
    to_site_id: UUID
    state: str
    created_at: datetime
    created_by: str
    dispatched_at: datetime | None
    received_at: datetime | None
    lines: list[TransferLineOut]


class NewTransferLineIn(BaseModel):
    item: Code
    quantity: Amount
    from_place: Code
    lot: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    serial: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class NewTransfer(BaseModel):
    to_site_id: UUID
    lines: Annotated[list[NewTransferLineIn], Field(min_length=1, max_length=500)]


def _transfers(conn: Db, where: str, params: list[object]) -> list[TransferOut]:
    with conn.cursor(row_factory=dict_row) as cur:
        heads = cur.execute(
            f"""select id, number, site_id as from_site_id, to_site_id, state, created_at, created_by, dispatched_at, received_at
                from transfer where {where}""".encode(),
            params,
        ).fetchall()
        lines = cur.execute(
            """select t.transfer_id, t.id, t.item_id, i.sku, l.code as lot_code, t.serial, t.quantity, t.received
               from transfer_line t join item i on i.id = t.item_id left join lot l on l.id = t.lot_id
               where t.transfer_id = any(%s) order by t.id""",
            [[h["id"] for h in heads]],
        ).fetchall()
    return [
        TransferOut(**h, lines=[TransferLineOut(**line) for line in lines if line["transfer_id"] == h["id"]])
        for h in heads
    ]


def _transfer(conn: Db, site: UUID, transfer_id: UUID) -> TransferOut:
    found = _transfers(conn, "(site_id = %s or to_site_id = %s) and id = %s", [site, site, transfer_id])
    if not found:
        raise NotFound("There is no such transfer from or to this site.")
    return found[0]


@router.get("/transfers", response_model=Page[TransferOut])
def list_transfers(conn: Db, site: Site, limit: Limit = 100, cursor: Cursor = None) -> Page[TransferOut]:
    after = uuid_cursor(cursor)
    rows = _transfers(conn, "(site_id = %s or to_site_id = %s) and (%s::uuid is null or id < %s) order by id desc limit %s",
                      [site, site, after, after, limit + 1])  # fmt: skip
    return page_of(rows, limit, lambda t: [t.id], lambda t: t)


@router.post("/transfers", response_model=TransferOut, status_code=201, dependencies=[allow("lead")])
def create_transfer(body: NewTransfer, conn: Db, ctx: Ctx) -> TransferOut:
    lines = []
    for line in body.lines:
        item = resolve_code(conn, ctx.site_id, line.item)
        if item.item_id is None:
            raise Invalid(f"{line.item!r} is no item.", field="item")
        lot_code, lot_id = line.lot or item.lot_code, item.lot_id
        if lot_code and lot_id is None:
            row = conn.execute(
                "select id from lot where item_id = %s and code = %s", [item.item_id, lot_code]
            ).fetchone()
            if row is None:
                raise Invalid(f"{item.sku} has no lot {lot_code}.", field="lot")
            lot_id = row[0]
        lines.append(NewTransferLine(item.item_id, line.quantity * item.units, place_named(conn, ctx, line.from_place, "from_place"),
                                     lot_id, line.serial or item.serial))  # fmt: skip
    return _transfer(conn, ctx.site_id, between_sites.open_transfer(conn, ctx, body.to_site_id, lines))


@router.get("/transfers/{transfer_id}", response_model=TransferOut)
def get_transfer(transfer_id: UUID, conn: Db, site: Site) -> TransferOut:
    return _transfer(conn, site, transfer_id)


@router.post("/transfers/{transfer_id}/dispatch", response_model=TransferOut, dependencies=[allow("worker")])
def dispatch_transfer(transfer_id: UUID, conn: Db, ctx: Ctx) -> TransferOut:
    between_sites.dispatch(conn, ctx, transfer_id)
    return _transfer(conn, ctx.site_id, transfer_id)


class CountedLine(BaseModel):
    line_id: UUID
    quantity: Annotated[Quantity, Field(ge=0, lt=10**11)]


class TransferReceipt(BaseModel):
    to_place: Code
    counted: Annotated[list[CountedLine], Field(max_length=500)] = []


@router.post("/transfers/{transfer_id}/receive", response_model=TransferOut, dependencies=[allow("worker")])
def receive_transfer(transfer_id: UUID, body: TransferReceipt, conn: Db, ctx: Ctx) -> TransferOut:
    counted = {c.line_id: c.quantity for c in body.counted}
    between_sites.receive(conn, ctx, transfer_id, place_named(conn, ctx, body.to_place, "to_place"), counted)
    return _transfer(conn, ctx.site_id, transfer_id)
