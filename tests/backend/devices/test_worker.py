"""Jobs run once, in their own transaction, are tried again, and are seen when they fail."""

from __future__ import annotations

import importlib.machinery
import json
import re
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend import devices, jobs, worker
from backend.db import Conn, connect
from backend.operations import failures
from backend.operations.tasks import retention
from stowage.parts.broker import EmbeddedBroker, can_log_in, find_mosquitto
from tests.backend.ingest.sender import new_sender
from tests.conftest import Api, Warehouse


def until(condition: Callable[[], bool], what: str, timeout_s: float = 40) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for: {what}"
        time.sleep(0.05)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, jobs.Task]:
    """Only the tasks of the test."""
    worker.load_tasks()
    registered: dict[str, jobs.Task] = {}
    monkeypatch.setattr(jobs, "TASKS", registered)
    monkeypatch.setattr(worker, "TASKS", registered)
    monkeypatch.setattr(worker, "load_tasks", lambda: None)
    monkeypatch.setattr(worker, "PROGRAMS", [])
    return registered


class Running:
    def __init__(self, database_url: str, **options: Any) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=worker.run, args=(database_url, "erp://here", self.stop), kwargs=options
        )
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(**options: Any) -> Running:
        running.append(Running(database_url, **options))
        return running[-1]

    yield begin
    for r in running:
        r.end()


def states(conn: Conn, task: str) -> list[tuple[str, int]]:
    return [
        (str(s), a)
        for s, a in conn.execute(
            "select status::text, attempts from procrastinate_jobs where task_name = %s order by id", [task]
        ).fetchall()
    ]


