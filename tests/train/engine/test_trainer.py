"""What the settings of a recipe do in an epoch."""

import dataclasses

import numpy as np
import pytest
from edge_digits_runtime.data import metrics
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_train.engine import trainer as module
from edge_digits_train.engine.epoch_data import EpochData, label_targets
from edge_digits_train.engine.keras_model import weights_sha256
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.trainer import STEPS_PER_EXECUTION, Trainer
from edge_digits_train.recipes.recipe import Recipe
from numpy.typing import NDArray


def one_epoch(recipe: Recipe, dataset: DataSet) -> Trainer:
    trainer = Trainer(recipe, len(dataset.train))
    trainer.epoch(0, dataset.train, dataset.test)
    return trainer


def weights(model: keras.Model) -> list[NDArray[np.float32]]:
    return [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]


def test_dropout_and_noise_follow_seed_and_epoch(
    restless: Recipe, small_mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = small_mnist.train
    # The same pictures in the same order, so that only dropout and noise can differ.
    fixed = EpochData(split.images, split.labels, label_targets(split.labels, 10))
    monkeypatch.setattr(module, "make_epoch_data", lambda *_: fixed)
    trainer = Trainer(dataclasses.replace(restless, weight_average=None), len(split))
    start, digests = trainer.state(), []
    for index in (0, 0, 1):
        trainer.restore(start)
        trainer.epoch(index, split, small_mnist.test)
        digests.append(weights_sha256(trainer.model))
    assert digests[0] == digests[1] != digests[2]


def test_the_network_is_given_the_data_of_its_epoch(
    quick: Recipe, small_mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(dataclasses.replace(quick, corruption=0.5), len(small_mnist.train))
    given = {}
    fit = trainer._fit

    def watched(x: np.ndarray, y: np.ndarray, **options: object) -> None:
        given["x"], given["y"] = x, y
        fit(x, y, **options)

    monkeypatch.setattr(trainer, "_fit", watched)
    trainer.epoch(4, small_mnist.train, small_mnist.test)
    data = module.make_epoch_data(trainer.recipe, 4, small_mnist.train)
    np.testing.assert_allclose(given["x"][..., 0], data.images / 255, atol=1e-6)
    np.testing.assert_array_equal(given["y"], data.targets)


def test_training_continues_from_the_last_weights_and_not_from_their_average(
    quick: Recipe, small_mnist: DataSet
) -> None:
    plain = one_epoch(quick, small_mnist)
    averaged = one_epoch(dataclasses.replace(quick, weight_average=0.9), small_mnist)
    last = weights(plain.model)
    for own, expected in zip(weights(averaged.model), last, strict=True):
        np.testing.assert_array_equal(own, expected)
    kept = weights(averaged.trained())
    assert not any(np.array_equal(own, expected) for own, expected in zip(kept, last, strict=True))
    # Asking for the result changes nothing.
    for own, expected in zip(weights(averaged.model), last, strict=True):
        np.testing.assert_array_equal(own, expected)


def test_an_average_by_hand(quick: Recipe, small_mnist: DataSet) -> None:
    # One batch an epoch. Keras starts the average at the weights after the first step: a1 = w1, a2 = m a1 + (1 - m) w2.
    trainer = Trainer(dataclasses.replace(quick, weight_average=0.75, batch_size=800, epochs=40), 800)
    last = []
    for index in range(2):
        trainer.epoch(index, small_mnist.train, small_mnist.test)
        last.append(trainer.model.get_layer("layer3_dense").get_weights()[0])
    kept = trainer.trained().get_layer("layer3_dense").get_weights()[0]
    np.testing.assert_allclose(kept, 0.75 * last[0] + 0.25 * last[1], atol=1e-6)


def test_the_cosine_schedule_ends_at_zero(quick: Recipe, small_mnist: DataSet) -> None:
    trainer = Trainer(dataclasses.replace(quick, schedule="cosine", learning_rate=0.01), 800)
    assert float(trainer.model.optimizer.learning_rate) == pytest.approx(0.01)
    trainer.epoch(0, small_mnist.train, small_mnist.test)
    assert float(trainer.model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_sgd_has_the_settings_of_the_recipe(quick: Recipe) -> None:
    recipe = dataclasses.replace(quick, optimizer="sgd", learning_rate=0.1, momentum=0.9, nesterov=True)
    optimizer = Trainer(recipe, 800).model.optimizer
    assert isinstance(optimizer, keras.optimizers.SGD)
    config = optimizer.get_config()
    assert (config["momentum"], config["nesterov"]) == (0.9, True)
    assert config["learning_rate"] == pytest.approx(0.1)


@pytest.mark.parametrize("size", [799, 5000])
def test_a_small_last_batch_and_a_batch_larger_than_the_data(quick: Recipe, small_mnist: DataSet, size: int) -> None:
    trainer = one_epoch(dataclasses.replace(quick, batch_size=size), small_mnist)
    assert trainer.steps == -(-800 // size)
    assert int(trainer.model.optimizer.iterations) == trainer.steps


def test_outliers_count_as_pictures_of_the_epoch(quick: Recipe) -> None:
    assert [Trainer(dataclasses.replace(quick, outliers=share), 800).steps for share in (0.0, 0.2)] == [13, 16]


def test_steps_per_execution_do_not_change_the_result(quick: Recipe, small_mnist: DataSet) -> None:
    digests = set()
    for steps in (1, STEPS_PER_EXECUTION):
        trainer = Trainer(quick, 800, steps_per_execution=steps)
        trainer.epoch(0, small_mnist.train, small_mnist.test)
        digests.add(weights_sha256(trainer.trained()))
    assert len(digests) == 1


def test_the_first_figures_by_hand(small_mnist: DataSet, linear: Recipe) -> None:
    # With a learning rate of almost nothing the loss of an epoch is that of the initial weights.
    recipe = dataclasses.replace(
        linear, mean=0.1307, std=0.3081, learning_rate=1e-12, l2=0.01, label_smoothing=0.1, batch_size=800
    )
    trainer = Trainer(recipe, 800)
    kernel, bias = trainer.model.get_weights()
    figures = trainer.epoch(0, small_mnist.train, small_mnist.test)
    x, of_test = (
        (split.images.reshape(-1, 784) / 255.0 - recipe.mean) / recipe.std
        for split in (small_mnist.train, small_mnist.test)
    )
    probabilities = metrics.softmax(x @ kernel + bias)
    target = 0.9 * np.eye(10)[small_mnist.train.labels] + 0.01
    penalty = 0.01 * (kernel**2).sum()
    expected = -(target * np.log(probabilities)).sum(axis=1).mean() + penalty
    assert figures["loss"] == pytest.approx(expected, rel=1e-4)
    assert figures["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == small_mnist.train.labels).mean())
    # Validation does not smooth the labels.
    unsmoothed = metrics.cross_entropy(small_mnist.test.labels, of_test @ kernel + bias) + penalty
    assert figures["val_loss"] == pytest.approx(unsmoothed, rel=1e-4)
    right = (of_test @ kernel + bias).argmax(axis=1) == small_mnist.test.labels
    assert figures["val_accuracy"] == pytest.approx(right.mean())


def test_a_state_of_another_network_is_refused(quick: Recipe, linear: Recipe) -> None:
    sgd = dataclasses.replace(linear, optimizer="sgd")
    with pytest.raises(module.RunError, match="the checkpoint does not fit the recipe"):
        Trainer(quick, 800).restore(Trainer(sgd, 800).state())
