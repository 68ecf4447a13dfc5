"""What follows from a change of stock: waiting orders get theirs, and what runs low is ordered.

The ledger writes one job with every posting; the consequences run after the commit, in this order. To add one:
a line in `CONSEQUENCES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from backend import jobs, orders, replenishment
from backend.context import system_context
from backend.db import Conn

CONSEQUENCES: list[Callable[..., Any]] = [orders.allocate_waiting, replenishment.check]
"""Functions `(conn, ctx, item_ids)`."""


@jobs.task("stock_changed", what="Reserving and reordering after a stock change")
def stock_changed(conn: Conn, site_id: str, item_ids: list[str], correlation_id: str) -> None:
    ctx = system_context("job:stock_changed", UUID(site_id), correlation_id)
    items = [UUID(i) for i in item_ids]
    for consequence in CONSEQUENCES:
        consequence(conn, ctx, items)
