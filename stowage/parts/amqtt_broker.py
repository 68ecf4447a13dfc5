"""amqtt as a program: the embedded broker where mosquitto is not installed.

    python -m stowage.parts.amqtt_broker PORT FOLDER

Reads mosquitto's `passwd` and `acl` files in FOLDER, again after SIGHUP. Slower than mosquitto and without
persistence; good enough to try Stowage, and loss is harmless because agents keep what is not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from stowage.parts.broker import password_matches


@dataclass
class Access:
    """Who may log in and which topics each may read and write."""

    folder: Path
    hashes: dict[str, str] = field(default_factory=dict)
    rights: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def read(self) -> None:
        lines = (self.folder / "passwd").read_text().splitlines()
        self.hashes = dict(line.split(":", 1) for line in lines if ":" in line)
        rights: dict[str, list[tuple[str, str]]] = defaultdict(list)
        user = ""
        for line in (self.folder / "acl").read_text().splitlines():
            words = line.split(maxsplit=2)
            if len(words) >= 2 and words[0] == "user":
                user = words[1]
            elif len(words) == 3 and words[0] == "topic" and user:
                rights[user].append((words[1], words[2]))
        self.rights = dict(rights)

    def allows(self, user: str, action: Action, topic: str) -> bool:
        wanted = ("write", "readwrite") if action == Action.PUBLISH else ("read", "readwrite")
        return any(kind in wanted and covers(allowed, topic) for kind, allowed in self.rights.get(user, []))


def covers(allowed: str, asked: str) -> bool:
    """Whether `allowed` matches everything that the filter or topic `asked` can match (MQTT 3.1.1, 4.7)."""
    wide, narrow = allowed.split("/"), asked.split("/")
    for position, level in enumerate(wide):
        if level == "#":
            return True
        if position >= len(narrow) or narrow[position] == "#":
            return False
        if level != "+" and level != narrow[position]:
            return False
    return len(wide) == len(narrow)


_access = Access(Path())


class PasswordPlugin(BaseAuthPlugin):  # type: ignore[misc]
    async def authenticate(self, *, session: Session) -> bool:
        hashed = _access.hashes.get(session.username or "")
        return hashed is not None and password_matches(session.password or "", hashed)


class TopicPlugin(BaseTopicPlugin):  # type: ignore[misc]
    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        if session is None or topic is None or action is None:
            return False
        return _access.allows(session.username or "", action, topic)


async def run(port: int, folder: Path) -> None:
    _access.folder = folder
    _access.read()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _access.read)
    here = "stowage.parts.amqtt_broker"
    broker = Broker(
        BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"127.0.0.1:{port}")},
            plugins={f"{here}.PasswordPlugin": {}, f"{here}.TopicPlugin": {}},
        )
    )
    await broker.start()
    await stop.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # amqtt imports the plugins by name: without this the module would exist twice, with two access lists
    sys.modules["stowage.parts.amqtt_broker"] = sys.modules["__main__"]
    asyncio.run(run(int(sys.argv[1]), Path(sys.argv[2])))
