"""What has to be brought to whom: the packed cartons of an order, where they go, when, how heavy. Reads and changes.

`packed` makes jobs by themselves; here they are listed, given another window or address, and pinned on the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.dispatch.events import note
from backend.dispatch.goods import OF_CARTON
from backend.dispatch.locate import Located, on_the_map
from backend.errors import ChangedMeanwhile, Conflict, Invalid, NotFound, register

register(
    {
        "delivery_job_window_ends_after_start": (Invalid, "The window ends before it begins.", "window_until"),
    }
)  # fmt: skip

OPEN = ("to_review", "ready", "planned", "released", "aboard")


@dataclass(frozen=True)
class Job:
    id: UUID
    number: str
    order_id: UUID
    order_number: str
    attempt: int
    previous_id: UUID | None
    state: str
    customer_name: str
    phone: str
    address: str
    note: str
    lat: float | None
    lon: float | None
    located_by: str | None
    located_as: str
    window_from: datetime
    window_until: datetime
    service_s: int
    weight_g: int
    volume_ml: int
    cartons: int
    skills: list[str]
    priority: int
    reason: str | None
    detail: str
    goods_on_route_id: UUID | None
    promised_from: datetime | None
    promised_until: datetime | None
    route_id: UUID | None
    route_number: str | None
    stop_id: UUID | None
    created_at: datetime
    finished_at: datetime | None
    version: int


@dataclass(frozen=True)
class JobCarton:
    carton_id: UUID
    sscc: str
    state: str
    weight_g: int | None
    goods: list[str]
    place_code: str | None


@dataclass(frozen=True)
class JobEvent:
    id: UUID
    at: datetime
    actor: str
    what: str
    detail: str


_JOB = """
    select j.id, j.number, j.order_id, o.number as order_number, j.attempt, j.previous_id, j.state, j.customer_name, j.phone,
           j.address, j.note, j.lat, j.lon, j.located_by, j.located_as, j.window_from, j.window_until, j.service_s, j.weight_g,
           j.volume_ml, (select count(*) from delivery_job_carton c where c.site_id = j.site_id and c.job_id = j.id) as cartons,
           j.skills, j.priority, j.unplanned as reason, j.unplanned_detail as detail, j.goods_on_route_id, j.promised_from,
           j.promised_until, s.route_id, r.number as route_number, s.id as stop_id, j.created_at, j.finished_at, j.version
    from delivery_job j join sales_order o on o.site_id = j.site_id and o.id = j.order_id
         left join lateral (select x.id, x.route_id from delivery_stop x where x.site_id = j.site_id and x.job_id = j.id
              and x.kind = 'delivery' and x.state <> 'skipped' order by x.id desc limit 1) s on true
         left join delivery_route r on r.site_id = j.site_id and r.id = s.route_id
    where j.site_id = %s"""


def many(conn: Conn, where: str, params: Sequence[Any]) -> list[Job]:
    """`where` continues the query and is never input; `params` starts with the site."""
    with conn.cursor(row_factory=class_row(Job)) as cur:
        return cur.execute((_JOB + where).encode(), params).fetchall()


def job(conn: Conn, site_id: UUID, job_id: UUID) -> Job:
    """Raises NotFound, also for a job of another site."""
    found = many(conn, " and j.id = %s", [site_id, job_id])
    if not found:
        raise NotFound("There is no such delivery at this site.", field="job_id")
    return found[0]


def lock_with_route(conn: Conn, site_id: UUID, job_id: UUID) -> Job:
    """The job and the route it is on, held until the transaction ends."""
    seen = job(conn, site_id, job_id)
    if seen.route_id is not None:
        conn.execute(
            "select 1 from delivery_route where site_id = %s and id = %s for update", [site_id, seen.route_id]
        )
    return lock_job(conn, site_id, job_id)


def lock_job(conn: Conn, site_id: UUID, job_id: UUID) -> Job:
    """The job, held until the transaction ends. Orders before routes before jobs."""
    conn.execute("select 1 from delivery_job where site_id = %s and id = %s for update", [site_id, job_id])
    return job(conn, site_id, job_id)


def search(
    conn: Conn,
    site_id: UUID,
    *,
    states: Sequence[str] | None = None,
    order_id: UUID | None = None,
    q: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Job]:
    if q is not None and "\x00" in q:
        raise Invalid("A search text cannot hold NUL.", field="q")
    like = f"%{_escaped(q)}%" if q else None
    wanted = list(states) if states else None
    return many(
        conn,
        """ and (%s::text[] is null or j.state = any(%s)) and (%s::uuid is null or j.order_id = %s)
            and (%s::text is null or j.number ilike %s or o.number ilike %s or j.customer_name ilike %s or j.address ilike %s)
            and (%s::uuid is null or j.id < %s) order by j.id desc limit %s""",
        [site_id, wanted, wanted, order_id, order_id, like, like, like, like, like, before, before, limit],
    )


def _escaped(q: str) -> str:
    return q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def cartons_of(conn: Conn, site_id: UUID, job_id: UUID) -> list[JobCarton]:
    with conn.cursor(row_factory=class_row(JobCarton)) as cur:
        return cur.execute(
            f"""select c.id as carton_id, lp.code as sscc, c.state, c.weight_g::bigint as weight_g, {OF_CARTON} as goods, p.code as place_code
               from delivery_job_carton x join carton c on c.site_id = x.site_id and c.id = x.carton_id
                    join license_plate lp on lp.id = c.id left join place p on p.id = lp.place_id
               where x.site_id = %s and x.job_id = %s order by c.position""".encode(),
            [site_id, job_id],
        ).fetchall()


def events_of(conn: Conn, site_id: UUID, job_id: UUID) -> list[JobEvent]:
    """The newest first, a hundred at most."""
    with conn.cursor(row_factory=class_row(JobEvent)) as cur:
        return cur.execute(
            """select id, at, actor, what, detail from delivery_event where site_id = %s and job_id = %s order by id desc limit 100""",
            [site_id, job_id],
        ).fetchall()


# --- changes ----------------------------------------------------------------------------------------------


def change(conn: Conn, ctx: Context, job_id: UUID, version: int, changes: dict[str, Any]) -> Job:
    """Window, address, note, priority. Raises ChangedMeanwhile, Conflict (too late), Invalid, NotFound."""
    present = lock_with_route(conn, ctx.site_id, job_id)
    _check_version(present, version)
    changes = {k: v for k, v in changes.items() if v is not None}
    if not changes:
        return present
    soft = {"note", "phone"}
    if present.state not in ("to_review", "ready", "planned") and set(changes) - soft:
        raise Conflict(
            f"{present.number} is {present.state.replace('_', ' ')}; only note and phone can be changed.",
            state=present.state,
        )
    if present.state not in OPEN:
        raise Conflict(f"{present.number} is over: {present.state.replace('_', ' ')}.", state=present.state)
    columns = dict(changes)
    if "address" in changes and changes["address"] != present.address:
        columns |= _relocated(conn, ctx, present, on_the_map(changes["address"]))
    if columns.keys() - soft:
        columns |= {"unplanned": None, "unplanned_detail": ""}
    _update(conn, ctx, job_id, columns)
    note(
        conn, ctx, "changed", ", ".join(f"{k}: {_said(v)}" for k, v in changes.items()), job_id=job_id,
        route_id=present.route_id,
    )  # fmt: skip
    return _moved_on(conn, ctx, present, job(conn, ctx.site_id, job_id))


def pin(conn: Conn, ctx: Context, job_id: UUID, version: int, lat: float, lon: float) -> Job:
    """A person says where it is; it can be planned now. Raises ChangedMeanwhile, Conflict, NotFound."""
    present = lock_with_route(conn, ctx.site_id, job_id)
    _check_version(present, version)
    if present.state not in ("to_review", "ready", "planned"):
        raise Conflict(
            f"{present.number} is {present.state.replace('_', ' ')}; it cannot be moved on the map any more.",
            state=present.state,
        )
    state = "ready" if present.state == "to_review" else present.state
    _update(
        conn, ctx, job_id,
        {"lat": lat, "lon": lon, "located_by": "pin", "state": state, "unplanned": None, "unplanned_detail": ""},
    )  # fmt: skip
    note(
        conn, ctx, "pinned", f"{lat:.5f}, {lon:.5f}", job_id=job_id, route_id=present.route_id,
        evidence={"from": [present.lat, present.lon], "address": present.address},
    )  # fmt: skip
    return _moved_on(conn, ctx, present, job(conn, ctx.site_id, job_id))


def _moved_on(conn: Conn, ctx: Context, before: Job, after: Job) -> Job:
    """A planned job whose place, window or time at the door changed: its route is timed anew, or it leaves the route."""
    from backend.dispatch import moves

    told = ("lat", "lon", "window_from", "window_until", "service_s", "state")
    if before.state == "planned" and any(getattr(before, k) != getattr(after, k) for k in told):
        moves.job_changed(conn, ctx, after)
        return job(conn, ctx.site_id, after.id)
    return after


def _relocated(conn: Conn, ctx: Context, present: Job, found: Located | None) -> dict[str, Any]:
    if found is not None:
        state = "ready" if present.state == "to_review" else present.state
        return {
            "lat": found.lat,
            "lon": found.lon,
            "located_by": "map",
            "located_as": found.as_,
            "state": state,
        }
    return {"lat": None, "lon": None, "located_by": None, "located_as": "", "state": "to_review"}


def _check_version(present: Job, version: int) -> None:
    if present.version != version:
        raise ChangedMeanwhile(
            f"Somebody else changed {present.number} meanwhile; look at it again.",
            field="version",
            present={
                "id": str(present.id), "version": present.version, "state": present.state, "address": present.address,
                "lat": present.lat, "lon": present.lon, "window_from": present.window_from.isoformat(),
                "window_until": present.window_until.isoformat(), "route_number": present.route_number,
            },
        )  # fmt: skip


def _update(conn: Conn, ctx: Context, job_id: UUID, columns: dict[str, Any]) -> None:
    sets = ", ".join(f"{name} = %s" for name in columns)  # names of ours
    conn.execute(
        f"update delivery_job set {sets}, version = version + 1 where site_id = %s and id = %s".encode(),
        [*columns.values(), ctx.site_id, job_id],
    )


def _said(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
