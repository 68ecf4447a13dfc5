"""Two dock doors side by side, on the emulator's radio: pallets pass, others stand near. The truth is known."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from device_drivers.emulator.radio import Antenna, Radio
from edge.cleaning.portal import Passage, Portal, PortalSettings

ROUND_S = 0.05
"""One inventory round; a reader's four antennas take turns."""
DOORS = {"dock-1": 0.0, "dock-2": 5.0}
"""Where each door stands along the wall, in metres; outside is y < 0."""


def antennas(x: float) -> list[Antenna]:
    return [
        Antenna(1, (x - 1.5, -0.8), facing=(x, -1.6)),
        Antenna(2, (x + 1.5, -0.8), facing=(x, -1.6)),
        Antenna(3, (x - 1.5, 0.8), facing=(x, 1.6)),
        Antenna(4, (x + 1.5, 0.8), facing=(x, 1.6)),
    ]


class Read(NamedTuple):
    door: str
    epc: str
    antenna: int
    at: float
    rssi_cdbm: int
    phase_rad: float


@dataclass
class Scenario:
    reads: list[Read] = field(default_factory=list)
    went: dict[str, tuple[str, str]] = field(default_factory=dict)
    """epc -> door, direction"""
    stood: set[str] = field(default_factory=set)
    crossed_at: dict[str, float] = field(default_factory=dict)
    """door -> when the middle of its pallet was 2 m behind the door line"""


def scenario(
    seed: int,
    *,
    both_doors: bool,
    parked: int = 12,
    strong_fade: bool = False,
    near: bool = False,
    loud: bool = False,
) -> Scenario:
    """One pallet (or one at each door) of 4 to 30 tags passes at 0.6 to 2 m/s, now and then pausing in the door,
    beside a parked pallet. `near`: parked beside the lane; `loud`: antennas 6 dB too strong."""
    rng = random.Random(seed)
    radio = Radio(seed, fade_db=8.0 if strong_fade else 4.0, rssi_at_1m_dbm=-36.0 if loud else -42.0)
    result = Scenario()
    tags: list[tuple[str, float, float, float, float, float, float]] = []
    number = seed * 1000
    for door, x in DOORS.items():
        if door == "dock-2" and not both_doors:
            continue
        sign = rng.choice((1.0, -1.0))
        speed, start = rng.uniform(0.6, 2.0), 100.0 + rng.uniform(0, 2)
        pause = rng.choice((0.0, 0.0, 0.0, rng.uniform(0.5, 3)))
        result.crossed_at[door] = start + 10.0 / speed + pause
        for _ in range(rng.randint(4, 30)):
            number += 1
            epc = f"{number:024X}"
            result.went[epc] = (door, "in" if sign > 0 else "out")
            off_x, off_y = rng.uniform(-0.5, 0.5), rng.uniform(-0.6, 0.6)
            tags.append((epc, x + off_x, off_y, sign, speed, start, pause))
    still: list[tuple[str, tuple[float, float], float]] = []
    px, py = rng.uniform(1.8, 3.2), rng.choice((1, -1)) * rng.uniform(1.5, 3.5)
    if near:  # left standing beside the lane, within the antennas' best field
        px, py = rng.uniform(0.9, 1.4), rng.choice((1, -1)) * rng.uniform(1.2, 2.2)
    for _ in range(parked):
        number += 1
        epc = f"{number:024X}"
        result.stood.add(epc)
        still.append(
            (epc, (px + rng.uniform(-0.5, 0.5), py + rng.uniform(-0.6, 0.6)), rng.choice((0.0, 3.0)))
        )
    doors = {door: antennas(x) for door, x in DOORS.items()}
    for step in range(round(22 / ROUND_S)):
        at = 98.0 + step * ROUND_S
        here = list(still)
        for epc, x, off_y, sign, speed, start, pause in tags:
            moving = max(0.0, at - start)
            reached = 8.0 / speed  # at the door line
            moving = moving if moving < reached else max(reached, moving - pause)
            y = sign * (-8.0 + speed * moving)
            if abs(y) <= 8.0:
                here.append((epc, (x, y + off_y), 0.0))
        for door, four in doors.items():
            for heard in radio.inventory(four[step % 4], here):
                phase = heard.phase * 6.283185307 / 4096
                result.reads.append(Read(door, heard.epc, heard.port, at, heard.rssi_cdbm, phase))
    return result


def clean(
    found: Scenario,
    *,
    neighbours: bool = True,
    phase: bool = True,
    told_at: dict[str, float] | None = None,
    **other: int,
) -> dict[str, list[Passage]]:
    settings = PortalSettings(outer=frozenset({1, 2}), inner=frozenset({3, 4}), **other)
    portals = {door: Portal(door, settings) for door in DOORS}
    if neighbours:
        portals["dock-1"].neighbours = [portals["dock-2"]]
        portals["dock-2"].neighbours = [portals["dock-1"]]
    passages: dict[str, list[Passage]] = {door: [] for door in DOORS}
    ticked = 0.0
    for r in found.reads:
        if r.at - ticked >= 0.05:
            ticked = r.at
            for door, portal in portals.items():
                closed = portal.close(r.at)
                passages[door] += closed
                if closed and told_at is not None:
                    told_at[door] = r.at
        portals[r.door].read(r.epc, r.antenna, r.at, r.rssi_cdbm, r.phase_rad if phase else None)
    for door, portal in portals.items():
        passages[door] += portal.close(ticked + 60)
    return passages


def judge(found: Scenario, passages: dict[str, list[Passage]]) -> Counter[str]:
    """right, wrong_direction, missed (of what passed); stray_passed, wrong_door, twice; tags, standing."""
    score: Counter[str] = Counter(tags=len(found.went), standing=len(found.stood))
    seen: Counter[str] = Counter()
    for door, some in passages.items():
        for passage in some:
            for tag in passage.tags:
                if tag.epc in found.stood:
                    score["stray_passed"] += 1
                elif found.went[tag.epc][0] != door:
                    score["wrong_door"] += 1
                else:
                    seen[tag.epc] += 1
                    right = found.went[tag.epc][1] == passage.direction
                    score["right" if right else "wrong_direction"] += 1
    score["missed"] = sum(epc not in seen for epc in found.went)
    score["twice"] = sum(n - 1 for n in seen.values())
    return score
