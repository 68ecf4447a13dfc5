"""Putaway over the API: the list of tasks, claiming, scanning the bin, and proposals for anything."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, Who, allow
from backend.catalog import resolve_code
from backend.errors import Invalid, NotFound, Unknown
from backend.handheld import Step, record_step
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor
from backend.putaway.confirm import claim_task, confirm, release_task
from backend.putaway.propose import Load, propose
from backend.putaway.tasks import create_task_for_plate, loads_on_plate

router = api.router(tags=["putaway"])


class PutawayTask(BaseModel):
    id: UUID
    state: Literal["open", "claimed", "done", "cancelled"]
    license_plate_id: UUID | None
    license_plate: str | None
    item_id: UUID | None
    what: str = Field(description="What is to be put away, in words")
    lot: str | None
    status: str
    quantity: Quantity
    from_place_id: UUID
    from_place: str
    proposed_place_id: UUID | None
    proposed_place: str | None
    reasons: list[str]
    claimed_by: str | None = Field(description="The person who has it")
    claimed_at: datetime | None
    place: str | None = Field(description="Where it went")
    overridden: bool
    done_by: str | None
    done_at: datetime | None
    created_at: datetime
    cause_kind: str
    cause_id: UUID | None


_TASK = """
    select t.*, lp.code as license_plate, l.code as lot_code, f.code as from_place, pp.code as proposed_place, d.code as place,
           coalesce(i.sku || ' ' || i.name, lp.kind || ' ' || coalesce((
               select string_agg(s.sku, ', ') from (select distinct x.sku from balance b join item x on x.id = b.item_id
                   where b.license_plate_id = lp.id and b.on_hand > 0 order by x.sku limit 4) s), lp.code)) as what
    from putaway_task t left join license_plate lp on lp.id = t.license_plate_id left join item i on i.id = t.item_id
         left join lot l on l.id = t.lot_id join place f on f.id = t.from_place_id left join place pp on pp.id = t.proposed_place_id
         left join place d on d.id = t.place_id"""


def _out(r: dict[str, Any]) -> PutawayTask:
    person = {k: r[k].removeprefix("user:") if r[k] else None for k in ("claimed_by", "done_by")}
    return PutawayTask(**{**r, **person, "lot": r["lot_code"]})


def _task(conn: Db, site_id: UUID, task_id: UUID) -> PutawayTask:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(
            f"{_TASK} where t.site_id = %s and t.id = %s".encode(), [site_id, task_id]
        ).fetchone()
    if row is None:
        raise NotFound("There is no such putaway task at this site.")
    return _out(row)


@router.get("/putaway-tasks", response_model=Page[PutawayTask])
def list_putaway_tasks(
    conn: Db,
    site: Site,
    who: Who,
    state: Literal["open", "claimed", "done", "cancelled", "todo"] = "todo",
    mine: bool = False,
    code: Annotated[str | None, Query(max_length=500, description="A scanned license plate or item")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PutawayTask]:
    """`todo`: open and claimed, the oldest first. With `code`, the tasks of what was scanned."""
    after = uuid_cursor(cursor)
    plate_id, item_id = _named(conn, site, code)
    states = ["open", "claimed"] if state == "todo" else [state]
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""{_TASK} where t.site_id = %s and t.state = any(%s) and (not %s or t.claimed_by = %s)
                and (%s::uuid is null or t.id > %s) and (%s::uuid is null or t.license_plate_id = %s)
                and (%s::uuid is null or t.item_id = %s) order by t.id limit %s""".encode(),
            [site, states, mine, f"user:{who.username}", after, after,
             plate_id, plate_id, item_id, item_id, limit + 1],
        ).fetchall()  # fmt: skip
    return page_of(rows, limit, lambda r: [r["id"]], _out)


def _named(conn: Db, site_id: UUID, code: str | None) -> tuple[UUID | None, UUID | None]:
    if not code:
        return None, None
    found = resolve_code(conn, site_id, code)
    if found.license_plate_id is None and found.item_id is None:
        raise Invalid(f"{code} is neither a license plate nor an item.", field="code")
    plate_id = found.license_plate_id
    if plate_id is not None:
        # a case on a pallet is put away with the pallet
        row = conn.execute(
            """with recursive up as (select id, parent_id, 0 as depth from license_plate where id = %s
                   union all select p.id, p.parent_id, up.depth + 1 from license_plate p join up on p.id = up.parent_id)
               select up.id from up join putaway_task t on t.license_plate_id = up.id and t.state in ('open', 'claimed')
               order by depth limit 1""",
            [plate_id],
        ).fetchone()
        return (UUID(str(row[0])) if row else plate_id), None
    return None, found.item_id


@router.get("/putaway-tasks/{task_id}", response_model=PutawayTask)
def get_putaway_task(task_id: UUID, conn: Db, site: Site) -> PutawayTask:
    return _task(conn, site, task_id)


class NewPutawayTask(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]


