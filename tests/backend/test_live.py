"""Browsers are told that something changed, on the topics and the site they asked for, and nothing else."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any
from uuid import UUID

import anyio
import pytest
from starlette.websockets import WebSocketDisconnect

from backend.db import Conn
from backend.live.announce import announce
from tests.conftest import Api, Warehouse, build_warehouse, put_stock


def token(api: Api) -> str:
    return api.headers["Authorization"].removeprefix("Bearer ")


def listen(socket: Any, api: Api, conn: Conn, site: UUID, **more: Any) -> None:
    """Asks for movements, and says nothing until the database is heard: what is said before that comes as "fetch anew"."""
    socket.send_json({"token": token(api), "topics": ["movements"], **more})
    assert socket.receive_json()["topic"] == "*"
    for n in itertools.count():
        announce(conn, site, "movements", f"are you there {n}")
        while (word := socket.receive_json())["topic"] != "*" and word["id"] != f"are you there {n}":
            pass
        if word["topic"] != "*":
            return


def next_hint(socket: Any) -> Any:
    while (word := socket.receive_json())["topic"] == "ping":
        pass
    return word


def test_a_posting_is_heard_on_its_topic_and_site_only(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    other = build_warehouse(conn, "TRE1")
    with api.websocket_connect("/api/v1/live") as socket:
        listen(socket, api, conn, warehouse.site_id, site_id=str(warehouse.site_id))
        put_stock(conn, other, "TEA-250", "A-01-1", "5")
        put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
        hint = next_hint(socket)
        assert (hint["topic"], hint["site"]) == ("movements", str(warehouse.site_id))
        assert (
            api.get(f"/api/v1/movements/{hint['id']}", params={"site_id": str(warehouse.site_id)}).json()[
                "quantity"
            ]
            == "5"
        )


@pytest.mark.parametrize(
    "hello", [{"token": "wrong", "topics": []}, {"topics": ["movements"]}, {"token": 5}, []]
)
def test_a_stranger_hears_nothing(api: Api, hello: object) -> None:
    with api.websocket_connect("/api/v1/live") as socket:
        socket.send_json(hello)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code in (4400, 4401)


def test_what_is_rolled_back_is_not_announced(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    with api.websocket_connect("/api/v1/live") as socket:
        listen(socket, api, conn, warehouse.site_id)
        assert (
            api.post(
                "/api/v1/adjustments",
                json={"item": "TEA-250", "place": "A-01-1", "change": "-5", "reason": "more than is there"},
            ).status_code
            == 409
        )
        made = api.post(
            "/api/v1/adjustments",
            json={"item": "TEA-250", "place": "A-01-1", "change": "5", "reason": "found"},
        ).json()
        assert next_hint(socket)["id"] == made["id"]


def test_a_browser_that_leaves_in_the_middle_of_a_hint_is_no_error(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    told: list[str] = []
    said = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": json.dumps({"token": token(api), "topics": ["movements"]})}]  # fmt: skip

    async def receive() -> dict[str, Any]:
        if not said:
            await anyio.sleep_forever()
        return said.pop(0)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            told.append(message["text"])
            if len(told) > 1:
                raise OSError("the connection is gone")

    scope = {"type": "websocket", "path": "/api/v1/live", "raw_path": b"/api/v1/live", "query_string": b"", "headers": [],
             "subprotocols": []}  # fmt: skip
    assert api.portal is not None
    over = api.portal.start_task_soon(api.app, scope, receive, send)
    deadline = time.monotonic() + 60
    while not told and time.monotonic() < deadline:
        time.sleep(0.02)
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    assert over.result(60) is None
    assert len(told) == 2


def test_the_floor_shows_what_lies_where_who_works_and_the_day(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    api.as_user(conn, "wendy", ["worker"]).post(
        "/api/v1/moves",
        json={"code": "TEA-250", "from_place": "A-01-1", "to_place": "A-01-2", "quantity": "4"},
    )
    floor = api.get("/api/v1/floor").json()
    assert {p["code"]: p["on_hand"] for p in floor["places"] if p["on_hand"] != "0"} == {
        "A-01-1": "26",
        "A-01-2": "4",
    }
    assert [(p["actor"], p["doing"]) for p in floor["people"]] == [("user:wendy", "move")]
    assert (floor["today"]["shipped"], floor["today"]["discrepancies_open"], floor["time_zone"]) == (
        "0",
        0,
        "Europe/Helsinki",
    )
    accuracy = api.get("/api/v1/overview").json()["kpis"][0]
    assert (accuracy["name"], accuracy["value"], accuracy["of"]) == ("stock_accuracy", "100", 2)
