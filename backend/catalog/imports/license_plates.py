"""Totes, pallets and other license plates of this site, empty; what is on them comes by movements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from backend.catalog.imports.table import Column, Row
from backend.catalog.imports.writing import Importing
from backend.catalog.tags.plates import NewPlate, create_plate
from backend.errors import Conflict

ABOUT = "One row a tote or pallet. A code that is there already stays as it is and where it is."
KINDS = ("tote", "pallet", "case", "carton")

COLUMNS = (
    Column("code", "Code on its label: the site's own, or an SSCC of 18 digits", required=True),
    Column("kind", "tote, pallet, case or carton; tote where empty"),
    Column("place", "Code of the place where it stands; may be empty"),
)


def import_rows(work: Importing, rows: Sequence[Row]) -> None:
    site = work.ctx.site_id
    places = work.ids("select code, id from place where site_id = %s", site)
    seen: dict[str, int] = {}
    for row in rows:
        code, place = row.code("code", required=True), row.code("place")
        kind = row.choice("kind", KINDS) or "tote"
        if place is not None and place not in places:
            row.fail("place", "is no place of this site; import the places first")
        if code is not None and code in seen:
            row.fail("code", f"stands in row {seen[code]} already")
        if code is None or row.errors:
            continue
        seen[code] = row.number
        place_id = places[place] if place else None
        work.write(row, partial(_write, work, code, kind, place_id), {"place_id": "place"})


def _write(work: Importing, code: str, kind: str, place_id: UUID | None) -> bool | None:
    present = work.conn.execute(
        "select kind from license_plate where site_id = %s and code = %s", [work.ctx.site_id, code]
    ).fetchone()
    if present is None:
        create_plate(work.conn, work.ctx, NewPlate(kind, code, place_id))
        return True
    if present[0] != kind:
        raise Conflict(f"{code} is there as {present[0]}; that cannot be changed.", field="kind")
    return None
