"""The parts that a study is defined by: systems, tables with published figures, targets."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_digits_train.recipes.recipe import Recipe

SEEDS = 3
"""Number of seeds of each system by default, and of those in `Study.repeated`."""
QUANTITIES = {
    "test_accuracy": "test accuracy, %",
    "validation_accuracy": "validation accuracy, %",
    "train_accuracy": "training accuracy, %",
    "test_loss": "test loss",
    "train_loss": "training loss",
    "precision": "macro precision, %",
    "recall": "macro recall, %",
    "f1": "macro F1, %",
    "overfitting": "training − test accuracy, pp",
    "convergence_epoch": "convergence epoch",
    "parameters": "parameters",
    "seconds_per_epoch": "seconds per epoch",
    "minutes": "minutes of training",
}
"""Every quantity that a document publishes about a system, with its heading in tables.

Accuracies, precision, recall and F1 are in percent, ``overfitting`` is in percentage points, losses are cross-entropies
in nats.
"""


@dataclass(frozen=True)
class Published:
    """A figure from the document."""

    value: float
    spread: float | None = None
    """The figure after ±, in the same unit."""


@dataclass(frozen=True)
class System:
    """One network of a study and how it is trained: one or several rows of its tables."""

    name: str
    """Short name, unique within the study and usable as a file name."""
    title: str
    """Name in tables and figures."""
    recipe: str
    """Name in `edge_digits_train.recipes.catalogue.RECIPES`."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that differ, by name."""
    dropout: float | None = None
    """Rate of every dropout layer; None for the rates of the recipe."""
    seeds: int | None = None
    """Largest number of seeds; None for no limit."""

    def build(self, seed: int, epochs: int | None = None) -> "Recipe":
        """Return the recipe of one trial.

        Args:
            seed: seed of everything random in the training, at least 0.
            epochs: number of epochs; None for that of the document.
        """
        from edge_digits_train.recipes import catalogue

        recipe = catalogue.get(self.recipe)
        if self.dropout is not None:
            recipe = recipe.with_dropout(self.dropout)
        changes = {**self.changes, "seed": seed} | ({} if epochs is None else {"epochs": epochs})
        return dataclasses.replace(recipe, **changes)


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    system: str
    """Name of a `System` of the study."""
    published: Mapping[str, Published] = field(default_factory=dict)
    """Published figures by name of `QUANTITIES`; empty if the document names the system without figures."""
    cells: tuple[str, ...] = ()
    """Cells under `Table.columns`."""


@dataclass(frozen=True)
class Table:
    """A table of the document, printed with published and measured figures next to each other."""

    title: str
    """Title with the document's number, such as ``Table 4: dropout``."""
    columns: tuple[str, ...]
    """Headings of the columns that identify a row."""
    quantities: tuple[str, ...]
    """Names of `QUANTITIES` in the table, in order."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Target:
    """A value that the mean over the seeds has to reach."""

    system: str
    """Name of a `System` of the study."""
    quantity: str
    """Name of `QUANTITIES`; larger is better."""
    value: float


@dataclass(frozen=True)
class Study:
    """A document, and everything in it that can be repeated."""

    name: str
    """Name on the command line, after ``edge-digits study``."""
    title: str
    """Title, one line."""
    document: str
    """Authors, title, place and date of publication."""
    systems: tuple[System, ...]
    tables: tuple[Table, ...]
    targets: tuple[Target, ...]
    decisions: tuple[str, ...]
    """What was decided where the document says nothing or contradicts itself, in a sentence or two each."""
    curves: tuple[str, ...] = ()
    """Names of the systems whose loss and accuracy by epoch are drawn in one figure."""
    featured: str = ""
    """Name of the system whose classification report, confusion matrix and gallery of answers are shown."""
    weights: str = ""
    """Name of the system whose first-layer weights are drawn."""
    repeated: tuple[str, ...] = ()
    """Names of the systems that need `SEEDS` seeds on the published page; one is enough for the others."""
    folds: tuple[str, ...] = ()
    """Names of the systems that form a k-fold cross-validation."""

    def system(self, name: str) -> System:
        """Return the system called ``name``.

        Raises:
            KeyError: there is no such system.
        """
        return {system.name: system for system in self.systems}[name]
