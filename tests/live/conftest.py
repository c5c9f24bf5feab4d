"""A running service, as the tests of the room speak to it."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from live_browser import ARGUMENTS, OpenPage, is_wrong
from live_service import SAMPLES, Running, Start, running
from playwright.sync_api import Browser, Page, expect, sync_playwright


@pytest.fixture(scope="session")
def service() -> Iterator[Running]:
    """A service with the default model and the default limits."""
    with running() as started:
        yield started


@pytest.fixture
def start() -> Iterator[Start]:
    """Start services with settings of their own; they end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(running(*arguments, **options))


@pytest.fixture(scope="session")
def seven() -> bytes:
    """A scanned 7."""
    return (SAMPLES / "7.png").read_bytes()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "install Debian's chromium, or run ./check, which does"
    # No test fails because the machine is busy.
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, service: Running) -> Iterator[OpenPage]:
    """Open the page of a service, by default of the one with the default model; the page must say nothing wrong."""
    complaints: list[str] = []
    contexts = []

    def opened(url: str = service.url, ready: bool = True, refused: int | None = None, **options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1100, "height": 820}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if is_wrong(message, refused) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        if ready:
            expect(page.locator("#facts dd").first).to_be_attached()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
