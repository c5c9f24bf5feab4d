"""The annotated page has a box around each number and its text above it, in the colour of sure or unsure."""

import numpy as np
import pytest
from edge_digits_runtime.drawing.annotate import annotate
from edge_digits_runtime.drawing.colours import SURE, UNSURE
from edge_digits_runtime.page.reading import Page, PageLine
from numpy.typing import NDArray
from PIL import Image

BOX = (40, 60, 30, 50)
"""x, y, width and height of the digit on the page; its line is 2 pixels wide, around it."""


def page(text: str = "7", reason: str | None = None, box: tuple[int, int, int, int] = BOX) -> Page:
    return Page((PageLine(text, 0.9, reason, box, 0, None, ()),), 0)


def of_colour(drawn: Image.Image, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return (np.asarray(drawn) == colour).all(axis=2)


@pytest.mark.parametrize(("reason", "colour", "other"), [(None, SURE, UNSURE), ("looks like no digit", UNSURE, SURE)])
def test_the_box_lies_around_the_digit_in_the_colour_of_its_answer(
    reason: str | None, colour: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    drawn = annotate(Image.new("L", (120, 160), 240), page(reason=reason))
    assert (drawn.mode, drawn.size) == ("RGB", (120, 160))
    line = of_colour(drawn, colour)
    assert not of_colour(drawn, other).any()
    # All four sides, and nothing on the number itself.
    assert line[58, 38:73].all()
    assert line[112, 38:73].all()
    assert line[58:113, 38].all()
    assert line[58:113, 72].all()
    assert not line[60:110, 40:70].any()
    assert not line[120:].any()


def test_the_answer_stands_above_its_box() -> None:
    paper = Image.new("L", (120, 160), 240)
    seven, one, doubted = (
        np.asarray(annotate(paper, each))[:56] for each in (page("7"), page("1"), page("?", "looks like no digit"))
    )
    assert (seven != 240).any()
    assert (seven != one).any()
    # A ? in place of the 7.
    shapes = [(text != 240).any(axis=2) for text in (seven, doubted)]
    assert (shapes[0] != shapes[1]).any()


def test_boxes_are_those_of_the_file_where_a_jpeg_was_decoded_at_a_part_of_its_size() -> None:
    image = Image.new("L", (120, 160), 240)
    image.info["edge-digits reduced by"] = (4, image.size)
    large = annotate(image, page(box=(160, 240, 120, 200)))
    assert np.array_equal(np.asarray(large), np.asarray(annotate(Image.new("L", (120, 160), 240), page())))


def test_the_picture_that_was_read_is_not_changed() -> None:
    image = Image.new("RGB", (120, 160), (240, 240, 240))
    annotate(image, page())
    assert image.getcolors() == [(120 * 160, (240, 240, 240))]
