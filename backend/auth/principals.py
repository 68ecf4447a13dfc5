"""Who is asking: an Authorization header -> `Principal`. Only hashes of tokens are kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from backend.db import Conn
from backend.errors import NotLoggedIn, RefusedButRecorded, TooManyTries
from backend.ids import new_id

ROLES = ("worker", "lead", "dispatcher", "driver", "integrator", "admin")
_IMPLIED = {"admin": set(ROLES), "lead": {"worker"}}
SESSION_LIFETIME = timedelta(hours=12)
TRIES, TRIES_WINDOW = 10, timedelta(minutes=5)

_hasher = PasswordHasher()
_NOBODY = _hasher.hash(
    secrets.token_hex(16)
)  # verified for an unknown name, so that it takes as long as a known one


def _with_implied(roles: list[str]) -> set[str]:
    return set(roles).union(*(_IMPLIED.get(r, set()) for r in roles))


class WrongPassword(NotLoggedIn, RefusedButRecorded):
    """Counted, so that guessing ends."""


@dataclass(frozen=True)
class Principal:
    user_id: UUID
    username: str
    name: str
    roles: list[str]
    site_id: UUID | None
    language: str
    token_id: UUID

    def may(self, *roles: str) -> bool:
        return bool(_with_implied(self.roles).intersection(roles)) if roles else True


@dataclass(frozen=True)
class IssuedToken:
    id: UUID
    secret: str
    expires_at: datetime | None


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def authenticate(conn: Conn, authorization: str | None, now: datetime) -> Principal:
    """`Bearer <token>` -> Principal. Raises NotLoggedIn."""
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise NotLoggedIn("Log in first: send `Authorization: Bearer <token>`.")
    found = conn.execute(
        """select u.id as user_id, u.username, u.name, t.roles, u.roles as user_roles, u.site_id, u.language,
                  t.id as token_id, t.expires_at, t.revoked_at, u.active
           from access_token t join app_user u on u.id = t.user_id where t.secret_hash = %s""",
        [_hash(secret.strip())],
    ).fetchone()
    row = _TokenRow(*found) if found else None
    if row is None or not row.active or row.revoked_at is not None:
        raise NotLoggedIn("This token is not valid; log in again.")
    if row.expires_at is not None and row.expires_at <= now:
        raise NotLoggedIn("This token has expired; log in again.")
    roles = [r for r in row.roles if r in _with_implied(row.user_roles)]
    return Principal(row.user_id, row.username, row.name, roles, row.site_id, row.language, row.token_id)


def log_in(conn: Conn, username: str, password: str, now: datetime) -> tuple[UUID, list[str]]:
    """Checks a password -> (user id, roles). Raises NotLoggedIn (the same sentence for both mistakes), TooManyTries."""
    username = username.strip().lower()
    recent = conn.execute(
        "select count(*) from failed_login where username = %s and at > %s", [username, now - TRIES_WINDOW]
    ).fetchone()
    if recent and recent[0] >= TRIES:
        raise TooManyTries(f"Too many wrong passwords for {username}; wait five minutes.")
    row = conn.execute(
        "select id, roles, password_hash, active from app_user where username = %s", [username]
    ).fetchone()
    try:
        _hasher.verify(row[2] if row else _NOBODY, password)
        good = row is not None and row[3]
    except (VerifyMismatchError, InvalidHashError):
        good = False
    if not good or row is None:
        conn.execute("insert into failed_login (username) values (%s)", [username])
        raise WrongPassword("The name or the password is wrong.")
    conn.execute("delete from failed_login where username = %s", [username])
    if _hasher.check_needs_rehash(row[2]):
        conn.execute(
            "update app_user set password_hash = %s where id = %s", [hash_password(password), row[0]]
        )
    return row[0], row[1]


def issue_token(
    conn: Conn, user_id: UUID, roles: list[str], *, kind: str, name: str, expires_at: datetime | None
) -> IssuedToken:
    """A new token; its secret is shown once and never stored."""
    secret = ("sts_" if kind == "session" else "sta_") + secrets.token_urlsafe(32)
    token_id = new_id()
    conn.execute(
        "insert into access_token (id, kind, name, user_id, roles, secret_hash, expires_at) values (%s, %s, %s, %s, %s, %s, %s)",
        [token_id, kind, name, user_id, roles, _hash(secret), expires_at],
    )
    return IssuedToken(token_id, secret, expires_at)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True)
class _TokenRow:
    user_id: UUID
    username: str
    name: str
    roles: list[str]
    user_roles: list[str]
    site_id: UUID | None
    language: str
    token_id: UUID
    expires_at: datetime | None
    revoked_at: datetime | None
    active: bool
