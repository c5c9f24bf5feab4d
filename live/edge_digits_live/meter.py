"""A meter on the page: the loop of ``watch`` in a thread, what it found, and the profile that a person corrects."""

import dataclasses
import io
import json
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import ProfileError, UsageError
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.meter.profile import Profile, load_profile, parse_profile
from edge_digits_runtime.meter.profile_text import profile_text
from edge_digits_runtime.records import files

from edge_digits.commands.meter_reading import MeterChoice
from edge_digits.watching.doubts import Doubts
from edge_digits.watching.history import History
from edge_digits.watching.loop import ThreadStop, Watch
from edge_digits.watching.record import Record, seconds, timestamp
from edge_digits_live.bodies import RefusedError
from edge_digits_live.metrics import Sample

_SHORTLY_S = 0.4
"""Seconds that a loop has to end by itself when the service ends."""


@dataclass(frozen=True)
class Range:
    """Which records a request asks for."""

    limit: int = 200
    """How many at most."""
    hours: float | None = None
    """How far back; None for the newest, whatever their age."""
    sure: bool | None = None
    """True for what was published, False for what was doubtful, None for both."""


class Meter:
    """A meter that is watched here, or whose readings another ``watch`` writes.

    Attributes:
        name: of the meter.
    """

    def __init__(
        self,
        choice: MeterChoice,
        profile: Profile,
        history: History,
        doubts: Doubts | None,
        watch: Watch | None = None,
        may_write: bool = True,
    ) -> None:
        """Take a meter; `start` begins to watch it.

        Args:
            choice: where the profile is, and how it is loaded.
            profile: what was loaded from there.
            history: finds readings.
            doubts: has the doubtful pictures; None for nobody.
            watch: the loop; None if another process watches.
            may_write: whether clients may move the boxes of the profile.
        """
        self.name = profile.name
        self._choice, self._profile, self._history, self._doubts = choice, profile, history, doubts
        self._watch, self._may_write = watch, may_write
        self._stop = ThreadStop()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, every: float, say: Callable[[str], None]) -> None:
        """Begin to watch.

        Args:
            every: seconds from picture to picture.
            say: is told of a fault of ours that ends the loop.
        """
        watch = self._watch
        assert watch is not None

        def run() -> None:
            try:
                watch.run_until(self._stop, every)
            # A fault of ours must not go unseen; what answers requests goes on.
            except Exception:
                say(traceback.format_exc().rstrip())

        self._thread = threading.Thread(target=run, name="watch", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False if watching has ended though nobody asked for it."""
        return self._thread is None or self._thread.is_alive() or self._stop.wanted

    def stop(self) -> None:
        """Let the loop end; returns at once."""
        self._stop.stop()

    def finish(self) -> None:
        """Wait for the loop, but not for a dead camera, and have everything written."""
        self.stop()
        if self._thread is not None and self._watch is not None:
            self._thread.join(_SHORTLY_S)
            self._watch.finish()

    def readings(self, asked: Range) -> dict[str, Any]:
        """Return the records that are asked for, and how the meter is now.

        Raises:
            WatchError: the database cannot be read.
        """
        since = None if asked.hours is None else timestamp(max(0.0, time.time() - 3600 * asked.hours))
        found = self._history.records(asked.limit, since, asked.sure)
        return {
            "meter": self.name,
            "unit": self._profile.unit,
            "decimals": self._profile.decimals,
            "watching": self._watch is not None and self.alive,
            "troubles": [] if self._watch is None else self._watch.troubles,
            "last": next((_shown(record) for record in self._history.records(1, None, sure=True)), None),
            "records": [_shown(record) for record in found],
        }

    def doubt(self, name: str) -> bytes:
        """Return a doubtful picture, as JPEG.

        Raises:
            RefusedError: none of that name is kept.
        """
        content = None if self._doubts is None else self._doubts.content(name)
        if content is None:
            raise RefusedError(404, f"picture {name!r:.60}: none of that name is kept")
        return content

    def profile(self) -> dict[str, Any]:
        """Return where the digits are."""
        alignment = self._profile.alignment
        return {
            "meter": self.name,
            "size": list(self._profile.size),
            "boxes": [list(slot.box) for slot in self._profile.slots],
            "patches": [] if alignment is None else [list(patch) for patch in alignment.patches],
            "picture": alignment is not None,
            "writable": self._may_write,
        }

    def picture(self) -> bytes:
        """Return the reference picture, as PNG.

        Raises:
            RefusedError: the profile has none.
        """
        alignment = self._profile.alignment
        if alignment is None:
            raise RefusedError(404, "the profile has no reference picture: correct its boxes in an editor")
        image = open_picture(self._choice.profile.parent / alignment.picture, max(self._profile.size))
        stream = io.BytesIO()
        image.save(stream, "PNG")
        return stream.getvalue()

    def move(self, content: bytes) -> dict[str, Any]:
        """Put the boxes of a request into the profile, and read by them from the next picture on.

        Args:
            content: JSON, an object whose ``boxes`` has x, y, width and height of each slot.

        Raises:
            RefusedError: that is not what it is, the boxes do not fit, or clients may not write.
            OutputError: the profile cannot be written.
        """
        if not self._may_write:
            raise RefusedError(403, "with --open, whoever reaches the service could ruin the profile: give --token")
        boxes = _boxes(content)
        with self._writing:
            # As it is in the file: somebody may have corrected something else there.
            path = self._choice.profile
            now = load_profile(path)
            if len(boxes) != len(now.slots):
                raise RefusedError(422, f"{len(boxes)} boxes; the profile has {len(now.slots)} slots")
            try:
                slots = [dataclasses.replace(slot, box=box) for slot, box in zip(now.slots, boxes, strict=True)]
                text = profile_text(dataclasses.replace(now, slots=slots)).encode()
                profile = parse_profile(text, path.name)
            except (ProfileError, UsageError) as error:
                raise RefusedError(422, str(error)) from error
            files.write_bytes(path, text)
            self._profile = profile
            if self._watch is not None:
                self._watch.reader = self._choice.load()
        return self.profile()

    def samples(self) -> list[Sample]:
        """Return what `Metrics` shows of the meter."""
        labels = {"meter": self.name}
        found = []
        for record in self._history.records(1, None, sure=True):
            value, at = record.value, seconds(record.time)
            assert value is not None
            found += [
                Sample("meter_value", "gauge", "Value that was published last.", labels | {"unit": record.unit}, value),
                Sample("meter_time_seconds", "gauge", "When its picture was taken, Unix time.", labels, at),
            ]
        if self._watch is not None:
            help_ = "Pictures of the meter, by whether their reading was published."
            for answer, count in (("published", self._watch.published), ("doubtful", self._watch.doubtful)):
                found.append(Sample("readings_total", "counter", help_, labels | {"answer": answer}, count))
            help_ = "What does not work now: the camera, an output."
            found.append(Sample("meter_troubles", "gauge", help_, labels, len(self._watch.troubles)))
        return found


def _shown(record: Record) -> dict[str, Any]:
    """Return a record as ``watch --json`` has it, but for the folder of the picture, which is no client's business."""
    kept = record.picture
    return record.to_dict() | {"picture": None if kept is None else Path(kept).name}


def _boxes(content: bytes) -> list[tuple[int, int, int, int]]:
    """Return the boxes in the body of a request.

    Raises:
        RefusedError: there are none.
    """
    try:
        found = json.loads(content)
    except (RecursionError, ValueError):
        found = None
    boxes = found.get("boxes") if isinstance(found, dict) and set(found) == {"boxes"} else None
    if not isinstance(boxes, list) or not all(_is_box(box) for box in boxes):
        raise RefusedError(422, 'send {"boxes": [[x, y, width, height], …]}, whole pixels of the reference picture')
    return [tuple(map(int, box)) for box in boxes]  # type: ignore[misc]


def _is_box(value: object) -> bool:
    """Return whether a value is four whole numbers; what is too large is said by the profile."""
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(each, int | float) and not isinstance(each, bool) and each == each // 1 for each in value)
    )
