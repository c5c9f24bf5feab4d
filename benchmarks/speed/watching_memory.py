"""Let ``watch`` run for many pictures and see whether its memory grows.

    uv run python benchmarks/speed/watching_memory.py [--frames 100000]

The loop, the judgement over time, CSV, SQLite and the kept doubtful pictures are real. Camera and reader are stand-ins,
since a hundred thousand pictures would take hours: one reading in fifty is doubtful, one in a hundred absurd, and the
camera fails now and then. The reader keeps nothing of a picture.
"""

import argparse
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge_digits_runtime.errors import WatchError
from edge_digits_runtime.meter.profile import Change, Profile, Slot
from edge_digits_runtime.meter.reading import MeterReading
from PIL import Image

from edge_digits.watching.doubts import Doubts
from edge_digits.watching.files_output import CsvFile, SqliteFile
from edge_digits.watching.frames import Frame
from edge_digits.watching.loop import Watch

SLOTS = tuple(Slot((2 + 14 * index, 2, 12, 20)) for index in range(6))


def resident_kb() -> int:
    """Return how much memory this process has, in KB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise SystemExit("this system does not say how much memory a process has")


class Camera:
    """Counts its pictures, and says how much memory there is after every tenth of them."""

    name, live = "camera", False

    def __init__(self, frames: int) -> None:
        self.frames_left = self.all = frames
        self.memory: list[int] = []

    def frames(self) -> Iterator[Frame]:
        """Yield a picture; fail now and then."""
        while self.frames_left:
            self.frames_left -= 1
            done = self.all - self.frames_left
            if done % (self.all // 10) == 0:
                self.memory.append(resident_kb())
                print(f"{done:>9,} pictures {self.memory[-1]:>9,} KB", flush=True)
            if done % 997 == 0:
                raise WatchError("camera: unplugged")
            yield Frame(1_700_000_000.0 + 60 * done, "camera", Image.new("L", (80, 40), done % 256))
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Do nothing."""


class Reader:
    """Counts up, and is wrong now and then."""

    def __init__(self) -> None:
        self.profile = Profile((90, 40), SLOTS, decimals=1, change=Change(60.0))
        self._read = 0

    def read(self, _: Image.Image) -> MeterReading:
        """Return the next reading."""
        self._read += 1
        if self._read % 50 == 0:
            return MeterReading("??????", "", None, 0.0, "doubtful: character 1", decimals=1)
        number = self._read // 10 if self._read % 101 else 999_999
        return MeterReading(f"{number:06d}", "", number / 10, 1.0, None, decimals=1)


def main() -> None:
    """Watch, and print how much memory there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000, help="[100000]")
    frames = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        outputs = [CsvFile(Path(folder) / "meter.csv"), SqliteFile(Path(folder) / "meter.db")]
        camera = Camera(frames)
        watching = Watch(camera, Reader(), outputs, lambda _: None, Doubts(Path(folder) / "doubts", 1_000_000))
        watching.run(0.0)
        kept = sum(path.stat().st_size for path in (Path(folder) / "doubts").iterdir())
        print(f"{watching.published:,} published, {watching.doubtful:,} doubtful, {kept:,} bytes of pictures kept")
        grown = camera.memory[-1] - camera.memory[0]
        print(f"grown by {grown:,} KB between the first and the last tenth")


if __name__ == "__main__":
    main()
