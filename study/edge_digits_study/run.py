"""Run the trials of a study on Ray Tune, and gather what they leave in ``results.json``.

Ray schedules: it knows which cores and GPUs are free, on this machine or on a cluster, and starts a trial again
when its worker dies. What has been trained is no business of its: each run folder holds its own checkpoint, so a
trial goes on after its last whole epoch wherever it is started again.
"""

import contextlib
import fnmatch
import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import EdgeDigitsError, RunError, UsageError

from edge_digits.progress import Update
from edge_digits_study import trial as trials
from edge_digits_study.plan import Study, System
from edge_digits_study.results import RESULTS, Results, Trial
from edge_digits_study.trial import TRIALS, Job

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import DataSet

RETRIES = 3
"""How often a trial is started again whose worker died."""
STARTS = 3
"""How often Ray is tried to be started on this machine."""
SHARE_OF_GPU = 0.25
"""What a trial takes of a GPU unless told otherwise: networks of this size leave most of it idle."""
_OBJECTS = 256 * 2**20
"""Bytes that Ray keeps for what its workers share beside the data set."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers are to run in this environment, not in one that 'uv run' makes for each of them.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C ends the study at once: there is nothing that Tune would have to save.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""What Ray reads when it is imported."""


@dataclass(frozen=True)
class Machines:
    """Where trials run and what each may use."""

    address: str | None = None
    """Of a Ray cluster, such as ``auto`` or ``10.0.0.5:6379``; None for this machine."""
    cpus: int = 1
    """CPUs of one trial."""
    gpus: float | None = None
    """GPUs of one trial; None for `SHARE_OF_GPU` where there is one."""


@dataclass(frozen=True)
class Failure:
    """A trial that could not be run to its end."""

    job: Job
    reason: str
    """One line."""
    details: str = ""
    """The traceback, where the fault may be ours."""


@dataclass
class Outcome:
    """What became of a study."""

    results: Results
    """Everything that is done, earlier trials included."""
    failures: list[Failure] = field(default_factory=list)


def jobs(
    study: Study,
    folder: Path,
    seeds: int,
    epochs: int | None = None,
    most_epochs: int | None = None,
    systems: Sequence[System] | None = None,
    source: Path | None = None,
) -> list[Job]:
    """The grid of a study: all systems with seed 0, then all with seed 1, and so on.

    Args:
        study: what to run.
        folder: the folder of the study.
        seeds: trials of each system, unless `System.seeds` is fewer.
        epochs: instead of the document's; None for these.
        most_epochs: an upper limit on them.
        systems: those of the study that are wanted; None for all.
        source: what the data set is read from, for the records; None for MNIST.
    """
    chosen = study.systems if systems is None else systems
    grid = []
    for seed in range(seeds):
        for system in chosen:
            if system.seeds is not None and seed >= system.seeds:
                continue
            recipe = system.build(seed, epochs)
            if most_epochs is not None and recipe.epochs > most_epochs:
                recipe = system.build(seed, most_epochs)
            name = f"{system.name}-{recipe.epochs}epochs-seed{seed}"
            grid.append(Job(system.name, recipe, folder.absolute() / TRIALS / name, source and source.absolute()))
    return grid


