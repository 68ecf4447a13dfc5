"""Count tasks and discrepancies over the API."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api, errors
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.catalog import resolve_code
from backend.counting import counts, discrepancies
from backend.counting.ask import open_count
from backend.errors import Conflict, Invalid, NotFound
from backend.handheld import Step, record_step
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["counting"])

errors.register({
    "count_line_serial_once": (Conflict, "This serial was counted already in this round.", "code"),
    "count_task_open_once": (Conflict, "This place is being counted already.", "place"),
})  # fmt: skip

Code = Annotated[str, Field(min_length=1, max_length=500)]


class CountTaskOut(BaseModel):
    id: UUID
    place_id: UUID
    place_code: str
    item_id: UUID | None
    sku: str | None
    item_name: str | None
    state: str
    reason: str
    tolerance: Quantity
    discrepancy_id: UUID | None
    round: int
    counted_by: list[str]
    lines_counted: int
    created_at: datetime
    closed_at: datetime | None
    version: int


_TASK = """select t.id, t.place_id, p.code as place_code, t.item_id, i.sku, i.name as item_name, t.state, t.reason, t.tolerance,
                  t.discrepancy_id, t.round, t.counted_by, t.created_at, t.closed_at, t.version,
                  (select count(*) from count_line l where l.site_id = t.site_id and l.task_id = t.id and l.round = t.round) as lines_counted
           from count_task t join place p on p.id = t.place_id left join item i on i.id = t.item_id where t.site_id = %s"""


def _task(conn: Db, site: UUID, task_id: UUID) -> CountTaskOut:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_TASK} and t.id = %s".encode(), [site, task_id]).fetchone()
    if row is None:
        raise NotFound("There is no such count at this site.")
    return CountTaskOut(**row)


@router.get("/count-tasks", response_model=Page[CountTaskOut])
def list_count_tasks(
    conn: Db, site: Site, state: Literal["open", "recount", "to_approve", "done", "cancelled"] | None = None,
    place_id: UUID | None = None, limit: Limit = 100, cursor: Cursor = None,
) -> Page[CountTaskOut]:  # fmt: skip
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""{_TASK} and (%s::text is null or t.state = %s) and (%s::uuid is null or t.place_id = %s)
                and (%s::uuid is null or t.id < %s) order by t.id desc limit %s""".encode(),
            [
                site,
                state,
                state,
                place_id,
                place_id,
                after,
                after,
                limit + 1,
            ],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: CountTaskOut(**r))


class NewCount(BaseModel):
    place: Code
    item: Code | None = None
    reason: Annotated[str, Field(min_length=1, max_length=200)] = "cycle count"
    tolerance: Annotated[Quantity, Field(ge=0, lt=10**9)] = Decimal(0)


@router.post("/count-tasks", response_model=CountTaskOut, status_code=201, dependencies=[allow("worker")])
def create_count_task(body: NewCount, conn: Db, ctx: Ctx) -> CountTaskOut:
    place = resolve_code(conn, ctx.site_id, body.place)
    if place.kind != "place" or place.place_id is None:
        raise Invalid(f"{body.place!r} is no place.", field="place")
    item = resolve_code(conn, ctx.site_id, body.item) if body.item else None
    if item is not None and item.item_id is None:
        raise Invalid(f"{body.item!r} is no item.", field="item")
    task_id = open_count(
        conn,
        ctx,
        place.place_id,
        item.item_id if item else None,
        reason=body.reason,
        tolerance=body.tolerance,
    )
    return _task(conn, ctx.site_id, task_id)


@router.get("/count-tasks/{task_id}", response_model=CountTaskOut)
def get_count_task(task_id: UUID, conn: Db, site: Site) -> CountTaskOut:
    return _task(conn, site, task_id)


class CountLine(BaseModel):
    code: Code
    quantity: Annotated[Quantity, Field(ge=0, lt=10**9)] | None = Field(
        default=None, description="How many of what was scanned; one if absent"
    )
    lot: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    expires_on: date | None = None


@router.post(
    "/count-tasks/{task_id}/lines",
    response_model=CountTaskOut,
    status_code=201,
    dependencies=[allow("worker")],
)
def count_line(task_id: UUID, body: CountLine, conn: Db, ctx: Ctx) -> CountTaskOut:
    line_id = counts.add_line(conn, ctx, task_id, body.code, body.quantity, body.lot, body.expires_on)
    record_step(conn, ctx, Step("count_line", f"count {body.code}", {"line_id": str(line_id)}))
    return _task(conn, ctx.site_id, task_id)


@router.post("/count-tasks/{task_id}/submit", response_model=CountTaskOut, dependencies=[allow("worker")])
def submit_count(task_id: UUID, conn: Db, ctx: Ctx) -> CountTaskOut:
    return _task(conn, ctx.site_id, counts.submit(conn, ctx, task_id).id)


@router.post("/count-tasks/{task_id}/approve", response_model=CountTaskOut, dependencies=[allow("lead")])
def approve_count(task_id: UUID, conn: Db, ctx: Ctx) -> CountTaskOut:
    return _task(conn, ctx.site_id, counts.approve(conn, ctx, task_id).id)


