"""The life of a count: open -> counted blind -> (recount by another person) -> (approved by a lead) -> done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger, orders, packing
from backend.catalog import lot_of, resolve_code
from backend.context import Context
from backend.counting.discrepancies import raise_discrepancy, resolve
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound
from backend.ids import new_id
from backend.ledger import Move, Reservation, Spot
from backend.live.announce import announce

ZERO = Decimal(0)


class NeedsAnotherPerson(Conflict):
    kind, title = "needs-another-person", "A second person has to count"


@dataclass(frozen=True)
class CountTask:
    id: UUID
    place_id: UUID
    place_code: str
    item_id: UUID | None
    sku: str | None
    state: str
    reason: str
    tolerance: Decimal
    discrepancy_id: UUID | None
    round: int
    counted_by: list[str]
    version: int


@dataclass(frozen=True)
class Difference:
    """Books against count, for one item and lot (or serial) of the place."""

    item_id: UUID
    sku: str
    lot_id: UUID | None
    lot_code: str | None
    serial: str | None
    booked: Decimal
    counted: Decimal

    @property
    def change(self) -> Decimal:
        return self.counted - self.booked


def count_task(conn: Conn, ctx: Context, task_id: UUID, *, lock: bool = False) -> CountTask:
    with conn.cursor(row_factory=class_row(CountTask)) as cur:
        row = cur.execute(
            f"""select t.id, t.place_id, p.code as place_code, t.item_id, i.sku, t.state, t.reason, t.tolerance, t.discrepancy_id,
                       t.round, t.counted_by, t.version
                from count_task t join place p on p.id = t.place_id left join item i on i.id = t.item_id
                where t.site_id = %s and t.id = %s {"for update of t" if lock else ""}""".encode(),
            [ctx.site_id, task_id],
        ).fetchone()
    if row is None:
        raise NotFound("There is no such count at this site.")
    return row


def add_line(
    conn: Conn,
    ctx: Context,
    task_id: UUID,
    code: str,
    quantity: Decimal | None,
    lot: str | None,
    expires_on: date | None,
) -> UUID:
    """What the person holds in hand: a scan is one (or one pack), a number says how many of what was scanned."""
    task = _countable(conn, ctx, task_id)
    found = resolve_code(conn, ctx.site_id, code)
    if found.item_id is None:
        raise Invalid(f"{code!r} is a {found.kind.replace('_', ' ')}; scan an item.", field="code")
    if task.item_id is not None and found.item_id != task.item_id:
        raise Invalid(
            f"This count is about {task.sku}; {found.sku} was scanned.",
            field="code",
            expected=task.sku,
            seen=found.sku,
        )
    tracking = conn.execute("select tracking from item where id = %s", [found.item_id]).fetchone()
    lot_code = lot or found.lot_code
    lot_id = found.lot_id or (
        lot_of(conn, found.item_id, lot_code, expires_on or found.expires_on) if lot_code else None
    )
    if tracking == ("lot",) and lot_id is None:
        raise Invalid(f"{found.sku} is counted by lot; scan or say the lot.", field="lot")
    if tracking == ("serial",) and found.serial is None:
        raise Invalid(f"{found.sku} is counted by serial number; scan each one.", field="code")
    amount = (Decimal(1) if quantity is None else quantity) * found.units
    line_id = new_id()
    conn.execute(
        """insert into count_line (site_id, task_id, id, round, item_id, lot_id, serial, quantity, counted_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, task_id, line_id, task.round, found.item_id, lot_id, found.serial, amount, ctx.actor],
    )
    return line_id


def undo_line(conn: Conn, ctx: Context, undo: dict[str, str]) -> None:
    """Takes a counted line back, while its round is open."""
    gone = conn.execute(
        """delete from count_line l using count_task t where l.site_id = %s and l.id = %s and t.site_id = l.site_id
           and t.id = l.task_id and t.round = l.round and t.state in ('open', 'recount')""",
        [ctx.site_id, UUID(undo["line_id"])],
    ).rowcount
    if not gone:
        raise Conflict("This count was submitted already; ask for a recount.")


