"""Enrolment: a one-time code from the devices screen becomes this agent's name and secret.

The secret is written to `data_dir/enrolment.json`, readable by its owner only, before `enrol` returns; the
backend shows it once and keeps a hash. Enrolling again replaces it (a rotated or revoked secret).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

FILE = "enrolment.json"


class EnrolmentFailed(Exception):
    """The backend did not enrol this agent; the message says why and what to do."""


class Enrolment(Struct, frozen=True):
    """What the backend gave this agent."""

    site: str
    agent: str
    secret: str
    mqtt_url: str
    mqtt_username: str | None = None

    @property
    def username(self) -> str:
        """At the broker: what the backend said, else the agent's code."""
        return self.mqtt_username or self.agent


def enrol(api: str, code: str, data_dir: Path) -> Enrolment:
    """Exchange the code at `{api}/api/v1/agents/enrol` and keep the answer. Raises EnrolmentFailed."""
    import httpx  # only here: the running agent does without it

    url = f"{api.rstrip('/')}/api/v1/agents/enrol"
    try:
        answer = httpx.post(
            url, json={"code": code}, headers={"Idempotency-Key": f"enrol-{code}"}, timeout=20
        )
    except httpx.HTTPError as e:
        raise EnrolmentFailed(f"Cannot reach {url}: {e}. Check the address and the network.") from e
    if answer.is_error:
        raise EnrolmentFailed(f"{url} answered {answer.status_code}: {_reason(answer.content)}")
    try:
        enrolment = msgspec.json.decode(answer.content, type=Enrolment)
    except msgspec.DecodeError as e:
        raise EnrolmentFailed(f"{url} answered something else than an enrolment: {e}") from e
    try:
        write_enrolment(data_dir, enrolment)
    except OSError as e:
        raise EnrolmentFailed(
            f"Cannot keep the secret in {data_dir}: {e.strerror}. Correct that, then ask for a new code."
        ) from e
    return enrolment


def write_enrolment(data_dir: Path, enrolment: Enrolment) -> None:
    """Atomically and only for the owner's eyes."""
    data_dir.mkdir(parents=True, exist_ok=True)
    new = data_dir / f".{FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(enrolment))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, data_dir / FILE)


def read_enrolment(data_dir: Path) -> Enrolment | None:
    """None where this agent was never enrolled. Raises ValueError where the file is not readable."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Enrolment)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as e:
        raise ValueError(f"{data_dir / FILE} cannot be read ({e}); enrol this agent again") from e


def _reason(content: bytes) -> str:
    """The sentence of a Problem Details answer."""
    try:
        problem = msgspec.json.decode(content)
        return str(problem.get("detail") or problem.get("title") or problem)
    except (msgspec.DecodeError, AttributeError):
        return content[:200].decode(errors="replace")
