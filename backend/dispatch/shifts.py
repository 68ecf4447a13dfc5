"""Shifts: when a vehicle drives, and who. Two shifts of one vehicle, or of one driver, never overlap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.dispatch.days import bounds
from backend.dispatch.settings import update_version
from backend.dispatch.vehicles import vehicle
from backend.errors import Conflict, Invalid, NotFound, Unknown, register
from backend.ids import new_id
from backend.live.announce import announce

register(
    {
        "vehicle_shift_ends_after_start": (Invalid, "A shift ends after it begins, and lasts 24 hours at most.", "ends_at"),
        "vehicle_shift_break_whole": (Invalid, "A break needs break_from and break_until, inside the shift.", "break_from"),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Shift:
    id: UUID
    vehicle_id: UUID
    vehicle_code: str
    driver_id: UUID | None
    driver_name: str | None
    starts_at: datetime
    ends_at: datetime
    break_s: int
    break_from: datetime | None
    break_until: datetime | None
    cancelled_at: datetime | None
    version: int


_SHIFT = """
    select s.id, s.vehicle_id, p.code as vehicle_code, s.driver_id, u.name as driver_name, s.starts_at, s.ends_at, s.break_s,
           s.break_from, s.break_until, s.cancelled_at, s.version
    from vehicle_shift s join place p on p.id = s.vehicle_id left join app_user u on u.id = s.driver_id
    where s.site_id = %s"""


def _many(conn: Conn, where: str, params: list[Any]) -> list[Shift]:
    """`where` continues the query and is never input."""
    with conn.cursor(row_factory=class_row(Shift)) as cur:
        return cur.execute((_SHIFT + where).encode(), params).fetchall()


def shifts(
    conn: Conn,
    site_id: UUID,
    *,
    day: date | None = None,
    vehicle_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 200,
) -> list[Shift]:
    start, end = bounds(conn, site_id, day) if day is not None else (None, None)
    return _many(
        conn,
        """ and (%s::timestamptz is null or s.starts_at >= %s and s.starts_at < %s) and (%s::uuid is null or s.vehicle_id = %s)
            and (%s::uuid is null or s.id < %s) order by s.id desc limit %s""",
        [site_id, start, start, end, vehicle_id, vehicle_id, before, before, limit],
    )


def shifts_of_day(conn: Conn, site_id: UUID, day: date) -> list[Shift]:
    """Those that begin on the day and are not taken off, by vehicle."""
    start, end = bounds(conn, site_id, day)
    return _many(
        conn,
        " and s.starts_at >= %s and s.starts_at < %s and s.cancelled_at is null order by p.code, s.starts_at",
        [site_id, start, end],
    )


def shift(conn: Conn, site_id: UUID, shift_id: UUID) -> Shift:
    """Raises NotFound."""
    found = _many(conn, " and s.id = %s", [site_id, shift_id])
    if not found:
        raise NotFound("There is no such shift at this site.", field="shift_id")
    return found[0]


def create(conn: Conn, ctx: Context, *, vehicle_id: UUID, **fields: Any) -> Shift:
    """Raises Conflict (overlaps another), Invalid, Unknown."""
    try:
        v = vehicle(conn, ctx.site_id, vehicle_id)
    except NotFound as e:
        raise Unknown(e.detail, field="vehicle_id") from e
    if not v.active:
        raise Conflict(f"{v.code} is not used any more.", field="vehicle_id")
    shift_id = new_id()
    values = {"driver_id": None, "break_s": 0, "break_from": None, "break_until": None, **fields}
    _check(conn, ctx, shift_id, vehicle_id, v.code, values)
    conn.execute(
        """insert into vehicle_shift (site_id, id, vehicle_id, driver_id, starts_at, ends_at, break_s, break_from, break_until)
           values (%(site)s, %(id)s, %(vehicle)s, %(driver_id)s, %(starts_at)s, %(ends_at)s, %(break_s)s, %(break_from)s,
                   %(break_until)s)""",
        {**values, "site": ctx.site_id, "id": shift_id, "vehicle": vehicle_id},
    )
    announce(conn, ctx.site_id, "deliveries", shift_id)
    return shift(conn, ctx.site_id, shift_id)


def change(conn: Conn, ctx: Context, shift_id: UUID, version: int, changes: dict[str, Any]) -> Shift:
    """Raises ChangedMeanwhile, Conflict (a route drives in it), Invalid, NotFound."""
    conn.execute(
        "select 1 from vehicle_shift where site_id = %s and id = %s for update", [ctx.site_id, shift_id]
    )
    present = shift(conn, ctx.site_id, shift_id)
    may_be_none = ("driver_id", "break_from", "break_until")
    changes = {k: v for k, v in changes.items() if v is not None or k in may_be_none}
    cancelled = changes.pop("cancelled", None)
    if cancelled is not None:
        changes["cancelled_at"] = ctx.now if cancelled else None
    if cancelled or (present.cancelled_at is None and {"starts_at", "ends_at"} & set(changes)):
        _check_free(conn, ctx, present, only_its_end=not cancelled and "starts_at" not in changes)
    after = {k: changes.get(k, getattr(present, k)) for k in _TIMES}
    if changes.get("cancelled_at", present.cancelled_at) is None:
        _check(conn, ctx, shift_id, present.vehicle_id, present.vehicle_code, after)
    update_version(
        conn,
        ctx,
        "vehicle_shift",
        shift_id,
        version,
        present,
        changes,
        f"the shift of {present.vehicle_code}",
    )
    announce(conn, ctx.site_id, "deliveries", shift_id)
    return shift(conn, ctx.site_id, shift_id)


_TIMES = ("driver_id", "starts_at", "ends_at", "break_s", "break_from", "break_until")


def _check(
    conn: Conn, ctx: Context, shift_id: UUID, vehicle_id: UUID, vehicle_code: str, s: dict[str, Any]
) -> None:
    """Under the vehicle's lock (and the driver's), so that two shifts made at once do not overlap."""
    conn.execute(
        "select 1 from delivery_vehicle where site_id = %s and id = %s for update", [ctx.site_id, vehicle_id]
    )
    if s["driver_id"] is not None:
        row = conn.execute(
            "select roles, active from app_user where id = %s and (site_id is null or site_id = %s) for update",
            [s["driver_id"], ctx.site_id],
        ).fetchone()
        if row is None or not row[1] or "driver" not in row[0]:
            raise Unknown("There is no such driver here.", field="driver_id")
    clash = conn.execute(
        """select p.code, s.starts_at, s.ends_at, s.vehicle_id = %(vehicle)s
           from vehicle_shift s join place p on p.id = s.vehicle_id
           where s.site_id = %(site)s and s.id <> %(id)s and s.cancelled_at is null
             and (s.vehicle_id = %(vehicle)s or s.driver_id = %(driver)s)
             and s.starts_at < %(until)s and s.ends_at > %(start)s order by s.starts_at limit 1""",
        {"site": ctx.site_id, "id": shift_id, "vehicle": vehicle_id, "driver": s["driver_id"], "start": s["starts_at"],
         "until": s["ends_at"]},
    ).fetchone()  # fmt: skip
    if clash is not None:
        code, start, until, same_vehicle = clash
        who = vehicle_code if same_vehicle else f"The driver (on {code})"
        raise Conflict(
            f"{who} has a shift from {start:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC already.",
            field="starts_at",
        )


def _check_free(conn: Conn, ctx: Context, s: Shift, *, only_its_end: bool) -> None:
    """A van that is back early may end its shift, and begin another; nothing else changes under a route."""
    over = ["cancelled", "broken_down", *(["finished"] if only_its_end else [])]
    row = conn.execute(
        "select number, state from delivery_route where site_id = %s and shift_id = %s and state <> all(%s)",
        [ctx.site_id, s.id, over],
    ).fetchone()
    if row is not None:
        raise Conflict(f"Route {row[0]} drives in this shift; cancel it first.", field="starts_at")
