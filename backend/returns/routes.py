"""Customer returns over the API."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api, ledger, orders
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.errors import NotFound, Unknown
from backend.handheld import Step, record_step
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor
from backend.returns.receive import NewReturn, ReturnLine, add_line, receive_return, returnable, takes_lines
from backend.returns.undo import take_back, undo_of

router = api.router(tags=["returns"])

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Grade = Literal["as_new", "opened", "damaged", "unusable"]
Status = Literal["available", "damaged", "quarantine"]


Code = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
Count = Annotated[Quantity, Field(gt=0, lt=10**11)]
Lot = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]+$")]
Serial = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]+$")]


class NewReturnLine(BaseModel):
    item_id: UUID | None = None
    code: Code | None = Field(default=None, description="A scanned item, case, serial or tag")
    quantity: Count = Decimal(1)
    lot: Lot | None = None
    expires_on: date | None = None
    serial: Serial | None = None
    reason: Text
    grade: Grade
    status: Status | None = Field(default=None, description="Left out: as new is available, else quarantine")
    place_id: UUID | None = Field(default=None, description="Left out: the dock, or the quarantine place")


class NewReturnIn(BaseModel):
    order_id: UUID | None = None
    order_number: Text | None = None
    customer_id: UUID | None = None
    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""
    lines: Annotated[list[NewReturnLine], Field(min_length=1, max_length=200)]


class ReturnLineOut(BaseModel):
    id: UUID
    line_no: int
    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    serial: str | None
    quantity: Quantity
    reason: str
    grade: Grade
    status: Status
    place_id: UUID
    place: str
    movement_id: UUID
    taken_back: bool = Field(description="Booked by mistake: a correction has reversed it")


class ReturnOut(BaseModel):
    id: UUID
    number: str
    order_id: UUID | None
    order_number: str | None
    customer_id: UUID | None
    customer: str | None
    note: str
    created_at: datetime
    created_by: str
    takes_lines: bool = Field(description="Until 12 hours after it was begun")
    lines: list[ReturnLineOut]


_RETURN = """select r.*, p.name as customer, s.number as order_number from customer_return r
             left join partner p on p.id = r.customer_id
             left join sales_order s on s.site_id = r.site_id and s.id = r.order_id"""


def _rows(conn: Db, query: str, params: list[Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


def _with_lines(conn: Db, site_id: UUID, rows: list[dict[str, Any]]) -> list[ReturnOut]:
    found = _rows(
        conn,
        """select l.*, i.sku, i.name, i.base_unit as unit, o.code as lot, p.code as place from customer_return_line l
           join item i on i.id = l.item_id left join lot o on o.id = l.lot_id join place p on p.id = l.place_id
           where l.return_id = any(%s) order by l.line_no""",
        [[r["id"] for r in rows]],
    )
    taken_back = ledger.reversed_among(conn, site_id, [line["movement_id"] for line in found])
    lines: dict[UUID, list[ReturnLineOut]] = {}
    for line in found:
        shown = ReturnLineOut(**line, taken_back=line["movement_id"] in taken_back)
        lines.setdefault(line["return_id"], []).append(shown)
    now = datetime.now(UTC)
    return [
        ReturnOut(**r, takes_lines=takes_lines(r["created_at"], now), lines=lines.get(r["id"], []))
        for r in rows
    ]


@router.get("/returns", response_model=Page[ReturnOut])
def list_returns(
    conn: Db, site: Site, order_id: UUID | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[ReturnOut]:
    after = uuid_cursor(cursor)
    rows = _rows(
        conn,
        f"""{_RETURN} where r.site_id = %s and (%s::uuid is null or r.order_id = %s) and (%s::uuid is null or r.id < %s)
            order by r.id desc limit %s""",
        [site, order_id, order_id, after, after, limit + 1],
    )
    return page_of(_with_lines(conn, site, rows), limit, lambda r: [r.id], lambda r: r)


@router.get("/returns/{return_id}", response_model=ReturnOut)
def get_return(return_id: UUID, conn: Db, site: Site) -> ReturnOut:
    rows = _rows(conn, f"{_RETURN} where r.site_id = %s and r.id = %s", [site, return_id])
    if not rows:
        raise NotFound("There is no such return at this site.")
    return _with_lines(conn, site, rows)[0]


@router.post("/returns", response_model=ReturnOut, status_code=201, dependencies=[allow("worker")])
def create_return(body: NewReturnIn, conn: Db, ctx: Ctx) -> ReturnOut:
    """All lines are booked, or none. More can be added for 12 hours."""
    order_id = body.order_id
    if order_id is None and body.order_number:
        order_id = orders.find_by_number(conn, ctx.site_id, body.order_number)
        if order_id is None:
            raise Unknown(f"There is no order {body.order_number} at this site.", field="order_number")
    made = receive_return(
        conn,
        ctx,
        NewReturn(
            tuple(ReturnLine(**dict(line)) for line in body.lines),
            order_id,
            body.customer_id,
            body.note,
        ),
    )
    return _shown(conn, ctx, made, None)


@router.post(
    "/returns/{return_id}/lines", response_model=ReturnOut, status_code=201, dependencies=[allow("worker")]
)
def add_return_line(return_id: UUID, body: NewReturnLine, conn: Db, ctx: Ctx) -> ReturnOut:
    """One scan more, with the same checks as the first. It stands last in the answer."""
    line_id = add_line(conn, ctx, return_id, ReturnLine(**dict(body)))
    return _shown(conn, ctx, return_id, line_id)


class TakeBack(BaseModel):
    reason: Text


@router.post(
    "/returns/{return_id}/lines/{line_id}/take-back", response_model=ReturnOut, dependencies=[allow("lead")]
)
def take_back_return_line(return_id: UUID, line_id: UUID, body: TakeBack, conn: Db, ctx: Ctx) -> ReturnOut:
    """It was booked by mistake: the goods are the customer's again. What was put away is taken from its bin first."""
    shown = get_return(return_id, conn, ctx.site_id)
    if line_id not in {line.id for line in shown.lines}:
        raise NotFound(f"{shown.number} has no such line.")
    take_back(conn, ctx, return_id, [line_id], body.reason)
    return get_return(return_id, conn, ctx.site_id)


