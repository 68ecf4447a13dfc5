"""What every route shares: the connection, the principal, the context, and commands that are done once.

A router is `router()`. Reads get a connection in a read-only transaction. A write runs in one transaction with
its `Idempotency-Key`: the same key again returns the stored answer, with another body it is refused, and a
refused or failed command leaves nothing behind (decision 2 of the house).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import anyio
import psycopg
import structlog
from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from psycopg_pool import ConnectionPool
from pydantic import Field as PydanticField
from pydantic import PlainSerializer

from backend.auth.principals import Principal, authenticate
from backend.context import Context
from backend.db import Conn
from backend.errors import (
    PROBLEMS,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    RefusedButRecorded,
    from_database,
)
from backend.ids import new_id

KEY_LIFETIME = timedelta(days=7)
PROBLEM_JSON = "application/problem+json"

log = structlog.get_logger(__name__)

Quantity = Annotated[
    Decimal,
    PydanticField(max_digits=18, decimal_places=6, allow_inf_nan=False),
    PlainSerializer(lambda q: format_quantity(q), return_type=str),
]
"""A quantity on the wire: a decimal string without trailing zeros ("12", "0.25")."""


def format_quantity(q: Decimal) -> str:
    text = format(q.normalize(), "f")
    return "0" if text in ("-0", "0") else text


class NoSiteYet(Conflict):
    """A new, empty system; the screens show the way to the first site."""

    kind, title = "no-site-yet", "No site yet"


# --- dependencies -----------------------------------------------------------------------------------------


# What needs no database runs on the event loop: a hop to a thread and back costs more than the work itself.


async def _connection(request: Request) -> AsyncIterator[Conn]:
    command_conn: Conn | None = getattr(request.state, "conn", None)
    if command_conn is not None:
        yield command_conn
        return
    pool = request.app.state.pool
    conn = await to_thread.run_sync(_take_for_reading, pool)
    try:
        yield conn
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_give_back, pool, conn)


def _take_for_reading(pool: ConnectionPool[Conn]) -> Conn:
    conn = pool.getconn()
    try:
        conn.execute("set transaction read only")
    except BaseException:
        _give_back(pool, conn)
        raise
    return conn


Db = Annotated[Conn, Depends(_connection)]


async def _principal(request: Request, conn: Db) -> Principal:
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    return await to_thread.run_sync(
        authenticate, conn, request.headers.get("authorization"), datetime.now(UTC)
    )


Who = Annotated[Principal, Depends(_principal)]


def allow(*roles: str) -> Any:
    """`dependencies=[allow("lead")]`: one of these roles, or admin, is needed."""

    async def check(who: Who) -> None:
        if not who.may(*roles):
            raise Forbidden(
                f"This needs the role {' or '.join(roles)}; {who.username} has {', '.join(sorted(who.roles))}.",
                needed=list(roles),
            )

    return Depends(check)


async def _site(
    who: Who,
    conn: Db,
    site_id: Annotated[UUID | None, Query(description="Needed only where you see several sites")] = None,
) -> UUID:
    if who.site_id is not None:
        if site_id not in (None, who.site_id):
            raise NotFound("There is no such site for you.", field="site_id")
        return who.site_id
    return await to_thread.run_sync(_one_of_several, conn, site_id)


def _one_of_several(conn: Conn, site_id: UUID | None) -> UUID:
    if site_id is not None:
        if conn.execute("select 1 from site where id = %s", [site_id]).fetchone() is None:
            raise NotFound("There is no such site.", field="site_id")
        return site_id
    sites = conn.execute("select id from site order by created_at limit 2").fetchall()
    if not sites:
        raise NoSiteYet("There is no site yet; an administrator creates the first one under Settings, Sites.")
    if len(sites) > 1:
        raise Invalid("Say which site: there are several.", field="site_id")
    return UUID(str(sites[0][0]))


Site = Annotated[UUID, Depends(_site)]


async def _context(
    request: Request,
    who: Who,
    site: Site,
    x_correlation_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Context:
    correlation_id = getattr(request.state, "correlation_id", None) or x_correlation_id or str(new_id())
    return Context(f"user:{who.username}", site, datetime.now(UTC), correlation_id)


Ctx = Annotated[Context, Depends(_context)]


# --- commands ---------------------------------------------------------------------------------------------


async def _idempotency_key(
    idempotency_key: Annotated[
        str,
        Header(
            min_length=8,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="A UUID of the action, reused when it is sent again",
        ),
    ],
) -> str:
    return idempotency_key


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class CommandRoute(APIRoute):
    """Reads pass through; a write runs in one transaction, once per principal, route and Idempotency-Key."""

    keyed = True

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._writes = not set(options.get("methods") or ["GET"]) <= {"GET", "HEAD"}
        if self._writes and self.keyed:
            options["dependencies"] = [*(options.get("dependencies") or []), Depends(_idempotency_key)]
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        if not self._writes:
            return handler

        async def command(request: Request) -> Response:
            route = f"{request.method} {request.url.path}"
            with _said_in_the_log(request, f"{request.method} {self.path}") as said:
                response = await _run_command(request, handler, route if self.keyed else None)
                said["status"] = response.status_code
                if "idempotency-replayed" in response.headers:
                    said["replayed"] = True
                return response

        return command


class OpenCommandRoute(CommandRoute):
    """A write without a principal (log-in, enrolment): one transaction, no Idempotency-Key."""

    keyed = False


def router(*, tags: list[str], open_commands: bool = False) -> APIRouter:
    return APIRouter(
        route_class=OpenCommandRoute if open_commands else CommandRoute, tags=list(tags), responses=PROBLEMS
    )


@contextmanager
def _said_in_the_log(request: Request, route: str) -> Iterator[dict[str, Any]]:
    """One line a command: who asked for what, how it ended, how long it took. Lines written meanwhile share its id."""
    given = request.headers.get("x-correlation-id", "")
    correlation_id = given if re.fullmatch(r"[\x20-\x7e]{1,100}", given) else str(new_id())
    request.state.correlation_id = correlation_id
    said: dict[str, Any] = {}
    started = time.monotonic()
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        try:
            yield said
        except Exception as e:
            known = (
                e if isinstance(e, Refused) else from_database(e) if isinstance(e, psycopg.Error) else None
            )
            away = isinstance(e, psycopg.OperationalError)
            invalid = isinstance(e, RequestValidationError)
            said["status"] = known.status if known else 422 if invalid else 503 if away else 500
            if known is not None:
                said["refused"] = known.kind
            raise
        finally:
            who: Principal | None = getattr(request.state, "principal", None)
            ms = round((time.monotonic() - started) * 1000, 1)
            actor = f"user:{who.username}" if who else None
            log.info("command", route=route, actor=actor, correlation_id=correlation_id, ms=ms, **said)


async def _run_command(request: Request, handler: Handler, route: str | None) -> Response:
    body = await request.body()
    for attempt in range(1, 5):
        try:
            return await _try_command(request, handler, route, body)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            log.info("command_repeated_after_deadlock", route=route, attempt=attempt)
            if attempt == 4:
                raise
    raise AssertionError("unreachable")


def _give_back(pool: ConnectionPool[Conn], conn: Conn) -> None:
    if not conn.closed:
        conn.rollback()
    pool.putconn(conn)


async def _try_command(request: Request, handler: Handler, route: str | None, body: bytes) -> Response:
    """One transaction, in three visits to a thread: begin with the key, the endpoint itself, and the end."""
    limiter: anyio.CapacityLimiter = request.app.state.command_limiter
    key = request.headers.get("idempotency-key")
    pool = request.app.state.pool
    conn: Conn | None = None

    def begin() -> Response | None:
        nonlocal conn
        conn = pool.getconn()
        return _begin(request, conn, route, key, body)

    def end() -> None:
        assert conn is not None
        try:
            _finish(request, conn, route, key, response, keep)
        finally:
            give_back()

    def give_back() -> None:
        nonlocal conn
        taken, conn = conn, None
        if taken is not None:
            _give_back(pool, taken)

    try:
        stored = await to_thread.run_sync(begin, limiter=limiter)
        if stored is not None:
            return stored
        request.state.conn = conn
        try:
            response = await handler(request)
            keep = response.status_code < 400
        except RefusedButRecorded as e:
            response, keep = JSONResponse(e.problem(), e.status, media_type=PROBLEM_JSON), True
        await to_thread.run_sync(end, limiter=limiter)
        return response
    finally:
        request.state.conn = None
        if conn is not None:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(give_back, limiter=limiter)


def _begin(request: Request, conn: Conn, route: str | None, key: str | None, body: bytes) -> Response | None:
    """Opens the transaction, names the actor, claims the key. A stored answer ends the command here."""
    if route is None:
        request.state.principal = None
        return None
    now = datetime.now(UTC)
    who = authenticate(conn, request.headers.get("authorization"), now)
    request.state.principal = who
    conn.execute("select set_config('stowage.actor', %s, true)", [f"user:{who.username}"])
    if not key or not re.fullmatch(r"[\x21-\x7e]{8,200}", key):
        return None  # the route's own validation refuses it in words
    body_hash = hashlib.sha256(str(request.url.query).encode() + b"\n" + body).digest()
    claimed = conn.execute(
        """insert into idempotency_key (principal, route, key, body_hash, expires_at) values (%s, %s, %s, %s, %s)
           on conflict (principal, route, key) do update set key = excluded.key where idempotency_key.expires_at < %s
           returning 1""",
        [who.user_id, route, key, body_hash, now + KEY_LIFETIME, now],
    ).fetchone()
    if claimed:
        return None
    row = conn.execute(
        "select body_hash, status, response, media_type from idempotency_key where (principal, route, key) = (%s, %s, %s)",
        [who.user_id, route, key],
    ).fetchone()
    if row is None:
        raise Conflict("This command is being carried out right now; ask again.")
    if bytes(row[0]) != body_hash:
        raise Conflict(
            "This Idempotency-Key was used for another request; use a new one for a new action.",
            field="Idempotency-Key",
            key=key,
            first_body_sha256=bytes(row[0]).hex(),
            this_body_sha256=body_hash.hex(),
        )
    return Response(bytes(row[2]), row[1], media_type=row[3], headers={"Idempotency-Replayed": "true"})


def _finish(
    request: Request, conn: Conn, route: str | None, key: str | None, response: Response, keep: bool
) -> None:
    if not keep:
        conn.rollback()
        return
    who: Principal | None = getattr(request.state, "principal", None)
    if route is not None and key and who is not None:
        conn.execute(
            """update idempotency_key set status = %s, response = %s, media_type = %s
               where (principal, route, key) = (%s, %s, %s)""",
            [response.status_code, bytes(response.body), response.media_type, who.user_id, route, key],
        )
    conn.commit()


def forget_expired_keys(conn: Conn) -> int:
    return conn.execute("delete from idempotency_key where expires_at < now()").rowcount


def problem_response(refused: Refused) -> JSONResponse:
    return JSONResponse(refused.problem(), refused.status, media_type=PROBLEM_JSON)
