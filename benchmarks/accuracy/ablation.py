"""Measure what each choice in the recipe of digits-xs-alone is worth: one change at a time, in a short training.

    uv run python benchmarks/accuracy/ablation.py [--epochs N] [--only NAME ...]

Print a table: loss and accuracy of the float network on validation pictures, and the accuracy of int8 there. The run of
a change is ``runs/ablation-N-NAME``; a finished run is kept and an unfinished one is resumed. Test pictures are not
looked at, since the table is there to choose by.
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
"""The limits of augmentation with which the family was first trained."""
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
"""The fields that differ from the recipe, by the name of the change."""


def main() -> None:
    """Train and convert each change, and print the table."""
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
    """Return the cells of the row ``name``, after training the recipe, unless that is done, and converting it."""
    words = name.replace("%", "percent").replace(",", "").split()
    run = Path("runs") / "-".join(["ablation", str(recipe.epochs), *words])
    finish_run(recipe, mnist.load(), run, None)
    record, int8 = RunRecord.load(run), convert_run(run, "int8")[0]
    return [
        name,
        f"{record.history['val_loss'][-1]:.4f}",
        f"{100 * record.accuracy['validation']:.2f} %",
        f"{100 * int8.accuracy['validation']:.2f} %",
    ]


if __name__ == "__main__":
    main()
