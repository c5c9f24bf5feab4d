"""Photographs, scans and drawings of others are read as they were when they were added: see ../pictures/README.md."""

from pathlib import Path

import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.page import digit_reading
from edge_digits_runtime.page.reading import SHORTER_SIDE, PageReader

PICTURES = Path(__file__).parents[1] / "pictures"
DOUBTFUL = {"drawn-257-1.jpg"}
"""Right, but not sure: the 1 has a flag like that of a 7."""
DOUBTFUL_NUMBERS = {"23456"}
"""Likewise: its two looks do not agree well enough."""


@pytest.fixture(scope="module")
def classifier() -> DigitClassifier:
    return DigitClassifier()


@pytest.fixture(scope="module")
def reader() -> PageReader:
    return PageReader()


@pytest.mark.parametrize("file", sorted(PICTURES.glob("[sd]*-*")), ids=lambda file: file.stem)
def test_a_digit(file: Path, classifier: DigitClassifier) -> None:
    kind, first, second = file.stem.split("-")
    prediction = classifier.classify(file)
    assert prediction.label == (first if kind == "scan" else second)
    assert prediction.sure or file.name in DOUBTFUL, prediction.reason


@pytest.mark.parametrize("file", sorted(PICTURES.glob("photo-*")), ids=lambda file: file.stem)
def test_a_photograph_of_numbers(file: Path, classifier: DigitClassifier, reader: PageReader) -> None:
    wanted = [line.replace("_", " ") for line in file.stem.split("-")[1:]]
    page = reader.read(open_picture(file, SHORTER_SIDE))
    assert page.rows() == wanted
    assert {line.text for line in page.lines if not line.sure} <= DOUBTFUL_NUMBERS
    assert list(digit_reading.read(open_picture(file, SHORTER_SIDE), classifier).lines) == wanted


def test_none_is_missing() -> None:
    counts = {kind: len(list(PICTURES.glob(f"{kind}-*"))) for kind in ("scan", "drawn", "photo")}
    assert counts == {"scan": 30, "drawn": 20, "photo": 2}
