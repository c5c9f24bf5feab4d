"""Pictures of 28 × 28 pixels in a JSON record: one PNG with the pictures below each other, and the index of each.

Small, and any program can show it.
"""

import base64
import io
from collections.abc import Mapping
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from edge_digits_runtime.library_errors import PILLOW, first_line
from edge_digits_runtime.mnist_format import SIDE
from edge_digits_runtime.records.fields import Count, FieldError


class PictureColumn(TypedDict):
    """Pictures as `pack` returns them."""

    index: list[Count]
    """Index of each picture in its data set."""
    png: str
    """Base64 of a grey PNG, 28 pixels wide and 28 high for each picture; empty for no pictures."""


def pack(pictures: Mapping[int, NDArray[np.uint8]]) -> PictureColumn:
    """Return pictures of shape ``(28, 28)``, given by index, as JSON-ready values."""
    if not pictures:
        return {"index": [], "png": ""}
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(pictures.values()))).save(buffer, "PNG", optimize=True)
    return {"index": list(pictures), "png": base64.b64encode(buffer.getvalue()).decode("ascii")}


def unpack(column: PictureColumn, wanted: list[int]) -> dict[int, NDArray[np.uint8]]:
    """Return the pictures by index, uint8 of shape ``(28, 28)``.

    Args:
        column: what `pack` returned.
        wanted: the indices that it must have, in this order.

    Raises:
        FieldError: it has others, or the PNG is damaged or of another size.
    """
    if column["index"] != wanted:
        raise FieldError("pictures.index is not that of the wrong answers")
    if not wanted:
        return {}
    try:
        # Not `Image.open`: other kinds of pictures have no business here.
        with PngImageFile(io.BytesIO(base64.b64decode(column["png"], validate=True))) as image:
            # A few bytes can announce gigabytes, so the size comes before the pixels.
            fits = image.size == (SIDE, SIDE * len(wanted)) and image.mode == "L"
            pixels = np.asarray(image, np.uint8) if fits else None
    except PILLOW as error:
        raise FieldError(f"pictures.png cannot be read ({first_line(error)})") from error
    if pixels is None:
        raise FieldError(f"pictures.png is not one column of {len(wanted)} grey pictures of {SIDE} × {SIDE} pixels")
    return dict(zip(wanted, pixels.reshape(-1, SIDE, SIDE), strict=True))
