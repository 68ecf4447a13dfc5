"""The HTTP API as one of the demo's people (or outside systems) uses it: log in once, one key a step.

A step that got no answer is sent again with the same key until it has one, so a restarted or slow API costs time
and never a second movement. A refusal is raised: people read it and act on it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import structlog

from stowage.demo.pace import Pace

log = structlog.get_logger(__name__)
Json = dict[str, Any]

MOST_FAILURES = 8
"""So many answers that it failed (not: no answer), and the person does something else."""


class Refused(Exception):
    """The API said no: `status`, and `problem` in its own words and fields."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status} {problem.get('type', '')}: {problem.get('detail', problem)}")
        self.status, self.problem = status, problem

    @property
    def kind(self) -> str:
        return str(self.problem.get("type", "")).rsplit("/", 1)[-1].rsplit(":", 1)[-1]


class Account:
    """Safe to use from several threads."""

    def __init__(self, base_url: str, username: str, password: str, pace: Pace) -> None:
        self.username = username
        self._password, self._pace = password, pace
        self._http = httpx.Client(base_url=base_url + "/api/v1", timeout=30)
        self._token: str | None = None

    def close(self) -> None:
        self._http.close()

    def use_token(self, token: str) -> None:
        """An API token instead of the log-in."""
        self._token = token

    def get(self, path: str, **query: Any) -> Json:
        return self._step("GET", path, None, {k: v for k, v in query.items() if v is not None})

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """All items of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def post(self, path: str, body: Json | None = None) -> Json:
        return self._step("POST", path, body or {}, {})

    def patch(self, path: str, body: Json) -> Json:
        return self._step("PATCH", path, body, {})

    def _step(self, method: str, path: str, body: Json | None, query: Json) -> Json:
        key, pause_s, failures = str(uuid.uuid4()), 0.5, 0
        while True:
            answer = None
            try:
                if self._token is None:
                    self._log_in()
                answer = self._http.request(
                    method, path, json=body, params=query, headers={"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
                )  # fmt: skip
            except httpx.TransportError as e:
                log.info("no_answer", account=self.username, path=path, why=type(e).__name__)
            except Refused as refused:
                if refused.status < 500 and refused.status != 429:
                    raise
            if answer is not None and answer.status_code < 400:
                return dict(answer.json()) if answer.content else {}
            if answer is not None and answer.status_code == 401:
                self._token = None
            elif answer is not None and answer.status_code < 500 and answer.status_code != 429:
                raise _refusal(answer)
            elif answer is not None:
                failures += 1
                if failures > MOST_FAILURES:
                    raise _refusal(answer)
            self._pace.really(pause_s)
            pause_s = min(pause_s * 2, 10)

    def _log_in(self) -> None:
        answer = self._http.post("/auth/login", json={"username": self.username, "password": self._password},
                                 headers={"Idempotency-Key": str(uuid.uuid4())})  # fmt: skip
        if answer.status_code >= 400:
            raise _refusal(answer)
        self._token = answer.json()["token"]


def _refusal(answer: httpx.Response) -> Refused:
    try:
        return Refused(answer.status_code, answer.json())
    except ValueError:
        return Refused(answer.status_code, {"detail": answer.text[:200]})
