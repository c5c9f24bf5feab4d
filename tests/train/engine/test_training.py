"""Training for real, on little data: run folder, same bits, resume after a kill, and what is refused."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data import datasets, metrics
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import DataError, RunError
from edge_digits_runtime.records import run
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.engine import outcome, training
from edge_digits_train.engine.checkpoint import Checkpoint
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.training import Progress, Trainer, train
from edge_digits_train.recipes.architecture import Dense, Dropout, Flatten
from edge_digits_train.recipes.recipe import Recipe
from PIL import Image

# Trains the recipe and data set in the folder, and is killed by the system in the middle of the second epoch.
_KILLED = """
import json, os, pathlib, signal, sys
from edge_digits_runtime.data import datasets
from edge_digits_train.recipes.recipe import Recipe
from edge_digits_train.engine.training import train

def kill(at):
    if at.epoch == 2 and 0 < at.step < at.steps:
        os.kill(os.getpid(), signal.SIGKILL)

folder = pathlib.Path(sys.argv[1])
recipe = Recipe.from_dict(json.loads((folder / "recipe.json").read_text()))
train(recipe, datasets.load(folder / "data.npz"), folder / "run", progress=kill)
"""


@pytest.fixture(scope="module")
def seen() -> list[Progress]:
    """What the run in `finished` told of its progress."""
    return []


@pytest.fixture(scope="module")
def finished(
    restless: Recipe, small_mnist: DataSet, seen: list[Progress], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of the restless recipe that nothing interrupted."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(restless, small_mnist, folder, source="somewhere/data.npz", progress=seen.append)
    return folder


@pytest.fixture(scope="module")
def quick() -> Recipe:
    """One layer, one epoch: for tests that are about something else."""
    layers = (Flatten(), Dropout(0.2), Dense(10, activation="linear"))
    return Recipe("quick", "for tests", "our own", layers, mean=0.1307, std=0.3081, epochs=1, seed=7)


# --- the run folder


def test_the_run_folder_is_whole(finished: Path, restless: Recipe, small_mnist: DataSet) -> None:
    assert {path.name for path in finished.iterdir()} == {run.MODEL, run.RECORD, run.EVALUATION, run.CURVES}
    record = RunRecord.load(finished)
    assert Recipe.from_dict(record.recipe) == restless
    assert record.name == "restless"
    assert record.parameters == restless.parameters
    assert record.macs == restless.macs
    assert record.data["source"] == "somewhere/data.npz"
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
    assert outcome.weights_sha256(model) == record.weights_sha256
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
    assert np.array_equal(confusion, metrics.confusion_matrix(evaluation.labels, evaluation.predicted))
    assert len(record.metrics["precision"]) == len(record.metrics["recall"]) == len(record.metrics["f1"]) == 10
    assert record.metrics["macro"]["recall"] == pytest.approx(np.mean(record.metrics["recall"]))


def test_the_curves_are_a_picture(finished: Path) -> None:
    with Image.open(finished / run.CURVES) as picture:
        assert picture.size == (1000, 400)
        colours = picture.convert("RGB").getcolors(100_000)
    assert colours is not None
    assert len(colours) > 100


def test_progress_tells_of_every_epoch(finished: Path, seen: list[Progress]) -> None:
    history = RunRecord.load(finished).history
    ends = [at for at in seen if at.val_loss is not None]
    assert [at.epoch for at in ends] == [1, 2, 3]
    assert [at.val_accuracy for at in ends] == history["val_accuracy"]
    assert [at.loss for at in ends] == history["loss"]
    assert {(at.epochs, at.steps) for at in seen} == {(3, 48)}
    assert [at.epoch for at in seen] == sorted(at.epoch for at in seen)
    assert all(0 < at.step <= at.steps for at in seen)


# --- the same bits


def test_the_same_seed_gives_the_same_weights(
    finished: Path, tmp_path: Path, restless: Recipe, small_mnist: DataSet
) -> None:
    keras.utils.set_random_seed(12345)
    again = train(restless, small_mnist, tmp_path)
    assert again.weights_sha256 == RunRecord.load(finished).weights_sha256
    assert again.history["val_loss"] == RunRecord.load(finished).history["val_loss"]


def test_a_killed_training_is_resumed_to_the_same_weights(
    finished: Path, tmp_path: Path, restless: Recipe, small_mnist: DataSet
) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(restless.to_dict()))
    train_split, test_split = small_mnist.train, small_mnist.test
    np.savez(
        tmp_path / "data.npz",
        x_train=train_split.images,
        y_train=train_split.labels,
        x_test=test_split.images,
        y_test=test_split.labels,
    )
    killed = subprocess.run([sys.executable, "-c", _KILLED, tmp_path], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    folder = tmp_path / "run"
    assert [path.name for path in folder.iterdir()] == [run.CHECKPOINT]
    assert Checkpoint.load(folder).epochs == 1
    with pytest.raises(RunError, match="unfinished; finish it with"):
        RunRecord.load(folder)
    epochs: list[int] = []
    resumed = train(restless, small_mnist, folder, resume=True, progress=lambda at: epochs.append(at.epoch))
    straight = RunRecord.load(finished)
    assert resumed.weights_sha256 == straight.weights_sha256
    assert set(epochs) == {2, 3}
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert resumed.history[name] == straight.history[name]
    assert not (folder / run.CHECKPOINT).exists()


def test_ctrl_c_in_the_first_epoch_can_be_resumed(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(quick, small_mnist, tmp_path, progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [run.CHECKPOINT]
    assert Checkpoint.load(tmp_path).epochs == 0
    train(quick, small_mnist, tmp_path, resume=True)
    assert len(RunRecord.load(tmp_path).history["loss"]) == 1


def test_ctrl_c_after_the_last_epoch_loses_nothing(
    tmp_path: Path, quick: Recipe, small_mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outcome, "save_curves", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(quick, small_mnist, tmp_path)
    assert not (tmp_path / run.RECORD).exists()
    seen: list[Progress] = []
    train(quick, small_mnist, tmp_path, resume=True, progress=seen.append)
    assert seen == []
    assert RunRecord.load(tmp_path).name == "quick"


# --- what a recipe's settings do


def _one_epoch(recipe: Recipe, dataset: DataSet) -> Trainer:
    trainer = Trainer(recipe, len(dataset.train))
    trainer.epoch(0, dataset.train, dataset.test)
    return trainer


def test_dropout_and_noise_follow_seed_and_epoch(restless: Recipe, small_mnist: DataSet) -> None:
    trainer = Trainer(dataclasses.replace(restless, augmentation=None, weight_average=None), 800)
    # The same pictures in the same order, so that only dropout and noise can differ.
    trainer._pictures = lambda _index, split: (split.images, split.labels)  # type: ignore[method-assign]
    start, digests = trainer.state(), []
    for index in (0, 0, 1):
        trainer.restore(start)
        trainer.epoch(index, small_mnist.train, small_mnist.test)
        digests.append(outcome.weights_sha256(trainer.model))
    assert digests[0] == digests[1] != digests[2]


def test_each_epoch_has_another_order_and_other_augmentation(restless: Recipe, small_mnist: DataSet) -> None:
    trainer = Trainer(dataclasses.replace(restless, augmentation=None), len(small_mnist.train))
    first, again, second = (trainer._pictures(index, small_mnist.train) for index in (0, 0, 1))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[1], second[1])
    assert sorted(first[1].tolist()) == sorted(second[1].tolist())
    changed = Trainer(restless, len(small_mnist.train))._pictures(0, small_mnist.train)
    assert np.array_equal(changed[1], first[1])
    assert not np.array_equal(changed[0], first[0])


def test_outliers_are_mixed_in_and_made_anew(restless: Recipe, small_mnist: DataSet) -> None:
    plain = dataclasses.replace(restless, augmentation=None)
    split = small_mnist.train
    trainer = Trainer(dataclasses.replace(plain, outliers=0.2), len(split))
    # 200 of 1,000 are a fifth.
    assert (trainer.outliers, trainer.steps) == (200, 63)
    first, again, second = (trainer._pictures(index, split) for index in (0, 0, 1))
    assert np.array_equal(first[0], again[0])
    for images, labels in (first, second):
        assert images.shape == (1000, 28, 28)
        assert np.bincount(labels).tolist() == [*np.bincount(split.labels).tolist(), 200]
        # Anywhere among the digits.
        assert 50 < (labels[:500] == training.NO_DIGIT).sum() < 150
    made = [{image.tobytes() for image in images[labels == training.NO_DIGIT]} for images, labels in (first, second)]
    # Only the letters, two in five of all, are drawn from a store that both epochs share.
    assert len(made[0] & made[1]) < 100
    none = Trainer(dataclasses.replace(plain, outliers=0.0), len(split))
    assert (none.outliers, none.steps) == (0, 50)
    assert none._pictures(0, split)[1].max() == 9


def test_what_is_no_digit_is_to_be_any_digit_and_does_not_count_for_accuracy() -> None:
    wanted = training.targets(np.array([3, training.NO_DIGIT], np.uint8))
    np.testing.assert_allclose(wanted, [np.eye(10)[3], np.full(10, 0.1)])
    accuracy = training._Accuracy()
    answers = np.eye(10, dtype=np.float32)[[3, 0, 5, 5]]
    accuracy.update_state(training.targets(np.array([3, 10, 5, 6], np.uint8)), answers)
    assert float(accuracy.result()) == pytest.approx(2 / 3)


def test_the_average_is_kept_and_training_goes_on_with_the_last_weights(quick: Recipe, small_mnist: DataSet) -> None:
    plain = _one_epoch(quick, small_mnist)
    averaged = _one_epoch(dataclasses.replace(quick, weight_average=0.9), small_mnist)
    last = training._values(plain.model.trainable_variables)
    for mine, theirs in zip(training._values(averaged.model.trainable_variables), last, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    kept = training._values(averaged.trained().trainable_variables)
    assert not any(np.array_equal(mine, theirs) for mine, theirs in zip(kept, last, strict=True))
    # Asking for the result changes nothing.
    for mine, theirs in zip(training._values(averaged.model.trainable_variables), last, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_average_by_hand(quick: Recipe, small_mnist: DataSet) -> None:
    # One batch an epoch. Keras starts the average at the weights after the first step: a1 = w1, a2 = m a1 + (1 - m) w2.
    recipe = dataclasses.replace(quick, weight_average=0.75, batch_size=800, epochs=2)
    trainer = Trainer(recipe, 800)
    last = []
    for index in range(2):
        trainer.epoch(index, small_mnist.train, small_mnist.test)
        last.append(trainer.model.get_layer("layer3_dense").get_weights()[0])
    kept = trainer.trained().get_layer("layer3_dense").get_weights()[0]
    np.testing.assert_allclose(kept, 0.75 * last[0] + 0.25 * last[1], atol=1e-6)


def test_the_cosine_schedule_ends_at_zero(quick: Recipe, small_mnist: DataSet) -> None:
    recipe = dataclasses.replace(quick, schedule="cosine", learning_rate=0.01)
    assert float(Trainer(recipe, 800).model.optimizer.learning_rate) == pytest.approx(0.01)
    assert float(_one_epoch(recipe, small_mnist).model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_sgd_is_what_the_recipe_says(quick: Recipe) -> None:
    recipe = dataclasses.replace(quick, optimizer="sgd", learning_rate=0.1, momentum=0.9, nesterov=True)
    optimizer = Trainer(recipe, 800).model.optimizer
    assert isinstance(optimizer, keras.optimizers.SGD)
    config = optimizer.get_config()
    assert (config["momentum"], config["nesterov"]) == (0.9, True)
    assert config["learning_rate"] == pytest.approx(0.1)


def test_the_first_loss_by_hand(small_mnist: DataSet, quick: Recipe) -> None:
    # With a learning rate of almost nothing the loss of an epoch is that of the initial weights.
    recipe = dataclasses.replace(
        quick, layers=(Flatten(), Dense(10, activation="linear")), learning_rate=1e-12, l2=0.01, label_smoothing=0.1
    )
    trainer = Trainer(recipe, len(small_mnist.train))
    kernel, bias = trainer.model.get_weights()
    figures = trainer.epoch(0, small_mnist.train, small_mnist.test)
    x = (small_mnist.train.images.reshape(800, 784) / 255.0 - recipe.mean) / recipe.std
    probabilities = metrics.softmax(x @ kernel + bias)
    target = 0.9 * np.eye(10)[small_mnist.train.labels] + 0.01
    expected = -(target * np.log(probabilities)).sum(axis=1).mean() + 0.01 * (kernel**2).sum()
    assert figures["loss"] == pytest.approx(expected, rel=1e-4)
    assert figures["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == small_mnist.train.labels).mean())


# --- what is refused


def test_a_diverging_training_says_so(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
    recipe = dataclasses.replace(quick, optimizer="sgd", learning_rate=1e30, l2=1.0)
    with pytest.raises(RunError, match=r"^the loss of quick is (nan|inf) in epoch 1: the learning rate of 1e\+30"):
        train(recipe, small_mnist, tmp_path)


def test_a_finished_run_is_not_overwritten(finished: Path, restless: Recipe, small_mnist: DataSet) -> None:
    before = (finished / run.RECORD).read_bytes()
    with pytest.raises(RunError, match="holds a finished run; choose another folder"):
        train(restless, small_mnist, finished)
    with pytest.raises(RunError, match="holds a finished run; there is nothing left to resume"):
        train(restless, small_mnist, finished, resume=True)
    assert (finished / run.RECORD).read_bytes() == before


def test_there_must_be_something_to_resume(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunError, match="no unfinished training to resume"):
            train(quick, small_mnist, folder, resume=True)


@pytest.fixture
def unfinished(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> Path:
    folder = tmp_path / "unfinished"
    folder.mkdir()
    training, _ = datasets.split_validation(small_mnist.train, quick.validation_fraction, quick.validation_seed)
    history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": [], "seconds": []}
    Checkpoint(quick.to_dict(), datasets.digest(training), history, Trainer(quick, 720).state()).save(folder)
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rate": 0.5}, "has learning rate 0.001, not 0.5; resume it with the same recipe and options"),
        ({"name": "other", "epochs": 9}, "has name quick, not other"),
        ({"epochs": 9}, "has epochs 1, not 9"),
        ({"seed": 1}, "has seed 7, not 1"),
    ],
)
def test_another_recipe_is_not_resumed(
    unfinished: Path, quick: Recipe, small_mnist: DataSet, change: dict[str, object], said: str
) -> None:
    with pytest.raises(RunError, match=said):
        train(dataclasses.replace(quick, **change), small_mnist, unfinished, resume=True)  # type: ignore[arg-type]


def test_a_reworded_recipe_is_resumed(unfinished: Path, quick: Recipe, small_mnist: DataSet) -> None:
    # So is one that was begun before there was a certain setting, which then had the value that it has by default.
    checkpoint = Checkpoint.load(unfinished)
    older = {name: value for name, value in checkpoint.recipe.items() if name != "distillation"}
    dataclasses.replace(checkpoint, recipe=older).save(unfinished)
    record = train(dataclasses.replace(quick, description="In other words."), small_mnist, unfinished, resume=True)
    assert record.recipe["description"] == "In other words."


def test_other_pictures_are_not_resumed_with(unfinished: Path, quick: Recipe, small_mnist: DataSet) -> None:
    other = DataSet("other", Split(255 - small_mnist.train.images, small_mnist.train.labels), small_mnist.test)
    with pytest.raises(RunError, match="the unfinished training has other pictures"):
        train(quick, other, unfinished, resume=True)


def test_an_unfinished_training_is_not_overwritten(unfinished: Path, quick: Recipe, small_mnist: DataSet) -> None:
    with pytest.raises(RunError, match="holds an unfinished training; finish it with --resume"):
        train(quick, small_mnist, unfinished)


@pytest.mark.parametrize("keep", [0, 2, -100])
def test_a_damaged_checkpoint_is_one_line_that_names_it(
    unfinished: Path, quick: Recipe, small_mnist: DataSet, keep: int
) -> None:
    file = unfinished / run.CHECKPOINT
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"^[^\n]*checkpoint\.npz: damaged \([^\n]*\): delete[^\n]*$"):
        train(quick, small_mnist, unfinished, resume=True)


def test_a_checkpoint_of_another_network_is_refused(unfinished: Path, quick: Recipe, small_mnist: DataSet) -> None:
    checkpoint = Checkpoint.load(unfinished)
    dataclasses.replace(checkpoint, state=checkpoint.state[:-1]).save(unfinished)
    with pytest.raises(RunError, match="the checkpoint does not fit the recipe"):
        train(quick, small_mnist, unfinished, resume=True)


def test_a_file_is_no_run_folder(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="file: cannot be made a run folder"):
        train(quick, small_mnist, tmp_path / "file")


def test_too_few_pictures_are_refused(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
    few = DataSet("few", Split(small_mnist.train.images[:4], small_mnist.train.labels[:4]), small_mnist.test)
    with pytest.raises(DataError, match="4 pictures are too few"):
        train(quick, few, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_small_last_batch_and_a_batch_larger_than_the_data(quick: Recipe, small_mnist: DataSet) -> None:
    for size in (799, 5000):
        trainer = _one_epoch(dataclasses.replace(quick, batch_size=size), small_mnist)
        assert trainer.steps == -(-800 // size)
        assert int(trainer.model.optimizer.iterations) == trainer.steps


def test_speed_settings_do_not_change_the_result(quick: Recipe, small_mnist: DataSet) -> None:
    digests = set()
    for steps in (1, training.STEPS_PER_EXECUTION):
        trainer = Trainer(quick, 800, steps_per_execution=steps)
        trainer.epoch(0, small_mnist.train, small_mnist.test)
        digests.add(outcome.weights_sha256(trainer.trained()))
    assert len(digests) == 1
