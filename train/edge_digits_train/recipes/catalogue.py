"""Recipes: everything that a training needs to be told, by name."""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_digits_runtime.errors import RunError, UsageError

from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.recipes import architecture
from edge_digits_train.recipes.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    Layer,
    Pool,
    Row,
    SpatialDropout,
)

INITIALIZERS = ("he_normal", "glorot_uniform", "truncated_normal")
OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine")
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
"""Of the pixels of MNIST's training pictures, divided by 255."""


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
    """How often an epoch holds each picture of `edge_digits_train.data.optdigits` besides the training pictures."""
    negatives: float = 0.0
    """Share of the pictures of an epoch, in [0, 1), that are no digits, made anew by
    `edge_digits_train.augment.outliers`: the network learns to give all ten the same probability."""
    disturbance: float = 0.0
    """Share of the pictures of an epoch, in [0, 1), on which `edge_digits_train.augment.corruption` lays lines, paper
    and grain, after the teachers, if there are any, have answered."""
    distillation: float = 0.0
    """Share of the loss, in [0, 1), that is about what `edge_digits_train.engine.teachers` say of each picture; the
    rest is about its label."""
    validation_fraction: float = 0.1
    """Share of the training pictures held out for validation, in (0, 1)."""
    validation_seed: int = 0
    """Seed of that draw. Not ``seed``, so that runs with different seeds are validated on the same pictures."""
    validation_fold: int = 0
    """Which of the ``1 / validation_fraction`` parts of that draw is held out, for k-fold cross-validation."""
    seed: int = 0
    """Seed of everything else: initial weights, order of pictures, dropout, noise, augmentation; at least 0."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("learning_rate", "std"):
            _check(name, getattr(self, name), 0 < getattr(self, name) < math.inf, "more than 0")
        for name in ("mean", "momentum", "label_smoothing", "negatives", "disturbance", "distillation"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "0 to below 1")
        _check("handwriting", self.handwriting, self.handwriting >= 0, "0 or more")
        _check("l2", self.l2, 0 <= self.l2 < math.inf, "0 or more")
        _check("seed", self.seed, 0 <= self.seed < 2**32, "0 to 4294967295")
        _check("validation_seed", self.validation_seed, 0 <= self.validation_seed < 2**32, "0 to 4294967295")
        _check("validation_fraction", self.validation_fraction, 0 < self.validation_fraction < 1, "between 0 and 1")
        folds = round(1 / self.validation_fraction)
        _check("validation_fold", self.validation_fold, 0 <= self.validation_fold < folds, f"0 to {folds - 1}")
        self._check_distillation()
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

    def _check_distillation(self) -> None:
        if not self.distillation:
            return
        for name in ("validation_fraction", "validation_seed", "validation_fold"):
            first = getattr(Recipe, name)
            _check(name, getattr(self, name), getattr(self, name) == first, f"{first}: the teachers learned the others")

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

    def standardized(self) -> "Recipe":
        """The same with MNIST's training pixels at mean 0 and standard deviation 1."""
        return dataclasses.replace(self, mean=MNIST_MEAN, std=MNIST_STD)

    def with_dropout(self, rate: float) -> "Recipe":
        """The same with ``rate``, in [0, 1), in every dropout layer; 0 is the plain network.

        Raises:
            UsageError: there is no dropout layer, or the rate is out of its range.
        """
        if not any(isinstance(layer, (Dropout, SpatialDropout)) for layer in self.layers):
            raise UsageError(f"recipe {self.name} has no dropout layer whose rate could be set")
        _check("dropout", rate, 0 <= rate < 1, "0 to below 1")
        layers = (
            dataclasses.replace(layer, rate=rate) if isinstance(layer, (Dropout, SpatialDropout)) else layer
            for layer in self.layers
        )
        return dataclasses.replace(self, layers=tuple(layers))

    def changes(self, other: "Recipe") -> list[str]:
        """Names of the fields in which ``other`` is another recipe; its description and source may be reworded."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in ("description", "source")]
        return [name for name in names if getattr(self, name) != getattr(other, name)]

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
_CLASSIFIER = "Loukas 2021, Classifying Handwritten Digits Using a Multilayer Perceptron Classifier"
_NOISE = "Handwritten Digit Classification: MLP vs. CNN with Dropout & Gaussian Noise on MNIST"
_BACKPROPAGATION = (
    "Filimonova et al. 2023, Construction of a neural network ... applying an error backpropagation algorithm"
)


def _normalized(filters: int, kernel: int = 3, stride: int = 1, padding: str = "same") -> Conv:
    """A convolution with batch normalization, whose offset makes a bias superfluous."""
    return Conv(filters, kernel, stride, padding, use_bias=False, batch_norm=True)


def _perceptron(*units: int, after: tuple[Layer, ...] = ()) -> tuple[Layer, ...]:
    """Hidden layers of ``units``, each followed by the layers ``after``, and ten logits."""
    hidden = [layer for count in units for layer in (Dense(count), *after)]
    return (Flatten(), *hidden, Dense(10, activation="linear"))


def _optimized(*units: int, dropout: bool = False) -> Recipe:
    """A multilayer perceptron of the optimization study; what it does not say is the default of TensorFlow 2.5."""
    name = "-".join(["mlp", *map(str, units)])
    return Recipe(
        name=name,
        description=f"{len(units)} hidden layer{'s' * (len(units) > 1)} of {units[0]}"
        + ", each with dropout." * dropout
        + "." * (not dropout),
        source=f"{_OPTIMIZATION}, " + ("Table 4" if dropout else "Table 2"),
        layers=_perceptron(*units, after=(Dropout(0.3),) if dropout else ()),
        initializer="glorot_uniform",
        epochs=50,
    )


def _optimized_cnn(*filters: int, units: int = 128) -> Recipe:
    """A convolutional network of the optimization study: two pools, one dense layer, no dropout."""
    pools = {0, 1}
    body = [layer for index, count in enumerate(filters) for layer in (Conv(count), *[Pool()] * (index in pools))]
    return Recipe(
        name="-".join(["cnn", *map(str, filters)]) + (f"-fc{units}" if units != 128 else ""),
        description=f"{len(filters)} convolutions with two pools and a dense layer of {units}.",
        source=f"{_OPTIMIZATION}, Table 3",
        layers=(*body, Flatten(), Dense(units), Dense(10, activation="linear")),
        initializer="glorot_uniform",
        epochs=50,
    )


def _noisy(name: str, description: str, layers: tuple[Layer, ...]) -> Recipe:
    """A network of the study of dropout and noise; what it does not say is the default of Keras."""
    return Recipe(
        name=name,
        description=description,
        source=_NOISE,
        layers=layers,
        initializer="glorot_uniform",
        batch_size=128,
        epochs=100,
    )


def _flat_cnn(*last: Layer) -> tuple[Layer, ...]:
    """Two convolutions without padding, whose 1,600 features go through ``last`` straight into ten logits."""
    return (
        Conv(32, padding="valid"),
        Pool(),
        Conv(64, padding="valid"),
        Pool(),
        Flatten(),
        *last,
        Dense(10, activation="linear"),
    )


def _family(name: str, description: str, *channels: int, strided: tuple[int, int] = (2, 4), **settings: Any) -> Recipe:
    """A recipe of the ``digits-`` family; ``settings`` are what sets it apart from the others.

    Convolutions of ``channels``, of which two, counted from 1, are ``strided`` and the last one has no padding. The
    depthwise convolution as large as the map that they leave, 5 × 5, is a pooling with learned weights.
    """
    *inner, last = channels
    common: dict[str, Any] = {
        "learning_rate": 0.01,
        "schedule": "cosine",
        "batch_size": 128,
        "epochs": 50,
        "weight_average": 0.999,
        "augmentation": Augmentation(upstroke_one=0.1, short_four=0.04, crossed_seven=0.08, hooked_nine=0.05),
        "handwriting": 1,
    }
    return Recipe(
        name,
        description,
        source="our own, see docs/research/frontier.md",
        layers=(
            *(_normalized(count, stride=2 if k in strided else 1) for k, count in enumerate(inner, 1)),
            _normalized(last, padding="valid"),
            DepthwiseConv(kernel=5, padding="valid", use_bias=False, activation="linear"),
            Flatten(),
            Dense(10, activation="linear"),
        ),
        **(common | settings),
    )


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
    _optimized(64),
    _optimized(128),
    _optimized(256),
    _optimized(64, 64),
    _optimized(128, 128, dropout=True),
    _optimized(256, 256),
    _optimized(64, 64, 64),
    _optimized(128, 128, 128),
    _optimized(256, 256, 256),
    _optimized_cnn(16, 32),
    _optimized_cnn(64, 128),
    _optimized_cnn(32, 64, 64, units=256),
    Recipe(
        name="mlp-50-20-10",
        description="Three narrow hidden layers, trained by stochastic gradient descent.",
        source=_CLASSIFIER,
        layers=_perceptron(50, 20, 10),
        # What scikit-learn's MLPClassifier does where it is told nothing: Nesterov momentum 0.9, batches of 200,
        # Glorot's initialization, and alpha / 2 * (sum of squared weights) / batch on top of the loss.
        initializer="glorot_uniform",
        l2=1e-4 / 2 / 200,
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.9,
        nesterov=True,
        batch_size=200,
        epochs=100,
    ),
    _noisy("mlp-64-dropout", "A hidden layer of 64 with dropout.", _perceptron(64, after=(Dropout(0.5),))),
    _noisy("mlp-64-noise", "A hidden layer of 64 with Gaussian noise.", _perceptron(64, after=(GaussianNoise(0.2),))),
    _noisy("cnn-32-64-flat", "Two convolutions without padding, straight into ten logits.", _flat_cnn()),
    _noisy("cnn-32-64-flat-dropout", "The same with dropout before the logits.", _flat_cnn(Dropout(0.5))),
    _noisy("cnn-32-64-flat-noise", "The same with Gaussian noise before the logits.", _flat_cnn(GaussianNoise(0.2))),
    Recipe(
        name="mlp-128-backpropagation",
        description="A hidden layer of 128, started from a truncated normal distribution.",
        source=_BACKPROPAGATION,
        layers=_perceptron(128),
        initializer="truncated_normal",
        initializer_stddev=0.1,
        batch_size=256,
        epochs=20,
    ),
    _family(
        "digits-xs-alone",
        "The network of digits-xs, taught by the labels alone: for pictures that no teacher knows.",
        *(4, 8, 8, 10, 8),
    ),
    _family(
        "digits-xs",
        "Strided convolutions down to 8 channels, for where 6 KB are all there is.",
        *(4, 8, 8, 10, 8),
        distillation=0.9,
    ),
    _family(
        "digits-s-alone",
        "The network of digits-s, taught by the labels alone: for pictures that no teacher knows.",
        *(8, 12, 16, 16, 16),
    ),
    _family(
        "digits-s",
        "Strided convolutions of up to 16 channels, for where 12 KB are at hand.",
        *(8, 12, 16, 16, 16),
        distillation=0.9,
    ),
    _family(
        "digits-m-alone",
        "A layer less than digits-m, taught by the labels alone; three of these are among its teachers.",
        *(8, 16, 24, 32, 40),
        epochs=45,
        negatives=0.03,
    ),
    # Its validation loss is at its lowest after half of these epochs.
    _family(
        "digits-l-alone",
        "A layer less than digits-l, taught by the labels alone; three of these are among its teachers.",
        *(16, 32, 32, 48, 48, 64),
        learning_rate=0.008,
        epochs=25,
    ),
    # The default, so it is also shown what is no digit.
    _family(
        "digits-m",
        "Strided convolutions, trained for pictures of real paper: the default model of the runtime.",
        *(8, 16, 16, 24, 32, 32),
        strided=(2, 5),
        epochs=75,
        negatives=0.03,
        distillation=0.9,
    ),
    _family(
        "digits-l",
        "Seven convolutions of up to 64 channels, for where 100 KB are no matter.",
        *(16, 32, 32, 32, 48, 48, 64),
        strided=(2, 5),
        learning_rate=0.008,
        epochs=60,
        distillation=0.9,
    ),
)

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
"""Every recipe by its name, in the order in which they are listed."""

DEFAULT = "cnn-8-16-32"
"""The recipe that is trained when none is named."""
