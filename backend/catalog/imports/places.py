"""Zones, aisles, bins, doors of this site. A parent may stand anywhere in the file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import sql

from backend.catalog.imports.items import CLASSES
from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import EXTERNAL, Importing
from backend.errors import Conflict, Invalid
from backend.ids import new_id
from backend.live.announce import announce

ABOUT = "Places of one site. A code that is there already is changed; an empty cell leaves as it is."
KINDS = ("building", "zone", "aisle", "bin", "dock_door", "staging", "pack_bench", "vehicle", "quarantine")

COLUMNS = (
    Column("code", "Code on the label of the place", required=True),
    Column(
        "kind",
        "building, zone, aisle, bin, dock_door, staging, pack_bench, vehicle or quarantine; needed for a new place",
    ),
    Column("name", "What people call it"),
    Column("parent", "Code of the place it lies in; may be in the same file"),
    Column(
        "holds_stock", "yes or no; where empty, bins, doors, staging, benches, vehicles and quarantine do"
    ),
    Column("storage_class", "ambient, chilled, frozen or hazard; where empty, the parent's, else ambient"),
    Column("pick_sequence", "Order of the way through the building"),
    Column("max_units", "How many base units fit"),
    Column("mixed_items", "yes or no: several items in it; yes where empty"),
    Column("mixed_lots", "yes or no: several lots of one item in it; yes where empty"),
    Column("erp_location", "The ERP's code of this place; where empty, the parent's counts"),
    Column("x_m", "On the floor plan, metres from the left"),
    Column("y_m", "On the floor plan, metres from the top"),
    Column("width_m", "On the floor plan"),
    Column("depth_m", "On the floor plan"),
    Column("active", "yes or no; yes where empty"),
    *EXTERNAL,
)


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    site = work.ctx.site_id
    present = work.ids("select code, id from place where site_id = %s", site)
    classes: dict[str, str] = {
        r[0]: r[1]
        for r in work.conn.execute(
            "select code, storage_class from place where site_id = %s", [site]
        ).fetchall()
    }
    in_file: dict[str, Row] = {}
    for row in rows:
        code = row.code("code", required=True)
        if code is not None and code in in_file:
            row.fail("code", f"stands in row {in_file[code].number} already")
        if code is not None:
            in_file.setdefault(code, row)
            classes.setdefault(code, row.cells.get("storage_class", "").lower())
    for row in rows:
        values = _values(row)
        parent = row.code("parent")
        if parent is not None and parent not in present and parent not in in_file:
            row.fail("parent", "is no place of this site and not in the file")
        code = row.cells.get("code", "")
        if "storage_class" not in values and code not in present:
            values["storage_class"] = _inherited(code, in_file, classes)
        if not row.errors:
            work.write(row, partial(_write, work, present, row, code, values))
    for row in rows:
        if not row.errors and row.cells.get("parent"):
            work.write(row, partial(_set_parent, work, present, row))
    announce(work.conn, site, "floor")


def _values(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": row.choice("kind", KINDS),
        "name": row.text("name"),
        "holds_stock": row.boolean("holds_stock"),
        "storage_class": row.choice("storage_class", CLASSES),
        "pick_sequence": row.integer("pick_sequence"),
        "max_units": row.number_of("max_units", above=Decimal(0)),
        "mixed_items": row.boolean("mixed_items"),
        "mixed_lots": row.boolean("mixed_lots"),
        "erp_location": row.text("erp_location", most=100),
        "active": row.boolean("active"),
    }
    for column in ("x_m", "y_m"):
        found[column] = row.number_of(column, least=Decimal(-10000), most=Decimal(10000))
    for column in ("width_m", "depth_m"):
        found[column] = row.number_of(column, above=Decimal(0), most=Decimal(10000))
    return {k: v for k, v in found.items() if v is not None}


def _inherited(code: str, in_file: dict[str, Row], classes: dict[str, str]) -> str:
    for _ in range(16):
        if classes.get(code) in CLASSES:
            return classes[code]
        if code not in in_file:
            break
        code = in_file[code].cells.get("parent", "")
    return "ambient"


def _write(work: Importing, present: dict[str, UUID], row: Row, code: str, values: dict[str, Any]) -> bool:
    site = work.ctx.site_id
    place_id = present.get(code)
    if place_id is None:
        if "kind" not in values:
            raise Invalid("A new place needs a kind.", field="kind")
        values.setdefault("holds_stock", values["kind"] not in ("building", "zone", "aisle"))
        place_id = new_id()
        values = {"id": place_id, "site_id": site, "code": code, **values}
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        work.conn.execute(
            sql.SQL("insert into place ({}) values ({})").format(
                names, sql.SQL(", ").join([sql.Placeholder()] * len(values))
            ),
            list(values.values()),
        )
        present[code] = place_id
        work.map_key(row, "place", place_id)
        return True
    kind, physical, stock = work.conn.execute(
        """select kind, is_physical, exists (select 1 from balance where place_id = place.id and on_hand > 0) from place where id = %s""",
        [place_id],
    ).fetchone() or (None, False, False)
    if not physical:
        raise Conflict(f"{code} is a place of the system; it is not imported.", field="code")
    if values.get("kind", kind) != kind:
        raise Conflict(f"{code} is there as {kind}; that cannot be changed.", field="kind")
    if stock and (values.get("active") is False or values.get("holds_stock") is False):
        raise Conflict(f"{code} still holds stock; move it first.", field="active")
    if values:
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder()) for k in values
        )
        work.conn.execute(
            sql.SQL("update place set {}, version = version + 1 where id = %s").format(sets),
            [*values.values(), place_id],
        )
    work.map_key(row, "place", place_id)
    return False


def _set_parent(work: Importing, present: dict[str, UUID], row: Row) -> None:
    child, parent = present[row.cells["code"]], present.get(row.cells["parent"])
    if parent is None:
        raise Invalid("The parent could not be imported; see its row.", field="parent")
    loop = work.conn.execute(
        """with recursive up as (select id, parent_id from place where id = %s
               union select p.id, p.parent_id from place p join up on p.id = up.parent_id)
           select 1 from up where id = %s""",
        [parent, child],
    ).fetchone()
    if loop:
        raise Invalid("A place cannot lie inside itself.", field="parent")
    work.conn.execute(
        "update place set parent_id = %s where id = %s and parent_id is distinct from %s",
        [parent, child, parent],
    )
