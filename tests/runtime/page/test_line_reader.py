"""The models of lines that ship: printed lines are read, and what is no line model is refused."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import ModelError, PictureError
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL, line_paths
from edge_digits_runtime.page.formats import Format
from edge_digits_runtime.page.line import EMPTY, NO_NUMBER, LineReader
from PIL import Image, ImageDraw, ImageFont

LARGEST = {"line-m": 400_000, "line-s": 120_000}


# A device has line-m alone; line-s comes with the other models.
@pytest.fixture(scope="module", params=line_paths())
def reader(request: pytest.FixtureRequest) -> LineReader:
    return LineReader(request.param)


def printed(text: str, paper: int = 255, ink: int = 0) -> Image.Image:
    font = ImageFont.load_default(48)
    picture = Image.new("L", (60 + int(font.getlength(text)), 80), paper)
    ImageDraw.Draw(picture).text((30, 12), text, ink, font)
    return picture


def test_models_are_as_small_as_promised() -> None:
    assert "line-m" in line_paths()
    for name, path in line_paths().items():
        file = read_model_file(path)
        assert len(file.content) <= LARGEST[name]
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
    sure = LineReader(min_confidence=0.0).read(picture)
    unsure = LineReader(min_confidence=1.0).read(picture)
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


def test_lines_that_are_read_together_are_read_as_alone(reader: LineReader) -> None:
    pictures = [np.asarray(printed(text)) for text in ("7", "20/07/2021", "3.5", "", "-307", "1", "4", "12")]
    together = reader.read_all(pictures)
    assert [line.text for line in together] == [reader.read(picture).text for picture in pictures]


def test_a_line_longer_than_the_input_is_read_whole(reader: LineReader) -> None:
    text = "49 30 1234567 8901 2345 678"
    line = reader.read(printed(text))
    assert line.text.replace(" ", "") == text.replace(" ", "")
    ends = [character.box[0] + character.box[2] for character in line.characters]
    assert ends == sorted(ends)
    assert ends[-1] > 0.9 * np.asarray(printed(text)).shape[1]


def test_what_does_not_fit_the_format_is_not_sure(reader: LineReader) -> None:
    picture = printed("4.50")
    assert reader.read(picture, Format(r"\d\.\d\d")).sure
    misfit = reader.read(picture, Format("date"))
    assert not misfit.sure
