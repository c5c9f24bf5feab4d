"""The last step: a verified model and its card, written as one file."""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.model.card import Calibration, FloatReference, ModelCard, append_card
from edge_digits_runtime.records import files
from numpy.typing import NDArray

from edge_digits_convert.confidence_calibration import Confidence
from edge_digits_convert.terms import Terms, trained_on
from edge_digits_convert.trained_run import TrainedRun
from edge_digits_convert.verification import Verified


@dataclass(frozen=True)
class Measured:
    """What the card says beyond what stands in the record of the run."""

    accuracy: Mapping[str, float]
    """Share of right answers of the converted model in [0, 1] by split, ``validation`` and ``test``."""
    confidence: Confidence
    calibration: Calibration | None
    """None unless the scheme is int8."""
    training_pictures: int
    """Number of pictures that the run was trained on."""
    test_answers: NDArray[np.uint8]
    """Answers of the converted model to the test pictures, shape ``(n,)``."""


@dataclass(frozen=True)
class ConversionResult:
    """A model file and what it cost."""

    path: Path
    """The file that was written."""
    card: ModelCard
    """The card in it."""
    bytes_before: int
    """Size of the flatbuffer as ``TFLiteConverter`` made it, in bytes."""
    bytes_after: int
    """Size of the flatbuffer in the file, in bytes."""
    file_bytes: int
    """Size of the file: flatbuffer, labels, card and signature, in bytes."""
    accuracy: Mapping[str, float]
    """Share of right answers of the file in [0, 1] by split, ``validation`` and ``test``."""
    float_accuracy: Mapping[str, float]
    """The same of the Keras original."""
    test_answers: NDArray[np.uint8]
    """Answers of the file to the test pictures, shape ``(n,)``: with those of the original, which are in the run's
    ``evaluation.json``, they give the interval of the drop."""

    @property
    def drop_pp(self) -> Mapping[str, float]:
        """Percentage points of accuracy lost to the original, by split; negative where the file is the better one."""
        return {split: 100 * (self.float_accuracy[split] - right) for split, right in self.accuracy.items()}


def package(
    run: TrainedRun, verified: Verified, measured: Measured, terms: Terms, output: Path, key: Path | None = None
) -> ConversionResult:
    """Write the model file, whole or not at all, and signed with the private key in the file ``key`` if there is one.

    Raises:
        OSError: the file cannot be written.
    """
    record = run.record
    card = ModelCard(
        name=record.name,
        scheme=verified.scheme,
        sha256=hashlib.sha256(verified.flatbuffer).hexdigest(),
        recipe=_in_short(record.recipe),
        data=f"{record.data['name']} ({measured.training_pictures:,} pictures)",
        trained_on=trained_on(record, terms),
        licence=terms.licence,
        weights_sha256=record.weights_sha256,
        calibration=measured.calibration,
        reference=FloatReference(record.device["name"], record.accuracy, round(record.latency_us["p50"], 1)),
        accuracy=measured.accuracy,
        labels=record.data["classes"],
        input=record.data["input"],
        temperature=measured.confidence.temperature,
        min_confidence=measured.confidence.min_confidence,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        parameters=record.parameters,
        macs=record.macs,
    )
    content = append_card(verified.flatbuffer, card, key)
    files.write_bytes(output, content)
    return ConversionResult(
        path=output,
        card=card,
        bytes_before=verified.bytes_before,
        bytes_after=len(verified.flatbuffer),
        file_bytes=len(content),
        accuracy=measured.accuracy,
        float_accuracy=record.accuracy,
        test_answers=measured.test_answers,
    )


def _in_short(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without what Keras says of a network of Keras layers: it is longer than a small model."""
    layers = recipe.get("layers", ())
    return dict(recipe) | {
        "layers": [{name: value for name, value in layer.items() if name != "config"} for layer in layers]
    }
