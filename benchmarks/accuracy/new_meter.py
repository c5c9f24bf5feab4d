"""Measure how many pictures of a new meter a network needs, from nothing and from one that knows other meters.

    uv run python benchmarks/accuracy/new_meter.py METERS.npz SEVEN_SEGMENT.npz

METERS.npz is that of meters.py. SEVEN_SEGMENT.npz has ``images`` (n, 64, 64) uint8 and ``labels``, 0-9 and blank: two
displays that were filmed in many lights, https://github.com/Kazuhito00/7segment-display-reader (Apache-2.0). Two things
are new to the network of meters.py in ``RUNS/meters-seed-0``:

- ``Techem``: the wheels of watermeter/Techem, ten digits. That run was validated on them, and learned nothing of them;
- ``display``: the two displays, ten digits and blank.

For each of three seeds pictures are drawn, two of each class and then one of each in turn, the first of them for the
smaller numbers; the rest is for testing, without pictures that equal or nearly equal a drawn one. The networks are what
these commands make, of the classes that have two pictures or more:

    edge-digits train crop-s --data NEW --input crop:32x20 --epochs 60 --batch-size 16
    edge-digits train --from RUN --data NEW --epochs 60 --batch-size 16 --learning-rate 0.001

Every figure is written to docs/research/new-meter.json, and the curves to docs/research/new-meter.svg.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.data.duplicates import nearest_among
from edge_digits_runtime.data.loading import load
from edge_digits_runtime.image.prepare import prepare_arrays
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import RECORD as RUN_RECORD
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.engine.starting import keep_classes
from edge_digits_train.engine.training import train
from edge_digits_train.recipes import catalogue
from matplotlib import pyplot as plt
from meters import FORM, RECIPE, resting, spread
from numpy.typing import NDArray

from edge_digits.progress import say

FOLDER = Path(__file__).parents[2] / "docs" / "research"
NEW = "watermeter/Techem"
CLASSES = (*DIGIT_CLASSES, "blank")
COUNTS = (10, 30, 100, 300)
SETTINGS: dict[str, Any] = {"epochs": 60, "batch_size": 16}
STARTED_RATE = 0.001
"""Learning rate from a run; from nothing that of the recipe, three times as large."""
WAYS = ("from nothing", "from other meters")
Figures = dict[str, Any]


def main() -> None:
    """Train all networks that are not there yet, measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meters", type=Path, metavar="METERS.npz")
    parser.add_argument("display", type=Path, metavar="SEVEN_SEGMENT.npz")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED", help="[0 1 2]")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders  [runs]")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="[docs/research]")
    options = parser.parse_args()
    every = resting(options.meters)
    known = options.runs / "meters-seed-0"
    if NEW not in RunRecord.load(known).data["groups"]["validation"]:
        raise SystemExit(f"{known}: must know nothing of {NEW}; make it with meters.py")
    sets = {
        "Techem": every.take(every.groups == NEW),
        "display": display(options.display),
    }
    found = {name: curve(name, split, known, options.runs / "new-meter", options.seeds) for name, split in sets.items()}
    files.write_json(options.out / "new-meter.json", found)
    draw(found, options.out / "new-meter.svg")
    print_table(found)


def display(path: Path) -> Split:
    """Return the pictures of the displays, with labels that are indices into `CLASSES`."""
    with np.load(path, allow_pickle=False) as stored:
        labels = np.array([CLASSES.index(name) for name in stored["labels"].tolist()], np.uint8)
        return Split(stored["images"], labels)


def curve(name: str, split: Split, known: Path, runs: Path, seeds: list[int]) -> Figures:
    """Return the accuracy of both ways for each number of pictures and seed."""
    pixels = prepare_arrays(split.images, FORM)
    found: Figures = {"before": [], "test": [], **{way: {str(count): [] for count in COUNTS} for way in WAYS}}
    for seed in seeds:
        order = drawing_order(split.labels, np.random.default_rng(seed))
        drawn, rest = order[: max(COUNTS)], order[max(COUNTS) :]
        like = nearest_among(pixels[rest], pixels[drawn]).found
        test = split.take(np.delete(rest, like))
        found["test"].append(len(test))
        found["before"].append(measure(known, test))
        for count in COUNTS:
            chosen = split.take(drawn[:count])
            path = runs / f"{name}-{count}-seed-{seed}.npz"
            write_set(path, chosen, test)
            for way in WAYS:
                folder = path.with_suffix("") / way.replace(" ", "-")
                if not (folder / RUN_RECORD).exists():
                    start(path, folder, seed, known if way == WAYS[1] else None)
                accuracy = measure(folder, test)
                found[way][str(count)].append(accuracy)
                say(f"{name}, {count} pictures, seed {seed}, {way}: {100 * accuracy:.1f} %")
    return found


