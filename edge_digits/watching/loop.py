"""The loop of ``edge-digits watch``: take a picture, read it, judge it, write it, wait."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from edge_digits_runtime.errors import OutputError, PictureError, WatchError
from edge_digits_runtime.meter.profile import Profile
from edge_digits_runtime.meter.reading import MeterReading
from PIL import Image

from edge_digits.watching.doubts import Doubts
from edge_digits.watching.frames import Frame, Source
from edge_digits.watching.plausibility import Observation, Plausibility, Settled
from edge_digits.watching.record import Output, Record, timestamp

AGAIN_S = 5.0
"""Seconds until the next picture of a camera where the last reading waits to be borne out."""
_RETRY_S = 1.0, 60.0
"""Seconds until a source that failed is asked again: at first, and at most."""
_ONCE = 8
"""Pictures that are taken at most for a single reading."""
_ONCE_S = 1.0
"""Seconds between them."""

Say = Callable[[str], None]
Kept = TypeVar("Kept")


class Reader(Protocol):
    """Reads a picture, such as `edge_digits_runtime.meter.reading.MeterReader`."""

    profile: Profile

    def read(self, image: Image.Image) -> MeterReading:
        """Read a picture."""
        ...


class Stopped(BaseException):
    """Somebody asked this process to end."""


class Stop(Protocol):
    """Tells a loop to end."""

    @property
    def wanted(self) -> bool:
        """Whether it should end."""
        ...

    def interrupting(self) -> contextlib.AbstractContextManager[None]:
        """Let the block be left by `Stopped`, where that is possible; raises it where the end is wanted already."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the end is wanted."""
        ...


