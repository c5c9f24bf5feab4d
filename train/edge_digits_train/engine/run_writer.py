"""Write the run folder of a finished training."""

import datetime
import hashlib
import importlib
import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data import datasets, metrics, turns
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records import files, run
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, ModelInfo, wrong_pictures
from edge_digits_runtime.records.run import RunRecord
from numpy.typing import NDArray

from edge_digits_train.engine import original
from edge_digits_train.engine.cluster import ALONE, Cluster
from edge_digits_train.engine.curves import save_curves
from edge_digits_train.engine.keras_model import weights_sha256
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.engine.scoring import predict
from edge_digits_train.recipes.recipe import Recipe

_NVIDIA = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class FinishedTraining:
    """A trained network, and what it was trained on and how."""

    recipe: Recipe
    model: keras.Model
    """As it is to be used: with averaged weights where the recipe averages, without an optimizer."""
    dataset: DataSet
    source: str | os.PathLike[str] | None
    """The file or folder that the data set was read from; None for MNIST, which ships with this package."""
    training: Split
    """The pictures that were trained on, those of optdigits included."""
    validation: Split
    """The pictures held out for validation."""
    history: Mapping[str, list[float]]
    """As in `RunRecord`."""
    cluster: Cluster
    origin: str = ""
    """Where the first weights came from, in words; empty where they were drawn."""

    @property
    def splits(self) -> dict[str, Split]:
        """All pictures by ``train``, ``validation`` and ``test``."""
        return {"train": self.training, "validation": self.validation, "test": self.dataset.test}


def write_run(folder: Path, finished: FinishedTraining) -> RunRecord:
    """Write ``model.keras``, ``evaluation.json`` (test split), ``curves.png`` and, last, ``run.json``."""
    recipe, model = finished.recipe, finished.model
    with files.replacing(folder / run.MODEL) as temporary:
        model.save(temporary)
    logits = predict(model, finished.dataset.test.images)
    evaluation = evaluate_original(
        folder / run.MODEL,
        recipe.name,
        weights_sha256(model),
        finished.dataset,
        metrics.softmax(logits).astype(np.float32),
    )
    evaluation.save(folder / run.EVALUATION)
    if finished.history["loss"]:
        save_curves(folder / run.CURVES, finished.history, recipe.name)
    answers = predict(model, finished.validation.images).argmax(axis=1)
    invoke = evaluation.latency["invoke"]
    record = RunRecord(
        recipe=recipe.to_dict(),
        data={
            "name": finished.dataset.name,
            # Absolute: `convert` may be called from another folder.
            "source": None if finished.source is None else os.fspath(Path(finished.source).absolute()),
            "sha256": {name: datasets.digest(split) for name, split in finished.splits.items()},
            "counts": {name: len(split) for name, split in finished.splits.items()},
            "classes": finished.dataset.classes,
            "input": finished.dataset.input,
            "groups": {name: list(finished.splits[name].group_names) for name in ("validation", "test")},
            "grouping": {"pattern": finished.dataset.grouping.pattern, "test": list(finished.dataset.grouping.test)},
        },
        weights_sha256=evaluation.model.weights_sha256,
        model_sha256=hashlib.sha256((folder / run.MODEL).read_bytes()).hexdigest(),
        device=evaluation.device,
        versions=versions(),
        history=finished.history,
        accuracy={
            "validation": float(turns.right(finished.validation.labels, answers, finished.dataset.classes).mean()),
            "test": evaluation.accuracy,
        },
        metrics=_class_metrics(evaluation),
        latency_us={name: getattr(invoke, name) for name in ("p50", "p90", "p99", "mean", "std")},
        parameters=recipe.parameters,
        macs=recipe.macs,
        created=evaluation.created,
        extra=_extra(finished),
    )
    record.save(folder)
    return record


def _extra(finished: FinishedTraining) -> dict[str, Any]:
    """What a record says of some trainings only."""
    cluster = finished.cluster
    extra: dict[str, Any] = {"origin": finished.origin} if finished.origin else {}
    if cluster is not ALONE:
        extra["cluster"] = {"processes": cluster.processes, "devices": cluster.replicas}
    return extra


def versions() -> dict[str, str]:
    """Return the versions of what took part in a training, by name."""
    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "edge-digits-train": importlib.metadata.version("edge-digits-train"),
        "keras": keras.__version__,
        backend: importlib.import_module(backend).__version__,
        "numpy": np.__version__,
    }


def device_facts() -> dict[str, Any]:
    """Return the facts of this computer, and which of its processors Keras computes on."""
    backend = keras.backend.backend()
    found = facts.device_facts() | {"kind": "CPU", "backend": f"keras {keras.__version__} on {backend}"}
    if devices()[0].startswith("gpu"):
        found |= {"kind": "GPU", "cpu": found["name"], "name": _gpu_name()}
    return found


def _gpu_name() -> str:
    """Return what the driver calls the first GPU; Keras itself has no call for it that works under every backend."""
    for information in sorted(_NVIDIA.glob("*/information")):
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("Model:"):
                return line.removeprefix("Model:").strip()
    return "GPU"


def evaluate_original(
    saved: Path,
    name: str,
    weights: str,
    dataset: DataSet,
    probabilities: NDArray[np.float32],
    texts: NDArray[np.str_] | None = None,
) -> Evaluation:
    """Return the evaluation of a network as trained on the test pictures.

    Answers come from this process, times and memory from a fresh one that loads what was saved.

    Args:
        saved: the Keras model.
        name: of its recipe.
        weights: their sha256.
        dataset: whose test pictures were answered.
        probabilities: of the classes, shape ``(n, k)``; of lines ``(n, 1)``, that of each text.
        texts: what was read in lines; None where the answers are classes.

    Raises:
        RunError: the fresh process failed.
    """
    test = dataset.test
    try:
        cost = original.measure(saved, test, dataset.input)
    except RuntimeError as error:
        raise RunError(
            f"{saved}: cannot be loaded and measured in a new process ({error}); the training is kept, try again with "
            "--resume"
        ) from error
    answers = probabilities.argmax(axis=1).astype(np.uint8) if texts is None else texts
    return Evaluation(
        model=ModelInfo(
            name=name,
            role="float-original",
            scheme="keras",
            bytes=saved.stat().st_size,
            sha256=weights,
            weights_sha256=weights,
        ),
        data=DataInfo(dataset.name, "test", datasets.digest(test)),
        labels=test.labels,
        probabilities=probabilities,
        latency=cost.latency,
        device=device_facts(),
        pictures=wrong_pictures(test.images, test.labels, answers, dataset.classes),
        peak_memory_bytes=cost.peak_memory_bytes,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        notes=cost.notes,
        extra=cost.extra,
        classes=dataset.classes,
        input=dataset.input,
        texts=texts,
    )


def _class_metrics(evaluation: Evaluation) -> dict[str, Any]:
    confusion = evaluation.confusion
    values = metrics.class_metrics(confusion)
    by_class = {name: getattr(values, name).tolist() for name in ("precision", "recall", "f1")}
    macro = {name: float(np.mean(column)) for name, column in by_class.items()}
    return by_class | {"macro": macro, "confusion": confusion.tolist()}
