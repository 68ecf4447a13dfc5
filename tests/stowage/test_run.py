"""`stowage run` as a person meets it: one process to start, watch, stop and kill. Real parts, no demo, no ERP."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from stowage import run as running
from stowage.config import Settings
from stowage.parts import PartFailed
from stowage.parts.ports import free_port
from stowage.parts.postgres import EmbeddedPostgres
from stowage.parts.tryton import Tryton
from stowage.run import CannotRun, Keeper, Progress, Run, check_port, limit_logs

REPOSITORY = Path(__file__).parents[2]


def until(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Started:
    """`stowage run --empty` as a process of its own."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.data_dir = folder / "data"
        self.port = free_port()
        screens = folder / "screens"
        (screens / "assets").mkdir(parents=True, exist_ok=True)
        (screens / "index.html").write_text("<!doctype html><title>Stowage</title>")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_")}
        environment |= {
            "STOWAGE_DATA_DIR": str(self.data_dir),
            "STOWAGE_HTTP_PORT": str(self.port),
            "STOWAGE_ERP_URL": "none",
            "STOWAGE_ROADS_URL": "none",
            "STOWAGE_WEB_ROOT": str(screens),
            **more,
        }
        environment = {k: v for k, v in environment.items() if v}  # "" unsets what is set here
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stowage", "run", "--empty"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""

    def read_until(self, words: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return self.said
        raise AssertionError(f"it ended without saying {words!r}:\n{self.said}")

    def rest(self) -> str:
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        self.process.wait(30)
        return self.said

    def processes(self) -> dict[int, str]:
        """Every process that belongs to this run: by its environment, or by where it stands."""
        mark = f"STOWAGE_DATA_DIR={self.data_dir}".encode()
        found: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            try:
                ours = mark in (entry / "environ").read_bytes()
                inside = (entry / "cwd").readlink().is_relative_to(self.data_dir)
                if entry.name.isdigit() and (ours or inside):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def program(self, words: str) -> int:
        return next(pid for pid, command in self.processes().items() if words in command)

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()

    def logs_in(self, username: str, password: str) -> bool:
        body = json.dumps({"username": username, "password": password}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": os.urandom(8).hex()}
        url = f"http://127.0.0.1:{self.port}/api/v1/auth/login"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
                return "token" in json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code != 401

    def answers(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    all_of_them: list[Started] = []

    def start_one(**more: str) -> Started:
        all_of_them.append(Started(tmp_path, **more))
        return all_of_them[-1]

    yield start_one
    for one in all_of_them:
        one.close()
    for one in all_of_them:
        assert until(lambda one=one: one.processes() == {}), one.processes()  # type: ignore[misc]


def test_it_says_each_step_answers_at_its_address_and_ctrl_c_leaves_nothing_behind(
    start: Callable[..., Started],
) -> None:
    one = start()
    said = one.read_until("Logs:")
    for step in ("embedded PostgreSQL", "127.0.0.1:", "migrations applied", "api", f":{one.port}/"):
        assert step in said
    assert one.get("/readyz") == (200, "ready")
    account = re.search(r"shown only now:  (\S+) / (\S+)", said)
    assert account is not None
    assert one.logs_in(account[1], account[2])
    assert not one.logs_in(account[1], "guessed")
    assert "<title>Stowage</title>" in one.get("/")[1]
    assert (one.data_dir / "logs" / "api.log").exists()
    assert len(one.processes()) > 3
    one.process.send_signal(signal.SIGINT)
    said = one.rest()
    assert one.process.returncode == 0
    assert "Traceback" not in said
    assert one.processes() == {}


def test_the_next_run_goes_on_where_the_last_one_stopped(start: Callable[..., Started]) -> None:
    first = start()
    first.read_until("Logs:")
    database = EmbeddedPostgres(first.data_dir / "postgres").url()
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    first.close()
    second = start()
    said = second.read_until("Logs:")
    assert "up to date" in said
    assert "shown only now" not in said
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_kill_9_of_the_supervisor_takes_everything_with_it(start: Callable[..., Started]) -> None:
    one = start()
    one.read_until("Logs:")
    assert len(one.processes()) > 3
    one.process.kill()
    one.process.wait()
    assert until(lambda: one.processes() == {}), one.processes()
    again = start()
    again.read_until("Logs:")


@pytest.mark.parametrize("victim", ["-m stowage api", "postgres -D", "broker/mosquitto.conf"])
def test_what_dies_is_started_again(start: Callable[..., Started], victim: str) -> None:
    one = start(STOWAGE_BROKER="auto")
    one.read_until("Logs:")
    words = victim if any(victim in command for command in one.processes().values()) else "amqtt_broker"
    before = one.program(words)
    os.kill(before, signal.SIGKILL)
    one.read_until("up again")
    assert until(one.answers)
    assert one.program(words) != before


@pytest.mark.usefixtures("helsinki_map_dir")
def test_the_roads_come_up_beside_the_rest_and_again_when_they_die(start: Callable[..., Started]) -> None:
    one = start(STOWAGE_ROADS_URL="")
    said = one.read_until("Logs:")
    if "deliveries can be planned" not in said:
        one.read_until("deliveries can be planned")
    assert json.loads(one.get("/api/v1/map")[1])["name"] == "Helsinki"
    before = one.program("osrm-routed")
    os.kill(before, signal.SIGKILL)
    one.read_until("roads     up again")
    assert one.program("osrm-routed") != before
    assert len([c for c in one.processes().values() if "osrm-routed" in c]) == 1


def test_a_port_in_use_is_said_with_who_uses_it_and_what_to_do(start: Callable[..., Started]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = start(STOWAGE_HTTP_PORT=str(port))
        said = one.rest()
    assert one.process.returncode == 1
    assert f"port {port} is in use by" in said
    assert f"(process {os.getpid()})" in said
    assert "STOWAGE_HTTP_PORT=" in said
    assert "Traceback" not in said


def test_a_second_run_on_the_same_data_is_refused(start: Callable[..., Started]) -> None:
    first = start()
    first.read_until("Logs:")
    second = start()
    said = second.rest()
    assert f"already runs with the data folder {first.data_dir} (process {first.process.pid})" in said
    assert "Traceback" not in said
    assert first.answers()


def test_a_database_of_a_newer_version_is_refused_in_words(start: Callable[..., Started]) -> None:
    first = start()
    first.read_until("Logs:")
    with psycopg.connect(EmbeddedPostgres(first.data_dir / "postgres").url()) as connection:
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_from_the_future', '')")
    first.close()
    second = start()
    said = second.rest()
    assert second.process.returncode == 1
    assert "newer Stowage" in said
    assert "Traceback" not in said


def test_a_wrong_setting_ends_it_before_anything_starts(start: Callable[..., Started]) -> None:
    one = start(STOWAGE_HTTP_PROT="1")
    said = one.rest()
    assert one.process.returncode == 2
    assert "did you mean http_port?" in said
    assert not one.data_dir.exists()


def test_your_own_database_and_broker_are_used_instead(start: Callable[..., Started], tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "mine", durable=False) as url:
        one = start(STOWAGE_DATABASE_URL=url, STOWAGE_MQTT_URL="mqtt://me:secret@127.0.0.1:1")
        said = one.read_until("Logs:")
        assert "yours: postgresql://stowage@" in said
        assert "secret" not in said
        assert not (one.data_dir / "postgres").exists()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) > 0 FROM schema_migration").fetchone() == (True,)
        one.close()


def test_a_database_that_does_not_answer_is_said_in_words(start: Callable[..., Started]) -> None:
    one = start(STOWAGE_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    said = one.rest()
    assert "the database does not answer" in said
    assert "secret" not in said
    assert "Traceback" not in said


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SPACE_NEEDED", 1 << 60)
    with pytest.raises(CannotRun, match="MB free and Stowage needs"):
        Run(Settings(data_dir=tmp_path / "data"), demo=False, say=Progress()).start()


def test_a_data_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="cannot be used"):
        Run(Settings(data_dir=tmp_path / "file" / "data"), demo=False, say=Progress()).start()


def test_an_address_of_another_machine_is_refused_in_words() -> None:
    with pytest.raises(CannotRun, match="cannot listen on"):
        check_port("192.0.2.1", free_port())


class Failing:
    """A part that fails to start a few times, then runs."""

    name = "failing"

    def __init__(self, times: int) -> None:
        self.starts = 0
        self.times = times

    def start(self) -> str:
        self.starts += 1
        if self.starts <= self.times:
            raise PartFailed("not yet")
        return "url"

    def running(self) -> bool:
        return self.starts > self.times

    def ready(self) -> bool:
        return self.running()

    def stop(self) -> None:
        pass

    def describe(self) -> str:
        return ""


def test_a_part_that_comes_up_late_is_tried_again_with_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "PAUSE_S", 0.01)
    part = Failing(3)
    up: list[str] = []
    keeper = Keeper(part, Progress(), on_up=up.append)
    keeper.start()
    assert until(lambda: up == ["url"])
    assert part.starts == 4
    keeper.stop()


def test_a_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"a" * 2000)
        writer.flush()
        limit_logs(tmp_path, limit=1000)
        writer.write(b"new\n")
        writer.flush()
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "x.log.1").stat().st_size == 2000


