"""Time short calls: a warm-up, many repetitions, and the spread is kept.

The rules are those of MLPerf Tiny (Banbury et al. 2021) where they fit a device with an operating system: the input
is in memory before the clock starts, there are five loops of many invocations each, and the median of the five is
the figure.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.records.timings import Latency

LOOPS = 5
UNSTEADY_LOOPS, UNSTEADY_CALLS = 1.25, 5.0
"""From how many times the fastest loop, and the median call, the slowest ones are worth a note."""
STORED = 1000
"""Most samples that a `Latency` of this module holds, so that an evaluation stays a small file."""


@dataclass(frozen=True)
class Loops:
    """The measurement of `loops`."""

    latency: Latency
    """Single calls of all loops together, thinned to `STORED`."""
    loop_us: tuple[float, ...]
    """Mean time of one call in each loop, in microseconds."""
    invocations: int
    """Calls in each loop."""

    @property
    def median_us(self) -> float:
        """Median over the loops of the mean time of one call, in microseconds."""
        return statistics.median(self.loop_us)

    def to_dict(self) -> dict[str, Any]:
        """Return the loops as JSON-ready values; the samples are in the evaluation's ``latency_us``."""
        return {
            "median_us": round(self.median_us, 3),
            "loop_us": [round(us, 3) for us in self.loop_us],
            "invocations": self.invocations,
        }

    def unsteady(self) -> str | None:
        """Return a note if the measurement was disturbed; None where loops and calls lie close together.

        Both are looked at: a load that comes and goes parts the loops, and one that interrupts parts the calls.
        """
        ratio = max(self.loop_us) / min(self.loop_us)
        if ratio >= UNSTEADY_LOOPS:
            return (
                f"{self.latency.what}: the slowest of {len(self.loop_us)} loops took {ratio:.1f} times as long as the "
                "fastest: something else was running, or the device slowed down"
            )
        spread = self.latency.p99 / self.latency.p50
        if spread >= UNSTEADY_CALLS:
            return (
                f"{self.latency.what}: one call in a hundred took {spread:.1f} times the median or longer: something "
                "else was running"
            )
        return None


def latency(function: Callable[[], object], what: str, count: int = 1000, warmup: int = 50) -> Latency:
    """Time each of ``count`` calls of ``function``, after ``warmup`` calls that are not timed.

    At most `STORED` samples are kept, evenly thinned by rank: the percentiles stay those of all samples, and the
    samples stay in the order measured.

    Args:
        function: called without arguments; its result is dropped.
        what: what the record calls it, such as ``uint8 pixels to prediction``.
        count: how many calls are timed, at least 1.
        warmup: how many calls are made before.
    """
    for _ in range(warmup):
        function()
    return Latency(_thinned(_time(function, count)), what)


def loops(function: Callable[[], object], what: str, seconds: float = 0.5, minimum: int = 200) -> Loops:
    """Time five loops of the same number of calls each, after a warm-up of a quarter of a loop.

    Args:
        function: called without arguments; its result is dropped.
        what: what the record calls it.
        seconds: how long one loop takes, about.
        minimum: fewest calls in a loop; with the default, five loops have at least 1,000.
    """
    once = float(np.median(_time(function, 20)))
    count = max(minimum, round(seconds * 1e6 / max(once, 0.1)))
    _time(function, count // 4)
    runs = [_time(function, count) for _ in range(LOOPS)]
    return Loops(Latency(_thinned(np.concatenate(runs)), what), tuple(float(run.mean()) for run in runs), count)


def _time(function: Callable[[], object], count: int) -> NDArray[np.float64]:
    """Return the microseconds of each of ``count`` calls, shape ``(count,)``."""
    clock = time.perf_counter_ns
    # One reading of the clock ends a call and starts the next. A list takes less time to write to than an array.
    stamps = [0] * (count + 1)
    with _no_collection():
        stamps[0] = clock()
        for i in range(1, count + 1):
            function()
            stamps[i] = clock()
    read = np.array(stamps, np.int64)
    return (read[1:] - read[:-1]) / 1000


@contextmanager
def _no_collection() -> Iterator[None]:
    """Turn the garbage collector off inside the block, as ``timeit`` does."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _thinned(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `STORED` of the samples in the order measured: by rank, the middle ones of as many equal slices."""
    if len(samples) <= STORED:
        return samples
    ranks = (np.arange(STORED) + 0.5) * len(samples) / STORED
    kept: NDArray[np.float64] = samples[np.sort(np.argsort(samples, kind="stable")[ranks.astype(np.int64)])]
    return kept
