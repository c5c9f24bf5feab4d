"""Layers as JSON-ready values."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from edge_digits_train.recipes.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalPool,
    Layer,
    Pool,
    SpatialDropout,
)
from edge_digits_train.recipes.keras_network import KerasNetwork

_KINDS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Conv,
        DepthwiseConv,
        Pool,
        GlobalPool,
        Flatten,
        Dense,
        Dropout,
        SpatialDropout,
        GaussianNoise,
        KerasNetwork,
    )
}


def layer_to_dict(layer: Layer) -> dict[str, Any]:
    """Return a layer as JSON-ready values, ``kind`` first."""
    return {"kind": layer.kind} | dataclasses.asdict(layer)


def layer_from_dict(values: Mapping[str, Any]) -> Layer:
    """Read what `layer_to_dict` wrote.

    Raises:
        ValueError: there is no such kind of layer, or a field is out of range.
        TypeError: a field is missing, unknown or of the wrong type.
    """
    fields = dict(values)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"no kind of layer is called {kind!r}; allowed are {', '.join(_KINDS)}")
    return _KINDS[kind](**fields)
