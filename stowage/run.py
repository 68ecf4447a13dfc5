"""`stowage run`: one command that starts everything, keeps it running, and ends it cleanly.

The parts the user has not replaced (database, broker, ERP) and our own programs are children of this process;
each has a keeper that starts it again when it dies. Nothing started here outlives this process, kill -9 included.
The order of start is the order of `Run.start`; the order of stop is its reverse. To add a program: one line in
`Run._programs`.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Generic, TypeVar

from stowage.config import NO_ERP, NO_ROADS, Settings, to_environment, without_password
from stowage.parts import Part, PartFailed
from stowage.parts.broker import EmbeddedBroker
from stowage.parts.child import Child, last_lines, spawn, wait_until
from stowage.parts.node import build_screens
from stowage.parts.postgres import EmbeddedPostgres

T = TypeVar("T")
SPACE_NEEDED = 500 * 1024 * 1024
LOG_LIMIT = 20 * 1024 * 1024
DASHBOARDS = Path(__file__).parents[1] / "dashboards"


class CannotRun(Exception):
    """The run cannot start. The text is one sentence that says what to do."""


class Progress:
    """One line a step, with the time since the start: who watches knows what is being waited for."""

    def __init__(self, out: IO[str] = sys.stdout) -> None:
        self._out = out
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, name: str, text: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):  # a closed terminal must not end the run
            print(f"{time.monotonic() - self._started:6.1f} s  {name:<9} {text}", file=self._out, flush=True)

    def plain(self, text: str = "") -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            print(text, file=self._out, flush=True)


class Program:
    """One of our own programs (`stowage api`, `stowage worker`, ...) in the shape of a part."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: Callable[[], Mapping[str, str]],
        log: Path,
        *,
        is_ready: Callable[[], bool] | None = None,
        why_not: Callable[[], str] = lambda: "",
    ) -> None:
        self.name = name
        self._why_not = why_not
        self.log = log
        self._arguments = arguments
        self._environment = environment
        self._is_ready = is_ready
        self._child: Child | None = None

    def start(self) -> str:
        command = [sys.executable, "-m", "stowage", *self._arguments]
        self._child = spawn(command, log=self.log, env=self._environment())
        if self._is_ready is not None and not wait_until(self._is_ready, 90, while_running=self._child):
            why = self._why_not() or last_lines(self.log)
            self.stop()
            raise PartFailed(f"{self.name} did not start: {why} (see {self.log})")
        return ""

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def ready(self) -> bool:
        return self.running() and (self._is_ready is None or self._is_ready())

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(patience_s=10)
            self._child = None

    def describe(self) -> str:
        return "running"


class Keeper:
    """Keeps one part running: starts it again when it ends, waiting longer each time it fails soon."""

    PAUSE_S, LONGEST_PAUSE_S, HEALTHY_S = 0.5, 30.0, 60.0

    def __init__(self, part: Part, say: Progress, *, on_up: Callable[[str], None] | None = None) -> None:
        self.part = part
        self.restarts = 0
        self._say = say
        self._on_up = on_up
        self._stop = threading.Event()
        self._restart = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, *, already_up: bool = False) -> None:
        self._thread = threading.Thread(target=self._keep, args=[already_up], name=f"keep-{self.part.name}")
        self._thread.daemon = True
        self._thread.start()

    def restart(self) -> None:
        """Start it anew, because what it was started with has changed."""
        self._restart.set()

    def stop(self) -> None:
        """Ends the part first, so that a start in progress is cut short, then waits for the keeper."""
        self._stop.set()
        self.part.stop()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self.part.stop()

    def _keep(self, up: bool) -> None:
        pause_s = self.PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            if not up:  # what changed while it was being started counts
                self._restart.clear()
            try:
                if not up:
                    url = self.part.start()
                    if self._on_up is not None and not self._stop.is_set():
                        self._on_up(url)
                    if self.restarts:
                        self._say(self.part.name, "up again")
                up = False
                while self.part.running() and not self._restart.is_set() and not self._stop.wait(0.2):
                    pass
                why = "ended"
            except PartFailed as e:
                why = str(e)
            if self._stop.is_set():
                break
            self.restarts += 1
            if self._restart.is_set():
                self.part.stop()
                continue
            if time.monotonic() - began > self.HEALTHY_S:
                pause_s = self.PAUSE_S
            self._say(self.part.name, f"{why}; starting it again in {pause_s:g} s")
            self._stop.wait(pause_s)
            pause_s = min(pause_s * 2, self.LONGEST_PAUSE_S)


