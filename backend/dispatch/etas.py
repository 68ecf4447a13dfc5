"""When a vehicle under way will be where: the delay so far carried on, windows waited for, breaks held.

With a fresh position the way to the next stop is what is left of it; without one it is what the plan says since the last
thing that is known, and the route says so (`eta_by` is `plan`). What will be late is told once, and taken back when it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from backend import telemetry
from backend.context import Context
from backend.db import Conn
from backend.dispatch.events import note
from backend.live.announce import announce
from routing.geo import Point, straight_m

if TYPE_CHECKING:
    from backend.dispatch.on_the_road import RoadRoute, RoadStop

LATE_S = 300
"""So late is said; below `LATE_OVER_S` it is taken back."""
LATE_OVER_S = 120
WORTH_WRITING_S = 15
DETOUR, BETWEEN_MPS = 1.35, 7.0
"""For a leg that the plan does not have, because stops are driven in another order: a straight line in town."""


@dataclass(frozen=True)
class Seen:
    """The newest position of the vehicle."""

    lat: float
    lon: float
    at: datetime


@dataclass(frozen=True)
class Eta:
    stop_id: UUID
    at: datetime
    late_s: int


@dataclass(frozen=True)
class Foreseen:
    etas: list[Eta]
    back_at: datetime


def foresee(r: RoadRoute, all_stops: Sequence[RoadStop], now: datetime, seen: Seen | None) -> Foreseen:
    """For the stops that are still ahead, in order, and the way home. `seen`: only where it is fresh."""
    there = next((s for s in all_stops if s.arrived_at and s.left_at is None and s.state in ("arrived", "done", "failed")
                  and not any(x.arrived_at and x.arrived_at > s.arrived_at for x in all_stops)), None)  # fmt: skip
    ahead = [s for s in all_stops if s.state == "planned"]
    free_at, at_point = _free(r, all_stops, there, now)
    before = there or _last_left(all_stops)
    found: list[Eta] = []
    for n, s in enumerate(ahead):
        leg_s = _leg_s(r, before, s, at_point, all_stops)
        arrival = free_at + timedelta(seconds=leg_s)
        if n == 0 and there is None:
            if seen is not None and s.lat is not None and s.lon is not None and at_point is not None:
                arrival = seen.at + timedelta(
                    seconds=leg_s * _left_of_leg(at_point, Point(s.lat, s.lon), seen)
                )
            arrival = max(arrival, now)
        if s.kind != "break":  # a break is held wherever it falls due
            due = s.window_until if s.kind == "delivery" else None
            late_s = max(0, int((arrival - due).total_seconds())) if due else 0
            found.append(Eta(s.id, arrival, late_s))
        free_at = _leave(r, s, arrival)
        before = s
        if s.lat is not None and s.lon is not None:
            at_point = Point(s.lat, s.lon)
    home_s = max(0.0, (r.ends_at - all_stops[-1].planned_leave_at).total_seconds()) if all_stops else 0.0
    if not ahead and there is None and seen is not None and at_point is not None:
        home_s *= _left_of_leg(at_point, Point(r.depot_lat, r.depot_lon), seen)
        free_at = seen.at
    return Foreseen(found, max(free_at + timedelta(seconds=home_s), now))


def _free(
    r: RoadRoute, all_stops: Sequence[RoadStop], there: RoadStop | None, now: datetime
) -> tuple[datetime, Point | None]:
    """From when on, and from where, the vehicle drives on."""
    if there is not None:
        point = Point(there.lat, there.lon) if there.lat is not None and there.lon is not None else None
        if there.done_at is not None:
            return max(there.done_at, now), point
        assert there.arrived_at is not None
        return max(_leave(r, there, there.arrived_at), now), point
    last = _last_left(all_stops)
    if last is None:
        return r.departed_at or r.starts_at, Point(r.depot_lat, r.depot_lon)
    left = max(t for t in (last.left_at, last.done_at, last.arrived_at) if t is not None)
    # A break has no place of its own: it was held at, or after, the door before it.
    where = last if last.lat is not None else _last_left([s for s in all_stops if s.lat is not None])
    if where is None:
        return left, Point(r.depot_lat, r.depot_lon)
    return left, Point(where.lat, where.lon) if where.lat is not None and where.lon is not None else None


def _last_left(all_stops: Sequence[RoadStop]) -> RoadStop | None:
    over = [s for s in all_stops if s.state in ("arrived", "done", "failed") and (s.left_at or s.done_at)]
    return max(over, key=lambda s: max(t for t in (s.left_at, s.done_at) if t is not None), default=None)


def _leave(r: RoadRoute, s: RoadStop, arrival: datetime) -> datetime:
    """When it drives on from a stop at which it is there at `arrival`."""
    if s.kind == "break":
        start = max(arrival, r.break_from) if r.break_from else arrival
        return start + (s.planned_leave_at - s.planned_start_at)
    if s.service_s is None or s.kind != "delivery":
        return arrival + (s.planned_leave_at - s.planned_start_at)
    start = max(arrival, s.window_from) if s.window_from else arrival
    return start + timedelta(seconds=s.service_s)


def _leg_s(
    r: RoadRoute, before: RoadStop | None, s: RoadStop, at: Point | None, all_stops: Sequence[RoadStop]
) -> float:
    """As planned where it comes from the stop the plan has before it, else a straight line with a detour."""
    planned = [x for x in all_stops if x.position < s.position and x.state != "skipped"]
    expected = planned[-1] if planned else None
    if (
        (expected.id if expected else None) == (before.id if before else None)
        or s.lat is None
        or s.lon is None
        or at is None
    ):
        return s.leg_s
    skipped = [
        x
        for x in all_stops
        if x.state == "skipped"
        and (before is None or x.position > before.position)
        and x.position < s.position
    ]
    straight = straight_m(at, Point(s.lat, s.lon)) * DETOUR / BETWEEN_MPS
    return straight if not skipped else min(straight, s.leg_s + sum(x.leg_s for x in skipped))


def _left_of_leg(from_: Point, to: Point, seen: Seen) -> float:
    """How much of the way is left, 0 to 1.5: by straight lines, which is near enough for a leg in town."""
    whole = straight_m(from_, to)
    if whole < 50:
        return 0.0
    return min(1.5, straight_m(Point(seen.lat, seen.lon), to) / whole)


# --- writing it down --------------------------------------------------------------------------------------


def refresh(conn: Conn, ctx: Context, route_id: UUID, seen: Seen | None = None) -> None:
    """Writes what changed, tells who waits, and what will be late. The caller holds the route."""
    from backend.dispatch import on_the_road as road

    r = road.route(conn, ctx.site_id, route_id)
    if r.state != "under_way":
        return
    all_stops = road.stops(conn, ctx.site_id, route_id)
    told = foresee(r, all_stops, ctx.now, seen)
    by_id = {s.id: s for s in all_stops}
    changed = False
    for e in told.etas:
        s = by_id[e.stop_id]
        if (
            s.eta_at is None
            or abs((s.eta_at - e.at).total_seconds()) >= WORTH_WRITING_S
            or (e.late_s > 0) != (s.late_s > 0)
        ):
            conn.execute(
                "update delivery_stop set eta_at = %s, late_s = %s where site_id = %s and id = %s",
                [e.at, e.late_s, ctx.site_id, s.id],
            )
            _say_late(conn, ctx, r, s, e)
            changed = True
    eta_by = "position" if seen is not None else "plan"
    late_s = max(0, int((told.back_at - r.shift_ends_at).total_seconds()))
    changed |= (
        conn.execute(
            """update delivery_route set eta_back_at = %(back)s, eta_by = %(by)s, late_s = %(late)s
               where site_id = %(site)s and id = %(id)s and (eta_by <> %(by)s or eta_back_at is null
                     or abs(extract(epoch from eta_back_at - %(back)s)) >= %(worth)s)""",
            {"back": told.back_at, "by": eta_by, "late": late_s, "site": ctx.site_id, "id": route_id, "worth": WORTH_WRITING_S},
        ).rowcount
        > 0
    )  # fmt: skip
    _say_arriving(conn, ctx, r, all_stops, told)
    if changed:
        announce(conn, ctx.site_id, "deliveries", route_id)


def _say_late(conn: Conn, ctx: Context, r: RoadRoute, s: RoadStop, e: Eta) -> None:
    from backend.dispatch import on_the_road as road

    if s.job_id is None:
        return
    subject = str(s.job_id)
    if e.late_s < LATE_OVER_S:
        if s.late_s >= LATE_OVER_S or s.late_told_at is not None:
            telemetry.close_alert(conn, ctx, "delivery_late", subject)
        return
    if e.late_s < LATE_S:
        return
    minutes = round(e.late_s / 60)
    telemetry.open_alert(
        conn, ctx, "delivery_late", subject,
        f"{s.job_number} for {s.customer_name} will be about {minutes} minutes late with {r.label}.",
        data={"job_id": subject, "route_id": str(r.id), "eta_at": e.at.isoformat(), "late_s": e.late_s},
    )  # fmt: skip
    told = conn.execute(
        "update delivery_stop set late_told_at = %s where site_id = %s and id = %s and late_told_at is null",
        [ctx.now, ctx.site_id, s.id],
    ).rowcount
    if told:
        note(
            conn,
            ctx,
            "late",
            f"{s.job_number} will be about {minutes} minutes late",
            route_id=r.id,
            job_id=s.job_id,
        )
        road.tell(conn, ctx, "delivery.late", s.job_id, eta_at=e.at.isoformat(), late_s=e.late_s)


def late_is_over(conn: Conn, ctx: Context, job_id: UUID) -> None:
    telemetry.close_alert(conn, ctx, "delivery_late", str(job_id))


def _say_arriving(
    conn: Conn, ctx: Context, r: RoadRoute, all_stops: Sequence[RoadStop], told: Foreseen
) -> None:
    """To the customer whose stop is next, once the vehicle has left the one before."""
    from backend.dispatch import on_the_road as road
    from backend.dispatch import tracking

    s = on_its_way_to(r, all_stops)
    if s is None or s.job_id is None or s.arriving_told_at is not None:
        return
    told_now = conn.execute(
        "update delivery_stop set arriving_told_at = %s where site_id = %s and id = %s and arriving_told_at is null",
        [ctx.now, ctx.site_id, s.id],
    ).rowcount
    eta = next((e.at for e in told.etas if e.stop_id == s.id), s.eta_at or s.planned_arrival_at)
    if told_now:
        link = tracking.make_link(conn, ctx, s.job_id)
        road.tell(conn, ctx, "delivery.arriving", s.job_id, eta_at=eta.isoformat(), tracking_url=link.url)


def on_its_way_to(r: RoadRoute, all_stops: Sequence[RoadStop]) -> RoadStop | None:
    """The customer the vehicle is driving to now: none while it stands at another one's door, or has not left the depot."""
    if r.state != "under_way":
        return None
    if any(
        s.arrived_at is not None and s.left_at is None and s.kind in ("delivery", "take_over")
        for s in all_stops
    ):
        return None
    if any(s.kind == "break" and s.state == "arrived" for s in all_stops):
        return None
    following = next((s for s in all_stops if s.state == "planned" and s.kind != "break"), None)
    return following if following is not None and following.kind == "delivery" else None
