"""From a picture of a digit, of any kind, to the 28 × 28 pixels that a model was trained on."""

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.arrays import Gray
from edge_digits_runtime.image.digit import FoundDigit, find_digit
from edge_digits_runtime.image.frame import frame, framed_box
from edge_digits_runtime.image.ink import Mix, best_mix, to_gray, to_plain
from edge_digits_runtime.image.model_input import NO_INK, Prepared
from edge_digits_runtime.library_errors import PILLOW, first_line
from edge_digits_runtime.mnist_format import SIDE

MAX_PIXELS = 90_000_000
"""Pixels of the largest picture that is decoded: a file of a few kilobytes can announce gigabytes."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Formats that are read, by Pillow's names. EPS is not: Pillow would run another program on the file."""
_SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".jpe", ".mpo", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"]
)
_REDUCED = "edge-digits reduced by"
"""Key in `Image.info` of the factor by which a JPEG was reduced, and of its size afterwards."""
SHORTER_SIDE = 700
"""Shorter side in pixels that a reduced JPEG of one digit keeps at least; a page needs more."""
_SMALL = 1 << 16
"""A file of fewer bytes is read at once. Pillow would read it in a dozen pieces, which takes as long as decoding it."""
_WORK = 250
"""Least longer side in pixels of the copy that the digit is looked for on; it has less than twice as many."""
_CLOSE = 100
"""Least longer side in pixels of the copy of the place where the digit was found; it has less than twice as many."""
_SPECK, _TINY = 8, 0.05
"""Ink is a speck, and no digit, if its longer side is below both: pixels, and a share of the picture's longer side."""
_PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of every PNG."""
_INVERTED = bytes(range(255, -1, -1))
"""For each value the value of the negative."""
_ORIENTED = frozenset(["exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"])
"""Keys in `Image.info` where Pillow keeps the orientation of a picture; that of a TIFF is among its tags."""


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Return whether the suffix of a path is that of a format that is read."""
    return Path(path).suffix.lower() in _SUFFIXES


