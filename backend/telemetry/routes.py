"""Alerts, sensor series and observations over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import class_row
from pydantic import AwareDatetime, BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Site, Who, allow
from backend.errors import Invalid, Unknown
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of, uuid_cursor
from backend.telemetry import alerts
from backend.telemetry.record import channels_of
from backend.telemetry.series import observations, series

router = api.router(tags=["telemetry"])

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


# --- alerts -----------------------------------------------------------------------------------------------

AlertState = Literal["open", "acknowledged", "closed"]


class Alert(BaseModel):
    id: UUID
    kind: str = Field(
        description="out_of_range, door_open, sensor_silent, reader_silent, device_silent, agent_silent, events_lost, device_clock"
    )
    subject: str
    severity: Literal["info", "warning", "critical"]
    message: str
    data: dict[str, Any] = Field(description="What the sentence is made of")
    agent_id: UUID | None
    device_id: UUID | None
    device: str | None
    place_id: UUID | None
    place: str | None
    state: AlertState
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    closed_at: datetime | None


@dataclass(frozen=True)
class _AlertRow:
    id: UUID
    kind: str
    subject: str
    severity: Literal["info", "warning", "critical"]
    message: str
    data: dict[str, Any]
    agent_id: UUID | None
    device_id: UUID | None
    device: str | None
    place_id: UUID | None
    place: str | None
    state: AlertState
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    closed_at: datetime | None


_ALERT = """select l.id, l.kind, l.subject, l.severity, l.message, l.data, l.agent_id, l.device_id, d.code as device, l.place_id,
                   p.code as place, l.state, l.opened_at, l.acknowledged_at, l.acknowledged_by, l.closed_at
            from alert l left join device d on d.id = l.device_id left join place p on p.id = l.place_id where l.site_id = %s"""


@router.get("/alerts", response_model=Page[Alert])
def list_alerts(
    conn: Db,
    site: Site,
    who: Who,
    state: AlertState | None = None,
    kind: Annotated[str | None, Query(max_length=63)] = None,
    device_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Alert]:
    """Newest first."""
    before = uuid_cursor(cursor)
    with conn.cursor(row_factory=class_row(_AlertRow)) as cur:
        rows = cur.execute(
            f"""{_ALERT} and (%s::text is null or l.state = %s) and (%s::text is null or l.kind = %s)
                and (%s::uuid is null or l.device_id = %s) and (%s::uuid is null or l.id < %s) order by l.id desc limit %s""".encode(),
            [site, state, state, kind, kind, device_id, device_id, before, before, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.id], lambda r: Alert(**r.__dict__))


@router.post(
    "/alerts/{alert_id}/acknowledge",
    response_model=Alert,
    dependencies=[allow("worker", "dispatcher", "integrator")],
)
def acknowledge_alert(alert_id: UUID, conn: Db, ctx: Ctx) -> Alert:
    alerts.acknowledge(conn, ctx, alert_id)
    with conn.cursor(row_factory=class_row(_AlertRow)) as cur:
        row = cur.execute(f"{_ALERT} and l.id = %s".encode(), [ctx.site_id, alert_id]).fetchone()
    assert row is not None
    return Alert(**row.__dict__)


# --- series -----------------------------------------------------------------------------------------------


class SeriesPoint(BaseModel):
    """One bucket; where `samples` is 0 there is a gap, and no line goes across it."""

    at: datetime
    average: float | None
    minimum: float | None
    maximum: float | None
    samples: int


class SensorSeries(BaseModel):
    device_id: UUID
    channel: str
    unit: str | None
    low: float | None = Field(description="The limits that hold now")
    high: float | None
    bucket_s: int
    points: list[SeriesPoint]


def _span(from_: datetime | None, to: datetime | None, default: timedelta) -> tuple[datetime, datetime]:
    end = to or datetime.now(UTC)
    start = from_ or max(end, EARLIEST + default) - default
    for name, value in (("to", end), ("from", start)):
        if not EARLIEST <= value <= LATEST:
            raise Invalid(f"`{name}` must lie between 2000 and 2200.", field=name)
    return start, end


def _own_device(conn: Db, site: UUID, device_id: UUID) -> None:
    if (
        conn.execute("select 1 from device where id = %s and site_id = %s", [device_id, site]).fetchone()
        is None
    ):
        raise Unknown("There is no such device at this site.", field="device_id")


@router.get("/sensor-series", response_model=SensorSeries)
def get_sensor_series(
    conn: Db,
    site: Site,
    who: Who,
    device_id: UUID,
    channel: Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,40}$")],
    from_: Annotated[
        AwareDatetime | None, Query(alias="from", description="Default: a day before `to`")
    ] = None,
    to: Annotated[AwareDatetime | None, Query(description="Default: now")] = None,
    bucket: Annotated[
        Literal["10s", "1m", "5m", "1h", "1d"] | None,
        Query(description="Default: what gives some 500 points"),
    ] = None,
) -> SensorSeries:
    _own_device(conn, site, device_id)
    start, end = _span(from_, to, timedelta(days=1))
    found = series(conn, site, device_id, channel, start, end, bucket)
    about = next((c for c in channels_of(conn, [device_id]) if c.channel == channel), None)
    limit = about.limit if about else None
    return SensorSeries(
        device_id=device_id, channel=channel, unit=about.unit if about else None, bucket_s=found.bucket_s,
        low=float(limit.low) if limit and limit.low is not None else None,
        high=float(limit.high) if limit and limit.high is not None else None,
        points=[
            SeriesPoint(
                at=p.at, samples=p.samples,
                average=None if p.average is None else round(float(p.average), 4),
                minimum=None if p.minimum is None else float(p.minimum),
                maximum=None if p.maximum is None else float(p.maximum),
            )
            for p in found.points
        ],
    )  # fmt: skip


# --- observations -----------------------------------------------------------------------------------------


class TagObservation(BaseModel):
    at: datetime
    first_at: datetime
    epc: str
    device_id: UUID
    device: str
    place_id: UUID | None
    place: str | None
    antenna: int
    reads: int
    peak_rssi_cdbm: int | None


@router.get("/observations", response_model=Page[TagObservation])
def list_observations(
    conn: Db,
    site: Site,
    who: Who,
    epc: Annotated[str | None, Query(pattern=r"^[0-9A-F]{4,128}$")] = None,
    device_id: UUID | None = None,
    from_: Annotated[
        AwareDatetime | None, Query(alias="from", description="Default: a day before `to`")
    ] = None,
    to: Annotated[AwareDatetime | None, Query(description="Default: now")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TagObservation]:
    """What antennas saw, newest first."""
    if device_id is not None:
        _own_device(conn, site, device_id)
    start, end = _span(from_, to, timedelta(days=1))
    values = decode_cursor(cursor, 2)
    try:
        before = (datetime.fromisoformat(values[0]), values[1]) if values else None
        if before is not None and (before[0].tzinfo is None or "\0" in before[1]):
            raise ValueError(values)
    except ValueError as e:
        raise Invalid("The cursor is of another list; start without it.", field="cursor") from e
    rows = observations(
        conn, site, epc=epc, device_id=device_id, from_=start, to=end, before=before, limit=limit + 1
    )
    return page_of(rows, limit, lambda r: [r.at.isoformat(), r.epc], lambda r: TagObservation(**r.__dict__))
