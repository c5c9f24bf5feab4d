"""Measure how well models read MNIST's test pictures after each of the fifteen corruptions of MNIST-C.

    uv run python benchmarks/accuracy/robustness.py [MODEL ...] [--validation]

With ``--validation`` the pictures are those that recipes hold out of the training pictures: use them to choose between
models. MODEL is a ``.tflite`` or the name of an installed model; the default is the default model.

Kinds and amounts are those of N. Mu and J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision" (2019),
https://arxiv.org/abs/1906.02337, with the default severities of the program that made their pictures
(github.com/google-research/mnist-c). The corruptions are written anew here, for many pictures at once. So the pictures
are like theirs, but not the same: the random numbers differ, and in place of ImageMagick's motion blur and
scikit-image's Canny filter stand the methods that these document. All random numbers follow from `SEED`, so each model
sees the same pictures.
"""

import argparse
import functools
from collections.abc import Callable, Mapping

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import metrics, splitting
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.mnist_format import SIDE
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_train.data import mnist
from edge_digits_train.recipes.recipe import Recipe
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SEED = 2026
CENTRE = (SIDE - 1) / 2
Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Corruption = Callable[[Floats, np.random.Generator], Floats]
"""Takes and returns pictures of shape ``(n, 28, 28)`` in [0, 1], 1 is ink; values outside are clipped afterwards."""


def main() -> None:
    """Print a table with a row for each kind and a column for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="MODEL")
    parser.add_argument(
        "--as-pictures",
        type=int,
        metavar="N",
        help="only the first N pictures, each preprocessed like a picture file instead of fed as raw pixels",
    )
    parser.add_argument("--validation", action="store_true", help="validation pictures in place of test pictures")
    options = parser.parse_args()
    pictures = held_out() if options.validation else originals()
    classifiers = [DigitClassifier(model) for model in options.models]
    print(f"| kind | {' | '.join(map(title, classifiers))} |\n|---|{'---|' * len(classifiers)}")
    results: list[dict[str, float]] = [{} for _ in classifiers]
    for kind in ("none", *KINDS):
        images = pictures.images if kind == "none" else corrupt(pictures.images, kind)
        split = Split(images[: options.as_pictures], pictures.labels[: options.as_pictures])
        for each, result in zip(classifiers, results, strict=True):
            result[kind] = (right_as_pictures if options.as_pictures else right)(each, split)
        print(row(kind.replace("_", " "), [result[kind] for result in results]), flush=True)
    print(row("mean of the 15 kinds", [mean({kind: result[kind] for kind in KINDS}) for result in results]))


def title(classifier: DigitClassifier) -> str:
    """Return the name of a model for the table."""
    return classifier.model.card.name if classifier.model.card else classifier.name


def row(name: str, shares: list[float]) -> str:
    """Return one row of the table."""
    return f"| {name} | {' | '.join(f'{100 * share:.2f} %' for share in shares)} |"


def by_kind(classifier: DigitClassifier) -> dict[str, float]:
    """Return the share of right answers in [0, 1] on the corrupted test pictures, by kind."""
    return {kind: right(classifier, Split(corrupted_test(kind), originals().labels)) for kind in KINDS}


def right(classifier: DigitClassifier, split: Split) -> float:
    """Return the share of right answers in [0, 1] to raw pixels."""
    return metrics.accuracy(split.labels, classifier.classify_batch(split.images).labels)


def right_as_pictures(classifier: DigitClassifier, split: Split) -> float:
    """Return the share of right answers in [0, 1] with the preprocessing of ``classify``."""
    answers = np.array([classifier.classify(Image.fromarray(image)).digit for image in split.images])
    return metrics.accuracy(split.labels, answers)


def mean(shares: Mapping[str, float]) -> float:
    """Return the mean over the kinds."""
    return float(np.mean(list(shares.values())))


@functools.cache
def originals() -> Split:
    """Return MNIST's test pictures as they are."""
    return mnist.load().test


def held_out() -> Split:
    """Return the pictures that recipes are validated on by default."""
    return splitting.split_validation(
        mnist.load().train, Recipe.validation_fraction, Recipe.validation_seed, Recipe.validation_fold
    )[1]


