"""A picture of one line of numbers: the pixels that a line network takes of it, the same in training and in use."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.image.model_input import LINE_SHAPE

HEIGHT, WIDTH = LINE_SHAPE
"""Size of the input in pixels."""
_SMALLEST_RANGE = 16.0
"""In grey levels. A picture with a smaller range shows nothing but noise, and is stretched as one with this range."""
_NARROWEST = 4

Gray = NDArray[np.uint8]


def prepare_line(picture: Gray) -> Gray:
    """Make the pixels that a line network takes of a grey picture.

    The picture is scaled to 32 rows; the darkest 1 % become one end of the scale and the lightest 1 % the other; light
    writing on a dark ground is inverted; the ground fills what is left on the right.

    Args:
        picture: uint8, shape ``(height, width)``, any polarity and size.

    Returns:
        uint8, shape ``(32, 264)``, dark writing on a light ground.

    Example:
        >>> import numpy as np
        >>> prepare_line(np.zeros((64, 100), np.uint8)).shape
        (32, 264)
    """
    pixels, ground = line_pixels(picture, WIDTH)
    result = np.full((HEIGHT, WIDTH), ground, np.uint8)
    result[:, : pixels.shape[1]] = pixels
    return result


def line_pixels(picture: Gray, widest: int) -> tuple[Gray, int]:
    """Return the pixels of `prepare_line` without what fills them up, at most ``widest`` columns, and the ground."""
    wide = line_width(picture, widest)
    scaled = np.asarray(Image.fromarray(picture).resize((wide, HEIGHT), Image.Resampling.BILINEAR))
    counts = np.bincount(scaled.ravel(), minlength=256).cumsum()
    low, middle, high = (int(np.searchsorted(counts, share * counts[-1])) for share in (0.01, 0.5, 0.99))
    gain = 255 / max(high - low, _SMALLEST_RANGE)
    levels = np.arange(256)
    # The ground is where most pixels are. It becomes the light end, also where there is nothing but ground.
    darkness = (levels - low if 2 * middle < low + high else high - levels) * gain
    table = np.clip(255 - darkness + 0.5, 0, 255).astype(np.uint8)
    return table[scaled], int(table[middle])


def line_width(picture: Gray, widest: int) -> int:
    """Return how many columns of the input a picture takes, at most ``widest``."""
    height, width = picture.shape
    return int(min(max(round(width * HEIGHT / height), _NARROWEST), widest))
