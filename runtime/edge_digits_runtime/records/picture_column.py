"""Pictures of one size in a JSON record: one PNG with the pictures below each other, and the index of each.

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
from edge_digits_runtime.records.fields import Count, FieldError


class PictureColumn(TypedDict):
    """Pictures as `pack` returns them."""

    index: list[Count]
    """Index of each picture in its data set."""
    png: str
    """Base64 of a grey PNG with all pictures below each other; empty for no pictures."""


def pack(pictures: Mapping[int, NDArray[np.uint8]]) -> PictureColumn:
    """Return pictures of one shape ``(height, width)``, given by index, as JSON-ready values."""
    if not pictures:
        return {"index": [], "png": ""}
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(pictures.values()))).save(buffer, "PNG", optimize=True)
    return {"index": list(pictures), "png": base64.b64encode(buffer.getvalue()).decode("ascii")}


def unpack(column: PictureColumn, wanted: list[int], shape: tuple[int, int]) -> dict[int, NDArray[np.uint8]]:
    """Return the pictures by index, uint8 of shape ``(height, width)``.

    Args:
        column: what `pack` returned.
        wanted: the indices that it must have, in this order.
        shape: height and width that they must have.

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
            height, width = shape
            fits = (image.width, image.height, image.mode) == (width, height * len(wanted), "L")
            pixels = np.asarray(image, np.uint8) if fits else None
    except PILLOW as error:
        raise FieldError(f"pictures.png cannot be read ({first_line(error)})") from error
    if pixels is None:
        raise FieldError(
            f"pictures.png is not one column of {len(wanted)} grey pictures of {shape[0]}×{shape[1]} pixels"
        )
    return dict(zip(wanted, pixels.reshape(len(wanted), height, width), strict=True))
