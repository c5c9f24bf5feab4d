"""From a picture of a digit, of any kind, to the 28 × 28 pixels that a model was trained on."""

import contextlib
import io
import logging
import math
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge_digits_runtime import native_stderr
from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.arrays import Gray
from edge_digits_runtime.image.digit import FoundDigit, find_digit
from edge_digits_runtime.image.frame import contrasted, frame, framed_box
from edge_digits_runtime.image.ink import Mix, best_mix, to_gray, to_plain
from edge_digits_runtime.image.model_input import NO_INK, Prepared
from edge_digits_runtime.library_errors import PILLOW, first_line
from edge_digits_runtime.mnist_format import SIDE

# Pillow reports some faults of a TIFF to this log, besides raising; without a handler Python would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())

MAX_PIXELS = 90_000_000
"""Pixels of the largest picture that is decoded: a file of a few kilobytes can announce gigabytes."""
MAX_BYTES = 112 << 20
"""Bytes that a picture may take while it is decoded, with those of its file that are in memory. With what Python and
the interpreter take, the whole process stays below 250 MB."""
LONGEST_SIDE = 65_535
"""Pixels of the longest side, as in JPEG."""
_LARGE = 64 << 20
"""Bytes of a decoded picture above which it is reduced: 16 megapixels of colour."""
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "LA": 4, "PA": 4}
"""Bytes that Pillow takes for a pixel, by mode; for others 4."""
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
_ORIENTATION = 0x0112
"""Number of the orientation in EXIF data."""
_ROWS_PER_STRIP = 278
"""Number of the rows that are stored together, in the tags of a TIFF."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its orientation."""


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Return whether the name of a path is that of a picture: with the suffix of a format that is read, and not hidden.

    macOS keeps what it knows of ``x.png`` in ``._x.png``.
    """
    return Path(path).suffix.lower() in _SUFFIXES and not Path(path).name.startswith(".")


def open_picture(source: str | os.PathLike[str] | bytes | BinaryIO, shorter_side: int = SHORTER_SIDE) -> Image.Image:
    """Decode a picture and turn it upright, as its EXIF data says.

    A large JPEG is decoded at a half, a quarter or an eighth of its size, which is faster and leaves more pixels than
    a digit needs; a picture that takes more than 64 MB is reduced after it was decoded. `reduced_by` returns the
    factor. An animation or a file of several pages gives its first picture.

    Args:
        source: a path, the content of a file, or an open binary file.
        shorter_side: pixels that the shorter side of a reduced JPEG keeps at least.

    Returns:
        The picture, in the mode that the file has, or ``L`` or ``RGB`` where it was reduced.

    Raises:
        PictureError: the file is missing, empty, cut off, not a picture, or takes more memory than `MAX_BYTES`. The
            message begins with the path if there is one.
    """
    prefix = f"{os.fspath(source)}: " if isinstance(source, str | os.PathLike) else ""
    with warnings.catch_warnings():
        # What is wrong with a picture is said in one line, or does not matter.
        warnings.simplefilter("ignore")
        try:
            return _decode(source, shorter_side)
        except PictureError as error:
            raise PictureError(f"{prefix}{error}") from error
        except UnidentifiedImageError as error:
            kinds = "PNG, JPEG, GIF, BMP, TIFF, WebP or PPM"
            raise PictureError(f"{prefix}not a picture that can be read; give a {kinds} file") from error
        except Image.DecompressionBombError as error:
            raise PictureError(
                f"{prefix}too large: more than {MAX_BYTES >> 20} MB, {MAX_PIXELS // 10**6} megapixels, or "
                f"{LONGEST_SIDE:,} pixels a side; make it smaller"
            ) from error
        except MemoryError as error:
            raise PictureError(f"{prefix}not enough memory; make it smaller") from error
        except PILLOW as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            raise PictureError(f"{prefix}cannot be read: {reason}") from error


def _decode(source: str | os.PathLike[str] | bytes | BinaryIO, shorter_side: int) -> Image.Image:
    """Decode a picture, reduce it if it is large, and turn it upright.

    Raises:
        Image.DecompressionBombError: it is too large.
        UnidentifiedImageError: it is no picture.
        Exception: one of those in `PILLOW`.
    """
    image, held = _opened(source)
    with image:
        width = image.width
        if max(image.size) > LONGEST_SIDE or width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        image.draft(None, (shorter_side, shorter_side))
        if held + _decoding_bytes(image, width) > MAX_BYTES:
            raise Image.DecompressionBombError
        # libtiff prints what is odd about a file, and goes on.
        with native_stderr.quiet() if image.format == "TIFF" else contextlib.nullcontext():
            try:
                image.load()
            except PILLOW as error:
                # Raised again outside, so that nothing of it is printed.
                failed: Exception | None = error
            else:
                failed = None
        if failed is not None:
            raise failed
    if image.mode in ("P", "PA") and image.palette is None:
        # Pillow loads it, and fails as soon as its colours are asked for.
        raise ValueError("its palette is missing")
    orientation = _orientation(image)
    area = image.width * image.height * _BYTES.get(image.mode, 4)
    if area > _LARGE:
        image = to_plain(image, 1 << math.ceil(math.log2(area / _LARGE) / 2))
    factor = round(width / image.width)
    method = _UPRIGHT.get(orientation)
    if method is not None:
        image = image.transpose(method)
    if factor > 1:
        image.info[_REDUCED] = (factor, image.size)
    return image


def _decoding_bytes(image: Image.Image, width: int) -> int:
    """Return about how many bytes it takes to decode a picture that was opened, and was ``width`` pixels wide."""
    pixels = image.width * image.height
    whole: int = pixels * _BYTES.get(image.mode, 4)
    if image.format == "JPEG" and "progressive" in image.info:
        # All coefficients are kept, two bytes each, of the picture as it is in the file.
        layers = getattr(image, "layer", [])
        most = max((layer[1] * layer[2] for layer in layers), default=1) or 1
        share: float = sum(layer[1] * layer[2] for layer in layers) / most
        return whole + int(2 * share * pixels * (width / image.width) ** 2)
    if image.format == "TIFF":
        # A strip or tile is decoded at a time.
        if image.info.get("compression") == "raw":
            return whole
        rows = image.getexif().get(_ROWS_PER_STRIP, image.height)
        return whole + (min(whole, whole // image.height * rows) if isinstance(rows, int) and rows > 0 else whole)
    # The reader of WebP makes two copies.
    return 3 * whole if image.format == "WEBP" else whole


def _orientation(image: Image.Image) -> int:
    """Return how a picture lies, as EXIF counts: 1 is upright."""
    if image.format != "TIFF" and _ORIENTED.isdisjoint(image.info):
        return 1
    # Damaged EXIF data says nothing about the pixels: take them as they lie.
    with contextlib.suppress(*PILLOW):
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def read_stream(stream: BinaryIO) -> bytes:
    """Return what a pipe or standard input gives, a part at a time, in time that grows with its size.

    Raises:
        PictureError: it is more than `MAX_BYTES`.
        OSError: it cannot be read.
    """
    parts, size = [], 0
    while part := stream.read(1 << 20):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise PictureError(f"more than {MAX_BYTES >> 20} MB; make it smaller, or name a file")
    return b"".join(parts)


def _opened(source: str | os.PathLike[str] | bytes | BinaryIO) -> tuple[Image.Image, int]:
    """Open a picture without decoding it; return it, and the bytes of the file that are in memory."""
    if isinstance(source, str | os.PathLike):
        with io.FileIO(source) as file:
            head = file.read(_SMALL)
            if not file.seekable():
                # A pipe gives its content once, a part at a time.
                source = head + read_stream(file)
            elif len(head) < _SMALL:
                source = head
    held = len(source) if isinstance(source, bytes) else 0
    if isinstance(source, bytes) and source.startswith(_PNG):
        # `Image.open` would first import the readers of four other formats: 5 % of a process that reads one picture.
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(io.BytesIO(source)), held
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    return Image.open(stream, formats=FORMATS), held


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
    content = contrasted(content)
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
