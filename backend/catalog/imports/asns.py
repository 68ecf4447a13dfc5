"""Delivery notices: rows of one number are one notice. A row is loose goods, goods on a license plate, or one tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from uuid import UUID

from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import Importing
from backend.errors import Invalid

ABOUT = (
    "One notice a number. A row with an epc is one tag, a row with an sscc is goods on that license plate, any other row is "
    "loose goods. Supplier, door and time may stand in the first row of a number only."
)

COLUMNS = (
    Column("number", "Number of the delivery notice", required=True),
    Column("supplier", "Code of the supplier"),
    Column("dock_door", "Code of the door, where there is an appointment"),
    Column("expected_at", "2027-06-30T14:00+03:00; without zone it is UTC"),
    Column("purchase_order", "Your order number"),
    Column("sku", "Your code of the item; may be left out where an EPC says it"),
    Column("quantity", "Base units"),
    Column("lot", "Needed on a license plate for items kept by lot"),
    Column("expires_on", "2027-06-30"),
    Column("serial", "For items kept by serial number"),
    Column("sscc", "License plate it is on"),
    Column("plate_kind", "pallet, case, carton or tote; pallet where empty, case where inside is given"),
    Column("inside", "SSCC that this license plate stands on"),
    Column("epc", "Tag of this one unit, hexadecimal or URI"),
)


@dataclass
class _Notice:
    first: Row
    rows: list[Row] = field(default_factory=list)


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    items = work.ids("select sku, id from item")
    suppliers = work.ids("select code, id from partner where is_supplier")
    doors = work.ids("select code, id from place where site_id = %s and kind = 'dock_door'", work.ctx.site_id)
    notices: dict[str, _Notice] = {}
    for row in rows:
        number = row.text("number", required=True, most=100)
        if number is not None:
            notices.setdefault(number, _Notice(row)).rows.append(row)
        for column, known, what in (
            ("sku", items, "item"), ("supplier", suppliers, "supplier"), ("dock_door", doors, "dock door of this site"),
        ):  # fmt: skip
            code = row.code(column, required=column == "sku" and not row.cells.get("epc"))
            if code is not None and code not in known:
                row.fail(column, f"is no {what} here")
        row.number_of(
            "quantity", above=Decimal(0), required=not (row.cells.get("epc") or row.cells.get("serial"))
        )
        row.day("expires_on")
        row.moment("expected_at")
        row.choice("plate_kind", ("pallet", "case", "carton", "tote"))
        row.code("sscc")
        row.code("inside")
        if row.cells.get("inside") and not row.cells.get("sscc"):
            row.fail("sscc", "must be filled in where inside is")
    for number, notice in notices.items():
        if not any(r.errors for r in notice.rows):
            work.write(
                notice.first,
                partial(_write, work, number, notice, items, suppliers, doors),
                {"lines": "sku", "plates": "sscc", "tags": "epc"},
            )


def _first(notice: _Notice, column: str) -> str | None:
    values = {r.cells[column] for r in notice.rows if r.cells.get(column)}
    if len(values) > 1:
        raise Invalid(
            f"One notice has several values of {column}: {', '.join(sorted(values))}.", field=column
        )
    return values.pop() if values else None


def _write(
    work: Importing,
    number: str,
    notice: _Notice,
    items: dict[str, UUID],
    suppliers: dict[str, UUID],
    doors: dict[str, UUID],
) -> bool:
    from backend.receiving import AsnContent, AsnLine, AsnPlate, AsnTag, NewAsn, expect

    loose: list[AsnLine] = []
    tags: list[AsnTag] = []
    plates: dict[str, AsnPlate] = {}
    contents: dict[str, list[AsnContent]] = {}
    for r in notice.rows:
        sku, lot, serial = r.cells.get("sku"), r.cells.get("lot") or None, r.cells.get("serial") or None
        expires_on: date | None = r.day("expires_on")
        sscc, inside = r.cells.get("sscc") or None, r.cells.get("inside") or None
        item_id = items[sku] if sku else None
        if sscc is not None:
            kind = r.cells.get("plate_kind", "").lower() or ("case" if inside else "pallet")
            present = plates.get(sscc)
            if present is None or (inside and present.inside is None):
                plates[sscc] = AsnPlate(sscc, kind, inside)
        if r.cells.get("epc"):
            tags.append(AsnTag(r.cells["epc"], sscc, item_id, lot, expires_on, serial))
            continue
        assert item_id is not None
        quantity = r.number_of("quantity") or Decimal(1)
        if sscc is not None:
            contents.setdefault(sscc, []).append(AsnContent(item_id, quantity, lot, expires_on, serial))
        else:
            loose.append(AsnLine(item_id, quantity, lot, expires_on))
    for r in notice.rows:  # a pallet that only holds cases is named by them
        inside = r.cells.get("inside")
        if inside and inside not in plates:
            plates[inside] = AsnPlate(inside, "pallet")
    supplier, door = _first(notice, "supplier"), _first(notice, "dock_door")
    _first(notice, "expected_at")
    at = next((m for r in notice.rows if (m := r.moment("expected_at")) is not None), None)
    expect(
        work.conn,
        work.ctx,
        NewAsn(
            number,
            suppliers[supplier] if supplier else None,
            loose=tuple(loose),
            plates=tuple(
                AsnPlate(p.code, p.kind, p.inside, tuple(contents.get(p.code, []))) for p in plates.values()
            ),
            tags=tuple(tags),
            dock_door_id=doors[door] if door else None,
            expected_at=at,
            source="csv",
            source_ref=_first(notice, "purchase_order"),
        ),
    )
    return True
