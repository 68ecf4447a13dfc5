"""`position_ms`: what one position of a van on its route costs the backend, the geofence and the times of all stops ahead
included, each in a transaction of its own; a position a second along a street."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from backend.db import connect
from backend.migrate import migrate
from stowage.parts.postgres import EmbeddedPostgres
from tests.backend.dispatch.road import DEPOT, Customer, drive, metres_north, stocked
from tests.bench.figure import Figure, figure
from tests.conftest import build_warehouse

POSITIONS = 600


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg") as url:
        migrate(url)
        with connect(url, autocommit=True) as conn:
            warehouse = build_warehouse(conn)
            stocked(conn, warehouse)
            d = drive(conn, warehouse, Customer("One"), Customer("Two"), Customer("Three")).leave()
            took = []
            for second in range(POSITIONS):
                where, when = metres_north(DEPOT, second * 8), d.starts_at + timedelta(seconds=60 + second)
                began = time.perf_counter()
                d.at(where, when, speed_kmh=29)
                took.append((time.perf_counter() - began) * 1000)
    yield figure(
        "position_ms", statistics.mean(took), "ms, mean of a position a second", must=50, aim=5, lower_is_better=True,
        p99=round(statistics.quantiles(took, n=100)[98], 1), positions=POSITIONS, stops=3,
    )  # fmt: skip
