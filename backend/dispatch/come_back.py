"""Goods that come back: unloaded by scan at the depot, or taken over by another vehicle on the way.

What a customer refused goes to quarantine. What met nobody, or was never tried, stands at staging again as a closed carton,
promised to its order, and waits for a further attempt. What the vehicle should have and has not is drawn to the discrepancy
place when the route is finished: reality beats the books. The movements have cause `delivery_return` and the route's id.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from backend import counting, ledger, orders, packing, shipping
from backend.catalog.codes import Resolved, UnknownCode, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.dispatch import etas, tracking
from backend.dispatch import on_the_road as road
from backend.dispatch.days import zone_of
from backend.dispatch.events import note
from backend.dispatch.on_the_road import AboardRow, RoadRoute
from backend.dispatch.proof import WrongParcel
from backend.errors import Conflict, Forbidden, Invalid, Unknown
from backend.ledger import Move, Spot
from backend.live.announce import announce
from backend.picking.confirm import outbound_staging


@dataclass(frozen=True)
class Unloaded:
    sscc: str
    place_code: str
    outcome: str | None
    next_job_id: UUID | None


def unload(
    conn: Conn,
    ctx: Context,
    route_id: UUID,
    code: str,
    *,
    quantity: Decimal | None = None,
    place: str | None = None,
) -> Unloaded:
    """A carton's SSCC: all of it that came back; an item's code: single pieces. Raises WrongParcel, Conflict, Invalid, NotFound."""
    found = _resolve(conn, ctx, code)
    order_ids = _orders_of(conn, ctx.site_id, route_id, found)
    for order_id in order_ids:
        road.lock_order_of(conn, ctx.site_id, order_id)
    r = road.lock_with_others(conn, ctx.site_id, route_id, order_ids)
    if r.state not in road.ON_THE_ROAD:
        raise Conflict(f"{r.label} is {r.state.replace('_', ' ')}; nothing of it comes back.", state=r.state)
    rows = _scanned(conn, ctx, r, found, code)
    job_id = rows[0].job_id
    rows = [a for a in rows if a.job_id == job_id]
    conn.execute(
        "select 1 from delivery_job where site_id = %s and id = %s for update", [ctx.site_id, job_id]
    )
    outcome = _outcome(conn, ctx.site_id, job_id)
    again = outcome in (None, "nobody_there")
    if found.license_plate_id is None:
        if again:
            raise Conflict(
                f"{found.label} comes back in its carton, for another attempt: scan the SSCC.", field="code"
            )
        rows = _as_much(rows, quantity)
    place_id, place_code = _where(conn, ctx, place, again)
    _book_back(conn, ctx, r, rows, place_id, again)
    note(conn, ctx, "unloaded", f"{rows[0].sscc} to {place_code}", route_id=r.id, job_id=job_id,
         evidence={"outcome": outcome, "code": code[:500]})  # fmt: skip
    next_job_id = _all_back(conn, ctx, r, job_id, outcome, {a.carton_id for a in rows})
    announce(conn, ctx.site_id, "deliveries", r.id)
    return Unloaded(rows[0].sscc, place_code, outcome, next_job_id)


def _resolve(conn: Conn, ctx: Context, code: str) -> Resolved:
    try:
        return resolve_code(conn, ctx.site_id, code)
    except UnknownCode as e:
        raise Conflict(f"{code!r} is no carton and no item; scan the carton's SSCC.", field="code") from e


def _orders_of(conn: Conn, site_id: UUID, route_id: UUID, found: Resolved) -> list[UUID]:
    rows = conn.execute(
        """select distinct j.order_id from aboard a join delivery_job j on j.site_id = a.site_id and j.id = a.job_id
           where a.site_id = %s and a.route_id = %s and a.quantity > 0 and (a.carton_id = %s or a.item_id = %s) order by j.order_id""",
        [site_id, route_id, found.license_plate_id, found.item_id],
    ).fetchall()
    return [r[0] for r in rows]


def _scanned(conn: Conn, ctx: Context, r: RoadRoute, found: Resolved, code: str) -> list[AboardRow]:
    base = [ctx.site_id, r.id]
    rows: list[AboardRow] = []
    if found.license_plate_id is not None:
        rows = road.aboard(conn, " and a.route_id = %s and a.quantity > 0 and a.carton_id = %s", [*base, found.license_plate_id],
                           lock=True)  # fmt: skip
    elif found.item_id is not None:
        rows = road.aboard(
            conn,
            " and a.route_id = %s and a.quantity > 0 and a.item_id = %s and (%s::text is null or a.serial = %s)",
            [*base, found.item_id, found.serial, found.serial],
            lock=True,
        )
        tried = {
            a.job_id for a in rows if _outcome(conn, ctx.site_id, a.job_id) in ("partly_delivered", "refused")
        }
        rows = sorted(
            rows, key=lambda a: a.job_id not in tried
        )  # loose pieces are what somebody did not take
    if not rows:
        expected = sorted(
            {a.sscc for a in road.aboard(conn, " and a.route_id = %s and a.quantity > 0", base)}
        )
        detail = f"{found.label[:1].upper()}{found.label[1:]} is not aboard {r.label} by the books."
        note(
            conn,
            ctx,
            "wrong_parcel",
            detail,
            route_id=r.id,
            evidence={"seen": code[:500], "expected": expected},
        )
        raise WrongParcel(detail, field="code", expected=expected, seen=code)
    return rows


def _as_much(rows: list[AboardRow], quantity: Decimal | None) -> list[AboardRow]:
    if quantity is None:
        return rows
    taken: list[AboardRow] = []
    for a in rows:
        take = min(quantity, a.quantity)
        if take > 0:
            taken.append(replace(a, quantity=take))
            quantity -= take
    if quantity > 0:
        raise Conflict(f"{quantity.normalize():f} more than is aboard of {rows[0].sku}.", field="quantity")
    return taken


def _outcome(conn: Conn, site_id: UUID, job_id: UUID) -> str | None:
    row = conn.execute(
        "select outcome from delivery_proof where site_id = %s and job_id = %s", [site_id, job_id]
    ).fetchone()
    return row[0] if row else None


def _where(conn: Conn, ctx: Context, place: str | None, again: bool) -> tuple[UUID, str]:
    """Said, else staging for a further attempt, else the site's first quarantine place."""
    if place is not None:
        try:
            found = resolve_code(conn, ctx.site_id, place)
        except UnknownCode:
            found = None
        if found is None or found.place_id is None or found.kind != "place":
            raise Unknown(f"{place!r} is no place.", field="place")
        allowed = ("staging", "pack_bench", "dock_door") if again else ("quarantine", "staging", "dock_door")
        if found.place_kind not in allowed:
            raise Invalid(
                f"This goes to a place of kind {' or '.join(allowed)}, not to {found.label}.", field="place"
            )
        return found.place_id, found.code
    if again:
        place_id = outbound_staging(conn, ctx.site_id)
        row = conn.execute("select id, code from place where id = %s", [place_id]).fetchone()
    else:
        row = conn.execute(
            """select id, code from place where site_id = %s and kind = 'quarantine' and active and holds_stock
               order by code ilike '%%ret%%' desc, code limit 1""",
            [ctx.site_id],
        ).fetchone()
    if row is None:
        raise Conflict("The site has no quarantine place; create one, or say where it goes.", field="place")
    return row[0], row[1]


