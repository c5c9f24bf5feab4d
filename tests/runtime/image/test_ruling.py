"""Ruling and underlines are taken out of masks, and what crosses or stands on them is not."""

from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.image import ruling
from edge_digits_runtime.image.arrays import Mask
from edge_digits_runtime.image.components import components
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_allclose, assert_array_equal

AsMask = Callable[[str], Mask]


@pytest.mark.parametrize(
    ("drawn", "thickness", "wanted"),
    [
        # A level line goes; a stroke that crosses it stays whole, as its run across the line is longer than the line.
        ("...... ..#... ..#... ###### ..#... ......", 1, "...... ..#... ..#... ..#... ..#... ......"),
        ("...... ###### ...... ..##.. ..##.. ......", 1, "...... ...... ...... ..##.. ..##.. ......"),
        # As does an upright one, and two next to each other.
        (".#.... .#.... .#.... .#.... .#.... .#....", 1, "...... ...... ...... ...... ...... ......"),
        ("...... ###### ###### ...... ...... ......", 2, "...... ...... ...... ...... ...... ......"),
        # Thicker than a line.
        ("...... ###### ###### ...... ...... ......", 1, "...... ###### ###### ...... ...... ......"),
        # Seen on less than 0.6 of the way.
        ("...... ..###. ...... ...... ...... ......", 1, "...... ..###. ...... ...... ...... ......"),
        # Seen on 4 of 6 columns: a broken line.
        ("...... ##.##. ...... ...... ...... ......", 1, "...... ...... ...... ...... ...... ......"),
    ],
    ids=["crossed", "above ink", "upright", "thick", "too thick", "too short", "broken"],
)
def test_lines_across_the_picture_are_taken_out(as_mask: AsMask, drawn: str, thickness: int, wanted: str) -> None:
    mask = as_mask(drawn)
    before = mask.copy()
    assert_array_equal(ruling.without_lines(mask, mask, thickness), as_mask(wanted))
    assert_array_equal(mask, before)


def test_a_pale_line_is_found_by_its_fainter_ink(as_mask: AsMask) -> None:
    mask = as_mask("...... #....# ...... ..##.. ..##.. ......")
    seen = as_mask("...... ###### ...... ..##.. ..##.. ......")
    clean = as_mask("...... ...... ...... ..##.. ..##.. ......")
    assert_array_equal(ruling.without_lines(mask, mask, 1), mask)
    assert_array_equal(ruling.without_lines(mask, seen, 1), clean)


@pytest.mark.parametrize("rise", [-24, -10, 0, 3, 24])
@pytest.mark.parametrize("bulge", [0, 2])
def test_a_line_that_slants_up_to_7_degrees_or_bends_is_one_line(rise: int, bulge: int) -> None:
    x = np.arange(200)
    course = 100 + rise * x / 200 + bulge * np.sin(np.pi * x / 200)
    mask = np.zeros((200, 200), np.bool_)
    mask[course.astype(int), x] = True
    assert not ruling.without_lines(mask, mask, 3).any()


@pytest.mark.parametrize("rise", [-36, 36])
def test_a_line_that_slants_more_is_a_stroke(rise: int) -> None:
    mask = np.zeros((200, 200), np.bool_)
    x = np.arange(200)
    mask[100 + rise * x // 200, x] = True
    assert_array_equal(ruling.without_lines(mask, mask, 3), mask)


def test_thin_runs_are_those_along_rows_no_longer_than_the_thickness(as_mask: AsMask) -> None:
    middles, lengths, places = ruling.thin_runs(as_mask("##..#. ...... ###### #.####"), 2)
    assert middles.tolist() == [1.0, 4.5, 0.5]
    assert lengths.tolist() == [2, 1, 1]
    assert places.tolist() == [0, 0, 3]


@given(npst.arrays(np.bool_, st.tuples(st.integers(0, 12), st.integers(1, 12))))
def test_thin_runs_filled_again_are_the_mask(mask: Mask) -> None:
    assert_array_equal(ruling.filled_runs(*ruling.thin_runs(mask, 12), mask.shape), mask)


def test_lines_through_points_are_found_the_longest_first() -> None:
    x = np.sort(np.concatenate([np.arange(100), np.arange(10, 90)]))
    y = np.where(np.arange(len(x)) % 2 & (x >= 10) & (x < 90), 50.5, 20 + 0.05 * x)
    longest, second = ruling.lines_through(y, x, 100, 3, 0.6)
    assert_allclose(longest(np.array([0, 99])), [20, 24.95], atol=0.5)
    assert_allclose(second(np.array([10, 89])), [50.5, 50.5], atol=0.5)


def test_points_all_over_are_no_line() -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.integers(0, 100, 60))
    assert ruling.lines_through(rng.uniform(0, 100, 60), x, 100, 3, 0.6) == []