def differences(conn: Conn, ctx: Context, task: CountTask) -> list[Difference]:
    """The present round against the books as they were when each thing was counted; equal ones included.

    Goods that were picked or brought after somebody counted them are no difference, however late it is approved."""
    with conn.cursor(row_factory=class_row(_Compared)) as cur:
        rows = cur.execute(
            """with booked as (
                   select item_id, lot_id, serial, sum(on_hand) as quantity from balance
                   where site_id = %(site)s and place_id = %(place)s and on_hand > 0 and (%(item)s::uuid is null or item_id = %(item)s)
                   group by item_id, lot_id, serial),
               counted as (
                   select item_id, lot_id, serial, sum(quantity) as quantity, max(counted_at) as at from count_line
                   where site_id = %(site)s and task_id = %(task)s and round = %(round)s group by item_id, lot_id, serial),
               both_sides as (
                   select item_id, lot_id, serial, quantity as booked, 0 as counted, null::timestamptz as at from booked
                   union all select item_id, lot_id, serial, 0, quantity, at from counted)
               select s.item_id, i.sku, s.lot_id, l.code as lot_code, s.serial, sum(s.booked) as booked, sum(s.counted) as counted,
                      max(s.at) as counted_at
               from both_sides s join item i on i.id = s.item_id left join lot l on l.id = s.lot_id
               group by s.item_id, i.sku, s.lot_id, l.code, s.serial order by i.sku, l.code, s.serial""",
            {
                "site": ctx.site_id,
                "place": task.place_id,
                "item": task.item_id,
                "task": task.id,
                "round": task.round,
            },
        ).fetchall()
    found = []
    for r in rows:
        booked = r.booked
        if r.counted_at is not None:
            booked -= ledger.change_since(
                conn, ctx.site_id, task.place_id, r.item_id, r.lot_id, r.serial, r.counted_at
            )
        found.append(Difference(r.item_id, r.sku, r.lot_id, r.lot_code, r.serial, booked, r.counted))
    return found


@dataclass(frozen=True)
class _Compared(Difference):
    """`booked` is as of now; `counted_at` None: nobody has said anything about it."""

    counted_at: datetime | None


def _say_what_was_not_found(conn: Conn, ctx: Context, task: CountTask, found: list[Difference]) -> None:
    """What the books have and nobody counted was counted as none, now."""
    for d in found:
        if d.counted == 0:
            conn.execute(
                """insert into count_line (site_id, task_id, id, round, item_id, lot_id, serial, quantity, counted_by)
                   select %(site)s, %(task)s, %(id)s, %(round)s, %(item)s, %(lot)s, %(serial)s, 0, %(actor)s where not exists (
                       select 1 from count_line where site_id = %(site)s and task_id = %(task)s and round = %(round)s
                         and item_id = %(item)s and lot_id is not distinct from %(lot)s and serial is not distinct from %(serial)s)""",
                {"site": ctx.site_id, "task": task.id, "id": new_id(), "round": task.round, "item": d.item_id, "lot": d.lot_id,
                 "serial": d.serial, "actor": ctx.actor},
            )  # fmt: skip


def submit(conn: Conn, ctx: Context, task_id: UUID) -> CountTask:
    """Ends a round: agreed or within tolerance -> done; else a second person; after them -> a lead approves."""
    task = _countable(conn, ctx, task_id)
    ledger.lock_rows_at(conn, ctx.site_id, task.place_id, task.item_id)
    found = differences(conn, ctx, task)
    counters = [*task.counted_by, ctx.actor]
    worst = max((abs(d.change) for d in found), default=ZERO)
    if worst <= task.tolerance:
        _settle(conn, ctx, task, found)
        return _to(conn, ctx, task, "done", counters)
    _say_what_was_not_found(conn, ctx, task, found)
    if task.round == 1:
        return _to(conn, ctx, task, "recount", counters, next_round=True)
    return _to(conn, ctx, task, "to_approve", counters)


def approve(conn: Conn, ctx: Context, task_id: UUID) -> CountTask:
    """A lead takes the last round as the truth. Not the one who counted it."""
    task = count_task(conn, ctx, task_id, lock=True)
    if task.state != "to_approve":
        raise Conflict(f"This count is {task.state.replace('_', ' ')}; only a finished recount is approved.")
    if task.counted_by and ctx.actor == task.counted_by[-1]:
        raise NeedsAnotherPerson("You counted this yourself; another lead has to approve it.")
    ledger.lock_rows_at(conn, ctx.site_id, task.place_id, task.item_id)
    _settle(conn, ctx, task, differences(conn, ctx, task))
    return _to(conn, ctx, task, "done", task.counted_by)


def recount(conn: Conn, ctx: Context, task_id: UUID) -> CountTask:
    """A lead does not believe it: once more, from the start of a new round."""
    task = count_task(conn, ctx, task_id, lock=True)
    if task.state != "to_approve":
        raise Conflict(f"This count is {task.state.replace('_', ' ')}; there is nothing to count again.")
    return _to(conn, ctx, task, "recount", task.counted_by, next_round=True)


def cancel(conn: Conn, ctx: Context, task_id: UUID) -> CountTask:
    task = count_task(conn, ctx, task_id, lock=True)
    if task.state in ("done", "cancelled"):
        raise Conflict(f"This count is {task.state} already.")
    return _to(conn, ctx, task, "cancelled", task.counted_by)


def _countable(conn: Conn, ctx: Context, task_id: UUID) -> CountTask:
    task = count_task(conn, ctx, task_id, lock=True)
    if task.state not in ("open", "recount"):
        raise Conflict(f"This count is {task.state.replace('_', ' ')}; it takes no more lines.")
    if task.state == "recount" and ctx.actor == task.counted_by[-1]:
        raise NeedsAnotherPerson("You counted this the first time; somebody else has to count it again.")
    return task