@dataclass
class Places:
    """Where the run keeps things, below the data folder."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def edge(self) -> Path:
        """Agent configurations (`*.toml`); an agent is run for each."""
        return self.root / "edge"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


class Run:
    """Everything `stowage run` has started."""

    SCREENS_PATIENCE_S = 150.0

    def __init__(self, settings: Settings, *, demo: bool, say: Progress) -> None:
        self.settings = settings
        self.demo = demo
        self.say = say
        self.places = Places(settings.data_dir.absolute())
        self.stop_asked = False  # set by a signal handler, where an Event could deadlock with its own wait
        self._kept: list[Keeper] = []
        self._lock: IO[str] | None = None
        self._edge: dict[Path, Keeper] = {}
        self.administrator: tuple[str, str] | None = None
        self._learning = threading.Lock()

    # --- start ---

    def start(self) -> None:
        """Everything but the ERP is up when this returns. Raises CannotRun, PartFailed."""
        self._prepare()
        screens = _InBackground("screens", self._screens)
        database = _InBackground("database", self._database)
        broker = _InBackground("broker", self._broker)
        self._learn(database_url=database.result())
        self._migrate()
        self._learn(mqtt_url=broker.result())
        self._erp()
        self._roads()
        self._prepare_world()
        self._wait_for_screens(screens)
        self._programs()

    def _learn(self, **found: object) -> None:
        """Takes up what a part turned out to be. Parts come up side by side; none may undo what another said."""
        with self._learning:
            self.settings = replace(self.settings, **found)  # type: ignore[arg-type]

    def start_devices(self) -> None:
        """The demo and its agents alone. Raises CannotRun, PartFailed."""
        self._prepare(serves_http=False)
        self._prepare_world()
        self._demo()
        self._agents()

    def _prepare(self, *, serves_http: bool = True) -> None:
        root = self.places.root
        try:
            for folder in (root, self.places.logs, self.places.edge):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(root).free
        except OSError as e:
            raise CannotRun(
                f"the data folder {root} cannot be used: {e.strerror}; set STOWAGE_DATA_DIR"
            ) from e
        if free < SPACE_NEEDED:
            raise CannotRun(
                f"the disk of {root} has {free // 2**20} MB free and Stowage needs {SPACE_NEEDED // 2**20} MB; "
                "free some space, or set STOWAGE_DATA_DIR to a folder on another disk"
            )
        self._take_lock()
        if serves_http:
            check_port(self.settings.http_host, self.settings.http_port)
        self.settings = replace(
            self.settings,
            data_dir=root,
            mqtt_access_dir=(self.settings.mqtt_access_dir or root / "mqtt-access").absolute(),
        )

    def _take_lock(self) -> None:
        path = self.places.root / "run.lock"
        lock = path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            who = lock.read().strip() or "unknown"
            lock.close()
            raise CannotRun(
                f"Stowage already runs with the data folder {self.places.root} (process {who}); "
                "stop it with Ctrl-C there, or set STOWAGE_DATA_DIR to another folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _screens(self) -> Path | None:
        if self.settings.web_root is not None or not (DASHBOARDS / "package.json").exists():
            return self.settings.web_root
        try:
            built = build_screens(DASHBOARDS, self.places.log("screens"), lambda t: self.say("screens", t))
        except PartFailed as e:
            self.say("screens", f"{e}; going on without them")
            return None
        self.say("screens", f"built, in {built}")
        return built

    def _wait_for_screens(self, screens: _InBackground[Path | None]) -> None:
        """A package registry that does not answer must not hold the warehouse up: the API starts without screens and
        is started anew when they are there."""
        if screens.is_done_within(self.SCREENS_PATIENCE_S):
            self._learn(web_root=screens.result())
            return
        log = self.places.log("screens")
        self.say("screens", f"not ready yet; going on without them, they appear by themselves (see {log})")

        def take_up() -> None:
            if (built := screens.result()) is not None:
                self._learn(web_root=built)
                self._restart("api")

        threading.Thread(target=take_up, name="late-screens", daemon=True).start()

    def _restart(self, *names: str) -> None:
        for keeper in list(self._kept):
            if keeper.part.name in names:
                keeper.restart()

    def _database(self) -> str:
        if self.settings.database_url is not None:
            self.say("database", f"yours: {without_password(self.settings.database_url)}")
            return self.settings.database_url
        self.say("database", "starting")
        part = EmbeddedPostgres(self.places.root / "postgres", log=self.places.log("postgres"))
        return self._keep(part, part.start())

    def _broker(self) -> str:
        if self.settings.mqtt_url is not None:
            self.say("broker", f"yours: {without_password(self.settings.mqtt_url)}")
            return self.settings.mqtt_url
        assert self.settings.mqtt_access_dir is not None
        self.say("broker", "starting")
        part = EmbeddedBroker(
            self.places.root / "broker",
            self.settings.mqtt_access_dir,
            kind=self.settings.broker,
            log=self.places.log("broker"),
        )
        return self._keep(part, part.start())

    def _keep(self, part: Part, url: str) -> str:
        keeper = Keeper(part, self.say)
        self._kept.append(keeper)
        keeper.start(already_up=True)
        self.say(part.name, part.describe())
        return url

    def _migrate(self) -> None:
        from backend.migrate import migrate

        assert self.settings.database_url is not None
        applied = migrate(self.settings.database_url)
        self.say("schema", f"{len(applied)} migrations applied" if applied else "up to date")

    def _erp(self) -> None:
        if self.settings.erp_url is not None:
            what = "none" if self.settings.erp_url == NO_ERP else without_password(self.settings.erp_url)
            self.say("erp", f"yours: {what}" if what != "none" else "none, as you asked")
            return
        from stowage.parts.tryton import Tryton

        cache = self.settings.tryton_cache
        part = Tryton(self.places.root, progress=lambda text: self.say("erp", text), cache_dir=cache)
        try:
            self._learn(erp_url=part.url)  # beforehand: nobody needs a restart when it is up
        except PartFailed as e:
            self.say("erp", str(e))
            return
        keeper = Keeper(part, self.say, on_up=self._erp_is_up)
        self._kept.append(keeper)
        keeper.start()

    def _erp_is_up(self, url: str) -> None:
        if url != self.settings.erp_url:
            self._learn(erp_url=url)
            self._restart("api", "worker", "demo")  # somebody took the port that they were told
        elif self.settings.database_url is not None:
            import psycopg

            from backend.db import DatabaseUnreachable, connect
            from backend.integration.erp.send import try_now

            lost = contextlib.suppress(DatabaseUnreachable, psycopg.Error)
            with lost, connect(self.settings.database_url) as conn:
                try_now(conn)
        self.say("erp", "up; postings flow")

    def _roads(self) -> None:
        """In the background, like the ERP: a warehouse works without roads, only deliveries cannot be planned."""
        settings = self.settings
        if settings.roads_url is not None:
            self.say(
                "roads",
                "none, as you asked" if settings.roads_url == NO_ROADS else f"yours: {settings.roads_url}",
            )
            if settings.map_dir is None and settings.roads_url != NO_ROADS:
                self.say(
                    "roads",
                    "set STOWAGE_MAP_DIR, too: there is no map for the screens and no address is known",
                )
            return
        from stowage.parts.roads import Roads

        part = Roads(
            self.places.root,
            map_dir=settings.map_dir,
            progress=lambda text: self.say("roads", text),
            cache_dir=settings.tryton_cache,
        )
        try:
            self._learn(
                roads_url=part.url, map_dir=part.map_dir
            )  # beforehand: nobody needs a restart when it is up
        except PartFailed as e:
            self.say("roads", str(e))
            return
        keeper = Keeper(part, self.say, on_up=self._roads_are_up)
        self._kept.append(keeper)
        keeper.start()

    def _roads_are_up(self, url: str) -> None:
        if url != self.settings.roads_url:
            self._learn(roads_url=url)
            self._restart("api", "worker", "ingest", "demo")  # somebody took the port that they were told
        self.say("roads", "up; deliveries can be planned")

    def _prepare_world(self) -> None:
        """Where the demo lays its seed: sites, places, items, people, agents (their files in `edge/`)."""
        if self.demo and find_spec("stowage.demo.seed") is not None:
            from stowage.demo import seed

            self.say("demo", "laying the warehouse")
            try:
                seed.prepare(self.settings)
            except seed.NotOurWarehouse as e:
                raise CannotRun(str(e)) from e
        self._first_administrator()

    def _first_administrator(self) -> None:
        """A new system without the demo has nobody who could log in: make one, and say so at the end."""
        from backend.auth.administrator import make_administrator, nobody_can_log_in
        from backend.db import connect

        assert self.settings.database_url is not None
        with connect(self.settings.database_url) as connection:
            if nobody_can_log_in(connection):
                self.administrator = ("admin", make_administrator(connection, "admin"))

    def _programs(self) -> None:
        self._program("ingest", ["ingest"])
        self._program("worker", ["worker"])
        self._program("api", ["api"], is_ready=self._api_is_ready, why_not=self._why_the_api_is_not_ready)
        self._demo()
        self._agents()

    def _demo(self) -> None:
        if self.demo and find_spec("stowage.demo.run") is not None:
            self._program("demo", ["demo"])

    def _program(
        self,
        name: str,
        arguments: list[str],
        *,
        is_ready: Callable[[], bool] | None = None,
        why_not: Callable[[], str] = lambda: "",
    ) -> Keeper:
        log = self.places.log(name)
        program = Program(name, arguments, self._environment, log, is_ready=is_ready, why_not=why_not)
        keeper = Keeper(program, self.say)
        self._kept.append(keeper)
        program.start()
        keeper.start(already_up=True)
        self.say(name, program.describe())
        return keeper

    def _agents(self) -> None:
        """An agent for each configuration in `edge/`; new ones are noticed while running."""
        for path in sorted(self.places.edge.glob("*.toml")):
            if path not in self._edge:
                name = f"edge-{path.stem}"
                self._edge[path] = self._program(name, ["edge", "--config", str(path)])

    def _environment(self) -> dict[str, str]:
        ours = to_environment(self.settings)
        return {**os.environ, "PYTHONUNBUFFERED": "1", **ours}

    def _api_is_ready(self) -> bool:
        return get(self.settings.http_host, self.settings.http_port, "/readyz")[0] == 200

    def _why_the_api_is_not_ready(self) -> str:
        return get(self.settings.http_host, self.settings.http_port, "/readyz")[1]

    @property
    def address(self) -> str:
        host = "127.0.0.1" if self.settings.http_host in ("0.0.0.0", "::") else self.settings.http_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.http_port}/"

    # --- while it runs ---

    def watch(self) -> None:
        """Returns when the stop is asked for. Looks after log sizes and new agents."""
        turns = 0
        while not self.stop_asked:
            time.sleep(0.1)
            turns += 1
            if turns % 20 == 0:
                limit_logs(self.places.logs)
                with contextlib.suppress(PartFailed):
                    self._agents()

    # --- stop ---

    def stop(self) -> None:
        """The reverse of the start: who makes work, then who does it, then what it is kept in."""
        for keeper in reversed(self._kept):
            keeper.stop()
            self.say(keeper.part.name, "stopped")
        self._kept.clear()
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None


class _InBackground(Generic[T]):
    """A step that runs beside others; `result` raises what it raised."""

    def __init__(self, name: str, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as e:  # noqa: BLE001 - handed to the waiting thread
            self._error = e

    def is_done_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]


def run(settings: Settings, *, demo: bool = True) -> None:
    """Start, print the address, wait for Ctrl-C or SIGTERM, stop. Raises CannotRun, PartFailed and whatever
    sentence the migration has."""
    everything = Run(settings, demo=demo, say=Progress())
    _until_asked_to_stop(everything, everything.start, _welcome)


def run_devices(settings: Settings) -> None:
    """Only the demo's devices, people and agents, for a backend that runs elsewhere."""
    if settings.database_url is None or settings.mqtt_url is None:
        raise CannotRun("set STOWAGE_DATABASE_URL and STOWAGE_MQTT_URL to those of the backend")
    everything = Run(settings, demo=True, say=Progress())
    _until_asked_to_stop(everything, everything.start_devices, lambda _: None)