def test_a_job_is_run_after_its_transaction_and_not_without_it(
    conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    done: list[tuple[str, str, str]] = []

    @jobs.task("say")
    def say(conn: Conn, word: str, erp_url: str) -> None:
        done.append((word, erp_url, conn.execute("select current_role").fetchall()[0][0]))

    with conn.transaction(force_rollback=True):
        jobs.defer(conn, "say", {"word": "never"})
    with conn.transaction():
        jobs.defer(conn, "say", {"word": "once"})
    start()
    until(lambda: states(conn, "say") == [("succeeded", 1)], "the job")
    assert done == [("once", "erp://here", "stowage_app")]


def test_a_failed_job_leaves_nothing_behind_is_tried_again_and_succeeds(
    conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    tries: list[int] = []

    @jobs.task("moody")
    def moody(conn: Conn) -> None:
        conn.execute("insert into failed_login (username) values ('trace')")
        tries.append(1)
        if len(tries) < 2:
            raise RuntimeError("not yet")

    jobs.defer(conn, "moody")
    start()
    until(lambda: states(conn, "moody") == [("succeeded", 2)], "the second try")
    assert conn.execute("select count(*) from failed_login").fetchall() == [(1,)]


def test_a_job_that_never_succeeds_is_seen_and_can_be_tried_again(
    api: Api, conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    good = False

    @jobs.task("stubborn", retries=2)
    def stubborn(conn: Conn) -> None:
        if not good:
            raise RuntimeError("no")

    jobs.defer(conn, "stubborn")
    start()
    until(lambda: states(conn, "stubborn")[0][0] == "failed", "giving up")
    (job,) = api.get("/api/v1/jobs", params={"state": "failed"}).json()["items"]
    assert (job["task"], job["attempts"]) == ("stubborn", 3)
    good = True
    assert api.post(f"/api/v1/jobs/{job['id']}/retry").json()["state"] == "todo"
    until(lambda: states(conn, "stubborn")[0][0] == "succeeded", "the retry")
    assert api.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 409


def test_a_job_that_failed_for_good_says_why_and_opens_an_alert_until_it_is_tried_again(
    api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    good = False

    @jobs.task("stubborn", what="Being stubborn", retries=1)
    def stubborn(conn: Conn, site_id: str) -> None:
        if not good:
            raise KeyError("no\nsuch thing")

    jobs.defer(conn, "stubborn", {"site_id": str(warehouse.site_id)})
    start()
    until(lambda: states(conn, "stubborn")[0][0] == "failed", "giving up")
    (job,) = api.get("/api/v1/jobs", params={"failing": True}).json()["items"]
    assert (job["what"], job["attempts"], job["state"]) == ("Being stubborn", 2, "failed")
    assert job["error"] == r"KeyError: 'no\nsuch thing'"
    assert job["asked_at"] < job["failing_since"] < job["last_event_at"]
    (alert,) = api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]
    assert (alert["kind"], alert["message"]) == (
        "job_failed",
        r"Being stubborn failed after 2 tries: KeyError: 'no\nsuch thing'",
    )
    good = True
    api.post(f"/api/v1/jobs/{job['id']}/retry")
    assert api.get("/api/v1/alerts", params={"state": "open"}).json()["items"] == []
    until(lambda: states(conn, "stubborn")[0][0] == "succeeded", "the retry")
    assert api.get("/api/v1/jobs", params={"failing": True}).json()["items"] == []


def test_the_alert_stays_while_another_job_of_that_work_waits(
    api: Api, conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    @jobs.task("stubborn", retries=0)
    def stubborn(conn: Conn, number: int) -> None:
        raise ValueError(f"no {number}")

    running = start()
    for number in (1, 2):
        jobs.defer(conn, "stubborn", {"number": number})
    until(lambda: [s for s, _ in states(conn, "stubborn")] == ["failed"] * 2, "both to fail")
    running.end()
    second, first = api.get("/api/v1/jobs").json()["items"]
    assert (first["error"], second["error"]) == ("ValueError: no 1", "ValueError: no 2")
    pages = [api.get("/api/v1/jobs", params={"limit": 1}).json()]
    pages.append(api.get("/api/v1/jobs", params={"limit": 1, "cursor": pages[0]["next_cursor"]}).json())
    assert [p["items"][0]["id"] for p in pages] == [second["id"], first["id"]]
    for job, left in ((first, 1), (second, 0)):
        assert api.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 200
        assert len(api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]) == left


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a\x00b \ud800", "ab ?"),
        (
            "no answer from tryton+http://erp:geh%40im@erp:8000/db",
            "no answer from tryton+http://…@erp:8000/db",
        ),
        ("401 for 'https://x.org/hook?token=abc123&n=1'", "401 for 'https://x.org/hook?token=…&n=1'"),
        ("bad conninfo: host=db password=abc123 user=u", "bad conninfo: host=db password=… user=u"),
    ],
)
def test_what_a_job_said_can_be_kept_and_tells_no_secret(
    said: str, shown: str, api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:  # fmt: skip
    @jobs.task("stubborn", retries=0)
    def stubborn(conn: Conn) -> None:
        raise RuntimeError(said)

    jobs.defer(conn, "stubborn")
    start()
    until(lambda: states(conn, "stubborn")[0][0] == "failed", "giving up")
    (job,) = api.get("/api/v1/jobs", params={"failing": True}).json()["items"]
    (alert,) = api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]
    assert (job["error"], alert["message"]) == (shown, f"stubborn failed after 1 tries: {shown}")


def test_the_alert_closes_when_a_job_works_whose_worker_was_killed_while_it_failed(
    api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    @jobs.task("stubborn", retries=0)
    def stubborn(conn: Conn) -> None:
        pass

    jobs.defer(conn, "stubborn")
    ((job_id,),) = conn.execute("select id from procrastinate_jobs where task_name = 'stubborn'").fetchall()
    error = RuntimeError("no")
    failures.note(conn, job_id, tasks["stubborn"], None, error, datetime.now(UTC), tries=1, for_good=True)
    assert len(api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]) == 1
    start()
    until(lambda: states(conn, "stubborn")[0][0] == "succeeded", "the job taken again")
    assert api.get("/api/v1/alerts", params={"state": "open"}).json()["items"] == []


def test_the_alert_stays_for_a_job_that_is_about_to_be_failed(
    api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task]
) -> None:
    """Between the worker's note and the queue's own word another job of that work is tried again."""

    @jobs.task("stubborn", retries=0)
    def stubborn(conn: Conn) -> None:
        pass

    for state in ("failed", "doing"):
        jobs.defer(conn, "stubborn")
        ((job_id,),) = conn.execute("select max(id) from procrastinate_jobs").fetchall()
        conn.execute("update procrastinate_jobs set status = %s where id = %s", [state, job_id])
        error = RuntimeError(state)
        failures.note(conn, job_id, tasks["stubborn"], None, error, datetime.now(UTC), tries=1, for_good=True)
    (failed,) = api.get("/api/v1/jobs", params={"state": "failed"}).json()["items"]
    api.post(f"/api/v1/jobs/{failed['id']}/retry")
    (alert,) = api.get("/api/v1/alerts", params={"state": "open"}).json()["items"]
    assert alert["message"] == "stubborn failed after 1 tries: doing"


def test_the_alert_closes_when_the_failed_job_is_deleted_for_its_age(
    api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task]
) -> None:
    gone = jobs.Task("gone", lambda conn: None, None, False, 0)
    failures.note(conn, 77, gone, None, RuntimeError("no"), datetime.now(UTC), tries=1, for_good=True)
    retention(conn)
    assert api.get("/api/v1/alerts", params={"state": "open"}).json()["items"] == []


