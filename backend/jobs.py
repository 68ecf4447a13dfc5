"""Durable jobs (procrastinate): work that leaves the transaction is written in it.

`@task("name")` registers a function `(conn, args) -> None` that the worker runs in a transaction of its own;
`defer` writes a job in the caller's transaction. A job is a wake-up call: the order of work lives in the
slice's own table. To add one: a `tasks.py` in the slice, and its line in `backend/worker.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from backend.db import Conn


@dataclass(frozen=True)
class Task:
    name: str
    run: Callable[..., None]
    cron: str | None
    owns_transaction: bool
    retries: int
    what: str = ""
    """What it does, in words for a person; they have their Chinese in `sentences.zh.json`, "words"."""


TASKS: dict[str, Task] = {}


def task(
    name: str, *, what: str = "", cron: str | None = None, owns_transaction: bool = False, retries: int = 10
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers `run(conn, **args)`. With `cron` (five or six fields) it also runs on that clock, without args.

    `owns_transaction`: the function gets an autocommit connection and opens its transactions itself."""

    def register(run: Callable[..., None]) -> Callable[..., None]:
        if name in TASKS:
            raise ValueError(f"two tasks are called {name}")
        TASKS[name] = Task(name, run, cron, owns_transaction, retries, what)
        return run

    return register


def defer(
    conn: Conn,
    name: str,
    args: dict[str, Any] | None = None,
    *,
    lock: str | None = None,
    at: datetime | None = None,
) -> None:
    """Writes a job in this transaction. Jobs of one `lock` run one at a time, in order."""
    conn.execute(
        """select procrastinate_defer_jobs_v1(array[row('default', %s, 0, %s, null, %s, %s)
           ::procrastinate_job_to_defer_v1])""",
        [name, lock, Jsonb(args or {}), at],
    )