def _to(
    conn: Conn, ctx: Context, task: CountTask, state: str, counters: list[str], *, next_round: bool = False
) -> CountTask:
    closed = state in ("done", "cancelled")
    conn.execute(
        """update count_task set state = %s, counted_by = %s, round = round + %s, version = version + 1, assigned_to = null,
                  closed_at = case when %s then clock_timestamp() end, closed_by = case when %s then %s end
           where site_id = %s and id = %s""",
        [state, counters, int(next_round), closed, closed, ctx.actor, ctx.site_id, task.id],
    )
    announce(conn, ctx.site_id, "tasks", task.id)
    return count_task(conn, ctx, task.id)


def _settle(conn: Conn, ctx: Context, task: CountTask, found: list[Difference]) -> None:
    """Posts the differences. What explains a discrepancy goes against its place, the rest against adjustment."""
    other_kind = "discrepancy" if task.discrepancy_id else "adjustment"
    books = ledger.virtual_place(conn, ctx.site_id, other_kind)
    broken: list[Reservation] = []
    for d in found:
        here_now = [
            r for r in ledger.rows_at(conn, ctx.site_id, task.place_id, d.item_id)
            if (r.lot_id, r.serial) == (d.lot_id, d.serial)
        ]  # fmt: skip
        if d.change > 0:
            broken += _found_more(conn, ctx, task, d, books, here_now)
        missing = -d.change
        for row in _least_promised_first(here_now, missing):
            if missing <= 0:
                break
            taken = min(missing, row.on_hand)
            here = Spot(task.place_id, row.license_plate_id, row.status)
            seen = ledger.post_observed(conn, ctx, Move(
                d.item_id, taken, here, Spot(books, None, row.status), "counted less", "count", task.id, d.lot_id, d.serial,
                row.owner_id, evidence={"count_task": str(task.id)}))  # fmt: skip
            broken += seen.broken
            missing -= taken
            if row.license_plate_id is not None:
                packing.on_not_inside(conn, ctx, row.license_plate_id, d.item_id, d.lot_id, d.serial, taken)
    if broken:
        orders.reallocate(conn, ctx, broken)
    orders.unblock_bin(conn, ctx, task.place_id, task.item_id)
    changed = [d for d in found if d.change]
    words = "; ".join(f"{d.sku} {d.booked.normalize():f} -> {d.counted.normalize():f}" for d in changed)
    for (discrepancy_id,) in conn.execute(
        """select id from discrepancy where site_id = %s and state = 'open' and (id = %s or evidence ->> 'count_task' = %s)
           order by id""",
        [ctx.site_id, task.discrepancy_id, str(task.id)],
    ).fetchall():
        resolve(conn, ctx, discrepancy_id, f"counted: {words or 'the books are right'}")


def _found_more(
    conn: Conn, ctx: Context, task: CountTask, d: Difference, books: UUID, here_now: list[ledger.BalanceRow]
) -> list[Reservation]:
    """More than the books have comes from the other side; a serial from where the books have it, for it exists once."""
    status = _status_here(conn, task.place_id, here_now)
    if d.serial is not None and ledger.serial_in_stock(conn, d.item_id, d.serial) not in (None, ctx.site_id):
        raise_discrepancy(
            conn, ctx, "serial_of_another_site", item_id=d.item_id, place_id=task.place_id, lot_id=d.lot_id,
            expected=ZERO, observed=d.counted, recount=False, evidence={"serial": d.serial, "counted_in": str(task.id)},
        )  # fmt: skip
        return []
    was = None if d.serial is None else ledger.row_of_serial(conn, ctx.site_id, d.item_id, d.serial)
    broken = ledger.post_observed(
        conn, ctx,
        Move(d.item_id, d.change, Spot(books, None, status), Spot(task.place_id, None, status), "counted more", "count",
             task.id, d.lot_id, d.serial, evidence={"count_task": str(task.id)}),
    ).broken  # fmt: skip
    if was is not None and was.license_plate_id is not None:
        packing.on_not_inside(conn, ctx, was.license_plate_id, d.item_id, was.lot_id, d.serial, was.on_hand)
    return broken


def _status_here(conn: Conn, place_id: UUID, here_now: list[ledger.BalanceRow]) -> str:
    """As what lies there already, where that is of one status; blocked goods lie in quarantine."""
    statuses = {r.status for r in here_now}
    if len(statuses) == 1:
        return statuses.pop()
    quarantine = conn.execute(
        "select 1 from place where id = %s and kind = 'quarantine'", [place_id]
    ).fetchone()
    return "quarantine" if quarantine and not statuses else "available"


def _least_promised_first(rows: list[ledger.BalanceRow], missing: Decimal) -> list[ledger.BalanceRow]:
    """Where one row has enough that nobody was promised, it is that one which is short."""
    return sorted(rows, key=lambda r: (r.free < missing, -r.free))
