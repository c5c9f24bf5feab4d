"""Lines are found at their places, with the height of their digits, and gathered in rows."""

import numpy as np
import pytest
from edge_digits_runtime.page.row_finder import Row, RowFinder, lines
from PIL import Image, ImageDraw, ImageFont

FINDER = RowFinder()


@pytest.mark.parametrize("height", [12, 20, 33, 48, 90, 150])
def test_a_number_is_found_with_the_height_of_its_digits(height: int) -> None:
    font = ImageFont.load_default(round(height / 0.73))
    box = font.getbbox("2058")
    page = Image.new("L", (round(box[2] + 4 * height), 4 * height), 240)
    ImageDraw.Draw(page).text((2 * height - box[0], 1.5 * height - box[1]), "2058", 30, font)
    dark = np.asarray(page) < 130
    ys, xs = np.nonzero(dark)
    ((row,),) = FINDER.find(np.asarray(page))
    true = float(ys.max() + 1 - ys.min())
    assert row.size == pytest.approx(true, rel=0.2)
    assert row.middle == pytest.approx((ys.min() + ys.max() + 1) / 2, abs=0.15 * true)
    assert (row.left, row.right) == pytest.approx((xs.min(), xs.max() + 1), abs=0.4 * true)


def row(left: float, middle: float, size: float = 20.0) -> Row:
    return Row(left, left + 15, middle, 0.0, size, 0.9)


def test_a_digit_that_stands_high_does_not_part_its_line() -> None:
    first = [row(40.0 * k, 100.0 - 8.0 * (k == 4)) for k in range(9)]
    second = [row(40.0 * k, 140.0 + 8.0 * (k == 5)) for k in range(9)]
    assert [len(line) for line in lines([*second, *first])] == [9, 9]
    assert lines([*second, *first])[0][4].middle == 92.0
