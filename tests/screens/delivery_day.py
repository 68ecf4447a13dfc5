"""A day of deliveries on the real streets of central Helsinki: depot, vans with shifts and drivers, jobs at addresses of the
map, planned by the real planner. For tests and figures of the dispatcher's board.

Orders and jobs are written as rows: how a packed order becomes a job has tests of its own.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from backend import maps
from backend.auth.principals import hash_password
from backend.context import Context
from backend.db import Conn
from backend.dispatch import depots, plan_run, planning, shifts, vehicles
from backend.ids import new_id
from routing.geo import Point, straight_m
from stowage.parts.roads import Roads

ZONE = ZoneInfo("Europe/Helsinki")
DEPOT = (60.17105, 24.94300)


@dataclass(frozen=True)
class Customer:
    name: str
    address: str
    lat: float
    lon: float


@dataclass(frozen=True)
class DeliveryDay:
    day: date
    depot_id: UUID
    vehicles: list[UUID]
    shifts: list[UUID]
    drivers: list[UUID]
    jobs: list[UUID]


@contextmanager
def helsinki(folder: Path) -> Iterator[Path]:
    """The road engine with its map, told to this process; raises PartFailed where it cannot be had."""
    roads = Roads(folder)
    url = roads.start()
    try:
        maps.configure(url, roads.map_dir)
        yield roads.map_dir
    finally:
        maps.configure(None, None)
        roads.stop()


def customers(map_dir: Path, count: int, seed: int = 7) -> list[Customer]:
    """At addresses that the map knows, each with a name of its own."""
    with sqlite3.connect(map_dir / "addresses.sqlite") as db:
        found = db.execute(
            "select street, number, lat, lon from address where number <> '' order by street, number, lat"
        ).fetchall()
    rng = random.Random(seed)
    firsts = [
        "Nordic",
        "Harbour",
        "Corner",
        "Old Town",
        "Station",
        "Market",
        "Linden",
        "Amber",
        "Birch",
        "Blue",
    ]
    seconds = ["Café", "Books", "Bakery", "Studio", "Hotel", "Clinic", "Flowers", "Print", "Optics", "Deli"]
    names = [f"{a} {b}" for a in firsts for b in seconds]
    rng.shuffle(names)
    made = []
    for n in range(count):
        street, number, lat, lon = found[rng.randrange(len(found))]
        name = names[n % len(names)] + ("" if n < len(names) else f" {n // len(names) + 1}")
        made.append(Customer(name, f"{street} {number}", lat, lon))
    return made


def at(day: date, hour: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(hours=hour)


def delivery_day(
    conn: Conn,
    ctx: Context,
    customer_id: UUID,
    wanted: Sequence[Customer],
    *,
    vans: int,
    day: date,
    hours: tuple[float, float] = (8, 16),
    service_s: int = 420,
    weight_g: int = 9000,
    max_weight_g: int = 600_000,
    seed: int = 3,
) -> DeliveryDay:
    """Depot, vans, shifts, drivers and jobs; nothing is planned yet."""
    rng = random.Random(seed)
    with conn.transaction():
        depot = depots.create(conn, ctx, code="YARD", name="Helsinki yard", lat=DEPOT[0], lon=DEPOT[1])
        made = [
            vehicles.create(
                conn, ctx, code=f"VAN-{n + 1}", name="", depot_id=depot.id, plate=f"ABC-{101 + n}",
                max_weight_g=max_weight_g, max_volume_ml=6_000_000, max_cartons=120,
            )
            for n in range(vans)
        ]  # fmt: skip
        drivers = [_driver(conn, ctx, n) for n in range(vans)]
        begun = [
            shifts.create(
                conn, ctx, vehicle_id=v.id, driver_id=driver, starts_at=at(day, hours[0]), ends_at=at(day, hours[1]),
                **_break(day, hours),
            )
            for v, driver in zip(made, drivers, strict=True)
        ]  # fmt: skip
        jobs = []
        for n, customer in enumerate(wanted):
            opens = min(hours[1] - 2, hours[0] + rng.choice([0, 0, 1, 2, 3, 4]))
            closes = min(hours[1], opens + rng.choice([3, 4, 6]))
            jobs.append(
                job(
                    conn, ctx, customer_id, customer, at(day, opens), at(day, closes), service_s=service_s,
                    weight_g=weight_g + rng.randrange(4000), number=f"WEB-{1001 + n}",
                )
            )  # fmt: skip
    return DeliveryDay(day, depot.id, [v.id for v in made], [s.id for s in begun], drivers, jobs)


def _break(day: date, hours: tuple[float, float]) -> dict[str, int | datetime]:
    """Half an hour in the middle of a long shift."""
    if hours[1] - hours[0] < 6:
        return {}
    return {"break_s": 1800, "break_from": at(day, hours[0] + 3), "break_until": at(day, hours[0] + 5)}


def _driver(conn: Conn, ctx: Context, n: int) -> UUID:
    names = [
        "Dina Saari",
        "Otto Lehto",
        "Maija Aho",
        "Timo Kallio",
        "Sari Niemi",
        "Petri Oja",
        "Liisa Maki",
        "Juha Vuori",
    ]
    driver_id = new_id()
    conn.execute(
        """insert into app_user (id, username, name, password_hash, roles, site_id)
           values (%s, %s, %s, %s, array['driver'], %s)""",
        [driver_id, f"driver{n + 1}", names[n % len(names)], _HASH, ctx.site_id],
    )
    return driver_id


_HASH = hash_password("a good password")


def job(
    conn: Conn,
    ctx: Context,
    customer_id: UUID,
    customer: Customer | None,
    opens: datetime,
    closes: datetime,
    *,
    number: str,
    name: str = "",
    address: str = "",
    service_s: int = 420,
    weight_g: int = 9000,
) -> UUID:
    """A packed order and its delivery. Without a customer's place: an address that the map does not know."""
    order_id, job_id = new_id(), new_id()
    conn.execute(
        """insert into sales_order (site_id, id, number, source, external_number, customer_id, state, due_at, received_at)
           values (%s, %s, %s, 'api', %s, %s, 'packed', %s, %s)""",
        [ctx.site_id, order_id, number, number, customer_id, closes, ctx.now],
    )
    conn.execute(
        """insert into delivery_job (site_id, id, number, order_id, state, customer_name, phone, address, lat, lon, located_by,
                                     window_from, window_until, service_s, weight_g, volume_ml, created_at)
           values (%s, %s, 'DJ-' || lpad(nextval('delivery_job_number_seq')::text, 6, '0'), %s, %s, %s, '+358 40 555 0100', %s, %s, %s,
                   %s, %s, %s, %s, %s, %s, %s)""",
        [
            ctx.site_id, job_id, order_id, "ready" if customer else "to_review", customer.name if customer else name,
            customer.address if customer else address, customer.lat if customer else None, customer.lon if customer else None,
            "map" if customer else None, opens, closes, service_s, weight_g, weight_g * 5, ctx.now,
        ],
    )  # fmt: skip
    return job_id


