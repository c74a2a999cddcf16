"""A real Chromium, and everything that a page asks for or complains about in it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

QUIET = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@dataclass
class Visit:
    page: Page
    requests: list[Request] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    """Of requests, workers and WebSockets."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console (violations of the content policy are among them),
    uncaught exceptions, failed requests."""

    def __post_init__(self) -> None:
        self.page.context.on("request", self._requested)
        self.page.on("worker", lambda worker: self.addresses.append(worker.url))
        self.page.on("websocket", lambda socket: self.addresses.append(socket.url))
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))

    def _requested(self, request: Request) -> None:
        self.requests.append(request)
        self.addresses.append(request.url)

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "these tests drive Chromium: install Debian's package `chromium`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()
