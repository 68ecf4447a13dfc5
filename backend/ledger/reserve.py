"""Reservations: a quantity of one balance that is promised to one demand (an order line, a transfer line).

The balance carries the sum (`reserved`), the rows say for whom; `verify` compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.ledger.stock import BalanceRow


@dataclass(frozen=True)
class Reservation:
    id: UUID
    demand_kind: str
    demand_id: UUID
    place_id: UUID
    item_id: UUID
    lot_id: UUID | None
    serial: str | None
    license_plate_id: UUID | None
    owner_id: UUID | None
    quantity: Decimal


class AlreadyPromised(Conflict):
    kind, title = "already-promised", "Already promised to somebody else"


_COLUMNS = (
    "id, demand_kind, demand_id, place_id, item_id, lot_id, serial, license_plate_id, owner_id, quantity"
)
_SAME_KEY = """place_id = %s and item_id = %s and lot_id is not distinct from %s and serial is not distinct from %s
               and license_plate_id is not distinct from %s and owner_id is not distinct from %s"""


def _fetch(conn: Conn, where: str, params: list[Any]) -> list[Reservation]:
    with conn.cursor(row_factory=class_row(Reservation)) as cur:
        return cur.execute(f"select {_COLUMNS} from reservation where {where}".encode(), params).fetchall()


def reserve(
    conn: Conn, ctx: Context, demand_kind: str, demand_id: UUID, row: BalanceRow, quantity: Decimal
) -> UUID:
    """Promises `quantity` of a balance (as `candidates` gave it) to a demand. Raises AlreadyPromised."""
    done = conn.execute(
        f"""update balance set reserved = reserved + %s, updated_at = clock_timestamp()
            where site_id = %s and {_SAME_KEY} and status = 'available' and on_hand - reserved >= %s""".encode(),
        [
            quantity,
            ctx.site_id,
            row.place_id,
            row.item_id,
            row.lot_id,
            row.serial,
            row.license_plate_id,
            row.owner_id,
            quantity,
        ],
    ).rowcount
    if done != 1:
        raise AlreadyPromised(
            f"{row.place_code} no longer has {quantity.normalize():f} to promise.", field="quantity"
        )
    reservation_id = new_id()
    conn.execute(
        f"insert into reservation (site_id, {_COLUMNS}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)".encode(),
        [ctx.site_id, reservation_id, demand_kind, demand_id, row.place_id, row.item_id, row.lot_id, row.serial,
         row.license_plate_id, row.owner_id, quantity],
    )  # fmt: skip
    return reservation_id


def release(conn: Conn, ctx: Context, reservation_id: UUID, quantity: Decimal | None = None) -> Decimal:
    """Gives a promise back, whole or in part; returns how much. Releasing a closed one is no fault: 0."""
    found = _fetch(conn, "site_id = %s and id = %s", [ctx.site_id, reservation_id])
    if not found:
        raise NotFound("There is no such reservation at this site.")
    key = _key_of(found[0])
    # the balance is locked before the reservation, as everywhere
    conn.execute(
        f"select 1 from balance where site_id = %s and {_SAME_KEY} and status = 'available' for update".encode(),
        [ctx.site_id, *key],
    )
    present = _fetch(conn, "site_id = %s and id = %s for update", [ctx.site_id, reservation_id])[0]
    amount = present.quantity if quantity is None else min(quantity, present.quantity)
    if amount > 0:
        _lower(conn, ctx.site_id, reservation_id, amount)
        conn.execute(
            f"""update balance set reserved = reserved - %s, updated_at = clock_timestamp()
                where site_id = %s and {_SAME_KEY} and status = 'available'""".encode(),
            [amount, ctx.site_id, *key],
        )
    return amount


def reservations_of(conn: Conn, demand_kind: str, demand_id: UUID) -> list[Reservation]:
    """Open reservations of a demand."""
    return _fetch(
        conn,
        "demand_kind = %s and demand_id = %s and closed_at is null order by id",
        [demand_kind, demand_id],
    )


def reservations_on_plate(conn: Conn, site_id: UUID, license_plate_id: UUID) -> list[Reservation]:
    """Open reservations of what is on a license plate, and on the plates inside it."""
    return _fetch(
        conn,
        """site_id = %s and closed_at is null and license_plate_id in (
               with recursive inside as (select id from license_plate where id = %s
                   union select c.id from license_plate c join inside on c.parent_id = inside.id)
               select id from inside) order by id""",
        [site_id, license_plate_id],
    )


def reservations_on_key(conn: Conn, site_id: UUID, key: tuple[Any, ...]) -> list[Reservation]:
    """Open reservations on one balance; the youngest promise first. `key` as in `post.Key`."""
    if key[6] != "available":
        return []
    return _fetch(
        conn,
        f"site_id = %s and {_SAME_KEY} and closed_at is null order by created_at desc, id desc",
        [site_id, *key[:6]],
    )


def take_from_reservation(
    conn: Conn, ctx: Context, reservation_id: UUID, quantity: Decimal, key: tuple[Any, ...]
) -> Reservation:
    """For `post`: the reservation's share of a movement. The caller holds the balance and lowers `reserved`."""
    found = _fetch(conn, "site_id = %s and id = %s for update", [ctx.site_id, reservation_id])
    if not found or found[0].quantity < quantity:
        raise Conflict(
            "This reservation does not cover that quantity any more; look at the task again.",
            field="quantity",
        )
    if _key_of(found[0]) != list(key[:6]) or key[6] != "available":
        raise Conflict("What is taken is not what was reserved; look at the task again.", field="place_id")
    _lower(conn, ctx.site_id, reservation_id, quantity)
    return found[0]


def break_reservations(
    conn: Conn, ctx: Context, key: tuple[Any, ...], allowed: Decimal, keep: UUID | None = None
) -> list[Reservation]:
    """Releases, youngest first, what is reserved on a balance beyond `allowed`. Returns what each lost."""
    broken: list[Reservation] = []
    open_ones = reservations_on_key(conn, ctx.site_id, key)
    excess = sum((r.quantity for r in open_ones), Decimal(0)) - allowed
    for r in open_ones:
        if excess <= 0:
            break
        if r.id == keep:
            continue
        amount = release(conn, ctx, r.id, min(excess, r.quantity))
        excess -= amount
        broken.append(
            Reservation(
                r.id,
                r.demand_kind,
                r.demand_id,
                r.place_id,
                r.item_id,
                r.lot_id,
                r.serial,
                r.license_plate_id,
                r.owner_id,
                amount,
            )
        )
    return broken


def _lower(conn: Conn, site_id: UUID, reservation_id: UUID, amount: Decimal) -> None:
    conn.execute(
        """update reservation set quantity = quantity - %s, closed_at = case when quantity = %s then clock_timestamp() end
           where site_id = %s and id = %s""",
        [amount, amount, site_id, reservation_id],
    )


def _key_of(r: Reservation) -> list[Any]:
    return [r.place_id, r.item_id, r.lot_id, r.serial, r.license_plate_id, r.owner_id]
