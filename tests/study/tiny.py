"""A study small enough for a test, and a driver that runs it in a process of its own, as the command does.

    python tests/study/tiny.py DATA FOLDER OPTIONS

OPTIONS is a JSON object with ``seeds``, ``address`` (of a Ray cluster, or null) and ``cpus`` (of each trial). With
``halting``, a list of labels of trials, Ray runs the trials as usual, but nothing is trained in them, see `pretend`.

Progress goes to stderr, as lines of "progress" and JSON: done, length and note. The failed trials go to stdout.
"""

import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_digits_runtime.data import loading
from edge_digits_study import grid, ray_runner, trial
from edge_digits_study.definition import Study, System

if TYPE_CHECKING:
    from edge_digits_study.results import Trial

EPOCHS = 25
DIVERGES, STEADY = "diverges", "steady"
STUDY = Study(
    name="tiny",
    title="A tiny study",
    document="none",
    systems=(
        System(DIVERGES, DIVERGES, "mlp-64", {"learning_rate": 1e30, "optimizer": "sgd"}, seeds=1),
        System(STEADY, STEADY, "mlp-64"),
    ),
    tables=(),
    targets=(),
    decisions=(),
)
HALT = 3
"""Epoch after which a halting trial waits for the file `GO` in the folder of the study."""
GO = "go"
EPOCHS_FILE = "epochs"
"""File of a pretended trial in its run folder: the epochs that are done, one in each line."""


def pretend(job: trial.Job, dataset: Any, say: Callable[[str], None], halting: Sequence[str]) -> "Trial":
    """Do the epochs that are left, without training, and write ``trial.json``.

    Ray sends this function to workers that cannot import this file, so it imports what it needs itself.

    Raises:
        RunError: the system is the one that diverges.
    """
    import numpy as np
    from edge_digits_runtime.errors import RunError
    from edge_digits_study.results import Int8, Trial

    if job.system == DIVERGES:
        raise RunError("pretended to diverge")

    file = job.folder / EPOCHS_FILE
    job.folder.mkdir(parents=True, exist_ok=True)
    done = len(file.read_text().split()) if file.exists() else 0
    for epoch in range(done + 1, job.recipe.epochs + 1):
        say(f"{epoch}/{job.recipe.epochs}")
        with file.open("a") as lines:
            lines.write(f"{epoch}\n")
        while epoch == HALT and job.label in halting and not (job.folder.parents[1] / GO).exists():
            time.sleep(0.05)
    values = [0.5] * job.recipe.epochs
    share = {"train": 0.9, "validation": 0.9, "test": 0.9}
    result = Trial(
        system=job.system,
        seed=job.recipe.seed,
        epochs=job.recipe.epochs,
        history=dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "seconds"), values),
        accuracy=share,
        loss=share,
        metrics={
            **{name: [0.9] * 10 for name in ("precision", "recall", "f1")},
            "macro": {"precision": 0.9, "recall": 0.9, "f1": 0.9},
            "confusion": np.eye(10, dtype=int).tolist(),
        },
        parameters=len(dataset.train),
        macs=1,
        float_p50_us=1.0,
        int8=Int8(share, 0.0, 1, 1, 1.0, device={}),
        device={},
        versions={},
        run=f"trials/{job.folder.name}",
    )
    result.save(job.folder / "trial.json")
    return result


def show(_label: str, done: int, length: int, note: str) -> None:
    """Print one line of progress."""
    print("progress", json.dumps([done, length, note]), file=sys.stderr, flush=True)


def main(
    data: Path,
    folder: Path,
    seeds: int,
    address: str | None = None,
    cpus: int = 1,
    halting: Sequence[str] | None = None,
) -> None:
    """Run the study on this machine or on a cluster."""
    if halting is not None:
        # Functions of the main program are sent by value, those of modules by name.
        trial.run = functools.partial(pretend, halting=halting)  # type: ignore[assignment]
    systems = grid.select(STUDY, [STEADY] if address else [])
    jobs = grid.jobs(STUDY, folder, seeds, EPOCHS, systems=systems, source=data)
    outcome = ray_runner.run(STUDY, jobs, folder, loading.load(data), ray_runner.Machines(address, cpus), show)
    print(json.dumps([[failure.job.label, failure.reason] for failure in outcome.failures]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3]))
