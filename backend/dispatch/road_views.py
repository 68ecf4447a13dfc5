"""A route as its driver, its loader and the yard see it: one answer with all of it, so that a phone can go offline with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend import telemetry
from backend.context import Context
from backend.db import Conn
from backend.dispatch import on_the_road as road
from backend.dispatch.days import bounds, day_of
from backend.dispatch.goods import OF_CARTON
from backend.telemetry import TrackPoint
from routing.geo import Point, straight_m
from routing.track import Seen, simplified

STALE = timedelta(minutes=2)
DRAWN_WITHIN_M = 6.0
"""Finer than a receiver in a street can tell."""


@dataclass(frozen=True)
class Content:
    carton_id: UUID
    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    serial: str | None
    quantity: Decimal
    aboard: Decimal
    delivered: Decimal


@dataclass(frozen=True)
class CartonView:
    carton_id: UUID
    sscc: str
    weight_g: int | None
    goods: list[str]
    where: str
    aboard_of: UUID | None
    contents: list[Content]


@dataclass(frozen=True)
class _JobRow:
    id: UUID
    number: str
    order_id: UUID
    order_number: str
    attempt: int
    state: str
    customer_name: str
    phone: str
    address: str
    note: str
    lat: float
    lon: float
    window_from: datetime
    window_until: datetime
    service_s: int
    weight_g: int
    skills: list[str]
    proof_id: UUID | None
    outcome: str | None
    stands_in: str | None
    stands_in_plate: str | None


@dataclass(frozen=True)
class _CartonRow:
    job_id: UUID
    carton_id: UUID
    sscc: str
    state: str
    weight_g: int | None
    goods: list[str]


@dataclass(frozen=True)
class _HeadRow:
    id: UUID
    door_code: str | None
    locked: bool
    distance_m: int
    drive_s: int
    geometry: list[Any] | None
    estimated: bool
    released_at: datetime | None
    finished_at: datetime | None
    eta_back_at: datetime | None
    depot_code: str
    depot_name: str
    depot_address: str
    lat: float | None
    lon: float | None
    at: datetime | None


def of_driver(conn: Conn, ctx: Context, driver_id: UUID | None, day: date | None) -> list[dict[str, Any]]:
    """Released routes of a driver (None: of everybody): of one day, or today's and whatever is still on the road."""
    today = day_of(conn, ctx.site_id, ctx.now)
    begin, end = bounds(conn, ctx.site_id, day or today)
    found = road.routes(
        conn,
        """ and (%s::uuid is null or s.driver_id = %s) and r.state not in ('draft', 'cancelled')
            and (r.day = %s or (r.starts_at < %s and r.ends_at > %s)
                 or (%s and r.state in ('loading', 'under_way', 'back', 'broken_down')))
            order by r.starts_at, r.id limit 100""",
        [ctx.site_id, driver_id, driver_id, day or today, end, begin, day is None],
    )
    return views(conn, ctx, found)


def view(conn: Conn, ctx: Context, route_id: UUID) -> dict[str, Any]:
    """Raises NotFound."""
    return views(conn, ctx, [road.route(conn, ctx.site_id, route_id)])[0]


