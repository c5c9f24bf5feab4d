"""Whole conversions: a trained run folder becomes a model file that the classifier of the device runs."""

import dataclasses
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_convert import CalibrationDraw, ConversionResult, RunPictures, convert
from edge_digits_convert.confidence_calibration import smallest_sure_confidence
from edge_digits_runtime import signature
from edge_digits_runtime.data import metrics, splitting
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import DataError, EdgeDigitsError, RunError, SignatureError, UsageError
from edge_digits_runtime.model import schema
from edge_digits_runtime.model.card import SCHEMES, read_model_file
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.records.run import CHECKPOINT, RunRecord
from edge_digits_train.engine.training import train
from edge_digits_train.recipes.catalogue import get
from edge_digits_train.recipes.recipe import Recipe


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The default recipe, standardized, for three short epochs."""
    return dataclasses.replace(
        get("cnn-8-16-32"), mean=0.1307, std=0.3081, epochs=3, batch_size=50, learning_rate=0.003
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, digits: DataSet) -> Path:
    """A finished run. Tests that damage it do so in a copy."""
    folder = tmp_path_factory.mktemp("runs") / "cnn"
    train(recipe, digits, folder)
    return folder


@pytest.fixture(scope="module")
def pictures_of_run(recipe: Recipe, digits: DataSet) -> RunPictures:
    """Training, validation and test pictures of the run."""
    training, validation = splitting.split_validation(digits.train, recipe.validation_fraction, recipe.validation_seed)
    return RunPictures(training, validation, digits.test)


@pytest.fixture(scope="module")
def results(run: Path, pictures_of_run: RunPictures) -> dict[str, ConversionResult]:
    """The run converted by each scheme."""
    return {scheme: convert(run, scheme, pictures_of_run) for scheme in SCHEMES}


def test_a_file_is_signed_where_a_key_is_given(
    run: Path, pictures_of_run: RunPictures, results: dict[str, ConversionResult], tmp_path: Path
) -> None:
    for path, content in zip((tmp_path / "a.key", tmp_path / "a.pub"), signature.make_keys(), strict=True):
        path.write_bytes(content)
    result = convert(run, "float32", pictures_of_run, output=tmp_path / "signed.tflite", key=tmp_path / "a.key")
    assert result.file_bytes == result.path.stat().st_size
    signed = read_model_file(result.path, require_signature=tmp_path / "a.pub")
    assert signed.sha256 == results["float32"].card.sha256
    with pytest.raises(SignatureError, match="not signed"):
        read_model_file(results["float32"].path, require_signature=tmp_path / "a.pub")


def test_the_card_of_the_int8_file(run: Path, results: dict[str, ConversionResult]) -> None:
    result, record = results["int8"], RunRecord.load(run)
    model = read_model_file(result.path)  # checks the sha256
    card = model.card
    assert card is not None
    assert card == result.card
    assert result.path == run / "cnn-8-16-32-int8.tflite"
    assert (card.name, card.scheme, card.weights_sha256) == ("cnn-8-16-32", "int8", record.weights_sha256)
    assert card.recipe == json.loads(json.dumps(record.recipe))
    assert card.data == "MNIST (2,250 pictures)"
    assert dataclasses.asdict(card.calibration) == {"split": "train", "count": 100, "seed": 0}
    assert card.reference is not None
    assert card.reference.device == record.device["name"]
    assert card.reference.accuracy == record.accuracy
    assert card.reference.p50_us == pytest.approx(record.latency_us["p50"], abs=0.05)
    assert (card.parameters, card.macs) == (record.parameters, record.macs)
    assert card.labels == tuple("0123456789")
    assert card.created > "2025"
    assert (model.flatbuffer_bytes, len(model.content)) == (result.bytes_after, result.file_bytes)
    with zipfile.ZipFile(result.path) as archive:
        assert archive.namelist() == ["labels.txt", "card.json"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_figures_of_the_card_are_measured_on_the_file(
    scheme: str, run: Path, pictures_of_run: RunPictures, results: dict[str, ConversionResult]
) -> None:
    result = results[scheme]
    assert (result.card.scheme, result.card.calibration is None) == (scheme, scheme != "int8")
    for name, split in (("validation", pictures_of_run.validation), ("test", pictures_of_run.test)):
        right = np.mean(DigitClassifier(result.path).classify_batch(split.images).labels == split.labels)
        assert result.accuracy[name] == result.card.accuracy[name] == right
        assert result.drop_pp[name] == pytest.approx(100 * (RunRecord.load(run).accuracy[name] - right))
        assert abs(result.drop_pp[name]) <= 2.0  # five of the 250 pictures, of a network that is hardly trained
    assert result.accuracy["test"] > 0.85  # three epochs of 2,250 pictures
    assert result.bytes_after < result.bytes_before < result.bytes_after + 4000


def test_the_int8_file_is_small(results: dict[str, ConversionResult]) -> None:
    # 8,778 parameters: a byte for each weight, four for a bias; structure and scales may add a third to that.
    assert results["int8"].bytes_after < 12_000
    assert results["int8"].file_bytes < 16_000


def test_only_float_schemes_hold_floats(results: dict[str, ConversionResult]) -> None:
    kinds = {
        scheme: {tensor.type for tensor in schema.read(result.path.read_bytes()).graphs[0].tensors}
        for scheme, result in results.items()
    }
    assert kinds["int8"] == {"INT8", "INT32"}
    assert kinds["float32"] == {"FLOAT32"}
    assert kinds["float16"] == {"FLOAT32", "FLOAT16"}
    assert kinds["dynamic"] == {"FLOAT32", "INT8"}


def test_the_temperature_is_fitted_to_the_validation_pictures(
    results: dict[str, ConversionResult], pictures_of_run: RunPictures
) -> None:
    card, validation = results["int8"].card, pictures_of_run.validation
    probabilities = DigitClassifier(results["int8"].path).classify_batch(validation.images).probabilities
    # Once calibrated, the labels become less likely at any other temperature.
    best = metrics.cross_entropy(validation.labels, np.log(probabilities))
    assert 0.2 < card.temperature < 5
    for other in (0.9, 1.1):
        assert metrics.cross_entropy(validation.labels, np.log(probabilities) / other) > best


def test_the_smallest_sure_confidence_is_chosen_on_the_validation_pictures(
    results: dict[str, ConversionResult], pictures_of_run: RunPictures
) -> None:
    for result in results.values():
        answers = DigitClassifier(result.path).classify_batch(pictures_of_run.validation.images)
        least = result.card.min_confidence
        # The card has four decimals; rounding down gives up no more pictures.
        assert least == pytest.approx(smallest_sure_confidence(answers.confidences), abs=2e-4)
        assert (answers.sure == (answers.confidences >= least)).all()


def test_the_same_run_and_seed_give_the_same_bytes(
    run: Path, pictures_of_run: RunPictures, results: dict[str, ConversionResult], tmp_path: Path
) -> None:
    steps: list[str] = []
    again = convert(run, "int8", pictures_of_run, output=tmp_path / "deep" / "seven.tflite", progress=steps.append)
    first = read_model_file(results["int8"].path)
    second = read_model_file(tmp_path / "deep" / "seven.tflite")
    size = first.flatbuffer_bytes
    assert second.content[:size] == first.content[:size]
    assert dataclasses.replace(again.card, created="") == dataclasses.replace(results["int8"].card, created="")
    assert again.path == tmp_path / "deep" / "seven.tflite"
    assert steps == [
        "quantizing with 100 pictures for calibration",
        "measuring on 250 validation and 500 test pictures",
    ]


def test_the_draw_of_calibration_pictures_is_recorded(run: Path, pictures_of_run: RunPictures, tmp_path: Path) -> None:
    result = convert(run, "int8", pictures_of_run, CalibrationDraw(30, 4), output=tmp_path / "other.tflite")
    assert dataclasses.asdict(result.card.calibration) == {"split": "train", "count": 30, "seed": 4}


def test_a_failed_conversion_leaves_the_old_file(
    run: Path, pictures_of_run: RunPictures, results: dict[str, ConversionResult]
) -> None:
    before = results["int8"].path.read_bytes()
    with pytest.raises(UsageError, match="calibration count of 9; allowed is 10, one of each class, to"):
        convert(run, "int8", pictures_of_run, CalibrationDraw(9))
    assert results["int8"].path.read_bytes() == before
    assert not list(run.glob(".*"))


def test_an_unknown_scheme_lists_all_schemes(run: Path, pictures_of_run: RunPictures) -> None:
    with pytest.raises(UsageError, match=r"no scheme 'int4'; there are float32, float16, dynamic, int8"):
        convert(run, "int4", pictures_of_run)


@pytest.mark.parametrize(("field", "name"), [("training", "train"), ("validation", "validation"), ("test", "test")])
def test_pictures_of_another_data_set_are_refused(
    run: Path, pictures_of_run: RunPictures, field: str, name: str
) -> None:
    split = getattr(pictures_of_run, field)
    changed = dataclasses.replace(pictures_of_run, **{field: Split(255 - split.images, split.labels)})
    with pytest.raises(DataError, match=rf"these [\d,]+ {name} pictures are not those of the run \(MNIST\): give"):
        convert(run, "int8", changed)


def cut(name: str, share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return damage


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "model.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.keras").write_bytes(content)


def in_record(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        (folder / "run.json").write_text(json.dumps(record | changes), encoding="utf-8")

    return damage


def in_data(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        in_record(data=record["data"] | changes)(folder)

    return damage


def unfinished(folder: Path) -> None:
    (folder / "run.json").unlink()
    (folder / CHECKPOINT).touch()


DAMAGED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "gone": (shutil.rmtree, "no such run folder; make one with"),
    "empty": (lambda f: [p.unlink() for p in f.iterdir()], r"not a run folder \(no run.json in it\)"),
    "half-written": (unfinished, "unfinished; finish it with 'edge-digits train --resume"),
    "record cut": (cut("run.json", 0.5), "run.json: cannot be read"),
    "record empty": (cut("run.json", 0), "run.json: cannot be read"),
    "another program": (
        lambda f: (f / "run.json").write_text('{"format": "other/1"}'),
        "not a run of format edge-digits",
    ),
    "a list": (lambda f: (f / "run.json").write_text("[]"), "not a run of format edge-digits"),
    "no accuracy": (in_record(accuracy={}), r"damaged \(accuracy.validation is missing\): train again"),
    "null accuracy": (in_record(accuracy=None), r"damaged \(accuracy is None; allowed is an object\): train again"),
    "accuracy in words": (in_record(accuracy={"validation": "good", "test": 1}), "accuracy.validation is 'good'"),
    "no device": (in_record(device={}), r"damaged \(device.name is missing\): train again"),
    "old digests": (
        in_data(sha256="0f"),
        "data.sha256 is '0f'; allowed is an object",
    ),
    "no model": (lambda f: (f / "model.keras").unlink(), "model.keras: cannot be read"),
    "model cut": (cut("model.keras", 0.9), "model.keras: does not have the sha256 in run.json"),
    "model empty": (cut("model.keras", 0), "model.keras: does not have the sha256 in run.json"),
    "bit flipped": (flip_a_bit, "model.keras: does not have the sha256 in run.json"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_run_is_one_clear_line(case: str, run: Path, pictures_of_run: RunPictures, tmp_path: Path) -> None:
    damage, message = DAMAGED[case]
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    damage(folder)
    with pytest.raises(RunError, match=message) as caught:
        convert(folder, "int8", pictures_of_run)
    assert isinstance(caught.value, EdgeDigitsError)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("copy/*-int8.tflite.*"))


def test_nothing_is_logged_and_tensorflow_is_imported_late(run: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
import edge_digits_convert
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
from edge_digits_runtime.data import datasets, splitting
from edge_digits_train.data import mnist
full = mnist.load()
cut = lambda split, n: datasets.Split(split.images[:n], split.labels[:n])
training, validation = splitting.split_validation(cut(full.train, 2500), 0.1, 0)
edge_digits_convert.convert(
    Path({str(run)!r}),
    "int8",
    edge_digits_convert.RunPictures(training, validation, cut(full.test, 500)),
    output=Path({str(tmp_path / "x.tflite")!r}),
)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "x.tflite").is_file()
