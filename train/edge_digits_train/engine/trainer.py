"""A network under training: epochs, their figures, and the state between two of them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import RunError
from numpy.typing import NDArray

from edge_digits_train.engine.cluster import ALONE, Cluster
from edge_digits_train.engine.epoch_data import epoch_size, label_targets, make_epoch_data
from edge_digits_train.engine.feed import feed, pixels
from edge_digits_train.engine.keras_model import build, derived_seed
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.engine.losses import DistillationLoss, LabelAccuracy
from edge_digits_train.engine.scoring import BATCH
from edge_digits_train.engine.weight_average import assign, fitted_momentum, start_averages, values_of
from edge_digits_train.recipes.recipe import Recipe

STEPS_PER_EXECUTION = 32
"""Steps that Keras runs before it returns to Python; benchmarks/speed/training_speed.py measures what that saves."""


@dataclass(frozen=True)
class Progress:
    """How far a training has come."""

    epoch: int
    """The epoch under way, from 1."""
    epochs: int
    """Number of epochs of the whole training."""
    step: int
    """Batches done of this epoch."""
    steps: int
    """Batches of an epoch."""
    loss: float
    """Mean over the epoch so far."""
    accuracy: float
    """Mean over the epoch so far, in [0, 1]."""
    val_loss: float | None = None
    """Given at the end of an epoch only."""
    val_accuracy: float | None = None
    """In [0, 1]; given at the end of an epoch only."""


Callback = Callable[[Progress], None]


class Trainer:
    """A network under training, which can be stopped between any two epochs and resumed there."""

    def __init__(
        self,
        recipe: Recipe,
        pictures: int,
        steps_per_execution: int = STEPS_PER_EXECUTION,
        cluster: Cluster = ALONE,
    ) -> None:
        """Build the network with its initial weights.

        Args:
            recipe: what to train and how.
            pictures: number of training pictures.
            steps_per_execution: steps that Keras runs before it returns to Python, and so between two calls of a
                progress callback.
            cluster: the devices to train on.
        """
        self.recipe = recipe
        self.cluster = cluster
        count = epoch_size(recipe, pictures)
        self.steps = math.ceil((count - count % cluster.replicas) / recipe.batch_size)
        """Batches of an epoch."""
        self._steps_per_execution = min(steps_per_execution, self.steps)
        # Starts the backend quietly; the optimizer would start it with all its messages.
        devices()
        with cluster.scope():
            loss = DistillationLoss(recipe.label_smoothing, recipe.distillation)
            self.model = self._compiled(loss, optimizer=_optimizer(recipe, self.steps))
            self.model.optimizer.build(self.model.trainable_variables)
        self._fit = cluster.fitter(self.model)
        # Validation has its own model: its loss is that of the plain labels, and each process of a cluster validates
        # by itself on all pictures, so that they all count the same.
        self._validated = self._compiled(DistillationLoss())

    def _compiled(self, loss: keras.losses.Loss, **options: Any) -> keras.Model:
        model = build(self.recipe)
        accuracy = LabelAccuracy(turning=self.recipe.turn_smoothing > 0)
        model.compile(loss=loss, metrics=[accuracy], steps_per_execution=self._steps_per_execution, **options)
        return model

    def epoch(
        self, index: int, training: Split, validation: Split, progress: Callback | None = None
    ) -> Mapping[str, float]:
        """Train for one epoch, number ``index`` from 0, and validate.

        Returns:
            ``loss`` and ``accuracy`` as means over the epoch, ``val_loss`` and ``val_accuracy`` after it, and
            ``seconds`` of wall time for training alone: making the epoch's data, and all steps. ``val_loss`` is that
            of the plain labels, neither smoothed nor mixed with what the teachers answer. Both losses include the
            recipe's ``l2``.

        Raises:
            RunError: the loss is no longer a finite number.
        """
        watcher = _EpochWatcher(index, self, progress)
        started = time.perf_counter()
        data = make_epoch_data(self.recipe, index, training)
        self._seed_random_layers(index)
        self._fit(pixels(data.images), data.targets, batch_size=self.recipe.batch_size, callbacks=[watcher])
        seconds = time.perf_counter() - started
        figures = {name: float(watcher.figures[name]) for name in ("loss", "accuracy")}
        if not math.isfinite(figures["loss"]):
            raise RunError(
                f"the loss of {self.recipe.name} is {figures['loss']} in epoch {index + 1}: "
                f"the learning rate of {self.recipe.learning_rate:g} is too high; lower it"
            )
        # Keras has put the averaged weights into the network.
        self._validated.set_weights(self.model.get_weights())
        targets = label_targets(validation.labels, self.recipe.classes)
        validated = self._validated.evaluate(
            **feed(BATCH, pixels(validation.images), targets), verbose=0, return_dict=True
        )
        figures |= {f"val_{name}": float(validated[name]) for name in ("loss", "accuracy")} | {"seconds": seconds}
        # The averaged weights were validated; training continues from the last ones.
        self._assign(self.model.trainable_variables, watcher.weights)
        if progress:
            values = {name: value for name, value in figures.items() if name != "seconds"}
            progress(Progress(index + 1, self.recipe.epochs, self.steps, self.steps, **values))
        return figures

    def state(self) -> list[NDArray[Any]]:
        """Return everything that the next epoch depends on, for `restore`."""
        return values_of(self._variables())

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            RunError: it is the state of another network or optimizer.
        """
        shapes = [tuple(variable.shape) for variable in self._variables()]
        if [array.shape for array in state] != shapes:
            raise RunError("the checkpoint does not fit the recipe; train again in another folder")
        self._assign(self._variables(), state)

    def start_from(self, weights: Sequence[NDArray[Any]]) -> None:
        """Replace the initial weights, before the first epoch, by those of another training of this network."""
        self._assign(self.model.weights, weights)
        if self.recipe.weight_average is not None:
            with self.cluster.scope():
                start_averages(self.model.optimizer)

    def trained(self) -> keras.Model:
        """Return a copy of the network as it is to be used: with averaged weights where the recipe averages."""
        model = build(self.recipe)
        model.set_weights(self.model.get_weights())
        if self.recipe.weight_average is not None:
            last = values_of(self.model.trainable_variables)
            with self.cluster.scope():
                self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            model.set_weights(self.model.get_weights())
            self._assign(self.model.trainable_variables, last)
        return model

    def _assign(self, variables: Sequence[Any], wanted: Sequence[NDArray[Any]]) -> None:
        with self.cluster.scope():
            assign(variables, wanted)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _seed_random_layers(self, index: int) -> None:
        for number, layer in enumerate(self.model.layers):
            generators = [each for part in layer._flatten_layers() for each in part._seed_generators]
            for more, generator in enumerate(generators):
                place = (index, number, more) if more else (index, number)
                self._assign([generator.state], [np.array([derived_seed(self.recipe.seed, *place), 0])])


