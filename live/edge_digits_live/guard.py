"""Who may ask, checked before anything else: the Host header, the origin of the page, the token."""

import hmac
import ipaddress
import socket
import time
import traceback
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_digits.progress import say
from edge_digits_live.metrics import Metrics

OPEN_PATHS = frozenset(["/", "/healthz"])
"""Paths that need no token: the page, which holds no secret and asks for the token, and the health of the service."""
_SAFE = frozenset(["GET", "HEAD"])


def allowed_names(extra: Collection[str] = ()) -> frozenset[str]:
    """Return the names that a Host header may have beside addresses: those of this machine, and ``extra``."""
    here = socket.gethostname().lower()
    return frozenset(["localhost", here, f"{here}.local", *(name.lower() for name in extra)])


class Guard:
    """Refuses requests that nobody here can have meant, adds the headers of security, counts what was answered.

    A page from elsewhere can make a browser send requests here. It cannot read the answers, since nothing allows
    other origins (CORS), unless its name is made to lead to this machine's address (DNS rebinding): so the Host
    header must be a name of this machine, or an address, which no name server can redirect. What changes something
    must come from the page itself, by its Origin header, or from a program, which sends none.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        routes: Collection[str],
        names: Collection[str],
        token: str | None,
        csp: str,
    ) -> None:
        """Guard ``app``.

        Args:
            app: what answers.
            metrics: counts the answers.
            routes: paths that exist, for counting.
            names: names that a Host header may have, in small letters.
            token: what a client must show; None if everybody may ask.
            csp: the Content-Security-Policy of every answer.
        """
        self._app, self._metrics, self._routes, self._names = app, metrics, frozenset(routes), frozenset(names)
        self._token = None if token is None else token.encode()
        self._headers = [
            (b"content-security-policy", csp.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            # No web sockets here; uvicorn closes one that nobody accepts.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        answer: ASGIApp = self._refusal(scope) or self._app
        try:
            await answer(scope, receive, send_guarded)
        # A fault of ours: the client got one line, whoever runs the service gets the traceback.
        except Exception:
            say(traceback.format_exc().rstrip())
        finally:
            path = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.count_request(path, status, time.perf_counter() - begin)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused; None for any other one."""
        headers = Headers(scope=scope)
        host = headers.getlist("host")
        if len(host) != 1 or not self._is_here(host[0]):
            return error(421, f"host {host[0] if host else ''!r:.80}: not a name of this machine; see --allow-host")
        if scope["method"] not in _SAFE:
            origin = headers.get("origin")
            if origin is not None and origin.lower() not in (f"http://{host[0]}".lower(), f"https://{host[0]}".lower()):
                return error(403, f"origin {origin!r:.80}: only the page of this service may ask from a browser")
        if self._token is not None and scope["path"] not in OPEN_PATHS:
            kind, _, given = headers.get("authorization", "").partition(" ")
            # Compared in constant time, so that how long it takes says nothing about the token.
            if not (kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token)):
                return error(401, "send the token: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})
        return None

    def _is_here(self, host: str) -> bool:
        """Return whether a Host header is an address, or one of the names that are allowed."""
        name, _, port = host.rpartition(":")
        name = name if name and port.isdigit() else host
        if name.lower().rstrip(".") in self._names:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer with the one line that says what is wrong."""
    return JSONResponse({"error": message}, status, headers)
