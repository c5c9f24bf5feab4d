"""What two lists of answers to the same pictures say about the difference of their accuracies.

The two models saw the same pictures, so only those count on which one of them is right and the other is not. An
interval or a test for independent samples would be far too wide here.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

CONFIDENCE_LEVEL = 0.95
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Paired:
    """How the answers of two models to the same pictures go together."""

    both_right: int
    lost: int
    """Pictures that the first answered right and the second wrong."""
    won: int
    """Pictures that the first answered wrong and the second right."""
    both_wrong: int
    agreeing: int
    """Pictures with the same answer, right or wrong."""

    @property
    def count(self) -> int:
        """Number of pictures."""
        return self.both_right + self.lost + self.won + self.both_wrong

    @property
    def changed(self) -> int:
        """Pictures with another answer; those that are wrong in two ways count as well."""
        return self.count - self.agreeing

    @property
    def agreement(self) -> float:
        """Share of pictures with the same answer, in [0, 1]."""
        return self.agreeing / self.count

    @property
    def drop_pp(self) -> float:
        """Accuracy of the first less that of the second, in percentage points; negative where the second is better."""
        return 100 * (self.lost - self.won) / self.count

    @cached_property
    def interval_pp(self) -> tuple[float, float]:
        """The 95 % interval of `drop_pp`, see `newcombe_interval`."""
        low, high = newcombe_interval(self.both_right, self.lost, self.won, self.both_wrong)
        return 100 * low, 100 * high

    @cached_property
    def p_value(self) -> float:
        """Exact McNemar test, see `mcnemar`."""
        return mcnemar(self.lost, self.won)

    @property
    def significant(self) -> bool:
        """Whether the accuracies differ by more than chance explains: both the interval and the test say so.

        The interval is approximate and the test exact, so next to the border one may say so without the other;
        then it is not called significant.
        """
        low, high = self.interval_pp
        return (low > 0 or high < 0) and self.p_value < SIGNIFICANCE


def pair(labels: NDArray[np.integer], before: NDArray[np.integer], after: NDArray[np.integer]) -> Paired:
    """Count how two lists of answers go together.

    Args:
        labels: the true digits, shape ``(n,)``.
        before: the answers of the first model, shape ``(n,)``.
        after: the answers of the second model, shape ``(n,)``.
    """
    first, second = before == labels, after == labels
    return Paired(
        both_right=int(np.sum(first & second)),
        lost=int(np.sum(first & ~second)),
        won=int(np.sum(~first & second)),
        both_wrong=int(np.sum(~first & ~second)),
        agreeing=int(np.sum(before == after)),
    )


def mcnemar(lost: int, won: int) -> float:
    """Two-sided exact p value of McNemar's test: a fair coin decides each of the ``lost + won`` pictures.

    McNemar, Psychometrika 12 (1947), in the exact binomial form. 1 where there is no such picture.
    """
    if lost + won == 0:
        return 1.0
    return float(binomtest(min(lost, won), lost + won, 0.5).pvalue)


def newcombe_interval(both_right: int, lost: int, won: int, both_wrong: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two paired proportions, first less second, in [-1, 1].

    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650: Wilson's score intervals of the two
    proportions, joined with their correlation, which is corrected for continuity. Unlike Wald's interval it keeps
    its width where no answer is lost or won, which is the usual case here.
    """
    n = both_right + lost + won + both_wrong
    first, second = both_right + lost, both_right + won
    down_first, up_first = _wilson_arms(first, n)
    down_second, up_second = _wilson_arms(second, n)
    correlation = _correlation(both_right, lost, won, both_wrong)
    difference = (lost - won) / n
    below = down_first**2 - 2 * correlation * down_first * up_second + up_second**2
    above = up_first**2 - 2 * correlation * up_first * down_second + down_second**2
    return difference - math.sqrt(max(below, 0.0)), difference + math.sqrt(max(above, 0.0))


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, both ends in [0, 1]."""
    interval = binomtest(successes, n).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def _wilson_arms(successes: int, n: int) -> tuple[float, float]:
    """How far Wilson's interval reaches below and above the proportion."""
    low, high = wilson_interval(successes, n)
    share = successes / n
    return share - low, high - share


def _correlation(both_right: int, lost: int, won: int, both_wrong: int) -> float:
    """Newcombe's phi: the correlation of the two proportions with n/2 taken off a positive numerator."""
    margins = (both_right + lost) * (won + both_wrong) * (both_right + won) * (lost + both_wrong)
    if margins == 0:
        return 0.0
    product = float(both_right * both_wrong - lost * won)
    if product > 0:
        product = max(product - (both_right + lost + won + both_wrong) / 2, 0.0)
    return product / math.sqrt(margins)
