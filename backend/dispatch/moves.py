"""By hand on the board: a stop to another place or van, to the tray, a lock. Each change is timed exactly, driven again by
`routing.check`, and its consequences are said. Whoever saw an older board is told the present one; nothing is overwritten.

What only makes somebody late may be done `anyway`; what no vehicle can carry, or no road leads to, may not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import routing
from backend.context import Context
from backend.db import Conn
from backend.dispatch import board as boards
from backend.dispatch import goods, jobs, shifts, timetable
from backend.dispatch.board import Route
from backend.dispatch.board import Stop as BoardStop
from backend.dispatch.days import day_of
from backend.dispatch.events import note
from backend.dispatch.jobs import Job
from backend.dispatch.situation import Situation, situation, vans_of
from backend.errors import ChangedMeanwhile, Conflict, Invalid, NotFound, Refused
from routing.problem import Plan
from routing.schedule import Stop, Timed

ANYWAY = ("outside_window", "promise_broken", "outside_shift", "missing_break", "too_long", "too_far")
"""What a dispatcher may decide; everything else is against the laws of nature or of the road."""


class BreaksARule(Refused):
    """The stop cannot stand there, or should not: `violations` says which rules; `anyway` overrules some."""

    kind, title, status = "breaks-a-rule", "That breaks a rule of the route", 422


@dataclass(frozen=True)
class Changed:
    route_ids: list[UUID]
    job_id: UUID | None
    consequences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Broken:
    kind: str
    detail: str

    @property
    def allowed_anyway(self) -> bool:
        return self.kind in ANYWAY

    def shown(self) -> dict[str, Any]:
        return {"kind": self.kind, "detail": self.detail, "allowed_anyway": self.allowed_anyway}


# --- a stop moves -----------------------------------------------------------------------------------------


def move(
    conn: Conn,
    ctx: Context,
    route_id: UUID,
    job_id: UUID,
    position: int,
    *,
    version: int,
    from_version: int | None,
    anyway: bool,
) -> Changed:
    """Raises ChangedMeanwhile with the present, BreaksARule, Conflict (too late for that), NotFound."""
    to, source, job = _locked(conn, ctx, route_id, job_id)
    check_version(to, version)
    _check_source(job, source, to, from_version)
    _check_may_move(job, to, source)
    involved = [to] if source is None or source.id == to.id else [to, source]
    s = _situation(conn, ctx, to.day, involved, [job])
    label = label_of(s, to)
    after = {label: _with_job(s, label, job, position)}
    if source is not None and source.id != to.id:
        other = label_of(s, source)
        after[other] = [x for x in s.sequence(other) if x.id != job.number]
    before = {x: s.timed(x, s.sequence(x)) for x in after}
    timed = {x: s.timed(x, stops) for x, stops in after.items()}
    broken = worse(s, before, timed)
    if broken and not (anyway and all(b.allowed_anyway for b in broken)):
        raise BreaksARule(
            " ".join(b.detail for b in broken[:4]), field="position", violations=[b.shown() for b in broken]
        )
    _write(conn, ctx, s, {x: timed[x] for x in sorted(timed, key=lambda x: x == label)})
    came = "the tray" if source is None else source.number
    words = f"to stop {position} of {to.number}" + ("" if source is to else f", from {came}")
    note(
        conn, ctx, "moved_by_hand", words + (", against a rule" if broken else ""), route_id=to.id, job_id=job.id,
        evidence={"from": came, "violations": [b.shown() for b in broken]},
    )  # fmt: skip
    return Changed([r.id for r in involved], job.id, _consequences(s, before, timed, broken))


def assign(
    conn: Conn,
    ctx: Context,
    route_id: UUID,
    wanted: Mapping[UUID, int | None],
    *,
    version: int,
    anyway: bool,
) -> Changed:
    """Several deliveries onto one draft, each where it costs least; all of them or none. `wanted`: the version of the route
    each comes from, None from the tray. Raises ChangedMeanwhile, BreaksARule (`refused` says for each why), Conflict, NotFound."""
    to, sources, found = _several_locked(conn, ctx, route_id, list(wanted))
    check_version(to, version)
    if to.state != "draft":
        raise Conflict(
            f"{to.number} is {to.state.replace('_', ' ')}; its stops cannot be changed.", state=to.state
        )
    for job in found:
        _check_source(job, sources.get(job.id), to, wanted[job.id])
    coming = [j for j in found if j.route_id != to.id]
    involved = list({r.id: r for r in (to, *sources.values())}.values())
    s = _situation(conn, ctx, to.day, involved, coming)
    label = label_of(s, to)
    stops = {x: s.sequence(x) for x in (label_of(s, r) for r in involved)}
    before = {x: s.timed(x, on) for x, on in stops.items()}
    timed = dict(before)
    refused: list[tuple[Job, list[Broken]]] = []
    overruled: dict[UUID, list[Broken]] = {}
    for job in sorted(coming, key=lambda j: (j.window_until, j.number)):
        source = sources.get(job.id)
        try:
            _check_may_move(job, to, source)
        except Conflict as e:
            refused.append((job, [Broken("cannot_leave", e.detail)]))
            continue
        tried = _cheapest(s, label, stops[label], job.number)
        after = {label: s.timed(label, tried)}
        left: list[Stop] = []
        if source is not None:
            other = label_of(s, source)
            left = [x for x in stops[other] if x.id != job.number]
            after[other] = s.timed(other, left)
        broken = worse(s, {x: timed[x] for x in after}, after)
        if broken and not (anyway and all(b.allowed_anyway for b in broken)):
            refused.append((job, broken))
            continue
        overruled[job.id] = broken
        timed |= after
        stops[label] = tried
        if source is not None:
            stops[label_of(s, source)] = left
    if refused:
        raise BreaksARule(
            " ".join(dict.fromkeys(b.detail for _, broken in refused[:4] for b in broken)),
            field="jobs",
            refused=[
                {"job_id": str(j.id), "job_number": j.number, "customer_name": j.customer_name,
                 "violations": [b.shown() for b in broken]}
                for j, broken in refused
            ],
        )  # fmt: skip
    _write(conn, ctx, s, {x: timed[x] for x in sorted(timed, key=lambda x: x == label)})
    for job in coming:
        source, broken = sources.get(job.id), overruled[job.id]
        came = "the tray" if source is None else source.number
        note(
            conn, ctx, "moved_by_hand", f"to {to.number}, from {came}" + (", against a rule" if broken else ""), route_id=to.id,
            job_id=job.id, evidence={"from": came, "together": len(coming), "violations": [b.shown() for b in broken]},
        )  # fmt: skip
    return Changed(
        [r.id for r in involved], None, _consequences(s, before, timed, [b for x in overruled.values() for b in x])
    )  # fmt: skip


def _cheapest(s: Situation, label: str, stops: list[Stop], number: str) -> list[Stop]:
    """With the job where it makes fewest late and the way shortest."""
    return min(
        (_inserted(s, label, stops, number, at) for at in range(len(stops) + 1)),
        key=lambda x: _badness(s.timed(label, x)),
    )


def _several_locked(
    conn: Conn, ctx: Context, route_id: UUID, job_ids: Sequence[UUID]
) -> tuple[Route, dict[UUID, Route], list[Job]]:
    """The route, where each job comes from, and the jobs; routes before jobs, each by id."""
    on_road = ("planned", "released", "aboard")
    seen = {j: jobs.job(conn, ctx.site_id, j) for j in sorted(job_ids)}
    on = {i: j.route_id if j.state in on_road else None for i, j in seen.items()}
    held = boards.lock_routes(
        conn, ctx.site_id, list(dict.fromkeys([route_id, *(r for r in on.values() if r)]))
    )
    by_id = {r.id: r for r in held}
    found = [jobs.lock_job(conn, ctx.site_id, i) for i in seen]
    for job in found:
        if (job.route_id if job.state in on_road else None) != on[job.id]:
            raise _job_changed(job)
    return held[0], {i: by_id[r] for i, r in on.items() if r}, found


def remove(conn: Conn, ctx: Context, route_id: UUID, stop_id: UUID, *, version: int | None) -> Changed:
    """To the tray. Raises ChangedMeanwhile, Conflict (aboard or loaded, a break), NotFound."""
    route = boards.lock_routes(conn, ctx.site_id, [route_id])[0]
    stop = next((x for x in route.stops if x.id == stop_id), None)
    if version is None:
        raise Invalid("Say which version of the route you saw.", field="version")
    check_version(route, version)
    if stop is None:
        raise NotFound("The route has no such stop.", field="stop_id")
    if stop.job is None:
        raise Conflict("A break belongs to the shift; change the shift to move it.")
    if not stop.is_open:
        raise Conflict(f"This stop is {stop.state} already.", state=stop.state)
    job = jobs.lock_job(conn, ctx.site_id, stop.job.id)
    _check_may_leave(job, route)
    before_s = _situation(conn, ctx, route.day, [route], [])
    label = label_of(before_s, route)
    before = {label: before_s.timed(label, before_s.sequence(label))}
    timed = {label: before_s.timed(label, [x for x in before_s.sequence(label) if x.id != job.number])}
    _write(conn, ctx, before_s, timed)
    timetable.to_tray(conn, ctx, [job.id], *why_in_tray(job))
    note(conn, ctx, "moved_by_hand", f"from {route.number} to the tray", route_id=route.id, job_id=job.id)
    return Changed([route.id], job.id, _consequences(before_s, before, timed, []))


def _locked(conn: Conn, ctx: Context, route_id: UUID, job_id: UUID) -> tuple[Route, Route | None, Job]:
    seen = jobs.job(conn, ctx.site_id, job_id)
    on = seen.route_id if seen.state in ("planned", "released", "aboard") else None
    held = boards.lock_routes(conn, ctx.site_id, list(dict.fromkeys([route_id, *([on] if on else [])])))
    job = jobs.lock_job(conn, ctx.site_id, job_id)
    now_on = job.route_id if job.state in ("planned", "released", "aboard") else None
    if now_on != on:
        raise _job_changed(job)
    source = next((r for r in held if r.id == on), None)
    return held[0], source, job


def check_version(route: Route, version: int) -> None:
    if route.version != version:
        raise ChangedMeanwhile(
            f"Somebody else changed {route.number} on {route.vehicle.code} meanwhile; look at it again.",
            field="version",
            present=present_of(route),
        )


def present_of(route: Route) -> dict[str, Any]:
    return {
        "id": str(route.id), "number": route.number, "vehicle": route.vehicle.code, "state": route.state,
        "locked": route.locked, "version": route.version,
        "stops": [
            {"id": str(x.id), "position": x.position, "kind": x.kind, "job_id": str(x.job_id) if x.job_id else None,
             "customer_name": x.job.customer_name if x.job else None}
            for x in route.stops
        ],
    }  # fmt: skip


def _check_source(job: Job, source: Route | None, to: Route, from_version: int | None) -> None:
    if source is None:
        if from_version is not None:
            raise _job_changed(job)
        return
    if from_version is None and source.id != to.id:
        raise _job_changed(job)
    if from_version is not None and source.version != from_version:
        raise _job_changed(job, source)


def _job_changed(job: Job, route: Route | None = None) -> ChangedMeanwhile:
    where = f"on {job.route_number}" if job.route_number else "in the tray"
    return ChangedMeanwhile(
        f"Somebody else moved {job.number} ({job.customer_name}) or its route meanwhile: it is {where} now.",
        field="from_version",
        present={
            "job_id": str(job.id), "state": job.state, "route_id": str(job.route_id) if job.route_id else None,
            "route_number": job.route_number, "route": present_of(route) if route else None,
        },
    )  # fmt: skip


def _check_may_move(job: Job, to: Route, source: Route | None) -> None:
    name = f"{job.number} ({job.customer_name})"
    if job.state == "to_review":
        raise Conflict(f"The map does not know where {name} is; put a pin first.", field="job_id")
    if job.state not in ("ready", "planned", "released", "aboard"):
        raise Conflict(f"{name} is {job.state.replace('_', ' ')}.", field="job_id", state=job.state)
    if to.state not in ("draft", "released", "under_way"):
        raise Conflict(
            f"{to.number} is {to.state.replace('_', ' ')}; its stops cannot be changed.", state=to.state
        )
    if source is not None and source.id == to.id:
        return
    if source is not None:
        _check_may_leave(job, source)
    takes_over = job.goods_on_route_id is not None and to.state == "under_way"
    if to.state != "draft" and not takes_over:
        how = "withdraw its release first" if to.state == "released" else "it has left without these goods"
        raise Conflict(f"{to.number} is {to.state.replace('_', ' ')}: {how}.", state=to.state)


def _check_may_leave(job: Job, route: Route) -> None:
    if job.state == "aboard":
        raise Conflict(
            f"{job.number} is aboard {route.vehicle.code}; it can only be brought by it.", state=job.state
        )
    takes_over = job.goods_on_route_id is not None and route.state == "under_way"
    if route.state != "draft" and not takes_over:
        how = "; withdraw its release first" if route.state == "released" else ""
        raise Conflict(f"{route.number} is {route.state.replace('_', ' ')}{how}.", state=route.state)


def _situation(
    conn: Conn, ctx: Context, day: date, routes: Sequence[Route], more: Sequence[Job]
) -> Situation:
    vans = vans_of(conn, ctx.site_id, [(r.shift, r) for r in routes])
    on = {x.job_id for van in vans for x in van.ahead}
    return situation(conn, ctx, day, vans, [j for j in more if j.id not in on], strict=False)


def label_of(s: Situation, route: Route) -> str:
    return next(label for label, van in s.vans.items() if van.route is not None and van.route.id == route.id)


def _with_job(s: Situation, label: str, job: Job, position: int) -> list[Stop]:
    """The sequence with the job at this position of the board, where breaks and what is done count too."""
    van = s.vans[label]
    rest = [x for x in van.ahead if x.job_id != job.id]
    if position <= len(van.done):
        raise Conflict(f"The first {len(van.done)} stops are done; it can come after them.", field="position")
    at = sum(1 for x in rest[: position - len(van.done) - 1] if x.job is not None)
    stops = [x for x in s.sequence(label) if x.id != job.number]
    return _inserted(s, label, stops, job.number, at)


def _inserted(s: Situation, label: str, stops: list[Stop], number: str, at: int) -> list[Stop]:
    """A job at this place; goods of a broken van are taken over where it costs least before, where it halts there for others
    with those."""
    if ("pickup", number) not in s.places:
        return [*stops[:at], Stop("job", number), *stops[at:]]
    there = s.places["pickup", number]
    halts = [
        n for n, x in enumerate(stops[:at], 1) if x.kind == "pickup" and s.places["pickup", x.id] == there
    ]
    tried = [
        [*stops[:first], Stop("pickup", number), *stops[first:at], Stop("delivery", number), *stops[at:]]
        for first in halts[-1:] or range(at + 1)
    ]
    return min(tried, key=lambda x: _badness(s.timed(label, x)))


def _badness(t: Timed) -> tuple[int, int, int]:
    return len(t.no_road), sum(t.late_s.values()) + t.overtime_s, t.route.distance_m


# --- what a change means ----------------------------------------------------------------------------------


def worse(s: Situation, before: dict[str, Timed], after: dict[str, Timed]) -> list[Broken]:
    """What the change breaks that was not broken as much before."""
    found: list[Broken] = []
    for label, t in after.items():
        van, old = s.vans[label], before.get(label)
        for number, late in t.late_s.items():
            was = max((b.late_s.get(number, 0) for b in before.values()), default=0)
            if late > was:
                found.append(Broken("outside_window", late_words(s, number, late)))
        found += [Broken("promise_broken", words) for words in _promises_broken(s, t, before)]
        if t.overtime_s > (old.overtime_s if old else 0):
            ends = van.shift.ends_at.astimezone(s.zero.tzinfo)
            found.append(
                Broken("outside_shift", f"{label} would be back {minutes(t.overtime_s)} after its shift ends ({ends:%H:%M}).")
            )  # fmt: skip
        if len(t.missed_breaks) > (len(old.missed_breaks) if old else 0):
            found.append(
                Broken("missing_break", f"There would be no time for the break of {label}'s driver.")
            )
        found += [
            Broken("no_road", f"No road leads {f'to {_name(s, to)}' if to else 'back to the depot'}.")
            for to in t.no_road
            if old is None or to not in old.no_road
        ]
    told = {b.kind for b in found} | set(ANYWAY) | {"no_road"}
    plan = Plan(tuple(t.route for t in after.values()), (), s.cost(t.route for t in after.values()))
    had = {(v.kind, v.vehicle, v.visit) for v in routing.check(s.problem, _plan_of(s, before))}
    for v in routing.check(s.problem, plan):
        if v.kind == "over_capacity":
            if not _lighter(s, before, after, v.vehicle):
                found.append(Broken(v.kind, _too_much_words(s, v.vehicle or "", after)))
        elif v.kind not in told and v.kind != "not_visited" and (v.kind, v.vehicle, v.visit) not in had:
            if v.kind == "missing_skill" and v.vehicle in s.vans and v.visit in s.jobs:
                found.append(unable(s, v.vehicle, s.jobs[v.visit]))
            else:
                found.append(Broken(v.kind, f"{v.vehicle or 'The plan'}: {v.detail}."))
    return list(dict.fromkeys(found))


def _promises_broken(s: Situation, after: Timed, before: dict[str, Timed]) -> list[str]:
    """Customers who were told another time, and would not have been wrongly told before."""
    said = []
    starts = {
        v.id: v.start_s for t in before.values() for v in t.route.visits if v.kind in ("job", "delivery")
    }
    for v in after.route.visits:
        job = s.jobs.get(v.id) if v.kind in ("job", "delivery") else None
        if job is None or job.promised_from is None or job.promised_until is None:
            continue
        kept = job.promised_from <= s.at(v.start_s) <= job.promised_until
        was_kept = v.id not in starts or job.promised_from <= s.at(starts[v.id]) <= job.promised_until
        if not kept and was_kept:
            opens, closes = (t.astimezone(s.zero.tzinfo) for t in (job.promised_from, job.promised_until))
            at = s.at(v.start_s).astimezone(s.zero.tzinfo)
            said.append(
                f"{_name(s, v.id)} was told {opens:%H:%M} to {closes:%H:%M}, and it would be {at:%H:%M}."
            )
    return said


def _plan_of(s: Situation, timed: dict[str, Timed]) -> Plan:
    return Plan(tuple(t.route for t in timed.values()), (), s.cost(t.route for t in timed.values()))


def _lighter(s: Situation, before: dict[str, Timed], after: dict[str, Timed], label: str | None) -> bool:
    """The van was overloaded before, and carries no more now."""
    if label is None or label not in before:
        return False
    return all(a <= b for a, b in zip(_carried(s, after[label]), _carried(s, before[label]), strict=True))


def _carried(s: Situation, t: Timed) -> tuple[int, int, int]:
    loads = [s.jobs[v.id] for v in t.route.visits if v.kind in ("job", "delivery")]
    return sum(j.weight_g for j in loads), sum(j.volume_ml for j in loads), sum(j.cartons for j in loads)


def _too_much_words(s: Situation, label: str, after: dict[str, Timed]) -> str:
    carried, most = _carried(s, after[label]), s.vehicle(label).capacity
    words = [
        f"{c / per:.{digits}f} {unit} of {m / per:.{digits}f} {unit}"
        for c, m, per, unit, digits in zip(carried, most, (1000, 1000, 1), ("kg", "l", "cartons"), (1, 0, 0), strict=True)
        if c > m
    ]  # fmt: skip
    return f"{label} would carry {' and '.join(words) or 'more than it can'}."


def unable(s: Situation, label: str, job: Job) -> Broken:
    """The van does not list what the delivery needs."""
    missing = set(job.skills) - set(s.vans[label].vehicle.skills)
    return Broken("missing_skill", f"{goods.cannot(label, missing)}, and {_name(s, job.number)} needs that.")


def late_words(s: Situation, number: str, late_s: int) -> str:
    until = s.jobs[number].window_until.astimezone(s.zero.tzinfo)
    return f"{_name(s, number)} would be reached {minutes(late_s)} after the window ends ({until:%H:%M})."


def _name(s: Situation, number: str) -> str:
    job = s.jobs.get(number)
    return f"{job.customer_name} ({number})" if job else number


def minutes(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _consequences(
    s: Situation, before: dict[str, Timed], after: dict[str, Timed], broken: Sequence[Broken]
) -> list[str]:
    said = [b.detail for b in broken]
    for label, t in after.items():
        old = before[label].route
        km = (t.route.distance_m - old.distance_m) / 1000
        more = round(((t.route.end_s - t.route.start_s) - (old.end_s - old.start_s)) / 60)
        said.append(f"{label}: {km:+.1f} km, {more:+d} min.")
    if s.straight:
        said.append("The road server does not answer; ways and times are estimated along straight lines.")
    return said


def _write(conn: Conn, ctx: Context, s: Situation, timed: dict[str, Timed]) -> None:
    """In this order: a job has to leave one route before it comes onto the other."""
    ids = []
    for label, t in timed.items():
        route = s.vans[label].route
        assert route is not None
        timetable.write(conn, ctx, route.id, timetable.times_of(s, t.route))
        ids.append(route.id)
    timetable.settle_jobs(conn, ctx, ids)


def why_in_tray(job: Job) -> tuple[str | None, str]:
    if job.goods_on_route_id is None:
        return None, ""
    return (
        "vehicle_broke_down",
        "Its goods are in a vehicle that broke down; another one has to take them over.",
    )


# --- what others cause ------------------------------------------------------------------------------------


def take_off(conn: Conn, ctx: Context, job: Job) -> None:
    """The job's open stops leave its route; the caller says what becomes of the job."""
    if job.route_id is None or job.state not in ("planned", "released", "aboard"):
        return
    route = boards.lock_routes(conn, ctx.site_id, [job.route_id])[0]
    s = _situation(conn, ctx, route.day, [route], [])
    label = label_of(s, route)
    _write(conn, ctx, s, {label: s.timed(label, [x for x in s.sequence(label) if x.id != job.number])})


