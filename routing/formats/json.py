"""Our own format: a `Problem` as JSON, field by field as `routing.problem` names them; times in seconds, ways in metres.

    {"matrices": [{"distance_m": [[0, 900], [950, 0]], "duration_s": [[0, 120], [130, 0]]}],
     "vehicles": [{"id": "VAN-1", "start": 0, "end": 0, "capacity": [800], "shift": {"opens_s": 28800, "closes_s": 57600}}],
     "jobs": [{"id": "J-1", "location": 1, "delivery": [25], "service_s": 300,
               "windows": [{"opens_s": 32400, "closes_s": 36000}]}],
     "shipments": [{"id": "S-1", "pickup": {"id": "S-1", "location": 1}, "delivery": {"id": "S-1", "location": 0}, "load": [5]}]}

What may be left out has the default of its field; a key that is not a field is an error, said with its path. -1: no road.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any, TypeVar

import msgspec
import numpy as np

from routing.formats.instance import LARGEST, BadFile, Instance, Options, surcharge
from routing.problem import Break, IntMatrix, Job, Matrix, Problem, Shipment, Vehicle, Window

T = TypeVar("T")

_INSIDE: dict[type, dict[str, type]] = {
    Job: {"windows": Window},
    Shipment: {"pickup": Job, "delivery": Job},
    Vehicle: {"shift": Window, "breaks": Break},
    Break: {"window": Window},
    Window: {},
}


def read(text: str, name: str, options: Options) -> Instance:
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as e:
        raise BadFile(f"line {e.lineno}: this is not JSON ({e.msg}); is the file cut off?") from e
    except RecursionError as e:
        raise BadFile("this is nested too deep for a problem") from e
    if not isinstance(raw, dict):
        raise BadFile("an object with `matrices`, `vehicles` and `jobs` is expected")
    unknown = sorted(raw.keys() - {"matrices", "vehicles", "jobs", "shipments"})
    if unknown:
        raise BadFile(f"unknown key {unknown[0]!r}; there are matrices, vehicles, jobs and shipments")
    matrices = tuple(_matrix(m, f"matrices[{n}]") for n, m in enumerate(_list(raw, "matrices")))
    if not matrices:
        raise BadFile("`matrices` is missing: at least one, with distance_m and duration_s")
    vehicles = tuple(_one(v, Vehicle, f"vehicles[{n}]") for n, v in enumerate(_list(raw, "vehicles")))
    jobs = tuple(_one(j, Job, f"jobs[{n}]") for n, j in enumerate(_list(raw, "jobs")))
    shipments = tuple(_one(s, Shipment, f"shipments[{n}]") for n, s in enumerate(_list(raw, "shipments")))
    extra = surcharge(options.objective, matrices[0])
    dearer = tuple(replace(v, fixed_cost=v.fixed_cost + extra) for v in vehicles)
    return Instance(name, Problem(dearer, matrices, jobs, shipments), surcharge=extra)


def _list(raw: dict[str, Any], key: str) -> list[Any]:
    found = raw.get(key, [])
    if not isinstance(found, list):
        raise BadFile(f"`{key}` must be a list")
    return found


def _one(raw: Any, kind: type[T], path: str) -> T:
    _known_keys(raw, kind, path)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as e:
        raise BadFile(f"{path}: {e}") from e


def _known_keys(raw: Any, kind: type, path: str) -> None:
    if not isinstance(raw, dict):
        raise BadFile(f"{path}: an object is expected, not {type(raw).__name__}")
    names = {f.name for f in fields(kind)}
    unknown = sorted(raw.keys() - names)
    if unknown:
        raise BadFile(f"{path}: unknown key {unknown[0]!r}; there are {', '.join(sorted(names))}")
    for key, inner in _INSIDE[kind].items():
        value = raw.get(key)
        for n, each in (
            enumerate(value) if isinstance(value, list) else [(None, value)] if value is not None else []
        ):
            _known_keys(each, inner, f"{path}.{key}" if n is None else f"{path}.{key}[{n}]")


def _matrix(raw: Any, path: str) -> Matrix:
    if not isinstance(raw, dict) or set(raw) != {"distance_m", "duration_s"}:
        raise BadFile(f"{path}: an object with distance_m and duration_s is expected")
    return Matrix(
        _square(raw["distance_m"], f"{path}.distance_m"), _square(raw["duration_s"], f"{path}.duration_s")
    )


def _square(raw: Any, path: str) -> IntMatrix:
    try:
        found = np.array(raw, dtype=np.float64)
    except (ValueError, TypeError) as e:
        raise BadFile(f"{path}: rows of numbers, all of one length, are expected") from e
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not np.isfinite(found).all():
        raise BadFile(
            f"{path}: as many rows as columns are expected, not {' by '.join(map(str, found.shape))}"
        )
    if abs(found).max(initial=0) > LARGEST:
        raise BadFile(
            f"{path}: {abs(found).max():g} is too large: {LARGEST:g} is the most that is understood"
        )
    if (found != np.rint(found)).any():
        raise BadFile(f"{path}: whole numbers are expected")
    return found.astype(np.int64)
