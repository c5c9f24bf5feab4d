"""From any picture to the pixels that a model takes: one function for training, calibration and every answer."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.image.arrays import Gray
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.line import prepare_line
from edge_digits_runtime.image.model_input import INK, NO_CONTRAST, Input, Prepared
from edge_digits_runtime.image.picture import digit_pixels, in_file

_FLAT = 8
"""Where the darkest and the lightest are fewer grey steps apart there is nothing to see but noise."""
_OUTSIDE = 0.01
"""Share of the pixels at either end of the grey scale that the stretch makes 0 or 255: a glint, a dead pixel."""


def prepare(image: Image.Image, form: Input = INK) -> Prepared:
    """Make the pixels that a model takes of a picture.

    ``ink`` is `edge_digits_runtime.image.picture.digit_pixels`. ``crop`` scales the whole picture to the size of the
    input, grey, and stretches its contrast; dark stays dark. Pixels that were made so come out as they are, so a data
    set that was saved is read back bit by bit.

    Args:
        image: any mode and size. It is not changed.
        form: the input of the model: ``ink``, ``crop``, or ``line``, see `edge_digits_runtime.image.line`.

    Raises:
        UsageError: ``form`` is of another kind.

    Example:
        >>> from edge_digits_runtime.image.model_input import Input
        >>> prepare(Image.linear_gradient("L"), Input("crop", 32, 20)).pixels.shape
        (32, 20)
    """
    if form.kind == "ink":
        return digit_pixels(image)
    if form.kind == "page":
        raise UsageError("input page: a page is prepared by `edge_digits_runtime.page.row_finder`, in several sizes")
    box = in_file(image, (0, 0, *image.size))
    if form.kind == "line":
        return Prepared(prepare_line(np.asarray(to_plain(image).convert("L"))), box, None, False, None)
    # Scaled first: the stretch is then of the pixels that the model sees, and doing it twice changes nothing.
    gray = to_plain(image).convert("L")
    if gray.size != (form.width, form.height):
        gray = gray.resize((form.width, form.height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = _stretched(np.asarray(gray))
    if pixels is None:
        return Prepared(np.zeros(form.shape, np.uint8), box, None, True, NO_CONTRAST)
    return Prepared(pixels, box, None, False, None)


def prepare_arrays(pictures: NDArray[np.uint8], form: Input) -> NDArray[np.uint8]:
    """Make the pixels that a model takes of many pictures.

    Args:
        pictures: shape ``(n, height, width)``. For ``ink`` they are in the frame of MNIST already, ``(n, 28, 28)``,
            0 background, 255 ink, and stay as they are; so do those for ``line`` that have the shape of its input.
        form: the input of the model.

    Returns:
        Shape ``(n, form.height, form.width)``.
    """
    if form.kind == "ink" or (form.kind == "line" and pictures.shape[1:] == form.shape):
        return pictures
    made = [prepare(Image.fromarray(picture), form).pixels for picture in pictures]
    return np.stack(made) if made else np.zeros((0, *form.shape), np.uint8)


def _stretched(gray: Gray) -> Gray | None:
    """Return ``gray`` with its darkest 1 % at 0 and its lightest 1 % at 255; None where it is flat."""
    flat = gray.ravel()
    outside = int(_OUTSIDE * flat.size)
    ends = outside, flat.size - 1 - outside
    low, high = (int(value) for value in np.partition(flat, ends)[list(ends)])
    if high - low < _FLAT:
        return None
    scaled = (gray.astype(np.float32) - low) * np.float32(255 / (high - low))
    # Half a step is rounded up; all is at least 0 then, so cutting off is rounding.
    return (scaled.clip(0, 255) + np.float32(0.5)).astype(np.uint8)
