"""Train a recipe into a run folder.

An epoch is a function of the weights, the optimizer's state, the seed and the number of the epoch, and of nothing
else: pictures are put in the order that (seed, epoch) gives, and every source of randomness in the network is set by
(seed, epoch). So a training that was killed and resumed ends with the same weights, bit for bit, as one that was not.
"""

import functools
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data import datasets
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_runtime.mnist_format import DIGITS
from edge_digits_runtime.records.run import CHECKPOINT, RECORD, RunRecord
from numpy.typing import NDArray

from edge_digits_train.augment import outliers
from edge_digits_train.augment.augmentation import augment
from edge_digits_train.augment.corruption import corrupt
from edge_digits_train.data import mnist, optdigits
from edge_digits_train.engine import outcome, teachers
from edge_digits_train.engine.checkpoint import Checkpoint
from edge_digits_train.engine.cluster import ALONE, Cluster, feed
from edge_digits_train.engine.keras_model import build, derived_seed, pixels
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.recipes.recipe import Recipe

STEPS_PER_EXECUTION = 32
"""Steps that Keras runs before it returns to Python; benchmarks/speed/training_speed.py measures what that saves."""
NO_DIGIT = DIGITS
"""Stands in the place of a label for a picture that is no digit."""
_TARGETS = np.vstack([np.eye(DIGITS), np.full((1, DIGITS), 1 / DIGITS)]).astype(np.float32)
_HISTORY = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")


@dataclass(frozen=True)
class Progress:
    """Where a training is."""

    epoch: int
    """The epoch under way, from 1."""
    epochs: int
    step: int
    """Batches done of this epoch."""
    steps: int
    loss: float
    """Mean over the epoch so far."""
    accuracy: float
    """Mean over the epoch so far, in [0, 1]."""
    val_loss: float | None = None
    """At the end of an epoch only."""
    val_accuracy: float | None = None
    """At the end of an epoch only, in [0, 1]."""


Callback = Callable[[Progress], None]


def train(
    recipe: Recipe,
    dataset: DataSet,
    out: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callback | None = None,
    cluster: Cluster = ALONE,
) -> RunRecord:
    """Train ``recipe`` on ``dataset`` and write the run folder ``out``.

    After each epoch ``out`` holds a checkpoint, so that Ctrl-C or a crash loses at most one epoch.

    Args:
        recipe: what to train and how.
        dataset: training and test pictures; validation pictures are taken from the training pictures.
        out: the run folder; made if it is not there.
        source: what the data set was read from, for the record; None for MNIST.
        resume: continue the unfinished training in ``out``.
        progress: called every few steps and, with validation figures, after each epoch.
        cluster: the devices to train on, from `cluster.join`; each of its processes calls this function, and only
            the chief reads and writes ``out``.

    Returns:
        The record, also written as ``run.json``.

    Raises:
        RunError: ``out`` holds a run already, or nothing to resume, or a training of another recipe or data set; or
            the loss stopped being a number; or the processes of ``cluster`` do not fit together, or one is gone.
        DataError: too few pictures to hold some out for validation.
        UsageError: ``recipe`` has teachers, which do not know ``dataset``.
    """
    folder = Path(out)
    _check_teachers(recipe, dataset)
    training, validation = pictures(recipe, dataset)
    digest = datasets.digest(training)
    cluster.check_batch(recipe.batch_size)
    cluster.check_same(recipe=recipe.to_dict(), pictures=digest)
    checkpoint = cluster.from_chief(lambda: _begin(folder, resume, recipe, digest))
    trainer = Trainer(recipe, len(training), cluster=cluster)
    history = {name: list(checkpoint.history[name]) for name in _HISTORY}

    def save() -> None:
        if cluster.chief:
            Checkpoint(recipe.to_dict(), digest, history, trainer.state()).save(folder)

    if resume:
        trainer.restore(checkpoint.state)
    else:
        # Also before the first epoch: --resume works whenever the process was killed.
        save()
    for epoch in range(len(history["loss"]), recipe.epochs):
        figures = trainer.epoch(epoch, training, validation, progress)
        for name in _HISTORY:
            history[name].append(figures[name])
        save()

    # In all processes: setting variables is a collective operation under JAX.
    model = trainer.trained()

    def finish() -> RunRecord:
        record = outcome.write(folder, recipe, model, dataset, source, training, validation, history, cluster)
        (folder / CHECKPOINT).unlink()
        return record

    return cluster.from_chief(finish)


