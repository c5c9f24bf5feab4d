"""Measure line models on real pictures, and on lines composed of cells of writers that no model was trained on.

    python benchmarks/accuracy/lines.py line-m line-s --data DATA

The folder of ``--data`` has ``cases/cells`` and ``cases/cheque_amounts`` (pictures and a ``labels.csv`` of file and
text) and, in ``data/real``, the collections kensanata, nsysu_digits, semeion, hwd1000 and number_photos; what is not
there is left out. Composed lines are seeded: digits of one collection with drawn signs between them, in made
surroundings. The digits of meters are those that no training line has.

A text is right if its characters are, apart from spaces and signs of currency, which the labels of some sets leave out.
"silently wrong" are lines that are called sure at the threshold of the model's card and whose text is wrong.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.data.line_metrics import LineScore, score
from edge_digits_runtime.page.line import LineReader
from edge_digits_train.lines import generator, grammar, layout, library, photo, writing
from edge_digits_train.lines.charset import label_of
from edge_digits_train.lines.hand import draw_hand
from edge_digits_train.lines.library import Library
from numpy.typing import NDArray
from PIL import Image

Pictures = NDArray[np.uint8]
COMPOSED = {"kensanata": 101, "nsysu_digits": 102, "semeion": 103, "hwd1000": 104}
"""The seed of the lines composed of each collection."""
_LONGEST_COMPOSED = 14
_WHEELS, _WHEELS_SEED = 400, 3
_MADE_SEED = 424_242


@dataclass(frozen=True)
class LineSet:
    """Grey pictures of lines and what they say."""

    name: str
    pictures: Sequence[Pictures]
    texts: Sequence[str]


def main() -> None:
    """Print a table of the models that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a .tflite, or the name of an installed model")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--composed", type=int, default=500, metavar="N", help="lines of each collection")
    parser.add_argument("--made", type=int, default=2_000, metavar="N", help="made lines of held-out writers and fonts")
    options = parser.parse_args()
    readers = {Path(model).stem: LineReader(model) for model in options.models}
    columns = [f"{name}: exact | digits | sure | silently wrong | CPU ms" for name in readers]
    print("| set | lines |", " | ".join(columns), "|")
    print("|---|--:|" + "--:|" * (5 * len(readers)))
    for lines in sets(options.data, options.composed, options.made):
        cells = [cell for reader in readers.values() for cell in _cells(*measure(reader, lines))]
        print(f"| {lines.name} | {len(lines.texts)} |", " | ".join(cells), "|", flush=True)


def sets(folder: Path, composed_count: int, made_count: int) -> Iterator[LineSet]:
    """Yield the sets that ``folder`` has, one after another."""
    real = folder / "data" / "real"
    for name, path in (("cells", "cells"), ("cheque amounts", "cheque_amounts")):
        if (folder / "cases" / path).is_dir():
            yield _listed(name, folder / "cases" / path)
    if (real / "number_photos").is_dir():
        yield _photographs(real / "number_photos" / "images")
    if (real / "kensanata").is_dir():
        yield _page_cells(real / "kensanata")
    stored = library.load(library.library_folder(), held_out=True)
    yield _wheels(stored)
    for name, seed in COMPOSED.items():
        if (real / name).is_dir() and composed_count:
            yield composed(name, *_collection(real / name), composed_count, seed, stored)
    if made_count:
        drawn = [generator.draw_line(np.random.default_rng((_MADE_SEED, n)), stored) for n in range(made_count)]
        yield LineSet("made lines, held out", [picture for picture, _ in drawn], [label for _, label in drawn])


def measure(reader: LineReader, lines: LineSet) -> tuple[LineScore, float]:
    """Read all lines of a set; return the counts and the milliseconds of processor time that a line took."""
    began = time.process_time()
    read = [reader.read(picture) for picture in lines.pictures]
    taken = (time.process_time() - began) / len(read) * 1e3
    texts = [_plain(line.text) for line in read]
    return score([_plain(text) for text in lines.texts], texts, [line.sure for line in read]), taken


def composed(
    name: str, cells: Sequence[Pictures], labels: Sequence[int], count: int, seed: int, stored: Library
) -> LineSet:
    """Compose lines of the digits of one collection.

    Args:
        name: of the collection.
        cells: single digits, 255 is ink.
        labels: of each.
        count: number of lines.
        seed: of the lines.
        stored: the held-out library; letters and signs are drawn with it.
    """
    glyphs: dict[int, list[Pictures]] = {digit: [] for digit in range(10)}
    for cell, label in zip(cells, labels, strict=True):
        ink = _cut_out(cell)
        if ink is not None:
            glyphs[label].append(ink)
    tall = float(np.median([ink.shape[0] for options in glyphs.values() for ink in options]))
    pictures, texts = [], []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        text = grammar.text(rng, _LONGEST_COMPOSED)
        room = layout.margins(rng, len(text))
        manner = draw_hand(rng, room.size, stored)
        manner.slant, manner.gap = min(manner.slant, 0.2), max(manner.gap, 0.06)
        # About the pen of the collections.
        manner.pen = room.size * rng.uniform(0.03, 0.05)
        writer = _CellWriter(stored, manner, rng, room.size * (len(text) * 3 + 6))
        writer.glyphs, writer.tall = glyphs, tall
        writer.write(text)
        written = layout.Written(writer.ink, writer.top, writer.base, writer.boxes)
        ink, top, base, shift = layout.place(written, room)
        boxes = [(left + shift, right + shift, character) for left, right, character in written.boxes]
        grey = photo.toned(ink, layout.rules(ink, top, base, boxes, rng), None, rng)
        if rng.random() < 0.6:
            grey = photo.warp(grey, rng)
        if rng.random() < 0.5:
            grey = photo.light(grey, rng)
        pictures.append(photo.camera(grey, rng, stored.noise, base - top, even=False))
        texts.append(label_of(text))
    return LineSet(f"composed of {name}", pictures, texts)


