"""What is on order at suppliers, as the ERP has it: the purchaser's list, and delivery notices made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend import receiving
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound


@dataclass(frozen=True)
class PurchaseLine:
    """`open_quantity` is what had not arrived when the ERP was last asked; the notice is the one of that
    number, or one on its way that names the purchase."""

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
    asn_id: UUID | None
    asn_state: str | None
    asn_source: str | None
    key: str


def purchase_lines(
    conn: Conn,
    site_id: UUID,
    *,
    item_id: UUID | None = None,
    only_open: bool = False,
    after: str = "",
    limit: int = 1000,
) -> list[PurchaseLine]:
    with conn.cursor(row_factory=class_row(PurchaseLine)) as cur:
        return cur.execute(
            """select l.number, l.item_id, i.sku, i.name as item_name, l.supplier_id, p.name as supplier_name, l.ordered,
                      l.open_quantity, i.base_unit as unit, l.unit_price, l.currency, l.wanted_on, l.state,
                      a.id as asn_id, a.state as asn_state, a.source as asn_source, l.number || '|' || l.erp_id || '|' || l.line_id as key
               from erp_purchase_line l join item i on i.id = l.item_id left join partner p on p.id = l.supplier_id
                    left join lateral (
                        select id, state, source from asn where site_id = %s
                            and (number = l.number or (source_ref = l.number and state in ('expected', 'arriving')))
                        order by state <> 'cancelled' desc, number = l.number desc limit 1) a on true
               where (%s::uuid is null or l.item_id = %s) and (not %s or (l.open_quantity > 0 and l.state = 'confirmed'))
                 and l.number || '|' || l.erp_id || '|' || l.line_id > %s
               order by key limit %s""",
            [site_id, item_id, item_id, only_open, after, limit],
        ).fetchall()


def expect_delivery(conn: Conn, ctx: Context, number: str) -> UUID:
    """A delivery notice of what is open on a purchase of the ERP, for suppliers that send none. Asked for again, it is
    brought up to date until something of it came. Raises NotFound, Conflict."""
    lines = conn.execute(
        """select item_id, sum(open_quantity), min(supplier_id::text)::uuid, min(wanted_on) from erp_purchase_line
           where number = %s and state = 'confirmed' and open_quantity > 0 group by item_id order by item_id""",
        [number],
    ).fetchall()
    if not lines:
        if conn.execute("select 1 from erp_purchase_line where number = %s", [number]).fetchone() is None:
            raise NotFound(f"The ERP has shown no purchase {number}.", field="number")
        raise Conflict(f"Nothing of purchase {number} is open any more.", field="number")
    theirs = conn.execute(
        "select 1 from asn where site_id = %s and number = %s and source <> 'erp' and state <> 'cancelled'",
        [ctx.site_id, number],
    ).fetchone()
    if theirs:
        raise Conflict(
            f"The supplier's own delivery notice {number} is here; receive that one.", field="number"
        )
    wanted_on = lines[0][3]
    return receiving.expect(
        conn,
        ctx,
        receiving.NewAsn(
            number=number,
            supplier_id=lines[0][2],
            lines=tuple(receiving.AsnLine(item_id, quantity) for item_id, quantity, _, _ in lines),
            expected_at=datetime.combine(wanted_on, time(12), tzinfo=UTC) if wanted_on else None,
            source="erp",
            source_ref=number,
        ),
        replace=True,
    )
