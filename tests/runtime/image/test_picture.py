"""From a picture of any kind to the frame of MNIST."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.picture import digit_pixels, is_picture_name, open_picture
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps


def seven(size: tuple[int, int] = (300, 240), ink: int = 20, paper: int = 235) -> Image.Image:
    """A 7 right of the middle: bar and slanted stem."""
    image = Image.new("L", size, paper)
    ImageDraw.Draw(image).line([(160, 60), (230, 60), (185, 190)], ink, 12, joint="curve")
    return image


def same(pixels: np.ndarray, reference: np.ndarray) -> float:
    """Correlation of two pictures, 1 for equal ones."""
    return float(np.corrcoef(pixels.ravel(), reference.ravel())[0, 1])


REFERENCE = digit_pixels(seven()).pixels


def test_the_frame_is_that_of_mnist() -> None:
    rows, columns = (np.flatnonzero(REFERENCE.any(axis=axis)) for axis in (1, 0))
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 22
    total = REFERENCE.sum(dtype=float)
    centre = [float((REFERENCE.sum(axis=axis) * np.arange(28)).sum() / total) for axis in (1, 0)]
    assert centre == pytest.approx([13.5, 13.5], abs=1.0)
    assert (REFERENCE.min(), REFERENCE.dtype, REFERENCE.shape) == (0, np.uint8, (28, 28))
    assert REFERENCE.max() > 200


def test_the_box_is_where_the_digit_is() -> None:
    box = digit_pixels(seven()).box
    assert box is not None
    assert box == pytest.approx((154, 54, 82, 142), abs=6)


def sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 200)


def transparent(image: Image.Image) -> Image.Image:
    drawing = Image.new("RGBA", image.size, (0, 0, 0, 0))
    drawing.paste((10, 10, 10, 255), mask=ImageOps.invert(image).point(lambda v: 255 if v > 128 else 0))
    return drawing


KINDS = {
    "1-bit": lambda im: im.convert("1"),
    "LA": lambda im: im.convert("LA"),
    "palette": lambda im: im.convert("P"),
    "RGB": lambda im: im.convert("RGB"),
    "RGBA": lambda im: im.convert("RGBA"),
    "CMYK": lambda im: im.convert("RGB").convert("CMYK"),
    "float": lambda im: im.convert("F"),
    "32-bit": lambda im: im.convert("I"),
    "16-bit": sixteen_bit,
    "a drawing on nothing": transparent,
    "light on dark": ImageOps.invert,
    "small": lambda im: im.resize((75, 60), Image.Resampling.BOX),
    "large": lambda im: im.resize((2400, 1920)),
    "blurred": lambda im: im.filter(ImageFilter.GaussianBlur(2)),
    "in shadow": lambda im: ImageChops.multiply(im, shadow(im.size)),
    "faint": lambda _im: seven(ink=165),
    "ruled": lambda im: ruled(im),
    "in a corner of a large sheet": lambda im: ImageOps.expand(im, (20, 20, 700, 500), 235),
}  # fmt: skip


def shadow(size: tuple[int, int]) -> Image.Image:
    """Light that fades from 217 at one edge to 90 at the other."""
    return Image.linear_gradient("L").resize(size).point(lambda value: 90 + value // 2)


def ruled(image: Image.Image) -> Image.Image:
    image = image.copy()
    for y in range(14, image.height, 36):
        ImageDraw.Draw(image).line((0, y, image.width, y), 170, 2)
    return image


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_digit_in_any_kind_of_picture_gives_the_same_pixels(kind: str) -> None:
    found = digit_pixels(KINDS[kind](seven()))
    assert not found.blank
    assert same(found.pixels, REFERENCE) > 0.88


def test_exif_rotation_is_undone() -> None:
    turned, exif = seven().transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=exif, quality=95)
    assert same(digit_pixels(open_picture(buffer.getvalue())).pixels, REFERENCE) > 0.95


def test_a_picture_in_the_frame_of_mnist_keeps_its_pixels() -> None:
    assert np.array_equal(digit_pixels(Image.fromarray(REFERENCE)).pixels, REFERENCE)
    assert np.array_equal(digit_pixels(Image.fromarray(255 - REFERENCE)).pixels, REFERENCE)


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize(("paper", "ink"), [(0, 120), (60, 255), (40, 130), (90, 160)])
def test_a_picture_in_the_frame_on_grey_paper_or_in_pale_ink_gets_its_contrast(
    paper: int, ink: int, light: bool
) -> None:
    grey = (paper + REFERENCE.astype(np.float32) * (ink - paper) / 255).round().astype(np.uint8)
    found = digit_pixels(Image.fromarray(grey if light else 255 - grey))
    assert found.pixels.max() == 255
    assert not np.bincount(found.pixels.ravel())[0] < 392
    assert np.abs(found.pixels.astype(int) - REFERENCE).max() <= 255 / (ink - paper) + 1


@pytest.mark.parametrize("digit", ["4", "9"])
def test_the_straight_stem_of_a_4_or_a_9_stays(digit: str) -> None:
    image = Image.new("L", (200, 200), 245)
    draw = ImageDraw.Draw(image)
    draw.line((125, 30, 125, 172), 20, 7)
    if digit == "4":
        draw.line([(95, 30), (75, 105), (150, 105)], 20, 7, joint="curve")
    else:
        draw.ellipse((72, 28, 128, 92), outline=20, width=7)
    found = digit_pixels(image)
    rows = np.flatnonzero((found.pixels > 127).any(axis=1))
    # The stem goes from top to bottom: without it the digit would end where the bar or the loop ends.
    assert rows[-1] - rows[0] >= 18
    assert np.count_nonzero((found.pixels > 127)[rows[-4]]) in range(1, 6)


def test_the_frame_may_be_full_to_its_first_or_last_row() -> None:
    # A long thin stem on a heavy foot: with the centre of mass in the middle, the box of 20 begins at the border.
    # 815 of MNIST's pictures are so.
    pixels = np.zeros((28, 28), np.uint8)
    pixels[:18, 13:15] = 255
    pixels[14:20, 9:20] = 255
    for upright in (pixels, pixels[::-1]):
        found = digit_pixels(Image.fromarray(np.ascontiguousarray(upright)))
        assert np.array_equal(found.pixels, upright)


@pytest.mark.parametrize("slant", [0, 6, 25])
def test_a_straight_stroke_is_a_1_and_no_ruling(slant: int) -> None:
    image = Image.new("L", (200, 260), 250)
    ImageDraw.Draw(image).line((100 + slant, 30, 100 - slant, 230), 20, 6)
    found = digit_pixels(image)
    assert (found.blank, found.reason) == (False, None)
    assert found.pixels.any(axis=1).sum() >= 19


@pytest.mark.parametrize("wall", [40, 110, 190])
@pytest.mark.parametrize("box", [(130, 30, 260, 220), (100, 40, 250, 205)])
def test_a_printed_box_is_no_part_of_the_digit_in_it(box: tuple[int, int, int, int], wall: int) -> None:
    image = seven()
    ImageDraw.Draw(image).rectangle(box, outline=wall, width=4)
    found = digit_pixels(image)
    assert found.reason is None
    assert same(found.pixels, REFERENCE) > 0.97


def test_a_box_without_a_digit_in_it_may_be_a_0() -> None:
    image = Image.new("L", (300, 240), 235)
    ImageDraw.Draw(image).rectangle((110, 40, 190, 200), outline=20, width=12)
    assert digit_pixels(image).box == pytest.approx((110, 40, 81, 161), abs=6)


@pytest.mark.parametrize("corner", [(0, 0), (299, 0), (0, 239), (299, 239)])
def test_a_shadow_in_a_corner_is_no_digit(corner: tuple[int, int]) -> None:
    x, y = corner
    image = seven()
    inwards = [(x, y), (abs(x - 100), y), (x, abs(y - 100))]
    ImageDraw.Draw(image).polygon(inwards, 90)
    assert same(digit_pixels(image).pixels, REFERENCE) > 0.95


def test_ink_in_a_corner_of_a_picture_that_is_cut_out_tightly_is_ink() -> None:
    box = digit_pixels(seven()).box
    assert box is not None
    tight = seven().crop((box[0] + 3, box[1] + 3, box[0] + box[2] - 3, box[1] + box[3] - 3))
    # The stem apart from the bar, and both in corners.
    ImageDraw.Draw(tight).rectangle((0, 0, tight.width, 16), 235)
    ImageDraw.Draw(tight).rectangle((0, 0, tight.width, 8), 20)
    pixels = digit_pixels(tight).pixels
    assert pixels[:8].any(axis=0).sum() >= 10
    assert pixels.any(axis=1).sum() >= 19


EMPTY = {
    "white": Image.new("L", (300, 200), 255),
    "grey": Image.new("RGB", (300, 200), (120, 130, 125)),
    "one pixel": Image.new("L", (1, 1), 80),
    "ruled": ruled(Image.new("L", (300, 240), 240)),
    "in light that fades": Image.linear_gradient("L").resize((300, 240)).point(lambda value: 170 + value // 4),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_page_without_a_digit_is_blank(name: str) -> None:
    found = digit_pixels(EMPTY[name])
    assert (found.blank, found.box) == (True, None)
    assert found.reason
    assert not found.pixels.any()


def test_bold_light_ink_that_fills_a_bitmap_is_light() -> None:
    # Little speaks for it, as in light that fades, but a bitmap has no light.
    bitmap = np.zeros((16, 16), np.uint8)
    bitmap[:4] = 255
    bitmap[:, 9:13] = 255
    found = digit_pixels(Image.fromarray(bitmap))
    # The bar, and paper under it beside the stem.
    assert found.pixels[9:12, 4:22].min() == 255
    assert found.pixels[16:, :12].max() == 0


def test_two_digits_are_not_one() -> None:
    image = ImageChops.darker(seven((480, 240)), ImageChops.offset(seven((480, 240)), 150, 0))
    assert digit_pixels(image).reason == "looks like more than one digit"


@pytest.mark.parametrize("edge", [(0, 0, 14, 239), (285, 0, 299, 120), (0, 0, 299, 10)])
def test_a_shadow_along_the_border_alone_is_doubtful(edge: tuple[int, int, int, int]) -> None:
    image = Image.new("L", (300, 240), 235)
    ImageDraw.Draw(image).rectangle(edge, 90)
    found = digit_pixels(image)
    assert (found.blank, found.reason) == (False, "nothing but ink along the border")
    # A digit that is cut by the border runs inwards from it.
    cut = seven()
    assert digit_pixels(cut.crop((cut.width // 2, 0, cut.width, cut.height))).reason is None


def test_a_speck_alone_is_doubtful_but_a_digit_as_small_is_not() -> None:
    image = Image.new("L", (300, 240), 235)
    ImageDraw.Draw(image).rectangle((100, 100, 104, 106), 20)
    assert digit_pixels(image).reason == "nothing but specks"
    # As in pictures of 28 × 28 whose digit is 7 pixels tall.
    assert digit_pixels(image.crop((88, 88, 116, 116))).reason is None


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    seven().save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_formats_are_read_from_files_bytes_and_streams(form: str, tmp_path: Path) -> None:
    content = encoded(form)
    (tmp_path / "x").write_bytes(content)
    for source in (tmp_path / "x", str(tmp_path / "x"), content, io.BytesIO(content)):
        image = open_picture(source)
        assert image.size == (300, 240)
        # JPEG and WebP keep the picture nearly.
        apart = np.asarray(image.convert("L")).astype(int) - np.asarray(seven())
        assert np.abs(apart).mean() < 2


@pytest.mark.parametrize(
    "content", [b"", b"no picture", encoded("PNG")[:200], encoded("JPEG")[:300], encoded("PNG")[:20]], ids=len
)
def test_what_cannot_be_read_is_one_line_that_names_the_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.png"
    file.write_bytes(content)
    with pytest.raises(PictureError, match=r"bad\.png: [^\n]+$"):
        open_picture(file)


@pytest.mark.parametrize(("name", "reason"), [("missing.png", "No such file or directory"), ("", "Is a directory")])
def test_a_missing_file_and_a_folder_are_named_in_the_error(name: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(PictureError, match=f"^{re.escape(str(path))}: cannot be read: {reason}$"):
        open_picture(path)


def test_names_of_pictures_are_told_by_their_suffix() -> None:
    assert [is_picture_name(n) for n in ("a.PNG", "b.jpeg", "c.txt", "png", "d.tflite")] == [
        True,
        True,
        False,
        False,
        False,
    ]
