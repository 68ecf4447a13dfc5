"""Routes under way: what is aboard by the books, when a vehicle arrives and leaves, and what shipping asks of dispatch.

A route's goods are in the site's in-transit place from its departure until they are handed over (`proof`) or unloaded at
the depot (`come_back`); the rows of `aboard` say for each carton how much is left, and the database lets nobody take more.
Locks: orders before shipment before route before jobs before what is aboard, as everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger, telemetry
from backend.context import Context
from backend.db import Conn
from backend.dispatch import etas, goods, tracking
from backend.dispatch.events import note
from backend.errors import Conflict, Invalid, NotFound, register
from backend.ids import new_id
from backend.integration import webhooks
from backend.ledger import Move
from backend.live.announce import announce

register(
    {
        "delivery_route_one_under_way": (
            Conflict,
            "This vehicle has another route that is loading or under way; finish that one first.",
            "vehicle_id",
        ),
        "aboard_not_negative": (Conflict, "The vehicle does not have that much of it.", "quantity"),
    }
)

ON_THE_ROAD = ("under_way", "back", "broken_down")
"""Routes whose vehicle may have goods aboard."""
CLOCK_MAY_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class RoadRoute:
    id: UUID
    number: str
    state: str
    day: date
    version: int
    vehicle_id: UUID
    vehicle_code: str
    plate: str
    gps_device: str | None
    driver_id: UUID | None
    driver_name: str | None
    depot_id: UUID
    depot_lat: float
    depot_lon: float
    shipment_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    shift_ends_at: datetime
    break_from: datetime | None
    released_at: datetime | None
    departed_at: datetime | None
    left_depot_at: datetime | None
    back_at: datetime | None
    eta_by: str
    late_s: int

    @property
    def label(self) -> str:
        return f"{self.number} ({self.vehicle_code})"


@dataclass(frozen=True)
class RoadStop:
    """A stop with what the road needs to know of its job."""

    id: UUID
    route_id: UUID
    position: int
    kind: str
    state: str
    planned_arrival_at: datetime
    planned_start_at: datetime
    planned_leave_at: datetime
    leg_m: int
    leg_s: int
    eta_at: datetime | None
    late_s: int
    arrived_at: datetime | None
    arrived_by: str | None
    left_at: datetime | None
    done_at: datetime | None
    arriving_told_at: datetime | None
    late_told_at: datetime | None
    job_id: UUID | None
    job_number: str | None
    job_state: str | None
    order_id: UUID | None
    customer_name: str | None
    lat: float | None
    lon: float | None
    window_from: datetime | None
    window_until: datetime | None
    service_s: int | None


_ROUTE = """
    select r.id, r.number, r.state, r.day, r.version, r.vehicle_id, p.code as vehicle_code, v.plate, v.gps_device, s.driver_id,
           u.name as driver_name, r.depot_id, d.lat as depot_lat, d.lon as depot_lon, r.shipment_id, r.starts_at, r.ends_at,
           s.ends_at as shift_ends_at, s.break_from, r.released_at, r.departed_at, r.left_depot_at, r.back_at, r.eta_by, r.late_s
    from delivery_route r join delivery_vehicle v on v.site_id = r.site_id and v.id = r.vehicle_id join place p on p.id = v.id
         join vehicle_shift s on s.site_id = r.site_id and s.id = r.shift_id left join app_user u on u.id = s.driver_id
         join depot d on d.site_id = r.site_id and d.id = r.depot_id
    where r.site_id = %s"""

_STOP = """
    select s.id, s.route_id, s.position, s.kind, s.state, s.planned_arrival_at, s.planned_start_at, s.planned_leave_at, s.leg_m,
           s.leg_s, s.eta_at, s.late_s, s.arrived_at, s.arrived_by, s.left_at, s.done_at, s.arriving_told_at, s.late_told_at, s.job_id,
           j.number as job_number, j.state as job_state, j.order_id, j.customer_name,
           coalesce(s.lat, j.lat) as lat, coalesce(s.lon, j.lon) as lon, j.window_from, j.window_until,
           j.service_s
    from delivery_stop s left join delivery_job j on j.site_id = s.site_id and j.id = s.job_id
    where s.site_id = %s"""


def routes(conn: Conn, where: str, params: Sequence[Any]) -> list[RoadRoute]:
    """`where` continues the query and is never input; `params` starts with the site."""
    with conn.cursor(row_factory=class_row(RoadRoute)) as cur:
        return cur.execute((_ROUTE + where).encode(), params).fetchall()


def route(conn: Conn, site_id: UUID, route_id: UUID) -> RoadRoute:
    """Raises NotFound, also for a route of another site."""
    found = routes(conn, " and r.id = %s", [site_id, route_id])
    if not found:
        raise NotFound("There is no such delivery route at this site.", field="route_id")
    return found[0]


def lock_route(conn: Conn, site_id: UUID, route_id: UUID) -> RoadRoute:
    """The route, held until the transaction ends. Take the orders before it."""
    conn.execute(
        "select 1 from delivery_route where site_id = %s and id = %s for update", [site_id, route_id]
    )
    return route(conn, site_id, route_id)


def lock_with_others(conn: Conn, site_id: UUID, route_id: UUID, order_ids: Collection[UUID]) -> RoadRoute:
    """The route, and every other one that is to bring something of these orders, held by id. Take the orders before it."""
    conn.execute(
        """select 1 from delivery_route where site_id = %s and (id = %s or id in (
               select s.route_id from delivery_stop s join delivery_job j on j.site_id = s.site_id and j.id = s.job_id
               where s.site_id = %s and j.order_id = any(%s) and s.state in ('planned', 'arrived')))
           order by id for update""",
        [site_id, route_id, site_id, list(order_ids)],
    )
    return route(conn, site_id, route_id)


def pass_over(conn: Conn, ctx: Context, job_id: UUID, own_route_id: UUID, *, but: UUID | None = None) -> None:
    """Nobody drives there any more: its open stops are skipped, and another route that had some is timed anew."""
    from backend.dispatch import board, moves  # they build on this

    others = conn.execute(
        """update delivery_stop set state = 'skipped' where site_id = %s and job_id = %s and state in ('planned', 'arrived')
             and id is distinct from %s returning route_id""",
        [ctx.site_id, job_id, but],
    ).fetchall()
    for other_id in sorted({UUID(str(r[0])) for r in others} - {own_route_id}):
        moves.retime(conn, ctx, board.lock_routes(conn, ctx.site_id, [other_id])[0])


def stops(conn: Conn, site_id: UUID, route_id: UUID) -> list[RoadStop]:
    with conn.cursor(row_factory=class_row(RoadStop)) as cur:
        return cur.execute(
            f"{_STOP} and s.route_id = %s order by s.position".encode(), [site_id, route_id]
        ).fetchall()


def stop(conn: Conn, site_id: UUID, stop_id: UUID) -> RoadStop:
    """Raises NotFound, also for a stop of another site."""
    with conn.cursor(row_factory=class_row(RoadStop)) as cur:
        found = cur.execute(f"{_STOP} and s.id = %s".encode(), [site_id, stop_id]).fetchone()
    if found is None:
        raise NotFound("There is no such stop at this site.", field="stop_id")
    return found


def lock_order_of(conn: Conn, site_id: UUID, order_id: UUID) -> None:
    conn.execute("select 1 from sales_order where site_id = %s and id = %s for update", [site_id, order_id])


def moment(ctx: Context, occurred_at: datetime | None, not_before: datetime | None) -> datetime:
    """When it happened: as the phone says, never in the future and never before the vehicle left."""
    if occurred_at is None:
        return ctx.now
    if occurred_at > ctx.now + CLOCK_MAY_DIFFER:
        raise Invalid(
            "This is said to have happened in the future; look at the phone's clock.", field="occurred_at"
        )
    at = min(occurred_at, ctx.now)
    return at if not_before is None else max(at, not_before)


# --- what is aboard ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AboardRow:
    """One thing of one carton, by the books in the vehicle. `quantity` is what is left of what was `taken`."""

    id: UUID
    job_id: UUID
    route_id: UUID
    carton_id: UUID
    sscc: str
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    lot_id: UUID | None
    lot_code: str | None
    serial: str | None
    owner_id: UUID | None
    status: str
    order_line_id: UUID | None
    taken: Decimal
    quantity: Decimal


_ABOARD = """
    select a.id, a.job_id, a.route_id, a.carton_id, lp.code as sscc, a.item_id, i.sku, i.name as item_name, i.base_unit as unit,
           a.lot_id, l.code as lot_code, a.serial, a.owner_id, a.status, a.order_line_id, a.taken, a.quantity
    from aboard a join license_plate lp on lp.id = a.carton_id join item i on i.id = a.item_id left join lot l on l.id = a.lot_id
    where a.site_id = %s"""


def aboard(conn: Conn, where: str, params: Sequence[Any], *, lock: bool = False) -> list[AboardRow]:
    """`where` continues the query and is never input; `params` starts with the site. In one order, so that nobody waits crosswise."""
    held = " for update of a" if lock else ""
    with conn.cursor(row_factory=class_row(AboardRow)) as cur:
        return cur.execute(f"{_ABOARD}{where} order by a.carton_id, a.id{held}".encode(), params).fetchall()


def take_from_aboard(conn: Conn, ctx: Context, row_id: UUID, quantity: Decimal) -> None:
    """The CHECK refuses more than there is."""
    conn.execute(
        "update aboard set quantity = quantity - %s where site_id = %s and id = %s",
        [quantity, ctx.site_id, row_id],
    )


# --- what shipping asks and tells -------------------------------------------------------------------------


def delivered_by_van(conn: Conn, site_id: UUID, shipment_id: UUID) -> tuple[UUID | None, dict[UUID, UUID]]:
    """The shipment's route, and for each carton that a stop of it brings to a customer, the job. Without a route: nothing."""
    row = conn.execute(
        "select id from delivery_route where site_id = %s and shipment_id = %s and state in ('released', 'loading') for update",
        [site_id, shipment_id],
    ).fetchone()
    if row is None:
        return None, {}
    found = conn.execute(
        """select c.carton_id, c.job_id from delivery_stop s join delivery_job_carton c on c.site_id = s.site_id and c.job_id = s.job_id
           where s.site_id = %s and s.route_id = %s and s.kind = 'delivery' and s.state = 'planned'""",
        [site_id, row[0]],
    ).fetchall()
    return row[0], {UUID(str(c)): UUID(str(j)) for c, j in found}


