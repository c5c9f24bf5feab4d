"""Forty classes through the whole line: the data set of the benchmark, from a few faces."""

import json
import re
from pathlib import Path

import letters
import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_train.lines import typefaces

from edge_digits.cli import main


def ok(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("letters") / "letters.npz"
    np.savez(path, **letters.make(typefaces.unpack(4), np.random.default_rng(0)))
    return path


def test_the_letters_are_of_forty_classes_and_of_no_family_twice(source: Path) -> None:
    with np.load(source) as stored:
        assert len(stored["class_names"]) == 40
        assert stored["class_names"][:12].tolist() == [*"0123456789", "A", "B"]
        assert not set(stored["groups_train"]) & {name.split()[0] for name in stored["groups_test"]}
        # Dark on light.
        assert (stored["x_train"].mean(axis=(1, 2)) > 120).all()
        assert (stored["x_train"].min(axis=(1, 2)) < 120).all()


@pytest.fixture
def _quick(quick_measurement: None) -> None: ...


@pytest.mark.usefixtures("_quick")
def test_forty_classes_train_convert_and_report(source: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert "of 40 classes" in ok("data", source, "--input", "crop:16x16")
    steps = ("--epochs", "30", "--batch-size", "16", "--learning-rate", "0.004")
    ok("train", "cnn-8-16-32", "--data", source, "--input", "crop:16x16", *steps, "--out", run)
    ok("convert", run, "--int8", "--max-drop", "10", "--point")
    model = run / "cnn-8-16-32-int8.tflite"
    ok("evaluate", model)
    ok("report", run, "-o", tmp_path)
    record = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert len(record["data"]["classes"]) == 40
    accuracies = [row["accuracy"] for row in record["rows"]]
    assert min(accuracies) > 0.4
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in letters.CLASSES:
        assert re.search(rf">{name}<", page), name
    assert "Most frequent mistakes" in page
