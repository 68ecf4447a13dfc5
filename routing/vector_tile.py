"""Mapbox Vector Tiles 2.1, written: features in, one tile's bytes out (section numbers are the specification's).

Geometries come in metres on the map and are rounded to the tile's grid of `EXTENT` steps, y downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

EXTENT = 4096
POINT, LINE, AREA = 1, 2, 3
KIND = {0: POINT, 1: LINE, 2: LINE, 3: AREA, 4: POINT, 5: LINE, 6: AREA}
MOVE_TO, LINE_TO, CLOSE_PATH = 1, 2, 7


def encode(
    things: Iterable[tuple[str, Mapping[str, str | int | bool], BaseGeometry]],
    left: float,
    top: float,
    size: float,
) -> bytes:
    """The tile with its upper left corner there, `size` metres wide; empty where nothing of it can be seen."""
    layers: dict[str, _Layer] = {}
    for layer, properties, shape in things:
        for kind, commands in _drawn(shape, left, top, EXTENT / size):
            layers.setdefault(layer, _Layer(layer)).add(kind, commands, properties)
    return b"".join(_field(3, layer.encoded()) for layer in layers.values())


class _Layer:
    def __init__(self, name: str) -> None:
        self._name = name
        self._keys: dict[str, int] = {}
        self._values: dict[tuple[type, str | int | bool], int] = {}
        self._features: list[bytes] = []

    def add(self, kind: int, commands: list[int], properties: Mapping[str, str | int | bool]) -> None:
        tags: list[int] = []
        for key, value in properties.items():
            tags.append(self._keys.setdefault(key, len(self._keys)))
            tags.append(self._values.setdefault((type(value), value), len(self._values)))
        feature = _field(2, _varints(tags)) if tags else b""
        self._features.append(feature + b"\x18" + bytes([kind]) + _field(4, _varints(commands)))

    def encoded(self) -> bytes:
        parts = [b"\x78\x02", _field(1, self._name.encode())]  # version 2
        parts += [_field(2, feature) for feature in self._features]
        parts += [_field(3, key.encode()) for key in self._keys]
        parts += [_field(4, _value(value)) for _, value in self._values]
        parts.append(b"\x28" + _varints([EXTENT]))
        return b"".join(parts)


def _drawn(shape: BaseGeometry, left: float, top: float, scale: float) -> Iterable[tuple[int, list[int]]]:
    """Section 4.3: commands and steps from point to point. What is smaller than the grid vanishes."""
    by_kind: dict[int, list[int]] = {}
    pens: dict[int, _Pen] = {}
    for part in shapely.get_parts(shape):
        if part.is_empty or (kind := KIND.get(shapely.get_type_id(part))) is None:
            continue
        pen, commands = pens.setdefault(kind, _Pen()), by_kind.setdefault(kind, [])
        if kind != AREA:
            points = _grid(part, left, top, scale)
            if kind == POINT:
                if 0 <= points[0][0] < EXTENT and 0 <= points[0][1] < EXTENT:
                    commands += pen.path(points[:1], closed=False)
            elif len(points) > 1:
                commands += pen.path(points, closed=False)
            continue
        for n, ring in enumerate([part.exterior, *part.interiors]):
            points = _grid(ring, left, top, scale)[:-1]
            turned = _twice_area(points)
            if len(points) < 3 or turned == 0:
                if n == 0:
                    break
                continue
            if (turned > 0) != (n == 0):  # 4.3.3.3: outside clockwise on the screen, holes the other way
                points.reverse()
            commands += pen.path(points, closed=True)
    return ((kind, commands) for kind, commands in by_kind.items() if commands)


def _grid(line: BaseGeometry, left: float, top: float, scale: float) -> list[tuple[int, int]]:
    """The points in steps of the tile, without repetitions."""
    c: npt.NDArray[np.float64] = shapely.get_coordinates(line)
    steps = np.rint((c - (left, top)) * (scale, -scale)).astype(np.int64)
    if len(steps) > 1:
        steps = steps[np.concatenate([[True], np.any(steps[1:] != steps[:-1], axis=1)])]
    return [(x, y) for x, y in steps.tolist()]


def _twice_area(points: list[tuple[int, int]]) -> int:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True))


class _Pen:
    """Where the pen stands: every step of a feature is from the last point."""

    def __init__(self) -> None:
        self._x = self._y = 0

    def path(self, points: list[tuple[int, int]], *, closed: bool) -> list[int]:
        out = [MOVE_TO | 1 << 3]
        for n, (x, y) in enumerate(points):
            if n == 1:
                out.append(LINE_TO | (len(points) - 1) << 3)
            dx, dy = x - self._x, y - self._y
            out += [(dx << 1) ^ (dx >> 63), (dy << 1) ^ (dy >> 63)]
            self._x, self._y = x, y
        if closed:
            out.append(CLOSE_PATH | 1 << 3)
        return out


def _varints(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varints([len(content)]) + content


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\x38" + bytes([value])
    if isinstance(value, int):
        return b"\x28" + _varints([value])
    return _field(1, value.encode())
