"""Start a training from the weights of a finished run: other pictures, other classes, the same network."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records.run import MODEL, RunRecord
from numpy.typing import NDArray

from edge_digits_train.recipes.recipe import Recipe


def keep_classes(dataset: DataSet, classes: Sequence[str]) -> DataSet:
    """Return a data set with labels among ``classes``, those of the run to start from, where it has no others.

    A few pictures of a new meter seldom show every digit; the network shall know the others all the same.
    """
    return dataset.with_labels(classes) if set(dataset.classes) <= set(classes) else dataset


def weights_from(folder: Path, recipe: Recipe, classes: Sequence[str]) -> tuple[list[NDArray[Any]], str]:
    """Return the weights to start from, and where they come from in words.

    Where the classes differ, the last layer is drawn anew, except for the outputs of classes that the run has as well.

    Args:
        folder: a finished run of the same network.
        recipe: what is to be trained, fitted to its data set.
        classes: of that data set.

    Raises:
        RunError: the run is missing, unfinished or damaged, or its network is another one.
    """
    # Imported here: a run that is not there must not wait seconds for Keras.
    record = RunRecord.load(folder)
    from edge_digits_train.engine.keras_model import build, load

    begun = Recipe.from_dict(record.recipe)
    if (begun.mean, begun.std) != (recipe.mean, recipe.std):
        raise RunError(
            f"{folder}: a run of {record.name}, which scales its input otherwise than {recipe.name}; "
            "leave the recipe out to train that of the run"
        )
    model = build(recipe)
    layers, known = list(weighted_layers(model)), list(weighted_layers(load(folder / MODEL)))
    replaced = list(record.data["classes"]) != list(classes)
    same = list(zip(layers, known, strict=False))
    if len(layers) != len(known) or any(_shapes(new) != _shapes(old) for new, old in same[: -1 if replaced else None]):
        raise RunError(
            f"{folder}: a run of {record.name}, whose network is not that of {recipe.name}; "
            "leave the recipe out to train that of the run"
        )
    for new, old in same[: -1 if replaced else None]:
        new.set_weights(old.get_weights())
    kept = [name for name in classes if name in record.data["classes"]]
    if replaced:
        _keep_outputs(folder, *same[-1], kept, list(classes), list(record.data["classes"]))
    words = f"started from {record.name} with weights {record.weights_sha256[:12]}"
    if replaced:
        words += f", outputs of {len(kept)} of {len(classes)} classes"
    before = f" ({record.extra['origin']})" if "origin" in record.extra else ""
    return model.get_weights(), words + before


def weighted_layers(model: Any) -> Iterator[Any]:
    """Yield the layers that have weights, in their order, those of models inside the model included."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from weighted_layers(layer)
        elif layer.weights:
            yield layer


def _keep_outputs(folder: Path, new: Any, old: Any, kept: list[str], classes: list[str], known: list[str]) -> None:
    """Copy the weights of the outputs that belong to the classes ``kept``; an output is the last axis of each."""
    values, learned = new.get_weights(), old.get_weights()
    if [value.shape[:-1] for value in values] != [value.shape[:-1] for value in learned]:
        raise RunError(f"{folder}: its last layer, {old.name}, has other inputs than that of the recipe")
    for value, source in zip(values, learned, strict=True):
        value[..., [classes.index(name) for name in kept]] = source[..., [known.index(name) for name in kept]]
    new.set_weights(values)


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
