"""The models of lines that ship: printed lines are read, and what is no line model is refused."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import ModelError, PictureError
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.page.line import EMPTY, NO_NUMBER, LineReader
from PIL import Image, ImageDraw, ImageFont

MODELS = Path(__file__).parents[3] / "models" / "edge_digits_models" / "lines"
LARGEST = {"line-m": 400_000, "line-s": 120_000}


@pytest.fixture(scope="module", params=LARGEST)
def reader(request: pytest.FixtureRequest) -> LineReader:
    return LineReader(MODELS / f"{request.param}.tflite")


def printed(text: str, paper: int = 255, ink: int = 0) -> Image.Image:
    font = ImageFont.load_default(48)
    picture = Image.new("L", (60 + int(font.getlength(text)), 80), paper)
    ImageDraw.Draw(picture).text((30, 12), text, ink, font)
    return picture


def test_models_are_as_small_as_promised() -> None:
    for name, largest in LARGEST.items():
        file = read_model_file(MODELS / f"{name}.tflite")
        assert len(file.content) <= largest
        assert file.card is not None
        assert (file.card.name, file.card.scheme, file.card.input.kind) == (name, "int8", "line")
        assert "165 s on one NVIDIA H200" in file.card.data


@pytest.mark.parametrize("colours", [(255, 0), (20, 220), (150, 90)], ids=["dark on light", "light on dark", "pale"])
@pytest.mark.parametrize("text", ["-307", "20/07/2021", "3+4=7", "4.50"])
def test_printed_lines_are_read(reader: LineReader, text: str, colours: tuple[int, int]) -> None:
    line = reader.read(printed(text, *colours))
    assert line.text == text
    assert [character.text for character in line.characters] == list(text)
    lefts = [character.box[0] for character in line.characters]
    assert lefts == sorted(lefts)
    # The middle of each box is near the middle of the character.
    font = ImageFont.load_default(48)
    for index, character in enumerate(line.characters):
        expected = 30 + font.getlength(text[:index]) + font.getlength(text[index]) / 2
        assert abs(character.box[0] + character.box[2] / 2 - expected) < 30


def test_words_and_empty_pictures_are_not_sure(reader: LineReader) -> None:
    word = reader.read(printed("hello"))
    assert word.text == "?"
    assert (word.sure, word.reason) == (False, NO_NUMBER)
    empty = reader.read(np.full((40, 200), 230, np.uint8))
    assert (empty.text, empty.sure, empty.characters) == ("", False, ())
    assert empty.reason == EMPTY or empty.reason.startswith("confidence")


def test_below_its_threshold_a_line_is_not_sure() -> None:
    picture = printed("-307")
    sure = LineReader(MODELS / "line-m.tflite", min_confidence=0.0).read(picture)
    unsure = LineReader(MODELS / "line-m.tflite", min_confidence=1.0).read(picture)
    assert (sure.sure, sure.reason) == (True, None)
    assert sure.text == unsure.text == "-307"
    assert unsure.reason is not None
    assert unsure.reason.endswith("sure from 100%")


def test_pictures_are_taken_in_all_forms(tmp_path: Path, reader: LineReader) -> None:
    picture = printed("-307")
    picture.save(tmp_path / "line.png")
    expected = reader.read(picture)
    assert reader.read(tmp_path / "line.png") == expected
    assert reader.read((tmp_path / "line.png").read_bytes()) == expected
    assert reader.read(np.asarray(picture)) == expected
    assert reader.read(picture.convert("RGB")) == expected


@pytest.mark.parametrize(
    "array", [np.zeros((3, 4, 3), np.uint8), np.zeros((5, 5)), np.zeros((0, 5), np.uint8)], ids=str
)
def test_other_arrays_are_refused(reader: LineReader, array: np.ndarray) -> None:
    with pytest.raises(PictureError, match="allowed is uint8"):
        reader.read(array)


def test_a_classifier_is_no_line_reader() -> None:
    with pytest.raises(ModelError, match="takes input of kind ink; reading a line needs"):
        LineReader(DEFAULT_MODEL)
