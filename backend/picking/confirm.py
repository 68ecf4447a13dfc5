"""A pick, confirmed by scans: location, then item (or plate, serial, lot), quantity, tote.

The goods move from the bin into the tote and stay promised to their order. A scan that is not what the task says changes
nothing: it is recorded and answered with what was expected and what was seen. Another serial of the same item in the same
bin is as good as the named one and takes its place; another lot only when the worker says so (first expired, first out).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from backend import counting, ledger, orders
from backend.catalog.codes import Resolved, UnknownCode, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, RefusedButRecorded, Unknown
from backend.ids import new_id
from backend.ledger import BalanceRow, Move, Spot
from backend.ledger.reserve import reservations_on_key
from backend.live.announce import announce
from backend.picking.claim import hold
from backend.picking.follow import follow
from backend.picking.task import PickTask, task, tasks_where


class WrongPick(Conflict, RefusedButRecorded):
    """What was scanned is not what the task says. Nothing moved; the mismatch is recorded."""

    kind, title = "wrong-pick", "That is not what is to be picked"


class ExpiredLot(Conflict, RefusedButRecorded):
    """Nothing moved; the order was promised other stock, where there is some."""

    kind, title = "expired-lot", "This lot has expired"


@dataclass(frozen=True)
class Picked:
    """`zero_check`: the books say that the bin is empty now; ask the worker and send the answer."""

    task: PickTask
    quantity: Decimal
    movement_id: UUID
    zero_check: bool


def confirm(
    conn: Conn,
    ctx: Context,
    task_id: UUID,
    *,
    place: str,
    code: str,
    quantity: Decimal | None = None,
    lot: str | None = None,
    serial: str | None = None,
    tote: str | None = None,
    to: str | None = None,
    change_lot: bool = False,
) -> Picked:
    """`place`, `code`, `tote` and `to` are scans. Without `quantity`: one of what was scanned (a case is its content, a plate all
    that is asked of it). Raises WrongPick, NotYours, Invalid, Conflict, NotFound."""
    t = hold(conn, ctx, task_id)
    _refuse_expired(conn, ctx, t)
    _expect_place(conn, ctx, t, place)
    seen = _expect_item(conn, ctx, t, code)
    amount = _amount(t, seen, quantity)
    t = _same_unit(conn, ctx, t, seen, amount, code, lot, serial, change_lot)
    target = _target(conn, ctx, t, tote, to)
    posted = ledger.post(
        conn,
        ctx,
        [
            Move(
                t.item_id, amount, Spot(t.place_id, t.license_plate_id), target, "pick", "pick", t.wave_id or t.order_id,
                t.lot_id, t.serial, reservation_id=t.reservation_id, carry_reservation=True,
                evidence={"task_id": str(t.id), "order_id": str(t.order_id), "place": place, "code": code},
            )
        ],
    )  # fmt: skip
    empty = not any(r.on_hand > 0 for r in ledger.rows_at(conn, ctx.site_id, t.place_id, t.item_id))
    conn.execute(
        """update pick_task set picked = picked + %s, state = case when picked + %s = quantity then 'done' else state end,
                  done_at = case when picked + %s = quantity then %s::timestamptz end, touched_at = %s,
                  zero_check = case when %s then 'asked' else zero_check end, version = version + 1
           where site_id = %s and id = %s""",
        [amount, amount, amount, ctx.now, ctx.now, empty, ctx.site_id, t.id],
    )
    if target.license_plate_id is not None:
        conn.execute(
            "update license_plate set place_id = %s where id = %s", [target.place_id, target.license_plate_id]
        )
    orders.refresh_state(conn, ctx, t.order_id)
    announce(conn, ctx.site_id, "tasks", t.id)
    return Picked(task(conn, ctx.site_id, t.id), amount, posted[0].movement_id, empty)


def _refuse_expired(conn: Conn, ctx: Context, t: PickTask) -> None:
    """A lot may expire while it is promised: the promise goes to another lot, and the task with it."""
    if t.expires_on is None or t.expires_on > orders.local_day(conn, ctx.site_id, ctx.now):
        return
    orders.allocate(conn, ctx, t.order_id)
    raise ExpiredLot(
        f"Lot {t.lot_code} of {t.sku} expired on {t.expires_on}; leave it. Ask for the next task.",
        field="lot",
        expires_on=t.expires_on.isoformat(),
    )


def answer_zero_check(conn: Conn, ctx: Context, task_id: UUID, left: Decimal) -> PickTask:
    """The worker looked into the bin that should be empty. Something left: a discrepancy with a count task."""
    t = task(conn, ctx.site_id, task_id)
    if t.zero_check != "asked":
        raise Conflict("Nobody asked whether this bin is empty.")
    if not left.is_finite() or left < 0:
        raise Invalid("What is left is a number of pieces, zero or more.", field="left")
    conn.execute(
        "update pick_task set zero_check = %s where site_id = %s and id = %s",
        ["empty" if left == 0 else "not_empty", ctx.site_id, task_id],
    )
    if left > 0:
        counting.raise_discrepancy(
            conn,
            ctx,
            "zero_check",
            item_id=t.item_id,
            place_id=t.place_id,
            expected=Decimal(0),
            observed=left,
            evidence={"task_id": str(t.id), "order": t.order_number, "worker": ctx.actor},
        )
    return task(conn, ctx.site_id, task_id)


# --- what was scanned -------------------------------------------------------------------------------------


def _mismatch(
    conn: Conn, ctx: Context, t: PickTask, what: str, expected: str, seen: str, detail: str
) -> NoReturn:
    conn.execute(
        "insert into pick_mismatch (site_id, id, task_id, at, actor, what, expected, seen) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [ctx.site_id, new_id(), t.id, ctx.now, ctx.actor, what, expected, seen[:500]],
    )
    announce(conn, ctx.site_id, "discrepancies", t.id)
    raise WrongPick(detail, field="place" if what == "place" else "tote" if what == "tote" else "code",
                    what=what, expected=expected, seen=seen)  # fmt: skip


def _resolved(conn: Conn, ctx: Context, text: str) -> Resolved | None:
    try:
        return resolve_code(conn, ctx.site_id, text)
    except UnknownCode:
        return None


def _expect_place(conn: Conn, ctx: Context, t: PickTask, text: str) -> None:
    found = _resolved(conn, ctx, text)
    if found is None or found.kind != "place" or found.place_id != t.place_id:
        label = found.code if found else text
        _mismatch(conn, ctx, t, "place", t.place_code, text, f"Go to {t.place_code}; this is {label}.")


def _expect_item(conn: Conn, ctx: Context, t: PickTask, text: str) -> Resolved:
    found = _resolved(conn, ctx, text)
    if found is None:
        _mismatch(conn, ctx, t, "item", t.sku, text, f"Take {t.sku}; nobody knows {text!r} here.")
    if (
        found.kind in ("license_plate", "tag")
        and found.license_plate_id is not None
        and found.item_id is None
    ):
        if found.license_plate_id != t.license_plate_id:
            _mismatch(
                conn, ctx, t, "license_plate", t.license_plate_code or t.sku, text,
                f"Take {t.sku} from {t.license_plate_code or t.place_code}; this is {found.label}.",
            )  # fmt: skip
        return replace(found, item_id=t.item_id, units=t.remaining)
    if found.item_id != t.item_id:
        _mismatch(
            conn,
            ctx,
            t,
            "item",
            t.sku,
            text,
            f"Take {t.sku} {t.item_name}; this is {found.sku or found.code}.",
        )
    return found


def _amount(t: PickTask, seen: Resolved, quantity: Decimal | None) -> Decimal:
    amount = seen.units if quantity is None else quantity
    if amount > t.remaining:
        raise Invalid(
            f"{t.remaining.normalize():f} {t.unit} are to be picked here; {amount.normalize():f} are more than that.",
            field="quantity",
            remaining=format(t.remaining.normalize(), "f"),
        )
    return amount


def _same_unit(
    conn: Conn,
    ctx: Context,
    t: PickTask,
    seen: Resolved,
    amount: Decimal,
    code: str,
    lot: str | None,
    serial: str | None,
    change_lot: bool,
) -> PickTask:
    """The task for exactly the lot or serial in hand: this one, or another that takes its place."""
    if t.serial is not None:
        in_hand = serial or seen.serial
        if in_hand is None:
            raise Invalid(f"{t.sku} is kept by serial number; scan the one you take.", field="serial")
        if in_hand == t.serial:
            return t
        row = _row_in_bin(conn, ctx, t, lambda r: r.serial == in_hand)
        if row is None:
            _mismatch(conn, ctx, t, "serial", t.serial, in_hand,
                      f"{t.place_code} has no {t.sku} with serial {in_hand} by the books; take {t.serial}.")  # fmt: skip
        return _take_instead(conn, ctx, t, row, Decimal(1))
    if t.lot_id is None:
        return t
    in_hand = lot or seen.lot_code
    if in_hand is None:
        lots = {r.lot_code for r in ledger.rows_at(conn, ctx.site_id, t.place_id, t.item_id) if r.on_hand > 0}
        if len(lots) > 1:
            raise Invalid(
                f"{t.place_code} holds several lots of {t.sku}; scan or enter the lot.", field="lot"
            )
        return t
    if in_hand == t.lot_code:
        return t
    row = _row_in_bin(conn, ctx, t, lambda r: r.lot_code == in_hand)
    if row is None or not change_lot:
        _mismatch(conn, ctx, t, "lot", t.lot_code or "", in_hand,
                  f"Take lot {t.lot_code} of {t.sku}, it expires first; this is lot {in_hand}.")  # fmt: skip
    if row.expires_on is not None and row.expires_on <= orders.local_day(conn, ctx.site_id, ctx.now):
        _mismatch(conn, ctx, t, "lot", t.lot_code or "", in_hand,
                  f"Lot {in_hand} of {t.sku} expired on {row.expires_on}; take lot {t.lot_code}.")  # fmt: skip
    return _take_instead(conn, ctx, t, row, amount)


def _row_in_bin(conn: Conn, ctx: Context, t: PickTask, fits: Any) -> BalanceRow | None:
    rows = [r for r in ledger.rows_at(conn, ctx.site_id, t.place_id, t.item_id)
            if r.status == "available" and r.owner_id is None and fits(r)]  # fmt: skip
    return max(rows, key=lambda r: r.free, default=None)


def _take_instead(conn: Conn, ctx: Context, t: PickTask, row: BalanceRow, amount: Decimal) -> PickTask:
    """The promise goes over from what the task names to what is in hand; whoever that was promised to gets ours."""
    held = next(r for r in ledger.reservations_of(conn, "order_line", t.line_id) if r.id == t.reservation_id)
    missing = amount - row.free
    ledger.release(conn, ctx, t.reservation_id, amount)
    others: set[UUID] = set()
    if missing > 0:
        key = (
            row.place_id,
            row.item_id,
            row.lot_id,
            row.serial,
            row.license_plate_id,
            row.owner_id,
            row.status,
        )
        ours = replace(row, lot_id=held.lot_id, serial=held.serial, license_plate_id=held.license_plate_id)
        for r in reservations_on_key(conn, ctx.site_id, key):
            if missing <= 0:
                break
            if r.demand_kind != "order_line":
                continue
            given = ledger.release(conn, ctx, r.id, min(missing, r.quantity))
            ledger.reserve(conn, ctx, "order_line", r.demand_id, ours, given)
            others.add(_order_of_line(conn, ctx, r.demand_id))
            missing -= given
    taken = ledger.reserve(conn, ctx, "order_line", t.line_id, row, amount)
    for order_id in sorted(others - {t.order_id}):
        orders.lock_order(conn, ctx.site_id, order_id)
        follow(conn, ctx, order_id)
    follow(conn, ctx, t.order_id)
    new = tasks_where(
        conn, " and t.reservation_id = %s and t.state in ('open', 'claimed')", [ctx.site_id, taken]
    )[0]
    return hold(conn, ctx, new.id)


def _order_of_line(conn: Conn, ctx: Context, line_id: UUID) -> UUID:
    row = conn.execute(
        "select order_id from sales_order_line where site_id = %s and id = %s", [ctx.site_id, line_id]
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


# --- where it goes ----------------------------------------------------------------------------------------


def _target(conn: Conn, ctx: Context, t: PickTask, tote: str | None, to: str | None) -> Spot:
    place_id = outbound_staging(conn, ctx.site_id) if to is None else _stated_place(conn, ctx, to)
    if tote is None:
        return Spot(place_id)
    found = _resolved(conn, ctx, tote)
    row = None
    if found is not None and found.license_plate_id is not None:
        row = conn.execute(
            "select id, kind, state from license_plate where site_id = %s and id = %s for update",
            [ctx.site_id, found.license_plate_id],
        ).fetchone()
    if row is None or row[1] != "tote":
        _mismatch(conn, ctx, t, "tote", "a tote", tote, f"{tote!r} is no tote here; scan the tote's label.")
    inside = ledger.on_plate(conn, ctx.site_id, row[0])
    for r in inside:
        key = (r.place_id, r.item_id, r.lot_id, r.serial, r.license_plate_id, r.owner_id, r.status)
        held = reservations_on_key(conn, ctx.site_id, key)
        others = [
            h
            for h in held
            if h.demand_kind != "order_line" or _order_of_line(conn, ctx, h.demand_id) != t.order_id
        ]
        if others or r.free > 0:
            _mismatch(conn, ctx, t, "tote", f"an empty tote or one of {t.order_number}", tote,
                      f"{tote} holds goods of something else; take an empty tote.")  # fmt: skip
    if inside and to is None:
        place_id = inside[0].place_id
    elif any(r.place_id != place_id for r in inside):  # the tote was carried on with what is in it
        ledger.move_license_plate(
            conn, ctx, row[0], place_id, reason="pick", cause_kind="pick", cause_id=t.wave_id or t.order_id
        )
    return Spot(place_id, row[0])


def _stated_place(conn: Conn, ctx: Context, text: str) -> UUID:
    found = _resolved(conn, ctx, text)
    if found is None or found.place_id is None or found.place_kind not in ("staging", "pack_bench"):
        raise Unknown(f"{text!r} is no staging place or packing bench here.", field="to")
    return found.place_id


def outbound_staging(conn: Conn, site_id: UUID) -> UUID:
    """Where picked goods wait: the site's staging place whose code says OUT, else any that does not say IN, else a bench."""
    row = conn.execute(
        """select id from place where site_id = %s and active and holds_stock and kind in ('staging', 'pack_bench')
           order by kind = 'staging' desc, code ilike '%%out%%' desc, code ilike '%%in%%', code limit 1""",
        [site_id],
    ).fetchone()
    if row is None:
        raise Conflict("The site has no staging place and no packing bench to put picked goods; create one.")
    return UUID(str(row[0]))
