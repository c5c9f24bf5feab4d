"""Models by name: the default, and those of a distribution that is only files."""

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.errors import ChecksumError, EvaluationError, ModelError, UsageError
from edge_digits_runtime.installation import how_to_get
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import FloatReference, ModelCard, append_card, read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, ModelInfo
from edge_digits_runtime.records.timings import Latency

Tiny = Callable[[str], Path]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the distribution with the other models, empty."""
    folder = tmp_path / registry.PACKAGE
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def default_name() -> str:
    card = read_model_file(DEFAULT_MODEL).card
    assert card is not None
    return card.name


def test_the_default_is_first_and_others_follow_by_size(shelf: Path, tiny: Tiny) -> None:
    small, large = sorted((tiny("int8"), tiny("float32")), key=lambda path: path.stat().st_size)
    shutil.copy(large, shelf / "a-large.tflite")
    shutil.copy(small, shelf / "b-small.tflite")
    # Of the default there is one, whatever else has its name.
    shutil.copy(small, shelf / f"{default_name()}.tflite")
    assert registry.paths() == {
        default_name(): DEFAULT_MODEL,
        "b-small": shelf / "b-small.tflite",
        "a-large": shelf / "a-large.tflite",
    }


def test_installed_names_and_paths_are_told_apart(
    shelf: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny("int8"), shelf / "tiny.tflite")
    assert registry.find("tiny") == shelf / "tiny.tflite"
    assert registry.find(default_name()) == DEFAULT_MODEL
    for path in ("tiny.tflite", "./tiny", "models/tiny", tmp_path / "tiny"):
        assert registry.find(path) == Path(path)
    assert DigitClassifier("tiny").name == str(shelf / "tiny.tflite")
    # A folder of that name is no model; it does not hide one.
    (tmp_path / "tiny").mkdir()
    (tmp_path / default_name()).mkdir()
    assert registry.find("tiny") == shelf / "tiny.tflite"
    assert registry.find(default_name()) == DEFAULT_MODEL
    assert DigitClassifier("tiny").name == str(shelf / "tiny.tflite")
    (tmp_path / "tinny").mkdir()
    with pytest.raises(UsageError, match="no model 'tinny' is installed"):
        registry.find("tinny")
    # A file of that name is taken for a path.
    (tmp_path / "tiny").rmdir()
    shutil.copy(tiny("float32"), tmp_path / "tiny")
    assert registry.find("tiny") == Path("tiny")


def test_an_unknown_name_gives_one_line_with_the_known_ones(shelf: Path, tiny: Tiny) -> None:
    shutil.copy(tiny("int8"), shelf / "tiny.tflite")
    with pytest.raises(UsageError) as caught:
        DigitClassifier("tinny")
    assert str(caught.value) == (
        f"no model 'tinny' is installed, only {default_name()}, tiny, line-m; or give a .tflite file"
    )


def test_without_the_distribution_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PACKAGE", "edge_digits_no_such_package")
    with pytest.raises(UsageError, match=re.escape(f"(for more: {how_to_get(['models'])})")):
        registry.find("digits-nowhere")
    assert list(registry.paths().values()) == [DEFAULT_MODEL]


def measured(sha256: str) -> Evaluation:
    return Evaluation(
        model=ModelInfo("tiny", "int8", "int8", 3000, sha256),
        data=DataInfo("MNIST", "test", "0" * 64),
        labels=np.array([3], np.uint8),
        probabilities=np.eye(10, dtype=np.float32)[[3]],
        latency={"invoke": Latency(np.array([4.0, 5.0, 9.0]), "invoke")},
        device={"name": "Pi", "machine": "aarch64", "python": "3.11", "backend": "litert 2.3.0"},
    )


def test_accuracy_is_of_the_card_and_latency_of_an_evaluation_of_this_very_file(shelf: Path, tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    card = ModelCard(
        "tiny",
        "float32",
        "",
        accuracy={"test": 0.985},
        reference=FloatReference("here", {"test": 0.9875}, 1.0),
    )
    file = shelf / "tiny.tflite"
    file.write_bytes(append_card(flatbuffer, card))
    model = registry.read("tiny", file)
    assert (model.accuracy, model.default, model.evaluation) == (0.985, False, None)
    assert model.drop_pp == pytest.approx(0.25)
    for sha256, found in ((model.file.sha256, True), ("f" * 64, False)):
        measured(sha256).save(shelf / "tiny.evaluation.json.gz")
        evaluation = registry.read("tiny", file).evaluation
        assert (evaluation is not None) == found
        assert evaluation is None or evaluation.latency["invoke"].p50 == 5.0


def test_an_evaluation_that_is_cut_off_gives_one_line(shelf: Path, tiny: Tiny) -> None:
    file = shelf / "tiny.evaluation.json.gz"
    measured("f" * 64).save(file)
    shutil.copy(tiny("int8"), shelf / "tiny.tflite")
    for damaged in (file.read_bytes()[:-20], b"no gzip", b""):
        file.write_bytes(damaged)
        with pytest.raises(EvaluationError) as caught:
            _ = registry.read("tiny", shelf / "tiny.tflite").evaluation
        assert str(caught.value).startswith(f"{file}: ")
        assert "\n" not in str(caught.value)


def test_an_installed_model_without_card_is_refused(shelf: Path, tiny: Tiny) -> None:
    shutil.copy(tiny("foreign-single"), shelf / "found.tflite")
    for read in (lambda: registry.read("found", shelf / "found.tflite"), lambda: registry.load("found")):
        with pytest.raises(ModelError, match="the card of this installed model is missing"):
            read()
    assert registry.load(shelf / "found.tflite")[1].card is None


def test_damaged_models_are_refused(shelf: Path, tiny: Tiny) -> None:
    file = read_model_file(tiny("int8"))
    assert file.card is not None
    (shelf / "empty.tflite").touch()
    changed = bytearray(append_card(file.content[: file.flatbuffer_bytes], dataclasses.replace(file.card)))
    changed[file.flatbuffer_bytes // 2] ^= 1
    (shelf / "changed.tflite").write_bytes(changed)
    with pytest.raises(ModelError, match=r"empty\.tflite"):
        registry.read("empty", shelf / "empty.tflite")
    with pytest.raises(ChecksumError, match=r"changed\.tflite"):
        registry.read("changed", shelf / "changed.tflite")