def views(conn: Conn, ctx: Context, found: Sequence[road.RoadRoute]) -> list[dict[str, Any]]:
    if not found:
        return []
    site, ids = ctx.site_id, [r.id for r in found]
    heads = {h.id: h for h in _heads(conn, site, ids)}
    stops = {r.id: road.stops(conn, site, r.id) for r in found}
    on_board = road.aboard(conn, " and a.route_id = any(%s) and a.quantity > 0", [site, ids])
    job_ids = sorted(
        {s.job_id for many in stops.values() for s in many if s.job_id} | {a.job_id for a in on_board}
    )
    jobs = {j.id: j for j in _jobs(conn, site, job_ids)}
    cartons = _cartons(conn, site, job_ids)
    shown = []
    for r in found:
        h = heads[r.id]
        mine = stops[r.id]
        job_cartons = {s.job_id: _of_route(cartons.get(s.job_id, []), r.id) for s in mine if s.job_id}
        delivery_jobs = {s.job_id for s in mine if s.kind == "delivery" and s.job_id}
        all_cartons = [c for j in delivery_jobs for c in job_cartons[j]]
        fresh = h.at is not None and h.at >= ctx.now - STALE
        next_stop = next((s for s in mine if s.state == "arrived" and s.left_at is None), None) or next(
            (s for s in mine if s.state == "planned"), None
        )
        shown.append(
            {
                **{k: getattr(r, k) for k in ("id", "number", "state", "day", "version", "driver_id", "driver_name", "shipment_id",
                                              "starts_at", "ends_at", "departed_at", "back_at", "eta_by", "late_s")},
                **{k: getattr(h, k) for k in ("locked", "door_code", "distance_m", "drive_s", "geometry", "estimated", "released_at",
                                              "finished_at", "eta_back_at")},
                "vehicle": {"id": r.vehicle_id, "code": r.vehicle_code, "plate": r.plate, "lat": h.lat, "lon": h.lon, "at": h.at,
                            "stale": r.state == "under_way" and not fresh},
                "depot": {"id": r.depot_id, "code": h.depot_code, "name": h.depot_name, "address": h.depot_address,
                          "lat": r.depot_lat, "lon": r.depot_lon},
                "next_stop_id": next_stop.id if next_stop else None,
                "cartons": len(all_cartons),
                "loaded": sum(c.where != "at_depot" for c in all_cartons),
                "to_unload": _to_unload(r.id, on_board, jobs, cartons, mine),
                "stops": [
                    {**_plain(s), "job": {**jobs[s.job_id].__dict__, "cartons": job_cartons[s.job_id]} if s.job_id else None}
                    for s in mine
                ],
            }
        )  # fmt: skip
    return shown


def _plain(s: road.RoadStop) -> dict[str, Any]:
    return {
        k: getattr(s, k)
        for k in ("id", "position", "kind", "state", "planned_arrival_at", "planned_start_at", "planned_leave_at", "eta_at", "late_s",
                  "arrived_at", "arrived_by", "left_at", "done_at", "leg_m", "leg_s", "lat", "lon")
    }  # fmt: skip


def _heads(conn: Conn, site_id: UUID, ids: Sequence[UUID]) -> list[_HeadRow]:
    with conn.cursor(row_factory=class_row(_HeadRow)) as cur:
        return cur.execute(
            """select r.id, p.code as door_code, r.locked, r.distance_m, r.drive_s, r.geometry, r.estimated, r.released_at,
                      r.finished_at, r.eta_back_at, d.code as depot_code, d.name as depot_name, d.address as depot_address, n.lat, n.lon,
                      n.at
               from delivery_route r join depot d on d.site_id = r.site_id and d.id = r.depot_id
                    left join shipment s on s.site_id = r.site_id and s.id = r.shipment_id left join place p on p.id = s.door_id
                    left join vehicle_now n on n.site_id = r.site_id and n.vehicle_id = r.vehicle_id
               where r.site_id = %s and r.id = any(%s)""",
            [site_id, list(ids)],
        ).fetchall()


def _jobs(conn: Conn, site_id: UUID, ids: Sequence[UUID]) -> list[_JobRow]:
    with conn.cursor(row_factory=class_row(_JobRow)) as cur:
        return cur.execute(
            """select j.id, j.number, j.order_id, o.number as order_number, j.attempt, j.state, j.customer_name, j.phone, j.address,
                      j.note, j.lat, j.lon, j.window_from, j.window_until, j.service_s, j.weight_g, j.skills, p.id as proof_id, p.outcome,
                      b.code as stands_in, v.plate as stands_in_plate
               from delivery_job j join sales_order o on o.site_id = j.site_id and o.id = j.order_id
                    left join delivery_proof p on p.site_id = j.site_id and p.job_id = j.id
                    left join delivery_route g on g.site_id = j.site_id and g.id = j.goods_on_route_id
                    left join delivery_vehicle v on v.site_id = g.site_id and v.id = g.vehicle_id left join place b on b.id = v.id
               where j.site_id = %s and j.id = any(%s)""",
            [site_id, list(ids)],
        ).fetchall()


