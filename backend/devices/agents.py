"""An agent's life: created with a one-time code, enrolled (code for secret), its secret rotated, revoked.

Of code and secret only hashes are kept. The secret's hash is in the form of mosquitto's password file, so the
broker checks the very same hash; a change reaches the broker through `broker_access` and the worker.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Forbidden, NotFound, register
from backend.ids import new_id
from backend.live.announce import announce
from edge.messages import topic

CODE_LIFETIME = timedelta(hours=24)
ITERATIONS = 101  # as mosquitto itself; the secrets are random, 32 bytes: stretching them adds nothing
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that is misread

register({"agent_code_unique": (Conflict, "The site has an agent with this code already.", "code")})


@dataclass(frozen=True)
class CreatedAgent:
    id: UUID
    enrol_code: str
    """Shown once. Valid until `expires_at`, for one enrolment."""
    expires_at: datetime


@dataclass(frozen=True)
class Enrolled:
    site: str
    agent: str
    secret: str
    mqtt_username: str


@dataclass(frozen=True)
class _AgentRow:
    id: UUID
    site_id: UUID
    site: str
    code: str
    state: str
    enrol_expires_at: datetime | None


_AGENT = "select a.id, a.site_id, s.code as site, a.code, a.state, a.enrol_expires_at from agent a join site s on s.id = a.site_id"


def create_agent(conn: Conn, ctx: Context, code: str, name: str = "") -> CreatedAgent:
    """A new agent, waiting for its enrolment."""
    agent_id = new_id()
    enrol_code, expires_at = _new_code(), ctx.now + CODE_LIFETIME
    conn.execute(
        "insert into agent (id, site_id, code, name, enrol_code_hash, enrol_expires_at) values (%s, %s, %s, %s, %s, %s)",
        [agent_id, ctx.site_id, code, name, _code_hash(enrol_code), expires_at],
    )
    announce(conn, ctx.site_id, "devices", agent_id)
    return CreatedAgent(agent_id, enrol_code, expires_at)


def new_enrol_code(conn: Conn, ctx: Context, agent_id: UUID) -> CreatedAgent:
    """Another one-time code for an agent that lost its secret or never came. Its present secret works until then."""
    _lock(conn, ctx.site_id, agent_id)
    enrol_code, expires_at = _new_code(), ctx.now + CODE_LIFETIME
    conn.execute(
        """update agent set enrol_code_hash = %s, enrol_expires_at = %s, state = case when state = 'revoked' then 'enrolling' else state end,
               secret_hash = case when state = 'revoked' then null else secret_hash end, revoked_at = null where id = %s""",
        [_code_hash(enrol_code), expires_at, agent_id],
    )
    announce(conn, ctx.site_id, "devices", agent_id)
    return CreatedAgent(agent_id, enrol_code, expires_at)


def enrol(conn: Conn, code: str, now: datetime) -> Enrolled:
    """A one-time code -> the agent's secret, shown once. Raises Forbidden for a wrong, used or expired code."""
    with conn.cursor(row_factory=class_row(_AgentRow)) as cur:
        row = cur.execute(
            f"{_AGENT} where a.enrol_code_hash = %s for update of a".encode(), [_code_hash(code)]
        ).fetchone()
    if row is None or row.enrol_expires_at is None or row.enrol_expires_at <= now:
        raise Forbidden(
            "This code is wrong, was used or has expired; get a new one on the devices screen.", field="code"
        )
    secret = secrets.token_urlsafe(32)
    conn.execute("select set_config('stowage.actor', %s, true)", [f"agent:{row.code}"])
    conn.execute(
        """update agent set state = 'active', secret_hash = %s, enrol_code_hash = null, enrol_expires_at = null, enrolled_at = %s,
               revoked_at = null where id = %s""",
        [secret_hash(secret), now, row.id],
    )
    announce(conn, row.site_id, "devices", row.id)
    return Enrolled(row.site, row.code, secret, username(row.site, row.code))


def rotate_secret(conn: Conn, ctx: Context, agent_id: UUID) -> Enrolled:
    """A new secret, shown once; the old one is refused at the agent's next connection."""
    row = _lock(conn, ctx.site_id, agent_id)
    if row.state != "active":
        raise Conflict(f"{row.code} is not enrolled; give it a one-time code instead.")
    secret = secrets.token_urlsafe(32)
    conn.execute("update agent set secret_hash = %s where id = %s", [secret_hash(secret), agent_id])
    announce(conn, ctx.site_id, "devices", agent_id)
    return Enrolled(row.site, row.code, secret, username(row.site, row.code))


def revoke_agent(conn: Conn, ctx: Context, agent_id: UUID) -> None:
    """It loses its account at the broker; what still comes from it becomes dead letters. Twice is once."""
    row = _lock(conn, ctx.site_id, agent_id)
    if row.state == "revoked":
        return
    conn.execute(
        """update agent set state = 'revoked', secret_hash = null, enrol_code_hash = null, enrol_expires_at = null, revoked_at = %s
           where id = %s""",
        [ctx.now, agent_id],
    )
    announce(conn, ctx.site_id, "devices", agent_id)


def broker_access(conn: Conn, backend_account: tuple[str, str] | None = None) -> tuple[str, str]:
    """The broker's password file and ACL file (mosquitto's formats) for all active agents.

    `backend_account`: name and hash of the backend's own account, which may read and write all of `stowage/#`;
    left out where the broker's own configuration has it."""
    passwords, rights = [], []
    if backend_account is not None:
        passwords.append(f"{backend_account[0]}:{backend_account[1]}")
        rights.append(f"user {backend_account[0]}\ntopic readwrite stowage/#\n")
    for site, code, hashed in conn.execute(
        """select s.code, a.code, a.secret_hash from agent a join site s on s.id = a.site_id
           where a.state = 'active' order by s.code, a.code"""
    ).fetchall():
        name = username(site, code)
        passwords.append(f"{name}:{hashed}")
        lines = [f"user {name}"]
        lines += [f"topic write {topic(site, code, c)}" for c in ("events", "status", "ingress")]
        lines += [f"topic read {topic(site, code, c)}" for c in ("ack", "commands")]
        rights.append("\n".join(lines) + "\n")
    return "".join(f"{p}\n" for p in passwords), "\n".join(rights)


def username(site: str, agent: str) -> str:
    """An agent's name at the broker. A slash is in no code, so no two agents share a name."""
    return f"{site}/{agent}"


def secret_hash(secret: str, salt: bytes | None = None) -> str:
    """As in mosquitto's password file: `$7$` PBKDF2-SHA512."""
    salt = salt if salt is not None else secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _lock(conn: Conn, site_id: UUID, agent_id: UUID) -> _AgentRow:
    with conn.cursor(row_factory=class_row(_AgentRow)) as cur:
        row = cur.execute(
            f"{_AGENT} where a.id = %s and a.site_id = %s for update of a".encode(), [agent_id, site_id]
        ).fetchone()
    if row is None:
        raise NotFound("There is no such agent at this site.")
    return row


def _new_code() -> str:
    """16 characters, 79 bits, in groups that can be read aloud."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


def _code_hash(code: str) -> bytes:
    return hashlib.sha256("".join(c for c in code.upper() if c.isalnum()).encode()).digest()
