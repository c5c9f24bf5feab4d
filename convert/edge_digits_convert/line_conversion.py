"""From the run of a line reader to one self-describing int8 ``.tflite`` file, verified, calibrated and measured."""

import contextlib
import dataclasses
import datetime
import hashlib
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data.datasets import Split, digest
from edge_digits_runtime.data.line_metrics import score
from edge_digits_runtime.errors import EvaluationError, ModelError, RunError, UsageError
from edge_digits_runtime.image.model_input import LINE_SHAPE, Input
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.model.card import Calibration, FloatReference, ModelCard, append_card
from edge_digits_runtime.native_stderr import quiet
from edge_digits_runtime.page.decoding import Decoded, decode
from edge_digits_runtime.page.line import LineReader
from edge_digits_runtime.records import files
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import EVALUATION, MODEL, RECORD
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edge_digits_convert.quantization import naming
from edge_digits_convert.strip import strip
from edge_digits_convert.terms import LINES
from edge_digits_convert.verification import check_model

PROBE = 20
"""Number of lines on which the slimmed model must give the very logits of the converted one."""
SILENTLY_WRONG = 0.01
"""Share of the validation lines that may be called sure and be wrong."""
KEPT = 0.8
"""Share of the validation lines that are read right that must be called sure, whatever is silently wrong then."""
_LOWEST, _HIGHEST = 0.2, 5.0
"""Range of the temperature."""
_PRECISION = 0.01
"""Of the logarithm of the temperature."""


@dataclass(frozen=True)
class LinePictures:
    """Prepared lines with their labels."""

    pictures: NDArray[np.uint8]
    """Shape ``(n, 32, 264)``."""
    labels: Sequence[str]


@dataclass(frozen=True)
class LineConversionResult:
    """A model file and what it cost."""

    path: Path
    card: ModelCard
    file_bytes: int
    """Size of the file: flatbuffer, labels and card, in bytes."""
    exact: float
    """Share of the validation lines that the file reads right, in [0, 1]."""
    float_exact: float
    """The same of the Keras original."""
    silently_wrong: float
    """Share of the validation lines that are called sure and are wrong."""
    texts: tuple[str, ...]
    """What the file reads in each test line."""
    float_texts: tuple[str, ...]
    """The same of the Keras original."""
    written: tuple[str, ...]
    """What is written in each."""

    @property
    def drop_pp(self) -> float:
        """Percentage points of exact lines lost to the original; negative where the file is the better one."""
        return 100 * (self.float_exact - self.exact)


def convert_lines(
    folder: Path,
    labels: Sequence[str],
    calibration: LinePictures,
    seed: int,
    validation: LinePictures,
    test: LinePictures,
    output: Path | None = None,
    progress: Callable[[str], None] | None = None,
    key: Path | None = None,
    licence: str = "",
) -> LineConversionResult:
    """Quantize the run of a line reader to int8 and write the model file.

    Args:
        folder: the run folder.
        labels: the characters in the order of the outputs, without the blank.
        calibration: training lines, whose activations give the ranges of int8.
        seed: of these lines.
        validation: lines of what was held out from training: the confidence is calibrated on them.
        test: the lines that the original was tested on.
        output: the file to write; None for ``FOLDER/<recipe>-int8.tflite``.
        progress: called with a few words before each long step.
        key: file of the private key that signs the model; None for no signature.
        licence: what is granted for the model, as an SPDX expression; empty where nobody said.

    Raises:
        RunError: the run is missing, unfinished, damaged, or no line reader of these labels.
        ModelError: what the converter made is not an int8 model of lines.
        UsageError: there are no calibration or validation lines.
        EvaluationError: the run has no evaluation of its original, or one of other lines.
    """
    if not len(calibration.labels) or not len(validation.labels):
        raise UsageError("converting a line reader needs lines for calibration and for validation; got none")
    say = progress or (lambda _step: None)
    record = LineRunRecord.load(folder)
    path = folder / MODEL
    say(f"quantizing with {len(calibration.labels):,} lines for calibration")
    with naming(path):
        check_sha256(path, record)
        tested = _original(folder, test)
        model, flatbuffer = quantized(path, (len(labels) + 1,), calibration.pictures)
        shapes = (1, *LINE_SHAPE, 1), (1, *model.output_shape[1:])
        slim = slimmed(flatbuffer, shapes, lambda content: _reader(content, labels).logits, calibration.pictures)
    say(f"measuring on {len(validation.labels):,} validation lines")
    original = [decode(logits, labels) for logits in keras_outputs(model, validation.pictures)]
    reader = _reader(slim, labels)
    logits = [reader.logits(picture) for picture in validation.pictures]
    temperature = fit_temperature(logits, labels, validation.labels)
    decoded = [decode(row, labels, temperature) for row in logits]
    right = _right(decoded, validation.labels)
    least = smallest_sure_confidence(np.array([line.confidence for line in decoded]), right)
    exact, float_exact = float(right.mean()), float(_right(original, validation.labels).mean())
    texts = tuple(decode(reader.logits(picture), labels).text for picture in test.pictures)
    bare = dataclasses.replace(
        _bare_card(slim, labels),
        temperature=temperature,
        min_confidence=least,
        reference=FloatReference(
            tested.device["name"],
            {"validation": float_exact, "test": tested.accuracy},
            round(tested.latency["invoke"].p50, 1),
        ),
    )
    test_exact = sum(text == label for text, label in zip(texts, test.labels, strict=True)) / len(texts)
    card = finished_card(
        bare,
        record,
        "lines",
        Calibration("train", len(calibration.labels), seed),
        {"validation": exact, "test": test_exact},
        licence,
    )
    target, size = write_model(slim, card, folder, output, key)
    sure = [line.confidence >= least for line in decoded]
    counted = score(validation.labels, [line.text for line in decoded], sure)
    silent = counted.silently_wrong / counted.lines
    return LineConversionResult(
        target,
        card,
        size,
        exact,
        float_exact,
        silent,
        texts,
        tuple(tested.predicted.tolist()),
        tuple(test.labels),
    )


