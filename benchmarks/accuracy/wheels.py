"""Train meter-s and meter-m, and measure them on meters that were held out whole.

    uv run python benchmarks/accuracy/wheels.py --seeds 0 1 2
    uv run python benchmarks/accuracy/wheels.py --only meter-m --seeds 0

The pictures are those that edge-digits-train has, see `edge_digits_train.meters.pictures`. Each run is what these
commands would make:

    edge-digits train meter-m --seed SEED
    edge-digits convert RUN --int8

Measured are the int8 files: on the five meters of ``benchmarks/meters_split.toml`` at every tenth; on a seven-segment
display that was filmed and is in no training picture; on drawn displays and wheels, with typefaces of their own and a
seed of their own. The time of an invocation is that of one thread, loop by loop beside the default model. What is
chosen, is chosen on the meters that ``validation_groups`` of the recipes names; their figures are recorded, too.
A finished run is kept and an unfinished one is resumed. Every figure is written to docs/research/wheels.json.
"""

import argparse
import dataclasses
import statistics
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.data.duplicates import nearest_among
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.measurement import invocations
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.meters import drawing, pictures
from edge_digits_train.recipes import catalogue

from edge_digits.pipeline import convert_run, finish_run

RECORD = Path(__file__).parents[2] / "docs" / "research" / "wheels.json"
SPLIT = Path(__file__).parents[1] / "meters_split.toml"
RECIPES = ("meter-s", "meter-m")
FORM = Input("crop", 28, 28)
FEW = 100
"""Meters with fewer resting pictures are pooled."""
DRAWN = 2000
"""Pictures that are drawn of each kind for testing."""
_SEED = 99_991
"""Of these pictures: no training has it."""
_LOOPS = 5
Figures = dict[str, Any]


