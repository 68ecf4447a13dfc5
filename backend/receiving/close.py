"""Closing a receipt: by a person, or by itself after silence. Then short is short, and the putaway of loose goods begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.counting import raise_discrepancy
from backend.db import Conn
from backend.errors import Conflict, Unknown
from backend.live.announce import announce
from backend.putaway.tasks import ensure_loose_tasks, ensure_plate_tasks
from backend.receiving.receipt import Receipt, lock_receipt

COMPLETE_SILENCE = timedelta(seconds=60)
"""A portal's receipt that has all it expects closes this long after the last passage."""
SHORT_SILENCE = timedelta(minutes=10)
"""One that is still short waits this long for the rest of the truck."""


@dataclass(frozen=True)
class _LineRow:
    id: UUID
    item_id: UUID
    lot_id: UUID | None
    sku: str
    expected: Decimal
    received: Decimal
    over_reason: str | None


def close_receipt(
    conn: Conn, ctx: Context, receipt_id: UUID, *, short_reasons: Mapping[UUID, str] | None = None
) -> None:
    """Raises NotFound, Conflict (closed already), Unknown (a reason for no line of it).

    A difference that nobody gave a reason for becomes a discrepancy."""
    receipt = lock_receipt(conn, ctx.site_id, receipt_id)
    if receipt.state != "open":
        raise Conflict(f"{receipt.number} is closed already.")
    lines = _lines(conn, receipt)
    reasons = dict(short_reasons or {})
    for line_id in reasons:
        if line_id not in {line.id for line in lines}:
            raise Unknown("A reason names no line of this receipt.", field="short_reasons")
    for line in lines if receipt.asn_id is not None else []:
        reason = reasons.get(line.id)
        if line.received < line.expected:
            if reason:
                conn.execute(
                    "update receipt_line set short_reason = %s where site_id = %s and id = %s",
                    [reason, ctx.site_id, line.id],
                )
            else:
                _raise(conn, ctx, receipt, line, "receipt_short")
        elif line.received > line.expected and not line.over_reason:
            _raise(conn, ctx, receipt, line, "receipt_over")
    conn.execute(
        "update receipt set state = 'closed', closed_at = %s, closed_by = %s where id = %s",
        [ctx.now, ctx.actor, receipt.id],
    )
    if receipt.asn_id is not None:
        conn.execute("update asn set state = 'received' where id = %s", [receipt.asn_id])
    ensure_plate_tasks(conn, ctx, receipt.id, receipt.dock_door_id)
    ensure_loose_tasks(conn, ctx, receipt.id, receipt.dock_door_id)
    announce(conn, ctx.site_id, "receipts", receipt.id)


def close_silent(conn: Conn, ctx: Context, now: datetime) -> list[UUID]:
    """Closes this site's portal receipts that have been silent long enough."""
    rows = conn.execute(
        """select r.id, r.last_activity_at, r.asn_id is not null and not exists (
                   select 1 from receipt_line l where l.receipt_id = r.id and l.expected > coalesce(
                       (select sum(e.quantity) from receipt_entry e where e.receipt_line_id = l.id and e.reversed_at is null), 0))
           from receipt r where r.site_id = %s and r.state = 'open' and r.origin = 'portal' and r.last_activity_at < %s
           order by r.id""",
        [ctx.site_id, now - COMPLETE_SILENCE],
    ).fetchall()
    closed = []
    for receipt_id, last_activity_at, complete in rows:
        if complete or last_activity_at < now - SHORT_SILENCE:
            present = lock_receipt(conn, ctx.site_id, receipt_id)
            if present.state == "open" and present.last_activity_at == last_activity_at:
                close_receipt(conn, ctx, receipt_id)
                closed.append(receipt_id)
    return closed


def _lines(conn: Conn, receipt: Receipt) -> list[_LineRow]:
    with conn.cursor(row_factory=class_row(_LineRow)) as cur:
        return cur.execute(
            """select l.id, l.item_id, l.lot_id, i.sku, l.expected, l.over_reason,
                      coalesce((select sum(e.quantity) from receipt_entry e where e.receipt_line_id = l.id and e.reversed_at is null), 0) as received
               from receipt_line l join item i on i.id = l.item_id where l.receipt_id = %s order by l.line_no""",
            [receipt.id],
        ).fetchall()


def _raise(conn: Conn, ctx: Context, receipt: Receipt, line: _LineRow, kind: str) -> None:
    strays = conn.execute(
        """select count(distinct s.epc) from passage_tag s join tag t on t.epc = s.epc and t.state = 'active'
           join asn_tag a on a.tag_id = t.id where a.asn_id = %s and t.item_id = %s and (s.outcome like 'stray%%' or s.outcome = 'weak')
             and not exists (select 1 from receipt_entry e where e.site_id = s.site_id and e.epc = s.epc and e.reversed_at is null)""",
        [receipt.asn_id, line.item_id],
    ).fetchone()
    raise_discrepancy(
        conn,
        ctx,
        kind,
        item_id=line.item_id,
        lot_id=line.lot_id,
        place_id=receipt.dock_door_id,
        expected=line.expected,
        observed=line.received,
        recount=False,
        evidence={
            "sentence": f"{receipt.number}: {line.expected.normalize():f} of {line.sku} were expected, "
            f"{line.received.normalize():f} were counted.",
            "receipt": receipt.number,
            "receipt_id": str(receipt.id),
            "read_but_not_counted": strays[0] if strays else 0,
        },
    )
