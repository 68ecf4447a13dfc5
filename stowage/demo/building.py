"""Where things are: places by code, and the doors' antennas and lanes. The same plan as `layout`, in the world's terms."""

from __future__ import annotations

from functools import cache

from device_drivers.emulator.radio import Antenna
from device_drivers.emulator.scene import XY
from stowage.demo.layout import places

DOOR_LINE_Y = 38.5
LANE_M = 6.5
"""A pallet comes from so far outside and is put down so far inside; beyond it the antennas do not hear it well."""


@cache
def _middles() -> dict[str, XY]:
    return {p.code: (p.x_m + p.width_m / 2, p.y_m + p.depth_m / 2) for p in places()}


def xy_of(code: str) -> XY:
    """The middle of a place; somewhere in the hall for one that the plan does not have."""
    return _middles().get(code, (30.0, 26.0))


def bins_beside(code: str) -> list[str]:
    """The other bins of the same aisle: where a hurried person scans by mistake."""
    return [c for c in _middles() if c != code and c[:2] == code[:2] and c[1:2] == "-"]


def antennas(door: str) -> list[Antenna]:
    """Two look out at the truck (1, 2), two into the hall (3, 4)."""
    x, y = xy_of(door)[0], DOOR_LINE_Y
    return [
        Antenna(1, (x - 1.5, y + 0.8), facing=(x, y + 1.6)),
        Antenna(2, (x + 1.5, y + 0.8), facing=(x, y + 1.6)),
        Antenna(3, (x - 1.5, y - 0.8), facing=(x, y - 1.6)),
        Antenna(4, (x + 1.5, y - 0.8), facing=(x, y - 1.6)),
    ]


def on_the_truck(door: str) -> XY:
    return xy_of(door)[0], DOOR_LINE_Y + LANE_M


def behind_the_door(door: str) -> XY:
    return xy_of(door)[0], DOOR_LINE_Y - LANE_M
