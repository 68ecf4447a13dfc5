"""The embedded ERP: Tryton 8.0 as a server of its own, in its own virtual environment, never imported by us.

The environment and a prepared database (company, warehouse, partners, the demo's products; no stock) are made once and
kept in a cache folder named by the hash of what they are made from, so a second run or a test copies a 6 MB file
instead of installing. `STOWAGE_TRYTON_CACHE` names the cache, else `~/.cache/stowage`, else the data folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from backend.private import write_private
from stowage.parts import PartFailed
from stowage.parts.child import Child, last_lines, spawn, wait_until
from stowage.parts.ports import remembered_port

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "tryton.txt"
CATALOG = ROOT / "stowage" / "demo" / "catalog.toml"
FIXTURES = Path(__file__).with_name("tryton_fixtures.py")
DATABASE = "tryton"
LOGIN = "stowage"
MODULES = ("stock", "purchase", "sale", "stock_lot")
_PREPARED_WITH = "prepared"
"""Password of the integration account inside the cached database; every copy gets its own at its first start."""


class Tryton:
    """The ERP as a part of `stowage run`. `start` prepares what is missing, says each step to `progress`."""

    name = "tryton"

    def __init__(
        self,
        data_dir: Path,
        *,
        progress: Callable[[str], None] = lambda step: None,
        cache_dir: Path | None = None,
    ) -> None:
        self.data_dir = data_dir / "tryton"
        self._progress = progress
        self._cache_dir = cache_dir
        self._child: Child | None = None
        self._port: int | None = None

    # --- the shape of a part -----------------------------------------------------------------------------

    def start(self) -> str:
        environment = prepare(self._cache_dir or default_cache_dir(self.data_dir.parent), self._progress)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        database = self.data_dir / "database" / f"{DATABASE}.sqlite"
        if not database.exists():
            self._progress("copying the prepared ERP database")
            database.parent.mkdir(exist_ok=True)
            unfinished = database.with_suffix(".unfinished")
            shutil.copyfile(environment / f"{DATABASE}.sqlite", unfinished)
            self._knows_password.unlink(missing_ok=True)
            unfinished.replace(database)
        self._choose_address()
        config = self._write_config()
        if not self._knows_password.exists():
            self._set_password(environment, config)
        self._progress("starting the ERP server")
        self._child = spawn(
            _python(environment, "trytond", "-c", config, "-d", DATABASE),
            log=self.data_dir / "trytond.log",
            env=_child_environment(),
        )
        if not wait_until(self.ready, 90, while_running=self._child) or not self._child.running():
            why = last_lines(self.data_dir / "trytond.log")
            self.stop()
            self._port = None  # somebody may have taken it
            raise PartFailed(
                f"the ERP server (Tryton) did not start: {why or 'no output'}; see {self.data_dir / 'trytond.log'}"
            )
        return self.url

    @property
    def url(self) -> str:
        """What STOWAGE_ERP_URL would be for this server; known before it is started. Raises PartFailed."""
        self._choose_address()
        return f"tryton+http://{LOGIN}:{self._password()}@127.0.0.1:{self._port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def ready(self) -> bool:
        """It answers which series it is, and the database is among those it serves."""
        if self._port is None:
            return False
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            question = json.dumps({"id": 1, "method": "common.db.list", "params": []})
            connection.request("POST", "/rpc/", question, {"Content-Type": "application/json"})
            return DATABASE in json.loads(connection.getresponse().read()).get("result", [])
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(patience_s=5)
            self._child = None

    def describe(self) -> str:
        return f"Tryton 8.0 (GPL-3, a server of its own), http://127.0.0.1:{self._port}/ database {DATABASE}, data in {self.data_dir}"

    # --- steps ---------------------------------------------------------------------------------------------

    def _choose_address(self) -> None:
        if self._port is None:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._port = remembered_port(self.data_dir / "port")

    def _password(self) -> str:
        """Of this data folder's own, for the integration account."""
        file = self.data_dir / "password"
        if not file.exists():
            self._knows_password.unlink(missing_ok=True)
            write_private(file, secrets.token_urlsafe(18))
        return file.read_text(encoding="utf-8").strip()

    @property
    def _knows_password(self) -> Path:
        return self.data_dir / "knows-password"

    def _write_config(self) -> Path:
        config = self.data_dir / "trytond.conf"
        config.write_text(
            f"[database]\nuri = sqlite://\npath = {self.data_dir / 'database'}\nlist = True\n"
            f"[web]\nlisten = 127.0.0.1:{self._port}\n"
            "[session]\nmax_attempt = 50\n",
            encoding="utf-8",
        )
        return config

    def _set_password(self, environment: Path, config: Path) -> None:
        script = (
            "import sys; from proteus import config, Model;"
            "config.set_trytond(f'sqlite:///{sys.argv[2]}', user='admin', config_file=sys.argv[1]);"
            "user, = Model.get('res.user').find([('login', '=', sys.argv[3])]);"
            "user.password = sys.stdin.read(); user.save()"
        )
        _run([environment / "venv/bin/python", "-c", script, config, DATABASE, LOGIN], given=self._password())
        self._knows_password.touch()


