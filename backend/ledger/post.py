"""Posting: movements in, balances changed, in one go and in one order of locks.

`post` takes all movements of a use case at once: it creates the missing balance rows, locks all of them in key
order, checks in words what the CHECKs guarantee, and writes. `post_observed` is for what a portal or a count has
seen: it is never refused; what the books lack is drawn from the site's `discrepancy` place, and reservations
that break are released and handed back to be allocated anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend import jobs
from backend.context import Context
from backend.db import Conn, insert_rows
from backend.errors import Conflict, Invalid, NotFound, Unknown
from backend.ids import new_id
from backend.ledger.places import LedgerPlace, ledger_places, virtual_place
from backend.ledger.plates import lock_plates, stand_plate
from backend.ledger.reserve import (
    Reservation,
    break_reservations,
    reservations_on_key,
    take_from_reservation,
)
from backend.ledger.stock import lock_plate_rows, lock_serials, on_plate, row_of_serial
from backend.live.announce import announce

ZERO = Decimal(0)

WHOSE = ("order_id", "purchase_ref", "partner_id")
"""What `evidence` may name for the ERP: our sales order, the purchase there, our partner. Else the cause tells."""


@dataclass(frozen=True)
class Spot:
    """One side of a movement: where, on which license plate, in which status."""

    place_id: UUID
    license_plate_id: UUID | None = None
    status: str = "available"


@dataclass(frozen=True)
class Move:
    """One quantity of one item from one spot to another. `quantity` counts base units of the item."""

    item_id: UUID
    quantity: Decimal
    from_: Spot
    to: Spot
    reason: str
    cause_kind: str
    cause_id: UUID | None = None
    lot_id: UUID | None = None
    serial: str | None = None
    owner_id: UUID | None = None
    occurred_at: datetime | None = None
    reservation_id: UUID | None = None
    """Take it out of this reservation: the reserved piece is the one that moves."""
    carry_reservation: bool = False
    """The reservation goes on at the new spot (picked goods stay promised to their order)."""
    reverses_id: UUID | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Posted:
    movement_id: UUID
    item_id: UUID
    quantity: Decimal
    reservation_id: UUID | None = None
    """The reservation at the new spot, where one was carried."""


@dataclass(frozen=True)
class Observed:
    posted: list[Posted]
    missing: Decimal
    """What the books did not have; drawn from the discrepancy place."""
    broken: list[Reservation]
    """Reservations released to make room for reality; allocate them anew in the same transaction."""


class NotEnoughStock(Conflict):
    kind, title = "not-enough-stock", "Not enough stock"


Key = tuple[UUID, UUID, UUID | None, str | None, UUID | None, UUID | None, str]
"""place, item, lot, serial, license plate, owner, status: the key of a balance, in the order of locking."""


def _key(m: Move, spot: Spot) -> Key:
    return (spot.place_id, m.item_id, m.lot_id, m.serial, spot.license_plate_id, m.owner_id, spot.status)


_SAME_KEY = """place_id = %s and item_id = %s and lot_id is not distinct from %s and serial is not distinct from %s
    and license_plate_id is not distinct from %s and owner_id is not distinct from %s and status = %s"""


def _order(key: Key) -> tuple[str, ...]:
    return tuple("" if part is None else str(part) for part in key)


@dataclass
class _Balance:
    on_hand: Decimal
    reserved: Decimal


@dataclass(frozen=True)
class _ItemRow:
    id: UUID
    sku: str
    tracking: str
    quantity_decimals: int
    base_unit: str


def post(conn: Conn, ctx: Context, moves: Sequence[Move], *, observed: bool = False) -> list[Posted]:
    """Writes the movements and changes the balances. Raises NotEnoughStock, Invalid, Unknown; then nothing is written.

    `observed`: it was seen, so that a closed place refuses nothing."""
    if not moves:
        return []
    places = ledger_places(conn, [p for m in moves for p in (m.from_.place_id, m.to.place_id)])
    items = _items(conn, {m.item_id for m in moves})
    for m in moves:
        _check(ctx, m, items[m.item_id], places, observed)

    keys = {
        k
        for m in moves
        for spot in (m.from_, m.to)
        if places[spot.place_id].is_physical
        for k in [_key(m, spot)]
    }
    lock_serials(conn, [(m.item_id, m.serial) for m in moves if m.serial is not None])
    balances = lock_balances(conn, ctx.site_id, keys)

    posted: list[Posted] = []
    rows: list[dict[str, Any]] = []
    carried: list[tuple[int, Move, Reservation]] = []
    for m in moves:
        source = balances.get(_key(m, m.from_))
        target = balances.get(_key(m, m.to))
        if m.reservation_id is not None:
            reservation = take_from_reservation(conn, ctx, m.reservation_id, m.quantity, _key(m, m.from_))
            assert source is not None
            source.reserved -= m.quantity
            if m.carry_reservation and target is not None:
                target.reserved += m.quantity
                carried.append((len(posted), m, reservation))
        if source is not None:
            source.on_hand -= m.quantity
            if source.on_hand < source.reserved:
                raise _not_enough(m, items[m.item_id], places, source)
        if target is not None:
            target.on_hand += m.quantity
        erp_from, erp_to = places[m.from_.place_id].erp_location, places[m.to.place_id].erp_location
        to_post = erp_from is not None and erp_to is not None and erp_from != erp_to
        movement_id = new_id()
        posted.append(Posted(movement_id, m.item_id, m.quantity))
        rows.append({
            "site_id": ctx.site_id, "id": movement_id, "item_id": m.item_id, "lot_id": m.lot_id, "serial": m.serial,
            "owner_id": m.owner_id, "quantity": m.quantity,
            "from_place_id": m.from_.place_id, "from_license_plate_id": m.from_.license_plate_id, "from_status": m.from_.status,
            "to_place_id": m.to.place_id, "to_license_plate_id": m.to.license_plate_id, "to_status": m.to.status,
            "from_on_hand_after": source.on_hand if source else None, "to_on_hand_after": target.on_hand if target else None,
            "reason": m.reason, "occurred_at": (m.occurred_at or ctx.now).astimezone(UTC), "actor": ctx.actor, "cause_kind": m.cause_kind,
            "cause_id": m.cause_id, "correlation_id": ctx.correlation_id, "reverses_id": m.reverses_id,
            "erp_from": erp_from, "erp_to": erp_to, "posting": "to_post" if to_post else "nothing", "evidence": m.evidence,
        })  # fmt: skip
    _write_balances(conn, ctx.site_id, balances)
    insert_rows(conn, "movement", rows)
    for index, m, old in carried:
        new_reservation = _carry(conn, ctx, m, old)
        posted[index] = replace(posted[index], reservation_id=new_reservation)
    announce(conn, ctx.site_id, "movements", posted[-1].movement_id)
    changed = {
        "site_id": str(ctx.site_id),
        "item_ids": sorted(map(str, items)),
        "correlation_id": ctx.correlation_id,
    }
    jobs.defer(conn, "stock_changed", changed, lock=f"stock_changed:{ctx.site_id}")
    return posted


def post_observed(conn: Conn, ctx: Context, move: Move) -> Observed:
    """Posts what was physically seen. Never refused for lack of stock, nor because a place is closed.

    A serial comes from where the site's books have it, whatever `from_` says: it exists once."""
    if move.serial is not None:
        move = _from_where_the_serial_is(conn, ctx, move)
        if move.from_ == move.to:
            return Observed([], ZERO, [])
    places = ledger_places(conn, [move.from_.place_id])
    if not places[move.from_.place_id].is_physical:
        return Observed(post(conn, ctx, [move], observed=True), ZERO, [])
    key = _key(move, move.from_)
    balance = lock_balances(conn, ctx.site_id, [key])[key]
    covered = min(balance.on_hand, move.quantity)
    reserved_for_us = move.quantity if move.reservation_id is not None else ZERO
    missing = move.quantity - covered
    if missing > 0 and move.reservation_id is not None:
        # the reservation cannot be larger than what lies there, so it cannot cover this: drop it, keep the move
        move = replace(move, reservation_id=None, carry_reservation=False)
        reserved_for_us = ZERO
    broken = break_reservations(
        conn, ctx, key, balance.on_hand - covered + reserved_for_us, keep=move.reservation_id
    )
    moves = []
    if covered > 0:
        moves.append(replace(move, quantity=covered))
    if missing > 0:
        source = Spot(virtual_place(conn, ctx.site_id, "discrepancy"), None, move.from_.status)
        moves.append(
            replace(move, quantity=missing, from_=source, reservation_id=None, carry_reservation=False)
        )
    return Observed(post(conn, ctx, moves, observed=True), missing, broken)


