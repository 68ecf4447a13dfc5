"""Writing an event down, in the transaction that caused it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from backend import jobs
from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from backend.live.announce import announce

TYPES = {
    "item.stop_recommending": "Too little is left to promise; stop recommending the item",
    "item.back_in_stock": "Enough can be promised again",
    "order.accepted": "A customer order was taken and stock reserved, as far as it went",
    "order.shipped": "The goods of an order have left",
    "order.delivered": "All that a vehicle brought of an order was handed over, with the proof",
    "order.partly_delivered": "Some of it was handed over, the rest was not taken, with the proof",
    "order.refused": "Nothing was taken, with the reason",
    "delivery.planned": "A vehicle was told to bring it, with the time the customer may expect it",
    "delivery.out_for_delivery": "A vehicle has left with it, with the customer's link",
    "delivery.arriving": "The vehicle is on its way to this customer, with the time and the link",
    "delivery.late": "It is foreseen to come after its window",
    "delivery.nobody_there": "Nobody was there; a further attempt follows",
    "order.cancelled": "A customer order was cancelled",
    "receipt.closed": "A delivery was received, with what was over and short",
}
"""Every event type there is, and what it says."""


def emit(conn: Conn, ctx: Context, type_: str, subject: str, data: dict[str, Any]) -> UUID:
    """`subject` orders deliveries: events about one subject arrive one after another."""
    if type_ not in TYPES:
        raise ValueError(f"unknown event type {type_}; add it to TYPES")
    event_id = new_id()
    conn.execute(
        """insert into webhook_event (site_id, id, type, subject, data, occurred_at, correlation_id)
           values (%s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, event_id, type_, subject, Jsonb(data), ctx.now, ctx.correlation_id],
    )
    subscribers = conn.execute(
        "select id from webhook_subscription where site_id = %s and active and (types = '{}' or %s = any(types)) order by id",
        [ctx.site_id, type_],
    ).fetchall()
    for (subscription_id,) in subscribers:
        conn.execute(
            "insert into webhook_delivery (site_id, id, event_id, subscription_id, subject) values (%s, %s, %s, %s, %s)",
            [ctx.site_id, new_id(), event_id, subscription_id, subject],
        )
    if subscribers:
        jobs.defer(conn, "webhooks_deliver", lock="webhooks_deliver")
        announce(conn, ctx.site_id, "deliveries", event_id)
    return event_id
