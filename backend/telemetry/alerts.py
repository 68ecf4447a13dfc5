"""Alerts: something a person should look at. Open, acknowledged by somebody, closed when it is over.

One open alert a kind and subject: raising it again changes its words, not its age. Most close themselves when
the cause is gone; those of `CLOSED_BY_HAND` have no end of their own and close when they are acknowledged.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.live.announce import announce

CLOSED_BY_HAND = ("events_lost", "device_clock", "erp_sale_changed")


def open_alert(
    conn: Conn,
    ctx: Context,
    kind: str,
    subject: str,
    message: str,
    *,
    severity: str = "warning",
    agent_id: UUID | None = None,
    device_id: UUID | None = None,
    place_id: UUID | None = None,
    data: dict[str, Any] | None = None,
) -> UUID:
    """Opens it, or refreshes the words of the one that is open. `subject` is unique within the kind."""
    alert_id = new_id()
    row = conn.execute(
        """insert into alert as a (id, site_id, kind, subject, severity, message, agent_id, device_id, place_id, data, opened_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (site_id, kind, subject) where state <> 'closed' do update
               set message = excluded.message, data = excluded.data, severity = excluded.severity, updated_at = clock_timestamp()
           returning id, (xmax = 0) as is_new""",
        [alert_id, ctx.site_id, kind, subject, severity, message, agent_id, device_id, place_id, Jsonb(data or {}), ctx.now],
    ).fetchone()  # fmt: skip
    assert row is not None
    if row[1]:
        announce(conn, ctx.site_id, "alerts", row[0])
    return UUID(str(row[0]))


def close_alert(conn: Conn, ctx: Context, kind: str, subject: str) -> bool:
    """The cause is gone. False where none was open."""
    row = conn.execute(
        """update alert set state = 'closed', closed_at = %s, updated_at = clock_timestamp()
           where site_id = %s and kind = %s and subject = %s and state <> 'closed' returning id""",
        [ctx.now, ctx.site_id, kind, subject],
    ).fetchone()
    if row is not None:
        announce(conn, ctx.site_id, "alerts", row[0])
    return row is not None


def acknowledge(conn: Conn, ctx: Context, alert_id: UUID) -> None:
    """Somebody has seen it. Twice is once. Raises NotFound; Conflict where it is over already."""
    row = conn.execute(
        "select kind, state from alert where id = %s and site_id = %s for update", [alert_id, ctx.site_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such alert at this site.")
    kind, state = row
    if state == "closed":
        raise Conflict("This alert is over already; there is nothing to acknowledge.")
    if state == "acknowledged":
        return
    by_hand = kind in CLOSED_BY_HAND
    conn.execute(
        """update alert set state = %s, acknowledged_at = %s, acknowledged_by = %s, closed_at = %s, updated_at = clock_timestamp()
           where id = %s""",
        [
            "closed" if by_hand else "acknowledged",
            ctx.now,
            ctx.actor,
            ctx.now if by_hand else None,
            alert_id,
        ],
    )
    announce(conn, ctx.site_id, "alerts", alert_id)
