"""Receiving's jobs: portal receipts close by themselves after silence."""

from __future__ import annotations

from datetime import UTC, datetime

from backend import jobs
from backend.context import system_context
from backend.db import Conn
from backend.receiving.close import close_silent


@jobs.task("receiving_close_silent", what="Closing receipts at quiet doors", cron="* * * * * */15", retries=1)
def close_silent_receipts(conn: Conn) -> None:
    for (site_id,) in conn.execute("select id from site order by id").fetchall():
        close_silent(conn, system_context("job:receiving_close_silent", site_id), datetime.now(UTC))
