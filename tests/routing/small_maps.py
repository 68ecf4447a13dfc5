"""Little OpenStreetMap extracts drawn for a test, so that it knows every road."""

from __future__ import annotations

from pathlib import Path

import osmium
from osmium.osm.mutable import Node, Way

STEP = 0.0009
"""Degrees of latitude between two streets: 100 m."""


class Extract:
    """Writes nodes and ways with ids of its own."""

    def __init__(self, file: Path) -> None:
        self._writer = osmium.SimpleWriter(str(file))
        self._next = 1
        self._ways: list[Way] = []

    def node(self, lat: float, lon: float, **tags: str) -> int:
        number, self._next = self._next, self._next + 1
        self._writer.add_node(Node(id=number, version=1, location=(lon, lat), tags=_with_colons(tags)))
        return number

    def way(self, nodes: list[int], **tags: str) -> None:
        self._ways.append(Way(id=len(self._ways) + 1, version=1, nodes=nodes, tags=_with_colons(tags)))

    def outline(self, corners: list[tuple[float, float]], **tags: str) -> None:
        nodes = [self.node(lat, lon) for lat, lon in corners]
        self.way([*nodes, nodes[0]], **tags)

    def close(self) -> None:
        for way in self._ways:  # a file has its nodes before its ways
            self._writer.add_way(way)
        self._writer.close()


def _with_colons(tags: dict[str, str]) -> dict[str, str]:
    return {name.replace("addr_", "addr:").replace("name_", "name:"): value for name, value in tags.items()}


def town(extract: Extract, lat: float, lon: float, size: int = 12, name: str = "Street", **tags: str) -> None:
    """A square of streets, each crossing each; OSRM takes it for a network of its own."""
    grid = [[extract.node(lat + STEP * r, lon + 2 * STEP * c) for c in range(size)] for r in range(size)]
    for n in range(size):
        extract.way(grid[n], highway="residential", name=f"{name} {n}", **tags)
        extract.way([row[n] for row in grid], highway="residential", name=f"{name} Cross {n}", **tags)