def refuse_other_than_its_route(
    conn: Conn,
    site_id: UUID,
    order_ids: Sequence[UUID],
    shipment_id: UUID | None = None,
    vehicle_id: UUID | None = None,
) -> None:
    """A released route's shipment keeps its orders and its van, until the route is withdrawn. Raises Conflict."""
    row = conn.execute(
        """select r.number, p.code, r.vehicle_id from delivery_route r join place p on p.id = r.vehicle_id
           where r.site_id = %s and r.state in ('released', 'loading') and (r.shipment_id = %s or r.shipment_id in (
               select x.shipment_id from shipment_order x where x.site_id = %s and x.order_id = any(%s) and x.current)) limit 1""",
        [site_id, shipment_id, site_id, list(order_ids)],
    ).fetchone()
    if row is not None and row[2] != vehicle_id:
        raise Conflict(f"This goes with route {row[0]} on {row[1]}; withdraw its release on the dispatch screen first.",
                       route=row[0])  # fmt: skip


def refuse_unreleased(conn: Conn, site_id: UUID, carton_id: UUID) -> None:
    """A carton that our own vans deliver is loaded once its route is released, not before. Raises Conflict."""
    row = conn.execute(
        """select j.number, j.state from delivery_job_carton c join delivery_job j on j.site_id = c.site_id and j.id = c.job_id
           where c.site_id = %s and c.carton_id = %s and j.state in ('to_review', 'ready', 'planned') limit 1""",
        [site_id, carton_id],
    ).fetchone()
    if row is None:
        return
    number, state = row
    why = {
        "to_review": "its address is not on the map yet",
        "ready": "it is on no route yet",
        "planned": "its route is not released yet",
    }[state]
    raise Conflict(
        f"This carton is delivered by our own vans ({number}), and {why}. Release its route on the dispatch screen, then load it.",
        field="code",
        delivery=number,
        state=state,
    )


