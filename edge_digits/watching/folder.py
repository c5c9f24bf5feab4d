"""A folder that a camera or another program puts pictures into."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from edge_digits_runtime.errors import PictureError, WatchError
from edge_digits_runtime.image.picture import is_picture_name, open_picture
from edge_digits_runtime.meter.reading import SHORTER_SIDE

from edge_digits.watching.frames import Frame

_SETTLED_S = 2.0
"""A file that was changed more recently may still be being written, if it cannot be read."""


class Folder:
    """Yields each picture in a folder once, the oldest first; those that are there already, and those that come.

    Nothing is kept of the pictures but the place of the last one, so that it may run for years.
    """

    live = False

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder
        self._last: tuple[int, str] = (-1, "")

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures that are newer than the last one, by when they were changed, then by name.

        A picture that cannot be read is passed over, unless it is so new that it may not be complete yet.

        Raises:
            WatchError: the folder cannot be read.
            PictureError: a picture cannot be read; the next call goes on behind it.
        """
        for changed, name in self._pictures():
            if (changed, name) <= self._last:
                continue
            try:
                image = open_picture(self._folder / name, SHORTER_SIDE)
            except PictureError:
                if time.time() - changed / 1e9 < _SETTLED_S:
                    return
                self._last = (changed, name)
                raise
            self._last = (changed, name)
            yield Frame(changed / 1e9, name, image)

    def newest(self) -> Frame:
        """Return the newest picture that can be read, whether or not it was yielded before.

        Raises:
            WatchError: there is none.
        """
        for changed, name in reversed(self._pictures()):
            try:
                return Frame(changed / 1e9, name, open_picture(self._folder / name, SHORTER_SIDE))
            except PictureError:
                continue  # Perhaps it is still being written.
        raise WatchError(f"{self.name}: no picture is in this folder")

    def _pictures(self) -> list[tuple[int, str]]:
        """Return when each picture was changed, in nanoseconds, and its name, the oldest first."""
        try:
            with os.scandir(self._folder) as entries:
                return sorted(
                    (entry.stat().st_mtime_ns, entry.name) for entry in entries if is_picture_name(entry.name)
                )
        except OSError as error:
            raise WatchError(f"{self.name}: this folder cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Do nothing."""
