"""Observations and sensor values over time, and the alerts that come out of them.

The tables are hypertables where TimescaleDB is there, partitions with roll-ups where it is not; the names are
the same and nothing above this folder can tell. `series` and `track` read, `on_tags_seen`, `on_measured` and
`on_positions` write, `open_alert` and `close_alert` are for every slice. What is kept how long: `tasks.py`.
"""

from backend.telemetry.alerts import acknowledge, close_alert, open_alert
from backend.telemetry.positions import TrackPoint, on_positions, track
from backend.telemetry.record import on_measured, on_tags_seen
from backend.telemetry.series import Point, Series, series

__all__ = [
    "Point",
    "Series",
    "TrackPoint",
    "acknowledge",
    "close_alert",
    "on_measured",
    "on_positions",
    "on_tags_seen",
    "open_alert",
    "series",
    "track",
]
