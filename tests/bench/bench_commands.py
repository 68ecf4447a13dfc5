"""`ledger_commands_per_s_1`, `_16`: handheld commands over HTTP, each a transaction with its Idempotency-Key, fsync on.

The API is the program that a run starts, in a process of its own; the clients are another process on the same machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.auth.principals import issue_token
from backend.db import Conn, connect
from backend.ids import new_id
from backend.migrate import migrate
from stowage.parts.child import spawn
from stowage.parts.ports import free_port
from stowage.parts.postgres import EmbeddedPostgres
from stowage.run import get
from tests.bench.figure import Figure, figure
from tests.conftest import build_warehouse, put_stock

CLIENTS, SECONDS = 16, 6.0


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "db") as url:
        Path(folder).chmod(0o711)
        migrate(url)
        with connect(url) as conn:
            token = _lay(conn)
        port = free_port()
        settings = {
            "STOWAGE_DATABASE_URL": url,
            "STOWAGE_HTTP_PORT": str(port),
            "STOWAGE_ERP_URL": "none",
            "STOWAGE_DATA_DIR": folder,
        }
        api = spawn(
            [sys.executable, "-m", "stowage", "api"],
            log=Path(folder) / "api.log",
            env={**os.environ, **settings},
        )
        try:
            while get("127.0.0.1", port, "/readyz")[0] != 200:
                assert api.running(), (Path(folder) / "api.log").read_text()
                time.sleep(0.1)
            _rate(port, token, CLIENTS, 1.0)  # everything is warm
            yield figure(
                "ledger_commands_per_s_1", _rate(port, token, 1, SECONDS), "commands/s", must=100, aim=300
            )
            yield figure(
                "ledger_commands_per_s_16",
                _rate(port, token, CLIENTS, SECONDS),
                "commands/s",
                must=300,
                aim=1000,
            )
        finally:
            api.stop()


def _lay(conn: Conn) -> str:
    """An item and two bins for each client; the token of a worker."""
    with conn.transaction():
        w = build_warehouse(conn)
        for n in range(CLIENTS):
            w.items[f"ITEM-{n}"] = new_id()
            conn.execute(
                "insert into item (id, sku, name) values (%s, %s, %s)",
                [w.items[f"ITEM-{n}"], f"ITEM-{n}", f"Item {n}"],
            )
            conn.execute(
                "insert into item_pack (id, item_id, name, units) values (%s, %s, 'each', 1)",
                [new_id(), w.items[f"ITEM-{n}"]],
            )
            for code in (f"FROM-{n}", f"TO-{n}"):
                w.places[code] = new_id()
                conn.execute(
                    "insert into place (id, site_id, parent_id, code, kind) values (%s, %s, %s, %s, 'bin')",
                    [w.places[code], w.site_id, w.places["AMBIENT"], code],
                )
            put_stock(conn, w, f"ITEM-{n}", f"FROM-{n}", "100000")
        worker = new_id()
        conn.execute(
            "insert into app_user (id, username, name, password_hash, roles, site_id) values (%s, 'wilma', 'Wilma', '', '{worker}', %s)",
            [worker, w.site_id],
        )
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        return issue_token(
            conn, worker, ["worker"], kind="session", name="bench", expires_at=expires_at
        ).secret


def _rate(port: int, token: str, clients: int, seconds: float) -> float:
    command = [
        sys.executable,
        "-m",
        "tests.bench.commands_client",
        "127.0.0.1",
        str(port),
        token,
        str(clients),
        str(seconds),
    ]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
