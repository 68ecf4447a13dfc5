"""Planning a day: asked for by a person, computed by the worker, proposed with its difference, accepted or discarded.

`start` writes the run and its job; `compute` (in `plan_run`) makes the proposal and changes nothing on the board; `accept`
puts it there, only if the board still is what it was made from. What is done, aboard, released or locked is never in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend import jobs as durable
from backend.context import Context
from backend.db import Conn
from backend.dispatch import board as boards
from backend.dispatch import depots, jobs, timetable
from backend.dispatch.board import Route
from backend.dispatch.events import note
from backend.dispatch.jobs import Job
from backend.dispatch.shifts import Shift, shifts_of_day
from backend.dispatch.situation import Van, pairs_of_day, situation, vans_of
from backend.dispatch.timetable import NewStop, NewTimes
from backend.errors import ChangedMeanwhile, Conflict, NotFound, Unknown
from backend.ids import new_id
from backend.live.announce import announce
from routing.schedule import Stop

TOO_LATE = timedelta(minutes=5)
"""A proposal whose vans should have left so long ago is not put on the board any more."""


@dataclass(frozen=True)
class Plan:
    id: UUID
    state: str
    day: date
    depot_id: UUID | None
    asked: dict[str, Any]
    base: dict[str, Any]
    progress: str
    problem: str | None
    proposal: dict[str, Any] | None
    difference: dict[str, Any] | None
    created_at: datetime
    created_by: str
    settled_at: datetime | None
    version: int


_PLAN = """
    select id, state, day, depot_id, asked, base, progress, problem, {proposal} as proposal, difference, created_at, created_by,
           settled_at, version
    from delivery_plan where site_id = %s"""


def start(
    conn: Conn,
    ctx: Context,
    day: date,
    *,
    depot_id: UUID | None = None,
    limit_s: float = 10,
    route_ids: Sequence[UUID] | None = None,
) -> Plan:
    """Raises Conflict (a route that cannot be made anew), NotFound, Unknown."""
    if depot_id is not None and not depots.depot(conn, ctx.site_id, depot_id).active:
        raise Unknown("This depot is not used any more.", field="depot_id")
    if route_ids is not None:
        _check_routes(boards.routes(conn, ctx.site_id, route_ids=route_ids), route_ids, day)
    plan_id = new_id()
    asked = {"limit_s": limit_s, "route_ids": None if route_ids is None else [str(i) for i in route_ids]}
    conn.execute(
        """insert into delivery_plan (site_id, id, state, day, depot_id, asked, progress, created_at, created_by)
           values (%s, %s, 'computing', %s, %s, %s, 'waiting for the planner', %s, %s)""",
        [ctx.site_id, plan_id, day, depot_id, Jsonb(asked), ctx.now, ctx.actor],
    )
    durable.defer(
        conn,
        "delivery_plan",
        {"site_id": str(ctx.site_id), "plan_id": str(plan_id), "correlation_id": ctx.correlation_id},
        lock=f"delivery_plan:{ctx.site_id}:{day}",
    )
    announce(conn, ctx.site_id, "deliveries", plan_id)
    return plan(conn, ctx.site_id, plan_id)


def _check_routes(found: Sequence[Route], asked: Sequence[UUID], day: date) -> None:
    if len(found) < len(set(asked)):
        raise NotFound("One of these routes is not at this site.", field="route_ids")
    for r in found:
        if r.day != day:
            raise Conflict(f"{r.number} belongs to {r.day}, not to {day}.", field="route_ids")
        if not may_change(r):
            why = "locked" if r.locked else r.state.replace("_", " ")
            raise Conflict(f"{r.number} is {why}; it cannot be planned anew.", field="route_ids")


def may_change(route: Route) -> bool:
    """By a plan: a draft, or what a van under way still has ahead."""
    return not route.locked and route.state in ("draft", "under_way")


def plans(
    conn: Conn, site_id: UUID, *, day: date | None = None, before: UUID | None = None, limit: int = 20
) -> list[Plan]:
    """The newest first, without their routes."""
    with conn.cursor(row_factory=class_row(Plan)) as cur:
        return cur.execute(
            (
                _PLAN.format(proposal="null::jsonb")
                + " and (%s::date is null or day = %s) and (%s::uuid is null or id < %s) order by id desc limit %s"
            ).encode(),
            [site_id, day, day, before, before, limit],
        ).fetchall()


def plan(conn: Conn, site_id: UUID, plan_id: UUID) -> Plan:
    """Raises NotFound."""
    with conn.cursor(row_factory=class_row(Plan)) as cur:
        found = cur.execute(
            (_PLAN.format(proposal="proposal") + " and id = %s").encode(), [site_id, plan_id]
        ).fetchone()
    if found is None:
        raise NotFound("There is no such plan at this site.", field="plan_id")
    return found


def lock_plan(conn: Conn, ctx: Context, plan_id: UUID, version: int) -> Plan:
    conn.execute(
        "select 1 from delivery_plan where site_id = %s and id = %s for update", [ctx.site_id, plan_id]
    )
    found = plan(conn, ctx.site_id, plan_id)
    if found.version != version:
        raise ChangedMeanwhile(
            "Somebody else settled this plan, or it was computed on, meanwhile; look at it again.",
            field="version",
            present={"version": found.version, "state": found.state},
        )
    return found


def settle(conn: Conn, ctx: Context, plan_id: UUID, state: str) -> Plan:
    conn.execute(
        """update delivery_plan set state = %s, settled_at = %s, version = version + 1 where site_id = %s and id = %s""",
        [state, ctx.now, ctx.site_id, plan_id],
    )
    announce(conn, ctx.site_id, "deliveries", plan_id)
    return plan(conn, ctx.site_id, plan_id)


def discard(conn: Conn, ctx: Context, plan_id: UUID, version: int) -> Plan:
    """Raises ChangedMeanwhile, Conflict (accepted already), NotFound."""
    found = lock_plan(conn, ctx, plan_id, version)
    if found.state not in ("computing", "proposed", "failed"):
        raise Conflict(f"This plan is {found.state} already.", state=found.state)
    return settle(conn, ctx, plan_id, "discarded")


# --- what a plan is made from -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Scope:
    """What may change: these vans, and what waits. The rest of the board stays as it is."""

    vans: list[Van]
    waiting: list[Job]
    of_day: list[Shift]


def scope_of(conn: Conn, ctx: Context, p: Plan) -> Scope:
    of_day = shifts_of_day(conn, ctx.site_id, p.day)
    only = p.asked.get("route_ids")
    pairs = []
    for shift, route in pairs_of_day(conn, ctx.site_id, p.day, of_day):
        if only is not None and (route is None or str(route.id) not in only):
            continue
        if (route is None and shift.ends_at > ctx.now) or (route is not None and may_change(route)):
            pairs.append((shift, route))
    vans = [
        v for v in vans_of(conn, ctx.site_id, pairs)
        if v.vehicle.active and (p.depot_id is None or v.depot.id == p.depot_id)
    ]  # fmt: skip
    waiting = boards.waiting_jobs(conn, ctx.site_id, boards.horizon(conn, ctx.site_id, p.day, of_day))
    return Scope(vans, [j for j in waiting if j.state == "ready"], of_day)


def base_of(scope: Scope) -> dict[str, Any]:
    """What the plan was made from, to be compared when it is accepted: each shift's route and what is ahead on it, each
    job's version. Times that only ran on are no change."""
    ahead = [s.job for van in scope.vans for s in van.ahead if s.job is not None]
    return {
        "shifts": {str(van.shift.id): _shift_base(van) for van in scope.vans},
        "jobs": {str(j.id): _job_base(j) for j in [*scope.waiting, *ahead]},
    }


