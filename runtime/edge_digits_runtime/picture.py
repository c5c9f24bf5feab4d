"""From any picture of a digit to the 28×28 pixels that a model was trained on."""

import io
import os
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from edge_digits_runtime.errors import PictureError

SIDE, BOX = 28, 20
MAX_PIXELS = 90_000_000
"""A larger picture is refused before it is decoded: a few kilobytes can announce gigabytes."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Pillow's names of what is read. Not EPS, for which Pillow would run another program on the file."""
_SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".jpe", ".mpo", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"]
)
_DRAFT = 700
"""The shorter side in pixels that a large JPEG keeps when it is decoded at a half, a quarter or an eighth."""
_WORK = 400
"""Longest side in pixels at which the digit is looked for."""
# What Pillow's decoders raise on files that are cut off or scrambled.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DigitPixels:
    """What was found in a picture."""

    pixels: NDArray[np.uint8]
    """Shape ``(28, 28)``, 0 background, 255 ink, in the frame of MNIST."""
    box: tuple[int, int, int, int] | None
    """``(x, y, width, height)`` of the ink in the picture's own pixels; None where there is none."""
    mask: NDArray[np.bool_]
    """Where ink was seen, in the scale that was worked at."""
    blank: bool
    """No ink was found; all pixels are 0."""
    reason: str | None
    """Why the picture is doubtful, such as ``no ink found``; None if it is not."""


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Whether the suffix is that of a kind of picture that is read."""
    return Path(path).suffix.lower() in _SUFFIXES


def open_picture(source: str | os.PathLike[str] | bytes | BinaryIO) -> Image.Image:
    """Decode a picture and turn it upright, as its EXIF data says.

    A large JPEG is decoded at a half, a quarter or an eighth of its size, which is faster and leaves more pixels than
    a digit needs. Of an animation or a file of several pages, the first is read.

    Args:
        source: a path, the content of a file, or an open binary file.

    Raises:
        PictureError: missing, empty, cut off, not a picture, or more than `MAX_PIXELS`. The message begins with the
            path if there is one.
    """
    prefix = f"{os.fspath(source)}: " if isinstance(source, str | os.PathLike) else ""
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        image = _open(stream)
        image.draft(None, (_DRAFT, _DRAFT))
        image.load()
    except UnidentifiedImageError as error:
        kinds = "PNG, JPEG, GIF, BMP, TIFF, WebP or PPM"
        raise PictureError(f"{prefix}not a picture that can be read; give a {kinds} file") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{prefix}more than {MAX_PIXELS // 10**6} megapixels; make it smaller") from error
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
        raise PictureError(f"{prefix}cannot be read: {reason}") from error
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except _DAMAGE:
        # Damaged EXIF data says nothing about the pixels: take them as they lie.
        return image
    return image


def _open(stream: str | os.PathLike[str] | BinaryIO) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns where we refuse.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(stream, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    return image


def digit_pixels(image: Image.Image) -> DigitPixels:
    """Find the one digit of a picture and bring it into the frame of MNIST.

    Args:
        image: any mode and size; dark ink on light paper or the reverse. It is not changed.
    """
    gray = _gray(image)
    scale = max(1.0, max(gray.size) / _WORK)
    small = gray.resize((max(1, round(gray.width / scale)), max(1, round(gray.height / scale))), Image.Resampling.BOX)
    ink = _ink(small)
    mask = ink > max(40.0, _otsu(ink))
    if not mask.any():
        return DigitPixels(np.zeros((SIDE, SIDE), np.uint8), None, mask, True, "no ink found")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    crop = np.clip(ink[top:bottom, left:right] * (255.0 / max(1.0, float(np.percentile(ink[mask], 75)))), 0, 255)
    box = tuple(round(v * scale) for v in (left, top, right - left, bottom - top))
    pixels = _as_it_is(small) if small.size == (SIDE, SIDE) else _frame(crop.astype(np.uint8))
    return DigitPixels(pixels, (box[0], box[1], box[2], box[3]), mask, False, None)


def _as_it_is(image: Image.Image) -> NDArray[np.uint8]:
    """A 28×28 picture with its own pixels, inverted where it is dark on light."""
    pixels = np.asarray(image, np.uint8)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return 255 - pixels if np.median(border) > 127 else pixels


def _gray(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit gray."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return Image.fromarray(_eight_bit(np.asarray(image, np.float64)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        drawn = np.asarray(rgba.convert("L"))[np.asarray(rgba)[..., 3] > 127]
        # A drawing on nothing: paper of the colour that its ink is seen on.
        paper = 0 if drawn.size and drawn.mean() >= 128 else 255
        ground = Image.new("RGBA", rgba.size, (paper, paper, paper, 255))
        return Image.alpha_composite(ground, rgba).convert("L")
    # Pillow converts CIELAB to nothing else; its first channel is the lightness.
    return image.getchannel("L") if image.mode == "LAB" else image.convert("L")


def _eight_bit(values: Floats) -> NDArray[np.uint8]:
    """Values of 1, 8, 10, 12, 14, 16 or 32 bits or of [0, 1] as 0-255, by the smallest range that holds them all."""
    values = np.nan_to_num(values, posinf=0, neginf=0)
    values = values - min(float(values.min()), 0)
    top = float(values.max())
    full = next((limit for limit in (1, 255, 1023, 4095, 16383, 65535) if top <= limit), top)
    return np.clip(values * (255 / full), 0, 255).astype(np.uint8)


def _ink(image: Image.Image) -> Floats:
    """How much darker (or lighter, where the paper is dark) each pixel is than the paper around it."""
    gray = np.asarray(image, np.float64)
    light = gray - np.median(gray)
    dark_on_light = -np.percentile(light, 1) - light.min() >= np.percentile(light, 99) + light.max()
    work = image if dark_on_light else ImageOps.invert(image)
    size = max(3, min(image.size) // 4 * 2 + 1)
    paper = work.resize((max(1, image.width // 4), max(1, image.height // 4)), Image.Resampling.BOX)
    paper = paper.filter(ImageFilter.MaxFilter(min(size, 15))).filter(ImageFilter.GaussianBlur(4)).resize(image.size)
    return np.clip(np.asarray(paper, np.float64) - np.asarray(work, np.float64), 0, None)


def _otsu(values: Floats) -> float:
    """The threshold that splits ``values`` into the two groups of least variance (Otsu 1979)."""
    counts = np.bincount(values.astype(np.uint8).ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    mass = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return float(np.nanargmax(np.where(np.isfinite(between), between, -1)))


def _frame(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale to a 20-pixel box and put the centre of mass in the middle of 28×28, as MNIST was made."""
    ratio = BOX / max(crop.shape)
    size = (max(1, round(crop.shape[1] * ratio)), max(1, round(crop.shape[0] * ratio)))
    digit = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS), np.float64)
    total = max(digit.sum(), 1.0)
    y = round(SIDE / 2 - 0.5 - float((digit.sum(axis=1) * np.arange(size[1])).sum() / total))
    x = round(SIDE / 2 - 0.5 - float((digit.sum(axis=0) * np.arange(size[0])).sum() / total))
    y, x = min(max(y, 0), SIDE - size[1]), min(max(x, 0), SIDE - size[0])
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[y : y + size[1], x : x + size[0]] = digit.astype(np.uint8)
    return pixels
