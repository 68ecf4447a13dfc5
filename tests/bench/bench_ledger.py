"""The ledger's figures: movements a second, alone and by several at once, beside plain inserts into the same table."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend import ledger
from backend.db import connect
from backend.ledger import Move, Spot
from backend.migrate import migrate
from stowage.parts.postgres import EmbeddedPostgres
from tests.conftest import Warehouse, build_warehouse, put_stock


def moves(w: Warehouse, count: int, from_: str = "A-01-1", to: str = "A-01-2") -> list[Move]:
    here, there = Spot(w.places[from_]), Spot(w.places[to])
    return [Move(w.items["TEA-250"], Decimal(1), here, there, "bench", "transfer") for _ in range(count)]


def measure() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "db") as url:
        Path(folder).chmod(0o711)
        migrate(url)
        with connect(url) as conn:
            with conn.transaction():
                w = build_warehouse(conn)
            put_stock(conn, w, "TEA-250", "A-01-1", "1000000")

            started = time.perf_counter()
            for _ in range(300):
                with conn.transaction():
                    ledger.post(conn, w.ctx(), moves(w, 1))
            single = 300 / (time.perf_counter() - started)
            yield {
                "figure": "ledger_single_movements_per_s",
                "value": round(single),
                "unit": "movements/s, one a transaction, fsync on",
            }

            started = time.perf_counter()
            for _ in range(20):
                with conn.transaction():
                    ledger.post(conn, w.ctx(), moves(w, 200))
            batch = 4000 / (time.perf_counter() - started)
            yield {
                "figure": "ledger_batch_movements_per_s",
                "value": round(batch),
                "unit": "movements/s, 200 a transaction",
            }

        done: list[int] = []

        def contend() -> None:
            with connect(url) as c:
                for n in range(100):
                    with c.transaction():
                        ledger.post(c, w.ctx(), moves(w, 1))
                    done.append(n)

        threads = [threading.Thread(target=contend) for _ in range(4)]
        started = time.perf_counter()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        yield {"figure": "ledger_contended_movements_per_s", "value": round(len(done) / (time.perf_counter() - started)),
               "unit": "movements/s, four writers on one bin"}  # fmt: skip
        with connect(url) as conn:
            started = time.perf_counter()
            mismatches = ledger.verify(conn)
            count = conn.execute("select count(*) from movement").fetchone()
            yield {"figure": "ledger_verify_ms", "value": round((time.perf_counter() - started) * 1000), "unit": "ms",
                   "movements": count[0] if count else 0, "mismatches": len(mismatches)}  # fmt: skip
