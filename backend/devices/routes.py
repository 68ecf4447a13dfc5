"""Agents and devices over HTTP: enrolment, the tree of what is alive, dead letters, the bench scale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query, Request
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from backend import api, ingest
from backend.api import Ctx, Db, Quantity, Site, Who, allow
from backend.context import Context
from backend.devices import agents, commands, registry
from backend.devices.dead_letters import settle
from backend.devices.status import READ_RATE
from backend.errors import ChangedMeanwhile, Conflict, Forbidden, Invalid, NotFound
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of, uuid_cursor
from backend.telemetry.record import Channel, channels_of
from edge.broker import Broker

open_router = api.router(tags=["devices"], open_commands=True)
router = api.router(tags=["devices"])

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Purpose = Literal["inbound", "outbound", "both", "none"]
MANAGE = allow("integrator", "admin")
Command = commands.Name


# --- agents -----------------------------------------------------------------------------------------------


class Agent(BaseModel):
    id: UUID
    code: str
    name: str
    state: Literal["enrolling", "active", "revoked"]
    online: bool = Field(description="It has sent a status within the last 45 s and no last will since")
    last_status_at: datetime | None
    version: str | None
    spool_depth: int
    spool_oldest_at: datetime | None
    events_lost: int
    events: int = Field(description="Received so far")
    duplicates: int = Field(description="Received again; counted once")
    enrol_expires_at: datetime | None = Field(description="Set while a one-time code waits to be used")
    created_at: datetime
    enrolled_at: datetime | None
    revoked_at: datetime | None
    devices: int


@dataclass(frozen=True)
class _AgentRow:
    id: UUID
    code: str
    name: str
    state: Literal["enrolling", "active", "revoked"]
    online: bool
    last_status_at: datetime | None
    version: str | None
    spool_depth: int
    spool_oldest_at: datetime | None
    events_lost: int
    events: int
    duplicates: int
    enrol_expires_at: datetime | None
    created_at: datetime
    enrolled_at: datetime | None
    revoked_at: datetime | None
    devices: int


_ONLINE = "coalesce(s.online and s.received_at > now() - interval '45 seconds', false)"
_AGENT = f"""
    select a.id, a.code, a.name, a.state, {_ONLINE} as online, s.received_at as last_status_at, s.version,
           coalesce(s.spool_depth, 0) as spool_depth, s.spool_oldest_at, coalesce(s.events_lost, 0) as events_lost,
           coalesce((select sum(events) from event_receipt r where r.agent_id = a.id), 0)::bigint as events,
           coalesce((select sum(duplicates) from event_receipt r where r.agent_id = a.id), 0)::bigint as duplicates,
           a.enrol_expires_at, a.created_at, a.enrolled_at, a.revoked_at,
           (select count(*) from device d where d.agent_id = a.id and d.active)::int as devices
    from agent a left join agent_status s on s.agent_id = a.id"""


def _agent(conn: Db, site_id: UUID, agent_id: UUID) -> Agent:
    with conn.cursor(row_factory=class_row(_AgentRow)) as cur:
        row = cur.execute(
            f"{_AGENT} where a.site_id = %s and a.id = %s".encode(), [site_id, agent_id]
        ).fetchone()
    if row is None:
        raise NotFound("There is no such agent at this site.")
    return Agent(**row.__dict__)


@router.get("/agents", response_model=Page[Agent])
def list_agents(conn: Db, site: Site, who: Who, limit: Limit = 100, cursor: Cursor = None) -> Page[Agent]:
    after = decode_cursor(cursor, 1)
    with conn.cursor(row_factory=class_row(_AgentRow)) as cur:
        rows = cur.execute(
            f"{_AGENT} where a.site_id = %s and a.code > %s order by a.code limit %s".encode(),
            [site, after[0] if after else "", limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.code], lambda r: Agent(**r.__dict__))


class NewAgent(BaseModel):
    code: Code
    name: Text = ""


class AgentWithCode(BaseModel):
    agent: Agent
    enrol_code: str = Field(description="Shown once; for one enrolment, until `expires_at`")
    expires_at: datetime


@router.post("/agents", response_model=AgentWithCode, status_code=201, dependencies=[MANAGE])
def create_agent(body: NewAgent, conn: Db, ctx: Ctx) -> AgentWithCode:
    made = agents.create_agent(conn, ctx, body.code, body.name)
    return AgentWithCode(
        agent=_agent(conn, ctx.site_id, made.id), enrol_code=made.enrol_code, expires_at=made.expires_at
    )


@router.post("/agents/{agent_id}/enrol-code", response_model=AgentWithCode, dependencies=[MANAGE])
def give_new_enrol_code(agent_id: UUID, conn: Db, ctx: Ctx) -> AgentWithCode:
    made = agents.new_enrol_code(conn, ctx, agent_id)
    return AgentWithCode(
        agent=_agent(conn, ctx.site_id, made.id), enrol_code=made.enrol_code, expires_at=made.expires_at
    )


class EnrolCode(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=64)]


class AgentSecret(BaseModel):
    site: str
    agent: str
    secret: str = Field(description="Shown once; only its hash is kept")
    mqtt_url: str
    mqtt_username: str


def _with_address(enrolled: agents.Enrolled, request: Request) -> AgentSecret:
    broker = Broker.from_url(getattr(request.app.state, "mqtt_url", None) or "mqtt://127.0.0.1:1883")
    return AgentSecret(
        site=enrolled.site, agent=enrolled.agent, secret=enrolled.secret,
        mqtt_url=broker.public_url, mqtt_username=enrolled.mqtt_username,
    )  # fmt: skip


@open_router.post("/agents/enrol", response_model=AgentSecret)
def enrol_agent(body: EnrolCode, conn: Db, request: Request) -> AgentSecret:
    return _with_address(agents.enrol(conn, body.code, datetime.now(UTC)), request)


@router.post("/agents/{agent_id}/rotate-secret", response_model=AgentSecret, dependencies=[MANAGE])
def rotate_agent_secret(agent_id: UUID, conn: Db, ctx: Ctx, request: Request) -> AgentSecret:
    return _with_address(agents.rotate_secret(conn, ctx, agent_id), request)


@router.post("/agents/{agent_id}/revoke", response_model=Agent, dependencies=[MANAGE])
def revoke_agent(agent_id: UUID, conn: Db, ctx: Ctx) -> Agent:
    agents.revoke_agent(conn, ctx, agent_id)
    return _agent(conn, ctx.site_id, agent_id)


# --- devices ----------------------------------------------------------------------------------------------


class ChannelState(BaseModel):
    channel: str
    unit: str
    value: float
    at: datetime
    low: float | None
    high: float | None
    out_of_range: bool


class Device(BaseModel):
    id: UUID
    code: str
    name: str
    kind: str
    agent_id: UUID
    agent: str
    agent_online: bool
    place_id: UUID | None
    place: str | None
    purpose: Purpose
    silent_after_s: int
    active: bool
    state: Literal["unknown", "online", "offline", "fault"] = Field(
        description="As it said last; `unknown` while its agent is silent"
    )
    state_since: datetime | None
    detail: str
    last_seen_at: datetime | None
    firmware: str | None
    clock_offset_s: float | None
    readings_per_s: float
    rejected_frames: int
    events_lost: int
    antennas: dict[str, str]
    read_rates: list[float | None] = Field(
        description="Readings a second, minute by minute over the last half hour, the oldest first; null where nothing was heard"
    )
    channels: list[ChannelState]
    version: int


@dataclass(frozen=True)
class _DeviceRow:
    id: UUID
    code: str
    name: str
    kind: str
    agent_id: UUID
    agent: str
    agent_online: bool
    place_id: UUID | None
    place: str | None
    purpose: Purpose
    silent_after_s: int
    active: bool
    state: Literal["unknown", "online", "offline", "fault"]
    state_since: datetime | None
    detail: str
    last_seen_at: datetime | None
    firmware: str | None
    clock_offset_s: float | None
    readings_per_s: float
    rejected_frames: int
    events_lost: int
    antennas: dict[str, str]
    version: int


_DEVICE = f"""
    select d.id, d.code, d.name, d.kind, d.agent_id, a.code as agent, {_ONLINE} as agent_online, d.place_id, p.code as place, d.purpose,
           d.silent_after_s, d.active, case when {_ONLINE} then coalesce(t.state, 'unknown') else 'unknown' end as state, t.state_since,
           coalesce(t.detail, '') as detail, t.last_seen_at, t.firmware, t.clock_offset_s,
           case when {_ONLINE} then coalesce(t.readings_per_s, 0) else 0 end as readings_per_s,
           coalesce(t.rejected_frames, 0) as rejected_frames, coalesce(t.events_lost, 0) as events_lost,
           coalesce(t.antennas, '{{}}') as antennas, d.version
    from device d join agent a on a.id = d.agent_id left join agent_status s on s.agent_id = a.id
         left join device_status t on t.device_id = d.id left join place p on p.id = d.place_id"""

MINUTES = 30


def _devices(conn: Db, site_id: UUID, found: list[_DeviceRow]) -> dict[UUID, Device]:
    """Rows with their sparklines and channels."""
    ids = [r.id for r in found]
    rates: dict[UUID, list[float | None]] = {i: [None] * MINUTES for i in ids}
    for device_id, minutes_ago, rate in conn.execute(
        """select device_id, floor(extract(epoch from now() - at) / 60)::int as ago, avg(value)::float from sensor_value
           where site_id = %s and device_id = any(%s) and channel = %s and at > now() - %s * interval '1 minute' and at <= now()
           group by 1, 2""",
        [site_id, ids, READ_RATE, MINUTES],
    ).fetchall():
        if 0 <= minutes_ago < MINUTES:
            rates[device_id][MINUTES - 1 - minutes_ago] = round(rate, 2)
    channels: dict[UUID, list[ChannelState]] = {i: [] for i in ids}
    for c in channels_of(conn, ids):
        channels[c.device_id].append(_channel(c))
    return {
        r.id: Device(**r.__dict__, read_rates=rates[r.id], channels=channels[r.id]) for r in found
    }  # fmt: skip


def _channel(c: Channel) -> ChannelState:
    limit = c.limit
    return ChannelState(
        channel=c.channel, unit=c.unit, value=float(c.value), at=c.at, out_of_range=c.out_since is not None,
        low=float(limit.low) if limit and limit.low is not None else None,
        high=float(limit.high) if limit and limit.high is not None else None,
    )  # fmt: skip


def _device(conn: Db, site_id: UUID, device_id: UUID) -> Device:
    with conn.cursor(row_factory=class_row(_DeviceRow)) as cur:
        row = cur.execute(
            f"{_DEVICE} where d.site_id = %s and d.id = %s".encode(), [site_id, device_id]
        ).fetchone()
    if row is None:
        raise NotFound("There is no such device at this site.")
    return _devices(conn, site_id, [row])[row.id]


@router.get("/devices", response_model=Page[Device])
def list_devices(
    conn: Db,
    site: Site,
    who: Who,
    agent_id: UUID | None = None,
    place_id: UUID | None = None,
    kind: Annotated[str | None, Query(max_length=63)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Device]:
    """The tree's leaves, agent by agent."""
    after = decode_cursor(cursor, 2) or ["", ""]
    with conn.cursor(row_factory=class_row(_DeviceRow)) as cur:
        rows = cur.execute(
            f"""{_DEVICE} where d.site_id = %s and (a.code, d.code) > (%s, %s) and (%s::uuid is null or d.agent_id = %s)
                and (%s::uuid is null or d.place_id = %s) and (%s::text is null or d.kind = %s)
                order by a.code, d.code limit %s""".encode(),
            [site, *after, agent_id, agent_id, place_id, place_id, kind, kind, limit + 1],
        ).fetchall()
    whole = _devices(conn, site, rows[:limit])
    return page_of(rows, limit, lambda r: [r.agent, r.code], lambda r: whole[r.id])


