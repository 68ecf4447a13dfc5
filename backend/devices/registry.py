"""Devices: which there are, where each stands and what it is for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from msgspec import Struct
from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Unknown, register
from backend.ids import new_id
from backend.live.announce import announce
from edge.messages import Event

register({"device_code_unique": (Conflict, "The agent has a device with this code already.", "code")})


@dataclass(frozen=True)
class DeviceRow:
    """A device as event handlers get it. `purpose` of a portal: inbound, outbound, both (by direction), none."""

    id: UUID
    code: str
    kind: str
    place_id: UUID | None
    purpose: str
    agent_id: UUID
    agent: str


@dataclass(frozen=True)
class Arrival:
    """One event with all that a handler needs, for handlers that take many at once."""

    ctx: Context
    device: DeviceRow
    event: Event
    data: Struct


_DEVICE = """select d.id, d.code, d.kind, d.place_id, d.purpose, d.agent_id, a.code as agent
             from device d join agent a on a.id = d.agent_id"""


def devices_of(conn: Conn, agent_ids: Collection[UUID]) -> dict[tuple[UUID, str], DeviceRow]:
    """Active devices of these agents, by agent and device code."""
    with conn.cursor(row_factory=class_row(DeviceRow)) as cur:
        rows = cur.execute(
            f"{_DEVICE} where d.active and d.agent_id = any(%s)".encode(), [list(agent_ids)]
        ).fetchall()
    return {(r.agent_id, r.code): r for r in rows}


def register_device(
    conn: Conn,
    ctx: Context,
    agent_id: UUID,
    code: str,
    kind: str,
    *,
    place_id: UUID | None = None,
    purpose: str = "both",
    name: str = "",
) -> UUID:
    """A new device of an agent. Raises Unknown for an agent or place of another site."""
    if (
        conn.execute("select 1 from agent where id = %s and site_id = %s", [agent_id, ctx.site_id]).fetchone()
        is None
    ):
        raise Unknown("There is no such agent at this site.", field="agent_id")
    check_place(conn, ctx.site_id, place_id)
    device_id = new_id()
    conn.execute(
        """insert into device (id, site_id, agent_id, code, kind, place_id, purpose, name)
           values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [device_id, ctx.site_id, agent_id, code, kind, place_id, purpose, name],
    )
    conn.execute(
        "insert into device_status (site_id, device_id) values (%s, %s) on conflict do nothing",
        [ctx.site_id, device_id],
    )
    announce(conn, ctx.site_id, "devices", device_id)
    return device_id


def check_place(conn: Conn, site_id: UUID, place_id: UUID | None) -> None:
    if place_id is None:
        return
    row = conn.execute(
        "select is_physical from place where id = %s and site_id = %s", [place_id, site_id]
    ).fetchone()
    if row is None:
        raise Unknown("There is no such place at this site.", field="place_id")
    if not row[0]:
        raise Unknown("A device stands at a physical place; this one is virtual.", field="place_id")
