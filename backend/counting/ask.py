"""Asking for a count. Whoever doubts a bin asks; the same question is open once."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from backend.live.announce import announce

ZERO = Decimal(0)


def open_count(
    conn: Conn,
    ctx: Context,
    place_id: UUID,
    item_id: UUID | None,
    *,
    reason: str,
    tolerance: Decimal = ZERO,
    discrepancy_id: UUID | None = None,
) -> UUID:
    """A count task; where the same question is open already, that one."""
    row = conn.execute(
        """insert into count_task (site_id, id, place_id, item_id, reason, tolerance, discrepancy_id, created_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (site_id, place_id, item_id) where state in ('open', 'recount', 'to_approve')
           do update set discrepancy_id = coalesce(count_task.discrepancy_id, excluded.discrepancy_id)
           returning id""",
        [ctx.site_id, new_id(), place_id, item_id, reason, tolerance, discrepancy_id, ctx.actor],
    ).fetchone()
    assert row is not None
    announce(conn, ctx.site_id, "tasks", row[0])
    return UUID(str(row[0]))