@dataclass
class SignalStop:
    """Turns SIGTERM into the end of the loop: at once where it waits, else as soon as what was begun is done."""

    wanted: bool = False
    _waiting: bool = False

    def __enter__(self) -> "SignalStop":
        self._before = signal.signal(signal.SIGTERM, self._signalled)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _signalled(self, *_: object) -> None:
        self.wanted = True
        if self._waiting:
            raise Stopped

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let the block be left by `Stopped` at any moment."""
        self._waiting = True
        try:
            if self.wanted:
                raise Stopped
            yield
        finally:
            self._waiting = False

    def sleep(self, seconds: float) -> None:
        """Wait, unless a signal comes."""
        with self.interrupting():
            time.sleep(seconds)


class ThreadStop:
    """Ends a loop that runs in a thread: at once between two looks, else when the camera has answered."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def wanted(self) -> bool:
        """Whether the loop should end."""
        return self._event.is_set()

    def stop(self) -> None:
        """Let the loop end."""
        self._event.set()

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise `Stopped` where the end is wanted already: nothing can break into a thread that waits."""
        if self.wanted:
            raise Stopped
        yield

    def sleep(self, seconds: float) -> None:
        """Wait until the time is over, or the end is wanted."""
        self._event.wait(seconds)


@dataclass
class Troubles:
    """Says once that something does not work, and once that it works again."""

    say: Say
    _now: dict[str, tuple[str, int]] = field(default_factory=dict)

    def begin(self, what: str, message: str) -> None:
        """Note that ``what`` does not work; say so if it is new, or goes wrong in another way."""
        before, times = self._now.get(what, ("", 0))
        if before != message:
            self.say(f"Warning: {message}")
        self._now[what] = message, times + 1

    def end(self, what: str) -> None:
        """Note that ``what`` works."""
        if what in self._now:
            _, times = self._now.pop(what)
            self.say(f"{what}: works again, after {times} {'failure' if times == 1 else 'failures'}")

    @property
    def messages(self) -> list[str]:
        """What does not work now, a line each."""
        return [message for message, _ in list(self._now.values())]

    def times(self, what: str) -> int:
        """Return how often ``what`` failed since it last worked."""
        return self._now.get(what, ("", 0))[1]


class Watch:
    """Reads a meter again and again.

    Attributes:
        published: how many readings were published.
        doubtful: how many were not.
        reader: reads the pictures; another one may take its place at any time, of the same meter.
    """

    def __init__(
        self,
        source: Source,
        reader: Reader,
        outputs: Sequence[Output],
        say: Say,
        doubts: Doubts | None = None,
        last: tuple[float, float] | None = None,
        collect: Callable[[Image.Image, Any, MeterReading], None] | None = None,
    ) -> None:
        """Take what to watch and where to write.

        Args:
            source: gives the pictures.
            reader: reads them.
            outputs: take the readings.
            say: prints a line for people.
            doubts: keeps doubtful pictures; None for nobody.
            last: when and what was published last, before this process.
            collect: keeps places of a doubtful picture to be labelled, given also who read it; None for nobody.
        """
        self._source, self.reader, self._outputs, self._doubts = source, reader, outputs, doubts
        self._collect = collect
        self._say, self._troubles = say, Troubles(say)
        self._judge = Plausibility(reader.profile, last)
        self._writing = threading.Lock()
        self._finished = False
        self.published = self.doubtful = 0

    @property
    def troubles(self) -> list[str]:
        """What does not work now, a line each: the source, an output."""
        return self._troubles.messages

    def run(self, every: float, once: bool = False) -> None:
        """Watch until SIGTERM, or for one reading; of a folder, until what is there is read.

        Args:
            every: seconds from one picture to the next.
            once: whether to end after the first reading that is published, or after `_ONCE` pictures.
        """
        with SignalStop() as stop:
            self.run_until(stop, every, once)

    def run_until(self, stop: Stop, every: float, once: bool = False) -> None:
        """Watch as `run` does, but until ``stop`` says so; this works in any thread."""
        with contextlib.suppress(Stopped):
            try:
                turns = 0
                while not stop.wanted:
                    begun = time.monotonic()
                    seen = self._look(stop)
                    turns += 1
                    if once and self._done(seen, turns):
                        break
                    stop.sleep(max(0.0, self._pause(seen, every, once) - (time.monotonic() - begun)))
            finally:
                self.finish()
                self._source.close()

    def finish(self) -> None:
        """Write what is open and close the outputs; nothing is written any more.

        Where the loop hangs on a dead camera in a thread, whoever stops it calls this.
        """
        with self._writing:
            if self._finished:
                return
            self._finished = True
            for settled in self._judge.finish():
                self._write(settled)
            for output in self._outputs:
                try:
                    output.close()
                except BrokenPipeError:
                    raise
                except OSError as error:
                    self._say(f"Warning: {output.name}: {error.strerror}")

    def _done(self, seen: bool, turns: int) -> bool:
        """Return whether a watch for one reading has ended."""
        if not self._source.live:
            return seen or turns >= _ONCE
        return (seen and self.published > 0) or turns >= _ONCE

    def _pause(self, seen: bool, every: float, once: bool) -> float:
        """Return how many seconds to wait from the beginning of one look to the next."""
        if once:
            return min(every, _ONCE_S)
        if not seen:
            return min(every, _RETRY_S[1], _RETRY_S[0] * 2.0 ** min(10, self._troubles.times(self._source.name) - 1))
        return min(every, AGAIN_S) if self._source.live and self._judge.waiting else every

    def _look(self, stop: Stop) -> bool:
        """Read the pictures that there are now; return whether the source works."""
        while True:
            try:
                self._read_all(stop)
            except PictureError as error:
                if not self._source.live:
                    # One bad file among others: go on behind it.
                    self._say(f"Warning: {error}")
                    continue
                return self._failed(error)
            except WatchError as error:
                return self._failed(error)
            return True

    def _failed(self, error: Exception) -> bool:
        self._troubles.begin(self._source.name, str(error))
        self._available(False)
        return False

    def _read_all(self, stop: Stop) -> None:
        frames = self._source.frames()
        while not stop.wanted:
            # Only here it may be interrupted: what was read is written, too.
            with stop.interrupting():
                frame = next(frames, None)
            if frame is not None:
                self._read(frame)
            self._troubles.end(self._source.name)
            self._available(True)
            if frame is None:
                return

    def _read(self, frame: Frame) -> None:
        try:
            # In the light of what was published before there may be no doubt left.
            reading = self._judge.narrowed(self.reader.read(frame.image), frame.at)
        except PictureError as error:
            raise PictureError(f"{frame.name}: {error}") from error
        # The picture is wanted only where it turns out doubtful, and then soon.
        new = Observation(frame.at, reading.value, reading.reason, (frame, reading))
        with self._writing:
            for settled in () if self._finished else self._judge.add(new):
                self._write(settled)

    def _write(self, settled: Settled) -> None:
        frame, reading = settled.observation.carried
        kept = None
        if settled.value is None:
            self.doubtful += 1
            kept = self._tried("doubtful pictures", self._keep, frame)
            self._tried("collected pictures", self._collected, frame, reading)
        else:
            self.published += 1
        profile = self.reader.profile
        record = Record(
            timestamp(frame.at),
            profile.name,
            # What was read, also where it was not believed.
            reading.written,
            settled.value,
            profile.unit,
            settled.reason,
            frame.name,
            kept,
        )
        for output in self._outputs:
            self._deliver(output, record)

    def _deliver(self, output: Output, record: Record) -> None:
        try:
            output.write(record)
        except BrokenPipeError:
            # Nobody reads standard output any more: the command ends.
            raise
        except OSError as error:
            self._troubles.begin(output.name, f"{output.name}: {error.strerror}")
        else:
            self._troubles.end(output.name)

    def _keep(self, frame: Frame) -> str | None:
        return None if self._doubts is None else str(self._doubts.keep(timestamp(frame.at), frame.image))

    def _collected(self, frame: Frame, reading: MeterReading) -> None:
        if self._collect is not None:
            self._collect(frame.image, self.reader, reading)

    def _tried(self, what: str, keep: Callable[..., Kept], *arguments: Any) -> Kept | None:
        """Return what ``keep`` does; where it cannot write, that is said once, and watching goes on."""
        try:
            result = keep(*arguments)
        except OutputError as error:
            self._troubles.begin(what, str(error))
        except OSError as error:
            self._troubles.begin(what, f"{what} cannot be kept: {error.strerror}")
        else:
            self._troubles.end(what)
            return result
        return None

    def _available(self, online: bool) -> None:
        with self._writing:
            for output in () if self._finished else self._outputs:
                tell: Any = getattr(output, "available", None)
                if tell is not None:
                    tell(online)
