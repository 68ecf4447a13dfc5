"""Putaway tasks: one per license plate, one per item and lot of loose goods. Made when goods are received."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.live.announce import announce
from backend.putaway.propose import Load, propose


@dataclass(frozen=True)
class _Loose:
    item_id: UUID
    lot_id: UUID | None
    status: str
    quantity: Decimal


def loads_on_plate(
    conn: Conn, site_id: UUID, license_plate_id: UUID, place_id: UUID | None = None
) -> list[Load]:
    """What stands on a plate (at `place_id`), one load an item, lot and status."""
    sums: dict[tuple[UUID, UUID | None, str], Decimal] = {}
    for row in ledger.on_plate(conn, site_id, license_plate_id):
        if place_id is None or row.place_id == place_id:
            key = (row.item_id, row.lot_id, row.status)
            sums[key] = sums.get(key, Decimal(0)) + row.on_hand
    return [Load(item, quantity, lot, status) for (item, lot, status), quantity in sums.items()]


def ensure_plate_tasks(conn: Conn, ctx: Context, receipt_id: UUID, door_id: UUID) -> None:
    """A task for the outermost plate of everything that this receipt counted and that still stands at the door."""
    rows = conn.execute(
        """with recursive counted as (
               select distinct license_plate_id as id from receipt_entry
               where receipt_id = %s and license_plate_id is not null and reversed_at is null),
           up as (
               select c.id as leaf, lp.id, lp.parent_id, 0 as depth from counted c join license_plate lp using (id)
               union all
               select up.leaf, p.id, p.parent_id, up.depth + 1 from up join license_plate p on p.id = up.parent_id
               where p.place_id = %s)
           select distinct on (leaf) id from up order by leaf, depth desc""",
        [receipt_id, door_id],
    ).fetchall()
    for plate_id in sorted({r[0] for r in rows}):
        _whole_or_in_parts(conn, ctx, plate_id, door_id, receipt_id)


def _whole_or_in_parts(conn: Conn, ctx: Context, plate_id: UUID, door_id: UUID, receipt_id: UUID) -> None:
    """One task for the plate; where no bin may take all of it, tasks for the plates and the goods on it."""
    loads = loads_on_plate(conn, ctx.site_id, plate_id, door_id)
    if len(loads) < 2 or propose(conn, ctx.site_id, loads, from_place_id=door_id, limit=1):
        _cancel_inside(conn, ctx, [plate_id])
        _task_for_plate(conn, ctx, plate_id, door_id, "receipt", receipt_id)
        return
    cancel_tasks_for_plates(conn, ctx, [plate_id])
    for (inner,) in conn.execute(
        "select id from license_plate where parent_id = %s and place_id = %s order by id", [plate_id, door_id]
    ).fetchall():
        _whole_or_in_parts(conn, ctx, inner, door_id, receipt_id)
    own = [r for r in ledger.rows_at(conn, ctx.site_id, door_id) if r.license_plate_id == plate_id]
    sums: dict[tuple[UUID, UUID | None, str], Decimal] = {}
    for r in own:
        key = (r.item_id, r.lot_id, r.status)
        sums[key] = sums.get(key, Decimal(0)) + r.on_hand
    for (item_id, lot_id, status), quantity in sums.items():
        load = Load(item_id, quantity, lot_id, status)
        ensure_loose_task(conn, ctx, "receipt", receipt_id, door_id, load, out_of_plate_id=plate_id)


def _cancel_inside(conn: Conn, ctx: Context, tops: Sequence[UUID]) -> None:
    """A case that turned out to stand on a pallet goes along with it."""
    inner = conn.execute(
        """with recursive inside as (select id from license_plate where parent_id = any(%s)
               union select c.id from license_plate c join inside on c.parent_id = inside.id)
           select id from inside""",
        [list(tops)],
    ).fetchall()
    cancel_tasks_for_plates(conn, ctx, [r[0] for r in inner])


def create_task_for_plate(
    conn: Conn,
    ctx: Context,
    license_plate_id: UUID,
    *,
    cause_kind: str = "plate",
    cause_id: UUID | None = None,
) -> UUID:
    """For a plate that stands anywhere. The open task of the plate is given back. Raises NotFound, Conflict."""
    plate = conn.execute(
        "select code, place_id from license_plate where id = %s and site_id = %s",
        [license_plate_id, ctx.site_id],
    ).fetchone()
    if plate is None:
        raise NotFound("There is no such license plate at this site.")
    places = {row.place_id for row in ledger.on_plate(conn, ctx.site_id, license_plate_id)}
    if not places:
        raise Conflict(f"{plate[0]} is empty; there is nothing to put away.", field="code")
    place_id = plate[1] if plate[1] in places else sorted(places)[0]
    task_id = _task_for_plate(conn, ctx, license_plate_id, place_id, cause_kind, cause_id)
    assert task_id is not None
    return task_id


def _task_for_plate(
    conn: Conn, ctx: Context, plate_id: UUID, from_place_id: UUID, cause_kind: str, cause_id: UUID | None
) -> UUID | None:
    """None where nothing of the plate stands there any more."""
    loads = loads_on_plate(conn, ctx.site_id, plate_id, from_place_id)
    present = conn.execute(
        "select id, quantity from putaway_task where license_plate_id = %s and state in ('open', 'claimed')",
        [plate_id],
    ).fetchone()
    total = sum((load.quantity for load in loads), Decimal(0))
    if present is not None:
        if total > 0 and total != present[1]:
            conn.execute("update putaway_task set quantity = %s where id = %s", [total, present[0]])
        return UUID(str(present[0]))
    if total == 0:
        return None
    return _insert(conn, ctx, cause_kind, cause_id, from_place_id, loads, total, plate_id=plate_id)


def ensure_loose_tasks(conn: Conn, ctx: Context, receipt_id: UUID, door_id: UUID) -> None:
    """Tasks for what this receipt counted loose and that still stands at the door."""
    with conn.cursor(row_factory=class_row(_Loose)) as cur:
        rows = cur.execute(
            """select item_id, lot_id, status, sum(quantity) as quantity from receipt_entry
               where receipt_id = %s and license_plate_id is null and reversed_at is null
               group by item_id, lot_id, status order by item_id, lot_id, status""",
            [receipt_id],
        ).fetchall()
    for row in rows:
        ensure_loose_task(
            conn, ctx, "receipt", receipt_id, door_id, Load(row.item_id, row.quantity, row.lot_id, row.status)
        )


def ensure_loose_task(
    conn: Conn,
    ctx: Context,
    cause_kind: str,
    cause_id: UUID,
    place_id: UUID,
    load: Load,
    *,
    out_of_plate_id: UUID | None = None,
) -> None:
    """One task for loose goods of one cause; not more than what stands there."""
    there = sum(
        (
            row.free
            for row in ledger.rows_at(conn, ctx.site_id, place_id, load.item_id)
            if row.license_plate_id == out_of_plate_id
            and row.lot_id == load.lot_id
            and row.status == load.status
        ),
        Decimal(0),
    )
    present = conn.execute(
        """select id, quantity from putaway_task where cause_id = %s and item_id = %s and lot_id is not distinct from %s
           and status = %s and from_place_id = %s and out_of_plate_id is not distinct from %s
           and state in ('open', 'claimed') for update""",
        [cause_id, load.item_id, load.lot_id, load.status, place_id, out_of_plate_id],
    ).fetchone()
    if present is not None:
        conn.execute(
            "update putaway_task set quantity = %s where id = %s",
            [min(there, present[1] + load.quantity) or present[1], present[0]],
        )
    elif there > 0:
        quantity = min(there, load.quantity)
        load = replace(load, quantity=quantity)
        _insert(
            conn,
            ctx,
            cause_kind,
            cause_id,
            place_id,
            [load],
            quantity,
            load=load,
            out_of_plate_id=out_of_plate_id,
        )


def shrink_loose_task(conn: Conn, ctx: Context, cause_id: UUID, place_id: UUID, load: Load) -> None:
    """So much less of this cause is to be put away. Raises Conflict where it no longer waits."""
    task = conn.execute(
        """select id, quantity from putaway_task where cause_id = %s and item_id = %s and lot_id is not distinct from %s
           and status = %s and from_place_id = %s and state in ('open', 'claimed') for update""",
        [cause_id, load.item_id, load.lot_id, load.status, place_id],
    ).fetchone()
    if task is None or task[1] < load.quantity:
        raise Conflict("The goods were put away already; a lead can reverse their movements.")
    if task[1] == load.quantity:
        conn.execute("update putaway_task set state = 'cancelled' where id = %s", [task[0]])
    else:
        conn.execute(
            "update putaway_task set quantity = quantity - %s where id = %s", [load.quantity, task[0]]
        )
    announce(conn, ctx.site_id, "tasks", task[0])


def put_back(conn: Conn, ctx: Context, taken: ledger.Reservation, quantity: Decimal, order_id: UUID) -> None:
    """Picked goods whose order no longer wants them go back to a shelf. The reservation is released already."""
    ensure_loose_task(
        conn,
        ctx,
        "put_back",
        order_id,
        taken.place_id,
        Load(taken.item_id, quantity, taken.lot_id),
        out_of_plate_id=taken.license_plate_id,
    )


def _insert(
    conn: Conn,
    ctx: Context,
    cause_kind: str,
    cause_id: UUID | None,
    from_place_id: UUID,
    loads: Sequence[Load],
    quantity: Decimal,
    *,
    plate_id: UUID | None = None,
    load: Load | None = None,
    out_of_plate_id: UUID | None = None,
) -> UUID:
    best = propose(conn, ctx.site_id, loads, from_place_id=from_place_id, limit=1)
    task_id = new_id()
    conn.execute(
        """insert into putaway_task (id, site_id, cause_kind, cause_id, license_plate_id, item_id, lot_id, status, quantity,
               from_place_id, proposed_place_id, reasons, out_of_plate_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [task_id, ctx.site_id, cause_kind, cause_id, plate_id, load.item_id if load else None, load.lot_id if load else None,
         loads[0].status, quantity, from_place_id, best[0].place_id if best else None,
         Jsonb(best[0].reasons if best else ["no bin may take this; ask a lead"]), out_of_plate_id],
    )  # fmt: skip
    announce(conn, ctx.site_id, "tasks", task_id)
    return task_id


def cancel_tasks_for_plates(conn: Conn, ctx: Context, plate_ids: Collection[UUID]) -> None:
    for (task_id,) in conn.execute(
        """update putaway_task set state = 'cancelled' where license_plate_id = any(%s) and state in ('open', 'claimed')
           returning id""",
        [list(plate_ids)],
    ).fetchall():
        announce(conn, ctx.site_id, "tasks", task_id)


def move_open_tasks(conn: Conn, cause_id: UUID, old_place_id: UUID, new_place_id: UUID) -> None:
    """The goods of a receipt stand at another door than was thought."""
    conn.execute(
        """update putaway_task set from_place_id = %s where cause_id = %s and from_place_id = %s
           and state in ('open', 'claimed')""",
        [new_place_id, cause_id, old_place_id],
    )
