"""Site to site: dispatched into the sender's in-transit place, received out of the receiver's.

Between the two the goods are on the books of nobody's shelf, and the two in-transit places cancel out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger
from backend.context import Context
from backend.counting import raise_discrepancy
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound
from backend.ids import new_id
from backend.ledger import Move, Spot
from backend.live.announce import announce


@dataclass(frozen=True)
class NewTransferLine:
    item_id: UUID
    quantity: Decimal
    from_place_id: UUID
    lot_id: UUID | None = None
    serial: str | None = None
    status: str = "available"


@dataclass(frozen=True)
class _Line:
    id: UUID
    item_id: UUID
    lot_id: UUID | None
    serial: str | None
    quantity: Decimal
    from_place_id: UUID
    status: str
    received: Decimal


def open_transfer(conn: Conn, ctx: Context, to_site_id: UUID, lines: list[NewTransferLine]) -> UUID:
    if to_site_id == ctx.site_id:
        raise Invalid(
            "A transfer goes to another site; inside the site, move from place to place.", field="to_site_id"
        )
    if conn.execute("select 1 from site where id = %s", [to_site_id]).fetchone() is None:
        raise NotFound("There is no such site to send to.", field="to_site_id")
    transfer_id = new_id()
    conn.execute(
        """insert into transfer (site_id, id, to_site_id, number, created_by)
           values (%s, %s, %s, 'T' || lpad(nextval('transfer_number')::text, 6, '0'), %s)""",
        [ctx.site_id, transfer_id, to_site_id, ctx.actor],
    )
    for line in lines:
        conn.execute(
            """insert into transfer_line (site_id, transfer_id, id, item_id, lot_id, serial, quantity, from_place_id, status)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                ctx.site_id,
                transfer_id,
                new_id(),
                line.item_id,
                line.lot_id,
                line.serial,
                line.quantity,
                line.from_place_id,
                line.status,
            ],
        )
    announce(conn, ctx.site_id, "tasks", transfer_id)
    return transfer_id


def dispatch(conn: Conn, ctx: Context, transfer_id: UUID) -> None:
    """Everything on it leaves the shelves at once. Raises NotEnoughStock; then nothing left."""
    row = conn.execute(
        "select state from transfer where site_id = %s and id = %s for update", [ctx.site_id, transfer_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such transfer leaving this site.")
    if row[0] != "open":
        raise Conflict(f"This transfer is {row[0]} already.")
    on_the_way = ledger.virtual_place(conn, ctx.site_id, "in_transit")
    moves: list[Move] = []
    left: dict[tuple[object, ...], Decimal] = {}
    for line in _lines(conn, ctx.site_id, transfer_id):
        moves += _taken(conn, ctx, transfer_id, line, on_the_way, left)
    ledger.post(conn, ctx, moves)
    conn.execute(
        "update transfer set state = 'dispatched', dispatched_at = clock_timestamp(), dispatched_by = %s where site_id = %s and id = %s",
        [ctx.actor, ctx.site_id, transfer_id],
    )
    announce(conn, ctx.site_id, "tasks", transfer_id)


def _taken(
    conn: Conn,
    ctx: Context,
    transfer_id: UUID,
    line: _Line,
    on_the_way: UUID,
    left: dict[tuple[object, ...], Decimal],
) -> list[Move]:
    """The line's goods from where they lie: loose ones first, then those on license plates. `left`: free, after earlier lines."""
    moves, missing = [], line.quantity
    rows = [
        r for r in ledger.rows_at(conn, ctx.site_id, line.from_place_id, line.item_id)
        if (r.lot_id, r.serial, r.status, r.owner_id) == (line.lot_id, line.serial, line.status, None)
    ]  # fmt: skip
    for r in sorted(rows, key=lambda r: r.license_plate_id is not None):
        key = (r.place_id, r.item_id, r.lot_id, r.serial, r.license_plate_id, r.status)
        take = min(missing, left.get(key, r.free))
        if take > 0:
            left[key] = left.get(key, r.free) - take
            missing -= take
            moves.append(
                _leaving(line, take, Spot(r.place_id, r.license_plate_id, r.status), on_the_way, transfer_id)
            )
    if missing > 0:  # the ledger says in words what is not there
        moves.append(
            _leaving(line, missing, Spot(line.from_place_id, None, line.status), on_the_way, transfer_id)
        )
    return moves


def _leaving(line: _Line, quantity: Decimal, from_: Spot, on_the_way: UUID, transfer_id: UUID) -> Move:
    return Move(line.item_id, quantity, from_, Spot(on_the_way, None, line.status), "dispatched to another site", "transfer",
                transfer_id, line.lot_id, line.serial)  # fmt: skip


def receive(
    conn: Conn, ctx: Context, transfer_id: UUID, to_place_id: UUID, counted: dict[UUID, Decimal] | None = None
) -> None:
    """The receiving site takes it in. `counted`: line id -> what really came; what differs becomes a discrepancy."""
    row = conn.execute(
        "select site_id, state from transfer where to_site_id = %s and id = %s for update",
        [ctx.site_id, transfer_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such transfer on its way to this site.")
    if row[1] != "dispatched":
        raise Conflict(f"This transfer is {row[1]}; it can be received once it was dispatched.")
    sender, on_the_way = row[0], ledger.virtual_place(conn, ctx.site_id, "in_transit")
    books = ledger.virtual_place(conn, ctx.site_id, "discrepancy")
    lines = _lines(conn, sender, transfer_id)
    unknown = set(counted or {}) - {line.id for line in lines}
    if unknown:
        raise Invalid("A counted line is not on this transfer.", field="counted")
    moves = []
    for line in lines:
        came = (counted or {}).get(line.id, line.quantity)
        # all that was sent leaves the way; what is missing, or too much, stays visible on the discrepancy place
        for quantity, from_, to in (
            (min(came, line.quantity), on_the_way, to_place_id),
            (line.quantity - came, on_the_way, books),
            (came - line.quantity, books, to_place_id),
        ):
            if quantity > 0:
                moves.append(Move(line.item_id, quantity, Spot(from_, None, line.status), Spot(to, None, line.status),
                                  "received from another site", "transfer", transfer_id, line.lot_id, line.serial))  # fmt: skip
        if came != line.quantity:
            raise_discrepancy(conn, ctx, "transfer_difference", item_id=line.item_id, lot_id=line.lot_id, expected=line.quantity,
                              observed=came, evidence={"transfer_id": str(transfer_id)})  # fmt: skip
        conn.execute(
            "update transfer_line set received = %s where site_id = %s and id = %s", [came, sender, line.id]
        )
    ledger.post(conn, ctx, moves)
    conn.execute(
        "update transfer set state = 'received', received_at = clock_timestamp(), received_by = %s where site_id = %s and id = %s",
        [ctx.actor, sender, transfer_id],
    )
    announce(conn, ctx.site_id, "tasks", transfer_id)


def _lines(conn: Conn, site_id: UUID, transfer_id: UUID) -> list[_Line]:
    with conn.cursor(row_factory=class_row(_Line)) as cur:
        return cur.execute(
            """select id, item_id, lot_id, serial, quantity, from_place_id, status, received from transfer_line
               where site_id = %s and transfer_id = %s order by id""",
            [site_id, transfer_id],
        ).fetchall()