class DeviceEvent(BaseModel):
    seq: int
    type: str
    occurred_at: datetime
    device_at: str | None
    recorded_at: datetime
    correlation_id: str
    data: dict[str, Any]


class DeviceCommand(BaseModel):
    id: UUID
    device_id: UUID
    command: commands.Name
    state: Literal["waiting", "sent", "expired"] = Field(
        description="`sent`: the broker has it. Whether the device obeyed shows in its state and values"
    )
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    settled_at: datetime | None


class DeviceDetail(BaseModel):
    device: Device
    events: list[DeviceEvent] = Field(description="The last fifty that are kept as evidence")
    knows: list[Command] = Field(description="The commands that a device of its kind can be given")
    commands: list[DeviceCommand] = Field(description="The last twenty that people gave, newest first")


@dataclass(frozen=True)
class _EventRow:
    seq: int
    type: str
    occurred_at: datetime
    device_at: str | None
    recorded_at: datetime
    correlation_id: str
    data: dict[str, Any]


@router.get("/devices/{device_id}", response_model=DeviceDetail)
def get_device(device_id: UUID, conn: Db, site: Site, who: Who) -> DeviceDetail:
    device = _device(conn, site, device_id)
    with conn.cursor(row_factory=class_row(_EventRow)) as cur:
        rows = cur.execute(
            """select seq, type, occurred_at, device_at, recorded_at, correlation_id, data from device_event
               where device_id = %s order by occurred_at desc, seq desc limit 50""",
            [device_id],
        ).fetchall()
    return DeviceDetail(
        device=device,
        events=[DeviceEvent(**r.__dict__) for r in rows],
        knows=commands.known_to(device.kind),
        commands=[DeviceCommand(**c.__dict__) for c in commands.commands_of(conn, device_id)],
    )


