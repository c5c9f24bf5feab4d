"""Threads that answer pictures, each with classifiers of its own, behind a queue of bounded length."""

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from edge_digits_runtime.model.classifier import DigitClassifier

Result = TypeVar("Result")
_SMOOTH = 0.05
"""Weight of the newest job in the mean time of a job."""


class BusyError(Exception):
    """There is more to do than the service takes on.

    Attributes:
        retry_after: seconds after which it is worth to ask again, at least 1.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Job:
    work: Callable[["Classifiers"], Any]
    done: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    since: float
    """When it was queued, by `time.monotonic`."""


class Classifiers:
    """The classifiers of one thread by name, each loaded when it is first asked for."""

    def __init__(self, load: Mapping[str, Callable[[], DigitClassifier]]) -> None:
        self._load = load
        self._loaded: dict[str, DigitClassifier] = {}

    def __getitem__(self, name: str) -> DigitClassifier:
        """Return a classifier.

        Raises:
            KeyError: there is none of that name.
            EdgeDigitsError: it cannot be loaded.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load[name]()
        return self._loaded[name]


class Workers:
    """A fixed number of threads that share a queue.

    Attributes:
        threads: how many.
    """

    def __init__(
        self, load: Mapping[str, Callable[[], DigitClassifier]], threads: int, waiting: int, waiting_s: float
    ) -> None:
        """Start the threads.

        Args:
            load: for each name what loads its classifier.
            threads: how many, at least 1.
            waiting: jobs that may wait.
            waiting_s: seconds that a job may wait.
        """
        self.threads = threads
        self._waiting_s = waiting_s
        self._queue: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._job_s = 0.01
        self._threads = [
            threading.Thread(target=self._work, args=(Classifiers(load),), name=f"worker-{k}", daemon=True)
            for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """True if every thread is there."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def retry_after(self) -> int:
        """Whole seconds that what waits now will take, at least 1."""
        return max(1, math.ceil((self.waiting + 1) * self._job_s / self.threads))

    async def run(self, work: Callable[[Classifiers], Result]) -> Result:
        """Do ``work`` in one of the threads and return its result.

        Raises:
            BusyError: the queue is full, or the job waited too long.
            Exception: whatever ``work`` raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        try:
            self._queue.put_nowait(_Job(work, done, loop, time.monotonic()))
        except queue.Full:
            raise self.busy() from None
        return await done

    def busy(self) -> BusyError:
        """Return the error that says when to come back."""
        return BusyError(f"busy: {self.waiting} requests are waiting; come back later", self.retry_after)

    def stop(self) -> None:
        """Let the threads end when they have done what waits."""
        for _ in self._threads:
            self._queue.put(None)

    def _work(self, classifiers: Classifiers) -> None:
        while (job := self._queue.get()) is not None:
            begin = time.monotonic()
            error: BaseException | None = None
            result = None
            if job.done.cancelled():
                continue
            if begin - job.since > self._waiting_s:
                error = self.busy()
            else:
                try:
                    result = job.work(classifiers)
                # Whatever it is belongs to the request, and the thread must live on.
                except BaseException as raised:
                    error = raised
                self._job_s += _SMOOTH * (time.monotonic() - begin - self._job_s)
            try:
                job.loop.call_soon_threadsafe(settle, job.done, result, error)
            except RuntimeError:
                return  # The loop is closed: nobody waits any more.
            # Nothing of a picture stays in memory while this thread waits for the next.
            del job, result, error


def settle(done: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    """Give a future its result or its error, unless it has one or nobody waits; in the thread of its event loop."""
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
        # Where nobody waits any more, that is no fault.
        done.exception()
