"""Measure how often the runtime is sure about pictures that are no digit, and about digits.

    uv run python benchmarks/accuracy/not_digits.py [MODEL ...] --data FOLDER [--fonts FILE ...] [--photos FOLDER]

MODEL is a ``.tflite`` or the name of an installed model; without one, the default model is measured. The figures are in
docs/guide/pictures.md.

No picture here is made as `edge_digits_train.augment.outliers` makes them: the letters have other fonts (matplotlib's
Computer Modern and those of ``--fonts``), scribbles and faces are drawn by other rules, photographs are parts of the
two that scikit-learn brings and the pictures of ``--photos``. Each picture goes through the same call as on the device.
The sets of digits are those of ``benchmarks/accuracy/real_pictures.py``.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.picture import digit_pixels, is_picture_name, open_picture
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_train.data import mnist
from PIL import Image, ImageDraw, ImageFont
from real_pictures import classified, heading, report
from synthetic import photograph

LETTERS = "ACEFHKLMNPRTUVWXacdefhkmnprtuvwx"
LIKE_DIGITS = "BDGIJOQSYZbgijloqsyz"
"""Letters that may be a digit when written by hand; to be sure about these is no mistake."""
SEED = 2027
COUNT = 200
"""Pictures of each set that is drawn at random."""
Pictures = Iterable[Image.Image]


def main() -> None:
    """Print a table of pictures that are no digit, and one of digits: a row for each set, a column for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="MODEL")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the folder with the sets of digits")
    parser.add_argument("--fonts", type=Path, nargs="*", default=[], help="more fonts to take letters from")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="a folder of pictures without digits")
    options = parser.parse_args()
    classifiers = [DigitClassifier(model) for model in options.models]
    heading("no digit, called sure", classifiers)
    for name, others in no_digits(options.fonts, options.photos):
        report(name, *sure(classifiers, others))
    print()
    heading("digits, not sure", classifiers)
    test = mnist.load().test
    for name, pictures in classified(test, options.data):
        counts, count = sure(classifiers, (image for image, _ in pictures))
        report(name, [count - each for each in counts], count)
    raw = [each.classify_batch(test.images).sure for each in classifiers]
    report("MNIST test, its raw pixels", [int((~each).sum()) for each in raw], len(test))


def sure(classifiers: list[DigitClassifier], pictures: Pictures) -> tuple[list[int], int]:
    """Return how many of the pictures each model is sure about, and how many pictures there are."""
    found = [digit_pixels(image) for image in pictures]
    return [sum(each.classify_prepared(pixels).sure for pixels in found) for each in classifiers], len(found)


def no_digits(fonts: Iterable[Path], photos: Path | None) -> Iterator[tuple[str, Pictures]]:
    """Yield the name and the pictures of each set that has no digits."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    own = [folder / f"cm{style}10.ttf" for style in ("r", "b", "ss", "tt")]
    yield "letters, Computer Modern", letters(own, LETTERS)
    if fonts := list(fonts):
        yield f"letters, {len(fonts)} more fonts", letters(fonts, LETTERS)
    yield "letters that are like digits", letters([*own, *fonts], LIKE_DIGITS)
    rng = np.random.default_rng(SEED)
    yield "scribbles", (scribble(rng) for _ in range(COUNT))
    yield "drawn faces", (face(rng) for _ in range(COUNT))
    yield "parts of photographs", parts_of_photographs(rng)
    if photos is not None:
        yield "pictures given", (open_picture(file) for file in sorted(photos.iterdir()) if is_picture_name(file))
    yield "noise", (noise(rng) for _ in range(COUNT))
    yield "blank paper", (photograph(np.zeros((28, 28), np.uint8), rng) for _ in range(COUNT))


def letters(fonts: Iterable[Path], which: str) -> Iterator[Image.Image]:
    """Yield each letter in each font, black on white."""
    for file in fonts:
        font = ImageFont.truetype(file, 90)
        for letter in which:
            picture = Image.new("L", (160, 160), 255)
            ImageDraw.Draw(picture).text((80, 80), letter, 0, font, anchor="mm")
            yield picture


def scribble(rng: np.random.Generator) -> Image.Image:
    """Draw with a pen whose direction drifts, now slowly, now fast, and that turns back at the edge of the paper."""
    side = 200
    picture = Image.new("L", (side, side), 250)
    draw = ImageDraw.Draw(picture)
    width = int(rng.integers(3, 10))
    place, heading, bend = rng.uniform(60, 140, 2), rng.uniform(0, 2 * np.pi), 0.0
    for _ in range(int(rng.integers(90, 220))):
        bend = 0.85 * bend + rng.normal(0, 0.12)
        heading += bend
        step = 8 * np.array([np.cos(heading), np.sin(heading)])
        if ((place + step < 25) | (place + step > side - 25)).any():
            heading += np.pi * rng.uniform(0.6, 1.4)
            continue
        draw.line([*place, *(place + step)], 20, width)
        draw.ellipse([*(place + step - width / 2), *(place + step + width / 2)], 20)
        place = place + step
    return picture


def face(rng: np.random.Generator) -> Image.Image:
    """Draw a face in a few lines: outline, eyes, nose, mouth, perhaps hair."""
    picture = Image.new("L", (200, 240), 245)
    draw = ImageDraw.Draw(picture)
    width = int(rng.integers(2, 7))
    wide, tall = rng.uniform(50, 75), rng.uniform(70, 95)
    draw.ellipse([100 - wide, 120 - tall, 100 + wide, 120 + tall], outline=20, width=width)
    eye, apart, above = rng.uniform(5, 12), rng.uniform(0.35, 0.5) * wide, rng.uniform(0.15, 0.35) * tall
    for x in (100 - apart, 100 + apart):
        y = 120 - above
        draw.ellipse([x - eye, y - eye / 2, x + eye, y + eye / 2], outline=20, width=width)
    draw.line([100, 120 - above / 2, 100 - 8, 130, 104, 132], 20, width)
    smile, low = rng.uniform(0.3, 0.5) * wide, 120 + rng.uniform(0.35, 0.5) * tall
    start, end = (10, 170) if rng.random() < 0.7 else (190, 350)
    draw.arc([100 - smile, low - 15, 100 + smile, low + 15], start, end, 20, width)
    if rng.random() < 0.6:
        for x in rng.uniform(100 - wide, 100 + wide, 25):
            top = 120 - tall * np.sqrt(max(0.0, 1 - ((x - 100) / wide) ** 2))
            draw.line([x, top - 12, x + rng.uniform(-8, 8), top + rng.uniform(5, 30)], 20, width)
    return picture


def parts_of_photographs(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Yield square parts of photographs of a temple and of a flower."""
    from sklearn.datasets import load_sample_images

    images = load_sample_images().images
    for number in range(COUNT):
        photo = Image.fromarray(images[number % len(images)])
        side = int(rng.integers(100, 400))
        left, top = int(rng.integers(0, photo.width - side)), int(rng.integers(0, photo.height - side))
        yield photo.crop((left, top, left + side, top + side))


def noise(rng: np.random.Generator) -> Image.Image:
    """Draw grey or coloured noise, fine or coarse."""
    side, depth = int(rng.integers(28, 200)), (3,) if rng.random() < 0.5 else ()
    small = rng.integers(0, 256, (side // int(rng.integers(1, 8)),) * 2 + depth).astype(np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BILINEAR)


if __name__ == "__main__":
    main()