def on_loading_changed(conn: Conn, ctx: Context, shipment_id: UUID) -> None:
    """A carton went onto the shipment's vehicle, or came off: its route is being loaded, or is not any more."""
    row = conn.execute(
        """select r.id, r.state, exists (select 1 from shipment_carton c where c.site_id = r.site_id
                  and c.shipment_id = r.shipment_id and c.unloaded_at is null)
           from delivery_route r where r.site_id = %s and r.shipment_id = %s and r.state in ('released', 'loading')""",
        [ctx.site_id, shipment_id],
    ).fetchone()
    if row is None:
        return
    route_id, state, some = row
    wanted = "loading" if some else "released"
    if wanted != state:
        conn.execute(
            "update delivery_route set state = %s, version = version + 1 where site_id = %s and id = %s",
            [wanted, ctx.site_id, route_id],
        )
    announce(conn, ctx.site_id, "deliveries", route_id)


def on_shipment_departed(
    conn: Conn,
    ctx: Context,
    shipment_id: UUID,
    route_id: UUID | None,
    by_van: dict[UUID, UUID],
    moves: Sequence[Move],
) -> None:
    """The goods issue is posted. What goes by van is aboard now; what left otherwise needs no van any more."""
    left = {m.to.license_plate_id for m in moves} - {None}
    _left_otherwise(conn, ctx, shipment_id, {c for c in left if c is not None and c not in by_van})
    if route_id is None:
        return
    for m in moves:
        carton_id = m.to.license_plate_id
        if carton_id in by_van:
            _take_aboard(conn, ctx, route_id, by_van[carton_id], carton_id, m)
    leave(conn, ctx, route_id)


