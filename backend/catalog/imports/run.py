"""One import: read, check, write row by row in one savepoint, and keep it only if every row was right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backend.catalog.imports import (
    asns,
    items,
    license_plates,
    opening_stock,
    partners,
    places,
    supplier_items,
)
from backend.catalog.imports.table import Column, Row, RowError, read_table
from backend.catalog.imports.writing import Importing
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid
from backend.ids import new_id


@dataclass(frozen=True)
class ImportKind:
    """`import_rows` writes the rows that are right and notes on each row what is wrong with it."""

    columns: Sequence[Column]
    import_rows: Callable[[Importing, Sequence[Row]], None]
    about: str


KINDS: dict[str, ImportKind] = {
    "items": ImportKind(items.COLUMNS, items.import_rows, items.ABOUT),
    "places": ImportKind(places.COLUMNS, places.import_rows, places.ABOUT),
    "license-plates": ImportKind(license_plates.COLUMNS, license_plates.import_rows, license_plates.ABOUT),
    "partners": ImportKind(partners.COLUMNS, partners.import_rows, partners.ABOUT),
    "supplier-items": ImportKind(supplier_items.COLUMNS, supplier_items.import_rows, supplier_items.ABOUT),
    "opening-stock": ImportKind(opening_stock.COLUMNS, opening_stock.import_rows, opening_stock.ABOUT),
    "asns": ImportKind(asns.COLUMNS, asns.import_rows, asns.ABOUT),
}


@dataclass(frozen=True)
class Report:
    """`imported` is False after a dry run and where there was an error: then nothing was written."""

    kind: str
    dry_run: bool
    imported: bool
    rows: int
    created: int
    updated: int
    errors: list[RowError] = field(default_factory=list)


class _Undone(Exception):
    pass


def import_csv(
    conn: Conn, ctx: Context, kind: str, text: str, dry_run: bool = False, *, file_name: str = ""
) -> Report:
    """Imports all of a file or nothing. Raises Invalid (no such kind, no table), Conflict (opening stock twice)."""
    wanted = KINDS.get(kind)
    if wanted is None:
        raise Invalid(f"There is no import of {kind!r}; there are {', '.join(KINDS)}.", field="kind")
    rows, wrong = read_table(text, wanted.columns)
    if not rows and not wrong:
        raise Invalid("The file has a header and no rows.", field="file")
    digest = hashlib.sha256(text.replace("\r\n", "\n").strip().encode()).digest()
    if kind == "opening-stock":
        _refuse_second_time(conn, ctx, digest)
    work = Importing(conn, ctx, new_id())
    if not wrong:
        try:
            with conn.transaction():
                wanted.import_rows(work, rows)
                wrong = [e for row in rows for e in row.errors]
                if wrong or dry_run:
                    raise _Undone
                _keep(conn, ctx, kind, file_name, digest, work, len(rows))
        except _Undone:
            pass
    wrong = sorted(wrong, key=lambda e: (e.row, e.column or ""))
    return Report(kind, dry_run, not wrong and not dry_run, len(rows), work.created, work.updated, wrong)


def _refuse_second_time(conn: Conn, ctx: Context, digest: bytes) -> None:
    # whoever comes second with the same file waits here
    conn.execute("select pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
    row: tuple[datetime, str] | None = conn.execute(
        "select imported_at, imported_by from import_run where site_id = %s and kind = 'opening-stock' and digest = %s",
        [ctx.site_id, digest],
    ).fetchone()
    if row is not None:
        raise Conflict(
            f"This file was imported on {row[0]:%Y-%m-%d %H:%M} UTC by {row[1].partition(':')[2]}; twice would double the stock.",
            field="file",
        )


def _keep(
    conn: Conn, ctx: Context, kind: str, file_name: str, digest: bytes, work: Importing, rows: int
) -> None:
    conn.execute(
        """insert into import_run (id, site_id, kind, file_name, digest, rows, created, updated, imported_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            work.import_id,
            ctx.site_id,
            kind,
            file_name[:200],
            digest,
            rows,
            work.created,
            work.updated,
            ctx.actor,
        ],
    )