def job_changed(conn: Conn, ctx: Context, job: Job) -> None:
    """A planned job is heavier, elsewhere, or wanted at another time: its route is timed anew, or it leaves the route."""
    if job.route_id is None:
        return
    route = boards.lock_routes(conn, ctx.site_id, [job.route_id])[0]
    if job.state == "to_review":  # nobody knows where it is any more
        _drop_stops(conn, ctx, job, route)
        return
    s = _situation(conn, ctx, route.day, [route], [])
    label = label_of(s, route)
    timed = s.timed(label, s.sequence(label))
    if missing := set(job.skills) - set(s.vans[label].vehicle.skills):
        _take_off_again(
            conn,
            ctx,
            job,
            "no_vehicle_allowed",
            f"This delivery needs {goods.needs(job.skills)}; {goods.cannot(label, missing)}.",
        )
        return
    if any(c > m for c, m in zip(_carried(s, timed), s.vehicle(label).capacity, strict=True)):
        reason = f"With what was packed since, {_too_much_words(s, label, {label: timed})}"
        _take_off_again(conn, ctx, job, "no_capacity_left", reason)
        return
    _write(conn, ctx, s, {label: timed})


def _take_off_again(conn: Conn, ctx: Context, job: Job, reason: str, detail: str) -> None:
    take_off(conn, ctx, job)
    timetable.to_tray(conn, ctx, [job.id], reason, detail)
    note(conn, ctx, "moved_by_itself", f"to the tray: {detail}", route_id=job.route_id, job_id=job.id)