def _book_back(
    conn: Conn, ctx: Context, r: RoadRoute, rows: Sequence[AboardRow], place_id: UUID, again: bool
) -> None:
    """Out of the vehicle, into the house. `again`: promised to its order once more, in its closed carton."""
    moves = []
    in_transit = ledger.virtual_place(conn, ctx.site_id, "in_transit")
    for a in rows:
        status = a.status if again else "quarantine"
        evidence = {"sscc": a.sscc, "route": r.number} | (
            {"order_line_id": str(a.order_line_id)} if a.order_line_id else {}
        )
        moves.append(
            Move(a.item_id, a.quantity, Spot(in_transit, a.carton_id, a.status), Spot(place_id, a.carton_id, status),
                 "came back" if again else "refused", "delivery_return", r.id, a.lot_id, a.serial, a.owner_id, evidence=evidence)
        )  # fmt: skip
        road.take_from_aboard(conn, ctx, a.id, a.quantity)
    ledger.post(conn, ctx, moves)
    for carton_id in sorted({a.carton_id for a in rows}):
        mine = [a for a in rows if a.carton_id == carton_id]
        ledger.stand_plate(conn, ctx.site_id, carton_id, place_id)
        conn.execute(
            "update shipment_carton set unloaded_at = %s where site_id = %s and carton_id = %s and unloaded_at is null",
            [ctx.now, ctx.site_id, carton_id],
        )
        if again:
            _promise_again(conn, ctx, carton_id, mine)


