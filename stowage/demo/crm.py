"""The demo's CRM, as far as it listens: it takes signed webhooks and shows the last of them at `/`.

What it is told about items it also obeys: customers are not offered what it was told to stop recommending.
"""

from __future__ import annotations

import contextlib
import html
import json
import threading
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

SHOWN = 50
MOST_BYTES = 1_000_000


class Crm:
    """`with Crm(...)`: listening."""

    def __init__(self, port: int, secret: str, memory: Path) -> None:
        self._port, self._webhook, self._memory = port, Webhook(secret), memory
        self._events: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self._not_recommended: set[str] = set()
        self._lock = threading.Lock()
        for line in memory.read_text(encoding="utf-8").splitlines() if memory.exists() else []:
            try:
                self._take(json.loads(line))
            except ValueError:
                continue

    def __enter__(self) -> Crm:
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                if self.path != "/events" or size > MOST_BYTES:
                    self.send_error(404 if self.path != "/events" else 413)
                    return
                verified = crm.receive(self.rfile.read(size), dict(self.headers.items()))
                self._answer(
                    204 if verified else 401, "text/plain", b"" if verified else b"the signature is wrong"
                )

            def do_GET(self) -> None:
                if self.path != "/":
                    self.send_error(404)
                    return
                self._answer(200, "text/html; charset=utf-8", crm.page().encode())

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # who asked may be gone before the last word
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.2,), name="crm", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def recommends(self, sku: str) -> bool:
        with self._lock:
            return sku not in self._not_recommended

    def receive(self, body: bytes, headers: dict[str, str]) -> bool:
        """Standard Webhooks: what is not signed with the secret we share is shown, and not believed."""
        verified, said = True, ""
        try:
            self._webhook.verify(body, {k.lower(): v for k, v in headers.items()})
        except WebhookVerificationError as e:
            verified, said = False, str(e)
        try:
            event = json.loads(body)
            event = event if isinstance(event, dict) else {}
        except ValueError:
            event = {}
        entry = {"verified": verified, "said": said, "event": event, "at": datetime.now(UTC).isoformat()}
        with self._lock:
            known = any(e["event"].get("id") == event.get("id") for e in self._events if event.get("id"))
        if not known:  # a webhook may come twice
            self._take(entry)
            with self._memory.open("a", encoding="utf-8") as out:
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
        return verified

    def _take(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self._events.appendleft(entry)
            if not entry["verified"]:
                return
            kind, subject = entry["event"].get("type"), str(entry["event"].get("subject"))
            if kind == "stowage.item.stop_recommending":
                self._not_recommended.add(subject)
            elif kind == "stowage.item.back_in_stock":
                self._not_recommended.discard(subject)

    def page(self) -> str:
        with self._lock:
            entries, stopped = list(self._events), sorted(self._not_recommended)
        rows = "".join(_row(e) for e in entries)
        body = (
            f"<table><thead><tr><th>Received<th>Signature<th>Type<th>Subject<th>What it says</tr></thead><tbody>{rows}</tbody></table>"
            if rows
            else "<p class=empty>No event yet. The first comes with the first order.</p>"
        )
        not_now = (
            "".join(f"<li>{html.escape(s)}</li>" for s in stopped)
            or "<li class=none>everything is recommended</li>"
        )
        return _PAGE.replace("{body}", body).replace("{stopped}", not_now)


def _row(entry: dict[str, Any]) -> str:
    event = entry["event"]
    sign = (
        "<td class=good>verified"
        if entry["verified"]
        else f"<td class=bad>not verified: {html.escape(entry['said'])}"
    )
    words = ", ".join(
        f"{k} {v}" for k, v in (event.get("data") or {}).items() if isinstance(v, str | int | bool)
    )
    kind = str(event.get("type", "?")).removeprefix("stowage.")
    return (
        f"<tr><td>{html.escape(entry['at'][11:19])}{sign}<td><b>{html.escape(kind)}</b><td>{html.escape(str(event.get('subject', '?')))}"
        f"<td class=words>{html.escape(words[:200])}</tr>"
    )


_PAGE = """<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=3>
<meta name=viewport content="width=device-width, initial-scale=1"><title>Demo CRM</title><style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2733;background:#fbfcfd}
h1{font-size:1.4rem;margin-bottom:.2rem}p{color:#5b6b7b;margin-top:0}table{border-collapse:collapse;width:100%;background:#fff}
th,td{text-align:left;padding:.45rem .7rem;border-bottom:1px solid #e3e8ee;vertical-align:top}th{color:#5b6b7b;font-weight:600}
.good{color:#18794e}.bad{color:#b42318;font-weight:600}.words{color:#5b6b7b}.empty{padding:3rem;text-align:center;background:#fff;
border:1px dashed #cdd6df}ul{list-style:none;padding:0;display:flex;gap:.5rem;flex-wrap:wrap}
li{background:#fdeeec;color:#b42318;padding:.1rem .6rem;border-radius:1rem}li.none{background:#e9f6ef;color:#18794e}</style>
<h1>Demo CRM</h1><p>Signed events from Stowage, the newest first. Times in UTC.</p>
<h2 style="font-size:1rem;margin-bottom:.3rem">Not recommended now</h2><ul>{stopped}</ul>{body}</html>"""
