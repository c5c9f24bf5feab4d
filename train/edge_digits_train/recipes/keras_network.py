"""A whole network of Keras layers as one layer of a recipe: what a Python file or a Keras model file brings."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edge_digits_train.recipes.architecture import Layer, Row, Shape


@dataclass(frozen=True)
class KerasNetwork(Layer):
    """A network as Keras describes it, from pixels in [0, 1] to a logit for each class.

    `edge_digits_train.engine.keras_network` makes it of a Keras model, and a Keras model of it.
    """

    kind: ClassVar[str] = "keras"
    config: Mapping[str, Any]
    """What `keras.Model.to_json` says of the functional model, parsed; only layers of Keras itself are in it."""
    input_shape: Shape
    """Shape of a picture, ``(height, width, 1)``."""
    layers: tuple[Row, ...]
    """Its layers with their figures, as for the table."""

    def __post_init__(self) -> None:
        # After JSON these are lists.
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "layers", tuple(map(_row, self.layers)))
        if not self.layers:
            raise ValueError("a network of no layers")

    @property
    def name(self) -> str:
        return "keras"

    def output_shape(self, shape: Shape) -> Shape:
        if tuple(shape) != self.input_shape:
            wanted, got = ("×".join(map(str, each[:2])) for each in (self.input_shape, shape))
            raise ValueError(f"the network takes pictures of {wanted} pixels, not {got}")
        return self.layers[-1].output_shape

    def rows(self, _shape: Shape) -> tuple[Row, ...]:
        return self.layers

    def parameters(self, _shape: Shape) -> int:
        return sum(row.parameters for row in self.layers)

    def macs(self, _shape: Shape) -> int:
        return sum(row.macs for row in self.layers)

    def with_classes(self, count: int) -> "KerasNetwork":
        """Return the network with ``count`` units in its last layer, where that is dense.

        Raises:
            ValueError: it is not.
        """
        config = copy.deepcopy(dict(self.config))
        inner = config["config"]
        ((name, *_),) = (
            [inner["output_layers"]] if isinstance(inner["output_layers"][0], str) else inner["output_layers"]
        )
        (last,) = (layer for layer in inner["layers"] if layer["name"] == name)
        if last["class_name"] != "Dense":
            raise ValueError(f"it ends in a layer {last['class_name']}")
        before = last["config"]["units"]
        last["config"]["units"] = count
        end = self.layers[-1]
        changed = Row(f"dense-{count}", (count,), end.parameters // before * count, end.macs // before * count)
        return KerasNetwork(config, self.input_shape, (*self.layers[:-1], changed))


def _row(values: Any) -> Row:
    row = values if isinstance(values, Row) else Row(**values)
    if not all(isinstance(size, int) and size >= 0 for size in (*row.output_shape, row.parameters, row.macs)):
        raise ValueError("the figures of a layer are no whole numbers")
    if not math.prod(row.output_shape):
        raise ValueError("a layer without outputs")
    return Row(row.name, tuple(row.output_shape), row.parameters, row.macs)
