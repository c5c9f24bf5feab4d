"""What each choice in the recipe of digits-xs-alone is worth: one change at a time, a short training.

    uv run python benchmarks/accuracy/ablation.py [--epochs N] [--only NAME ...]

Prints a table: loss and accuracy on validation pictures of the float network, and how much of the accuracy int8 keeps.
The run of a change lies in ``runs/ablation-N-NAME``; a finished one is kept and an unfinished one goes on. No figure is
of test pictures, which choose nothing.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.data import mnist
from edge_digits_train.recipes import catalogue
from edge_digits_train.recipes.recipe import Recipe

from edge_digits.pipeline import convert_run, finish_run

EPOCHS = 6
RECIPE = catalogue.get("digits-xs-alone")
WIDE = {
    "shear": 0.2,
    "width": (0.65, 1.1),
    "height": (0.85, 1.1),
    "translation": 2.0,
    "elastic": 0.6,
    "thicken": 0.6,
    "thin": 0.7,
}
"""How far pictures were changed when the family was first trained."""
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "wider changes": {"augmentation": dataclasses.replace(RECIPE.augmentation, **WIDE)},
    "learning rate 0.004": {"learning_rate": 0.004},
    "constant learning rate": {"schedule": "constant"},
    "no weight average": {"weight_average": None},
    "8 % outliers": {"outliers": 0.08},
    "10 % corrupted": {"corruption": 0.1},
    "teachers": {"distillation": 0.9},
    "label smoothing 0.05": {"label_smoothing": 0.05},
    "no written forms, no optdigits": {"augmentation": Augmentation(), "optdigits": 0},
    "no augmentation": {"augmentation": None},
}
"""What differs from the recipe, by what it is called."""


def main() -> None:
    """Train, convert, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=f"[{EPOCHS}]")
    parser.add_argument("--only", nargs="+", default=list(CHANGES), choices=CHANGES, metavar="NAME")
    options = parser.parse_args()
    base = dataclasses.replace(RECIPE, epochs=options.epochs)
    rows = [measured(name, dataclasses.replace(base, **CHANGES[name])) for name in options.only]
    print("| change | validation loss | validation | int8, validation |\n|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def measured(name: str, recipe: Recipe) -> list[str]:
    """The cells of the row ``name``, after training what is not trained yet and converting it."""
    words = name.replace("%", "percent").replace(",", "").split()
    run = Path("runs") / "-".join(["ablation", str(recipe.epochs), *words])
    finish_run(recipe, mnist.load(), run, None)
    record, int8 = RunRecord.load(run), convert_run(run, "int8")
    return [
        name,
        f"{record.history['val_loss'][-1]:.4f}",
        f"{100 * record.accuracy['validation']:.2f} %",
        f"{100 * int8.accuracy['validation']:.2f} %",
    ]


if __name__ == "__main__":
    main()