def open_picture(source: str | os.PathLike[str] | bytes | BinaryIO, shorter_side: int = SHORTER_SIDE) -> Image.Image:
    """Decode a picture and turn it upright, as its EXIF data says.

    A large JPEG is decoded at a half, a quarter or an eighth of its size, which is faster and leaves more pixels than
    a digit needs; `reduced_by` returns the factor. An animation or a file of several pages gives its first picture.

    Args:
        source: a path, the content of a file, or an open binary file.
        shorter_side: pixels that the shorter side of a reduced JPEG keeps at least.

    Returns:
        The picture, in the mode that the file has.

    Raises:
        PictureError: the file is missing, empty, cut off, not a picture, or has more than `MAX_PIXELS`. The message
            begins with the path if there is one.
    """
    prefix = f"{os.fspath(source)}: " if isinstance(source, str | os.PathLike) else ""
    try:
        with _opened(source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            width = image.width
            image.draft(None, (shorter_side, shorter_side))
            image.load()
    except UnidentifiedImageError as error:
        kinds = "PNG, JPEG, GIF, BMP, TIFF, WebP or PPM"
        raise PictureError(f"{prefix}not a picture that can be read; give a {kinds} file") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{prefix}more than {MAX_PIXELS // 10**6} megapixels; make it smaller") from error
    except PILLOW as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise PictureError(f"{prefix}cannot be read: {reason}") from error
    if image.mode in ("P", "PA") and image.palette is None:
        # Pillow loads it, and fails as soon as its colours are asked for.
        raise PictureError(f"{prefix}cannot be read: its palette is missing")
    factor = round(width / image.width)
    if image.format == "TIFF" or not _ORIENTED.isdisjoint(image.info):
        from PIL import ImageOps

        # Damaged EXIF data says nothing about the pixels: take them as they lie.
        with contextlib.suppress(*PILLOW):
            ImageOps.exif_transpose(image, in_place=True)
    if factor > 1:
        image.info[_REDUCED] = (factor, image.size)
    return image


def _opened(source: str | os.PathLike[str] | bytes | BinaryIO) -> Image.Image:
    """Open a picture without decoding it."""
    if isinstance(source, str | os.PathLike):
        with io.FileIO(source) as file:
            head = file.read(_SMALL)
            if not file.seekable():
                # A pipe gives its content once, a part at a time.
                source = head + file.readall()
            elif len(head) < _SMALL:
                source = head
    if isinstance(source, bytes) and source.startswith(_PNG):
        # `Image.open` would first import the readers of four other formats: 5 % of a process that reads one picture.
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(io.BytesIO(source))
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    with warnings.catch_warnings():
        # No warning of a picture that is refused anyway.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(stream, formats=FORMATS)


def digit_pixels(image: Image.Image) -> Prepared:
    """Find the one digit of a picture and bring it into the frame of MNIST.

    A picture of 28 × 28 pixels that is in that frame already (a box of 20 pixels, the centre of mass in the middle)
    keeps its own pixels. In any other picture the ink is found on a copy whose longer side has less than 500 pixels.
    Ruling, printed boxes and ink along the border are left out. The piece with most ink is the digit, together with
    the pieces near it. A digit that was found on a copy is then cut out of the picture's own pixels.

    Args:
        image: any mode and size; dark ink on light paper or the reverse. It is not changed.

    Returns:
        The pixels of the digit; where there is no ink, blank ones with a reason.

    Example:
        >>> from PIL import Image, ImageDraw
        >>> page = Image.new("L", (300, 200), "white")
        >>> ImageDraw.Draw(page).line((140, 60, 150, 150), "black", 8)
        >>> found = digit_pixels(page)
        >>> found.pixels.shape, found.blank, found.reason
        ((28, 28), False, None)
    """
    plain = to_plain(image)
    framed = _framed(plain)
    if framed is not None:
        return framed
    factor = max(1, max(plain.size) // _WORK)
    coarse = plain.reduce(factor) if factor > 1 else plain
    mix = best_mix(coarse)
    gray = to_gray(coarse, mix)
    found = find_digit(gray)
    if found is None:
        return Prepared(np.zeros((SIDE, SIDE), np.uint8), None, np.zeros(gray.shape, np.bool_), True, NO_INK)
    left, top, right, bottom = (edge * factor for edge in found.box)
    ink = found.ink if factor == 1 else _closer(plain, (left, top, right, bottom), mix, found)
    box = (left, top, min(right, plain.width), min(bottom, plain.height))
    size = max(box[2] - left, box[3] - top)
    reason = "nothing but specks" if size < min(_SPECK, _TINY * max(plain.size)) else found.reason
    return Prepared(frame(ink), in_file(image, box), found.mask, False, reason)


def in_file(image: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return a box of ``image`` in pixels of the file that it was opened from.

    The scale differs where `open_picture` reduced a JPEG, until ``image`` is cropped or resized.

    Args:
        image: the picture.
        box: left, top, right, bottom in pixels of ``image``, the last two exclusive.

    Returns:
        x, y, width and height.
    """
    left, top, right, bottom = box
    factor = reduced_by(image)
    return left * factor, top * factor, (right - left) * factor, (bottom - top) * factor


def reduced_by(image: Image.Image) -> int:
    """Return how many pixels of its file a pixel of ``image`` stands for along each side: 1, but for a large JPEG."""
    factor, size = image.info.get(_REDUCED, (1, image.size))
    return int(factor) if size == image.size else 1


def _framed(image: Image.Image) -> Prepared | None:
    """Return the pixels of a picture that is in the frame of MNIST already, as light ink; None for any other one."""
    if image.size != (SIDE, SIDE):
        return None
    content = image.convert("L").tobytes() if image.mode == "RGB" else image.tobytes()
    if content[0] > 127:
        content = content.translate(_INVERTED)
    box = framed_box(content)
    if box is None:
        return None
    pixels = np.frombuffer(content, np.uint8).reshape(SIDE, SIDE)
    return Prepared(pixels, in_file(image, box), pixels > 127, False, None)


def _closer(image: Image.Image, box: tuple[int, int, int, int], mix: Mix | None, found: FoundDigit) -> Gray:
    """Return the ink of a digit from the picture's own pixels.

    Args:
        image: the picture.
        box: where the digit is in it, roughly.
        mix: the weights of its colours.
        found: what was found on a small copy.
    """
    margin = max(4, round(0.25 * max(box[2] - box[0], box[3] - box[1])))
    left, top = max(0, box[0] - margin), max(0, box[1] - margin)
    part = image.crop((left, top, min(image.width, box[2] + margin), min(image.height, box[3] + margin)))
    factor = max(1, max(part.size) // _CLOSE)
    part = part.reduce(factor) if factor > 1 else part
    again = find_digit(to_gray(part, mix), found.light)
    return found.ink if again is None else again.ink
