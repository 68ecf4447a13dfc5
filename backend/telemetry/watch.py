"""Silence is news too: agents, readers and sensors that stopped speaking, doors that stay open.

`look` runs every few seconds. Hysteresis: an alert opens after a longer silence than the one below which it closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context, system_context
from backend.db import Conn
from backend.telemetry.alerts import close_alert, open_alert
from backend.telemetry.record import hold_against_limit, open_channels

ACTOR = "job:telemetry_watch"
AGENT_SILENT, AGENT_BACK = timedelta(seconds=45), timedelta(seconds=15)
AGENT_OFFLINE = timedelta(seconds=20)
"""After its last will an agent has so long to come back before anybody is called."""
DEVICE_DOWN = timedelta(seconds=30)

READER_KINDS = ("llrp_reader", "llrp")


@dataclass(frozen=True)
class _Agent:
    id: UUID
    site_id: UUID
    code: str
    online: bool
    received_at: datetime


@dataclass(frozen=True)
class _Device:
    id: UUID
    site_id: UUID
    code: str
    kind: str
    place_id: UUID | None
    place: str | None
    silent_after_s: int
    state: str
    state_since: datetime
    detail: str
    last_seen_at: datetime | None
    last_value_at: datetime | None


def look(conn: Conn, now: datetime) -> None:
    """Opens and closes the alerts of silence, and holds the last values against their limits as time goes by."""
    with conn.cursor(row_factory=class_row(_Agent)) as cur:
        agents = cur.execute(
            """select a.id, a.site_id, a.code, s.online, s.received_at from agent a join agent_status s on s.agent_id = a.id
               where a.state = 'active' order by a.id"""
        ).fetchall()
    heard: set[UUID] = set()
    for a in agents:
        ctx = _at(now, a.site_id)
        age = now - a.received_at
        if (a.online and age > AGENT_SILENT) or (not a.online and age > AGENT_OFFLINE):
            open_alert(
                conn, ctx, "agent_silent", a.code,
                f"Agent {a.code} says nothing since {a.received_at:%H:%M:%S} UTC. Its devices keep their events until it is back.",
                severity="critical", agent_id=a.id, data={"agent": a.code, "since": a.received_at.isoformat()},
            )  # fmt: skip
        elif a.online and age < AGENT_BACK:
            close_alert(conn, ctx, "agent_silent", a.code)
        if a.online and age <= AGENT_SILENT:
            heard.add(a.id)
    for row in conn.execute(
        """select site_id, code from agent where state = 'revoked' and exists (
               select 1 from alert l where l.agent_id = agent.id and l.kind = 'agent_silent' and l.state <> 'closed')"""
    ).fetchall():
        close_alert(conn, _at(now, row[0]), "agent_silent", row[1])
    with conn.cursor(row_factory=class_row(_Device)) as cur:
        devices = cur.execute(
            """select d.id, d.site_id, d.code, d.kind, d.place_id, p.code as place, d.silent_after_s, s.state, s.state_since, s.detail,
                      s.last_seen_at, (select max(received_at) from sensor_state v where v.device_id = d.id) as last_value_at
               from device d join device_status s on s.device_id = d.id left join place p on p.id = d.place_id
               where d.active and d.agent_id = any(%s) order by d.id""",
            [list(heard)],
        ).fetchall()
    for d in devices:
        _watch_device(conn, _at(now, d.site_id), d, now)
    for c in open_channels(conn):
        hold_against_limit(conn, _at(now, c.site_id), c, now)


def _watch_device(conn: Conn, ctx: Context, d: _Device, now: datetime) -> None:
    """Only where the agent speaks: a silent agent is one alert, not one a device."""
    kind = (
        "sensor_silent" if d.last_value_at is not None
        else "reader_silent" if d.kind in READER_KINDS
        else "device_silent"
    )  # fmt: skip
    longest = timedelta(seconds=d.silent_after_s)
    heard_at = d.last_value_at or d.last_seen_at
    down = d.state in ("offline", "fault") and now - d.state_since > DEVICE_DOWN
    quiet = heard_at is not None and now - heard_at > longest
    if kind == "device_silent":
        quiet = False  # a scanner or a scale that nobody uses says nothing
    where = f" at {d.place}" if d.place else ""
    if down or (quiet and d.state != "unknown"):
        since = d.state_since if down or heard_at is None else heard_at
        why = f" {d.detail}" if down and d.detail else ""
        open_alert(
            conn, ctx, kind, str(d.id), f"{d.code}{where} says nothing since {since:%H:%M:%S} UTC.{why}",
            device_id=d.id, place_id=d.place_id,
            data={"device": d.code, "place": d.place, "since": since.isoformat(), "detail": d.detail},
        )  # fmt: skip
    elif d.state not in ("offline", "fault") and (heard_at is None or now - heard_at < longest / 2):
        close_alert(conn, ctx, kind, str(d.id))


def _at(now: datetime, site_id: UUID) -> Context:
    ctx = system_context(ACTOR, site_id)
    return Context(ctx.actor, ctx.site_id, now, ctx.correlation_id)
