"""Writing telemetry: what antennas saw and what sensors measured, many events in one go.

An observation moves no stock. EPCs that nobody knows are handed to `catalog.tags`, which keeps them claimable.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.devices.registry import Arrival
from backend.live.announce import announce
from backend.telemetry.alerts import close_alert, open_alert
from backend.telemetry.limits import Limit, judge, limit_for
from edge.messages import Measured, TagSighting, TagsSeen

COPY_FROM = 50
"""Fewer rows go as an INSERT, more as a COPY."""

OLDEST, NEWEST = timedelta(days=30), timedelta(minutes=10)
"""A time further away than this is a wrong clock: the time of recording is taken."""


def plausible(at: datetime, now: datetime) -> bool:
    return now - OLDEST <= at <= now + NEWEST


# --- tags -------------------------------------------------------------------------------------------------


def on_tags_seen(conn: Conn, arrivals: Sequence[Arrival]) -> None:
    """Each sighting becomes an `observation`."""
    rows: list[tuple[Any, ...]] = []
    for a in arrivals:
        assert isinstance(a.data, TagsSeen)
        site_id, device_id = a.ctx.site_id, a.device.id
        now = a.ctx.now
        oldest, newest = now - OLDEST, now + NEWEST
        for s in a.data.sightings:
            first, last = s.first_at, s.last_at
            if not (oldest <= first <= newest and oldest <= last <= newest):
                first = last = a.event.occurred_at
            rows.append((site_id, device_id, s.epc, s.antenna, s.reads, s.peak_rssi_cdbm, first, last))
    _write_observations(conn, rows)
    _keep_unknown(conn, arrivals)
    for a in {a.device.id: a for a in arrivals}.values():
        announce(conn, a.ctx.site_id, "sensors", a.device.id)


_OBSERVATION = "observation (site_id, device_id, epc, antenna, reads, peak_rssi_cdbm, first_at, at)"
_OBSERVATION_TYPES = ["uuid", "uuid", "text", "int2", "int4", "int4", "timestamptz", "timestamptz"]


def _write_observations(conn: Conn, rows: Sequence[tuple[Any, ...]]) -> None:
    with conn.cursor() as cur:
        if len(rows) < COPY_FROM:
            cur.executemany(
                f"insert into {_OBSERVATION} values (%s, %s, %s, %s, %s, %s, %s, %s)".encode(), rows
            )
            return
        with cur.copy(f"copy {_OBSERVATION} from stdin (format binary)".encode()) as copy:
            copy.set_types(_OBSERVATION_TYPES)
            for row in rows:
                copy.write_row(row)


_looked_at: OrderedDict[tuple[UUID, str], float] = OrderedDict()
_LOOK_AGAIN_S, _LOOKED_AT_MOST = 600.0, 200_000


def _keep_unknown(conn: Conn, arrivals: Sequence[Arrival]) -> None:
    """Looks each EPC up once in ten minutes, not for every sighting."""
    try:
        from backend.catalog import tags
    except ModuleNotFoundError:
        return
    clock = time.monotonic()
    fresh: dict[UUID, dict[str, tuple[Arrival, TagSighting]]] = {}
    for a in arrivals:
        assert isinstance(a.data, TagsSeen)
        site_id = a.ctx.site_id
        for s in a.data.sightings:
            if _looked_at.get((site_id, s.epc), 0.0) < clock:
                fresh.setdefault(site_id, {}).setdefault(s.epc, (a, s))
    for site_id, seen in fresh.items():
        for epc, known in tags.identify(conn, site_id, list(seen)).items():
            if known.kind == "unknown":
                a, s = seen[epc]
                at = s.last_at if plausible(s.last_at, a.ctx.now) else a.event.occurred_at
                tags.note_unknown(
                    conn, a.ctx, epc, reason=known.reason or "Nobody registered it.", place_id=a.device.place_id,
                    reads=s.reads, first_at=at, last_at=at,
                )  # fmt: skip
        for epc in seen:
            _looked_at[site_id, epc] = clock + _LOOK_AGAIN_S
            _looked_at.move_to_end((site_id, epc))
    while len(_looked_at) > _LOOKED_AT_MOST:
        _looked_at.popitem(last=False)


# --- sensors ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Channel:
    """One channel of a sensor: its last value and its limits."""

    device_id: UUID
    device: str
    site_id: UUID
    place_id: UUID | None
    place: str | None
    storage_class: str | None
    channel: str
    unit: str
    value: Decimal
    at: datetime
    out_since: datetime | None
    low: Decimal | None
    high: Decimal | None
    hysteresis: Decimal | None
    hold_s: int | None

    @property
    def limit(self) -> Limit | None:
        own = None
        if self.hysteresis is not None and self.hold_s is not None:
            own = Limit(self.low, self.high, self.hysteresis, self.hold_s)
        return limit_for(self.channel, own, self.storage_class)

    @property
    def subject(self) -> str:
        return f"{self.device_id}:{self.channel}"


_CHANNEL = """select s.device_id, d.code as device, s.site_id, d.place_id, p.code as place, p.storage_class, s.channel, s.unit, s.value,
                     s.at, s.out_since, l.low, l.high, l.hysteresis, l.hold_s
              from sensor_state s join device d on d.id = s.device_id left join place p on p.id = d.place_id
                   left join sensor_limit l on l.device_id = s.device_id and l.channel = s.channel"""


@dataclass
class _Latest:
    value: Decimal
    unit: str
    at: datetime
    arrival: Arrival


def on_measured(conn: Conn, arrivals: Sequence[Arrival]) -> None:
    """Each reading becomes a `sensor_value`; the newest of each channel is held against its limits."""
    rows: list[tuple[Any, ...]] = []
    latest: dict[tuple[UUID, str], _Latest] = {}
    for a in arrivals:
        assert isinstance(a.data, Measured)
        at = a.event.occurred_at if plausible(a.event.occurred_at, a.ctx.now) else a.ctx.now
        for r in a.data.readings:
            rows.append((a.ctx.site_id, a.device.id, r.channel, at, r.value))
            known = latest.get((a.device.id, r.channel))
            if known is None or at >= known.at:
                latest[a.device.id, r.channel] = _Latest(r.value, r.unit, at, a)
    with conn.cursor() as cur:
        cur.executemany(
            "insert into sensor_value (site_id, device_id, channel, at, value) values (%s, %s, %s, %s, %s)",
            rows,
        )
    _judge_all(conn, latest)
    for a in {a.device.id: a for a in arrivals}.values():
        announce(conn, a.ctx.site_id, "sensors", a.device.id)


def _judge_all(conn: Conn, latest: dict[tuple[UUID, str], _Latest]) -> None:
    keys = sorted(latest)
    updated = conn.execute(
        """insert into sensor_state as s (site_id, device_id, channel, unit, value, at, received_at)
           select * from unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::numeric[], %s::timestamptz[], %s::timestamptz[])
           on conflict (device_id, channel) do update set unit = excluded.unit, value = excluded.value, at = excluded.at,
               received_at = excluded.received_at where s.at <= excluded.at
           returning device_id, channel""",
        [
            [latest[k].arrival.ctx.site_id for k in keys],
            [k[0] for k in keys],
            [k[1] for k in keys],
            [latest[k].unit for k in keys],
            [latest[k].value for k in keys],
            [latest[k].at for k in keys],
            [latest[k].arrival.ctx.now for k in keys],
        ],
    ).fetchall()
    newer = {(UUID(str(d)), c) for d, c in updated}
    with conn.cursor(row_factory=class_row(Channel)) as cur:
        channels = cur.execute(
            f"{_CHANNEL} where s.device_id = any(%s)".encode(), [sorted({d for d, _ in newer})]
        ).fetchall()
    for c in channels:
        if (c.device_id, c.channel) in newer:
            hold_against_limit(conn, latest[c.device_id, c.channel].arrival.ctx, c, c.at)


def hold_against_limit(conn: Conn, ctx: Context, c: Channel, now: datetime) -> None:
    """Opens or closes the channel's alert. `now`: the moment up to which the last value is taken to hold."""
    kind = "door_open" if c.channel == "door_open" else "out_of_range"
    limit = c.limit
    verdict = "inside" if limit is None else judge(limit, c.value)
    if verdict == "inside":
        if c.out_since is not None:
            _set_out_since(conn, c, None)
            close_alert(conn, ctx, kind, c.subject)
        return
    if limit is None or (verdict == "between" and c.out_since is None):
        return
    out_since = c.out_since
    if out_since is None:
        out_since = c.at
        _set_out_since(conn, c, out_since)
    if verdict == "outside" and (now - out_since).total_seconds() >= limit.hold_s:
        open_alert(
            conn,
            ctx,
            kind,
            c.subject,
            _sentence(kind, c, limit, out_since),
            severity="critical" if kind == "out_of_range" else "warning",
            device_id=c.device_id,
            place_id=c.place_id,
            data={
                "device": c.device, "place": c.place, "channel": c.channel, "value": str(c.value), "unit": c.unit,
                "low": None if limit.low is None else str(limit.low), "high": None if limit.high is None else str(limit.high),
                "since": out_since.isoformat(),
            },
        )  # fmt: skip


