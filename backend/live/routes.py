"""`/api/v1/live`: one WebSocket with topics. First message `{"token", "topics", "site_id"?}`, then a snapshot marker, then hints.

One listening connection per API process hears the database's NOTIFY and hands each hint to the browsers that
asked for its topic. A browser that is too slow is disconnected and comes back: it then fetches anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import psycopg
import structlog
from anyio import to_thread
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from backend import api
from backend.auth.principals import Principal, authenticate
from backend.db import app_conninfo
from backend.errors import Refused
from backend.live.announce import CHANNEL, TOPICS

router = api.router(tags=["live"])
log = structlog.get_logger(__name__)

QUEUE = 1000
GATHER_S = 0.02
"""What is said within it is heard together: in a busy hour a wait for each hint costs more than the hints."""


@dataclass(eq=False)
class Listener:
    topics: frozenset[str]
    site: str | None
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))


async def on_startup(app: FastAPI) -> None:
    app.state.live_listeners = set()
    app.state.background.start_soon(_listen, app)


async def _listen(app: FastAPI) -> None:
    """Hears the database for as long as the API runs; after a gap every browser is told to fetch anew."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                app_conninfo(app.state.database_url), autocommit=True
            ) as conn:
                await conn.execute(f"listen {CHANNEL}".encode())
                _hand_out(app, json.dumps({"topic": "*", "site": None, "id": None}))
                while True:
                    for hint in dict.fromkeys([note.payload async for note in conn.notifies(stop_after=1)]):
                        _hand_out(app, hint)
                    await anyio.sleep(GATHER_S)
        except (psycopg.Error, OSError) as e:
            log.warning("live_listener_lost", error=str(e))
            await anyio.sleep(1)


def _hand_out(app: FastAPI, text: str) -> None:
    if not app.state.live_listeners:
        return
    hint: dict[str, Any] = json.loads(text)
    for listener in list(app.state.live_listeners):
        if hint["topic"] != "*" and (
            hint["topic"] not in listener.topics or listener.site not in (None, hint["site"])
        ):
            continue
        try:
            listener.queue.put_nowait(text)
        except asyncio.QueueFull:
            app.state.live_listeners.discard(listener)
            listener.queue.get_nowait()
            listener.queue.put_nowait(None)


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    await socket.accept()
    try:
        with anyio.fail_after(10):
            hello = await socket.receive_json()
        who = await to_thread.run_sync(_who, socket.app, str(hello.get("token", "")))
        topics = frozenset(hello["topics"]) & frozenset(TOPICS)
    except Refused as e:
        await socket.close(4401, e.detail[:120])
        return
    except (TimeoutError, WebSocketDisconnect, ValueError, KeyError, TypeError, AttributeError):
        with contextlib.suppress(RuntimeError):
            await socket.close(4400, "say {token, topics} first")
        return
    site = str(who.site_id) if who.site_id else hello.get("site_id")
    listener = Listener(topics, site)
    socket.app.state.live_listeners.add(listener)
    try:
        await socket.send_json({"topic": "*", "site": site, "id": None, "now": datetime.now(UTC).isoformat()})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_closed, socket, tasks.cancel_scope)
            await _send(socket, listener)
            tasks.cancel_scope.cancel()
    except (WebSocketDisconnect, RuntimeError):
        pass  # gone before the first word
    finally:
        socket.app.state.live_listeners.discard(listener)


def _who(app: FastAPI, token: str) -> Principal:
    with app.state.pool.connection() as conn:
        return authenticate(conn, f"Bearer {token}", datetime.now(UTC))


async def _send(socket: WebSocket, listener: Listener) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may go in the middle of a word
        while True:
            try:
                with anyio.fail_after(20):
                    text = await listener.queue.get()
            except TimeoutError:
                text = json.dumps({"topic": "ping", "site": None, "id": None})
            if text is None:
                await socket.close(4408, "too slow; come back and fetch")
                return
            await socket.send_text(text)


async def _until_closed(socket: WebSocket, scope: anyio.CancelScope) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()
    scope.cancel()
