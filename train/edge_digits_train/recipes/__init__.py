"""Recipes: what is trained and how, the registry of those with a name, and the layers of a network as plain data.

What a Python file with recipes needs is here, see docs/guide/networks.md.
"""

from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.recipes.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalPool,
    Pool,
    SpatialDropout,
)
from edge_digits_train.recipes.recipe import Recipe

__all__ = [
    "Augmentation",
    "Conv",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GlobalPool",
    "Pool",
    "Recipe",
    "SpatialDropout",
]
