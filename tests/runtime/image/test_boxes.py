"""Printed boxes and tables are taken out of a mask, and digits, also such as look like boxes, are not."""

import numpy as np
import pytest
from edge_digits_runtime.image.arrays import Mask
from edge_digits_runtime.image.boxes import without_boxes
from edge_digits_runtime.image.components import components
from numpy.testing import assert_array_equal

ONE = (slice(9, 20), slice(13, 16))
"""A 1 in the first box, 11 rows high."""


def blank() -> Mask:
    return np.zeros((40, 80), np.bool_)


def box(mask: Mask, left: int, top: int, right: int, bottom: int, thick: int = 1) -> Mask:
    """``mask`` with the four sides of a box, each ``thick`` pixels inwards."""
    mask[top:bottom, left : left + thick] = mask[top:bottom, right - thick : right] = True
    mask[top : top + thick, left:right] = mask[bottom - thick : bottom, left:right] = True
    return mask


def cleaned(mask: Mask) -> Mask:
    before = mask.copy()
    result = without_boxes(mask, components(mask))
    assert_array_equal(mask, before)
    return result


@pytest.mark.parametrize("thick", [1, 2])
@pytest.mark.parametrize("side", [22, 26, 30])
def test_a_box_around_a_digit_is_taken_out(side: int, thick: int) -> None:
    mask = box(blank(), 4, 4, 4 + side, 4 + side, thick)
    lines = mask.sum()
    mask[ONE] = True
    result = cleaned(mask)
    assert result[ONE].all()
    result[ONE] = False
    # Specks at its corners may stay.
    assert result.sum() <= 0.1 * lines


def test_a_digit_that_touches_its_box_loses_no_more_than_the_line() -> None:
    mask = box(blank(), 4, 4, 34, 34)
    mask[4:20, 13:16] = True
    # The piece has no other in it. It is a box nevertheless: as large as the one beside it that has.
    mask = box(mask, 40, 4, 70, 34)
    mask[9:20, 53:56] = True
    result = cleaned(mask)
    assert result[6:20, 13:16].all()
    assert result[9:20, 53:56].all()
    assert result.sum() <= 16 * 3 + 11 * 3 + 0.1 * 232


@pytest.mark.parametrize(
    "table",
    [
        [(4, 4, 27, 34), (26, 4, 49, 34), (48, 4, 71, 34)],
        [(4, 2, 38, 20), (37, 2, 71, 20), (4, 19, 38, 37), (37, 19, 71, 37)],
    ],
    ids=["a row", "two rows"],
)
def test_cells_that_share_their_walls_are_taken_out(table: list[tuple[int, int, int, int]]) -> None:
    mask, digits = blank(), blank()
    for left, top, right, bottom in table:
        box(mask, left, top, right, bottom)
        middle = (left + right) // 2
        digits[top + 3 : bottom - 3, middle - 1 : middle + 2] = True
    lines = mask.sum()
    result = cleaned(mask | digits)
    assert result[digits].all()
    assert (result & ~digits).sum() <= 0.1 * lines


def test_a_ring_with_nothing_in_it_may_be_a_0() -> None:
    mask = box(blank(), 4, 4, 24, 36, 2)
    assert_array_equal(cleaned(mask), mask)


@pytest.mark.parametrize(
    "drawn",
    [
        [],
        # Too small, or at the border, as ruling is.
        [(4, 4, 15, 15), (8, 8, 11, 11)],
        [(0, 4, 30, 34), (13, 9, 16, 20)],
        # A ring with a speck in it that is small beside it.
        [(4, 4, 34, 34), (14, 15, 17, 18)],
    ],
    ids=["nothing", "small", "at the border", "a speck in it"],
)
def test_what_is_no_box_stays(drawn: list[tuple[int, int, int, int]]) -> None:
    mask = blank()
    for each in drawn:
        box(mask, *each)
    assert_array_equal(cleaned(mask), mask)


@pytest.mark.parametrize(("lines", "is_table"), [(100, True), (101, False)])
def test_more_than_100_lines_above_each_other_are_no_table(lines: int, is_table: bool) -> None:
    ladder = np.zeros((14 * lines + 10, 80), np.bool_)
    for k in range(lines - 1):
        box(ladder, 4, 4 + 14 * k, 74, 4 + 14 * (k + 1) + 1)
    # A stroke in a cell, which is too small beside the whole to tell that it is a table.
    beside = np.hstack([ladder, box(np.zeros_like(ladder), 4, 4, 74, 34)])
    beside[9:30, 110:114] = True
    assert (beside[:, :80].sum() > cleaned(beside)[:, :80].sum()) == is_table
