"""Sites. A new site gets its virtual places, the other side of the double entry, at once."""

from __future__ import annotations

from uuid import UUID

from backend.db import Conn
from backend.ids import new_id
from backend.ledger.places import VIRTUAL_KINDS


def create_site(
    conn: Conn, *, code: str, name: str, time_zone: str = "UTC", gs1_company_prefix: str | None = None
) -> UUID:
    site_id = new_id()
    conn.execute(
        "insert into site (id, code, name, time_zone, gs1_company_prefix) values (%s, %s, %s, %s, %s)",
        [site_id, code, name, time_zone, gs1_company_prefix],
    )
    for kind in VIRTUAL_KINDS:
        conn.execute(
            "insert into place (id, site_id, code, name, kind, erp_location) values (%s, %s, %s, %s, %s, %s)",
            [
                new_id(),
                site_id,
                kind.upper().replace("_", "-"),
                kind.replace("_", " "),
                kind,
                ERP_DEFAULT[kind],
            ],
        )
    return site_id


ERP_DEFAULT = {
    "supplier": "SUPPLIER",
    "customer": "CUSTOMER",
    "adjustment": "LOST_FOUND",
    "discrepancy": "LOST_FOUND",
    "production": "PRODUCTION",
    "in_transit": "IN_TRANSIT",
}
"""What the ERP calls the other side; a connector knows these words, a place of one's own ERP may replace them."""