def _from_where_the_serial_is(conn: Conn, ctx: Context, move: Move) -> Move:
    lock_serials(conn, [(move.item_id, str(move.serial))])
    row = row_of_serial(conn, ctx.site_id, move.item_id, str(move.serial))
    if row is None:
        return move
    here = Spot(row.place_id, row.license_plate_id, row.status)
    if (here, row.lot_id, row.owner_id) == (move.from_, move.lot_id, move.owner_id):
        return move
    return replace(
        move,
        from_=here,
        lot_id=row.lot_id,
        owner_id=row.owner_id,
        reservation_id=None,
        carry_reservation=False,
    )


def move_license_plate(
    conn: Conn,
    ctx: Context,
    license_plate_id: UUID,
    to_place_id: UUID,
    *,
    reason: str,
    cause_kind: str,
    cause_id: UUID | None = None,
    evidence: dict[str, Any] | None = None,
) -> list[Posted]:
    """Moves a plate with all that is on it, and with the plates inside. Reservations go along.

    A plate that stood on another one stands on its own afterwards, unless that one is where it goes."""
    lock_plates(conn, ctx.site_id, license_plate_id)
    lock_plate_rows(conn, ctx.site_id, license_plate_id)
    moves: list[Move] = []
    for row in on_plate(conn, ctx.site_id, license_plate_id):
        if row.place_id == to_place_id:
            continue
        base = Move(
            row.item_id, row.on_hand, Spot(row.place_id, row.license_plate_id, row.status),
            Spot(to_place_id, row.license_plate_id, row.status), reason, cause_kind, cause_id,
            row.lot_id, row.serial, row.owner_id, evidence=evidence or {},
        )  # fmt: skip
        for r in reservations_on_key(conn, ctx.site_id, _key(base, base.from_)):
            moves.append(replace(base, quantity=r.quantity, reservation_id=r.id, carry_reservation=True))
        if row.free > 0:
            moves.append(replace(base, quantity=row.free))
    posted = post(conn, ctx, moves)
    stand_plate(conn, ctx.site_id, license_plate_id, to_place_id)
    return posted


