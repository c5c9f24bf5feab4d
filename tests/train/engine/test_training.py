"""Training into a run folder: same bits, resuming after a kill, and what is refused."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data import datasets, splitting
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import DataError, RunError
from edge_digits_runtime.records import run
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.engine import run_writer
from edge_digits_train.engine.checkpoint import Checkpoint
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.trainer import Progress, Trainer
from edge_digits_train.engine.training import train
from edge_digits_train.recipes.recipe import Recipe

# Trains the recipe and data set in the folder, and is killed by the system in the middle of the second epoch.
_KILLED = """
import json, os, pathlib, signal, sys
from edge_digits_runtime.data import datasets, splitting, loading
from edge_digits_train.recipes.recipe import Recipe
from edge_digits_train.engine.training import train

def kill(at):
    if at.epoch == 2 and 0 < at.step < at.steps:
        os.kill(os.getpid(), signal.SIGKILL)

folder = pathlib.Path(sys.argv[1])
recipe = Recipe.from_dict(json.loads((folder / "recipe.json").read_text()))
train(recipe, loading.load(folder / "data.npz"), folder / "run", progress=kill)
"""


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


def test_ctrl_c_after_the_last_epoch_loses_no_epoch(
    tmp_path: Path, quick: Recipe, small_mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_writer, "save_curves", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(quick, small_mnist, tmp_path)
    assert not (tmp_path / run.RECORD).exists()
    seen: list[Progress] = []
    train(quick, small_mnist, tmp_path, resume=True, progress=seen.append)
    assert seen == []
    assert RunRecord.load(tmp_path).name == "quick"


def test_progress_reports_every_epoch(finished: Path, seen: list[Progress]) -> None:
    history = RunRecord.load(finished).history
    ends = [at for at in seen if at.val_loss is not None]
    assert [at.epoch for at in ends] == [1, 2, 3]
    assert [at.val_accuracy for at in ends] == history["val_accuracy"]
    assert [at.loss for at in ends] == history["loss"]
    assert {(at.epochs, at.steps) for at in seen} == {(3, 48)}
    assert [at.epoch for at in seen] == sorted(at.epoch for at in seen)
    assert all(0 < at.step <= at.steps for at in seen)


# --- what is refused


def test_a_diverging_training_is_one_clear_error(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
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


def test_a_folder_without_a_checkpoint_cannot_be_resumed(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunError, match="no unfinished training to resume"):
            train(quick, small_mnist, folder, resume=True)


@pytest.fixture
def unfinished(tmp_path: Path, quick: Recipe, small_mnist: DataSet) -> Path:
    folder = tmp_path / "unfinished"
    folder.mkdir()
    training, _ = splitting.split_validation(small_mnist.train, quick.validation_fraction, quick.validation_seed)
    history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": [], "seconds": []}
    Checkpoint(quick.to_dict(), datasets.digest(training), history, Trainer(quick, 720).state()).save(folder)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.5}, "has learning rate 0.001, not 0.5; resume it with the same recipe and options"),
        ({"name": "other", "epochs": 9}, "has name quick, not other"),
        ({"epochs": 9}, "has epochs 1, not 9"),
        ({"seed": 1}, "has seed 7, not 1"),
    ],
)
def test_a_training_is_not_resumed_with_another_recipe(
    unfinished: Path, quick: Recipe, small_mnist: DataSet, change: dict[str, object], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        train(dataclasses.replace(quick, **change), small_mnist, unfinished, resume=True)  # type: ignore[arg-type]


def test_a_reworded_recipe_is_resumed(unfinished: Path, quick: Recipe, small_mnist: DataSet) -> None:
    record = train(dataclasses.replace(quick, description="In other words."), small_mnist, unfinished, resume=True)
    assert record.recipe["description"] == "In other words."


def test_a_training_is_not_resumed_with_other_pictures(unfinished: Path, quick: Recipe, small_mnist: DataSet) -> None:
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
