"""What happened to a route or a job, in order, with who did it: one line each, never changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from backend.live.announce import announce


def note(
    conn: Conn,
    ctx: Context,
    what: str,
    detail: str,
    *,
    route_id: UUID | None = None,
    job_id: UUID | None = None,
    evidence: dict[str, Any] | None = None,
) -> None:
    """Also tells the screens."""
    conn.execute(
        """insert into delivery_event (site_id, id, route_id, job_id, at, actor, what, detail, evidence)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, new_id(), route_id, job_id, ctx.now, ctx.actor, what, detail, Jsonb(evidence or {})],
    )
    announce(conn, ctx.site_id, "deliveries", route_id or job_id)