def _until_asked_to_stop(everything: Run, start: Callable[[], None], when_up: Callable[[Run], None]) -> None:
    say = everything.say
    asked = 0

    def on_signal(number: int, _: object) -> None:
        nonlocal asked
        asked += 1
        everything.stop_asked = True
        if asked == 1 and starting:
            raise KeyboardInterrupt
        if asked > 2:
            os._exit(130)  # the kernel ends the children

    starting = True
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    stop_with_parent()
    try:
        start()
        starting = False
        when_up(everything)
        everything.watch()
        say.plain()
    except KeyboardInterrupt:
        say.plain()
    finally:
        starting = False
        everything.stop()


def _welcome(everything: Run) -> None:
    say = everything.say
    say.plain()
    say.plain(f"Stowage is running:  {everything.address}")
    if everything.demo and find_spec("stowage.demo.seed") is not None:
        from stowage.demo import seed

        say.plain("Demo accounts (name / password):")
        for account in seed.ACCOUNTS:
            say.plain(f"  {account.username:<12} {account.password:<16} {account.role}")
        port = seed.read_world(everything.settings).webhook_port
        say.plain(f"The demo's CRM, which takes the signed webhooks:  http://127.0.0.1:{port}/")
    if everything.administrator is not None:
        name, password = everything.administrator
        say.plain(f"The first account, shown only now:  {name} / {password}   (another: stowage admin NAME)")
    say.plain(f"Logs:  {everything.places.logs}     Stop:  Ctrl-C     Forget everything:  make clean")
    say.plain()


