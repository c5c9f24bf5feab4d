"""Where pictures come from: what every source has in common, and which source an argument means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_digits_runtime.errors import UsageError
from PIL import Image

MAX_BYTES = 32 << 20
"""Bytes of the largest picture that a camera may send."""


@dataclass(frozen=True)
class Frame:
    """A picture and when it was taken."""

    at: float
    """Seconds since 1970."""
    name: str
    """What messages call it."""
    image: Image.Image
    """The picture."""


class Source(Protocol):
    """Gives pictures when it is asked.

    ``frames`` raises `edge_digits_runtime.errors.WatchError` where there is none now and may be one later, and
    `edge_digits_runtime.errors.PictureError` where there is one that cannot be decoded.
    """

    name: str
    """What messages call it."""
    live: bool
    """Whether it shows the meter as it is now, so that asking again soon gives another picture."""

    def frames(self) -> Iterator[Frame]:
        """Yield the picture of this moment, or of a folder all that are new."""
        ...

    def close(self) -> None:
        """Give the camera back."""
        ...


def open_source(argument: str, size: tuple[int, int] | None = None) -> Source:
    """Return the source that an argument means.

    Args:
        argument: a folder; an address that begins with ``http://`` or ``https://``; ``/dev/video0``; ``picamera`` or
            ``picamera:1``; or ``exec:`` and a command that writes a picture to standard output.
        size: width and height in pixels that a camera is asked for; None for its own.

    Raises:
        UsageError: it is none of these, or what it needs is not installed.
    """
    if re.match(r"https?://", argument):
        from edge_digits.watching.snapshot import Snapshot

        return Snapshot(argument)
    if argument.startswith("exec:"):
        from edge_digits.watching.command_source import CommandSource

        return CommandSource(argument.removeprefix("exec:"))
    if re.fullmatch(r"picamera(:\d)?", argument):
        from edge_digits.watching.cameras import PiCamera

        return PiCamera(int(argument.partition(":")[2] or 0), size)
    if re.fullmatch(r"/dev/video\d+", argument):
        from edge_digits.watching.cameras import VideoDevice

        return VideoDevice(argument, size)
    if argument and Path(argument).is_dir():
        from edge_digits.watching.folder import Folder

        return Folder(Path(argument))
    raise UsageError(
        f"{argument!r:.80} is no source; give a folder, http://… of a snapshot, /dev/video0, picamera, or exec:COMMAND"
    )
