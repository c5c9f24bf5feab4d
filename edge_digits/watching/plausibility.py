"""Which readings are believed: what a meter shows now must follow from what it showed before.

A reading that changes the value is published when the next picture bears it out; one that leaves it as it was, at once.
What contradicts the last published value is doubtful. But the last value may be the wrong one: where enough readings
agree with each other and not with it, they win. How many that takes grows with the number of readings that stood behind
the last value, so that one misread picture is forgotten soon, and a smear on the glass does not undo a week.
"""

from dataclasses import dataclass
from typing import Any

from edge_digits_runtime.meter.profile import Profile
from edge_digits_runtime.meter.reading import MeterReading
from edge_digits_runtime.meter.reasons import FELL, FIRST_ONES, NO_NEXT, NOT_BORNE_OUT, TOO_FAST, TOO_SLOW

FIRST = 3
"""Readings that must agree before the first is published."""
FEWEST, MOST = 10, 300
"""Readings in a row that replace a wrong value, by how many stood behind it."""
_SECONDS = 3600.0


@dataclass(frozen=True)
class Observation:
    """What one picture showed."""

    at: float
    """When it was taken, in seconds since 1970."""
    value: float | None
    """Its value; None where the reading is not sure."""
    reason: str | None = None
    """Why it is not sure."""
    carried: Any = None
    """Whatever the caller wants back with it."""


@dataclass(frozen=True)
class Settled:
    """An observation about which there is nothing more to find out."""

    observation: Observation
    value: float | None
    """The value to publish; None where it is doubtful."""
    reason: str | None
    """Why it is doubtful."""