def plan_now(conn: Conn, ctx: Context, day: date, *, limit_s: float = 1.0) -> UUID:
    """Plans as the worker does, and accepts it."""
    with conn.transaction():
        plan = planning.start(conn, ctx, day, depot_id=None, limit_s=limit_s, route_ids=None)
    plan_run.compute(conn, ctx, plan.id)
    proposed = planning.plan(conn, ctx.site_id, plan.id)
    assert proposed.state == "proposed", proposed.problem
    with conn.transaction():
        planning.accept(conn, ctx, plan.id, proposed.version)
    return plan.id


def draw_lines(conn: Conn, ctx: Context) -> None:
    """The routes' lines along the roads, as the worker fetches them after a change."""
    from backend.dispatch.tasks import delivery_route_geometry

    for (route_id,) in conn.execute(
        "select id from delivery_route where site_id = %s", [ctx.site_id]
    ).fetchall():
        delivery_route_geometry(conn, str(ctx.site_id), str(route_id))


def tomorrow() -> date:
    return datetime.now(UTC).astimezone(ZONE).date() + timedelta(days=1)


@dataclass(frozen=True)
class Driving:
    """How a route was driven: when it left and was back, when it stood at each customer, and when nobody heard of it."""

    agent: str
    left: datetime
    back: datetime
    stood: dict[str, tuple[datetime, datetime]]
    silent: tuple[datetime, datetime]


