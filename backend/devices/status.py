"""What agents and devices say of themselves: statuses, faults, rejected frames, declared losses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from backend.context import Context
from backend.db import Conn
from backend.devices.registry import DeviceRow, register_device
from backend.live.announce import announce
from backend.telemetry.alerts import open_alert
from edge.messages import AgentStatus, DeviceStateChanged, Event, FrameRejected

READ_RATE = "readings_per_s"
"""The channel under which a device's read rate is kept as a series of its own."""


@dataclass(frozen=True)
class TakenStatus:
    new_devices: list[str]
    """Codes of devices that were not known before."""


def take_status(
    conn: Conn, ctx: Context, agent_id: UUID, status: AgentStatus, heard_at: datetime
) -> TakenStatus:
    """An agent's status or last will. Devices it names for the first time are registered.

    `heard_at`: by our clock; for one that the broker had kept, when it was said."""
    online = status.state == "online"
    if not online:
        conn.execute(
            """insert into agent_status (site_id, agent_id, online, said_at, received_at) values (%s, %s, false, %s, %s)
               on conflict (agent_id) do update set online = false,
                   received_at = case when agent_status.online then excluded.received_at else agent_status.received_at end""",
            [ctx.site_id, agent_id, status.at, heard_at],
        )
        announce(conn, ctx.site_id, "devices", agent_id)
        return TakenStatus([])
    conn.execute(
        """insert into agent_status (site_id, agent_id, online, said_at, received_at, version, epoch, spool_depth, spool_oldest_at, events_lost)
           values (%s, %s, true, %s, %s, %s, %s, %s, %s, %s)
           on conflict (agent_id) do update set online = true, said_at = excluded.said_at, received_at = excluded.received_at,
               version = excluded.version, epoch = excluded.epoch, spool_depth = excluded.spool_depth,
               spool_oldest_at = excluded.spool_oldest_at, events_lost = excluded.events_lost""",
        [ctx.site_id, agent_id, status.at, heard_at, status.version, status.epoch, status.spool_depth,
         status.spool_oldest_at, status.events_lost],
    )  # fmt: skip
    known = dict(conn.execute("select code, id from device where agent_id = %s", [agent_id]).fetchall())
    fresh = [d.device for d in status.devices if d.device not in known]
    for d in status.devices:
        if d.device not in known:
            known[d.device] = register_device(conn, ctx, agent_id, d.device, d.kind)
        elif d.kind:
            conn.execute(
                "update device set kind = %s where id = %s and kind <> %s", [d.kind, known[d.device], d.kind]
            )
    with conn.cursor() as cur:
        cur.executemany(
            """insert into device_status as s (site_id, device_id, state, detail, last_seen_at, firmware, clock_offset_s,
                   readings_per_s, rejected_frames, antennas) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
               on conflict (device_id) do update set
                   state_since = case when s.state = excluded.state then s.state_since else clock_timestamp() end,
                   state = excluded.state, detail = excluded.detail, last_seen_at = coalesce(excluded.last_seen_at, s.last_seen_at),
                   firmware = coalesce(excluded.firmware, s.firmware), clock_offset_s = coalesce(excluded.clock_offset_s, s.clock_offset_s),
                   readings_per_s = excluded.readings_per_s, rejected_frames = excluded.rejected_frames,
                   antennas = excluded.antennas, updated_at = clock_timestamp()""",
            [
                (ctx.site_id, known[d.device], d.state, d.detail, d.last_seen_at, d.firmware, d.clock_offset_s,
                 d.readings_per_s, d.rejected_frames, Jsonb(d.antennas))
                for d in status.devices
            ],
        )  # fmt: skip
        cur.executemany(
            "insert into sensor_value (site_id, device_id, channel, at, value) values (%s, %s, %s, %s, %s::numeric)",
            [
                (ctx.site_id, known[d.device], READ_RATE, ctx.now, round(d.readings_per_s, 3))
                for d in status.devices
            ],
        )
    gone = [known[c] for c in known if c not in {d.device for d in status.devices}]
    if gone:
        conn.execute(
            """update device_status set state = 'unknown', detail = 'The agent does not have this device in its configuration.',
                   state_since = clock_timestamp(), readings_per_s = 0, updated_at = clock_timestamp()
               where device_id = any(%s) and state <> 'unknown'""",
            [gone],
        )
    announce(conn, ctx.site_id, "devices", agent_id)
    return TakenStatus(fresh)


def on_device_state_changed(
    conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: DeviceStateChanged
) -> None:
    """A device came, went or broke. The status that follows says the same; this says it at once."""
    conn.execute(
        """insert into device_status as s (site_id, device_id, state, detail, firmware, clock_offset_s) values (%s, %s, %s, %s, %s, %s)
           on conflict (device_id) do update set
               state_since = case when s.state = excluded.state then s.state_since else clock_timestamp() end,
               state = excluded.state, detail = excluded.detail, firmware = coalesce(excluded.firmware, s.firmware),
               clock_offset_s = coalesce(excluded.clock_offset_s, s.clock_offset_s), updated_at = clock_timestamp()""",
        [ctx.site_id, device.id, data.state, data.detail, data.firmware, data.clock_offset_s],
    )
    announce(conn, ctx.site_id, "devices", device.id)


def on_frame_rejected(conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: FrameRejected) -> None:
    """The bytes are kept as evidence by ingest; the count comes with the agent's status. Here: say it."""
    announce(conn, ctx.site_id, "devices", device.id)


def on_events_lost(
    conn: Conn, ctx: Context, device: DeviceRow | None, agent_id: UUID, agent: str, count: int, reason: str
) -> None:
    """A declared loss is an alert that stays until a person has acknowledged it."""
    if device is not None:
        conn.execute(
            "update device_status set events_lost = events_lost + %s where device_id = %s", [count, device.id]
        )
    before = conn.execute(
        """select (data ->> 'count')::bigint from alert where site_id = %s and kind = 'events_lost' and subject = %s
           and state <> 'closed'""",
        [ctx.site_id, agent],
    ).fetchone()
    total = count + (before[0] if before else 0)
    open_alert(
        conn,
        ctx,
        "events_lost",
        agent,
        f"{total} events of {agent} are lost: {reason}",
        severity="critical",
        agent_id=agent_id,
        device_id=device.id if device else None,
        data={"count": total, "reason": reason},
    )
