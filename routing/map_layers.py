"""What of an OpenStreetMap extract is drawn, and as what: the rules of the map's layers, one function each.

A rule looks at one object's tags and answers a layer, its properties and from which zoom on it is drawn, or None.
Geometries come in web Mercator metres (EPSG:3857). The sea is made of the coast lines, which have water on their right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import atan, degrees, exp, pi
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import osmium
import shapely
from shapely.geometry.base import BaseGeometry

MERCATOR_M = pi * 6_378_137.0
"""From the middle of the map to its edge."""

Tags = Mapping[str, str]
Properties = dict[str, str | int | bool]
Bounds = tuple[float, float, float, float]

ROAD_KINDS = {
    "motorway": "motorway", "trunk": "motorway", "primary": "primary", "secondary": "secondary", "tertiary": "secondary",
    "residential": "minor", "unclassified": "minor", "living_street": "minor", "road": "minor", "service": "minor",
    "pedestrian": "path", "footway": "path", "cycleway": "path", "path": "path", "track": "path", "steps": "path",
    "bridleway": "path",
}  # fmt: skip
ROAD_FROM = {"motorway": 10, "primary": 10, "secondary": 11, "minor": 13, "path": 14, "rail": 11}
GREEN = {"park": "park", "garden": "park", "pitch": "park", "golf_course": "park", "playground": "park",
         "nature_reserve": "forest"}  # fmt: skip
LANDUSE = {
    "forest": "forest", "grass": "grass", "meadow": "grass", "village_green": "grass", "recreation_ground": "park",
    "residential": "residential", "commercial": "commercial", "retail": "commercial", "civil": "commercial",
    "industrial": "industrial", "railway": "industrial", "port": "industrial", "construction": "industrial",
    "quarry": "industrial", "farmland": "farmland", "farmyard": "farmland", "orchard": "farmland",
    "vineyard": "farmland", "allotments": "farmland", "cemetery": "cemetery", "military": "industrial",
}  # fmt: skip
NATURAL = {"wood": "forest", "scrub": "grass", "heath": "grass", "grassland": "grass", "wetland": "grass",
           "beach": "sand", "sand": "sand", "bare_rock": "rock", "scree": "rock", "glacier": "rock"}  # fmt: skip
PLACE_FROM = {
    "city": 10,
    "town": 10,
    "village": 11,
    "suburb": 12,
    "quarter": 13,
    "hamlet": 13,
    "neighbourhood": 14,
}
POI_FROM = 15
ADDRESS_FROM = 15


@dataclass(frozen=True)
class Feature:
    layer: str
    properties: Properties
    from_zoom: int


def road(tags: Tags) -> Feature | None:
    highway = tags.get("highway", "").removesuffix("_link")
    kind = ROAD_KINDS.get(highway)
    if kind is None:
        rails = (
            tags.get("railway") in ("rail", "tram", "light_rail", "subway") and tags.get("tunnel") != "yes"
        )
        if not rails or "service" in tags:
            return None
        kind = "rail"
    if tags.get("area") == "yes" or tags.get("access") == "private":
        return None
    properties: Properties = {"kind": kind}
    if name := tags.get("name"):
        properties["name"] = name
    if tags.get("oneway") in ("yes", "1", "-1", "true") or tags.get("junction") == "roundabout":
        properties["oneway"] = True
    from_zoom = ROAD_FROM[kind] + (1 if tags.get("highway") == "service" else 0)
    return Feature("roads", properties, from_zoom)


def stream(tags: Tags) -> Feature | None:
    return Feature("water", {"kind": "river"}, 12) if tags.get("waterway") in ("river", "canal") else None


def surface(tags: Tags) -> Feature | None:
    """Of an area."""
    if tags.get("building", "no") != "no":
        return Feature("buildings", {}, 13)
    if tags.get("natural") in ("water", "bay") or tags.get("waterway") == "riverbank":
        return Feature("water", {"kind": "lake"}, 10)
    if tags.get("landuse") in ("basin", "reservoir"):
        return Feature("water", {"kind": "lake"}, 10)
    kind = (
        GREEN.get(tags.get("leisure", ""))
        or NATURAL.get(tags.get("natural", ""))
        or LANDUSE.get(tags.get("landuse", ""))
        or ("square" if tags.get("highway") in ("pedestrian", "footway") else None)
    )
    return Feature("landuse", {"kind": kind}, 10) if kind else None


def spots(tags: Tags) -> list[Feature]:
    """What a node, or the middle of an area, is marked with."""
    found = []
    name = tags.get("name")
    if name and tags.get("place") in PLACE_FROM:
        found.append(Feature("places", {"kind": tags["place"], "name": name}, PLACE_FROM[tags["place"]]))
    if number := tags.get("addr:housenumber"):
        found.append(Feature("addresses", {"housenumber": number}, ADDRESS_FROM))
    kind = tags.get("shop") or tags.get("amenity") or tags.get("tourism") or tags.get("office")
    if name and kind:
        found.append(Feature("pois", {"kind": kind, "name": name}, POI_FROM))
    return found


@dataclass(frozen=True)
class Layers:
    """All features of an extract; `geometries[i]` belongs to `features[i]`."""

    bounds: Bounds
    """West, south, east, north, in degrees."""
    features: list[Feature]
    geometries: npt.NDArray[Any]


def read(extract: Path, say: Callable[[str], None] = lambda text: None) -> Layers:
    """Raises RuntimeError where the file is damaged."""
    wkb = osmium.geom.WKBFactory()
    features: list[Feature] = []
    shapes: list[str] = []
    coasts: list[str] = []
    objects = osmium.FileProcessor(str(extract)).with_areas().with_filter(osmium.filter.EmptyTagFilter())
    for o in objects:
        tags = dict(o.tags)
        new: list[Feature] = []
        shape = ""
        try:
            if isinstance(o, osmium.osm.Node):
                if new := spots(tags):
                    shape = wkb.create_point(o)
            elif isinstance(o, osmium.osm.Area):
                found = surface(tags)
                if found is not None:
                    new, shape = [found], wkb.create_multipolygon(o)
                if marks := spots(tags):
                    outline = shape if found is not None else wkb.create_multipolygon(o)
                    middle = shapely.from_wkb(outline, on_invalid="ignore").representative_point()
                    features += marks
                    shapes += [shapely.to_wkb(middle, hex=True)] * len(marks)
            elif isinstance(o, osmium.osm.Way):
                if tags.get("natural") == "coastline":
                    coasts += way_lines(o)
                elif found := road(tags) or (None if o.is_closed() else stream(tags)):
                    lines = way_lines(o)
                    features += [found] * len(lines)
                    shapes += lines
        except (RuntimeError, osmium.InvalidLocationError):
            continue  # an area that does not close
        features += new
        shapes += [shape] * len(new)
    say(f"map: {len(features)} things to draw")
    geometries = (
        _mercator(shapely.from_wkb(shapes, on_invalid="ignore")) if shapes else np.array([], dtype=object)
    )
    bounds = _bounds(extract, features, geometries)
    if coasts:
        sea = _sea(_mercator(shapely.from_wkb(coasts)), shapely.box(*_corners(bounds)))
        features += [Feature("water", {"kind": "sea"}, 10)] * len(sea)
        geometries = np.concatenate([geometries, np.array(sea, dtype=object)])
    return Layers(bounds, features, geometries)


def way_lines(way: osmium.osm.Way) -> list[str]:
    """A way as hexadecimal WKB: in pieces where the extract was cut and lacks some of its nodes."""
    runs: list[list[tuple[float, float]]] = [[]]
    for node in way.nodes:
        if node.location.valid():
            runs[-1].append((node.lon, node.lat))
        elif runs[-1]:
            runs.append([])
    return [shapely.to_wkb(shapely.LineString(run), hex=True) for run in runs if len(run) > 1]


def _bounds(extract: Path, features: list[Feature], geometries: npt.NDArray[Any]) -> Bounds:
    """What the file says it covers, else what its roads do."""
    with osmium.io.Reader(str(extract)) as reader:
        box = reader.header().box()
    if box.valid():
        low, high = box.bottom_left, box.top_right
        return low.lon, low.lat, high.lon, high.lat
    roads = [n for n, f in enumerate(features) if f.layer == "roads"] or list(range(len(features)))
    if not roads:
        raise RuntimeError("there is nothing in it that could be drawn")
    west, south, east, north = shapely.total_bounds(geometries[roads])
    return (*_degrees(west, south), *_degrees(east, north))


def _sea(coasts: npt.NDArray[Any], frame: BaseGeometry) -> list[BaseGeometry]:
    """The parts of the frame that lie right of a coast line."""
    coast = shapely.line_merge(shapely.union_all([line for line in coasts if not line.is_empty]))
    inside = shapely.intersection(coast, frame)
    if inside.is_empty:
        return []
    faces = shapely.polygonize([shapely.node(shapely.union_all([inside, frame.boundary]))]).geoms
    sea = []
    for face in faces:
        votes = 0
        for line in shapely.get_parts(inside):
            points = shapely.get_coordinates(line)
            for a, b in pairwise(points):
                length = float(np.hypot(*(b - a)))
                if length == 0:
                    continue
                right = (a + b) / 2 + np.array([b[1] - a[1], a[0] - b[0]]) / length
                left = (a + b) / 2 - np.array([b[1] - a[1], a[0] - b[0]]) / length
                votes += bool(shapely.contains_xy(face, *right)) - bool(shapely.contains_xy(face, *left))
        if votes > 0:
            sea.append(face)
    return sea


# --- web Mercator -----------------------------------------------------------------------------------------


def _mercator(geometries: npt.NDArray[Any]) -> npt.NDArray[Any]:
    def project(degrees_: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        lon, lat = np.radians(degrees_[:, 0]), np.radians(np.clip(degrees_[:, 1], -85.05, 85.05))
        return np.column_stack([lon, np.log(np.tan(pi / 4 + lat / 2))]) * (MERCATOR_M / pi)

    done: npt.NDArray[Any] = shapely.transform(geometries, project)
    return done


def _corners(bounds: Bounds) -> Bounds:
    corners = shapely.get_coordinates(_mercator(shapely.points([bounds[:2], bounds[2:]])))
    (west, south), (east, north) = corners.tolist()
    return west, south, east, north


def _degrees(x: float, y: float) -> tuple[float, float]:
    return x / MERCATOR_M * 180, degrees(2 * atan(exp(y / MERCATOR_M * pi)) - pi / 2)
