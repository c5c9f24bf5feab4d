"""``edge-digits classify``."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import PictureError

from edge_digits.options import (
    NOT_SURE,
    WRONG_INPUT,
    backend_option,
    confidence_option,
    model_option,
    unverified_option,
)
from edge_digits.parallel import in_order
from edge_digits.sources import Source, flat_name, open_source, sources

if TYPE_CHECKING:
    from edge_digits_runtime.model.classifier import DigitClassifier, Prediction


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="IMAGE...")
@model_option
@click.option("--top", type=click.IntRange(1, 10), default=1, help="Show the K likeliest digits.", metavar="K")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@confidence_option
@click.option("--strict", is_flag=True, help="Exit with 1 if any picture is not sure.")
@click.option(
    "--explain",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write a picture for each input: what was found, what the model saw, all ten probabilities.",
)
@backend_option
@unverified_option
def classify(
    pictures: tuple[str, ...],
    model: Path | None,
    top: int,
    as_json: bool,
    min_confidence: float | None,
    strict: bool,
    explain: Path | None,
    backend: str | None,
    allow_unverified: bool,
) -> int:
    """Say which digit is in each picture.

    IMAGE is a file, a folder (all pictures in it), a pattern such as 'scans/*.png', or - for standard input. Any
    size and kind that Pillow reads: dark ink on light or the reverse. A picture that cannot be read gets one line
    on stderr and exit code 2; the others are still done.

    \b
    Example:
      edge-digits classify seven.png
      seven.png: 7 (99.8 %)
    """
    prepare = functools.partial(_prepare, model, backend, allow_unverified, min_confidence, explain)
    named = list(sources(pictures))
    code = 0
    for (name, _), prediction in zip(named, in_order(prepare, named), strict=True):
        if isinstance(prediction, PictureError):
            click.echo(f"Error: {prediction}", err=True)
            code = WRONG_INPUT
            continue
        click.echo(_as_json(name, prediction) if as_json else f"{name}: {_as_text(prediction, top)}")
        if strict and not prediction.sure:
            code = max(code, NOT_SURE)
    return code


def _prepare(
    model: Path | None, backend: str | None, allow_unverified: bool, min_confidence: float | None, explain: Path | None
) -> "Callable[[tuple[str, Source]], Prediction | PictureError]":
    """Load the model; a process that takes part of the pictures does so too."""
    from edge_digits_runtime.model.classifier import DigitClassifier

    classifier = DigitClassifier(
        model, backend=backend, allow_unverified=allow_unverified, min_confidence=min_confidence
    )

    def work(named: tuple[str, Source]) -> "Prediction | PictureError":
        try:
            return _classify_one(classifier, *named, explain)
        except PictureError as error:
            return error

    return work


def _classify_one(classifier: "DigitClassifier", name: str, source: Source, explain: Path | None) -> "Prediction":
    image = open_source(source)
    if explain is None:
        return classifier.classify(image)

    from edge_digits_runtime.drawing.explain import explain as draw
    from edge_digits_runtime.image.picture import digit_pixels
    from edge_digits_runtime.records import files

    found = digit_pixels(image)
    prediction = classifier.classify_found(found)
    with files.replacing(explain / f"{flat_name(name)}.explained.png") as temporary:
        draw(image, found, prediction).save(temporary)
    return prediction


def _as_text(prediction: "Prediction", top: int) -> str:
    order = sorted(range(10), key=lambda digit: -prediction.probabilities[digit])[:top]
    answer = ", ".join(f"{digit} ({prediction.probabilities[digit] * 100:.1f} %)" for digit in order)
    return answer if prediction.sure else f"{answer} not sure: {prediction.reason}"


def _as_json(name: str, prediction: "Prediction") -> str:
    return json.dumps(
        {
            "file": name,
            "digit": prediction.digit,
            "confidence": round(prediction.confidence, 5),
            "probabilities": [round(float(p), 5) for p in prediction.probabilities],
            "sure": prediction.sure,
            "reason": prediction.reason,
        },
        ensure_ascii=False,
    )
