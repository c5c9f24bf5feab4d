"""Train on digits of meters that rest, and measure on five meters that were held out whole.

    uv run python benchmarks/accuracy/meters.py METERS.npz --seeds 0 1 2
    uv run python benchmarks/accuracy/meters.py METERS.npz --only-data      # write the data set and stop

METERS.npz has ``images`` (n, 32, 20, 3) uint8, ``tenths`` 0-99 (34 is a wheel between 3 and 4) and ``meter``, the name
of each: https://github.com/haverland/Tenth-of-step-of-a-meter-digit (Apache-2.0). A wheel rests where its tenths are 0,
1 or 9; at 9 it shows the next digit. The meters held out are those of ``benchmarks/meters_split.toml``.

The data set is ``RUNS/meters-resting.npz``, and each run is what these commands would make:

    edge-digits train crop-s --data RUNS/meters-resting.npz --input crop:32x20 --test-groups NAMES --seed SEED
    edge-digits convert RUN --int8

A finished run is kept and an unfinished one is resumed. Every figure is written to docs/research/meters.json.
"""

import argparse
import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import DataSet, Grouping, Split
from edge_digits_runtime.data.duplicates import nearest_among
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare_arrays
from edge_digits_runtime.records import files
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.run import EVALUATION, RunRecord
from edge_digits_train.recipes import catalogue
from PIL import Image

from edge_digits.data_sets import load_data
from edge_digits.paired import pair
from edge_digits.pipeline import convert_run, finish_run

RECORD = Path(__file__).parents[2] / "docs" / "research" / "meters.json"
SPLIT = Path(__file__).parents[1] / "meters_split.toml"
RECIPE = "crop-s"
FORM = Input("crop", 32, 20)
"""The size of the pictures as they are published."""
Figures = dict[str, Any]


def main() -> None:
    """Write the data set, train, convert, measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meters", type=Path, metavar="METERS.npz")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED", help="[0 1 2]")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders  [runs]")
    parser.add_argument("--record", type=Path, default=RECORD, metavar="FILE", help="[docs/research/meters.json]")
    parser.add_argument("--only-data", action="store_true", help="write the data set, train nothing")
    options = parser.parse_args()
    split = tomllib.loads(SPLIT.read_text(encoding="utf-8"))
    path = options.runs / "meters-resting.npz"
    write_data(options.meters, path, split)
    if options.only_data:
        return
    dataset = load_data(path, FORM, Grouping(test=tuple(split["held_out"])))
    seeds = {seed: train(dataset, path, seed, options.runs / f"meters-seed-{seed}") for seed in options.seeds}
    found = summary(dataset, seeds)
    files.write_json(options.record, found)
    print_table(found)


def resting(path: Path) -> Split:
    """Return the pictures of wheels and displays that rest, grey, with their digits and meters.

    The names are the indices in the published arrays.
    """
    with np.load(path, allow_pickle=False) as stored:
        tenths, meters = stored["tenths"].astype(int), stored["meter"]
        which = np.flatnonzero(np.isin(tenths % 10, (0, 1, 9)))
        gray = np.stack([np.asarray(Image.fromarray(pixels).convert("L")) for pixels in stored["images"][which]])
    digits = (tenths[which] + 1) // 10 % 10
    return Split(gray, digits.astype(np.uint8), meters[which], which.astype(np.str_))


def write_data(meters: Path, path: Path, split: Figures) -> None:
    """Write the resting digits as one .npz, without pictures that nearly equal one of a held-out meter."""
    every = resting(meters)
    held_out = np.isin(every.groups, split["held_out"])
    pixels = prepare_arrays(every.images, FORM)
    like = nearest_among(pixels[~held_out], pixels[held_out]).found
    found = np.flatnonzero(~held_out)[like]
    assert every.names is not None
    if sorted(every.names[found].astype(int).tolist()) != sorted(split["left_out"]):
        raise SystemExit(f"{SPLIT}: left_out must be {sorted(every.names[found].astype(int).tolist())}")
    kept = every.take(np.setdiff1d(np.arange(len(every)), found))
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, images=kept.images, labels=kept.labels, groups=kept.groups)
    print(f"{path}: {len(kept):,} digits that rest, {held_out.sum():,} of them held out, {len(found)} left out")


def train(dataset: DataSet, path: Path, seed: int, run: Path) -> Figures:
    """Train one seed, unless that is done, convert it, and return its figures."""
    finish_run(dataclasses.replace(catalogue.get(RECIPE), seed=seed), dataset, run, path)
    converted, _ = convert_run(run, "int8")
    record, original = RunRecord.load(run), Evaluation.load(run / EVALUATION)
    answers = DigitClassifier(converted.path).classify_batch(dataset.test.images)
    labels, test = dataset.test.labels, dataset.test
    right = answers.labels == labels
    paired = pair(labels, original.predicted, answers.labels)
    return {
        "float": record.accuracy["test"],
        "int8": float(right.mean()),
        "validation": record.accuracy["validation"],
        "drop_pp": paired.drop_pp,
        "drop_interval_pp": list(paired.interval_pp),
        "drop_p": paired.p_value,
        "bytes": converted.file_bytes,
        "sure": float(answers.sure.mean()),
        "sure_wrong": float((answers.sure & ~right).mean()),
        "by_meter": {name: float(right[test.groups == name].mean()) for name in test.group_names},
        "training_seconds": round(sum(record.history["seconds"])),
        "validated_on": list(record.data["groups"]["validation"]),
    }


def summary(dataset: DataSet, seeds: dict[int, Figures]) -> Figures:
    """Return the figures of all seeds, and what they were measured on."""
    recipe, test = catalogue.get(RECIPE).fitted(dataset.classes, dataset.input), dataset.test
    return {
        "recipe": RECIPE,
        "parameters": recipe.parameters,
        "macs": recipe.macs,
        "pictures": {"train and validation": len(dataset.train), "test": len(test)},
        "test_by_meter": {name: int((test.groups == name).sum()) for name in test.group_names},
        "seeds": {str(seed): figures for seed, figures in seeds.items()},
    }


def print_table(found: Figures) -> None:
    """Print the mean and the standard deviation over the seeds, as Markdown."""
    seeds = list(found["seeds"].values())
    print(f"| {found['recipe']}, {len(seeds)} seeds | int8 |")
    print("|---|--:|")
    for title, key in (("accuracy", "int8"), ("float", "float"), ("sure", "sure"), ("sure and wrong", "sure_wrong")):
        print(f"| {title} | {spread([100 * each[key] for each in seeds])} % |")
    for name, count in found["test_by_meter"].items():
        print(f"| {name} ({count}) | {spread([100 * each['by_meter'][name] for each in seeds])} % |")
    print(f"| drop | {spread([each['drop_pp'] for each in seeds])} pp |")
    print(f"| file | {max(each['bytes'] for each in seeds):,} bytes |")
    print(f"| training | {max(each['training_seconds'] for each in seeds):,} s at most |")


def spread(values: list[float]) -> str:
    """Return mean and standard deviation, such as ``96.31 ± 0.42``; of one value that value."""
    mean = f"{np.mean(values):.2f}"
    return f"{mean} ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else mean


if __name__ == "__main__":
    main()
