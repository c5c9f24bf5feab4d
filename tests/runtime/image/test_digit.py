"""The digit is told from other ink, on masks of 6 × 6 pixels: each true pixel is black ink on white paper."""

from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.image import digit
from edge_digits_runtime.image.arrays import Box, Mask
from edge_digits_runtime.image.components import components
from edge_digits_runtime.image.ink import Ink
from numpy.testing import assert_array_equal

AsMask = Callable[[str], Mask]


def inked(mask: Mask, strength: int = 255) -> Ink:
    return Ink((mask * strength).astype(np.uint8), high=100.0, low=40.0, faint=10.0, light=False)


@pytest.mark.parametrize(
    ("drawn", "own", "reason"),
    [
        # A 1 and a speck far from it.
        ("..#... ..#... ..#... ..#... ..#... #.....", "..#... ..#... ..#... ..#... ..#... ......", None),
        # The bar of a 5, a pixel above it: near, and a quarter of its size.
        ("...... .####. ...... .###.. ....#. .###..", "...... .####. ...... .###.. ....#. .###..", None),
        # Two strokes of one size, apart by more than a quarter of it.
        (
            "...... .#..#. .#..#. .#..#. .#..#. ......",
            "...... .#.... .#.... .#.... .#.... ......",
            "looks like more than one digit",
        ),
        # The same, apart by a column.
        ("...... .#.#.. .#.#.. .#.#.. .#.#.. ......", "...... .#.#.. .#.#.. .#.#.. .#.#.. ......", None),
        # What lies along a side or in a corner is the edge of a sheet, unless there is nothing else.
        ("#..... #.##.. #.##.. #.##.. #..... #.....", "...... ..##.. ..##.. ..##.. ...... ......", None),
        (
            "#..... #..... #..... #..... #..... #.....",
            "#..... #..... #..... #..... #..... #.....",
            "nothing but ink along the border",
        ),
    ],
    ids=["speck", "bar", "two", "one in two strokes", "edge beside it", "edge alone"],
)
def test_the_digit_is_the_largest_piece_with_what_belongs_to_it(
    as_mask: AsMask, drawn: str, own: str, reason: str | None
) -> None:
    found = digit.find_digit(np.where(as_mask(drawn), 0, 255).astype(np.uint8), light=False)
    assert found is not None
    assert_array_equal(found.mask, as_mask(own))
    assert found.reason == reason
    left, top, right, bottom = found.box
    rows, columns = (np.flatnonzero(as_mask(own).any(axis=axis)) for axis in (1, 0))
    assert (left, top, right, bottom) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert found.ink.shape == (bottom - top + 2, right - left + 2)
    assert found.ink.max() == 255


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_a_picture_of_one_gray_has_no_digit(gray: int) -> None:
    assert digit.find_digit(np.full((6, 6), gray, np.uint8)) is None


def test_a_piece_that_is_weak_all_over_is_no_ink(as_mask: AsMask) -> None:
    ink = inked(as_mask("##.... ##.... ...... ...### ...### ...###"))
    ink.strength[:2] = ink.strength[:2] // 3
    # 85 is above `low`, so that it could be the end of a strong stroke, and below `high`.
    assert digit.ink_pieces(ink).boxes.tolist() == [[3, 3, 6, 6]]


@pytest.mark.parametrize(
    ("box", "cut_out"),
    [
        # The mask is the upright stroke; its neighbours at 60 are its soft edge, the 9 beyond them is another's.
        ((2, 1, 3, 4), ["60 60 60", "60 200 60", "60 200 60", "60 200 60", "60 60 60"]),
        # At the border of the picture there is nothing to take.
        ((0, 1, 1, 4), ["0 0 60", "0 9 60", "0 9 60", "0 9 60", "0 0 60"]),
    ],
    ids=["inside", "at the border"],
)
def test_a_cut_has_the_pixels_of_the_mask_and_their_neighbours(box: Box, cut_out: list[str]) -> None:
    strength = np.array(
        [
            [0, 60, 60, 60, 0, 0],
            [9, 60, 200, 60, 9, 9],
            [9, 60, 200, 60, 9, 9],
            [9, 60, 200, 60, 9, 9],
            [0, 60, 60, 60, 0, 0],
            [9, 9, 9, 9, 9, 9],
        ],
        np.uint8,
    )
    mask = np.ones((box[3] - box[1], box[2] - box[0]), np.bool_)
    wanted = np.array([row.split() for row in cut_out], np.uint8)
    assert_array_equal(digit.cut(strength, mask, box), wanted)


def test_a_cut_leaves_out_what_is_in_the_box_and_not_in_the_mask(as_mask: AsMask) -> None:
    strength = np.full((6, 6), 9, np.uint8)
    ink = digit.cut(strength, as_mask("#... .... .... ...#"), (1, 1, 5, 5))
    assert_array_equal(ink > 0, as_mask("###... ###... ###... ...### ...### ...###"))


@pytest.mark.parametrize(
    ("boxes", "wanted"), [([(1, 2, 3, 4)], (1, 2, 3, 4)), ([(3, 0, 4, 2), (0, 1, 2, 5), (1, 1, 2, 2)], (0, 0, 4, 5))]
)
def test_the_union_of_boxes_holds_them_all(boxes: list[Box], wanted: Box) -> None:
    assert digit.union(np.array(boxes)) == wanted


@pytest.mark.parametrize(
    ("drawn", "inside"),
    [
        ("...... .#..#. ...... ...... ...... ......", [True, True]),
        # The first lies along the left side, the second runs inwards from it.
        ("#..... #..... ...... ####.. ...... ......", [False, True]),
        # In a corner, with paper at two sides at least.
        ("###... ###... ###... ...... ....#. ......", [False, True]),
        # In a corner with ink at all four sides: cut out as large as the digit.
        ("###### ....#. ...##. ..##.. .##... ##....", [True]),
    ],
    ids=["off the border", "along a side", "corner", "cut out"],
)
def test_ink_along_the_border_is_told_from_ink_that_runs_inwards(
    as_mask: AsMask, drawn: str, inside: list[bool]
) -> None:
    assert digit._off_border(components(as_mask(drawn))).tolist() == inside
