"""Time several sides in turn, so that a busy moment slows all of them down, and compare them by ratio."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Run = Callable[[], object]
"""What is timed."""
Times = list[list[float]]
"""For each side what each of its turns took, in seconds or in the unit that it was timed in."""


@dataclass(frozen=True)
class Ratio:
    """How many times as long one side took as another, turn by turn."""

    median: float
    """Median of the ratios of all turns."""
    low: float
    """Lower quartile of the ratios."""
    high: float
    """Upper quartile of the ratios."""

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Row:
    """A row of the table of targets."""

    what: str
    """What was measured."""
    against: str
    """What it was compared with."""
    ours: str
    """Our figure, with its unit."""
    theirs: str
    """The figure it was compared with, with its unit."""
    ratio: Ratio | float
    """Our figure divided by theirs."""
    wanted: float
    """Largest ratio that reaches the target."""
    why: str = ""
    """Explanation that is shown if the target is missed."""

    def __str__(self) -> str:
        value = self.ratio if isinstance(self.ratio, float) else self.ratio.median
        # Judge the rounded ratio, which is what the table shows.
        reached = round(value, 2) <= self.wanted
        ratio = self.ratio if isinstance(self.ratio, Ratio) else f"{self.ratio:.3f}"
        verdict = "yes" if reached else f"no: {self.why}"
        return f"| {self.what} | {self.against} | {self.ours} | {self.theirs} | {ratio} | ≤ {self.wanted} | {verdict} |"


def take_turns(sides: Sequence[Run], rounds: int, calls: int) -> Times:
    """Time each side in turn.

    Args:
        sides: what is timed.
        rounds: how many turns each side has.
        calls: how many calls a turn has.

    Returns:
        For each side the seconds of one call, by turn.
    """
    times: Times = [[] for _ in sides]
    # One more round in the beginning, which is not counted: in it caches are filled.
    for _ in range(rounds + 1):
        for side, kept in zip(sides, times, strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                side()
            kept.append((time.perf_counter() - start) / calls)
    return [kept[1:] for kept in times]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return how many times as long ``ours`` took as ``theirs``, turn by turn."""
    low, median, high = statistics.quantiles([a / b for a, b in zip(ours, theirs, strict=True)], n=4)
    return Ratio(median, low, high)
