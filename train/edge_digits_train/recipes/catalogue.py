"""The registry of recipes: those of the papers that we reproduce, and our own."""

import dataclasses
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
    GlobalPool,
    Layer,
    Pool,
    SpatialDropout,
)
from edge_digits_train.recipes.line_recipe import LINE_RECIPES
from edge_digits_train.recipes.recipe import METER_CLASSES, Recipe


def get(name: str) -> Recipe:
    """Return the recipe called ``name``.

    Raises:
        UsageError: there is none of that name; the message lists all names.
    """
    if name in RECIPES:
        return RECIPES[name]
    known = [*RECIPES, *LINE_RECIPES]
    if name in LINE_RECIPES:
        raise UsageError(f"{name} reads lines; here the recipe of a classifier is needed, such as {DEFAULT}")
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UsageError(f"no recipe {name!r}; {hint}there are {', '.join(known)}")


_COMPARISON = "Nguyen et al., Comparative Analysis of MLP and CNN for Handwritten Digit Recognition"
_OPTIMIZATION = "Hao 2025, Research on Optimization of Deep Learning in Handwritten Digit Recognition"
_CLASSIFIER = "Loukas 2021, Classifying Handwritten Digits Using a Multilayer Perceptron Classifier"
_NOISE = "Handwritten Digit Classification: MLP vs. CNN with Dropout & Gaussian Noise on MNIST"
_BACKPROPAGATION = (
    "Filimonova et al. 2023, Construction of a neural network ... applying an error backpropagation algorithm"
)


def _normalized(filters: int, kernel: int = 3, stride: int = 1, padding: str = "same") -> Conv:
    """Return a convolution with batch normalization, whose offset makes a bias superfluous."""
    return Conv(filters, kernel, stride, padding, use_bias=False, batch_norm=True)


def _perceptron(*units: int, after: tuple[Layer, ...] = ()) -> tuple[Layer, ...]:
    """Return hidden layers of ``units``, each followed by the layers ``after``, and ten logits."""
    hidden = [layer for count in units for layer in (Dense(count), *after)]
    return (Flatten(), *hidden, Dense(10, activation="linear"))


def _optimized(*units: int, dropout: bool = False) -> Recipe:
    """Return a multilayer perceptron of the optimization study, with defaults of TensorFlow 2.5 for what it omits."""
    layers = "1 hidden layer" if len(units) == 1 else f"{len(units)} hidden layers"
    return Recipe(
        name="-".join(["mlp", *map(str, units)]),
        description=f"{layers} of {units[0]}, each with dropout." if dropout else f"{layers} of {units[0]}.",
        source=f"{_OPTIMIZATION}, {'Table 4' if dropout else 'Table 2'}",
        layers=_perceptron(*units, after=(Dropout(0.3),) if dropout else ()),
        initializer="glorot_uniform",
        epochs=50,
    )


def _optimized_cnn(*filters: int, units: int = 128) -> Recipe:
    """Return a convolutional network of the optimization study: two pools, one dense layer, no dropout."""
    first, second, *others = (Conv(count) for count in filters)
    return Recipe(
        name="-".join(["cnn", *map(str, filters)]) + (f"-fc{units}" if units != 128 else ""),
        description=f"{len(filters)} convolutions with two pools and a dense layer of {units}.",
        source=f"{_OPTIMIZATION}, Table 3",
        layers=(first, Pool(), second, Pool(), *others, Flatten(), Dense(units), Dense(10, activation="linear")),
        initializer="glorot_uniform",
        epochs=50,
    )


