"""Train a recipe into a run folder, and resume what was interrupted.

An epoch is a function of the weights, the optimizer's state, the seed and the number of the epoch, and of nothing
else: `edge_digits_train.engine.epoch_data` makes its pictures, and every random layer is seeded by (seed, epoch). So a
training that was killed and resumed ends with the same weights, bit for bit, as one that was not.
"""

import dataclasses
import os
from pathlib import Path

from edge_digits_runtime.data import datasets
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import CHECKPOINT, RECORD, RunRecord

from edge_digits_train.data import mnist
from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.engine.checkpoint import Checkpoint
from edge_digits_train.engine.cluster import ALONE, Cluster
from edge_digits_train.engine.run_writer import FinishedTraining, write_run
from edge_digits_train.engine.starting import weights_from
from edge_digits_train.engine.trainer import Callback, Trainer
from edge_digits_train.recipes.recipe import Recipe

HISTORY = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
"""Figures of each epoch in the record of a run."""


def train(
    recipe: Recipe,
    dataset: DataSet,
    folder: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callback | None = None,
    cluster: Cluster = ALONE,
    start: str | os.PathLike[str] | None = None,
) -> RunRecord:
    """Train ``recipe`` on ``dataset`` and write the run folder.

    The folder gets a checkpoint after each epoch, so that Ctrl-C or a crash loses at most one epoch.

    Args:
        recipe: what to train and how; fitted to the classes and the input of the data set.
        dataset: training and test pictures; validation pictures are taken from the training pictures.
        folder: the run folder; made if it is not there.
        source: the file or folder that the data set was read from, for the record; None for MNIST.
        resume: continue the unfinished training in ``folder`` from its last complete epoch.
        progress: called every few steps and, with validation figures, after each epoch.
        cluster: the devices to train on, from `edge_digits_train.engine.distribution.join`; each of its processes
            calls this function, and only process 0 reads and writes ``folder``.
        start: the run folder of a finished training of the same network, whose weights to start from, see
            `edge_digits_train.engine.starting.weights_from`; None for weights that are drawn.

    Returns:
        The record, also written as ``run.json``.

    Raises:
        RunError: ``folder`` holds a run already, or nothing to resume, or a training of another recipe or data set;
            or ``start`` is no run of this network; or the loss is no longer a finite number; or the processes of
            ``cluster`` do not fit together, or one is gone.
        DataError: there are too few pictures to hold some out for validation.
        UsageError: ``recipe`` has teachers, which do not know ``dataset``.
    """
    folder = Path(folder)
    if not recipe.epochs:
        raise UsageError(f"recipe {recipe.name} was imported and has no number of epochs: give one, with --epochs")
    recipe = recipe.fitted(dataset.classes, dataset.input)
    _check_teachers(recipe, dataset)
    training, validation = training_and_validation(recipe, dataset)
    digest = datasets.digest(training)
    cluster.check_batch(recipe.batch_size)
    cluster.check_same(recipe=recipe.to_dict(), pictures=digest)
    checkpoint = cluster.from_chief(lambda: _start(folder, resume, recipe, digest, start, dataset.classes))
    trainer = Trainer(recipe, len(training), cluster=cluster)
    history = {name: list(checkpoint.history[name]) for name in HISTORY}

    def save_checkpoint() -> None:
        if cluster.chief:
            now = dataclasses.replace(checkpoint, recipe=recipe.to_dict(), history=history, state=trainer.state())
            now.save(folder)

    if resume:
        trainer.restore(checkpoint.state)
    else:
        if start is not None:
            trainer.start_from(checkpoint.state)
        # Before the first epoch as well, so that --resume works whenever the process was killed.
        save_checkpoint()
    for epoch in range(len(history["loss"]), recipe.epochs):
        figures = trainer.epoch(epoch, training, validation, progress)
        for name in HISTORY:
            history[name].append(figures[name])
        save_checkpoint()

    # In all processes: setting variables is a collective operation under JAX.
    model = trainer.trained()
    finished = FinishedTraining(
        recipe, model, dataset, source, training, validation, history, cluster, checkpoint.origin
    )

    def finish() -> RunRecord:
        record = write_run(folder, finished)
        (folder / CHECKPOINT).unlink()
        return record

    return cluster.from_chief(finish)


def _start(
    folder: Path,
    resume: bool,
    recipe: Recipe,
    digest: str,
    start: str | os.PathLike[str] | None,
    classes: tuple[str, ...],
) -> Checkpoint:
    """Return the checkpoint that training starts from: that in ``folder``, or one of no epoch.

    The state of the latter is none, or the weights of the network where they come from the run ``start``.
    """
    check_folder(folder, resume)
    if not resume:
        weights, origin = weights_from(Path(start), recipe, classes) if start is not None else ([], "")
        return Checkpoint(recipe.to_dict(), digest, {name: [] for name in HISTORY}, weights, origin, classes)
    checkpoint = Checkpoint.load(folder)
    _check_same(folder, checkpoint, recipe, digest)
    return checkpoint


def check_folder(folder: Path, resume: bool) -> None:
    """Check a run folder as `check_unused` does, and make it if it is not there."""
    check_unused(folder, resume)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made a run folder: {error.strerror}") from error
    if not files.claim(folder):
        raise RunError(f"{folder}: another process is training in it; wait until it is done, or choose another folder")


def check_unused(folder: Path, resume: bool) -> None:
    """Check, before anything is computed, that the folder is free or, to resume, holds an unfinished training."""
    if (folder / RECORD).exists():
        advice = "there is nothing left to resume" if resume else "choose another folder or delete it"
        raise RunError(f"{folder}: holds a finished run; {advice}")
    unfinished = (folder / CHECKPOINT).exists()
    if resume and not unfinished:
        raise RunError(f"{folder}: no unfinished training to resume; leave out --resume to start one")
    if unfinished and not resume:
        raise RunError(f"{folder}: holds an unfinished training; finish it with --resume, or choose another folder")


def _check_teachers(recipe: Recipe, dataset: DataSet) -> None:
    """Check that the teachers, if the recipe has any, know these pictures."""
    if recipe.distillation and dataset.name != mnist.NAME:
        raise UsageError(
            f"{recipe.name} is taught by networks that know only {mnist.NAME}, not {dataset.name}: for other pictures "
            f"train a recipe without teachers, such as {recipe.name}-alone"
        )


def _check_same(folder: Path, checkpoint: Checkpoint, recipe: Recipe, digest: str) -> None:
    """Check that the checkpoint is that of this recipe and these pictures."""
    begun = Recipe.from_dict(checkpoint.recipe)
    if changed := begun.changes(recipe):
        name = changed[0]
        raise RunError(
            f"{folder}: the unfinished training has {name.replace('_', ' ')} {getattr(begun, name)}, not "
            f"{getattr(recipe, name)}; resume it with the same recipe and options, or choose another folder"
        )
    if checkpoint.data_sha256 != digest:
        raise RunError(f"{folder}: the unfinished training has other pictures; resume it with the same --data")