def reverse(
    conn: Conn,
    ctx: Context,
    movement_id: UUID,
    reason: str,
    *,
    promised_to: tuple[str, UUID] | None = None,
) -> Posted:
    """A correction: the same quantity back. Once per movement. Raises NotFound, Conflict, NotEnoughStock.

    `promised_to` (demand kind and id): the goods are promised to it where they are, and go back promised."""
    with conn.cursor(row_factory=class_row(_MovementRow)) as cur:
        m = cur.execute(
            """select item_id, quantity, from_place_id, from_license_plate_id, from_status, to_place_id, to_license_plate_id,
                      to_status, lot_id, serial, owner_id, cause_kind, cause_id, reverses_id, evidence,
                      cause_kind in ('shipment', 'delivery', 'delivery_return') and exists (
                          select 1 from place where id in (from_place_id, to_place_id) and kind = 'in_transit') as is_of_a_delivery
               from movement where site_id = %s and id = %s""",
            [ctx.site_id, movement_id],
        ).fetchone()
    if m is None:
        raise NotFound("There is no such movement at this site.")
    if m.reverses_id is not None:
        raise Conflict("This movement is itself a correction; post the right movement instead.")
    if m.is_of_a_delivery:
        raise Conflict(
            "A vehicle has or had this aboard: hand it over or unload it on its route; that posts what is right."
        )
    back = Move(
        m.item_id, m.quantity, Spot(m.to_place_id, m.to_license_plate_id, m.to_status),
        Spot(m.from_place_id, m.from_license_plate_id, m.from_status), reason, m.cause_kind, m.cause_id,
        m.lot_id, m.serial, m.owner_id, reverses_id=movement_id, evidence={k: v for k, v in m.evidence.items() if k in WHOSE},
    )  # fmt: skip
    if promised_to is not None:
        held = next(
            (
                r
                for r in reservations_on_key(conn, ctx.site_id, _key(back, back.from_))
                if (r.demand_kind, r.demand_id) == promised_to and r.quantity >= m.quantity
            ),
            None,
        )
        if held is None:
            raise Conflict("The goods were taken on from there already; this cannot be taken back any more.")
        back = replace(back, reservation_id=held.id, carry_reservation=True)
    posted = post(conn, ctx, [back])[0]
    for spot in (back.from_, back.to):
        _keep_plate_together(conn, ctx, spot.license_plate_id)
    return posted


