"""Discrepancies: raised by whoever saw something the books call impossible; resolved by a count or a person."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from backend import orders
from backend.context import Context
from backend.counting.ask import open_count
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.live.announce import announce


def raise_discrepancy(
    conn: Conn,
    ctx: Context,
    kind: str,
    *,
    item_id: UUID | None = None,
    place_id: UUID | None = None,
    expected: Decimal | None = None,
    observed: Decimal | None = None,
    evidence: dict[str, Any] | None = None,
    lot_id: UUID | None = None,
    recount: bool = True,
) -> UUID:
    """Records it with its evidence and, where there is a place to look, asks for a count of it."""
    discrepancy_id = new_id()
    conn.execute(
        """insert into discrepancy (site_id, id, kind, item_id, lot_id, place_id, expected, observed, evidence, raised_by, correlation_id)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, discrepancy_id, kind, item_id, lot_id, place_id, expected, observed, Jsonb(evidence or {}), ctx.actor,
         ctx.correlation_id],
    )  # fmt: skip
    if recount and item_id is not None and place_id is not None and _can_be_counted(conn, place_id):
        count_id = open_count(conn, ctx, place_id, item_id, reason=kind, discrepancy_id=discrepancy_id)
        conn.execute(  # a second one about the same bin is settled by the same count
            """update discrepancy set evidence = evidence || jsonb_build_object('count_task', %s::text)
               where site_id = %s and id = %s""",
            [str(count_id), ctx.site_id, discrepancy_id],
        )
    announce(conn, ctx.site_id, "discrepancies", discrepancy_id)
    return discrepancy_id


def resolve(conn: Conn, ctx: Context, discrepancy_id: UUID, resolution: str) -> None:
    """A bin that was left alone because of it is promised from again. Raises NotFound, Conflict (resolved already)."""
    row = conn.execute(
        "select state, place_id, item_id from discrepancy where site_id = %s and id = %s for update",
        [ctx.site_id, discrepancy_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such discrepancy at this site.")
    if row[0] != "open":
        raise Conflict("This discrepancy is resolved already.")
    conn.execute(
        """update discrepancy set state = 'resolved', resolved_at = clock_timestamp(), resolved_by = %s, resolution = %s
           where site_id = %s and id = %s""",
        [ctx.actor, resolution, ctx.site_id, discrepancy_id],
    )
    if row[1] is not None:
        orders.unblock_bin(conn, ctx, row[1], row[2])
    announce(conn, ctx.site_id, "discrepancies", discrepancy_id)


def _can_be_counted(conn: Conn, place_id: UUID) -> bool:
    row = conn.execute(
        "select is_physical and holds_stock and kind <> 'vehicle' from place where id = %s", [place_id]
    ).fetchone()
    return bool(row and row[0])