@router.post("/count-tasks/{task_id}/recount", response_model=CountTaskOut, dependencies=[allow("lead")])
def ask_for_recount(task_id: UUID, conn: Db, ctx: Ctx) -> CountTaskOut:
    return _task(conn, ctx.site_id, counts.recount(conn, ctx, task_id).id)


@router.post("/count-tasks/{task_id}/cancel", response_model=CountTaskOut, dependencies=[allow("lead")])
def cancel_count(task_id: UUID, conn: Db, ctx: Ctx) -> CountTaskOut:
    return _task(conn, ctx.site_id, counts.cancel(conn, ctx, task_id).id)


class CountDifference(BaseModel):
    item_id: UUID
    sku: str
    lot_code: str | None
    serial: str | None
    booked: Quantity
    counted: Quantity
    change: Quantity


@router.get(
    "/count-tasks/{task_id}/differences", response_model=Page[CountDifference], dependencies=[allow("lead")]
)
def list_count_differences(task_id: UUID, conn: Db, ctx: Ctx) -> Page[CountDifference]:
    """Books against the present round. For leads only: the count itself is blind."""
    found = counts.differences(conn, ctx, counts.count_task(conn, ctx, task_id))
    return Page(
        items=[
            CountDifference(**{k: v for k, v in d.__dict__.items() if k != "lot_id"}, change=d.change)
            for d in found
        ]
    )


# --- discrepancies ----------------------------------------------------------------------------------------


class DiscrepancyOut(BaseModel):
    id: UUID
    kind: str
    item_id: UUID | None
    sku: str | None
    item_name: str | None
    lot_code: str | None
    place_id: UUID | None
    place_code: str | None
    expected: Quantity | None
    observed: Quantity | None
    evidence: dict[str, Any]
    state: str
    raised_at: datetime
    raised_by: str
    correlation_id: str
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    count_task_id: UUID | None
    count_task_state: str | None


_DISCREPANCY = """
    select d.id, d.kind, d.item_id, i.sku, i.name as item_name, l.code as lot_code, d.place_id, p.code as place_code, d.expected,
           d.observed, d.evidence, d.state, d.raised_at, d.raised_by, d.correlation_id, d.resolved_at, d.resolved_by, d.resolution,
           t.id as count_task_id, t.state as count_task_state
    from discrepancy d left join item i on i.id = d.item_id left join lot l on l.id = d.lot_id left join place p on p.id = d.place_id
         left join lateral (select id, state from count_task t where t.site_id = d.site_id and t.discrepancy_id = d.id
                            order by t.id desc limit 1) t on true
    where d.site_id = %s"""


@router.get("/discrepancies", response_model=Page[DiscrepancyOut])
def list_discrepancies(
    conn: Db, site: Site, state: Literal["open", "resolved"] | None = None, item_id: UUID | None = None,
    kind: Annotated[str | None, Query(max_length=60)] = None, limit: Limit = 100, cursor: Cursor = None,
) -> Page[DiscrepancyOut]:  # fmt: skip
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""{_DISCREPANCY} and (%s::text is null or d.state = %s) and (%s::uuid is null or d.item_id = %s)
                and (%s::text is null or d.kind = %s) and (%s::uuid is null or d.id < %s)
                order by d.id desc limit %s""".encode(),
            [
                site,
                state,
                state,
                item_id,
                item_id,
                kind,
                kind,
                after,
                after,
                limit + 1,
            ],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: DiscrepancyOut(**r))


def _discrepancy(conn: Db, site: UUID, discrepancy_id: UUID) -> DiscrepancyOut:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_DISCREPANCY} and d.id = %s".encode(), [site, discrepancy_id]).fetchone()
    if row is None:
        raise NotFound("There is no such discrepancy at this site.")
    return DiscrepancyOut(**row)


@router.get("/discrepancies/{discrepancy_id}", response_model=DiscrepancyOut)
def get_discrepancy(discrepancy_id: UUID, conn: Db, site: Site) -> DiscrepancyOut:
    return _discrepancy(conn, site, discrepancy_id)


class Resolution(BaseModel):
    resolution: Annotated[str, Field(min_length=3, max_length=500)]


@router.post(
    "/discrepancies/{discrepancy_id}/resolve", response_model=DiscrepancyOut, dependencies=[allow("lead")]
)
def resolve_discrepancy(discrepancy_id: UUID, body: Resolution, conn: Db, ctx: Ctx) -> DiscrepancyOut:
    discrepancies.resolve(conn, ctx, discrepancy_id, body.resolution)
    return _discrepancy(conn, ctx.site_id, discrepancy_id)


@router.post(
    "/discrepancies/{discrepancy_id}/recount",
    response_model=CountTaskOut,
    status_code=201,
    dependencies=[allow("lead")],
)
def recount_discrepancy(discrepancy_id: UUID, conn: Db, ctx: Ctx) -> CountTaskOut:
    """One click: a count of the place and item in question."""
    found = _discrepancy(conn, ctx.site_id, discrepancy_id)
    if found.place_id is None:
        raise Conflict("This discrepancy names no place to count.")
    task_id = open_count(
        conn, ctx, found.place_id, found.item_id, reason=found.kind, discrepancy_id=discrepancy_id
    )
    return _task(conn, ctx.site_id, task_id)