def reversed_among(conn: Conn, site_id: UUID, movement_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the movements that a correction took back."""
    rows = conn.execute(
        "select reverses_id from movement where site_id = %s and reverses_id = any(%s)",
        [site_id, list(movement_ids)],
    ).fetchall()
    return {row[0] for row in rows}


def _keep_plate_together(conn: Conn, ctx: Context, license_plate_id: UUID | None) -> None:
    """After a correction a plate stands where all of its contents are, or the correction is refused."""
    if license_plate_id is None:
        return
    where = {r.place_id for r in on_plate(conn, ctx.site_id, license_plate_id)}
    if len(where) > 1:
        raise Conflict("Its license plate was moved meanwhile; move the license plate as a whole instead.")
    if where:
        conn.execute(
            "update license_plate set place_id = %s where id = %s and site_id = %s",
            [where.pop(), license_plate_id, ctx.site_id],
        )


# --- inside -----------------------------------------------------------------------------------------------


def lock_balances(conn: Conn, site_id: UUID, keys: Sequence[Key] | set[Key]) -> dict[Key, _Balance]:
    """Upserts the rows, then locks them in key order: whoever comes second waits."""
    ordered = sorted(keys, key=_order)
    locked: dict[Key, _Balance] = {}
    for k in ordered:
        row = _lock_balance(conn, site_id, k)
        if row is None:
            conn.execute(
                """insert into balance (site_id, place_id, item_id, lot_id, serial, license_plate_id, owner_id, status)
                   values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict on constraint balance_key_unique do nothing""",
                [site_id, *k],
            )
            row = _lock_balance(conn, site_id, k)
        assert row is not None
        locked[k] = row
    return locked


def _lock_balance(conn: Conn, site_id: UUID, key: Key) -> _Balance | None:
    row = conn.execute(
        f"select on_hand, reserved from balance where site_id = %s and {_SAME_KEY} for update".encode(),
        [site_id, *key],
    ).fetchone()
    return None if row is None else _Balance(row[0], row[1])


def _write_balances(conn: Conn, site_id: UUID, balances: dict[Key, _Balance]) -> None:
    # smallest first: a serial leaves its old row before it enters the new one
    ordered = sorted(balances.items(), key=lambda kb: (kb[1].on_hand, _order(kb[0])))
    with conn.cursor() as cur:
        cur.executemany(
            f"""update balance set on_hand = %s, reserved = %s, updated_at = clock_timestamp()
                where site_id = %s and {_SAME_KEY}""".encode(),
            [(b.on_hand, b.reserved, site_id, *k) for k, b in ordered],
        )


def _items(conn: Conn, ids: set[UUID]) -> dict[UUID, _ItemRow]:
    with conn.cursor(row_factory=class_row(_ItemRow)) as cur:
        rows = cur.execute(
            "select id, sku, tracking, quantity_decimals, base_unit from item where id = any(%s)", [list(ids)]
        ).fetchall()
    found = {r.id: r for r in rows}
    for i in ids:
        if i not in found:
            raise Unknown(f"There is no item {i}.", field="item_id")
    return found


def _check(ctx: Context, m: Move, item: _ItemRow, places: dict[UUID, LedgerPlace], observed: bool) -> None:
    if not m.quantity.is_finite() or m.quantity <= 0:
        raise Invalid(f"The quantity must be above zero, not {m.quantity}.", field="quantity")
    if m.quantity != round(m.quantity, item.quantity_decimals):
        finest = Decimal(1).scaleb(-item.quantity_decimals)
        raise Invalid(
            f"{item.sku} is counted in steps of {finest} {item.base_unit}; {m.quantity} is finer.",
            field="quantity",
        )
    if m.quantity >= Decimal(10) ** 12:
        raise Invalid("The quantity is larger than the ledger keeps.", field="quantity")
    if item.tracking == "lot" and m.lot_id is None:
        raise Invalid(f"{item.sku} is kept by lot; say which lot.", field="lot")
    if item.tracking == "serial" and m.serial is None:
        raise Invalid(f"{item.sku} is kept by serial number; say which one.", field="serial")
    if m.serial is not None and m.quantity != 1:
        raise Invalid(f"A serial number is one piece, not {m.quantity}.", field="quantity")
    for spot in (m.from_, m.to):
        place = places[spot.place_id]
        if place.site_id != ctx.site_id:
            raise Unknown(f"The place {place.code} belongs to another site.", field="place_id")
        if not place.holds_stock:
            raise Invalid(f"{place.code} does not hold stock itself; name a bin in it.", field="place_id")
    if not observed and not places[m.to.place_id].active:
        raise Conflict(f"{places[m.to.place_id].code} is closed; nothing can be put there.", field="place_id")
    if m.reservation_id is not None and not places[m.from_.place_id].is_physical:
        raise Invalid("Only physical stock can be reserved.", field="place_id")


def _not_enough(m: Move, item: _ItemRow, places: dict[UUID, LedgerPlace], after: _Balance) -> NotEnoughStock:
    there = after.on_hand + m.quantity
    text = f"{places[m.from_.place_id].code} has {there.normalize():f} {item.base_unit} of {item.sku}"
    if after.reserved > 0:
        text += f", of which {after.reserved.normalize():f} are reserved"
    return NotEnoughStock(
        f"{text}; {m.quantity.normalize():f} cannot be taken.",
        field="quantity",
        on_hand=format(there.normalize(), "f"),
        reserved=format(after.reserved.normalize(), "f"),
    )


def _carry(conn: Conn, ctx: Context, m: Move, old: Reservation) -> UUID:
    new_reservation = new_id()
    conn.execute(
        """insert into reservation (site_id, id, demand_kind, demand_id, place_id, item_id, lot_id, serial, license_plate_id,
                                    owner_id, quantity) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, new_reservation, old.demand_kind, old.demand_id, m.to.place_id, m.item_id, m.lot_id, m.serial,
         m.to.license_plate_id, m.owner_id, m.quantity],
    )  # fmt: skip
    return new_reservation


@dataclass(frozen=True)
class _MovementRow:
    item_id: UUID
    quantity: Decimal
    from_place_id: UUID
    from_license_plate_id: UUID | None
    from_status: str
    to_place_id: UUID
    to_license_plate_id: UUID | None
    to_status: str
    lot_id: UUID | None
    serial: str | None
    owner_id: UUID | None
    cause_kind: str
    cause_id: UUID | None
    reverses_id: UUID | None
    evidence: dict[str, Any]
    is_of_a_delivery: bool
