"""Sides that take turns within one run, so that a busy moment meets all of them, and the ratio of what they took."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Run = Callable[[], object]
Times = list[list[float]]
"""For each side the seconds (or whatever it was timed in) of each of its turns."""


@dataclass(frozen=True)
class Ratio:
    """Turn by turn, what one side took over what another took."""

    median: float
    low: float
    """A quarter of the turns had less."""
    high: float
    """A quarter of the turns had more."""

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Row:
    """One line of the table of what is to be reached."""

    what: str
    against: str
    ours: str
    theirs: str
    ratio: Ratio | float
    wanted: float
    why: str = ""
    """Shown where the ratio is above what is wanted."""

    def __str__(self) -> str:
        value = self.ratio if isinstance(self.ratio, float) else self.ratio.median
        # What is shown is what is judged.
        reached = round(value, 2) <= self.wanted
        ratio = self.ratio if isinstance(self.ratio, Ratio) else f"{self.ratio:.3f}"
        verdict = "yes" if reached else f"no: {self.why}"
        return f"| {self.what} | {self.against} | {self.ours} | {self.theirs} | {ratio} | ≤ {self.wanted} | {verdict} |"


def take_turns(sides: Sequence[Run], rounds: int, calls: int) -> Times:
    """Seconds of one call of each side, for each of its turns of ``calls`` calls."""
    times: Times = [[] for _ in sides]
    # One round more, in which is made what is made once.
    for _ in range(rounds + 1):
        for side, kept in zip(sides, times, strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                side()
            kept.append((time.perf_counter() - start) / calls)
    return [kept[1:] for kept in times]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of the ratios of each turn the median and the middle half."""
    low, median, high = statistics.quantiles([a / b for a, b in zip(ours, theirs, strict=True)], n=4)
    return Ratio(median, low, high)
