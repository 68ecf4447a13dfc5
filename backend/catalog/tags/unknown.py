"""EPCs that nobody registered: kept with their reads, claimable later."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from backend.catalog.codes import epc_meaning
from backend.context import Context
from backend.db import Conn
from backend.errors import NotFound
from backend.ids import new_id


def note_unknown(
    conn: Conn,
    ctx: Context,
    epc: str,
    *,
    reason: str,
    place_id: UUID | None,
    reads: int,
    first_at: datetime,
    last_at: datetime,
    receipt_id: UUID | None = None,
) -> None:
    """One open row an EPC and site; seen again adds to its reads."""
    conn.execute(
        """insert into unknown_tag (id, site_id, epc, meaning, reason, place_id, receipt_id, reads, first_seen_at, last_seen_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (site_id, epc) where state = 'open' do update set reads = unknown_tag.reads + excluded.reads,
               passages = unknown_tag.passages + 1, reason = excluded.reason, place_id = excluded.place_id,
               receipt_id = coalesce(unknown_tag.receipt_id, excluded.receipt_id),
               last_seen_at = greatest(unknown_tag.last_seen_at, excluded.last_seen_at)""",
        [
            new_id(),
            ctx.site_id,
            epc,
            epc_meaning(epc),
            reason,
            place_id,
            receipt_id,
            reads,
            first_at,
            last_at,
        ],
    )


def settle_unknown(conn: Conn, ctx: Context, epc: str, tag_id: UUID | None) -> UUID | None:
    """Claimed (with the tag it became) or dismissed (None). Returns the receipt it was read in. Raises NotFound."""
    row = conn.execute(
        """update unknown_tag set state = %s, settled_at = %s, settled_by = %s, tag_id = %s
           where site_id = %s and epc = %s and state = 'open' returning receipt_id""",
        ["dismissed" if tag_id is None else "claimed", ctx.now, ctx.actor, tag_id, ctx.site_id, epc],
    ).fetchone()
    if row is None:
        raise NotFound(f"{epc} is not among the unknown tags of this site.", field="epc")
    return None if row[0] is None else UUID(str(row[0]))