def test_an_erp_that_comes_up_while_the_screens_are_built_is_not_forgotten(tmp_path: Path) -> None:
    everything = Run(Settings(data_dir=tmp_path), demo=False, say=Progress())

    def build() -> Path:
        everything._erp_is_up("tryton+http://127.0.0.1:8000/tryton")
        return tmp_path

    screens = running._InBackground("screens", build)
    everything._learn(web_root=screens.result())
    assert (everything.settings.web_root, everything.settings.erp_url) == (
        tmp_path,
        "tryton+http://127.0.0.1:8000/tryton",
    )


def test_screens_that_take_too_long_hold_nothing_up_and_are_served_once_they_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "SCREENS_PATIENCE_S", 0.1)
    said = io.StringIO()
    everything = Run(Settings(data_dir=tmp_path), demo=False, say=Progress(said))
    api = Failing(-1)  # it never fails, and it runs already
    api.name = "api"
    keeper = Keeper(api, everything.say)
    everything._kept.append(keeper)
    built = threading.Event()
    screens: running._InBackground[Path | None] = running._InBackground(
        "screens", lambda: tmp_path if built.wait(30) else None
    )
    everything._wait_for_screens(screens)
    assert everything.settings.web_root is None
    assert "going on without them" in said.getvalue()
    keeper.start(already_up=True)
    built.set()
    assert until(lambda: api.starts == 1)
    assert everything.settings.web_root == tmp_path
    keeper.stop()


def test_the_erps_address_is_known_before_it_is_started(tmp_path: Path) -> None:
    told = Tryton(tmp_path).url
    assert Tryton(tmp_path).url == told  # to the next run, too
    assert (tmp_path / "tryton" / "password").stat().st_mode & 0o077 == 0
