"""What a finished training leaves in its run folder."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data import datasets, metrics
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.records import run
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.engine.curves import save_curves
from edge_digits_train.engine.keras_model import weights_sha256
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.recipes.recipe import Recipe
from PIL import Image


def test_the_run_folder_is_complete(finished: Path, restless: Recipe, small_mnist: DataSet) -> None:
    assert {path.name for path in finished.iterdir()} == {run.MODEL, run.RECORD, run.EVALUATION, run.CURVES}
    record = RunRecord.load(finished)
    assert Recipe.from_dict(record.recipe) == restless
    assert record.name == "restless"
    assert record.parameters == restless.parameters
    assert record.macs == restless.macs
    # Absolute, since `convert` may be called from another folder.
    assert record.data["source"] == str(Path.cwd() / "somewhere/data.npz")
    assert record.data["counts"] == {"train": 720, "validation": 80, "test": 200}
    assert record.data["sha256"]["test"] == datasets.digest(small_mnist.test)
    assert record.model_sha256 == hashlib.sha256((finished / run.MODEL).read_bytes()).hexdigest()
    assert record.device["kind"] in ("CPU", "GPU")
    assert record.device["name"]
    assert record.versions["keras"] == keras.__version__
    assert {"python", "numpy", "edge-digits-train", keras.backend.backend()} <= set(record.versions)
    assert set(record.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert all(len(column) == 3 for column in record.history.values())
    assert record.latency_us["p50"] <= record.latency_us["p90"] <= record.latency_us["p99"]
    assert record.created.endswith("+00:00")


def test_the_saved_model_is_the_one_that_was_measured(finished: Path, small_mnist: DataSet) -> None:
    record, evaluation = RunRecord.load(finished), Evaluation.load(finished / run.EVALUATION)
    model = keras.models.load_model(finished / run.MODEL)
    assert weights_sha256(model) == record.weights_sha256
    assert not model.compiled
    answers = model.predict(small_mnist.test.images[..., None] / np.float32(255), verbose=0).argmax(axis=1)
    assert np.array_equal(answers, evaluation.predicted)
    assert metrics.accuracy(small_mnist.test.labels, answers) == record.accuracy["test"] == evaluation.accuracy
    # Three epochs of 720 distorted pictures are enough to be far from chance, which is 0.1 with a deviation of 0.02.
    assert record.accuracy["test"] > 0.16
    assert record.accuracy["validation"] == pytest.approx(record.history["val_accuracy"][-1], abs=1e-6)


def test_the_evaluation_is_that_of_the_float_original(finished: Path, small_mnist: DataSet) -> None:
    record, evaluation = RunRecord.load(finished), Evaluation.load(finished / run.EVALUATION)
    assert (evaluation.model.role, evaluation.model.scheme) == ("float-original", "keras")
    assert evaluation.model.bytes == (finished / run.MODEL).stat().st_size
    assert evaluation.model.sha256 == evaluation.model.weights_sha256 == record.weights_sha256
    assert (evaluation.data.split, evaluation.data.sha256) == ("test", datasets.digest(small_mnist.test))
    assert np.array_equal(evaluation.labels, small_mnist.test.labels)
    assert len(evaluation.latency["invoke"].samples_us) == 1000
    assert "predict_on_batch" in evaluation.latency["invoke"].what
    assert len(evaluation.pictures) == int((1 - evaluation.accuracy) * 200 + 0.5)
    confusion = np.array(record.metrics["confusion"])
    assert np.array_equal(confusion, evaluation.confusion)
    assert len(record.metrics["precision"]) == len(record.metrics["recall"]) == len(record.metrics["f1"]) == 10
    assert record.metrics["macro"]["recall"] == pytest.approx(np.mean(record.metrics["recall"]))


def test_the_curves_are_those_of_the_history(finished: Path, tmp_path: Path) -> None:
    record = RunRecord.load(finished)
    save_curves(tmp_path / "again.png", record.history, "restless")
    drawn = [np.asarray(Image.open(path)) for path in (finished / run.CURVES, tmp_path / "again.png")]
    np.testing.assert_array_equal(*drawn)
