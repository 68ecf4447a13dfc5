"""What has left of an order's lines, told by shipping, and what came back undelivered, told by dispatch."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from backend.context import Context
from backend.db import Conn


def record_shipped(conn: Conn, ctx: Context, line_id: UUID, quantity: Decimal) -> None:
    """The line's goods are with the customer. The caller holds the order and consumed the reservation."""
    conn.execute(
        "update sales_order_line set shipped = shipped + %s where site_id = %s and id = %s",
        [quantity, ctx.site_id, line_id],
    )


def record_came_back(conn: Conn, ctx: Context, line_id: UUID, quantity: Decimal) -> None:
    """It left and met nobody: it is not with the customer. The caller holds the order and promises the goods again."""
    conn.execute(
        "update sales_order_line set shipped = shipped - %s where site_id = %s and id = %s",
        [quantity, ctx.site_id, line_id],
    )
