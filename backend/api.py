"""What every route shares: the connection, the principal, the context, and commands that are done once.

A router is `router()`. Reads get a connection in a read-only transaction. A write runs in one transaction with
its `Idempotency-Key`: the same key again returns the stored answer, with another body it is refused, and a
refused or failed command leaves nothing behind (decision 2 of the house).
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial, wraps
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
from pydantic import PlainSerializer, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

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
    Unavailable,
    from_database,
)
from backend.ids import new_id

PREFIX = "/api/v1"
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


# They depend on nothing but the request: FastAPI walks a tree of dependencies anew wherever one appears in it, and that took
# longer than the work. What needs no database runs on the event loop, without a hop to a thread and back.


async def _connection(request: Request) -> Conn:
    conn: Conn = request.state.conn  # `ApiRoute` has taken it
    return conn


Db = Annotated[Conn, Depends(_connection)]


async def _principal(request: Request) -> Principal:
    known: Principal | None = request.state.principal
    if known is not None:
        return known
    authorization = request.headers.get("authorization")
    return await to_thread.run_sync(authenticate, request.state.conn, authorization, datetime.now(UTC))


Who = Annotated[Principal, Depends(_principal)]


def allow(*roles: str) -> Any:
    """`dependencies=[allow("lead")]`: one of these roles, or admin, is needed."""

    async def check(request: Request) -> None:
        who = await _principal(request)
        if not who.may(*roles):
            raise Forbidden(
                f"This needs the role {' or '.join(roles)}; {who.username} has {', '.join(sorted(who.roles))}.",
                needed=list(roles),
            )

    return Depends(check)


SiteId = Annotated[UUID | None, Query(description="Needed only where you see several sites")]


async def _site(request: Request, site_id: SiteId = None) -> UUID:
    who = await _principal(request)
    if who.site_id is not None:
        if site_id not in (None, who.site_id):
            raise NotFound("There is no such site for you.", field="site_id")
        return who.site_id
    return await to_thread.run_sync(_one_of_several, request.state.conn, site_id)


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
    site_id: SiteId = None,
    x_correlation_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Context:
    who, site = await _principal(request), await _site(request, site_id)
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


class ApiRoute(APIRoute):
    """A read has one read-only transaction. A write has one, once per principal, route and Idempotency-Key.

    Either makes two visits to a thread: to begin; and for the endpoint, its answer and the end of the transaction."""

    keyed = True

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._writes = not set(options.get("methods") or ["GET"]) <= {"GET", "HEAD"}
        if self._writes and self.keyed:
            options["dependencies"] = [*(options.get("dependencies") or []), Depends(_idempotency_key)]
        super().__init__(path, self._to_the_end(endpoint), **options)

    def _to_the_end(self, endpoint: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(endpoint)
        async def work(**values: Any) -> Response:
            visit = _visit.get()
            carry_out = partial(visit.carry_out, lambda: self._answer(endpoint(**values)))
            return await to_thread.run_sync(carry_out, limiter=visit.limiter)

        return work

    def _answer(self, result: Any) -> Response:
        if isinstance(result, Response):
            return result
        status = self.status_code or 200
        if self._answer_type is None:
            return Response(status_code=status)
        valid = self._answer_type.validate_python(result, from_attributes=True)
        body = self._answer_type.dump_json(valid, by_alias=True)
        return Response(body, status, media_type="application/json")

    @cached_property
    def _answer_type(self) -> TypeAdapter[Any] | None:
        return None if self.response_model is None else TypeAdapter(self.response_model)

    @cached_property
    def _depends_on(self) -> set[Any]:
        return {dependency.call for dependency in self.dependant.dependencies}

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def read(request: Request) -> Response:
            needs_who = not self._depends_on <= {_connection}
            # until its end, and fewer than there are connections and threads: with all of them held by those who wait for
            # the other, nobody would go on
            async with request.app.state.reads_at_once:
                return await _visited(_Read(request, bool(self._depends_on), needs_who), handler)

        async def command(request: Request) -> Response:
            route = f"{request.method} {request.url.path}"
            with _said_in_the_log(request, f"{request.method} {self.path}") as said:
                response = await _run_command(request, handler, route if self.keyed else None)
                said["status"] = response.status_code
                if "idempotency-replayed" in response.headers:
                    said["replayed"] = True
                return response

        return command if self._writes else read


class OpenApiRoute(ApiRoute):
    """A write without a principal (log-in, enrolment): one transaction, no Idempotency-Key."""

    keyed = False


class Router(APIRouter):
    """Says at a glance that an address is none of its own: asking every route of thirty routers costs more than the
    work of a command."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["path"].removeprefix(PREFIX).split("/", 2)[1:2] not in self._first_words:
            return Match.NONE, {}
        return super().matches(scope)

    @cached_property
    def _first_words(self) -> list[list[str]]:
        """Of the addresses after /api/v1/."""
        return [[word] for word in {getattr(route, "path", "").split("/", 2)[1] for route in self.routes}]


