"""The last doubtful pictures, in a folder that does not grow beyond its limit."""

from collections import deque
from pathlib import Path

from edge_digits_runtime.errors import OutputError
from edge_digits_runtime.records import files
from PIL import Image

_SUFFIX = ".doubt.jpg"


class Doubts:
    """Keeps pictures as JPEG, each named by its time, and removes the oldest where there is no more room.

    Raises:
        OutputError: the folder cannot be read.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        try:
            found = sorted((path.name, path.stat().st_size) for path in folder.glob(f"*{_SUFFIX}"))
        except OSError as error:
            raise OutputError(f"{folder}: cannot be read: {error.strerror}") from error
        self._kept: deque[tuple[str, int]] = deque(found)
        self._bytes = sum(size for _, size in found)

    def content(self, name: str) -> bytes | None:
        """Return a picture that is kept, as JPEG; None where none has that name, which is only compared with theirs."""
        try:
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path.name == name:
                    return path.read_bytes()
        except OSError:
            return None  # It was removed just now.
        return None

    def keep(self, time: str, image: Image.Image) -> Path:
        """Keep a picture and return its file.

        Args:
            time: when it was taken.
            image: the picture.

        Raises:
            OSError: there is no room.
            OutputError: likewise.
        """
        name = f"{time[:23].replace(':', '').replace('.', '-')}Z{_SUFFIX}"
        path = self._folder / name
        with files.replacing(path) as temporary:
            image.convert("RGB").save(temporary, "JPEG", quality=85)
        size = path.stat().st_size
        self._kept.append((name, size))
        self._bytes += size
        while self._bytes > self._most and len(self._kept) > 1:
            oldest, freed = self._kept.popleft()
            (self._folder / oldest).unlink(missing_ok=True)
            self._bytes -= freed
        return path