class NewDeviceCommand(BaseModel):
    command: commands.Name


@router.post(
    "/devices/{device_id}/commands",
    response_model=DeviceCommand,
    status_code=202,
    dependencies=[allow("worker", "integrator")],
)
def command_device(device_id: UUID, body: NewDeviceCommand, conn: Db, ctx: Ctx, who: Who) -> DeviceCommand:
    """Goes out to the agent within a second or so, and is worth nothing half a minute later."""
    if body.command == "restart_device" and not who.may("lead", "integrator"):
        raise Forbidden("A device is restarted by a lead or an integrator.", field="command")
    return DeviceCommand(**commands.ask(conn, ctx, device_id, body.command).__dict__)


class SensorLimit(BaseModel):
    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    low: Quantity | None = None
    high: Quantity | None = None
    hysteresis: Annotated[Quantity, Field(ge=0)] | None = None
    hold_s: Annotated[int, Field(ge=0, le=86400)] = 60


class NewDevice(BaseModel):
    agent_id: UUID
    code: Code
    kind: Kind
    name: Text = ""
    place_id: UUID | None = None
    purpose: Purpose = "both"
    limits: Annotated[list[SensorLimit], Field(max_length=50)] = []


@router.post("/devices", response_model=Device, status_code=201, dependencies=[MANAGE])
def create_device(body: NewDevice, conn: Db, ctx: Ctx) -> Device:
    device_id = registry.register_device(
        conn, ctx, body.agent_id, body.code, body.kind, place_id=body.place_id, purpose=body.purpose, name=body.name
    )  # fmt: skip
    _set_limits(conn, device_id, body.limits)
    return _device(conn, ctx.site_id, device_id)