def _drop_stops(conn: Conn, ctx: Context, job: Job, route: Route) -> None:
    conn.execute(
        "delete from delivery_stop where site_id = %s and route_id = %s and job_id = %s and state = 'planned'",
        [ctx.site_id, route.id, job.id],
    )
    retime(conn, ctx, boards.route(conn, ctx.site_id, route.id))
    note(
        conn,
        ctx,
        "moved_by_itself",
        "to review: its new address is not known",
        route_id=route.id,
        job_id=job.id,
    )


def retime(conn: Conn, ctx: Context, route: Route) -> None:
    """The same stops, timed from now on. The caller holds the route."""
    s = _situation(conn, ctx, route.day, [route], [])
    label = label_of(s, route)
    _write(conn, ctx, s, {label: s.timed(label, s.sequence(label))})


# --- routes and locks -------------------------------------------------------------------------------------


def new_route(
    conn: Conn, ctx: Context, *, shift_id: UUID | None, vehicle_id: UUID | None, day: date | None
) -> UUID:
    """Raises Conflict (no free shift), NotFound."""
    if shift_id is not None:
        shift = shifts.shift(conn, ctx.site_id, shift_id)
    else:
        assert day is not None
        taken = {r.shift.id for r in boards.routes(conn, ctx.site_id, day=day) if r.state not in boards.OVER}
        free = [
            s for s in shifts.shifts_of_day(conn, ctx.site_id, day)
            if s.vehicle_id == vehicle_id and s.id not in taken and s.ends_at > ctx.now
        ]  # fmt: skip
        if not free:
            raise Conflict("The vehicle has no free shift on that day; make one first.", field="vehicle_id")
        shift = free[0]
    if shift.cancelled_at is not None or shift.ends_at <= ctx.now:
        raise Conflict("This shift is over or was taken off.", field="shift_id")
    (van,) = vans_of(conn, ctx.site_id, [(shift, None)])
    route_id = timetable.new_route(conn, ctx, van, day_of(conn, ctx.site_id, shift.starts_at))
    note(conn, ctx, "made_by_hand", f"for {shift.vehicle_code}", route_id=route_id)
    return route_id