def _shown(conn: Db, ctx: Ctx, return_id: UUID, line_id: UUID | None) -> ReturnOut:
    """The return after a command that booked this line, or (None) all of them; it is the person's last step."""
    shown = get_return(return_id, conn, ctx.site_id)
    booked = [line for line in shown.lines if line_id in (None, line.id)]
    label = ", ".join(f"{line.quantity.normalize():f} x {line.sku}" for line in booked)
    record_step(conn, ctx, Step("return", label, undo_of(return_id, [line.id for line in booked])))
    return shown


class ReturnableOut(BaseModel):
    item_id: UUID
    sku: str
    name: str
    unit: str
    units: Quantity = Field(description="Base units that the scan stands for")
    lot: str | None
    serial: str | None
    order_id: UUID | None = Field(description="As asked for; else the order that the serial left with")
    order_number: str | None
    left: Quantity | None = Field(description="What of the order can still come back, these included")


@router.get("/returnable", response_model=ReturnableOut)
def look_at_returned_goods(
    conn: Db,
    site: Site,
    code: Annotated[Code, Query()],
    order_id: UUID | None = None,
    quantity: Count = Decimal(1),
    lot: Lot | None = None,
    expires_on: date | None = None,
    serial: Serial | None = None,
) -> ReturnableOut:
    """What scanned goods are and whether they can come back, before anything is booked.

    What a code does not say is asked for: 422 with `ask` (lot, expires_on or serial)."""
    line = ReturnLine("", "", None, code, quantity, lot, expires_on, serial)
    seen = returnable(conn, site, order_id, line)
    return ReturnableOut(
        **asdict(seen.what), order_id=seen.order_id, order_number=seen.order_number, left=seen.left
    )
