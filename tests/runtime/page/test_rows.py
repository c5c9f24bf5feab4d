"""Boxes of 20 × 30 pixels in lines that slant, and in numbers."""

import numpy as np
import pytest
from edge_digits_runtime.page.rows import numbers, rows

HEIGHT = 30.0


def boxes(*lines: list[int], slope: float = 0.0, step: int = 60) -> np.ndarray:
    """A box at each place along each line, a line every ``step`` pixels, falling by ``slope`` pixels per pixel."""
    left = np.concatenate([np.array(line, np.intp) for line in lines])
    row = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    top = np.rint(row * step + slope * left).astype(np.intp)
    return np.stack([left, top, left + 20, top + 30], axis=1)


@pytest.mark.parametrize("slope", [-0.3, -0.1, 0.0, 0.1, 0.3])
def test_lines_that_slant_are_found_in_reading_order(slope: float) -> None:
    places = [0, 30, 60, 90, 120, 150]
    assert rows(boxes(places, places, places, slope=slope), HEIGHT) == [
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8, 9, 10, 11],
        [12, 13, 14, 15, 16, 17],
    ]


def test_columns_are_not_taken_for_lines_that_rise_steeply() -> None:
    # Each box has its nearest neighbour, to the right, in the line below.
    grid = boxes([0, 100, 200], [15, 115, 215], [30, 130, 230], step=40)
    assert rows(grid, HEIGHT) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_boxes_in_any_order_give_the_same_lines() -> None:
    grid = boxes([0, 30, 60], [0, 30, 60])
    order = np.array([4, 0, 3, 5, 1, 2])
    assert [[int(order[k]) for k in line] for line in rows(grid[order], HEIGHT)] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        # Gaps of 10 within numbers: one of 24, 0.8 heights, is no end of a number, one of 25 is.
        ([0, 30, 60, 104, 134], [[0, 1, 2, 3, 4]]),
        ([0, 30, 60, 105, 135], [[0, 1, 2], [3, 4]]),
        # Gaps of 20 within numbers: the end of a number is more than twice as wide.
        ([0, 40, 80, 140, 180], [[0, 1, 2, 3, 4]]),
        ([0, 40, 80, 141, 181], [[0, 1, 2], [3, 4]]),
        ([0], [[0]]),
    ],
)
def test_a_line_is_divided_at_gaps_wider_than_those_within_numbers(places: list[int], wanted: list[list[int]]) -> None:
    grid = boxes(places)
    assert numbers(grid, rows(grid, HEIGHT), HEIGHT) == [wanted]