def _promise_again(conn: Conn, ctx: Context, carton_id: UUID, rows: Sequence[AboardRow]) -> None:
    for a in rows:
        if a.order_line_id is None:
            continue
        orders.record_came_back(conn, ctx, a.order_line_id, a.quantity)
        here = next(
            b
            for b in ledger.on_plate(conn, ctx.site_id, carton_id)
            if (b.item_id, b.lot_id, b.serial, b.owner_id, b.status)
            == (a.item_id, a.lot_id, a.serial, a.owner_id, a.status)
        )
        ledger.reserve(conn, ctx, "order_line", a.order_line_id, here, a.quantity)
    packing.set_unloaded(conn, ctx, carton_id)
    c = packing.carton(conn, ctx.site_id, carton_id)
    shipping.on_carton_closed(conn, ctx, c.order_id)
    orders.refresh_state(conn, ctx, c.order_id)


# --- a further attempt ------------------------------------------------------------------------------------


def _all_back(
    conn: Conn, ctx: Context, r: RoadRoute, job_id: UUID, outcome: str | None, cartons: Collection[UUID]
) -> UUID | None:
    """Once all of a delivery is back, what met nobody becomes a further delivery; what was not tried is ready again.

    Where only these cartons came back before the door was reached, they are a delivery of their own."""
    if road.aboard(conn, " and a.job_id = %s and a.quantity > 0", [ctx.site_id, job_id]):
        if outcome is None:
            words = f"{r.label} brought it back without having been there; the rest is brought without it."
            further_id = road.split_off(conn, ctx, job_id, cartons, "brought_back", words)
            note(conn, ctx, "brought_back", words, route_id=r.id, job_id=job_id,
                 evidence={"further_job_id": str(further_id)})  # fmt: skip
        return None
    if outcome == "nobody_there":
        return _further_attempt(conn, ctx, r, job_id)
    if outcome is None:
        _ready_again(conn, ctx, r, job_id)
    return None


def _further_attempt(conn: Conn, ctx: Context, r: RoadRoute, job_id: UUID) -> UUID:
    row = conn.execute(
        "select attempt, window_from, window_until, number, customer_name from delivery_job where site_id = %s and id = %s",
        [ctx.site_id, job_id],
    ).fetchone()
    assert row is not None
    attempt, window_from, window_until, number, customer = row
    window = next_window(window_from, window_until, ctx.now, zone_of(conn, ctx.site_id))
    next_id = road.another_job(conn, ctx, job_id, attempt=attempt + 1, window=window)
    conn.execute(
        """insert into delivery_job_carton (site_id, job_id, carton_id)
           select x.site_id, %s, x.carton_id from delivery_job_carton x join carton c on c.site_id = x.site_id and c.id = x.carton_id
           where x.site_id = %s and x.job_id = %s and c.state = 'closed'""",
        [next_id, ctx.site_id, job_id],
    )
    road.weigh(conn, ctx, next_id)
    note(conn, ctx, "further_attempt", f"attempt {attempt + 1} for {customer} after {number}, {window[0]:%d.%m. %H:%M} UTC",
         job_id=next_id, evidence={"previous_id": str(job_id), "route_id": str(r.id)})  # fmt: skip
    return next_id


