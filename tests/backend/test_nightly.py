"""What the clock starts by night, as the worker has it."""

from __future__ import annotations

from backend import jobs, worker
from backend.db import Conn
from tests.conftest import Warehouse, build_warehouse


def test_every_night_each_site_is_compared_with_the_erp(conn: Conn, warehouse: Warehouse) -> None:
    other = build_warehouse(conn, "TRE1")
    worker.load_tasks()
    task = jobs.TASKS["erp_reconcile_nightly"]
    assert task.cron == "30 2 * * *"
    with conn.transaction():
        task.run(conn)
    rows = conn.execute("select site_id, state from erp_reconciliation").fetchall()
    assert {site for site, _ in rows} == {warehouse.site_id, other.site_id}
    assert {state for _, state in rows} == {"requested"}
