"""Train a line reader or the row finder into a run folder, and resume what was interrupted.

As in `edge_digits_train.engine.training`, an epoch is a function of the weights, the optimizer's state, the seed and
the number of the epoch, and of nothing else: its lines are those of (seed, epoch). So a training that was killed and
resumed ends with the same weights, bit for bit, as one that was not.
"""

import datetime
import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.page.decoding import decode
from edge_digits_runtime.records import files
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import CHECKPOINT, EVALUATION, MODEL
from numpy.typing import NDArray

from edge_digits_train.engine import line_model
from edge_digits_train.engine.checkpoint import Checkpoint
from edge_digits_train.engine.feed import pixels
from edge_digits_train.engine.keras_model import derived_seed, load, weights_sha256
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.engine.run_writer import device_facts, evaluate_original, versions
from edge_digits_train.engine.training import check_folder
from edge_digits_train.engine.weight_average import assign, fitted_momentum, start_averages, values_of
from edge_digits_train.lines import library
from edge_digits_train.lines.charset import LABELS
from edge_digits_train.lines.generator import Lines
from edge_digits_train.lines.makers import held_out_lines, line_maker, page_maker
from edge_digits_train.lines.page_sheet import LEVEL
from edge_digits_train.lines.pages import Pages
from edge_digits_train.recipes.line_recipe import ROW_OUTPUTS, LineArchitecture, LineRecipe

VALIDATION_SEED = 999_999
"""Of the held-out lines, the same whatever the recipe's seed: runs with different seeds are validated on the same."""
SETTLING_LINES = 1_024
"""Lines of the last epoch on which the statistics of batch normalization are measured."""
SETTLING_PAGES = 256
_HISTORY = ("loss", "val_exact", "seconds")


@dataclass(frozen=True)
class LineProgress:
    """How far a training has come."""

    epoch: int
    """The epoch under way, from 1."""
    epochs: int
    step: int
    """Batches done of this epoch."""
    steps: int
    loss: float
    """Mean CTC loss of a line over the epoch so far."""
    val_exact: float | None = None
    """Share of the validation lines that are read right; given at the end of an epoch only."""


Callback = Callable[[LineProgress], None]


def train_lines(
    recipe: LineRecipe,
    folder: str | os.PathLike[str],
    resume: bool = False,
    progress: Callback | None = None,
    processes: int = 1,
    start: str | os.PathLike[str] | None = None,
    stored: Path | None = None,
) -> LineRunRecord:
    """Train ``recipe`` and write the run folder.

    The folder gets a checkpoint after each epoch, so that Ctrl-C or a crash loses at most one epoch.

    Args:
        recipe: what to train and how.
        folder: the run folder; made if it is not there.
        resume: continue the unfinished training in ``folder`` from its last complete epoch.
        progress: called every few steps and, with the validation figure, after each epoch.
        processes: that make lines beside this one.
        start: the run folder of a finished training of the same network, whose weights to start from; None for
            random weights.
        stored: folder of the library of the lines; None for that of this computer.

    Returns:
        The record, also written as ``run.json``.

    Raises:
        RunError: ``folder`` holds a run already, or nothing to resume, or a training of another recipe; or ``start`` is
            no run of this network; or the loss is no longer a finite number.
    """
    folder = Path(folder)
    check_folder(folder, resume)
    trainer = LineTrainer(recipe)
    history: dict[str, list[float]] = {name: [] for name in _HISTORY}
    origin = ""
    if resume:
        checkpoint = Checkpoint.load(folder)
        origin = _check_same(folder, checkpoint, recipe)
        history = {name: list(checkpoint.history[name]) for name in _HISTORY}
        trainer.restore(checkpoint.state)
    elif start is not None:
        origin = trainer.start_from(Path(start))

    def save_checkpoint() -> None:
        fields = {"recipe": recipe.to_dict(), "origin": origin}
        Checkpoint(fields, _lines_sha256(), history, trainer.state()).save(folder)

    if not resume:
        # Before the first epoch as well, so that --resume works whenever the process was killed.
        save_checkpoint()
    # One name for both, since lines and pages are made in the same way.
    open_maker: Any = line_maker if isinstance(recipe.architecture, LineArchitecture) else page_maker
    with open_maker(processes, stored) as maker:
        validation = maker.make(recipe.validation_lines, VALIDATION_SEED, held_out=True)
        epochs = range(len(history["loss"]), recipe.epochs)
        # While one epoch is trained, the lines of the next are made.
        coming = maker.begin(recipe.lines, *_place(recipe, epochs.start)) if epochs else None
        for epoch in epochs:
            began = time.perf_counter()
            lines = coming() if coming else maker.make(recipe.lines, *_place(recipe, epoch))
            coming = maker.begin(recipe.lines, *_place(recipe, epoch + 1)) if epoch + 1 < recipe.epochs else None
            loss = trainer.epoch(epoch, lines, progress)
            trained = trainer.trained(lines)
            exact = share_right(trained, validation)
            seconds = time.perf_counter() - began
            for name, value in zip(_HISTORY, (loss, exact, seconds), strict=True):
                history[name].append(value)
            save_checkpoint()
            if progress:
                progress(LineProgress(epoch + 1, recipe.epochs, recipe.steps, recipe.steps, loss, exact))
        if not epochs:
            # Killed between the last checkpoint and the end.
            trained = trainer.trained(maker.make(recipe.lines, *_place(recipe, recipe.epochs - 1)))
    test = held_out_lines(stored) if isinstance(recipe.architecture, LineArchitecture) else None
    record = write_line_run(folder, recipe, trained, history, recipe.lines * recipe.epochs, origin, test)
    (folder / CHECKPOINT).unlink()
    return record


