"""All of a conversion: from a run folder to one self-describing ``.tflite`` file, verified and measured."""

from collections.abc import Callable
from pathlib import Path

from edge_digits_runtime.data import turns
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.model.card import SCHEMES, Calibration
from edge_digits_runtime.model.classifier import DigitClassifier

from edge_digits_convert.calibration_pictures import CalibrationDraw, draw_pictures
from edge_digits_convert.confidence_calibration import calibrate_confidence
from edge_digits_convert.packaging import ConversionResult, Measured, package
from edge_digits_convert.quantization import naming, quantize
from edge_digits_convert.terms import Terms
from edge_digits_convert.trained_run import RunPictures, TrainedRun
from edge_digits_convert.verification import verify

PROBE = 100
"""Number of training pictures on which the models before and after a step must give the same answers."""


def convert(
    folder: Path,
    scheme: str,
    pictures: RunPictures,
    draw: CalibrationDraw | None = None,
    output: Path | None = None,
    progress: Callable[[str], None] | None = None,
    allow_code: bool = False,
    key: Path | None = None,
    terms: Terms | None = None,
) -> ConversionResult:
    """Convert a run by one scheme and write the model file.

    The same run, pictures and draw give the same file, byte for byte, except for the time in its card.

    Args:
        folder: the run folder.
        scheme: one of `edge_digits_runtime.model.card.SCHEMES`; ``int8`` is full-integer post-training quantization.
        pictures: those of the run.
        draw: which training pictures int8 is calibrated on; None for 100 of seed 0.
        output: the file to write; None for ``FOLDER/<recipe>-<scheme>.tflite``.
        progress: called with a few words before each long step.
        allow_code: run code in the model, such as that of a Lambda layer.
        key: file of the private key that signs the model, see `edge_digits_runtime.signature`; None for no signature.
        terms: licences that the card names; None where nobody said.

    Raises:
        RunError: the run is missing, unfinished, damaged, from another program, or cannot be converted.
        DataError: a split is not the one that the run was trained with.
        UsageError: an unknown scheme, a calibration count that the training pictures do not allow, or no key.
        ModelError: what the converter made is not what the scheme promises.
        OSError: the file cannot be written.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"no scheme {scheme!r}; there are {', '.join(SCHEMES)}")
    say = progress or (lambda _step: None)
    draw = draw or CalibrationDraw()
    run = TrainedRun.load(folder, allow_code)
    run.check_pictures(pictures)
    drawn = draw_pictures(pictures.training, draw)
    probe = pictures.training.images[:PROBE]
    say(f"quantizing with {len(drawn):,} pictures for calibration" if scheme == "int8" else "converting")
    quantized = quantize(run, scheme, drawn, probe)
    with naming(run.model):
        verified = verify(quantized, probe)
    say(f"measuring on {len(pictures.validation):,} validation and {len(pictures.test):,} test pictures")
    classifier, labels = DigitClassifier(verified.flatbuffer), tuple(run.record.data["classes"])
    splits = {"validation": pictures.validation, "test": pictures.test}
    answers = {name: classifier.classify_batch(split.images).labels for name, split in splits.items()}
    measured = Measured(
        accuracy={
            name: float(turns.right(split.labels, answers[name], labels).mean()) for name, split in splits.items()
        },
        confidence=calibrate_confidence(classifier, pictures.validation, labels),
        calibration=Calibration("train", len(drawn), draw.seed) if scheme == "int8" else None,
        training_pictures=len(pictures.training),
        test_answers=answers["test"],
    )
    output = output or folder / f"{run.record.name}-{scheme}.tflite"
    return package(run, verified, measured, terms or Terms(), output, key)
