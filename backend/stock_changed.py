"""What follows from a change of stock: waiting orders get theirs, and what runs low is ordered.

The ledger writes one job with every posting; the consequences run after the commit, in this order. To add one:
a line in `CONSEQUENCES`.
"""

from __future__ import annotations

import importlib
from typing import Any
from uuid import UUID

from backend import jobs
from backend.context import system_context
from backend.db import Conn

CONSEQUENCES = ["backend.orders:allocate_waiting", "backend.replenishment:check"]
"""Functions `(conn, ctx, item_ids)`."""


@jobs.task("stock_changed")
def stock_changed(conn: Conn, site_id: str, item_ids: list[str], correlation_id: str) -> None:
    ctx = system_context("job:stock_changed", UUID(site_id), correlation_id)
    items = [UUID(i) for i in item_ids]
    for dotted in CONSEQUENCES:
        module, _, name = dotted.partition(":")
        consequence: Any = getattr(importlib.import_module(module), name)
        consequence(conn, ctx, items)
