"""Make a data set of 40 classes, printed letters, digits and signs, to train on as on pictures of one's own.

    uv run python benchmarks/accuracy/letters.py runs/letters.npz
    uv run edge-digits data runs/letters.npz --input crop --html letters.html
    uv run edge-digits train crop-s --data runs/letters.npz --input crop --out runs/letters
    uv run edge-digits convert runs/letters --int8
    uv run edge-digits report runs/letters -o runs/letters/report

The glyphs are those that ``edge_digits_train.lines.typefaces`` has, one picture of each of 554 faces. Test pictures are
of the faces that it holds out: no family is on both sides. The groups of the others are the first words of their names,
so validation has families of its own, too. In some faces O and 0, or I and 1, are the same.
"""

import argparse
import string
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from edge_digits_runtime.data.classes import in_order
from edge_digits_runtime.records import files
from edge_digits_train.lines import typefaces
from numpy.typing import NDArray
from PIL import Image

CLASSES: Mapping[str, str] = {
    **{character: character for character in string.digits + string.ascii_uppercase},
    **{"plus": "+", "minus": "-", "percent": "%", "euro": "€"},
}
"""The character that each class is drawn with."""
SIDE = 40
_PAPER, _INK = (170, 255), (0, 90)
_HEIGHT = (20, 30)
"""Range of the height of a digit in pixels."""


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    parser.add_argument("--each", type=int, metavar="N", help="faces of each kind  [all]")
    options = parser.parse_args()
    arrays = make(typefaces.unpack(options.each), np.random.default_rng(0))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(options.out) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    print(f"{options.out}: {len(arrays['x_train']):,} pictures for training, {len(arrays['x_test']):,} for testing")


def make(faces: typefaces.Typefaces, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a data set with its own split: a picture of each class in each face that has it."""
    names = in_order(CLASSES)
    parts: dict[bool, list[tuple[NDArray[np.uint8], int, str]]] = {False: [], True: []}
    for face, title in enumerate(faces.names):
        for label, name in enumerate(names):
            if faces.has(face, CLASSES[name]):
                picture = draw(faces.glyph(face, CLASSES[name])[0], rng)
                held_out = bool(faces.held_out[face])
                parts[held_out].append((picture, label, title if held_out else title.split()[0]))
    arrays: dict[str, NDArray[np.generic]] = {"class_names": np.array(names)}
    for part, pictures in (("train", parts[False]), ("test", parts[True])):
        images, labels, groups = zip(*pictures, strict=True)
        arrays |= {f"x_{part}": np.stack(images), f"y_{part}": np.array(labels, np.uint8)}
        arrays[f"groups_{part}"] = np.array(groups)
    return arrays


def draw(glyph: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a glyph printed near the middle of a picture, dark on light.

    Args:
        glyph: 255 is ink, digits about 40 pixels high.
        rng: of size, place and greys.
    """
    scale = min(rng.uniform(*_HEIGHT) / typefaces.HEIGHT, SIDE / max(glyph.shape))
    ink = typefaces.resized(glyph, scale, scale)
    height, width = ink.shape
    top, left = (int(np.clip((SIDE - side) / 2 + rng.uniform(-3, 3), 0, SIDE - side)) for side in ink.shape)
    paper, dark = rng.uniform(*_PAPER), rng.uniform(*_INK)
    picture = np.full((SIDE, SIDE), paper)
    picture[top : top + height, left : left + width] -= (paper - dark) * (ink / 255)
    return np.asarray(Image.fromarray((picture + rng.normal(0, 4, picture.shape)).clip(0, 255).astype(np.uint8)))


if __name__ == "__main__":
    main()