def next_window(
    window_from: datetime, window_until: datetime, now: datetime, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """The same hours of the clock where the site is, on the next day on which they have not begun; in UTC."""
    local_from, local_until = window_from.astimezone(zone), window_until.astimezone(zone)
    if local_until - local_from >= timedelta(days=1):  # days wide: a day's hours before its end
        local_from = local_until - timedelta(hours=12)
    days = max(1, (now.astimezone(zone).date() - local_from.date()).days)
    if local_from + timedelta(days=days) <= now:
        days += 1
    later = timedelta(days=days)  # of the wall clock, before it is turned into UTC
    return (local_from + later).astimezone(UTC), (local_until + later).astimezone(UTC)


def _ready_again(conn: Conn, ctx: Context, r: RoadRoute, job_id: UUID) -> None:
    elsewhere = next(
        iter(road.aboard(conn, " and a.job_id = %s and a.quantity > 0 and a.route_id <> %s", [ctx.site_id, job_id, r.id])),
        None,
    )  # fmt: skip
    why, words = (
        ("brought_back", f"{r.label} brought it back without having been there.")
        if elsewhere is None
        else ("vehicle_broke_down", f"{r.label} did not fetch it from the vehicle that broke down.")
    )
    conn.execute(
        """update delivery_job set state = 'ready', unplanned = %s, unplanned_detail = %s, goods_on_route_id = %s,
                  version = version + 1 where site_id = %s and id = %s and state in ('aboard', 'released', 'planned', 'ready')""",
        [why, words, elsewhere.route_id if elsewhere else None, ctx.site_id, job_id],
    )
    road.pass_over(conn, ctx, job_id, r.id)
    etas.late_is_over(conn, ctx, job_id)


# --- the end of a route -----------------------------------------------------------------------------------


def finish(
    conn: Conn,
    ctx: Context,
    route_id: UUID,
    *,
    anyway: bool = False,
    reason: str = "",
    may_anyway: bool = False,
) -> RoadRoute:
    """Nothing aboard, no stop open. `anyway`: what should be aboard and is not there is missing, and is looked for.

    Raises Conflict, Forbidden, Invalid, NotFound."""
    held = conn.execute(
        """select distinct j.order_id from aboard a join delivery_job j on j.site_id = a.site_id and j.id = a.job_id
           where a.site_id = %s and a.route_id = %s and a.quantity > 0 order by j.order_id""",
        [ctx.site_id, route_id],
    ).fetchall()
    for (order_id,) in held:
        road.lock_order_of(conn, ctx.site_id, order_id)
    r = road.lock_with_others(conn, ctx.site_id, route_id, [order_id for (order_id,) in held])
    if r.state == "finished":
        return r
    if r.state not in road.ON_THE_ROAD:
        raise Conflict(
            f"{r.label} is {r.state.replace('_', ' ')}; only a route that left can be finished.",
            state=r.state,
        )
    rows = road.aboard(conn, " and a.route_id = %s and a.quantity > 0", [ctx.site_id, r.id], lock=True)
    open_stops = [
        s
        for s in road.stops(conn, ctx.site_id, r.id)
        if s.kind in ("delivery", "take_over") and s.state in ("planned", "arrived")
    ]
    if (rows or open_stops) and not anyway:
        words = [f"{s.customer_name} ({s.job_number}) was not visited" for s in open_stops]
        words += [f"{code} is aboard" for code in sorted({a.sscc for a in rows})]
        raise Conflict(
            f"{r.label} is not done: {'; '.join(words[:5])}. Deliver or unload first.",
            aboard=sorted({a.sscc for a in rows}),
            open_stops=[str(s.id) for s in open_stops],
        )
    if anyway and (rows or open_stops):
        if not may_anyway:
            raise Forbidden("Only a lead or dispatcher ends a route that is not done.", field="anyway")
        if not reason.strip():
            raise Invalid("Say what became of it.", field="reason")
        _missing(conn, ctx, r, rows, reason.strip())
        for s in open_stops:
            if s.job_id is not None and s.kind == "delivery":
                _ready_again(conn, ctx, r, s.job_id)
    conn.execute(
        """update delivery_route set state = 'finished', back_at = coalesce(back_at, %s), finished_at = %s, version = version + 1
           where site_id = %s and id = %s""",
        [ctx.now, ctx.now, ctx.site_id, r.id],
    )
    conn.execute(
        """update delivery_stop set state = 'done', done_at = coalesce(done_at, %s) where site_id = %s and route_id = %s
           and kind in ('break', 'reload') and state in ('planned', 'arrived')""",
        [ctx.now, ctx.site_id, r.id],
    )
    note(
        conn,
        ctx,
        "finished",
        f"{r.label} is finished" + (f": {reason.strip()}" if reason.strip() else ""),
        route_id=r.id,
    )
    return road.route(conn, ctx.site_id, r.id)


def _missing(conn: Conn, ctx: Context, r: RoadRoute, rows: Sequence[AboardRow], reason: str) -> None:
    """The vehicle should have it, and has not. Orders that still wait for it get other stock."""
    if not rows:
        return
    in_transit = ledger.virtual_place(conn, ctx.site_id, "in_transit")
    nowhere = ledger.virtual_place(conn, ctx.site_id, "discrepancy")
    moves = []
    for a in rows:
        moves.append(
            Move(a.item_id, a.quantity, Spot(in_transit, a.carton_id, a.status), Spot(nowhere, None, a.status), "missing",
                 "delivery_return", r.id, a.lot_id, a.serial, a.owner_id, evidence={"sscc": a.sscc, "route": r.number})
        )  # fmt: skip
        road.take_from_aboard(conn, ctx, a.id, a.quantity)
    ledger.post(conn, ctx, moves)
    concerned = set()
    for a in rows:
        counting.raise_discrepancy(
            conn, ctx, "missing_from_vehicle", item_id=a.item_id, place_id=r.vehicle_id, expected=a.quantity, observed=Decimal(0),
            lot_id=a.lot_id, evidence={"route": r.number, "sscc": a.sscc, "reason": reason, "delivery_id": str(a.job_id)},
            recount=False,
        )  # fmt: skip
        if a.order_line_id is not None and _outcome(conn, ctx.site_id, a.job_id) in (None, "nobody_there"):
            orders.record_came_back(conn, ctx, a.order_line_id, a.quantity)
            concerned.add(a.job_id)
    for job_id in sorted(concerned):
        row = conn.execute(
            "select order_id, state from delivery_job where site_id = %s and id = %s", [ctx.site_id, job_id]
        ).fetchone()
        assert row is not None
        _without_the_missing(conn, ctx, r, job_id, row[1])
        orders.refresh_state(conn, ctx, row[0])  # it is not over any more
        orders.allocate(conn, ctx, row[0])


def _without_the_missing(conn: Conn, ctx: Context, r: RoadRoute, job_id: UUID, state: str) -> None:
    """What becomes of a delivery whose goods, or some of them, are gone."""
    rest = road.aboard(conn, " and a.job_id = %s and a.quantity > 0", [ctx.site_id, job_id])
    if state == "nobody_there":
        if not rest and _some_in_the_house(conn, ctx.site_id, job_id):
            _further_attempt(conn, ctx, r, job_id)
    elif rest:  # another vehicle has taken a part over, and that is all there is now
        if len({a.route_id for a in rest}) == 1:
            _all_taken_over(conn, ctx, road.route(conn, ctx.site_id, rest[0].route_id), job_id)
    else:
        conn.execute(
            """update delivery_job set state = 'cancelled', finished_at = %s, goods_on_route_id = null, unplanned = null,
                      unplanned_detail = '', version = version + 1
               where site_id = %s and id = %s and state in ('ready', 'planned', 'released', 'aboard')""",
            [ctx.now, ctx.site_id, job_id],
        )
        road.pass_over(conn, ctx, job_id, r.id)
        tracking.end(conn, ctx, job_id)


def _some_in_the_house(conn: Conn, site_id: UUID, job_id: UUID) -> bool:
    row = conn.execute(
        """select 1 from delivery_job_carton x join carton c on c.site_id = x.site_id and c.id = x.carton_id
           where x.site_id = %s and x.job_id = %s and c.state = 'closed' limit 1""",
        [site_id, job_id],
    ).fetchone()
    return row is not None


# --- taken over by another vehicle ------------------------------------------------------------------------


def take_over(conn: Conn, ctx: Context, stop_id: UUID, code: str) -> RoadRoute:
    """A carton from the vehicle that broke down, scanned onto this one. Nothing moves in the ledger: it was and is in transit."""
    s = road.stop(conn, ctx.site_id, stop_id)
    if s.kind != "take_over" or s.job_id is None or s.order_id is None:
        raise Conflict("Nothing is taken over at this stop.", kind=s.kind)
    found = _resolve(conn, ctx, code)
    road.lock_order_of(conn, ctx.site_id, s.order_id)
    r = road.lock_route(conn, ctx.site_id, s.route_id)
    if r.state != "under_way":
        raise Conflict(
            f"{r.label} is {r.state.replace('_', ' ')}; it takes over once it is under way.", state=r.state
        )
    conn.execute(
        "select 1 from delivery_job where site_id = %s and id = %s for update", [ctx.site_id, s.job_id]
    )
    waiting = conn.execute(
        """select x.job_id from delivery_stop x where x.site_id = %s and x.route_id = %s and x.kind = 'take_over'
           and x.state in ('planned', 'arrived')""",
        [ctx.site_id, r.id],
    ).fetchall()
    jobs = [w[0] for w in waiting]
    rows = [
        a
        for a in road.aboard(
            conn, " and a.job_id = any(%s) and a.quantity > 0", [ctx.site_id, jobs], lock=True
        )
        if found.license_plate_id == a.carton_id
    ]
    if not rows:
        expected = sorted(
            {
                a.sscc
                for a in road.aboard(conn, " and a.job_id = any(%s) and a.quantity > 0", [ctx.site_id, jobs])
            }
        )
        detail = f"{found.label[:1].upper()}{found.label[1:]} is not to be taken over by {r.label}."
        note(conn, ctx, "wrong_parcel", detail, route_id=r.id, job_id=s.job_id,
             evidence={"seen": code[:500], "expected": expected})  # fmt: skip
        raise WrongParcel(detail, field="code", expected=expected, seen=code)
    if all(a.route_id == r.id for a in rows):
        raise Conflict(f"Carton {rows[0].sscc} is on {r.vehicle_code} already.", field="code")
    conn.execute(
        "update aboard set route_id = %s where site_id = %s and id = any(%s)",
        [r.id, ctx.site_id, [a.id for a in rows]],
    )
    ledger.stand_plate(conn, ctx.site_id, rows[0].carton_id, r.vehicle_id)
    note(conn, ctx, "taken_over", f"{rows[0].sscc} onto {r.vehicle_code}", route_id=r.id, job_id=rows[0].job_id,
         evidence={"from_route_id": str(rows[0].route_id)})  # fmt: skip
    _all_taken_over(conn, ctx, r, rows[0].job_id)
    announce(conn, ctx.site_id, "deliveries", rows[0].route_id)
    announce(conn, ctx.site_id, "deliveries", r.id)
    return road.route(conn, ctx.site_id, r.id)


def _all_taken_over(conn: Conn, ctx: Context, r: RoadRoute, job_id: UUID) -> None:
    rest = road.aboard(
        conn, " and a.job_id = %s and a.route_id <> %s and a.quantity > 0", [ctx.site_id, job_id, r.id]
    )
    if rest:
        return
    conn.execute(
        """update delivery_stop set state = 'done', arrived_at = coalesce(arrived_at, %s), left_at = coalesce(left_at, %s), done_at = %s,
                  arrived_by = coalesce(arrived_by, 'driver')
           where site_id = %s and route_id = %s and job_id = %s and kind = 'take_over'""",
        [ctx.now, ctx.now, ctx.now, ctx.site_id, r.id, job_id],
    )
    conn.execute(
        """update delivery_job set state = 'aboard', goods_on_route_id = null, unplanned = null, unplanned_detail = '',
                  version = version + 1 where site_id = %s and id = %s""",
        [ctx.site_id, job_id],
    )
    for s in road.stops(conn, ctx.site_id, r.id):
        if s.job_id == job_id and s.kind == "delivery" and s.state == "planned":
            road.tell_out_for_delivery(conn, ctx, s)
    etas.refresh(conn, ctx, r.id)
