"""Reading the ledger: balances, movements with their evidence, an item's stock, a unit's way; and correcting it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import class_row, dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, Who, allow
from backend.catalog.codes import resolve_code
from backend.catalog.lots import lot_of
from backend.catalog.matching import ITEM_MATCHES, like
from backend.errors import Conflict, Invalid, NotFound
from backend.ledger.places import virtual_place
from backend.ledger.post import Move, Spot, post, reverse
from backend.ledger.verify import verify
from backend.paging import Cursor, Limit, Page, decode_cursor, int_cursor, page_of

router = api.router(tags=["ledger"])

Status = Literal["available", "damaged", "quarantine"]


class Balance(BaseModel):
    place_id: UUID
    place_code: str
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    lot_id: UUID | None
    lot_code: str | None
    expires_on: date | None
    serial: str | None
    license_plate_id: UUID | None
    license_plate_code: str | None
    owner_id: UUID | None
    status: str
    on_hand: Quantity
    reserved: Quantity
    updated_at: datetime


_BALANCE = """
    select b.place_id, p.code as place_code, b.item_id, i.sku, i.name as item_name, i.base_unit as unit, b.lot_id, l.code as lot_code,
           l.expires_on, b.serial, b.license_plate_id, lp.code as license_plate_code, b.owner_id, b.status, b.on_hand, b.reserved,
           b.updated_at,
           concat_ws('|', i.sku, p.code, l.code, b.serial, lp.code, b.owner_id::text, b.status) as sort_key
    from balance b join item i on i.id = b.item_id join place p on p.id = b.place_id left join lot l on l.id = b.lot_id
         left join license_plate lp on lp.id = b.license_plate_id
    where b.site_id = %s and b.on_hand > 0"""


@router.get("/balances", response_model=Page[Balance])
def list_balances(
    conn: Db, site: Site, item_id: UUID | None = None, place_id: UUID | None = None, lot_id: UUID | None = None,
    license_plate_id: UUID | None = None, status: Status | None = None, limit: Limit = 200, cursor: Cursor = None,
) -> Page[Balance]:  # fmt: skip
    """What lies where. One row per item, lot, serial, license plate, owner and status in a place."""
    after = decode_cursor(cursor, 1)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""select * from ({_BALANCE} and (%s::uuid is null or b.item_id = %s)
                  and (%s::uuid is null or b.place_id in (
                      with recursive inside as (select id from place where id = %s
                          union select c.id from place c join inside on c.parent_id = inside.id) select id from inside))
                  and (%s::uuid is null or b.lot_id = %s) and (%s::uuid is null or b.license_plate_id = %s)
                  and (%s::text is null or b.status = %s)) x
                where %s::text is null or sort_key > %s order by sort_key limit %s""".encode(),
            [site, item_id, item_id, place_id, place_id, lot_id, lot_id, license_plate_id, license_plate_id, status, status,
             *([after[0], after[0]] if after else [None, None]), limit + 1],
        ).fetchall()  # fmt: skip
    return page_of(rows, limit, lambda r: [r["sort_key"]], lambda r: Balance(**r))


class MovementOut(BaseModel):
    id: UUID
    seq: int
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    lot_code: str | None
    serial: str | None
    quantity: Quantity
    from_place_id: UUID
    from_place: str
    from_status: str
    from_license_plate: str | None
    from_on_hand_after: Quantity | None
    to_place_id: UUID
    to_place: str
    to_status: str
    to_license_plate: str | None
    to_on_hand_after: Quantity | None
    reason: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    cause_kind: str
    cause_id: UUID | None
    correlation_id: str
    reverses_id: UUID | None
    reversed_by_id: UUID | None
    posting: str
    evidence: dict[str, Any]


_MOVEMENT = """
    select m.id, m.seq, m.item_id, i.sku, i.name as item_name, i.base_unit as unit, l.code as lot_code, m.serial, m.quantity,
           m.from_place_id, fp.code as from_place, m.from_status, fl.code as from_license_plate, m.from_on_hand_after,
           m.to_place_id, tp.code as to_place, m.to_status, tl.code as to_license_plate, m.to_on_hand_after,
           m.reason, m.occurred_at, m.recorded_at, m.actor, m.cause_kind, m.cause_id, m.correlation_id, m.reverses_id,
           (select r.id from movement r where r.site_id = m.site_id and r.reverses_id = m.id) as reversed_by_id, m.posting, m.evidence
    from movement m join item i on i.id = m.item_id join place fp on fp.id = m.from_place_id join place tp on tp.id = m.to_place_id
         left join lot l on l.id = m.lot_id left join license_plate fl on fl.id = m.from_license_plate_id
         left join license_plate tl on tl.id = m.to_license_plate_id
    where m.site_id = %(site)s"""


