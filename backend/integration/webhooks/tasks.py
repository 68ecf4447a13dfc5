"""Jobs of the webhooks: deliver at once when an event was written, and sweep every minute for what is due again."""

from __future__ import annotations

import httpx

from backend import jobs
from backend.db import Conn
from backend.integration.webhooks.deliver import TIMEOUT_S, deliver_due


@jobs.task("webhooks_deliver", what="Telling others by webhook", owns_transaction=True)
def webhooks_deliver(conn: Conn) -> None:
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
        deliver_due(conn, client.post)


@jobs.task(
    "webhooks_sweep", what="Telling others by webhook once more", cron="*/10 * * * * *", owns_transaction=True
)
def webhooks_sweep(conn: Conn) -> None:
    webhooks_deliver(conn)


@jobs.task("webhooks_forget", what="Deleting old webhook events", cron="17 3 * * *")
def webhooks_forget(conn: Conn) -> None:
    """Delivered events are kept for 90 days."""
    conn.execute(
        "delete from webhook_delivery where state = 'delivered' and delivered_at < now() - interval '90 days'"
    )
    conn.execute(
        """delete from webhook_event e where occurred_at < now() - interval '90 days'
           and not exists (select 1 from webhook_delivery d where (d.site_id, d.event_id) = (e.site_id, e.id))"""
    )
