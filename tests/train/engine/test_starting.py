"""Training that starts from the weights of a run."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records.run import MODEL, RunRecord
from edge_digits_train.engine.keras_model import load
from edge_digits_train.engine.starting import keep_classes, weighted_layers, weights_from
from edge_digits_train.engine.trainer import Progress, Trainer
from edge_digits_train.engine.training import train
from edge_digits_train.recipes.architecture import Dense, Flatten
from edge_digits_train.recipes.recipe import Recipe


def with_blank(dataset: DataSet) -> DataSet:
    """The ten digits, and an eleventh class of empty pictures in front."""

    def add(split: Split) -> Split:
        images = np.concatenate([split.images, np.zeros((40, 28, 28), np.uint8)])
        return Split(images, np.concatenate([split.labels + np.uint8(1), np.zeros(40, np.uint8)]))

    classes = ("blank", *DIGIT_CLASSES)
    return dataclasses.replace(dataset, train=add(dataset.train), test=add(dataset.test), classes=classes)


def test_the_same_classes_start_from_the_same_weights(finished: Path, restless: Recipe) -> None:
    weights, origin = weights_from(finished, restless, DIGIT_CLASSES)
    for value, known in zip(weights, load(finished / MODEL).get_weights(), strict=True):
        np.testing.assert_array_equal(value, known)
    assert origin == f"started from restless with weights {RunRecord.load(finished).weights_sha256[:12]}"


def test_the_averages_start_there_as_well(finished: Path, restless: Recipe) -> None:
    trainer = Trainer(restless, 800)
    weights, _ = weights_from(finished, restless, DIGIT_CLASSES)
    trainer.start_from(weights)
    for value, known in zip(trainer.trained().get_weights(), weights, strict=True):
        np.testing.assert_array_equal(value, known)


def test_outputs_of_known_classes_are_kept_and_the_others_drawn(finished: Path, restless: Recipe) -> None:
    classes = ("3", "blank", "1")
    weights, origin = weights_from(finished, restless.with_classes(3), classes)
    known = load(finished / MODEL).get_weights()
    for value, before in zip(weights[:-2], known[:-2], strict=True):
        np.testing.assert_array_equal(value, before)
    for value, before in zip(weights[-2:], known[-2:], strict=True):
        np.testing.assert_array_equal(value[..., [0, 2]], before[..., [3, 1]])
    # The kernel of the new class is drawn, its bias 0.
    assert weights[-2][:, 1].std() > 0.01
    assert weights[-1][1] == 0
    assert origin.endswith(", outputs of 2 of 3 classes")


def test_a_start_is_worth_epochs(finished: Path, restless: Recipe, small_mnist: DataSet, tmp_path: Path) -> None:
    before = RunRecord.load(finished)
    recipe = dataclasses.replace(restless, epochs=1, learning_rate=1e-4)
    dataset = with_blank(small_mnist)
    cold = train(recipe, dataset, tmp_path / "cold")
    warm = train(recipe, dataset, tmp_path / "warm", start=finished)
    assert warm.accuracy["test"] > before.accuracy["test"] - 0.15
    assert warm.accuracy["test"] > cold.accuracy["test"] + 0.2
    assert warm.extra["origin"].startswith("started from restless with weights")
    # A second start says the first.
    _, origin = weights_from(tmp_path / "warm", Recipe.from_dict(warm.recipe), dataset.classes)
    assert origin.endswith(f" ({warm.extra['origin']})")


def test_an_interrupted_training_from_a_run_resumes_to_the_same_weights(
    quick: Recipe, small_mnist: DataSet, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(quick, epochs=2, weight_average=0.9)
    train(recipe, small_mnist, tmp_path / "first")

    def interrupt(at: Progress) -> None:
        if at.epoch == 2:
            raise KeyboardInterrupt

    straight = train(recipe, small_mnist, tmp_path / "straight", start=tmp_path / "first")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, small_mnist, tmp_path / "stopped", progress=interrupt, start=tmp_path / "first")
    resumed = train(recipe, small_mnist, tmp_path / "stopped", resume=True)
    assert resumed.weights_sha256 == straight.weights_sha256
    assert resumed.extra == straight.extra
    assert straight.weights_sha256 != RunRecord.load(tmp_path / "first").weights_sha256


def test_classes_that_the_data_set_lacks_are_kept(small_mnist: DataSet) -> None:
    few = small_mnist.train.labels < 2
    part = dataclasses.replace(small_mnist, train=small_mnist.train.take(few), classes=("7", "3"))
    part = dataclasses.replace(part, test=part.train)
    kept = keep_classes(part, DIGIT_CLASSES)
    assert kept.classes == DIGIT_CLASSES
    assert set(kept.train.labels) == {7, 3}
    assert keep_classes(dataclasses.replace(part, classes=("7", "x")), DIGIT_CLASSES).classes == ("7", "x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": (Flatten(), Dense(10, activation="linear"))}, "whose network is not that of restless"),
        ({"mean": 0.0, "std": 1.0}, "which scales its input otherwise than restless"),
    ],
)
def test_another_network_is_refused(finished: Path, restless: Recipe, change: dict[str, object], said: str) -> None:
    recipe = dataclasses.replace(restless, **change)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=said):
        weights_from(finished, recipe, DIGIT_CLASSES)


def test_a_missing_run_is_refused(restless: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        weights_from(tmp_path / "none", restless, DIGIT_CLASSES)


def test_layers_inside_models_are_counted() -> None:
    from edge_digits_train.engine.keras_session import keras

    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.ReLU()])
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2)])
    assert [layer.units for layer in weighted_layers(model)] == [3, 2]
