"""Recipes of networks that are trained on made pictures: line readers, and the row finder.

A line reader gives one column of classes for every third column of a line's picture. The row finder gives classes and a
height for every part of a page.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_runtime.image.line import HEIGHT, WIDTH

from edge_digits_train.lines.charset import LABELS
from edge_digits_train.lines.page_sheet import PARTS, SIDE

STEP = 3
"""Columns of the picture for each step of the reading."""
STEPS = WIDTH // STEP
ROW_CLASSES = 4
"""See `edge_digits_train.lines.page_sheet`: nothing, other writing, a number, a number on its side."""
CLASSES = len(LABELS) + 1
"""The characters, and the blank of CTC as the last."""
ROW_OUTPUTS = ROW_CLASSES + 1
"""Number of values for each part of a page: the logits of its classes and the logarithm of its digits' height."""


class Convolution(NamedTuple):
    """One convolution with batch normalization and ReLU, without a bias; of the last, a bias and nothing behind it."""

    filters: int
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "same"
    pool: bool = False
    """True if a max pooling follows, which halves the height."""


@dataclass(frozen=True)
class LineArchitecture:
    """Numbers of filters of a line network."""

    kind: ClassVar[str] = "line"
    """The ``kind`` in the record of such a recipe."""
    shape: ClassVar[tuple[int, int]] = (HEIGHT, WIDTH)
    """Height and width of its pictures in pixels."""

    stem: int
    """Filters of a first 3 × 3 convolution on the full picture; 0 leaves it out."""
    rows: tuple[int, int, int, int]
    """Filters of the four convolutions that take 32 rows to 16, 8 and 4, and keep every third column."""
    column: int
    """Filters of the convolution that turns four rows into one."""
    along: tuple[tuple[int, int, int], ...]
    """Filters, width and dilation of the convolutions along the line."""

    @property
    def convolutions(self) -> Sequence[Convolution]:
        """All convolutions in their order, the last with one filter for each class."""
        first, second, third, fourth = self.rows
        stem = [Convolution(self.stem, (3, 3))] if self.stem else []
        return (
            *stem,
            Convolution(first, (5, 5), strides=(2, STEP)),
            Convolution(second, (3, 3), pool=True),
            Convolution(third, (3, 3), pool=True),
            Convolution(fourth, (3, 3)),
            Convolution(self.column, (4, 1), padding="valid"),
            *(Convolution(filters, (1, width), dilation=(1, dilation)) for filters, width, dilation in self.along),
            Convolution(CLASSES, (1, 1)),
        )


@dataclass(frozen=True)
class RowArchitecture:
    """Numbers of filters of a row finder, which takes pages of any size."""

    kind: ClassVar[str] = "rows"
    shape: ClassVar[tuple[int, int]] = (SIDE, SIDE)
    """Height and width of the made pages in pixels, which its multiply-accumulates are counted for."""

    down: tuple[tuple[int, int, int], ...]
    """Filters, side of the kernel and stride of the convolutions that lead from pixels to cells."""
    cells: int
    """Filters of each convolution between cells."""
    dilations: tuple[int, ...]
    """Dilation of each convolution between cells: how far it looks, in cells."""

    @property
    def convolutions(self) -> Sequence[Convolution]:
        """All convolutions in their order."""
        return (
            *(Convolution(filters, (side, side), strides=(step, step)) for filters, side, step in self.down),
            *(Convolution(self.cells, (3, 3), dilation=(far, far)) for far in self.dilations),
            Convolution(PARTS * PARTS * ROW_OUTPUTS, (1, 1)),
        )


