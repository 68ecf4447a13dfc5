"""Every place on every route of a day where a delivery could stand, with what it costs and whom it makes late; and where it
fits nowhere, what it would take. Exact, and fast enough to be asked while somebody drags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.dispatch import goods, jobs, moves
from backend.dispatch.board import Route
from backend.dispatch.days import day_of
from backend.dispatch.jobs import Job
from backend.dispatch.moves import Broken, minutes
from backend.dispatch.shifts import shifts_of_day
from backend.dispatch.situation import CENT, Situation, pairs_of_day, situation, vans_of
from backend.errors import Conflict
from routing import insertion
from routing.insertion import Slot
from routing.problem import Violation
from routing.schedule import Timed

UNITS = (("kg", 1000), ("l", 1000), ("cartons", 1))


@dataclass(frozen=True)
class Late:
    job_id: UUID
    job_number: str
    customer_name: str
    seconds: int


@dataclass(frozen=True)
class JobSlot:
    route_id: UUID
    position: int
    arrival_at: datetime | None
    extra_m: int
    extra_s: int
    extra_cents: int
    late: list[Late]
    violations: list[Broken]
    best: bool


@dataclass(frozen=True)
class JobSlots:
    slots: list[JobSlot]
    what_would_it_take: list[str]


def slots(conn: Conn, ctx: Context, job_id: UUID, day: date | None) -> JobSlots:
    """Raises Conflict (no place on the map, over), NotFound."""
    job = jobs.job(conn, ctx.site_id, job_id)
    if job.lat is None:
        raise Conflict(f"The map does not know where {job.number} is; put a pin first.")
    if job.state not in ("ready", "planned", "released", "aboard"):
        raise Conflict(f"{job.number} is {job.state.replace('_', ' ')}.", state=job.state)
    day = day or day_of(conn, ctx.site_id, ctx.now)
    s = _situation(conn, ctx, day, job)
    if not s.vans:
        words = "No vehicle of that day can still take it: make a route from a free shift, or add a shift in the settings."
        return JobSlots([], [words])
    plan = s.present()
    before = {r.vehicle: s.timed(r.vehicle, s.sequence(r.vehicle)) for r in plan.routes}
    tried = insertion.slots(s.problem, plan, job.number)
    if any(t.drop_position is not None for t in tried):
        tried = _best_pickups(tried)
    shown = [_shown(s, job, slot, before) for slot in tried]
    good = [x for x in shown if not x.violations]
    best = min(good, key=lambda x: (x.extra_cents, x.extra_m, x.extra_s), default=None)
    shown = [x if x is not best else JobSlot(**{**x.__dict__, "best": True}) for x in shown]
    if good:
        return JobSlots(shown, [])
    ways = insertion.what_would_it_take(
        s.problem, plan, job.number, clock=lambda t: f"{s.at(t).astimezone(s.zero.tzinfo):%H:%M}",
        name=lambda n: s.jobs[n].customer_name if n in s.jobs else n, units=("g", "ml", "cartons"), able=goods.able,
    )  # fmt: skip
    return JobSlots(shown, [f"It {way.sentence}." for way in ways] or ["No road leads there from any route."])


def _situation(conn: Conn, ctx: Context, day: date, job: Job) -> Situation:
    pairs = [
        (shift, route)
        for shift, route in pairs_of_day(conn, ctx.site_id, day, shifts_of_day(conn, ctx.site_id, day))
        if route is not None and _may_take(route, job)
    ]
    vans = vans_of(conn, ctx.site_id, pairs)
    on_board = {x.job_id for van in vans for x in van.ahead}
    return situation(conn, ctx, day, vans, [] if job.id in on_board else [job], strict=False)


def _may_take(route: Route, job: Job) -> bool:
    if job.state in ("released", "aboard") or (job.route_id == route.id and route.state == "released"):
        return job.route_id == route.id and route.state in ("released", "under_way")
    return route.state == "draft" or (route.state == "under_way" and job.goods_on_route_id is not None)


def _best_pickups(tried: Sequence[Slot]) -> list[Slot]:
    """Of goods to be taken over, the best place for that before each place of the delivery."""
    found: dict[tuple[str, int], Slot] = {}
    for t in tried:
        key = (t.vehicle, t.drop_position or 0)
        rank = (len(t.violations), t.extra_cost)
        if key not in found or rank < (len(found[key].violations), found[key].extra_cost):
            found[key] = t
    return list(found.values())


def _shown(s: Situation, job: Job, slot: Slot, before: dict[str, Timed]) -> JobSlot:
    van = s.vans[slot.vehicle]
    assert van.route is not None
    old = before.get(slot.vehicle)
    had = {n: t.late_s.get(n, 0) for t in before.values() for n in t.late_s}
    late = {n: sec for n, sec in slot.late_s.items() if sec > had.get(n, 0)}
    stops_before = slot.position if slot.drop_position is None else slot.drop_position - 1
    broken = [Broken("outside_window", moves.late_words(s, n, sec)) for n, sec in late.items()]
    if slot.overtime_s > (old.overtime_s if old else 0):
        broken.append(
            Broken(
                "outside_shift", f"{slot.vehicle} would be back {minutes(slot.overtime_s)} after its shift."
            )
        )
    if any(slot.over_load):
        broken.append(Broken("over_capacity", _over_words(slot)))
    told = {"outside_window", "outside_shift", "over_capacity"}
    for v in slot.violations:
        if v.kind == "missing_skill":
            broken.append(moves.unable(s, slot.vehicle, job))
        elif v.kind not in told:
            broken.append(_plain(v, slot.vehicle))
    return JobSlot(
        van.route.id, _position(s, slot.vehicle, job, stops_before), s.at(slot.arrive_s), slot.extra_m, slot.extra_s,
        round(slot.extra_cost / CENT),
        [Late(s.jobs[n].id, n, s.jobs[n].customer_name, sec) for n, sec in late.items()], broken, False,
    )  # fmt: skip


def _plain(v: Violation, label: str) -> Broken:
    said = {
        "missing_break": f"There would be no time for the break of {label}'s driver.",
        "no_road": "No road leads there.",
    }
    return Broken(v.kind, said.get(v.kind, f"{label}: {v.detail}."))


def _over_words(slot: Slot) -> str:
    words = [
        f"{over / per:.1f} {unit}" if per > 1 else f"{over} {unit}"
        for over, (unit, per) in zip(slot.over_load, UNITS, strict=True)
        if over
    ]
    return f"{slot.vehicle} would carry {' and '.join(words)} more than it can."


def _position(s: Situation, label: str, job: Job, stops_before: int) -> int:
    """On the board, where breaks and what is done are stops too."""
    van = s.vans[label]
    position = len(van.done) + 1
    for stop in (x for x in van.ahead if x.job_id != job.id):
        if stops_before == 0:
            break
        position += 1
        stops_before -= stop.job is not None
    return position
