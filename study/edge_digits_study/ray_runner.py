"""Run the trials of a study on Ray Tune, and collect them in ``results.json``.

Ray does the scheduling: it knows which cores and GPUs are free, on this machine or on a cluster, and starts a trial
again when its worker dies. It keeps no training state. Each run folder holds its own checkpoint, so a trial continues
after its last whole epoch wherever it is started again.
"""

import contextlib
import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import EdgeDigitsError, UsageError

from edge_digits.progress import Update
from edge_digits_study import trial
from edge_digits_study.definition import Study
from edge_digits_study.grid import gather, left
from edge_digits_study.results import Results, Trial
from edge_digits_study.trial import Job, Say

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import DataSet

RETRIES = 3
"""Number of times that a trial is started again after its worker died."""
STARTS = 3
"""Number of attempts to start Ray on this machine."""
SHARE_OF_GPU = 0.25
"""Share of a GPU that a trial takes by default: networks of this size leave most of a GPU idle."""
_OBJECTS = 256 * 2**20
"""Bytes of shared memory that Ray reserves in addition to the data set."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers run in this environment, not in one that 'uv run' makes for each of them.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Trials run in workers with an environment of their own; those that Ray starts in advance would never be used.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C ends the study at once: Tune has nothing to save.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""Settings that Ray reads when it is imported."""


@dataclass(frozen=True)
class Machines:
    """Where trials run, and the resources of each."""

    address: str | None = None
    """Address of a Ray cluster, such as ``auto`` or ``10.0.0.5:6379``; None for this machine."""
    cpus: int = 1
    """CPUs of one trial."""
    gpus: float | None = None
    """GPUs of one trial; None for `SHARE_OF_GPU` if a machine has a GPU, else 0."""


@dataclass(frozen=True)
class Failure:
    """A trial that could not be finished."""

    job: Job
    reason: str
    """One line."""
    details: str = ""
    """The traceback, if the fault may be in edge-digits."""


@dataclass
class Outcome:
    """The results of a study, and the trials that failed."""

    results: Results
    """Every trial that is done, earlier ones included."""
    failures: list[Failure] = field(default_factory=list)


def run(
    study: Study, grid: Sequence[Job], folder: Path, dataset: "DataSet", machines: Machines, update: Update
) -> Outcome:
    """Run the jobs of ``grid`` that are not done, and write ``results.json`` into ``folder`` after each trial.

    Args:
        study: the study.
        grid: its jobs, see `edge_digits_study.grid.jobs`.
        folder: the folder of the study; all machines of a cluster must see it under the same path.
        dataset: training and test pictures.
        machines: where to run.
        update: called with the number of trials that are done, and the trials that are running.

    Raises:
        RunError: a run folder holds a run with other settings or on other pictures, or a file is damaged.
        UsageError: no machine has the CPUs and GPUs of a trial, or there is no cluster at the address.
    """
    outcome = Outcome(gather(study, folder))
    for job in grid:
        trial.check(job, dataset)
    todo = left(grid, outcome.results)
    outcome.results.save(folder)
    done = len(grid) - len(todo)
    update("trials", done, len(grid), "")
    if todo:
        with _ray(machines, folder, dataset) as scratch:
            watcher = _watcher(study, folder, len(grid), done, update, outcome)
            _tune(study.name, todo, dataset, _resources(machines), watcher, scratch)
    return outcome


def _tune(
    name: str, todo: Sequence[Job], dataset: "DataSet", resources: Mapping[str, float], watcher: Any, scratch: Path
) -> None:
    from ray import tune

    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(_trainable, dataset=dataset, run_trial=trial.run), resources),
        param_space={"job": tune.grid_search(list(todo))},
        tune_config=tune.TuneConfig(reuse_actors=True, trial_name_creator=_name, trial_dirname_creator=_name),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(scratch),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            callbacks=[watcher],
            verbose=0,
        ),
    )
    tuner.fit()


def _name(trial: Any) -> str:
    return str(trial.trial_id)


def _trainable(
    config: Mapping[str, Any], dataset: "DataSet", run_trial: Callable[[Job, "DataSet", Say], Trial]
) -> None:
    """Run a job in a worker.

    An error is reported instead of raised: Tune would start the trial again, and it would fail again.
    """
    from ray import tune

    job: Job = config["job"]
    try:
        run_trial(job, dataset, lambda step: tune.report({"step": step}))
    except EdgeDigitsError as error:
        tune.report({"error": str(error), "details": ""})
    except Exception as error:
        tune.report({"error": f"{type(error).__name__}: {error}", "details": traceback.format_exc()})


def _watcher(study: Study, folder: Path, total: int, done: int, update: Update, outcome: Outcome) -> Any:
    """Return the callback that follows the trials. Its base class is in Ray, which is imported late."""
    from ray import tune

    class Watcher(tune.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.done = done
            self.steps: dict[str, str] = {}

        def on_step_end(self, **_: Any) -> None:
            self.show()

        def on_trial_start(self, trial: Any, **_: Any) -> None:
            label = trial.config["job"].label
            # A trial that has steps already can only start again because its worker died.
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
            reason = f"its worker died {RETRIES + 1} times, perhaps because there is too little memory"
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
    """Start Ray or join the cluster, and yield a temporary folder for the files of Tune."""
    os.environ.update(_SETTINGS)
    with (
        tempfile.TemporaryDirectory(prefix="edge-digits-", ignore_cleanup_errors=True) as temporary,
        # Ray prints to stdout that a machine or a worker died, whatever its log level; that belongs to the progress.
        contextlib.redirect_stdout(sys.stderr),
    ):
        if machines.address is None:
            # Ray opens its folder to all users; the one above it stays closed.
            _start(machines, dataset, os.path.join(temporary, "r"))  # noqa: PTH118
        else:
            _join(machines, machines.address)
        import ray

        try:
            if machines.address is None:
                yield Path(temporary)
            else:
                # Tune checks on every worker that it can see this folder.
                with tempfile.TemporaryDirectory(prefix=".tune-", dir=folder, ignore_cleanup_errors=True) as shared:
                    yield Path(shared).absolute()
        finally:
            ray.shutdown()


def _start(machines: Machines, dataset: "DataSet", temporary: str) -> None:
    """Start Ray on this machine, for this process alone."""
    # Without a token from us Ray would write one into the home folder.
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
            # Ray waits 30 seconds for its own processes; on a busy machine they take longer the first time. There is no
            # exception class for that.
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
    """Return the variables for Keras' backends in a worker: as many threads as CPUs, and no GPU memory in advance."""
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
    """Return the resources that Ray reserves for one trial.

    Raises:
        UsageError: no machine has as many.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = machines.gpus
    if gpus is None:
        gpus = SHARE_OF_GPU if any(node.get("GPU", 0) for node in nodes) else 0
    if not any(node.get("CPU", 0) >= machines.cpus and node.get("GPU", 0) >= gpus for node in nodes):
        raise UsageError(f"no machine of the cluster has the {machines.cpus} CPUs and {gpus:g} GPUs of a trial")
    return {"CPU": machines.cpus, "GPU": gpus} if gpus else {"CPU": machines.cpus}
