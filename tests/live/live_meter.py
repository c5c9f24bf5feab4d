"""A service that watches a meter, with stand-ins for camera and network."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_digits_live.camera import Camera
from edge_digits_live.meter import Meter
from edge_digits_runtime.meter.profile import Alignment, Profile
from edge_digits_runtime.meter.profile_text import profile_text
from live_service import Running, running
from PIL import Image
from stand_ins import SLOTS, Numbers, Told, profile

from edge_digits.commands.meter_reading import MeterChoice
from edge_digits.watching.doubts import Doubts
from edge_digits.watching.history import Database, History, Recent
from edge_digits.watching.loop import Watch
from edge_digits.watching.record import Output

STEADY = [50, 50, 50, 51, 51, 0, 52, 52, 990, 52]
"""What a meter shows: two readings are doubtful, one cannot be read and one is far too high."""


@dataclass(frozen=True)
class Watched:
    """A service that runs, and what is behind it."""

    service: Running
    meter: Meter
    watch: Watch
    folder: Path

    @property
    def profile_path(self) -> Path:
        return self.folder / "meter.toml"

    def wait(self, records: int) -> None:
        """Wait until so many pictures are settled."""
        deadline = time.monotonic() + 30
        while self.watch.published + self.watch.doubtful < records:
            assert time.monotonic() < deadline
            time.sleep(0.02)


StartMeter = Callable[..., "contextlib.AbstractContextManager[Watched]"]


class Paced(Numbers):
    """Numbers of the last hours, one every minute, and the last one again and again for whoever looks through it."""

    def __init__(self, numbers: Sequence[int | None]) -> None:
        super().__init__(numbers)
        self._end = time.time() - 120.0
        self._at = self._end - 60.0 * len(numbers)

    def frames(self) -> Iterator[Any]:
        if not self._left:
            self._left.append(52)
            self._at = self._end
        yield from super().frames()


def written(folder: Path, **changes: Any) -> Profile:
    """Write a profile with its reference picture and return it."""
    made = profile(highest_per_hour=60.0)
    made = Profile(**{**made.__dict__, **changes})
    folder.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((80, 40), 60).save(folder / "reference.png")
    (folder / "meter.toml").write_text(profile_text(made), encoding="utf-8")
    return made


@contextlib.contextmanager
def watched(
    folder: Path,
    numbers: Sequence[int | None] = STEADY,
    source: Any = None,
    sqlite: Path | None = None,
    patience_s: float = 5.0,
    may_write: bool = True,
    every: float = 0.05,
    **options: Any,
) -> Iterator[Watched]:
    """Run a service that watches a meter of four slots until the block ends."""
    aligned = Alignment("reference.png", ((60, 4, 14, 14), (60, 22, 14, 14), (2, 24, 14, 14)))
    made = written(folder, alignment=aligned)
    assert len(made.slots) == len(SLOTS)
    camera = Camera(source or Paced(numbers), patience_s)
    recent = Recent()
    outputs: list[Output] = [recent]
    history: History = recent
    if sqlite is not None:
        from edge_digits.watching.files_output import SqliteFile

        outputs, history = [SqliteFile(sqlite)], Database(sqlite, made.name)
    doubts = Doubts(folder / "meter-doubts", 10**6)
    watch = Watch(camera, Told(made), outputs, lambda _: None, doubts)
    meter = Meter(MeterChoice(folder / "meter.toml"), made, history, doubts, watch, may_write)
    with running(camera=camera, meter=meter, **options) as service:
        meter.start(every, print)
        try:
            yield Watched(service, meter, watch, folder)
        finally:
            camera.end()
            meter.finish()
