"""Short ways to say what the road tests need: packed orders on a released route, a van, its driver, its positions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from backend import dispatch, ledger, packing, shipping
from backend.context import Context
from backend.db import Conn
from backend.dispatch import come_back, load, proof
from backend.dispatch import on_the_road as on_road
from backend.ids import new_id
from backend.orders import Order
from backend.packing import Carton
from edge.messages import Event, PositionReported, encode_data
from routing.geo import EARTH_RADIUS_M, Point
from tests.backend.orders.flow import accept, again
from tests.backend.packing.test_packing import pick_all
from tests.conftest import Api, Warehouse, put_stock

DEPOT = Point(60.2000, 24.9000)
AGENT, GPS = "van-1", "gps-1"


def metres_north(p: Point, metres: float) -> Point:
    return Point(p.lat + metres / EARTH_RADIUS_M * 57.29577951308232, p.lon)


@dataclass(frozen=True)
class Customer:
    """What one customer gets: an order in so many cartons of `each`."""

    name: str
    cartons: int = 1
    sku: str = "TEA-250"
    each: str = "4"
    north_m: float = 2000


@dataclass
class Drive:
    """One released route, and what the tests do with it."""

    conn: Conn
    w: Warehouse
    route_id: UUID
    vehicle_id: UUID
    shipment_id: UUID
    driver: str
    starts_at: datetime
    orders: dict[str, Order]
    cartons: dict[str, list[Carton]]
    jobs: dict[str, UUID]
    stops: dict[str, UUID]
    points: dict[str, Point]
    now: datetime

    def ctx(self, actor: str = "user:dave", at: datetime | None = None) -> Context:
        return replace(self.w.ctx(actor), now=at or self.now)

    def load_all(self) -> None:
        with self.conn.transaction():
            m = load.manifest(self.conn, self.w.site_id, self.route_id)
            for c in m.cartons:
                load.load(self.conn, self.ctx(), self.route_id, c.sscc, "DOCK-2")

    def depart(self, **more: Any) -> None:
        with self.conn.transaction():
            load.depart(self.conn, self.ctx(), self.route_id, **more)

    def leave(self) -> Drive:
        self.load_all()
        self.depart()
        return self

    def deliver(self, name: str, *cartons: proof.HandedOver, **more: Any) -> proof.Proof:
        with self.conn.transaction():
            made = proof.deliver(self.conn, self.ctx(), self.stops[name], cartons, proof.Evidence(**more))
            return proof.proof(self.conn, self.w.site_id, made)

    def fail(self, name: str, outcome: Any, reason: str = "rang twice", **more: Any) -> proof.Proof:
        with self.conn.transaction():
            made = proof.fail(
                self.conn, self.ctx(), self.stops[name], outcome, reason, proof.Evidence(**more)
            )
            return proof.proof(self.conn, self.w.site_id, made)

    def unload(self, code: str, **more: Any) -> come_back.Unloaded:
        with self.conn.transaction():
            return come_back.unload(self.conn, self.ctx("user:worker"), self.route_id, code, **more)

    def finish(self, **more: Any) -> None:
        with self.conn.transaction():
            come_back.finish(self.conn, self.ctx("user:worker"), self.route_id, **more)

    def at(self, where: Point, when: datetime, *, speed_kmh: float = 0.0, device: str = GPS) -> None:
        """One position of the van's receiver, taken in when it was sent."""
        data = PositionReported(lat=where.lat, lon=where.lon, speed_kmh=speed_kmh, hdop=0.9)
        event = Event(
            seq=1,
            device=device,
            type="position_reported",
            occurred_at=when,
            correlation_id="c",
            data=encode_data(data),
        )
        with self.conn.transaction():
            dispatch.on_position(self.conn, self.ctx(f"agent:{AGENT}", max(when, self.now)), event, data)
        self.now = max(self.now, when)

    def stand(self, where: Point, when: datetime, seconds: int = 60) -> datetime:
        """Standing there: a position each ten seconds. Returns the time of the last."""
        for s in range(0, seconds + 1, 10):
            self.at(where, when + timedelta(seconds=s))
        return when + timedelta(seconds=seconds)

    def stop(self, name: str) -> on_road.RoadStop:
        return on_road.stop(self.conn, self.w.site_id, self.stops[name])

    def route(self) -> on_road.RoadRoute:
        return on_road.route(self.conn, self.w.site_id, self.route_id)

    def job(self, name: str) -> Any:
        return job_row(self.conn, self.jobs[name])

    def order(self, name: str) -> Order:
        return again(self.conn, self.w, self.orders[name])

    def sscc(self, name: str, n: int = 0) -> str:
        return self.cartons[name][n].sscc


