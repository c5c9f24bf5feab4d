"""What an answer costs, as an evaluation keeps it: every timed call, and what else was timed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.records.device_facts import Conditions
from edge_digits_runtime.records.fields import Count, Length, Line, Numbers, Positive, Within

Part = Literal["preprocess", "invoke", "postprocess", "total", "picture", "file"]
# A year in microseconds: nothing that is timed here takes as long.
_LONGEST_US = 32_000_000_000_000
_Milliseconds = Annotated[float, Within(0, _LONGEST_US)]
_Microseconds = Annotated[float, Within(0, _LONGEST_US)]


@dataclass(frozen=True)
class Latency:
    """Timed repetitions of one thing, one picture each."""

    samples_us: Annotated[NDArray[np.float64], Numbers((None,), 0, _LONGEST_US)]
    """Every timed repetition in microseconds, shape ``(n,)``, in the order measured."""
    what: Line = ""
    """Name of the thing timed, such as ``uint8 pixels to prediction``."""

    @property
    def p50(self) -> float:
        """Median in microseconds."""
        return self.percentile(50)

    @property
    def p90(self) -> float:
        """90th percentile in microseconds."""
        return self.percentile(90)

    @property
    def p99(self) -> float:
        """99th percentile in microseconds."""
        return self.percentile(99)

    @property
    def mean(self) -> float:
        """Mean in microseconds."""
        return float(np.mean(self.samples_us))

    @property
    def std(self) -> float:
        """Standard deviation in microseconds."""
        return float(np.std(self.samples_us))

    def percentile(self, q: float) -> float:
        """Return the ``q``-th percentile in microseconds, ``q`` in [0, 100]."""
        return float(np.percentile(self.samples_us, q))

    def to_dict(self) -> dict[str, Any]:
        """Return a summary for readers of the JSON, and the samples it was made from (rounded to 1 ns)."""
        summary = {name: round(getattr(self, name), 3) for name in ("p50", "p90", "p99", "mean", "std")}
        return {"what": self.what} | summary | {"samples_us": [round(float(s), 3) for s in self.samples_us]}


class LatencyInFile(TypedDict):
    """A `Latency` as `Latency.to_dict` writes it."""

    what: Line
    p50: _Microseconds
    p90: _Microseconds
    p99: _Microseconds
    mean: _Microseconds
    std: _Microseconds
    samples_us: Annotated[NDArray[np.float64], Numbers((None,), 0, _LONGEST_US)]


class LoopTimes(TypedDict):
    """Five loops of one thing, see `edge_digits_runtime.device.timing.Loops`."""

    median_us: _Microseconds
    """Median over the loops of the time of one invocation, in microseconds."""
    loop_us: Annotated[list[_Microseconds], Length(1, 1000)]
    """Time of one invocation in each loop, in microseconds."""
    invocations: Positive
    """Invocations in each loop."""


class ThreadTimes(TypedDict):
    """Time of one picture with a number of threads."""

    threads: Annotated[int, Within(1, 4096)]
    """Number of cores that a call may use."""
    one_us: _Microseconds
    """A picture alone, in microseconds."""
    many_us: _Microseconds
    """A picture among all of the data set, in microseconds."""


class ConditionsAround(TypedDict):
    """The state of the device before and after it was measured."""

    before: Conditions
    after: Conditions


class TurnFigures(TypedDict):
    """How well wheels were read, see `edge_digits_runtime.data.turns`."""

    resting: Count
    """Wheels and displays that rest: their tenths are 0, 1 or 9."""
    resting_right: Count
    """Of those, how many were answered with the right digit."""
    resting_sure: Count
    """Of those, how many answers were sure."""
    resting_sure_wrong: Count
    """Of those, how many answers were sure, and another digit."""
    wheels: Count
    """Labels that are turns, at any tenth."""
    wheels_near: Count
    """Of those, how many were answered within a tenth."""


class Extra(TypedDict, total=False):
    """Further measurements, see `edge_digits_runtime.device.measurement.evaluate`."""

    loops: Mapping[Part, LoopTimes]
    """The parts of an answer."""
    load_ms: _Milliseconds
    """Median time to read the model, check it and answer the first picture, in a running process."""
    cold_start_ms: _Milliseconds
    """The same from the start of the process."""
    threads: list[ThreadTimes]
    """By number of threads."""
    conditions: ConditionsAround
    """State of the device before and after; it may have slowed down."""
    turns: TurnFigures
    """How well wheels were read, of a model that reads them."""
