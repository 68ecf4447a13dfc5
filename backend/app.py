"""The HTTP API: `/api/v1`, OpenAPI at `/api/openapi.json`, the screens at `/`.

`ROUTERS` is the visible list of what there is. `create_app` takes what it needs and reads no configuration.
`python -m backend.app --openapi` prints the OpenAPI document, from which the screens' types are generated.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from psycopg_pool import PoolTimeout
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend import errors
from backend.api import PREFIX, problem_response
from backend.db import open_pool
from backend.errors import Problem, Refused
from routing.roads import RoadsDown

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_UPLOAD_BYTES = 32 * 1024 * 1024  # multipart: imports
COMMANDS_AT_ONCE, READS_AT_ONCE = (
    8,
    20,
)  # fewer than connections: log-ins of live screens and the metrics need some, too
POOL_SIZE = 32

ROUTERS = [
    "backend.auth.routes:open_router",
    "backend.auth.routes:router",
    "backend.catalog.routes:router",
    "backend.catalog.imports.routes:router",
    "backend.catalog.tags.routes:router",
    "backend.ledger.routes:router",
    "backend.labels.routes:router",
    "backend.receiving.routes:router",
    "backend.putaway.routes:router",
    "backend.returns.routes:router",
    "backend.orders.routes:router",
    "backend.picking.routes:router",
    "backend.packing.routes:router",
    "backend.shipping.routes:router",
    "backend.dispatch.routes:router",
    "backend.dispatch.driver_routes:open_router",
    "backend.dispatch.driver_routes:router",
    "backend.handheld.routes:router",
    "backend.counting.routes:router",
    "backend.transfers.routes:router",
    "backend.replenishment.routes:router",
    "backend.integration.erp.routes:router",
    "backend.integration.webhooks.routes:router",
    "backend.telemetry.routes:router",
    "backend.maps.routes:router",
    "backend.devices.routes:open_router",
    "backend.devices.routes:router",
    "backend.live.routes:router",
    "backend.live.floor:router",
    "backend.operations.routes:router",
]


def create_app(
    database_url: str,
    *,
    web_root: Path | None = None,
    erp_url: str | None = None,
    mqtt_url: str | None = None,
) -> FastAPI:
    """The ASGI application. `web_root`: the built screens, where there are any. Opens its pool at start-up."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = open_pool(app.state.database_url, size=POOL_SIZE)
        app.state.commands_at_once = anyio.Semaphore(COMMANDS_AT_ONCE, fast_acquire=True)
        app.state.command_threads = anyio.CapacityLimiter(COMMANDS_AT_ONCE)
        app.state.reads_at_once = anyio.Semaphore(READS_AT_ONCE, fast_acquire=True)
        app.state.read_threads = anyio.CapacityLimiter(READS_AT_ONCE)
        async with anyio.create_task_group() as background:
            app.state.background = background
            for start in app.state.on_startup:
                await start(app)
            yield
            background.cancel_scope.cancel()
        app.state.pool.close()

    app = FastAPI(
        title="Stowage",
        version="0.1.0",
        summary="Connected warehouses, and the deliveries that leave them",
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.database_url = database_url
    app.state.erp_url = erp_url
    app.state.mqtt_url = mqtt_url
    app.state.on_startup = []
    for entry in ROUTERS:
        module_name, attribute = entry.split(":")
        module = importlib.import_module(module_name)
        app.include_router(getattr(module, attribute), prefix=PREFIX)
        if (start := getattr(module, "on_startup", None)) is not None and start not in app.state.on_startup:
            app.state.on_startup.append(start)
    _document(app)
    _answer_errors(app)
    app.add_middleware(_BodyLimit)
    _serve_operations(app)
    if web_root is not None:
        _serve_screens(app, web_root)
    else:
        _say_there_are_no_screens(app)
    return app


def _document(app: FastAPI) -> None:
    plain: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for path in document["paths"].values():
            for operation in path.values():
                unprocessable = operation["responses"].get("422")
                if unprocessable:
                    operation["responses"]["422"] = errors.PROBLEMS[422]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, e: Refused) -> JSONResponse:
        return problem_response(e)

    @app.exception_handler(RoadsDown)
    async def roads_down(_: Request, e: RoadsDown) -> JSONResponse:
        return _problem("roads-down", "The roads are not known right now", 503, str(e))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, e: RequestValidationError) -> JSONResponse:
        found = [
            {"field": ".".join(str(p) for p in err["loc"] if p not in ("body", "query", "path", "header")) or str(err["loc"][0]),
             "in": str(err["loc"][0]), "detail": err["msg"]}
            for err in e.errors()
        ]  # fmt: skip
        sentence = "; ".join(f"{f['field']}: {f['detail']}" for f in found[:5])
        return _problem(
            "invalid-input", "Invalid input", 422, sentence, field=found[0]["field"], errors=found[:50]
        )

    @app.exception_handler(psycopg.Error)
    async def database(request: Request, e: psycopg.Error) -> JSONResponse:
        known = errors.from_database(e)
        if known is not None:
            return problem_response(known)
        if isinstance(e, psycopg.OperationalError) or (
            e.sqlstate is None and isinstance(e, psycopg.InterfaceError)
        ):
            log.warning("database_unavailable", error=str(e))
            return _problem(
                "unavailable", "Not available right now", 503, "The database does not answer; try again."
            )
        return await crashed(request, e)

    @app.exception_handler(PoolTimeout)
    async def busy(_: Request, e: PoolTimeout) -> JSONResponse:
        return _problem(
            "unavailable", "Not available right now", 503, "The database does not answer in time; try again."
        )

    @app.exception_handler(HTTPException)
    async def http(_: Request, e: HTTPException) -> JSONResponse:
        kinds = {404: "not-found", 405: "method-not-allowed", 400: "unreadable", 413: "too-large"}
        kind = kinds.get(e.status_code, "http")
        answer = _problem(kind, str(e.detail), e.status_code, str(e.detail))
        answer.headers.update(e.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def crashed(request: Request, e: Exception) -> JSONResponse:
        log.error("request_failed", path=request.url.path, method=request.method, exc_info=e)
        return _problem("internal", "Internal error", 500, "This is a fault of ours; it has been logged.")


class _BodyLimit:
    """Ends the reading of a body that is too large, said or not, with a Problem. (FastAPI's own answers in plain text.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        upload = headers.get("content-type", "").startswith("multipart/")
        limit = MAX_UPLOAD_BYTES if upload else MAX_BODY_BYTES
        said = headers.get("content-length", "")
        sentence = f"A body may have {limit} bytes."
        if said.isdigit() and int(said) > limit:
            answer = _problem("too-large", "Too large", 413, sentence)
            await answer(scope, receive, send)
            return
        size = 0

        async def receive_so_much() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise HTTPException(413, sentence)
            return message

        await self._app(scope, receive_so_much, send)


def _problem(kind: str, title: str, status: int, detail: str, **more: Any) -> JSONResponse:
    body = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def _serve_operations(app: FastAPI) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        from backend.operations.metrics import CONTENT_TYPE, render

        with request.app.state.pool.connection(timeout=3) as conn:
            conn.execute("set transaction read only")
            return Response(render(conn), media_type=CONTENT_TYPE)

    @app.get("/readyz", include_in_schema=False)
    def readyz(request: Request) -> Response:
        from backend.migrate import is_current

        try:
            with request.app.state.pool.connection(timeout=3) as conn:
                current = is_current(conn)
        except (psycopg.Error, PoolTimeout) as e:
            return PlainTextResponse(f"the database does not answer: {e}", 503)
        return (
            PlainTextResponse("ready")
            if current
            else PlainTextResponse("the database awaits `stowage migrate`", 503)
        )


def _serve_screens(app: FastAPI, web_root: Path) -> None:
    index = web_root / "index.html"
    app.mount("/assets", StaticFiles(directory=web_root / "assets"), name="assets")

    @app.get("/{path:path}", include_in_schema=False)
    def screen(path: str) -> Response:
        if path.startswith("api/"):
            raise HTTPException(404, "There is no such address in the API.")
        file = (web_root / path).resolve()
        if path and file.is_file() and file.is_relative_to(web_root.resolve()):
            return FileResponse(file)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})


def _say_there_are_no_screens(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def no_screens() -> PlainTextResponse:
        return PlainTextResponse(
            "Stowage runs, without screens so far: they are still being built, or building them failed (the log "
            "`screens.log` in the data folder says which). They appear at this address by themselves once they are "
            "built. The API is documented at /api/docs.",
            503,
            headers={"Retry-After": "15"},
        )


if __name__ == "__main__":
    if "--openapi" in sys.argv:
        print(json.dumps(create_app("postgresql://nowhere").openapi(), indent=1))
