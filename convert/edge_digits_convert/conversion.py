"""From a run folder to one self-describing ``.tflite`` file, measured."""

import datetime
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.data import datasets, metrics
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import DataError, ModelError, RunError, UsageError
from edge_digits_runtime.model.card import SCHEMES, Calibration, FloatReference, ModelCard, append_card
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.native_stderr import quiet
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import MODEL, RECORD, RunRecord
from numpy.typing import NDArray

from edge_digits_convert import calibration
from edge_digits_convert.confidence import fit_temperature, least_confidence
from edge_digits_convert.strip import strip
from edge_digits_convert.verify import check_model

PROBE = 100
"""On so many training pictures the folded and the slimmed model are compared with what they were made from."""


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
    """Size of the file: flatbuffer, labels and card, in bytes."""
    accuracy: Mapping[str, float]
    """Share of right answers of the file in [0, 1] by split, ``validation`` and ``test``."""
    float_accuracy: Mapping[str, float]
    """The same of the Keras original."""

    @property
    def drop_pp(self) -> Mapping[str, float]:
        """Percentage points of accuracy lost to the original, by split; negative where the file is the better one."""
        return {split: 100 * (self.float_accuracy[split] - right) for split, right in self.accuracy.items()}


def convert(
    run: Path,
    scheme: str,
    training: Split,
    validation: Split,
    test: Split,
    *,
    calibration_count: int | None = None,
    seed: int = calibration.DEFAULT_SEED,
    out: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> ConversionResult:
    """Convert a run by ``scheme`` and write the model file.

    The same run, pictures and seed give the same file, byte for byte, but for the time in its card.

    Args:
        run: the run folder.
        scheme: one of `edge_digits_runtime.model.card.SCHEMES`; ``int8`` is full-integer post-training quantization.
        training: the training pictures of the run, without those held out for validation: int8 is calibrated on them.
        validation: the pictures held out: the temperature of the confidence and how much of it is sure are taken from
            them.
        test: the test pictures, for nothing but the accuracy in the card.
        calibration_count: pictures to calibrate int8 on, class-balanced; None for `calibration.DEFAULT_COUNT`, or as
            many as a small training split allows.
        seed: of the draw of these pictures.
        out: the file to write; None for ``RUN/<recipe>-<scheme>.tflite``.
        progress: called with a few words before each step.

    Raises:
        RunError: the run is missing, unfinished, damaged, from another program, or cannot be converted.
        DataError: a split is not the one that the run was trained with.
        UsageError: an unknown scheme, or a calibration count that the training pictures do not allow.
        ModelError: what the converter made is not what the scheme promises.
        OSError: the file cannot be written.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"no scheme {scheme!r}; there are {', '.join(SCHEMES)}")
    say = progress or _ignore
    record = _load(run)
    for name, split in (("train", training), ("validation", validation), ("test", test)):
        _check_split(run, record, name, split)
    drawn = calibration.draw(training, calibration_count, seed)
    probe = training.images[:PROBE]
    say(f"quantizing with {len(drawn):,} pictures for calibration" if scheme == "int8" else "converting")
    with _naming(run / MODEL):
        original = _to_flatbuffer(run / MODEL, scheme, drawn, probe)
        check_model(original, scheme)
        flatbuffer = strip(original)
        _check_same_answers(original, flatbuffer, probe)
    say(f"measuring on {len(validation):,} validation and {len(test):,} test pictures")
    classifier = DigitClassifier(flatbuffer)
    accuracy = {"validation": _accuracy(classifier, validation), "test": _accuracy(classifier, test)}
    # The zero point of a quantized output moves all ten logits alike, which softmax does not see.
    logits = classifier.outputs(validation.images) * np.float64(classifier.output_scale or 1)
    temperature = round(fit_temperature(logits, validation.labels), 4)
    confidences = metrics.softmax(logits, temperature).max(axis=1)
    card = ModelCard(
        name=record.name,
        scheme=scheme,
        sha256=hashlib.sha256(flatbuffer).hexdigest(),
        recipe=record.recipe,
        data=f"{record.data['name']} ({len(training):,} pictures)",
        weights_sha256=record.weights_sha256,
        calibration=Calibration("train", len(drawn), seed) if scheme == "int8" else None,
        reference=FloatReference(record.device["name"], record.accuracy, round(record.latency_us["p50"], 1)),
        accuracy=accuracy,
        temperature=temperature,
        min_confidence=math.floor(1e4 * least_confidence(confidences)) / 1e4,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        parameters=record.parameters,
        macs=record.macs,
    )
    path = out or run / f"{record.name}-{scheme}.tflite"
    content = append_card(flatbuffer, card)
    files.write_bytes(path, content)
    return ConversionResult(path, card, len(original), len(flatbuffer), len(content), accuracy, record.accuracy)


def _ignore(_step: str) -> None:
    pass


def _load(run: Path) -> RunRecord:
    """Return the record of a run whose ``model.keras`` is whole."""
    record = RunRecord.load(run)
    path = run / MODEL
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}): train again") from error
    if found != record.model_sha256:
        raise RunError(f"{path}: does not have the sha256 in {RECORD}: it is damaged or of another run; train again")
    return record


def _check_split(run: Path, record: RunRecord, name: str, split: Split) -> None:
    """See that a split is that of the run: a drop in accuracy compares answers to the same pictures."""
    if datasets.digest(split) != record.data["sha256"][name]:
        raise DataError(
            f"{run}: these {len(split):,} {name} pictures are not those of the run ({record.data['name']}): "
            "give the data set that it was trained with"
        )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put ``path`` in front of errors that do not name it."""
    try:
        yield
    except (RunError, ModelError) as error:
        if str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path}: {error}") from error


def _to_flatbuffer(path: Path, scheme: str, drawn: NDArray[np.uint8], probe: NDArray[np.uint8]) -> bytes:
    """The part that needs TensorFlow, which is imported here for the sake of its log."""
    with quiet():
        from edge_digits_convert.inference import check_same, inference_function, load_model
        from edge_digits_convert.tflite import to_flatbuffer

        model = load_model(path)
        infer = inference_function(model)
        check_same(model, infer, probe)
        return to_flatbuffer(infer, scheme, drawn)


def _check_same_answers(original: bytes, stripped: bytes, probe: NDArray[np.uint8]) -> None:
    """See that slimming changed no bit of any answer, where the model is run as on the device."""
    before, after = (DigitClassifier(content).outputs(probe) for content in (original, stripped))
    if not np.array_equal(before, after):
        raise ModelError("the slimmed model does not answer as the converted one does")


def _accuracy(classifier: DigitClassifier, split: Split) -> float:
    return metrics.accuracy(split.labels, classifier.classify_batch(split.images).digits)
