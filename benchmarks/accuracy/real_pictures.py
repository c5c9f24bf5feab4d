"""Measure how well pictures are read that are not MNIST's own pixels.

    uv run python benchmarks/accuracy/real_pictures.py [MODEL ...] --data FOLDER

MODEL is a ``.tflite`` or the name of an installed model; without one, the default model is measured. FOLDER holds the
sets that docs/guide/pictures.md lists; sets that are missing are left out. Synthetic photographs and MNIST as pictures
need no folder. Each picture goes through the same steps as on the device; it is preprocessed once for all models. The
figures are in docs/guide/pictures.md and docs/research/frontier.md.
"""

import argparse
import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.image.picture import digit_pixels, open_picture
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.page import digit_reading, reading
from edge_digits_train.data import mnist
from numpy.typing import NDArray
from PIL import Image
from robustness import title
from synthetic import boxed, number, photograph, struck, table

Labelled = Iterable[tuple[Image.Image, int]]
Lines = Iterable[tuple[Image.Image, list[str]]]
"""Pictures of several digits, each with its lines."""
SYNTHETIC = 1000
"""Photographs of single digits that are drawn for each set."""
NUMBERS = 300
"""Photographs of several digits that are drawn for each set."""
SPACES = {"apart": (0.15, 0.5), "close": (-0.03, 0.03), "overlapping": (-0.15, -0.03)}
"""Smallest and largest space between the boxes of two digits, in heights of a digit."""
FORMS = (
    "in boxes",
    "in a table",
    "underlined",
    "with dashes",
    "with a plus",
    "with printed words",
    "with slashes",
)
SEED = 2026
_APART = str.maketrans("", "", f" {digit_reading.NO_DIGIT_MARK}")
"""Removes all characters of a line that are no digits."""


def main() -> None:
    """Print a table: a row for each set, a column for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="MODEL")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the folder with the sets")
    options = parser.parse_args()
    classifiers = [DigitClassifier(model) for model in options.models]
    heading("set", classifiers)
    test = mnist.load().test
    for name, pictures in classified(test, options.data):
        right = np.array([hits(classifiers, image, label) for image, label in pictures])
        report(name, right.sum(axis=0).tolist(), len(right))
    answers = [each.classify_batch(test.images).labels for each in classifiers]
    report("MNIST test, its raw pixels", [int((digits == test.labels).sum()) for digits in answers], len(test))
    for name, texts in written(test, options.data):
        read_all(name, texts, classifiers)


def hits(classifiers: list[DigitClassifier], image: Image.Image, label: int) -> list[bool]:
    """Return for each model whether it reads the picture right."""
    found = digit_pixels(image)
    return [each.classify_prepared(found).digit == label for each in classifiers]


def heading(name: str, classifiers: list[DigitClassifier]) -> None:
    """Print the head of a table with a row for each set of pictures and a column for each model."""
    print(f"| {name} | pictures | {' | '.join(map(title, classifiers))} |\n|---|---|{'---|' * len(classifiers)}")


def report(name: str, counts: list[int], count: int) -> None:
    """Print a row: how many of ``count`` pictures each model counts, as a share."""
    print(f"| {name} | {count:,} | {' | '.join(f'{100 * each / count:.2f} %' for each in counts)} |", flush=True)


def classified(test: Split, folder: Path | None) -> Iterator[tuple[str, Labelled]]:
    """Yield name and labelled pictures of each set of single digits; some are drawn of MNIST's ``test`` pictures."""
    yield "synthetic photographs", drawn(test, photograph, [SEED])
    yield "synthetic photographs, in a box", drawn(test, lambda digit, rng: boxed([digit], rng), [SEED, 1])
    yield "MNIST test, as pictures", arrays(test.images, test.labels)
    if folder is None:
        return
    for name, images, labels in (
        ("nsysu_digits", "images", "labels"),
        ("hwd1000", "images", "labels"),
        ("optdigits32", "x_test", "y_test"),
        ("semeion", "images", "labels"),
    ):
        file = folder / name / f"{name}.npz"
        if file.is_file():
            with np.load(file) as stored:
                yield name, arrays(stored[images], stored[labels])
    for name in ("kensanata", "drawn"):
        file = folder / name / "labels.csv"
        if file.is_file():
            yield name, listed(file)


def drawn(
    test: Split, make: Callable[[NDArray[np.uint8], np.random.Generator], Image.Image], seed: list[int]
) -> Labelled:
    """Return photographs that ``make`` draws of some of the ``test`` pictures, with their labels."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(test), SYNTHETIC, replace=False)
    return ((make(test.images[i], rng), int(test.labels[i])) for i in chosen)


def arrays(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Labelled:
    """Return arrays of pixels as pictures, with their labels."""
    return ((Image.fromarray(image), int(label)) for image, label in zip(images, labels, strict=True))


def listed(file: Path) -> Labelled:
    """Return the pictures that a ``labels.csv`` lists, with their labels."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [(open_picture(file.parent / row["file"]), int(row["label"])) for row in csv.DictReader(stream)]


