"""Reading telemetry: a channel over time in even buckets. Where nothing was measured, the bucket is empty.

Fine buckets come from the values, from five minutes on from the roll-ups, whoever fills them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn
from backend.errors import Invalid

MOST_POINTS = 2000

BUCKETS: dict[str, tuple[timedelta, str]] = {
    "10s": (timedelta(seconds=10), "sensor_value"),
    "1m": (timedelta(minutes=1), "sensor_value"),
    "5m": (timedelta(minutes=5), "sensor_5min"),
    "1h": (timedelta(hours=1), "sensor_hourly"),
    "1d": (timedelta(days=1), "sensor_hourly"),
}


@dataclass(frozen=True)
class Point:
    """One bucket. `samples` 0: a gap, and the values are None."""

    at: datetime
    average: Decimal | None
    minimum: Decimal | None
    maximum: Decimal | None
    samples: int


@dataclass(frozen=True)
class Series:
    bucket_s: int
    points: list[Point]


def fitting_bucket(span: timedelta) -> str:
    """The finest bucket with at most some 500 points."""
    return next((b for b, (width, _) in BUCKETS.items() if span / width <= 500), "1d")


_FROM_VALUES = """
    select date_bin(%(width)s, at, '2000-01-01 00:00+00') as at, avg(value) as average, min(value) as minimum, max(value) as maximum,
           count(*)::int as samples
    from sensor_value where site_id = %(site)s and device_id = %(device)s and channel = %(channel)s and at >= %(from)s and at < %(to)s
    group by 1"""
_FROM_ROLL_UP = """
    select date_bin(%(width)s, bucket, '2000-01-01 00:00+00') as at, sum(average * samples) / sum(samples) as average,
           min(minimum) as minimum, max(maximum) as maximum, sum(samples)::int as samples
    from {table} where site_id = %(site)s and device_id = %(device)s and channel = %(channel)s and bucket >= %(from)s and bucket < %(to)s
    group by 1"""


def series(
    conn: Conn,
    site_id: UUID,
    device_id: UUID,
    channel: str,
    from_: datetime,
    to: datetime,
    bucket: str | None = None,
) -> Series:
    """Even buckets from `from_` (rounded down) to `to`; gaps stay gaps. Raises Invalid for too many points."""
    if to <= from_:
        raise Invalid("`to` must be after `from`.", field="to")
    bucket = bucket or fitting_bucket(to - from_)
    width, table = BUCKETS[bucket]
    if (to - from_) / width > MOST_POINTS:
        raise Invalid(
            f"That is more than {MOST_POINTS} points; take a wider bucket or a shorter time.", field="bucket"
        )
    inner = _FROM_VALUES if table == "sensor_value" else _FROM_ROLL_UP.format(table=table)
    with conn.cursor(row_factory=class_row(Point)) as cur:
        points = cur.execute(
            f"""with bounds as (select date_bin(%(width)s, %(from)s, '2000-01-01 00:00+00') as first),
                     found as ({inner})
                select b.at, f.average, f.minimum, f.maximum, coalesce(f.samples, 0) as samples
                from bounds, generate_series(bounds.first, %(to)s::timestamptz - interval '1 microsecond', %(width)s) as b (at)
                     left join found f on f.at = b.at order by b.at""".encode(),
            {
                "width": width, "from": _floor(from_, width), "to": to, "site": site_id, "device": device_id, "channel": channel,
            },
        ).fetchall()  # fmt: skip
    return Series(int(width.total_seconds()), points)


def _floor(at: datetime, width: timedelta) -> datetime:
    origin = datetime(2000, 1, 1, tzinfo=at.tzinfo)
    return at - (at - origin) % width


@dataclass(frozen=True)
class Observation:
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


def observations(
    conn: Conn,
    site_id: UUID,
    *,
    epc: str | None,
    device_id: UUID | None,
    from_: datetime,
    to: datetime,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Observation]:
    """Newest first."""
    at, last_epc = before or (to, "")
    with conn.cursor(row_factory=class_row(Observation)) as cur:
        return cur.execute(
            """select o.at, o.first_at, o.epc, o.device_id, d.code as device, d.place_id, p.code as place, o.antenna, o.reads,
                      o.peak_rssi_cdbm
               from observation o join device d on d.id = o.device_id left join place p on p.id = d.place_id
               where o.site_id = %(site)s and (%(epc)s::text is null or o.epc = %(epc)s)
                 and (%(device)s::uuid is null or o.device_id = %(device)s)
                 and o.at >= %(from)s and o.at <= %(at)s and (o.at, o.epc) < (%(at)s, %(last)s)
               order by o.at desc, o.epc desc limit %(limit)s""",
            {"site": site_id, "epc": epc, "device": device_id, "from": from_, "at": at, "last": last_epc, "limit": limit},
        ).fetchall()  # fmt: skip