def job_row(conn: Conn, job_id: UUID) -> Any:
    from psycopg.rows import namedtuple_row

    with conn.cursor(row_factory=namedtuple_row) as cur:
        return cur.execute("select * from delivery_job where id = %s", [job_id]).fetchone()


def pack_order(conn: Conn, w: Warehouse, customer: Customer) -> tuple[Order, list[Carton]]:
    """Picked and packed into so many closed cartons."""
    total = str(Decimal(customer.each) * customer.cartons)
    o = accept(conn, w, (customer.sku, total))
    pick_all(conn, w, o)
    made = []
    for _ in range(customer.cartons):
        with conn.transaction():
            ctx = w.ctx()
            c = packing.open_carton(conn, ctx, o.id, w.places["BENCH-1"])
            rows = ledger.rows_at(conn, w.site_id, w.places["STAGE-OUT"], w.items[customer.sku])
            if customer.sku == "DRILL-X":
                for row in rows[: int(customer.each)]:
                    packing.pack(conn, ctx, c.id, str(row.serial))
            else:
                packing.pack(conn, ctx, c.id, customer.sku, Decimal(customer.each))
            weight = packing.carton(conn, w.site_id, c.id).expected_weight_g
            assert weight is not None
            packing.attach_weight(conn, ctx, c.id, weight, by="test")
            made.append(packing.close_carton(conn, ctx, c.id))
    return again(conn, w, o), made


def user(conn: Conn, w: Warehouse, name: str, roles: list[str]) -> UUID:
    user_id = new_id()
    conn.execute(
        "insert into app_user (id, username, name, password_hash, roles, site_id) values (%s, %s, %s, 'x', %s, %s)",
        [user_id, name, name.title(), roles, w.site_id],
    )
    return user_id


def drive(
    conn: Conn,
    w: Warehouse,
    *customers: Customer,
    driver: str = "dave",
    code: str = "VAN-1",
    gps: tuple[str, str] | None = (AGENT, GPS),
    now: datetime | None = None,
    window_h: float = 4,
) -> Drive:
    """A released route that brings each customer's order, in this order, a leg of ten minutes and five minutes at each door.

    The depot is closed to planning, so that what is packed becomes a delivery here and not by itself."""
    packed = [(c, *pack_order(conn, w, c)) for c in customers]
    start = (now or datetime.now(UTC)).replace(microsecond=0)
    depot = conn.execute("select id from depot where site_id = %s", [w.site_id]).fetchone()
    depot_id = depot[0] if depot else new_id()
    if depot is None:
        conn.execute(
            "insert into depot (site_id, id, code, name, lat, lon, active) values (%s, %s, 'YARD', 'The yard', %s, %s, false)",
            [w.site_id, depot_id, *DEPOT],
        )
    vehicle_id, shift_id, route_id = new_id(), new_id(), new_id()
    conn.execute(
        "insert into place (id, site_id, code, kind, erp_location) values (%s, %s, %s, 'vehicle', 'STO')",
        [vehicle_id, w.site_id, code],
    )
    conn.execute(
        """insert into delivery_vehicle (site_id, id, depot_id, max_weight_g, max_volume_ml, gps_agent, gps_device)
           values (%s, %s, %s, 1000000, 10000000, %s, %s)""",
        [w.site_id, vehicle_id, depot_id, *(gps or (None, None))],
    )
    conn.execute(
        "insert into vehicle_shift (site_id, id, vehicle_id, driver_id, starts_at, ends_at) values (%s, %s, %s, %s, %s, %s)",
        [
            w.site_id,
            shift_id,
            vehicle_id,
            user(conn, w, driver, ["driver"]),
            start,
            start + timedelta(hours=8),
        ],
    )
    with conn.transaction():
        shipment = shipping.plan(
            conn, w.ctx(), [o.id for _, o, _ in packed], vehicle_id=vehicle_id, door_id=w.places["DOCK-2"]
        )
    conn.execute(
        """insert into delivery_route (site_id, id, number, state, day, vehicle_id, shift_id, depot_id, shipment_id, starts_at, ends_at,
                                       distance_m, drive_s, released_at)
           values (%s, %s, %s, 'released', %s, %s, %s, %s, %s, %s, %s, 10000, 1200, %s)""",
        [w.site_id, route_id, f"RT-{code}", start.date(), vehicle_id, shift_id, depot_id, shipment.id, start,
         start + timedelta(minutes=15 * len(customers) + 10), start],
    )  # fmt: skip
    d = Drive(conn, w, route_id, vehicle_id, shipment.id, driver, start, {}, {}, {}, {}, {}, start)
    for n, (c, o, cartons) in enumerate(packed, 1):
        job_id, stop_id = new_id(), new_id()
        point = metres_north(DEPOT, c.north_m * n)
        add_job(conn, w, job_id, o, cartons, c.name, point, start, start + timedelta(hours=window_h))
        arrival = start + timedelta(minutes=15 * n - 5)
        conn.execute(
            """insert into delivery_stop (site_id, id, route_id, position, job_id, planned_arrival_at, planned_start_at,
                                          planned_leave_at, leg_m, leg_s) values (%s, %s, %s, %s, %s, %s, %s, %s, 4000, 600)""",
            [w.site_id, stop_id, route_id, n, job_id, arrival, arrival, arrival + timedelta(minutes=5)],
        )
        d.orders[c.name], d.cartons[c.name], d.jobs[c.name], d.stops[c.name], d.points[c.name] = (
            o,
            cartons,
            job_id,
            stop_id,
            point,
        )
    return d


