"""From the body of a request to the pictures in it, within the limits."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from edge_digits_live.limits import Limits
from edge_digits_live.workers import BusyError

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # What clients send wrong must not fill the log.

_NAME = 200
"""Characters of the name of a picture that are said again in the answer."""
_FIELDS = 8
"""Fields of a form that are no pictures; they are passed over."""


class RefusedError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: of the answer.
        close: whether the connection must be closed, because the rest of the body is still to come.
    """

    def __init__(self, status: int, message: str, close: bool = False) -> None:
        super().__init__(message)
        self.status, self.close = status, close


@dataclass(frozen=True)
class Picture:
    """A picture as it came."""

    name: str
    """Its file name in a form, which is only said again in the answer; empty where it came alone."""
    content: bytes


class Bodies:
    """Reads bodies, and knows how many bytes of them are in memory.

    Attributes:
        held: that number.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0

    @asynccontextmanager
    async def content(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body of a request.

        Raises:
            RefusedError: too large, or too slow.
            BusyError: there is no room for it now.
            ClientDisconnect: the client is gone.
        """
        before = self.held
        size = 0
        try:
            chunks = []
            try:
                async with asyncio.timeout(self._limits.body_s):
                    self._check_announced(request)
                    async for chunk in request.stream():
                        size += len(chunk)
                        self.held += len(chunk)
                        self._check(size)
                        chunks.append(chunk)
            except TimeoutError:
                raise RefusedError(408, f"the body took more than {self._limits.body_s:g} s", close=True) from None
            body = b"".join(chunks)
            del chunks
            yield body
        finally:
            self.held -= size
            assert self.held >= 0, before

    @asynccontextmanager
    async def pictures(self, request: Request) -> AsyncIterator[tuple[list[Picture], bool]]:
        """Yield the pictures of a request, and whether they came in a form.

        Raises:
            RefusedError: as `content`; too many pictures, none at all, or a form that is damaged.
            BusyError: there is no room for them now.
            ClientDisconnect: the client is gone.
        """
        async with self.content(request) as body:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "multipart/form-data":
                yield await self._parts(request, body), True
            elif body:
                yield [Picture("", body)], False
            else:
                raise RefusedError(422, "no picture: send one as the body, or several as multipart/form-data")

    def _check_announced(self, request: Request) -> None:
        """Refuse a body whose announced size is too large before it is sent."""
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 20:
            self._check(int(length))

    def _check(self, size: int) -> None:
        if size > self._limits.body_bytes:
            most = self._limits.body_bytes / 1e6
            raise RefusedError(413, f"more than {most:g} MB; make the picture smaller, or send fewer", close=True)
        if self.held > self._limits.held_bytes:
            raise BusyError("busy: no memory for another picture; come back later", 1)

    async def _parts(self, request: Request, body: bytes) -> list[Picture]:
        async def stream() -> AsyncGenerator[bytes, None]:
            yield body

        try:
            parser = _InMemory(request.headers, stream(), max_files=self._limits.pictures, max_fields=_FIELDS)
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError, LookupError) as error:
            message = getattr(error, "message", "not a form that can be read")
            if message.startswith("Too many files"):
                raise RefusedError(413, f"more than {self._limits.pictures} pictures; send fewer") from None
            raise RefusedError(400, f"multipart/form-data: {message.rstrip('.')}") from None
        async with form_closed(form):
            parts = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            found = [Picture((part.filename or "")[:_NAME], await part.read()) for part in parts]
        if not found:
            raise RefusedError(422, "no picture in the form: send each as a file, as in curl -F picture=@7.png")
        return found


@asynccontextmanager
async def form_closed(form: object) -> AsyncIterator[None]:
    """Close the files of a form at the end."""
    try:
        yield
    finally:
        await form.close()  # type: ignore[attr-defined]


class _InMemory(MultiPartParser):
    """Keeps pictures in memory, which `Limits` bounds: nothing of a request reaches the disk."""

    spool_max_size = 1 << 40


__all__ = ["Bodies", "ClientDisconnect", "Picture", "RefusedError"]
