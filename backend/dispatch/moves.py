"""By hand on the board."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.dispatch.jobs import Job
from backend.errors import Unavailable


@dataclass(frozen=True)
class Changed:
    route_ids: list[UUID]
    job_id: UUID | None
    consequences: list[str] = field(default_factory=list)


def _later() -> Unavailable:
    return Unavailable("This part of dispatch is not there yet.")


def slots(conn: Conn, ctx: Context, job_id: UUID, day: date | None) -> Any:
    raise _later()


def new_route(
    conn: Conn, ctx: Context, *, shift_id: UUID | None, vehicle_id: UUID | None, day: date | None
) -> UUID:
    raise _later()


def move(conn: Conn, ctx: Context, route_id: UUID, job_id: UUID, position: int, *, version: int, from_version: int | None,
         anyway: bool) -> Changed:  # fmt: skip
    raise _later()


def remove(conn: Conn, ctx: Context, route_id: UUID, stop_id: UUID, *, version: int) -> Changed:
    raise _later()


def lock_route(conn: Conn, ctx: Context, route_id: UUID, version: int, *, locked: bool) -> None:
    raise _later()


def lock_stop(conn: Conn, ctx: Context, stop_id: UUID, *, locked: bool) -> UUID:
    raise _later()


def job_changed(conn: Conn, ctx: Context, job: Job) -> None:
    raise _later()