def _cartons(conn: Conn, site_id: UUID, job_ids: Sequence[UUID]) -> dict[UUID, list[CartonView]]:
    """By job, with what is in them: packed, aboard and handed over."""
    with conn.cursor(row_factory=class_row(_CartonRow)) as cur:
        rows = cur.execute(
            f"""select x.job_id, c.id as carton_id, lp.code as sscc, c.state, c.weight_g::int as weight_g, {OF_CARTON} as goods
               from delivery_job_carton x join carton c on c.site_id = x.site_id and c.id = x.carton_id
                    join license_plate lp on lp.id = c.id where x.site_id = %s and x.job_id = any(%s) order by x.job_id, c.position""".encode(),
            [site_id, list(job_ids)],
        ).fetchall()
    contents = _contents(conn, site_id, [r.carton_id for r in rows])
    taken = road.aboard(conn, " and a.job_id = any(%s)", [site_id, list(job_ids)])
    given = conn.execute(
        """select p.job_id, l.carton_id, l.item_id, t.code, l.serial, l.aboard, l.delivered
           from delivery_proof p join delivery_proof_line l on l.site_id = p.site_id and l.proof_id = p.id left join lot t on t.id = l.lot_id
           where p.site_id = %s and p.job_id = any(%s)""",
        [site_id, list(job_ids)],
    ).fetchall()
    found: dict[UUID, list[CartonView]] = {}
    for r in rows:
        mine = [a for a in taken if a.job_id == r.job_id and a.carton_id == r.carton_id]
        handed = [g for g in given if g[0] == r.job_id and g[1] == r.carton_id]
        found.setdefault(r.job_id, []).append(
            CartonView(
                r.carton_id,
                r.sscc,
                r.weight_g,
                r.goods,
                _whereabouts(r.state, mine, handed),
                next((a.route_id for a in mine if a.quantity > 0), None),
                [_with_left(c, mine, handed) for c in contents.get(r.carton_id, [])],
            )
        )
    return found


def _whereabouts(state: str, mine: list[road.AboardRow], handed: list[Any]) -> str:
    delivered = sum((g[6] for g in handed), Decimal(0))
    if handed and delivered > 0:
        return "delivered" if delivered == sum((g[5] for g in handed), Decimal(0)) else "partly_delivered"
    if any(a.quantity > 0 for a in mine):
        return "aboard"
    if mine:
        return "returned"
    return "loaded" if state == "loaded" else "at_depot"


def _with_left(c: Content, mine: list[road.AboardRow], handed: list[Any]) -> Content:
    aboard = sum(
        (a.quantity for a in mine if (a.item_id, a.lot_code, a.serial) == (c.item_id, c.lot, c.serial)),
        Decimal(0),
    )
    given = sum((g[6] for g in handed if (g[2], g[3], g[4]) == (c.item_id, c.lot, c.serial)), Decimal(0))
    return Content(c.carton_id, c.item_id, c.sku, c.name, c.unit, c.lot, c.serial, c.quantity, aboard, given)


def _contents(conn: Conn, site_id: UUID, carton_ids: Sequence[UUID]) -> dict[UUID, list[Content]]:
    with conn.cursor(row_factory=class_row(Content)) as cur:
        rows = cur.execute(
            """select n.carton_id, n.item_id, i.sku, i.name, i.base_unit as unit, t.code as lot, n.serial, sum(n.quantity) as quantity,
                      0::numeric as aboard, 0::numeric as delivered
               from carton_content n join item i on i.id = n.item_id left join lot t on t.id = n.lot_id
               where n.site_id = %s and n.carton_id = any(%s) group by n.carton_id, n.item_id, i.sku, i.name, i.base_unit, t.code, n.serial
               order by i.sku, t.code, n.serial""",
            [site_id, list(carton_ids)],
        ).fetchall()
    found: dict[UUID, list[Content]] = {}
    for c in rows:
        found.setdefault(c.carton_id, []).append(c)
    return found


def _of_route(cartons: list[CartonView], route_id: UUID) -> list[CartonView]:
    return [
        CartonView(
            c.carton_id,
            c.sscc,
            c.weight_g,
            c.goods,
            c.where,
            None if c.aboard_of == route_id else c.aboard_of,
            c.contents,
        )
        for c in cartons
    ]


