"""A study small enough for a test, and a driver that runs it in a process of its own, as the command does.

    python tests/study/tiny.py DATA OUT SEEDS [ADDRESS]

Progress goes to stderr as lines of "progress" and JSON: done, length and note. The failed trials go to stdout.
"""

import json
import sys
from pathlib import Path

from edge_digits_runtime.data import loading
from edge_digits_study import grid, ray_runner
from edge_digits_study.definition import Study, System

EPOCHS = 25
STUDY = Study(
    name="tiny",
    title="A tiny study",
    document="none",
    systems=(
        System("diverges", "diverges", "mlp-64", {"learning_rate": 1e30, "optimizer": "sgd"}, seeds=1),
        System("steady", "steady", "mlp-64"),
    ),
    tables=(),
    targets=(),
    decisions=(),
)


def show(_label: str, done: int, length: int, note: str) -> None:
    """One line of progress."""
    print("progress", json.dumps([done, length, note]), file=sys.stderr, flush=True)


def main(data: Path, out: Path, seeds: int, address: str | None = None) -> None:
    """Run it on this machine or on a cluster."""
    systems = grid.select(STUDY, ["steady"] if address else [])
    jobs = grid.jobs(STUDY, out, seeds, EPOCHS, systems=systems, source=data)
    outcome = ray_runner.run(STUDY, jobs, out, loading.load(data), ray_runner.Machines(address), show)
    print(json.dumps([[failure.job.label, failure.reason] for failure in outcome.failures]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
