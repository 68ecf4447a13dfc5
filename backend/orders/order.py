"""An order as it stands: its head, its lines and how far each is. Reads, and the one lock everybody takes first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn
from backend.errors import NotFound


@dataclass(frozen=True)
class OrderLine:
    """Quantities in base units. quantity = waiting + allocated + picked + packed + loaded + shipped."""

    id: UUID
    order_id: UUID
    position: int
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    pack_id: UUID | None
    pack_name: str | None
    pack_units: Decimal
    quantity: Decimal
    waiting: Decimal
    allocated: Decimal
    picked: Decimal
    packed: Decimal
    loaded: Decimal
    shipped: Decimal
    external_id: str | None
    version: int


@dataclass(frozen=True)
class Order:
    id: UUID
    number: str
    source: str
    external_number: str
    customer_id: UUID
    customer_code: str
    customer_name: str
    state: str
    priority: int
    due_at: datetime
    ship_to: dict[str, Any]
    note: str
    erp_id: str | None
    erp_number: str | None
    wave_id: UUID | None
    received_at: datetime
    shipped_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    version: int
    lines: tuple[OrderLine, ...] = field(default=())

    @property
    def is_over(self) -> bool:
        return self.state in ("shipped", "cancelled")


HEAD = """select o.id, o.number, o.source, o.external_number, o.customer_id, c.code as customer_code, c.name as customer_name,
                 o.state, o.priority, o.due_at, o.ship_to, o.note, o.erp_id, o.erp_number, o.wave_id, o.received_at,
                 o.shipped_at, o.cancelled_at, o.cancel_reason, o.version
          from sales_order o join partner c on c.id = o.customer_id"""

_LINES = """select l.id, l.order_id, l.position, l.item_id, i.sku, i.name as item_name, i.base_unit as unit, l.pack_id,
                   k.name as pack_name, coalesce(k.units, 1) as pack_units, l.quantity, g.waiting, g.allocated, g.picked,
                   g.packed, g.loaded, l.shipped, l.external_id, l.version
            from sales_order_line l join order_line_progress g on g.line_id = l.id join item i on i.id = l.item_id
                 left join item_pack k on k.id = l.pack_id
            where l.site_id = %s and l.order_id = any(%s) order by l.order_id, l.position"""


def order(conn: Conn, site_id: UUID, order_id: UUID) -> Order:
    """Raises NotFound, also for an order of another site."""
    with conn.cursor(row_factory=class_row(Order)) as cur:
        head = cur.execute(
            f"{HEAD} where o.site_id = %s and o.id = %s".encode(), [site_id, order_id]
        ).fetchone()
    if head is None:
        raise NotFound("There is no such order at this site.", field="order_id")
    return with_lines(conn, site_id, [head])[0]


def with_lines(conn: Conn, site_id: UUID, heads: list[Order]) -> list[Order]:
    """The same orders with their lines."""
    with conn.cursor(row_factory=class_row(OrderLine)) as cur:
        lines = cur.execute(_LINES, [site_id, [h.id for h in heads]]).fetchall()
    of_order: dict[UUID, list[OrderLine]] = {}
    for line in lines:
        of_order.setdefault(line.order_id, []).append(line)
    return [Order(**{**h.__dict__, "lines": tuple(of_order.get(h.id, []))}) for h in heads]


def lock_order(conn: Conn, site_id: UUID, order_id: UUID) -> Order:
    """The order, held until the transaction ends: take it before tasks, balances and reservations."""
    conn.execute("select 1 from sales_order where site_id = %s and id = %s for update", [site_id, order_id])
    return order(conn, site_id, order_id)


def search(conn: Conn, site_id: UUID, like: str) -> list[tuple[UUID, str, str]]:
    """The newest orders whose number (ours or the outside system's) holds it: (id, number, state)."""
    return conn.execute(
        """select id, number, state from sales_order where site_id = %s
             and (number ilike %s or external_number ilike %s or erp_number ilike %s) order by received_at desc limit 8""",
        [site_id, like, like, like],
    ).fetchall()


def find_by_number(conn: Conn, site_id: UUID, text: str) -> UUID | None:
    """What a scan or a search of an order's number means: ours first, then the outside system's."""
    row = conn.execute(
        """select id from sales_order where site_id = %s and (number = upper(%s) or external_number = %s or erp_number = %s)
           order by number = upper(%s) desc, received_at desc limit 1""",
        [site_id, text, text, text, text],
    ).fetchone()
    return None if row is None else UUID(str(row[0]))
