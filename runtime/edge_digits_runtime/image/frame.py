"""From the ink of one digit to the frame of MNIST.

MNIST's pictures were made from black and white scans: scaled, with grey edges, so that the longer side of the digit
is 20 pixels, then moved by whole pixels so that the centre of mass is nearest to (14, 14) of 28 × 28
(Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: "Gradient-based learning applied to document recognition", 1998).
All 10,000 test pictures keep to that: a box of 20 pixels (3 of 19) and a centre in [13.5, 14.5].
"""

import math

import numpy as np
from PIL import Image

from edge_digits_runtime.image.arrays import Box, Gray
from edge_digits_runtime.image.ink import brightest, resized
from edge_digits_runtime.mnist_format import SIDE

BOX = 20
"""Longer side of a digit in the frame, in pixels."""
_FINE = 4
"""The digit is drawn this many times as large as it is to be, then reduced."""
_THIN = 1.8
"""Narrowest stroke in pixels of the frame; narrower ones are widened. Of MNIST's strokes, 5 in 100 are narrower."""
_EDGE = 2.0
"""Width of the ramp from paper to ink at the edge of a stroke, in pixels of the large drawing."""
_FAINTEST = 0.3
"""Parts of a stroke that have at least this share of its full strength are raised to full strength."""
_SEEN = 25
"""Weakest pixel that counts for the box of a picture that may be in the frame already."""
_SOLID = 200
"""A picture whose strongest pixel is weaker is not in the frame. Each of MNIST's pictures has a pixel of 253."""
_OFF_CENTRE = 0.6
"""Largest distance of the centre of mass from (14, 14) along each axis, in pixels, of a picture in the frame."""
_LEVELS = np.arange(256, dtype=np.float32)
"""All values of a pixel."""
_MOMENTS = np.stack([np.ones((SIDE, SIDE)), *np.mgrid[:SIDE, :SIDE]]).reshape(3, SIDE * SIDE).astype(np.float32)
"""For each pixel 1, its row and its column, shape ``(3, 784)``: weights whose sums are mass and first moments."""
_LEAST_CONTRAST = 48
"""Difference of ink and paper below which a small picture is not stretched: it may be blank."""
_BELOW_FULL = bytes(range(250))
"""All values below those of MNIST's ink."""
_PALE = bytes(range(_SOLID))
"""All values below `_SOLID`."""
_IS_SEEN = bytes(value >= _SEEN for value in range(256))
"""For each value 1 if it is at least `_SEEN`, else 0."""


def frame(ink: Gray) -> Gray:
    """Bring the ink of one digit into the frame of MNIST.

    Args:
        ink: strength of the digit's ink and 0 elsewhere, of any shape, with at least one pixel above 0. The edge of a
            stroke is where it has half of its strength. A margin of a pixel keeps edges soft.

    Returns:
        Shape ``(28, 28)``, 0 background, 255 ink.
    """
    ink = _evened(ink)
    left, top, right, bottom = box = _bounds(ink, 128)
    longest = BOX * _FINE
    scale = longest / max(right - left, bottom - top)
    missing = _THIN * _FINE - _stroke(ink) * scale
    # The filter widens a stroke by two pixels of the drawing at a time; one that lacks half a pixel stays as it is.
    grow = max(0, math.ceil(missing / 2 - 0.25))
    scale = (longest - 2 * grow) / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    drawn = Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC, box)
    # Make the ramp at the edges as steep as in a sharp picture, around half the strength, which stays where it is.
    ramp = ((_LEVELS - 127.5) * max(1.0, scale / _EDGE) + 127.5).clip(0, 255).astype(np.uint8)
    canvas = _amid(ramp.take(np.asarray(drawn)), grow)
    if grow:
        # Pillow's MaxFilter takes twenty times as long.
        canvas = brightest(canvas, 2 * grow + 1)
    return _centred(np.asarray(Image.fromarray(canvas).reduce(_FINE)))


def framed_box(content: bytes) -> Box | None:
    """Return the box of the digit in a picture that is in the frame of MNIST already, None for any other picture.

    In a folder of small PNGs this is most of the work besides decoding, which takes 35 µs a picture. So values are
    looked up in tables of bytes, each in less time than numpy needs for a call: with numpy alone a picture would take
    an eighth longer, decoding included.

    Args:
        content: the 28 × 28 pixels row by row, 0 background, 255 ink, a byte each.
    """
    if not content.translate(None, delete=_PALE):
        return None
    seen = content.translate(_IS_SEEN)
    columns = np.bitwise_or.reduce(np.frombuffer(seen, np.uint8).reshape(SIDE, SIDE)).tobytes()
    left, top, right, bottom = columns.find(1), seen.find(1) // SIDE, columns.rfind(1) + 1, seen.rfind(1) // SIDE + 1
    if not BOX - 1 <= max(right - left, bottom - top) <= BOX:
        return None
    y, x = _centre(np.frombuffer(content, np.uint8))
    return (left, top, right, bottom) if max(abs(y - SIDE / 2), abs(x - SIDE / 2)) <= _OFF_CENTRE else None