def _shift_base(van: Van) -> dict[str, Any]:
    r = van.route
    return {
        "code": van.label,
        "shift_version": van.shift.version,
        "carries": sorted(van.vehicle.skills),
        "route": str(r.id) if r else None,
        "number": r.number if r else None,
        "state": r.state if r else None,
        "locked": r.locked if r else False,
        "stops": [[s.kind, str(s.job_id), s.locked] for s in van.ahead if s.job_id is not None],
        "done": [str(s.id) for s in van.done if s.job_id is not None],
    }


def _job_base(j: Job) -> dict[str, Any]:
    return {
        "number": j.number, "customer": j.customer_name, "lat": j.lat, "lon": j.lon, "from": j.window_from.isoformat(),
        "until": j.window_until.isoformat(), "service_s": j.service_s, "load": [j.weight_g, j.volume_ml, j.cartons], "needs": sorted(j.skills),
        "goods_on": str(j.goods_on_route_id),
    }  # fmt: skip


def changes_since(base: dict[str, Any], now: dict[str, Any], used: set[str], placed: set[str]) -> list[str]:
    """In sentences. `used`: shifts, `placed`: jobs that the proposal speaks of; what it does not touch may change."""
    said = []
    for shift_id, was in base["shifts"].items():
        if shift_id not in used:
            continue
        present = now["shifts"].get(shift_id)
        name = was["number"] or was["code"]
        if present is None:
            said.append(
                f"{name} cannot be changed any more: it was released, locked, cancelled, or its shift taken off."
            )
        elif present != was:
            what = "has other stops" if present["stops"] != was["stops"] else "is not what it was"
            what = "has gone on" if present["done"] != was["done"] else what
            said.append(f"{present['number'] or name} {what}.")
    for job_id, was in base["jobs"].items():
        if job_id not in placed:
            continue
        present = now["jobs"].get(job_id)
        if present is None:
            said.append(f"{was['number']} ({was['customer']}) is not waiting any more.")
        elif present != was:
            said.append(f"{was['number']} ({was['customer']}) has another place, window or load.")
    return said