def lock_route(conn: Conn, ctx: Context, route_id: UUID, version: int, *, locked: bool) -> None:
    """Raises ChangedMeanwhile, Conflict (over), NotFound."""
    route = boards.lock_routes(conn, ctx.site_id, [route_id])[0]
    check_version(route, version)
    if route.state in boards.OVER:
        raise Conflict(f"{route.number} is {route.state.replace('_', ' ')}.", state=route.state)
    if route.locked == locked:
        return
    conn.execute(
        "update delivery_route set locked = %s, version = version + 1 where site_id = %s and id = %s",
        [locked, ctx.site_id, route_id],
    )
    note(conn, ctx, "locked" if locked else "unlocked", route.number, route_id=route_id)


def lock_stop(conn: Conn, ctx: Context, stop_id: UUID, *, locked: bool) -> UUID:
    """Its route's id. Raises Conflict (done, a break), NotFound."""
    row = conn.execute(
        "select route_id from delivery_stop where site_id = %s and id = %s", [ctx.site_id, stop_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such stop at this site.", field="stop_id")
    route = boards.lock_routes(conn, ctx.site_id, [row[0]])[0]
    stop: BoardStop | None = next((x for x in route.stops if x.id == stop_id), None)
    if stop is None:
        raise NotFound("There is no such stop at this site.", field="stop_id")
    if not stop.is_open or stop.job is None:
        raise Conflict("Only a stop that is still to come can be locked.", state=stop.state)
    if stop.locked != locked:
        conn.execute(
            "update delivery_stop set locked = %s where site_id = %s and id = %s",
            [locked, ctx.site_id, stop_id],
        )
        conn.execute(
            "update delivery_route set version = version + 1 where site_id = %s and id = %s",
            [ctx.site_id, route.id],
        )
        note(
            conn, ctx, "locked" if locked else "unlocked", f"stop {stop.position} of {route.number}", route_id=route.id,
            job_id=stop.job.id,
        )  # fmt: skip
    return route.id
