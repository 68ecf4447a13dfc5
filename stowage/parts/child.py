"""Child processes that never become orphans.

`spawn` starts a program in its own session, with its output in a log file, bound to the life of this process:
when this process ends in any way, kill -9 included, the kernel sends the child `die_with`. Everything that
Stowage starts goes through here.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from stowage.parts import PartFailed

_LAUNCH = Path(__file__).with_name("launch.py")

# The kernel sends the parent-death signal when the *thread* that forked ends, so all children are forked by
# one thread that lives as long as the process.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stowage-forker")


class Child:
    """A started program. `stop` is the only way it is ended from our side."""

    def __init__(self, process: subprocess.Popen[bytes], die_with: signal.Signals) -> None:
        self.process = process
        self.pid = process.pid
        self._die_with = die_with

    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self.process.poll()

    def stop(self, patience_s: float = 10) -> None:
        """`die_with`, wait, then SIGKILL to the whole session. Returns when the process is gone."""
        if self.running():
            self.process.send_signal(self._die_with)
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()


def spawn(
    program: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: tuple[int, int] | None = None,
    die_with: signal.Signals = signal.SIGTERM,
) -> Child:
    """Start `program` with stdout and stderr appended to `log`; as root it steps down to `user` (uid, gid).

    Raises PartFailed when the log cannot be written (full disk, rights)."""
    uid, gid = user if user is not None else (os.geteuid(), os.getegid())
    command = [sys.executable, "-I", "-S", str(_LAUNCH)]
    command += map(str, [os.getpid(), int(die_with), uid, gid, *program])

    def start(output: IO[bytes]) -> subprocess.Popen[bytes]:
        return _forker.submit(
            lambda: subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
        ).result()

    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return Child(start(output), die_with)
    except OSError as e:
        raise PartFailed(f"cannot write {log}: {e.strerror}; free disk space or set STOWAGE_DATA_DIR") from e


def wait_until(
    condition: Callable[[], bool], timeout_s: float, *, while_running: Child | None = None
) -> bool:
    """Ask `condition` until it is true; False when the time is over or the child has ended."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.01
    while time.monotonic() < deadline:
        if condition():
            return True
        if while_running is not None and not while_running.running():
            return condition()
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.25)
    return False


def last_lines(log: Path, count: int = 3) -> str:
    """The end of a log file, for the sentence that says why a part did not start."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 4096))
            lines = stream.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return ""
    return " | ".join(line.strip() for line in lines if line.strip())[-800:]


def unprivileged_user(owner_of: Path | None = None) -> tuple[int, int] | None:
    """Who a server runs as that refuses root: None when we are not root, else the owner of its existing data,
    else the first of these accounts that the machine has."""
    if os.geteuid() != 0:
        return None
    if owner_of is not None and owner_of.exists() and owner_of.stat().st_uid != 0:
        status = owner_of.stat()
        return status.st_uid, status.st_gid
    for name in ("stowage", "postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise PartFailed(
        "PostgreSQL refuses to run as root and this machine has no account 'nobody'; run as a normal user"
    )
