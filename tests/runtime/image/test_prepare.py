"""Pixels for a model out of whole pictures."""

import numpy as np
import pytest
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.image.model_input import INK, NO_CONTRAST, Input
from edge_digits_runtime.image.picture import digit_pixels
from edge_digits_runtime.image.prepare import prepare, prepare_arrays
from PIL import Image, ImageDraw


def meter(size: tuple[int, int] = (60, 90), paper: int = 90, ink: int = 140, mode: str = "L") -> Image.Image:
    """A pale bar on a grey ground, as a digit of a meter is."""
    image = Image.new("L", size, paper)
    width, height = size
    ImageDraw.Draw(image).rectangle((width // 3, height // 6, width // 2, height * 5 // 6), fill=ink)
    return image.convert(mode)


@pytest.mark.parametrize("size", [(60, 90), (20, 32), (7, 5), (1, 1000), (3000, 2000)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
@pytest.mark.parametrize("form", [Input("crop"), Input("crop", 32, 20), Input("crop", 16, 64)])
def test_any_picture_fills_the_input(size: tuple[int, int], mode: str, form: Input) -> None:
    image = Image.linear_gradient("L").resize(size).convert("RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    found = prepare(image, form)
    assert (found.pixels.shape, found.pixels.dtype) == (form.shape, np.uint8)
    assert found.mask is None
    assert (found.pixels.min(), found.pixels.max()) in [(0, 255), (0, 0)]
    assert found.box == (0, 0, *size)


def test_contrast_is_stretched_and_dark_stays_dark() -> None:
    light = prepare(meter(), Input("crop", 32, 20))
    dark = prepare(meter(paper=140, ink=90), Input("crop", 32, 20))
    assert (light.blank, light.reason) == (False, None)
    assert light.pixels[16, 8] == dark.pixels[0, 0] == 255
    assert light.pixels[0, 0] == dark.pixels[16, 8] == 0
    # A glint of one pixel does not use up the contrast.
    glint = meter()
    glint.putpixel((1, 1), 255)
    assert prepare(glint.resize((20, 32)), Input("crop", 32, 20)).pixels[16, 8] > 240


@pytest.mark.parametrize(("ink", "blank"), [(90, True), (97, True), (98, False)])
def test_a_picture_of_one_grey_is_blank(ink: int, blank: bool) -> None:
    found = prepare(meter(size=(20, 32), ink=ink), Input("crop", 32, 20))
    assert (found.blank, found.reason) == ((True, NO_CONTRAST) if blank else (False, None))
    assert found.pixels.any() != blank


@pytest.mark.parametrize("seed", range(5))
def test_pixels_that_were_prepared_stay_as_they_are(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(100, 10 + 10 * seed, (70, 50)).clip(0, 255).astype(np.uint8)
    form = Input("crop", 24, 18)
    once = prepare(Image.fromarray(noise), form).pixels
    assert np.array_equal(prepare(Image.fromarray(once), form).pixels, once)
    assert np.array_equal(prepare_arrays(once[None], form)[0], once)


def test_a_picture_is_not_changed() -> None:
    image = meter(mode="RGB")
    before = image.tobytes()
    prepare(image, Input("crop"))
    assert image.tobytes() == before


def test_ink_is_the_digit_in_the_frame_of_mnist() -> None:
    image = meter(paper=255, ink=0)
    assert np.array_equal(prepare(image).pixels, digit_pixels(image).pixels)
    assert np.array_equal(prepare(image, INK).mask, digit_pixels(image).mask)


def test_many_pictures_become_what_each_does() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 30), np.uint8)
    form = Input("crop", 20, 16)
    many = prepare_arrays(pictures, form)
    assert np.array_equal(many, np.stack([prepare(Image.fromarray(picture), form).pixels for picture in pictures]))
    assert prepare_arrays(pictures[:0], form).shape == (0, 20, 16)
    digits = np.zeros((2, 28, 28), np.uint8)
    assert prepare_arrays(digits, INK) is digits


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "word"}, "input 'word'; allowed is ink, crop, line, page"),
        ({"kind": None}, "input None; allowed is ink, crop"),
        ({"kind": "crop", "height": 15}, "input crop of 15×28; allowed is 16 to 64 pixels a side"),
        ({"kind": "crop", "width": 65}, "input crop of 28×65; allowed is 16 to 64"),
        ({"kind": "crop", "width": -1}, "allowed is 16 to 64"),
        ({"kind": "crop", "width": 20.0}, "must be whole numbers"),
        ({"kind": "crop", "width": True}, "must be whole numbers"),
        ({"kind": "crop", "width": "20"}, "must be whole numbers"),
        ({"kind": "ink", "height": 32}, "input ink of 32×28; allowed is 28×28: pictures of another size need crop"),
        ({"kind": "line"}, "input line of 28×28; allowed is 32×264"),
        ({"kind": "page"}, "input page of 28×28; allowed is 256×256"),
        ({"version": 2}, "input version 2; this runtime knows version 1"),
        ({"version": "1"}, "input version '1'"),
    ],
)
def test_an_input_that_no_model_takes_is_one_line(fields: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Input(**fields)