def pictures(recipe: Recipe, dataset: DataSet) -> tuple[Split, Split]:
    """The pictures that ``recipe`` is trained on and those that it is validated on.

    Raises:
        DataError: too few pictures to hold some out for validation.
    """
    training, validation = datasets.split_validation(
        dataset.train, recipe.validation_fraction, recipe.validation_seed, recipe.validation_fold
    )
    return optdigits.mix(training, recipe.optdigits), validation


def _begin(folder: Path, resume: bool, recipe: Recipe, digest: str) -> Checkpoint:
    """What the training starts from: the checkpoint in ``folder``, or one of no epoch and no state."""
    _check_folder(folder, resume)
    if not resume:
        return Checkpoint(recipe.to_dict(), digest, {name: [] for name in _HISTORY}, [])
    checkpoint = Checkpoint.load(folder)
    _check_same(folder, checkpoint, recipe, digest)
    return checkpoint


def _check_folder(folder: Path, resume: bool) -> None:
    """See that ``folder`` is free for a new training, or holds an unfinished one, before anything is computed."""
    if (folder / RECORD).exists():
        advice = "there is nothing left to resume" if resume else "choose another folder or delete it"
        raise RunError(f"{folder}: holds a finished run; {advice}")
    unfinished = (folder / CHECKPOINT).exists()
    if resume and not unfinished:
        raise RunError(f"{folder}: no unfinished training to resume; leave out --resume to start one")
    if unfinished and not resume:
        raise RunError(f"{folder}: holds an unfinished training; finish it with --resume, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made a run folder: {error.strerror}") from error


def _check_teachers(recipe: Recipe, dataset: DataSet) -> None:
    """See that the teachers, if there are any, know these pictures."""
    if recipe.distillation and dataset.name != mnist.NAME:
        raise UsageError(
            f"{recipe.name} is taught by networks that know {mnist.NAME} alone, not {dataset.name}: on other pictures "
            f"train a recipe without teachers, such as {recipe.name}-alone"
        )


def _check_same(folder: Path, checkpoint: Checkpoint, recipe: Recipe, digest: str) -> None:
    """See that the checkpoint is of this recipe and these pictures."""
    begun = Recipe.from_dict(checkpoint.recipe)
    if changed := begun.changes(recipe):
        name = changed[0]
        raise RunError(
            f"{folder}: the unfinished training has {name.replace('_', ' ')} {getattr(begun, name)}, not "
            f"{getattr(recipe, name)}; resume it with the same recipe and options, or choose another folder"
        )
    if checkpoint.data_sha256 != digest:
        raise RunError(f"{folder}: the unfinished training has other pictures; resume it with the same --data")


