"""`matrix_300_s`: distances and times between 300 places all over Porto, both ways, by our own road server.

Nothing is remembered: the client is new, and each round asks for other places. The map is made first and not counted.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from routing.roads import Point, Roads
from stowage.map_build import build_map
from stowage.parts.roads import Roads as RoadsPart
from stowage.parts.roads import fetch_programs
from stowage.parts.tryton import default_cache_dir
from tests.bench.figure import Figure, figure

PORTO = Path(__file__).parents[2].parent / "shared/vectors/osm/porto.osm.pbf"
WEST, SOUTH, EAST, NORTH = -8.68, 41.13, -8.55, 41.20
ROUNDS = 5


def measure() -> Iterator[Figure]:
    if not PORTO.exists():
        print("matrix_300_s needs porto.osm.pbf of the outside test vectors", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = fetch_programs(default_cache_dir(folder), folder / "log", lambda _: None)
        began = time.perf_counter()
        build_map(PORTO, folder / "porto", programs, name="Porto", log=folder / "log")
        built_s = time.perf_counter() - began
        part = RoadsPart(folder, map_dir=folder / "porto")
        url = part.start()
        try:
            taken_s = []
            random_place = random.Random(300)
            for _ in range(ROUNDS):
                points = [
                    Point(random_place.uniform(SOUTH, NORTH), random_place.uniform(WEST, EAST))
                    for _ in range(300)
                ]
                roads = Roads(url)
                began = time.perf_counter()
                answer = roads.matrix(points)
                taken_s.append(time.perf_counter() - began)
                roads.close()
            yield figure(
                "matrix_300_s",
                statistics.median(taken_s),
                "s",
                must=3,
                aim=1,
                lower_is_better=True,
                worst=round(max(taken_s), 3),
                unroutable=len(answer.unroutable),
                estimated=len(answer.estimated),
                map_built_s=round(built_s, 1),
            )
        finally:
            part.stop()