def add_job(
    conn: Conn, w: Warehouse, job_id: UUID, o: Order, cartons: list[Carton], name: str, point: Point, window_from: datetime,
    window_until: datetime, state: str = "released",
) -> None:  # fmt: skip
    conn.execute(
        """insert into delivery_job (site_id, id, number, order_id, state, customer_name, address, lat, lon, window_from, window_until,
                  service_s, weight_g, volume_ml, created_at)
           values (%s, %s, 'DJ-' || lpad(nextval('delivery_job_number_seq')::text, 6, '0'), %s, %s, %s, 'Aleksanterinkatu 1', %s, %s,
                   %s, %s, 300, 5000, 20000, %s)""",
        [w.site_id, job_id, o.id, state, name, *point, window_from, window_until, window_from],
    )
    for c in cartons:
        conn.execute(
            "insert into delivery_job_carton (site_id, job_id, carton_id) values (%s, %s, %s)",
            [w.site_id, job_id, c.id],
        )


def stocked(conn: Conn, w: Warehouse, tea: str = "100") -> None:
    put_stock(conn, w, "TEA-250", "A-01-1", tea)


def in_place(conn: Conn, w: Warehouse, kind: str, sku: str = "TEA-250") -> Decimal:
    """What the ledger has in a virtual place, by its movements."""
    row = conn.execute(
        """select coalesce(sum(case when t.kind = %s then m.quantity else 0 end - case when f.kind = %s then m.quantity else 0 end), 0)
           from movement m join place f on f.id = m.from_place_id join place t on t.id = m.to_place_id
           where m.site_id = %s and m.item_id = %s""",
        [kind, kind, w.site_id, w.items[sku]],
    ).fetchone()
    assert row is not None
    return Decimal(row[0])


def told(conn: Conn, *types: str) -> list[dict[str, Any]]:
    """Webhook events of these types, in order."""
    rows = conn.execute(
        "select type, data from webhook_event where type = any(%s) order by id", [list(types)]
    ).fetchall()
    return [{"type": t, **data} for t, data in rows]


def open_alerts(conn: Conn) -> list[str]:
    return [
        r[0] for r in conn.execute("select kind from alert where state <> 'closed' order by kind").fetchall()
    ]


def books_are_right(conn: Conn) -> None:
    assert ledger.verify(conn) == []
    assert dispatch.verify(conn) == []


def as_driver(api: Api, conn: Conn, name: str, w: Warehouse) -> Api:
    return api.as_user(conn, name, ["driver"], w.site_id)


def all_of_order(o: Order) -> Decimal:
    return sum((line.quantity for line in o.lines), Decimal(0))
