"""What a study is made of."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_digits_train.recipes.recipe import Recipe

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
    "seconds_per_epoch": "seconds an epoch",
    "minutes": "minutes of training",
}
"""Everything that a document publishes about a system, and what a table calls it. Accuracies, precision, recall and F1
are in percent, ``overfitting`` in percentage points; losses are cross-entropies in nats."""


@dataclass(frozen=True)
class Published:
    """A figure as the document has it."""

    value: float
    spread: float | None = None
    """What stands behind its ±, in the same unit."""


@dataclass(frozen=True)
class System:
    """One network of a study as it is trained: a row, or several rows, of its tables."""

    name: str
    """Short, unique within the study, fit for a file name."""
    title: str
    """What tables and figures call it."""
    recipe: str
    """Name in `edge_digits_train.recipes.catalogue.RECIPES`."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that differ, by name."""
    dropout: float | None = None
    """Rate of every dropout layer; None for the recipe's."""
    seeds: int | None = None
    """Largest number of seeds that it is trained with; None for as many as are asked for."""

    def build(self, seed: int, epochs: int | None = None) -> "Recipe":
        """The recipe of one trial.

        Args:
            seed: of everything random in the training, at least 0.
            epochs: instead of the document's; None for these.
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
    """By name of `QUANTITIES`; empty where the document names the system but gives no figure."""
    cells: tuple[str, ...] = ()
    """What stands under `Table.columns`."""


@dataclass(frozen=True)
class Table:
    """A table of the document, to be printed with published and measured side by side."""

    title: str
    """As the document numbers it, such as ``Table 4: dropout``."""
    columns: tuple[str, ...]
    """Headings of what tells the rows apart."""
    quantities: tuple[str, ...]
    """Names of `QUANTITIES` that it is about, in order."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Target:
    """What the mean over seeds has to reach."""

    system: str
    quantity: str
    """Name of `QUANTITIES`; larger is better."""
    value: float


@dataclass(frozen=True)
class Study:
    """A document and everything in it that can be rerun."""

    name: str
    """What follows ``edge-digits study``."""
    title: str
    """One line."""
    document: str
    """Authors, title, where and when it was published."""
    systems: tuple[System, ...]
    tables: tuple[Table, ...]
    targets: tuple[Target, ...]
    taken: tuple[str, ...]
    """Where the document is silent or contradicts itself: what it says and what was taken, a sentence or two each."""
    curves: tuple[str, ...] = ()
    """Names of the systems whose curves go into one figure of loss and accuracy by epoch."""
    best: str = ""
    """Name of the system whose confusion matrix, classification report and gallery of right and wrong are shown."""
    weights: str = ""
    """Name of the system whose first-layer weights are shown as pictures."""
    folds: tuple[str, ...] = ()
    """Names of the systems that together are a k-fold cross-validation."""

    def system(self, name: str) -> System:
        """The system called ``name``.

        Raises:
            KeyError: there is none.
        """
        return {system.name: system for system in self.systems}[name]
