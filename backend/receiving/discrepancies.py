"""The way to the discrepancies screen. `counting` is imported when it is needed, because its slice may need ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from backend.context import Context
from backend.db import Conn


def raise_discrepancy(
    conn: Conn,
    ctx: Context,
    kind: str,
    *,
    item_id: UUID | None,
    place_id: UUID,
    evidence: dict[str, Any],
    expected: Decimal | None = None,
    observed: Decimal | None = None,
    lot_id: UUID | None = None,
    recount: bool = True,
) -> None:
    from backend import counting

    counting.raise_discrepancy(
        conn,
        ctx,
        kind,
        item_id=item_id,
        place_id=place_id,
        expected=expected,
        observed=observed,
        evidence=evidence,
        lot_id=lot_id,
        recount=recount,
    )
