"""The evaluation record: what a model answered to every picture of a data set, and what that cost on which device.

``edge-digits evaluate`` writes one for a ``.tflite``, training writes one for the Keras original, the report reads
nothing else. It keeps every answer, so two of them can be compared picture by picture, and the pixels of the
pictures that were answered wrong: where two models differ at least one of them is wrong, so these are all that
a gallery of changed answers needs.
"""

import base64
import dataclasses
import gzip
import io
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.data import metrics
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.library_errors import DAMAGE
from edge_digits_runtime.mnist_format import DIGITS, SIDE
from edge_digits_runtime.records import files
from edge_digits_runtime.records.fields import check_fields

FORMAT = "edge-digits-evaluation/2"
ROLES = ("float-original", "float-tflite", "int8")


@dataclass(frozen=True)
class Latency:
    """Timed repetitions of one thing, one picture each."""

    samples_us: NDArray[np.float64]
    """Every timed repetition in microseconds, shape ``(n,)``, in the order measured."""
    what: str = ""
    """What was timed, such as ``uint8 pixels to prediction``."""

    @property
    def p50(self) -> float:
        """Median in microseconds."""
        return self.percentile(50)

    @property
    def p90(self) -> float:
        """90th percentile in microseconds."""
        return self.percentile(90)

    @property
    def p99(self) -> float:
        """99th percentile in microseconds."""
        return self.percentile(99)

    @property
    def mean(self) -> float:
        """Mean in microseconds."""
        return float(np.mean(self.samples_us))

    @property
    def std(self) -> float:
        """Standard deviation in microseconds."""
        return float(np.std(self.samples_us))

    def percentile(self, q: float) -> float:
        """The ``q``-th percentile in microseconds, ``q`` in [0, 100]."""
        return float(np.percentile(self.samples_us, q))

    def to_dict(self) -> dict[str, Any]:
        """Summary for readers of the JSON, and the samples it was made from (rounded to 1 ns)."""
        summary = {name: round(getattr(self, name), 3) for name in ("p50", "p90", "p99", "mean", "std")}
        return {"what": self.what} | summary | {"samples_us": [round(float(s), 3) for s in self.samples_us]}


@dataclass(frozen=True)
class DataInfo:
    """Which pictures were answered."""

    name: str
    """Such as ``MNIST`` or the name of the file given with ``--data``."""
    split: str
    """``train``, ``validation`` or ``test``."""
    sha256: str
    """Hex digest of the image bytes and then the label bytes: equal digests are equal pictures in equal order."""


@dataclass(frozen=True)
class ModelInfo:
    """Which model answered."""

    name: str
    """The recipe, such as ``cnn-32-64-64``."""
    role: str
    """One of `ROLES`. Weight-only schemes (float16, dynamic) compute in float and count as ``float-tflite``."""
    scheme: str
    """``keras``, ``float32``, ``float16``, ``dynamic`` or ``int8``."""
    bytes: int
    """Size of the model file in bytes, card and labels included."""
    sha256: str
    """Hex digest of the flatbuffer, or of the weights of a Keras model."""
    weights_sha256: str = ""
    """sha256 of the Keras weights that this model descends from; pairs a converted model with its original."""