def _take_aboard(conn: Conn, ctx: Context, route_id: UUID, job_id: UUID, carton_id: UUID, m: Move) -> None:
    line = m.evidence.get("order_line_id")
    conn.execute(
        """insert into aboard (site_id, id, job_id, route_id, carton_id, item_id, lot_id, serial, owner_id, status, order_line_id,
                               taken, quantity) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict on constraint aboard_once do update
               set taken = aboard.taken + excluded.taken, quantity = aboard.quantity + excluded.quantity, route_id = excluded.route_id""",
        [ctx.site_id, new_id(), job_id, route_id, carton_id, m.item_id, m.lot_id, m.serial, m.owner_id, m.to.status, line,
         m.quantity, m.quantity],
    )  # fmt: skip


def _left_otherwise(conn: Conn, ctx: Context, shipment_id: UUID, carton_ids: Collection[UUID]) -> None:
    """Goods of a delivery that went with a carrier, or were collected: nobody has to bring them."""
    rows = conn.execute(
        """select distinct j.id, j.number from delivery_job j join delivery_job_carton c on c.site_id = j.site_id and c.job_id = j.id
           where j.site_id = %s and c.carton_id = any(%s) and j.state in ('to_review', 'ready', 'planned', 'released')
             and not exists (select 1 from delivery_job_carton o where o.site_id = j.site_id and o.job_id = j.id
                             and not o.carton_id = any(%s)) order by j.id""",
        [ctx.site_id, list(carton_ids), list(carton_ids)],
    ).fetchall()
    for job_id, number in rows:
        conn.execute(
            """update delivery_job set state = 'cancelled', finished_at = %s, version = version + 1 where site_id = %s and id = %s""",
            [ctx.now, ctx.site_id, job_id],
        )
        conn.execute(
            """update delivery_stop set state = 'skipped' where site_id = %s and job_id = %s and state in ('planned', 'arrived')""",
            [ctx.site_id, job_id],
        )
        tracking.end(conn, ctx, job_id)
        note(conn, ctx, "left_otherwise", f"{number} left without a route of ours", job_id=job_id,
             evidence={"shipment_id": str(shipment_id)})  # fmt: skip


