"""Customer returns over the API."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api, orders
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.errors import NotFound, Unknown
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor
from backend.returns.receive import NewReturn, ReturnLine, receive_return

router = api.router(tags=["returns"])

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Grade = Literal["as_new", "opened", "damaged", "unusable"]
Status = Literal["available", "damaged", "quarantine"]


class NewReturnLine(BaseModel):
    item_id: UUID | None = None
    code: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")] | None = Field(
        default=None, description="A scanned item, case, serial or tag"
    )
    quantity: Annotated[Quantity, Field(gt=0, lt=10**11)] = Decimal(1)
    lot: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]+$")] | None = None
    expires_on: date | None = None
    serial: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]+$")] | None = None
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
    place: str
    movement_id: UUID


class ReturnOut(BaseModel):
    id: UUID
    number: str
    order_id: UUID | None
    customer_id: UUID | None
    customer: str | None
    note: str
    created_at: datetime
    created_by: str
    lines: list[ReturnLineOut]


_RETURN = (
    """select r.*, p.name as customer from customer_return r left join partner p on p.id = r.customer_id"""
)


def _rows(conn: Db, query: str, params: list[Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


def _with_lines(conn: Db, rows: list[dict[str, Any]]) -> list[ReturnOut]:
    lines: dict[UUID, list[ReturnLineOut]] = {}
    for line in _rows(
        conn,
        """select l.*, i.sku, i.name, i.base_unit as unit, o.code as lot, p.code as place from customer_return_line l
           join item i on i.id = l.item_id left join lot o on o.id = l.lot_id join place p on p.id = l.place_id
           where l.return_id = any(%s) order by l.line_no""",
        [[r["id"] for r in rows]],
    ):
        lines.setdefault(line["return_id"], []).append(ReturnLineOut(**line))
    return [ReturnOut(**r, lines=lines.get(r["id"], [])) for r in rows]


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
    return page_of(_with_lines(conn, rows), limit, lambda r: [r.id], lambda r: r)


@router.get("/returns/{return_id}", response_model=ReturnOut)
def get_return(return_id: UUID, conn: Db, site: Site) -> ReturnOut:
    rows = _rows(conn, f"{_RETURN} where r.site_id = %s and r.id = %s", [site, return_id])
    if not rows:
        raise NotFound("There is no such return at this site.")
    return _with_lines(conn, rows)[0]


@router.post("/returns", response_model=ReturnOut, status_code=201, dependencies=[allow("worker")])
def create_return(body: NewReturnIn, conn: Db, ctx: Ctx) -> ReturnOut:
    """All lines are booked, or none."""
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
    return get_return(made, conn, ctx.site_id)
