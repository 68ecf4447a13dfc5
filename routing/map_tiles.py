"""The picture of the map: vector tiles made of an OpenStreetMap extract, in one MBTiles file, shown without internet.

Layers: `water`, `landuse` (kind), `buildings`, `roads` (kind: motorway, primary, secondary, minor, path, rail; name,
oneway), `places` (kind, name), `addresses` (housenumber), `pois` (kind, name). Beyond `MAX_ZOOM` a map is drawn from the
same tiles. Sources: Mapbox Vector Tile 2.1, MBTiles 1.3. To add a layer: its rule in `map_layers.py`.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from routing.map_layers import MERCATOR_M, Feature, Layers, read
from routing.vector_tile import EXTENT, encode

LAYERS = ("water", "landuse", "buildings", "roads", "places", "addresses", "pois")
POLYGON, MULTIPOLYGON = 3, 6
MARGIN = 64
"""What a tile shows of its neighbours, in steps of its grid, so that lines meet at the edge."""
MIN_ZOOM, MAX_ZOOM = 10, 15
ATTRIBUTION = '<a href="https://www.openstreetmap.org/copyright" target="_blank">© OpenStreetMap contributors</a> (ODbL)'


class MapUnreadable(Exception):
    """A file of the map is not one of ours, or damaged. The text says what to do."""


@dataclass(frozen=True)
class MapInfo:
    name: str
    bounds: tuple[float, float, float, float]
    """West, south, east, north."""
    center: tuple[float, float]
    """Longitude, latitude."""
    min_zoom: int
    max_zoom: int
    version: str
    attribution: str


@dataclass(frozen=True)
class Tile:
    gzipped: bytes

    def plain(self) -> bytes:
        return gzip.decompress(self.gzipped)


class MapTiles:
    """An MBTiles file, for reading; may be used by several threads."""

    def __init__(self, connection: sqlite3.Connection, info: MapInfo) -> None:
        self.info = info
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> MapTiles:
        """Raises MapUnreadable."""
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            said = dict(connection.execute("select name, value from metadata"))
            west, south, east, north = (float(v) for v in said["bounds"].split(","))
            lon, lat, *_ = (float(v) for v in said["center"].split(","))
            zooms = int(said["minzoom"]), int(said["maxzoom"])
            info = MapInfo(
                said["name"],
                (west, south, east, north),
                (lon, lat),
                *zooms,
                said["version"],
                said["attribution"],
            )
        except (sqlite3.Error, KeyError, ValueError) as e:
            raise MapUnreadable(
                f"{path} is not a map of ours ({e}); make it anew with `stowage roads build`"
            ) from e
        return cls(connection, info)

    def get(self, z: int, x: int, y: int) -> Tile | None:
        """None where nothing is; y counts from the north."""
        with self._lock:
            row = self._connection.execute(
                "select tile_data from tiles where zoom_level = ? and tile_column = ? and tile_row = ?",
                [z, x, 2**z - 1 - y],
            ).fetchone()
        return Tile(row[0]) if row else None


# --- making -----------------------------------------------------------------------------------------------


def build(
    extract: Path, file: Path, *, name: str, version: str, say: Callable[[str], None] = lambda text: None
) -> int:
    """Writes the tiles of the whole extract into `file`; returns how many. Raises RuntimeError, sqlite3.Error."""
    layers = read(extract, say)
    west, south, east, north = layers.bounds
    connection = sqlite3.connect(file)
    try:
        connection.executescript(
            """pragma journal_mode = off; pragma synchronous = off;
               create table metadata (name text, value text);
               create table tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob,
                                   primary key (zoom_level, tile_column, tile_row)) without rowid;"""
        )
        connection.executemany(
            "insert into metadata values (?, ?)",
            {
                "name": name, "format": "pbf", "version": version, "attribution": ATTRIBUTION, "type": "baselayer",
                "bounds": f"{west:.6f},{south:.6f},{east:.6f},{north:.6f}",
                "center": f"{(west + east) / 2:.6f},{(south + north) / 2:.6f},{MAX_ZOOM - 2}",
                "minzoom": str(MIN_ZOOM), "maxzoom": str(MAX_ZOOM),
                "json": json.dumps({"vector_layers": [{"id": layer, "fields": {}} for layer in LAYERS]}),
            }.items(),
        )  # fmt: skip
        count = 0
        for zoom in range(MIN_ZOOM, MAX_ZOOM + 1):
            for n, (x, y, tile) in enumerate(_tiles_of(layers, zoom)):
                connection.execute("insert into tiles values (?, ?, ?, ?)", [zoom, x, 2**zoom - 1 - y, tile])
                count += 1
                if n % 200 == 199:
                    say(f"map: zoom {zoom}, {n + 1} tiles")
            say(f"map: zoom {zoom} of {MAX_ZOOM} done")
        connection.commit()
        return count
    finally:
        connection.close()


def _tiles_of(layers: Layers, zoom: int) -> Iterator[tuple[int, int, bytes]]:
    """x, y and the gzipped tile of each place where something is."""
    size = 2 * MERCATOR_M / 2**zoom
    shapes, features = _for_zoom(layers, zoom, size / EXTENT)
    if not features:
        return
    tree = shapely.STRtree(shapes)
    west, south, east, north = shapely.total_bounds(shapes)
    columns = range(int((west + MERCATOR_M) // size), int((east + MERCATOR_M) // size) + 1)
    rows = range(int((MERCATOR_M - north) // size), int((MERCATOR_M - south) // size) + 1)
    for x in columns:
        for y in rows:
            left, top = x * size - MERCATOR_M, MERCATOR_M - y * size
            margin = size * MARGIN / EXTENT
            frame = (left - margin, top - size - margin, left + size + margin, top + margin)
            here = np.sort(tree.query(shapely.box(*frame)))
            if len(here) == 0:
                continue
            try:
                clipped = shapely.clip_by_rect(shapes[here], *frame)
            except shapely.errors.GEOSException:  # an outline that crosses itself, as some are drawn
                clipped = shapely.clip_by_rect(shapely.make_valid(shapes[here]), *frame)
            drawn = encode(((features[i].layer, features[i].properties, shape) for i, shape in zip(here, clipped, strict=True)),
                           left, top, size)  # fmt: skip
            if drawn:
                yield x, y, gzip.compress(drawn, 6, mtime=0)


def _for_zoom(layers: Layers, zoom: int, unit_m: float) -> tuple[npt.NDArray[Any], list[Feature]]:
    """What is drawn at this zoom, as coarse as may be there. `unit_m`: the smallest step of a tile's coordinates."""
    wanted = np.array([f.from_zoom <= zoom for f in layers.features], dtype=bool)
    types = shapely.get_type_id(layers.geometries)
    is_area = (types == POLYGON) | (types == MULTIPOLYGON)
    pixels = 16  # of the tile's coordinates to one on the screen
    if zoom < MAX_ZOOM:
        wanted &= ~is_area | (shapely.area(layers.geometries) > (3 * pixels * unit_m) ** 2)
    index = np.flatnonzero(wanted)
    coarse = unit_m * (2 if zoom == MAX_ZOOM else pixels / 2)
    shapes = shapely.simplify(layers.geometries[index], coarse, preserve_topology=False)
    there = ~shapely.is_empty(shapes)
    return shapes[there], [layers.features[i] for i in index[there]]
