"""The demo's emulated devices, at the addresses that the agents' configuration names; and what goes wrong with them.

They speak their real bytes to the agents; nothing here tells the agents anything. The scene runs in real time, at
any demo speed: an antenna's field is three metres, and a pallet needs its seconds in it to be heard.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog

from device_drivers.emulator import (
    EmulatedGps,
    EmulatedModbus,
    EmulatedReader,
    EmulatedScale,
    EmulatedScanner,
    Radio,
    Scene,
)
from device_drivers.emulator.modbus import CLIMATE_UNIT
from device_drivers.emulator.serial_line import SerialLine
from device_drivers.gs1 import epc_from_uri
from stowage.config import Settings
from stowage.demo import building
from stowage.demo.pace import Pace
from stowage.demo.seed import AGENTS, World, device_path
from stowage.demo.shops import DEPOT, VANS

log = structlog.get_logger(__name__)

PLACE_OF_READER = {d.code: d.place for a in AGENTS for d in a.devices if d.kind == "llrp_reader"}
PARKED_TAGS = 8


def crate_epcs() -> list[str]:
    """The tags of the empty crates that stand beside door 1."""
    return [
        epc_from_uri(f"urn:epc:id:grai:952123456.001.{n}", "grai-96").hex for n in range(1, PARKED_TAGS + 1)
    ]


class Devices:
    """`with Devices(...)`: everything is plugged in."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings, self._world = settings, world
        self.scene = Scene()
        self.readers: dict[str, EmulatedReader] = {}
        self.gps: dict[str, EmulatedGps] = {}
        """By the van's code."""
        self.in_use: dict[str, Lock] = {}

    def __enter__(self) -> Devices:
        for n, (device, port) in enumerate(sorted(self._world.reader_ports.items())):
            door = PLACE_OF_READER[device]
            reader = EmulatedReader(building.antennas(door), Radio(self._world.seed + n), self.scene)
            reader.serve(port)
            self.readers[device] = reader
        self.scanner, self.scale = EmulatedScanner(), EmulatedScale(capacity_g=60_000)
        self._link("bench-1-scanner", self.scanner)
        self._link("bench-1-scale", self.scale)
        self.cold = EmulatedModbus()
        self.cold.serve(self._world.modbus_port)
        for n, van in enumerate(VANS):
            self.gps[van.code] = EmulatedGps(DEPOT.lat, DEPOT.lon, cold_start_s=6, seed=self._world.seed + n)
            # Without sky until its driver knows where it stands: the backend remembers that, not we.
            self.gps[van.code].lose_sky()
            self._link(van.gps, self.gps[van.code])
        self.in_use = {name: Lock() for name in [*self.readers, "bench", "cold", *self.gps]}
        self._park_a_pallet()
        return self

    def __exit__(self, *_: object) -> None:
        closes = [
            *(r.close for r in self.readers.values()),
            self.scanner.close,
            self.scale.close,
            self.cold.close,
            *(g.close for g in self.gps.values()),
        ]
        for close in closes:
            close()

    def _link(self, device: str, line: SerialLine) -> None:
        link = device_path(self._settings, device)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(line.path))

    def _park_a_pallet(self) -> None:
        """Empty crates with tags of their own stand beside door 1, always: strays that must not be received."""
        chance = random.Random(self._world.seed)
        x, y = building.xy_of("DOCK-1")[0] + 2.7, building.DOOR_LINE_Y - 2.7
        for epc in crate_epcs():
            self.scene.place_tag(
                epc, (x + chance.uniform(-0.5, 0.5), y + chance.uniform(-0.5, 0.5)), chance.choice((0.0, 3.0))
            )


# --- what goes wrong --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mishap:
    """`start` and `end` touch a device that nobody uses at the moment (`of` in `Devices.in_use`)."""

    what: str
    of: str
    seconds: float
    start: Callable[[], None]
    end: Callable[[], None] = lambda: None


def mishaps(d: Devices) -> list[Mishap]:
    def nonsense(on: bool) -> None:
        d.scale.answers_nonsense = on

    found = [
        Mishap("the scanner reads a smeared label", "bench", 0, d.scanner.scan_noise),
        Mishap("the scale answers nonsense", "bench", 2, lambda: nonsense(True), lambda: nonsense(False)),
        Mishap("the scale's cable comes loose", "bench", 6, d.scale.unplug, d.scale.plug_in),
        Mishap("the cold room's sensor answers nonsense", "cold", 6, lambda: d.cold.garble(CLIMATE_UNIT), lambda: d.cold.revive(CLIMATE_UNIT)),
        Mishap("the cold room's cable comes loose", "cold", 6, d.cold.unplug, d.cold.plug_in),
    ]  # fmt: skip
    for code, gps in d.gps.items():
        found += [
            Mishap(f"the GPS of {code} loses the sky", code, 20, gps.lose_sky, gps.see_sky),
            Mishap(f"the GPS of {code} stammers", code, 0, gps.send_cut_short),
            Mishap(f"the GPS cable of {code} comes loose", code, 8, gps.unplug, gps.plug_in),
        ]
    for code, reader in d.readers.items():
        found += [
            Mishap(f"{code} is pulled out and put back", code, 1, reader.drop_connection),
            Mishap(f"{code} sends a frame that lies about its length", code, 1, reader.inject_lying_report),
            Mishap(f"an antenna cable of {code} comes off", code, 8, lambda r=reader: r.set_antenna(2, False), lambda r=reader: r.set_antenna(2, True)),  # type: ignore[misc]
        ]  # fmt: skip
    return found


def one_mishap(devices: Devices, chance: random.Random, pace: Pace) -> None:
    """Now and then, so that the screen of devices shows what it is for."""
    pace.really(chance.uniform(60, 150))
    mishap = chance.choice(mishaps(devices))
    with devices.in_use[mishap.of]:
        log.info("mishap", what=mishap.what)
        mishap.start()
        try:
            pace.really(mishap.seconds)
        finally:
            with contextlib.suppress(OSError):
                mishap.end()