def _original(folder: Path, test: LinePictures) -> Evaluation:
    """Return the evaluation of the original of a run, which is of these test lines."""
    tested = Evaluation.load(folder / EVALUATION)
    if tested.data.sha256 != digest(Split(test.pictures, np.array(test.labels, np.str_))):
        raise EvaluationError(f"{folder / EVALUATION}: is of other lines than those that are made now; train again")
    return tested


def fit_temperature(logits: Sequence[NDArray[np.float32]], labels: Sequence[str], texts: Sequence[str]) -> float:
    """Return the temperature that makes the confidence of a line the probability that it is right.

    The text of a line does not depend on the temperature. From 0.2 to 5, the one is taken that makes it most likely
    which lines are right and which are wrong (the smallest mean logarithmic loss), to 1 %.

    Args:
        logits: of each line, shape ``(steps, labels + 1)``.
        labels: the characters in the order of the outputs.
        texts: what is written in each line.
    """

    def loss(logarithm: float) -> float:
        decoded = [decode(row, labels, math.exp(logarithm)) for row in logits]
        confidence = np.clip([line.confidence for line in decoded], 1e-6, 1 - 1e-6)
        right = _right(decoded, texts)
        return float(-np.log(np.where(right, confidence, 1 - confidence)).mean())

    bounds = math.log(_LOWEST), math.log(_HIGHEST)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _PRECISION})
    return round(math.exp(found.x), 4)


