"""A van's position on the wire: the track, and where the vehicle is now; twice is once, and an unknown receiver is no van."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backend.context import Context
from backend.db import Conn
from backend.dispatch import depots, vehicles
from backend.ingest import commit_batch
from edge.messages import PositionReported
from tests.backend.ingest.sender import new_sender
from tests.conftest import Warehouse

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


def test_a_position_moves_the_van_that_carries_the_receiver(conn: Conn, warehouse: Warehouse) -> None:
    sender = new_sender(conn, warehouse)
    ctx = Context("user:dora", warehouse.site_id, AT, "c")
    depot = depots.create(conn, ctx, code="YARD", name="Yard", lat=60.17, lon=24.94)
    van = vehicles.create(
        conn, ctx, code="VAN-9", depot_id=depot.id, max_weight_g=1, max_volume_ml=1, gps_agent=sender.agent, gps_device="door-1"
    )  # fmt: skip
    told = [
        sender.event(PositionReported(lat=round(60.17 + n / 1000, 3), lon=24.94, speed_kmh=30), occurred_at=AT + timedelta(seconds=n))
        for n in range(3)
    ]  # fmt: skip
    elsewhere = sender.event(
        PositionReported(lat=1.0, lon=1.0), "cold-1", occurred_at=AT + timedelta(seconds=9)
    )
    batch = sender.publish([*told, elsewhere])
    outcome = commit_batch(conn, [batch])
    commit_batch(conn, [batch])
    assert outcome.letters == 0
    now = conn.execute("select vehicle_id, lat, lon, at from vehicle_now").fetchall()
    assert now == [(van.id, 60.172, 24.94, AT + timedelta(seconds=2))]
    assert conn.execute("select count(*) from vehicle_position").fetchone() == (4,)