def open_channels(conn: Conn) -> list[Channel]:
    """Channels outside their limits now: a door that says nothing more while it stands open must still alarm."""
    with conn.cursor(row_factory=class_row(Channel)) as cur:
        return cur.execute(f"{_CHANNEL} where s.out_since is not null and d.active".encode()).fetchall()


def channels_of(conn: Conn, device_ids: Sequence[UUID]) -> list[Channel]:
    with conn.cursor(row_factory=class_row(Channel)) as cur:
        return cur.execute(
            f"{_CHANNEL} where s.device_id = any(%s) order by s.channel".encode(), [list(device_ids)]
        ).fetchall()


def _set_out_since(conn: Conn, c: Channel, since: datetime | None) -> None:
    conn.execute(
        "update sensor_state set out_since = %s where device_id = %s and channel = %s",
        [since, c.device_id, c.channel],
    )


def _sentence(kind: str, c: Channel, limit: Limit, since: datetime) -> str:
    where = c.place or c.device
    if kind == "door_open":
        return f"The door at {where} stands open ({c.device})."
    span = (
        f"{limit.low} to {limit.high}" if limit.low is not None and limit.high is not None
        else f"at least {limit.low}" if limit.low is not None else f"at most {limit.high}"
    )  # fmt: skip
    unit = {"Cel": "°C"}.get(c.unit, c.unit)
    return f"{c.channel.replace('_', ' ').capitalize()} at {where} is {c.value.normalize():f} {unit}; allowed is {span} ({c.device})."
