"""A page with more ink than can be read in time and memory is refused with a reason, and all others are read."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.page import digit_reading, limits
from edge_digits_runtime.page.rows import rows
from PIL import Image, ImageDraw, ImageFont

CLASSIFIER = DigitClassifier()
ADVICE = "crop the picture to the numbers"


def boxes(count: int, side: int) -> np.ndarray:
    """``count`` boxes of ``side`` × ``side`` pixels on top of each other."""
    return np.tile([0, 0, side, side], (count, 1))


@pytest.mark.parametrize(
    ("check", "allowed", "refused", "message"),
    [
        (limits.check_runs, (1_000_000,), (1_000_001,), "1,000,001 runs of ink"),
        (limits.check_marks, (boxes(2_000, 9),), (boxes(2_001, 9),), "2,001 marks that may be digits; at most 2,000"),
        (limits.check_marks, (boxes(25, 2_000),), (boxes(26, 2_000),), "26 strokes that lie across the page"),
        (limits.check_candidates, (20_000, 9), (20_001, 9), "more than 20,000 possible digits"),
        (limits.check_candidates, (9, 100_000_000), (9, 100_000_001), "strokes that go across the page"),
    ],
)
def test_what_is_more_than_the_limit_is_refused_with_advice(
    check: Callable[..., None], allowed: tuple[object, ...], refused: tuple[object, ...], message: str
) -> None:
    check(*allowed)
    with pytest.raises(PictureError, match=f"{message}.*: {ADVICE}"):
        check(*refused)


def test_a_page_without_marks_is_not_refused() -> None:
    limits.check_marks(boxes(0, 9))


def dotted(pitch: int, side: int = 2400) -> Image.Image:
    """Paper with a dot of 9 × 10 pixels every ``pitch`` pixels along and across."""
    pixels = np.full((side, side), 245, np.uint8)
    for y in range(pitch // 2, side - 10, pitch):
        for x in range(pitch // 2, side - 9, pitch):
            pixels[y : y + 10, x : x + 9] = 40
    return Image.fromarray(pixels)


def hatched(pitch: int, across: int, side: int = 2400) -> Image.Image:
    """Paper with strokes from edge to edge every ``pitch`` pixels, which go ``across`` pixels to the right."""
    image = Image.new("L", (side, side), 245)
    for x in range(-side, 2 * side, pitch):
        ImageDraw.Draw(image).line((x, 0, x + across, side), 40, 5)
    return image


def noise(side: int = 2400) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).choice(np.array([40, 245], np.uint8), (side, side), p=(0.3, 0.7)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (dotted(24), "10,000 marks"),
        (dotted(40), "3,600 marks"),
        (dotted(50), "2,304 marks"),
        (hatched(60, 2400), "strokes that lie across the page"),
        (noise(), "runs of ink"),
    ],
    ids=["dots at 24", "dots at 40", "dots at 50", "hatching", "noise"],
)
def test_paper_with_marks_all_over_is_refused_in_little_memory(image: Image.Image, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match=message):
            digit_reading.read(image, CLASSIFIER)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 58 MB for the page, of which 23 are floats; all pairs of 2,304 dots would take 42 MB for each property of theirs.
    assert peak < 80e6


def test_ink_that_can_be_cut_in_many_ways_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A dot is a little too wide for its height to be taken as one digit for sure: each has 40 candidates.
    page = dotted(60, side=600)
    assert len(digit_reading.read(page, CLASSIFIER).digits) == 100
    monkeypatch.setattr(limits, "MAX_CANDIDATES", 1_000)
    with pytest.raises(PictureError, match="more than 1,000 possible digits"):
        digit_reading.read(page, CLASSIFIER)


def test_as_many_boxes_as_marks_are_allowed_are_arranged_in_little_memory() -> None:
    places = np.arange(limits.MAX_MARKS)
    left, top = places % 50 * 30, places // 50 * 40
    grid = np.stack([left, top, left + 9, top + 10], axis=1)
    tracemalloc.start()
    try:
        lines = rows(grid, 10.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(line) for line in lines] == [50] * 40
    # A single array of all pairs would be 32 MB.
    assert peak < 4e6


def test_a_page_of_600_digits_that_touch_on_ruled_paper_is_read() -> None:
    words = ["20236", "2024", "7236", "88", "20236", "20236"]
    lines = [" ".join(np.roll(words, row)) for row in range(24)]
    font = ImageFont.load_default(64)
    image = Image.new("L", (1500, 100 * len(lines) + 40), 245)
    draw = ImageDraw.Draw(image)
    for y in range(12, image.height, 100):
        draw.line((0, y, image.width, y), 190, 2)
    for row, line in enumerate(lines):
        x = 40
        for character in line:
            draw.text((x, 24 + 100 * row), character, 30, font, stroke_width=1)
            x += 90 if character == " " else 32
    assert sum(len(word) for word in words) * len(lines) == 600
    assert list(digit_reading.read(image, CLASSIFIER).lines) == lines