def write_line_run(
    folder: Path,
    recipe: LineRecipe,
    model: keras.Model,
    history: Mapping[str, list[float]],
    lines: int,
    origin: str,
    test: DataSet | None,
) -> LineRunRecord:
    """Write ``model.keras``, of a line reader ``evaluation.json``, and last ``run.json``; the device is this one.

    Args:
        folder: the run folder.
        recipe: what was trained.
        model: as it is to be used.
        history: as in `LineRunRecord`, at least one epoch.
        lines: number of different lines that it was trained on.
        origin: where the weights come from beyond the recipe.
        test: lines that a line reader is tested on; None for a row finder.
    """
    with files.replacing(folder / MODEL) as temporary:
        model.save(temporary)
    if test is not None:
        write_evaluation(folder, recipe.name, model, test)
    record = LineRunRecord(
        recipe=recipe.to_dict(),
        generator=library.VERSION,
        lines=lines,
        weights_sha256=weights_sha256(model),
        model_sha256=hashlib.sha256((folder / MODEL).read_bytes()).hexdigest(),
        device=device_facts(),
        versions=versions(),
        history=history,
        exact=history["val_exact"][-1],
        validation_lines=recipe.validation_lines,
        parameters=recipe.parameters,
        macs=recipe.macs,
        origin=origin,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    record.save(folder)
    return record


def write_evaluation(folder: Path, name: str, model: keras.Model, test: DataSet) -> None:
    """Let the model of a run, which is in its folder already, read the test lines, and write ``evaluation.json``.

    Args:
        folder: the run folder.
        name: of the recipe.
        model: as in ``model.keras``.
        test: the lines.
    """
    read = [decode(logits, LABELS) for logits in line_model.predict(model, test.test.images)]
    texts = np.array([line.text for line in read], np.str_)
    confidences = np.array([[line.confidence] for line in read], np.float32)
    weights = weights_sha256(model)
    evaluate_original(folder / MODEL, name, weights, test, confidences, texts).save(folder / EVALUATION)


def exact_share(model: keras.Model, lines: Lines) -> float:
    """Return the share of lines that a model reads right, every sign and space included, in [0, 1]."""
    texts = [decode(logits, LABELS).text for logits in line_model.predict(model, lines.pictures)]
    return sum(text == label for text, label in zip(texts, lines.labels, strict=True)) / len(lines)


def share_right(model: keras.Model, made: Lines | Pages) -> float:
    """Return `exact_share` of lines, or `number_f1` of pages."""
    if isinstance(made, Lines):
        return exact_share(model, made)
    return number_f1(line_model.predict(model, made.pictures), made.targets)


def number_f1(outputs: NDArray[np.float32], targets: NDArray[np.int8]) -> float:
    """Return the F1 score of the parts of pages that are numbers, in [0, 1]; one on its side taken for level is wrong.

    Args:
        outputs: of the network, shape ``(n, rows, columns, parts · outputs)``.
        targets: of `Pages`.
    """
    classes = targets[..., 0]
    guessed = outputs.reshape(*classes.shape, ROW_OUTPUTS)[..., :-1].argmax(-1)
    counted, number = classes >= 0, classes >= LEVEL
    right = np.count_nonzero(number & (guessed == classes))
    found = np.count_nonzero(counted & (guessed >= LEVEL))
    return 2 * int(right) / max(int(found) + int(np.count_nonzero(number)), 1)


class LineTrainer:
    """A line network under training, which can be stopped between any two epochs and resumed there."""

    def __init__(self, recipe: LineRecipe) -> None:
        """Build the network with its initial weights."""
        devices()
        self.recipe = recipe
        self.model = line_model.build(recipe)
        steps = recipe.steps * recipe.epochs
        warmup = min(recipe.warmup_steps, steps // 2)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - warmup, 1), warmup_target=recipe.learning_rate, warmup_steps=warmup
        )
        optimizer = keras.optimizers.Adam(
            rate if warmup else recipe.learning_rate,
            beta_2=0.99,
            global_clipnorm=recipe.clip_norm,
            use_ema=True,
            ema_momentum=fitted_momentum(recipe.weight_average, steps),
        )
        # XLA compiles the loops of TensorFlow's CTC for minutes and gains nothing.
        compiled = "auto" if keras.backend.backend() == "jax" else False
        self.model.compile(optimizer=optimizer, loss=line_model.loss(recipe), jit_compile=compiled)
        self.model.optimizer.build(self.model.trainable_variables)

    def start_from(self, folder: Path) -> str:
        """Take over the weights of a finished run of the same network; return that in words.

        Raises:
            RunError: it is not one.
        """
        record = LineRunRecord.load(folder)
        if record.recipe["architecture"] != self.recipe.to_dict()["architecture"]:
            raise RunError(f"{folder}: a run of {record.name}, whose network is not that of {self.recipe.name}")
        self.model.set_weights(load(folder / MODEL).get_weights())
        start_averages(self.model.optimizer)
        before = f" ({record.origin})" if record.origin else ""
        return f"started from {record.name} with weights {record.weights_sha256[:12]}{before}"

    def epoch(self, index: int, lines: Lines | Pages, progress: Callback | None = None) -> float:
        """Train for one epoch, number ``index`` from 0, and return the mean loss.

        Raises:
            RunError: the loss is no longer a finite number.
        """
        watcher = _EpochWatcher(index, self.recipe, progress)
        batches = _Batches(lines, self.recipe.batch_size)
        keras.utils.set_random_seed(derived_seed(self.recipe.seed, index))
        self.model.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[watcher])
        if not math.isfinite(watcher.loss):
            raise RunError(
                f"the loss of {self.recipe.name} is {watcher.loss} in epoch {index + 1}: "
                f"the learning rate of {self.recipe.learning_rate:g} is too high; lower it"
            )
        # Keras has put the averaged weights into the network; training continues from the last ones.
        assign(self.model.trainable_variables, watcher.weights)
        return watcher.loss

    def trained(self, lines: Lines | Pages) -> keras.Model:
        """Return a copy of the network as it is to be used: with averaged weights and statistics that fit them.

        Args:
            lines: of the last epoch, to measure the statistics of batch normalization on.
        """
        model = line_model.build(self.recipe)
        last = values_of(self.model.trainable_variables)
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        model.set_weights(self.model.get_weights())
        assign(self.model.trainable_variables, last)
        if isinstance(lines, Lines):
            line_model.settle(model, lines.pictures[:SETTLING_LINES])
        else:
            line_model.settle(model, lines.pictures[:SETTLING_PAGES], SETTLING_PAGES // 4)
        return model

    def state(self) -> list[NDArray[Any]]:
        """Return everything that the next epoch depends on, for `restore`."""
        return values_of(self._variables())

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            RunError: it is the state of another network or optimizer.
        """
        if [array.shape for array in state] != [tuple(variable.shape) for variable in self._variables()]:
            raise RunError("the checkpoint does not fit the recipe; train again in another folder")
        assign(self._variables(), state)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Lines in their order; a batch becomes float32 when it is asked for, since an epoch of them would be 700 MB."""

    def __init__(self, lines: Lines | Pages, size: int) -> None:
        super().__init__()
        self._pictures, self._size = lines.pictures, size
        self._targets = line_model.wanted(lines)

    def __len__(self) -> int:
        return math.ceil(len(self._pictures) / self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.integer[Any]]]:
        chosen = np.s_[index * self._size : (index + 1) * self._size]
        return pixels(self._pictures[chosen]), self._targets[chosen]