def _noisy(name: str, description: str, layers: tuple[Layer, ...]) -> Recipe:
    """Return a network of the study of dropout and noise, with defaults of Keras for what it omits."""
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
    """Return two convolutions without padding, whose 1,600 features go through ``last`` straight into ten logits."""
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
    """Return a recipe of the ``digits-`` family.

    Its convolutions leave a map of 5 × 5, and the depthwise convolution of that size is a pooling with learned weights.

    Args:
        name: of the recipe.
        description: of the recipe.
        channels: output channels of each convolution; the last one has no padding.
        strided: numbers, from 1, of the two convolutions with stride 2.
        settings: the fields of the recipe that differ from those of the family.
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


_WHOLE_PICTURES = Augmentation(
    rotation=7.0,
    shear=0.1,
    width=(0.85, 1.18),
    height=(0.85, 1.18),
    translation=2.5,
    elastic=0.5,
    thicken=0.3,
    thin=0.3,
    blur=0.7,
    contrast=0.5,
    tone=0.3,
    noise=16.0,
    brightness=50.0,
    shade=60.0,
    inverted=0.5,
    whole_picture=True,
    clean=0.0,
)
"""Augmentation of characters that were cut out of meters, displays and labels. They may be dark on light or light on
dark, lit from a side, and cut out a little too far to one side. Chosen on meters that
`benchmarks/accuracy/meters.py` does not hold out, see docs/research/meters.md."""


def _whole_picture(name: str, description: str, *channels: int) -> Recipe:
    """Return a recipe for whole pictures: normalized convolutions, every second one strided, and a mean of the map."""
    return Recipe(
        name,
        description,
        source="our own",
        layers=(
            *(_normalized(count, stride=2 if k % 2 == 0 else 1) for k, count in enumerate(channels)),
            GlobalPool(),
            Dense(10, activation="linear"),
        ),
        learning_rate=0.003,
        schedule="cosine",
        batch_size=64,
        epochs=40,
        weight_average=0.999,
        augmentation=_WHOLE_PICTURES,
    )


_WHEELS = dataclasses.replace(
    _WHOLE_PICTURES,
    translation=2.0,
    elastic=0.25,
    thicken=0.2,
    thin=0.2,
    contrast=0.35,
    tone=0.2,
    noise=12.0,
    brightness=40.0,
    shade=40.0,
)
"""Augmentation of wheels: hardly any bending, which would hide how far a wheel has turned."""


def _meter(name: str, description: str, *channels: int) -> Recipe:
    """Return a recipe for wheels of meters and for displays; trained on the pictures that ship with this package."""
    recipe = _whole_picture(name, description, *channels).with_classes(len(METER_CLASSES))
    return dataclasses.replace(
        recipe,
        source="our own, see docs/research/meters.md",
        data="meters",
        augmentation=_WHEELS,
        learning_rate=0.004,
        batch_size=128,
        epochs=24,
        drawn=0.75,
        balance=0.5,
        turn_smoothing=1.2,
        validation_groups=_VALIDATION_METERS,
    )


_VALIDATION_METERS = (
    "gasmeter/rockberte",
    "lcd/digital italic",
    "powermeter/LandisGyrT330_C",
    "watermeter/jvi",
)
"""Two meters with wheels and two displays, small ones: the others are needed to learn from."""

_ALL = (
    Recipe(
        name="mlp-256-128",
        description="Two hidden layers, with dropout in front of the logits.",
        source=f"{_COMPARISON}, Table 1",
        layers=(Flatten(), Dense(256), Dense(128), Dropout(0.2), Dense(10, activation="linear")),
    ),
    Recipe(
        name="cnn-32-64",
        description="Two convolutions with pools, then a dense layer that holds nearly all parameters.",
        source=f"{_COMPARISON}, Table 2",
        # The table has pool, ReLU and dropout2d in another order. They commute: ReLU keeps the largest value the
        # largest, and dropout2d scales a whole channel by 0 or more. So ReLU is the activation of the convolution.
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
        # The study trains 80 epochs at a constant rate. Five epochs give 98.8 % on validation at a constant rate, and
        # 99.2 % with a cosine.
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
        # The defaults of scikit-learn's MLPClassifier: Nesterov momentum 0.9, batches of 200, Glorot's initialization,
        # and alpha / 2 * (sum of squared weights) / batch added to the loss.
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
        "The network of digits-xs, trained on labels alone: for data that the teachers do not know.",
        *(4, 8, 8, 10, 8),
    ),
    _family(
        "digits-xs",
        "Strided convolutions of up to 10 channels, for devices with 6 KB to spare.",
        *(4, 8, 8, 10, 8),
        distillation=0.9,
    ),
    _family(
        "digits-s-alone",
        "The network of digits-s, trained on labels alone: for data that the teachers do not know.",
        *(8, 12, 16, 16, 16),
    ),
    _family(
        "digits-s",
        "Strided convolutions of up to 16 channels, for devices with 12 KB to spare.",
        *(8, 12, 16, 16, 16),
        distillation=0.9,
    ),
    _family(
        "digits-m-alone",
        "One layer less than digits-m, trained on labels alone; three seeds are among the teachers.",
        *(8, 16, 24, 32, 40),
        epochs=45,
        outliers=0.03,
    ),
    # Its validation loss is at its lowest after half of these epochs.
    _family(
        "digits-l-alone",
        "One layer less than digits-l, trained on labels alone; three seeds are among the teachers.",
        *(16, 32, 32, 48, 48, 64),
        learning_rate=0.008,
        epochs=25,
    ),
    # The default model, which must also be unsure about pictures that show no digit: so it is trained on outliers.
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
        "Seven convolutions of up to 64 channels, for devices with 100 KB to spare.",
        *(16, 32, 32, 32, 48, 48, 64),
        strided=(2, 5),
        learning_rate=0.008,
        epochs=60,
        distillation=0.9,
    ),
    _whole_picture(
        "crop-s",
        "Convolutions for whole pictures of characters, of meters and displays as well, in 40 KB.",
        *(16, 24, 32, 32, 40),
    ),
    _meter(
        "meter-s",
        "For meters and displays: wheels to a tenth, digits, blank and minus, in 40 KB.",
        *(14, 20, 26, 32, 36),
    ),
    _meter(
        "meter-m",
        "For meters and displays: wheels to a tenth, digits, blank and minus, in 62 KB.",
        *(16, 24, 32, 32, 40, 40),
    ),
)

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
"""All recipes by name, in the order in which they are listed."""

DEFAULT = "cnn-8-16-32"
"""Name of the recipe that is trained when none is named."""
