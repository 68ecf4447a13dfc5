"""Li and Lim's format of pickup and delivery with windows: each row names the other end of its shipment.

First line: vehicles, capacity, speed. Rows of nine numbers: number, x, y, demand, earliest, latest, service time, number of
the pickup (0: this is one), number of the delivery (0: this is one); row 0 is the depot. Rounding exact unless asked otherwise.
"""

from __future__ import annotations

import numpy as np

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
from routing.problem import Job, Matrix, Problem, Shipment, Vehicle, Window


def read(text: str, name: str, options: Options) -> Instance:
    lines = [(n, line) for n, line in enumerate(bare(text).splitlines(), 1) if line.strip()]
    if not lines:
        raise BadFile("nothing stands in it but comments")
    rows: dict[int, tuple[int, list[float]]] = {}
    head = numbers(lines[0][1], lines[0][0])
    if head is None or len(head) != 3:
        raise BadFile(f"line {lines[0][0]}: vehicles, capacity and speed are expected, three numbers")
    count, capacity = whole(head[0], "the number of vehicles", 1), whole(head[1], "the capacity", 1)
    if min(count, capacity) < 0 or head[2] <= 0:
        raise BadFile("line 1: vehicles and capacity must not be negative, and the speed more than 0")
    for n, line in lines[1:]:
        found = numbers(line, n)
        if found is None or len(found) != 9:
            got = "something else" if found is None else f"{len(found)}"
            raise BadFile(f"line {n}: nine numbers are expected, not {got}; is the file cut off?")
        id_ = whole(found[0], "the number", n)
        if id_ in rows:
            raise BadFile(f"line {n}: number {id_} stands there twice")
        if found[5] < found[4]:
            raise BadFile(f"line {n}: number {id_} closes ({found[5]:g}) before it opens ({found[4]:g})")
        not_negative(found[6], f"the service time of number {id_}", n)
        rows[id_] = n, found
    if len(rows) < 3:
        raise BadFile("there is no depot with a shipment; is the file cut off?")
    first_line, first = next(iter(rows.values()))
    if first[3] or first[7] or first[8]:
        raise BadFile(
            f"line {first_line}: the first row is the depot, and this one has a load; is the depot missing?"
        )
    rounding = options.rounding or "exact"
    places = list(rows)
    straight_line = straight([(found[1], found[2]) for _, found in rows.values()])
    way = rounded(straight_line, rounding)
    takes = way if head[2] == 1 else rounded(np.asarray(straight_line / head[2]), rounding)
    matrix = Matrix(way, takes)

    def job(id_: int) -> Job:
        _, found = rows[id_]
        window = Window(scaled(found[4], rounding), scaled(found[5], rounding))
        return Job(str(id_), places.index(id_), windows=(window,), service_s=scaled(found[6], rounding))

    shipments = []
    for id_ in places[1:]:
        n, found = rows[id_]
        pickup, delivery = whole(found[7], "the pickup", n), whole(found[8], "the delivery", n)
        if bool(pickup) == bool(delivery):
            raise BadFile(f"line {n}: number {id_} must name either its pickup or its delivery")
        other = rows.get(pickup or delivery)
        if other is None:
            raise BadFile(
                f"line {n}: number {id_} belongs to number {pickup or delivery}, which is not there; is the file cut off?"
            )
        if int(other[1][8 if pickup else 7]) != id_:
            raise BadFile(f"line {n}: number {id_} and number {pickup or delivery} do not name each other")
        if delivery:
            load = whole(found[3], "a demand", n)
            if load < 0 or other[1][3] != -load:
                raise BadFile(
                    f"line {n}: number {id_} is a pickup of {load}, and its delivery says {other[1][3]:g}"
                )
            shipments.append(Shipment(f"{id_}-{delivery}", job(id_), job(delivery), (load,)))
    depot = rows[places[0]][1]
    extra = surcharge(options.objective, matrix)
    shift = Window(scaled(depot[4], rounding), scaled(depot[5], rounding))
    vehicles = tuple(
        Vehicle(str(k + 1), 0, 0, (capacity,), shift, fixed_cost=extra)
        for k in range(min(count, len(shipments)))
    )
    return Instance(
        name, Problem(vehicles, (matrix,), (), tuple(shipments), SCALES[rounding]), SCALES[rounding], extra
    )
