"""From a picture to the answer of ``classify`` and ``read``, as JSON-ready values; done in a worker."""

import base64
import functools
import io
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.model_input import Prepared
from edge_digits_runtime.image.picture import FORMATS, SHORTER_SIDE, open_picture
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.library_errors import PILLOW
from edge_digits_runtime.model.classifier import DigitClassifier, Prediction
from PIL import Image

from edge_digits.commands.classify import answer_json
from edge_digits_live.bodies import Picture, RefusedError

if TYPE_CHECKING:
    from edge_digits_runtime.page.reading import PageReader

_PNG_BEFORE_SIZE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""First bytes of every PNG; width and height follow."""
Keep = Callable[[Image.Image, Prepared, Prediction], object]


def classify(
    picture: Picture, classifier: DigitClassifier, pixels: int, show: bool, keep: Keep | None = None
) -> dict[str, Any]:
    """Say which class a picture is of.

    Args:
        picture: the picture.
        classifier: of this thread.
        pixels: that it may have at most.
        show: add ``seen``: what the model saw, and where in the picture.
        keep: is given the picture, what the model saw and the answer, to collect them.

    Raises:
        PictureError: it cannot be read.
        RefusedError: it has too many pixels.
    """
    image = opened(picture, pixels, SHORTER_SIDE)
    prepared = prepare(image, classifier.input)
    prediction = classifier.classify_prepared(prepared)
    answer = answer_json(picture.name, prediction)
    if keep is not None:
        keep(image, prepared, prediction)
    if show:
        height, width = prepared.pixels.shape
        answer["seen"] = {
            "width": width,
            "height": height,
            "pixels": base64.b64encode(prepared.pixels.tobytes()).decode(),
            "box": None if prepared.box is None else list(prepared.box),
        }
    return answer


class _Readers(threading.local):
    """The page reader of each thread, loaded when the thread first reads a page."""

    @functools.cached_property
    def own(self) -> "PageReader":
        from edge_digits_runtime.page.reading import PageReader

        return PageReader()


_READERS = _Readers()


def read(picture: Picture, pixels: int) -> dict[str, Any]:
    """Read all numbers of a picture.

    Raises:
        PictureError: it cannot be read.
        RefusedError: it has too many pixels.
    """
    from edge_digits_runtime.page import reading

    page = _READERS.own.read(opened(picture, pixels, reading.SHORTER_SIDE))
    return {"file": picture.name} | page.to_dict() | {"sure": page.sure}


def opened(picture: Picture, pixels: int, shorter_side: int) -> Image.Image:
    """Decode a picture.

    Raises:
        PictureError: it cannot be read.
        RefusedError: it has too many pixels.
    """
    if not picture.content:
        raise PictureError("empty; give a PNG, JPEG, GIF, BMP, TIFF, WebP or PPM file")
    # A few kilobytes can announce gigabytes.
    announced = _announced_pixels(picture.content)
    if announced > pixels:
        raise RefusedError(413, f"{announced / 1e6:,.0f} megapixels; allowed are {pixels / 1e6:g}: make it smaller")
    return open_picture(picture.content, shorter_side)


def _announced_pixels(content: bytes) -> int:
    """Return how many pixels the header of a picture announces; 0 where it has none, which `open_picture` explains."""
    if content.startswith(_PNG_BEFORE_SIZE):
        # As fast as can be, and without the readers of six other formats in memory: what the page sends is PNG.
        width, height = struct.unpack_from(">II", content.ljust(24, b"\0"), 16)
        return int(width * height)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as header:
            return header.width * header.height
    except (*PILLOW, Image.DecompressionBombError):
        return 0
