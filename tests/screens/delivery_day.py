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
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from backend import maps
from backend.auth.principals import hash_password
from backend.context import Context
from backend.db import Conn
from backend.dispatch import depots, plan_run, planning, shifts, vehicles
from backend.ids import new_id
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
