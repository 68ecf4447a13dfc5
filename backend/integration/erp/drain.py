"""The program that talks to the ERP: orders out, postings out, changes in, reconciliations and imports, in this order.

One thread with one session, run by the worker. Several workers may run it; only the one with the lock sends. While the
ERP cannot be reached everything waits with the reason in `erp_connection`, and flows when it can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import structlog

from backend.db import Conn, DatabaseUnreachable, connect
from backend.integration.erp import imports, orders, reconcile
from backend.integration.erp.connect import connect as connect_erp
from backend.integration.erp.connector import Connector, ErpBusy, ErpLogin, ErpUnreachable
from backend.integration.erp.send import may_try, not_reached, only_sender, reached, send_round

log = structlog.get_logger(__name__)

POLL_EVERY = timedelta(seconds=5)
WAKE_EVERY_S = 0.5


def run(database_url: str, erp_url: str | None, stop: threading.Event) -> None:
    """Until `stop`. Without an ERP postings wait and the status says so."""
    while not stop.is_set():
        try:
            with connect(database_url, autocommit=True) as conn:
                conn.execute("select set_config('stowage.actor', 'erp', false)")
                if erp_url is None:
                    with conn.transaction():
                        _off(conn)
                    stop.wait()
                    return
                with only_sender(conn) as alone:
                    if alone:
                        _run(conn, connect_erp(erp_url), stop)
        except (psycopg.OperationalError, DatabaseUnreachable) as e:
            log.warning("erp_drain_lost_database", words=str(e))
        stop.wait(2)


def _run(
    conn: Conn,
    erp: Connector,
    stop: threading.Event,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    polled_at = datetime(2000, 1, 1, tzinfo=UTC)
    identity: str | None = None
    try:
        while not stop.is_set():
            if not may_try(conn, now()):
                stop.wait(WAKE_EVERY_S)
                continue
            try:
                if identity is None:
                    identity = erp.identify()
                    with conn.transaction():
                        reached(conn, now(), identity)
                if now() - polled_at >= POLL_EVERY:
                    orders.send_orders(conn, erp, now())
                    orders.poll(conn, erp, now())
                    imports.run_requested(conn, erp, now())
                    reconcile.run_requested(conn, erp, now())
                    with conn.transaction():
                        reached(conn, now(), identity)
                    polled_at = now()
                if send_round(conn, erp, now()).idle:
                    stop.wait(WAKE_EVERY_S)
            except (ErpUnreachable, ErpBusy, ErpLogin) as e:
                log.warning("erp_not_reached", problem=e.kind, words=str(e))
                identity = None
                with conn.transaction():
                    not_reached(conn, e, now())
            except psycopg.OperationalError:
                raise
            except Exception as e:  # the outer loop: whatever it is, the next round may do better
                log.exception("erp_drain_failed")
                with conn.transaction():
                    not_reached(
                        conn, ErpBusy(f"Stowage failed in its own part: {type(e).__name__}: {e}"), now()
                    )
    finally:
        erp.close()


def _off(conn: Conn) -> None:
    conn.execute(
        "update erp_connection set state = 'off', since = now(), words = 'STOWAGE_ERP_URL is not set; postings wait.' where state <> 'off'"
    )
