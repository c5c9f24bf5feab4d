"""What a finished training leaves in its run folder."""

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
from edge_digits_runtime.data import datasets, metrics
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.timing import latency
from edge_digits_runtime.records import files, run
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, Latency, ModelInfo, wrong_pictures
from edge_digits_runtime.records.run import RunRecord
from numpy.typing import NDArray

from edge_digits_train.engine.cluster import ALONE, Cluster, feed
from edge_digits_train.engine.curves import save_curves
from edge_digits_train.engine.keras_model import pixels
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.recipes.recipe import Recipe

BATCH = 500
"""Pictures at a time where nothing is learned; larger batches are no faster on a CPU."""
_SINGLE = "Keras Model.predict_on_batch, compiled, one picture"
_NVIDIA = Path("/proc/driver/nvidia/gpus")


def write(
    folder: Path,
    recipe: Recipe,
    model: keras.Model,
    dataset: DataSet,
    source: str | os.PathLike[str] | None,
    training: Split,
    validation: Split,
    history: Mapping[str, list[float]],
    cluster: Cluster,
) -> RunRecord:
    """Write ``model.keras``, ``evaluation.json`` (test split), ``curves.png`` and, last, ``run.json``."""
    with files.replacing(folder / run.MODEL) as temporary:
        model.save(temporary)
    weights = weights_sha256(model)
    device = device_facts()
    splits = {"train": training, "validation": validation, "test": dataset.test}
    digests = {name: datasets.digest(split) for name, split in splits.items()}
    evaluation = _evaluate(folder, recipe, model, dataset, digests["test"], weights, device)
    evaluation.save(folder / run.EVALUATION)
    save_curves(folder / run.CURVES, history, recipe.name)
    right = metrics.accuracy(validation.labels, predict(model, validation.images).argmax(axis=1))
    invoke = evaluation.latency["invoke"]
    record = RunRecord(
        recipe=recipe.to_dict(),
        data={
            "name": dataset.name,
            "source": None if source is None else os.fspath(source),
            "sha256": digests,
            "counts": {name: len(split) for name, split in splits.items()},
        },
        weights_sha256=weights,
        model_sha256=hashlib.sha256((folder / run.MODEL).read_bytes()).hexdigest(),
        device=device,
        versions=versions(),
        history=history,
        accuracy={"validation": right, "test": evaluation.accuracy},
        metrics=_metrics(evaluation),
        latency_us={name: getattr(invoke, name) for name in ("p50", "p90", "p99", "mean", "std")},
        parameters=recipe.parameters,
        macs=recipe.macs,
        created=evaluation.created,
        extra={} if cluster is ALONE else {"cluster": {"processes": cluster.processes, "devices": cluster.replicas}},
    )
    record.save(folder)
    return record


def predict(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of shape ``(n, 10)`` for pictures of shape ``(n, 28, 28)``."""
    logits: NDArray[np.float32] = model.predict(**feed(BATCH, pixels(images)), verbose=0)
    return logits


@dataclass(frozen=True)
class Score:
    """What a trained network is worth on one split, without dropout, noise or any other regularization."""

    accuracy: float
    """Share of right answers in [0, 1]."""
    loss: float
    """Mean cross-entropy in nats."""


def score(folder: Path, splits: Mapping[str, Split]) -> dict[str, Score]:
    """The network in the run folder ``folder`` on each of ``splits``, by the same names."""
    model = keras.models.load_model(folder / run.MODEL, compile=False)
    scores = {}
    for name, split in splits.items():
        logits = predict(model, split.images)
        right = metrics.accuracy(split.labels, logits.argmax(axis=1))
        scores[name] = Score(right, metrics.cross_entropy(split.labels, logits))
    return scores


def weights_sha256(model: keras.Model) -> str:
    """Hex digest of name, shape and values of every weight, in order; dropout's random state is none."""
    content = hashlib.sha256()
    for weight in model.weights:
        values = np.asarray(keras.ops.convert_to_numpy(weight), np.dtype("<f4"), order="C")
        content.update(f"{weight.path} {values.shape}\n".encode() + values.tobytes())
    return content.hexdigest()


def versions() -> dict[str, str]:
    """Versions of what took part in a training, by name."""
    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "edge-digits-train": importlib.metadata.version("edge-digits-train"),
        "keras": keras.__version__,
        backend: importlib.import_module(backend).__version__,
        "numpy": np.__version__,
    }


def device_facts() -> dict[str, Any]:
    """Facts of the device that Keras computes on: those of the computer, and which processor of it that is."""
    backend = keras.backend.backend()
    found = facts.device_facts() | {"kind": "CPU", "backend": f"keras {keras.__version__} on {backend}"}
    if devices()[0].startswith("gpu"):
        found |= {"kind": "GPU", "cpu": found["name"], "name": _gpu_name()}
    return found


def _gpu_name() -> str:
    """What the driver calls the first GPU; asked of the driver, since no backend-free call of Keras tells."""
    for information in sorted(_NVIDIA.glob("*/information")):
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("Model:"):
                return line.removeprefix("Model:").strip()
    return "GPU"


def _evaluate(
    folder: Path,
    recipe: Recipe,
    model: keras.Model,
    dataset: DataSet,
    digest: str,
    weights: str,
    device: Mapping[str, Any],
) -> Evaluation:
    test = dataset.test
    probabilities = metrics.softmax(predict(model, test.images)).astype(np.float32)
    return Evaluation(
        model=ModelInfo(
            name=recipe.name,
            role="float-original",
            scheme="keras",
            bytes=(folder / run.MODEL).stat().st_size,
            sha256=weights,
            weights_sha256=weights,
        ),
        data=DataInfo(dataset.name, "test", digest),
        labels=test.labels,
        probabilities=probabilities,
        latency={"invoke": _single_latency(model, test)},
        device=device,
        pictures=wrong_pictures(test.images, test.labels, probabilities.argmax(axis=1).astype(np.uint8)),
        peak_memory_bytes=facts.peak_memory_bytes(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _single_latency(model: keras.Model, test: Split) -> Latency:
    picture = pixels(test.images[:1])
    return latency(lambda: model.predict_on_batch(picture), _SINGLE)


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    confusion = metrics.confusion_matrix(evaluation.labels, evaluation.predicted)
    values = metrics.class_metrics(confusion)
    by_digit = {name: getattr(values, name).tolist() for name in ("precision", "recall", "f1")}
    macro = {name: float(np.mean(column)) for name, column in by_digit.items()}
    return by_digit | {"macro": macro, "confusion": confusion.tolist()}
