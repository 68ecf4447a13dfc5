"""Which supplier delivers which item, at what price, how fast, in what amounts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import Importing

ABOUT = "One row a supplier and item. What is there already is changed; an empty cell leaves as it is."

COLUMNS = (
    Column("supplier", "Code of a partner who is a supplier", required=True),
    Column("sku", "Your code of the item", required=True),
    Column("unit_price", "Price of one base unit; needed for a new row"),
    Column("currency", "Three letters; EUR where empty"),
    Column("supplier_sku", "The supplier's code of the item"),
    Column("lead_time_d", "Days from order to delivery, 0 to 730; 7 where empty"),
    Column("min_order_qty", "Least base units in an order; 1 where empty"),
    Column("pack_multiple", "Base units come in multiples of this; 1 where empty"),
    Column("preferred", "yes or no"),
)


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    suppliers = work.ids("select code, id from partner where is_supplier")
    items = work.ids("select sku, id from item")
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        supplier, sku = row.code("supplier", required=True), row.code("sku", required=True)
        values: list[Any] = [
            row.text("supplier_sku", most=100),
            row.number_of("unit_price", least=Decimal(0)),
            row.text("currency", pattern=r"[A-Z]{3}"),
            row.integer("lead_time_d", most=730),
            row.number_of("min_order_qty", above=Decimal(0)),
            row.number_of("pack_multiple", above=Decimal(0)),
            row.boolean("preferred"),
        ]
        if supplier is not None and supplier not in suppliers:
            row.fail("supplier", "is no supplier here; import the partners first")
        if sku is not None and sku not in items:
            row.fail("sku", "is no item here; import the items first")
        if supplier is not None and sku is not None:
            if (supplier, sku) in seen:
                row.fail("sku", f"stands with this supplier in row {seen[supplier, sku]} already")
            seen.setdefault((supplier, sku), row.number)
        if row.errors or supplier is None or sku is None:
            continue
        key = [suppliers[supplier], items[sku]]
        present = work.conn.execute(
            "select 1 from supplier_item where supplier_id = %s and item_id = %s", key
        ).fetchone()
        if present is None and values[1] is None:
            row.fail("unit_price", "must be filled in for a new row")
            continue
        work.write(row, partial(_write, work, key, values, present is None))


def _write(work: Importing, key: list[Any], values: list[Any], new: bool) -> bool:
    if new:
        work.conn.execute(
            """insert into supplier_item (supplier_sku, unit_price, currency, lead_time_d, min_order_qty, pack_multiple, preferred,
                   supplier_id, item_id)
               values (%s, %s, coalesce(%s, 'EUR'), coalesce(%s, 7), coalesce(%s, 1), coalesce(%s, 1), coalesce(%s, false), %s, %s)""",
            [*values, *key],
        )
    else:
        work.conn.execute(
            """update supplier_item set supplier_sku = coalesce(%s, supplier_sku), unit_price = coalesce(%s, unit_price),
                   currency = coalesce(%s, currency), lead_time_d = coalesce(%s, lead_time_d),
                   min_order_qty = coalesce(%s, min_order_qty), pack_multiple = coalesce(%s, pack_multiple),
                   preferred = coalesce(%s, preferred) where supplier_id = %s and item_id = %s""",
            [*values, *key],
        )
    return new
