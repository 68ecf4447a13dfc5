"""Real brokers for the tests: mosquitto as a child process, amqtt as another; each on a free port. They die with the tests."""

from __future__ import annotations

import shutil
import socket
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from stowage.parts.child import Child, spawn, unprivileged_user
from stowage.parts.ports import free_port

AMQTT = textwrap.dedent(
    """
    import asyncio, logging, sys
    from amqtt.broker import Broker
    logging.disable(logging.WARNING)
    config = {"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}},
              "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}}
    async def main():
        broker = Broker(config)
        await broker.start()
        await asyncio.Event().wait()
    asyncio.run(main())
    """
)


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.01)


class RunningBroker:
    """A broker that can be killed and started again on the same port. It keeps nothing: the worst case."""

    def __init__(self, kind: str, folder: Path, extra: str = "allow_anonymous true") -> None:
        self.kind = kind
        self.port = free_port()
        self._folder = folder
        self._extra = extra
        self._child: Child | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        if self.kind == "mosquitto":
            config = self._folder / "mosquitto.conf"
            config.write_text(f"listener {self.port} 127.0.0.1\n{self._extra}\n")
            command = [find_mosquitto() or "mosquitto", "-c", str(config)]
            user = unprivileged_user()  # as root it would step down by itself, and then outlive us
        else:
            command, user = [sys.executable, "-c", AMQTT, str(self.port)], None
        self._child = spawn(command, log=self._folder / "broker.log", user=user)
        wait_for(self._listens, f"{self.kind} listens on {self.port}")

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def kill(self) -> None:
        if self._child is not None:
            self._child.process.kill()
            self._child.process.wait()
            self._child = None

    def _listens(self) -> bool:
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0
