"""Telling a device to do something: written with its job in one transaction, published by the worker.

A command is worth nothing later: it is never retained, it expires, and an agent that is away gets none.
To add one: `edge.messages.Command`, the constraint in the migrations, and the driver's `commands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from psycopg.rows import class_row

from backend import jobs
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.live.announce import announce
from edge import messages
from edge.broker import Broker
from edge.messages import Command

Name = Literal["restart_device", "zero_scale", "tare_scale", "report_status"]
ONLY_FOR: dict[str, str] = {"zero_scale": "scale", "tare_scale": "scale"}
"""What only one kind of device can do."""
ALL: tuple[Name, ...] = get_args(Name)
LIFETIME = timedelta(seconds=30)
TIMEOUT_S = 5.0


class CannotDoThat(Conflict):
    """The device is of another kind, or its agent is away."""

    kind, title = "device-cannot", "The device cannot do that now"


@dataclass(frozen=True)
class Asked:
    id: UUID
    device_id: UUID
    command: Name
    state: Literal["waiting", "sent", "expired"]
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    settled_at: datetime | None


_ASKED = (
    "select id, device_id, command, state, asked_by, asked_at, expires_at, settled_at from device_command"
)


def known_to(kind: str) -> list[Name]:
    """What a device of this kind can be told."""
    return [name for name in ALL if ONLY_FOR.get(name) in (None, kind)]


def ask(conn: Conn, ctx: Context, device_id: UUID, command: Name) -> Asked:
    """Raises NotFound, CannotDoThat."""
    row = conn.execute(
        """select d.code, d.kind, d.active, a.id, a.code,
                  coalesce(a.state = 'active' and s.online and s.received_at > now() - interval '45 seconds', false)
           from device d join agent a on a.id = d.agent_id left join agent_status s on s.agent_id = a.id
           where d.site_id = %s and d.id = %s""",
        [ctx.site_id, device_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such device at this site.")
    code, kind, active, agent_id, agent, online = row
    if command not in known_to(kind):
        raise CannotDoThat(f"{code} is a {kind}; {command} is for a {ONLY_FOR[command]}.", field="command")
    if not active or not online:
        why = f"{code} is switched off here" if not active else f"Its agent {agent} is away"
        raise CannotDoThat(f"{why}; nothing is kept for later. Ask again when it is back.")
    command_id = new_id()
    conn.execute(
        """insert into device_command (site_id, id, device_id, command, asked_by, expires_at, correlation_id)
           values (%s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, command_id, device_id, command, ctx.actor, ctx.now + LIFETIME, ctx.correlation_id],
    )
    args = {
        "site_id": str(ctx.site_id),
        "command_id": str(command_id),
        "correlation_id": ctx.correlation_id,
    }
    jobs.defer(conn, "devices_send_command", args, lock=f"commands:{agent_id}")
    announce(conn, ctx.site_id, "devices", device_id)
    return _asked(conn, command_id)


def commands_of(conn: Conn, device_id: UUID, limit: int = 20) -> list[Asked]:
    """The last ones, newest first."""
    with conn.cursor(row_factory=class_row(Asked)) as cur:
        query = f"{_ASKED} where device_id = %s order by id desc limit %s"
        return cur.execute(query.encode(), [device_id, limit]).fetchall()


def _asked(conn: Conn, command_id: UUID) -> Asked:
    with conn.cursor(row_factory=class_row(Asked)) as cur:
        found = cur.execute(f"{_ASKED} where id = %s".encode(), [command_id]).fetchone()
    assert found is not None
    return found


@dataclass(frozen=True)
class _Outgoing:
    site_id: UUID
    device_id: UUID
    site: str
    agent: str
    device: str
    command: Name
    expires_at: datetime


def send(conn: Conn, command_id: UUID, mqtt_url: str, now: datetime) -> None:
    """Publishes what is still worth it; the job's second run after a lost commit sends the same id again.

    Raises OSError where the broker does not take it: the job comes again until the command has expired."""
    with conn.cursor(row_factory=class_row(_Outgoing)) as cur:
        out = cur.execute(
            """select s.id as site_id, d.id as device_id, s.code as site, a.code as agent, d.code as device, c.command, c.expires_at
               from device_command c join device d on d.id = c.device_id join agent a on a.id = d.agent_id join site s on s.id = c.site_id
               where c.id = %s and c.state = 'waiting' for update of c""",
            [command_id],
        ).fetchone()
    if out is None:
        return
    if out.expires_at > now:
        message = Command(
            v=messages.VERSION, id=str(command_id), device=out.device, command=out.command, expires_at=out.expires_at
        )  # fmt: skip
        publish(mqtt_url, messages.topic(out.site, out.agent, "commands"), messages.encode(message))
    state = "sent" if out.expires_at > now else "expired"
    conn.execute(
        "update device_command set state = %s, settled_at = %s where id = %s", [state, now, command_id]
    )
    announce(conn, out.site_id, "devices", out.device_id)


def publish(mqtt_url: str, topic: str, payload: bytes) -> None:
    """One message, QoS 1, not retained, taken by the broker. Raises OSError."""
    broker = Broker.from_url(mqtt_url)
    client = broker.client()
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        sent = client.publish(topic, payload, qos=1, retain=False)
        sent.wait_for_publish(TIMEOUT_S)
        if not sent.is_published():
            raise OSError(f"the broker at {broker} did not take the command in {TIMEOUT_S:.0f} s")
    except (RuntimeError, ValueError) as e:
        raise OSError(f"the broker refuses the command: {e}") from e
    finally:
        client.disconnect()
        client.loop_stop()
