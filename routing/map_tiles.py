"""The picture of the map: vector tiles made of an OpenStreetMap extract, in one MBTiles file, shown without internet.

Layers: `water`, `landuse` (kind), `buildings`, `roads` (kind: motorway, primary, secondary, minor, path, rail; name,
oneway), `places` (kind, name), `addresses` (housenumber), `pois` (kind, name). Beyond `MAX_ZOOM` a map is drawn from the
same tiles. Sources: Mapbox Vector Tile 2.1, MBTiles 1.3. To add a layer: its rule in `map_layers.py`.
"""

from __future__ import annotations

import gzip
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

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
