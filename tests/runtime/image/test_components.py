"""Connected components: drawn masks by hand, any mask against scipy."""

from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.image.arrays import Mask
from edge_digits_runtime.image.components import components, filled, runs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal
from scipy import ndimage

MASKS = npst.arrays(np.bool_, st.tuples(st.integers(0, 12), st.integers(0, 12)))
CORNERS_TOUCH = np.ones((3, 3))
"""scipy's word for 8-connectivity."""


@pytest.mark.parametrize(
    ("drawn", "boxes", "areas"),
    [
        ("...... ...... ...... ...... ...... ......", [], []),
        ("###### ###### ###### ###### ###### ######", [(0, 0, 6, 6)], [36]),
        # Corners touch: a stroke that leans is one piece.
        ("#..... .#.... ..#... ...#.. ....#. .....#", [(0, 0, 6, 6)], [6]),
        (".....# ....#. ...#.. ..#... .#.... #.....", [(0, 0, 6, 6)], [6]),
        # Two arms that meet at the bottom are joined, and numbered by the first of their pixels.
        ("#....# #....# #....# #....# #....# .####.", [(0, 0, 6, 6)], [14]),
        # A ring, and a speck in it.
        ("###### #....# #.#..# #....# #....# ######", [(0, 0, 6, 6), (2, 2, 3, 3)], [20, 1]),
        # In reading order of their first pixels; a free column parts them.
        ("...#.. ...#.. #..... #....# .....# ......", [(3, 0, 4, 2), (0, 2, 1, 4), (5, 3, 6, 5)], [2, 2, 2]),
        # The last pixel of a row and the first of the next one are no neighbours.
        ("...... .....# #..... ...... ...... ......", [(5, 1, 6, 2), (0, 2, 1, 3)], [1, 1]),
    ],
    ids=["empty", "full", "falling", "rising", "joined below", "ring", "three", "around the edge"],
)
def test_boxes_and_areas_of_drawn_masks(
    as_mask: Callable[[str], Mask], drawn: str, boxes: list[tuple[int, ...]], areas: list[int]
) -> None:
    pieces = components(as_mask(drawn))
    assert len(pieces) == len(areas)
    assert_array_equal(pieces.boxes, np.reshape(boxes, (-1, 4)))
    assert pieces.areas.tolist() == areas
    assert pieces.widths.tolist() == [right - left for left, _, right, _ in boxes]
    assert pieces.heights.tolist() == [bottom - top for _, top, _, bottom in boxes]


def labels_of(mask: Mask) -> tuple[np.ndarray, int]:
    """scipy's labels from 1, which it numbers in reading order too."""
    return ndimage.label(mask, CORNERS_TOUCH)


@given(MASKS)
def test_any_mask_has_the_components_that_scipy_finds(mask: Mask) -> None:
    labels, count = labels_of(mask)
    pieces = components(mask)
    assert len(pieces) == count
    ours = {pieces.mask(np.arange(count) == k).tobytes() for k in range(count)}
    assert ours == {(labels == k).tobytes() for k in range(1, count + 1)}


@given(MASKS)
def test_components_are_numbered_by_their_first_pixel_in_reading_order(mask: Mask) -> None:
    pieces = components(mask)
    first = [int(pieces.mask(np.arange(len(pieces)) == k).argmax()) for k in range(len(pieces))]
    assert first == sorted(first)


@given(MASKS)
def test_boxes_areas_and_pixels_are_those_of_the_labels(mask: Mask) -> None:
    pieces = components(mask)
    for k in range(len(pieces)):
        own = pieces.mask(np.arange(len(pieces)) == k)
        ((rows, columns),) = ndimage.find_objects(own.astype(int))
        assert pieces.boxes[k].tolist() == [columns.start, rows.start, columns.stop, rows.stop]
        assert pieces.areas[k] == own.sum()
        assert_array_equal(pieces.alone(k), own[rows, columns])


@given(MASKS, st.data())
def test_chosen_components_keep_their_order_and_their_pixels(mask: Mask, data: st.DataObject) -> None:
    pieces = components(mask)
    keep = data.draw(npst.arrays(np.bool_, len(pieces)))
    chosen = pieces.only(keep)
    assert_array_equal(chosen.boxes, pieces.boxes[keep])
    assert_array_equal(chosen.areas, pieces.areas[keep])
    assert_array_equal(chosen.mask(np.ones(len(chosen), np.bool_)), pieces.mask(keep))
    if keep.any():
        height, width = mask.shape
        assert_array_equal(pieces.patch(np.flatnonzero(keep), (0, 0, width, height)), pieces.mask(keep))


@given(MASKS, st.data())
def test_sums_and_peaks_are_those_that_scipy_measures(mask: Mask, data: st.DataObject) -> None:
    values = data.draw(npst.arrays(np.uint8, mask.shape))
    pieces = components(mask)
    own = [pieces.mask(np.arange(len(pieces)) == k) for k in range(len(pieces))]
    assert pieces.sums(values).tolist() == [ndimage.sum_labels(values, each) for each in own]
    assert pieces.peaks(values).tolist() == [ndimage.maximum(values, each) for each in own]


def test_runs_count_along_rows_that_have_one_empty_column_more(as_mask: Callable[[str], Mask]) -> None:
    starts, stops = runs(as_mask("##..#. ...... ######"))
    assert list(zip(starts.tolist(), stops.tolist(), strict=True)) == [(0, 2), (4, 5), (14, 20)]


@given(MASKS)
def test_runs_filled_again_are_the_mask(mask: Mask) -> None:
    height, width = mask.shape
    starts, stops = runs(mask)
    assert_array_equal(filled(starts, stops - starts, (height, width + 1))[:, :width], mask)
