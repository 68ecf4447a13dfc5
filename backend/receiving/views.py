"""Notices and receipts as the screens show them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend.api import Quantity
from backend.db import Conn
from backend.errors import NotFound


class Named(BaseModel):
    """Something with an id and what a person calls it."""

    id: UUID
    code: str


class LineItem(BaseModel):
    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    expires_on: date | None


class AsnLineOut(LineItem):
    id: UUID
    line_no: int
    quantity: Quantity
    received: Quantity


class AsnContentOut(LineItem):
    serial: str | None
    quantity: Quantity


class AsnPlateOut(BaseModel):
    license_plate_id: UUID
    code: str
    kind: str
    inside: str | None
    received_at: datetime | None
    contents: list[AsnContentOut]


class AsnSummary(BaseModel):
    id: UUID
    number: str
    state: Literal["expected", "arriving", "received", "cancelled"]
    supplier: Named | None
    dock_door: Named | None
    expected_at: datetime | None
    source: str
    source_ref: str | None
    created_at: datetime
    lines_count: int
    plates_count: int
    tags_count: int


class AsnOut(AsnSummary):
    lines: list[AsnLineOut]
    plates: list[AsnPlateOut]
    receipts: list[Named]


class ReceiptLineOut(LineItem):
    id: UUID
    line_no: int
    expected: Quantity
    received: Quantity = Field(description="All that was counted, in any status")
    damaged: Quantity = Field(description="Of those, not available (damaged or quarantine)")
    short: Quantity
    over: Quantity
    short_reason: str | None
    over_reason: str | None


class ReceiptPlateOut(BaseModel):
    license_plate_id: UUID
    code: str
    kind: str
    inside: str | None
    state: Literal["expected", "partly", "received"]
    units: Quantity


class UnknownTagShort(BaseModel):
    epc: str
    meaning: str
    reason: str
    reads: int
    state: str


class PassageOut(BaseModel):
    passage_id: str
    portal: str
    door: str
    direction: str
    at: datetime
    outcomes: dict[str, int] = Field(
        description="How many tags: received, inside, repeat, weak, unknown, stray_parked ..."
    )
    reads: int


class ReceiptSummary(BaseModel):
    id: UUID
    number: str
    state: Literal["open", "closed"]
    origin: Literal["portal", "handheld"]
    asn: Named | None
    supplier: Named | None
    dock_door: Named
    opened_at: datetime
    opened_by: str
    last_activity_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    lines_count: int
    expected: Quantity
    received: Quantity
    short: Quantity
    over: Quantity
    damaged: Quantity
    unknown_tags_count: int


class ReceiptOut(ReceiptSummary):
    lines: list[ReceiptLineOut]
    plates: list[ReceiptPlateOut]
    unknown_tags: list[UnknownTagShort]
    passages: list[PassageOut]


def _rows(conn: Conn, query: str, params: Any) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


def _named(row: dict[str, Any], prefix: str) -> Named | None:
    return None if row[f"{prefix}_id"] is None else Named(id=row[f"{prefix}_id"], code=row[f"{prefix}_code"])


# --- notices ----------------------------------------------------------------------------------------------

_ASN = """
    select a.id, a.number, a.state, a.expected_at, a.source, a.source_ref, a.created_at, p.id as supplier_id, p.code as supplier_code,
           d.id as door_id, d.code as door_code,
           (select count(*) from asn_line l where l.asn_id = a.id) as lines_count,
           (select count(*) from asn_plate l where l.asn_id = a.id) as plates_count,
           (select count(*) from asn_tag l where l.asn_id = a.id) as tags_count
    from asn a left join partner p on p.id = a.supplier_id left join place d on d.id = a.dock_door_id"""


def asn_rows(
    conn: Conn, site_id: UUID, states: list[str] | None, q: str, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    return _rows(
        conn,
        f"""{_ASN} where a.site_id = %s and (%s::text[] is null or a.state = any(%s)) and a.number ilike %s
            and (%s::uuid is null or a.id < %s) order by a.id desc limit %s""",
        [site_id, states, states, q, before, before, limit],
    )


def asn_summary(row: dict[str, Any]) -> AsnSummary:
    return AsnSummary(**row, supplier=_named(row, "supplier"), dock_door=_named(row, "door"))


def asn_out(conn: Conn, site_id: UUID, asn_id: UUID) -> AsnOut:
    rows = _rows(conn, f"{_ASN} where a.site_id = %s and a.id = %s", [site_id, asn_id])
    if not rows:
        raise NotFound("There is no such delivery notice at this site.")
    lines = _rows(
        conn,
        """select l.id, l.line_no, l.item_id, i.sku, i.name, i.base_unit as unit, o.code as lot, o.expires_on, l.quantity,
                  coalesce((select sum(e.quantity) from receipt_line r join receipt_entry e on e.receipt_line_id = r.id
                            where r.asn_line_id = l.id and e.reversed_at is null), 0) as received
           from asn_line l join item i on i.id = l.item_id left join lot o on o.id = l.lot_id
           where l.asn_id = %s order by l.line_no""",
        [asn_id],
    )
    plates = _rows(
        conn,
        """select lp.id as license_plate_id, lp.code, lp.kind, up.code as inside, ap.received_at
           from asn_plate ap join license_plate lp on lp.id = ap.license_plate_id left join license_plate up on up.id = lp.parent_id
           where ap.asn_id = %s order by up.code nulls first, lp.code""",
        [asn_id],
    )
    contents: dict[UUID, list[AsnContentOut]] = {}
    for c in _rows(
        conn,
        """select c.license_plate_id, c.item_id, i.sku, i.name, i.base_unit as unit, o.code as lot, o.expires_on, c.serial, c.quantity
           from asn_content c join item i on i.id = c.item_id left join lot o on o.id = c.lot_id
           where c.asn_id = %s order by i.sku, c.serial""",
        [asn_id],
    ):
        contents.setdefault(c["license_plate_id"], []).append(AsnContentOut(**c))
    receipts = _rows(
        conn, "select id, number as code from receipt where asn_id = %s order by opened_at", [asn_id]
    )
    return AsnOut(
        **asn_summary(rows[0]).model_dump(),
        lines=[AsnLineOut(**r) for r in lines],
        plates=[AsnPlateOut(**p, contents=contents.get(p["license_plate_id"], [])) for p in plates],
        receipts=[Named(**r) for r in receipts],
    )


# --- receipts ---------------------------------------------------------------------------------------------

_LINE = """
    select l.receipt_id, l.id, l.line_no, l.item_id, i.sku, i.name, i.base_unit as unit, o.code as lot, o.expires_on, l.expected,
           l.short_reason, l.over_reason, e.received, e.damaged, greatest(l.expected - e.received, 0) as short,
           case when own.asn_id is null then 0 else greatest(e.received - l.expected, 0) end as over
    from receipt_line l join receipt own on own.id = l.receipt_id join item i on i.id = l.item_id left join lot o on o.id = l.lot_id
         cross join lateral (select coalesce(sum(quantity), 0) as received,
                                    coalesce(sum(quantity) filter (where status <> 'available'), 0) as damaged
                             from receipt_entry where receipt_line_id = l.id and reversed_at is null) e"""

_RECEIPT = f"""
    select r.id, r.number, r.state, r.origin, r.opened_at, r.opened_by, r.last_activity_at, r.closed_at, r.closed_by,
           a.id as asn_id, a.number as asn_code, p.id as supplier_id, p.code as supplier_code, d.id as door_id, d.code as door_code,
           s.*, (select count(*) from unknown_tag u where u.receipt_id = r.id and u.state = 'open') as unknown_tags_count
    from receipt r left join asn a on a.id = r.asn_id left join partner p on p.id = r.supplier_id join place d on d.id = r.dock_door_id
         cross join lateral (select count(*) as lines_count, coalesce(sum(expected), 0) as expected, coalesce(sum(received), 0) as received,
                                    coalesce(sum(short), 0) as short, coalesce(sum(over), 0) as over, coalesce(sum(damaged), 0) as damaged
                             from ({_LINE} where l.receipt_id = r.id) lines) s"""


def receipt_rows(
    conn: Conn,
    site_id: UUID,
    state: str | None,
    asn_id: UUID | None,
    door_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    return _rows(
        conn,
        f"""{_RECEIPT} where r.site_id = %s and (%s::text is null or r.state = %s) and (%s::uuid is null or r.asn_id = %s)
            and (%s::uuid is null or r.dock_door_id = %s) and (%s::uuid is null or r.id < %s)
            order by r.id desc limit %s""",
        [site_id, state, state, asn_id, asn_id, door_id, door_id, before, before, limit],
    )


def receipt_summary(row: dict[str, Any]) -> ReceiptSummary:
    door = _named(row, "door")
    assert door is not None
    return ReceiptSummary(**row, asn=_named(row, "asn"), supplier=_named(row, "supplier"), dock_door=door)


def receipt_out(conn: Conn, site_id: UUID, receipt_id: UUID) -> ReceiptOut:
    rows = _rows(conn, f"{_RECEIPT} where r.site_id = %s and r.id = %s", [site_id, receipt_id])
    if not rows:
        raise NotFound("There is no such receipt at this site.")
    lines = _rows(conn, f"{_LINE} where l.receipt_id = %s order by l.line_no", [receipt_id])
    plates = _rows(
        conn,
        """with named as (
               select license_plate_id as id from asn_plate where asn_id = (select asn_id from receipt where id = %(r)s)
               union select license_plate_id from receipt_entry where receipt_id = %(r)s and license_plate_id is not null)
           select lp.id as license_plate_id, lp.code, lp.kind, up.code as inside,
                  case when ap.license_plate_id is null or ap.received_at is not null then 'received' when e.units > 0 then 'partly'
                       else 'expected' end as state, e.units
           from named n join license_plate lp on lp.id = n.id left join asn_plate ap on ap.license_plate_id = lp.id
                left join license_plate up on up.id = lp.parent_id
                cross join lateral (select coalesce(sum(quantity), 0) as units from receipt_entry
                                    where receipt_id = %(r)s and license_plate_id = lp.id and reversed_at is null) e
           order by up.code nulls first, lp.code limit 500""",
        {"r": receipt_id},
    )
    unknown = _rows(
        conn,
        "select epc, meaning, reason, reads, state from unknown_tag where receipt_id = %s order by first_seen_at limit 200",
        [receipt_id],
    )
    return ReceiptOut(
        **receipt_summary(rows[0]).model_dump(),
        lines=[ReceiptLineOut(**r) for r in lines],
        plates=[ReceiptPlateOut(**p) for p in plates],
        unknown_tags=[UnknownTagShort(**u) for u in unknown],
        passages=_passages(conn, site_id, receipt_id),
    )


def _passages(conn: Conn, site_id: UUID, receipt_id: UUID) -> list[PassageOut]:
    """The passages that brought something for this receipt, whole: what else was read in them explains much."""
    rows = _rows(
        conn,
        """select s.portal, s.passage_id, d.code as door, s.direction, min(s.recorded_at) as at, s.outcome, count(*) as tags,
                  sum(s.reads) as reads
           from passage_tag s join place d on d.id = s.door_id
           where s.site_id = %s and (s.portal, s.passage_id) in (
               select portal, passage_id from passage_tag where receipt_id = %s)
           group by s.portal, s.passage_id, d.code, s.direction, s.outcome order by min(s.recorded_at), s.outcome""",
        [site_id, receipt_id],
    )
    passages: dict[tuple[str, str], PassageOut] = {}
    for r in rows:
        p = passages.setdefault(
            (r["portal"], r["passage_id"]),
            PassageOut(
                passage_id=r["passage_id"],
                portal=r["portal"],
                door=r["door"],
                direction=r["direction"],
                at=r["at"],
                outcomes={},
                reads=0,
            ),
        )
        p.outcomes[r["outcome"]] = r["tags"]
        p.reads += int(r["reads"])
    return list(passages.values())