def test_a_clock_keeps_one_failed_run_and_none_once_it_works_again(
    api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    good = False

    @jobs.task("tick", what="Ticking", cron="* * * * * *", retries=0)
    def tick(conn: Conn) -> None:
        if not good:
            raise RuntimeError("out of order")

    start()
    until(lambda: [s for s, _ in states(conn, "tick")].count("cancelled") >= 2, "three failed runs")
    # on a slow machine two runs can be under way at once and fail side by side; the next one puts that right
    until(lambda: [s for s, _ in states(conn, "tick")].count("failed") <= 1, "one failed run at most")
    (alert,) = api.get("/api/v1/alerts").json()["items"]
    assert (alert["state"], alert["message"]) == ("open", "Ticking failed after 1 tries: out of order")
    good = True
    until(lambda: api.get("/api/v1/alerts").json()["items"][0]["state"] == "closed", "it works again")
    until(lambda: api.get("/api/v1/jobs", params={"failing": True}).json()["items"] == [], "nothing fails")


def test_a_clocks_run_that_fails_while_the_next_one_waits_leaves_its_tries_to_it(
    api: Api, conn: Conn, warehouse: Warehouse, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    runs: list[int] = []
    go = threading.Event()

    @jobs.task("tick", cron=f"0 0 1 {(datetime.now(UTC).month + 5) % 12 + 1} *", retries=3)  # not by itself
    def tick(conn: Conn) -> None:
        runs.append(1)
        if len(runs) == 1:
            go.wait(30)
            raise RuntimeError("out of order")

    one = "insert into procrastinate_jobs (queue_name, task_name, queueing_lock, scheduled_at) values ('default', 'tick', 'tick', %s)"
    conn.execute(one.encode(), [None])
    start()
    until(lambda: runs == [1], "the first run")
    conn.execute(one.encode(), [datetime.now(UTC) + timedelta(hours=1)])
    go.set()
    until(lambda: states(conn, "tick") == [("succeeded", 1), ("todo", 1)], "the first run to be over")
    (waiting,) = api.get("/api/v1/jobs", params={"failing": True}).json()["items"]
    assert (waiting["state"], waiting["error"]) == ("todo", "out of order")
    conn.execute("update procrastinate_jobs set scheduled_at = now() where status = 'todo'")
    until(lambda: states(conn, "tick") == [("succeeded", 1), ("succeeded", 2)], "the next run")
    assert api.get("/api/v1/jobs", params={"failing": True}).json()["items"] == []


def test_a_failed_run_of_a_clock_is_not_tried_again_while_the_next_one_waits(
    api: Api, conn: Conn, tasks: dict[str, jobs.Task]
) -> None:
    for status in ("failed", "todo"):
        conn.execute(
            "insert into procrastinate_jobs (queue_name, task_name, queueing_lock, status) values ('default', 'tick', 'tick', %s)",
            [status],
        )
    failed, _ = api.get("/api/v1/jobs").json()["items"]
    answer = api.post(f"/api/v1/jobs/{failed['id']}/retry")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert "waits already" in answer.json()["detail"]


def test_every_work_has_words_in_both_languages() -> None:
    worker.load_tasks()
    root = Path(__file__).parents[3]
    known = json.loads((root / "dashboards/src/i18n/sentences.zh.json").read_text(encoding="utf-8"))["words"]
    ours = [task for task in jobs.TASKS.values() if task.run.__module__.startswith("backend.")]
    assert len(ours) > 10
    assert [task.name for task in ours if task.what.lower() not in known] == []


def test_jobs_of_one_lock_run_one_at_a_time_in_order(
    conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    order: list[int] = []
    inside = threading.Semaphore(1)

    @jobs.task("line")
    def line(conn: Conn, number: int) -> None:
        assert inside.acquire(blocking=False), "two at once"
        time.sleep(0.02)
        order.append(number)
        inside.release()

    with conn.transaction():
        for n in range(10):
            jobs.defer(conn, "line", {"number": n}, lock="one")
    start()
    until(lambda: len(order) == 10, "all ten")
    assert order == list(range(10))


def test_a_clock_ticks(conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]) -> None:
    ticks: list[datetime] = []

    @jobs.task("tick", cron="* * * * * *")
    def tick(conn: Conn) -> None:
        ticks.append(datetime.now(UTC))

    start()
    until(lambda: len(ticks) >= 3, "three ticks")


def test_the_worker_lets_a_running_job_finish_when_it_is_stopped(
    conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    begun = threading.Event()

    @jobs.task("long")
    def long(conn: Conn) -> None:
        begun.set()
        time.sleep(1)

    jobs.defer(conn, "long")
    running = start()
    assert begun.wait(30)
    running.end()
    assert states(conn, "long") == [("succeeded", 1)]


def test_the_worker_outlives_a_database_that_throws_it_out(
    database_url: str, conn: Conn, tasks: dict[str, jobs.Task], start: Callable[..., Running]
) -> None:
    done: list[int] = []

    @jobs.task("again")
    def again(conn: Conn) -> None:
        done.append(1)

    jobs.defer(conn, "again")
    start()
    until(lambda: states(conn, "again") == [("succeeded", 1)], "the first job")
    with connect(database_url, as_owner=True, autocommit=True) as owner:
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> all(array[pg_backend_pid(), %s])",
            [conn.info.backend_pid],
        )
    jobs.defer(conn, "again")
    until(lambda: len(done) == 2, "the job after the loss")


def test_every_task_module_can_be_loaded() -> None:
    worker.load_tasks()
    assert {"retention", "telemetry_roll_up", "telemetry_maintain", "telemetry_watch"} <= set(jobs.TASKS)


def test_every_task_that_is_written_somewhere_is_loaded_by_the_worker() -> None:
    worker.load_tasks()
    backend = Path(worker.__file__).parent
    written = {
        name
        for path in backend.rglob("*.py")
        for name in re.findall(r'^@(?:jobs\.)?task\(\s*"(\w+)"', path.read_text(), re.M)
    }
    assert written - set(jobs.TASKS) == set()


def test_a_program_of_the_worker_that_fails_is_started_again(
    tasks: dict[str, jobs.Task], start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[tuple[str, str | None]] = []

    def program(database_url: str, erp_url: str | None, stop: threading.Event) -> None:
        tries.append((database_url, erp_url))
        if len(tries) == 1:
            raise RuntimeError("a bad start")
        stop.wait()

    module = types.ModuleType("bench_program")
    module.run = program  # type: ignore[attr-defined]
    module.__spec__ = importlib.machinery.ModuleSpec("bench_program", None)
    monkeypatch.setitem(sys.modules, "bench_program", module)
    monkeypatch.setattr(worker, "PROGRAMS", ["bench_program:run"])
    start()
    until(lambda: len(tries) == 2, "the second start")


def test_the_broker_follows_the_agents(
    conn: Conn,
    warehouse: Warehouse,
    tasks: dict[str, jobs.Task],
    start: Callable[..., Running],
    tmp_path: Path,
) -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    broker = EmbeddedBroker(tmp_path / "broker", tmp_path / "access")
    broker.start()
    try:
        start(mqtt_access_dir=tmp_path / "access")
        sender = new_sender(conn, warehouse)

        def may_log_in() -> bool:
            assert broker.port is not None
            return can_log_in("127.0.0.1", broker.port, "HEL1/dock", sender.secret)

        until(may_log_in, "the agent's account")
        with conn.transaction():
            devices.revoke_agent(conn, warehouse.ctx(), sender.agent_id)
        until(lambda: not may_log_in(), "the end of the account")
    finally:
        broker.stop()


def test_retention_takes_what_is_old_and_leaves_the_rest(conn: Conn, api: Api, database_url: str) -> None:
    with connect(database_url, as_owner=True, autocommit=True) as owner:
        owner.execute(
            "insert into failed_login (username, at) select 'x', now() - n * interval '1 day' from generate_series(0, 9) n"
        )
        owner.execute(
            """insert into idempotency_key (principal, route, key, body_hash, expires_at)
               select gen_random_uuid(), 'r', 'k', '', now() + n * interval '1 hour' from generate_series(-5, 4) n"""
        )
        owner.execute(
            "insert into procrastinate_jobs (queue_name, task_name, status) values ('default', 'old', 'succeeded'), ('default', 'fresh', 'succeeded'), ('default', 'bad', 'failed')"
        )
        owner.execute(
            "insert into procrastinate_events (job_id, type, at) select id, 'succeeded', case when task_name = 'fresh' then now() else now() - interval '1 day' end from procrastinate_jobs"
        )
    retention(conn)
    assert conn.execute("select count(*) from failed_login").fetchall() == [(1,)]
    assert conn.execute(
        "select min(expires_at) > now() - interval '1 second' from idempotency_key"
    ).fetchall() == [(True,)]
    assert conn.execute("select task_name from procrastinate_jobs order by 1").fetchall() == [
        ("bad",),
        ("fresh",),
    ]
    assert api.get("/api/v1/auth/me").status_code == 200


def test_retention_keeps_sessions_that_live(conn: Conn, api: Api) -> None:
    conn.execute("update access_token set expires_at = %s", [datetime.now(UTC) - timedelta(days=1)])
    retention(conn)
    assert conn.execute("select count(*) from access_token").fetchall() == [(1,)]
    conn.execute("update access_token set expires_at = %s", [datetime.now(UTC) - timedelta(days=9)])
    retention(conn)
    assert conn.execute("select count(*) from access_token").fetchall() == [(0,)]
