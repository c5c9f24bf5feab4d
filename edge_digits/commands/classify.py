"""``edge-digits classify``."""

import glob
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import PictureError

from edge_digits.options import backend_option, model_option, unverified_option

if TYPE_CHECKING:
    from edge_digits_runtime.classifier import DigitClassifier, Prediction

NOT_SURE = 1
WRONG_INPUT = 2
STDIN = "-"


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="IMAGE...")
@model_option
@click.option("--top", type=click.IntRange(1, 10), default=1, help="Show the K likeliest digits.", metavar="K")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Below this confidence an answer is not sure.  [default: what the model's card says]",
)
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
    model: str | None,
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
    from edge_digits_runtime.classifier import DigitClassifier

    classifier = DigitClassifier(
        model, backend=backend, allow_unverified=allow_unverified, min_confidence=min_confidence
    )
    code = 0
    for name, source in _sources(pictures):
        try:
            prediction = _classify_one(classifier, name, source, explain)
        except PictureError as error:
            click.echo(f"Error: {error}", err=True)
            code = WRONG_INPUT
            continue
        click.echo(_as_json(name, prediction) if as_json else f"{name}: {_as_text(prediction, top)}")
        if strict and not prediction.sure:
            code = max(code, NOT_SURE)
    return code


def _classify_one(
    classifier: "DigitClassifier", name: str, source: Path | bytes | PictureError, explain: Path | None
) -> "Prediction":
    from edge_digits_runtime.picture import open_picture

    if isinstance(source, PictureError):
        raise source
    try:
        image = open_picture(source)
    except PictureError as error:
        # Bytes have no name of their own.
        raise PictureError(f"standard input: {error}") if isinstance(source, bytes) else error
    if explain is None:
        return classifier.classify(image)

    from edge_digits_runtime import files
    from edge_digits_runtime.explain import explain as draw
    from edge_digits_runtime.picture import digit_pixels

    found = digit_pixels(image)
    prediction = classifier.classify_found(found)
    stem = "stdin" if name == STDIN else "-".join(Path(name).with_suffix("").parts).lstrip("/-.")
    with files.replacing(explain / f"{stem}.explained.png") as temporary:
        draw(image, found, prediction).save(temporary)
    return prediction


def _sources(arguments: tuple[str, ...]) -> Iterator[tuple[str, Path | bytes | PictureError]]:
    """Each picture that the arguments name; a name that leads to none yields the error in its place."""
    from edge_digits_runtime.picture import is_picture_name

    for argument in arguments:
        path = Path(argument)
        if argument == STDIN:
            yield STDIN, _stdin()
        elif path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and is_picture_name(p))
            if not inside:
                yield argument, PictureError(f"{argument}: no pictures in this folder")
            yield from ((str(p), p) for p in inside)
        elif glob.has_magic(argument) and not path.exists():
            # The shell expands patterns on most systems; a quoted one, or one on Windows, gets here.
            matches = sorted(glob.glob(argument, recursive=True))
            if not matches:
                yield argument, PictureError(f"{argument}: no file matches this pattern")
            yield from ((match, Path(match)) for match in matches)
        else:
            yield argument, path


def _stdin() -> bytes:
    return sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else io.BytesIO().getvalue()


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
