"""The recipes that have a name."""

import difflib
from collections.abc import Mapping
from typing import Any

from edge_digits_runtime.errors import UsageError

from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.recipes.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    Layer,
    Pool,
    SpatialDropout,
)
from edge_digits_train.recipes.recipe import Recipe


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
        "optdigits": 1,
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
        outliers=0.03,
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
        outliers=0.03,
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
