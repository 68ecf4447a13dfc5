"""Delivering: one attempt per due delivery, the first of each subject only, with back-off in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from psycopg.rows import class_row
from standardwebhooks import Webhook

from backend.db import Conn
from backend.live.announce import announce

BACK_OFF = [timedelta(seconds=s) for s in (5, 30, 120, 600, 3600, 6 * 3600)]
GIVE_UP_AFTER = timedelta(days=3)
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class _Due:
    site_id: UUID
    id: UUID
    subscription_id: UUID
    url: str
    secret: str
    attempts: int
    event_id: UUID
    type: str
    subject: str
    data: dict[str, Any]
    occurred_at: datetime
    correlation_id: str
    site_code: str


def deliver_due(conn: Conn, send: Callable[..., httpx.Response], *, limit: int = 200) -> int:
    """Attempts what is due, in transactions of its own (`conn` in autocommit); returns how many were tried."""
    tried = 0
    while tried < limit:
        due = _due(conn)
        if not due:
            return tried
        for d in due:
            _attempt(conn, d, send)
            tried += 1
    return tried


def _due(conn: Conn) -> list[_Due]:
    with conn.cursor(row_factory=class_row(_Due)) as cur:
        return cur.execute(
            """select d.site_id, d.id, d.subscription_id, s.url, s.secret, d.attempts, d.event_id, e.type, d.subject, e.data,
                      e.occurred_at, e.correlation_id, site.code as site_code
               from webhook_delivery d join webhook_subscription s on s.id = d.subscription_id and s.active
                    join webhook_event e on (e.site_id, e.id) = (d.site_id, d.event_id) join site on site.id = d.site_id
               where d.state = 'waiting' and d.next_try_at <= clock_timestamp() and not exists (
                   select 1 from webhook_delivery f where f.subscription_id = d.subscription_id and f.subject = d.subject
                      and f.state = 'waiting' and f.id < d.id)
               order by d.id limit 50"""
        ).fetchall()


def _attempt(conn: Conn, d: _Due, send: Callable[..., httpx.Response]) -> None:
    now = datetime.now(UTC)
    body = json.dumps(cloud_event(d), separators=(",", ":"))
    headers = {
        "content-type": "application/cloudevents+json",
        "webhook-id": str(d.event_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(d.secret).sign(str(d.event_id), now, body),
    }
    status, words = None, ""
    try:
        answer = send(d.url, content=body, headers=headers)
        status, words = answer.status_code, answer.text[:500]
    except httpx.HTTPError as e:
        words = f"{type(e).__name__}: {e}"
    except (httpx.InvalidURL, ValueError) as e:
        words = f"the address cannot be used: {e}"
    taken = status is not None and 200 <= status < 300
    wait = BACK_OFF[min(d.attempts, len(BACK_OFF) - 1)]
    with conn.transaction():
        if status == 410:
            conn.execute(
                "update webhook_subscription set active = false, disabled_because = %s where id = %s",
                ["the receiver answered 410 Gone", d.subscription_id],
            )
        conn.execute(
            """update webhook_delivery set attempts = attempts + 1, last_status = %(status)s, last_words = %(words)s,
                   delivered_at = case when %(taken)s then clock_timestamp() end,
                   state = case when %(taken)s then 'delivered' when %(occurred)s < clock_timestamp() - %(give_up)s::interval then 'parked' else 'waiting' end,
                   next_try_at = clock_timestamp() + %(wait)s
               where site_id = %(site)s and id = %(id)s""",
            {"status": status, "words": words.replace("\x00", ""), "taken": taken, "occurred": d.occurred_at, "give_up": GIVE_UP_AFTER,
             "wait": wait, "site": d.site_id, "id": d.id},
        )  # fmt: skip
        announce(conn, d.site_id, "deliveries", d.id)


def cloud_event(d: _Due) -> dict[str, Any]:
    """CloudEvents 1.0, structured mode."""
    return {
        "specversion": "1.0",
        "id": str(d.event_id),
        "source": f"/sites/{d.site_code}",
        "type": f"stowage.{d.type}",
        "subject": d.subject,
        "time": d.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "correlationid": d.correlation_id,
        "data": d.data,
    }
