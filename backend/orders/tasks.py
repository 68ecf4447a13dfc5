"""Jobs of orders: serving what waits, for whoever changed much stock at once."""

from __future__ import annotations

from uuid import UUID

from backend import jobs
from backend.context import system_context
from backend.db import Conn
from backend.orders.allocate import allocate_waiting


@jobs.task("allocate_waiting")
def allocate_waiting_orders(
    conn: Conn, site_id: str, item_ids: list[str], correlation_id: str | None = None
) -> None:
    ctx = system_context("job:allocate_waiting", UUID(site_id), correlation_id)
    allocate_waiting(conn, ctx, [UUID(i) for i in item_ids])
