"""Jobs of orders: promises on lots that expired are made anew."""

from __future__ import annotations

from backend import jobs
from backend.context import system_context
from backend.db import Conn
from backend.orders.allocate import reallocate_expired


@jobs.task("reallocate_expired_lots", what="Promising other stock for expired lots", cron="7 * * * *")
def reallocate_expired_lots(conn: Conn, **_: object) -> None:
    """Hourly: midnight comes at another hour in each site's time zone."""
    for (site_id,) in conn.execute("select id from site order by id").fetchall():
        reallocate_expired(conn, system_context("job:reallocate_expired_lots", site_id))
