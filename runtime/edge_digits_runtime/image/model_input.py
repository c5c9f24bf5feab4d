"""What a model takes as its input, and what a picture becomes on the way there.

Apart from `edge_digits_runtime.image.prepare`, which does the work, so that a reader of arrays needs no picture code.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.mnist_format import SIDE

Kind = Literal["ink", "crop", "line", "page"]
NO_INK = "no ink found"
NO_CONTRAST = "no contrast"
SMALLEST, LARGEST = 16, 64
"""Range of the sides of a ``crop`` in pixels."""
LINE_SHAPE = 32, 264
"""Height and width in pixels of a ``line``."""
PAGE_SHAPE = 256, 256
"""Height and width in pixels of a ``page`` as the model file has it; it is resized for each page."""


@dataclass(frozen=True)
class Input:
    """How a picture becomes the input of a model.

    Raises:
        UsageError: a kind that is unknown, a side out of its range, or a version that this runtime does not know.
    """

    kind: Kind = "ink"
    """``ink``: the digit is found in the picture and framed as in MNIST. ``crop``: the whole picture is scaled, grey,
    its contrast stretched; no ink is looked for. ``line``: the picture shows one line, see
    `edge_digits_runtime.image.line.prepare_line`. ``page``: a page of any size, see
    `edge_digits_runtime.page.row_finder`."""
    height: int = SIDE
    """In pixels: 28 for ``ink``, `SMALLEST` to `LARGEST` for ``crop``, 32 for ``line``, 256 for ``page``."""
    width: int = SIDE
    """In pixels: 28 for ``ink``, `SMALLEST` to `LARGEST` for ``crop``, 264 for ``line``, 256 for ``page``."""
    version: int = 1
    """Raised when the same picture would become other pixels: what was measured of a model is for this version."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UsageError(f"input {self.kind!r:.40}; allowed is {', '.join(get_args(Kind))}")
        if type(self.version) is not int or self.version != 1:
            raise UsageError(f"input version {self.version!r:.40}; this runtime knows version 1: install a newer one")
        if not all(type(side) is int for side in (self.height, self.width)):
            raise UsageError("input height and width must be whole numbers of pixels")
        if self.kind == "ink" and self.shape != (SIDE, SIDE):
            raise UsageError(f"input ink of {self}; allowed is {SIDE}×{SIDE}: pictures of another size need crop")
        if self.kind == "line" and self.shape != LINE_SHAPE:
            raise UsageError(f"input line of {self}; allowed is {LINE_SHAPE[0]}×{LINE_SHAPE[1]}")
        if self.kind == "page" and self.shape != PAGE_SHAPE:
            raise UsageError(f"input page of {self}; allowed is {PAGE_SHAPE[0]}×{PAGE_SHAPE[1]}")
        if self.kind == "crop" and not all(SMALLEST <= side <= LARGEST for side in self.shape):
            raise UsageError(f"input crop of {self}; allowed is {SMALLEST} to {LARGEST} pixels a side")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def __str__(self) -> str:
        return f"{self.height}×{self.width}"


INK = Input()
"""The input of every model of handwritten digits."""


@dataclass(frozen=True)
class Prepared:
    """What a picture became."""

    pixels: NDArray[np.uint8]
    """What the model takes, shape ``(height, width)``. Of ``ink``, 0 is background and 255 ink; of ``crop``, 0 is the
    darkest and 255 the lightest of the picture."""
    box: tuple[int, int, int, int] | None
    """``(x, y, width, height)`` in the picture's own pixels: of the ink that was found, or of the whole picture where
    none is looked for; None where there is none."""
    mask: NDArray[np.bool_] | None
    """Where ink was seen, in the scale that was worked at; None where none is looked for."""
    blank: bool
    """There is nothing to see: no ink was found, or the picture is of one grey. All pixels are 0."""
    reason: str | None
    """Why the picture is doubtful, such as ``no ink found``; None if it is not."""
