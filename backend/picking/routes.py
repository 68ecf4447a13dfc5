"""Pick tasks and waves over HTTP: what the handheld and the pick list ask for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict, Field

from backend import api, picking
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.errors import Invalid
from backend.handheld import Step, record_step
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of, uuid_cursor
from backend.picking.task import PickTask as PickTaskRow
from backend.picking.undo import undo_of
from backend.picking.wave import waves

router = api.router(tags=["picking"])

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Scan = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
TaskState = Literal["open", "claimed", "done", "short", "cancelled"]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PickTask(Out):
    id: UUID
    order_id: UUID
    order_number: str
    line_id: UUID
    wave_id: UUID | None
    place_id: UUID
    place_code: str
    item_id: UUID
    sku: str
    item_name: str
    item_name_i18n: dict[str, Any]
    unit: str
    gtin: str | None
    lot_id: UUID | None
    lot_code: str | None
    expires_on: date | None
    serial: str | None
    license_plate_id: UUID | None
    license_plate_code: str | None
    quantity: Quantity
    picked: Quantity
    remaining: Quantity
    sequence: int = Field(description="Along the way through the aisles, inside its wave or order")
    state: TaskState
    claimed_by: str | None
    skip_reason: str | None
    short_reason: str | None
    zero_check: Literal["asked", "empty", "not_empty"] | None
    due_at: datetime
    priority: int
    created_at: datetime
    done_at: datetime | None
    version: int


def _task(t: PickTaskRow) -> PickTask:
    return PickTask.model_validate(t)


@router.get("/pick-tasks", response_model=Page[PickTask])
def list_pick_tasks(
    conn: Db,
    site: Site,
    state: Annotated[list[TaskState] | None, Query()] = None,
    order_id: UUID | None = None,
    wave_id: UUID | None = None,
    place_id: UUID | None = None,
    claimed_by: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]+$")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PickTask]:
    """In the order they are to be done: urgent orders first, then along the way."""
    after = _after(cursor)
    rows = picking.tasks_where(
        conn,
        """ and (%s::text[] is null or t.state = any(%s)) and (%s::uuid is null or t.order_id = %s)
            and (%s::uuid is null or t.wave_id = %s) and (%s::uuid is null or t.place_id = %s)
            and (%s::text is null or t.claimed_by = %s)
            and (%s::smallint is null or (o.priority, o.due_at, coalesce(t.wave_id, t.order_id), t.sequence, t.id)
                 > (%s, %s::timestamptz, %s::uuid, %s, %s::uuid))
            order by o.priority, o.due_at, coalesce(t.wave_id, t.order_id), t.sequence, t.id limit %s""",
        [site, state, state, order_id, order_id, wave_id, wave_id, place_id, place_id, claimed_by, claimed_by,
         after[0], *after, limit + 1],
    )  # fmt: skip
    return page_of(
        rows,
        limit,
        lambda t: [t.priority, t.due_at.isoformat(), t.wave_id or t.order_id, t.sequence, t.id],
        _task,
    )


def _after(cursor: str | None) -> list[Any]:
    values = decode_cursor(cursor, 5)
    if values is None:
        return [None] * 5
    try:
        priority, sequence = int(values[0]), int(values[3])
        if not (0 < priority < 10 and 0 <= sequence < 2**31):
            raise ValueError(values)
        return [priority, datetime.fromisoformat(values[1]), UUID(values[2]), sequence, UUID(values[4])]
    except ValueError as e:
        raise Invalid("The cursor is of another list; start without it.", field="cursor") from e


class Claim(BaseModel):
    wave_id: UUID | None = None
    order_id: UUID | None = None


class NextTask(BaseModel):
    task: PickTask | None = Field(description="Null: nothing to pick")


@router.post("/pick-tasks/next", response_model=NextTask, dependencies=[allow("worker")])
def claim_next_pick_task(body: Claim, conn: Db, ctx: Ctx) -> NextTask:
    """One's own unfinished task, else the next free one, which is then one's own."""
    t = picking.next_task(conn, ctx, wave_id=body.wave_id, order_id=body.order_id)
    return NextTask(task=None if t is None else _task(t))


@router.get("/pick-tasks/{task_id}", response_model=PickTask)
def get_pick_task(task_id: UUID, conn: Db, site: Site) -> PickTask:
    return _task(picking.task(conn, site, task_id))


class Pick(BaseModel):
    """Scans as they came. Without `quantity`: one of what was scanned, a case being its content."""

    place: Scan
    code: Scan = Field(description="Item, case, license plate, serial, lot or tag")
    quantity: Quantity | None = Field(default=None, gt=0, description="In base units")
    lot: Text | None = None
    serial: Text | None = None
    tote: Scan | None = None
    to: Scan | None = Field(default=None, description="Another staging place or bench than the usual one")
    change_lot: bool = Field(default=False, description="Take the lot in hand although another expires first")


class PickResult(Out):
    task: PickTask
    quantity: Quantity
    movement_id: UUID
    zero_check: bool = Field(
        description="The bin should be empty now: ask, and send the answer to zero-check"
    )


@router.post("/pick-tasks/{task_id}/confirm", response_model=PickResult, dependencies=[allow("worker")])
def confirm_pick(task_id: UUID, body: Pick, conn: Db, ctx: Ctx) -> PickResult:
    """A wrong place or item is 409 with `expected` and `seen`; nothing moves, the mismatch is recorded."""
    done = picking.confirm(
        conn, ctx, task_id, place=body.place, code=body.code, quantity=body.quantity, lot=body.lot, serial=body.serial,
        tote=body.tote, to=body.to, change_lot=body.change_lot,
    )  # fmt: skip
    label = f"{done.quantity.normalize():f} x {done.task.sku}, {done.task.place_code}"
    record_step(conn, ctx, Step("pick", label, undo_of(done)))
    return PickResult.model_validate(done)


class ShortPick(BaseModel):
    reason: Literal["empty", "too_few", "damaged", "not_found"]
    left: Annotated[Quantity, Field(ge=0)] | None = Field(
        default=None, description="Base units still lying in the bin; none when left out"
    )


class ShortPickResult(Out):
    task: PickTask
    discrepancy_id: UUID
    next: PickTask | None = Field(description="The same goods from another bin, claimed for you")
    missing: Quantity = Field(description="What waits, because no other bin has it")


@router.post("/pick-tasks/{task_id}/short", response_model=ShortPickResult, dependencies=[allow("worker")])
def report_short_pick(task_id: UUID, body: ShortPick, conn: Db, ctx: Ctx) -> ShortPickResult:
    return ShortPickResult.model_validate(
        picking.short(conn, ctx, task_id, body.reason, body.left or Decimal(0))
    )


class Skip(BaseModel):
    reason: Text


@router.post("/pick-tasks/{task_id}/skip", response_model=PickTask, dependencies=[allow("worker")])
def skip_pick_task(task_id: UUID, body: Skip, conn: Db, ctx: Ctx) -> PickTask:
    return _task(picking.skip(conn, ctx, task_id, body.reason))


class ZeroCheck(BaseModel):
    left: Annotated[Quantity, Field(ge=0, description="0: it is empty, as it should be")]


@router.post("/pick-tasks/{task_id}/zero-check", response_model=PickTask, dependencies=[allow("worker")])
def answer_zero_check(task_id: UUID, body: ZeroCheck, conn: Db, ctx: Ctx) -> PickTask:
    return _task(picking.answer_zero_check(conn, ctx, task_id, body.left))


class PickMismatch(BaseModel):
    """A wrong scan; order, item and place are those of the task that was being done."""

    id: UUID
    task_id: UUID
    order_id: UUID
    order_number: str
    item_id: UUID
    sku: str
    place_id: UUID
    place_code: str
    at: datetime
    actor: str
    what: Literal["place", "item", "lot", "serial", "license_plate", "tote"]
    expected: str
    seen: str


@router.get("/pick-mismatches", response_model=Page[PickMismatch])
def list_pick_mismatches(
    conn: Db,
    site: Site,
    task_id: UUID | None = None,
    actor: Annotated[str | None, Query(max_length=200, description="Who scanned, e.g. user:pia")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PickMismatch]:
    """Wrong scans at picking, the newest first."""
    last = uuid_cursor(cursor)
    with conn.cursor(row_factory=class_row(PickMismatch)) as cur:
        rows = cur.execute(
            """select m.id, m.task_id, t.order_id, o.number as order_number, t.item_id, i.sku, t.place_id, p.code as place_code,
                      m.at, m.actor, m.what, m.expected, m.seen
               from pick_mismatch m join pick_task t on (t.site_id, t.id) = (m.site_id, m.task_id)
                    join sales_order o on o.id = t.order_id join item i on i.id = t.item_id join place p on p.id = t.place_id
               where m.site_id = %s and (%s::uuid is null or m.task_id = %s) and (%s::text is null or m.actor = %s)
                 and (%s::uuid is null or m.id < %s)
               order by m.id desc limit %s""",
            [site, task_id, task_id, actor, actor, last, last, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.id], lambda r: r)


# --- waves ------------------------------------------------------------------------------------------------


class Wave(Out):
    id: UUID
    number: str
    created_at: datetime
    created_by: str
    orders: int
    tasks: int
    tasks_done: int
    state: Literal["open", "picking", "done"]


class NewWave(BaseModel):
    """Named orders, or the most urgent ones that have something to pick."""

    order_ids: Annotated[list[UUID], Field(min_length=1, max_length=200)] | None = None
    due_before: datetime | None = None
    max_orders: Annotated[int, Field(ge=1, le=200)] = 20


@router.get("/waves", response_model=Page[Wave])
def list_waves(conn: Db, site: Site, limit: Limit = 50, cursor: Cursor = None) -> Page[Wave]:
    last = uuid_cursor(cursor)
    rows = waves(conn, site, last, limit + 1)
    return page_of(rows, limit, lambda w: [w.id], Wave.model_validate)


@router.post("/waves", response_model=Wave, status_code=201, dependencies=[allow("lead")])
def create_wave(body: NewWave, conn: Db, ctx: Ctx) -> Wave:
    if body.due_before is not None and body.due_before.tzinfo is None:
        raise Invalid("Give the time with its zone, e.g. 2030-01-31T16:00:00Z.", field="due_before")
    made = picking.create_wave(
        conn, ctx, order_ids=body.order_ids, due_before=body.due_before, max_orders=body.max_orders
    )
    return Wave.model_validate(made)


@router.get("/waves/{wave_id}", response_model=Wave)
def get_wave(wave_id: UUID, conn: Db, site: Site) -> Wave:
    return Wave.model_validate(picking.wave(conn, site, wave_id))
