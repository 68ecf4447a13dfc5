"""What can be promised of an item: on hand, promised already, waiting for stock, and what is on its way in, by date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from backend import ledger
from backend.db import Conn
from backend.errors import NotFound
from backend.orders.allocate import blocked_bins, local_day

ZERO = Decimal(0)


@dataclass(frozen=True)
class Incoming:
    on: date
    quantity: Decimal
    document: str
    """The delivery notice or purchase order that brings it."""


@dataclass(frozen=True)
class Availability:
    """Base units. `promiseable` is what a new order gets now; `short` what waits beyond that."""

    item_id: UUID
    sku: str
    unit: str
    on_hand: Decimal
    reserved: Decimal
    waiting: Decimal
    promiseable: Decimal
    incoming: list[Incoming]


def availability(conn: Conn, site_id: UUID, item_id: UUID, now: datetime | None = None) -> Availability:
    """Raises NotFound. Shelf stock that is expired, or in a bin waiting for a count, is not promiseable."""
    now = now or datetime.now(UTC)
    item = conn.execute("select sku, base_unit from item where id = %s", [item_id]).fetchone()
    if item is None:
        raise NotFound("There is no such item.", field="item_id")
    held = conn.execute(
        """select coalesce(sum(b.on_hand), 0), coalesce(sum(b.reserved), 0) from balance b
           where b.site_id = %s and b.item_id = %s and b.status = 'available' and b.on_hand > 0""",
        [site_id, item_id],
    ).fetchone()
    assert held is not None
    row = conn.execute(
        """select coalesce(sum(g.waiting), 0) from order_line_progress g join sales_order o on o.id = g.order_id
           where g.site_id = %s and g.item_id = %s and o.state not in ('shipped', 'cancelled')""",
        [site_id, item_id],
    ).fetchone()
    waiting = Decimal(row[0]) if row else ZERO
    left_out = blocked_bins(conn, site_id, item_id, now)
    free = sum(
        (
            r.free
            for r in ledger.candidates(conn, site_id, item_id, today=local_day(conn, site_id, now))
            if r.place_id not in left_out
        ),
        ZERO,
    )
    return Availability(
        item_id,
        item[0],
        item[1],
        held[0],
        held[1],
        waiting,
        max(ZERO, free - waiting),
        _incoming(conn, site_id, item_id),
    )


def _incoming(conn: Conn, site_id: UUID, item_id: UUID) -> list[Incoming]:
    """Announced by delivery notices and not counted yet, the soonest first."""
    rows = conn.execute(
        """select coalesce(a.expected_at::date, a.created_at::date), sum(l.quantity - coalesce(e.counted, 0)), a.number
           from asn a join asn_line l on l.asn_id = a.id left join lateral (
                select sum(n.quantity) as counted from receipt_entry n join receipt r on r.id = n.receipt_id
                where r.asn_id = a.id and n.item_id = l.item_id and (l.lot_id is null or n.lot_id = l.lot_id)
                  and n.reversed_at is null) e on true
           where a.site_id = %s and l.item_id = %s and a.state in ('expected', 'arriving')
           group by a.id having sum(l.quantity - coalesce(e.counted, 0)) > 0 order by 1, 3""",
        [site_id, item_id],
    ).fetchall()
    return [Incoming(*r) for r in rows]
