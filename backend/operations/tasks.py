"""Retention: what nobody needs any more goes, a bounded number of rows at a time.

How long each table keeps its rows is in `KEEP`; telemetry has its own (`backend/telemetry/tasks.py`). The ledger,
the audit trail and what stands on documents stay for ever.
"""

from __future__ import annotations

from datetime import timedelta

from backend import jobs
from backend.db import Conn
from backend.operations import failures

BATCH = 5000

KEEP: list[tuple[str, str, timedelta]] = [
    # table, which rows may go once their age is past, how long
    ("idempotency_key", "expires_at < now() - %s", timedelta(0)),
    ("access_token", "kind = 'session' and coalesce(revoked_at, expires_at) < now() - %s", timedelta(days=7)),
    ("failed_login", "at < now() - %s", timedelta(days=1)),
    ("ingress_receipt", "seen_at < now() - %s", timedelta(days=2)),
    ("device_event", "type in ('frame_rejected', 'device_state_changed') and recorded_at < now() - %s", timedelta(days=30)),
    ("device_event", "recorded_at < now() - %s", timedelta(days=400)),
    ("device_command", "asked_at < now() - %s", timedelta(days=90)),
    ("dead_letter", "state <> 'open' and settled_at < now() - %s", timedelta(days=90)),
    ("alert", "state = 'closed' and closed_at < now() - %s", timedelta(days=400)),
    ("procrastinate_jobs", """status in ('succeeded', 'cancelled', 'aborted')
        and (select max(at) from procrastinate_events e where e.job_id = procrastinate_jobs.id) < now() - %s""", timedelta(hours=2)),
    ("procrastinate_jobs", """status = 'failed'
        and (select max(at) from procrastinate_events e where e.job_id = procrastinate_jobs.id) < now() - %s""", timedelta(days=90)),
    ("job_failure", "last_at < now() - %s", timedelta(days=100)),
]  # fmt: skip


@jobs.task(
    "retention", what="Deleting what is too old", cron="*/10 * * * *", retries=1, owns_transaction=True
)
def retention(conn: Conn) -> None:
    for table, condition, age in KEEP:
        delete_old(conn, table, condition, age)
    failures.settle_all(conn)


def delete_old(conn: Conn, table: str, condition: str, age: timedelta, batch: int = BATCH) -> int:
    """In transactions of their own, so that nobody waits long for a lock."""
    deleted = 0
    while True:
        done = conn.execute(
            f"delete from {table} where ctid = any(array(select ctid from {table} where {condition} limit {batch}))".encode(),
            [age],
        ).rowcount
        deleted += done
        if done < batch:
            return deleted