def smallest_sure_confidence(confidences: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> float:
    """Return the confidence from which on a line is called sure.

    It is the smallest from which on at most `SILENTLY_WRONG` of all lines are wrong, but no higher than leaves `KEPT`
    of the right lines sure.

    Args:
        confidences: of each line, in [0, 1], shape ``(n,)``, n ≥ 1.
        right: which of them were read right.
    """
    wrong = np.sort(confidences[~right])[::-1]
    allowed = math.floor(SILENTLY_WRONG * len(confidences))
    # Just above the most confident of the lines that would be one too many; the card keeps four decimals.
    strict = math.floor(1e4 * wrong[allowed]) + 1 if len(wrong) > allowed else 0
    highest = math.floor(1e4 * np.quantile(confidences[right], 1 - KEPT, method="lower")) if right.any() else 10_000
    return min(strict, highest, 10_000) / 1e4


def _right(decoded: Sequence[Decoded], texts: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([line.text == text for line, text in zip(decoded, texts, strict=True)])


def check_sha256(path: Path, record: LineRunRecord) -> None:
    """Check that the Keras model of a run is the one that its record is of.

    Raises:
        RunError: it is missing or another.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}): train again") from error
    if found != record.model_sha256:
        raise RunError(f"{path}: does not have the sha256 in {RECORD}: it is damaged or of another run; train again")


def quantized(path: Path, outputs: tuple[int, ...], calibration: NDArray[np.uint8]) -> tuple[Any, bytes]:
    """Return the Keras model of a run and the int8 flatbuffer that TensorFlow makes of it.

    Args:
        path: of the Keras model.
        outputs: the last sides of the shape of its output.
        calibration: pictures whose activations give the ranges of int8, shape ``(n, height, width)``.

    Raises:
        RunError: it cannot be loaded, or has other shapes.
    """
    with quiet():
        import keras
        import tensorflow as tf

        if keras.backend.backend() != "tensorflow":
            raise RunError(
                f"conversion needs Keras on TensorFlow, but KERAS_BACKEND is {keras.backend.backend()}: unset it"
            )
        try:
            model = keras.models.load_model(path, compile=False)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"Keras {keras.__version__} cannot load it ({first_line(error)}): train again") from error
        shape = (*calibration.shape[1:], 1)
        # With an open batch size, the shape in front of the reshape would be computed at run time.
        single = keras.models.clone_model(model, input_tensors=keras.Input(shape, batch_size=1))
        single.set_weights(model.get_weights())
        fits = model.input_shape in ((None, *shape), (None, None, None, 1))
        if not fits or single.output_shape[-len(outputs) :] != outputs:
            raise RunError(
                f"a model of shapes {model.input_shape}, {single.output_shape}; wanted is {shape}, (..., {outputs[-1]})"
            )
        converter = tf.lite.TFLiteConverter.from_keras_model(single)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter.representative_dataset = lambda: _examples(calibration)
        # Keras prints the shapes of the weights on standard output as it saves the model for the converter.
        with contextlib.redirect_stdout(io.StringIO()):
            return model, bytes(converter.convert())


def _examples(pictures: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """Give the converter the calibration pictures one by one, and first one with the whole range of greys."""
    # The range of the input becomes its scale, which must be 1/255.
    shape = pictures.shape[1:]
    whole = np.linspace(0, 255, math.prod(shape)).reshape(shape).astype(np.uint8)
    for picture in (whole, *pictures):
        yield [pixels(picture[None])]


def slimmed(
    flatbuffer: bytes,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    outputs: Callable[[bytes], Callable[[NDArray[np.uint8]], NDArray[Any]]],
    pictures: NDArray[np.uint8],
) -> bytes:
    """Check a converted model, slim it, check that this changed no bit of any answer, and return the slim one.

    Args:
        flatbuffer: the model.
        shapes: of its input and output.
        outputs: loads a flatbuffer and returns what gives the outputs for one picture.
        pictures: the first `PROBE` are answered.

    Raises:
        ModelError: it is no int8 model of these shapes, or answers otherwise when it is slim.
    """
    check_model(flatbuffer, "int8", shapes)
    slim = strip(flatbuffer)
    before, after = outputs(flatbuffer), outputs(slim)
    if not all(np.array_equal(before(picture), after(picture)) for picture in pictures[:PROBE]):
        raise ModelError("the slimmed model does not answer as the converted one does")
    return slim


def finished_card(
    bare: ModelCard,
    record: LineRunRecord,
    made: str,
    calibration: Calibration,
    right: Mapping[str, float],
    licence: str,
) -> ModelCard:
    """Return the card of a model of a run.

    Args:
        bare: what the card says of the flatbuffer itself.
        record: of the run.
        made: what it was trained on, such as ``lines``.
        calibration: what gave the ranges of int8.
        right: share of what is right by split, in [0, 1].
        licence: what is granted for the model.
    """
    return dataclasses.replace(
        bare,
        name=record.name,
        recipe=record.recipe,
        data=f"{record.lines:,} made {made}" + (f"; {record.origin}" if record.origin else ""),
        trained_on=LINES,
        licence=licence,
        weights_sha256=record.weights_sha256,
        calibration=calibration,
        accuracy=right,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        parameters=record.parameters,
        macs=record.macs,
    )


def write_model(
    flatbuffer: bytes, card: ModelCard, folder: Path, output: Path | None, key: Path | None
) -> tuple[Path, int]:
    """Write a model file to ``output``, or into the folder of its run, and sign it if there is a key.

    Returns:
        Where it is, and its size in bytes.
    """
    target = output or folder / f"{card.name}-int8.tflite"
    content = append_card(flatbuffer, card, key)
    files.write_bytes(target, content)
    return target, len(content)


def _bare_card(flatbuffer: bytes, labels: Sequence[str]) -> ModelCard:
    """Return a card with which a model can be run before it is measured."""
    digest = hashlib.sha256(flatbuffer).hexdigest()
    return ModelCard("line", "int8", digest, labels=tuple(labels), input=Input("line", *LINE_SHAPE))


def _reader(flatbuffer: bytes, labels: Sequence[str]) -> LineReader:
    return LineReader(append_card(flatbuffer, _bare_card(flatbuffer, labels)))


def keras_outputs(model: Any, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what a Keras model gives for pictures, shape ``(n, height, width)``."""
    parts = [
        np.asarray(model.predict_on_batch(pixels(pictures[start : start + 100])))
        for start in range(0, len(pictures), 100)
    ]
    return np.concatenate(parts)


def pixels(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures, shape ``(n, height, width)``, as Keras takes them: ``(n, height, width, 1)``, in [0, 1]."""
    return pictures[..., None].astype(np.float32) / np.float32(255)
