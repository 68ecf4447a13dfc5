"""Who does which task: one worker a task, taken by urgency and by the way, given back after idling."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.live.announce import announce
from backend.picking.task import PickTask, lock_task, task

IDLE = timedelta(minutes=15)
"""A claimed task that nobody touched for so long is anybody's again."""


class NotYours(Conflict):
    """Somebody else does this task."""

    kind, title = "claimed-by-another", "Somebody else does this task"


def next_task(
    conn: Conn, ctx: Context, *, wave_id: UUID | None = None, order_id: UUID | None = None
) -> PickTask | None:
    """The worker's own unfinished task, else the next free one, claimed. None: nothing to do.

    Whoever asks at the same time skips a row that is being claimed; nobody waits and no task is given twice."""
    row = conn.execute(
        """select t.id from pick_task t join sales_order o on o.id = t.order_id
           where t.site_id = %(site)s and (%(wave)s::uuid is null or t.wave_id = %(wave)s)
             and (%(order)s::uuid is null or t.order_id = %(order)s)
             and (t.state = 'open' or (t.state = 'claimed' and (t.claimed_by = %(me)s or t.touched_at < %(idle)s)))
           order by (t.state = 'claimed' and t.claimed_by = %(me)s) desc, t.skipped_at nulls first,
                    -- go on with the order or wave one is on
                    exists (select 1 from pick_task m where m.site_id = t.site_id and m.claimed_by = %(me)s
                            and m.touched_at > %(idle)s
                            and (m.order_id = t.order_id or m.wave_id = t.wave_id)) desc,
                    o.priority, o.due_at, coalesce(t.wave_id, t.order_id), t.sequence, t.id
           limit 1 for update of t skip locked""",
        {"site": ctx.site_id, "wave": wave_id, "order": order_id, "me": ctx.actor, "idle": ctx.now - IDLE},
    ).fetchone()
    if row is None:
        return None
    conn.execute(
        """update pick_task set state = 'claimed', claimed_by = %s, touched_at = %s, version = version + 1
           where site_id = %s and id = %s""",
        [ctx.actor, ctx.now, ctx.site_id, row[0]],
    )
    announce(conn, ctx.site_id, "tasks", row[0])
    return task(conn, ctx.site_id, row[0])


def hold(conn: Conn, ctx: Context, task_id: UUID) -> PickTask:
    """Locks a task that this worker may work on; an open or idle one becomes theirs. Raises NotYours, Conflict, NotFound."""
    t = lock_task(conn, ctx.site_id, task_id)
    if t.state not in ("open", "claimed"):
        raise Conflict(
            f"This task is {t.state}; there is nothing left to pick. Ask for the next one.", state=t.state
        )
    idle = t.touched_at is not None and t.touched_at < ctx.now - IDLE
    if t.state == "claimed" and t.claimed_by != ctx.actor and not idle:
        raise NotYours(
            f"{_name(t.claimed_by)} picks this now; ask for the next one.", claimed_by=t.claimed_by
        )
    conn.execute(
        "update pick_task set state = 'claimed', claimed_by = %s, touched_at = %s where site_id = %s and id = %s",
        [ctx.actor, ctx.now, ctx.site_id, task_id],
    )
    return t


def skip(conn: Conn, ctx: Context, task_id: UUID, reason: str) -> PickTask:
    """Not now: the task goes to the end of the list, with the reason. Raises NotYours, Conflict, NotFound."""
    hold(conn, ctx, task_id)
    conn.execute(
        """update pick_task set state = 'open', claimed_by = null, touched_at = null, skipped_at = %s, skip_reason = %s,
                  version = version + 1 where site_id = %s and id = %s""",
        [ctx.now, reason, ctx.site_id, task_id],
    )
    announce(conn, ctx.site_id, "tasks", task_id)
    return task(conn, ctx.site_id, task_id)


def give_up_idle(conn: Conn, ctx: Context) -> int:
    """Opens the tasks of workers who went away, so that the list shows them as free. `next_task` does not wait for it."""
    freed = conn.execute(
        """update pick_task set state = 'open', claimed_by = null, touched_at = null, version = version + 1
           where site_id = %s and id in (select id from pick_task where site_id = %s and state = 'claimed' and touched_at < %s
                                         order by id for update skip locked)""",
        [ctx.site_id, ctx.site_id, ctx.now - IDLE],
    ).rowcount
    if freed:
        announce(conn, ctx.site_id, "tasks")
    return freed


def _name(actor: str | None) -> str:
    return (actor or "Somebody else").removeprefix("user:")