# --- departure --------------------------------------------------------------------------------------------


def leave(conn: Conn, ctx: Context, route_id: UUID) -> None:
    """The vehicle drives. Stops whose goods stayed behind are taken off; their deliveries go back to the tray."""
    r = lock_route(conn, ctx.site_id, route_id)
    if r.state not in ("released", "loading"):
        raise Conflict(f"{r.label} is {r.state.replace('_', ' ')}; it does not depart.", state=r.state)
    conn.execute(
        """update delivery_route set state = 'under_way', departed_at = %s, eta_by = 'plan', version = version + 1
           where site_id = %s and id = %s""",
        [ctx.now, ctx.site_id, route_id],
    )
    for s in stops(conn, ctx.site_id, route_id):
        if s.kind != "delivery" or s.state != "planned" or s.job_id is None:
            continue
        conn.execute(
            "select 1 from delivery_job where site_id = %s and id = %s for update", [ctx.site_id, s.job_id]
        )
        cartons = _cartons(conn, ctx.site_id, s.job_id)
        gone = {a.carton_id for a in aboard(conn, " and a.job_id = %s", [ctx.site_id, s.job_id])}
        if gone:
            _split_what_stayed(conn, ctx, s, [c for c in cartons if c not in gone])
            _out_for_delivery(conn, ctx, r, s)
        elif not _is_fetched_on_the_way(conn, ctx.site_id, s.job_id):
            _left_behind(conn, ctx, r, s)
    telemetry.close_alert(conn, ctx, "left_without_departing", str(route_id))
    note(conn, ctx, "departed", f"{r.label} has left", route_id=route_id)
    etas.refresh(conn, ctx, route_id)


def _cartons(conn: Conn, site_id: UUID, job_id: UUID) -> list[UUID]:
    rows = conn.execute(
        "select carton_id from delivery_job_carton where site_id = %s and job_id = %s order by carton_id",
        [site_id, job_id],
    ).fetchall()
    return [UUID(str(r[0])) for r in rows]


def _is_fetched_on_the_way(conn: Conn, site_id: UUID, job_id: UUID) -> bool:
    row = conn.execute(
        "select goods_on_route_id is not null from delivery_job where site_id = %s and id = %s",
        [site_id, job_id],
    ).fetchone()
    return bool(row and row[0])


def _left_behind(conn: Conn, ctx: Context, r: RoadRoute, s: RoadStop) -> None:
    conn.execute(
        "update delivery_stop set state = 'skipped' where site_id = %s and id = %s", [ctx.site_id, s.id]
    )
    conn.execute(
        """update delivery_job set state = 'ready', unplanned = 'left_behind', unplanned_detail = %s, version = version + 1
           where site_id = %s and id = %s""",
        [f"{r.label} left without it.", ctx.site_id, s.job_id],
    )
    note(conn, ctx, "left_behind", f"{s.job_number} stayed at the depot", route_id=r.id, job_id=s.job_id)


