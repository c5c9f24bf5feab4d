"""Ink: any mode to gray, which of two grays is ink and how strong, thresholds, and grey morphology against scipy."""

from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.image import ink
from edge_digits_runtime.image.arrays import Gray, Mask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal
from PIL import Image
from scipy import ndimage

GRAYS = npst.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))
SEVEN = "...... .####. ....#. ...#.. ..#... ......"


@pytest.mark.parametrize(
    ("drawn", "high", "low"),
    # 255 × (paper - ink) / paper; ink of 200 on paper of 240 is at 42.5.
    [({"paper": 200, "ink": 50}, 191, 0), ({"paper": 240, "ink": 200}, 42, 0), ({"paper": 255, "ink": 0}, 255, 0)],
    ids=str,
)
def test_ink_is_as_strong_as_the_share_of_light_that_it_takes_from_the_paper(
    as_mask: Callable[[str], Mask], drawn: dict[str, int], high: int, low: int
) -> None:
    seven = as_mask(SEVEN)
    gray = np.where(seven, drawn["ink"], drawn["paper"]).astype(np.uint8)
    found = ink.find_ink(gray)
    assert_array_equal(found.strength, np.where(seven, high, low))
    assert not found.light
    assert_array_equal(found.strength > found.low, seven)


def test_light_ink_on_dark_paper_is_found_as_on_its_negative(as_mask: Callable[[str], Mask]) -> None:
    gray = np.where(as_mask(SEVEN), 50, 200).astype(np.uint8)
    dark, light = ink.find_ink(gray), ink.find_ink(~gray)
    assert light.light
    assert_array_equal(light.strength, dark.strength)
    assert (light.high, light.low, light.faint) == (dark.high, dark.low, dark.faint)


def test_a_caller_may_say_that_the_ink_is_light(as_mask: Callable[[str], Mask]) -> None:
    seven = as_mask(SEVEN)
    gray = np.where(seven, 50, 200).astype(np.uint8)
    # As light ink, all but the 7 is ink.
    assert ink.find_ink(gray, light=True).light
    assert not ink.find_ink(gray, light=True).strength[seven].any()


def test_a_shadow_across_the_picture_leaves_the_ink_as_strong() -> None:
    gray = np.full((60, 60), 220.0)
    gray[20:40, 28:32] *= 0.4
    even = ink.find_ink(gray.astype(np.uint8))
    shaded = ink.find_ink((gray * np.linspace(1, 0.7, 60)).astype(np.uint8))
    assert even.strength[30, 30] == 153
    assert shaded.strength[30, 30] == pytest.approx(153, abs=5)
    assert (shaded.strength > shaded.low).sum() == 80


@pytest.mark.parametrize(
    ("strengths", "faint", "high", "low"),
    [
        # Otsu's split lies at the weaker of two strengths; weak ends may have 0.4 of it.
        ({0: 30, 100: 3, 200: 3}, 10.0, 100, 40),
        ({0: 30, 20: 3, 200: 3}, 10.0, 20, 10),
        # Up to `faint` it is paper, whatever there is of it.
        ({0: 30, 9: 30, 100: 3, 200: 3}, 10.0, 100, 40),
        ({0: 30, 200: 3}, 10.0, 10, 10),
        # No ink at all.
        ({0: 30}, 10.0, 255, 102),
    ],
    ids=str,
)
def test_levels_between_paper_weak_and_strong_ink(
    strengths: dict[int, int], faint: float, high: float, low: float
) -> None:
    values = np.concatenate([np.full(count, value, np.uint8) for value, count in strengths.items()])
    assert ink.levels(values, faint) == (high, low)


@pytest.mark.parametrize(
    ("values", "split", "explained"),
    [([10] * 3 + [20] * 5, 10, 1.0), ([0, 10, 11, 100, 101], 11, 0.993), ([7] * 9, 0, 0.0)],
    ids=["two levels", "two groups", "one level"],
)
def test_otsu_splits_a_histogram_where_the_groups_vary_least(values: list[int], split: int, explained: float) -> None:
    assert ink._otsu(np.bincount(values, minlength=256)) == (split, pytest.approx(explained, abs=1e-3))


