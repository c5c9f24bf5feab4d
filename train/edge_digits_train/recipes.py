"""Recipes: everything that a training needs to be told, by name."""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_digits_runtime.errors import RunError, UsageError

from edge_digits_train import architecture
from edge_digits_train.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    Layer,
    Pool,
    Row,
    SpatialDropout,
)
from edge_digits_train.augment import Augmentation

INITIALIZERS = ("he_normal", "glorot_uniform", "truncated_normal")
OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Raises:
        UsageError: a value out of its range, or layers that do not fit together.
    """

    name: str
    """Says the structure, such as ``cnn-32-64-64``."""
    description: str
    """One line."""
    source: str
    """The paper and table that it reproduces, or that it is our own."""
    layers: tuple[Layer, ...]
    """From the picture of shape ``(28, 28, 1)`` to ten logits."""
    mean: float = 0.0
    """What is subtracted from the pixels after they are divided by 255, in [0, 1)."""
    std: float = 1.0
    """What they are divided by then, > 0; ``(0, 1)`` leaves pixel / 255 as it is."""
    initializer: str = "he_normal"
    """Of kernels, one of `INITIALIZERS`; biases start at 0. ``he_normal`` after He et al. 2015 (variance 2 / fan-in),
    ``glorot_uniform`` after Glorot and Bengio 2010."""
    initializer_stddev: float | None = None
    """Standard deviation of ``truncated_normal``, which is cut off at twice that; None for the others."""
    l2: float = 0.0
    """``l2`` × the sum of squared kernel weights is added to the loss; at least 0."""
    optimizer: str = "adam"
    """One of `OPTIMIZERS`."""
    learning_rate: float = 0.001
    """> 0."""
    momentum: float = 0.0
    """Of sgd, in [0, 1)."""
    nesterov: bool = False
    """Nesterov momentum, of sgd."""
    schedule: str = "constant"
    """One of `SCHEDULES`: ``cosine`` falls from ``learning_rate`` to 0 over all steps (Loshchilov and Hutter 2017)."""
    batch_size: int = 64
    epochs: int = 5
    label_smoothing: float = 0.0
    """Share of the target that is spread over all ten digits, in [0, 1) (Szegedy et al. 2016)."""
    weight_average: float | None = None
    """Momentum in (0, 1) of an exponential moving average of the weights, which then is what is validated and kept;
    None for the last weights. Polyak and Juditsky 1992."""
    augmentation: Augmentation | None = None
    """Changes the training pictures anew in each epoch; None leaves them as they are."""
    handwriting: int = 0
    """How often an epoch holds each picture of `edge_digits_train.handwriting` besides the training pictures."""
    validation_fraction: float = 0.1
    """Share of the training pictures held out for validation, in (0, 1)."""
    validation_seed: int = 0
    """Seed of that draw. Not ``seed``, so that runs with different seeds are validated on the same pictures."""
    seed: int = 0
    """Seed of everything else: initial weights, order of pictures, dropout, noise, augmentation; at least 0."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("learning_rate", "std"):
            _check(name, getattr(self, name), 0 < getattr(self, name) < math.inf, "more than 0")
        for name in ("mean", "momentum", "label_smoothing"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "0 to below 1")
        _check("handwriting", self.handwriting, self.handwriting >= 0, "0 or more")
        _check("l2", self.l2, 0 <= self.l2 < math.inf, "0 or more")
        _check("seed", self.seed, 0 <= self.seed < 2**32, "0 to 4294967295")
        _check("validation_seed", self.validation_seed, 0 <= self.validation_seed < 2**32, "0 to 4294967295")
        _check("validation_fraction", self.validation_fraction, 0 < self.validation_fraction < 1, "between 0 and 1")
        average = self.weight_average
        _check("weight_average", average, average is None or 0 < average < 1, "between 0 and 1, or None")
        for name, allowed in (("initializer", INITIALIZERS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            _check(name, getattr(self, name), getattr(self, name) in allowed, " or ".join(allowed))
        stddev = self.initializer_stddev
        needs_stddev = self.initializer == "truncated_normal"
        _check(
            "initializer_stddev",
            stddev,
            (stddev is not None and stddev > 0) == needs_stddev,
            "set for truncated_normal",
        )
        try:
            output = list(architecture.shapes(self.layers))[-1]
        except ValueError as error:
            raise UsageError(f"recipe {self.name}: {error}") from error
        if output != (10,):
            raise UsageError(f"recipe {self.name}: the last layer gives {output}; needed are ten logits, (10,)")

    @property
    def table(self) -> tuple[Row, ...]:
        """Name, output shape, parameters and multiply-accumulates of each layer."""
        return architecture.table(self.layers)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(row.parameters for row in self.table)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one picture."""
        return sum(row.macs for row in self.table)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON-ready values."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {
            "layers": [architecture.layer_to_dict(layer) for layer in self.layers],
            "augmentation": self.augmentation and self.augmentation.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Read what `to_dict` wrote.

        Raises:
            RunError: a field is missing, unknown or out of range.
        """
        try:
            fields = dict(values)
            fields["layers"] = tuple(architecture.layer_from_dict(layer) for layer in fields["layers"])
            if fields.get("augmentation") is not None:
                fields["augmentation"] = Augmentation.from_dict(fields["augmentation"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise RunError(f"the recipe is damaged or of another version ({error}): train again") from error


def _check(name: str, value: object, good: bool, allowed: str) -> None:
    if not good:
        raise UsageError(f"{name.replace('_', ' ')} is {value}; allowed is {allowed}")


def get(name: str) -> Recipe:
    """The recipe called ``name``.

    Raises:
        UsageError: there is none; the message lists those that there are.
    """
    if name in RECIPES:
        return RECIPES[name]
    close = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UsageError(f"no recipe {name!r}; {hint}there are {', '.join(RECIPES)}")


_COMPARISON = "Nguyen et al., Comparative Analysis of MLP and CNN for Handwritten Digit Recognition"
_OPTIMIZATION = "Hao 2025, Research on Optimization of Deep Learning in Handwritten Digit Recognition"


def _normalized(filters: int, kernel: int = 3, stride: int = 1, padding: str = "same") -> Conv:
    """A convolution with batch normalization, whose offset makes a bias superfluous."""
    return Conv(filters, kernel, stride, padding, use_bias=False, batch_norm=True)


_ALL = (
    Recipe(
        name="mlp-256-128",
        description="Two hidden layers with dropout in front of the last; every pixel weighs in everywhere.",
        source=f"{_COMPARISON}, Table 1",
        layers=(Flatten(), Dense(256), Dense(128), Dropout(0.2), Dense(10, activation="linear")),
    ),
    Recipe(
        name="cnn-32-64",
        description="Two convolutions with pools, then a dense layer that holds nearly all parameters.",
        source=f"{_COMPARISON}, Table 2",
        # The table has pool, ReLU and dropout2d in another order. They commute: ReLU keeps the largest value the
        # largest, and dropout2d scales a whole channel by 0 or more. So ReLU sits in the convolution.
        layers=(
            Conv(32),
            Pool(),
            Conv(64),
            SpatialDropout(0.2),
            Pool(),
            Flatten(),
            Dense(128),
            Dropout(0.2),
            Dense(10, activation="linear"),
        ),
    ),
    Recipe(
        name="cnn-32-64-64",
        description="A third convolution after the second pool.",
        source=f"{_OPTIMIZATION}, Table 3",
        layers=(
            Conv(32),
            Pool(),
            Conv(64),
            Pool(),
            Conv(64),
            Flatten(),
            Dense(128),
            Dropout(0.3),
            Dense(10, activation="linear"),
        ),
        # The study trains 80 epochs at a constant rate. Five give 98.8 % on validation so, and 99.2 % with a cosine.
        schedule="cosine",
    ),
    Recipe(
        name="cnn-8-16-32",
        description="Three small convolutions, each with a pool, straight into ten logits.",
        source="our own",
        layers=(
            Conv(8),
            Pool(),
            Conv(16),
            Pool(),
            Conv(32),
            Pool(),
            Flatten(),
            Dense(10, activation="linear"),
        ),
        # Validation accuracy after 6 epochs, mean of two seeds: 98.5 % with a constant 0.001, 98.8 % with a cosine from
        # 0.002, 99.0 % from 0.004; batch normalization or label smoothing on top of that made no difference.
        learning_rate=0.004,
        schedule="cosine",
        epochs=6,
    ),
    Recipe(
        name="digits-m",
        description="Strided convolutions, trained for pictures of real paper: the default model of the runtime.",
        source="our own, see docs/frontier.md",
        # The 5 x 5 depthwise convolution is a pooling with learned weights.
        layers=(
            _normalized(8),
            _normalized(16, stride=2),
            _normalized(24),
            _normalized(32, stride=2),
            _normalized(32, padding="valid"),
            DepthwiseConv(kernel=5, padding="valid", use_bias=False, activation="linear"),
            Flatten(),
            Dense(10, activation="linear"),
        ),
        learning_rate=0.004,
        schedule="cosine",
        batch_size=128,
        epochs=60,
        weight_average=0.999,
        augmentation=Augmentation(upstroke_one=0.2, short_four=0.08, crossed_seven=0.15, hooked_nine=0.1),
        handwriting=3,
    ),
)

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
"""Every recipe by its name, in the order in which they are listed."""

DEFAULT = "cnn-8-16-32"
"""The recipe that is trained when none is named."""
