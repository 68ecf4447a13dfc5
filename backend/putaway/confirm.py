"""Carrying a putaway task out: claim it, scan the bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend import ledger
from backend.catalog import UnknownCode, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound
from backend.live.announce import announce
from backend.putaway.propose import Candidate, Load, check_place, propose
from backend.putaway.tasks import loads_on_plate
from backend.transfers.plates import move_plate


class PlaceForbidden(Conflict):
    """The rules say no, and no override changes that."""

    kind, title = "place-forbidden", "The goods may not go there"


class AnotherPlace(Conflict):
    """Not the proposed bin: asks once."""

    kind, title = "another-place", "This is not the proposed place"


@dataclass(frozen=True)
class Task:
    id: UUID
    cause_kind: str
    cause_id: UUID | None
    license_plate_id: UUID | None
    item_id: UUID | None
    lot_id: UUID | None
    out_of_plate_id: UUID | None
    status: str
    quantity: Decimal
    from_place_id: UUID
    proposed_place_id: UUID | None
    state: str
    claimed_by: str | None


@dataclass(frozen=True)
class Confirmed:
    task_id: UUID
    place_id: UUID
    place_code: str
    quantity: Decimal
    left: Decimal
    """Of loose goods: what is still to be put away."""
    undo: dict[str, Any]
    """What `undo_confirm` needs to know."""


def _lock(conn: Conn, ctx: Context, task_id: UUID) -> Task:
    with conn.cursor(row_factory=class_row(Task)) as cur:
        task = cur.execute(
            """select id, cause_kind, cause_id, license_plate_id, item_id, lot_id, out_of_plate_id, status, quantity, from_place_id,
                      proposed_place_id, state, claimed_by from putaway_task where site_id = %s and id = %s for update""",
            [ctx.site_id, task_id],
        ).fetchone()
    if task is None:
        raise NotFound("There is no such putaway task at this site.")
    return task


def claim_task(conn: Conn, ctx: Context, task_id: UUID) -> None:
    """The task is this person's from now on. Raises NotFound, Conflict (somebody else has it, or it is over)."""
    task = _lock(conn, ctx, task_id)
    _refuse_if_not_mine(ctx, task)
    conn.execute(
        "update putaway_task set state = 'claimed', claimed_by = %s, claimed_at = coalesce(claimed_at, %s) where id = %s",
        [ctx.actor, ctx.now, task_id],
    )
    announce(conn, ctx.site_id, "tasks", task_id)


def release_task(conn: Conn, ctx: Context, task_id: UUID, *, anyones: bool = False) -> None:
    """Gives a claimed task back. `anyones`: a lead takes it from somebody else."""
    task = _lock(conn, ctx, task_id)
    if not anyones:
        _refuse_if_not_mine(ctx, task)
    if task.state == "claimed":
        conn.execute(
            "update putaway_task set state = 'open', claimed_by = null, claimed_at = null where id = %s",
            [task_id],
        )
        announce(conn, ctx.site_id, "tasks", task_id)


def _refuse_if_not_mine(ctx: Context, task: Task) -> None:
    if task.state in ("done", "cancelled"):
        raise Conflict(f"This task is {task.state} already.", state=task.state)
    if task.claimed_by not in (None, ctx.actor):
        person = str(task.claimed_by).removeprefix("user:")
        raise Conflict(f"{person} has this task. Take another one.", claimed_by=person)


def confirm(
    conn: Conn,
    ctx: Context,
    task_id: UUID,
    place_code: str,
    *,
    quantity: Decimal | None = None,
    serials: Sequence[str] = (),
    override: bool = False,
    reason: str | None = None,
) -> Confirmed:
    """The bin was scanned. `serials`: of goods kept by serial number, those that go there; needed for a part of them.

    Raises AnotherPlace (asks once), PlaceForbidden (never), Invalid, Conflict, NotFound."""
    task = _lock(conn, ctx, task_id)
    _refuse_if_not_mine(ctx, task)
    if serials:
        if quantity is not None and quantity != len(set(serials)):
            raise Invalid(
                f"{len(set(serials))} serials were scanned, not {quantity.normalize():f}.", field="quantity"
            )
        quantity = Decimal(len(set(serials)))
    loads = _loads(conn, ctx, task, quantity)
    place_id, code = _place(conn, ctx, task, place_code)
    if place_id == task.from_place_id:
        raise Invalid(f"The goods stand at {code} already; scan the bin they go to.", field="place")
    # the place is locked, so that two people never fill its last room together
    conn.execute("select 1 from place where id = %s for update", [place_id])
    judged = check_place(conn, ctx.site_id, loads, place_id, from_place_id=task.from_place_id)
    if judged.forbidden:
        better = _next(conn, ctx, task, loads, place_id)
        raise PlaceForbidden(
            " ".join(judged.forbidden)
            + (f" Take {better.code}." if better else " Ask a lead: no bin may take this."),
            field="place",
            seen=code,
            why=judged.forbidden,
            next=_shown(better),
        )
    overridden = task.proposed_place_id is not None and place_id != task.proposed_place_id
    if overridden and not override:
        proposed = conn.execute("select code from place where id = %s", [task.proposed_place_id]).fetchone()
        wanted = str(proposed[0]) if proposed else ""
        raise AnotherPlace(
            f"Proposed is {wanted}, scanned was {code}. Confirm to put it in {code} all the same.",
            field="place",
            override_possible=True,
            expected=wanted,
            seen=code,
        )
    undo: dict[str, Any] = {
        "task_id": str(task.id),
        "place_id": str(place_id),
        "quantity": str(task.quantity),
    }
    if task.license_plate_id is not None:
        row = conn.execute(
            "select parent_id from license_plate where id = %s", [task.license_plate_id]
        ).fetchone()
        undo["parent_id"] = str(row[0]) if row and row[0] else None
    posted = _move(conn, ctx, task, loads, place_id, code, set(serials), reason)
    moved = sum((p.quantity for p in posted), Decimal(0))
    undo["movement_ids"] = [str(p.movement_id) for p in posted]
    left = Decimal(0) if task.license_plate_id is not None else task.quantity - moved
    if left > 0:
        best = propose(
            conn, ctx.site_id, [Load(loads[0].item_id, left, task.lot_id, task.status)],
            from_place_id=task.from_place_id, limit=1,
        )  # fmt: skip
        conn.execute(
            "update putaway_task set quantity = %s, proposed_place_id = %s, reasons = %s where id = %s",
            [left, best[0].place_id if best else None, Jsonb(best[0].reasons if best else []), task_id],
        )
    else:
        conn.execute(
            """update putaway_task set state = 'done', place_id = %s, overridden = %s, done_by = %s, done_at = %s where id = %s""",
            [place_id, overridden, ctx.actor, ctx.now, task_id],
        )
    announce(conn, ctx.site_id, "tasks", task_id)
    return Confirmed(task_id, place_id, code, moved, left, undo)


