"""The frame of MNIST: a box of 20 pixels around the centre of mass, strokes of full strength and of a pen's width."""

import numpy as np
import pytest
from edge_digits_runtime.image import frame as module
from edge_digits_runtime.image.arrays import Box, Gray
from edge_digits_runtime.image.frame import frame, framed_box
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal


def block(height: int, width: int, ink: int = 255) -> Gray:
    """A filled rectangle with two pixels of paper around it."""
    return np.pad(np.full((height, width), ink, np.uint8), 2)


def centre(pixels: Gray) -> tuple[float, float]:
    """Row and column of the centre of mass."""
    place = np.arange(28)
    total = pixels.sum(dtype=np.float64)
    return float(pixels.sum(axis=1) @ place / total), float(pixels.sum(axis=0) @ place / total)


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (40, 40, (20, 20)),
        (7, 7, (20, 20)),
        (1, 1, (20, 20)),
        (10, 5, (20, 10)),
        # Strokes thinner than a pen's are made 1.8 pixels wide.
        (3, 60, (2, 20)),
        (60, 3, (20, 2)),
    ],
)
def test_the_longer_side_becomes_20_pixels_and_the_centre_of_mass_the_middle(
    height: int, width: int, box: tuple[int, int]
) -> None:
    framed = frame(block(height, width))
    assert (framed.shape, framed.dtype) == ((28, 28), np.uint8)
    inked = framed > 127
    assert (inked.any(axis=1).sum(), inked.any(axis=0).sum()) == box
    # Whole pixels: half a pixel beside (14, 14) at most.
    assert centre(framed) == pytest.approx((14, 14), abs=0.51)


def test_the_centre_is_that_of_the_mass_and_not_of_the_box() -> None:
    # A long thin stem on a heavy foot.
    ink = np.zeros((40, 40), np.uint8)
    ink[2:38, 18:22] = 255
    ink[28:38, 8:32] = 255
    framed = frame(ink)
    assert centre(framed) == pytest.approx((14, 14), abs=0.51)
    rows = np.flatnonzero((framed > 127).any(axis=1))
    assert (rows[0] + rows[-1]) / 2 < 12


@pytest.mark.parametrize("strength", [255, 128, 60])
def test_strokes_come_out_at_full_strength_however_faint_they_are(strength: int) -> None:
    assert_array_equal(frame(block(20, 6, strength)), frame(block(20, 6)))


def test_a_stroke_that_fades_is_evened() -> None:
    ink = block(40, 8)
    ink[22:] = ink[22:] // 3
    framed = frame(ink)
    # All of the stroke, so that it is five times as long as wide.
    assert (framed > 240).any(axis=1).sum() >= 19
    assert (framed > 127).any(axis=0).sum() == 4


def mnist_like(dy: int = 0, dx: int = 0, height: int = 20, width: int = 10, ink: int = 255) -> bytes:
    """A rectangle in the middle of 28 × 28 pixels, moved by ``dy`` and ``dx``."""
    pixels = np.zeros((28, 28), np.uint8)
    top, left = (28 - height) // 2 + dy, (28 - width) // 2 + dx
    pixels[top : top + height, left : left + width] = ink
    return pixels.tobytes()


@pytest.mark.parametrize(
    ("content", "box"),
    [
        (mnist_like(), (9, 4, 19, 24)),
        (mnist_like(1, 1), (10, 5, 20, 25)),
        (mnist_like(1, 0, height=19), (9, 5, 19, 24)),
        (mnist_like(height=10, width=20), (4, 9, 24, 19)),
        (mnist_like(ink=200), (9, 4, 19, 24)),
        # The centre of mass beside the middle, a box too small or too large, no solid ink, none at all.
        (mnist_like(height=19), None),
        (mnist_like(0, 2), None),
        (mnist_like(height=18), None),
        (mnist_like(height=21), None),
        (mnist_like(ink=199), None),
        (bytes(784), None),
    ],
)
def test_a_picture_in_the_frame_is_told_from_others(content: bytes, box: Box | None) -> None:
    assert framed_box(content) == box


@given(npst.arrays(np.uint8, (28, 28), elements=st.sampled_from([0, 24, 25, 199, 200, 255]), fill=st.just(np.uint8(0))))
def test_the_box_in_the_frame_is_that_of_all_pixels_of_25_and_more(pixels: Gray) -> None:
    box = framed_box(pixels.tobytes())
    if box is not None:
        rows, columns = (np.flatnonzero((pixels >= 25).any(axis=axis)) for axis in (1, 0))
        assert box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


@pytest.mark.parametrize(("height", "width"), [(40, 40), (10, 5), (60, 9)])
def test_what_is_framed_is_in_the_frame(height: int, width: int) -> None:
    assert framed_box(frame(block(height, width)).tobytes()) is not None


@given(npst.arrays(np.uint8, st.integers(1, 30)))
def test_the_upper_quartile_is_that_of_numpy(values: Gray) -> None:
    assert module._upper_quartile(values) == pytest.approx(np.percentile(values, 75))


@pytest.mark.parametrize("width", [3, 5, 8])
def test_the_width_of_a_stroke_is_measured(width: int) -> None:
    # The outline is measured along both axes: an upright stroke seems 4/pi times as wide, less its two ends.
    assert module._stroke(block(200, width)) == pytest.approx(4 / np.pi * width, rel=0.06)


@pytest.mark.parametrize(("least", "box"), [(1, (0, 1, 5, 4)), (100, (1, 1, 4, 3)), (255, (3, 1, 4, 2))])
def test_bounds_hold_all_pixels_of_a_strength(least: int, box: Box) -> None:
    gray = np.array(
        [
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 255, 0, 0],
            [0, 100, 0, 0, 0, 0],
            [9, 0, 0, 0, 9, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
        ],
        np.uint8,
    )
    assert module._bounds(gray, least) == box
