"""`record_step` when a step is done, `undo_last` when it was a mistake."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict
from backend.ids import new_id

UNDO_WITHIN = timedelta(minutes=10)

UNDO: dict[str, str] = {
    "count_line": "backend.counting.counts:undo_line",
    "move": "backend.transfers.undo:undo_move",
    "receive": "backend.receiving.undo:undo_scan",
    "putaway": "backend.putaway.undo:undo_confirm",
    "pick": "backend.picking.undo:undo_confirm",
    "pack": "backend.packing.undo:undo_content",
    "load": "backend.shipping.undo:undo_load",
    "return": "backend.returns.undo:undo_lines",
}
"""kind of step -> function `(conn, ctx, undo: dict) -> None` that takes it back or raises a Refused."""


class NothingToUndo(Conflict):
    kind, title = "nothing-to-undo", "Nothing to undo"


@dataclass(frozen=True)
class Step:
    kind: str
    """A key of `UNDO`."""
    label: str
    """What the person sees: `12 x TEA-250 to A-01-1`."""
    undo: dict[str, Any]


def record_step(conn: Conn, ctx: Context, step: Step) -> None:
    if step.kind not in UNDO:
        raise ValueError(f"no way to undo {step.kind}")
    conn.execute(
        "insert into handheld_step (site_id, id, actor, kind, label, undo) values (%s, %s, %s, %s, %s, %s)",
        [ctx.site_id, new_id(), ctx.actor, step.kind, step.label[:200], Jsonb(step.undo)],
    )


def undo_last(conn: Conn, ctx: Context) -> Step:
    """Takes back this person's last step. Raises NothingToUndo, or the slice's own refusal."""
    row = _last_row(conn, ctx, lock=True)
    if row is None or row[5] is not None:
        raise NothingToUndo("There is no step of yours to undo.")
    if row[4] < ctx.now - UNDO_WITHIN:
        raise NothingToUndo("Your last step is more than ten minutes ago; a lead can reverse its movement.")
    module, _, name = UNDO[row[1]].partition(":")
    take_back: Any = getattr(importlib.import_module(module), name)
    take_back(conn, ctx, row[3])
    conn.execute(
        "update handheld_step set undone_at = clock_timestamp() where site_id = %s and id = %s",
        [ctx.site_id, row[0]],
    )
    return Step(row[1], row[2], row[3])


def last_step(conn: Conn, ctx: Context) -> Step | None:
    """What `undo_last` would take back now."""
    row = _last_row(conn, ctx)
    if row is None or row[5] is not None or row[4] < ctx.now - UNDO_WITHIN:
        return None
    return Step(row[1], row[2], row[3])


def _last_row(conn: Conn, ctx: Context, *, lock: bool = False) -> tuple[Any, ...] | None:
    query = """select id, kind, label, undo, done_at, undone_at from handheld_step where site_id = %s and actor = %s
               order by id desc limit 1""" + (" for update" if lock else "")
    return conn.execute(query.encode(), [ctx.site_id, ctx.actor]).fetchone()
