"""Delivery notices and receipts over the API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import dict_row
from pydantic import AwareDatetime, BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.catalog import lot_of
from backend.catalog.tags import NewTag, read_epc, settle_unknown
from backend.db import Conn
from backend.errors import Invalid, Unknown
from backend.handheld import Step, record_step
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor
from backend.receiving import asn as notices
from backend.receiving import receipt as receipts
from backend.receiving.claim import claim_unknown
from backend.receiving.close import close_receipt as close
from backend.receiving.handheld import NewScan, scan
from backend.receiving.undo import undo_of
from backend.receiving.views import (
    AsnOut,
    AsnSummary,
    ReceiptOut,
    ReceiptSummary,
    asn_out,
    asn_rows,
    asn_summary,
    receipt_out,
    receipt_rows,
    receipt_summary,
)

router = api.router(tags=["receiving"])

Positive = Annotated[Quantity, Field(gt=0, lt=10**11)]
ShortText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
LotCode = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]+$")]
Serial = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]+$")]
PlateCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
Status = Literal["available", "damaged", "quarantine"]


# --- notices ----------------------------------------------------------------------------------------------


class ItemRef(BaseModel):
    """An item by id or by SKU."""

    item_id: UUID | None = None
    sku: Annotated[str, Field(max_length=63)] | None = None


class NewAsnLine(ItemRef):
    quantity: Positive
    lot: LotCode | None = None
    expires_on: date | None = None


class NewAsnContent(NewAsnLine):
    serial: Serial | None = None


class NewAsnPlate(BaseModel):
    code: PlateCode = Field(description="SSCC, 18 digits, or the supplier's own code")
    kind: Literal["pallet", "case", "carton", "tote"] = "pallet"
    inside: PlateCode | None = Field(default=None, description="Code of the plate it stands on")
    contents: list[NewAsnContent] = Field(default=[], max_length=500)


class NewAsnTag(ItemRef):
    epc: Annotated[str, Field(min_length=4, max_length=200)]
    plate: PlateCode | None = None
    lot: LotCode | None = None
    expires_on: date | None = None
    serial: Serial | None = None


class NewAsnIn(BaseModel):
    number: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
    supplier_id: UUID | None = None
    dock_door_id: UUID | None = None
    expected_at: AwareDatetime | None = None
    purchase_order: ShortText | None = None
    lines: list[NewAsnLine] = Field(default=[], max_length=2000)
    plates: list[NewAsnPlate] = Field(default=[], max_length=2000)
    tags: list[NewAsnTag] = Field(default=[], max_length=20000)


class _Items:
    """Resolves ItemRefs of one request."""

    def __init__(self, conn: Conn, refs: list[ItemRef]) -> None:
        skus = {r.sku for r in refs if r.sku and r.item_id is None}
        self._by_sku = dict(
            conn.execute("select sku, id from item where sku = any(%s)", [list(skus)]).fetchall()
        )

    def id_of(self, ref: ItemRef, field: str) -> UUID:
        if ref.item_id is not None:
            return ref.item_id
        if not ref.sku:
            raise Invalid("Name the item: item_id or sku.", field=field)
        if ref.sku not in self._by_sku:
            raise Unknown(f"There is no item {ref.sku}.", field=field)
        return UUID(str(self._by_sku[ref.sku]))


@router.get("/asns", response_model=Page[AsnSummary])
def list_asns(
    conn: Db,
    site: Site,
    state: Literal["expected", "arriving", "received", "cancelled", "open"] | None = None,
    q: Annotated[str, Query(max_length=100)] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AsnSummary]:
    """Delivery notices, the newest first. `state=open`: expected or arriving."""
    after = uuid_cursor(cursor)
    states: list[str] | None = ["expected", "arriving"] if state == "open" else [state] if state else None
    like = "%" + q.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_").replace("\0", "") + "%"
    rows = asn_rows(conn, site, states, like, after, limit + 1)
    return page_of(rows, limit, lambda r: [r["id"]], asn_summary)


@router.post("/asns", response_model=AsnOut, status_code=201, dependencies=[allow("lead", "integrator")])
def create_asn(body: NewAsnIn, conn: Db, ctx: Ctx) -> AsnOut:
    refs: list[ItemRef] = [*body.lines, *(c for p in body.plates for c in p.contents), *body.tags]
    items = _Items(conn, refs)
    asn_id = notices.expect(
        conn,
        ctx,
        notices.NewAsn(
            number=body.number,
            supplier_id=body.supplier_id,
            dock_door_id=body.dock_door_id,
            expected_at=body.expected_at,
            source_ref=body.purchase_order,
            lines=tuple(
                notices.AsnLine(items.id_of(x, f"lines.{n}.item_id"), x.quantity, x.lot, x.expires_on)
                for n, x in enumerate(body.lines)
            ),
            plates=tuple(
                notices.AsnPlate(
                    p.code,
                    p.kind,
                    p.inside,
                    tuple(
                        notices.AsnContent(
                            items.id_of(c, f"plates.{n}.contents.{m}.item_id"),
                            c.quantity,
                            c.lot,
                            c.expires_on,
                            c.serial,
                        )
                        for m, c in enumerate(p.contents)
                    ),
                )
                for n, p in enumerate(body.plates)
            ),
            tags=tuple(
                notices.AsnTag(
                    t.epc,
                    t.plate,
                    items.id_of(t, f"tags.{n}.item_id") if t.item_id or t.sku else None,
                    t.lot,
                    t.expires_on,
                    t.serial,
                )
                for n, t in enumerate(body.tags)
            ),
        ),
    )
    return asn_out(conn, ctx.site_id, asn_id)


@router.get("/asns/{asn_id}", response_model=AsnOut)
def get_asn(asn_id: UUID, conn: Db, site: Site) -> AsnOut:
    return asn_out(conn, site, asn_id)


@router.post("/asns/{asn_id}/cancel", response_model=AsnOut, dependencies=[allow("lead", "integrator")])
def cancel_asn(asn_id: UUID, conn: Db, ctx: Ctx) -> AsnOut:
    notices.cancel_asn(conn, ctx, asn_id)
    return asn_out(conn, ctx.site_id, asn_id)


# --- receipts ---------------------------------------------------------------------------------------------


@router.get("/receipts", response_model=Page[ReceiptSummary])
def list_receipts(
    conn: Db,
    site: Site,
    state: Literal["open", "closed"] | None = None,
    asn_id: UUID | None = None,
    dock_door_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ReceiptSummary]:
    """Receipts with their totals, the newest first."""
    after = uuid_cursor(cursor)
    rows = receipt_rows(conn, site, state, asn_id, dock_door_id, after, limit + 1)
    return page_of(rows, limit, lambda r: [r["id"]], receipt_summary)


class NewReceiptIn(BaseModel):
    dock_door_id: UUID | None = Field(
        default=None, description="Left out: the notice's door, else the only one"
    )
    asn_id: UUID | None = None
    asn_number: ShortText | None = None
    supplier_id: UUID | None = None


@router.post("/receipts", response_model=ReceiptOut, status_code=201, dependencies=[allow("worker")])
def create_receipt(body: NewReceiptIn, conn: Db, ctx: Ctx) -> ReceiptOut:
    """Opens a receipt; where the notice has an open one, that one is joined."""
    asn_id = body.asn_id
    if asn_id is None and body.asn_number:
        asn_id = notices.find_by_number(conn, ctx.site_id, body.asn_number)
        if asn_id is None:
            raise Unknown(f"There is no delivery notice {body.asn_number} at this site.", field="asn_number")
    door_id = body.dock_door_id or _only_door(conn, ctx.site_id, asn_id)
    made = receipts.open_receipt(conn, ctx, receipts.NewReceipt(door_id, asn_id, body.supplier_id))
    return receipt_out(conn, ctx.site_id, made.id)


def _only_door(conn: Conn, site_id: UUID, asn_id: UUID | None) -> UUID:
    row = conn.execute(
        """select coalesce((select dock_door_id from receipt where asn_id = %s and state = 'open'),
                           (select dock_door_id from asn where id = %s))""",
        [asn_id, asn_id],
    ).fetchone()
    if row and row[0]:
        return UUID(str(row[0]))
    doors = conn.execute(
        "select id from place where site_id = %s and kind = 'dock_door' and active limit 2", [site_id]
    ).fetchall()
    if len(doors) != 1:
        raise Invalid("Say at which dock door.", field="dock_door_id")
    return UUID(str(doors[0][0]))


@router.get("/receipts/{receipt_id}", response_model=ReceiptOut)
def get_receipt(receipt_id: UUID, conn: Db, site: Site) -> ReceiptOut:
    return receipt_out(conn, site, receipt_id)


class ScanIn(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
    quantity: Positive | None = Field(
        default=None, description="How many of what was scanned: cases for a case code"
    )
    lot: LotCode | None = None
    expires_on: date | None = None
    serial: Serial | None = None
    status: Status = "available"
    reason: ShortText | None = None
    onto: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="Code of the license plate it is put on"
    )


class ScannedOut(BaseModel):
    outcome: Literal["counted", "plate_counted", "plate_opened"]
    message: str
    units: Quantity
    item_id: UUID | None
    lot: str | None
    license_plate_id: UUID | None
    receipt_line_id: UUID | None
    to_scan_singly: int
    receipt: ReceiptOut


@router.post(
    "/receipts/{receipt_id}/scans", response_model=ScannedOut, status_code=201, dependencies=[allow("worker")]
)
def scan_into_receipt(receipt_id: UUID, body: ScanIn, conn: Db, ctx: Ctx) -> ScannedOut:
    """One scan. 422 with `ask`: a field is needed; 409 with `override_possible`: send again with a reason."""
    new = NewScan(
        body.code,
        body.quantity,
        body.lot,
        body.expires_on,
        body.serial,
        body.status,
        body.reason,
        body.onto,
    )
    done = scan(conn, ctx, receipt_id, new)
    shown = receipt_out(conn, ctx.site_id, receipt_id)
    if done.entry_ids:
        undo = undo_of(receipt_id, new, done, shown.dock_door.id)
        sku = next((line.sku for line in shown.lines if line.item_id == done.item_id), None)
        label = f"{done.units.normalize():f} x {sku}" if sku else done.message.split(". ")[0]
        record_step(conn, ctx, Step("receive", label, undo))
    return ScannedOut(**done.__dict__, receipt=shown)


class ShortReason(BaseModel):
    line_id: UUID
    reason: ShortText


class CloseIn(BaseModel):
    short_reasons: list[ShortReason] = Field(default=[], max_length=500)


@router.post("/receipts/{receipt_id}/close", response_model=ReceiptOut, dependencies=[allow("worker")])
def close_receipt(receipt_id: UUID, body: CloseIn, conn: Db, ctx: Ctx) -> ReceiptOut:
    """What is short now is final; without a reason it becomes a discrepancy. Putaway of loose goods begins."""
    close(conn, ctx, receipt_id, short_reasons={r.line_id: r.reason for r in body.short_reasons})
    return receipt_out(conn, ctx.site_id, receipt_id)


# --- unknown tags -----------------------------------------------------------------------------------------


class UnknownTagOut(BaseModel):
    epc: str
    meaning: str = Field(description="What its bits say, in words")
    reason: str = Field(description="Why it could not be counted")
    state: Literal["open", "claimed", "dismissed"]
    place: str | None
    receipt_id: UUID | None
    receipt: str | None
    reads: int
    passages: int
    first_seen_at: datetime
    last_seen_at: datetime
    settled_by: str | None


_UNKNOWN = """select u.id, u.epc, u.meaning, u.reason, u.state, p.code as place, u.receipt_id, r.number as receipt, u.reads, u.passages,
                     u.first_seen_at, u.last_seen_at, u.settled_by
              from unknown_tag u left join place p on p.id = u.place_id left join receipt r on r.id = u.receipt_id"""


@router.get("/unknown-tags", response_model=Page[UnknownTagOut])
def list_unknown_tags(
    conn: Db,
    site: Site,
    state: Literal["open", "claimed", "dismissed"] = "open",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[UnknownTagOut]:
    """EPCs that were read and that nobody registered, with their reads."""
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""{_UNKNOWN} where u.site_id = %s and u.state = %s and (%s::uuid is null or u.id < %s)
                order by u.id desc limit %s""".encode(),
            [site, state, after, after, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: UnknownTagOut(**r))