def _split_what_stayed(conn: Conn, ctx: Context, s: RoadStop, stayed: list[UUID]) -> None:
    """Some cartons of a delivery did not come along: they are a delivery of their own now."""
    if not stayed or s.job_id is None:
        return
    job_id = split_off(
        conn, ctx, s.job_id, stayed, "left_behind", f"These cartons of {s.job_number} stayed behind."
    )
    note(conn, ctx, "left_behind", f"{len(stayed)} cartons of {s.job_number} stayed at the depot", route_id=s.route_id,
         job_id=s.job_id, evidence={"further_job_id": str(job_id)})  # fmt: skip


def split_off(
    conn: Conn, ctx: Context, job_id: UUID, carton_ids: Collection[UUID], unplanned: str, detail: str
) -> UUID:
    """Cartons of a delivery that are brought another time than the rest: a delivery of their own."""
    further_id = another_job(conn, ctx, job_id, unplanned=unplanned, detail=detail)
    conn.execute(
        "update delivery_job_carton set job_id = %s where site_id = %s and job_id = %s and carton_id = any(%s)",
        [further_id, ctx.site_id, job_id, list(carton_ids)],
    )
    for changed in (job_id, further_id):
        weigh(conn, ctx, changed)
    return further_id


def another_job(
    conn: Conn,
    ctx: Context,
    like: UUID,
    *,
    unplanned: str | None = None,
    detail: str = "",
    attempt: int | None = None,
    window: tuple[datetime, datetime] | None = None,
) -> UUID:
    """A further delivery for the same order and door, without cartons yet. `attempt` where it follows a failed one."""
    job_id = new_id()
    conn.execute(
        """insert into delivery_job (site_id, id, number, order_id, attempt, previous_id, state, customer_name, phone, address, note,
                  lat, lon, located_by, located_as, window_from, window_until, service_s, weight_g, volume_ml, skills, priority,
                  unplanned, unplanned_detail, created_at)
           select site_id, %s, 'DJ-' || lpad(nextval('delivery_job_number_seq')::text, 6, '0'), order_id, coalesce(%s, attempt),
                  case when %s::int is null then null else id end, 'ready', customer_name, phone, address, note, lat, lon, located_by,
                  located_as, coalesce(%s, window_from), coalesce(%s, window_until), service_s, weight_g, volume_ml, skills,
                  priority, %s, %s, %s
           from delivery_job where site_id = %s and id = %s""",
        [job_id, attempt, attempt, window[0] if window else None, window[1] if window else None, unplanned, detail, ctx.now,
         ctx.site_id, like],
    )  # fmt: skip
    return job_id


def weigh(conn: Conn, ctx: Context, job_id: UUID) -> None:
    """Weight and what its vehicle must be for, from its cartons; volume in the weight's proportion."""
    conn.execute(
        """update delivery_job j set weight_g = w.grams, version = version + 1,
                  volume_ml = case when j.weight_g > 0 then ceil(j.volume_ml * w.grams / j.weight_g::numeric) else j.volume_ml end
           from (select coalesce(sum(coalesce(c.weight_g, 0)), 0)::bigint as grams from delivery_job_carton x
                 join carton c on c.site_id = x.site_id and c.id = x.carton_id where x.site_id = %s and x.job_id = %s) w
           where j.site_id = %s and j.id = %s""",
        [ctx.site_id, job_id, ctx.site_id, job_id],
    )
    goods.read_needs(conn, ctx, job_id)


def _out_for_delivery(conn: Conn, ctx: Context, r: RoadRoute, s: RoadStop) -> None:
    assert s.job_id is not None
    conn.execute(
        """update delivery_job set state = 'aboard', unplanned = null, unplanned_detail = '', version = version + 1
           where site_id = %s and id = %s""",
        [ctx.site_id, s.job_id],
    )
    tell_out_for_delivery(conn, ctx, s)