@dataclass(frozen=True)
class LineRecipe:
    """A network for lines or pages and how it is trained: on pictures that are made anew for every epoch.

    Raises:
        UsageError: a value out of its range.
    """

    name: str
    description: str
    """One line."""
    architecture: LineArchitecture | RowArchitecture
    learning_rate: float = 3e-3
    """Step size of Adam, > 0, reached after the warm-up; it falls to 0 by a cosine over all steps."""
    warmup_steps: int = 300
    """Steps in which the rate rises from 0. Without them the network answers nothing but blanks for long."""
    clip_norm: float = 5.0
    """Largest norm of the gradient of all weights together, > 0."""
    weight_average: float = 0.999
    """Momentum in (0, 1) of an exponential moving average of the weights, which is what is validated and kept; for a
    short training less, see `edge_digits_train.engine.weight_average.fitted_momentum`."""
    batch_size: int = 64
    lines: int = 20_480
    """Lines, or pages, of an epoch."""
    epochs: int = 40
    validation_lines: int = 2_000
    """Made of writers, fonts and meters that no training line has anything of; the same for every seed."""
    seed: int = 0
    """Seed of the initial weights and the lines, at least 0."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "lines", "epochs", "validation_lines"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("learning_rate", "clip_norm"):
            _check(name, getattr(self, name), 0 < getattr(self, name) < math.inf, "more than 0")
        _check("warmup_steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more")
        _check("weight_average", self.weight_average, 0 < self.weight_average < 1, "between 0 and 1")
        _check("seed", self.seed, 0 <= self.seed < 2**32, "0 to 4294967295")

    @property
    def steps(self) -> int:
        """Number of batches of an epoch."""
        return math.ceil(self.lines / self.batch_size)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(parameters for parameters, _ in self._costs())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one line."""
        return sum(macs for _, macs in self._costs())

    def _costs(self) -> list[tuple[int, int]]:
        """Return parameters and multiply-accumulates of each convolution."""
        costs = []
        (height, width), channels = self.architecture.shape, 1
        convolutions = self.architecture.convolutions
        for convolution in convolutions:
            weights = channels * math.prod(convolution.kernel) * convolution.filters
            if convolution.padding == "valid":
                height -= convolution.kernel[0] - 1
            height, width = height // convolution.strides[0], width // convolution.strides[1]
            # Scale and offset of batch normalization; the last has a bias.
            others = convolution.filters * (1 if convolution is convolutions[-1] else 2)
            costs.append((weights + others, weights * height * width))
            channels = convolution.filters
            if convolution.pool:
                height //= 2
        return costs

    def changes(self, other: "LineRecipe") -> list[str]:
        """Return the names of the fields in which ``other`` is another recipe; its description may be reworded."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "description"]
        return [name for name in names if getattr(self, name) != getattr(other, name)]

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-ready values."""
        fields = dataclasses.asdict(self)
        plan = fields["architecture"]
        plan = {field: _listed(value) for field, value in plan.items()}
        return {"kind": self.architecture.kind} | fields | {"architecture": plan}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LineRecipe":
        """Read what `to_dict` wrote.

        Raises:
            RunError: a field is missing, unknown or out of range.
        """
        try:
            fields = dict(values)
            architecture = _ARCHITECTURES[fields.pop("kind")]
            plan = {field: _frozen(value) for field, value in fields["architecture"].items()}
            return cls(**fields | {"architecture": architecture(**plan)})
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise RunError(f"the recipe is damaged or of another version ({error}): train again") from error


def _check(name: str, value: object, good: bool, allowed: str) -> None:
    if not good:
        raise UsageError(f"{name.replace('_', ' ')} is {value}; allowed is {allowed}")


def _listed(value: Any) -> Any:
    return [_listed(inner) for inner in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(inner) for inner in value) if isinstance(value, list) else value


_ARCHITECTURES = {architecture.kind: architecture for architecture in (LineArchitecture, RowArchitecture)}


def is_line_recipe(values: Mapping[str, Any]) -> bool:
    """Return whether a recipe that was written down is that of a line reader or a row finder."""
    return values.get("kind") in _ARCHITECTURES


_ALL = (
    LineRecipe(
        "line-s",
        "Reads a line of numbers; about 100 KB as int8.",
        LineArchitecture(0, (20, 28, 40, 48), 88, ((60, 5, 1), (60, 3, 2))),
    ),
    LineRecipe(
        "line-m",
        "Reads a line of numbers; about 350 KB as int8.",
        LineArchitecture(8, (32, 48, 64, 96), 160, ((112, 5, 1), (112, 3, 2), (112, 3, 4))),
    ),
    LineRecipe(
        "rows",
        "Finds the lines of numbers on a page; about 200 KB as int8.",
        RowArchitecture(((16, 3, 2), (32, 3, 2), (32, 3, 1), (64, 3, 2)), 64, (1, 2, 4, 8)),
        warmup_steps=100,
        weight_average=0.998,
        batch_size=8,
        lines=1_024,
        epochs=40,
        validation_lines=128,
    ),
)
LINE_RECIPES: Mapping[str, LineRecipe] = {recipe.name: recipe for recipe in _ALL}
"""The recipes of line readers and of the row finder by name."""
