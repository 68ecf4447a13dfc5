"""Undo of the last handheld step."""

from __future__ import annotations

from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, allow
from backend.handheld.undo import last_step, undo_last

router = api.router(tags=["handheld"])


class Undone(BaseModel):
    kind: str
    label: str


class LastStep(BaseModel):
    step: Undone | None = Field(description="Null: nothing to undo")


@router.get("/undo", response_model=LastStep, dependencies=[allow("worker")])
def get_last_step(conn: Db, ctx: Ctx) -> LastStep:
    """What an undo would take back now."""
    step = last_step(conn, ctx)
    return LastStep(step=None if step is None else Undone(kind=step.kind, label=step.label))


@router.post("/undo", response_model=Undone, dependencies=[allow("worker")])
def undo_last_step(conn: Db, ctx: Ctx) -> Undone:
    """Takes back your own last step; only the last, and within ten minutes."""
    step = undo_last(conn, ctx)
    return Undone(kind=step.kind, label=step.label)