def drive(
    conn: Conn, ctx: Context, route: dict[str, Any], *, back: datetime, state: str = "finished"
) -> Driving:
    """The route of a board as rows of the road: along its line at 6 m/s, a position every five seconds, three minutes at each
    customer; between the second and the third customer a street beside the planned one and then silence."""
    line = [(lat, lon) for lon, lat in route["geometry"]]
    stops = [s for s in route["stops"] if s["job"]]
    ways = _ways(line, [(s["job"]["lat"], s["job"]["lon"]) for s in stops])
    seen: list[tuple[float, float, float, float]] = []
    stood: dict[str, tuple[float, float]] = {}
    at_s = 0.0
    silent = (0.0, 0.0)
    for n, way in enumerate(ways):
        begun = at_s
        length = sum(_metres(a, b) for a, b in pairwise(way))
        took = max(400.0 if n == 2 else 5.0, length / 6.0)
        for step in range(int(took // 5)):
            lat, lon = _along(way, step * 5 / took * length)
            beside = 0.0011 if n == 2 and 0.12 < step * 5 / took < 0.45 else 0.0
            if not (n == 2 and step * 5 / took > 0.5):
                seen.append((at_s + step * 5, lat + beside, lon, 21.6))
        at_s += took
        if n == 2:
            silent = (seen[-1][0], at_s)
            assert at_s - begun >= 400
        if n < len(stops):
            lat, lon = way[-1]
            seen += [(at_s + s, lat, lon, 0.0) for s in range(0, 181, 5)]
            stood[stops[n]["job"]["customer_name"]] = (at_s, at_s + 180)
            at_s += 180
    left = back - timedelta(seconds=at_s)

    def when(seconds: float) -> datetime:
        return left + timedelta(seconds=seconds)

    agent, agent_id, device_id = f"gps-{route['vehicle']['code'].lower()}", new_id(), new_id()
    with conn.transaction():
        conn.execute(
            "insert into agent (id, site_id, code) values (%s, %s, %s)", [agent_id, ctx.site_id, agent]
        )
        conn.execute(
            "insert into device (id, site_id, agent_id, code, kind) values (%s, %s, %s, 'gps', 'gps_receiver')",
            [device_id, ctx.site_id, agent_id],
        )
        conn.execute(
            "update delivery_vehicle set gps_agent = %s, gps_device = 'gps' where site_id = %s and id = %s",
            [agent, ctx.site_id, route["vehicle"]["id"]],
        )
        with conn.cursor() as cur:
            cur.executemany(
                """insert into vehicle_position (site_id, device_id, at, lat, lon, speed_kmh, fix)
                   values (%s, %s, %s, %s, %s, %s, 'gps')""",
                [(ctx.site_id, device_id, when(s), lat, lon, kmh) for s, lat, lon, kmh in seen],
            )
        conn.execute(
            """update delivery_route set state = %s, day = %s, released_at = %s, departed_at = %s, version = version + 1,
                      back_at = case when %s then %s::timestamptz end, finished_at = case when %s then %s::timestamptz end
               where site_id = %s and id = %s""",
            [
                state, left.astimezone(ZONE).date(), left, left, state == "finished", back, state == "finished", back,
                ctx.site_id, route["id"],
            ],
        )  # fmt: skip
        for stop in stops:
            from_s, until_s = stood[stop["job"]["customer_name"]]
            conn.execute(
                """update delivery_stop set state = 'done', arrived_at = %s, left_at = %s, done_at = %s where site_id = %s and id = %s""",
                [when(from_s), when(until_s), when(until_s), ctx.site_id, stop["id"]],
            )
    return Driving(
        agent, left, back, {name: (when(a), when(b)) for name, (a, b) in stood.items()}, (when(silent[0]), when(silent[1]))
    )  # fmt: skip


Place = tuple[float, float]


def _metres(a: Place, b: Place) -> float:
    return straight_m(Point(*a), Point(*b))


def _ways(line: list[Place], stops: list[Place]) -> list[list[Place]]:
    """The line cut at the vertex nearest to each stop, in order."""
    cuts = [0]
    for stop in stops:
        rest = range(cuts[-1], len(line))
        cuts.append(min(rest, key=lambda n: _metres(line[n], stop)))
    return [line[a : b + 1] for a, b in pairwise([*cuts, len(line) - 1])]


def _along(way: list[Place], metres: float) -> Place:
    for a, b in pairwise(way):
        leg = _metres(a, b)
        if metres <= leg and leg > 0:
            share = metres / leg
            return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
        metres -= leg
    return way[-1]
