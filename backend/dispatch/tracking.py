"""The customer's link: where their delivery is and when it comes, and nothing else.

A token is 192 random bits; only its hash is kept. It ends with the delivery, and can be read for a short grace after, so that
the outcome is seen. The vehicle is shown only while it drives to this customer: not at another one's door, not on its way there.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.dispatch.days import zone_of
from backend.errors import Gone, NotFound, TooManyTries

GRACE = timedelta(hours=2)
AT_THE_LONGEST = timedelta(days=14)
"""After its window a link ends, whatever became of the delivery."""
SPREAD_BEFORE, SPREAD_AFTER = timedelta(minutes=10), timedelta(minutes=20)
ROUND_TO_S = 300
STALE = timedelta(minutes=2)
_configured: dict[str, str] = {}


def configure(public_url: str | None, local_url: str = "") -> None:
    """Under which address customers reach us; where none is set, the one that the asker used, else this machine's."""
    _configured.update(public=(public_url or "").rstrip("/"), local=local_url.rstrip("/"))


@dataclass(frozen=True)
class Link:
    token: str
    url: str
    expires_at: datetime | None


def make_link(conn: Conn, ctx: Context, job_id: UUID, *, asked_at: str = "") -> Link:
    """A new one each time: the earlier ones cannot be told again, only their hashes are kept. Raises NotFound, Gone.

    `asked_at`: the address under which somebody asks for it."""
    row = conn.execute(
        "select finished_at from delivery_job where site_id = %s and id = %s", [ctx.site_id, job_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such delivery at this site.", field="delivery_job_id")
    expires_at = row[0] + GRACE if row[0] else None
    if expires_at is not None and expires_at <= ctx.now:
        raise Gone("This delivery is over; there is nothing to follow any more.")
    token = secrets.token_urlsafe(24)
    conn.execute(
        "insert into tracking_link (site_id, token_hash, job_id, created_at, expires_at) values (%s, %s, %s, %s, %s)",
        [ctx.site_id, _hash(token), job_id, ctx.now, expires_at],
    )
    base = _configured.get("public") or asked_at.rstrip("/") or _configured.get("local", "")
    return Link(token, f"{base}/track/{token}", expires_at)


def end(conn: Conn, ctx: Context, job_id: UUID) -> None:
    """The delivery is over: its links end after the grace, and leave the outbox."""
    conn.execute(
        "update tracking_link set expires_at = %s where site_id = %s and job_id = %s and expires_at is null",
        [ctx.now + GRACE, ctx.site_id, job_id],
    )


def forget_told_links(conn: Conn, now: datetime) -> int:
    """Links that have ended are taken out of what was told by webhook, so that nobody reads them there."""
    return conn.execute(
        """update webhook_event e set data = data - 'tracking_url'
           where e.data ? 'tracking_url' and exists (
               select 1 from delivery_job j where j.site_id = e.site_id and j.id = (e.data->>'delivery_id')::uuid
                 and j.finished_at < %s)""",
        [now - GRACE],
    ).rowcount


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    site_id: UUID
    id: UUID
    state: str
    lat: float | None
    lon: float | None
    window_from: datetime
    window_until: datetime
    expires_at: datetime | None
    outcome: str | None
    outcome_at: datetime | None
    route_id: UUID | None
    stop_id: UUID | None


def follow(conn: Conn, token: str, now: datetime) -> dict[str, Any]:
    """What the holder of the token may see. Raises NotFound, Gone."""
    with conn.cursor(row_factory=class_row(_Job)) as cur:
        job = cur.execute(
            """select j.site_id, j.id, j.state, j.lat, j.lon, j.window_from,
                      j.window_until, least(coalesce(t.expires_at, j.finished_at + %s), j.window_until + %s) as expires_at, p.outcome, p.occurred_at as outcome_at, s.route_id, s.id as stop_id
               from tracking_link t join delivery_job j on j.site_id = t.site_id and j.id = t.job_id
                    left join delivery_proof p on p.site_id = j.site_id and p.job_id = j.id
                    left join lateral (select x.id, x.route_id from delivery_stop x join delivery_route r on r.site_id = x.site_id
                                       and r.id = x.route_id and r.state not in ('draft', 'cancelled')
                                       where x.site_id = j.site_id and x.job_id = j.id and x.kind = 'delivery' and x.state <> 'skipped'
                                       order by x.id desc limit 1) s on true
               where t.token_hash = %s""",
            [GRACE, AT_THE_LONGEST, _hash(token)],
        ).fetchone()
    if job is None:
        raise NotFound("There is no such delivery. Check that the whole link was copied.")
    if job.expires_at is not None and job.expires_at <= now:
        raise Gone("This delivery is over, and its link has ended.")
    return _shown(conn, job, now)


def _shown(conn: Conn, job: _Job, now: datetime) -> dict[str, Any]:
    from backend.dispatch import etas
    from backend.dispatch import on_the_road as road

    state = (
        job.state
        if job.state in ("delivered", "partly_delivered", "refused", "nobody_there", "cancelled")
        else "planned"
    )
    eta: datetime | None = None
    late, before, vehicle, estimate = False, None, None, True
    if state == "planned" and job.route_id is not None:
        r = road.route(conn, job.site_id, job.route_id)
        stops = road.stops(conn, job.site_id, job.route_id)
        mine = next(s for s in stops if s.id == job.stop_id)
        eta = mine.eta_at or mine.planned_arrival_at
        late, estimate = mine.late_s >= etas.LATE_S, r.eta_by == "plan"
        if r.state in ("under_way", "back") and job.state == "aboard":
            ahead = [
                s
                for s in stops
                if s.kind == "delivery" and s.state == "planned" and s.position < mine.position
            ]
            going_to = etas.on_its_way_to(r, stops)
            state, before = "on_the_way", len(ahead)
            if mine.state == "arrived":
                state, before, eta = "arrived", 0, None
            elif going_to is not None and going_to.id == mine.id:
                state = "next"
                vehicle = _vehicle(conn, job.site_id, r, stops, now)
    return {
        "state": state,
        "window_from": job.window_from,
        "window_until": job.window_until,
        "eta_from": _rounded(eta - SPREAD_BEFORE) if eta else None,
        "eta_until": _rounded(eta + SPREAD_AFTER) if eta else None,
        "eta_is_estimate": estimate,
        "late": late,
        "stops_before": before,
        "vehicle": vehicle,
        "destination": {"lat": job.lat, "lon": job.lon} if job.lat is not None else None,
        "outcome": job.outcome,
        "outcome_at": job.outcome_at,
        "expires_at": job.expires_at,
        "time_zone": zone_of(conn, job.site_id).key,
    }


def _vehicle(conn: Conn, site_id: UUID, r: Any, stops: list[Any], now: datetime) -> dict[str, Any] | None:
    """Where it is, if that was seen since it began to drive here: an earlier position would be another customer's door."""
    since = max(
        [t for s in stops for t in (s.left_at, s.done_at, s.arrived_at) if t is not None] + [r.departed_at]
    )
    row = conn.execute(
        "select lat, lon, at from vehicle_now where site_id = %s and vehicle_id = %s and at >= %s",
        [site_id, r.vehicle_id, since],
    ).fetchone()
    if row is None:
        return None
    return {"lat": row[0], "lon": row[1], "at": row[2], "stale": row[2] < now - STALE}


def _rounded(at: datetime) -> datetime:
    return at - timedelta(seconds=at.timestamp() % ROUND_TO_S)


# --- guessing ---------------------------------------------------------------------------------------------


class Guesses:
    """Wrong tokens from one address in the last minute. Only who guesses is slowed down: behind one proxy stand many customers."""

    def __init__(self, at_most: int = 30, within_s: float = 60.0, remember: int = 10_000) -> None:
        self._at_most, self._within_s, self._remember = at_most, within_s, remember
        self._wrong: dict[str, deque[float]] = {}
        self._lock = Lock()

    def wrong(self, address: str) -> None:
        """One more. Raises TooManyTries."""
        now = time.monotonic()
        with self._lock:
            if len(self._wrong) >= self._remember:
                self._wrong.clear()
            recent = self._wrong.setdefault(address, deque(maxlen=self._at_most))
            while recent and recent[0] < now - self._within_s:
                recent.popleft()
            if len(recent) >= self._at_most:
                raise TooManyTries("Too many links that do not exist; wait a minute.")
            recent.append(now)