# --- accepting --------------------------------------------------------------------------------------------


def accept(conn: Conn, ctx: Context, plan_id: UUID, version: int) -> Plan:
    """The proposal becomes the board. Raises ChangedMeanwhile (with `changed`), Conflict (not proposed), NotFound."""
    p = lock_plan(conn, ctx, plan_id, version)
    if p.state != "proposed" or p.proposal is None:
        raise Conflict(f"This plan is {p.state}; only a proposed one can be accepted.", state=p.state)
    held = sorted(UUID(x["route"]) for x in p.base["shifts"].values() if x["route"])
    conn.execute(
        "select 1 from delivery_route where site_id = %s and id = any(%s) order by id for update",
        [ctx.site_id, held],
    )
    _lock_jobs(conn, ctx, p)
    scope = scope_of(conn, ctx, p)
    ahead = _refuse_if_changed(p, scope)
    _refuse_if_too_late(p, scope, ctx.now)
    vans = {str(v.shift.id): v for v in scope.vans}
    touched = _clear(conn, ctx, p, scope, ahead)
    for r in p.proposal["routes"]:
        if ahead.get(r["shift_id"]) == []:
            continue  # as on the board, and further on
        van = vans[r["shift_id"]]
        times = times_from(r)
        if r["shift_id"] in ahead and ahead[r["shift_id"]] != _wanted(r):
            times = _timed_from_now(conn, ctx, p, scope, van, ahead[r["shift_id"]])
            r = {**r, "geometry": None}
        route_id = van.route.id if van.route else timetable.new_route(conn, ctx, van, p.day, times, p.id)
        timetable.write(conn, ctx, route_id, times, geometry=r["geometry"], plan_id=p.id)
        touched.append(route_id)
        note(conn, ctx, "planned", f"{len(times.stops)} stops on {van.label}", route_id=route_id)
    timetable.settle_jobs(conn, ctx, touched)
    some_only = p.asked.get("route_ids") is not None or p.depot_id is not None
    for u in p.proposal["unserved"]:
        _left_out(conn, ctx, UUID(u["job_id"]), u["reason"], u["detail"], some_only=some_only)
    return settle(conn, ctx, plan_id, "accepted")


def _lock_jobs(conn: Conn, ctx: Context, p: Plan) -> None:
    conn.execute(
        "select 1 from delivery_job where site_id = %s and id = any(%s) order by id for update",
        [ctx.site_id, sorted(UUID(i) for i in p.base["jobs"])],
    )


Ahead = list[tuple[str, str]]
"""(kind of stop, job's id), in the order of driving; breaks left out."""


def _refuse_if_changed(p: Plan, scope: Scope) -> dict[str, Ahead]:
    """By shift, what vans on the road still have ahead by this plan. Raises ChangedMeanwhile.

    A van drives on while somebody looks at the plan: that is no change, as long as it went where the plan sends it too."""
    assert p.proposal is not None
    now = base_of(scope)
    wanted = {r["shift_id"]: _wanted(r) for r in p.proposal["routes"]}
    said: list[str] = []
    ahead: dict[str, Ahead] = {}
    gone: set[str] = set()
    for shift_id, was in p.base["shifts"].items():
        if was["state"] != "under_way":
            continue
        rest = _further_on(was, now["shifts"].get(shift_id), wanted.get(shift_id, []))
        if rest is None:
            said.append(f"{was['number']} has gone on otherwise than this plan says.")
            continue
        ahead[shift_id] = rest
        gone |= {job_id for _, job_id in wanted.get(shift_id, [])} - {job_id for _, job_id in rest}
    used = set(wanted) | {shift_id for shift_id, was in p.base["shifts"].items() if was["route"]}
    placed = {job_id for stops in wanted.values() for _, job_id in stops} - gone
    said += changes_since(p.base, now, used - set(ahead), placed)
    if said:
        raise ChangedMeanwhile(
            f"The board is not what this plan was made from: {' '.join(said[:5])} Plan again.",
            changed=said,
            present={"version": p.version, "state": p.state},
        )
    return ahead


def _wanted(r: dict[str, Any]) -> Ahead:
    return [(s["kind"], s["job_id"]) for s in r["stops"] if s["job_id"]]


