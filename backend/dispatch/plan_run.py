"""One run of the planner, in the worker: the scope as a problem, the road server's ways, the solver, the cross-check, the
proposal and its difference. Nothing on the board changes; whatever goes wrong is a sentence on the plan, and it can be tried
again. A plan is never made of estimates for want of a road server.

Stability: where there is a board already, one plan keeps every delivery on its van and one is free. The free one wins only
where what it saves pays for each delivery that changes vans, and for each promise it breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

import routing
from backend.context import Context
from backend.db import Conn
from backend.dispatch import goods, planning, timetable
from backend.dispatch.jobs import Job
from backend.dispatch.planning import Plan, Scope
from backend.dispatch.situation import CENT, Situation, bound_to, situation, with_bonds
from backend.dispatch.timetable import NewStop
from backend.live.announce import announce
from routing import problem as words
from routing.geo import Point
from routing.problem import Problem, Unserved
from routing.roads import RoadsDown, RoadsRefused

MOVE_CENTS = 200
"""A delivery that changes vans has to save so much: drivers, pickers and loaders have seen the board."""
PROMISE_CENTS = 2000
UNSERVED_CENTS = 1_000_000
VEHICLE_FREE_S = 60


class CannotPlan(Exception):
    """There is no plan, for the reason in the text."""


def compute(
    conn: Conn, ctx: Context, plan_id: UUID, on_progress: Callable[[str], None] = lambda text: None
) -> None:
    """`conn` in autocommit. Leaves the plan proposed or failed. `on_progress` hears what the screens are shown."""

    def progress(text: str) -> None:
        _progress(conn, ctx, plan_id, text)
        on_progress(text)

    p = planning.plan(conn, ctx.site_id, plan_id)
    if p.state != "computing":
        return  # discarded meanwhile, or done by a worker that died just after
    try:
        base, proposal, difference = propose(conn, ctx, p, progress)
    except CannotPlan as e:
        _fail(conn, ctx, plan_id, str(e))
        return
    except (RoadsDown, RoadsRefused) as e:
        _fail(conn, ctx, plan_id, f"{e} Nothing was changed; plan again when it answers.")
        return
    except Exception:
        _fail(
            conn,
            ctx,
            plan_id,
            "The planner stopped with a fault of ours, which has been logged; nothing was changed.",
        )
        raise
    with conn.transaction():
        conn.execute(
            """update delivery_plan set state = 'proposed', base = %s, proposal = %s, difference = %s, progress = %s,
                      version = version + 1 where site_id = %s and id = %s and state = 'computing'""",
            [Jsonb(base), Jsonb(proposal), Jsonb(difference), "done", ctx.site_id, plan_id],
        )
        announce(conn, ctx.site_id, "deliveries", plan_id)


def _progress(conn: Conn, ctx: Context, plan_id: UUID, text: str) -> None:
    with conn.transaction():
        conn.execute(
            "update delivery_plan set progress = %s where site_id = %s and id = %s and state = 'computing'",
            [text, ctx.site_id, plan_id],
        )
        announce(conn, ctx.site_id, "deliveries", plan_id)


def _fail(conn: Conn, ctx: Context, plan_id: UUID, text: str) -> None:
    with conn.transaction():
        conn.execute(
            """update delivery_plan set state = 'failed', problem = %s, progress = 'failed', settled_at = %s, version = version + 1
               where site_id = %s and id = %s and state = 'computing'""",
            [text, ctx.now, ctx.site_id, plan_id],
        )
        announce(conn, ctx.site_id, "deliveries", plan_id)


def propose(
    conn: Conn, ctx: Context, p: Plan, progress: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(base, proposal, difference). Raises CannotPlan, RoadsDown, RoadsRefused."""
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        scope = planning.scope_of(conn, ctx, p)
    while True:
        _check(scope)
        try:
            return _propose(conn, ctx, p, scope, progress)
        except _Stuck as e:
            progress(
                f"leaving {', '.join(sorted(e.labels))} as on the board: what is bound there cannot be planned anew"
            )
            scope = replace(scope, vans=[van for van in scope.vans if van.label not in e.labels])


class _Stuck(Exception):
    """These vans have something aboard or locked that no plan can bring, or stand far from any road."""

    def __init__(self, labels: set[str]) -> None:
        super().__init__(labels)
        self.labels = labels


