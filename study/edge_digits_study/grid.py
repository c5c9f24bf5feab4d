"""The grid of a study: which trials it consists of, which are done and which are left."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from edge_digits_runtime.errors import UsageError

from edge_digits_study.definition import Study, System
from edge_digits_study.results import RESULTS, Results, Trial
from edge_digits_study.trial import TRIAL, TRIALS, Job, can_convert


def jobs(
    study: Study,
    folder: Path,
    seeds: int,
    epochs: int | None = None,
    max_epochs: int | None = None,
    systems: Sequence[System] | None = None,
    source: Path | None = None,
) -> list[Job]:
    """Return the jobs of a study: all systems with seed 0, then all systems with seed 1, and so on.

    Args:
        study: the study.
        folder: the folder of the study.
        seeds: number of trials of each system, unless `System.seeds` is smaller.
        epochs: number of epochs; None for that of the document.
        max_epochs: upper limit of the number of epochs.
        systems: systems of the study; None for all.
        source: path that the data set is read from, for the records; None for MNIST.
    """
    grid = []
    for seed in range(seeds):
        for system in study.systems if systems is None else systems:
            if system.seeds is not None and seed >= system.seeds:
                continue
            recipe = system.build(seed, epochs)
            if max_epochs is not None and recipe.epochs > max_epochs:
                recipe = system.build(seed, max_epochs)
            name = f"{system.name}-{recipe.epochs}epochs-seed{seed}"
            grid.append(Job(system.name, recipe, folder.absolute() / TRIALS / name, source and source.absolute()))
    return grid


def select(study: Study, patterns: Sequence[str]) -> list[System]:
    """Return the systems of ``study`` whose names match one of ``patterns``, such as ``mlp-*``; all without patterns.

    Raises:
        UsageError: no system matches a pattern.
    """
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(system.name, pattern) for system in study.systems):
            names = ", ".join(system.name for system in study.systems)
            raise UsageError(f"no system of {study.name} is called {pattern}; there are {names}")
    return [
        system
        for system in study.systems
        if not patterns or any(fnmatch.fnmatchcase(system.name, pattern) for pattern in patterns)
    ]


def main_systems(study: Study) -> list[System]:
    """Return the systems of ``study`` that have a target or a figure."""
    names = {*(target.system for target in study.targets), *study.curves, study.featured, study.weights}
    return [system for system in study.systems if system.name in names]


def gather(study: Study, folder: Path) -> Results:
    """Return every trial that is done: those in ``results.json``, replaced and completed by those in the run folders.

    A trial without a run folder, such as one from another machine, stays in the results.

    Raises:
        RunError: a file is damaged, or ``results.json`` holds another study.
    """
    done: dict[tuple[str, int, int], Trial] = {}
    names = {system.name for system in study.systems}
    if (folder / RESULTS).exists():
        done = {trial.key: trial for trial in Results.load(folder, study.name).trials}
    for path in sorted((folder / TRIALS).glob(f"*/{TRIAL}")):
        trial = Trial.load(path)
        done[trial.key] = trial
    return Results(study.name, tuple(trial for trial in done.values() if trial.system in names))


def left(grid: Sequence[Job], results: Results) -> list[Job]:
    """Return the jobs that are not done, and those that this machine can convert and that are not converted yet."""
    done = {trial.key: trial for trial in results.trials}

    def is_left(job: Job) -> bool:
        trial = done.get(job.key)
        return trial is None or (trial.int8 is None and job.folder.exists() and can_convert())

    return [job for job in grid if is_left(job)]
