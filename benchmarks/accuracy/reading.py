"""Measure `read` on whole pictures, beside RapidOCR and tesseract on the same ones.

    python benchmarks/accuracy/reading.py make PICTURES --data DATA
    python benchmarks/accuracy/reading.py measure PICTURES --engine read
    python benchmarks/accuracy/reading.py measure PICTURES --engine rapidocr
    python benchmarks/accuracy/reading.py measure PICTURES --engine tesseract

``make`` writes a folder for each set, with pictures and a ``labels.csv`` of file and text, from ``DATA`` (as for
``lines.py``) and from seeds. ``measure`` needs numpy and Pillow beside its engine, so that RapidOCR can have an
environment of its own.

A text is right if its characters are, apart from spaces, line breaks and signs of currency. Digits: all digits in
order. "Silently wrong" are pictures in which all is called sure and something is wrong; of the other engines, those
whose every line has a confidence of `OCR_SURE` or more. Of pages without numbers, what is right is to read no digit.
"""

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

OCR_SURE = 0.9
"""Confidence from which on a line of another engine counts as sure."""
_COMPOSED = 500
_TEXT_PAGES, _TEXT_SEED = 50, 77
_NUMBER_PAGES, _NUMBER_SEED = 24, 78
Answer = tuple[str, bool]
Engine = Callable[[Path], Answer]


