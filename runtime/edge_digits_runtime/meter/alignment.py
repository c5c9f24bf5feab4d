"""Find out how a camera's view has moved against the reference picture, by patches of what never changes.

Each patch is looked for by normalized cross-correlation, which no change of brightness or contrast disturbs (J. P.
Lewis, "Fast Normalized Cross-Correlation", 1995), first on a small copy, then on the picture itself after it was moved
back by what was found. Two patches tell shift, rotation and scale; more than two also outvote one that is covered.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COARSE = 20
"""Least pixels of the shorter side of a patch on the small copy."""
_PROBABLE, _CERTAIN = 0.4, 0.6
"""Least correlation of a patch on the small copy, where the view may still be turned, and in the end."""
_STEEPEST, _LARGEST = 8.0, 1.12
"""Degrees and scale that are still called the same view."""
_TRIED = 6
"""Placements on the small copy that are looked at more closely."""
_RESIDUAL = 1.5
"""Pixels that a patch may be off from where the others put it."""

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]
Point = tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """Where the reference picture lies in a picture.

    A point ``(x, y)`` of it is at ``(ax - by + left, bx + ay + top)``, in pixels.
    """

    a: float = 1.0
    """Scale times the cosine of the angle."""
    b: float = 0.0
    """Scale times its sine."""
    left: float = 0.0
    """Where the point (0, 0) is."""
    top: float = 0.0
    """Where the point (0, 0) is."""

    @property
    def degrees(self) -> float:
        """By how much the view is turned, clockwise."""
        return math.degrees(math.atan2(self.b, self.a))

    @property
    def scale(self) -> float:
        """Size against the reference picture, 1 if it is the same."""
        return math.hypot(self.a, self.b)

    def at(self, point: Point) -> Point:
        """Return where a point of the reference picture is."""
        x, y = point
        return self.a * x - self.b * y + self.left, self.b * x + self.a * y + self.top

    def cut(self, image: Image.Image, box: Sequence[float]) -> Image.Image:
        """Return what a box of the reference picture (x, y, width, height) shows in ``image``, at the box's size."""
        x, y, width, height = box
        left, top = self.at((x, y))
        data = (self.a, -self.b, left, self.b, self.a, top)
        return image.transform(
            (round(width), round(height)), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=0
        )

    def after(self, second: "Placement") -> "Placement":
        """Return the placement that takes a point by ``second`` first and then by this one."""
        left, top = self.at((second.left, second.top))
        return Placement(self.a * second.a - self.b * second.b, self.b * second.a + self.a * second.b, left, top)


SAME = Placement()
"""Nothing has moved."""


