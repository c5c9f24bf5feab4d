"""The picture that a network camera gives at an address."""

import base64
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

from edge_digits_runtime.errors import UsageError, WatchError
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.meter.reading import SHORTER_SIDE

from edge_digits.watching.frames import MAX_BYTES, Frame

PASSWORD = "EDGE_DIGITS_SOURCE_PASSWORD"
"""Environment variable with the password of the user that the address names."""
_SILENT_S, _WHOLE_S = 10.0, 30.0
"""Seconds without a byte, and seconds for a whole picture, after which a camera is given up for now."""


class Snapshot:
    """Asks an http or https address for one picture at a time.

    Raises:
        UsageError: the address has no host, or holds a password.
    """

    live = True

    def __init__(self, address: str) -> None:
        try:
            parts = urllib.parse.urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"{address!r:.80}: {error}") from error
        if not host:
            raise UsageError(f"{address!r:.80} names no host; give an address such as http://192.168.1.20/capture")
        if parts.password is not None:
            raise UsageError(f"a password in an address can be seen by every user: set {PASSWORD} instead")
        place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
        # Cameras take passwords behind the question mark: what is written and sent names the camera without it.
        self.name = urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))
        asked = urllib.parse.urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
        self._request = urllib.request.Request(asked, headers={"Accept": "image/*", "User-Agent": "edge-digits"})
        if parts.username is not None:
            user = f"{urllib.parse.unquote(parts.username)}:{os.environ.get(PASSWORD, '')}"
            self._request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        # Put together by hand: the usual one would follow a camera to file:// and ftp:// as well.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.HTTPHandler,
            urllib.request.HTTPSHandler,
            urllib.request.HTTPRedirectHandler,
            urllib.request.HTTPDefaultErrorHandler,
            urllib.request.HTTPErrorProcessor,
        ):
            self._opener.add_handler(handler())

    def frames(self) -> Iterator[Frame]:
        """Yield the picture that the camera gives now.

        Raises:
            WatchError: it cannot be reached, answers with an error, takes too long or sends too much.
            PictureError: what it sent is no picture.
        """
        at = time.time()
        try:
            answer = self._opener.open(self._request, timeout=_SILENT_S)
            with answer:
                kind = answer.headers.get_content_type()
                if kind.startswith("multipart/"):
                    raise WatchError(f"{self.name}: a film; give the address of its snapshot, a single picture")
                content = self._read(answer)
        except urllib.error.HTTPError as error:
            error.close()
            raise WatchError(f"{self.name}: answers {error.code} {error.reason}") from error
        except (HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WatchError(
                f"{self.name}: {first_line(reason) if isinstance(reason, BaseException) else reason}"
            ) from error
        yield Frame(at, self.name, open_picture(content, SHORTER_SIDE))

    def _read(self, answer: Any) -> bytes:
        end = time.monotonic() + _WHOLE_S
        parts, size = [], 0
        while part := answer.read1(1 << 16):
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise WatchError(f"{self.name}: more than {MAX_BYTES >> 20} MB")
            if time.monotonic() > end:
                raise WatchError(f"{self.name}: took more than {_WHOLE_S:.0f} s")
        return b"".join(parts)

    def close(self) -> None:
        """Do nothing: each picture has a connection of its own."""