def main() -> None:
    """Make the pictures, or measure one engine on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("make")
    make.add_argument("folder", type=Path)
    make.add_argument("--data", type=Path, required=True)
    make.add_argument("--composed", type=int, default=_COMPOSED, metavar="N", help="lines of each collection")
    measure = verbs.add_parser("measure")
    measure.add_argument("folder", type=Path)
    measure.add_argument("--engine", choices=("read", "rapidocr", "tesseract"), default="read")
    measure.add_argument("--sets", nargs="*", metavar="SET")
    measure.add_argument("--count", type=int, metavar="N", help="only the first N pictures of each set")
    measure.add_argument("--model", help="a line model for 'read', by name or file")
    measure.add_argument("--show", action="store_true", help="print what was read wrong")
    options = parser.parse_args()
    if options.verb == "make":
        for name, pictures in _made(options.data, options.composed):
            _write(options.folder / name, pictures)
        return
    engine = {"read": lambda: _read(options.model), "rapidocr": _rapidocr, "tesseract": lambda: _tesseract}[
        options.engine
    ]()
    print("| set | pictures | exact | digits | sure | right and sure | silently wrong | seconds a picture |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for folder in sorted(path for path in options.folder.iterdir() if path.is_dir()):
        if not options.sets or folder.name in options.sets:
            _measure(folder, engine, options.show, options.count)


def _write(folder: Path, pictures: list[tuple[Image.Image, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "text"])
        for number, (picture, text) in enumerate(pictures):
            picture.save(folder / f"{number:04d}.png")
            writer.writerow([f"{number:04d}.png", text])


def _measure(folder: Path, engine: Engine, show: bool, count: int | None) -> None:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[:count]
    exact = digits = sure = both = 0
    # The first picture also loads what is loaded late.
    engine(folder / rows[0]["file"])
    began = time.perf_counter()
    for row in rows:
        text, is_sure = engine(folder / row["file"])
        wanted, got = _plain(row["text"]), _plain(text)
        # Words are no part of an answer where there are no numbers.
        right = wanted == got if wanted else not _digits(text)
        exact += right
        digits += _digits(wanted) == _digits(got)
        is_sure = is_sure and bool(wanted or _digits(text))
        sure += is_sure
        both += is_sure and right
        if show and not right:
            print(f"{row['file']}: {wanted} read {got}{' SURE' if is_sure else ''}", file=sys.stderr)
    seconds = (time.perf_counter() - began) / len(rows)
    figures = " | ".join(str(count) for count in (len(rows), exact, digits, sure, both, sure - both))
    print(f"| {folder.name} | {figures} | {seconds:.4f} |", flush=True)


def _plain(text: str) -> str:
    return "".join(character for character in text if not character.isspace() and character not in "|€$£")


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def _read(model: str | None) -> Engine:
    from edge_digits_runtime.image.picture import open_picture
    from edge_digits_runtime.page.reading import SHORTER_SIDE, PageReader

    reader = PageReader(model)

    def answer(path: Path) -> Answer:
        page = reader.read(open_picture(path, SHORTER_SIDE))
        return "|".join(page.rows()), page.sure

    return answer


def _rapidocr() -> Engine:
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=1)

    def answer(path: Path) -> Answer:
        pixels = np.asarray(Image.open(path).convert("RGB"))[:, :, ::-1]
        lines, _ = engine(pixels)
        if not lines:
            # As `read` does: what shows no line may be one.
            whole, _ = engine(pixels, use_det=False, use_cls=False)
            return " ".join(text for text, _ in whole or []), bool(whole) and float(whole[0][1]) >= OCR_SURE
        return "|".join(line[1] for line in lines), bool(lines) and all(float(line[2]) >= OCR_SURE for line in lines)

    return answer


def _tesseract(path: Path) -> Answer:
    table = subprocess.run(
        ["tesseract", str(path), "-", "--psm", "6", "tsv"],
        env={"OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    words = [row for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE) if row["text"]]
    words = [row for row in words if row["text"].strip()]
    sure = bool(words) and all(float(row["conf"]) >= 100 * OCR_SURE for row in words)
    return " ".join(row["text"] for row in words), sure


def _made(data: Path, composed: int) -> Iterator[tuple[str, list[tuple[Image.Image, str]]]]:
    """Yield the sets: their names, and their pictures with what they say."""
    import lines as line_sets
    from edge_digits_train.lines import library

    stored = library.load(library.library_folder(), held_out=True)
    names = {"cells", "cheque amounts", "digits of meters", *(f"composed of {name}" for name in line_sets.COMPOSED)}
    for each in line_sets.sets(data, composed, 0):
        if each.name in names:
            pictures = [Image.fromarray(picture) for picture in each.pictures]
            yield each.name.replace(" ", "-"), list(zip(pictures, each.texts, strict=True))
    real = data / "data" / "real"
    with (real / "number_photos" / "labels.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    columns = list(rows[0])
    photos = real / "number_photos"
    yield (
        "photographs",
        [(_opened(photos, row[columns[0]]), row[columns[1]]) for row in rows],
    )
    with (real / "kensanata" / "page_grid.csv").open(newline="", encoding="utf-8") as stream:
        grid = list(csv.reader(stream))[1:]
    yield "page-of-600", [(Image.open(real / "kensanata" / "page.png"), "|".join("".join(row[1:]) for row in grid))]
    sudoku = {
        "sudoku2_000.jpg": "647|769|58|7293|85|4317|52|328|231",
        "sudoku2_001.jpg": "8631|574163|6198|47|1854|725431|9324",
    }
    yield "sudokus", [(Image.open(data / "cases" / "sudoku" / name), text) for name, text in sudoku.items()]
    yield "pages-of-text", [(_text_page(number, stored), "") for number in range(_TEXT_PAGES)]
    yield "pages-turned", [_number_page(number, stored) for number in range(_NUMBER_PAGES)]


def _opened(folder: Path, name: str) -> Image.Image:
    path = folder / name
    return Image.open(path if path.is_file() else folder / "images" / name)


def _text_page(number: int, stored: object) -> Image.Image:
    """Return a page of printed or handwritten words."""
    from edge_digits_train.lines import page_items, pages

    rng = np.random.default_rng((_TEXT_SEED, number))
    size = float(np.exp(rng.uniform(np.log(14), np.log(36))))
    sheet = pages.Sheet(size, 1100)
    words = [page_items.draw_words(rng, stored) for _ in range(40)]  # type: ignore[arg-type]
    y = 60 + size
    while y < 1050:
        x = 60.0
        while x < 900:
            x = sheet.put(words[int(rng.integers(40))], x, y, size) + 0.4 * size
        y += size * 1.9
    return Image.fromarray((250 - sheet.ink * np.float32(0.9)).astype(np.uint8))


def _number_page(number: int, stored: object) -> tuple[Image.Image, str]:
    """Return a page of numbers, turned by a quarter, a half or three quarters of a circle, and what it says."""
    from edge_digits_train.lines import grammar, page_items, pages

    rng = np.random.default_rng((_NUMBER_SEED, number))
    size = float(rng.uniform(18, 32))
    sheet = pages.Sheet(size, 700)
    texts = []
    y = 60 + size
    while y < 640:
        text = grammar.number(rng, 4, 8)
        sheet.put(page_items.draw(rng, stored, text), 80.0, y, size)  # type: ignore[arg-type]
        texts.append(text)
        y += size * 2.4
    page = (240 - sheet.ink * np.float32(0.8)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.rot90(page, 1 + number % 3))), "|".join(texts)


if __name__ == "__main__":
    main()
