"""Draw the pictures that the activation ranges of an int8 model are taken from."""

import bisect
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import UsageError
from numpy.typing import NDArray

DEFAULT_COUNT = 100
"""Chosen on validation pictures, see docs/research/calibration.md."""
FEWEST_DIFFERENT = 100
"""From fewer different pictures the ranges of a network are a matter of chance."""


@dataclass(frozen=True)
class CalibrationDraw:
    """Which training pictures int8 is calibrated on."""

    count: int | None = None
    """How many, the same number of each class give or take one (more of the first classes), or all of a class that has
    fewer; None for `DEFAULT_COUNT`, or all of a small training split."""
    seed: int = 0
    """Seed of the draw. The same seed with a smaller count draws a part of the same pictures."""
    allow_few: bool = False
    """Whether fewer than `FEWEST_DIFFERENT` different pictures will do."""


def draw_pictures(training: Split, draw: CalibrationDraw) -> NDArray[np.uint8]:
    """Draw training pictures, balanced by class.

    The darkest pixel of all is set to 0 and the brightest to 255, if they are not: the range of the input becomes its
    scale, which must be 1/255.

    Args:
        training: at least one picture of each class.
        draw: how many, and the seed.

    Returns:
        Shape ``(count, height, width)``, ordered by class.

    Raises:
        UsageError: fewer pictures are asked for than there are classes, or more than there are pictures; or fewer than
            `FEWEST_DIFFERENT` of them differ, unless that is allowed or so few were asked for.
    """
    needed = min(FEWEST_DIFFERENT, draw.count or FEWEST_DIFFERENT)
    pictures = _drawn(training, draw)
    if not draw.allow_few and len(_first_of_equal(pictures)) < needed:
        # The same picture may stand in a data set many times: of a rare kind, say, that is repeated.
        first = _first_of_equal(training.images)
        if len(first) < needed:
            raise UsageError(
                f"{len(first)} different training pictures to calibrate int8 on; {needed} are needed: give more "
                "pictures, or say --allow-few to do with these"
            )
        pictures = _drawn(training.take(first), draw)
    return _full_range(pictures)


def _drawn(training: Split, draw: CalibrationDraw) -> NDArray[np.uint8]:
    available = np.bincount(training.labels)
    # A class of more, such as 128, needs one of each.
    wanted = min(max(DEFAULT_COUNT, len(available)), len(training)) if draw.count is None else draw.count
    if not len(available) <= wanted <= len(training):
        raise UsageError(
            f"a calibration count of {wanted}; allowed is {len(available)}, one of each class, to {len(training)}, all "
            "pictures of the training split"
        )
    rng = np.random.default_rng(draw.seed)
    chosen = [
        rng.permutation(np.flatnonzero(training.labels == label))[:share]
        for label, share in enumerate(_shares(available, wanted))
    ]
    pictures: NDArray[np.uint8] = training.images[np.concatenate(chosen)]
    return pictures


def _first_of_equal(pictures: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return where each picture stands for the first time."""
    _, first = np.unique(pictures.reshape(len(pictures), -1), axis=0, return_index=True)
    return np.sort(first)


def _shares(available: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Return how many pictures to draw of each class, together ``wanted``: as evenly as what there is allows."""
    levels = range(int(available.max()) + 1)
    level = bisect.bisect_right(levels, wanted, key=lambda most: int(np.minimum(available, most).sum())) - 1
    shares = np.minimum(available, level)
    shares[np.flatnonzero(available > level)[: wanted - int(shares.sum())]] += 1
    return shares


def _full_range(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set one darkest pixel to 0 and one brightest to 255, which changes nothing in nearly every draw."""
    flat = pictures.reshape(-1).copy()
    flat[flat.argmin()] = 0
    flat[flat.argmax()] = 255
    return flat.reshape(pictures.shape)