class Trainer:
    """A network under training, to be stopped and gone on with between any two epochs."""

    def __init__(
        self,
        recipe: Recipe,
        pictures: int,
        steps_per_execution: int = STEPS_PER_EXECUTION,
        cluster: Cluster = ALONE,
    ) -> None:
        """Build the network of ``recipe`` for ``pictures`` training pictures; its weights are the initial ones."""
        self.recipe = recipe
        self.cluster = cluster
        self.outliers = round(pictures * recipe.outliers / (1 - recipe.outliers))
        count = pictures + self.outliers
        self.steps = math.ceil((count - count % cluster.replicas) / recipe.batch_size)
        self._steps_per_execution = min(steps_per_execution, self.steps)
        # Before the optimizer, which would start the backend aloud.
        devices()
        with cluster.scope():
            self.model = self._compiled(
                _Loss(recipe.label_smoothing, recipe.distillation), optimizer=_optimizer(recipe, self.steps)
            )
            self.model.optimizer.build(self.model.trainable_variables)
        self._fit = cluster.fitter(self.model)
        # Labels may be smoothed for training and teachers heard, which is nothing to validate. And each process of a
        # cluster validates by itself, so that all pictures count the same.
        self._validated = self._compiled(_Loss())

    def _compiled(self, loss: keras.losses.Loss, **options: Any) -> keras.Model:
        model = build(self.recipe)
        model.compile(loss=loss, metrics=[_Accuracy()], steps_per_execution=self._steps_per_execution, **options)
        return model

    def epoch(
        self, index: int, training: Split, validation: Split, progress: Callback | None = None
    ) -> Mapping[str, float]:
        """Train for one epoch, number ``index`` from 0, and validate.

        Returns:
            ``loss`` and ``accuracy`` as means over the epoch, ``val_loss`` and ``val_accuracy`` after it, and
            ``seconds`` of wall time for training alone (order, augmentation, teachers, corruption and all steps).
            ``val_loss`` is of the labels as they are: nothing is smoothed, and teachers have no say.

        Raises:
            RunError: the loss is not a finite number any more.
        """
        watcher = _Watcher(index, self, progress)
        started = time.perf_counter()
        images, labels = self._pictures(index, training)
        wanted = targets(labels)
        if self.recipe.distillation:
            said, digits = wanted.copy(), labels != NO_DIGIT
            said[digits] = teachers.answer(images[digits])
            wanted = np.concatenate([wanted, said], axis=1)
        if self.recipe.corruption:
            images = corrupt(images, np.random.default_rng((self.recipe.seed, index, 2)), self.recipe.corruption)
        self._seed_random_layers(index)
        self._fit(pixels(images), wanted, batch_size=self.recipe.batch_size, callbacks=[watcher])
        seconds = time.perf_counter() - started
        figures = {name: float(watcher.figures[name]) for name in ("loss", "accuracy")}
        if not math.isfinite(figures["loss"]):
            raise RunError(
                f"the loss of {self.recipe.name} is {figures['loss']} in epoch {index + 1}: "
                f"the learning rate of {self.recipe.learning_rate:g} is too high; lower it"
            )
        # Keras has put the averaged weights into the network.
        self._validated.set_weights(self.model.get_weights())
        validated = self._validated.evaluate(
            **feed(outcome.BATCH, pixels(validation.images), targets(validation.labels)), verbose=0, return_dict=True
        )
        figures |= {f"val_{name}": float(validated[name]) for name in ("loss", "accuracy")} | {"seconds": seconds}
        # The averaged weights were validated; training goes on with the last ones.
        self._assign(self.model.trainable_variables, watcher.weights)
        if progress:
            values = {name: value for name, value in figures.items() if name != "seconds"}
            progress(Progress(index + 1, self.recipe.epochs, self.steps, self.steps, **values))
        return figures

    def state(self) -> list[NDArray[Any]]:
        """Everything that the next epoch depends on, to be given to `restore`."""
        return _values(self._variables())

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Go back to what `state` gave.

        Raises:
            RunError: the state is that of another network or optimizer.
        """
        shapes = [tuple(variable.shape) for variable in self._variables()]
        if [array.shape for array in state] != shapes:
            raise RunError("the checkpoint does not fit the recipe; train again in another folder")
        self._assign(self._variables(), state)

    def trained(self) -> keras.Model:
        """A copy of the network as it is to be used: averaged weights where the recipe averages, no optimizer."""
        model = build(self.recipe)
        model.set_weights(self.model.get_weights())
        if self.recipe.weight_average is not None:
            last = _values(self.model.trainable_variables)
            with self.cluster.scope():
                self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            model.set_weights(self.model.get_weights())
            self._assign(self.model.trainable_variables, last)
        return model

    def _assign(self, variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
        with self.cluster.scope():
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _pictures(self, index: int, training: Split) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The training pictures of one epoch in its order, and among them those that are no digit."""
        if self.outliers:
            drawn = outliers.make(self.outliers, np.random.default_rng((self.recipe.seed, index, 1)), training)
            images = np.concatenate([training.images, drawn])
            labels = np.concatenate([training.labels, np.full(len(drawn), NO_DIGIT, np.uint8)])
        else:
            images, labels = training.images, training.labels
        rng = np.random.default_rng((self.recipe.seed, index))
        order = rng.permutation(len(images))
        images, labels = images[order], labels[order]
        if self.recipe.augmentation is not None:
            images = augment(images, rng, self.recipe.augmentation, labels)
        return images, labels

    def _seed_random_layers(self, index: int) -> None:
        for number, layer in enumerate(self.model.layers):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                self._assign([generator.state], [np.array([derived_seed(self.recipe.seed, index, number), 0])])


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes progress on, and keeps what Keras replaces at the end of an epoch."""

    def __init__(self, index: int, trainer: Trainer, progress: Callback | None) -> None:
        super().__init__()
        self._index, self._trainer, self._progress = index, trainer, progress
        self.figures: Mapping[str, float] = {}
        self.weights: list[NDArray[Any]] = []

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        if self._progress:
            trainer = self._trainer
            figures = {name: float(logs[name]) for name in ("loss", "accuracy")}
            # Keras names the last batch that an execution could have had, which may be behind the end of the epoch.
            step = min(batch + 1, trainer.steps)
            self._progress(Progress(self._index + 1, trainer.recipe.epochs, step, trainer.steps, **figures))

    def on_epoch_end(self, _epoch: int, logs: Mapping[str, float]) -> None:
        self.figures = dict(logs)
        self.weights = _values(self.model.trainable_variables)


def targets(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network is to answer: shape ``(n, 10)`` for labels of shape ``(n,)``.

    1 at the label and 0 elsewhere; the same for all ten digits where the label is `NO_DIGIT`.
    """
    return _TARGETS[labels]


