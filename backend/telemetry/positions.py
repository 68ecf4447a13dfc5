"""Where vehicles were: every reported position is kept, and the track of a receiver is read back in order.

A position moves no stock. What it means for a route (arrival, departure, ETA) is `dispatch.on_position`'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn
from backend.devices.registry import Arrival
from backend.errors import Invalid
from backend.telemetry.record import plausible
from edge.messages import PositionReported

MOST_TRACK_POINTS = 5000


def on_positions(conn: Conn, arrivals: Sequence[Arrival]) -> None:
    """Each report becomes a `vehicle_position`."""
    rows = []
    for a in arrivals:
        data = a.data
        assert isinstance(data, PositionReported)
        at = a.event.occurred_at if plausible(a.event.occurred_at, a.ctx.now) else a.ctx.now
        rows.append(
            (
                a.ctx.site_id,
                a.device.id,
                at,
                data.lat,
                data.lon,
                data.speed_kmh,
                data.course_deg,
                data.hdop,
                data.satellites,
                data.fix,
            )
        )
    with conn.cursor() as cur:
        cur.executemany(
            """insert into vehicle_position (site_id, device_id, at, lat, lon, speed_kmh, course_deg, hdop, satellites, fix)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            rows,
        )


@dataclass(frozen=True)
class TrackPoint:
    at: datetime
    lat: float
    lon: float
    speed_kmh: float | None
    course_deg: float | None
    hdop: float | None


def track(
    conn: Conn, site_id: UUID, device_ids: Sequence[UUID], from_: datetime, to: datetime
) -> list[TrackPoint]:
    """Where these receivers were from `from_` to before `to`, oldest first; thinned evenly to `MOST_TRACK_POINTS`.

    Times are those at the receiver, so what an agent kept while it was away stands where it belongs."""
    if to <= from_:
        raise Invalid("`to` must be after `from`.", field="to")
    with conn.cursor(row_factory=class_row(TrackPoint)) as cur:
        return cur.execute(
            """with found as (
                   select at, lat, lon, speed_kmh, course_deg, hdop, row_number() over (order by at) as n, count(*) over () as total
                   from vehicle_position
                   where site_id = %(site)s and device_id = any(%(devices)s) and at >= %(from)s and at < %(to)s)
               select at, lat, lon, speed_kmh, course_deg, hdop from found
               where n = 1 or n = total or n %% ((total + %(most)s - 1) / %(most)s) = 0 order by at""",
            {
                "site": site_id,
                "devices": list(device_ids),
                "from": from_,
                "to": to,
                "most": MOST_TRACK_POINTS,
            },
        ).fetchall()
