"""Events reach a real receiver signed, in order per subject, again and again until it takes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from backend.db import Conn
from backend.integration import webhooks
from backend.integration.webhooks.deliver import deliver_due
from tests.conftest import Api, Warehouse


class Receiver:
    """A CRM's end: keeps what it was sent and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.end_headers()
                self.wfile.write(b"as you say")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    r = Receiver()
    threading.Thread(target=r.server.serve_forever, daemon=True).start()
    yield r
    r.server.shutdown()
    r.server.server_close()


def subscribe(api: Api, url: str, **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/webhook-subscriptions", json={"name": "CRM", "url": url, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def emit(conn: Conn, w: Warehouse, subject: str = "TEA-250", type_: str = "item.back_in_stock") -> None:
    with conn.transaction():
        webhooks.emit(conn, w.ctx(), type_, subject, {"sku": subject})


def deliver(conn: Conn) -> int:
    with httpx.Client(timeout=60) as client:
        return deliver_due(conn, client.post)


def again_now(conn: Conn) -> None:
    conn.execute("update webhook_delivery set next_try_at = now() where state = 'waiting'")


def test_an_event_arrives_as_a_signed_cloudevent(
    api: Api, conn: Conn, warehouse: Warehouse, receiver: Receiver
) -> None:
    secret = subscribe(api, receiver.url)["secret"]
    emit(conn, warehouse)
    assert deliver(conn) == 1
    headers, body = receiver.requests[0]
    event = Webhook(secret).verify(body, headers)
    assert {k: event[k] for k in ("specversion", "type", "source", "subject", "data")} == {
        "specversion": "1.0", "type": "stowage.item.back_in_stock", "source": "/sites/HEL1", "subject": "TEA-250", "data": {"sku": "TEA-250"},
    }  # fmt: skip
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"TEA", b"PEA"), headers)
    assert api.get("/api/v1/webhook-deliveries").json()["items"][0]["state"] == "delivered"


def test_a_receiver_that_fails_gets_it_again_with_the_same_id_and_in_order(
    api: Api, conn: Conn, warehouse: Warehouse, receiver: Receiver
) -> None:
    subscribe(api, receiver.url)
    receiver.status = 500
    emit(conn, warehouse, type_="item.stop_recommending")
    emit(conn, warehouse)
    emit(conn, warehouse, subject="MILK-1L")
    assert deliver(conn) == 2, "the second event about tea waits for the first; milk does not"
    waiting = [d for d in api.get("/api/v1/webhook-deliveries").json()["items"] if d["attempts"]]
    assert {(d["subject"], d["last_status"], d["last_words"]) for d in waiting} == {
        ("TEA-250", 500, "as you say"),
        ("MILK-1L", 500, "as you say"),
    }
    receiver.status = 204
    again_now(conn)
    assert deliver(conn) == 3
    tea = [e for e in receiver.events() if e["subject"] == "TEA-250"]
    assert [e["type"] for e in tea] == ["stowage.item.stop_recommending"] * 2 + ["stowage.item.back_in_stock"]
    assert tea[0]["id"] == tea[1]["id"]


def test_an_event_nobody_takes_for_days_is_parked_and_can_be_retried(
    api: Api, conn: Conn, warehouse: Warehouse, receiver: Receiver
) -> None:
    subscribe(api, "http://127.0.0.1:9/nobody")
    emit(conn, warehouse)
    with conn.transaction():
        conn.execute("update webhook_delivery set attempts = 20")
        conn.execute("select set_config('stowage.actor', 'test', true)")
    deliver(conn)
    parked = api.get("/api/v1/webhook-deliveries").json()["items"][0]
    assert (parked["state"], "ConnectError" in parked["last_words"]) == ("waiting", True)
    assert api.post(f"/api/v1/webhook-deliveries/{parked['id']}/retry").status_code == 200
    api.patch(f"/api/v1/webhook-subscriptions/{parked['subscription_id']}", json={"url": receiver.url})
    deliver(conn)
    assert api.get("/api/v1/webhook-deliveries").json()["items"][0]["state"] == "delivered"
    assert api.post(f"/api/v1/webhook-deliveries/{parked['id']}/retry").status_code == 409


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(
    api: Api, conn: Conn, warehouse: Warehouse, receiver: Receiver
) -> None:
    subscribe(api, receiver.url)
    receiver.status = 410
    emit(conn, warehouse)
    deliver(conn)
    again_now(conn)
    assert deliver(conn) == 0
    assert (
        api.get("/api/v1/webhook-subscriptions").json()["items"][0]["disabled_because"]
        == "the receiver answered 410 Gone"
    )


def test_only_what_was_asked_for_is_sent(
    api: Api, conn: Conn, warehouse: Warehouse, receiver: Receiver
) -> None:
    subscribe(api, receiver.url, types=["order.shipped"])
    emit(conn, warehouse)
    assert deliver(conn) == 0
    bad = api.post(
        "/api/v1/webhook-subscriptions", json={"name": "x", "url": receiver.url, "types": ["no.such"]}
    )
    assert (bad.status_code, bad.json()["field"]) == (422, "types")
    assert "secret" not in api.get("/api/v1/webhook-subscriptions").text