def select(study: Study, patterns: Sequence[str]) -> list[System]:
    """The systems of ``study`` whose names match one of ``patterns``, such as ``mlp-*``; all for no pattern.

    Raises:
        UsageError: a pattern matches none.
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


def foreground(study: Study) -> list[System]:
    """The systems of ``study`` with a target, a curve or pictures."""
    names = {*(target.system for target in study.targets), *study.curves, study.best, study.weights}
    return [system for system in study.systems if system.name in names]


def gather(study: Study, folder: Path) -> Results:
    """Everything that is done: what ``results.json`` holds, renewed by the run folders.

    A trial whose run folder is gone, such as one that ran on another machine, stays in the results.

    Raises:
        RunError: a file is damaged, or the results are those of another study.
    """
    done: dict[tuple[str, int, int], Trial] = {}
    names = {system.name for system in study.systems}
    if (folder / RESULTS).exists():
        before = Results.load(folder)
        if before.study != study.name:
            raise RunError(f"{folder}: holds the study {before.study}; choose another --out")
        done = {(trial.system, trial.epochs, trial.seed): trial for trial in before.trials}
    for path in sorted((folder / TRIALS).glob(f"*/{trials.TRIAL}")):
        if (trial := trials.load(path.parent)) is not None:
            done[trial.system, trial.epochs, trial.seed] = trial
    return Results(study.name, tuple(trial for trial in done.values() if trial.system in names))


def left(grid: Sequence[Job], results: Results) -> list[Job]:
    """The jobs that are not done, or only not converted where this machine could."""
    done = {(trial.system, trial.epochs, trial.seed): trial for trial in results.trials}

    def wanted(job: Job) -> bool:
        trial = done.get(job.key)
        return trial is None or (trial.int8 is None and job.folder.exists() and trials.can_convert())

    return [job for job in grid if wanted(job)]


def run(
    study: Study, grid: Sequence[Job], folder: Path, dataset: "DataSet", machines: Machines, update: Update
) -> Outcome:
    """Run what is not done of ``grid`` and write ``results.json`` into ``folder`` after each trial.

    Args:
        study: the study.
        grid: its `jobs`.
        folder: the folder of the study; on a cluster every machine must see it under the same path.
        dataset: training and test pictures.
        machines: where to run.
        update: shown how many trials are done and which ones run.

    Raises:
        RunError: a run folder holds a run with other settings or pictures, or a file is damaged.
        UsageError: no machine has the CPUs and GPUs of a trial, or there is no cluster at the address.
    """
    outcome = Outcome(gather(study, folder))
    for job in grid:
        trials.check(job, dataset)
    todo = left(grid, outcome.results)
    outcome.results.save(folder)
    update("trials", len(grid) - len(todo), len(grid), "")
    if todo:
        with _ray(machines, folder, dataset) as scratch:
            _tune(study, todo, len(grid), folder, dataset, machines, update, outcome, scratch)
    return outcome


def _tune(
    study: Study,
    todo: Sequence[Job],
    total: int,
    folder: Path,
    dataset: "DataSet",
    machines: Machines,
    update: Update,
    outcome: Outcome,
    scratch: Path,
) -> None:
    from ray import tune

    resources = _resources(machines)
    watcher = _watcher(study, folder, total, total - len(todo), update, outcome)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(_trainable, dataset=dataset), resources),
        param_space={"job": tune.grid_search(list(todo))},
        tune_config=tune.TuneConfig(reuse_actors=True, trial_name_creator=_name, trial_dirname_creator=_name),
        run_config=tune.RunConfig(
            name=study.name,
            storage_path=str(scratch),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            callbacks=[watcher],
            verbose=0,
        ),
    )
    tuner.fit()


def _name(trial: Any) -> str:
    return str(trial.trial_id)


def _trainable(config: Mapping[str, Any], dataset: "DataSet") -> None:
    """What a worker does. Only its death is retried: an error would come again."""
    from ray import tune

    job: Job = config["job"]
    try:
        trials.run(job, dataset, lambda step: tune.report({"step": step}))
    except EdgeDigitsError as error:
        tune.report({"error": str(error), "details": ""})
    except Exception as error:
        tune.report({"error": f"{type(error).__name__}: {error}", "details": traceback.format_exc()})


def _watcher(study: Study, folder: Path, total: int, done: int, update: Update, outcome: Outcome) -> Any:
    """The callback that follows the trials; a function, since its base class comes with Ray."""
    from ray import tune

    class Watcher(tune.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.done = done
            self.steps: dict[str, str] = {}

        def on_step_end(self, **_: Any) -> None:
            self.show()

        def on_trial_start(self, trial: Any, **_: Any) -> None:
            label = trial.config["job"].label
            # Nothing else ends the steps of a trial before its end than the death of its worker.
            self.steps[label] = "starting again" if label in self.steps else "starting"

        def on_trial_result(self, trial: Any, result: Mapping[str, Any], **_: Any) -> None:
            if "step" in result:
                self.steps[trial.config["job"].label] = result["step"]

        def on_trial_complete(self, trial: Any, **_: Any) -> None:
            result = trial.last_result or {}
            if "error" in result:
                outcome.failures.append(Failure(trial.config["job"], result["error"], result["details"]))
            else:
                outcome.results = gather(study, folder)
                outcome.results.save(folder)
            self.end(trial)

        def on_trial_error(self, trial: Any, **_: Any) -> None:
            reason = f"its worker died {RETRIES + 1} times, of too little memory perhaps"
            outcome.failures.append(Failure(trial.config["job"], reason))
            self.end(trial)

        def end(self, trial: Any) -> None:
            self.done += 1
            self.steps.pop(trial.config["job"].label, None)
            self.show()

        def show(self) -> None:
            update("trials", self.done, total, ", ".join(f"{label} {step}" for label, step in self.steps.items()))

    return Watcher()


@contextlib.contextmanager
def _ray(machines: Machines, folder: Path, dataset: "DataSet") -> Iterator[Path]:
    """Start Ray, or join the cluster, and yield a folder for what Tune writes; nothing of either is left."""
    os.environ.update(_SETTINGS)
    with (
        tempfile.TemporaryDirectory(prefix="edge-digits-", ignore_cleanup_errors=True) as temporary,
        # Whatever else is silent, Ray prints to stdout that a machine or a worker died; that is progress.
        contextlib.redirect_stdout(sys.stderr),
    ):
        if machines.address is None:
            _start(machines, dataset, temporary)
        else:
            _join(machines, machines.address)
        import ray

        try:
            if machines.address is None:
                yield Path(temporary)
            else:
                # Tune has every worker look whether it sees this folder.
                with tempfile.TemporaryDirectory(prefix=".tune-", dir=folder, ignore_cleanup_errors=True) as shared:
                    yield Path(shared).absolute()
        finally:
            ray.shutdown()


def _start(machines: Machines, dataset: "DataSet", temporary: str) -> None:
    """Start Ray on this machine, for this process alone."""
    # Without a token of its own, Ray would leave one in the home folder.
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    import ray

    splits = dataset.train, dataset.test
    size = sum(split.images.nbytes + split.labels.nbytes for split in splits)
    for attempt in range(STARTS):
        try:
            ray.init(
                address="local",
                num_cpus=max(facts.cores(), machines.cpus),
                object_store_memory=_OBJECTS + 2 * size,
                include_dashboard=False,
                _temp_dir=temporary,
                **_options(machines),
            )
            return
        except Exception as error:
            # Ray waits 30 seconds for its own processes; on a busy machine they need longer the first time. It has
            # no exception of its own for that.
            ray.shutdown()
            if "timed out" not in str(error) or attempt == STARTS - 1:
                raise


def _join(machines: Machines, address: str) -> None:
    """Join the Ray cluster at ``address``.

    Raises:
        UsageError: there is none.
    """
    import ray

    try:
        ray.init(address=address, **_options(machines))
    except (ConnectionError, ValueError) as error:
        raise UsageError(f"no Ray cluster at the address {address}: start it with 'ray start --head'") from error


def _options(machines: Machines) -> dict[str, Any]:
    environment = {"env_vars": _environment(machines)}
    return {"log_to_driver": False, "logging_level": "ERROR", "runtime_env": environment}


def _environment(machines: Machines) -> dict[str, str]:
    """What Keras' backends read in a worker: threads as the trial has CPUs, and no more of a GPU than it needs."""
    cpus = str(machines.cpus)
    settings = {
        "TF_NUM_INTRAOP_THREADS": cpus,
        "TF_NUM_INTEROP_THREADS": "1",
        "NPROC": cpus,
        "OMP_NUM_THREADS": cpus,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    return settings | {name: os.environ[name] for name in ("KERAS_BACKEND",) if name in os.environ}


def _resources(machines: Machines) -> dict[str, float]:
    """What Ray reserves for one trial.

    Raises:
        UsageError: no machine has that much.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = machines.gpus
    if gpus is None:
        gpus = SHARE_OF_GPU if any(node.get("GPU", 0) for node in nodes) else 0
    if not any(node.get("CPU", 0) >= machines.cpus and node.get("GPU", 0) >= gpus for node in nodes):
        raise UsageError(f"no machine of the cluster has the {machines.cpus} CPUs and {gpus:g} GPUs of a trial")
    return {"CPU": machines.cpus, "GPU": gpus} if gpus else {"CPU": machines.cpus}
