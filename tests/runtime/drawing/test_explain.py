"""The picture that explains an answer shows what was found and what was made of it."""

import numpy as np
import pytest
from edge_digits_runtime.drawing.colours import UNSURE as UNSURE_COLOUR
from edge_digits_runtime.drawing.explain import explain
from edge_digits_runtime.image.picture import digit_pixels
from edge_digits_runtime.model.classifier import Prediction
from PIL import Image, ImageDraw


def page(mode: str = "L") -> Image.Image:
    image = Image.new(mode, (300, 200), "white")
    ImageDraw.Draw(image).line((140, 60, 150, 150), "black", 8)
    return image


SURE = Prediction(1, 0.9, (0.0, 0.9, *(0.0125,) * 8))
UNSURE = SURE._replace(reason="looks like more than one digit")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_picture_is_explained(mode: str) -> None:
    image = page("RGB").convert(mode)
    sheet = explain(image, digit_pixels(image), SURE)
    assert sheet.mode == "RGB"
    assert sheet.size == (1200, 356)
    # The first panel is 280 pixels wide and shows 300 × 200 of the page: its paper, and its stroke inside the box.
    panel = sheet.crop((16, 99, 296, 285))
    assert panel.getpixel((20, 20)) == (255, 255, 255)
    assert max(panel.getpixel((round(145 * 280 / 300), round(105 * 280 / 300)))) < 60


def test_the_pixels_that_the_model_saw_are_shown_as_they_are() -> None:
    image = page()
    found = digit_pixels(image)
    sheet = np.asarray(explain(image, found, SURE).convert("L"))
    enlarged = np.kron(found.pixels, np.ones((10, 10), np.uint8))
    windows = np.lib.stride_tricks.sliding_window_view(sheet, enlarged.shape)[52]
    assert any(np.array_equal(window, enlarged) for window in windows)


def test_the_box_and_the_doubt_are_seen() -> None:
    image = page()
    found = digit_pixels(image)
    sure, unsure = (np.asarray(explain(image, found, answer)) for answer in (SURE, UNSURE))
    accent = np.array(UNSURE_COLOUR)
    assert (sure == accent).all(axis=2).sum() > 100
    assert (unsure == accent).all(axis=2).sum() > (sure == accent).all(axis=2).sum() + 100


def test_a_blank_page_is_explained() -> None:
    image = Image.new("L", (50, 80), 230)
    found = digit_pixels(image)
    assert found.box is None
    sheet = np.asarray(explain(image, found, UNSURE._replace(reason=found.reason)))
    assert sheet.shape == (356, 1200, 3)
    # No box on the page, no ink, nothing that the model saw; the doubt is written below.
    paper, ink, pixels = sheet[60:320, 75:230], sheet[60:320, 370:530], sheet[60:320, 620:880]
    assert (paper == 230).all()
    assert (ink == 0).all()
    assert (pixels == 0).all()
    assert (sheet[330:] == np.array(UNSURE_COLOUR)).all(axis=2).sum() > 100