def main() -> None:
    """Train, convert, measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED", help="[0 1 2]")
    parser.add_argument("--only", choices=RECIPES, help="one of the two recipes  [both]")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders  [runs]")
    parser.add_argument("--record", type=Path, default=RECORD, metavar="FILE", help="[docs/research/wheels.json]")
    options = parser.parse_args()
    dataset = pictures.load(FORM)
    check_split(dataset)
    others = other_tests()
    found: Figures = {"pictures": counts(dataset), "recipes": {}}
    names = [options.only] if options.only else RECIPES
    for name in names:
        recipe = catalogue.get(name)
        about = {"parameters": recipe.parameters, "macs": recipe.macs, "epochs": recipe.epochs}
        found["recipes"][name] = about | {"seeds": {}}
    # What is drawn depends on the seed alone: the second recipe need not wait for it.
    for seed in options.seeds:
        for name in names:
            run = options.runs / f"{name}-seed-{seed}"
            finish_run(dataclasses.replace(catalogue.get(name), seed=seed), dataset, run, None)
            found["recipes"][name]["seeds"][str(seed)] = measured(run, dataset, others)
    files.write_json(options.record, found)
    print_table(found)


def check_split(dataset: DataSet) -> None:
    """Check that the packed split is the one that is written down, and that no picture has a twin on the other side."""
    split = tomllib.loads(SPLIT.read_text(encoding="utf-8"))
    if sorted(dataset.test.group_names) != sorted(split["held_out"]):
        raise SystemExit(f"{SPLIT}: held_out must be {sorted(dataset.test.group_names)}: pack the pictures again")
    like = nearest_among(dataset.train.images, dataset.test.images).found
    if len(like):
        raise SystemExit(f"{len(like)} training pictures are nearly equal to held-out ones: {like[:10].tolist()}")


def counts(dataset: DataSet) -> Figures:
    """Return how many pictures there are."""
    training, validation = training_and_validation(catalogue.get(RECIPES[0]), dataset)
    resting = dataset.test.take(turns.rests(dataset.test.labels))
    return {
        "training": len(training),
        "validation": len(validation),
        "validation resting": int(turns.rests(validation.labels).sum()),
        "test": len(dataset.test),
        "test resting": len(resting),
        "test resting by meter": {name: int((resting.groups == name).sum()) for name in resting.group_names},
    }


def other_tests() -> dict[str, Split]:
    """Return the other pictures to measure on, by name."""
    none = dict.fromkeys((field.name for field in dataclasses.fields(drawing.Mix)), 0.0)
    tests = {"filmed display": pictures.display(FORM, second=True)}
    for number, kind in enumerate(("segments", "dots", "wheel", "blank", "minus", "nothing")):
        rng = np.random.default_rng((_SEED, number))
        mix = drawing.Mix(**(none | {kind: 1.0}))
        tests[f"drawn {kind}"] = Split(*drawing.draw(DRAWN, rng, FORM, held_out=True, mix=mix))
    return tests


def measured(run: Path, dataset: DataSet, others: dict[str, Split]) -> Figures:
    """Convert a run, unless that is done, and return its figures."""
    path = run / f"{run.name.rpartition('-seed')[0]}-int8.tflite"
    if not path.exists():
        convert_run(run, "int8")
    classifier, record = DigitClassifier(path), RunRecord.load(run)
    validation = training_and_validation(catalogue.get(record.name), dataset)[1]
    shown = turns.shown_index(classifier.labels)
    found: Figures = {
        "float test": record.accuracy["test"],
        "bytes": path.stat().st_size,
        "min_confidence": classifier.min_confidence,
        "training_seconds": round(sum(record.history["seconds"])),
        "validation": judged(classifier, validation),
        "test": judged(classifier, dataset.test),
        "time": time_beside_default(classifier, dataset.test),
    }
    for name, split in others.items():
        answers = classifier.classify_batch(split.images)
        index = np.append(shown, -1)
        right = index[split.labels] == shown[answers.labels]
        if name == "drawn wheel":
            right = turns.right(split.labels, answers.labels, classifier.labels)
        found[name] = {
            "right": float(right.mean()),
            "sure": float(answers.sure.mean()),
            "sure_wrong": float((answers.sure & ~right).mean()),
        }
    return found


def judged(classifier: DigitClassifier, split: Split) -> Figures:
    """Return how well meters are read: digits that rest, all wheels, and each meter."""
    answers, shown = classifier.classify_batch(split.images), turns.shown_index(classifier.labels)
    rests = turns.rests(split.labels)
    # A display only has whole digits; of wheels every picture counts, those that rest as well.
    assert split.groups is not None
    wheels = np.isin(split.groups, [name for name in split.group_names if _turns(split, name)])
    digit = shown[split.labels] == shown[answers.labels]
    near = turns.right(split.labels, answers.labels, classifier.labels)
    names = split.group_names
    by_meter = {name: float(digit[rests & (split.groups == name)].mean()) for name in names}
    large = [name for name in names if (rests & (split.groups == name)).sum() >= FEW]
    pooled = rests & ~np.isin(split.groups, large)
    return {
        "resting": float(digit[rests].mean()),
        "sure": float(answers.sure[rests].mean()),
        "sure_wrong": float((answers.sure & ~digit)[rests].mean()),
        "near": float(near[wheels].mean()),
        "wheels": int(wheels.sum()),
        "all_sure": float(answers.sure.mean()),
        "all_sure_far": float((answers.sure & (turns.apart(split.labels, answers.labels) > turns.REACH)).mean()),
        "by_meter": by_meter,
        "worst": min([*(by_meter[name] for name in large), *([float(digit[pooled].mean())] if pooled.any() else [])]),
    }


def _turns(split: Split, name: str) -> bool:
    assert split.groups is not None
    return bool((split.labels[split.groups == name] % 10 > 0).any())


def time_beside_default(classifier: DigitClassifier, split: Split) -> Figures:
    """Time invocations of a model and of the default model in turns, one thread; microseconds, and their ratio."""
    default = DigitClassifier()
    pairs = [
        [invocations(each, split.images[0], 0.1).median_us for each in (classifier, default)] for _ in range(_LOOPS)
    ]
    own, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {
        "us": round(own, 2),
        "default_us": round(other, 2),
        "ratio": round(statistics.median(first / second for first, second in pairs), 3),
        "device": facts.device_facts()["name"],
    }


def print_table(found: Figures) -> None:
    """Print mean and standard deviation over the seeds, as Markdown."""
    recipes = found["recipes"]
    titles = [f"{name}, {len(each['seeds'])} seeds" for name, each in recipes.items()]
    print(f"| int8 | {' | '.join(titles)} |")
    print(f"|---|{'--:|' * len(recipes)}")
    for title, path in ROWS.items():
        cells = [spread([_at(seed, path) for seed in each["seeds"].values()]) for each in recipes.values()]
        print(f"| {title} | {' | '.join(cells)} |")
    for title, key in (("file, bytes", "bytes"), ("training, s", "training_seconds")):
        cells = [f"{max(seed[key] for seed in each['seeds'].values()):,}" for each in recipes.values()]
        print(f"| {title}, at most | {' | '.join(cells)} |")
    cells = ["; ".join(f"{seed['time']['ratio']:.2f}" for seed in each["seeds"].values()) for each in recipes.values()]
    print(f"| invocation, times that of digits-m | {' | '.join(cells)} |")


ROWS = {
    "digits that rest, %": "test/resting",
    "wheels within ± 0.1, %": "test/near",
    "sure, of those that rest, %": "test/sure",
    "sure and wrong, of those that rest, %": "test/sure_wrong",
    "the worst meter, %": "test/worst",
    "filmed display, %": "filmed display/right",
    "drawn seven segments, %": "drawn segments/right",
    "drawn dots, %": "drawn dots/right",
    "drawn wheels within ± 0.1, %": "drawn wheel/right",
    "drawn blank, %": "drawn blank/right",
    "drawn minus, %": "drawn minus/right",
    "drawn and nothing: called sure, %": "drawn nothing/sure",
    "validation: digits that rest, %": "validation/resting",
    "validation: wheels within ± 0.1, %": "validation/near",
    "validation: sure, %": "validation/sure",
    "validation: sure and wrong, %": "validation/sure_wrong",
}
"""Lines of the table: titles, and where their figures are."""


def _at(figures: Figures, path: str) -> float:
    first, second = path.split("/")
    return 100 * float(figures[first][second])


def spread(values: list[float]) -> str:
    """Return mean and standard deviation, such as ``96.31 ± 0.42``; of one value that value."""
    mean = f"{np.mean(values):.2f}"
    return f"{mean} ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else mean


if __name__ == "__main__":
    main()
