"""Adopt a Keras classifier that was trained elsewhere: a run folder as a training would have written it."""

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.data import metrics
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import EdgeDigitsError, ModelError, UsageError
from edge_digits_runtime.records.run import RunRecord
from numpy.typing import NDArray

from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.engine import keras_file
from edge_digits_train.engine.adoption import PIXEL_RANGES, UNIT, PixelRange, adopt, model_of, network_of
from edge_digits_train.engine.cluster import ALONE
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.own_file import clean_name
from edge_digits_train.engine.run_writer import FinishedTraining, write_run
from edge_digits_train.engine.scoring import predict
from edge_digits_train.engine.training import HISTORY, check_folder, check_unused
from edge_digits_train.recipes.recipe import Recipe

_SIGMAS = 3.0
"""Two ranges fit if the better one is ahead by fewer standard errors of the pictures that only one gets right."""
_PROBE = 100
"""Number of pictures on which the model and what is made of it must answer alike."""
_TOLERANCE = 1e-3
"""Allowed difference of a probability between the model and what is made of it; rounding makes about 1e-6."""


@dataclass(frozen=True)
class Fit:
    """How well a network does with pixels of one range."""

    pixels: PixelRange
    accuracy: float
    """Share of right answers on the validation pictures, in [0, 1]."""
    right: NDArray[np.bool_]
    """Which of them, shape ``(n,)``."""


def load_network(path: Path, shape: tuple[int, int] | None, allow_code: bool = False) -> tuple[keras.Model, Recipe]:
    """Load a Keras model file and describe its network, before any data set is read.

    Args:
        path: a ``.keras`` or ``.h5`` file.
        shape: height and width of its pictures; None where the model says it.
        allow_code: run code that the file holds.

    Returns:
        The model as it is, and a recipe without epochs that takes pixels as they are.

    Raises:
        ModelError: it is no classifier of grey pictures; the message names the file.
    """
    model = keras_file.load(path, allow_code)
    return model, _recipe(path, model, shape, UNIT, allow_code)


def import_model(
    path: Path,
    loaded: tuple[keras.Model, Recipe],
    dataset: DataSet,
    folder: Path,
    source: str | os.PathLike[str] | None = None,
    pixels: PixelRange | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> RunRecord:
    """Write the run folder of a Keras model, measured on a data set as a training would measure it.

    Args:
        path: the file of the model.
        loaded: what `load_network` returned.
        dataset: of as many classes as the model has outputs, in their order.
        folder: the run folder; made if it is not there.
        source: the file or folder that the data set was read from; None for MNIST.
        pixels: the range of pixels that the model wants; None to find it on the validation pictures.
        say: called with what was found.

    Raises:
        ModelError: the model does not fit the data set, or no range fits.
        UsageError: two ranges fit.
        RunError: the folder holds a run.
    """
    model, described = loaded
    if described.classes != len(dataset.classes):
        raise ModelError(
            f"{path}: {described.classes} outputs, but {dataset.name} has {len(dataset.classes)} classes; give "
            "pictures of all classes of the model, or name its classes with --classes"
        )
    training, validation = training_and_validation(described, dataset)
    check_unused(folder, resume=False)
    shape = dataset.input.shape
    if pixels is None:
        fits = [_fit(adopt(model, described.name, shape, each), each, validation) for each in PIXEL_RANGES]
        pixels = _chosen(path, fits, len(dataset.classes))
        say(f"Pixels {pixels.name}: {', '.join(f'{100 * f.accuracy:.1f} % with {f.pixels.name}' for f in fits)} right.")
    # Code in it was run when it was loaded.
    recipe = _recipe(path, model, shape, pixels, allow_code=True)
    network = model_of(recipe.layers[0], recipe.name, 0, allow_code=True)  # type: ignore[arg-type]
    network.set_weights(adopt(model, recipe.name, shape, pixels).get_weights())
    _check_same(path, model, network, pixels, validation)
    check_folder(folder, resume=False)
    origin = f"imported from {path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    history: dict[str, list[float]] = {name: [] for name in HISTORY}
    return write_run(
        folder,
        FinishedTraining(
            recipe, network, dataset, source, training, validation, history, ALONE, f"{origin}, pixels {pixels.name}"
        ),
    )


def _recipe(
    path: Path, model: keras.Model, shape: tuple[int, int] | None, pixels: PixelRange, allow_code: bool
) -> Recipe:
    name = clean_name(path.stem)
    try:
        network = network_of(adopt(model, name, shape, pixels), allow_code)
        height, width, _ = network.input_shape
        description = f"A Keras model that takes pixels {pixels.name}, trained elsewhere."
        return Recipe(name, description, path.name, (network,), (height, width), epochs=0)
    except EdgeDigitsError as error:
        raise ModelError(f"{path}: {error}") from error


def _fit(network: keras.Model, pixels: PixelRange, validation: Split) -> Fit:
    right = predict(network, validation.images).argmax(axis=1) == validation.labels
    return Fit(pixels, float(right.mean()), right)


def _chosen(path: Path, fits: Sequence[Fit], classes: int) -> PixelRange:
    """Return the range that alone fits.

    Raises:
        UsageError: two fit.
        ModelError: none does better than guessing.
    """
    best, *others = sorted(fits, key=lambda fit: -fit.accuracy)
    shares = ", ".join(f"{100 * fit.accuracy:.1f} % with {fit.pixels.name}" for fit in fits)
    guessing = _SIGMAS * math.sqrt((1 - 1 / classes) / classes / len(best.right)) + 1 / classes
    if best.accuracy <= guessing:
        raise ModelError(
            f"{path}: no range of pixels gives more right answers than guessing ({shares}); are the classes in the "
            "order of its outputs (--classes), the pictures read as it wants them (--input), "
            "dark and light as it knows them?"
        )
    for other in others:
        # McNemar: only the pictures that one of the two gets right tell them apart.
        ahead, behind = (best.right & ~other.right).sum(), (other.right & ~best.right).sum()
        if ahead - behind <= _SIGMAS * math.sqrt(ahead + behind):
            raise UsageError(f"{path}: two ranges of pixels fit, {shares}; say with --range which it was trained with")
    return best.pixels


def _check_same(path: Path, model: keras.Model, network: keras.Model, pixels: PixelRange, pictures: Split) -> None:
    """Check that the network that was made of a model answers as the model does."""
    some = pictures.take(slice(_PROBE))
    values = some.images.astype(np.float32) / 255 * np.float32(pixels.scale) + np.float32(pixels.offset)
    given = model.inputs[0].shape[1:]
    shape = tuple(size or known for size, known in zip(given, (*some.images.shape[1:], 1), strict=False))
    answers = np.asarray(model(values.reshape(len(some), *shape), training=False), np.float64)
    if not np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        answers = metrics.softmax(answers)
    difference = float(np.abs(metrics.softmax(predict(network, some.images)) - answers).max())
    if not difference <= _TOLERANCE:
        raise ModelError(f"{path}: what was made of it answers otherwise, by {difference:.3g} of a probability")
