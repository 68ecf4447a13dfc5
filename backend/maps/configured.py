"""What this program was told about the map. One configuration a process, as there is one map a warehouse.

The map's folder is written as a whole by `stowage roads build` and may appear, or be replaced, while we run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from backend.errors import Unavailable
from routing.addresses import Addresses, AddressesUnreadable
from routing.map_tiles import MapInfo, MapTiles, MapUnreadable
from routing.roads import Roads, RoadsDown

ADDRESSES, TILES = "addresses.sqlite", "tiles.mbtiles"

T = TypeVar("T")


class _File(Generic[T]):
    """A file of the map's folder, opened when it is there, and anew when it was replaced."""

    def __init__(self, path: Path, open_it: Callable[[Path], T]) -> None:
        self._path, self._open = path, open_it
        self._opened: T | None = None
        self._which: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def get(self) -> T | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        which = (status.st_ino, status.st_mtime_ns)
        with self._lock:
            if which != self._which:
                try:
                    self._opened, self._which = self._open(self._path), which
                except (AddressesUnreadable, MapUnreadable) as e:
                    raise Unavailable(f"{e}.") from e
            return self._opened


_lock = threading.Lock()
_roads: Roads | None = None
_addresses: _File[Addresses] | None = None
_tiles: _File[MapTiles] | None = None


def configure(roads_url: str | None, map_dir: Path | None) -> None:
    """Once a program; again only in tests. Opens nothing yet."""
    global _roads, _addresses, _tiles
    with _lock:
        if _roads is not None:
            _roads.close()
        _roads = Roads(roads_url) if roads_url else None
        _addresses = _File(map_dir / ADDRESSES, Addresses.open) if map_dir else None
        _tiles = _File(map_dir / TILES, MapTiles.open) if map_dir else None


def roads() -> Roads:
    """The road server. Raises RoadsDown where there is none; its methods raise it when it does not answer."""
    if _roads is None:
        raise RoadsDown(
            "There is no road server yet: `stowage run` brings one up by itself, or set STOWAGE_ROADS_URL to yours."
        )
    return _roads


def addresses() -> Addresses | None:
    """The map's own addresses; None where there is no map (yet)."""
    return _addresses.get() if _addresses else None


def tiles() -> MapTiles | None:
    """The map's picture; None where there is no map (yet)."""
    return _tiles.get() if _tiles else None


def info() -> MapInfo | None:
    """What the map covers; None where there is none (yet)."""
    map_tiles = tiles()
    return map_tiles.info if map_tiles else None
