"""Which purchase, sale or partner of the ERP a movement belongs to, told by the document that caused it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from backend.db import Conn
from backend.errors import NotFound
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


def fulfils(
    conn: Conn,
    site_id: UUID,
    kind: Kind,
    cause_id: UUID | None,
    item_id: UUID,
    evidence: Mapping[str, object],
) -> Fulfils:
    match kind:
        case Kind.RECEIPT:
            return _receipt(conn, site_id, cause_id, item_id, evidence)
        case Kind.SHIPMENT:
            return _shipment(conn, site_id, cause_id, evidence)
        case Kind.CUSTOMER_RETURN:
            return Fulfils(
                partner=_partner_key(
                    conn,
                    evidence.get("partner_id")
                    or _returned_by(conn, cause_id)
                    or _ordered_by(conn, site_id, evidence.get("order_id")),
                )
            )
        case Kind.SUPPLIER_RETURN:
            return Fulfils(
                partner=_partner_key(conn, evidence.get("partner_id") or _preferred_supplier(conn, item_id))
            )
        case _:
            return NOTHING


def _receipt(
    conn: Conn, site_id: UUID, cause_id: UUID | None, item_id: UUID, evidence: Mapping[str, object]
) -> Fulfils:
    """The purchase that the delivery notice names; where it names none, the supplier's oldest that still waits for the item."""
    from backend import receiving

    purchase, supplier = evidence.get("purchase_ref"), evidence.get("partner_id")
    if cause_id is not None:
        with contextlib.suppress(NotFound):
            _, _, its_purchase, its_supplier = receiving.source_of_receipt(conn, site_id, cause_id)
            purchase, supplier = purchase or its_purchase, supplier or its_supplier
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
               order by wanted_on nulls last, erp_id limit 1""",
            [str(supplier), item_id],
        ).fetchone()
    return Fulfils(
        order=None if found is None else str(found[0]),
        partner=_partner_key(conn, supplier or _preferred_supplier(conn, item_id)),
    )


def _shipment(conn: Conn, site_id: UUID, cause_id: UUID | None, evidence: Mapping[str, object]) -> Fulfils:
    """A return that is taken back is a shipment, too."""
    from backend import orders

    order_id, customer = evidence.get("order_id"), evidence.get("partner_id") or _returned_by(conn, cause_id)
    if order_id is None:
        return Fulfils(partner=_partner_key(conn, customer))
    try:
        order = orders.order(conn, site_id, UUID(str(order_id)))
    except NotFound:
        return Fulfils(partner=_partner_key(conn, customer))
    if order.erp_id is None and order.source != "erp":
        return Fulfils(wait=True)
    return Fulfils(order=order.erp_id, partner=_partner_key(conn, order.customer_id))


def _returned_by(conn: Conn, return_id: UUID | None) -> object:
    row = conn.execute("select customer_id from customer_return where id = %s", [return_id]).fetchone()
    return row[0] if row else None


def _ordered_by(conn: Conn, site_id: UUID, order_id: object) -> object:
    """A shipment that is taken back is a return, too."""
    row = conn.execute(
        "select customer_id from sales_order where site_id = %s and id::text = %s",
        [site_id, order_id and str(order_id)],
    ).fetchone()
    return row[0] if row else None


def _preferred_supplier(conn: Conn, item_id: UUID) -> object:
    """Whose goods these most likely are, where nobody said."""
    row = conn.execute(
        "select supplier_id from supplier_item where item_id = %s order by preferred desc, unit_price limit 1",
        [item_id],
    ).fetchone()
    return row[0] if row else None


def _partner_key(conn: Conn, partner_id: object) -> str | None:
    if partner_id is None:
        return None
    row = conn.execute(
        """select coalesce(k.their_key, p.code) from partner p
           left join external_key k on k.system = 'erp' and k.kind = 'partner' and k.our_id = p.id where p.id = %s""",
        [str(partner_id)],
    ).fetchone()
    return None if row is None else str(row[0])
