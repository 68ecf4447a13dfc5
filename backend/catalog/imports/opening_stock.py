"""What lies where on the first day: booked as movements from the adjustment place. The same file is taken once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from uuid import UUID

from backend import ledger
from backend.catalog import lot_of
from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import Importing
from backend.catalog.tags.plates import NewPlate, create_plate
from backend.errors import Conflict

ABOUT = "Adds to what is there. The same file is refused the second time."

COLUMNS = (
    Column("place", "Code of the bin", required=True),
    Column("sku", "Your code of the item", required=True),
    Column("quantity", "Base units; 1 where a serial is given"),
    Column("lot", "Needed for items kept by lot"),
    Column("expires_on", "2027-06-30; needed for a new lot of an item with expiry"),
    Column("serial", "Needed for items kept by serial number; one row a piece"),
    Column("status", "available, damaged or quarantine; available where empty"),
    Column("license_plate", "SSCC or code of the pallet, case or tote it is on; made where it is new"),
)


@dataclass(frozen=True)
class _Stock:
    place_id: UUID
    item_id: UUID
    quantity: Decimal
    lot: str | None
    expires_on: date | None
    serial: str | None
    status: str
    license_plate: str | None


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    places = work.ids("select code, id from place where site_id = %s and is_physical", work.ctx.site_id)
    items = work.ids("select sku, id from item")
    source = ledger.virtual_place(work.conn, work.ctx.site_id, "adjustment")
    for row in rows:
        place, sku = row.code("place", required=True), row.code("sku", required=True)
        serial, lot = row.text("serial", most=60), row.text("lot", most=20)
        quantity = row.number_of("quantity", above=Decimal(0), required=serial is None)
        expires_on = row.day("expires_on")
        status = row.choice("status", ("available", "damaged", "quarantine")) or "available"
        plate = row.code("license_plate")
        if place is not None and place not in places:
            row.fail("place", "is no place of this site; import the places first")
        if sku is not None and sku not in items:
            row.fail("sku", "is no item here; import the items first")
        if row.errors or place is None or sku is None:
            continue
        stock = _Stock(
            places[place], items[sku], quantity or Decimal(1), lot, expires_on, serial, status, plate
        )
        work.write(
            row,
            partial(_write, work, source, stock),
            {"place_id": "place", "code": "license_plate"},
        )


def _write(work: Importing, source: UUID, stock: _Stock) -> bool:
    lot_id = lot_of(work.conn, stock.item_id, stock.lot, stock.expires_on) if stock.lot else None
    plate_id = _plate(work, stock) if stock.license_plate else None
    ledger.post(
        work.conn,
        work.ctx,
        [
            ledger.Move(
                stock.item_id,
                stock.quantity,
                ledger.Spot(source, None, stock.status),
                ledger.Spot(stock.place_id, plate_id, stock.status),
                "opening stock",
                "opening",
                work.import_id,
                lot_id,
                stock.serial,
            )
        ],
    )
    return True


def _plate(work: Importing, stock: _Stock) -> UUID:
    row = work.conn.execute(
        "select id, place_id from license_plate where site_id = %s and code = %s",
        [work.ctx.site_id, stock.license_plate],
    ).fetchone()
    if row is None:
        return create_plate(work.conn, work.ctx, NewPlate("pallet", stock.license_plate, stock.place_id))
    if row[1] != stock.place_id:
        raise Conflict(f"The license plate {stock.license_plate} stands elsewhere.", field="license_plate")
    return UUID(str(row[0]))