def default_cache_dir(data_dir: Path) -> Path:
    if named := os.environ.get("STOWAGE_TRYTON_CACHE"):
        return Path(named)
    with contextlib.suppress(OSError, RuntimeError):
        home = Path.home() / ".cache" / "stowage"
        home.mkdir(parents=True, exist_ok=True)
        if os.access(home, os.W_OK):
            return home
    return data_dir / "cache"


def prepare(cache_dir: Path, progress: Callable[[str], None] = lambda step: None) -> Path:
    """The folder with `venv/` and `tryton.sqlite`, made now if it is not there. Safe to call from many processes.

    Raises PartFailed when it cannot be installed."""
    ingredients = hashlib.sha256()
    for file in (REQUIREMENTS, CATALOG, FIXTURES):
        ingredients.update(file.read_bytes())
    ingredients.update(f"{sys.version_info[:2]} {MODULES}".encode())
    folder = cache_dir / f"tryton-{ingredients.hexdigest()[:16]}"
    done = folder / "complete"
    if done.exists():
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "lock"):
            if not done.exists():
                _make(folder, progress)
                done.touch()
    except OSError as e:
        raise PartFailed(
            f"cannot prepare the ERP in {folder}: {e.strerror or e}; free disk space or set STOWAGE_TRYTON_CACHE"
        ) from e
    return folder


def _make(folder: Path, progress: Callable[[str], None]) -> None:
    environment, database = folder / "venv", folder / f"{DATABASE}.sqlite"
    progress("making Tryton's own virtual environment")
    shutil.rmtree(environment, ignore_errors=True)
    _run([sys.executable, "-m", "venv", environment])
    progress("installing Tryton 8.0 (about 20 seconds)")
    _run([environment / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--require-hashes", "-r", REQUIREMENTS])  # fmt: skip
    progress("creating the ERP database (about 15 seconds)")
    building = folder / "building"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    (building / f"{DATABASE}.sqlite").touch()
    config = building / "trytond.conf"
    config.write_text(f"[database]\nuri = sqlite://\npath = {building}\n", encoding="utf-8")
    password_file = building / "password"
    password_file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    env = {"TRYTONPASSFILE": str(password_file)}
    admin = _python(folder, "trytond-admin", "-c", config, "-d", DATABASE)
    _run([*admin, "--all", "--email", "stowage@localhost"], env)
    _run([*admin, "-u", *MODULES, "--activate-dependencies"], env)
    progress("filling the ERP with company, warehouse, partners and products")
    _run([environment / "bin/python", FIXTURES, config, DATABASE, CATALOG, _PREPARED_WITH], env)
    (building / f"{DATABASE}.sqlite").replace(database)
    shutil.rmtree(building, ignore_errors=True)


def _python(environment: Path, program: str, *arguments: str | Path) -> list[str | Path]:
    # through the interpreter: the scripts' first line holds a path that may be too long for the kernel
    return [environment / "venv/bin/python", environment / "venv/bin" / program, *arguments]


def _child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without what would let our packages into Tryton's interpreter."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("PYTHON") and k not in ("VIRTUAL_ENV", "TRYTOND_CONFIG")
    }
    return {**kept, **(extra or {})}


def _run(command: list[str | Path], env: Mapping[str, str] | None = None, given: str = "") -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=_child_environment(env), input=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = " | ".join(line.strip() for line in (done.stderr or done.stdout).splitlines()[-3:])
        raise PartFailed(
            f"preparing the ERP (Tryton) failed at `{' '.join(words[:4])}`: {last or 'no output'}"
        )


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