def _to_unload(
    route_id: UUID,
    on_board: Sequence[road.AboardRow],
    jobs: dict[UUID, _JobRow],
    cartons: dict[UUID, list[CartonView]],
    stops: Sequence[road.RoadStop],
) -> list[dict[str, Any]]:
    """What comes back: goods of deliveries that were tried, or whose stop is not ahead any more."""
    ahead = {s.job_id for s in stops if s.kind == "delivery" and s.state in ("planned", "arrived")}
    found = []
    for carton_id, job_id in dict.fromkeys(
        (a.carton_id, a.job_id) for a in on_board if a.route_id == route_id
    ):
        if job_id in ahead:
            continue
        c = next(c for c in cartons[job_id] if c.carton_id == carton_id)
        j = jobs[job_id]
        found.append({"carton_id": c.carton_id, "sscc": c.sscc, "order_number": j.order_number, "customer_name": j.customer_name,
                      "outcome": j.outcome, "contents": [x for x in c.contents if x.aboard > 0]})  # fmt: skip
    return found


# --- events and tracks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    id: UUID
    route_id: UUID | None
    job_id: UUID | None
    at: datetime
    actor: str
    what: str
    detail: str
    evidence: dict[str, Any]


def events(
    conn: Conn, site_id: UUID, *, route_id: UUID | None, job_id: UUID | None, before: UUID | None, limit: int
) -> list[Event]:
    """The newest first."""
    with conn.cursor(row_factory=class_row(Event)) as cur:
        return cur.execute(
            """select id, route_id, job_id, at, actor, what, detail, evidence from delivery_event
               where site_id = %s and (%s::uuid is null or route_id = %s) and (%s::uuid is null or job_id = %s)
                 and (%s::uuid is null or id < %s) order by id desc limit %s""",
            [site_id, route_id, route_id, job_id, job_id, before, before, limit],
        ).fetchall()


@dataclass(frozen=True)
class Driven:
    at: datetime
    lat: float
    lon: float
    speed_kmh: float | None
    after_gap: bool


@dataclass(frozen=True)
class Track:
    route_id: UUID
    vehicle_id: UUID
    planned: list[Any]
    estimated: bool
    planned_m: int
    driven: list[Driven]
    driven_m: int
    stops: list[dict[str, Any]] = field(default_factory=list)


def track(conn: Conn, ctx: Context, route_id: UUID) -> Track:
    """As planned, and as driven from the departure to the return, in the points that its drawing needs. Raises NotFound."""
    r = road.route(conn, ctx.site_id, route_id)
    h = _heads(conn, ctx.site_id, [route_id])[0]
    stops = road.stops(conn, ctx.site_id, route_id)
    devices = conn.execute(
        """select d.id from delivery_vehicle v join agent a on a.site_id = v.site_id and a.code = v.gps_agent
           join device d on d.agent_id = a.id and d.code = v.gps_device where v.site_id = %s and v.id = %s""",
        [ctx.site_id, r.vehicle_id],
    ).fetchall()
    driven: list[TrackPoint] = []
    if r.departed_at is not None:
        until = min(ctx.now, r.back_at or h.finished_at or r.departed_at + timedelta(days=1)) + timedelta(
            seconds=1
        )
        driven = telemetry.track(
            conn,
            ctx.site_id,
            [d[0] for d in devices],
            r.departed_at,
            max(until, r.departed_at + timedelta(seconds=1)),
        )
    drawn = [
        Driven(p.at, p.lat, p.lon, p.speed_kmh, kept.after_gap)
        for kept in simplified(
            [Seen(p.at.timestamp(), Point(p.lat, p.lon)) for p in driven], tolerance_m=DRAWN_WITHIN_M, gap_s=STALE.total_seconds()
        )
        for p in [driven[kept.n]]
    ]  # fmt: skip
    driven_m = sum(straight_m(Point(a.lat, a.lon), Point(b.lat, b.lon)) for a, b in pairwise(drawn))
    shown = [
        {"stop_id": s.id, "position": s.position, "lat": s.lat, "lon": s.lon, "planned_arrival_at": s.planned_arrival_at,
         "arrived_at": s.arrived_at, "left_at": s.left_at}
        for s in stops if s.kind == "delivery" and s.lat is not None and s.lon is not None
    ]  # fmt: skip
    straight = [
        [r.depot_lon, r.depot_lat],
        *[[x["lon"], x["lat"]] for x in shown],
        [r.depot_lon, r.depot_lat],
    ]
    return Track(
        r.id,
        r.vehicle_id,
        h.geometry or straight,
        h.estimated or h.geometry is None,
        h.distance_m,
        drawn,
        round(driven_m),
        shown,
    )
