"""The worker: runs the jobs that slices wrote in their transactions, and the clocks.

Every task runs in a thread with a connection and a transaction of its own; one that fails is tried again with
growing waits, then stays `failed` with an alert (`backend/operations/failures.py`, `GET /api/v1/jobs`). `TASK_MODULES` is the visible list of where
tasks are registered. The worker also writes the broker's accounts when agents change, and runs `PROGRAMS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate import JobContext, PsycopgConnector, RetryDecision, exceptions
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy

from backend.db import Conn, DatabaseUnreachable, app_conninfo, connect
from backend.devices.agents import broker_access
from backend.jobs import TASKS, Task
from backend.operations import failures
from backend.private import write_private

log = structlog.get_logger("backend.worker")

TASK_MODULES = [
    "backend.dispatch.road_tasks",
    "backend.dispatch.tasks",
    "backend.devices.tasks",
    "backend.integration.erp.tasks",
    "backend.integration.webhooks.tasks",
    "backend.labels.tasks",
    "backend.operations.tasks",
    "backend.orders.tasks",
    "backend.picking.tasks",
    "backend.receiving.tasks",
    "backend.telemetry.tasks",
    "backend.stock_changed",
]

PROGRAMS = ["backend.integration.erp.drain:run"]
"""Functions `(database_url, erp_url, stop)` that run as long as the worker does, each in a thread of its own."""

JOBS_AT_ONCE = 4
STALLED_S = 30.0


def run(
    database_url: str,
    erp_url: str | None,
    stop: threading.Event,
    mqtt_access_dir: Path | None = None,
    mqtt_url: str | None = None,
) -> None:
    """Until `stop`; jobs in hand are finished first. A database that is away is waited for.

    A task that names `erp_url`, `database_url` or `mqtt_url` among its parameters gets it."""
    load_tasks()
    known = {"erp_url": erp_url, "database_url": database_url, "mqtt_url": mqtt_url}
    threads = [
        threading.Thread(
            target=_keep_running, args=(dotted, database_url, erp_url, stop), name=dotted, daemon=True
        )
        for dotted in PROGRAMS
    ]
    if mqtt_access_dir is not None:
        threads.append(threading.Thread(
            target=_keep_broker_access, args=(database_url, mqtt_access_dir, stop), name="broker-access", daemon=True
        ))  # fmt: skip
    for thread in threads:
        thread.start()
    failures = 0
    while not stop.is_set():
        started = time.monotonic()
        try:
            asyncio.run(_work(database_url, known, stop))
        except (exceptions.ConnectorException, psycopg.OperationalError, OSError) as e:
            failures = 0 if time.monotonic() - started > 30 else failures + 1
            log.warning("database_away", why=str(e.__cause__ or e))
            stop.wait(min(10.0, 0.3 * 2 ** min(failures, 6)))
    for thread in threads:
        thread.join(15)


def _keep_running(dotted: str, database_url: str, erp_url: str | None, stop: threading.Event) -> None:
    """A program that ends with a fault is started again; it never takes the jobs with it."""
    module, _, name = dotted.partition(":")
    while not stop.is_set():
        try:
            getattr(importlib.import_module(module), name)(database_url, erp_url, stop)
        except Exception as e:  # the outermost loop of the thread
            log.error("program_failed", program=dotted, exc_info=e)
        stop.wait(5)


def load_tasks() -> None:
    for name in TASK_MODULES:
        importlib.import_module(name)


# --- jobs -------------------------------------------------------------------------------------------------


class GrowingWaits(BaseRetryStrategy):
    """1, 2, 4 ... seconds, at most five minutes; then the job is failed and stays to be seen."""

    def __init__(self, tries: int) -> None:
        self.tries = tries

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts >= self.tries:
            return None
        return RetryDecision(retry_in={"seconds": min(300, 2**job.attempts)})


def _application(database_url: str, known: dict[str, Any]) -> procrastinate.App:
    connector = PsycopgConnector(
        conninfo=app_conninfo(database_url), min_size=1, max_size=JOBS_AT_ONCE + 2, timeout=10
    )
    app = procrastinate.App(connector=connector)
    for task in TASKS.values():
        registered = app.task(
            name=task.name,
            pass_context=True,
            retry=GrowingWaits(task.retries),
            queueing_lock=task.name if task.cron is not None else None,  # clocks never pile up
        )(_runner(task, database_url, known))
        if task.cron is not None:
            app.periodic(cron=task.cron, periodic_id=task.name)(registered)
    return app


def _runner(task: Task, database_url: str, known: dict[str, Any]) -> Callable[..., None]:
    """The task as procrastinate calls it, in a thread."""
    wanted = inspect.signature(task.run).parameters
    ours = {name: value for name, value in known.items() if name in wanted}

    def run(context: JobContext, **args: Any) -> None:
        if task.cron is not None and "timestamp" not in wanted:
            args.pop("timestamp", None)
        caused_by = {"correlation_id": args["correlation_id"]} if "correlation_id" in args else {}
        with structlog.contextvars.bound_contextvars(task=task.name, **caused_by):
            started = time.monotonic()
            try:
                carry_out(args, int(context.job.id or 0))
            except Exception as e:
                if _note_failure(database_url, task, context.job, e):
                    log.warning("left_to_the_next_run", exc_info=e)
                    return
                raise
            say = log.info if caused_by else log.debug
            say("job_done", ms=round((time.monotonic() - started) * 1000, 1))

    def carry_out(args: dict[str, Any], job_id: int) -> None:
        with connect(database_url, autocommit=True) as conn:
            conn.execute("select set_config('stowage.actor', %s, false)", [f"job:{task.name}"])
            if task.owns_transaction:
                task.run(conn, **args, **ours)
            else:
                in_transaction(conn, args)
            try:
                failures.worked(conn, task, job_id)
            except psycopg.Error as e:  # what was done stays done; the next good run settles it
                log.warning("alert_not_settled", why=str(e))

    def in_transaction(conn: Conn, args: dict[str, Any]) -> None:
        for attempt in range(4):
            try:
                with conn.transaction():
                    task.run(conn, **args, **ours)
                return
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                if attempt == 3:
                    raise

    return run


def _note_failure(database_url: str, task: Task, job: Job, error: Exception) -> bool:
    """Whether a clock's next run that waits already goes on with its tries: the queue holds one waiting run of a clock, and
    could not take this one back. What is not noted stands in the log; the job is failed all the same."""
    again = GrowingWaits(task.retries).get_retry_decision(exception=error, job=job)
    site_id = job.task_kwargs.get("site_id")
    tries = job.attempts + 1
    try:
        with connect(database_url, autocommit=True) as conn, conn.transaction():
            next_run = failures.hand_on(conn, task, tries) if task.cron is not None and again else None
            failures.note(
                conn, next_run or int(job.id or 0), task, UUID(str(site_id)) if site_id else None, error, datetime.now(UTC),
                tries=tries, for_good=again is None,
            )  # fmt: skip
            return next_run is not None
    except (DatabaseUnreachable, psycopg.Error) as e:
        log.warning("failure_not_noted", why=str(e))
        return False


async def _work(database_url: str, known: dict[str, Any], stop: threading.Event) -> None:
    app = _application(database_url, known)
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=JOBS_AT_ONCE,
                install_signal_handlers=False,
                fetch_job_polling_interval=0.2,  # a lock that becomes free wakes nobody
                shutdown_graceful_timeout=20.0,
                name="stowage",
            )
        )
        rescue = asyncio.create_task(_rescue_stalled(app))
        try:
            while not stop.is_set() and not worker.done():
                await asyncio.sleep(0.1)
        finally:
            rescue.cancel()
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
            with contextlib.suppress(asyncio.CancelledError):
                await rescue


async def _rescue_stalled(app: procrastinate.App) -> None:
    """Jobs of a worker that was killed go back to the queue."""
    while True:
        try:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S):
                log.warning("stalled_job_taken_again", task=job.task_name, id=job.id)
                await app.job_manager.retry_job(job)
        except exceptions.ConnectorException as e:
            log.warning("stalled_jobs_not_looked_at", why=str(e))
        await asyncio.sleep(STALLED_S / 2)


# --- the broker's accounts --------------------------------------------------------------------------------


def _keep_broker_access(database_url: str, folder: Path, stop: threading.Event) -> None:
    """`agents.passwd` and `agents.acl` follow the agents within a second."""
    while not stop.is_set():
        try:
            with connect(database_url, autocommit=True) as conn:
                while not stop.is_set():
                    write_broker_access(*broker_access(conn), folder)
                    stop.wait(0.7)
        except (DatabaseUnreachable, psycopg.Error, OSError) as e:
            log.warning("broker_access_not_written", folder=str(folder), why=str(e))
            stop.wait(2)


def write_broker_access(passwords: str, rights: str, folder: Path) -> bool:
    """Replaces the files that differ, each as a whole. The rights go first: an account without them sees nothing."""
    changed = False
    for name, text in (("agents.acl", rights), ("agents.passwd", passwords)):
        path = folder / name
        try:
            if path.read_text() == text:
                continue
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text)
        changed = True
    return changed