def stop_with_parent() -> None:
    """Under `make run` we end when make is killed, not only when it passes Ctrl-C on."""
    if os.environ.get("STOWAGE_STOP_WITH_PARENT"):
        import ctypes

        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)  # PR_SET_PDEATHSIG


def check_port(host: str, port: int) -> None:
    """Raises CannotRun when somebody listens there, saying who."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except PermissionError as e:
        raise CannotRun(f"port {port} needs root; set STOWAGE_HTTP_PORT to a port above 1023") from e
    except OSError as e:
        if e.errno != 98:  # EADDRINUSE
            raise CannotRun(f"cannot listen on {host}:{port}: {e.strerror}; set STOWAGE_HTTP_HOST") from e
        raise CannotRun(
            f"port {port} is in use{_used_by(port)}; stop that program, or choose another port: "
            f"STOWAGE_HTTP_PORT={port + 1} make run"
        ) from e


def _used_by(port: int) -> str:
    """` by NAME (process PID)` for the listener on a TCP port, as far as we may see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{words[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if any(os.readlink(handle) in inodes for handle in (process / "fd").iterdir()):
                    return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def get(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and first words of an HTTP GET on this machine; 0 where nobody answers."""
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(300).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def limit_logs(folder: Path, limit: int = LOG_LIMIT) -> None:
    """Keeps each log below the limit: what is above is moved to `.1`, one generation."""
    with contextlib.suppress(OSError):
        for log in folder.glob("*.log"):
            if log.stat().st_size > limit:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)  # the writers append, so they go on at the new end