class _EpochWatcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes progress on, and keeps the last weights, which Keras replaces by averaged ones when an epoch ends."""

    def __init__(self, index: int, trainer: Trainer, progress: Callback | None) -> None:
        super().__init__()
        self._index, self._trainer, self._progress = index, trainer, progress
        self.figures: Mapping[str, float] = {}
        self.weights: list[NDArray[Any]] = []

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        if self._progress:
            trainer = self._trainer
            figures = {name: float(logs[name]) for name in ("loss", "accuracy")}
            # Keras counts in full executions, so its last batch may lie past the end of the epoch.
            step = min(batch + 1, trainer.steps)
            self._progress(Progress(self._index + 1, trainer.recipe.epochs, step, trainer.steps, **figures))

    def on_epoch_end(self, _epoch: int, logs: Mapping[str, float]) -> None:
        self.figures = dict(logs)
        self.weights = values_of(self.model.trainable_variables)


def _optimizer(recipe: Recipe, steps: int) -> Any:
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=steps * recipe.epochs)
    momentum = fitted_momentum(recipe.weight_average or 0.0, steps * recipe.epochs)
    average = {"use_ema": recipe.weight_average is not None, "ema_momentum": momentum}
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=recipe.momentum, nesterov=recipe.nesterov, **average)
    return keras.optimizers.Adam(rate, **average)
