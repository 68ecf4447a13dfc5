"""Taking back lines of a return: a person's last ones, or, by a lead, any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.live.announce import announce
from backend.putaway.propose import Load
from backend.putaway.tasks import shrink_loose_task
from backend.returns.receive import lock_return, waits_for_putaway


def undo_of(return_id: UUID, line_ids: Sequence[UUID]) -> dict[str, Any]:
    """What `undo_lines` needs to know."""
    return {"return_id": str(return_id), "line_ids": [str(i) for i in line_ids]}


def undo_lines(conn: Conn, ctx: Context, undo: dict[str, Any]) -> None:
    take_back(conn, ctx, UUID(undo["return_id"]), [UUID(i) for i in undo["line_ids"]], "undone by the worker")


def take_back(conn: Conn, ctx: Context, return_id: UUID, line_ids: Sequence[UUID], reason: str) -> None:
    """The goods are the customer's again. Raises Conflict where they went on, or somebody took them back already."""
    lock_return(conn, ctx.site_id, return_id)
    rows = conn.execute(
        """select l.item_id, l.lot_id, l.serial, l.quantity, l.status, l.place_id, l.movement_id, r.customer_id
           from customer_return_line l join customer_return r on r.id = l.return_id
           where l.site_id = %s and l.return_id = %s and l.id = any(%s) order by l.line_no desc""",
        [ctx.site_id, return_id, list(line_ids)],
    ).fetchall()
    if ledger.reversed_among(conn, ctx.site_id, [row[6] for row in rows]):
        raise Conflict("This has been taken back already.")
    customer = ledger.virtual_place(conn, ctx.site_id, "customer")
    moves = []
    for item_id, lot_id, serial, quantity, status, place_id, movement_id, customer_id in rows:
        if waits_for_putaway(conn, place_id):
            shrink_loose_task(conn, ctx, return_id, place_id, Load(item_id, quantity, lot_id, status))
        moves.append(
            ledger.Move(
                item_id, quantity, ledger.Spot(place_id, None, status), ledger.Spot(customer, None, status),
                reason, "return", return_id, lot_id, serial, reverses_id=movement_id,
                evidence={"partner_id": str(customer_id)} if customer_id else {},
            )
        )  # fmt: skip
    try:
        ledger.post(conn, ctx, moves)
    except ledger.NotEnoughStock as e:
        raise Conflict(f"The goods no longer lie where they were taken in. {e.detail}") from e
    announce(conn, ctx.site_id, "receipts", return_id)
