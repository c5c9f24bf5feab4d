"""A running service, as the tests of the room speak to it."""

import contextlib
from collections.abc import Iterator

import pytest
from live_service import SAMPLES, Running, Start, running


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
