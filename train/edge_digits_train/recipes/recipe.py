"""A recipe: a network and everything that decides how it is trained."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_digits_runtime.data import turns
from edge_digits_runtime.data.classes import DIGIT_CLASSES, FEWEST, MOST
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.mnist_format import SHAPE

from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.recipes import architecture, layer_record
from edge_digits_train.recipes.architecture import (
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    Row,
    SpatialDropout,
)
from edge_digits_train.recipes.keras_network import KerasNetwork

INITIALIZERS = ("he_normal", "glorot_uniform", "truncated_normal")
METER_CLASSES = (*turns.TENTHS, "blank", "minus")
"""Classes of the packed meters and displays: turns, an empty place, a minus sign."""
OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine")
DATA = ("mnist", "meters")
"""Data sets that ship with this package."""
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
"""Mean and standard deviation of the pixels of MNIST's training pictures, divided by 255."""


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Raises:
        UsageError: a value is out of its range, or the layers do not fit together.
    """

    name: str
    """Name that tells the structure, such as ``cnn-32-64-64``."""
    description: str
    """One line for the list of recipes."""
    source: str
    """The paper and table that it reproduces, or ``our own``."""
    layers: tuple[Layer, ...]
    """The layers from the picture to a logit for each class."""
    input_shape: tuple[int, int] = SHAPE
    """Height and width of a picture in pixels."""
    mean: float = 0.0
    """Subtracted from the pixels after they are divided by 255, in [0, 1)."""
    std: float = 1.0
    """The pixels are divided by it after that, > 0. With a mean of 0 and this at 1 pixel / 255 stays as it is."""
    initializer: str = "he_normal"
    """Initializer of kernels, one of `INITIALIZERS`; biases start at 0. ``he_normal`` after He et al. 2015 (variance
    2 / fan-in), ``glorot_uniform`` after Glorot and Bengio 2010."""
    initializer_stddev: float | None = None
    """Standard deviation of ``truncated_normal``, which is cut off at twice that; None for the others."""
    l2: float = 0.0
    """``l2`` × the sum of squared kernel weights is added to the loss; at least 0."""
    optimizer: str = "adam"
    """One of `OPTIMIZERS`."""
    learning_rate: float = 0.001
    """Step size of the optimizer, > 0."""
    momentum: float = 0.0
    """Momentum in [0, 1); for sgd only."""
    nesterov: bool = False
    """Use Nesterov momentum; for sgd only."""
    schedule: str = "constant"
    """One of `SCHEDULES`: ``cosine`` falls from ``learning_rate`` to 0 over all steps (Loshchilov and Hutter 2017)."""
    batch_size: int = 64
    """Pictures in one step."""
    epochs: int = 5
    """Passes over the training pictures; 0 of a network that was trained elsewhere and imported."""
    label_smoothing: float = 0.0
    """Share of each target that is spread over all classes, in [0, 1) (Szegedy et al. 2016)."""
    weight_average: float | None = None
    """Momentum in (0, 1) of an exponential moving average of the weights. The average is validated and kept, instead of
    the last weights; None for no average. Polyak and Juditsky 1992. A training of few steps takes a smaller one, see
    `edge_digits_train.engine.weight_average.fitted_momentum`."""
    augmentation: Augmentation | None = None
    """Limits of the changes to training pictures, made anew in each epoch; None leaves the pictures as they are."""
    optdigits: int = 0
    """Number of times that an epoch holds each picture of `edge_digits_train.data.optdigits`, besides the data set."""
    outliers: float = 0.0
    """Share of the pictures of an epoch, in [0, 1), that show no digit. `edge_digits_train.augment.outliers` makes them
    anew in each epoch, and the network learns to give all ten digits the same probability."""
    corruption: float = 0.0
    """Share of the pictures of an epoch, in [0, 1), that get lines, paper and grain from
    `edge_digits_train.augment.corruption`, after the teachers, if there are any, have answered."""
    distillation: float = 0.0
    """Share of the loss, in [0, 1), that compares with the probabilities of `edge_digits_train.engine.teachers`; the
    rest compares with the labels."""
    drawn: float = 0.0
    """Share of the pictures of an epoch, in [0, 1), that `edge_digits_train.meters.drawing` drew: wheels, displays,
    empty places, minus signs. They are the same in all epochs, but for the augmentation. For `METER_CLASSES` only."""
    balance: float = 0.0
    """Exponent b in [0, 1] that evens out the groups of an epoch: a picture of a group of n is drawn with the weight
    n ** -b. At 0.5 a meter with four times as many pictures as another is seen twice as often; at 0 an epoch has each
    picture once."""
    turn_smoothing: float = 0.0
    """Standard deviation in tenths, at least 0, of the target around the label on the circle of turns, see
    `edge_digits_runtime.data.turns`; 0 for a target of the label alone."""
    validation_groups: tuple[str, ...] = ()
    """Groups of the packed meters that are held out for validation; none for a draw."""
    data: str = "mnist"
    """Default data set, one of `DATA`."""
    validation_fraction: float = 0.1
    """Share of the training pictures held out for validation, in (0, 1)."""
    validation_seed: int = 0
    """Seed of that draw. It is not ``seed``, so that runs with different seeds are validated on the same pictures."""
    validation_fold: int = 0
    """Number of the part that is held out, of ``1 / validation_fraction`` parts, for k-fold cross-validation."""
    seed: int = 0
    """Seed of everything else: initial weights, order of pictures, dropout, noise, augmentation, outliers, corruption;
    in [0, 2**32)."""

    def __post_init__(self) -> None:
        _check("batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        _check("epochs", self.epochs, self.epochs >= (0 if self.is_keras else 1), "1 or more")
        for name in ("learning_rate", "std"):
            _check(name, getattr(self, name), 0 < getattr(self, name) < math.inf, "more than 0")
        for name in ("mean", "momentum", "label_smoothing", "outliers", "corruption", "distillation", "drawn"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "0 to below 1")
        _check("optdigits", self.optdigits, self.optdigits >= 0, "0 or more")
        _check("balance", self.balance, 0 <= self.balance <= 1, "0 to 1")
        _check("turn_smoothing", self.turn_smoothing, 0 <= self.turn_smoothing <= 25, "0 to 25")
        _check("data", self.data, self.data in DATA, " or ".join(DATA))
        _check("l2", self.l2, 0 <= self.l2 < math.inf, "0 or more")
        _check("seed", self.seed, 0 <= self.seed < 2**32, "0 to 4294967295")
        _check("validation_seed", self.validation_seed, 0 <= self.validation_seed < 2**32, "0 to 4294967295")
        _check("validation_fraction", self.validation_fraction, 0 < self.validation_fraction < 1, "between 0 and 1")
        folds = round(1 / self.validation_fraction)
        _check("validation_fold", self.validation_fold, 0 <= self.validation_fold < folds, f"0 to {folds - 1}")
        self._check_keras()
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
            "more than 0 with truncated_normal, and None with the other initializers",
        )
        try:
            output = list(architecture.shapes(self.layers, (*self.input_shape, 1)))[-1]
        except ValueError as error:
            raise UsageError(f"recipe {self.name}: {error}") from error
        if len(output) != 1 or not FEWEST <= output[0] <= MOST:
            raise UsageError(
                f"recipe {self.name}: the last layer gives {output}; allowed is ({FEWEST},) to ({MOST},), "
                "a logit for each class"
            )

    @property
    def is_keras(self) -> bool:
        """True if the network is made of Keras layers, in a Python file or a Keras model file."""
        return isinstance(self.layers[0] if self.layers else None, KerasNetwork)

    def _check_keras(self) -> None:
        if not self.is_keras:
            return
        if len(self.layers) > 1:
            raise UsageError(f"recipe {self.name}: layers around a network of Keras layers; allowed is that alone")
        for name in ("mean", "std", "initializer", "initializer_stddev", "l2"):
            default, value = getattr(Recipe, name), getattr(self, name)
            allowed = f"{default} with a network of Keras layers, which has its own"
            _check(name, value, value == default, allowed)

    def _check_distillation(self) -> None:
        if not self.distillation:
            return
        for name in ("validation_fraction", "validation_seed", "validation_fold"):
            default, value = getattr(Recipe, name), getattr(self, name)
            _check(name, value, value == default, f"{default}, since the teachers learned all other pictures")

    @property
    def table(self) -> tuple[Row, ...]:
        """Name, output shape, trainable parameters and multiply-accumulates of each layer."""
        return architecture.table(self.layers, (*self.input_shape, 1))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.table[-1].output_shape[0]

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(row.parameters for row in self.table)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one picture."""
        return sum(row.macs for row in self.table)

    def fitted(self, classes: Sequence[str], form: Input) -> "Recipe":
        """Return the recipe for the classes and the input of a data set; for digits in the frame of MNIST this one.

        The last dense layer gets a unit for each class. What only digits have is left out: optdigits, outliers and
        written forms; and what only wheels and displays have: drawn pictures, smoothed turns. Pictures that are not ink
        on a plain background are augmented as whole pictures.

        Raises:
            UsageError: the recipe needs digits, or ink on a plain background; it does not end in a dense layer; or a
                layer does not fit the size.
        """
        digits = tuple(classes) == DIGIT_CLASSES and form.kind == "ink"
        if not digits and self.distillation:
            raise UsageError(
                f"recipe {self.name} learns from teachers, which know nothing but the digits of MNIST; "
                "for other classes or pictures take one that does not, such as digits-s-alone"
            )
        if form.kind != "ink" and self.corruption:
            raise UsageError(f"corruption is for input ink; this data set is read as {form.kind}")
        changes: dict[str, Any] = {"input_shape": form.shape}
        if not turns.are_turns(tuple(classes)):
            changes["turn_smoothing"] = 0.0
        if tuple(classes) != METER_CLASSES:
            changes["drawn"] = 0.0
        fitted = dataclasses.replace(self.with_classes(len(classes)), **changes)
        if digits:
            return fitted
        changes = {"optdigits": 0, "outliers": 0.0}
        if self.augmentation is not None:
            augmentation = self.augmentation.without_forms()
            if form.kind != "ink":
                augmentation = dataclasses.replace(augmentation, whole_picture=True)
            changes["augmentation"] = augmentation
        return dataclasses.replace(fitted, **changes)

    def with_classes(self, count: int) -> "Recipe":
        """Return the recipe with ``count`` units in the last dense layer.

        Raises:
            UsageError: it does not end in a dense layer.
        """
        if count == self.classes:
            return self
        if isinstance(self.layers[0], KerasNetwork):
            try:
                return dataclasses.replace(self, layers=(self.layers[0].with_classes(count),))
            except ValueError as error:
                raise UsageError(
                    f"recipe {self.name} gives {self.classes} classes, the data set has {count}: {error}, and only a "
                    "dense one can be fitted to it"
                ) from error
        behind: list[Layer] = []
        layers = list(self.layers)
        while isinstance(layers[-1], (Dropout, GaussianNoise)):
            behind.insert(0, layers.pop())
        head = layers.pop()
        if not isinstance(head, Dense):
            raise UsageError(
                f"recipe {self.name} gives {self.classes} classes, the data set has {count}; "
                "only a recipe that ends in a dense layer can be fitted to it"
            )
        return dataclasses.replace(self, layers=(*layers, dataclasses.replace(head, units=count), *behind))

    def standardized(self) -> "Recipe":
        """Return the recipe with its input scaled so that MNIST's training pixels have mean 0 and deviation 1."""
        return dataclasses.replace(self, mean=MNIST_MEAN, std=MNIST_STD)

    def with_dropout(self, rate: float) -> "Recipe":
        """Return the recipe with ``rate``, in [0, 1), in every dropout layer; 0 turns dropout off.

        Raises:
            UsageError: there is no dropout layer, or the rate is out of range.
        """
        if not any(isinstance(layer, (Dropout, SpatialDropout)) for layer in self.layers):
            raise UsageError(f"recipe {self.name} has no dropout layer: leave --dropout out")
        _check("dropout", rate, 0 <= rate < 1, "0 to below 1")
        layers = (
            dataclasses.replace(layer, rate=rate) if isinstance(layer, (Dropout, SpatialDropout)) else layer
            for layer in self.layers
        )
        return dataclasses.replace(self, layers=tuple(layers))

    def changes(self, other: "Recipe") -> list[str]:
        """Return the names of the fields that differ in ``other``; description and source may be worded differently."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in ("description", "source")]
        return [name for name in names if getattr(self, name) != getattr(other, name)]

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-ready values."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {
            "layers": [layer_record.layer_to_dict(layer) for layer in self.layers],
            "input_shape": list(self.input_shape),
            "validation_groups": list(self.validation_groups),
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
            fields["layers"] = tuple(layer_record.layer_from_dict(layer) for layer in fields["layers"])
            fields["input_shape"] = tuple(fields.get("input_shape", SHAPE))
            fields["validation_groups"] = tuple(fields.get("validation_groups", ()))
            if fields.get("augmentation") is not None:
                fields["augmentation"] = Augmentation.from_dict(fields["augmentation"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise RunError(f"the recipe is damaged or of another version ({error}): train again") from error


def _check(name: str, value: object, good: bool, allowed: str) -> None:
    if not good:
        raise UsageError(f"{name.replace('_', ' ')} is {value}; allowed is {allowed}")