@given(GRAYS)
def test_a_histogram_counted_in_parts_is_that_of_the_whole(gray: Gray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ink, "_PART", 5)
        assert_array_equal(ink._histogram(gray), np.bincount(gray.ravel(), minlength=256))


@given(GRAYS, st.integers(1, 14))
def test_brightest_and_closing_are_those_of_scipy(gray: Gray, window: int) -> None:
    square = window // 2 * 2 + 1
    brightest = ndimage.maximum_filter(gray, square, mode="constant", cval=0)
    assert_array_equal(ink.brightest(gray, window), brightest)
    closed = ndimage.minimum_filter(brightest, square, mode="constant", cval=255)
    assert_array_equal(ink._closed(gray, window), closed)


def two_pixels(mode: str, first: object, second: object) -> Image.Image:
    image = Image.new(mode, (2, 1), first)  # type: ignore[arg-type]
    image.putpixel((1, 0), second)  # type: ignore[arg-type]
    return image


@pytest.mark.parametrize(
    ("image", "mode", "pixels"),
    [
        (two_pixels("1", 0, 1), "L", [0, 255]),
        (two_pixels("L", 7, 200), "L", [7, 200]),
        (two_pixels("RGB", (1, 2, 3), (4, 5, 6)), "RGB", [(1, 2, 3), (4, 5, 6)]),
        # By the smallest range of 1, 8, 10, 12, 14, 16 bits that holds all values.
        (two_pixels("F", 0.0, 1.0), "L", [0, 255]),
        (two_pixels("F", -1.0, 254.0), "L", [0, 255]),
        (two_pixels("I;16", 0, 1023), "L", [0, 255]),
        (two_pixels("I;16", 2048, 4095), "L", [127, 255]),
        (two_pixels("I", 0, 100_000), "L", [0, 255]),
        (two_pixels("LAB", (10, 0, 0), (250, 90, 90)), "L", [10, 250]),
        # What is transparent is white behind dark ink, and black behind light ink.
        (two_pixels("LA", (20, 255), (20, 0)), "RGB", [(20, 20, 20), (255, 255, 255)]),
        (two_pixels("RGBA", (250, 240, 230, 255), (0, 0, 0, 0)), "RGB", [(250, 240, 230), (0, 0, 0)]),
        (two_pixels("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "RGB", [(255, 255, 255), (0, 0, 0)]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_any_mode_becomes_gray_or_colours(image: Image.Image, mode: str, pixels: list[object]) -> None:
    plain = ink.to_plain(image)
    assert plain.mode == mode
    assert [plain.getpixel((x, 0)) for x in range(2)] == pixels


def test_colours_are_mixed_so_that_the_ink_stands_out(as_mask: Callable[[str], Mask]) -> None:
    seven = as_mask(SEVEN)[..., np.newaxis]
    blue_pen = Image.fromarray(np.where(seven, (40, 60, 250), (250, 250, 250)).astype(np.uint8))
    red, green, blue = ink.best_mix(blue_pen) or ()
    assert red + green + blue == pytest.approx(1)
    assert red > green > 0.4
    assert blue == pytest.approx(0, abs=0.01)
    gray = ink.to_gray(blue_pen, (red, green, blue))
    assert_array_equal(gray < 60, seven[..., 0])


@pytest.mark.parametrize("image", [Image.new("L", (6, 6), 9), Image.new("RGB", (6, 6), (9, 90, 200))], ids=["L", "RGB"])
def test_there_is_no_mix_of_gray_or_of_one_colour(image: Image.Image) -> None:
    assert ink.best_mix(image) is None


@pytest.mark.parametrize(
    ("size", "side", "wanted"),
    [((6, 4), 6, (6, 4)), ((7, 4), 6, (4, 2)), ((30, 7), 10, (10, 3)), ((1, 100), 25, (1, 25))],
)
def test_a_picture_is_shrunk_by_whole_squares(size: tuple[int, int], side: int, wanted: tuple[int, int]) -> None:
    assert ink.shrunk(Image.new("L", size), side).size == wanted
