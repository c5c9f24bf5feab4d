"""The camera of the device, which the page and the loop that watches a meter look through, one at a time.

A camera may be slow, or never answer: it is asked in a thread of its own, so that nothing else waits for it.
"""

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

from edge_digits_runtime.errors import PictureError, WatchError

from edge_digits.watching.folder import Folder
from edge_digits.watching.frames import Frame, Source
from edge_digits_live.bodies import RefusedError
from edge_digits_live.workers import BusyError, settle

PATIENCE_S = 5.0
"""Seconds that a request waits for the camera before it is told to come back."""
_LONGEST = 2400
"""Longer side in pixels of a picture that is sent to the page."""


class Camera:
    """A source of pictures, as `edge_digits.watching.frames.open_source` opens it, for more than one who looks.

    Args:
        source: the camera, or a folder with pictures.
        patience_s: seconds that `picture` waits.
    """

    def __init__(self, source: Source, patience_s: float = PATIENCE_S) -> None:
        self.name, self.live = source.name, source.live
        self._source, self._patience = source, patience_s
        self._lock = threading.Lock()
        self._looking: asyncio.Future[bytes] | None = None
        self._ended = False

    def frames(self) -> Iterator[Frame]:
        """Yield what the source yields; errors as of `edge_digits.watching.frames.Source`."""
        if not self.live:
            yield from self._source.frames()
            return
        with self._lock:
            self._check()
            found = list(self._source.frames())
        yield from found

    def close(self) -> None:
        """Give the camera back."""
        self._source.close()

    def end(self) -> None:
        """Let everybody who waits for the camera go; called from the thread of the event loop."""
        self._ended = True
        interrupt: Any = getattr(self._source, "interrupt", None)
        if interrupt is not None:
            interrupt()
        if self._looking is not None:
            settle(self._looking, b"", BusyError("the service ends", 1))

    async def picture(self) -> bytes:
        """Return what the camera sees now, or the newest picture of a folder, as JPEG.

        Whoever asks while another look is on its way gets the picture of that one.

        Raises:
            BusyError: there is no picture in time.
            RefusedError: there is no camera, or it fails.
        """
        if self._ended:
            raise BusyError("the service ends", 1)
        if self._looking is None or self._looking.done():
            loop = asyncio.get_running_loop()
            self._looking = loop.create_future()
            threading.Thread(target=self._look, args=(self._looking, loop), name="camera", daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.shield(self._looking), self._patience)
        except TimeoutError:
            raise BusyError(
                f"the camera {self.name} gives no picture within {self._patience:g} s; come back later",
                max(1, round(self._patience)),
            ) from None

    def _look(self, done: "asyncio.Future[bytes]", loop: asyncio.AbstractEventLoop) -> None:
        result, error = b"", None
        try:
            result = _jpeg(self._newest())
        except (PictureError, WatchError) as failed:
            error = RefusedError(502, str(failed))
        # Whatever it is belongs to the request that waits.
        except Exception as failed:
            error = failed  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(settle, done, result, error)
        except RuntimeError:
            return  # The loop is closed: nobody waits any more.

    def _newest(self) -> Frame:
        if isinstance(self._source, Folder):
            return self._source.newest()
        with self._lock:
            self._check()
            for frame in self._source.frames():
                return frame
        raise WatchError(f"{self.name}: gives no picture")

    def _check(self) -> None:
        """Raise an error where the service has ended while somebody else looked."""
        if self._ended:
            raise WatchError("the service ends")


def _jpeg(frame: Frame) -> bytes:
    image = frame.image.convert("RGB")
    image.thumbnail((_LONGEST, _LONGEST))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()