def tell_out_for_delivery(conn: Conn, ctx: Context, s: RoadStop) -> None:
    """CRM hears of it with the customer's link."""
    assert s.job_id is not None
    link = tracking.make_link(conn, ctx, s.job_id)
    tell(conn, ctx, "delivery.out_for_delivery", s.job_id, eta_at=(s.eta_at or s.planned_arrival_at).isoformat(),
         tracking_url=link.url)  # fmt: skip


def tell(conn: Conn, ctx: Context, type_: str, job_id: UUID, **more: Any) -> None:
    """To CRM and others: which delivery of which order, and what about it."""
    row = conn.execute(
        """select j.number, j.attempt, j.customer_name, j.window_from, j.window_until, o.id, o.number, o.external_number, o.source
           from delivery_job j join sales_order o on o.site_id = j.site_id and o.id = j.order_id where j.site_id = %s and j.id = %s""",
        [ctx.site_id, job_id],
    ).fetchone()
    assert row is not None
    number, attempt, customer, window_from, window_until, order_id, order, external, source = row
    webhooks.emit(
        conn,
        ctx,
        type_,
        str(order_id),
        {
            "delivery": number,
            "delivery_id": str(job_id),
            "attempt": attempt,
            "customer": customer,
            "window_from": window_from.isoformat(),
            "window_until": window_until.isoformat(),
            "number": order,
            "external_number": external,
            "source": source,
            **more,
        },
    )


# --- arriving ---------------------------------------------------------------------------------------------


def arrive(conn: Conn, ctx: Context, stop_id: UUID, *, occurred_at: datetime | None = None) -> RoadRoute:
    """The driver says so. Twice is once. Raises Conflict (not under way, or over), NotFound."""
    s = stop(conn, ctx.site_id, stop_id)
    r = lock_route(conn, ctx.site_id, s.route_id)
    s = stop(conn, ctx.site_id, stop_id)
    if s.state == "arrived" or (s.arrived_at is not None and s.state in ("done", "failed")):
        return r
    if s.state != "planned":
        raise Conflict(f"This stop is {s.state} already.", state=s.state)
    if r.state != "under_way":
        raise Conflict(
            f"{r.label} is {r.state.replace('_', ' ')}; one arrives once it is under way.", state=r.state
        )
    set_arrived(conn, ctx, r, s, moment(ctx, occurred_at, r.departed_at), by="driver")
    etas.refresh(conn, ctx, r.id)
    return route(conn, ctx.site_id, r.id)


def go_on(conn: Conn, ctx: Context, stop_id: UUID, *, occurred_at: datetime | None = None) -> RoadRoute:
    """The driver ends the break: from now on the vehicle is on its way to the next customer. Twice is once.
    Raises Conflict (no break, or not begun), NotFound."""
    s = stop(conn, ctx.site_id, stop_id)
    r = lock_route(conn, ctx.site_id, s.route_id)
    s = stop(conn, ctx.site_id, stop_id)
    if s.kind != "break":
        raise Conflict("This stop is no break; say at it what became of the delivery.", kind=s.kind)
    if s.state == "done":
        return r
    if s.state != "arrived":
        raise Conflict(
            "This break has not begun; begin it first, or drive on to the next stop.", state=s.state
        )
    at = moment(ctx, occurred_at, s.arrived_at)
    conn.execute(
        "update delivery_stop set state = 'done', done_at = %s, left_at = %s where site_id = %s and id = %s",
        [at, at, ctx.site_id, s.id],
    )
    note(
        conn,
        ctx,
        "went_on",
        f"{r.label} goes on after the break",
        route_id=r.id,
        evidence={"at": at.isoformat()},
    )
    etas.refresh(conn, ctx, r.id)
    return route(conn, ctx.site_id, r.id)


