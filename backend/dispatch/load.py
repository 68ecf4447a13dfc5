"""Loading a route at the door: the manifest in loading order, scans that refuse another route's parcel, and the departure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from backend import shipping
from backend.context import Context
from backend.db import Conn
from backend.dispatch import on_the_road as road
from backend.dispatch.events import note
from backend.dispatch.goods import OF_CARTON
from backend.errors import Conflict, Forbidden, Invalid


@dataclass(frozen=True)
class ManifestCarton:
    loading_order: int
    stop_id: UUID
    stop_position: int
    job_id: UUID
    carton_id: UUID
    sscc: str
    order_number: str
    customer_name: str
    weight_g: int | None
    goods: list[str]
    place_code: str | None
    state: str
    loaded_at: datetime | None
    loaded_by: str | None


@dataclass(frozen=True)
class Manifest:
    route_id: UUID
    number: str
    state: str
    vehicle_code: str
    plate: str
    shipment_id: UUID | None
    door_code: str | None
    starts_at: datetime
    cartons: tuple[ManifestCarton, ...] = field(default=())

    @property
    def total(self) -> int:
        return len(self.cartons)

    @property
    def loaded(self) -> int:
        return sum(c.loaded_at is not None for c in self.cartons)

    @property
    def complete(self) -> bool:
        return self.loaded == self.total

    @property
    def next_sscc(self) -> str | None:
        return next((c.sscc for c in self.cartons if c.loaded_at is None), None)


def manifest(conn: Conn, site_id: UUID, route_id: UUID) -> Manifest:
    """What is delivered last goes in first. Goods that are fetched from another vehicle on the way are not on it."""
    r = road.route(conn, site_id, route_id)
    with conn.cursor(row_factory=class_row(ManifestCarton)) as cur:
        cartons = cur.execute(
            f"""select (row_number() over (order by s.position desc, c.position desc))::int as loading_order, s.id as stop_id,
                      s.position as stop_position, j.id as job_id, c.id as carton_id, lp.code as sscc, o.number as order_number,
                      j.customer_name, c.weight_g::int as weight_g, {OF_CARTON} as goods, p.code as place_code, c.state, l.loaded_at, l.loaded_by
               from delivery_stop s join delivery_job j on j.site_id = s.site_id and j.id = s.job_id and j.goods_on_route_id is null
                    join delivery_job_carton x on x.site_id = s.site_id and x.job_id = j.id
                    join carton c on c.site_id = x.site_id and c.id = x.carton_id
                    join license_plate lp on lp.id = c.id join sales_order o on o.id = j.order_id
                    left join place p on p.id = lp.place_id
                    left join shipment_carton l on l.site_id = c.site_id and l.carton_id = c.id and l.shipment_id = %s
                         and l.unloaded_at is null
               where s.site_id = %s and s.route_id = %s and s.kind = 'delivery' and s.state <> 'skipped'
               order by loading_order""".encode(),
            [r.shipment_id, site_id, route_id],
        ).fetchall()
    door = conn.execute(
        "select p.code from shipment s join place p on p.id = s.door_id where s.site_id = %s and s.id = %s",
        [site_id, r.shipment_id],
    ).fetchone()
    return Manifest(r.id, r.number, r.state, r.vehicle_code, r.plate, r.shipment_id, door[0] if door else None, r.starts_at,
                    tuple(cartons))  # fmt: skip


def load(conn: Conn, ctx: Context, route_id: UUID, code: str, door: str | None = None) -> Manifest:
    """Raises WrongVehicle (another route's parcel: recorded, nothing moves), Conflict, NotFound."""
    r = road.route(conn, ctx.site_id, route_id)
    if r.shipment_id is None or r.state not in ("released", "loading"):
        raise Conflict(
            f"{r.label} is {r.state.replace('_', ' ')}; it can be loaded once it is released, until it leaves.",
            state=r.state,
        )
    try:
        s = shipping.load(conn, ctx, r.shipment_id, code, door)
    except shipping.WrongVehicle as wrong:
        expected = manifest(conn, ctx.site_id, route_id).next_sscc
        note(conn, ctx, "wrong_parcel", wrong.detail, route_id=route_id,
             evidence={"seen": code[:500], "belongs_to": wrong.more.get("expected"), "expected": expected})  # fmt: skip
        raise
    note(conn, ctx, "loaded", f"{sum(c.loaded_at is not None for c in s.cartons)} of {len(s.cartons)} cartons",
         route_id=route_id, evidence={"code": code[:500]})  # fmt: skip
    return manifest(conn, ctx.site_id, route_id)


def depart(
    conn: Conn,
    ctx: Context,
    route_id: UUID,
    *,
    anyway: bool = False,
    reason: str = "",
    may_anyway: bool = False,
    occurred_at: datetime | None = None,
) -> road.RoadRoute:
    """Loading is complete, or a lead or dispatcher says why it leaves anyway. Raises Conflict, Forbidden, Invalid, NotFound."""
    r = road.route(conn, ctx.site_id, route_id)
    if r.state not in ("released", "loading"):
        raise Conflict(
            f"{r.label} is {r.state.replace('_', ' ')}; a route departs once it is released and loaded.",
            state=r.state,
        )
    m = manifest(conn, ctx.site_id, route_id)
    missing = [c for c in m.cartons if c.loaded_at is None]
    if missing and not anyway:
        words = "; ".join(f"{c.sscc} for {c.customer_name}" for c in missing[:5])
        raise Conflict(
            f"{len(missing)} of {m.total} cartons of {r.label} are not loaded: {words}. Load them, or depart anyway.",
            not_loaded=[c.sscc for c in missing],
        )
    if anyway and not may_anyway:
        raise Forbidden("Only a lead or dispatcher lets an incomplete route leave.", field="anyway")
    if anyway and missing and not reason.strip():
        raise Invalid("Say why it leaves without them.", field="reason")
    last_loaded = max((c.loaded_at for c in m.cartons if c.loaded_at is not None), default=r.released_at)
    then = replace(ctx, now=road.moment(ctx, occurred_at, last_loaded))
    if anyway and missing:
        note(conn, then, "departed_anyway", reason.strip(), route_id=route_id,
             evidence={"not_loaded": [c.sscc for c in missing]})  # fmt: skip
    if r.shipment_id is not None and m.total:
        shipping.depart(conn, then, r.shipment_id, anyway=anyway)
    else:  # it only fetches goods from another vehicle
        road.leave(conn, then, route_id)
    return road.route(conn, ctx.site_id, route_id)
