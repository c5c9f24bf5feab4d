"""Whether a drop in accuracy is within a limit: a question that a finite number of pictures answers by an interval.

The drop that was measured is one draw. The limit is kept if the whole 95 % interval of the drop is within it, and
broken if the whole interval is above it; between the two these pictures do not show it.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

from edge_digits.formatting import counted, points
from edge_digits.paired import Paired, newcombe_interval

Outcome = Literal["within", "above", "not shown"]
MOST_PICTURES = 10**9
"""Where more pictures would be needed, no number is named."""


@dataclass(frozen=True)
class Gate:
    """The answer for one model."""

    name: str
    """The model, as the message calls it."""
    paired: Paired
    """The answers of original and model."""
    limit_pp: float
    """Allowed drop in percentage points, at least 0."""
    by_point: bool = False
    """Judge by the drop that was measured, whatever the interval says."""
    what: str = "picture"
    """What one of the things is called that were answered."""

    @property
    def outcome(self) -> Outcome:
        """``within`` or ``above`` the limit, or ``not shown``."""
        low, high = self.paired.interval_pp
        if self.by_point:
            # Not above where only the last bits of the shares differ: 0.1 pp of 10,000 pictures is 10 of them.
            return "within" if self.paired.drop_pp <= self.limit_pp + 1e-9 else "above"
        if high <= self.limit_pp:
            return "within"
        return "above" if low > self.limit_pp else "not shown"

    @property
    def passed(self) -> bool:
        """True if the drop is within the limit."""
        return self.outcome == "within"

    @property
    def pictures_needed(self) -> int | None:
        """About how many pictures would settle it if answers were lost and won at the rates seen here.

        None where the drop that was measured is the limit itself, so that no number would, and beyond `MOST_PICTURES`.
        """
        pair = self.paired
        counts = (pair.both_right, pair.lost, pair.won, pair.both_wrong)

        def settled(pictures: int) -> bool:
            scaled = (count * pictures / pair.count for count in counts)
            low, high = newcombe_interval(*scaled)
            return 100 * high <= self.limit_pp or 100 * low > self.limit_pp

        enough = pair.count
        while not settled(enough):
            enough *= 2
            if enough > MOST_PICTURES:
                return None
        too_few = enough // 2
        while enough - too_few > 1:
            middle = (enough + too_few) // 2
            enough, too_few = (middle, too_few) if settled(middle) else (enough, middle)
        return enough

    def __str__(self) -> str:
        low, high = self.paired.interval_pp
        drop = f"{self.name}: the drop of {points(self.paired.drop_pp)} pp"
        around = f"95 % interval {points(low)} to {points(high)}"
        limit = f"the limit of {_limit(self.limit_pp)} pp"
        if self.by_point:
            return f"{drop} is {self.outcome} {limit}, judged by itself ({around})."
        if self.outcome != "not shown":
            return f"{drop} is {self.outcome} {limit} ({around})."
        count = counted(self.paired.count, self.what)
        needed = self.pictures_needed
        how = (
            f"about {_rounded_up(needed):,} {self.what}s would settle it"
            if needed
            else f"no number of {self.what}s would settle it, since the drop is at the limit"
        )
        return (
            f"{drop} is not shown to be within {limit} with {count} ({around}): {how}; --point judges the drop by "
            "itself."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON-ready values."""
        return {
            "name": self.name,
            "limit_pp": self.limit_pp,
            "by_point": self.by_point,
            "outcome": self.outcome,
            "pictures_needed": self.pictures_needed if self.outcome == "not shown" else None,
        }


def _limit(pp: float) -> str:
    """Return a limit as it was typed: rounded to two decimals, 0.005 would be another one."""
    return f"{pp:g}" if round(pp, 2) != pp else points(pp)


def _rounded_up(count: int) -> int:
    """Return ``count`` with two significant digits, rounded up: it rests on rates that are only estimated."""
    step = int(10 ** max(0, math.floor(math.log10(count)) - 1))
    return -(-count // step) * step