def contrasted(content: bytes) -> bytes:
    """Return 28 × 28 pixels with paper at 0 and the strongest ink at 255.

    A picture as MNIST has them, with more than half of it at 0 and ink of at least 250, is returned as it is.

    Args:
        content: the pixels row by row, light ink on darker paper, a byte each.
    """
    if 2 * content.count(0) > len(content) and content.translate(None, delete=_BELOW_FULL):
        return content
    paper, full = sorted(content)[len(content) // 2], max(content)
    if full - paper < _LEAST_CONTRAST:
        return content
    gain = 255 / (full - paper)
    return content.translate(bytes(min(max(round((value - paper) * gain), 0), 255) for value in range(256)))


def _evened(ink: Gray) -> Gray:
    """Return the ink with all strokes at full strength, 255.

    A stroke is weaker where the pen left less ink, or is thinner than a pixel.
    """
    full = _upper_quartile(ink[ink > ink.max() / 2])
    around = ink
    if max(ink.shape) > 2 * SIDE:
        around = np.asarray(Image.fromarray(ink).reduce(max(ink.shape) // SIDE))
    around = resized(brightest(around, max(3, max(around.shape) // 20 * 2 + 1)), ink.shape)
    gain = around.astype(np.float32)
    # In place, since each array of floats takes 52 MB for ink that fills a page.
    gain.clip(max(1.0, _FAINTEST * full), full, out=gain)
    np.divide(255, gain, out=gain)
    gain *= ink
    return gain.clip(0, 255, out=gain).astype(np.uint8)


def _upper_quartile(values: Gray) -> float:
    """Return what `numpy.percentile` gives for 75.

    That takes 45 µs where this takes 4, of the 160 µs of `frame`, which a page calls for each piece of ink and a
    training for each picture that it draws.
    """
    place = 0.75 * (values.size - 1)
    low = int(place)
    high = min(low + 1, values.size - 1)
    sorted_there = np.partition(values, (low, high))
    below, above = float(sorted_there[low]), float(sorted_there[high])
    return below + (place - low) * (above - below)


def _stroke(ink: Gray) -> float:
    """Return the mean width of the strokes in pixels: twice the area over the length of the outline.

    The outline is measured as the sum of all steps between neighbouring pixels along both axes. For an outline that
    runs equally in all directions this is 4/pi times its length.
    """
    padded = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), np.int16)
    padded[1:-1, 1:-1] = ink
    steps = int(np.abs(padded[1:] - padded[:-1]).sum() + np.abs(padded[:, 1:] - padded[:, :-1]).sum())
    return 2 * float(ink.sum(dtype=np.int64)) / (steps * math.pi / 4)


def _amid(pixels: Gray, margin: int) -> Gray:
    """Return the drawing with a margin of pixels, in the middle of a canvas whose sides are multiples of `_FINE`."""
    height, width = pixels.shape
    sides = [-(-(length + 2 * margin) // _FINE) * _FINE for length in (height, width)]
    canvas = np.zeros(sides, np.uint8)
    y, x = (sides[0] - height) // 2, (sides[1] - width) // 2
    canvas[y : y + height, x : x + width] = pixels
    return canvas


def _bounds(gray: Gray, least: int) -> Box:
    """Return the box around all pixels of at least ``least``, of which there must be one."""
    columns, rows = gray.max(axis=0) >= least, gray.max(axis=1) >= least
    height, width = gray.shape
    return (
        int(columns.argmax()),
        int(rows.argmax()),
        width - int(columns[::-1].argmax()),
        height - int(rows[::-1].argmax()),
    )


def _centre(pixels: Gray) -> tuple[float, float]:
    """Return row and column of the centre of mass of the 28 × 28 pixels of a picture, shape ``(784,)``."""
    # As float32, in which the sums, whole numbers below 2**23, are exact.
    mass, down, across = _MOMENTS.dot(pixels).tolist()
    return down / mass, across / mass


def _centred(digit: Gray) -> Gray:
    """Return a picture of 28 × 28 pixels in which the centre of mass of ``digit`` is nearest to (14, 14).

    The digit is moved by whole pixels and stays inside.
    """
    height, width = digit.shape
    cornered, pixels = np.zeros((2, SIDE, SIDE), np.uint8)
    cornered[:height, :width] = digit
    y, x = (round(SIDE / 2 - middle) for middle in _centre(cornered.ravel()))
    y, x = min(max(y, 0), SIDE - height), min(max(x, 0), SIDE - width)
    pixels[y : y + height, x : x + width] = digit
    return pixels
