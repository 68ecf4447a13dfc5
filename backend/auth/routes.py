"""Log-in, users, API tokens, the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg import sql
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Db, Who, allow
from backend.auth.principals import SESSION_LIFETIME, Principal, hash_password, issue_token, log_in
from backend.errors import ChangedMeanwhile, Forbidden, NotFound
from backend.ids import new_id
from backend.paging import Cursor, Limit, Page, decode_cursor, int_cursor, page_of

Role = Literal["worker", "lead", "dispatcher", "driver", "integrator", "admin"]
Language = Literal["en", "zh"]
Password = Annotated[str, Field(min_length=8, max_length=200)]

open_router = api.router(tags=["auth"], open_commands=True)
router = api.router(tags=["auth"])


class LogIn(BaseModel):
    username: Annotated[str, Field(min_length=1, max_length=63)]
    password: Annotated[str, Field(min_length=1, max_length=200)]


class User(BaseModel):
    id: UUID
    username: str
    name: str
    roles: list[str]
    site_id: UUID | None
    language: str
    active: bool
    version: int


class Session(BaseModel):
    token: str
    expires_at: datetime
    user: User


@dataclass(frozen=True)
class _UserRow:
    id: UUID
    username: str
    name: str
    roles: list[str]
    site_id: UUID | None
    language: str
    active: bool
    version: int


_USER = "select id, username, name, roles, site_id, language, active, version from app_user"


def _user(conn: Db, user_id: UUID) -> User:
    with conn.cursor(row_factory=class_row(_UserRow)) as cur:
        row = cur.execute(f"{_USER} where id = %s".encode(), [user_id]).fetchone()
    if row is None:
        raise NotFound("There is no such user.")
    return User(**row.__dict__)


@open_router.post("/auth/login", response_model=Session)
def log_in_with_password(body: LogIn, conn: Db) -> Session:
    now = datetime.now(UTC)
    user_id, roles = log_in(conn, body.username, body.password, now)
    token = issue_token(
        conn, user_id, roles, kind="session", name="log-in", expires_at=now + SESSION_LIFETIME
    )
    assert token.expires_at is not None
    return Session(token=token.secret, expires_at=token.expires_at, user=_user(conn, user_id))


@router.post("/auth/logout", response_model=None, status_code=204)
def log_out(who: Who, conn: Db) -> None:
    conn.execute("update access_token set revoked_at = now() where id = %s", [who.token_id])


@router.get("/auth/me", response_model=User)
def who_am_i(who: Who, conn: Db) -> User:
    return _user(conn, who.user_id)


class OwnSettings(BaseModel):
    language: Language | None = None
    password: Password | None = None
    old_password: str | None = Field(default=None, max_length=200)


@router.patch("/auth/me", response_model=User)
def change_my_settings(body: OwnSettings, who: Who, conn: Db) -> User:
    if body.language:
        conn.execute("update app_user set language = %s where id = %s", [body.language, who.user_id])
    if body.password:
        log_in(conn, who.username, body.old_password or "", datetime.now(UTC))
        _set_password(conn, who.user_id, body.password, keep=who)
    return _user(conn, who.user_id)


def _set_password(conn: Db, user_id: UUID, password: str, keep: Principal | None = None) -> None:
    """A new password ends every other session of the user."""
    conn.execute("update app_user set password_hash = %s where id = %s", [hash_password(password), user_id])
    conn.execute(
        "update access_token set revoked_at = now() where user_id = %s and kind = 'session' and id is distinct from %s",
        [user_id, keep.token_id if keep else None],
    )


@router.get("/users", response_model=Page[User], dependencies=[allow("admin", "lead", "dispatcher")])
def list_users(conn: Db, who: Who, limit: Limit = 100, cursor: Cursor = None) -> Page[User]:
    after = decode_cursor(cursor, 1)
    with conn.cursor(row_factory=class_row(_UserRow)) as cur:
        rows = cur.execute(
            f"{_USER} where username > %s and (%s::uuid is null or site_id = %s) order by username limit %s".encode(),
            [after[0] if after else "", who.site_id, who.site_id, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.username], lambda r: User(**r.__dict__))


class NewUser(BaseModel):
    username: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.\-]{0,62}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Password
    roles: Annotated[list[Role], Field(min_length=1, max_length=6)]
    site_id: UUID | None = None
    language: Language = "en"


@router.post("/users", response_model=User, status_code=201, dependencies=[allow("admin")])
def create_user(body: NewUser, who: Who, conn: Db) -> User:
    user_id = new_id()
    _only_own_site(who, body.site_id)
    conn.execute(
        "insert into app_user (id, username, name, password_hash, roles, site_id, language) values (%s, %s, %s, %s, %s, %s, %s)",
        [
            user_id,
            body.username,
            body.name,
            hash_password(body.password),
            sorted(set(body.roles)),
            body.site_id,
            body.language,
        ],
    )
    return _user(conn, user_id)


class UserChange(BaseModel):
    version: int = Field(ge=1, le=2**31 - 1)
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password: Password | None = None
    roles: Annotated[list[Role], Field(min_length=1, max_length=6)] | None = None
    language: Language | None = None
    active: bool | None = None


@router.patch("/users/{user_id}", response_model=User, dependencies=[allow("admin")])
def change_user(user_id: UUID, body: UserChange, who: Who, conn: Db) -> User:
    present = _user(conn, user_id)
    _only_own_site(who, present.site_id)
    if user_id == who.user_id and (body.active is False or (body.roles and "admin" not in body.roles)):
        raise Forbidden("You cannot take your own administration away; another admin can.", field="roles")
    changed = conn.execute(
        """update app_user set name = coalesce(%s, name), roles = coalesce(%s, roles), language = coalesce(%s, language),
                  active = coalesce(%s, active), version = version + 1 where id = %s and version = %s""",
        [
            body.name,
            sorted(set(body.roles)) if body.roles else None,
            body.language,
            body.active,
            user_id,
            body.version,
        ],
    ).rowcount
    if not changed:
        raise ChangedMeanwhile(
            "Somebody else changed this user; look again.", present=present.model_dump(mode="json")
        )
    if body.password:
        _set_password(conn, user_id, body.password)
    if body.active is False:
        conn.execute(
            "update access_token set revoked_at = now() where user_id = %s and revoked_at is null", [user_id]
        )
    return _user(conn, user_id)


def _only_own_site(who: Principal, site_id: UUID | None) -> None:
    if who.site_id is not None and site_id != who.site_id:
        raise Forbidden("You administer one site; users of others are not yours.", field="site_id")


# --- API tokens -------------------------------------------------------------------------------------------


class ApiToken(BaseModel):
    id: UUID
    name: str
    roles: list[str]
    username: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewApiToken(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=6)]
    valid_days: Annotated[int, Field(ge=1, le=3650)] | None = 365


class IssuedApiToken(BaseModel):
    token: str = Field(description="Shown once; only its hash is kept")
    api_token: ApiToken


_TOKEN = """select t.id, t.name, t.roles, u.username, t.created_at, t.expires_at, t.revoked_at
            from access_token t join app_user u on u.id = t.user_id where t.kind = 'api'"""


_MINE = "(t.user_id = %s or %s and (%s::uuid is null or u.site_id = %s))"


def _of(who: Principal) -> list[Any]:
    """One's own tokens; an administrator's are those of the site, or all."""
    return [who.user_id, who.may("admin"), who.site_id, who.site_id]


@router.get("/api-tokens", response_model=Page[ApiToken], dependencies=[allow("admin", "integrator")])
def list_api_tokens(who: Who, conn: Db) -> Page[ApiToken]:
    with conn.cursor(row_factory=class_row(_ApiTokenRow)) as cur:
        rows = cur.execute(f"{_TOKEN} and {_MINE} order by t.id desc limit 500".encode(), _of(who)).fetchall()
    return Page(items=[ApiToken(**r.__dict__) for r in rows])


@router.post(
    "/api-tokens", response_model=IssuedApiToken, status_code=201, dependencies=[allow("admin", "integrator")]
)
def create_api_token(body: NewApiToken, who: Who, conn: Db) -> IssuedApiToken:
    beyond = [r for r in body.roles if not who.may(r)]
    if beyond:
        raise Forbidden(f"You cannot hand out what you do not have: {', '.join(beyond)}.", field="roles")
    expires_at = datetime.now(UTC) + timedelta(days=body.valid_days) if body.valid_days else None
    token = issue_token(
        conn, who.user_id, sorted(set(body.roles)), kind="api", name=body.name, expires_at=expires_at
    )
    with conn.cursor(row_factory=class_row(_ApiTokenRow)) as cur:
        row = cur.execute(f"{_TOKEN} and t.id = %s".encode(), [token.id]).fetchone()
    assert row is not None
    return IssuedApiToken(token=token.secret, api_token=ApiToken(**row.__dict__))


@router.delete(
    "/api-tokens/{token_id}",
    response_model=None,
    status_code=204,
    dependencies=[allow("admin", "integrator")],
)
def revoke_api_token(token_id: UUID, who: Who, conn: Db) -> None:
    done = conn.execute(
        f"update access_token t set revoked_at = now() from app_user u where u.id = t.user_id and t.id = %s and t.kind = 'api' and {_MINE}".encode(),
        [token_id, *_of(who)],
    ).rowcount
    if not done:
        raise NotFound("There is no such token.")


@dataclass(frozen=True)
class _ApiTokenRow:
    id: UUID
    name: str
    roles: list[str]
    username: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


# --- audit ------------------------------------------------------------------------------------------------


class AuditEntry(BaseModel):
    id: int
    at: datetime
    actor: str
    action: str
    table_name: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class _AuditRow:
    id: int
    at: datetime
    actor: str
    action: str
    table_name: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


_SHARED = ["item", "item_pack", "partner", "supplier_item", "lot"]


@router.get("/audit-entries", response_model=Page[AuditEntry], dependencies=[allow("admin", "lead")])
def list_audit_entries(
    conn: Db,
    who: Who,
    table_name: Annotated[str | None, Query(max_length=63)] = None,
    subject: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    """Newest first. Who works at one site sees its settings and the catalog's, which all sites share."""
    before = int_cursor(cursor)
    with conn.cursor(row_factory=class_row(_AuditRow)) as cur:
        rows = cur.execute(
            sql.SQL(
                """select id, at, actor, action, table_name, subject, before, after from audit_entry
                   where (%s::bigint is null or id < %s) and (%s::text is null or table_name = %s)
                     and (%s::text is null or subject = %s)
                     and (%s::uuid is null or coalesce(after, before) ->> 'site_id' = %s::text
                          or table_name = 'site' and subject = %s::text or table_name = any(%s)
                          or table_name = 'sensor_limit' and subject in (select id::text from device where site_id = %s)
                          or table_name = 'access_token'
                             and coalesce(after, before) ->> 'user_id' in (select id::text from app_user where site_id = %s))
                   order by id desc limit %s"""
            ),
            [
                before,
                before,
                table_name,
                table_name,
                subject,
                subject,
                *[who.site_id] * 3,
                _SHARED,
                *[who.site_id] * 2,
                limit + 1,
            ],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r.id], lambda r: AuditEntry(**r.__dict__))
