"""Suppliers and customers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import EXTERNAL, Importing
from backend.errors import Invalid
from backend.ids import new_id
from device_drivers.gs1 import is_valid_gln

ABOUT = "A code that is there already is changed; an empty cell leaves as it is."

COLUMNS = (
    Column("code", "Your code of the partner", required=True),
    Column("name", "Needed for a new partner"),
    Column("is_supplier", "yes or no; no where empty"),
    Column("is_customer", "yes or no; no where empty"),
    Column("gln", "13 digits with check digit"),
    Column("email", "One address"),
    Column("address", "In one line"),
    *EXTERNAL,
)


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        code = row.code("code", required=True)
        values = [
            row.text("name"),
            row.boolean("is_supplier"),
            row.boolean("is_customer"),
            row.checked("gln", _gln),
            row.text("email", pattern=r"[^@\s]+@[^@\s]+"),
            row.text("address", most=500),
        ]
        if code is not None and code in seen:
            row.fail("code", f"stands in row {seen[code]} already")
        if code is not None:
            seen.setdefault(code, row.number)
        if code is not None and not row.errors:
            work.write(row, partial(_write, work, row, code, values))


def _gln(text: str) -> str:
    if not is_valid_gln(text):
        raise ValueError("is no GLN: 13 digits with a right check digit")
    return text


def _write(work: Importing, row: Row, code: str, values: list[Any]) -> bool:
    present = work.conn.execute("select id from partner where code = %s", [code]).fetchone()
    if present is None:
        if values[0] is None:
            raise Invalid("A new partner needs a name.", field="name")
        partner_id = new_id()
        work.conn.execute(
            """insert into partner (id, code, name, is_supplier, is_customer, gln, email, address)
               values (%s, %s, %s, coalesce(%s, false), coalesce(%s, false), %s, %s, %s)""",
            [partner_id, code, *values],
        )
        work.map_key(row, "partner", partner_id)
        return True
    work.conn.execute(
        """update partner set name = coalesce(%s, name), is_supplier = coalesce(%s, is_supplier),
               is_customer = coalesce(%s, is_customer), gln = coalesce(%s, gln), email = coalesce(%s, email),
               address = coalesce(%s, address), version = version + 1 where id = %s""",
        [*values, present[0]],
    )
    work.map_key(row, "partner", present[0])
    return False
