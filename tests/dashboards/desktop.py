"""The application with its screens as an administrator's browser at a desk sees it; the fixtures are in `conftest.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from backend.app import create_app
from backend.auth.principals import hash_password
from backend.db import Conn
from backend.ids import new_id
from tests.conftest import Warehouse
from tests.served import served


@dataclass
class Running:
    """The application with its screens at `base`, a session of an administrator, and the ids of what there is."""

    base: str
    session: dict[str, Any]
    ids: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.session['token']}", "Idempotency-Key": str(new_id())}
        answer = httpx.request(method, f"{self.base}/api/v1{path}", json=body, headers=headers, timeout=60)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()


@pytest.fixture
def running(bare: Running, warehouse: Warehouse) -> Running:
    """With a small site in it."""
    return bare


@pytest.fixture
def bare(database_url: str, conn: Conn, web_root: Path) -> Iterator[Running]:
    """As after `stowage run --empty`: an administrator, and nothing else."""
    conn.execute(
        "insert into app_user (id, username, name, password_hash, roles) values (%s, 'ada', 'Ada Admin', %s, array['admin'])",
        [new_id(), hash_password("a good password")],
    )
    with served(create_app(database_url, web_root=web_root)) as base:
        login = httpx.post(
            f"{base}/api/v1/auth/login", json={"username": "ada", "password": "a good password"}, timeout=60
        )
        yield Running(base, login.json())


class Watched:
    """A page that remembers everything that went wrong on it."""

    def __init__(self, browser: Browser, running: Running, language: str, *, logged_in: bool = True) -> None:
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        self.context.add_init_script(f"localStorage.setItem('stowage.language', '{language}')")
        if logged_in:
            session = json.dumps(json.dumps(running.session))
            self.context.add_init_script(f"localStorage.setItem('stowage.session', {session})")
        self.base = running.base
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on(
            "console",
            lambda m: self.wrong.append(f"console: {m.text}") if m.type in ("error", "warning") else None,
        )
        self.page.on("pageerror", lambda e: self.wrong.append(f"exception: {e}"))
        self.page.on(
            "response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None
        )

    def open(self, path: str) -> str:
        """The visible text once the page has settled."""
        self.page.goto(self.base + path)
        self.page.locator("#content h1").first.wait_for(timeout=30_000)
        self.page.locator("[role=status] .mantine-Skeleton-root").first.wait_for(
            state="detached", timeout=30_000
        )
        self.page.wait_for_function(
            "!document.querySelector('#content .mantine-Skeleton-root')", timeout=30_000
        )
        return self.page.locator("#content").inner_text()
