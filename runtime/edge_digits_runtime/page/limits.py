"""Limits to the ink on a page.

Each piece of ink that may be a digit is framed and classified by itself, in all ways in which it can be cut. On dotted
or hatched paper, or a page of print, that would take minutes and gigabytes. With these limits a page of 3600 × 3600
pixels, whatever is on it, takes at most about 10 s on one core of a laptop and 270 MB. They leave room: a page of
600 digits that touch, on squared paper, has 900 marks, 8,000 candidates with 25 megapixels, and 200,000 runs.
"""

from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.arrays import Ints

MAX_RUNS = 1_000_000
"""Runs of ink along the rows of pixels: A4 with millimetre ruling has 740,000 at 300 dots an inch."""
MAX_MARKS = 2_000
"""Pieces of ink that may be digits, or lines, or boxes."""
MAX_CANDIDATES = 20_000
"""Possible digits that the ink can be cut into; each takes 0.2 ms to frame and classify."""
MAX_AREA = 100_000_000
"""Pixels in the boxes of all marks together, or of all candidates. A page has 13 million, and boxes of digits hardly
overlap; those of strokes that cross the whole page do."""
_ADVICE = "crop the picture to the numbers, without dotted or hatched paper, drawings and print"


def check_runs(count: int) -> None:
    """Refuse a page with more than `MAX_RUNS` runs of ink.

    Raises:
        PictureError: it has more.
    """
    if count > MAX_RUNS:
        raise PictureError(
            f"{count:,} runs of ink in the rows of the page, as noise has; at most {MAX_RUNS:,} are read: {_ADVICE}"
        )


def check_marks(boxes: Ints) -> None:
    """Refuse a page whose marks have these ``boxes``, shape ``(n, 4)``, if they are too many, or too large together.

    Raises:
        PictureError: more than `MAX_MARKS` marks, or more than `MAX_AREA` pixels.
    """
    if len(boxes) > MAX_MARKS:
        raise PictureError(f"{len(boxes):,} marks that may be digits; at most {MAX_MARKS:,} are read: {_ADVICE}")
    area = int(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum())
    if area > MAX_AREA:
        raise PictureError(f"{len(boxes):,} strokes that lie across the page, as in hatching or a drawing: {_ADVICE}")


def check_candidates(count: int, area: int) -> None:
    """Refuse a page whose ink can be cut into ``count`` possible digits of ``area`` pixels together, if it is too much.

    Raises:
        PictureError: more than `MAX_CANDIDATES`, or more than `MAX_AREA` pixels.
    """
    if count > MAX_CANDIDATES:
        raise PictureError(f"ink that can be cut into more than {MAX_CANDIDATES:,} possible digits: {_ADVICE}")
    if area > MAX_AREA:
        raise PictureError(f"strokes that go across the page and can be cut in many ways, as in a drawing: {_ADVICE}")
