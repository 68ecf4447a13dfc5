"""Makes the file that `routing.addresses` looks into, of an OpenStreetMap extract.

An address is a node, a building or an outline with `addr:housenumber` and `addr:street` (or `addr:place`). Many lack
their city: then it is that of the municipality's boundary round it, else of the nearest place or neighbour.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium
import shapely
from shapely.geometry.base import BaseGeometry

from routing.addresses import HouseNumber, key_of, words_of
from routing.geo import Point, straight_m
from routing.map_layers import way_lines

Tags = Mapping[str, str]

TOWN_FAR_M, NEIGHBOUR_FAR_M = 5000, 2000
SAME_STREET_M = 3000
TOWNS = ("city", "town", "village", "hamlet")
PARTS_OF_TOWN = ("suburb", "quarter", "neighbourhood")
NAMES = ("name", "name:fi", "name:sv", "name:de", "name:en", "alt_name", "old_name", "short_name")
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


@dataclass(frozen=True)
class Built:
    addresses: int
    streets: int


@dataclass(frozen=True)
class _Address:
    street: str
    number: str
    postcode: str | None
    city: str | None
    point: Point


@dataclass(frozen=True)
class _Town:
    name: str
    words: frozenset[str]
    point: Point
    shape: BaseGeometry = shapely.Polygon()  # noqa: RUF009 (never changed)


@dataclass
class _Read:
    addresses: list[_Address] = field(default_factory=list)
    names: list[tuple[str, Tags, Point]] = field(default_factory=list)
    roads: list[tuple[Tags, Point]] = field(default_factory=list)
    towns: list[_Town] = field(default_factory=list)
    parts: list[tuple[str, Point]] = field(default_factory=list)
    boundaries: list[_Town] = field(default_factory=list)


def build(extract: Path, file: Path) -> Built:
    """Raises RuntimeError where the extract is damaged, sqlite3.Error where the file cannot be written."""
    read = _read(extract)
    towns = _Towns(read)
    connection = sqlite3.connect(file)
    try:
        connection.executescript(
            """pragma journal_mode = off; pragma synchronous = off;
               create table address (street_key text, street text, number text, low integer, high integer, letter text,
                                     postcode text, city text, cities text, lat real, lon real);
               create table street (key text, street_key text, primary key (key, street_key)) without rowid;
               create table road (street_key text, street text, city text, cities text, lat real, lon real);
               create table town (key text, lat real, lon real);
               create table name (id text primary key, key text, label text, lat real, lon real);"""
        )
        rows = []
        for a in read.addresses:
            number = HouseNumber.read(a.number)
            if number is not None:
                city, words = towns.of(a.point, a.city)
                rows.append((key_of(a.street), a.street, a.number, number.low, number.high, number.letter,
                             a.postcode, city, " ".join(sorted(words)), *a.point))  # fmt: skip
        connection.executemany(f"insert into address values ({', '.join('?' * 11)})", sorted(rows, key=str))
        streets = _streets(read)
        connection.executemany("insert or ignore into street values (?, ?)", sorted(streets))
        connection.executemany("insert into road values (?, ?, ?, ?, ?, ?)", _roads(read, towns))
        parts = [(key, *p) for name, p in read.parts for key in words_of(name)]
        connection.executemany("insert into town values (?, ?, ?)", parts)
        names = _names(read, towns)
        connection.executemany("insert into name values (?, ?, ?, ?, ?)", names)
        connection.executescript(
            "create index address_by_street on address (street_key); create index road_by_street on road (street_key);"
        )
        _index_names(connection, streets, names)
        connection.commit()
        return Built(len(rows), len({row[0] for row in rows}))
    finally:
        connection.close()


def _index_names(
    connection: sqlite3.Connection,
    streets: set[tuple[str, str]],
    names: list[tuple[str, str, str, float, float]],
) -> None:
    """For what is not written exactly so. An old SQLite without trigrams compares with all names instead."""
    try:
        connection.execute(
            "create virtual table name_index using fts5(key, kind unindexed, target unindexed, tokenize = 'trigram')"
        )
    except sqlite3.OperationalError:
        return
    rows = [(key, "street", target) for key, target in sorted(streets)]
    rows += [(key, "name", target) for target, key, *_ in names]
    connection.executemany("insert into name_index values (?, ?, ?)", rows)


# --- what stands in the extract ---------------------------------------------------------------------------


def _read(extract: Path) -> _Read:
    wkb = osmium.geom.WKBFactory()
    read = _Read()
    objects = osmium.FileProcessor(str(extract)).with_areas().with_filter(osmium.filter.EmptyTagFilter())
    for o in objects:
        tags = dict(o.tags)
        if isinstance(o, osmium.osm.Node):
            if o.location.valid():
                point = Point(o.lat, o.lon)
                _take(read, tags, point)
                if tags.get("place") in TOWNS and "name" in tags:
                    read.towns.append(_Town(tags["name"], _all_words(tags), point))
                elif tags.get("place") in PARTS_OF_TOWN:
                    read.parts += [(tags[n], point) for n in NAMES if n in tags]
        elif isinstance(o, osmium.osm.Area):
            is_boundary = tags.get("boundary") == "administrative" and tags.get("admin_level") in ("7", "8")
            if not is_boundary and "addr:housenumber" not in tags and not _is_named_place(tags):
                continue
            try:
                shape = shapely.from_wkb(wkb.create_multipolygon(o), on_invalid="ignore")
            except (RuntimeError, osmium.InvalidLocationError):
                continue
            middle = shape.representative_point()
            point = Point(middle.y, middle.x)
            if is_boundary and "name" in tags:
                read.boundaries.append(_Town(tags["name"], _all_words(tags), point, shape))
            _take(read, tags, point)
        elif isinstance(o, osmium.osm.Way):
            _take_way(read, tags, o)
    return read


def _take_way(read: _Read, tags: Tags, way: osmium.osm.Way) -> None:
    """Streets, and the few addresses on lines that do not close."""
    is_street = "highway" in tags and "name" in tags
    if is_street or ("addr:housenumber" in tags and not way.is_closed()):
        for line in way_lines(way)[:1]:
            middle = shapely.from_wkb(line).interpolate(0.5, normalized=True)
            if is_street:
                read.roads.append((tags, Point(middle.y, middle.x)))
            else:
                _take(read, tags, Point(middle.y, middle.x))


def _is_named_place(tags: Tags) -> bool:
    return "name" in tags and any(k in tags for k in ("shop", "amenity", "office", "tourism", "leisure"))


def _take(read: _Read, tags: Tags, point: Point) -> None:
    street = tags.get("addr:street") or tags.get("addr:place")
    number = tags.get("addr:housenumber")
    if street and number:
        city = tags.get("addr:city")
        if city is not None and not any(c.isalpha() for c in city):
            city = None  # some write the number there
        read.addresses.append(
            _Address(street.strip(), number.strip(), tags.get("addr:postcode"), city, point)
        )
    if _is_named_place(tags):
        read.names.append((tags["name"], tags, point))


def _all_words(tags: Tags) -> frozenset[str]:
    return frozenset(word for n in NAMES if n in tags for word in words_of(tags[n]))


# --- towns ------------------------------------------------------------------------------------------------


class _Towns:
    """Which town a point belongs to."""

    def __init__(self, read: _Read) -> None:
        self._boundaries = read.boundaries
        self._tree = shapely.STRtree([b.shape for b in self._boundaries])
        self._centres = read.towns
        self._by_word: dict[str, set[str]] = {}
        for town in [*read.boundaries, *read.towns]:
            for word in town.words:
                self._by_word.setdefault(word, set()).update(town.words)
        told = [a for a in read.addresses if a.city]
        self._told = [a.city or "" for a in told]
        self._told_at = np.radians(np.array([a.point for a in told], dtype=np.float64).reshape(-1, 2))

    def of(self, point: Point, said: str | None) -> tuple[str | None, set[str]]:
        """The town's name for the label, and all words it may be called by."""
        round_it = self._round(point)
        name = said or round_it or self._nearest(point) or self._neighbours(point)
        words: set[str] = set()
        for town in (name, round_it):
            for word in words_of(town or ""):
                words |= {word} | self._by_word.get(word, set())
        return name, words

    def _round(self, point: Point) -> str | None:
        inside = self._tree.query(shapely.Point(point.lon, point.lat), predicate="within")
        return min((self._boundaries[i] for i in inside), key=_size).name if len(inside) else None

    def _nearest(self, point: Point) -> str | None:
        near = min(self._centres, key=lambda t: straight_m(t.point, point), default=None)
        return near.name if near is not None and straight_m(near.point, point) < TOWN_FAR_M else None

    def _neighbours(self, point: Point) -> str | None:
        if not self._told:
            return None
        here = np.radians(np.array(point))
        across = (self._told_at - here) * (1.0, np.cos(here[0]))
        nearest = int(np.argmin((across**2).sum(axis=1)))
        metres = float(np.hypot(*across[nearest])) * 6_371_008.8
        return self._told[nearest] if metres < NEIGHBOUR_FAR_M else None