class DeviceChange(BaseModel):
    """What is left out stays. `limits` replaces all of them."""

    version: int = Field(ge=1, le=2**31 - 1)
    name: Text | None = None
    place_id: UUID | None = None
    purpose: Purpose | None = None
    silent_after_s: Annotated[int, Field(ge=10, le=604800)] | None = None
    active: bool | None = None
    limits: Annotated[list[SensorLimit], Field(max_length=50)] | None = None


@router.patch("/devices/{device_id}", response_model=Device, dependencies=[MANAGE])
def change_device(device_id: UUID, body: DeviceChange, conn: Db, ctx: Ctx) -> Device:
    present = _device(conn, ctx.site_id, device_id)
    if "place_id" in body.model_fields_set:
        registry.check_place(conn, ctx.site_id, body.place_id)
    changed = conn.execute(
        """update device set name = coalesce(%s, name), place_id = case when %s then %s else place_id end,
               purpose = coalesce(%s, purpose), silent_after_s = coalesce(%s, silent_after_s), active = coalesce(%s, active),
               version = version + 1 where id = %s and version = %s""",
        [body.name, "place_id" in body.model_fields_set, body.place_id, body.purpose, body.silent_after_s, body.active,
         device_id, body.version],
    ).rowcount  # fmt: skip
    if not changed:
        raise ChangedMeanwhile(
            "Somebody else changed this device; look again.", present=present.model_dump(mode="json")
        )
    if body.limits is not None:
        conn.execute("delete from sensor_limit where device_id = %s", [device_id])
        _set_limits(conn, device_id, body.limits)
    return _device(conn, ctx.site_id, device_id)


