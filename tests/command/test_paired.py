"""The statistics of the report against tables worked out by hand and published examples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from edge_digits.paired import Paired, mcnemar, newcombe_interval, pair, wilson_interval


def test_pairs_are_counted_by_right_and_wrong() -> None:
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 7])
    before = np.array([0, 1, 2, 3, 9, 9, 9, 9])
    after_ = np.array([0, 1, 2, 9, 4, 5, 9, 8])
    paired = pair(labels, before, after_)
    # 0 1 2 both right; 3 lost; 4 5 won; 6 wrong and the same; 7 wrong in two ways.
    assert paired == Paired(both_right=3, lost=1, won=2, both_wrong=2, agreeing=4)
    assert (paired.count, paired.changed, paired.agreement) == (8, 4, 0.5)
    assert paired.drop_pp == -12.5


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        (0, 0, 1.0),
        (3, 0, 2 / 8),  # 2 · (1/2)³
        (5, 5, 1.0),
        (9, 1, 22 / 1024),  # 2 · (1 + 10) / 2¹⁰
        (1, 9, 22 / 1024),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
    ],
)
def test_mcnemar_is_a_coin_for_each_changed_picture(lost: int, won: int, p: float) -> None:
    assert mcnemar(lost, won) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Newcombe 1998, an example of his table of method 10.
        ((36, 12, 2, 0), 0.0569, 0.3404),
        # Bentur et al. 2009, before and after a transplantation, as in Fagerland, Lydersen and Laake 2017.
        ((1, 1, 7, 12), -0.5069, -0.0256),
    ],
)
def test_newcombe_interval_of_published_tables(table: tuple[int, int, int, int], low: float, high: float) -> None:
    assert newcombe_interval(*table) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_interval_worked_out_step_by_step() -> None:
    # 100 pictures: 80 both right, 10 lost, 4 won, 6 both wrong. Wilson: centre (x + z²/2) / (n + z²).
    z = 1.959963984540054

    def wilson(x: int) -> tuple[float, float]:
        centre, n = (x + z * z / 2) / (100 + z * z), 100
        half = z / (n + z * z) * math.sqrt(x * (n - x) / n + z * z / 4)
        return centre - half, centre + half

    (l1, u1), (l2, u2) = wilson(90), wilson(84)
    assert wilson_interval(90, 100) == pytest.approx((l1, u1))
    phi = (80 * 6 - 10 * 4 - 50) / math.sqrt(90 * 10 * 84 * 16)  # 440 less n/2
    below = (0.90 - l1) ** 2 - 2 * phi * (0.90 - l1) * (u2 - 0.84) + (u2 - 0.84) ** 2
    above = (u1 - 0.90) ** 2 - 2 * phi * (u1 - 0.90) * (0.84 - l2) + (0.84 - l2) ** 2
    expected = 0.06 - math.sqrt(below), 0.06 + math.sqrt(above)
    assert newcombe_interval(80, 10, 4, 6) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "significant"),
    [
        ((9890, 0, 0, 110), False),  # nothing changed
        ((9880, 10, 8, 102), False),
        ((9850, 40, 8, 102), True),  # a loss
        ((9850, 8, 40, 102), True),  # a gain
        ((0, 0, 0, 50), False),  # everything wrong
        ((50, 0, 0, 0), False),  # everything right
    ],
)
def test_a_difference_is_significant_if_both_interval_and_test_say_so(
    counts: tuple[int, ...], significant: bool
) -> None:
    both_right, lost, won, both_wrong = counts
    paired = Paired(both_right, lost, won, both_wrong, agreeing=both_right + both_wrong)
    low, high = paired.interval_pp
    assert low <= paired.drop_pp <= high
    assert paired.significant is significant
    assert (low > 0 or high < 0) is significant
    # Even without any changed answer 10,000 pictures leave room for doubt.
    assert high > low


@given(st.tuples(*[st.integers(0, 400)] * 4).filter(any))
def test_the_interval_contains_the_drop_and_changes_sign_with_the_order(table: tuple[int, int, int, int]) -> None:
    both_right, lost, won, both_wrong = table
    low, high = newcombe_interval(both_right, lost, won, both_wrong)
    drop = (lost - won) / sum(table)
    assert -1 - 1e-9 <= low <= drop + 1e-12
    assert drop - 1e-12 <= high <= 1 + 1e-9
    assert newcombe_interval(both_right, won, lost, both_wrong) == pytest.approx((-high, -low), abs=1e-9)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    wanted = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*counts) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    # At the same rate a third of a picture is as good as a whole one.
    low, high = wilson_interval(counts[0] / 3, counts[1] / 3)
    assert low <= counts[0] / counts[1] <= high
