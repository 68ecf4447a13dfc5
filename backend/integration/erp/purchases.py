"""What is on order at suppliers, as the ERP has it: for replenishment and for the purchaser's list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn


@dataclass(frozen=True)
class PurchaseLine:
    """`open_quantity` is what had not arrived when the ERP was last asked."""

    number: str
    item_id: UUID
    sku: str
    item_name: str
    supplier_id: UUID | None
    supplier_name: str | None
    ordered: Decimal
    open_quantity: Decimal
    unit: str
    unit_price: Decimal
    currency: str
    wanted_on: date | None
    state: str
    key: str


def purchase_lines(
    conn: Conn, *, item_id: UUID | None = None, only_open: bool = False, after: str = "", limit: int = 1000
) -> list[PurchaseLine]:
    with conn.cursor(row_factory=class_row(PurchaseLine)) as cur:
        return cur.execute(
            """select l.number, l.item_id, i.sku, i.name as item_name, l.supplier_id, p.name as supplier_name, l.ordered,
                      l.open_quantity, i.base_unit as unit, l.unit_price, l.currency, l.wanted_on, l.state,
                      l.number || '|' || l.erp_id || '|' || l.line_id as key
               from erp_purchase_line l join item i on i.id = l.item_id left join partner p on p.id = l.supplier_id
               where (%s::uuid is null or l.item_id = %s) and (not %s or (l.open_quantity > 0 and l.state = 'confirmed'))
                 and l.number || '|' || l.erp_id || '|' || l.line_id > %s
               order by key limit %s""",
            [item_id, item_id, only_open, after, limit],
        ).fetchall()
