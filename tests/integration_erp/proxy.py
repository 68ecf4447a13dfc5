"""A man in the middle of Tryton's RPC who loses requests or answers, or answers 500, when a test tells him to."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Verdict = Literal["pass", "lose_request", "lose_answer", "fail"]
WRITES = (
    "create",
    "write",
    "delete",
    "receive",
    "do",
    "wait",
    "draft",
    "assign_try",
    "pick",
    "pack",
    "confirm",
    "process",
    "quote",
)


class Proxy:
    """`decide(method, number of the writing call)` says what happens to each call. Reads and log-in count as 0."""

    def __init__(self, erp_url: str) -> None:
        self._erp_url = erp_url
        self.decide: Callable[[str, int], Verdict] = lambda method, number: "pass"
        self.writes: list[str] = []
        proxy = self
        upstream = urlsplit(erp_url)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                method = str(json.loads(body).get("method"))
                number = 0
                if method.startswith("model.") and method.rsplit(".", 1)[1] in WRITES:
                    proxy.writes.append(method)
                    number = len(proxy.writes)
                verdict = proxy.decide(method, number)
                if verdict == "lose_request":
                    return
                if verdict == "fail":
                    self._answer(500, b"<h1>Internal Server Error</h1>", {})
                    return
                assert upstream.hostname is not None
                there = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=60)
                try:
                    there.request(
                        "POST",
                        self.path,
                        body,
                        {k: v for k, v in self.headers.items() if k.lower() != "host"},
                    )
                    answer = there.getresponse()
                    content = answer.read()
                except OSError:
                    return
                finally:
                    there.close()
                if verdict == "pass":
                    kept = {
                        k: v
                        for k, v in answer.getheaders()
                        if k.lower() in ("content-type", "content-encoding")
                    }
                    self._answer(answer.status, content, kept)

            def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        parts = urlsplit(self._erp_url)
        user = f"{parts.username}:{parts.password}"
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._server.server_address[1]}"))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
