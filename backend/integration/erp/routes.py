"""The outbox, the ERP's state, reconciliations and imports over the API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.errors import Conflict, Invalid, NotFound
from backend.integration.erp import imports, orders, outbox, reconcile
from backend.paging import Cursor, Limit, Page, int_cursor, page_of, uuid_cursor

router = api.router(tags=["erp"])

PostingState = Literal["waiting", "sending", "posted", "parked"]
GroupState = Literal["frozen", "sending", "waiting", "posted", "parked"]


class PostingOut(BaseModel):
    """`id` is the movement's. `words` are the ERP's own where it refused."""

    id: UUID
    state: PostingState
    kind: str | None = Field(
        description="receipt, shipment, internal, count, customer_return, supplier_return; null: there is none"
    )
    item_id: UUID
    sku: str
    item_name: str
    lot: str | None
    serial: str | None
    quantity: Quantity
    unit: str
    from_place: str
    to_place: str
    erp_from: str | None
    erp_to: str | None
    reason: str
    cause_kind: str
    cause_id: UUID | None
    correlation_id: str
    group_id: UUID | None
    reference: str | None
    erp_number: str | None
    attempts: int
    next_try_at: datetime | None
    problem: str | None
    words: str | None
    held_by: UUID | None = Field(description="An earlier posting of the same item that must go first")
    occurred_at: datetime
    recorded_at: datetime
    settled_at: datetime | None


_POSTING = """
    select p.seq, p.id, p.state, p.kind, p.item_id, i.sku, i.name as item_name, l.code as lot, m.serial, m.quantity, i.base_unit as unit,
           f.code as from_place, t.code as to_place, m.erp_from, m.erp_to, m.reason, m.cause_kind, m.cause_id, m.correlation_id,
           p.group_id, g.reference, g.erp_number, coalesce(g.attempts, 0) as attempts,
           case when g.state in ('waiting', 'frozen') then g.next_try_at end as next_try_at, p.problem, p.words,
           case when p.state = 'waiting' then (select e.id from posting e where e.item_id = p.item_id and e.seq < p.seq
               and e.state in ('sending', 'parked') order by e.seq limit 1) end as held_by,
           m.occurred_at, p.recorded_at, p.settled_at
    from posting p
    join movement m on m.site_id = p.site_id and m.id = p.id
    join item i on i.id = p.item_id
    join place f on f.id = m.from_place_id
    join place t on t.id = m.to_place_id
    left join lot l on l.id = m.lot_id
    left join posting_group g on g.site_id = p.site_id and g.id = p.group_id
    where p.site_id = %s"""


def _many(conn: Db, query: str, params: list[Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


def _posting(row: dict[str, Any]) -> PostingOut:
    return PostingOut(**{k: v for k, v in row.items() if k != "seq"})


@router.get("/postings", response_model=Page[PostingOut])
def list_postings(
    conn: Db, site: Site, state: PostingState | None = None, item_id: UUID | None = None, group_id: UUID | None = None,
    document: Annotated[str | None, Query(max_length=100, description="Our reference or the ERP's number")] = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Page[PostingOut]:  # fmt: skip
    """Newest first."""
    after = int_cursor(cursor)
    rows = _many(
        conn,
        f"""{_POSTING} and (%s::text is null or p.state = %s) and (%s::uuid is null or p.item_id = %s)
            and (%s::uuid is null or p.group_id = %s) and (%s::text is null or g.reference = %s or g.erp_number = %s)
            and (%s::bigint is null or p.seq < %s) order by p.seq desc limit %s""",
        [
            site,
            state,
            state,
            item_id,
            item_id,
            group_id,
            group_id,
            document,
            document,
            document,
            after,
            after,
            limit + 1,
        ],
    )
    return page_of(rows, limit, lambda r: [r["seq"]], _posting)


@router.get("/postings/{posting_id}", response_model=PostingOut)
def get_posting(posting_id: UUID, conn: Db, site: Site) -> PostingOut:
    rows = _many(conn, f"{_POSTING} and p.id = %s", [site, posting_id])
    if not rows:
        raise NotFound("There is no such posting at this site.")
    return _posting(rows[0])


class Retry(BaseModel):
    erp_date: date | None = Field(
        default=None, description="Book it on this day instead, where the day it happened is closed"
    )
    partner_id: UUID | None = Field(
        default=None, description="Whose it is, where the ERP asks for a supplier or customer"
    )


@router.post(
    "/postings/{posting_id}/retry", response_model=PostingOut, dependencies=[allow("lead", "integrator")]
)
def retry_posting(posting_id: UUID, conn: Db, ctx: Ctx, body: Retry | None = None) -> PostingOut:
    """Again, now. What is held back by an earlier posting of its item goes after that one."""
    present = get_posting(posting_id, conn, ctx.site_id)
    if present.state == "posted":
        raise Conflict(f"The ERP has this already, as {present.erp_number}.")
    erp_date = body.erp_date if body else None
    if erp_date is not None and erp_date > ctx.now.date():
        raise Invalid("The ERP books nothing in the future.", field="erp_date")
    partner_id = body.partner_id if body else None
    outbox.retry(conn, ctx.site_id, posting_id, ctx.now, erp_date=erp_date, partner_id=partner_id)
    return get_posting(posting_id, conn, ctx.site_id)


class PostingGroupOut(BaseModel):
    """One document of the ERP. `reference` is what it carries there."""

    id: UUID
    reference: str
    kind: str
    state: GroupState
    lines: int
    occurred_on: date
    erp_order: str | None
    erp_partner: str | None
    cause_kind: str
    cause_id: UUID | None
    attempts: int
    next_try_at: datetime
    problem: str | None
    words: str | None
    erp_id: str | None
    erp_number: str | None
    created_at: datetime
    settled_at: datetime | None


@router.get("/posting-groups", response_model=Page[PostingGroupOut])
def list_posting_groups(
    conn: Db, site: Site, state: GroupState | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[PostingGroupOut]:
    """Newest first."""
    after = int_cursor(cursor)
    rows = _many(
        conn,
        """select g.*, (select count(*) from posting p where p.site_id = g.site_id and p.group_id = g.id) as lines
           from posting_group g where g.site_id = %s and (%s::text is null or g.state = %s) and (%s::bigint is null or g.seq < %s)
           order by g.seq desc limit %s""",
        [site, state, state, after, after, limit + 1],
    )
    return page_of(
        rows,
        limit,
        lambda r: [r["seq"]],
        lambda r: PostingGroupOut(**{k: r[k] for k in PostingGroupOut.model_fields}),
    )


class ErpStatus(BaseModel):
    state: Literal["unknown", "off", "reachable", "unreachable", "busy", "login"]
    since: datetime
    identity: str | None
    words: str | None = Field(description="Why it cannot be reached, in the ERP's words")
    failures: int
    next_try_at: datetime
    last_ok_at: datetime | None
    waiting: int
    sending: int
    parked: int
    oldest_waiting_at: datetime | None
    posted_last_hour: int
    orders_waiting: int
    orders_parked: int
    orders_not_taken: int = Field(description="Sales and purchases of the ERP that cannot be taken here")


@router.get("/erp/status", response_model=ErpStatus)
def get_erp_status(conn: Db, site: Site) -> ErpStatus:
    (row,) = _many(
        conn,
        """select c.state, c.since, c.identity, c.words, c.failures, c.next_try_at, c.last_ok_at,
                  p.*, o.*, (select count(*) from erp_seen where words is not null) as orders_not_taken
           from erp_connection c,
                lateral (select count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'sending') as sending,
                                count(*) filter (where state = 'parked') as parked,
                                min(recorded_at) filter (where state in ('waiting', 'sending')) as oldest_waiting_at
                         from posting where site_id = %s and state <> 'posted') p,
                lateral (select count(*) filter (where state = 'waiting') as orders_waiting,
                                count(*) filter (where state = 'parked') as orders_parked
                         from erp_order where site_id = %s and state <> 'done') o""",
        [site, site],
    )
    hour = conn.execute(
        """select count(*) from posting p join posting_group g on g.site_id = p.site_id and g.id = p.group_id
           where g.site_id = %s and g.state = 'posted' and g.settled_at > now() - interval '1 hour'""",
        [site],
    ).fetchone()
    return ErpStatus(**row, posted_last_hour=hour[0] if hour else 0)


# --- orders on their way to the ERP ----------------------------------------------------------------------------------


class ErpOrderOut(BaseModel):
    """A sale or purchase of ours that the ERP is to have."""

    id: UUID
    kind: Literal["sale", "purchase"]
    our_id: UUID
    reference: str
    partner: str
    state: Literal["waiting", "done", "parked"]
    attempts: int
    next_try_at: datetime
    problem: str | None
    words: str | None
    erp_id: str | None
    erp_number: str | None
    created_at: datetime
    settled_at: datetime | None


_ORDER = "select o.*, p.code as partner from erp_order o join partner p on p.id = o.partner_id where o.site_id = %s"


@router.get("/erp/orders", response_model=Page[ErpOrderOut])
def list_erp_orders(
    conn: Db,
    site: Site,
    state: Literal["waiting", "done", "parked"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ErpOrderOut]:
    """Newest first."""
    after = uuid_cursor(cursor)
    rows = _many(
        conn,
        f"{_ORDER} and (%s::text is null or o.state = %s) and (%s::uuid is null or o.id < %s) order by o.id desc limit %s",
        [site, state, state, after, after, limit + 1],
    )
    return page_of(
        rows, limit, lambda r: [r["id"]], lambda r: ErpOrderOut(**{k: r[k] for k in ErpOrderOut.model_fields})
    )


@router.post(
    "/erp/orders/{request_id}/retry", response_model=ErpOrderOut, dependencies=[allow("lead", "integrator")]
)
def retry_erp_order(request_id: UUID, conn: Db, ctx: Ctx) -> ErpOrderOut:
    rows = _many(conn, f"{_ORDER} and o.id = %s", [ctx.site_id, request_id])
    if not rows:
        raise NotFound("There is no such order on its way to the ERP.")
    if not orders.retry_order(conn, ctx.site_id, request_id, ctx.now):
        raise Conflict(f"The ERP has this already, as {rows[0]['erp_number']}.")
    rows = _many(conn, f"{_ORDER} and o.id = %s", [ctx.site_id, request_id])
    return ErpOrderOut(**{k: rows[0][k] for k in ErpOrderOut.model_fields})


# --- reconciliation --------------------------------------------------------------------------------------------------


class DriftOut(BaseModel):
    """`drift` = theirs + not_yet_posted - ours."""

    sku: str
    location: str
    item_id: UUID | None
    ours: Quantity
    not_yet_posted: Quantity
    theirs: Quantity
    drift: Quantity


class ReconciliationOut(BaseModel):
    id: UUID
    state: Literal["requested", "done", "failed"]
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    compared: int
    drifting: int
    words: str | None
    drifts: list[DriftOut] = Field(default=[], description="At most 500, the largest first")


def _reconciliation(conn: Db, row: dict[str, Any]) -> ReconciliationOut:
    drifts = _many(
        conn,
        "select * from erp_drift where site_id = %s and reconciliation_id = %s order by abs(drift) desc, sku limit 500",
        [row["site_id"], row["id"]],
    )
    return ReconciliationOut(
        **{k: row[k] for k in ReconciliationOut.model_fields if k != "drifts"},
        drifts=[DriftOut(**{k: d[k] for k in DriftOut.model_fields}) for d in drifts],
    )


@router.get("/erp/reconciliations", response_model=Page[ReconciliationOut])
def list_erp_reconciliations(
    conn: Db, site: Site, limit: Limit = 20, cursor: Cursor = None
) -> Page[ReconciliationOut]:
    """Newest first, each with what drifts by item and ERP location."""
    after = uuid_cursor(cursor)
    rows = _many(
        conn,
        "select * from erp_reconciliation where site_id = %s and (%s::uuid is null or id < %s) order by id desc limit %s",
        [site, after, after, limit + 1],
    )
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: _reconciliation(conn, r))


@router.post(
    "/erp/reconciliations",
    response_model=ReconciliationOut,
    status_code=202,
    dependencies=[allow("lead", "integrator")],
)
def request_erp_reconciliation(conn: Db, ctx: Ctx) -> ReconciliationOut:
    """Compares soon; look at the list for the outcome."""
    reconciliation_id = reconcile.request(conn, ctx)
    (row,) = _many(
        conn,
        "select * from erp_reconciliation where site_id = %s and id = %s",
        [ctx.site_id, reconciliation_id],
    )
    return _reconciliation(conn, row)


# --- imports ---------------------------------------------------------------------------------------------------------


class NewErpImport(BaseModel):
    kind: Literal["items", "partners", "locations", "sales_orders", "purchase_orders", "opening_stock"]


class ErpImportError(BaseModel):
    key: str
    words: str


class ErpImportOut(BaseModel):
    id: UUID
    kind: str
    state: Literal["requested", "done", "failed"]
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    created: int
    changed: int
    unchanged: int
    errors: list[ErpImportError]
    words: str | None


@router.post(
    "/erp/imports", response_model=ErpImportOut, status_code=202, dependencies=[allow("lead", "integrator")]
)
def request_erp_import(body: NewErpImport, conn: Db, ctx: Ctx) -> ErpImportOut:
    """Reads from the ERP soon; look at the list for the outcome."""
    import_id = imports.request(conn, ctx, body.kind)
    (row,) = _many(conn, "select * from erp_import where site_id = %s and id = %s", [ctx.site_id, import_id])
    return ErpImportOut(**{k: row[k] for k in ErpImportOut.model_fields})


@router.get("/erp/imports", response_model=Page[ErpImportOut])
def list_erp_imports(conn: Db, site: Site, limit: Limit = 20, cursor: Cursor = None) -> Page[ErpImportOut]:
    """Newest first."""
    after = uuid_cursor(cursor)
    rows = _many(
        conn,
        "select * from erp_import where site_id = %s and (%s::uuid is null or id < %s) order by id desc limit %s",
        [site, after, after, limit + 1],
    )
    return page_of(
        rows,
        limit,
        lambda r: [r["id"]],
        lambda r: ErpImportOut(**{k: r[k] for k in ErpImportOut.model_fields}),
    )
