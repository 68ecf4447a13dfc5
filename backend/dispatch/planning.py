"""Plans."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import Unavailable


@dataclass(frozen=True)
class Plan:
    id: UUID
    state: str
    day: date
    depot_id: UUID | None
    progress: str
    problem: str | None
    proposal: dict[str, Any] | None
    difference: dict[str, Any] | None
    created_at: datetime
    created_by: str
    settled_at: datetime | None
    version: int


def start(
    conn: Conn,
    ctx: Context,
    day: date,
    *,
    depot_id: UUID | None,
    limit_s: float,
    route_ids: list[UUID] | None,
) -> Plan:
    raise Unavailable("This part of dispatch is not there yet.")


def plans(conn: Conn, site_id: UUID, *, day: date | None, before: UUID | None, limit: int) -> list[Plan]:
    return []


def plan(conn: Conn, site_id: UUID, plan_id: UUID) -> Plan:
    raise Unavailable("This part of dispatch is not there yet.")


def accept(conn: Conn, ctx: Context, plan_id: UUID, version: int) -> Plan:
    raise Unavailable("This part of dispatch is not there yet.")


def discard(conn: Conn, ctx: Context, plan_id: UUID, version: int) -> Plan:
    raise Unavailable("This part of dispatch is not there yet.")
