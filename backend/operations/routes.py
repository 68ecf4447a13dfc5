"""The jobs, over HTTP: what waits, what failed and why it may be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from psycopg.rows import class_row
from pydantic import BaseModel

from backend import api
from backend.api import Ctx, Db, Who, allow
from backend.errors import Conflict, NotFound
from backend.paging import Cursor, Limit, Page, int_cursor, page_of

router = api.router(tags=["operations"])

JobState = Literal["todo", "doing", "succeeded", "failed", "cancelled", "aborted"]


class Job(BaseModel):
    id: int
    task: str
    state: JobState
    args: dict[str, Any]
    attempts: int
    scheduled_at: datetime | None
    last_event_at: datetime | None


@dataclass(frozen=True)
class _JobRow:
    id: int
    task: str
    state: JobState
    args: dict[str, Any]
    attempts: int
    scheduled_at: datetime | None
    last_event_at: datetime | None


_JOB = """select j.id, j.task_name as task, j.status::text as state, j.args, j.attempts, j.scheduled_at,
                 (select max(e.at) from procrastinate_events e where e.job_id = j.id) as last_event_at
          from procrastinate_jobs j where (%s::uuid is null or coalesce(j.args ->> 'site_id', %s::text) = %s::text)"""
"""Who works at one site sees its jobs and those that are of no site."""


@router.get("/jobs", response_model=Page[Job], dependencies=[allow("integrator")])
def list_jobs(
    conn: Db,
    who: Who,
    state: JobState | None = None,
    task: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Job]:
    before = int_cursor(cursor)
    with conn.cursor(row_factory=class_row(_JobRow)) as cur:
        rows = cur.execute(
            f"""{_JOB} and (%s::text is null or j.status::text = %s) and (%s::text is null or j.task_name = %s)
                and (%s::bigint is null or j.id < %s) order by j.id desc limit %s""".encode(),
            [*[who.site_id] * 3, state, state, task, task, before, before, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.id], lambda r: Job(**r.__dict__))


@router.post("/jobs/{job_id}/retry", response_model=Job, dependencies=[allow("integrator")])
def retry_job(job_id: Annotated[int, Path(ge=1, lt=2**63)], conn: Db, ctx: Ctx, who: Who) -> Job:
    """A failed job waits again and has all its tries anew."""
    row = conn.execute(
        """select status::text from procrastinate_jobs where id = %s
           and (%s::uuid is null or coalesce(args ->> 'site_id', %s::text) = %s::text) for update""",
        [job_id, *[who.site_id] * 3],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such job.")
    if row[0] != "failed":
        raise Conflict(f"This job is {row[0]}; only a failed one can be tried again.")
    conn.execute(
        "update procrastinate_jobs set status = 'todo', attempts = 0, scheduled_at = %s, worker_id = null where id = %s",
        [ctx.now, job_id],
    )
    with conn.cursor(row_factory=class_row(_JobRow)) as cur:
        job = cur.execute(f"{_JOB} and j.id = %s".encode(), [*[who.site_id] * 3, job_id]).fetchone()
    assert job is not None
    return Job(**job.__dict__)
