"""Places on the earth, and distances over it as the crow flies.

Everything of ours says latitude first, in degrees (WGS 84). Longitude comes first only where GeoJSON or a road
server is spoken to, and is turned round right there.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

EARTH_RADIUS_M = 6_371_008.8


class Point(NamedTuple):
    lat: float
    lon: float


def straight_m(a: Point, b: Point) -> float:
    """Metres on the great circle."""
    half_lat, half_lon = radians(b.lat - a.lat) / 2, radians(b.lon - a.lon) / 2
    h = sin(half_lat) ** 2 + cos(radians(a.lat)) * cos(radians(b.lat)) * sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


def metres_from(centre: Point, p: Point) -> tuple[float, float]:
    """East and north of `centre` in metres on a plane; good to a metre within some kilometres."""
    east = radians((p.lon - centre.lon + 180) % 360 - 180) * EARTH_RADIUS_M * cos(radians(centre.lat))
    return east, radians(p.lat - centre.lat) * EARTH_RADIUS_M