def drawing_order(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the indices of all pictures in a random order: two of each class, then one of each in turn.

    So ten pictures show five classes, and as many classes as can be have the two that training needs.
    """
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), int)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        rank[of_class] = np.maximum(np.arange(len(of_class)), 1)
    classes = rng.permutation(int(labels.max()) + 1)
    # By round, then by class: the first two of a class stand side by side.
    return order[np.lexsort((classes[labels[order]], rank[order]))]


def write_set(path: Path, chosen: Split, test: Split) -> None:
    """Write a data set of the classes that have two training pictures or more; both splits have these alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    enough = np.flatnonzero(np.bincount(chosen.labels, minlength=len(CLASSES)) >= 2)
    arrays: dict[str, Any] = {"class_names": np.array([CLASSES[label] for label in enough])}
    for part, split in (("train", chosen), ("test", test)):
        kept = split.take(np.isin(split.labels, enough))
        arrays |= {f"x_{part}": kept.images, f"y_{part}": np.searchsorted(enough, kept.labels).astype(np.uint8)}
    save(path, **arrays)


def save(path: Path, **arrays: Any) -> None:
    """Write an .npz whole or not at all."""
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def start(path: Path, folder: Path, seed: int, known: Path | None) -> None:
    """Train as the command does."""
    recipe = dataclasses.replace(catalogue.get(RECIPE), seed=seed, **SETTINGS)
    dataset: DataSet = load(path, FORM)
    if known is not None:
        recipe = dataclasses.replace(recipe, learning_rate=STARTED_RATE)
        dataset = keep_classes(dataset, RunRecord.load(known).data["classes"])
    train(recipe, dataset, folder, source=path, start=known)


def measure(folder: Path, test: Split) -> float:
    """Return the accuracy of the float network of a run on ``test``; what is of a class it does not know is wrong."""
    from edge_digits_train.engine.keras_model import load as load_model

    names = RunRecord.load(folder).data["classes"]
    pixels = prepare_arrays(test.images, FORM)[..., np.newaxis].astype(np.float32) / 255
    answers = load_model(folder / "model.keras").predict(pixels, batch_size=500, verbose=0).argmax(axis=1)
    return float(np.mean([names[answer] == CLASSES[label] for answer, label in zip(answers, test.labels, strict=True)]))


def draw(found: Figures, path: Path) -> None:
    """Draw both curves of each set, with a line for each seed."""
    mpl.rcParams |= {"svg.hashsalt": "edge-digits", "font.size": 9}
    figure, panels = plt.subplots(1, len(found), figsize=(8, 3.2), sharey=True)
    for axes, (name, of) in zip(panels, found.items(), strict=True):
        for way, colour in zip(WAYS, ("#c2620e", "#2f5fc4"), strict=True):
            values = np.array([of[way][str(count)] for count in COUNTS]) * 100
            axes.plot(COUNTS, values, color=colour, linewidth=0.6, alpha=0.5)
            axes.plot(COUNTS, values.mean(axis=1), color=colour, marker="o", label=f"train {way}")
        axes.axhline(100 * np.mean(of["before"]), color="#5d6670", linestyle=":", label="other meters alone")
        axes.set_xscale("log")
        axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
        axes.minorticks_off()
        axes.set_title(name)
        axes.set_xlabel("pictures of the new meter")
        axes.grid(axis="y", color="#dfe3e8")
    panels[0].set_ylabel("accuracy, %")
    panels[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def print_table(found: Figures) -> None:
    """Print mean and standard deviation over the seeds, as Markdown."""
    print("| new | test pictures | way |", " | ".join(f"{count} pictures" for count in (0, *COUNTS)), "|")
    print("|---|--:|---|" + "--:|" * (1 + len(COUNTS)))
    for name, of in found.items():
        for way in WAYS:
            before = "–" if way == WAYS[0] else spread([100 * value for value in of["before"]])
            cells = [spread([100 * value for value in of[way][str(count)]]) for count in COUNTS]
            tested = " / ".join(f"{count:,}" for count in of["test"])
            print(f"| {name} | {tested} | {way} | {before} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
