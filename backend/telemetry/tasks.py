"""The jobs of telemetry: roll-ups and partitions (where TimescaleDB does not do it), retention, the watch."""

from __future__ import annotations

from datetime import UTC, datetime

from backend import jobs
from backend.db import Conn
from backend.telemetry import watch

OBSERVATION_DAYS = 30
VALUE_DAYS = 90
FIVE_MINUTES_DAYS = 400
HOURLY_DAYS = 1830
POSITION_DAYS = 90
"""The same numbers stand as policies in `0011_create_telemetry.timescale.sql` and `0072_create_vehicle_positions.timescale.sql`."""


@jobs.task("telemetry_roll_up", what="Summing up sensor values", cron="* * * * *", retries=1)
def roll_up(conn: Conn) -> None:
    conn.execute("select telemetry_roll_up()")


@jobs.task("telemetry_maintain", what="Tidying up old sensor values", cron="7 * * * *", retries=3)
def maintain(conn: Conn) -> None:
    """Partitions a week ahead, so that a worker that is away for days harms nothing; old ones dropped."""
    conn.execute(
        "select telemetry_maintain(%s, %s, %s, %s, %s)",
        [datetime.now(UTC), OBSERVATION_DAYS, VALUE_DAYS, FIVE_MINUTES_DAYS, HOURLY_DAYS],
    )
    conn.execute("select telemetry_maintain_positions(%s, %s)", [datetime.now(UTC), POSITION_DAYS])


@jobs.task("telemetry_watch", what="Watching for silent devices", cron="* * * * * */5", retries=1)
def look(conn: Conn) -> None:
    watch.look(conn, datetime.now(UTC))