def _set_limits(conn: Db, device_id: UUID, limits: list[SensorLimit]) -> None:
    if len({x.channel for x in limits}) < len(limits):
        raise Invalid("A channel has one limit; one of them stands twice.", field="limits")
    for x in limits:
        if x.low is None and x.high is None:
            raise Invalid(f"The limit of {x.channel} needs a low or a high.", field="limits")
        if x.low is not None and x.high is not None and x.low > x.high:
            raise Invalid(f"The low limit of {x.channel} is above the high one.", field="limits")
        conn.execute(
            "insert into sensor_limit (device_id, channel, low, high, hysteresis, hold_s) values (%s, %s, %s, %s, %s, %s)",
            [device_id, x.channel, x.low, x.high, x.hysteresis or 0, x.hold_s],
        )


# --- dead letters -----------------------------------------------------------------------------------------

LetterState = Literal["open", "retried", "discarded"]
PREVIEW_BYTES = 2048


class DeadLetter(BaseModel):
    id: UUID
    topic: str
    kind: str
    reason: str
    state: LetterState
    agent: str | None
    device: str | None
    times: int = Field(description="How often these bytes came")
    first_at: datetime
    last_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    size_bytes: int
    payload_hex: str = Field(description="The bytes as they came; in a list only the first 2048")
    payload_text: str = Field(description="The same read as UTF-8, what is none replaced")


@dataclass(frozen=True)
class _LetterRow:
    id: UUID
    topic: str
    kind: str
    reason: str
    state: LetterState
    agent: str | None
    device: str | None
    times: int
    first_at: datetime
    last_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    size_bytes: int
    payload: bytes


_LETTER = """
    select l.id, l.topic, l.kind, l.reason, l.state, a.code as agent, l.device, l.times, l.first_at, l.last_at, l.settled_at,
           l.settled_by, length(l.payload) as size_bytes, {payload} as payload
    from dead_letter l left join agent a on a.id = l.agent_id
    where (l.site_id = %s or (%s and l.site_id is null))"""


def _letter_model(row: _LetterRow) -> DeadLetter:
    fields = dict(row.__dict__)
    payload = bytes(fields.pop("payload"))
    return DeadLetter(
        **fields,
        payload_hex=payload.hex(),
        payload_text=payload.decode(errors="replace").replace("\0", "\ufffd"),
    )


def _letter(conn: Db, site_id: UUID, who: Who, letter_id: UUID) -> DeadLetter:
    with conn.cursor(row_factory=class_row(_LetterRow)) as cur:
        row = cur.execute(
            f"{_LETTER.format(payload='l.payload')} and l.id = %s".encode(),
            [site_id, who.site_id is None, letter_id],
        ).fetchone()
    if row is None:
        raise NotFound("There is no such dead letter.")
    return _letter_model(row)


