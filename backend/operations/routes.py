"""The jobs, over HTTP: what waits, what failed and why it may be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from backend import api, jobs, worker
from backend.api import Ctx, Db, Who, allow
from backend.errors import Conflict, Invalid, NotFound, register
from backend.operations import failures
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of

router = api.router(tags=["operations"])
register({
    "procrastinate_jobs_queueing_lock_idx_v1": (
        Conflict, "The next run of this work waits already; it does what the failed one left undone.", None
    ),
})  # fmt: skip

JobState = Literal["todo", "doing", "succeeded", "failed", "cancelled", "aborted"]


class Job(BaseModel):
    id: int
    task: str
    what: str = Field(description="What this work is for, in words")
    state: JobState
    args: dict[str, Any]
    attempts: int
    asked_at: datetime | None
    scheduled_at: datetime | None
    last_event_at: datetime | None
    failing_since: datetime | None
    error: str | None = Field(description="What its last try said, while it is not done")


@dataclass(frozen=True)
class _JobRow:
    id: int
    task: str
    state: JobState
    args: dict[str, Any]
    attempts: int
    asked_at: datetime | None
    scheduled_at: datetime | None
    last_event_at: datetime | None
    failing_since: datetime | None
    error: str | None
    is_failed: int


_JOB = """select j.id, j.task_name as task, j.status::text as state, j.args, j.attempts, j.scheduled_at,
                 (select min(e.at) from procrastinate_events e where e.job_id = j.id) as asked_at,
                 (select max(e.at) from procrastinate_events e where e.job_id = j.id) as last_event_at,
                 f.first_at as failing_since, f.error, (j.status = 'failed')::int as is_failed
          from procrastinate_jobs j
               {failing} join job_failure f on f.job_id = j.id and j.status in ('todo', 'doing', 'failed')
          where (%s::uuid is null or coalesce(j.args ->> 'site_id', %s::text) = %s::text)"""
"""Who works at one site sees its jobs and those that are of no site."""


def _job(row: _JobRow) -> Job:
    known = jobs.TASKS.get(row.task)
    fields = {name: value for name, value in row.__dict__.items() if name != "is_failed"}
    return Job(**fields, what=known.what if known and known.what else row.task)


@router.get("/jobs", response_model=Page[Job], dependencies=[allow("integrator")])
def list_jobs(
    conn: Db,
    who: Who,
    state: JobState | None = None,
    task: Annotated[str | None, Query(max_length=100)] = None,
    failing: Annotated[bool, Query(description="Only those whose last try failed")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Job]:
    """Those that failed for good first, then the newest."""
    worker.load_tasks()
    before = _before(cursor)
    with conn.cursor(row_factory=class_row(_JobRow)) as cur:
        rows = cur.execute(
            f"""{_JOB.format(failing="" if failing else "left")}
                and (%s::text is null or j.status::text = %s) and (%s::text is null or j.task_name = %s)
                and (%s::bigint is null or ((j.status = 'failed')::int, j.id) < (%s, %s))
                order by is_failed desc, j.id desc limit %s""".encode(),
            [*[who.site_id] * 3, state, state, task, task, before[1], *before, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.is_failed, r.id], _job)


def _before(cursor: str | None) -> tuple[int, int] | tuple[None, None]:
    values = decode_cursor(cursor, 2)
    try:
        found = (int(values[0]), int(values[1])) if values else (None, None)
    except ValueError as e:
        raise Invalid("The cursor is of another list; start without it.", field="cursor") from e
    if found[1] is not None and not (found[0] in (0, 1) and 0 <= found[1] < 2**63):
        raise Invalid("The cursor is of another list; start without it.", field="cursor")
    return found


@router.post("/jobs/{job_id}/retry", response_model=Job, dependencies=[allow("integrator")])
def retry_job(job_id: Annotated[int, Path(ge=1, lt=2**63)], conn: Db, ctx: Ctx, who: Who) -> Job:
    """A failed job waits again and has all its tries anew. A clock's is refused where its next run waits already."""
    row = conn.execute(
        """select status::text, task_name from procrastinate_jobs where id = %s
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
    failures.settle(conn, row[1])
    worker.load_tasks()
    with conn.cursor(row_factory=class_row(_JobRow)) as cur:
        found = cur.execute(
            f"{_JOB.format(failing='left')} and j.id = %s".encode(), [*[who.site_id] * 3, job_id]
        ).fetchone()
    assert found is not None
    return _job(found)
