"""The embedded MQTT broker: mosquitto where it is installed, else amqtt, with the same accounts either way.

The broker knows one account of its own (`stowage`, for the backend: all of `stowage/#`) and the agents'
accounts that the backend writes into the access folder, in mosquitto's formats, each file replaced by rename:

    agents.passwd   one line an account: NAME:$7$ITERATIONS$SALT$HASH (PBKDF2-SHA512, base64)
    agents.acl      `user NAME`, then `topic read|write|readwrite TOPIC` lines

A change in the folder is taken over within a second and disconnects nobody: an account that is gone cannot
connect again. What a broker loses, the agents send again: nothing here needs to be kept.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from paho.mqtt.reasoncodes import ReasonCode

from backend.private import write_private
from edge.broker import Broker
from stowage.parts import PartFailed
from stowage.parts.child import Child, last_lines, spawn, unprivileged_user, wait_until
from stowage.parts.ports import remembered_port

ACCOUNT = "stowage"
ITERATIONS = 101  # mosquitto's own default; the passwords are random, 32 bytes

_MOSQUITTO = """# Written by stowage at every start; changes here are lost.
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwd
acl_file {folder}/acl
persistence true
persistence_location {folder}/kept/
autosave_interval 60
max_packet_size 300000
max_queued_messages 100000
max_inflight_messages 100
set_tcp_nodelay true
sys_interval 0
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
"""


class EmbeddedBroker:
    """One broker on 127.0.0.1. `port` None takes a free one at the first start and keeps it, for the agents that
    were told it, as long as nobody else takes it."""

    name = "broker"

    def __init__(
        self,
        data_dir: Path,
        access_dir: Path,
        *,
        kind: str = "auto",
        port: int | None = None,
        log: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.access_dir = access_dir.absolute()
        self.log = log or self.data_dir.with_name(self.data_dir.name + ".log")
        self.kind = kind
        self.port = port
        self._mosquitto: Path | None = None
        self._child: Child | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()
        self._seen = ""

    def start(self) -> str:
        self._choose_kind()
        try:
            self._prepare_folders()
            self.port = self.port or remembered_port(self.data_dir / "port")
            self._render()
            (self.data_dir / "mosquitto.conf").write_text(
                _MOSQUITTO.format(port=self.port, folder=self.data_dir)
            )
        except OSError as e:
            raise PartFailed(
                f"the broker's folder {self.data_dir} cannot be written: {e.strerror}; free disk space "
                "or choose another STOWAGE_DATA_DIR"
            ) from e
        user = unprivileged_user(owner_of=self.data_dir / "kept") if self.kind == "mosquitto" else None
        self._child = spawn(self._program(), log=self.log, user=user)
        if not wait_until(self.ready, timeout_s=30, while_running=self._child):
            self.stop()
            raise PartFailed(f"the MQTT broker did not start: {last_lines(self.log)} (see {self.log})")
        self._stopping.clear()
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._watch, name="broker-access", daemon=True)
            self._watcher.start()
        return self.url()

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def ready(self) -> bool:
        return self.port is not None and can_log_in("127.0.0.1", self.port, ACCOUNT, self._password())

    def stop(self) -> None:
        self._stopping.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
            self._watcher = None
        if self._child is not None:
            self._child.stop()
            self._child = None

    def describe(self) -> str:
        return f"embedded {self.kind} on 127.0.0.1:{self.port or '?'}"

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self) -> str:
        """The backend's URL: it may read and write all of `stowage/#`."""
        return f"mqtt://{ACCOUNT}:{self._password()}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.running() else None

    # --- steps ---

    def _choose_kind(self) -> None:
        self._mosquitto = find_mosquitto() if self.kind in ("auto", "mosquitto") else None
        if self.kind == "mosquitto" and self._mosquitto is None:
            raise PartFailed("mosquitto is not installed; install it, or set STOWAGE_BROKER=auto")
        self.kind = "mosquitto" if self._mosquitto is not None else "amqtt"

    def _program(self) -> list[str | Path]:
        if self._mosquitto is not None:
            return [self._mosquitto, "-c", self.data_dir / "mosquitto.conf"]
        return [sys.executable, "-m", "stowage.parts.amqtt_broker", str(self.port), str(self.data_dir)]

    def _prepare_folders(self) -> None:
        for folder in (self.data_dir, self.data_dir / "kept", self.access_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = unprivileged_user(owner_of=self.data_dir / "kept")
        if user is not None:
            for path in (self.data_dir / "kept", *(self.data_dir / "kept").iterdir()):
                os.chown(path, *user)

    def _password(self) -> str:
        path = self.data_dir / "password"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text()
        write_private(path, secrets.token_urlsafe(32))
        return path.read_text()

    def _render(self) -> bool:
        """Writes the broker's own files from ours and the backend's; True when something changed."""
        agents = {name: _read(self.access_dir / name) for name in ("agents.passwd", "agents.acl")}
        fingerprint = hashlib.sha256(repr(agents).encode()).hexdigest()
        if fingerprint == self._seen:
            return False
        salt = hashlib.sha256(self._password().encode()).digest()[:12]
        own = f"{ACCOUNT}:{password_hash(self._password(), salt)}\n"
        write_private(self.data_dir / "passwd", own + agents["agents.passwd"])
        write_private(
            self.data_dir / "acl", f"user {ACCOUNT}\ntopic readwrite stowage/#\n\n" + agents["agents.acl"]
        )
        self._seen = fingerprint
        return True

    def _watch(self) -> None:
        while not self._stopping.wait(0.3):
            with contextlib.suppress(OSError):
                child = self._child
                if self._render() and child is not None and child.running():
                    child.process.send_signal(signal.SIGHUP)


def find_mosquitto() -> Path | None:
    """mosquitto 2 or newer: on PATH, or where Debian puts servers."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        return None
    said = subprocess.run([found, "-h"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"mosquitto version (\d+)", said)
    return Path(found) if version is not None and int(version[1]) >= 2 else None


def password_hash(password: str, salt: bytes | None = None) -> str:
    """A password as mosquitto's password file has it."""
    salt = salt if salt is not None else secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def password_matches(password: str, hashed: str) -> bool:
    parts = hashed.split("$")
    if len(parts) != 5 or parts[1] != "7" or not parts[2].isdigit():
        return False
    try:
        salt, wanted = base64.b64decode(parts[3], validate=True), base64.b64decode(parts[4], validate=True)
    except ValueError:
        return False
    got = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, int(parts[2]), len(wanted) or 64)
    return secrets.compare_digest(got, wanted)


def can_log_in(host: str, port: int, user: str | None, password: str | None) -> bool:
    """Whether a broker is there and accepts this account."""
    try:
        return accepts(Broker(host=host, port=port, username=user, password=password))
    except OSError:
        return False


def accepts(broker: Broker, timeout_s: float = 3) -> bool:
    """Whether it takes the account. Raises OSError where it does not answer, or not as it should."""
    answered = threading.Event()
    accepted = False

    def on_connect(_: object, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        nonlocal accepted
        accepted = not reason.is_failure
        answered.set()

    client = broker.client(f"stowage-probe-{secrets.token_hex(4)}")
    client.on_connect = on_connect
    client.connect_timeout = timeout_s
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        if not answered.wait(timeout_s):
            raise TimeoutError(f"it takes connections and says nothing for {timeout_s:.0f} s")
        client.disconnect()
    finally:
        client.loop_stop()
    return accepted


def _read(path: Path) -> str:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return ""
    return text if text.endswith("\n") or not text else text + "\n"