@router.get("/dead-letters", response_model=Page[DeadLetter], dependencies=[allow("lead", "integrator")])
def list_dead_letters(
    conn: Db,
    site: Site,
    who: Who,
    state: LetterState | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeadLetter]:
    """Newest first. Those of sites that do not exist are shown to users of all sites."""
    before = uuid_cursor(cursor)
    with conn.cursor(row_factory=class_row(_LetterRow)) as cur:
        rows = cur.execute(
            f"""{_LETTER.format(payload=f"substring(l.payload for {PREVIEW_BYTES})")}
                and (%s::text is null or l.state = %s) and (%s::uuid is null or l.id < %s) order by l.id desc limit %s""".encode(),
            [site, who.site_id is None, state, state, before, before, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.id], _letter_model)


@router.get(
    "/dead-letters/{letter_id}", response_model=DeadLetter, dependencies=[allow("lead", "integrator")]
)
def get_dead_letter(letter_id: UUID, conn: Db, site: Site, who: Who) -> DeadLetter:
    return _letter(conn, site, who, letter_id)


@router.post(
    "/dead-letters/{letter_id}/retry", response_model=DeadLetter, dependencies=[allow("lead", "integrator")]
)
def retry_dead_letter(letter_id: UUID, conn: Db, ctx: Ctx, who: Who) -> DeadLetter:
    """Takes it again. Where it is refused again it stays open, with the new reason."""
    _lock_open(conn, ctx, who, letter_id)
    refused = ingest.retry(conn, letter_id, ctx.now)
    if refused is None:
        settle(conn, ctx, letter_id, "retried")
    else:
        conn.execute(
            "update dead_letter set kind = %s, reason = %s, last_at = %s, times = times + 1 where id = %s",
            [refused.kind, refused.reason, ctx.now, letter_id],
        )
    return _letter(conn, ctx.site_id, who, letter_id)


@router.post(
    "/dead-letters/{letter_id}/discard", response_model=DeadLetter, dependencies=[allow("lead", "integrator")]
)
def discard_dead_letter(letter_id: UUID, conn: Db, ctx: Ctx, who: Who) -> DeadLetter:
    _lock_open(conn, ctx, who, letter_id)
    settle(conn, ctx, letter_id, "discarded")
    return _letter(conn, ctx.site_id, who, letter_id)


def _lock_open(conn: Db, ctx: Context, who: Who, letter_id: UUID) -> None:
    conn.execute("select 1 from dead_letter where id = %s for update", [letter_id])
    letter = _letter(conn, ctx.site_id, who, letter_id)
    if letter.state != "open":
        raise Conflict(f"This dead letter was {letter.state} already, by {letter.settled_by}.")


# --- the bench scale --------------------------------------------------------------------------------------


class BenchWeight(BaseModel):
    device_id: UUID
    device: str
    place_id: UUID | None
    weight_g: Quantity | None = Field(description="The latest stable weight; null where there is none yet")
    tare_g: Quantity | None
    occurred_at: datetime | None
    age_s: float | None
    correlation_id: str | None


@router.get("/bench-scale/{device}/weight", response_model=BenchWeight)
def get_bench_weight(
    device: Annotated[str, Path(max_length=63, description="The scale's id or code")],
    conn: Db,
    site: Site,
    who: Who,
) -> BenchWeight:
    row = conn.execute(
        """select d.id, d.code, d.place_id, e.data, e.occurred_at, e.correlation_id
           from device d left join lateral (
               select data, occurred_at, correlation_id from device_event e
               where e.device_id = d.id and e.type = 'weighed' order by occurred_at desc, seq desc limit 1) e on true
           where d.site_id = %s and d.active and (d.code = %s or d.id::text = %s) order by d.created_at limit 1""",
        [site, device, device.lower()],
    ).fetchone()
    if row is None:
        raise NotFound("There is no such scale at this site.", field="device")
    data = row[3] or {}
    return BenchWeight(
        device_id=row[0], device=row[1], place_id=row[2],
        weight_g=Decimal(data["weight_g"]) if data.get("weight_g") is not None else None,
        tare_g=Decimal(data["tare_g"]) if data.get("tare_g") is not None else None,
        occurred_at=row[4], age_s=(datetime.now(UTC) - row[4]).total_seconds() if row[4] else None, correlation_id=row[5],
    )  # fmt: skip