def set_arrived(conn: Conn, ctx: Context, r: RoadRoute, s: RoadStop, at: datetime, *, by: str) -> None:
    """The caller holds the route. A break before it is over then."""
    late_s = max(0, int((at - s.window_until).total_seconds())) if s.window_until else 0
    conn.execute(
        """update delivery_stop set state = 'arrived', arrived_at = %s, arrived_by = %s, left_at = null, eta_at = %s, late_s = %s
           where site_id = %s and id = %s""",
        [at, by, at, late_s, ctx.site_id, s.id],
    )
    conn.execute(
        """update delivery_stop set state = 'done', done_at = coalesce(done_at, %s) where site_id = %s and route_id = %s
           and kind in ('break', 'reload') and position < %s and state in ('planned', 'arrived')""",
        [at, ctx.site_id, r.id, s.position],
    )
    earlier = conn.execute(
        """select count(*) from delivery_stop where site_id = %s and route_id = %s and position < %s and state = 'planned'""",
        [ctx.site_id, r.id, s.position],
    ).fetchone()
    order = ", out of order" if earlier and earlier[0] else ""
    what = f"at {s.customer_name} ({s.job_number})" if s.job_id else "for the break"
    note(conn, ctx, "arrived", f"{r.label} is {what}, by {by}{order}", route_id=r.id, job_id=s.job_id,
         evidence={"at": at.isoformat()})  # fmt: skip


def set_left(conn: Conn, ctx: Context, r: RoadRoute, s: RoadStop, at: datetime) -> None:
    """The caller holds the route."""
    conn.execute(
        "update delivery_stop set left_at = %s where site_id = %s and id = %s", [at, ctx.site_id, s.id]
    )
    if s.state == "arrived":
        note(conn, ctx, "left_without_proof", f"{r.label} left {s.customer_name} without saying what became of {s.job_number}",
             route_id=r.id, job_id=s.job_id, evidence={"at": at.isoformat()})  # fmt: skip
    else:
        note(conn, ctx, "left", f"{r.label} left {s.customer_name}", route_id=r.id, job_id=s.job_id,
             evidence={"at": at.isoformat()})  # fmt: skip


def set_back(conn: Conn, ctx: Context, r: RoadRoute, at: datetime, *, by: str) -> None:
    """At the depot again. What was not delivered has to be unloaded by scan. The caller holds the route."""
    conn.execute(
        """update delivery_route set state = 'back', back_at = %s, eta_back_at = %s, version = version + 1
           where site_id = %s and id = %s and state = 'under_way'""",
        [at, at, ctx.site_id, r.id],
    )
    note(conn, ctx, "back", f"{r.label} is back, by {by}", route_id=r.id, evidence={"at": at.isoformat()})


# --- verify -----------------------------------------------------------------------------------------------


def verify(conn: Conn) -> list[ledger.Mismatch]:
    """What is aboard by the rows against the in-transit place by the movements, carton by carton. Reads only."""
    rows = conn.execute(
        """with sides as (
               select site_id, carton_id as plate, item_id, lot_id, serial, owner_id, status, quantity as found, 0::numeric as expected
               from aboard where quantity > 0
               union all
               select m.site_id, m.to_license_plate_id, m.item_id, m.lot_id, m.serial, m.owner_id, m.to_status, 0, m.quantity
               from movement m join place p on p.id = m.to_place_id and p.kind = 'in_transit' where m.cause_kind = 'shipment'
               union all
               select m.site_id, m.from_license_plate_id, m.item_id, m.lot_id, m.serial, m.owner_id, m.from_status, 0, -m.quantity
               from movement m join place p on p.id = m.from_place_id and p.kind = 'in_transit'
               where m.cause_kind in ('delivery', 'delivery_return'))
           select 'carton ' || coalesce((select code from license_plate where id = s.plate), '?') || ' '
                  || (select sku from item where id = s.item_id), sum(expected), sum(found)
           from sides s group by site_id, plate, item_id, lot_id, serial, owner_id, status having sum(expected) <> sum(found)"""
    ).fetchall()
    return [ledger.Mismatch("aboard", where, expected, found) for where, expected, found in rows]