class _CellWriter(writing.Writer):
    """Takes its digits from pictures of one collection; the signs are drawn."""

    glyphs: dict[int, list[Pictures]]
    tall: float
    """Height of a usual digit of the collection in its own pixels."""

    def _digit(self, digit: int, size: float, lift: float) -> None:
        options = self.glyphs[digit]
        ink = options[int(self._rng.integers(len(options)))]
        scale = size / self.tall
        high, wide = max(2, round(ink.shape[0] * scale)), max(1, round(ink.shape[1] * scale))
        drawn = np.asarray(Image.fromarray(ink).resize((wide, high), Image.Resampling.BILINEAR))
        # On the baseline, or centred.
        foot = (size - high) / 2 if self._rng.random() < 0.3 else 0.0
        y, x = max(round(self.base - lift - foot - high), 0), round(self.x)
        place = self.ink[y : y + high, x : x + wide]
        np.maximum(place, drawn[: place.shape[0], : place.shape[1]], out=place)
        self.x += wide


def _cut_out(cell: Pictures) -> Pictures | None:
    """Return the ink of a cell cut to its box; None where there is none."""
    low, high = np.percentile(cell, (50, 99.5))
    if high - low < 12:
        return None
    ink = np.clip(((cell.astype(np.float32) - low) / (high - low) - 0.1) / 0.8 * 255, 0, 255).astype(np.uint8)
    rows, columns = np.flatnonzero((ink > 60).any(1)), np.flatnonzero((ink > 60).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) >= 5 else None


def _collection(folder: Path) -> tuple[Sequence[Pictures], Sequence[int]]:
    """Return the single digits of a collection, 255 is ink, and their labels."""
    if (folder / "labels.csv").is_file():
        rows = _rows(folder / "labels.csv")
        return [255 - _grey(folder / row["file"]) for row in rows], [int(row["label"]) for row in rows]
    with np.load(folder / f"{folder.name}.npz") as stored:
        arrays = [stored[name] for name in stored.files]
    pictures = next(array for array in arrays if array.ndim >= 3)
    labels = next(array for array in arrays if array.ndim == 1 and len(array) == len(pictures))
    scaled = pictures.reshape(*pictures.shape[:2], -1).astype(np.float32) * (255 / max(float(pictures.max()), 1.0))
    if np.median(scaled) > 127:
        scaled = 255 - scaled
    return list(scaled.astype(np.uint8)), labels.astype(int).tolist()


def _listed(name: str, folder: Path) -> LineSet:
    rows = _rows(folder / "labels.csv")
    return LineSet(name, [_grey(folder / row["file"]) for row in rows], [row["text"] for row in rows])


def _photographs(folder: Path) -> LineSet:
    """The two photographs of rows of numbers, cut to lines by hand."""
    first, second = _grey(folder / "n13.jpg"), _grey(folder / "n25.jpg")
    cuts: dict[str, Pictures] = {
        "12345": first[290:440, 60:680],
        "67891": first[290:440, 950:1590],
        "23456": first[620:780, 60:720],
        "19773": first[620:780, 930:1500],
        "12345 67891": first[280:450, 40:1600],
        "23456 19773": first[620:780, 40:1540],
        "735426": second,
    }
    return LineSet("photographed lines", list(cuts.values()), list(cuts))


def _page_cells(folder: Path) -> LineSet:
    """The 600 cells of the page of kensanata, one digit each."""
    page = _grey(folder / "page.png")
    left, top, step, inset = 108.5, 66.5, 113.45, 5
    pictures, texts = [], []
    for row, line in enumerate(list(csv.reader((folder / "page_grid.csv").open()))[1:]):
        for column, digit in enumerate(line[1:]):
            x, y = left + column * step + inset, top + row * step + inset
            pictures.append(page[round(y) : round(y + step - 2 * inset), round(x) : round(x + step - 2 * inset)])
            texts.append(digit)
    return LineSet("cells of a page", pictures, texts)


def _wheels(stored: Library) -> LineSet:
    chosen = np.random.default_rng(_WHEELS_SEED).permutation(len(stored.wheels))[:_WHEELS]
    return LineSet("digits of meters", list(stored.wheels[chosen]), [str(stored.wheel_digits[n]) for n in chosen])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _grey(path: Path) -> Pictures:
    return np.asarray(Image.open(path).convert("L"))


def _plain(text: str) -> str:
    return "".join(character for character in text if character not in " €$£")


def _cells(counted: LineScore, milliseconds: float) -> list[str]:
    whole = counted.lines < 100
    shown: Callable[[int], str] = str if whole else lambda count: f"{count / counted.lines:.3f}"
    counts = (counted.exact, counted.digits, counted.sure, counted.silently_wrong)
    return [*map(shown, counts), f"{milliseconds:.2f}"]


if __name__ == "__main__":
    main()
