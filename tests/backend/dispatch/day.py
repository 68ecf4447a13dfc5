"""Short ways to say what the planning tests need: a depot in Helsinki, vans with shifts, deliveries at real places, a plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.context import Context
from backend.db import Conn
from backend.dispatch import board, jobs, moves, plan_run, planning, release
from backend.dispatch.board import Board
from backend.dispatch.jobs import Job
from backend.dispatch.planning import Plan
from backend.ids import new_id
from routing.geo import Point
from tests.conftest import Api, Warehouse

ZONE = ZoneInfo("Europe/Helsinki")

DEPOT = Point(60.1785, 24.9505)
PLACES = {
    "Kamppi": Point(60.1690, 24.9360), "Kluuvi": Point(60.1700, 24.9480), "Kaartti": Point(60.1648, 24.9470),
    "Toolo": Point(60.1745, 24.9362), "Kruunu": Point(60.1725, 24.9530), "Hakaniemi": Point(60.1788, 24.9510),
    "Bulevardi": Point(60.1652, 24.9385), "Station": Point(60.1710, 24.9415), "Erottaja": Point(60.1665, 24.9435),
    "Kaisa": Point(60.1740, 24.9470),
}  # fmt: skip
IN_THE_SEA = Point(60.1000, 24.9500)


def tomorrow() -> date:
    return datetime.now(ZONE).date() + timedelta(days=1)


@dataclass
class Day:
    """Tomorrow's board of the test's site."""

    conn: Conn
    w: Warehouse
    day: date = field(default_factory=tomorrow)
    depot_id: UUID = field(default_factory=new_id)
    vans: dict[str, UUID] = field(default_factory=dict)
    shifts: dict[str, UUID] = field(default_factory=dict)
    jobs: dict[str, UUID] = field(default_factory=dict)
    now: datetime | None = None

    def __post_init__(self) -> None:
        self.conn.execute(
            "insert into depot (site_id, id, code, name, lat, lon, load_s) values (%s, %s, 'YARD', 'Yard', %s, %s, 600)",
            [self.w.site_id, self.depot_id, DEPOT.lat, DEPOT.lon],
        )

    def ctx(self, actor: str = "user:dispatcher") -> Context:
        ctx = self.w.ctx(actor)
        return ctx if self.now is None else replace(ctx, now=self.now)

    def at(self, clock: str, *, days: int = 0) -> datetime:
        """That time of the day, where the site is."""
        return datetime.combine(self.day + timedelta(days=days), time.fromisoformat(clock), ZONE).astimezone(
            UTC
        )

    def van(
        self, code: str, start: str = "08:00", end: str = "16:00", *, kg: int = 800, cartons: int = 100, end_days: int = 0,
        break_s: int = 0, break_from: str = "11:00", break_until: str = "13:00", fixed_cents: int = 0,
    ) -> UUID:  # fmt: skip
        van_id = self.vans.get(code)
        if van_id is None:
            van_id = self.vans[code] = new_id()
            self.conn.execute(
                "insert into place (id, site_id, code, kind, erp_location) values (%s, %s, %s, 'vehicle', 'STO')",
                [van_id, self.w.site_id, code],
            )
            self.conn.execute(
                """insert into delivery_vehicle (site_id, id, depot_id, max_weight_g, max_volume_ml, max_cartons, fixed_cost_cents)
                   values (%s, %s, %s, %s, 100000000, %s, %s)""",
                [self.w.site_id, van_id, self.depot_id, kg * 1000, cartons, fixed_cents],
            )
        shift_id = self.shifts[code] = new_id()
        self.conn.execute(
            """insert into vehicle_shift (site_id, id, vehicle_id, starts_at, ends_at, break_s, break_from, break_until)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                self.w.site_id, shift_id, van_id, self.at(start), self.at(end, days=end_days), break_s,
                self.at(break_from) if break_s else None, self.at(break_until) if break_s else None,
            ],
        )  # fmt: skip
        return van_id

    def job(
        self, name: str, start: str = "08:00", end: str = "16:00", *, where: Point | None = None, kg: float = 10,
        cartons: int = 1, service_s: int = 180, end_days: int = 0, state: str = "ready", priority: int = 5,
    ) -> UUID:  # fmt: skip
        """A delivery to the place of that name."""
        p = where or PLACES[name.split()[0]]
        order_id, job_id = new_id(), new_id()
        self.conn.execute(
            """insert into sales_order (site_id, id, number, source, external_number, customer_id, state, due_at, received_at)
               values (%s, %s, %s, 'api', %s, %s, 'packed', %s, %s)""",
            [
                self.w.site_id, order_id, f"SO-{order_id.hex[-10:]}", order_id.hex, self.w.customer_id,
                self.at(end, days=end_days), datetime.now(UTC),
            ],
        )  # fmt: skip
        self.conn.execute(
            """insert into delivery_job (site_id, id, number, order_id, state, customer_name, address, lat, lon, located_by,
                   window_from, window_until, service_s, weight_g, volume_ml, priority, created_at)
               values (%s, %s, 'DJ-' || lpad(nextval('delivery_job_number_seq')::text, 6, '0'), %s, %s, %s, %s, %s, %s, 'order',
                   %s, %s, %s, %s, %s, %s, %s)""",
            [
                self.w.site_id, job_id, order_id, state, name, f"{name} 1, Helsinki", p.lat, p.lon, self.at(start),
                self.at(end, days=end_days), service_s, round(kg * 1000), round(kg * 5000), priority, datetime.now(UTC),
            ],
        )  # fmt: skip
        self.jobs[name] = job_id
        return job_id

    def plan(self, *, limit_s: float = 1, **more: Any) -> Plan:
        """Asked for, and computed as the worker does."""
        with self.conn.transaction():
            p = planning.start(self.conn, self.ctx(), self.day, limit_s=limit_s, **more)
        plan_run.compute(self.conn, self.ctx("job:delivery_plan"), p.id)
        return planning.plan(self.conn, self.w.site_id, p.id)

    def accept(self, p: Plan) -> Board:
        assert p.state == "proposed", p.problem
        with self.conn.transaction():
            planning.accept(self.conn, self.ctx(), p.id, p.version)
        return self.board()

    def planned(self, **more: Any) -> Board:
        return self.accept(self.plan(**more))

    def board(self) -> Board:
        return board.board(self.conn, self.ctx(), self.day)

    def route(self, code: str) -> board.Route:
        return next(r for r in self.board().routes if r.vehicle.code == code and r.state not in board.OVER)

    def of(self, name: str) -> Job:
        return jobs.job(self.conn, self.w.site_id, self.jobs[name])

    def names(self, route: board.Route) -> list[str]:
        return [s.job.customer_name if s.job else s.kind for s in route.stops]

    def van_of(self, name: str) -> str | None:
        route_id = self.of(name).route_id
        return next((r.vehicle.code for r in self.board().routes if r.id == route_id), None)


def put(day: Day, name: str, van: str, position: int, **more: bool) -> moves.Changed:
    """From the tray or from wherever it is."""
    job, to = day.of(name), day.route(van)
    source = next((r for r in day.board().routes if r.id == job.route_id), None)
    with day.conn.transaction():
        return moves.move(
            day.conn, day.ctx(), to.id, job.id, position, version=to.version,
            from_version=source.version if source else None, anyway=more.get("anyway", False),
        )  # fmt: skip


def call(
    api: Api, method: str, path: str, body: dict[str, Any] | None = None, expect: int = 200, **params: Any
) -> Any:
    answer = api.request(method, f"/api/v1{path}", json=body, params=params)
    assert answer.status_code == expect, f"{answer.status_code} {answer.text}"
    return answer.json()


def released(day: Day, code: str) -> None:
    route = day.route(code)
    with day.conn.transaction():
        release.release(day.conn, day.ctx(), route.id, route.version, door_id=day.w.places["DOCK-2"])
