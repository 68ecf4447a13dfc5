"""Imports over the API: a file goes in, a report with every error comes back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import File, Form, UploadFile
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Site, Who, allow
from backend.catalog.imports.run import KINDS, import_csv
from backend.catalog.imports.table import decode
from backend.errors import Invalid
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["imports"])

SHOWN_ERRORS = 1000


class ImportErrorOut(BaseModel):
    row: int = Field(description="As a spreadsheet numbers it; the header is 1")
    column: str | None
    value: str
    detail: str


class ImportReport(BaseModel):
    kind: str
    dry_run: bool
    imported: bool = Field(description="False: nothing was written")
    rows: int
    created: int
    updated: int
    errors_count: int
    errors: list[ImportErrorOut] = Field(description=f"The first {SHOWN_ERRORS}")


class ImportRefused(Invalid):
    """The file has errors; nothing of it was imported."""

    kind, title = "import-refused", "The file has errors; nothing was imported"


@router.post("/imports", response_model=ImportReport, dependencies=[allow("lead", "integrator")])
def import_file(
    conn: Db,
    ctx: Ctx,
    kind: Annotated[
        str, Form(max_length=40, description="items, places, partners, supplier-items, opening-stock or asns")
    ],
    file: Annotated[UploadFile, File(description="CSV; see GET /imports/kinds for the columns")],
    dry_run: Annotated[bool, Form(description="Only say what would happen")] = False,
) -> ImportReport:
    """All of the file or nothing. With errors: a dry run reports them, an import is refused with all of them."""
    text = decode(file.file.read())
    report = import_csv(conn, ctx, kind, text, dry_run, file_name=(file.filename or "").replace("\0", ""))
    shown = [ImportErrorOut(**e.__dict__) for e in report.errors[:SHOWN_ERRORS]]
    if report.errors and not dry_run:
        first = report.errors[0]
        raise ImportRefused(
            f"{len(report.errors)} errors. The first: row {first.row}{', ' + first.column if first.column else ''}: {first.detail}",
            field="file",
            rows=report.rows,
            errors_count=len(report.errors),
            errors=[e.model_dump() for e in shown],
        )
    return ImportReport(
        kind=report.kind, dry_run=report.dry_run, imported=report.imported, rows=report.rows, created=report.created,
        updated=report.updated, errors_count=len(report.errors), errors=shown,
    )  # fmt: skip


class ColumnOut(BaseModel):
    name: str
    doc: str
    required: bool


class ImportKindOut(BaseModel):
    kind: str
    about: str
    columns: list[ColumnOut]
    header: str = Field(description="To copy into a new file")


@router.get("/imports/kinds", response_model=Page[ImportKindOut])
def list_import_kinds(who: Who) -> Page[ImportKindOut]:
    """What can be imported, with every column explained."""
    return Page(
        items=[
            ImportKindOut(
                kind=name,
                about=kind.about,
                columns=[ColumnOut(**c.__dict__) for c in kind.columns],
                header=",".join(c.name for c in kind.columns),
            )
            for name, kind in KINDS.items()
        ]
    )


class ImportRun(BaseModel):
    id: UUID
    kind: str
    file_name: str
    rows: int
    created: int
    updated: int
    imported_at: datetime
    imported_by: str


@router.get("/imports", response_model=Page[ImportRun], dependencies=[allow("lead", "integrator")])
def list_imports(conn: Db, site: Site, limit: Limit = 100, cursor: Cursor = None) -> Page[ImportRun]:
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            """select id, kind, file_name, rows, created, updated, imported_at, imported_by from import_run
               where site_id = %s and (%s::uuid is null or id < %s) order by id desc limit %s""",
            [site, after, after, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: ImportRun(**r))
