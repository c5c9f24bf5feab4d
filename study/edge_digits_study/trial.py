"""One trial: train a system, measure it, quantize it and measure it again, all in one run folder."""

import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edge_digits_runtime.records.run import CHECKPOINT, RunRecord

from edge_digits.pipeline import finished_run
from edge_digits_study.results import Accuracies, History, Int8, Int8Accuracies, Losses, Metrics, Trial

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import DataSet, Split
    from edge_digits_train.engine.trainer import Progress
    from edge_digits_train.recipes.recipe import Recipe

TRIAL = "trial.json"
"""File in a run folder that holds the `Trial`."""
TRIALS = "trials"
"""Folder of the run folders of a study, next to its ``results.json``."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A trial to be run."""

    system: str
    """Name of the `edge_digits_study.definition.System`."""
    recipe: "Recipe"
    """The recipe with seed and epochs."""
    folder: Path
    """The run folder."""
    source: Path | None = None
    """Path that the data set was read from, for the record; None for MNIST."""

    @property
    def label(self) -> str:
        """Name of the job in messages."""
        return f"{self.system} seed {self.recipe.seed}"

    @property
    def key(self) -> tuple[str, int, int]:
        """System, epochs and seed, as in `Trial.key`."""
        return self.system, self.recipe.epochs, self.recipe.seed


def can_convert() -> bool:
    """Return whether this process can convert: TensorFlow is installed, and Keras runs or would run on it."""
    installed = all(find_spec(package) is not None for package in ("tensorflow", "edge_digits_convert"))
    return installed and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"


def check(job: Job, dataset: "DataSet") -> None:
    """Check that the folder of ``job`` holds no other run than one with its recipe on the pictures of ``dataset``.

    Raises:
        RunError: it holds another run.
    """
    finished_run(job.recipe, job.folder, dataset)


def run(job: Job, dataset: "DataSet", say: Say) -> Trial:
    """Do what is left of ``job``: train, measure, convert if TensorFlow is installed, and write ``trial.json``.

    Args:
        job: the trial; an unfinished training in its folder continues after its last whole epoch.
        dataset: training and test pictures.
        say: called with the current step, such as ``3/50``.

    Raises:
        RunError: the folder holds a run of another recipe or on other pictures, or the loss is no longer a number.
        DataError: there are too few pictures for the validation split.
        ModelError: the converter made a model that breaks a rule for int8 models.
    """
    from edge_digits_train.data.splits import training_and_validation
    from edge_digits_train.engine.keras_session import forget
    from edge_digits_train.engine.training import train

    # A worker runs many trials.
    forget()
    record = finished_run(job.recipe, job.folder, dataset)
    training, validation = training_and_validation(job.recipe, dataset)
    if record is None:

        def show(at: "Progress") -> None:
            if at.val_accuracy is not None:
                say(f"{at.epoch}/{at.epochs}")

        say(f"0/{job.recipe.epochs}")
        resume = (job.folder / CHECKPOINT).exists()
        record = train(job.recipe, dataset, job.folder, source=job.source, resume=resume, progress=show)
    splits = {"train": training, "validation": validation, "test": dataset.test}
    file = job.folder / TRIAL
    if file.exists():
        trial = Trial.load(file)
    else:
        say("measuring")
        trial = _measure(job, record, splits)
        trial.save(file)
    if trial.int8 is None and can_convert():
        say("int8")
        trial = _convert(job, trial, splits)
        trial.save(file)
    return trial


def _measure(job: Job, record: RunRecord, splits: "dict[str, Split]") -> Trial:
    from edge_digits_train.engine.scoring import score

    scores = score(job.folder, splits)
    return Trial(
        system=job.system,
        seed=job.recipe.seed,
        epochs=job.recipe.epochs,
        history=cast(History, record.history),
        accuracy=cast(Accuracies, {split: each.accuracy for split, each in scores.items()}),
        loss=cast(Losses, {split: each.loss for split, each in scores.items()}),
        metrics=cast(Metrics, record.metrics),
        parameters=record.parameters,
        macs=record.macs,
        float_p50_us=record.latency_us["p50"],
        int8=None,
        device=record.device,
        versions=record.versions,
        run=f"{TRIALS}/{job.folder.name}",
    )


def _convert(job: Job, trial: Trial, splits: "dict[str, Split]") -> Trial:
    from edge_digits_convert import RunPictures, convert
    from edge_digits_runtime.device.facts import device_facts
    from edge_digits_runtime.device.measurement import invocations
    from edge_digits_runtime.model.classifier import DigitClassifier

    result = convert(job.folder, "int8", RunPictures(splits["train"], splits["validation"], splits["test"]))
    classifier = DigitClassifier(result.path)
    latency = invocations(classifier, splits["test"].images[0]).latency
    int8 = Int8(
        accuracy=cast(Int8Accuracies, result.accuracy),
        drop=result.drop_pp["test"],
        bytes=result.bytes_after,
        file_bytes=result.file_bytes,
        p50_us=latency.p50,
        device={**device_facts(), "kind": "CPU"},
    )
    backend = classifier.backend
    versions = {"edge-digits-convert": importlib.metadata.version("edge-digits-convert"), backend.name: backend.version}
    return replace(trial, int8=int8, versions={**trial.versions, **versions})
