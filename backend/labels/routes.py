"""Labels and printers over the API."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from fastapi.responses import PlainTextResponse
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Site, allow
from backend.errors import Conflict, Invalid, NotFound, register
from backend.ids import new_id
from backend.labels.labels import ItemOf, Kind, print_label
from backend.labels.labels import reprint as print_again
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["labels"])

register(
    {
        "printer_code_unique": (Conflict, "The site has a printer of this name already.", "code"),
        "printer_default_once": (
            Conflict,
            "Another printer is the default; change that one first.",
            "is_default",
        ),
    }
)

Text = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]+$")]


class LabelOut(BaseModel):
    id: UUID
    kind: Kind
    subject_id: UUID
    title: str
    printer: str | None
    copies: int
    state: Literal["waiting", "printed", "failed", "no_printer"]
    problem: str | None = Field(description="Why it is not printed, and what to do")
    printed: int = Field(description="How often")
    printed_at: datetime | None
    created_at: datetime
    created_by: str


_LABEL = """select l.id, l.kind, l.subject_id, l.title, p.code as printer, l.copies, l.state, l.problem, l.printed, l.printed_at,
                   l.created_at, l.created_by from label l left join printer p on p.id = l.printer_id"""


def _label(conn: Db, site_id: UUID, label_id: UUID) -> LabelOut:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(
            f"{_LABEL} where l.site_id = %s and l.id = %s".encode(), [site_id, label_id]
        ).fetchone()
    if row is None:
        raise NotFound("There is no such label at this site.")
    return LabelOut(**row)


@router.get("/labels", response_model=Page[LabelOut])
def list_labels(
    conn: Db,
    site: Site,
    state: Literal["waiting", "printed", "failed", "no_printer"] | None = None,
    subject_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LabelOut]:
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""{_LABEL} where l.site_id = %s and (%s::text is null or l.state = %s) and (%s::uuid is null or l.subject_id = %s)
                and (%s::uuid is null or l.id < %s) order by l.id desc limit %s""".encode(),
            [
                site,
                state,
                state,
                subject_id,
                subject_id,
                after,
                after,
                limit + 1,
            ],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: LabelOut(**r))


class NewLabel(BaseModel):
    kind: Kind
    ref: UUID = Field(description="License plate (sscc, packing_list), item or place")
    printer: Text | None = None
    copies: Annotated[int, Field(ge=1, le=100)] = 1
    lot: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[!-z]+$")] | None = None
    expires_on: date | None = None
    serial: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[!-z]+$")] | None = None


@router.post("/labels", response_model=LabelOut, status_code=201, dependencies=[allow("worker")])
def create_label(body: NewLabel, conn: Db, ctx: Ctx) -> LabelOut:
    label_id = print_label(
        conn, ctx, body.kind, body.ref, printer=body.printer, copies=body.copies,
        item_of=ItemOf(body.lot, body.expires_on, body.serial),
    )  # fmt: skip
    return _label(conn, ctx.site_id, label_id)


class Reprint(BaseModel):
    printer: Text | None = None


@router.post("/labels/{label_id}/reprint", response_model=LabelOut, dependencies=[allow("worker")])
def reprint_label(label_id: UUID, body: Reprint, conn: Db, ctx: Ctx) -> LabelOut:
    print_again(conn, ctx, label_id, printer=body.printer)
    return _label(conn, ctx.site_id, label_id)


@router.get(
    "/labels/{label_id}/zpl",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_label_zpl(label_id: UUID, conn: Db, site: Site) -> PlainTextResponse:
    row = conn.execute("select zpl from label where site_id = %s and id = %s", [site, label_id]).fetchone()
    if row is None:
        raise NotFound("There is no such label at this site.")
    return PlainTextResponse(row[0])


# --- printers ---------------------------------------------------------------------------------------------


class Printer(BaseModel):
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
    kind: Literal["folder", "raw_tcp"]
    target: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00]+$")] = Field(
        description="An existing folder on the worker's machine, or host:port"
    )
    is_default: bool = False
    active: bool = True


@router.get("/printers", response_model=Page[Printer])
def list_printers(
    conn: Db, site: Site, q: Annotated[str, Query(max_length=60)] = "", limit: Limit = 100
) -> Page[Printer]:
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            "select * from printer where site_id = %s and position(lower(%s) in lower(code)) > 0 order by code limit %s",
            [site, q.replace("\0", ""), limit],
        ).fetchall()
    return Page(items=[Printer(**r) for r in rows])


@router.put("/printers", response_model=Printer, dependencies=[allow("admin")])
def put_printer(body: Printer, conn: Db, ctx: Ctx) -> Printer:
    """Adds a printer, or changes the one of this code."""
    _check_target(body)
    if body.is_default:
        conn.execute(
            "update printer set is_default = false where site_id = %s and code <> %s and is_default",
            [ctx.site_id, body.code],
        )
    values: list[Any] = [body.kind, body.target, body.is_default, body.active]
    conn.execute(
        """insert into printer (id, site_id, code, kind, target, is_default, active) values (%s, %s, %s, %s, %s, %s, %s)
           on conflict on constraint printer_code_unique do update set kind = excluded.kind, target = excluded.target,
               is_default = excluded.is_default, active = excluded.active, version = printer.version + 1""",
        [new_id(), ctx.site_id, body.code, *values],
    )
    return body


def _check_target(body: Printer) -> None:
    if body.kind == "folder" and not (Path(body.target).is_absolute() and Path(body.target).is_dir()):
        raise Invalid("The folder must be there already; give its full path.", field="target")
    if body.kind == "raw_tcp":
        port = re.fullmatch(r"\[?[A-Za-z0-9_.:\-]+\]?:(\d{1,5})", body.target)
        if port is None or not 0 < int(port[1]) < 65536:
            raise Invalid("Give host:port, such as 192.0.2.7:9100.", field="target")