def read_all(name: str, texts: Lines, classifiers: list[DigitClassifier]) -> None:
    """Print the rows of a set of pictures of several digits."""
    found, right, whole = ([0] * len(classifiers) for _ in range(3))
    count = pictures = 0
    for image, lines in texts:
        truth = "|".join(lines)
        digits = sum(character.isdigit() for character in truth)
        count, pictures = count + digits, pictures + 1
        for k, classifier in enumerate(classifiers):
            got = "|".join(digit_reading.read(image, classifier).lines)
            edits = alignment(got, truth)
            found[k] += digits - edits.missing
            right[k] += edits.right
            whole[k] += got.translate(_APART) == truth
    report(f"{name}, `read`: digits found", found, count)
    report(f"{name}, `read`: right and in order", right, count)
    if pictures > 1:
        report(f"{name}, `read`: pictures with every digit right", whole, pictures)


def written(test: Split, folder: Path | None) -> Iterator[tuple[str, Lines]]:
    """Yield name and pictures of each set of pictures of several digits, with their lines; spaces part numbers."""
    for name, gap in SPACES.items():
        yield f"synthetic numbers, {name}", numbers(test, gap)
    for kind in FORMS:
        yield f"synthetic digits, {kind}", forms(test, kind)
    if folder is None:
        return
    page = folder / "kensanata" / "page.png"
    if page.is_file():
        with (page.parent / "page_grid.csv").open(encoding="utf-8", newline="") as stream:
            rows = ["".join(row[1:]) for row in list(csv.reader(stream))[1:]]
        yield "kensanata page", [(open_picture(page, reading.SHORTER_SIDE), rows)]
    photos = folder / "number_photos" / "labels.csv"
    if photos.is_file():
        with photos.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                picture = open_picture(photos.parent / row["file"], reading.SHORTER_SIDE)
                yield Path(row["file"]).name, [(picture, row["text"].split("|"))]


def numbers(test: Split, gap: tuple[float, float]) -> Lines:
    """Yield photographs of numbers of three to six of the ``test`` pictures, the same numbers for each ``gap``."""
    for seed in range(NUMBERS):
        rng = np.random.default_rng([SEED, seed])
        chosen = rng.integers(len(test), size=rng.integers(3, 7))
        yield number(test.images[chosen], rng, gap), [text(test, chosen)]


def forms(test: Split, kind: str) -> Lines:
    """Yield photographs of some of the ``test`` pictures with lines, signs or words around, under or between them."""
    for seed in range(NUMBERS):
        rng = np.random.default_rng([SEED, FORMS.index(kind), seed])
        if kind == "in a table":
            chosen = rng.integers(len(test), size=rng.integers(2, 5, 2))
            yield table([[test.images[k] for k in row] for row in chosen], rng), [text(test, row) for row in chosen]
            continue
        chosen = rng.integers(len(test), size=rng.integers(3, 7))
        digits = test.images[chosen]
        picture = boxed(digits, rng) if kind == "in boxes" else struck(digits, rng, kind.removeprefix("with "))
        yield picture, [text(test, chosen)]


def text(test: Split, chosen: NDArray[np.intp]) -> str:
    """Return the labels of the ``chosen`` pictures as text."""
    return "".join(map(str, test.labels[chosen]))


class Alignment(NamedTuple):
    """How the digits of a text differ from those that it should have."""

    right: int
    """Number of digits that agree."""
    missing: int
    """Number of digits that should be there and have nothing opposite them."""


def alignment(got: str, wanted: str) -> Alignment:
    """Align two texts with the fewest edits (Levenshtein 1966), and count digits."""
    costs = np.zeros((len(got) + 1, len(wanted) + 1), np.int32)
    costs[:, 0], costs[0] = np.arange(len(got) + 1), np.arange(len(wanted) + 1)
    for i, a in enumerate(got, 1):
        for j, b in enumerate(wanted, 1):
            costs[i, j] = min(costs[i - 1, j - 1] + (a != b), costs[i - 1, j] + 1, costs[i, j - 1] + 1)
    right = missing = 0
    i, j = len(got), len(wanted)
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (got[i - 1] != wanted[j - 1]):
            right += got[i - 1] == wanted[j - 1] and got[i - 1].isdigit()
            i, j = i - 1, j - 1
        elif i and costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
        else:
            missing += wanted[j - 1].isdigit()
            j -= 1
    return Alignment(right, missing)


if __name__ == "__main__":
    main()
