"""The field of `bench_freshness`, in a process of its own: a dock door, and a shelf reader that hears `LOAD` tags all the time.

Says its two ports; then, for each line `EPC` on its input, sends that tag through the door and answers with the moment
(seconds since 1970) of the last read of it; on `rate`, with the shelf reader's reads a second since it was last asked.
"""

from __future__ import annotations

import sys
import threading
import time

from device_drivers.emulator import Antenna, EmulatedReader, Radio, Scene
from device_drivers.emulator.radio import Heard
from device_drivers.emulator.scene import XY

DOOR = [
    Antenna(1, (-1.5, -0.8), facing=(0, -1.6)), Antenna(2, (1.5, -0.8), facing=(0, -1.6)),
    Antenna(3, (-1.5, 0.8), facing=(0, 1.6)), Antenna(4, (1.5, 0.8), facing=(0, 1.6)),
]  # fmt: skip
SHELF = [Antenna(1, (100.0, 0.0))]
ROUND_S, SHARE_HEARD = 0.1, 1.15  # reads a round for each tag, as counted


class Listening(Radio):
    """Remembers when each tag was heard last."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.last: dict[str, float] = {}

    def inventory(self, antenna: Antenna, tags: list[tuple[str, XY, float]]) -> list[Heard]:
        heard = super().inventory(antenna, tags)
        at = time.time()
        for h in heard:
            self.last[h.epc] = at
        return heard


def main(reads_per_s: int) -> None:
    door_scene, shelf_scene, radio = Scene(), Scene(), Listening(7)
    for n in range(round(reads_per_s * ROUND_S / SHARE_HEARD)):
        shelf_scene.place_tag(f"3034257BF7194E40{n:08X}", (100.4 + n % 10 * 0.05, 0.3))
    door = EmulatedReader(DOOR, radio, door_scene)
    shelf = EmulatedReader(SHELF, Radio(8), shelf_scene, round_s=ROUND_S)
    print(door.serve()[1], shelf.serve()[1], flush=True)
    counted, since = 0, time.monotonic()
    for line in sys.stdin:
        asked = line.strip()
        if asked == "rate":
            made, now = shelf.reads_made, time.monotonic()
            print((made - counted) / (now - since), flush=True)
            counted, since = made, now
            continue
        door_scene.place_tag(asked, (0.0, -4.0))
        door_scene.move([asked], (0.0, 4.0), speed_m_s=4.0)
        time.sleep(2.0)
        door_scene.remove(asked)
        print(radio.last.get(asked, 0.0), flush=True)
    threading.Event().wait(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
