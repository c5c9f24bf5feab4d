"""Reading pages: order, numbers, ruling and specks, on drawn sheets whose text is known."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.model.classifier import NO_DIGIT
from edge_digits_runtime.page import digit_reading, reading
from PIL import Image, ImageDraw, ImageFont

CLASSIFIER = DigitClassifier()
FONT = ImageFont.load_default(64)


def sheet(lines: list[str], slope: float = 0.0, step: int = 58) -> Image.Image:
    """A page with ``lines`` in a plain font, a digit every ``step`` pixels, two spaces of gap for each space."""
    image = Image.new("L", (900, 60 + 120 * len(lines)), 245)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        x = 60.0
        for character in line:
            if character == " ":
                x += 80
                continue
            draw.text((x, 40 + 120 * row + slope * x), character, 30, FONT, stroke_width=1)
            x += step
    return image


@pytest.mark.parametrize(
    "lines",
    [["7"], ["2024"], ["12345 67890"], ["31", "4159", "26"], ["802 55", "7", "36 94 20"]],
    ids="|".join,
)
def test_lines_and_numbers_come_in_reading_order(lines: list[str]) -> None:
    page = digit_reading.read(sheet(lines), CLASSIFIER)
    assert list(page.lines) == lines
    assert [(d.digit, d.line) for d in page.digits] == [
        (int(c), row) for row, line in enumerate(lines) for c in line if c != " "
    ]


def test_a_slanted_sheet_keeps_its_lines() -> None:
    lines = ["80245", "31672"]
    assert list(digit_reading.read(sheet(lines, slope=0.06), CLASSIFIER).lines) == lines


@pytest.mark.parametrize("number", ["88", "2024", "7236", "20236"])
def test_digits_that_touch_are_cut_apart(number: str) -> None:
    image = sheet([number], step=32)
    inked = (np.asarray(image) < 128).any(axis=0)
    assert np.count_nonzero(np.diff(inked)) == 2, "one piece from the first column of ink to the last"
    assert list(digit_reading.read(image, CLASSIFIER).lines) == [number]


@pytest.mark.parametrize("number", ["25", "28", "29", "38", "49"])
def test_digits_that_overlap_are_cut_apart(number: str) -> None:
    assert list(digit_reading.read(sheet([number], step=26), CLASSIFIER).lines) == [number]


def test_a_number_in_one_piece_may_fill_the_picture() -> None:
    image = sheet(["20236"], step=32)
    left, top, right, bottom = Image.fromarray(np.asarray(image) < 128).getbbox() or ()
    closely = image.crop((left - 20, top - 20, right + 20, bottom + 20))
    assert list(digit_reading.read(closely, CLASSIFIER).lines) == ["20236"]


def test_a_digit_in_two_strokes_stays_one() -> None:
    image = sheet(["575"])
    # A gap through the neck of each 5, between its bar and its body.
    for x in (60, 60 + 2 * 58):
        ImageDraw.Draw(image).rectangle((x, 64, x + 40, 67), fill=245)
    assert list(digit_reading.read(image, CLASSIFIER).lines) == ["575"]


@pytest.mark.parametrize("edge", [100, 230, 360])
@pytest.mark.parametrize("light", [0.3, 0.45])
def test_a_shadow_with_a_sharp_edge_hides_nothing(edge: int, light: float) -> None:
    pixels = np.asarray(sheet(["52 407"]).crop((0, 0, 520, 180))).copy()
    pixels[:, :edge] = (pixels[:, :edge] * light).astype(np.uint8)
    assert list(digit_reading.read(Image.fromarray(pixels), CLASSIFIER).lines) == ["52 407"]


def test_ruling_border_and_specks_are_not_read() -> None:
    image = sheet(["52 830", "947"])
    draw = ImageDraw.Draw(image)
    for y in range(30, image.height, 120):
        draw.line((0, y, image.width, y), 170, 2)
    draw.rectangle((4, 4, image.width - 5, image.height - 5), outline=60, width=3)
    for x, y in np.random.default_rng(1).integers((20, 20), (image.width - 20, image.height - 20), (25, 2)):
        draw.point((int(x), int(y)), 60)
    assert list(digit_reading.read(image, CLASSIFIER).lines) == ["52 830", "947"]


def grid(image: Image.Image, columns: list[float], rows: list[float], ink: int = 90, width: int = 3) -> Image.Image:
    """``image`` with a line from end to end at each of ``columns`` and ``rows``."""
    draw = ImageDraw.Draw(image)
    for x in columns:
        draw.line((x, rows[0], x, rows[-1]), ink, width)
    for y in rows:
        draw.line((columns[0], y, columns[-1], y), ink, width)
    return image


@pytest.mark.parametrize("ink", [30, 120, 200])
@pytest.mark.parametrize("turn", [-4, 0, 4])
@pytest.mark.parametrize("aside", [0, 7, -9])
def test_boxes_in_a_row_are_not_read(ink: int, turn: int, aside: int) -> None:
    image = grid(sheet(["50412"]).crop((0, 0, 400, 180)), [50 + aside + 58 * k for k in range(6)], [30, 120], ink)
    page = digit_reading.read(image.rotate(turn, Image.Resampling.BICUBIC, fillcolor=245), CLASSIFIER)
    assert list(page.lines) == ["50412"]


@pytest.mark.parametrize("step", [64, 76])
def test_boxes_apart_are_not_read(step: int) -> None:
    image = sheet(["904"], step=step)
    for k in range(3):
        grid(image, [54 + step * k, 106 + step * k], [32, 118])
    # And one that nothing is written in.
    grid(image, [54 + step * 3, 106 + step * 3], [32, 118])
    assert "".join(digit_reading.read(image, CLASSIFIER).lines).replace(" ", "") == "904"


@pytest.mark.parametrize("width", [2, 6])
def test_a_table_is_not_read(width: int) -> None:
    image = grid(sheet(["384", "075", "916"]), [50, 108, 166, 224], [26, 135, 250, 375], width=width)
    assert list(digit_reading.read(image, CLASSIFIER).lines) == ["384", "075", "916"]


@pytest.mark.parametrize("lines", [["0000"], ["080"], ["111"], ["11", "11"]], ids="|".join)
def test_digits_are_not_taken_for_boxes(lines: list[str]) -> None:
    for step in (58, 44):
        assert list(digit_reading.read(sheet(lines, step=step), CLASSIFIER).lines) == lines


@pytest.mark.parametrize("number", ["63", "5208", "20236"])
@pytest.mark.parametrize(("down", "touching"), [(104, True), (112, False)])
def test_an_underline_is_not_read(number: str, down: int, touching: bool) -> None:
    image = sheet([number])
    ImageDraw.Draw(image).line((44, down, 70 + 58 * len(number), down + 5), 30, 6)
    inked = (np.asarray(image)[98 : down + 4, 60:90] < 128).all(axis=0)
    assert inked.any() == touching, "ink from the digit down to the line"
    assert list(digit_reading.read(image, CLASSIFIER).lines) == [number]


def test_a_dash_is_no_part_of_a_digit() -> None:
    image = sheet(["20 23"])
    ImageDraw.Draw(image).line((180, 75, 206, 76), 30, 6)
    assert [line.replace(" ", "") for line in digit_reading.read(image, CLASSIFIER).lines] == ["2023"]


@pytest.mark.filterwarnings("error")
def test_short_dashes_alone_are_no_lines() -> None:
    image = Image.new("L", (300, 200), 245)
    for x in range(20, 280, 20):
        ImageDraw.Draw(image).line((x, 100, x + 1, 100), 30)
    assert digit_reading.read(image, CLASSIFIER).lines == ()


def test_boxes_are_in_pixels_of_the_file_and_hold_the_digit(tmp_path: Path) -> None:
    page = digit_reading.read(sheet(["48"]), CLASSIFIER)
    left, right = (digit.box for digit in page.digits)
    assert left == pytest.approx((62, 52, 40, 50), abs=12)
    assert right[0] > left[0] + left[2]
    large = tmp_path / "large.jpg"
    sheet(["48"]).resize((7200, 1440)).save(large)
    bigger = digit_reading.read(open_picture(large, reading.SHORTER_SIDE), CLASSIFIER)
    assert bigger.digits[0].box == pytest.approx([8 * side for side in left], abs=90)


def test_a_blank_page_has_no_lines() -> None:
    page = digit_reading.read(Image.new("L", (400, 300), 230), CLASSIFIER)
    assert (page.lines, page.digits) == ((), ())
    assert page.as_numbers().lines == ()


def plus(image: Image.Image, x: int, y: int = 80) -> Image.Image:
    """The sheet with a plus."""
    for end in ((16, 0), (0, 16)):
        ImageDraw.Draw(image).line((x - end[0], y - end[1], x + end[0], y + end[1]), 30, 6)
    return image


def test_a_glyph_that_looks_like_no_digit_is_a_question_mark_in_its_number() -> None:
    image = plus(sheet(["32 48"]), 201)
    page = digit_reading.read(image, CLASSIFIER)
    assert page.lines == ("32?48",)
    assert [digit.text for digit in page.digits] == list("32?48")
    assert [digit.reason for digit in page.digits] == [None, None, NO_DIGIT, None, None]
    assert [digit.line for digit in page.digits] == [0] * 5
    asked_for = digit_reading.read(image, DigitClassifier(min_confidence=0))
    assert asked_for.lines == (f"32{page.digits[2].digit}48",)


@pytest.mark.parametrize(("x", "y"), [(104, 78), (184, 84)], ids=["behind the 1", "before the 0"])
def test_a_plus_is_no_part_of_the_digit_beside_it(x: int, y: int) -> None:
    image = sheet(["1 0"])
    alone = digit_reading.read(image, CLASSIFIER)
    ImageDraw.Draw(image).line((x - 9, y, x + 9, y), 30, 5)
    ImageDraw.Draw(image).line((x, y - 9, x, y + 9), 30, 5)
    assert [digit.box for digit in digit_reading.read(image, CLASSIFIER).digits] == [
        digit.box for digit in alone.digits
    ]


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        (((214, 40), (188, 116)), "32?48"),
        (((190, 40), (214, 116)), "32148"),
        (((202, 40), (200, 116)), "32148"),
        (((212, 56), (194, 103)), "32148"),
        (((214, 56), (188, 125)), "32148"),
    ],
    ids=["a slash", "leaning to the left", "upright", "as tall as the digits", "down alone"],
)
def test_what_may_be_a_slash_is_a_mark(ends: tuple[tuple[int, int], tuple[int, int]], text: str) -> None:
    image = sheet(["32 48"])
    ImageDraw.Draw(image).line(ends, 30, 6)
    page = digit_reading.read(image, CLASSIFIER)
    assert page.lines == (text,)
    assert [digit.reason == digit_reading.SLASH for digit in page.digits] == [c == "?" for c in text]


def test_a_number_of_nothing_that_looks_like_a_digit_is_left_out_of_the_lines() -> None:
    image = plus(plus(sheet(["", "32", "", "48"]), 80), 500, 200)
    page = digit_reading.read(image, CLASSIFIER)
    assert page.lines == ("32", "48")
    assert [(digit.text, digit.line) for digit in page.digits] == [
        ("?", None),
        ("3", 0),
        ("2", 0),
        ("?", None),
        ("4", 1),
        ("8", 1),
    ]


def test_a_page_without_a_digit_has_no_lines() -> None:
    page = digit_reading.read(plus(plus(sheet([""]), 80), 200), CLASSIFIER)
    assert page.lines == ()
    assert [digit.line for digit in page.digits] == [None, None]


@pytest.mark.parametrize(
    ("lines", "reasons", "sure"),
    [
        ((), (), False),
        (("4",), (None,), True),
        (("41",), (None, "could be a 1 or a 7 (52 % / 44 %)"), False),
        # What is in no line makes nothing doubtful.
        (("4",), (None, NO_DIGIT), True),
        ((), (NO_DIGIT,), False),
    ],
)
def test_a_page_is_sure_if_it_has_a_line_and_every_digit_of_a_line_is(
    lines: tuple[str, ...], reasons: tuple[str | None, ...], sure: bool
) -> None:
    digits = tuple(
        digit_reading.PageDigit(4, 0.9, (0, 0, 9, 9), None if reason == NO_DIGIT else 0, reason) for reason in reasons
    )
    assert digit_reading.Page(lines, digits).sure is sure


def test_a_digit_that_may_be_one_of_two_is_read() -> None:
    page = digit_reading.read(sheet(["1"]), CLASSIFIER)
    (digit,) = page.digits
    assert digit.reason is not None
    assert digit.reason != NO_DIGIT
    assert page.lines == (str(digit.digit),)


def test_a_page_of_digits_is_a_page_of_numbers() -> None:
    page = digit_reading.read(sheet(["12345 67890", "31"]), CLASSIFIER)
    numbers = page.as_numbers()
    assert numbers.rows() == ["12345 67890", "31"]
    assert numbers.sure is page.sure
    assert [len(line.characters) for line in numbers.lines] == [10, 2]
    left, top, width, height = numbers.lines[1].box
    assert (left, top) == (page.digits[10].box[0], min(digit.box[1] for digit in page.digits[10:]))
    assert left + width == page.digits[11].box[0] + page.digits[11].box[2]
    assert height >= page.digits[10].box[3]
