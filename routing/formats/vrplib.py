"""VRPLIB files (TSPLIB 95 with vehicles), in the dialect that PyVRP publishes its instances in.

Keywords `KEY: value`, sections `X_SECTION` with a row a node (or a vehicle), `EOF`. Understood: CVRP and its kin with
coordinates or explicit weights, windows, service and release times, several depots, mixed fleets, reloads, backhauls,
prizes, allowed clients, shipments. Coordinates are rounded as the instances' authors do: to whole numbers where there are no
windows (TSPLIB's EUC_2D), DIMACS for windows, three decimals for several depots and the rest.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.formats.instance import (
    SCALES,
    BadFile,
    Instance,
    Options,
    Rounding,
    few_enough,
    numbers,
    rounded,
    scaled,
    straight,
    surcharge,
)
from routing.problem import HORIZON_S, NO_ROAD, Job, Matrix, Problem, Shipment, Vehicle, Window

Rows = list[tuple[int, list[float]]]
"""Line number and the numbers that stand there."""

_KNOWN_SECTIONS = {
    "NODE_COORD", "DEMAND", "LINEHAUL", "BACKHAUL", "SERVICE_TIME", "TIME_WINDOW", "RELEASE_TIME", "PRIZE", "DEPOT",
    "EDGE_WEIGHT", "CAPACITY", "VEHICLES_DEPOT", "VEHICLES_RELOAD_DEPOT", "VEHICLES_ALLOWED_CLIENTS",
    "VEHICLES_MAX_DISTANCE", "VEHICLES_MAX_DURATION", "VEHICLES_MAX_RELOADS", "VEHICLES_FIXED_COST",
    "VEHICLES_UNIT_DISTANCE_COST", "PICKUP_AND_DELIVERY",
}  # fmt: skip
_IGNORED_SECTIONS = {"DISPLAY_DATA"}


@dataclass(frozen=True)
class _File:
    words: dict[str, tuple[int, str]]
    sections: dict[str, Rows]
    ended: bool

    def word(self, key: str) -> str | None:
        return self.words[key][1].upper() if key in self.words else None

    def number(self, key: str) -> float | None:
        if key not in self.words:
            return None
        n, value = self.words[key]
        found = numbers(value, n)
        if found is None or len(found) != 1:
            raise BadFile(f"line {n}: {key} must be a number, not {value!r}")
        return found[0]


def read(text: str, name: str, options: Options) -> Instance:
    return _Reader(_split(text), name, options).instance()


def _split(text: str) -> _File:
    words: dict[str, tuple[int, str]] = {}
    sections: dict[str, Rows] = {}
    current: str | None = None
    ended = False
    for n, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.upper().startswith("EOF"):
            ended = True
            break
        heading = re.fullmatch(r"(\w+?)_SECTION\s*:?", line, re.I)
        keyword = re.match(r"([A-Za-z_]\w*)\s*:\s*(.*)$", line)
        if heading:
            current = heading[1].upper()
            if current not in _KNOWN_SECTIONS | _IGNORED_SECTIONS:
                raise BadFile(f"line {n}: {current}_SECTION is not understood")
            sections[current] = []
        elif keyword:
            words[keyword[1].upper()] = n, keyword[2].strip()
            current = None
        elif current is None:
            raise BadFile(f"line {n}: a keyword with a colon or a section is expected, not {line[:40]!r}")
        elif current not in _IGNORED_SECTIONS:
            found = numbers(line, n)
            if found is None:
                raise BadFile(f"line {n}: numbers are expected in {current}_SECTION, not {line[:40]!r}")
            sections[current].append((n, found))
    return _File(words, sections, ended)


class _Reader:
    def __init__(self, file: _File, name: str, options: Options) -> None:
        self.file = file
        self.name = file.words["NAME"][1] if "NAME" in file.words else name
        self.options = options
        size = file.number("DIMENSION")
        if size is None:
            raise BadFile("DIMENSION is missing")
        if size != int(size):
            raise BadFile(f"DIMENSION must be a whole number, not {size:g}")
        few_enough(size, "DIMENSION")
        self.size = int(size)
        if self.size < 2:
            raise BadFile(f"DIMENSION is {self.size}: a depot and a customer are the least")
        self.depots = self._depots()
        self.timed = bool(
            {"TIME_WINDOW", "PICKUP_AND_DELIVERY", "VEHICLES_MAX_DURATION", "RELEASE_TIME"}
            & (file.sections.keys() | file.words)
        )
        self.rounding = self._rounding()
        self.customers = [n for n in range(self.size) if n not in self.depots]
        if not self.customers:
            raise BadFile("there is no customer: every node is a depot")

    def instance(self) -> Instance:
        weights = self._weights()
        distance = rounded(weights, self.rounding)
        demand = self._column("DEMAND", "LINEHAUL")
        backhaul = self._column("BACKHAUL")
        if (self.file.word("TYPE") or "") == "VRPB":
            distance = self._backhauls_last(distance, demand, backhaul)
        duration = distance.copy()
        if (
            not (self.timed or "SERVICE_TIME" in self.file.words or "SERVICE_TIME" in self.file.sections)
            or self._length_is_distance()
        ):
            duration[distance >= 0] = 0
        matrix = Matrix(distance, duration)
        extra = surcharge(self.options.objective, matrix)
        jobs: tuple[Job, ...] = ()
        shipments: tuple[Shipment, ...] = ()
        if "PICKUP_AND_DELIVERY" in self.file.sections:
            shipments = self._shipments()
        else:
            jobs = self._jobs(demand, backhaul)
        vehicles = self._vehicles(extra, len(jobs) or len(shipments))
        jobs = _locked(jobs, vehicles, self._allowed(len(vehicles)))
        return Instance(
            self.name,
            Problem(vehicles, (matrix,), jobs, shipments, SCALES[self.rounding]),
            SCALES[self.rounding],
            extra,
        )

    # --- the pieces --------------------------------------------------------------------------------------

    def _depots(self) -> list[int]:
        rows = [number for _, row in self.file.sections.get("DEPOT", []) for number in row]
        depots = (
            [int(n) - 1 for n in rows[: rows.index(-1)] if n] if -1 in rows else [int(n) - 1 for n in rows]
        )
        if "DEPOT" in self.file.sections and -1 not in rows and not self.file.ended:
            raise BadFile("DEPOT_SECTION has no end (-1); is the file cut off?")
        if "DEPOT" not in self.file.sections and not self.file.ended:
            raise BadFile("there is neither a DEPOT_SECTION nor an EOF; is the file cut off?")
        wrong = [d for d in depots if not 0 <= d < self.size]
        if wrong:
            raise BadFile(f"depot {wrong[0] + 1} is not one of the {self.size} nodes")
        return list(dict.fromkeys(depots)) or [0]

    def _rounding(self) -> Rounding:
        if self.file.word("EDGE_WEIGHT_TYPE") == "EXPLICIT":
            flat = [number for _, row in self.file.sections.get("EDGE_WEIGHT", []) for number in row]
            return "nearest" if all(n == int(n) for n in flat) else self.options.rounding or "exact"
        if self.options.rounding is not None:
            return self.options.rounding
        kind = self.file.word("TYPE") or ""
        if kind in ("VRPTW", "PCVRPTW", "MTVRPTWR"):
            return "dimacs"
        if kind in ("CVRP", "ACVRP", "TSP", "ATSP", "PCVRP", "GVRP", "") and not self.timed:
            return "nearest"
        return "exact"

    def _rows(self, section: str, count: int, what: str) -> Rows | None:
        if section not in self.file.sections:
            return None
        rows = self.file.sections[section]
        if len(rows) != count:
            raise BadFile(
                f"{section}_SECTION has {len(rows)} rows, and there are {count} {what}; is the file cut off?"
            )
        for at, (n, row) in enumerate(rows, 1):
            if int(row[0]) != at:
                raise BadFile(f"line {n}: row {at} of {section}_SECTION is numbered {row[0]:g}")
        return rows

    def _column(self, *sections: str) -> list[list[int]]:
        """Loads a node, one a dimension. Whole numbers, not negative."""
        for section in sections:
            rows = self._rows(section, self.size, "nodes")
            if rows is None:
                continue
            for n, row in rows:
                if len(row) < 2:
                    raise BadFile(
                        f"line {n}: a node and its value are expected in {section}_SECTION; is the file cut off?"
                    )
                for value in row[1:]:
                    if value < 0 or value != int(value):
                        raise BadFile(
                            f"line {n}: node {row[0]:g} has {value:g} in {section}_SECTION: a whole number from 0 on is expected"
                        )
            return [[int(v) for v in row[1:]] for _, row in rows]
        return [[] for _ in range(self.size)]

    def _times(self, section: str) -> list[int]:
        """One scaled value a node: a section, or a keyword that holds for all customers."""
        rows = self._rows(section, self.size, "nodes")
        if rows is not None:
            for n, row in rows:
                if len(row) != 2 or row[1] < 0:
                    raise BadFile(
                        f"line {n}: a node and a number from 0 on are expected in {section}_SECTION"
                    )
            return [self._scaled(row[1]) for _, row in rows]
        value = self.file.number(section) or 0
        if value < 0:
            raise BadFile(f"{section} is negative ({value:g})")
        return [0 if n in self.depots else self._scaled(value) for n in range(self.size)]

    def _windows(self) -> list[Window] | None:
        rows = self._rows("TIME_WINDOW", self.size, "nodes")
        if rows is None:
            return None
        for n, row in rows:
            if len(row) != 3:
                raise BadFile(
                    f"line {n}: a node and its window are expected in TIME_WINDOW_SECTION; is the file cut off?"
                )
            if row[2] < row[1]:
                raise BadFile(f"line {n}: node {row[0]:g} closes ({row[2]:g}) before it opens ({row[1]:g})")
        return [Window(self._scaled(row[1]), self._scaled(row[2])) for _, row in rows]

    def _jobs(self, demand: list[list[int]], backhaul: list[list[int]]) -> tuple[Job, ...]:
        service, release = self._times("SERVICE_TIME"), self._times("RELEASE_TIME")
        windows, prizes = self._windows(), self._times("PRIZE")
        if not self._service_counts():
            service = [0] * self.size
        return tuple(
            Job(str(n + 1), n, tuple(demand[n]), tuple(backhaul[n]), (windows[n],) if windows else (Window(0, self._late),),
                service[n], prizes[n] or None, release_s=release[n])
            for n in self.customers
        )  # fmt: skip

    def _shipments(self) -> tuple[Shipment, ...]:
        rows = self._rows("PICKUP_AND_DELIVERY", self.size, "nodes") or []

        def job(at: int) -> Job:
            _, row = rows[at]
            window = Window(self._scaled(row[2]), self._scaled(row[3]))
            return Job(str(at + 1), at, windows=(window,), service_s=self._scaled(row[4]))

        found = []
        for at, (n, row) in enumerate(rows):
            if len(row) != 7:
                raise BadFile(
                    f"line {n}: seven numbers are expected in PICKUP_AND_DELIVERY_SECTION; is the file cut off?"
                )
            if row[3] < row[2]:
                raise BadFile(f"line {n}: node {row[0]:g} closes ({row[3]:g}) before it opens ({row[2]:g})")
            pickup, delivery = int(row[5]), int(row[6])
            if at in self.depots or pickup or not delivery:
                continue
            if not 1 <= delivery <= self.size or row[1] < 0:
                raise BadFile(f"line {n}: node {row[0]:g} has no delivery that is there, or a negative load")
            found.append(Shipment(f"{at + 1}-{delivery}", job(at), job(delivery - 1), (int(row[1]),)))
        return tuple(found)

    def _vehicles(self, extra: int, enough: int) -> tuple[Vehicle, ...]:
        said = self.file.number("VEHICLES")
        per_vehicle = [s for s in self.file.sections if s == "CAPACITY" or s.startswith("VEHICLES_")]
        count = (
            int(said)
            if said is not None
            else max((len(self.file.sections[s]) for s in per_vehicle), default=enough)
        )
        if count < 1:
            raise BadFile(f"there are {count} vehicles")
        if not per_vehicle:
            count = min(count, enough)  # no customer needs two
        capacity = self._rows("CAPACITY", count, "vehicles")
        uniform = self.file.number("CAPACITY")
        if (
            capacity is None
            and uniform is None
            and any(s in self.file.sections for s in ("DEMAND", "LINEHAUL", "BACKHAUL"))
        ):
            raise BadFile("CAPACITY is missing")
        loads = [tuple(int(c) for c in row[1:]) for _, row in capacity] if capacity else [
            () if uniform is None else (int(uniform),)
        ] * count  # fmt: skip
        if any(c < 0 for load in loads for c in load):
            raise BadFile("a capacity is negative")
        at_depot = [int(d) - 1 for d in self._per_vehicle("VEHICLES_DEPOT", count, self.depots[0] + 1)]
        wrong = [d for d in at_depot if d not in self.depots]
        if wrong:
            raise BadFile(f"VEHICLES_DEPOT_SECTION names {wrong[0] + 1}, which is no depot")
        fixed = self._per_vehicle("VEHICLES_FIXED_COST", count, 0)
        unit = self._per_vehicle("VEHICLES_UNIT_DISTANCE_COST", count, 1)
        longest = self._per_vehicle("VEHICLES_MAX_DISTANCE", count, -1)
        if self.file.number("DISTANCE") is not None and not self.timed:
            longest = [self._distance_limit()] * count
        lasting = self._per_vehicle("VEHICLES_MAX_DURATION", count, -1)
        reloads = self._lists("VEHICLES_RELOAD_DEPOT", count)
        most_reloads = self._per_vehicle("VEHICLES_MAX_RELOADS", count, enough)
        windows = self._windows() or self._depot_windows()
        limit = self.file.number("DISTANCE") if self._length_is_duration() else None
        return tuple(
            Vehicle(
                str(k + 1), at_depot[k], at_depot[k], loads[k],
                windows[at_depot[k]] if windows else Window(0, self._late),
                fixed_cost=extra + self._scaled(fixed[k]), cost_per_km=round(1000 * unit[k]),
                max_distance_m=self._scaled(longest[k]) if longest[k] >= 0 and limit is None else None,
                max_duration_s=self._scaled(lasting[k]) if lasting[k] >= 0 else None if limit is None else self._scaled(limit),
                reload_at=tuple(int(d) - 1 for d in reloads[k]),
                max_trips=1 + int(most_reloads[k]) if reloads[k] else 1,
            )
            for k in range(count)
        )  # fmt: skip

    def _depot_windows(self) -> list[Window] | None:
        rows = self._rows("PICKUP_AND_DELIVERY", self.size, "nodes")
        return None if rows is None else [Window(self._scaled(r[2]), self._scaled(r[3])) for _, r in rows]

    # CVRP with DISTANCE: the limit is of the route's length, service included (Christofides, Mingozzi and Toth).

    def _length_is_duration(self) -> bool:
        return (
            not self.timed and self.file.number("DISTANCE") is not None and any(self._times("SERVICE_TIME"))
        )

    def _length_is_distance(self) -> bool:
        return not self.timed and not self._length_is_duration()

    def _service_counts(self) -> bool:
        return self.timed or self._length_is_duration()

    def _distance_limit(self) -> float:
        return self.file.number("DISTANCE") or 0

    def _per_vehicle(self, section: str, count: int, default: float) -> list[float]:
        rows = self._rows(section, count, "vehicles")
        if rows is not None:
            for n, row in rows:
                if len(row) != 2:
                    raise BadFile(f"line {n}: a vehicle and one number are expected in {section}_SECTION")
            return [row[1] for _, row in rows]
        said = self.file.number(section)
        return [default if said is None else said] * count

    def _lists(self, section: str, count: int) -> list[list[float]]:
        rows = self._rows(section, count, "vehicles")
        return [[] for _ in range(count)] if rows is None else [row[1:] for _, row in rows]

    def _allowed(self, count: int) -> list[set[int]] | None:
        if "VEHICLES_ALLOWED_CLIENTS" not in self.file.sections:
            return None
        return [{int(n) - 1 for n in row} for row in self._lists("VEHICLES_ALLOWED_CLIENTS", count)]

    @property
    def _late(self) -> int:
        return HORIZON_S if self._length_is_distance() else 10**9

    def _scaled(self, value: float) -> int:
        return scaled(value, self.rounding)

    # --- weights -----------------------------------------------------------------------------------------

    def _weights(self) -> npt.NDArray[np.float64]:
        kind = self.file.word("EDGE_WEIGHT_TYPE") or "EUC_2D"
        if kind == "EXPLICIT":
            return self._explicit()
        rows = self._rows("NODE_COORD", self.size, "nodes")
        if rows is None:
            raise BadFile("NODE_COORD_SECTION is missing")
        for n, row in rows:
            if len(row) != 3:
                raise BadFile(
                    f"line {n}: a node with x and y is expected in NODE_COORD_SECTION; is the file cut off?"
                )
        points = [(row[1], row[2]) for _, row in rows]
        if kind == "GEO":
            return _geo(points)
        if kind in ("MAN_2D", "MAX_2D"):
            at = np.array(points)
            apart = np.abs(at[:, None] - at[None, :])
            return np.asarray(apart.sum(axis=2) if kind == "MAN_2D" else apart.max(axis=2), dtype=np.float64)
        change = {"EUC_2D": None, "ATT": np.ceil, "CEIL_2D": np.ceil, "FLOOR_2D": np.floor, "EXACT_2D": None}
        if kind not in change:
            raise BadFile(f"EDGE_WEIGHT_TYPE {kind} is not understood")
        way, rounder = straight(points), change[kind]
        if kind == "ATT":
            way = way / math.sqrt(10)
        return way if rounder is None else np.asarray(rounder(way - (1e-9 if rounder is np.ceil else -1e-9)))

    def _explicit(self) -> npt.NDArray[np.float64]:
        form = self.file.word("EDGE_WEIGHT_FORMAT") or "FULL_MATRIX"
        flat = [number for _, row in self.file.sections.get("EDGE_WEIGHT", []) for number in row]
        n = self.size
        wanted = {
            "FULL_MATRIX": n * n, "UPPER_ROW": n * (n - 1) // 2, "LOWER_ROW": n * (n - 1) // 2,
            "UPPER_COL": n * (n - 1) // 2, "LOWER_COL": n * (n - 1) // 2, "UPPER_DIAG_ROW": n * (n + 1) // 2,
            "LOWER_DIAG_ROW": n * (n + 1) // 2, "UPPER_DIAG_COL": n * (n + 1) // 2, "LOWER_DIAG_COL": n * (n + 1) // 2,
        }  # fmt: skip
        if form not in wanted:
            raise BadFile(f"EDGE_WEIGHT_FORMAT {form} is not understood")
        if len(flat) != wanted[form]:
            raise BadFile(
                f"EDGE_WEIGHT_SECTION has {len(flat)} numbers, {form} of {n} nodes needs {wanted[form]}; is the file cut off?"
            )
        if min(flat, default=0) < 0:
            raise BadFile(f"EDGE_WEIGHT_SECTION has a negative weight ({min(flat):g})")
        way = np.zeros((n, n))
        if form == "FULL_MATRIX":
            way = np.array(flat).reshape(n, n)
        else:
            diagonal = 0 if "DIAG" in form else 1
            lower = form in ("LOWER_ROW", "LOWER_DIAG_ROW", "UPPER_COL", "UPPER_DIAG_COL")
            at = np.tril_indices(n, -diagonal) if lower else np.triu_indices(n, diagonal)
            way[at] = flat
            way = way + way.T - np.diag(np.diag(way))
        np.fill_diagonal(way, 0)
        return way

    def _backhauls_last(
        self, distance: npt.NDArray[np.int64], demand: list[list[int]], backhaul: list[list[int]]
    ) -> npt.NDArray[np.int64]:
        """VRPB: goods are brought before any are taken along, and no vehicle only takes along."""
        brings = np.array([any(d) for d in demand])
        takes = np.array([any(b) for b in backhaul])
        changed = distance.copy()
        for depot in self.depots:
            changed[depot, takes] = NO_ROAD
        changed[np.ix_(takes, brings)] = NO_ROAD
        return changed


def _locked(
    jobs: tuple[Job, ...], vehicles: tuple[Vehicle, ...], allowed: list[set[int]] | None
) -> tuple[Job, ...]:
    if allowed is None:
        return jobs
    return tuple(
        replace(
            j, vehicles=frozenset(v.id for v, may in zip(vehicles, allowed, strict=True) if j.location in may)
        )
        for j in jobs
    )


def _geo(points: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """TSPLIB's GEO: degrees and minutes, a round earth of 6378.388 km, whole kilometres."""

    def radians(value: float) -> float:
        degrees = math.trunc(value)
        return math.pi * (degrees + 5 * (value - degrees) / 3) / 180

    lat = np.array([radians(x) for x, _ in points])
    lon = np.array([radians(y) for _, y in points])
    q1 = np.cos(lon[:, None] - lon[None, :])
    q2 = np.cos(lat[:, None] - lat[None, :])
    q3 = np.cos(lat[:, None] + lat[None, :])
    way = np.floor(6378.388 * np.arccos(np.clip(0.5 * ((1 + q1) * q2 - (1 - q1) * q3), -1, 1)) + 1)
    np.fill_diagonal(way, 0)
    return np.asarray(way, dtype=np.float64)
