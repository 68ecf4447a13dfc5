"""The machine's Chromium, headless, as the screens' tests and figures open it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

NAMES = ("chromium", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

expect.set_options(timeout=30_000)  # a page that is drawn by software on busy cores is slow, not wrong


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """With `more` arguments. Raises FileNotFoundError where there is none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise FileNotFoundError("no Chromium on this machine: install the package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            browser.close()


def intercept(
    page: Page, pattern: str, handler: Callable[[Route], object], *, times: int | None = None
) -> None:
    """`page.route`, in force when this returns: Chromium takes an interception over a moment after it has said so, and
    what a page asks in that moment goes past it, unheard by `expect_request` too."""
    seen: list[Route] = []

    def probe(route: Route) -> None:
        seen.append(route)
        route.continue_()

    page.route("**/healthz", probe)
    while not seen:
        page.evaluate("() => fetch('/healthz').then(() => null)")
    page.route(pattern, handler, times=times)
    page.unroute("**/healthz", probe)