def test_the_search_for_lines_stops_after_a_number_of_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (axis.ravel() for axis in np.mgrid[:50, :200])
    monkeypatch.setattr(ruling, "_MOST_TRIES", 7)
    assert len(ruling.lines_through(y + 0.5, x, 50, 3, 0.6)) <= 7


@pytest.mark.parametrize(("low", "high"), [(1.0, 3.0), (2.5, 2.5), (-9.0, -8.0), (3.0, 99.0)])
def test_sorted_values_between_two_limits_are_found(low: float, high: float) -> None:
    values = np.array([3.0, 7.0, 1.0, 3.0, 2.0, 9.5])
    between = ruling._Sorted(values).between(low, high)
    assert sorted(between.tolist()) == np.flatnonzero((values >= low - 1) & (values <= high + 1)).tolist()


@pytest.mark.parametrize("share", [0.36, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("slant", [-4, 0, 4])
@pytest.mark.parametrize("upright", [True, False])
def test_a_straight_stroke_that_ends_within_the_picture_is_no_ruling(share: float, slant: int, upright: bool) -> None:
    mask = np.zeros((120, 120), np.bool_)
    start = round(60 * (1 - share))
    along = np.arange(start, 120 - start)
    across = 60 + slant * (along - 60) // 60
    for width in range(3):
        mask[across + width, along] = True
    mask = mask.T.copy() if upright else mask
    assert_array_equal(ruling.without_lines(mask, mask, 3, 72, whole=True), mask)


@pytest.mark.parametrize("upright", [True, False])
def test_a_line_that_runs_off_the_picture_is_ruling(upright: bool) -> None:
    mask = np.zeros((120, 120), np.bool_)
    mask[60:62] = True
    mask = mask.T.copy() if upright else mask
    assert not ruling.without_lines(mask, mask, 3, 72, whole=True).any()


def two_digits(line: slice = slice(0, 0), rows: slice = slice(13, 14)) -> Mask:
    """Two upright strokes of 8 rows and a level one below them."""
    mask = np.zeros((24, 24), np.bool_)
    mask[2:10, 3:5] = mask[2:10, 8:10] = True
    mask[rows, line] = True
    return mask


@pytest.mark.parametrize(
    ("line", "rows"),
    [(slice(1, 23), slice(13, 14)), (slice(2, 15), slice(12, 14)), (slice(1, 23), slice(10, 11))],
    ids=["below", "thicker", "touching"],
)
def test_an_underline_is_taken_out_and_what_stands_on_it_stays(line: slice, rows: slice) -> None:
    mask = two_digits(line, rows)
    assert_array_equal(ruling.without_underlines(mask, components(mask), 8.0), two_digits())


@pytest.mark.parametrize(
    ("line", "rows"),
    [(slice(1, 12), slice(13, 14)), (slice(1, 23), slice(13, 17)), (slice(1, 23), slice(5, 6))],
    ids=["short", "thick", "struck through"],
)
def test_what_is_short_or_thick_or_strikes_digits_out_is_no_underline(line: slice, rows: slice) -> None:
    mask = two_digits(line, rows)
    assert_array_equal(ruling.without_underlines(mask, components(mask), 8.0), mask)


def test_a_digit_that_goes_down_through_the_underline_stays_whole() -> None:
    mask = two_digits(slice(1, 23))
    mask[2:17, 3:5] = True
    clean = two_digits()
    clean[2:17, 3:5] = True
    assert_array_equal(ruling.without_underlines(mask, components(mask), 8.0), clean)
