"""What every test of a hand-held screen needs: the built screens, a browser, and the real application with its screens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.app import create_app
from backend.auth.principals import issue_token
from backend.db import Conn
from tests.conftest import Api, Warehouse
from tests.screens.handheld import Backend
from tests.served import served


@pytest.fixture
def backend(database_url: str, conn: Conn, warehouse: Warehouse, web_root: Path) -> Iterator[Backend]:
    Api.as_user(_Headers(), conn, "wendy", ["worker"])  # type: ignore[arg-type]
    user = conn.execute("select id from app_user where username = 'wendy'").fetchone()
    assert user is not None
    token = issue_token(conn, user[0], ["worker"], kind="api", name="badge", expires_at=None).secret
    with served(create_app(database_url, web_root=web_root)) as base:
        yield Backend(base, token)


class _Headers:
    """What `Api.as_user` writes to, where only the user is wanted."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


@pytest.fixture
def office(backend: Backend, conn: Conn) -> Backend:
    """The same application, asked by an administrator."""
    Api.as_user(_Headers(), conn, "ada", ["admin"])  # type: ignore[arg-type]
    user = conn.execute("select id from app_user where username = 'ada'").fetchone()
    assert user is not None
    return Backend(
        backend.base, issue_token(conn, user[0], ["admin"], kind="api", name="office", expires_at=None).secret
    )