class _Loss(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of logits and targets, and beside it that of softened logits and what the teachers say.

    Targets of shape ``(n, 10)``, or ``(n, 20)`` with the probabilities of the teachers behind them. The square of the
    temperature makes the gradients of both parts alike (Hinton et al. 2015, section 2).
    """

    def __init__(self, smoothing: float = 0.0, distillation: float = 0.0) -> None:
        super().__init__()
        self._smoothing, self._distillation = smoothing, distillation

    def call(self, y_true: Any, y_pred: Any) -> Any:
        entropy = functools.partial(keras.losses.categorical_crossentropy, from_logits=True)
        loss = entropy(y_true[:, :DIGITS], y_pred, label_smoothing=self._smoothing)
        if not self._distillation:
            return loss
        of_teachers = entropy(y_true[:, DIGITS:], y_pred / teachers.TEMPERATURE) * teachers.TEMPERATURE**2
        return (1 - self._distillation) * loss + self._distillation * of_teachers


class _Accuracy(keras.metrics.CategoricalAccuracy):  # type: ignore[misc]
    """The share of the digits that is answered right; what is no digit does not count."""

    def __init__(self) -> None:
        super().__init__(name="accuracy")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # noqa: ARG002
        labels = y_true[:, :DIGITS]
        is_digit = keras.ops.max(labels, axis=-1) > 0.5
        super().update_state(labels, y_pred, keras.ops.cast(is_digit, "float32"))


def _optimizer(recipe: Recipe, steps: int) -> Any:
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=steps * recipe.epochs)
    average = {"use_ema": recipe.weight_average is not None, "ema_momentum": recipe.weight_average or 0.99}
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=recipe.momentum, nesterov=recipe.nesterov, **average)
    return keras.optimizers.Adam(rate, **average)


def _values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
