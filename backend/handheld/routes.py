"""Undo of the last handheld step."""

from __future__ import annotations

from pydantic import BaseModel

from backend import api
from backend.api import Ctx, Db, allow
from backend.handheld.undo import undo_last

router = api.router(tags=["handheld"])


class Undone(BaseModel):
    kind: str
    label: str


@router.post("/undo", response_model=Undone, dependencies=[allow("worker")])
def undo_last_step(conn: Db, ctx: Ctx) -> Undone:
    """Takes back your own last step; only the last, and within ten minutes."""
    step = undo_last(conn, ctx)
    return Undone(kind=step.kind, label=step.label)
