"""Solomon's format, also Gehring and Homberger's: vehicles with a capacity, then customers with windows, the depot first.

Headers may stand as they like; what counts are the rows of numbers: one of two (vehicles, capacity), then rows of seven
(number, x, y, demand, ready time, due date, service time). Rounding as DIMACS does unless asked otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from routing.formats.instance import (
    SCALES,
    BadFile,
    Instance,
    Options,
    bare,
    not_negative,
    numbers,
    rounded,
    scaled,
    straight,
    surcharge,
    whole,
)
from routing.problem import Job, Matrix, Problem, Vehicle, Window


@dataclass(frozen=True)
class _Row:
    line: int
    id: str
    x: float
    y: float
    demand: int
    opens: float
    closes: float
    service: float


def read(text: str, name: str, options: Options) -> Instance:
    fleet: tuple[int, int] | None = None
    rows: list[_Row] = []
    title = name
    for n, line in enumerate(bare(text).splitlines(), 1):
        if not line.strip():
            continue
        found = numbers(line, n)
        if found is None:
            if rows or (fleet and numbers(line.split()[0]) is not None):
                raise BadFile(f"line {n}: a row of seven numbers is expected, not {line.strip()[:40]!r}")
            if not any(
                w in line.upper()
                for w in ("VEHICLE", "CUST", "NUMBER", "CAPACITY", "COORD", "DEMAND", "TIME")
            ):
                title = line.strip()
        elif fleet is None:
            if len(found) != 2:
                raise BadFile(
                    f"line {n}: the number of vehicles and their capacity are expected, two numbers"
                )
            count, capacity = (
                whole(v, w, n) for v, w in zip(found, ("the number of vehicles", "the capacity"), strict=True)
            )
            not_negative(min(count, capacity), "the number of vehicles or their capacity", n)
            fleet = count, capacity
        else:
            rows.append(_row(found, n))
    if fleet is None:
        raise BadFile("the number of vehicles and their capacity are missing")
    if len(rows) < 2:
        raise BadFile("there are no customers" if rows else "there is neither a depot nor a customer")
    if rows[0].demand:
        raise BadFile(
            f"line {rows[0].line}: the first row is the depot, and this one has a demand; is the depot missing?"
        )
    twice = (
        {r.id for r in rows if sum(o.id == r.id for o in rows) > 1}
        if len({r.id for r in rows}) < len(rows)
        else set()
    )
    if twice:
        raise BadFile(f"customer {min(twice)} stands there twice")
    rounding = options.rounding or "dimacs"
    way = rounded(straight([(r.x, r.y) for r in rows]), rounding)
    matrix = Matrix(way, way)
    depot = rows[0]
    extra = surcharge(options.objective, matrix)
    shift = Window(scaled(depot.opens, rounding), scaled(depot.closes, rounding))
    vehicles = tuple(
        Vehicle(str(k + 1), 0, 0, (fleet[1],), shift, fixed_cost=extra)
        for k in range(min(fleet[0], len(rows) - 1))
    )
    jobs = tuple(
        Job(r.id, at, (r.demand,), windows=(Window(scaled(r.opens, rounding), scaled(r.closes, rounding)),),
            service_s=scaled(r.service, rounding))
        for at, r in enumerate(rows) if at
    )  # fmt: skip
    return Instance(title, Problem(vehicles, (matrix,), jobs, unit=SCALES[rounding]), SCALES[rounding], extra)


def _row(found: list[float], n: int) -> _Row:
    if len(found) != 7:
        raise BadFile(f"line {n}: a customer has seven numbers, not {len(found)}; is the file cut off?")
    id_ = str(whole(found[0], "the customer's number", n))
    demand = whole(not_negative(found[3], f"the demand of customer {id_}", n), "a demand", n)
    not_negative(found[6], f"the service time of customer {id_}", n)
    if found[5] < found[4]:
        raise BadFile(f"line {n}: customer {id_} closes ({found[5]:g}) before it opens ({found[4]:g})")
    return _Row(n, id_, found[1], found[2], demand, found[4], found[5], found[6])