class ClaimIn(ItemRef):
    """What the tag stands for: an item (with its pack, lot and serial as needed), a license plate, or nothing."""

    pack_id: UUID | None = None
    lot: LotCode | None = None
    expires_on: date | None = None
    serial: Serial | None = None
    license_plate: PlateCode | None = None
    dismiss: bool = Field(default=False, description="It is none of our business: take it off the list")
    receive: bool = Field(default=True, description="Count it in the receipt that it was read in")


class ClaimedOut(BaseModel):
    epc: str
    tag_id: UUID | None
    receipt_id: UUID | None


@router.post("/unknown-tags/{epc}/claim", response_model=ClaimedOut, dependencies=[allow("worker")])
def claim_unknown_tag(epc: str, body: ClaimIn, conn: Db, ctx: Ctx) -> ClaimedOut:
    if body.dismiss:
        settle_unknown(conn, ctx, read_epc(epc), None)
        return ClaimedOut(epc=read_epc(epc), tag_id=None, receipt_id=None)
    item_id = _Items(conn, [body]).id_of(body, "item_id") if body.item_id or body.sku else None
    new = NewTag(
        epc,
        item_id,
        body.pack_id,
        lot_of(conn, item_id, body.lot, body.expires_on) if item_id is not None and body.lot else None,
        body.serial,
        _plate_id(conn, ctx.site_id, body.license_plate) if body.license_plate else None,
    )
    tag_id, receipt_id = claim_unknown(conn, ctx, new, receive=body.receive)
    return ClaimedOut(epc=read_epc(epc), tag_id=tag_id, receipt_id=receipt_id)


def _plate_id(conn: Conn, site_id: UUID, code: str) -> UUID:
    row = conn.execute(
        "select id from license_plate where site_id = %s and code = %s", [site_id, code]
    ).fetchone()
    if row is None:
        raise Unknown(f"There is no license plate {code} at this site.", field="license_plate")
    return UUID(str(row[0]))
