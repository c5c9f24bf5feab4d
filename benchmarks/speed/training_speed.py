"""Measure what an epoch of ours costs beside a bare ``model.fit`` of the same network.

    uv run python benchmarks/speed/training_speed.py [RECIPE ...] [--pictures N] [--rounds N]

A bare fit is the network compiled with Keras' defaults and fed float arrays that were prepared before the clock
started. Ours is everything that training does in an epoch: order and scale the pictures, run the steps, report
progress, validate (on ten pictures, since validation is work of its own) and write the checkpoint. Both take turns
in one process after a warm-up round; the ratio is that of the medians. Processor time is given beside wall time,
because it does not depend on what else the machine does.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edge_digits_runtime.data.datasets import Split
from edge_digits_train.data import mnist
from edge_digits_train.engine.checkpoint import Checkpoint
from edge_digits_train.engine.epoch_data import label_targets
from edge_digits_train.engine.feed import pixels
from edge_digits_train.engine.keras_model import build
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.trainer import STEPS_PER_EXECUTION, Trainer
from edge_digits_train.recipes.catalogue import RECIPES, get
from edge_digits_train.recipes.recipe import Recipe


def bare_fit(recipe: Recipe, split: Split) -> Callable[[], None]:
    """Return a function that trains one epoch with Keras as it comes."""
    model = build(recipe)
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = pixels(split.images), label_targets(split.labels, 10)
    return lambda: model.fit(x, y, batch_size=recipe.batch_size, verbose=0)


def our_epoch(recipe: Recipe, split: Split, folder: Path, steps_per_execution: int) -> Callable[[], None]:
    """Return a function that trains one epoch as `edge_digits_train.engine.training.train` does."""
    trainer = Trainer(recipe, len(split), steps_per_execution)
    few = Split(split.images[:10], split.labels[:10])
    history: dict[str, list[float]] = {}

    def run() -> None:
        figures = trainer.epoch(len(history.get("loss", ())), split, few, lambda _: None)
        for name, value in figures.items():
            history.setdefault(name, []).append(value)
        Checkpoint(recipe.to_dict(), "", history, trainer.state()).save(folder)

    return run


def timed(function: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of wall time and of processor time that a call takes."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", default=list(RECIPES))
    parser.add_argument("--pictures", type=int, default=54_000, help="of an epoch  [54000]")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each that are counted  [3]")
    options = parser.parse_args()
    train = mnist.load().train
    split = Split(train.images[: options.pictures], train.labels[: options.pictures])
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, {len(split):,} pictures, {options.rounds} rounds\n")
    print("| recipe | way | wall s | processor s | wall ratio | processor ratio |")
    print("|---|---|--:|--:|--:|--:|")
    for name in options.recipes:
        # Augmentation would be work that a bare fit does not do.
        recipe = get(name)
        keras.utils.set_random_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            ways = {
                "bare fit": bare_fit(recipe, split),
                "ours, 1 step": our_epoch(recipe, split, Path(folder), 1),
                f"ours, {STEPS_PER_EXECUTION} steps": our_epoch(recipe, split, Path(folder), STEPS_PER_EXECUTION),
            }
            for way in ways.values():
                way()
            rounds = [{label: timed(way) for label, way in ways.items()} for _ in range(options.rounds)]
        medians = {
            label: [statistics.median(times) for times in zip(*(r[label] for r in rounds), strict=True)]
            for label in ways
        }
        base = medians["bare fit"]
        for label, (wall, processor) in medians.items():
            ratios = f"{wall / base[0]:.2f} | {processor / base[1]:.2f}"
            print(f"| {name} | {label} | {wall:.2f} | {processor:.2f} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
