"""Items with their GTINs and packs. One row an item; further rows of the same SKU add packs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import EXTERNAL, Importing
from backend.errors import Conflict, Invalid
from backend.ids import new_id
from device_drivers.gs1 import gtin14

ABOUT = "An SKU that is there already is changed; an empty cell leaves as it is. Further rows of an SKU add packs."
TRACKING = ("none", "lot", "serial")
CLASSES = ("ambient", "chilled", "frozen", "hazard")

COLUMNS = (
    Column("sku", "Your code of the item: letters, digits, dot, dash, underscore", required=True),
    Column("name", "Needed for a new item"),
    Column("name_zh", "Name in Chinese"),
    Column("gtin", "GTIN of one base unit: 8, 12, 13 or 14 digits with check digit"),
    Column("base_unit", "Unit that stock is counted in; each where empty. Stays once the item is there"),
    Column(
        "quantity_decimals", "Decimals of a quantity, 0 to 6; 0 where empty. Stays once the item is there"
    ),
    Column("tracking", "none, lot or serial; none where empty. Stays once the item is there"),
    Column("has_expiry", "yes or no; needs tracking by lot"),
    Column("storage_class", "ambient, chilled, frozen or hazard; ambient where empty"),
    Column("weight_g", "Weight of one base unit in grams"),
    Column("active", "yes or no; yes where empty"),
    Column("pack_name", "A larger pack: inner, case, pallet ..."),
    Column("pack_units", "Base units in that pack"),
    Column("pack_gtin", "GTIN of that pack"),
    Column("pack_weight_g", "Weight of that pack in grams"),
    *EXTERNAL,
)

_ZERO = Decimal(0)


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    present = work.ids("select sku, id from item")
    seen: set[str] = set()
    for row in rows:
        sku = row.code("sku", required=True)
        fields = _fields(row)
        pack = _pack(row, "pack_name", "pack_units", "pack_gtin", "pack_weight_g")
        gtin = row.checked("gtin", gtin14)
        if row.errors or sku is None:
            continue
        more = sku in seen
        seen.add(sku)

        work.write(row, partial(_write, work, present, row, sku, fields, gtin, pack, more))


def _write(
    work: Importing,
    present: dict[str, UUID],
    row: Row,
    sku: str,
    fields: dict[str, Any],
    gtin: str | None,
    pack: tuple[Any, ...] | None,
    more: bool,
) -> bool | None:
    item_id = present.get(sku)
    made: bool | None = None if more else item_id is None
    if item_id is None:
        item_id = _insert(work, row, sku, fields, gtin)
    else:
        _change(work, item_id, sku, fields, gtin)
    if pack is not None:
        _put_pack(work, item_id, *pack)
    work.map_key(row, "item", item_id)
    present[sku] = item_id
    return made


def _fields(row: Row) -> dict[str, Any]:
    name_zh = row.text("name_zh")
    found = {
        "name": row.text("name"),
        "name_i18n": {"zh": name_zh} if name_zh else None,
        "base_unit": row.text("base_unit", most=20),
        "quantity_decimals": row.integer("quantity_decimals", most=6),
        "tracking": row.choice("tracking", TRACKING),
        "has_expiry": row.boolean("has_expiry"),
        "storage_class": row.choice("storage_class", CLASSES),
        "weight_g": row.number_of("weight_g", above=_ZERO),
        "active": row.boolean("active"),
    }
    return {k: v for k, v in found.items() if v is not None}


def _pack(row: Row, name: str, units: str, gtin: str, weight: str) -> tuple[Any, ...] | None:
    values = (
        row.text(name, most=40),
        row.number_of(units, above=_ZERO),
        row.checked(gtin, gtin14),
        row.number_of(weight, above=_ZERO),
    )
    if all(v is None for v in values):
        return None
    for column, value in ((name, values[0]), (units, values[1])):
        if value is None and not any(e.column == column for e in row.errors):
            row.fail(column, "must be filled in for a pack")
    return values


def _insert(work: Importing, row: Row, sku: str, fields: dict[str, Any], gtin: str | None) -> UUID:
    if "name" not in fields:
        raise Invalid("A new item needs a name.", field="name")
    if fields.get("has_expiry") and fields.get("tracking") != "lot":
        raise Invalid("An expiry date belongs to a lot; tracking must be lot.", field="tracking")
    item_id = new_id()
    unit = fields.get("base_unit", "each")
    work.conn.execute(
        """insert into item (id, sku, name, name_i18n, base_unit, quantity_decimals, tracking, has_expiry, storage_class, weight_g, active)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [item_id, sku, fields["name"], Jsonb(fields.get("name_i18n", {})), unit, fields.get("quantity_decimals", 0),
         fields.get("tracking", "none"), fields.get("has_expiry", False), fields.get("storage_class", "ambient"),
         fields.get("weight_g"), fields.get("active", True)],
    )  # fmt: skip
    _put_pack(work, item_id, unit, Decimal(1), gtin, fields.get("weight_g"))
    return item_id