class _EpochWatcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes progress on, and keeps the last weights, which Keras replaces by averaged ones when an epoch ends."""

    def __init__(self, index: int, recipe: LineRecipe, progress: Callback | None) -> None:
        super().__init__()
        self._index, self._recipe, self._progress = index, recipe, progress
        self.loss = math.nan
        self.weights: list[NDArray[Any]] = []

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        recipe = self._recipe
        if self._progress and batch + 1 < recipe.steps:
            loss = float(logs["loss"])
            self._progress(LineProgress(self._index + 1, recipe.epochs, batch + 1, recipe.steps, loss))

    def on_epoch_end(self, _epoch: int, logs: Mapping[str, float]) -> None:
        self.loss = float(logs["loss"])
        self.weights = values_of(self.model.trainable_variables)


def _place(recipe: LineRecipe, epoch: int) -> tuple[int, int]:
    """Return the seed and the first number of the lines of an epoch."""
    return recipe.seed, epoch * recipe.lines


def _lines_sha256() -> str:
    """Return what stands for the training data in a checkpoint: the version of what makes them."""
    return hashlib.sha256(f"lines {library.VERSION}".encode()).hexdigest()


def _check_same(folder: Path, checkpoint: Checkpoint, recipe: LineRecipe) -> str:
    """Check that the checkpoint is that of this recipe and generator; return its origin."""
    begun = LineRecipe.from_dict(checkpoint.recipe.get("recipe", {}))
    if changed := begun.changes(recipe):
        name = changed[0]
        raise RunError(
            f"{folder}: the unfinished training has {name.replace('_', ' ')} {getattr(begun, name)}, not "
            f"{getattr(recipe, name)}; resume it with the same recipe and options, or choose another folder"
        )
    if checkpoint.data_sha256 != _lines_sha256():
        raise RunError(f"{folder}: the unfinished training is of another version of made lines; train again")
    return str(checkpoint.recipe.get("origin", ""))
