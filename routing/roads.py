"""What the roads say: distances, times and lines from an OSRM server over HTTP, ours or the user's own.

Promises: a place over `SNAP_LIMIT_M` from any road is unroutable, with the reason, and never silently moved to a far
road; a pair for which the server finds no way is estimated in a straight line and said to be so; nothing is made
symmetric; a matrix above the server's limit is asked for in pieces; what was asked once is remembered by the point
on the road and the profile. Source: the OSRM 5 HTTP API. Another engine is another class with these three methods.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import numpy.typing as npt

from routing.geo import Point, straight_m
from routing.problem import NO_ROAD, IntMatrix, Matrix

SNAP_LIMIT_M = 300
DETOUR = 1.4
"""How much longer than the straight line an estimated way is, ..."""
ESTIMATED_M_PER_S = 8.0
"""... and how fast it is driven: about 29 km/h."""
SECOND_TRIES = 400
"""So many pairs without a way are asked for one by one; what is beyond is estimated."""
REMEMBERED_POINTS = 2000
REMEMBERED_S = 3600.0
UNKNOWN = -2

__all__ = ["SNAP_LIMIT_M", "Point", "RoadMatrix", "RoadRoute", "Roads", "RoadsDown", "RoadsRefused", "Snap"]


class RoadsDown(Exception):
    """The road server cannot be reached or does not answer. The text is a sentence that says what to do."""


class RoadsRefused(Exception):
    """The road server answered that it will not; its words are in the text."""


@dataclass(frozen=True)
class Snap:
    """The point on the road next to a place, and how far that is. `is_near`: a vehicle gets there."""

    lat: float
    lon: float
    snap_m: int

    @property
    def is_near(self) -> bool:
        return self.snap_m <= SNAP_LIMIT_M


@dataclass(frozen=True)
class RoadMatrix:
    matrix: Matrix
    """In the order of the points asked for. Rows and columns of unroutable points are `NO_ROAD`."""
    snaps: list[Snap]
    unroutable: dict[int, str]
    """Index of the point, and the reason in words."""
    estimated: set[tuple[int, int]]
    """Pairs (from, to) whose figures are a guess; whoever shows them says so."""


@dataclass(frozen=True)
class RoadRoute:
    legs: list[tuple[int, int]]
    """Metres and seconds from each point to the next."""
    geometry: list[list[float]]
    """[longitude, latitude], as GeoJSON has it."""
    estimated: set[int]
    """Legs that are a guess along a straight line."""

    @property
    def distance_m(self) -> int:
        return sum(m for m, _ in self.legs)

    @property
    def duration_s(self) -> int:
        return sum(s for _, s in self.legs)


class Roads:
    """One road server and one profile. May be used by several threads."""

    def __init__(
        self,
        url: str,
        *,
        profile: str = "driving",
        timeout_s: float = 30.0,
        table_limit: int = 1000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`table_limit`: points a matrix request names at most each way; halved by itself when the server says that
        this is too much."""
        self.url = url.rstrip("/")
        self.profile = profile
        self._timeout_s = timeout_s
        self._table_limit = table_limit
        self._route_limit = 400
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._remembered = _Remembered(now)

    def close(self) -> None:
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None

    # --- what is asked ------------------------------------------------------------------------------------

    def nearest(self, point: Point) -> Snap:
        """The next point on a road, however far; `is_near` says whether that counts."""
        return self._snap([point])[0]

    def matrix(self, points: Sequence[Point]) -> RoadMatrix:
        """Distances and times between all points, both ways. Raises RoadsDown, RoadsRefused."""
        snaps = self._snap(points)
        unroutable = {i: _too_far(points[i], s) for i, s in enumerate(snaps) if not s.is_near}
        near = [i for i in range(len(points)) if i not in unroutable]
        keys = list(dict.fromkeys(_key(Point(snaps[i].lat, snaps[i].lon)) for i in near))
        where = {key: n for n, key in enumerate(keys)}
        known = self._cells(keys)
        rows = np.array([where[_key(Point(snaps[i].lat, snaps[i].lon))] for i in near], dtype=np.int64)
        distance = np.full((len(points), len(points)), NO_ROAD, dtype=np.int64)
        duration = distance.copy()
        estimated: set[tuple[int, int]] = set()
        if near:
            target = np.ix_(near, near)
            distance[target] = known.distance_m[np.ix_(rows, rows)]
            duration[target] = known.duration_s[np.ix_(rows, rows)]
            for a, b in np.argwhere(known.estimated[np.ix_(rows, rows)]):
                estimated.add((near[a], near[b]))
        np.fill_diagonal(distance, 0)
        np.fill_diagonal(duration, 0)
        return RoadMatrix(Matrix(distance, duration), snaps, unroutable, estimated)

    def route(self, points: Sequence[Point]) -> RoadRoute:
        """The way along the points in this order, with its line. Raises RoadsDown, RoadsRefused."""
        legs: list[tuple[int, int]] = []
        line: list[list[float]] = []
        guessed: set[int] = set()
        for piece in _overlapping(points, self._route_limit):
            part = self._piece_of_route(piece)
            guessed |= {len(legs) + n for n in part.estimated}
            legs += part.legs
            line += part.geometry[1:] if line and part.geometry[:1] == line[-1:] else part.geometry
        return RoadRoute(legs, line, guessed)

    # --- points on the road -------------------------------------------------------------------------------

    def _snap(self, points: Sequence[Point]) -> list[Snap]:
        known = self._remembered.snaps()
        unknown = list(dict.fromkeys(key for p in points if (key := _key(p)) not in known))
        while unknown:
            asked = [Point(*key) for key in unknown[: self._table_limit]]
            try:
                snaps = self._snap_all(asked)
            except _TooMuch:
                self._ask_for_less()
                continue
            known.update(zip(unknown, snaps, strict=False))
            unknown = unknown[len(asked) :]
        return [known[_key(p)] for p in points]

    def _snap_all(self, points: list[Point]) -> list[Snap]:
        """One request for all: a row of the table says where each point lands."""
        if len(points) == 1:
            return [self._nearest(points[0], None)]
        answer = self._get("table", points, {"sources": "0", "annotations": "duration"})
        snaps = [_snap(found) for found in answer["destinations"]]
        # The table prefers far roads of the large network to near ones that hang together with few others.
        return [
            snap if snap.is_near else self._nearest(point, SNAP_LIMIT_M) or snap
            for point, snap in zip(points, snaps, strict=True)
        ]

    def _nearest(self, point: Point, within_m: int | None) -> Any:
        limit = {} if within_m is None else {"radiuses": str(within_m)}
        try:
            return _snap(self._get("nearest", [point], limit)["waypoints"][0])
        except _NoSegment:
            return None

    # --- the matrix ---------------------------------------------------------------------------------------

    def _cells(self, keys: list[tuple[float, float]]) -> _Cells:
        """Every pair of these points on the road, from memory where it is known."""
        cells = self._remembered.cells(keys)
        unknown = cells.distance_m == UNKNOWN
        while unknown.any():
            new = np.flatnonzero(unknown.any(axis=1))
            limit = self._table_limit
            sources = new[:limit]
            targets = np.flatnonzero(unknown[sources].any(axis=0))[:limit]
            try:
                self._ask_table(keys, cells, sources, targets)
            except _TooMuch:
                self._ask_for_less()
                continue
            unknown = cells.distance_m == UNKNOWN
        self._second_try(keys, cells)
        self._remembered.keep(keys, cells)
        return cells

    def _ask_for_less(self) -> None:
        if self._table_limit <= 2:
            raise RoadsRefused(f"The road server {self.url} refuses even a matrix of two points.")
        self._table_limit = max(2, self._table_limit // 2)

    def _ask_table(
        self,
        keys: list[tuple[float, float]],
        cells: _Cells,
        sources: npt.NDArray[np.int64],
        targets: npt.NDArray[np.int64],
    ) -> None:
        named = sorted({*sources.tolist(), *targets.tolist()})
        position = {n: i for i, n in enumerate(named)}
        options = {"annotations": "duration,distance", "radiuses": ";".join([str(SNAP_LIMIT_M)] * len(named))}
        if len(sources) < len(named):
            options["sources"] = ";".join(str(position[n]) for n in sources.tolist())
        if len(targets) < len(named):
            options["destinations"] = ";".join(str(position[n]) for n in targets.tolist())
        answer = self._get("table", [Point(*keys[n]) for n in named], options)
        block = np.ix_(sources, targets)
        distance = np.array(answer["distances"], dtype=np.float64)
        duration = np.array(answer["durations"], dtype=np.float64)
        if distance.shape != (len(sources), len(targets)) or duration.shape != distance.shape:
            raise RoadsRefused(f"The road server {self.url} answered with a matrix of another size.")
        missing = np.isnan(distance) | np.isnan(duration)
        cells.distance_m[block] = np.where(missing, NO_ROAD, np.rint(np.nan_to_num(distance))).astype(
            np.int64
        )
        cells.duration_s[block] = np.where(missing, NO_ROAD, np.rint(np.nan_to_num(duration))).astype(
            np.int64
        )

    def _second_try(self, keys: list[tuple[float, float]], cells: _Cells) -> None:
        """Pairs for which the table knew no way: by /route, else in a straight line."""
        for n, (a, b) in enumerate(np.argwhere(cells.distance_m == NO_ROAD).tolist()):
            start, end = Point(*keys[a]), Point(*keys[b])
            found = self._leg(start, end) if n < SECOND_TRIES else None
            if found is None:
                cells.estimated[a, b] = True
                found = _guess(start, end)
            cells.distance_m[a, b], cells.duration_s[a, b] = found

    def _leg(self, start: Point, end: Point) -> tuple[int, int] | None:
        try:
            return self._ask_route([start, end]).legs[0]
        except (_NoRoute, _NoSegment):
            return None

    # --- routes -------------------------------------------------------------------------------------------

    def _piece_of_route(self, points: list[Point]) -> RoadRoute:
        try:
            return self._ask_route(points)
        except (_NoRoute, _NoSegment, _TooMuch) as e:
            if len(points) == 2:
                return RoadRoute([_guess(*points)], [[p.lon, p.lat] for p in points], {0})
            if isinstance(e, _TooMuch):
                self._route_limit = max(2, len(points) // 2)
            middle = len(points) // 2
            first, second = self._piece_of_route(points[: middle + 1]), self._piece_of_route(points[middle:])
            guessed = first.estimated | {len(first.legs) + n for n in second.estimated}
            return RoadRoute(first.legs + second.legs, first.geometry + second.geometry, guessed)

    def _ask_route(self, points: list[Point]) -> RoadRoute:
        options = {
            "overview": "full",
            "geometries": "geojson",
            "continue_straight": "false",  # as the table counts: a van may turn round at a stop
            "radiuses": ";".join([str(SNAP_LIMIT_M)] * len(points)),
        }
        best = self._get("route", points, options)["routes"][0]
        legs = [(round(leg["distance"]), round(leg["duration"])) for leg in best["legs"]]
        return RoadRoute(legs, best["geometry"]["coordinates"], set())

    # --- HTTP ---------------------------------------------------------------------------------------------

    def _get(self, service: str, points: Sequence[Point], options: Mapping[str, str]) -> dict[str, Any]:
        path = f"{self.url}/{service}/v1/{self.profile}/" + ";".join(
            f"{p.lon:.6f},{p.lat:.6f}" for p in points
        )
        response = self._ask(path, options)
        if response.status_code in (413, 414, 431):
            raise _TooMuch
        try:
            answer = msgspec.json.decode(response.content)
            code = answer["code"]
        except (msgspec.DecodeError, TypeError, KeyError) as e:
            raise RoadsDown(
                f"What answers at {self.url} is not a road server (HTTP {response.status_code}); "
                "check STOWAGE_ROADS_URL."
            ) from e
        if code == "Ok":
            return dict(answer)
        said = str(answer.get("message", ""))
        if code == "TooBig" or (code == "InvalidValue" and re.search(r"(?i)too (many|long|big)", said)):
            raise _TooMuch
        if code == "NoSegment":
            raise _NoSegment
        if code in ("NoRoute", "NoTable"):
            raise _NoRoute
        raise RoadsRefused(f"The road server {self.url} refuses: {said or code} ({code}).")

    def _ask(self, path: str, options: Mapping[str, str]) -> httpx.Response:
        for attempt in (1, 2):
            try:
                return self._client().get(path, params=dict(options))
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as e:
                if attempt == 2:  # the first may have been a connection that it had closed meanwhile
                    raise RoadsDown(f"The road server {self.url} broke off its answer; try again.") from e
            except httpx.TimeoutException as e:
                raise RoadsDown(
                    f"The road server {self.url} does not answer within {self._timeout_s:g} s; try again, or see its log."
                ) from e
            except (httpx.HTTPError, httpx.InvalidURL) as e:
                raise RoadsDown(
                    f"The road server {self.url} cannot be reached ({e}); start it, or check STOWAGE_ROADS_URL."
                ) from e
        raise AssertionError("unreachable")

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                here = urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")
                self._http = httpx.Client(timeout=self._timeout_s, trust_env=not here)
            return self._http


class _TooMuch(Exception):
    """More points than the server takes in one request."""


class _NoSegment(Exception):
    """No road within the radius."""


class _NoRoute(Exception):
    """There is no way."""


@dataclass
class _Cells:
    distance_m: IntMatrix
    duration_s: IntMatrix
    estimated: npt.NDArray[np.bool_]


class _Remembered:
    """Cells and snaps that were asked for lately. Forgotten as a whole: after an hour, or when there are too many."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._since = self._now()
        self._snaps: dict[tuple[float, float], Snap] = {}
        self._index: dict[tuple[float, float], int] = {}
        self._cells = _no_cells(0)

    def snaps(self) -> dict[tuple[float, float], Snap]:
        with self._lock:
            if self._now() - self._since > REMEMBERED_S or len(self._snaps) > 10 * REMEMBERED_POINTS:
                self._forget()
            return self._snaps

    def cells(self, keys: list[tuple[float, float]]) -> _Cells:
        """A square of these points; `UNKNOWN` where nothing is remembered."""
        with self._lock:
            cells = _no_cells(len(keys))
            here = [n for n, key in enumerate(keys) if key in self._index]
            there = [self._index[keys[n]] for n in here]
            to, source = np.ix_(here, here), np.ix_(there, there)
            if here:
                cells.distance_m[to] = self._cells.distance_m[source]
                cells.duration_s[to] = self._cells.duration_s[source]
                cells.estimated[to] = self._cells.estimated[source]
            np.fill_diagonal(cells.distance_m, 0)
            np.fill_diagonal(cells.duration_s, 0)
            return cells

    def keep(self, keys: list[tuple[float, float]], cells: _Cells) -> None:
        with self._lock:
            if len(self._index.keys() | set(keys)) > REMEMBERED_POINTS:
                self._index, self._cells = {}, _no_cells(0)
                keys = keys[:REMEMBERED_POINTS]
            for key in keys:
                self._index.setdefault(key, len(self._index))
            old, size = self._cells, len(self._index)
            if size > len(old.distance_m):
                self._cells = _no_cells(size)
                n = len(old.distance_m)
                self._cells.distance_m[:n, :n] = old.distance_m
                self._cells.duration_s[:n, :n] = old.duration_s
                self._cells.estimated[:n, :n] = old.estimated
            at = [self._index[key] for key in keys]
            target, count = np.ix_(at, at), len(keys)
            self._cells.distance_m[target] = cells.distance_m[:count, :count]
            self._cells.duration_s[target] = cells.duration_s[:count, :count]
            self._cells.estimated[target] = cells.estimated[:count, :count]


def _no_cells(size: int) -> _Cells:
    unknown = np.full((size, size), UNKNOWN, dtype=np.int64)
    return _Cells(unknown, unknown.copy(), np.zeros((size, size), dtype=np.bool_))


def _key(p: Point) -> tuple[float, float]:
    return round(p.lat, 6), round(p.lon, 6)


def _snap(found: Mapping[str, Any]) -> Snap:
    lon, lat = found["location"]
    return Snap(lat, lon, round(found.get("distance", 0)))


def _too_far(p: Point, snap: Snap) -> str:
    away = f"{snap.snap_m} m" if snap.snap_m < 10_000 else f"{snap.snap_m // 1000} km"
    return (
        f"The nearest road is {away} away from {p.lat:.5f}, {p.lon:.5f} and {SNAP_LIMIT_M} m is the limit; "
        "move the pin to where a vehicle can stop."
    )


def _guess(start: Point, end: Point) -> tuple[int, int]:
    metres = straight_m(start, end) * DETOUR
    return round(metres), round(metres / ESTIMATED_M_PER_S)


def _overlapping(points: Sequence[Point], size: int) -> Iterator[list[Point]]:
    for begin in range(0, max(1, len(points) - 1), size - 1 or 1):
        piece = list(points[begin : begin + size])
        if len(piece) > 1:
            yield piece
