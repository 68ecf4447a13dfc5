"""Lots: a code and an expiry per item, made when first seen."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from backend.db import Conn
from backend.errors import Conflict, Invalid
from backend.ids import new_id


class LotExpiryDiffers(Conflict):
    kind, title = "lot-expiry-differs", "The lot has another expiry date"


def lot_of(conn: Conn, item_id: UUID, code: str, expires_on: date | None = None) -> UUID:
    """The lot's id; a new lot is made. Raises LotExpiryDiffers, and Invalid where the item needs an expiry date."""
    item = conn.execute("select sku, has_expiry from item where id = %s", [item_id]).fetchone()
    conn.execute(
        """insert into lot (id, item_id, code, expires_on) values (%s, %s, %s, %s)
           on conflict on constraint lot_code_unique do update set expires_on = coalesce(lot.expires_on, excluded.expires_on)""",
        [new_id(), item_id, code, expires_on],
    )
    row = conn.execute(
        "select id, expires_on from lot where item_id = %s and code = %s", [item_id, code]
    ).fetchone()
    assert row is not None
    if expires_on is not None and row[1] != expires_on:
        raise LotExpiryDiffers(
            f"Lot {code} expires on {row[1]}, not on {expires_on}. Check the label.", field="expires_on"
        )
    if item and item[1] and row[1] is None:
        raise Invalid(
            f"{item[0]} is kept with an expiry date; say when lot {code} expires.", field="expires_on"
        )
    return UUID(str(row[0]))
