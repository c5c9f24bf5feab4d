"""How many calibration pictures does int8 need? The experiment behind the default; see docs/research/calibration.md.

Convert each run folder to int8 with each number of calibration pictures and each seed of their draw, and classify the
validation pictures. Test pictures are not looked at. Print a Markdown table for each run:

    python benchmarks/accuracy/calibration.py runs/cnn-8-16-32-1 runs/mlp-256-128-1
"""

import argparse
import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_convert.calibration_pictures import CalibrationDraw, draw_pictures
from edge_digits_convert.inference import inference_function, load_model, pixels
from edge_digits_convert.quantization import to_flatbuffer
from edge_digits_runtime.data import loading, metrics
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.native_stderr import quiet
from edge_digits_runtime.records.run import MODEL, RunRecord
from edge_digits_train.data import mnist
from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.recipes.recipe import Recipe
from numpy.typing import NDArray

COUNTS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
SEEDS = 8
_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Outcome:
    """How int8, calibrated on one draw of pictures, does on the validation pictures."""

    drop_pp: float
    """Percentage points of accuracy lost to the float original; negative where int8 is better."""
    changed: int
    """Pictures that int8 and the float original answer differently, rightly or wrongly."""
    divergence: float
    """Kullback-Leibler divergence of int8's probabilities from the original's, mean over the pictures, in nats."""
    seconds: float
    """Time of calibration and conversion."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws for each count (default: %(default)s)")
    options = parser.parse_args()
    for run in options.runs:
        study(run, options.counts, options.seeds)


def study(run: Path, counts: list[int], seeds: int) -> None:
    """Print the table of one run."""
    record = RunRecord.load(run)
    source = record.data["source"]
    dataset = loading.load(source) if source else mnist.load()
    training, validation = training_and_validation(Recipe.from_dict(record.recipe), dataset)
    with quiet():
        infer = inference_function(load_model(run / MODEL))
    reference = float_probabilities(infer, validation.images)
    right = metrics.accuracy(validation.labels, reference.argmax(axis=1))
    print(f"\n{record.name}: float original {right:.2%} of {len(validation):,} validation pictures, {seeds} draws\n")
    print("| pictures | drop, mean (pp) | worst (pp) | answers changed | divergence, mean (1e-6 nats) | worst | s |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for count in counts:
        outcomes = [convert(infer, training, validation, reference, count, seed) for seed in range(seeds)]
        print(row(count, outcomes), flush=True)


def convert(
    infer: Any, training: Split, validation: Split, reference: NDArray[np.float64], count: int, seed: int
) -> Outcome:
    """Convert with one draw and classify the validation pictures."""
    drawn = draw_pictures(training, CalibrationDraw(count, seed))
    started = time.perf_counter()
    with quiet():
        flatbuffer = to_flatbuffer(infer, "int8", drawn)
    seconds = time.perf_counter() - started
    predictions = DigitClassifier(flatbuffer).classify_batch(validation.images)
    answers = reference.argmax(axis=1)
    drop = metrics.accuracy(validation.labels, answers) - metrics.accuracy(validation.labels, predictions.labels)
    ratio = np.log(np.maximum(reference, _SMALLEST)) - np.log(np.maximum(predictions.probabilities, _SMALLEST))
    divergence = float((reference * ratio).sum(axis=1).mean())
    return Outcome(100 * drop, int(np.count_nonzero(predictions.labels != answers)), divergence, seconds)


def float_probabilities(infer: Any, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the probabilities of the original, shape ``(n, 10)``."""
    parts = [np.asarray(infer(pixels(images[start : start + 500]))) for start in range(0, len(images), 500)]
    return metrics.softmax(np.concatenate(parts))


def row(count: int, outcomes: list[Outcome]) -> str:
    """Return one line of the table."""
    drop, changed, divergence, seconds = (
        np.array([getattr(outcome, field.name) for outcome in outcomes]) for field in dataclasses.fields(Outcome)
    )
    return (
        f"| {count:,} | {drop.mean():+.3f} | {drop.max():+.3f} | {changed.mean():.1f} "
        f"| {1e6 * divergence.mean():.0f} | {1e6 * divergence.max():.0f} | {seconds.mean():.1f} |"
    )


if __name__ == "__main__":
    main()
