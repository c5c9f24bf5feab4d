"""Train recipes with several seeds, convert each run to int8, and record every figure in docs/research/frontier.json.

    uv run python benchmarks/accuracy/family.py digits-xs digits-s --seeds 0 1 2

The run of a recipe and a seed is ``runs/RECIPE-seed-SEED``. A finished run is kept and an unfinished one is resumed. So
the command may be stopped and given again, and a run may come from another machine
(``edge-digits train RECIPE --seed SEED --out runs/RECIPE-seed-SEED``). Each run is converted anew every time, so that
the figures are those of today's converter.

The mean accuracy of each int8 model on corrupted test pictures is recorded as well, see robustness.py. At the end all
networks are timed in turn, float against int8, on one core. For times from an idle machine give the command again with
``--times`` when the machine is idle.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import robustness
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.timing import latency
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.data import mnist
from edge_digits_train.recipes import catalogue

from edge_digits.deploy.bundle import find_model
from edge_digits.pipeline import convert_run, finish_run
from edge_digits.progress import say

FRONTIER = Path(__file__).parents[2] / "docs" / "research" / "frontier.json"
SCHEMES = ("float32", "int8")
ROUNDS, CALLS = 40, 250
Figures = dict[str, Any]


def main() -> None:
    """Train, convert, record and time all recipes and seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", type=catalogue.get)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED", help="[0 1 2]")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders  [runs]")
    parser.add_argument("--record", type=Path, default=FRONTIER, metavar="FILE", help="[docs/research/frontier.json]")
    parser.add_argument("--times", action="store_true", help="only time the models that were converted before")
    options = parser.parse_args()
    models: dict[str, dict[str, Path]] = {}
    for recipe in options.recipes:
        for seed in options.seeds:
            run = options.runs / f"{recipe.name}-seed-{seed}"
            if options.times:
                models[recipe.name] = {scheme: find_model(run, scheme) for scheme in SCHEMES}
                continue
            models[recipe.name], figures = train(dataclasses.replace(recipe, seed=seed), run)
            network = {"parameters": recipe.parameters, "macs": recipe.macs}
            record(options.record, recipe.name, network | {"seeds": {str(seed): figures}})
    times = take_turns({name: {scheme: classifier(path) for scheme, path in of.items()} for name, of in models.items()})
    for name, figures in times.items():
        record(options.record, name, figures)
        say(f"{name}: p50 " + ", ".join(f"{scheme} {figures['p50_us'][scheme]:.2f} µs" for scheme in SCHEMES))


def train(recipe: catalogue.Recipe, run: Path) -> tuple[dict[str, Path], Figures]:
    """Train a recipe, unless that is done, and convert it.

    Returns:
        The model file by scheme, and the figures of this seed.
    """
    say(f"== {run}")
    finish_run(recipe, mnist.load(), run, None)
    results = {scheme: convert_run(run, scheme)[0] for scheme in SCHEMES}
    say(f"{recipe.name} int8: classifying corrupted test pictures")
    trained, int8 = RunRecord.load(run), results["int8"]
    figures = {
        "float": dict(trained.accuracy),
        "int8": dict(int8.accuracy),
        "bytes": int8.file_bytes,
        "flatbuffer_bytes": int8.bytes_after,
        "sha256": int8.card.sha256,
        "robustness": round(robustness.mean(robustness.by_kind(DigitClassifier(int8.path))), 6),
        "epochs": recipe.epochs,
        "training_seconds": round(sum(trained.history["seconds"])),
        "training_device": trained.device["name"],
    }
    return {scheme: result.path for scheme, result in results.items()}, figures


def classifier(model: Path) -> DigitClassifier:
    """Return the model on one core, after a first batch."""
    ready = DigitClassifier(model)
    ready.classify_batch(mnist.load().test.images[:500])
    return ready


def take_turns(models: dict[str, dict[str, DigitClassifier]]) -> dict[str, Figures]:
    """Time one invocation of each model, all models in turn in each of `ROUNDS`.

    Returns:
        The median in microseconds by scheme, and the device, by recipe.
    """
    pairs = [(name, scheme) for name, of in models.items() for scheme in of]
    rounds = []
    for _ in range(ROUNDS):
        turn = [models[name][scheme].network.lane for name, scheme in pairs]
        rounds.append([latency(lane.invoke, "invoke", CALLS, CALLS // 10).p50 for lane in turn])
    medians = dict(zip(pairs, np.median(rounds, axis=0).tolist(), strict=True))
    found = facts.device_facts()
    return {
        name: {
            "p50_us": {scheme: round(medians[name, scheme], 2) for scheme in of},
            "device": f"{found['name']}, {next(iter(of.values())).backend.name}, one thread",
        }
        for name, of in models.items()
    }


def record(path: Path, recipe: str, figures: Figures) -> None:
    """Add figures of a recipe to the file ``path``, which is read just before and replaced as a whole."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    of = known.get(recipe, {"seeds": {}})
    seeds = of["seeds"] | figures.get("seeds", {})
    known[recipe] = of | figures | {"seeds": dict(sorted(seeds.items(), key=lambda item: int(item[0])))}
    files.write_json(path, known)


if __name__ == "__main__":
    main()