class Aligner:
    """Finds a reference picture in others.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> pixels = np.random.default_rng(0).integers(0, 255, (60, 100), np.uint8)
        >>> aligner = Aligner(Image.fromarray(pixels), [(10, 10, 20, 20), (70, 30, 20, 20)], 10)
        >>> found = aligner.find(Image.fromarray(np.roll(pixels, (2, 3), (0, 1))))
        >>> round(found.left), round(found.top), round(found.scale, 2)
        (3, 2, 1.0)
    """

    def __init__(self, reference: Image.Image, patches: Sequence[Sequence[int]], furthest: float) -> None:
        """Take the patches out of the reference picture.

        Args:
            reference: the picture that the boxes were chosen on.
            patches: boxes as x, y, width, height in its pixels, at least two.
            furthest: how many pixels a patch may be from its place.
        """
        self._patches = [tuple(patch) for patch in patches]
        self._furthest = furthest
        self._factor = max(1, min(min(patch[2:]) for patch in patches) // _COARSE)
        gray = reference.convert("L")
        self._fine = [_pixels(gray.crop(_corners(patch))) for patch in patches]
        small = gray.reduce(self._factor)
        self._coarse = [_pixels(small.crop(_corners(self._reduced(patch)))) for patch in patches]

    def find(self, picture: Image.Image) -> Placement | None:
        """Return where the reference picture lies in ``picture``, which has its size; None where too little of it is
        found."""
        gray = picture.convert("L")
        for rough in self._search(gray.reduce(self._factor)):
            # Twice: what was turned or scaled correlates less, and less precisely, until it is turned back.
            placement: Placement | None = rough
            for reach in (2 * self._factor + 3, 3):
                placement = None if placement is None else self._refined(gray, placement, reach)
            if placement is not None:
                return placement
        return None

    def _reduced(self, patch: Sequence[int]) -> tuple[int, int, int, int]:
        x, y, width, height = (length // self._factor for length in patch)
        return x, y, max(4, width), max(4, height)

    def _search(self, small: Image.Image) -> list[Placement]:
        """Look for each patch on a small copy, and return what two or more of them agree on, the likeliest first."""
        places: dict[int, Point] = {}
        reach = math.ceil(self._furthest / self._factor)
        pixels = _pixels(small)
        for index, patch in enumerate(self._patches):
            found = _best(self._coarse[index], pixels, self._reduced(patch), reach)
            if found is not None and found[2] >= _PROBABLE:
                # The corner of the patch on the small copy was rounded; that of the match was rounded alike.
                places[index] = (patch[0] + found[0] * self._factor, patch[1] + found[1] * self._factor)
        supported = []
        # A print that repeats itself is found in the wrong place now and then: let others speak without it.
        for size in range(len(places), 1, -1):
            for chosen in itertools.combinations(places, size):
                placement = self._fit({index: places[index] for index in chosen})
                if placement is None:
                    continue
                off = max(self._off(placement, index, places[index]) for index in chosen)
                if off <= 2 * self._factor + _RESIDUAL:
                    supported.append((-size, abs(placement.degrees), placement))
        supported.sort(key=lambda each: each[:2])
        return [placement for _, _, placement in supported[:_TRIED]]

    def _refined(self, gray: Image.Image, placement: Placement, reach: int) -> Placement | None:
        """Move the picture back by ``placement``, look again for each patch nearby, and return what that gives."""
        places: dict[int, Point] = {}
        for index, (x, y, width, height) in enumerate(self._patches):
            around = x - reach, y - reach, width + 2 * reach, height + 2 * reach
            window = _pixels(placement.cut(gray, around))
            found = _best(self._fine[index], window, (reach, reach, width, height), reach)
            if found is not None and found[2] >= _CERTAIN:
                places[index] = (x + found[0], y + found[1])
        while len(places) >= 2:
            rest = self._fit(places)
            if rest is None:
                return None
            worst = max(places, key=lambda index: self._off(rest, index, places[index]))
            if self._off(rest, worst, places[worst]) <= _RESIDUAL:
                found_placement = placement.after(rest)
                return found_placement if _plausible(found_placement) else None
            del places[worst]
        return None

    def _fit(self, places: dict[int, Point]) -> Placement | None:
        """Return the placement with the least squares of the errors; None if it is another view."""
        wanted = np.array([complex(*self._centre(index)) for index in places])
        got = np.array([complex(*self._moved(index, point)) for index, point in places.items()])
        spread = wanted - wanted.mean()
        size = float((np.abs(spread) ** 2).sum())
        if size == 0:
            return None
        factor = complex((np.conj(spread) * (got - got.mean())).sum() / size)
        offset = complex(got.mean() - factor * wanted.mean())
        placement = Placement(factor.real, factor.imag, offset.real, offset.imag)
        return placement if _plausible(placement) else None

    def _centre(self, index: int) -> Point:
        x, y, width, height = self._patches[index]
        return x + width / 2, y + height / 2

    def _moved(self, index: int, corner: Point) -> Point:
        """Return the centre of a patch whose upper left corner was found at ``corner``."""
        _, _, width, height = self._patches[index]
        return corner[0] + width / 2, corner[1] + height / 2

    def _off(self, placement: Placement, index: int, corner: Point) -> float:
        return math.dist(placement.at(self._centre(index)), self._moved(index, corner))


def _plausible(placement: Placement) -> bool:
    return abs(placement.degrees) <= _STEEPEST and 1 / _LARGEST <= placement.scale <= _LARGEST


def _corners(box: Sequence[int]) -> tuple[int, int, int, int]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _pixels(image: Image.Image) -> Floats:
    return np.asarray(image, np.float64)


def _best(
    template: Floats, picture: Floats, box: tuple[int, int, int, int], reach: int
) -> tuple[float, float, float] | None:
    """Return how far a template has moved from its place, in parts of a pixel, and its correlation.

    Args:
        template: shape ``(height, width)``.
        picture: what it is looked for in.
        box: its place there.
        reach: how far it may have moved.

    Returns:
        Pixels to the right and down, and the correlation in [-1, 1]; None where there is nothing to compare.
    """
    x, y, width, height = box
    left, top = max(0, x - reach), max(0, y - reach)
    window = picture[top : y + height + reach, left : x + width + reach]
    if window.shape[0] < height or window.shape[1] < width:
        return None
    scores = correlation(template, window)
    row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
    down, right = (
        _peak(scores[:, column], int(row)),
        _peak(scores[row, :], int(column)),
    )
    return left + right - x, top + down - y, float(scores[row, column])


def _peak(values: Floats, index: int) -> float:
    """Return where the parabola through the largest of ``values`` and its neighbours has its top."""
    if not 0 < index < len(values) - 1:
        return float(index)
    before, at, after = (float(value) for value in values[index - 1 : index + 2])
    bend = before - 2 * at + after
    return index if bend >= 0 else index + 0.5 * (before - after) / bend


def correlation(template: Floats, window: Floats) -> Floats:
    """Return the normalized correlation of ``template`` with each place in ``window`` where it fits.

    Args:
        template: shape ``(h, w)``.
        window: shape ``(H, W)``, at least as large.

    Returns:
        Shape ``(H - h + 1, W - w + 1)``, each in [-1, 1]; 0 where either is of one grey.
    """
    height, width = template.shape
    wanted = template - template.mean()
    energy = float((wanted**2).sum())
    shape = window.shape
    product = np.fft.irfft2(np.fft.rfft2(window) * np.conj(np.fft.rfft2(wanted, shape)), shape)
    rows, columns = shape[0] - height + 1, shape[1] - width + 1
    sums = _sums(window, height, width)
    variance = _sums(window**2, height, width) - sums**2 / (height * width)
    scale = np.sqrt(np.maximum(variance, 0) * energy)
    # Less than a grey step on average is noise of the arithmetic or of the camera.
    flat = variance < height * width
    scores: Floats = np.where(flat, 0.0, product[:rows, :columns] / np.where(scale > 0, scale, 1.0))
    return scores.clip(-1, 1)


def _sums(values: Floats, height: int, width: int) -> Floats:
    """Return the sum over each place of a box of that size."""
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    found: Floats = (
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )
    return found
