"""Jobs that failed: what the last try said, and an alert for as long as one waits for a person.

The worker calls `note` after a try that failed and `worked` after a clock's run that did not. One alert a kind of
work and site. A clock's next good run does what a failed one left undone, so that of a clock one failed run is
kept at most, and none once it works again.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from backend import telemetry
from backend.context import system_context
from backend.db import Conn
from backend.jobs import Task

ALERT = "job_failed"
LONGEST = 500


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


def worked(conn: Conn, clock: str) -> None:
    """A run of this clock was good. Without an open alert there is nothing to do."""
    with conn.transaction():
        if _sites_alerted(conn, clock):
            _forget_failed_runs(conn, clock)
            settle(conn, clock)


def settle(conn: Conn, task: str) -> None:
    """Closes the alert at every site where no failed job of this work waits any more."""
    for site_id in _sites_alerted(conn, task):
        waits = conn.execute(
            """select 1 from procrastinate_jobs where task_name = %s and status = 'failed'
               and coalesce(args ->> 'site_id', %s) = %s limit 1""",
            [task, str(site_id), str(site_id)],
        ).fetchone()
        if waits is None:
            telemetry.close_alert(conn, system_context(f"job:{task}", site_id), ALERT, task)


def words_of(error: BaseException) -> str:
    """In one line: our own sentences as they are, others with the name of their kind before them."""
    text = " ".join(str(error).split())
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
