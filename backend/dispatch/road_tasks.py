"""What the worker does for routes under way: looks after silent vehicles, and takes ended links out of the outbox."""

from __future__ import annotations

from datetime import UTC, datetime

from backend import jobs
from backend.context import system_context
from backend.db import Conn
from backend.dispatch import positions, tracking


@jobs.task("watch_vehicles", what="Watching for silent vehicles", cron="* * * * *")
def watch_vehicles(conn: Conn, **_: object) -> None:
    sites = conn.execute(
        "select distinct site_id from delivery_route where state = 'under_way' order by site_id"
    ).fetchall()
    for (site_id,) in sites:
        positions.watch(conn, system_context("job:watch_vehicles", site_id))


@jobs.task("forget_told_links", what="Deleting ended tracking links", cron="17 * * * *")
def forget_told_links(conn: Conn, **_: object) -> None:
    tracking.forget_told_links(conn, datetime.now(UTC))