@router.post("/putaway-tasks", response_model=PutawayTask, status_code=201, dependencies=[allow("worker")])
def create_putaway_task(body: NewPutawayTask, conn: Db, ctx: Ctx) -> PutawayTask:
    """A task for a scanned license plate, wherever it stands."""
    found = resolve_code(conn, ctx.site_id, body.code)
    if found.license_plate_id is None:
        raise Invalid(f"{body.code} is no license plate.", field="code")
    return _task(conn, ctx.site_id, create_task_for_plate(conn, ctx, found.license_plate_id))


@router.post("/putaway-tasks/{task_id}/claim", response_model=PutawayTask, dependencies=[allow("worker")])
def claim_putaway_task(task_id: UUID, conn: Db, ctx: Ctx) -> PutawayTask:
    claim_task(conn, ctx, task_id)
    return _task(conn, ctx.site_id, task_id)


@router.post("/putaway-tasks/{task_id}/release", response_model=PutawayTask, dependencies=[allow("worker")])
def release_putaway_task(task_id: UUID, conn: Db, ctx: Ctx, who: Who) -> PutawayTask:
    """Gives it back; a lead may give back somebody else's."""
    release_task(conn, ctx, task_id, anyones=who.may("lead"))
    return _task(conn, ctx.site_id, task_id)


class ConfirmIn(BaseModel):
    place: Annotated[
        str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$", description="The scanned bin")
    ]
    quantity: Annotated[Quantity, Field(gt=0, lt=10**11)] | None = Field(
        default=None, description="Loose goods: how many go there; left out, all"
    )
    serials: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]],
            Field(max_length=1000),
        ]
        | None
    ) = Field(default=None, description="Of goods kept by serial number, those that go there; left out, all")
    override: bool = Field(default=False, description="Another bin than the proposed one, on purpose")
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] | None = None


class ConfirmedOut(BaseModel):
    quantity: Quantity
    place: str
    left: Quantity
    task: PutawayTask


@router.post("/putaway-tasks/{task_id}/confirm", response_model=ConfirmedOut, dependencies=[allow("worker")])
def confirm_putaway(task_id: UUID, body: ConfirmIn, conn: Db, ctx: Ctx) -> ConfirmedOut:
    """409 `another-place` with `override_possible`: send again with `override`. 409 `place-forbidden`: why, and `next`."""
    done = confirm(
        conn,
        ctx,
        task_id,
        body.place,
        quantity=body.quantity,
        serials=body.serials or (),
        override=body.override,
        reason=body.reason,
    )
    task = _task(conn, ctx.site_id, task_id)
    label = f"{task.license_plate or task.what} -> {done.place_code}"
    record_step(conn, ctx, Step("putaway", label, done.undo))
    return ConfirmedOut(quantity=done.quantity, place=done.place_code, left=done.left, task=task)


class ProposalIn(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")] | None = Field(
        default=None, description="A license plate, or an item's code"
    )
    item_id: UUID | None = None
    lot_id: UUID | None = None
    quantity: Annotated[Quantity, Field(gt=0, lt=10**11)] | None = None
    status: Literal["available", "damaged", "quarantine"] = "available"
    from_place_id: UUID | None = None


class CandidateOut(BaseModel):
    place_id: UUID
    code: str
    score: int
    reasons: list[str]


class Proposal(BaseModel):
    candidates: list[CandidateOut]


@router.post("/putaway-proposals", response_model=Proposal, dependencies=[allow("worker")])
def propose_putaway(body: ProposalIn, conn: Db, ctx: Ctx) -> Proposal:
    """Where this could go, best first. Changes nothing."""
    item_id, lot_id = body.item_id, body.lot_id
    if body.code:
        found = resolve_code(conn, ctx.site_id, body.code)
        if found.license_plate_id is not None and found.item_id is None:
            loads = loads_on_plate(conn, ctx.site_id, found.license_plate_id)
            if not loads:
                raise Invalid(f"{found.code} is empty.", field="code")
            return _proposal(conn, ctx.site_id, loads, body.from_place_id or found.place_id)
        item_id, lot_id = found.item_id, found.lot_id or lot_id
    if item_id is None or conn.execute("select 1 from item where id = %s", [item_id]).fetchone() is None:
        raise Unknown("Say what is to be put away: an item or a license plate.", field="item_id")
    if body.quantity is None:
        raise Invalid("Say how many.", field="quantity")
    return _proposal(
        conn, ctx.site_id, [Load(item_id, body.quantity, lot_id, body.status)], body.from_place_id
    )


def _proposal(conn: Db, site_id: UUID, loads: list[Load], from_place_id: UUID | None) -> Proposal:
    found = propose(conn, site_id, loads, from_place_id=from_place_id)
    return Proposal(
        candidates=[
            CandidateOut(place_id=c.place_id, code=c.code, score=c.score, reasons=c.reasons) for c in found
        ]
    )