@dataclass(frozen=True)
class Evaluation:
    """Answers, latency and device of one model on one data set."""

    model: ModelInfo
    data: DataInfo
    labels: NDArray[np.uint8]
    """The true digits, shape ``(n,)``."""
    probabilities: NDArray[np.float32]
    """Calibrated probabilities, shape ``(n, 10)``, each in [0, 1]; the answer is the largest."""
    latency: Mapping[str, Latency]
    """By part: ``invoke`` always; ``preprocess``, ``postprocess`` and ``total`` where they were timed."""
    device: Mapping[str, Any]
    """Facts of the device; ``name``, ``machine``, ``python`` and ``backend`` are always there."""
    pictures: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    """Pixels of the pictures that were answered wrong, by index, uint8 of shape ``(28, 28)``, 255 ink."""
    peak_memory_bytes: int | None = None
    """Largest resident set of the process in bytes; None where the system does not tell."""
    created: str = ""
    """UTC time, ISO 8601."""
    notes: tuple[str, ...] = ()
    """Warnings that belong beside the figures, such as a device that slowed down."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further measurements, JSON-ready, by name; shown by the report where it knows them."""

    @property
    def predicted(self) -> NDArray[np.uint8]:
        """The answers, shape ``(n,)``; of equal probabilities the smaller digit, as argmax does."""
        answers: NDArray[np.uint8] = self.probabilities.argmax(axis=1).astype(np.uint8)
        return answers

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]."""
        return metrics.accuracy(self.labels, self.predicted)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values. Probabilities are kept to 5 decimals."""
        confusion = metrics.confusion_matrix(self.labels, self.predicted)
        return {
            "format": FORMAT,
            "created": self.created,
            "model": dataclasses.asdict(self.model),
            "data": dataclasses.asdict(self.data) | {"count": len(self.labels)},
            "accuracy": round(self.accuracy, 6),
            "confusion": confusion.tolist(),
            "latency_us": {name: latency.to_dict() for name, latency in self.latency.items()},
            "peak_memory_bytes": self.peak_memory_bytes,
            "device": dict(self.device),
            "notes": list(self.notes),
            "extra": dict(self.extra),
            "labels": "".join(map(str, self.labels.tolist())),
            "predicted": "".join(map(str, self.predicted.tolist())),
            "probabilities": [[round(p, 5) for p in row] for row in self.probabilities.astype(np.float64).tolist()],
            "pictures": _pack_pictures(self.pictures),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Evaluation":
        """Read what `to_dict` wrote.

        Raises:
            EvaluationError: not an evaluation, of another version, or a field is missing or does not fit.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise EvaluationError(f"not an evaluation of format {FORMAT}: make it with 'edge-digits evaluate'")
        try:
            labels = np.array(list(values["labels"]), dtype=np.uint8)
            probabilities = np.asarray(values["probabilities"], dtype=np.float32).reshape(-1, DIGITS)
            predicted = np.array(list(values["predicted"]), dtype=np.uint8)
            _repair_ties(probabilities, predicted)
            evaluation = cls(
                model=ModelInfo(**values["model"]),
                data=DataInfo(**{k: v for k, v in values["data"].items() if k != "count"}),
                labels=labels,
                probabilities=probabilities,
                latency={
                    name: Latency(np.asarray(latency["samples_us"], np.float64), latency["what"])
                    for name, latency in values["latency_us"].items()
                },
                device=values["device"],
                pictures=_unpack_pictures(values["pictures"]),
                peak_memory_bytes=values["peak_memory_bytes"],
                created=values["created"],
                notes=tuple(values["notes"]),
                extra=values["extra"],
            )
            if not len(labels) or len(labels) != len(probabilities) or evaluation.model.role not in ROLES:
                raise ValueError("labels, probabilities or role do not fit")
            if "invoke" not in evaluation.latency:
                raise ValueError("no latency of the bare invocation")
            for name, latency in evaluation.latency.items():
                if not len(latency.samples_us) or not np.isfinite(latency.samples_us).all():
                    raise ValueError(f"the latency {name} is not all there")
            if not np.isfinite(probabilities).all():
                raise ValueError("probabilities that are no numbers")
            for record in (evaluation, evaluation.model, evaluation.data):
                check_fields(record)
            for name in ("name", "machine", "python", "backend"):
                if not isinstance(evaluation.device[name], str):
                    raise TypeError(f"the device's {name} is {evaluation.device[name]!r:.40}")
        except DAMAGE as error:
            raise EvaluationError(
                f"the evaluation is damaged ({type(error).__name__}: {error}): make it again"
            ) from error
        return evaluation

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record as one JSON file, whole or not at all; compressed where the name ends in ``.gz``."""
        content = files.json_bytes(self.to_dict(), indent=None)
        # A fixed time: the same record is the same file.
        files.write_bytes(path, gzip.compress(content, mtime=0) if _is_gzip(path) else content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Evaluation":
        """Read a file that `save` wrote.

        Raises:
            EvaluationError: the file is missing, not JSON, or not an evaluation; the message names it.
        """
        try:
            content = Path(path).read_bytes()
            text = (gzip.decompress(content) if _is_gzip(path) else content).decode("utf-8")
            return cls.from_dict(json.loads(text))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise EvaluationError(f"{path}: not an evaluation: cannot be decompressed ({error})") from error
        except OSError as error:
            raise EvaluationError(f"{path}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise EvaluationError(f"{path}: not an evaluation: no JSON in it ({error})") from error
        except EvaluationError as error:
            raise EvaluationError(f"{path}: {error}") from error


def wrong_pictures(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], predicted: NDArray[np.uint8]
) -> dict[int, NDArray[np.uint8]]:
    """The pictures of ``images`` (n, 28, 28) whose answer is not their label, by index."""
    return {int(i): images[i] for i in np.flatnonzero(labels != predicted)}


def _is_gzip(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix == ".gz"


def _repair_ties(probabilities: NDArray[np.float32], predicted: NDArray[np.uint8]) -> None:
    """Where rounding made two probabilities equal, let the recorded answer stay the largest."""
    rows = np.flatnonzero(probabilities.argmax(axis=1) != predicted)
    top = probabilities[rows].max(axis=1, initial=0.0)
    if np.any(top - probabilities[rows, predicted[rows]] > 2e-5):
        raise ValueError("predicted digits are not those of the largest probability")
    probabilities[rows, predicted[rows]] = np.nextafter(top, np.float32(2))


def _pack_pictures(pictures: Mapping[int, NDArray[np.uint8]]) -> dict[str, Any]:
    """One PNG with the pictures below each other: small, and any program can show it."""
    if not pictures:
        return {"index": [], "png": ""}
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(pictures.values()))).save(buffer, "PNG", optimize=True)
    return {"index": list(pictures), "png": base64.b64encode(buffer.getvalue()).decode("ascii")}


def _unpack_pictures(packed: Mapping[str, Any]) -> dict[int, NDArray[np.uint8]]:
    if not packed["index"]:
        return {}
    with Image.open(io.BytesIO(base64.b64decode(packed["png"]))) as image:
        column = np.asarray(image.convert("L"), np.uint8).reshape(-1, SIDE, SIDE)
    return {int(i): column[k] for k, i in enumerate(packed["index"])}
