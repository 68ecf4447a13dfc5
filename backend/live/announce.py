"""Saying, at commit, that something changed. One small NOTIFY; whoever cares fetches."""

from __future__ import annotations

import json
from uuid import UUID

from backend.db import Conn

CHANNEL = "stowage_live"
TOPICS = (
    "stock", "movements", "receipts", "orders", "tasks", "postings", "discrepancies", "alerts", "devices", "sensors",
    "floor", "replenishment", "deliveries", "positions",
)  # fmt: skip


def announce(conn: Conn, site_id: UUID, topic: str, subject: UUID | str | None = None) -> None:
    """Part of the transaction: nobody hears of what was rolled back. The same hint twice in one is sent once."""
    if topic not in TOPICS:
        raise ValueError(f"unknown live topic {topic}")
    hint = json.dumps({"topic": topic, "site": str(site_id), "id": None if subject is None else str(subject)})
    conn.execute("select pg_notify(%s, %s)", [CHANNEL, hint])
