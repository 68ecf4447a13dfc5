"""Places as the ledger needs them: whose site, physical or virtual, and which ERP location."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn
from backend.errors import NotFound, Unknown

VIRTUAL_KINDS = ("supplier", "customer", "adjustment", "production", "in_transit", "discrepancy")


@dataclass(frozen=True)
class LedgerPlace:
    id: UUID
    site_id: UUID
    code: str
    kind: str
    is_physical: bool
    holds_stock: bool
    active: bool
    erp_location: str | None


def ledger_places(conn: Conn, ids: Iterable[UUID]) -> dict[UUID, LedgerPlace]:
    """Raises Unknown for an id that is no place."""
    wanted = sorted(set(ids))
    with conn.cursor(row_factory=class_row(LedgerPlace)) as cur:
        rows = cur.execute(
            """select id, site_id, code, kind, is_physical, holds_stock, active, place_erp_location(id) as erp_location
               from place where id = any(%s)""",
            [wanted],
        ).fetchall()
    found = {r.id: r for r in rows}
    missing = [str(i) for i in wanted if i not in found]
    if missing:
        raise Unknown(f"There is no place {missing[0]}.", field="place_id")
    return found


def virtual_place(conn: Conn, site_id: UUID, kind: str) -> UUID:
    """The site's supplier, customer, adjustment, production, in_transit or discrepancy place."""
    row = conn.execute(
        "select id from place where site_id = %s and kind = %s order by created_at limit 1", [site_id, kind]
    ).fetchone()
    if row is None:
        raise NotFound(f"The site has no {kind} place.")
    return UUID(str(row[0]))
