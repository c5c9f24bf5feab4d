"""One trial: a system trained, measured, quantized and measured again, in one run folder."""

import importlib.metadata
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.data import datasets
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import CHECKPOINT, RunRecord

from edge_digits.pipeline import finished_run
from edge_digits_study.results import Int8, Trial

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import DataSet, Split
    from edge_digits_train.engine.trainer import Progress
    from edge_digits_train.recipes.recipe import Recipe

TRIAL = "trial.json"
TRIALS = "trials"
"""Where the run folders of a study are, beside its ``results.json``."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A trial to be run."""

    system: str
    """Name of the `edge_digits_study.plan.System`."""
    recipe: "Recipe"
    """What is trained, seed and epochs included."""
    folder: Path
    """The run folder."""
    source: Path | None = None
    """What the data set was read from, for the record; None for MNIST."""

    @property
    def label(self) -> str:
        """What the user reads."""
        return f"{self.system} seed {self.recipe.seed}"

    @property
    def key(self) -> tuple[str, int, int]:
        """System, epochs and seed: what tells the trials of a study apart."""
        return self.system, self.recipe.epochs, self.recipe.seed


def can_convert() -> bool:
    """Whether this process could convert: TensorFlow is installed and is, or would be, what Keras runs on."""
    installed = all(find_spec(package) is not None for package in ("tensorflow", "edge_digits_convert"))
    return installed and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"


def load(folder: Path) -> Trial | None:
    """The trial in the run folder ``folder``; None where there is none yet.

    Raises:
        RunError: its file is damaged.
    """
    path = folder / TRIAL
    if not path.exists():
        return None
    try:
        return Trial.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot be read ({error}): delete it and run the study again") from error


def check(job: Job, dataset: "DataSet") -> None:
    """See that what lies in the folder of ``job``, if anything, was trained as it would be, on the same pictures.

    Raises:
        RunError: it was not.
    """
    record = finished_run(job.recipe, job.folder)
    if record is not None and record.data["sha256"]["test"] != datasets.digest(dataset.test):
        raise RunError(f"{job.folder}: holds a run with other pictures; choose another --out, or give its --data")


def run(job: Job, dataset: "DataSet", say: Say) -> Trial:
    """Do what is left of ``job``: train, measure, convert where TensorFlow is, and write ``trial.json``.

    Args:
        job: the trial; an unfinished training in its folder is gone on with at its last whole epoch.
        dataset: training and test pictures.
        say: told what is done now, such as ``3/50``.

    Raises:
        RunError: the folder holds a run of another recipe, or the loss stopped being a number.
        DataError: the folder holds a run on other pictures, or there are too few to hold some out.
        ModelError: the converter made something else than what int8 promises.
    """
    from edge_digits_train.data.splits import training_and_validation
    from edge_digits_train.engine.keras_session import forget
    from edge_digits_train.engine.training import train

    # A worker runs many trials.
    forget()
    check(job, dataset)
    training, validation = training_and_validation(job.recipe, dataset)
    record = finished_run(job.recipe, job.folder)
    if record is None:

        def show(at: "Progress") -> None:
            if at.val_accuracy is not None:
                say(f"{at.epoch}/{at.epochs}")

        say(f"0/{job.recipe.epochs}")
        resume = (job.folder / CHECKPOINT).exists()
        record = train(job.recipe, dataset, job.folder, source=job.source, resume=resume, progress=show)
    splits = {"train": training, "validation": validation, "test": dataset.test}
    trial = load(job.folder)
    if trial is None:
        say("measuring")
        trial = _measured(job, record, splits)
        _save(job, trial)
    if trial.int8 is None and can_convert():
        say("int8")
        trial = _converted(job, trial, splits)
        _save(job, trial)
    return trial


def _save(job: Job, trial: Trial) -> None:
    files.write_json(job.folder / TRIAL, trial.to_dict())


def _measured(job: Job, record: RunRecord, splits: "dict[str, Split]") -> Trial:
    from edge_digits_train.engine.scoring import score

    scores = score(job.folder, splits)
    return Trial(
        system=job.system,
        seed=job.recipe.seed,
        epochs=job.recipe.epochs,
        history=record.history,
        accuracy={split: each.accuracy for split, each in scores.items()},
        loss={split: each.loss for split, each in scores.items()},
        metrics=record.metrics,
        parameters=record.parameters,
        macs=record.macs,
        float_p50_us=record.latency_us["p50"],
        int8=None,
        device=record.device,
        versions=record.versions,
        run=f"{TRIALS}/{job.folder.name}",
    )


def _converted(job: Job, trial: Trial, splits: "dict[str, Split]") -> Trial:
    from edge_digits_convert import RunPictures, convert
    from edge_digits_runtime.device.measurement import invocations
    from edge_digits_runtime.model.classifier import DigitClassifier

    result = convert(job.folder, "int8", RunPictures(splits["train"], splits["validation"], splits["test"]))
    classifier = DigitClassifier(result.path)
    latency = invocations(classifier, splits["test"].images[0]).latency
    int8 = Int8(
        accuracy=result.accuracy,
        drop=result.drop_pp["test"],
        bytes=result.bytes_after,
        file_bytes=result.file_bytes,
        p50_us=latency.p50,
    )
    backend = classifier.backend
    versions = {"edge-digits-convert": importlib.metadata.version("edge-digits-convert"), backend.name: backend.version}
    return replace(trial, int8=int8, versions={**trial.versions, **versions})
