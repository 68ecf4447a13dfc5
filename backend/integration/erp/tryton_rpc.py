"""Tryton's JSON-RPC, one call at a time: log-in, typed values, and every failure brought to an `ErpError` here.

Facts it rests on (Tryton 8.0): a call is `{"id", "method", "params"}` with the context as last parameter; each call is
a transaction of its own; a refusal is HTTP 200 with `error`; a warning is refused until `res.user.warning.skip`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from backend.integration.erp.connector import ErpBusy, ErpClosedPeriod, ErpLogin, ErpRefused, ErpUnreachable

ANSWERED_YES = (".done", ".check_quantity_product", ".check_quantity_lot", ".check_move_quantity")
"""Warnings that a warehouse answers "yes" to by having done it: a move without an order, more than was ordered."""

_CLOSED = re.compile(
    r"(clos|reopen)\w*\b.{0,80}\bperiod|\bperiod.{0,80}\b(clos|reopen)", re.IGNORECASE | re.DOTALL
)
_LOCKED = re.compile(r"locked|timeout|deadlock|could not serialize", re.IGNORECASE)


class TrytonRpc:
    """A session of one user with one database. Not for several threads at once."""

    def __init__(
        self, base_url: str, database: str, user: str, password: str, *, timeout_s: float = 120
    ) -> None:
        self.base_url = base_url
        self.database = database
        self._user = user
        self._password = password
        self._http = httpx.Client(
            base_url=f"{base_url.rstrip('/')}/{database}/", timeout=httpx.Timeout(timeout_s, connect=5)
        )
        self._context: dict[str, Any] | None = None

    def close(self) -> None:
        self._http.close()

    @property
    def company(self) -> int:
        return int(self._session()["company"])

    def call(self, method: str, *params: Any, **context: Any) -> Any:
        """The result of `model.<name>.<method>`. Raises ErpUnreachable, ErpBusy, ErpLogin, ErpRefused."""
        session = self._session()
        body = [*params, {**session, **context}]
        answer = self._post(method, body)
        if (
            answer.status_code == 401
        ):  # the session ended (idle, restarted, password changed): log in once more
            self._context = None
            self._session()
            answer = self._post(method, body)
        return self._result(method, body, answer, answered=0)

    def _session(self) -> dict[str, Any]:
        if self._context is None:
            answer = self._post("common.db.login", [self._user, {"password": self._password}, "en"])
            if answer.status_code in (401, 403):
                raise ErpLogin(
                    f"Tryton does not accept the password of user {self._user!r} (HTTP {answer.status_code})"
                )
            user_id, token, *_ = self._result("common.db.login", [], answer)
            secret = base64.b64encode(f"{self._user}:{user_id}:{token}".encode()).decode()
            self._http.headers["Authorization"] = f"Session {secret}"
            preferences = self._result("login", [], self._post("model.res.user.get_preferences", [True, {}]))
            if not preferences.get("company"):
                raise ErpLogin(
                    f"Tryton's user {self._user!r} belongs to no company; give it one in its preferences"
                )
            self._context = {"company": preferences["company"], "language": "en"}
        return self._context

    def _post(self, method: str, params: list[Any]) -> httpx.Response:
        body = json.dumps({"id": 1, "method": method, "params": params}, default=_to_json)
        try:
            return self._http.post("rpc/", content=body, headers={"Content-Type": "application/json"})
        except httpx.ConnectError as e:
            raise ErpUnreachable(f"no connection to Tryton at {self.base_url}: {e}") from e
        except httpx.TimeoutException as e:
            raise ErpUnreachable(f"Tryton did not answer {method} in time") from e
        except httpx.TransportError as e:
            raise ErpUnreachable(f"the connection to Tryton broke during {method}: {e}") from e

    def _result(self, method: str, params: list[Any], answer: httpx.Response, *, answered: int = 0) -> Any:
        status = answer.status_code
        if status == 401:
            raise ErpLogin(f"Tryton does not accept user {self._user!r} (HTTP 401)")
        if status == 404:
            raise ErpLogin(f"Tryton has no database {self.database!r} (HTTP 404)")
        if status in (423, 429) or status >= 500:
            raise ErpBusy(f"Tryton answered HTTP {status} to {method}: {_short(answer.text)}")
        if status != 200:
            raise ErpRefused(f"Tryton answered HTTP {status} to {method}: {_short(answer.text)}")
        try:
            body = json.loads(answer.content, object_hook=_from_json)
        except ValueError as e:
            raise ErpBusy(f"what answers at {self.base_url} is not Tryton: {_short(answer.text)}") from e
        if not isinstance(body, Mapping):
            raise ErpBusy(f"what answers at {self.base_url} is not Tryton: {_short(answer.text)}")
        if "error" in body:
            return self._failed(method, params, body["error"], answered)
        return body["result"]

    def _failed(self, method: str, params: list[Any], error: Any, answered: int) -> Any:
        kind: Any = error
        about: Any = ""
        if isinstance(error, list) and len(error) > 1:
            kind, about = error[0], error[1]
        if kind == "UserWarning":
            name, *words = about
            if name.endswith(ANSWERED_YES) and answered < 5:
                self._result(
                    "skip", [], self._post("model.res.user.warning.skip", [name, False, self._session()])
                )
                return self._result(method, params, self._post(method, params), answered=answered + 1)
            raise ErpRefused(_sentence(words))
        if kind == "UserError":
            words_ = _sentence(about[:2])
            raise ErpClosedPeriod(words_) if _CLOSED.search(words_) else ErpRefused(words_)
        if kind == "ConcurrencyException" or _LOCKED.search(str(kind)):
            raise ErpBusy(f"Tryton: {kind} {_short(str(about))}".strip())
        if kind == "LoginException":
            raise ErpLogin(f"Tryton asks for more than a password for user {self._user!r}")
        # anything else is an exception inside the server, with a traceback as second word
        raise ErpBusy(f"Tryton failed inside {method}: {_short(str(kind))}")


def _sentence(words: Any) -> str:
    return (
        " ".join(str(word).strip() for word in words if word).replace("\xa0", " ") or "refused without a word"
    )


def _short(text: str, limit: int = 300) -> str:
    return " ".join(text.split())[:limit]


def _to_json(value: object) -> Any:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, datetime):
        return {"__class__": "datetime", "year": value.year, "month": value.month, "day": value.day, "hour": value.hour,
                "minute": value.minute, "second": value.second, "microsecond": value.microsecond}  # fmt: skip
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    raise TypeError(f"Tryton has no form for {type(value).__name__}")


def _from_json(found: dict[str, Any]) -> Any:
    match found.get("__class__"):
        case "Decimal":
            return Decimal(found["decimal"])
        case "date":
            return date(found["year"], found["month"], found["day"])
        case "datetime":
            return datetime(found["year"], found["month"], found["day"], found["hour"], found["minute"],
                            found["second"], found["microsecond"], tzinfo=UTC)  # fmt: skip
        case "timedelta":
            return timedelta(seconds=found["seconds"])
        case _:
            return found
