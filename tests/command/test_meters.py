"""The verbs with a model that reads wheels and displays."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import turns
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_train.meters import pictures
from PIL import Image

from edge_digits import data_sets
from edge_digits.cli import main

MODEL = "meter-m"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that turns, of which the model is sure."""
    classifier, stored = DigitClassifier(MODEL), pictures.packed()
    for index in np.flatnonzero(~stored["held_out"] & (stored["tenths"] % 10 == 4)).tolist():
        image = Image.fromarray(stored["images"][index])
        if classifier.classify(image).sure:
            path = tmp_path_factory.mktemp("wheel") / "wheel.png"
            image.save(path)
            return path
    raise AssertionError("none is sure")


def test_classify_says_how_far_a_wheel_has_turned(wheel: Path) -> None:
    answer = json.loads(run("classify", "--model", MODEL, "--json", wheel).stdout)
    prediction = DigitClassifier(MODEL).classify(wheel)
    assert answer["value"] == prediction.value
    assert answer["label"] == str(turns.digit_of(round(10 * answer["value"])))
    assert list(answer["probabilities"]) == [*"0123456789", "blank", "minus"]
    assert answer["sure"]
    text = run("classify", "--model", MODEL, "--top", 2, wheel).stdout
    assert f": {answer['label']}, turned to {answer['value']} (" in text
    assert run("classify", "--model", MODEL, wheel, "--explain", wheel.parent / "drawn").exit_code == 0


def test_one_picture_is_answered_as_many_are() -> None:
    classifier = DigitClassifier(MODEL)
    images = pictures.display(classifier.input, second=True).images[::40]
    many = classifier.classify_batch(images)
    for image, label, confidence, sure in zip(images, many.labels, many.confidences, many.sure, strict=True):
        one = classifier.classify(image)
        assert (one.class_index, one.sure) == (label, sure)
        assert one.confidence == pytest.approx(confidence, abs=1e-5)


def test_evaluate_takes_the_packed_meters_or_what_testset_wrote_of_them(tmp_path: Path) -> None:
    assert data_sets._METERS_NAME == pictures.NAME
    assert run("testset", "--data", "meters", "--input", "crop:28x28", "-o", tmp_path / "test.npz").exit_code == 0
    evaluations = []
    for number, more in enumerate([(), ("--data", tmp_path / "test.npz")]):
        out = tmp_path / f"{number}.json"
        result = run("evaluate", MODEL, "--accuracy-only", "-o", out, *more)
        assert result.exit_code == 0, result.output
        assert "of 882 that rest" in result.stdout
        evaluations.append(Evaluation.load(out))
    first, second = evaluations
    assert np.array_equal(first.probabilities, second.probabilities)
    assert first.extra["turns"]["wheels"] == 2184
    assert first.data.sha256 == second.data.sha256
