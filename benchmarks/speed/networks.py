"""Make the networks that other benchmarks compare: run folders with Keras original, float and int8 ``.tflite``.

The speed of a network does not depend on how well it was trained, so one epoch is enough. digits-m gets six: before
that its averaged weights give the same digit for every picture, so that nobody could tell whether two runtimes agree.
"""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

from edge_digits_runtime.errors import RunError
from edge_digits_train.data import mnist
from edge_digits_train.recipes import catalogue

from edge_digits.pipeline import finished_run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "benchmarks"
EPOCHS = {"mlp-256-128": 1, "cnn-8-16-32": 1, "digits-m": 6, "cnn-32-64": 1, "cnn-32-64-64": 1}
"""Epochs of training by recipe, the smallest network first."""
COMMAND = str(Path(sys.executable).with_name("edge-digits"))


def run_folder(recipe: str) -> Path:
    """Return the run folder of a recipe, after making what is missing in it; a run of another recipe is replaced."""
    run = FOLDER / recipe
    try:
        trained = finished_run(dataclasses.replace(catalogue.get(recipe), epochs=EPOCHS[recipe]), run, mnist.load())
    except RunError:
        shutil.rmtree(run)
        trained = None
    if trained is None:
        call("train", recipe, "--epochs", str(EPOCHS[recipe]), "--out", str(run))
    for option, form in (("--float", "float32"), ("--int8", "int8")):
        if not (run / f"{recipe}-{form}.tflite").exists():
            call("convert", str(run), option)
    return run


def call(*arguments: str) -> None:
    print("edge-digits", *arguments, file=sys.stderr, flush=True)
    subprocess.run([COMMAND, *arguments], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    for name in EPOCHS:
        run_folder(name)
