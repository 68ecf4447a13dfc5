"""Which purchase, sale or partner of the ERP a movement belongs to, told by the document that caused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from backend.db import Conn
from backend.integration.erp.connector import Kind


@dataclass(frozen=True)
class Fulfils:
    order: str | None = None
    """The ERP's id of the purchase or sale."""
    partner: str | None = None
    """The ERP's code of supplier or customer."""
    wait: bool = False
    """Its order is on its way to the ERP: not yet."""


NOTHING = Fulfils()


NAMED = ("order_id", "purchase_ref", "partner_id")
"""What `evidence` of a movement may name: our sales order, the ERP's (or our) purchase, our partner. Else the cause tells."""


def fulfils(conn: Conn, site_id: UUID, kind: Kind, cause_id: UUID | None, item_id: UUID, evidence: Mapping[str, object]) -> Fulfils:
    match kind:
        case Kind.RECEIPT:
            return _receipt(conn, cause_id, item_id, evidence)
        case Kind.SUPPLIER_RETURN:
            return Fulfils(partner=_partner_key(conn, evidence.get("partner_id")))
        case Kind.SHIPMENT | Kind.CUSTOMER_RETURN:
            return _outbound(conn, site_id, evidence, orders=kind is Kind.SHIPMENT)
        case _:
            return NOTHING


def _receipt(conn: Conn, cause_id: UUID | None, item_id: UUID, evidence: Mapping[str, object]) -> Fulfils:
    """The purchase that the delivery notice names; where it names none, the supplier's oldest that still waits for the item."""
    purchase, supplier = evidence.get("purchase_ref"), evidence.get("partner_id")
    if cause_id is not None:
        row = conn.execute(
            """select a.source_ref, coalesce(r.supplier_id, a.supplier_id) from receipt r left join asn a on a.id = r.asn_id
               where r.id = %s""",
            [cause_id],
        ).fetchone()
        if row is not None:
            purchase, supplier = purchase or row[0], supplier or row[1]
    found = None
    if purchase is not None:
        found = conn.execute(
            """select erp_id from erp_seen where kind = 'purchase' and state <> 'cancelled'
               and (number = %s or reference = %s or erp_id = %s) order by (number = %s) desc, (reference = %s) desc limit 1""",
            [str(purchase)] * 5,
        ).fetchone()
    if found is None and supplier is not None:
        found = conn.execute(
            """select erp_id from erp_purchase_line where supplier_id = %s and item_id = %s and state = 'confirmed' and open_quantity > 0
               order by wanted_on, erp_id limit 1""",
            [str(supplier), item_id],
        ).fetchone()
    return Fulfils(order=None if found is None else str(found[0]), partner=_partner_key(conn, supplier))


def _outbound(conn: Conn, site_id: UUID, evidence: Mapping[str, object], *, orders: bool) -> Fulfils:
    order, customer = evidence.get("order_id"), evidence.get("partner_id")
    if order is None:
        return Fulfils(partner=_partner_key(conn, customer))
    row = conn.execute(
        """select o.erp_id, o.customer_id, e.state from sales_order o
           left join erp_order e on e.site_id = o.site_id and e.kind = 'sale' and e.our_id = o.id
           where o.site_id = %s and o.id = %s""",
        [site_id, str(order)],
    ).fetchone()
    if row is None:
        return Fulfils(partner=_partner_key(conn, customer))
    erp_id, customer_id, under_way = row
    if orders and erp_id is None and under_way is not None:
        return Fulfils(wait=True)
    return Fulfils(order=erp_id if orders else None, partner=_partner_key(conn, customer or customer_id))


def _partner_key(conn: Conn, partner_id: object) -> str | None:
    if partner_id is None:
        return None
    row = conn.execute(
        """select coalesce(k.their_key, p.code) from partner p
           left join external_key k on k.system = 'erp' and k.kind = 'partner' and k.our_id = p.id where p.id = %s""",
        [str(partner_id)],
    ).fetchone()
    return None if row is None else str(row[0])
