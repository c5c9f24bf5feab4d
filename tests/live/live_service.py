"""Run the service for a test."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_digits_live import server
from edge_digits_live.app import Service, Settings
from edge_digits_live.models import Models
from edge_digits_live.workers import Workers

from edge_digits.commands.answers import ModelChoice

SAMPLES = Path(__file__).parents[2] / "edge_digits" / "samples"


@dataclasses.dataclass(frozen=True)
class Running:
    """A service that answers on the loopback."""

    port: int
    workers: Workers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Start = Callable[..., Running]


@contextlib.contextmanager
def running(
    settings: Settings | None = None, model: Path | None = None, workers: int = 1, **more: Any
) -> Iterator[Running]:
    """Run a service until the block ends."""
    settings = settings or Settings()
    models = Models(ModelChoice(model, None, False, None))
    threads = Workers(models.load, workers, settings.limits.waiting, settings.limits.waiting_s)
    uvicorn = server.server(Service(models, threads, settings, **more).app(), settings.limits)
    with server.listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=uvicorn.run, kwargs={"sockets": [listening]})
        thread.start()
        while not uvicorn.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield Running(listening.getsockname()[1], threads)
        finally:
            uvicorn.should_exit = True
            thread.join(10)
            threads.stop()
