"""Conversion of line readers: the file, its card, what is refused, and when a line is sure."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from edge_digits_convert import line_conversion
from edge_digits_convert.line_conversion import LinePictures, convert_lines, fit_temperature, smallest_sure_confidence
from edge_digits_runtime import signature
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.errors import EvaluationError, ModelError, RunError, UsageError
from edge_digits_runtime.image.model_input import LINE_SHAPE, Input
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.page.line import LineReader
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import MODEL
from edge_digits_train.engine import line_model
from edge_digits_train.engine.line_training import write_line_run
from edge_digits_train.lines.charset import LABELS
from edge_digits_train.recipes.line_recipe import CLASSES, STEPS, LineArchitecture, LineRecipe

from edge_digits.paired import pair

RECIPE = LineRecipe("tiny", "For tests.", LineArchitecture(4, (4, 4, 4, 4), 8, ((8, 3, 2),)))
HISTORY = {"loss": [1.0], "val_exact": [0.5], "seconds": [1.0]}


def lines(count: int, seed: int) -> LinePictures:
    pictures = np.random.default_rng(seed).integers(0, 256, (count, 32, 264)).astype(np.uint8)
    return LinePictures(pictures, ["12"] * count)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny-1"
    model = line_model.build(RECIPE)
    line_model.settle(model, lines(8, 0).pictures)
    test = lines(5, 3)
    split = Split(test.pictures, np.array(test.labels, np.str_))
    form = Input("line", *LINE_SHAPE)
    write_line_run(
        folder, RECIPE, model, HISTORY, 100, "made by hand", DataSet("noise", nothing(form), split, LABELS, form)
    )
    return folder


@pytest.fixture(scope="module")
def converted(run: Path) -> line_conversion.LineConversionResult:
    return convert_lines(run, LABELS, lines(4, 1), 7, lines(6, 2), lines(5, 3))


def test_the_file_has_a_card_of_kind_line(run: Path, converted: line_conversion.LineConversionResult) -> None:
    assert converted.path == run / "tiny-int8.tflite"
    card = read_model_file(converted.path).card
    assert card == converted.card
    assert card is not None
    assert (card.input.kind, card.input.height, card.input.width, card.input.version) == ("line", 32, 264, 1)
    assert card.labels == LABELS
    assert card.calibration is not None
    assert (card.calibration.count, card.calibration.seed) == (4, 7)
    assert card.weights_sha256 == LineRunRecord.load(run).weights_sha256
    assert card.data == "100 made lines; made by hand"
    texts = pair(np.array(converted.written), np.array(converted.float_texts), np.array(converted.texts))
    right = (texts.both_right + texts.won) / 5
    assert card.accuracy == {"validation": converted.exact, "test": right}
    assert card.reference is not None
    assert card.reference.accuracy["test"] == (texts.both_right + texts.lost) / 5


def test_an_original_that_was_tested_on_other_lines_is_refused(run: Path) -> None:
    with pytest.raises(EvaluationError, match="of other lines"):
        convert_lines(run, LABELS, lines(2, 0), 0, lines(2, 0), lines(5, 4))


def test_a_file_is_signed_where_a_key_is_given(run: Path, tmp_path: Path) -> None:
    for path, content in zip((tmp_path / "a.key", tmp_path / "a.pub"), signature.make_keys(), strict=True):
        path.write_bytes(content)
    out = tmp_path / "signed.tflite"
    result = convert_lines(run, LABELS, lines(4, 1), 7, lines(6, 2), lines(5, 3), out, key=tmp_path / "a.key")
    assert result.file_bytes == result.path.stat().st_size
    LineReader(result.path, require_signature=tmp_path / "a.pub")


def test_the_file_answers_as_the_keras_model_does(run: Path, converted: line_conversion.LineConversionResult) -> None:
    reader = LineReader(converted.path)
    model = line_conversion.quantized(run / MODEL, (CLASSES,), lines(1, 0).pictures)[0]
    pictures = lines(4, 1).pictures
    expected = line_model.predict(model, pictures)
    answers = np.stack([reader.logits(picture) for picture in pictures])
    assert answers.shape == (4, STEPS, CLASSES)
    spread = float(np.ptp(expected))
    assert np.abs(answers - expected).mean() < 0.03 * spread
    assert np.corrcoef(answers.ravel(), expected.ravel())[0, 1] > 0.98


def test_a_classifier_refuses_a_model_of_lines(converted: line_conversion.LineConversionResult) -> None:
    with pytest.raises(ModelError, match="reads lines"):
        DigitClassifier(converted.path)


def test_a_file_without_its_weights_is_refused(run: Path) -> None:
    empty = line_model.build(RECIPE)
    empty.set_weights([np.zeros_like(weight) for weight in empty.get_weights()])
    empty.save(run.parent / "empty.keras")
    flatbuffer = line_conversion.quantized(run.parent / "empty.keras", (CLASSES,), lines(2, 0).pictures)[1]
    with pytest.raises(ModelError, match="weights"):
        line_conversion.slimmed(
            flatbuffer,
            ((1, *LINE_SHAPE, 1), (1, STEPS, CLASSES)),
            lambda content: line_conversion._reader(content, LABELS).logits,
            lines(1, 0).pictures,
        )


def test_a_run_that_does_not_fit_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"\(None, 32, 264, 1\).*; wanted is \(32, 264, 1\), \(\.\.\., 26\)"):
        convert_lines(run, LABELS[:-1], lines(2, 0), 0, lines(2, 0), lines(5, 3))
    with pytest.raises(UsageError, match="got none"):
        convert_lines(run, LABELS, lines(0, 0), 0, lines(2, 0), lines(5, 3))
    record = LineRunRecord.load(run)
    tmp_path.joinpath(MODEL).write_bytes((run / MODEL).read_bytes())
    dataclasses.replace(record, model_sha256="0" * 64).save(tmp_path)
    with pytest.raises(RunError, match="does not have the sha256"):
        convert_lines(tmp_path, LABELS, lines(2, 0), 0, lines(2, 0), lines(5, 3))


def test_the_temperature_makes_confidence_the_share_of_right_lines() -> None:
    # Lines of one step; the logit says 0.98, but only three of four are right.
    logits = [np.array([[4.0, 0.0]], np.float32)] * 100
    temperature = fit_temperature(logits, ["1"], ["1"] * 75 + ["2"] * 25)
    confidence = 1 / (1 + np.exp(-4 / temperature))
    assert confidence == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        # One of 100 lines may be wrong and sure: the most confident of the wrong.
        ([0.9] * 98, [0.8, 0.7], 0.7),
        # Nothing is wrong: all is sure.
        ([0.9] * 100, [], 0.0),
        # Wrong lines among the most confident: four of five right ones stay sure all the same.
        ([0.5] * 20 + [0.9] * 70, [0.95] * 10, 0.5),
        ([], [0.9] * 10, 0.9),
    ],
    ids=["strict", "all right", "kept", "all wrong"],
)
def test_from_which_confidence_on_a_line_is_sure(right: list[float], wrong: list[float], expected: float) -> None:
    confidences = np.array(right + wrong)
    least = smallest_sure_confidence(confidences, np.arange(len(confidences)) < len(right))
    assert least == pytest.approx(expected, abs=2e-4)
    if right and expected not in (0.0, 0.5):
        assert (np.array(wrong) >= least).sum() <= 1