@functools.cache
def corrupted_test(kind: str) -> Pixels:
    """Return MNIST's test pictures after one kind of corruption, cached for the next model."""
    return corrupt(originals().images, kind)


def corrupt(images: Pixels, kind: str, seed: int = SEED) -> Pixels:
    """Corrupt pictures of shape ``(n, 28, 28)``, 0 background, 255 ink; one seed gives one result."""
    rng = np.random.default_rng((seed, list(KINDS).index(kind)))
    changed = KINDS[kind](images / 255, rng)
    return np.round(np.clip(changed, 0, 1) * 255).astype(np.uint8)


def shot_noise(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Make each pixel a Poisson count with a mean of 3 at full ink, as if there were few photons."""
    return rng.poisson(pictures * 3) / 3


def impulse_noise(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Turn 17 % of the pixels into ink or background with equal chances (salt and pepper)."""
    hit, salt = rng.random(pictures.shape) < 0.17, rng.random(pictures.shape) < 0.5
    return np.where(hit, salt, pictures)


def glass_blur(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Blur by 0.7 pixels, let about every second pixel change places with a neighbour, twice, and blur again."""
    shuffled = _blur(pictures, 0.7)
    everyone = np.arange(len(pictures))
    for _ in range(2):
        for row_ in range(SIDE - 1, 1, -1):
            for column in range(SIDE - 1, 1, -1):
                moved = everyone[rng.random(len(pictures)) < 0.5]
                down, right = rng.integers(-1, 1, (2, len(moved)))
                there = (moved, row_ + down, column + right)
                here = shuffled[moved, row_, column]
                shuffled[moved, row_, column] = shuffled[there]
                shuffled[there] = here
    return _blur(shuffled, 0.7)


def motion_blur(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Average 21 pixels along a line, at an angle of up to 45° to either side that is drawn for each picture.

    The weights are those of one half of a Gaussian of 3 pixels: ImageMagick's ``-motion-blur 10x3``.
    """
    angles = rng.uniform(-np.pi / 4, np.pi / 4, len(pictures))
    steps = np.arange(21)
    weights = np.exp(-(steps**2) / (2 * 3**2))
    framed = np.pad(pictures, ((0, 0), (21, 21), (21, 21)), mode="edge")
    place = np.arange(SIDE) + 21
    everyone = np.arange(len(pictures))[:, None, None]
    blurred = np.zeros_like(pictures)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        rows = place + np.round(step * np.sin(angles)).astype(int)[:, None]
        columns = place + np.round(step * np.cos(angles)).astype(int)[:, None]
        blurred += weight * framed[everyone, rows[:, :, None], columns[:, None, :]]
    return blurred


def shear(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Slide each row past the next by the sine of 0.4, to either side."""
    return _warp(pictures, [[[np.cos(c), 0], [-np.sin(c), 1]] for c in 0.4 * _signs(rng, len(pictures))])


def scale(pictures: Floats, _rng: np.random.Generator) -> Floats:
    """Shrink to 0.7 of the size."""
    return _warp(pictures, [np.eye(2) / 0.7] * len(pictures))


def rotate(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Turn by 0.4 (23°) to either side."""
    turns = 0.4 * _signs(rng, len(pictures))
    return _warp(pictures, [[[np.cos(c), np.sin(c)], [-np.sin(c), np.cos(c)]] for c in turns])


def brightness(pictures: Floats, _rng: np.random.Generator) -> Floats:
    """Add half of full ink everywhere."""
    return pictures + 0.5


def translate(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Move by 3 pixels along both axes, in either direction with equal chances."""
    framed = np.pad(pictures, ((0, 0), (3, 3), (3, 3)))
    starts = 3 + 3 * _signs(rng, (len(pictures), 2))
    return np.stack([picture[y : y + SIDE, x : x + SIDE] for picture, (y, x) in zip(framed, starts, strict=True)])


def stripe(pictures: Floats, _rng: np.random.Generator) -> Floats:
    """Invert the left and the right quarter."""
    outer = np.abs(np.arange(SIDE) - CENTRE) > 7
    return np.where(outer, 1 - pictures, pictures)


def fog(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Add three times as much fog as ink: a corner of a fractal landscape, its roughness falling by 1.4² a scale."""
    most = pictures.max(axis=(1, 2), keepdims=True)
    layers = np.stack([landscape(256, 1.4, rng)[:SIDE, :SIDE] for _ in pictures])
    return (pictures + 3 * layers) * most / (most + 3)


def spatter(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Cover the picture with spots of a quarter of full ink."""
    wet = _blur(rng.normal(0.65, 0.3, pictures.shape), 1) > 0.65
    cover = _blur(wet.astype(np.float64), 1.5)
    cover[cover < 0.8] = 0
    return pictures * (1 - cover) + 63 / 255 * cover


def dotted_line(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Draw a straight line from side to side, two columns drawn and two left out in turn."""
    left, right = rng.integers(0, 27, (2, len(pictures)))
    drawn = np.arange(SIDE) // 2 % 2 == 1
    return pictures + drawn * line(np.zeros(len(pictures)), left, np.full(len(pictures), 27.0), right)


def zigzag(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Draw a zigzag, 2 pixels to either side and 8 long, from column 2 to 25, that falls or climbs by up to 5 rows."""
    start = rng.integers(0, 27, len(pictures)).astype(np.float64)
    angle = np.arctan2(rng.integers(-5, 5, len(pictures)), 23.0)
    length = 23 / np.cos(angle)
    corner = (np.zeros_like(length), np.zeros_like(length))
    drawn = pictures
    # Lengths are 23 to 23.6: corners at 2, 6, ..., 22, and the end on the axis.
    for number in range(7):
        along = np.full_like(length, 4 * number + 2) if number < 6 else length
        beside = np.full_like(length, 2.0 * (-1) ** number if number < 6 else 0.0)
        following = (
            along * np.cos(angle) - beside * np.sin(angle),
            along * np.sin(angle) + beside * np.cos(angle),
        )
        drawn = np.clip(drawn + line(2 + corner[0], start + corner[1], 2 + following[0], start + following[1]), 0, 1)
        corner = following
    return drawn


def canny_edges(pictures: Floats, _rng: np.random.Generator) -> Floats:
    """Leave only edges, after J. Canny, "A Computational Approach to Edge Detection" (1986).

    A blur of 1 pixel, Sobel gradients, and the ridges of their size: those above 0.1 that are connected to one above
    0.2.
    """
    smooth = ndimage.gaussian_filter(pictures, (0, 1, 1), mode="constant")
    # Pixels outside of the picture, which the blur took for background, do not count.
    smooth /= ndimage.gaussian_filter(np.ones((SIDE, SIDE)), 1, mode="constant")
    down, right = _gradient(smooth, 1), _gradient(smooth, 2)
    size = np.hypot(down, right)
    weak = _ridges(size, down, right) & (size >= 0.1)
    # Neighbours within a picture, corners included.
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = True
    pieces, count = ndimage.label(weak, structure)
    strong = np.zeros(count + 1, bool)
    strong[np.unique(pieces[weak & (size >= 0.2)])] = True
    return strong[pieces].astype(np.float64)


KINDS: Mapping[str, Corruption] = {
    function.__name__: function
    for function in (
        shot_noise, impulse_noise, glass_blur, motion_blur, shear, scale, rotate, brightness, translate, stripe, fog,
        spatter, dotted_line, zigzag, canny_edges,
    )
}  # fmt: skip
"""The corruptions by name, in the order of the paper."""


def line(c0: Floats, r0: Floats, c1: Floats, r1: Floats) -> Floats:
    """Draw a line on each of n pictures.

    Args:
        c0: columns where the lines start, shape ``(n,)``.
        r0: rows where they start.
        c1: columns where they end, ``c1 > c0``.
        r1: rows where they end.

    Returns:
        Shape ``(n, 28, 28)``: full ink on the line, ``1 + log(1 - d / 2.3)`` at ``d`` rows above or below it.
    """
    c0, r0, c1, r1 = (np.asarray(value, np.float64)[:, None] for value in (c0, r0, c1, r1))
    columns = np.arange(SIDE)
    height = r0 + (r1 - r0) / (c1 - c0) * (columns - c0)
    distance = np.abs(columns[:, None] - height[:, None, :])
    ink = np.clip(1 + np.log(1 - np.minimum(distance, 2.3 - 1e-10) / 2.3), 0, 1)
    within = (columns >= np.floor(c0)) & (columns < np.ceil(c1))
    return ink * within[:, None, :]


def landscape(side: int, decay: float, rng: np.random.Generator) -> Floats:
    """Make a fractal landscape by the diamond-square algorithm (A. Fournier, D. Fussell, L. Carpenter 1982).

    Args:
        side: width and height, a power of two.
        decay: the roughness is divided by it at each finer scale.
        rng: draws the bumps.

    Returns:
        Heights in [0, 1], shape ``(side, side)``, that continue at the opposite edges.
    """
    height = np.zeros((side, side), np.float32)
    rough, step = 100.0, side
    while step >= 2:
        half = step // 2
        corners = height[::step, ::step]
        # The middle of each square from its corners.
        square = corners + np.roll(corners, -1, 0)
        square += np.roll(square, -1, 1)
        height[half::step, half::step] = square / 4 + _bumps(rough, square.shape, rng)
        # Then the middle of each side from both its ends and the middles beside it.
        middles = height[half::step, half::step]
        upper = corners + np.roll(corners, -1, 1) + middles + np.roll(middles, 1, 0)
        height[::step, half::step] = upper / 4 + _bumps(rough, upper.shape, rng)
        left = corners + np.roll(corners, -1, 0) + middles + np.roll(middles, 1, 1)
        height[half::step, ::step] = left / 4 + _bumps(rough, left.shape, rng)
        rough /= decay
        step = half
    height -= height.min()
    return height / height.max()


def _bumps(rough: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    # Squared, as in the program of the paper.
    return (rng.random(shape, np.float32) * 2 - 1) * np.float32(rough * rough)


def _gradient(pictures: Floats, axis: int) -> Floats:
    """Return Sobel's gradient along rows (1) or columns (2); that of ndimage would smooth across pictures as well."""
    steps: Floats = ndimage.correlate1d(pictures, [-1, 0, 1], axis=axis)
    smooth: Floats = ndimage.correlate1d(steps, [1, 2, 1], axis=3 - axis)
    return smooth


def _ridges(size: Floats, down: Floats, right: Floats) -> NDArray[np.bool_]:
    """Return where ``size`` is not smaller than one step up and one step down the gradient; never on the border."""
    inner = size[:, 1:-1, 1:-1]
    dy, dx = down[:, 1:-1, 1:-1], right[:, 1:-1, 1:-1]
    steep = np.abs(dy) > np.abs(dx)
    larger, smaller = np.maximum(np.abs(dy), np.abs(dx)), np.minimum(np.abs(dy), np.abs(dx))
    # Between the neighbour straight ahead and the one diagonally ahead.
    share = np.divide(smaller, larger, out=np.zeros_like(larger), where=larger > 0)
    sy, sx = np.sign(dy).astype(int), np.sign(dx).astype(int)
    pictures, rows, columns = np.ogrid[: size.shape[0], 1 : SIDE - 1, 1 : SIDE - 1]
    ridge = larger > 0
    for way in (1, -1):
        straight = size[pictures, rows + way * np.where(steep, sy, 0), columns + way * np.where(steep, 0, sx)]
        diagonal = size[pictures, rows + way * sy, columns + way * sx]
        ridge &= inner >= straight * (1 - share) + diagonal * share
    return np.pad(ridge, ((0, 0), (1, 1), (1, 1)))


def _warp(pictures: Floats, matrices: list[list[list[float]]] | list[Floats]) -> Floats:
    """Look each pixel up (bilinearly, background outside) at matrix × its row and column from the centre."""
    centre = np.full(2, CENTRE)
    return np.stack(
        [
            ndimage.affine_transform(picture, matrix, centre - matrix @ centre, order=1, mode="constant")
            for picture, matrix in zip(pictures, map(np.asarray, matrices), strict=True)
        ]
    )


def _blur(pictures: Floats, sigma: float) -> Floats:
    blurred: Floats = ndimage.gaussian_filter(pictures, (0, sigma, sigma), mode="nearest")
    return blurred


def _signs(rng: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
    return rng.choice([-1, 1], shape)


if __name__ == "__main__":
    main()