def router(*, tags: list[str], open_commands: bool = False) -> APIRouter:
    return Router(
        route_class=OpenApiRoute if open_commands else ApiRoute, tags=list(tags), responses=PROBLEMS
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
            other = e.status_code if isinstance(e, HTTPException) else 503 if away else 500
            said["status"] = known.status if known else 422 if invalid else other
            if known is not None:
                said["refused"] = known.kind
            raise
        finally:
            who: Principal | None = getattr(request.state, "principal", None)  # not where the body never came
            ms = round((time.monotonic() - started) * 1000, 1)
            actor = f"user:{who.username}" if who else None
            log.info("command", route=route, actor=actor, correlation_id=correlation_id, ms=ms, **said)


async def _run_command(request: Request, handler: Handler, route: str | None) -> Response:
    body = await request.body()
    for attempt in range(1, 5):
        if attempt > 1:  # an upload that was read to its end is read anew
            request = Request(request.scope, request.receive)
            request._body = body
        try:
            # until its end: one that waits for another's lock must not take the place the other needs to go on
            async with request.app.state.commands_at_once:
                return await _visited(_Command(request, route, body), handler)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            log.info("command_repeated_after_deadlock", route=route, attempt=attempt)
            if attempt == 4:
                raise
    raise AssertionError("unreachable")


async def _visited(visit: _Visit, handler: Handler) -> Response:
    try:
        stored = await to_thread.run_sync(visit.begin, limiter=visit.limiter)
        if stored is not None:
            return stored
        _visit.set(visit)
        return await handler(visit.request)
    finally:
        if not visit.over:  # refused before the endpoint, or the server is being stopped
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(visit.give_back, limiter=visit.limiter)


class _Visit(ABC):
    """A request under way: its connection from the pool, from `begin` to the end of `carry_out`."""

    conn: Conn | None = None
    over = False

    def __init__(self, request: Request, limiter: anyio.CapacityLimiter) -> None:
        self.request, self.limiter = request, limiter
        self._turn = threading.RLock()
        self._pool: ConnectionPool[Conn] = request.app.state.pool
        request.state.conn = request.state.principal = None

    @abstractmethod
    def begin(self) -> Response | None:
        """Opens the transaction. An answer ends the request here."""

    @abstractmethod
    def carry_out(self, endpoint: Callable[[], Response]) -> Response:
        """The endpoint's answer; the connection is given back."""

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """A request that is given up while a thread works for it is over when the thread is; a thread that comes later
        finds it over, and no connection of somebody else's."""
        with self._turn:
            if self.over:
                raise Unavailable("The server is being stopped; try again.")
            yield

    def _take(self) -> Conn:
        with self._at_work():
            self.conn = self.request.state.conn = self._pool.getconn()
            return self.conn

    def _who(self, conn: Conn, now: datetime) -> Principal:
        who = authenticate(conn, self.request.headers.get("authorization"), now)
        self.request.state.principal = who
        return who

    def give_back(self) -> None:
        with self._turn:
            self.over = True
            taken, self.conn = self.conn, None
            self.request.state.conn = None
        if taken is None:
            return
        try:
            taken.rollback()
            taken.read_only = None
        except psycopg.Error:  # the server went meanwhile; the pool replaces what is closed
            taken.close()
        finally:
            self._pool.putconn(taken)


class _Read(_Visit):
    def __init__(self, request: Request, needs_db: bool, needs_who: bool) -> None:
        super().__init__(request, request.app.state.read_threads)
        self._needs_db, self._needs_who = needs_db, needs_who

    def begin(self) -> None:
        if self._needs_db:
            conn = self._take()
            conn.read_only = True
            if self._needs_who:
                self._who(conn, datetime.now(UTC))

    def carry_out(self, endpoint: Callable[[], Response]) -> Response:
        with self._at_work():
            try:
                return endpoint()
            finally:
                self.give_back()


class _Command(_Visit):
    def __init__(self, request: Request, route: str | None, body: bytes) -> None:
        super().__init__(request, request.app.state.command_threads)
        self._route, self._body = route, body
        self._key = request.headers.get("idempotency-key")

    def begin(self) -> Response | None:
        """Opens the transaction, names the actor, claims the key. A stored answer ends the command here."""
        conn = self._take()
        if self._route is None:
            return None
        now = datetime.now(UTC)
        who = self._who(conn, now)
        if not self._key or not re.fullmatch(r"[\x21-\x7e]{8,200}", self._key):
            return None  # the route's own validation refuses it in words
        body_hash = hashlib.sha256(str(self.request.url.query).encode() + b"\n" + self._body).digest()
        claimed = conn.execute(
            """with claimed as (
                   insert into idempotency_key (principal, route, key, body_hash, expires_at) values (%s, %s, %s, %s, %s)
                   on conflict (principal, route, key) do update set key = excluded.key where idempotency_key.expires_at < %s
                   returning 1)
               select exists (select 1 from claimed), set_config('stowage.actor', %s, true)""",
            [who.user_id, self._route, self._key, body_hash, now + KEY_LIFETIME, now, f"user:{who.username}"],
        ).fetchone()
        return None if claimed and claimed[0] else self._stored(conn, who, body_hash)

    def _stored(self, conn: Conn, who: Principal, body_hash: bytes) -> Response:
        row = conn.execute(
            "select body_hash, status, response, media_type from idempotency_key where (principal, route, key) = (%s, %s, %s)",
            [who.user_id, self._route, self._key],
        ).fetchone()
        if row is None:
            raise Conflict("This command is being carried out right now; ask again.")
        if bytes(row[0]) != body_hash:
            raise Conflict(
                "This Idempotency-Key was used for another request; use a new one for a new action.",
                field="Idempotency-Key",
                key=self._key,
                first_body_sha256=bytes(row[0]).hex(),
                this_body_sha256=body_hash.hex(),
            )
        return Response(bytes(row[2]), row[1], media_type=row[3], headers={"Idempotency-Replayed": "true"})

    def carry_out(self, endpoint: Callable[[], Response]) -> Response:
        """Ends in a commit, or leaves nothing behind."""
        with self._at_work():
            try:
                try:
                    response = endpoint()
                    keep = response.status_code < 400
                except RefusedButRecorded as e:
                    response, keep = problem_response(e), True
                if keep:
                    self._commit(response)
                return response
            finally:
                self.give_back()

    def _commit(self, response: Response) -> None:
        assert self.conn is not None
        who: Principal | None = self.request.state.principal
        if who is not None and self._key:
            self.conn.execute(
                """update idempotency_key set status = %s, response = %s, media_type = %s
                   where (principal, route, key) = (%s, %s, %s)""",
                [response.status_code, bytes(response.body), response.media_type, who.user_id, self._route, self._key],
            )  # fmt: skip
        self.conn.commit()


_visit: ContextVar[_Visit] = ContextVar("visit")


def forget_expired_keys(conn: Conn) -> int:
    return conn.execute("delete from idempotency_key where expires_at < now()").rowcount


def problem_response(refused: Refused) -> JSONResponse:
    return JSONResponse(refused.problem(), refused.status, media_type=PROBLEM_JSON)