def _loads(conn: Conn, ctx: Context, task: Task, quantity: Decimal | None) -> list[Load]:
    if task.license_plate_id is not None:
        if quantity is not None:
            raise Invalid("A license plate is put away whole; leave the quantity out.", field="quantity")
        loads = loads_on_plate(conn, ctx.site_id, task.license_plate_id, task.from_place_id)
        if not loads:
            raise Conflict(
                "The license plate no longer stands there: somebody moved it. Look it up.", field="task"
            )
        return loads
    assert task.item_id is not None
    wanted = task.quantity if quantity is None else quantity
    if not wanted.is_finite() or wanted <= 0:
        raise Invalid("The quantity must be above zero.", field="quantity")
    if wanted > task.quantity:
        raise Invalid(
            f"There are {task.quantity.normalize():f} to put away, not {wanted.normalize():f}.",
            field="quantity",
        )
    return [Load(task.item_id, wanted, task.lot_id, task.status)]


def _place(conn: Conn, ctx: Context, task: Task, place_code: str) -> tuple[UUID, str]:
    expected = conn.execute("select code from place where id = %s", [task.proposed_place_id]).fetchone()
    wanted = f" Expected is a bin{', proposed ' + str(expected[0]) if expected else ''}."
    try:
        found = resolve_code(conn, ctx.site_id, place_code)
    except UnknownCode as e:
        raise Invalid(f"{e.detail}{wanted}", field="place", seen=place_code) from e
    if found.kind != "place":
        raise Invalid(
            f"{place_code} is a {found.kind.replace('_', ' ')} ({found.label}).{wanted}",
            field="place",
            seen=place_code,
        )
    return found.id, found.code


def _next(conn: Conn, ctx: Context, task: Task, loads: list[Load], not_here: UUID) -> Candidate | None:
    found = propose(conn, ctx.site_id, loads, from_place_id=task.from_place_id, limit=2, task_id=task.id)
    return next((c for c in found if c.place_id != not_here), None)


def _shown(c: Candidate | None) -> dict[str, Any] | None:
    return None if c is None else {k: str(v) if k == "place_id" else v for k, v in asdict(c).items()}


def _move(
    conn: Conn, ctx: Context, task: Task, loads: list[Load], place_id: UUID, code: str, serials: set[str], reason: str | None
) -> list[ledger.Posted]:  # fmt: skip
    said = f"put away in {code}" + (f": {reason}" if reason else "")
    if task.license_plate_id is not None:
        return move_plate(
            conn, ctx, task.license_plate_id, place_id, reason=said, cause_kind="putaway", cause_id=task.id
        )
    wanted = loads[0].quantity
    left = wanted
    moves = []
    rows = [
        r for r in ledger.rows_at(conn, ctx.site_id, task.from_place_id, task.item_id)
        if (r.license_plate_id, r.lot_id, r.status) == (task.out_of_plate_id, task.lot_id, task.status)
    ]  # fmt: skip
    there = {r.serial for r in rows if r.serial is not None}
    if there and not serials and wanted < len(there):
        raise Invalid("These are kept by serial number: scan each one that goes there.", field="serials")
    if serials - there:
        raise Invalid(
            f"Serial {min(serials - there)} does not stand there to be put away.",
            field="serials",
            there=sorted(there)[:100],
        )
    for row in rows:
        if left <= 0 or (serials and row.serial not in serials):
            continue
        take = min(row.free, left)
        if take > 0:
            left -= take
            moves.append(
                ledger.Move(row.item_id, take, ledger.Spot(task.from_place_id, task.out_of_plate_id, row.status),
                            ledger.Spot(place_id, None, row.status), said, "putaway", task.id, row.lot_id, row.serial,
                            row.owner_id)
            )  # fmt: skip
    if left > 0:
        raise Conflict(
            f"Only {(wanted - left).normalize():f} still stand there, not {wanted.normalize():f}. Count what is there.",
            field="quantity",
            there=format((wanted - left).normalize(), "f"),
        )
    return ledger.post(conn, ctx, moves)
