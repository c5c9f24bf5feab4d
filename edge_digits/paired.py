"""The difference of two accuracies that were measured on the same pictures.

Both models saw the same pictures, so only those count that one of them answers right and the other wrong. An interval
or a test for independent samples would be far too wide here.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from edge_digits_runtime.data import turns
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

CONFIDENCE_LEVEL = 0.95
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Paired:
    """The answers of two models to the same pictures, counted by which of the two is right."""

    both_right: int
    """Pictures that both answered right."""
    lost: int
    """Pictures that the first answered right and the second wrong."""
    won: int
    """Pictures that the first answered wrong and the second right."""
    both_wrong: int
    """Pictures that both answered wrong."""
    agreeing: int
    """Pictures to which both gave the same answer, right or wrong."""

    @property
    def count(self) -> int:
        """Number of pictures."""
        return self.both_right + self.lost + self.won + self.both_wrong

    @property
    def changed(self) -> int:
        """Pictures to which the two gave different answers, including those that both answered wrong."""
        return self.count - self.agreeing

    @property
    def wrong_in_another_way(self) -> int:
        """Pictures that both answered wrong, but differently."""
        return self.both_wrong - (self.agreeing - self.both_right)

    @property
    def agreement(self) -> float:
        """Share of pictures with the same answer, in [0, 1]."""
        return self.agreeing / self.count

    @property
    def drop_pp(self) -> float:
        """Accuracy of the first minus that of the second in percentage points; negative if the second is better."""
        return 100 * (self.lost - self.won) / self.count

    @cached_property
    def interval_pp(self) -> tuple[float, float]:
        """95 % interval of `drop_pp` in percentage points, see `newcombe_interval`."""
        low, high = newcombe_interval(self.both_right, self.lost, self.won, self.both_wrong)
        return 100 * low, 100 * high

    @cached_property
    def p_value(self) -> float:
        """p value of the exact McNemar test, see `mcnemar`."""
        return mcnemar(self.lost, self.won)

    @property
    def significant(self) -> bool:
        """True if both the interval and the test say that the accuracies differ by more than chance.

        The interval is approximate and the test is exact, so in a close case they may disagree; then the difference is
        not called significant.
        """
        low, high = self.interval_pp
        return (low > 0 or high < 0) and self.p_value < SIGNIFICANCE


def pair(labels: NDArray[Any], before: NDArray[Any], after: NDArray[Any], classes: tuple[str, ...] = ()) -> Paired:
    """Count two lists of answers to the same pictures by which of them is right.

    Args:
        labels: true classes or texts, shape ``(n,)``.
        before: answers of the first model, shape ``(n,)``.
        after: answers of the second model, shape ``(n,)``.
        classes: names of the classes; if they are turns of wheels, an answer within a tenth of the label is right.
    """
    first, second = (turns.right(labels, answers, classes) for answers in (before, after))
    return Paired(
        both_right=int(np.sum(first & second)),
        lost=int(np.sum(first & ~second)),
        won=int(np.sum(~first & second)),
        both_wrong=int(np.sum(~first & ~second)),
        agreeing=int(np.sum(before == after)),
    )


def mcnemar(lost: int, won: int) -> float:
    """Return the two-sided exact p value of McNemar's test: a fair coin decides each of the ``lost + won`` pictures.

    McNemar, Psychometrika 12 (1947), in the exact binomial form. The value is 1 if there is no such picture.
    """
    if lost + won == 0:
        return 1.0
    return float(binomtest(min(lost, won), lost + won, 0.5).pvalue)


def newcombe_interval(both_right: float, lost: float, won: float, both_wrong: float) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two paired proportions, first minus second, in [-1, 1].

    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650: Wilson's score intervals of the two
    proportions, combined with their correlation, which is corrected for continuity. Unlike Wald's interval it does
    not shrink to a point if no answer is lost or won, which is the usual case here. scipy has no such interval.
    The counts may be fractions, for what more pictures would give at the same rates.
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


def wilson_interval(successes: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a proportion, both ends in [0, 1].

    scipy's takes whole numbers only.
    """
    share, z = min(successes / n, 1.0), float(norm.ppf((1 + CONFIDENCE_LEVEL) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    arm = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # The end is the share itself where nothing, or all, succeeded.
    return (0.0 if successes == 0 else middle - arm), (1.0 if successes == n else middle + arm)


def _wilson_arms(successes: float, n: float) -> tuple[float, float]:
    """Return how far Wilson's interval reaches below and above the proportion."""
    low, high = wilson_interval(successes, n)
    share = successes / n
    return share - low, high - share


def _correlation(both_right: float, lost: float, won: float, both_wrong: float) -> float:
    """Return Newcombe's phi: the correlation of the two proportions, with n/2 subtracted from a positive numerator."""
    margins = (both_right + lost) * (won + both_wrong) * (both_right + won) * (lost + both_wrong)
    if margins == 0:
        return 0.0
    product = float(both_right * both_wrong - lost * won)
    if product > 0:
        product = max(product - (both_right + lost + won + both_wrong) / 2, 0.0)
    return product / math.sqrt(margins)
