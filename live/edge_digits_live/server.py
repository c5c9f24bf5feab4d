"""The web server: uvicorn with limits on time, connections and headers."""

import asyncio
import ctypes
import logging
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from edge_digits_runtime.errors import UsageError
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_digits_live.limits import Limits

_BUSY_BODY = b'{"error":"busy: too many connections; come back later"}'
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_BUSY_BODY), _BUSY_BODY)
)
"""The answer to a connection that is one too many; its request is not read."""
_BACKLOG = 512
_ARENA_MAX = -8
"""M_ARENA_MAX of glibc's malloc.h."""


def protocol(limits: Limits) -> type[H11Protocol]:
    """Return a protocol of uvicorn that ends connections which are too slow, or too many.

    uvicorn itself waits for ever for the rest of a header, for a body, and for a client to take its answer.
    """

    class LimitedProtocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _answering = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # asyncio asks for this only on sockets that say they are TCP. Without it, the system holds the body of an
            # answer back for 40 ms, until the client has acknowledged its header.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if len(self.connections) > limits.connections:
                transport.write(_BUSY)
                transport.close()
                return
            self._end_after(limits.header_s)

        def handle_events(self) -> None:
            super().handle_events()
            if not self._answering and self.cycle is not None and not self.cycle.response_complete:
                self._answering = True
                self._end_after(limits.request_s)

        def on_response_complete(self) -> None:
            self._answering = False
            self._end_after(limits.header_s)
            # May begin the next request, which came in already.
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _end_after(self, seconds: float) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    return LimitedProtocol


def keep_memory_small() -> None:
    """Let all threads take memory from one pool: glibc gives each its own, which costs 4 MB for each worker."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UsageError: the address is none of this machine, or the port is taken or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: {error.strerror or error}; choose another") from error


class Server(uvicorn.Server):
    """A server that says when it is told to end, before it waits for what is being answered."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_end = on_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._on_end()
        await super().shutdown(sockets)


def run(app: ASGIApp, listening: socket.socket, limits: Limits, on_end: Callable[[], None] = lambda: None) -> None:
    """Answer until the process is told to end.

    Args:
        app: what answers.
        listening: where.
        limits: on time, connections and headers.
        on_end: is called in the thread of the event loop when the end begins.
    """
    # uvicorn ends well and then sends itself the signal again, which would end the process before its caller goes on.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server(app, limits, on_end).run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def server(app: ASGIApp, limits: Limits, on_end: Callable[[], None] = lambda: None, **settings: Any) -> uvicorn.Server:
    """Return a server that is not started yet."""
    # What clients send wrong is their affair: it must not fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        http=protocol(limits),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=limits.header_bytes,
        timeout_keep_alive=max(1, round(limits.header_s)),
        timeout_graceful_shutdown=5,
        **settings,
    )
    return Server(config, on_end)
