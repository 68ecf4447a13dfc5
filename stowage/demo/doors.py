"""Carrying tagged goods through the doors: who walks through an antenna's field is heard, as far as radio goes."""

from __future__ import annotations

import random
from collections.abc import Iterable

from device_drivers.emulator.scene import XY
from stowage.demo import building
from stowage.demo.devices import PLACE_OF_READER, Devices
from stowage.demo.pace import Pace

READER_AT = {door: device for device, door in PLACE_OF_READER.items()}
SETTLE_S = 1.5
"""After a passage the field is left empty for so long: two pallets are two passages."""


class Doors:
    def __init__(self, devices: Devices, pace: Pace, chance: random.Random) -> None:
        self._devices, self._pace, self._chance = devices, pace, chance

    def carry_in(self, door: str, epcs: Iterable[str]) -> None:
        """From the truck into the hall. Returns when the goods are put down."""
        start, end = building.on_the_truck(door), building.behind_the_door(door)
        way = [end]
        if door == "DOCK-2" and self._chance.random() < 0.5:  # the short cut past door 1
            way = [
                (end[0], building.DOOR_LINE_Y - 3.0),
                (building.xy_of("DOCK-1")[0] + 3.5, building.DOOR_LINE_Y - 4.0),
                end,
            ]
        self._carry(door, list(epcs), start, way)

    def is_inside(self, epcs: Iterable[str]) -> bool:
        """Whether the first of them has crossed the door's line, or is on a shelf already."""
        try:
            return self._devices.scene.where(next(iter(epcs)))[1] < building.DOOR_LINE_Y
        except KeyError:
            return True

    def carry_out(self, door: str, epcs: Iterable[str]) -> None:
        """From the hall onto the truck, where the tags are out of hearing."""
        gone = list(epcs)
        self._carry(door, gone, building.behind_the_door(door), [building.on_the_truck(door)])
        self._devices.scene.remove(*gone)

    def forget(self, epcs: Iterable[str]) -> None:
        """They are on a shelf now, far from every antenna."""
        self._devices.scene.remove(*epcs)

    def _carry(self, door: str, epcs: list[str], start: XY, way: list[XY]) -> None:
        scene, pace = self._devices.scene, self._pace
        speed_m_s = self._chance.uniform(1.0, 1.4) if pace.speed < 3 else 2.0
        with self._devices.in_use[READER_AT[door]]:
            arrives = scene.clock()
            for epc in epcs:
                off_x, off_y = self._chance.uniform(-0.5, 0.5), self._chance.uniform(-0.6, 0.6)
                scene.place_tag(epc, (start[0] + off_x, start[1] + off_y))
                arrives = max(
                    arrives, scene.move([epc], *[(x + off_x, y + off_y) for x, y in way], speed_m_s=speed_m_s)
                )
            pace.really(arrives - scene.clock() + SETTLE_S)
