"""Bin to bin: what was scanned (a plate with all on it, or a quantity of an item) goes to the scanned place."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from backend import ledger
from backend.catalog import Resolved, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid
from backend.handheld import Step, record_step
from backend.ledger import Move, Posted, Spot
from backend.transfers.plates import move_plate

ZERO = Decimal(0)


class SayWhichLot(Conflict):
    kind, title = "say-which-lot", "Several lots lie there"


def move_by_code(
    conn: Conn,
    ctx: Context,
    *,
    code: str,
    to: str,
    from_: str | None = None,
    quantity: Decimal | None = None,
    lot: str | None = None,
    to_status: str | None = None,
    reason: str = "moved",
) -> list[Posted]:
    """Raises NotEnoughStock, SayWhichLot, Invalid. A plate moves whole; of an item, `quantity` packs as scanned."""
    found = resolve_code(conn, ctx.site_id, code)
    target = place_named(conn, ctx, to, "to_place")
    undo: dict[str, str | list[str]] = {"place_id": str(target)}
    if found.license_plate_id is not None and found.serial is None:
        if quantity is not None:
            raise Invalid(
                "A license plate moves whole; scan the item to take a part of it.", field="quantity"
            )
        if found.place_id is not None:
            undo |= {"license_plate_id": str(found.license_plate_id), "from_place_id": str(found.place_id)}
            parent = conn.execute(
                "select parent_id::text from license_plate where id = %s", [found.license_plate_id]
            ).fetchone()
            if parent and parent[0]:
                undo["parent_id"] = parent[0]
        posted = move_plate(conn, ctx, found.license_plate_id, target, reason=reason, cause_kind="transfer")
    else:
        posted = _move_item(conn, ctx, found, from_, target, quantity, lot, to_status, reason)
    if not posted:
        raise Conflict(f"{found.code} holds nothing, or is there already.", field="code")
    undo["movement_ids"] = [str(p.movement_id) for p in posted]
    record_step(conn, ctx, Step("move", f"{found.sku or found.code} -> {to}", dict(undo)))
    return posted


def place_named(conn: Conn, ctx: Context, code: str, field: str) -> UUID:
    found = resolve_code(conn, ctx.site_id, code)
    if found.kind != "place" or found.place_id is None:
        raise Invalid(
            f"{code!r} is a {found.kind.replace('_', ' ')}, not a place; scan the place's label.", field=field
        )
    return found.place_id


def _move_item(
    conn: Conn, ctx: Context, found: Resolved, from_: str | None, target: UUID, quantity: Decimal | None, lot: str | None,
    to_status: str | None, reason: str,
) -> list[Posted]:  # fmt: skip
    if found.item_id is None:
        raise Invalid(
            f"{found.code!r} is a {found.kind.replace('_', ' ')}; scan an item or a license plate.",
            field="code",
        )
    if found.serial is not None:
        source = found.place_id or _place_of_serial(conn, ctx, found)
    elif from_ is None:
        raise Invalid("Say from where: scan the place it is taken from.", field="from_place")
    else:
        source = place_named(conn, ctx, from_, "from_place")
    wanted = (quantity or Decimal(1)) * found.units
    lot_code = lot or found.lot_code
    rows = [
        r for r in ledger.rows_at(conn, ctx.site_id, source, found.item_id)
        if (lot_code is None or r.lot_code == lot_code) and (found.serial is None or r.serial == found.serial)
    ]  # fmt: skip
    # good before blocked, loose before what stands on a plate
    rows.sort(key=lambda r: (r.status != "available", r.license_plate_id is not None))
    if lot_code is None and len({r.lot_id for r in rows}) > 1:
        lots = ", ".join(sorted({r.lot_code or "-" for r in rows}))
        raise SayWhichLot(
            f"Several lots of {found.sku} lie there ({lots}); scan the lot.",
            field="lot",
            lots=lots.split(", "),
        )
    moves = []
    left = wanted
    for r in rows:
        take = min(left, r.free)
        if take > 0:
            moves.append(Move(found.item_id, take, Spot(source, r.license_plate_id, r.status), Spot(target, None, to_status or r.status),
                              reason, "transfer", None, r.lot_id, r.serial, r.owner_id))  # fmt: skip
            left -= take
    if left > 0:
        there = wanted - left
        raise ledger.NotEnoughStock(
            f"{there.normalize():f} of {found.sku} can be taken there, {wanted.normalize():f} were asked for.", field="quantity",
            on_hand=format(sum((r.on_hand for r in rows), ZERO).normalize(), "f"),
        )  # fmt: skip
    return ledger.post(conn, ctx, moves)


def _place_of_serial(conn: Conn, ctx: Context, found: Resolved) -> UUID:
    row = conn.execute(
        "select place_id from balance where site_id = %s and item_id = %s and serial = %s and on_hand > 0",
        [ctx.site_id, found.item_id, found.serial],
    ).fetchone()
    if row is None:
        raise Conflict(f"Serial {found.serial} of {found.sku} is not in stock here.", field="code")
    return UUID(str(row[0]))
