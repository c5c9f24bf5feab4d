"""Training of a line reader: the loss, the run folder, and resuming bit for bit."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import CHECKPOINT, MODEL, RunRecord
from edge_digits_train.engine import line_model, line_training
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.lines.charset import BLANK, LABELS
from edge_digits_train.recipes.line_recipe import (
    CLASSES,
    LINE_RECIPES,
    ROW_OUTPUTS,
    STEPS,
    LineArchitecture,
    LineRecipe,
)
from numpy.typing import NDArray

TINY = LineRecipe(
    "tiny",
    "For tests.",
    LineArchitecture(0, (4, 4, 4, 4), 8, ((8, 3, 1),)),
    batch_size=8,
    lines=64,
    epochs=2,
    validation_lines=12,
    warmup_steps=2,
)


OTHER = dataclasses.replace(TINY, seed=1)


def negative_log_likelihood(logits: NDArray[np.float64], label: list[int]) -> float:
    """Sum over all alignments, step by step (Graves et al. 2006, equations 5 to 8)."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    path = [BLANK]
    for character in label:
        path += [character, BLANK]
    ways = np.zeros(len(path))
    ways[0] = odds[0, BLANK]
    if label:
        ways[1] = odds[0, label[0]]
    for row in odds[1:]:
        before = ways.copy()
        for place, character in enumerate(path):
            total = before[place] + (before[place - 1] if place else 0)
            if place > 1 and character not in (BLANK, path[place - 2]):
                total += before[place - 2]
            ways[place] = total * row[character]
    return float(-np.log(ways[-2:].sum()))


def test_the_loss_is_that_of_all_alignments() -> None:
    labels = ["12", "11", "", "0123456789.,-+/:=()×%€$£?1", " "]
    logits = np.random.default_rng(0).normal(size=(len(labels), STEPS, CLASSES))
    loss = keras.ops.convert_to_numpy(line_model.ctc_loss(line_model.targets(labels), logits.astype(np.float32)))
    expected = [
        negative_log_likelihood(row, [LABELS.index(c) for c in label])
        for row, label in zip(logits, labels, strict=True)
    ]
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


@pytest.mark.parametrize("recipe", LINE_RECIPES.values(), ids=LINE_RECIPES)
def test_parameters_are_those_of_the_model(recipe: LineRecipe) -> None:
    model = line_model.build(recipe)
    lines = isinstance(recipe.architecture, LineArchitecture)
    assert model.output_shape == ((None, STEPS, CLASSES) if lines else (None, None, None, 16 * ROW_OUTPUTS))
    assert recipe.parameters == sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert recipe.macs > 1e6


@pytest.mark.parametrize("recipe", LINE_RECIPES.values(), ids=LINE_RECIPES)
def test_recipes_survive_being_written_down(recipe: LineRecipe) -> None:
    again = LineRecipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert recipe.changes(dataclasses.replace(recipe, seed=5)) == ["seed"]


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"weight_average": 1.0},
        {"seed": -1},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="allowed is"):
        dataclasses.replace(TINY, **change)  # type: ignore[arg-type]


def test_settled_statistics_are_means_over_batches() -> None:
    model = line_model.build(TINY)
    pictures = np.random.default_rng(0).integers(0, 256, (2 * line_model.SETTLING_BATCH, 32, 264)).astype(np.uint8)
    line_model.settle(model, pictures)
    norm = model.get_layer("layer1_norm")
    convolution = keras.Model(model.input, model.get_layer("layer1_conv").output)
    answers = convolution.predict_on_batch(pictures[..., None].astype(np.float32) / 255)
    np.testing.assert_allclose(norm.moving_mean, answers.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
    assert norm.momentum == 0.99


class Killed(Exception):
    """Stands for Ctrl-C."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, library_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny-1"
    line_training.train_lines(TINY, folder, stored=library_folder)
    return folder


def test_a_resumed_training_ends_with_the_same_weights(tmp_path: Path, run: Path, library_folder: Path) -> None:
    whole = LineRunRecord.load(run)

    def kill(progress: line_training.LineProgress) -> None:
        if progress.epoch == 2 and progress.val_exact is None:
            raise Killed

    with pytest.raises(Killed):
        line_training.train_lines(TINY, tmp_path / "killed", progress=kill, stored=library_folder)
    with pytest.raises(RunError, match="finish it with --resume"):
        line_training.train_lines(TINY, tmp_path / "killed", stored=library_folder)
    with pytest.raises(RunError, match="has seed 0, not 1"):
        line_training.train_lines(OTHER, tmp_path / "killed", resume=True, stored=library_folder)
    resumed = line_training.train_lines(TINY, tmp_path / "killed", resume=True, stored=library_folder)
    assert resumed.weights_sha256 == whole.weights_sha256
    assert resumed.history["loss"] == whole.history["loss"]
    assert whole.history["loss"][-1] < whole.history["loss"][0]
    assert not (tmp_path / "killed" / CHECKPOINT).exists()


def test_the_run_folder_is_read_back_and_started_from(run: Path, library_folder: Path) -> None:
    record = LineRunRecord.load(run)
    assert (record.name, record.lines, record.validation_lines) == ("tiny", 128, 12)
    assert LineRecipe.from_dict(record.recipe) == TINY
    with pytest.raises(RunError, match="line reader"):
        RunRecord.load(run)
    with pytest.raises(RunError, match="holds a finished run"):
        line_training.train_lines(TINY, run, stored=library_folder)
    trainer = line_training.LineTrainer(OTHER)
    assert record.weights_sha256[:12] in trainer.start_from(run)
    trained = keras.models.load_model(run / MODEL, compile=False).get_weights()
    for weight, expected in zip(trainer.model.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(weight, expected)
    # The averages start there as well: after no step they are the same weights.
    trainer.model.optimizer.finalize_variable_values(trainer.model.trainable_variables)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], trained[0])
    with pytest.raises(RunError, match="whose network is not that of line-s"):
        line_training.LineTrainer(LINE_RECIPES["line-s"]).start_from(run)