class Plausibility:
    """Decides about one observation after another; each is settled once, in the order of time or one place later.

    Example:
        >>> from edge_digits_runtime.meter.profile import Profile, Slot
        >>> judge = Plausibility(Profile((80, 40), (Slot((8, 4, 20, 32)),)))
        >>> found = [judge.add(Observation(60.0 * at, value)) for at, value in enumerate([3, 3, 3, 8, 4, 4])]
        >>> [(one.value, one.reason) for settled in found for one in settled]
        [(3, None), (3, None), (3, None), (None, 'the next picture does not bear it out'), (4, None), (4, None)]
    """

    def __init__(self, profile: Profile, last: tuple[float, float] | None = None) -> None:
        """Take what is allowed from ``profile``, and when and what was published last, if it is known."""
        self._change, self._step, self._least = profile.change, profile.step, profile.min_confidence
        self._last = last
        self._moved = last
        self._support = FEWEST if last is not None else 0
        self._first: list[Observation] = []
        self._pending: Observation | None = None
        self._rival: Observation | None = None
        self._rivals = 0

    @property
    def waiting(self) -> bool:
        """Whether another picture would settle something."""
        return self._pending is not None or bool(self._first)

    def narrowed(self, reading: MeterReading, at: float) -> MeterReading:
        """Return a reading in the light of what was published last: what cannot follow from it raises no doubt.

        Only where the profile says how fast the value may rise; else there is no end of what may follow.

        Args:
            reading: of one picture.
            at: when it was taken, in seconds since 1970.
        """
        highest = self._change.highest_per_hour
        if self._last is None or highest is None:
            return reading
        before, value = self._last
        hours = max(0.0, at - before) / _SECONDS
        low = value + min(0.0, self._change.lowest_per_hour * hours) - self._step
        return reading.within(low, value + highest * hours + self._step, self._least)

    def add(self, new: Observation) -> list[Settled]:
        """Take the next observation and return all that are settled by it."""
        if new.value is None:
            return [Settled(new, None, new.reason)]
        if self._last is None:
            return self._begin(new)
        against = self._contradiction(self._last, new)
        if against is None and self._follows_rival(new):
            # It was too fast when it came. Time alone, in which it might have come about, makes it no truer.
            against = TOO_FAST
        if against is not None:
            return [*self._drop_pending(new), *self._rivalled(new, against)]
        self._rival, self._rivals = None, 0
        if self._stands_still(new):
            return [Settled(new, None, TOO_SLOW)]
        return self._follow(new)

    def finish(self) -> list[Settled]:
        """Return what is still open, as doubtful; no further picture will come."""
        left = self._first if self._pending is None else [self._pending]
        self._first, self._pending = [], None
        return [Settled(one, None, NO_NEXT) for one in left]

    def _begin(self, new: Observation) -> list[Settled]:
        """Collect the first readings until enough agree."""
        if self._first and self._contradiction(_point(self._first[-1]), new) is not None:
            wrong, self._first = self._first, [new]
            return [Settled(one, None, FIRST_ONES) for one in wrong]
        self._first.append(new)
        if len(self._first) < FIRST:
            return []
        agreed, self._first = self._first, []
        return [settled for one in agreed for settled in self._publish(one)]

    def _follow(self, new: Observation) -> list[Settled]:
        """Take an observation that follows from the last published value."""
        assert self._last is not None
        assert new.value is not None
        before = self._pending
        if before is None:
            if self._same(self._last[1], new.value):
                return self._publish(new)
            self._pending = new
            return []
        if self._contradiction(_point(before), new) is not None:
            self._pending = None
            return [Settled(before, None, NOT_BORNE_OUT), *self._follow(new)]
        self._pending = None
        return [*self._publish(before), *self._follow(new)]

    def _rivalled(self, new: Observation, against: str) -> list[Settled]:
        """Take an observation that contradicts the last published value: perhaps that one is wrong."""
        if self._rival is not None and self._contradiction(_point(self._rival), new) is not None:
            self._rivals = 0
        # Without what is carried: it is settled already.
        self._rival = Observation(new.at, new.value, against)
        self._rivals += 1
        if self._rivals < min(max(FEWEST, self._support), MOST):
            return [Settled(new, None, against)]
        self._support, self._rivals, self._rival, self._last, self._moved = 0, 0, None, None, None
        return self._publish(new)

    def _follows_rival(self, new: Observation) -> bool:
        """Return whether an observation goes on from one that was too fast."""
        rival = self._rival
        return rival is not None and rival.reason == TOO_FAST and self._contradiction(_point(rival), new) is None

    def _stands_still(self, new: Observation) -> bool:
        """Return whether the value has changed too little since it last moved: a step now and then is no fault."""
        assert new.value is not None
        lowest = self._change.lowest_per_hour
        if lowest <= 0 or self._moved is None:
            return False
        hours = (new.at - self._moved[0]) / _SECONDS
        return new.value - self._moved[1] < lowest * hours - 2 * self._step

    def _drop_pending(self, new: Observation) -> list[Settled]:
        """Return what waited to be borne out, if ``new`` contradicts it."""
        before = self._pending
        if before is None or self._contradiction(_point(before), new) is None:
            return []
        self._pending = None
        return [Settled(before, None, NOT_BORNE_OUT)]

    def _publish(self, one: Observation) -> list[Settled]:
        assert one.value is not None
        value = one.value
        if self._last is not None and self._same(self._last[1], value) and not self._change.may_fall:
            # On the verge of the next digit a wheel is read now as the one, now as the other.
            value = max(value, self._last[1])
        if self._moved is None or abs(value - self._moved[1]) > 0.5 * self._step:
            self._moved = one.at, value
        self._last = one.at, value
        self._support += 1
        return [Settled(one, value, None)]

    def _same(self, before: float, after: float) -> bool:
        """Return whether two values differ by nothing, or by what the last wheel was read too early before."""
        low = 0.0 if self._change.may_fall else -1.0
        return (low - 0.01) * self._step <= after - before <= 0.01 * self._step

    def _contradiction(self, before: tuple[float, float], after: Observation) -> str | None:
        """Return what speaks against ``after`` where ``before``, a time and a value, was right."""
        assert after.value is not None
        hours = max(0.0, after.at - before[0]) / _SECONDS
        change, step = after.value - before[1], 1.01 * self._step
        if change < min(0.0, self._change.lowest_per_hour * hours) - step:
            return FELL
        if change < self._change.lowest_per_hour * hours - step:
            return TOO_SLOW
        highest = self._change.highest_per_hour
        if highest is not None and change > highest * hours + step:
            return TOO_FAST
        return None


def _point(one: Observation) -> tuple[float, float]:
    assert one.value is not None
    return one.at, one.value
