"""Planned, released, driven, proved and brought back with nothing but the real functions: days that go wrong half way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from backend import dispatch, ledger
from backend.db import Conn
from backend.dispatch import come_back, proof
from backend.dispatch import on_the_road as road
from tests.backend.dispatch.day import Day, call, released
from tests.backend.dispatch.test_release import drive_off, packed
from tests.backend.orders.flow import let_jobs_run
from tests.conftest import Api, Warehouse, put_stock


@pytest.fixture
def day(conn: Conn, warehouse: Warehouse, helsinki: None) -> Day:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "200")
    return Day(conn, warehouse)


def on_the_road(day: Day, code: str) -> road.RoadRoute:
    row = day.conn.execute(
        "select r.id from delivery_route r join place p on p.id = r.vehicle_id where p.code = %s order by r.id desc limit 1",
        [code],
    ).fetchone()
    assert row is not None
    return road.route(day.conn, day.w.site_id, row[0])


def stop_of(day: Day, route: road.RoadRoute, name: str, kind: str = "delivery") -> road.RoadStop:
    return next(
        s for s in road.stops(day.conn, day.w.site_id, route.id)
        if s.kind == kind and s.customer_name == name and s.state != "skipped"
    )  # fmt: skip


def deliver(day: Day, code: str, name: str) -> None:
    with day.conn.transaction():
        proof.deliver(
            day.conn,
            day.ctx("user:dave"),
            stop_of(day, on_the_road(day, code), name).id,
            [],
            proof.Evidence(),
        )


def everything_is_somewhere(day: Day) -> None:
    """World: what was shipped is with a customer by a proof, aboard by the rows, or back in the house."""
    assert ledger.verify(day.conn) == []
    assert dispatch.verify(day.conn) == []
    customer, proved = (
        day.conn.execute(query.encode()).fetchone() or (Decimal(0),)
        for query in (
            """select coalesce(sum(m.quantity), 0) from movement m join place p on p.id = m.to_place_id and p.kind = 'customer'""",
            "select coalesce(sum(delivered), 0) from delivery_proof_line",
        )
    )
    assert customer == proved


def test_a_van_breaks_down_half_way_and_another_brings_the_rest(day: Day, api: Api) -> None:
    day.van("VAN-1")
    for name in ("Kamppi", "Toolo", "Station"):
        packed(day, name)
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    first = day.route("VAN-1").stops[0]
    assert first.job is not None
    day.now = first.planned_leave_at
    deliver(day, "VAN-1", first.job.customer_name)
    broken = on_the_road(day, "VAN-1")
    api.as_user(day.conn, "lea", ["dispatcher"], day.w.site_id)
    call(api, "POST", f"/delivery-routes/{broken.id}/breakdown", {"note": "flat tyre"})
    day.van("VAN-2")
    day.planned()
    released(day, "VAN-2")
    drive_off(day, "VAN-2")
    rescue = on_the_road(day, "VAN-2")
    waiting = [n for n in ("Kamppi", "Toolo", "Station") if n != first.job.customer_name]
    for name in waiting:
        for a in road.aboard(day.conn, " and a.job_id = %s", [day.w.site_id, day.jobs[name]]):
            with day.conn.transaction():
                come_back.take_over(
                    day.conn, day.ctx("user:rita"), stop_of(day, rescue, name, "take_over").id, a.sscc
                )
        assert day.of(name).state == "aboard"
        deliver(day, "VAN-2", name)
    for route in (rescue, broken):
        with day.conn.transaction():
            come_back.finish(day.conn, day.ctx("user:rita"), route.id)
    everything_is_somewhere(day)
    assert {day.of(n).state for n in ("Kamppi", "Toolo", "Station")} == {"delivered"}


def test_nobody_there_is_planned_again_for_the_next_day_and_delivered(day: Day) -> None:
    day.van("VAN-1")
    packed(day, "Kamppi")
    packed(day, "Toolo")
    day.planned()
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    route = on_the_road(day, "VAN-1")
    with day.conn.transaction():
        proof.fail(
            day.conn,
            day.ctx("user:dave"),
            stop_of(day, route, "Kamppi").id,
            "nobody_there",
            "dark",
            proof.Evidence(),
        )
    deliver(day, "VAN-1", "Toolo")
    (carton,) = {a.sscc for a in road.aboard(day.conn, " and a.quantity > 0", [day.w.site_id])}
    with day.conn.transaction():
        back = come_back.unload(day.conn, day.ctx("user:worker"), route.id, carton)
        come_back.finish(day.conn, day.ctx("user:worker"), route.id)
    assert back.next_job_id is not None
    let_jobs_run(day.conn)
    everything_is_somewhere(day)
    day.jobs["Kamppi"] = back.next_job_id
    assert (day.of("Kamppi").attempt, day.of("Kamppi").state) == (2, "ready")
    day.day += timedelta(days=1)
    day.van("VAN-1")
    board = day.planned()
    assert board.trays.unplanned == []
    released(day, "VAN-1")
    drive_off(day, "VAN-1")
    deliver(day, "VAN-1", "Kamppi")
    assert day.of("Kamppi").state == "delivered"
    assert day.conn.execute("select distinct state from sales_order").fetchall() == [("shipped",)]
    everything_is_somewhere(day)
