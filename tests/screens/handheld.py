"""A worker with a handheld, 360 x 640, in a real browser: scans typed as fast as a keyboard wedge does it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as NotInTime

from backend.ids import new_id

SHOTS: Path | None = None
"""Set it to a folder to keep a picture of every step."""


@dataclass
class Handheld:
    page: Page
    base: str

    # --- hands ---------------------------------------------------------------------------------------------

    def log_in(self, username: str, password: str = "test-password") -> None:
        self.page.goto(f"{self.base}/handheld")
        self.page.locator("input[name=username]").fill(username)
        self.page.locator("input[name=password]").fill(password)
        self.shot("login")
        self.page.locator("button[type=submit]").click()
        self.page.get_by_test_id("handheld-home").wait_for()

    def open(self, job: str) -> None:
        while not self.page.get_by_test_id("handheld-home").is_visible():
            with suppress(NotInTime):  # a job that is over leaves by itself, perhaps just now
                self.page.get_by_test_id("home").click(timeout=1000)
        self.press(f"job-{job}")
        self.page.get_by_test_id("instruction").wait_for()

    def wedge(self, *codes: str, end: str = "Enter") -> None:
        """Key by key without a pause, as a scanner sends it; FNC1 as F8."""
        for code in codes:
            parts = code.split("\x1d")
            for part in parts[:-1]:
                self.page.keyboard.type(part)
                self.page.keyboard.press("F8")
            self.page.keyboard.type(parts[-1])
            self.page.keyboard.press(end)

    def scan(self, code: str, *, tone: str | None = "good") -> None:
        """Scans, waits for the answer, and looks at its colour."""
        before = self.answers()
        self.wedge(code)
        self.settled()
        if tone is not None:
            assert self.answers()[len(before) :][-1:] == [tone], f"{code}: {self.page.inner_text('main')}"

    def press(self, test_id: str) -> None:
        self.page.get_by_test_id(test_id).click()
        if self.page.get_by_test_id("step").count():
            self.settled()

    def type_on_keypad(self, text: str) -> None:
        pad = self.page.get_by_test_id("keypad")
        for character in text:
            pad.get_by_role("button", name=character, exact=True).click()
        self.press("keypad-done")

    # --- eyes ----------------------------------------------------------------------------------------------

    def answers(self) -> list[str]:
        return list(self.page.evaluate("window.answers"))

    def settled(self) -> None:
        """Every scan has its answer, or the step has been left."""
        self.page.wait_for_function(
            "(document.querySelector('[data-testid=step]')?.dataset.waiting ?? '0') === '0'"
        )

    def text(self, test_id: str) -> str:
        return self.page.get_by_test_id(test_id).inner_text().replace("\n", " ").strip()

    def says(self, test_id: str, words: str) -> None:
        expect(self.page.get_by_test_id(test_id)).to_contain_text(words)

    def expects(self, what: str) -> None:
        expect(self.page.get_by_test_id("expect")).to_have_attribute("data-expect", what)

    def shot(self, name: str) -> None:
        if SHOTS is not None:
            SHOTS.mkdir(parents=True, exist_ok=True)
            if "flash" not in name and self.page.get_by_test_id("answer").count():
                self.page.get_by_test_id("answer").wait_for(state="hidden")
            self.page.screenshot(path=SHOTS / f"{name}.png")


WATCH = """
localStorage.setItem('stowage.handheld.gap_ms', '1500');
window.answers = [];
window.shownAt = [];
new MutationObserver((changes) => {
  for (const change of changes)
    for (const node of change.addedNodes)
      if (node.dataset?.testid === 'answer') {
        window.answers.push(node.dataset.tone);
        window.shownAt.push(performance.now());
      }
}).observe(document, { childList: true, subtree: true });
"""
"""Remembers the colour of every answer, however short it was shown. Keys come slower from a busy test machine than from a scanner."""


@dataclass(frozen=True)
class Backend:
    base: str
    token: str

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(new_id())}
        answer = httpx.request(method, f"{self.base}/api/v1{path}", json=body, headers=headers, timeout=60)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()


def eventually(holds: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not become so in time"
        threading.Event().wait(0.05)


def too_small(page: Page) -> list[str]:
    """Targets a glove misses, and anything that does not fit on the screen."""
    found: list[str] = page.evaluate(
        """() => {
          const wrong = [];
          for (const e of document.querySelectorAll('button, input')) {
            const r = e.getBoundingClientRect();
            if (r.width === 0) continue;
            if (r.width < 48 || r.height < 48) wrong.push(`small ${e.dataset.testid ?? e.textContent} ${r.width}x${r.height}`);
            if (r.left < -0.5 || r.right > innerWidth + 0.5 || r.top < -0.5 || r.bottom > innerHeight + 0.5) wrong.push(`outside ${e.dataset.testid ?? e.textContent}`);
          }
          const page = document.scrollingElement;
          if (page.scrollHeight > innerHeight || page.scrollWidth > innerWidth) wrong.push('page scrolls');
          const body = document.querySelector('[data-testid=instruction]')?.parentElement;
          if (body && !('scrolls' in body.dataset) && body.scrollHeight > body.clientHeight + 1) wrong.push(`step cut off ${body.scrollHeight}>${body.clientHeight}`);
          return wrong;
        }"""
    )
    return found


def sscc_in(text: str) -> str:
    found = re.search(r"\d{18}", text)
    assert found is not None, text
    return found[0]