def _size(town: _Town) -> float:
    return float(shapely.area(town.shape))


# --- streets and names ------------------------------------------------------------------------------------


def _streets(read: _Read) -> set[tuple[str, str]]:
    """(a way to write it, the street's key): its own name, and the names it has in other languages."""
    found: set[tuple[str, str]] = set()
    for street in {a.street for a in read.addresses}:
        found |= {(key_of(street), key_of(street)), (key_of(street.translate(UMLAUTS)), key_of(street))}
    for tags, _ in read.roads:
        own = key_of(tags["name"])
        for name in (tags[n] for n in NAMES if n in tags):
            found |= {(key_of(name), own), (key_of(name.translate(UMLAUTS)), own)}
    return {(key, own) for key, own in found if len(key) > 2}


def _roads(read: _Read, towns: _Towns) -> list[tuple[str, str, str | None, str, float, float]]:
    """One point a street and town: ways of one name that lie apart are different streets."""
    groups: dict[str, list[tuple[str, Point, list[Point]]]] = {}
    streets = [(tags["name"], p) for tags, p in read.roads] + [(a.street, a.point) for a in read.addresses]
    for street, point in streets:
        near = groups.setdefault(key_of(street), [])
        for _, first, points in near:
            if straight_m(first, point) < SAME_STREET_M:
                points.append(point)
                break
        else:
            near.append((street, point, [point]))
    rows = []
    for key, near in sorted(groups.items()):
        for street, _, points in near:
            middle = sorted(points)[len(points) // 2]
            city, words = towns.of(middle, None)
            rows.append((key, street, city, " ".join(sorted(words)), *middle))
    return rows


def _names(read: _Read, towns: _Towns) -> list[tuple[str, str, str, float, float]]:
    rows = []
    for n, (name, tags, point) in enumerate(read.names):
        street = " ".join(p for p in (tags.get("addr:street"), tags.get("addr:housenumber")) if p)
        city = towns.of(point, tags.get("addr:city"))[0]
        label = ", ".join(p for p in (name, street, city) if p)
        if len(key_of(name)) > 2:
            rows.append((str(n), key_of(name), label, *point))
    return rows