def _movements(conn: Db, where: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute((_MOVEMENT + where).encode(), params).fetchall()


@router.get("/movements", response_model=Page[MovementOut])
def list_movements(
    conn: Db, site: Site, item_id: UUID | None = None, place_id: UUID | None = None, lot_id: UUID | None = None,
    cause_kind: Annotated[str | None, Query(max_length=40)] = None, cause_id: UUID | None = None,
    correlation_id: Annotated[str | None, Query(max_length=100)] = None,
    serial: Annotated[str | None, Query(max_length=100)] = None, license_plate_id: UUID | None = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Page[MovementOut]:  # fmt: skip
    """The ledger, newest first."""
    conditions = {
        "item_id": "m.item_id = %(item_id)s",
        "place_id": "(m.from_place_id = %(place_id)s or m.to_place_id = %(place_id)s)",
        "lot_id": "m.lot_id = %(lot_id)s",
        "cause_kind": "m.cause_kind = %(cause_kind)s",
        "cause_id": "m.cause_id = %(cause_id)s",
        "correlation_id": "m.correlation_id = %(correlation_id)s",
        "serial": "m.serial = %(serial)s",
        "license_plate_id": "(m.from_license_plate_id = %(license_plate_id)s or m.to_license_plate_id = %(license_plate_id)s)",
        "before": "m.seq < %(before)s",
    }
    params: dict[str, Any] = {
        "item_id": item_id, "place_id": place_id, "lot_id": lot_id, "cause_kind": cause_kind, "cause_id": cause_id,
        "correlation_id": correlation_id, "serial": serial, "license_plate_id": license_plate_id, "before": int_cursor(cursor),
    }  # fmt: skip
    where = "".join(f" and {text}" for name, text in conditions.items() if params[name] is not None)
    rows = _movements(
        conn, where + " order by m.seq desc limit %(limit)s", {**params, "site": site, "limit": limit + 1}
    )
    return page_of(rows, limit, lambda r: [r["seq"]], lambda r: MovementOut(**r))


def _movement(conn: Db, site: UUID, movement_id: UUID) -> MovementOut:
    rows = _movements(conn, " and m.id = %(id)s", {"site": site, "id": movement_id})
    if not rows:
        raise NotFound("There is no such movement at this site.")
    return MovementOut(**rows[0])


@router.get("/movements/{movement_id}", response_model=MovementOut)
def get_movement(movement_id: UUID, conn: Db, site: Site) -> MovementOut:
    return _movement(conn, site, movement_id)


Reason = Annotated[str, Field(min_length=3, max_length=300)]


_WAY_BACK = {
    "receipt": "undo the scan while the receipt is open; afterwards, post an adjustment.",
    "pick": "undo the pick, or change or cancel its order.",
    "pack": "take the goods out of the carton.",
    "load": "unload the carton.",
    "shipment": "register a return when the goods come back.",
    "return": "take its line back on the page of the return.",
}
"""Causes whose documents count what was moved: a bare correction would leave document and stock apart."""


class Reversal(BaseModel):
    reason: Reason


@router.post(
    "/movements/{movement_id}/reverse",
    response_model=MovementOut,
    status_code=201,
    dependencies=[allow("lead")],
)
def reverse_movement(movement_id: UUID, body: Reversal, conn: Db, ctx: Ctx) -> MovementOut:
    """Takes back a correction, a putaway or a move. What belongs to a document is taken back with it."""
    present = _movement(conn, ctx.site_id, movement_id)
    way_back = _WAY_BACK.get(present.cause_kind)
    if way_back is not None:
        raise Conflict(
            f"This movement belongs to a {present.cause_kind}: {way_back}", cause=present.cause_kind
        )
    posted = reverse(conn, ctx, movement_id, body.reason)
    return _movement(conn, ctx.site_id, posted.movement_id)


class Adjustment(BaseModel):
    """A lead's correction of what the books say: `change` is added to (or, negative, taken from) a place."""

    item: Annotated[str, Field(min_length=1, max_length=200, description="SKU, GTIN or any code of the item")]
    place: Annotated[str, Field(min_length=1, max_length=63, description="Code of the place")]
    change: Annotated[Decimal, Field(max_digits=18, decimal_places=6, allow_inf_nan=False)]
    lot: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    expires_on: date | None = None
    serial: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    status: Status = "available"
    reason: Reason


@router.post("/adjustments", response_model=MovementOut, status_code=201, dependencies=[allow("lead")])
def adjust_stock(body: Adjustment, conn: Db, ctx: Ctx) -> MovementOut:
    if body.change == 0:
        raise Invalid("A change of zero changes nothing.", field="change")
    item = resolve_code(conn, ctx.site_id, body.item)
    place = resolve_code(conn, ctx.site_id, body.place)
    if item.item_id is None:
        raise Invalid(f"{body.item!r} is a {item.kind}, not an item.", field="item")
    if place.kind != "place" or place.place_id is None:
        raise Invalid(f"{body.place!r} is no place.", field="place")
    lot_code = body.lot or item.lot_code
    lot_id = lot_of(conn, item.item_id, lot_code, body.expires_on or item.expires_on) if lot_code else None
    books = Spot(virtual_place(conn, ctx.site_id, "adjustment"), None, body.status)
    here = Spot(place.place_id, None, body.status)
    from_, to = (books, here) if body.change > 0 else (here, books)
    move = Move(item.item_id, abs(body.change) * item.units, from_, to, body.reason, "adjustment", lot_id=lot_id,
                serial=body.serial or item.serial)  # fmt: skip
    posted = post(conn, ctx, [move])[0]
    return _movement(conn, ctx.site_id, posted.movement_id)


# --- one item, one unit -----------------------------------------------------------------------------------


class StockRow(BaseModel):
    """An item and its figures at this site, also where there is nothing of it."""

    item_id: UUID
    sku: str
    name: str
    name_i18n: dict[str, str]
    unit: str
    storage_class: str
    tracking: str
    active: bool
    on_hand: Quantity
    reserved: Quantity
    available: Quantity = Field(description="On hand in status available, less what is reserved")
    blocked: Quantity = Field(description="Damaged or in quarantine")
    places: int = Field(description="In so many places there is some")


@router.get("/stock", response_model=Page[StockRow])
def list_stock(
    conn: Db,
    site: Site,
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[StockRow]:
    """How many of every item, by SKU; `q` finds by SKU, name or GTIN."""
    after = decode_cursor(cursor, 1)
    with conn.cursor(row_factory=class_row(StockRow)) as cur:
        rows = cur.execute(
            f"""select i.id as item_id, i.sku, i.name, i.name_i18n, i.base_unit as unit, i.storage_class, i.tracking, i.active,
                   b.on_hand, b.reserved, b.good - b.reserved as available, b.on_hand - b.good as blocked, b.places
            from (select * from item i where i.sku > %(after)s and {ITEM_MATCHES} order by i.sku limit %(limit)s) i
                 cross join lateral (
                     select coalesce(sum(on_hand), 0) as on_hand, coalesce(sum(reserved), 0) as reserved,
                            coalesce(sum(on_hand) filter (where status = 'available'), 0) as good, count(distinct place_id) as places
                     from balance where site_id = %(site)s and item_id = i.id and on_hand > 0) b
            order by i.sku""".encode(),
            {"site": site, "after": after[0] if after else "", "like": like(q), "limit": limit + 1},
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.sku], lambda r: r)


class ItemStock(BaseModel):
    item_id: UUID
    unit: str
    on_hand: Quantity
    reserved: Quantity
    available: Quantity = Field(description="On hand in status available, less what is reserved")
    blocked: Quantity = Field(description="Damaged or in quarantine")
    balances: list[Balance]


@router.get("/items/{item_id}/stock", response_model=ItemStock)
def get_item_stock(item_id: UUID, conn: Db, site: Site) -> ItemStock:
    item = conn.execute("select base_unit from item where id = %s", [item_id]).fetchone()
    if item is None:
        raise NotFound("There is no such item.")
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            (_BALANCE + " and b.item_id = %s order by l.expires_on nulls last, p.code limit 2000").encode(),
            [site, item_id],
        ).fetchall()
    balances = [Balance(**r) for r in rows]
    zero = Decimal(0)
    good = [b for b in balances if b.status == "available"]
    on_hand = sum((b.on_hand for b in balances), zero)
    reserved = sum((b.reserved for b in balances), zero)
    available = sum((b.on_hand for b in good), zero) - reserved
    return ItemStock(item_id=item_id, unit=item[0], on_hand=on_hand, reserved=reserved, available=available,
                     blocked=on_hand - sum((b.on_hand for b in good), zero), balances=balances)  # fmt: skip


class StockDay(BaseModel):
    day: date
    on_hand: Quantity = Field(description="At the end of the day in the site's time zone")
    received: Quantity
    issued: Quantity


class ItemHistory(BaseModel):
    item_id: UUID
    unit: str
    days: list[StockDay]


@router.get("/items/{item_id}/history", response_model=ItemHistory)
def get_item_history(
    item_id: UUID, conn: Db, site: Site, days: Annotated[int, Query(ge=1, le=400)] = 90
) -> ItemHistory:
    """On hand at the end of each day, rebuilt from the movements. A day without movement keeps the day before's."""
    item = conn.execute("select base_unit from item where id = %s", [item_id]).fetchone()
    if item is None:
        raise NotFound("There is no such item.")
    zone = conn.execute("select time_zone from site where id = %s", [site]).fetchone()
    rows = conn.execute(
        """with entry as (
               select (m.recorded_at at time zone %(zone)s)::date as day,
                      case when tp.is_physical then m.quantity else 0 end - case when fp.is_physical then m.quantity else 0 end as change
               from movement m join place fp on fp.id = m.from_place_id join place tp on tp.id = m.to_place_id
               where m.site_id = %(site)s and m.item_id = %(item)s),
           per_day as (select day, sum(change) as change, sum(greatest(change, 0)) as received, sum(greatest(-change, 0)) as issued
                       from entry group by day),
           calendar as (select generate_series((now() at time zone %(zone)s)::date - %(days)s::int + 1,
                                               (now() at time zone %(zone)s)::date, interval '1 day')::date as day)
           select c.day, coalesce((select sum(change) from per_day p where p.day <= c.day), 0), coalesce(d.received, 0), coalesce(d.issued, 0)
           from calendar c left join per_day d on d.day = c.day order by c.day""",
        {"zone": zone[0] if zone else "UTC", "site": site, "item": item_id, "days": days},
    ).fetchall()
    return ItemHistory(item_id=item_id, unit=item[0],
                       days=[StockDay(day=r[0], on_hand=r[1], received=r[2], issued=r[3]) for r in rows])  # fmt: skip


class Unit(BaseModel):
    """One tagged, serialised or plated unit: what it is, where it is, and every movement of it."""

    code: str
    kind: str
    label: str
    item_id: UUID | None
    license_plate_id: UUID | None
    here: list[Balance]
    movements: list[MovementOut]


@router.get("/units/{code}", response_model=Unit)
def get_unit(code: str, conn: Db, site: Site, who: Who) -> Unit:
    """`code`: an EPC, an SSCC or other license plate, or a serial number."""
    found = resolve_code(conn, site, code)
    if found.license_plate_id is not None and found.serial is None:
        where, balance = (
            "(m.from_license_plate_id = %(plate)s or m.to_license_plate_id = %(plate)s)",
            "b.license_plate_id = %s",
        )
        subject: object = found.license_plate_id
    elif found.serial is not None:
        where, balance = "m.item_id = %(item)s and m.serial = %(serial)s", "b.serial = %s"
        subject = found.serial
    else:
        raise NotFound(f"{code!r} is a {found.kind}, not a single unit; look at the item instead.")
    with conn.cursor(row_factory=dict_row) as cur:
        here = cur.execute((_BALANCE + f" and {balance} and (%s::uuid is null or b.item_id = %s) order by 4").encode(),
                           [site, subject, found.item_id, found.item_id]).fetchall()  # fmt: skip
    rows = _movements(conn, f" and {where} order by m.seq limit 500",
                      {"site": site, "plate": found.license_plate_id, "item": found.item_id, "serial": found.serial})  # fmt: skip
    return Unit(code=found.code, kind=found.kind, label=found.label, item_id=found.item_id, license_plate_id=found.license_plate_id,
                here=[Balance(**r) for r in here], movements=[MovementOut(**r) for r in rows])  # fmt: skip


class MismatchOut(BaseModel):
    what: str
    where: str
    expected: Quantity
    found: Quantity


class Verification(BaseModel):
    at: datetime
    took_ms: int
    movements: int
    mismatches: list[MismatchOut]


@router.get("/ledger/verification", response_model=Verification, dependencies=[allow("lead", "integrator")])
def verify_ledger(conn: Db) -> Verification:
    """Rebuilds every balance, and what vans have aboard, from the movements and compares. Empty is the only good answer."""
    from backend import dispatch  # it builds on the ledger; only this call goes back

    started = datetime.now(UTC)
    count = conn.execute("select count(*) from movement").fetchone()
    found = verify(conn) + dispatch.verify(conn)
    took = (datetime.now(UTC) - started) / timedelta(milliseconds=1)
    return Verification(at=started, took_ms=int(took), movements=count[0] if count else 0,
                        mismatches=[MismatchOut(**m.__dict__) for m in found[:1000]])  # fmt: skip
