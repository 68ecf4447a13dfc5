"""Jobs that failed: what the last try said, and an alert for as long as one waits for a person.

The worker calls `note` after a try that failed and `worked` after one that did not. One alert a kind of work and
site. A clock's next good run does what a failed one left undone, so that of a clock one failed run is kept at
most, and none once it works again.
"""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from backend import telemetry
from backend.context import system_context
from backend.db import Conn
from backend.jobs import Task

ALERT = "job_failed"
LONGEST = 500
_SECRET = re.compile(r"(://)[^\s/]*(?=@)|((?:password|passwd|secret|token|key)=)[^\s&'\"]+", re.IGNORECASE)


def note(
    conn: Conn,
    job_id: int,
    task: Task,
    site_id: UUID | None,
    error: BaseException,
    now: datetime,
    *,
    tries: int,
    for_good: bool,
) -> None:
    """`site_id`: of the job; without one every site is told. `for_good`: nobody tries it again by itself."""
    said = words_of(error)
    conn.execute(
        """insert into job_failure (job_id, first_at, last_at, error) values (%s, %s, %s, %s)
           on conflict (job_id) do update set last_at = excluded.last_at, error = excluded.error""",
        [job_id, now, now, said],
    )
    if not for_good:
        return
    if task.cron is not None:
        _forget_failed_runs(conn, task.name)
    sites = (
        [site_id] if site_id else [r[0] for r in conn.execute("select id from site order by id").fetchall()]
    )
    for site in sites:
        telemetry.open_alert(
            conn, system_context(f"job:{task.name}", site), ALERT, task.name,
            f"{task.what or task.name} failed after {tries} tries: {said}", data={"job_id": job_id},
        )  # fmt: skip


def hand_on(conn: Conn, clock: Task, tries: int) -> int | None:
    """The clock's run that waits, which has these tries behind it now; None where none waits."""
    row = conn.execute(
        """update procrastinate_jobs set attempts = greatest(attempts, %s)
           where queueing_lock = %s and status = 'todo' returning id""",
        [tries, clock.name],
    ).fetchone()
    return row[0] if row else None


def worked(conn: Conn, task: Task, job_id: int) -> None:
    """A try of this job was good; the queue does not know it yet. Without an open alert there is nothing to do."""
    if not _sites_alerted(conn, task.name):
        return
    with conn.transaction():
        if task.cron is not None:
            _forget_failed_runs(conn, task.name)
        settle(conn, task.name, but=job_id)


def settle(conn: Conn, task: str, *, but: int | None = None) -> None:
    """Closes the alert at every site where no failed job of this work waits any more, `but` left aside. One that the worker
    noted and the queue still calls running is failed in a moment, or taken again where the worker was killed."""
    for site_id in _sites_alerted(conn, task):
        waits = conn.execute(
            """select 1 from procrastinate_jobs j where task_name = %s and coalesce(args ->> 'site_id', %s) = %s
               and (status = 'failed' or (status = 'doing' and exists (
                   select 1 from job_failure f where f.job_id = j.id and f.last_at > now() - interval '2 minutes')))
               and id is distinct from %s limit 1""",
            [task, str(site_id), str(site_id), but],
        ).fetchone()
        if waits is None:
            telemetry.close_alert(conn, system_context(f"job:{task}", site_id), ALERT, task)


def settle_all(conn: Conn) -> None:
    """For failed jobs that were deleted for their age."""
    tasks = conn.execute(
        "select distinct subject from alert where kind = %s and state <> 'closed'", [ALERT]
    ).fetchall()
    for (task,) in tasks:
        with conn.transaction():
            settle(conn, task)


def words_of(error: BaseException) -> str:
    """In one line that can be kept, without secrets: our own sentences as they are, others with the name of their kind before."""
    text = " ".join(str(error).replace("\x00", "").encode(errors="replace").decode().split())
    text = _SECRET.sub(lambda found: f"{found[1] or found[2]}…", text)
    ours = type(error).__module__.partition(".")[0] in ("backend", "routing", "device_drivers", "edge")
    if text == "" or not (ours or isinstance(error, RuntimeError | OSError)):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _sites_alerted(conn: Conn, task: str) -> list[UUID]:
    rows = conn.execute(
        "select site_id from alert where kind = %s and subject = %s and state <> 'closed' order by site_id",
        [ALERT, task],
    ).fetchall()
    return [r[0] for r in rows]


def _forget_failed_runs(conn: Conn, clock: str) -> None:
    conn.execute(
        "update procrastinate_jobs set status = 'cancelled' where task_name = %s and status = 'failed'",
        [clock],
    )
