"""A day of deliveries: from midnight to midnight where the site is. A route belongs to the day on which its shift begins,
also where it ends after the next midnight."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.db import Conn
from backend.errors import Invalid


def zone_of(conn: Conn, site_id: UUID) -> ZoneInfo:
    row = conn.execute("select time_zone from site where id = %s", [site_id]).fetchone()
    return ZoneInfo(row[0] if row else "UTC")


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def bounds(conn: Conn, site_id: UUID, day: date) -> tuple[datetime, datetime]:
    """The day's first moment, and the next day's. Raises Invalid for a day of another age."""
    if not 2000 <= day.year <= 2200:
        raise Invalid("The day is not of this age.", field="day")
    zone = zone_of(conn, site_id)
    return begin_of(day, zone), begin_of(day + timedelta(days=1), zone)


def day_of(conn: Conn, site_id: UUID, moment: datetime) -> date:
    return moment.astimezone(zone_of(conn, site_id)).date()