def _further_on(was: dict[str, Any], present: dict[str, Any] | None, wanted: Ahead) -> Ahead | None:
    """What is left of `wanted`; nothing where the plan leaves the van alone; None where they contradict each other."""
    had = [(kind, job_id) for kind, job_id, _ in was["stops"]]
    if present == was:
        return wanted
    if wanted == had:
        return []
    if present is None or present["locked"] != was["locked"] or present["route"] != was["route"]:
        return None
    now = [(kind, job_id) for kind, job_id, _ in present["stops"]]
    if now != [x for x in had if x in now] or {x[1] for x in present["stops"] if x[2]} != {
        x[1] for x in was["stops"] if x[2] and (x[0], x[1]) in now
    }:
        return None
    gone = [x for x in had if x not in now]
    return wanted[len(gone) :] if set(wanted[: len(gone)]) == set(gone) else None


def _timed_from_now(conn: Conn, ctx: Context, p: Plan, scope: Scope, van: Van, ahead: Ahead) -> NewTimes:
    s = situation(conn, ctx, p.day, [van], scope.waiting, strict=False)
    number = {str(j.id): n for n, j in s.jobs.items()}
    stops = []
    for kind, job_id in ahead:
        n = number[job_id]
        shipped = ("pickup", n) in s.places
        stops.append(Stop("pickup" if kind == "take_over" else "delivery" if shipped else "job", n))
    return timetable.times_of(s, s.timed(van.label, stops).route)


def _refuse_if_too_late(p: Plan, scope: Scope, now: datetime) -> None:
    assert p.proposal is not None
    on_the_road = {str(v.shift.id) for v in scope.vans if v.on_the_road}
    for r in p.proposal["routes"]:
        starts = datetime.fromisoformat(r["starts_at"])
        if r["shift_id"] not in on_the_road and starts < now - TOO_LATE:
            raise ChangedMeanwhile(
                f"{r['code']} should have left {round((now - starts).total_seconds() / 60)} minutes ago by this plan. Plan again.",
                changed=[f"It is later than {r['code']} should have left."],
                present={"version": p.version, "state": p.state},
            )


def _clear(conn: Conn, ctx: Context, p: Plan, scope: Scope, ahead: dict[str, Ahead]) -> list[UUID]:
    """Every stop that does not stay on its route leaves it first; a draft that nothing is left of is cancelled."""
    assert p.proposal is not None
    stays = {r["shift_id"]: [s["job_id"] for s in r["stops"] if s["job_id"]] for r in p.proposal["routes"]}
    touched = []
    for van in scope.vans:
        shift_id = str(van.shift.id)
        if van.route is None or shift_id not in p.base["shifts"] or ahead.get(shift_id) == []:
            continue
        kept = [UUID(i) for i in stays.get(shift_id, [])]
        conn.execute(
            """delete from delivery_stop where site_id = %s and route_id = %s and state = 'planned' and job_id is not null
                 and job_id <> all(%s)""",
            [ctx.site_id, van.route.id, kept],
        )
        if not kept and van.route.state == "draft":
            conn.execute(
                "delete from delivery_stop where site_id = %s and route_id = %s", [ctx.site_id, van.route.id]
            )
            conn.execute(
                """update delivery_route set state = 'cancelled', finished_at = %s, version = version + 1
                   where site_id = %s and id = %s""",
                [ctx.now, ctx.site_id, van.route.id],
            )
            note(conn, ctx, "cancelled", "the plan needs no such route", route_id=van.route.id)
        touched.append(van.route.id)
    return touched


def _left_out(conn: Conn, ctx: Context, job_id: UUID, reason: str, detail: str, *, some_only: bool) -> None:
    """`some_only`: not all vans were asked; of what was waiting before, only the map has said something for good."""
    before = jobs.job(conn, ctx.site_id, job_id)
    if some_only and before.state == "ready" and reason not in boards.NO_WAY:
        return
    conn.execute(
        """update delivery_job set state = 'ready', unplanned = %s, unplanned_detail = %s, version = version + 1
           where site_id = %s and id = %s and state in ('ready', 'planned')
             and (state, unplanned, unplanned_detail) is distinct from ('ready', %s, %s)""",
        [reason, detail, ctx.site_id, job_id, reason, detail],
    )
    if before.reason != reason:
        note(conn, ctx, "not_planned", f"{reason.replace('_', ' ')}: {detail}", job_id=job_id)


def times_from(r: dict[str, Any]) -> NewTimes:
    """A route of a kept proposal."""

    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text)

    return NewTimes(
        moment(r["starts_at"]), moment(r["ends_at"]), r["distance_m"], r["drive_s"], r["overtime_s"], r["estimated"],
        tuple(
            NewStop(
                s["kind"], UUID(s["job_id"]) if s["job_id"] else None, moment(s["arrival_at"]), moment(s["start_at"]),
                moment(s["leave_at"]), s["leg_m"], s["leg_s"], s["late_s"], s["at_lat"], s["at_lon"],
            )
            for s in r["stops"]
        ),
    )  # fmt: skip
