"""The teachers, and training with them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data import metrics
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import DataError, UsageError
from edge_digits_train.engine import teachers
from edge_digits_train.engine.trainer import Trainer
from edge_digits_train.engine.training import train
from edge_digits_train.recipes import catalogue
from edge_digits_train.recipes.architecture import Dense, Flatten
from edge_digits_train.recipes.recipe import Recipe


@pytest.fixture(scope="module")
def taught() -> Recipe:
    """A linear network with teachers, outliers and corruption."""
    layers = (Flatten(), Dense(10, activation="linear"))
    return Recipe("taught", "for tests", "our own", layers, epochs=1, outliers=0.2, distillation=0.75, corruption=0.5)


def test_the_pack_holds_the_runs_that_it_names() -> None:
    known = teachers.load()
    assert list(known) == [f"digits-{size}-alone-seed-{seed}" for size in "lm" for seed in (0, 1, 2)]
    for name, teacher in known.items():
        recipe = catalogue.get(name.partition("-seed")[0])
        assert set(teacher.network.types) == {np.dtype(np.int8), np.dtype(np.int32)}
        # A byte for each weight, and what the graph and the scales take.
        assert 1 < teacher.model.flatbuffer_bytes / recipe.parameters < 1.3


def test_together_the_teachers_know_the_training_pictures(full_mnist: DataSet) -> None:
    images, labels = full_mnist.train.images[:2000], full_mnist.train.labels[:2000]
    answers = teachers.answer(images)
    assert (answers.shape, answers.dtype) == ((2000, 10), np.float32)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    assert answers.min() >= 0
    assert (answers.argmax(axis=1) == labels).mean() >= 0.995


def test_an_answer_is_the_mean_of_all_teachers(full_mnist: DataSet) -> None:
    images = full_mnist.train.images[:20]
    of_each = [metrics.softmax(one.output_scale * one.outputs(images) / 2) for one in teachers.load().values()]
    assert len(of_each) == 6
    np.testing.assert_allclose(teachers.answer(images), np.mean(of_each, axis=0), atol=1e-6)


@pytest.mark.parametrize("content", [None, b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_pack_is_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "teachers.npz"
    if content is not None:
        pack.write_bytes(content)
    monkeypatch.setattr(teachers, "_PACKED", pack)
    with pytest.raises(DataError, match=r"teachers\.npz: .*install edge-digits-train again"):
        teachers.load.__wrapped__()


def test_the_first_loss_by_hand(taught: Recipe, small_mnist: DataSet) -> None:
    # With a learning rate of almost nothing the loss of an epoch is that of the initial weights.
    trainer = Trainer(
        dataclasses.replace(taught, learning_rate=1e-12, outliers=0.0, corruption=0.0), len(small_mnist.train)
    )
    kernel, bias = trainer.model.get_weights()
    figures = trainer.epoch(0, small_mnist.train, small_mnist.test)
    splits = (small_mnist.train, small_mnist.test)
    logits, of_test = (split.images.reshape(-1, 784) / 255 @ kernel + bias for split in splits)
    labels, answers = small_mnist.train.labels, teachers.answer(small_mnist.train.images)
    of_teachers = -(answers * np.log(metrics.softmax(logits / 2))).sum(axis=1).mean()
    expected = 0.25 * metrics.cross_entropy(labels, logits) + 0.75 * 4 * of_teachers
    assert figures["loss"] == pytest.approx(expected, rel=1e-4)
    assert figures["accuracy"] == pytest.approx((logits.argmax(axis=1) == labels).mean())
    # Validation is about the labels alone.
    assert figures["val_loss"] == pytest.approx(metrics.cross_entropy(small_mnist.test.labels, of_test), rel=1e-4)
    assert figures["val_accuracy"] == pytest.approx((of_test.argmax(axis=1) == small_mnist.test.labels).mean())


def test_pictures_that_the_teachers_do_not_know_are_refused(
    taught: Recipe, small_mnist: DataSet, tmp_path: Path
) -> None:
    message = (
        "^taught is taught by networks that know only MNIST, not small MNIST: for other pictures train a recipe without"
    )
    with pytest.raises(UsageError, match=message):
        train(taught, small_mnist, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [{"validation_fold": 1}, {"validation_seed": 1}, {"validation_fraction": 0.2}])
def test_pictures_that_the_teachers_learned_are_not_validated_on(taught: Recipe, change: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="since the teachers learned all other pictures"):
        dataclasses.replace(taught, **change)


def test_every_recipe_with_teachers_has_one_without() -> None:
    with_teachers = [name for name, recipe in catalogue.RECIPES.items() if recipe.distillation]
    assert with_teachers == ["digits-xs", "digits-s", "digits-m", "digits-l"]
    for name in with_teachers:
        assert catalogue.get(f"{name}-alone").distillation == 0