def _change(work: Importing, item_id: UUID, sku: str, fields: dict[str, Any], gtin: str | None) -> None:
    row = work.conn.execute(
        "select base_unit, quantity_decimals, tracking, has_expiry from item where id = %s for update",
        [item_id],
    ).fetchone()
    assert row is not None
    for name, present in zip(("base_unit", "quantity_decimals", "tracking"), row[:3], strict=True):
        if name in fields and fields[name] != present:
            raise Conflict(f"{sku} is there with {name} {present}; that cannot be changed.", field=name)
    if fields.get("has_expiry") and row[2] != "lot":
        raise Invalid("An expiry date belongs to a lot.", field="has_expiry")
    changes = {k: v for k, v in fields.items() if k not in ("base_unit", "quantity_decimals", "tracking")}
    if changes:
        work.conn.execute(
            """update item set name = coalesce(%s, name), name_i18n = name_i18n || %s, has_expiry = coalesce(%s, has_expiry),
                   storage_class = coalesce(%s, storage_class), weight_g = coalesce(%s, weight_g), active = coalesce(%s, active),
                   version = version + 1 where id = %s""",
            [changes.get("name"), Jsonb(changes.get("name_i18n", {})), changes.get("has_expiry"), changes.get("storage_class"),
             changes.get("weight_g"), changes.get("active"), item_id],
        )  # fmt: skip
    if gtin is not None:
        _put_pack(work, item_id, row[0], Decimal(1), gtin, fields.get("weight_g"))


def _put_pack(
    work: Importing, item_id: UUID, name: str, units: Decimal, gtin: str | None, weight_g: Decimal | None
) -> None:
    if gtin is not None:
        other = work.conn.execute(
            "select i.sku, k.name from item_pack k join item i on i.id = k.item_id where k.gtin = %s and not (k.item_id = %s and k.name = %s)",
            [gtin, item_id, name],
        ).fetchone()
        if other is not None:
            column = "gtin" if units == 1 else "pack_gtin"
            raise Conflict(f"GTIN {gtin} names {other[1]} of {other[0]} already.", field=column)
    row = work.conn.execute(
        "select units from item_pack where item_id = %s and name = %s", [item_id, name]
    ).fetchone()
    if row is not None and row[0] != units:
        raise Conflict(
            f"The pack {name} holds {row[0].normalize():f}; that cannot be changed, add a pack of another name.",
            field="pack_units",
        )
    work.conn.execute(
        """insert into item_pack (id, item_id, name, units, gtin, weight_g) values (%s, %s, %s, %s, %s, %s)
           on conflict on constraint item_pack_name_unique do update set gtin = coalesce(excluded.gtin, item_pack.gtin),
               weight_g = coalesce(excluded.weight_g, item_pack.weight_g)""",
        [new_id(), item_id, name, units, gtin, weight_g],
    )