def _propose(
    conn: Conn, ctx: Context, p: Plan, scope: Scope, progress: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    base = planning.base_of(scope)
    progress(f"asking for the ways between {_places(scope)} places")
    s = situation(conn, ctx, p.day, scope.vans, scope.waiting, strict=True)
    bonds = bound_to(s)
    stuck = {bonds[n] for n in s.unroutable if n in bonds}
    for van in s.vans.values():
        if (s.vehicle(van.label).end or 0) in s.roads.unroutable:
            raise CannotPlan(f"{van.label} cannot start: {s.roads.unroutable[s.vehicle(van.label).end or 0]}")
        if s.vehicle(van.label).start in s.roads.unroutable:
            stuck.add(van.label)
    if stuck:
        raise _Stuck(stuck)
    asked = _plannable(s, with_bonds(s, bonds), bonds)
    count = len(asked.jobs) + len(asked.shipments)
    progress(f"planning {count} deliveries on {len(asked.vehicles)} vehicles")
    limit_s = float(p.asked["limit_s"])
    found = _solve(s, asked, bonds, limit_s, progress)
    for everybody in (False, True):
        left = _bound_and_left(found, bonds)
        if not left:
            break
        progress("what is aboard cannot all be in time: looking for the least lateness")
        asked = _plannable(s, with_bonds(s, bonds, set(bonds) if everybody else left), bonds)
        found = _solve(s, asked, bonds, limit_s / 2, progress)
    if left := _bound_and_left(found, bonds):
        raise _Stuck({bonds[n] for n in left})
    driven = tuple(s.as_driven(r) for r in found.routes)
    found = replace(found, routes=driven, cost=s.cost(driven))
    progress("driving the plan again, to check it")
    broken = routing.check(asked, found)
    if broken:
        said = "; ".join(f"{v.vehicle or 'the plan'}: {v.detail}" for v in broken[:5])
        raise CannotPlan(f"The plan breaks rules and was thrown away: {said}. Nothing was changed.")
    progress("fetching the lines along the roads")
    routes = [_route(s, r) for r in found.routes if r.visits]
    unserved = [_unserved(s, n, "too_far_from_road", text) for n, text in s.unroutable.items()]
    unserved += [_unserved(s, u.id, u.reason, _plainly(s, u)) for u in found.unserved]
    proposal = {"routes": routes, "unserved": unserved, "cost": round(found.cost / CENT)}
    return base, proposal, _difference(s, found, routes, unserved)


def _bound_and_left(found: words.Plan, bonds: dict[str, str]) -> set[str]:
    return {u.id for u in found.unserved if u.id in bonds}


def _check(scope: Scope) -> None:
    if not scope.vans:
        raise CannotPlan(
            "No vehicle is free to be planned on that day: make a shift, unlock a route, or withdraw a release."
        )
    if not scope.waiting and not any(van.ahead for van in scope.vans):
        raise CannotPlan("Nothing waits to be delivered on that day.")


def _places(scope: Scope) -> int:
    jobs = [*scope.waiting, *(x.job for van in scope.vans for x in van.ahead if x.job is not None)]
    return len({(j.lat, j.lon) for j in jobs}) + len({van.depot.id for van in scope.vans})


def _plannable(s: Situation, bound: Problem, bonds: dict[str, str]) -> Problem:
    """Without what no road leads to, and without vans whose shift is over before they could leave."""
    vehicles = tuple(
        v
        for v in bound.vehicles
        if v.shift.opens_s + VEHICLE_FREE_S <= v.shift.closes_s or v.id in bonds.values()
    )
    return Problem(
        vehicles,
        bound.matrices,
        tuple(j for j in bound.jobs if j.id not in s.unroutable),
        tuple(x for x in bound.shipments if x.id not in s.unroutable),
    )


# --- the solver, and stability ----------------------------------------------------------------------------


def _solve(
    s: Situation, asked: Problem, bonds: dict[str, str], limit_s: float, progress: Callable[[str], None]
) -> words.Plan:
    now_on = {x.id: label for label in s.vans for x in s.sequence(label)}
    possible = {j.id for j in asked.jobs} | {x.id for x in asked.shipments}
    movable = {n: label for n, label in now_on.items() if n in possible and n not in bonds}
    if not movable:
        found = routing.solve(asked, limit_s=limit_s, start=s.present() if now_on else None)
        return _urgent_first(s, asked, found, limit_s / 2, progress)
    stays = replace(
        asked,
        jobs=tuple(_only(j, movable) for j in asked.jobs),
        shipments=tuple(
            replace(x, pickup=_only(x.pickup, movable), delivery=_only(x.delivery, movable)) for x in asked.shipments
        ),
    )  # fmt: skip
    kept = routing.solve(stays, limit_s=limit_s / 2, start=s.present())
    progress("looking whether deliveries that change vans would pay")
    free = routing.solve(asked, limit_s=limit_s / 2, start=kept)
    why = {u.id: u for u in free.unserved}
    kept = replace(kept, unserved=tuple(why.get(u.id, u) for u in kept.unserved))
    return min(
        (kept, _urgent_first(s, asked, free, limit_s / 4, progress)), key=lambda plan: _worth(s, plan, now_on)
    )


def _urgent_first(
    s: Situation, asked: Problem, found: words.Plan, limit_s: float, progress: Callable[[str], None]
) -> words.Plan:
    """Where not all can be served: what is urgent rather than what is on the way."""
    left = {s.jobs[u.id].priority for u in found.unserved if u.reason in ("no_capacity_left", "no_time_left")}
    if not left or min(left) >= max(j.priority for n, j in s.jobs.items() if n not in s.unroutable):
        return found
    progress("not all can be served: seeing to it that the urgent ones are")

    def prized(job: words.Job) -> words.Job:
        return replace(job, prize=_weight(s.jobs[job.id]) * CENT)

    wanted = replace(
        asked,
        jobs=tuple(prized(j) for j in asked.jobs),
        shipments=tuple(replace(x, pickup=prized(x.pickup)) for x in asked.shipments),
    )
    other = routing.solve(wanted, limit_s=limit_s, start=found)
    other = replace(other, cost=s.cost(other.routes))
    return min((found, other), key=lambda plan: _worth(s, plan, {}))


def _weight(job: Job) -> int:
    """What leaving it out costs, in cents: more than any way, and the more the more urgent."""
    return UNSERVED_CENTS * (10 - job.priority)


def _only(job: words.Job, movable: dict[str, str]) -> words.Job:
    return replace(job, vehicles=frozenset({movable[job.id]})) if job.id in movable else job


def _worth(s: Situation, plan: words.Plan, now_on: dict[str, str]) -> int:
    """In cents; the smaller the better."""
    moved = promises = 0
    for r in plan.routes:
        for v in r.visits:
            if v.kind not in ("job", "delivery"):
                continue
            moved += now_on.get(v.id, r.vehicle) != r.vehicle
            promises += _breaks_promise(s, s.jobs[v.id], v.start_s)
    cost = s.cost(r for r in plan.routes if r.visits) // CENT
    return (
        cost
        + MOVE_CENTS * moved
        + PROMISE_CENTS * promises
        + sum(_weight(s.jobs[u.id]) for u in plan.unserved)
    )


def _breaks_promise(s: Situation, job: Job, start_s: int) -> bool:
    return (
        job.promised_from is not None
        and job.promised_until is not None
        and not (job.promised_from <= s.at(start_s) <= job.promised_until)
    )


# --- the proposal -----------------------------------------------------------------------------------------


def _route(s: Situation, r: words.Route) -> dict[str, Any]:
    from backend import maps

    van, times = s.vans[r.vehicle], timetable.times_of(s, r)
    depot = (van.depot.lat, van.depot.lon)
    way = timetable.way_of(depot, van.done)[:-1] if van.on_the_road else []
    way.append(s.points[s.vehicle(r.vehicle).start])
    way += [s.points[s.places[(v.kind, v.id)]] for v in r.visits if v.kind != "break"]
    line = maps.roads().route([*way, Point(*depot)])
    return {
        "route_id": str(van.route.id) if van.route else None, "route_number": van.route.number if van.route else None,
        "vehicle_id": str(van.vehicle.id), "code": van.label, "shift_id": str(van.shift.id),
        "starts_at": times.starts_at.isoformat(), "ends_at": times.ends_at.isoformat(), "distance_m": times.distance_m,
        "drive_s": times.drive_s, "overtime_s": times.late_s, "estimated": times.estimated or bool(line.estimated),
        "geometry": line.geometry, "stops": [_stop(s, x) for x in times.stops],
    }  # fmt: skip


def _stop(s: Situation, x: NewStop) -> dict[str, Any]:
    job = next((j for j in s.jobs.values() if j.id == x.job_id), None)
    own = x.lat is not None
    return {
        "kind": x.kind, "job_id": str(x.job_id) if x.job_id else None, "job_number": job.number if job else None,
        "customer_name": job.customer_name if job else None, "address": job.address if job else None,
        "lat": x.lat if own else job.lat if job else None, "lon": x.lon if own else job.lon if job else None,
        "at_lat": x.lat, "at_lon": x.lon, "arrival_at": x.arrival_at.isoformat(), "start_at": x.start_at.isoformat(),
        "leave_at": x.leave_at.isoformat(), "leg_m": x.leg_m, "leg_s": x.leg_s, "late_s": x.late_s,
    }  # fmt: skip


def _unserved(s: Situation, number: str, reason: str, detail: str) -> dict[str, Any]:
    job = s.jobs[number]
    return {
        "job_id": str(job.id), "job_number": number, "customer_name": job.customer_name, "reason": reason, "detail": detail,
    }  # fmt: skip


UNITS = (("kg", 1000), ("l", 1000), ("cartons", 1))
_LESS = re.compile(r"(\d+) less \(load (\d) of \d\), or once \d+ are")


def _plainly(s: Situation, u: Unserved) -> str:
    """Why it is not served, in kilograms and by the clock."""
    job = s.jobs[u.id]
    if u.reason == "too_heavy":
        return _too_heavy(s, job)
    if u.reason == "no_vehicle_allowed" and (said := _nobody_able(s, job)):
        return said
    if u.reason == "window_too_short" and job.window_until < s.now:
        until = job.window_until.astimezone(s.zero.tzinfo)
        return f"Its window ended on {until:%d %B at %H:%M}; agree on another with the customer."

    def amount(found: re.Match[str]) -> str:
        unit, per = UNITS[int(found[2]) - 1]
        said = f"{int(found[1]) / per:.1f} {unit}" if per > 1 else f"{found[1]} {unit}"
        return f"{said} less, or once {said} are"

    text = _LESS.sub(amount, u.detail)
    for number, other in s.jobs.items():
        if number != u.id and number in text:
            text = text.replace(number, f"{other.customer_name} ({number})")
    return text[:1].upper() + text[1:]


def _nobody_able(s: Situation, job: Job) -> str | None:
    """None where it is not the goods that leave no vehicle."""
    free = [van for van in s.vans.values() if not van.on_the_road or job.goods_on_route_id is not None]
    if not job.skills or any(set(job.skills) <= set(van.vehicle.skills) for van in free):
        return None
    return (
        f"It needs {goods.needs(job.skills)}; none that is free on this day has that. "
        "Make a shift for one that has, or say in the settings which vehicle can."
    )


def _too_heavy(s: Situation, job: Job) -> str:
    able = [v for v in s.problem.vehicles if frozenset(job.skills) <= v.skills] or list(s.problem.vehicles)
    needs = (job.weight_g, job.volume_ml, job.cartons)
    words_ = []
    for need, (unit, per), most in zip(
        needs, UNITS, zip(*(v.capacity for v in able), strict=True), strict=True
    ):
        if need > max(most):
            largest = able[most.index(max(most))].id
            words_.append(
                f"{need / per:.1f} {unit}, and {largest}, the largest free vehicle for it, carries {max(most) / per:.1f} {unit}"
            )
    said = "; ".join(words_) or "more than any one vehicle carries in weight, volume and cartons together"
    return f"It has {said}. Send it in parts, or with a larger vehicle."


# --- the difference ---------------------------------------------------------------------------------------


def _difference(
    s: Situation, found: words.Plan, routes: Sequence[dict[str, Any]], unserved: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The proposal against the board it was made from, as timed now."""
    before = {x.id: label for label in s.vans for x in s.sequence(label) if x.kind != "pickup"}
    after = {
        v.id: (r.vehicle, v.start_s) for r in found.routes for v in r.visits if v.kind in ("job", "delivery")
    }
    present = s.present()
    both = set(before) & set(after)
    order_before = {label: [x.id for x in s.sequence(label) if x.id in both] for label in s.vans}
    order_after = {
        r.vehicle: [v.id for v in r.visits if v.kind != "break" and v.id in both] for r in found.routes
    }
    late = [
        (n, round((s.at(start) - s.jobs[n].window_until).total_seconds())) for n, (_, start) in after.items()
    ]
    return {
        "moved": [_changed(s, n, before[n], after[n][0]) for n in sorted(both) if before[n] != after[n][0]],
        "resequenced": [
            label for label, now in order_after.items()
            if set(now) == set(order_before.get(label, [])) and now != order_before.get(label, [])
        ],
        "added": [_changed(s, n, None, after[n][0]) for n in sorted(set(after) - set(before))],
        "removed": [_changed(s, n, before[n], None) for n in sorted(set(before) - set(after))],
        "km": round((sum(r.distance_m for r in found.routes) - sum(r.distance_m for r in present.routes)) / 1000, 1),
        "minutes": round((_seconds(found) - _seconds(present)) / 60, 1),
        "late_jobs": [_named(s, n) | {"late_s": sec} for n, sec in late if sec > 0],
        "kept_promises_broken": [
            _changed(s, n, before.get(n), label) for n, (label, start) in after.items() if _breaks_promise(s, s.jobs[n], start)
        ],
    }  # fmt: skip


def _seconds(plan: words.Plan) -> int:
    return sum(r.end_s - r.start_s for r in plan.routes)


def _named(s: Situation, number: str) -> dict[str, Any]:
    job = s.jobs[number]
    return {"job_id": str(job.id), "job_number": number, "customer_name": job.customer_name}


def _changed(s: Situation, number: str, was: str | None, now: str | None) -> dict[str, Any]:
    return _named(s, number) | {"from_route": was, "to_route": now}
