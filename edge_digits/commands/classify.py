"""``edge-digits classify``."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_digits.commands.answers import (
    CollectChoice,
    ModelChoice,
    NamedSource,
    collect_options,
    model_options,
    pictures_argument,
    print_answers,
)
from edge_digits.formatting import percent
from edge_digits.options import OutputPath
from edge_digits.printing import print_json, printable
from edge_digits.sources import flat_name, open_source, sources

if TYPE_CHECKING:
    from edge_digits_runtime.image.model_input import Prepared
    from edge_digits_runtime.model.classifier import Prediction
    from PIL.Image import Image


@click.command()
@pictures_argument
@model_options
@collect_options
@click.option("--top", type=click.IntRange(1, 128), default=1, help="Show the K likeliest classes.", metavar="K")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per picture, each on a line.")
@click.option("--strict", is_flag=True, help="Exit with 1 if any answer is not sure, and say which.")
@click.option(
    "--explain",
    type=OutputPath(file_okay=False),
    metavar="FOLDER",
    help="Draw for each picture what was found, what the model saw and all probabilities.",
)
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
    require_signature: Path | None,
    collect: Path | None,
    collect_mb: float,
    collect_group: str | None,
) -> int:
    """Say which digit, or which other class that MODEL knows, each picture shows.

    IMAGE is a file, a folder (every picture in it and below it), a pattern such as 'scans/*.png', or - for standard
    input: dark ink on light paper or the reverse, of any size, in any format that Pillow reads. A picture that cannot
    be read is one line on standard error; the others are still classified, and the exit code is 2.

    \b
    Example:
      edge-digits classify seven.png
      seven.png: 7 (99.8 %)
      edge-digits classify --model runs/mine/crop-s-int8.tflite picture.png
      picture.png: blank (99.1 %)
    """

    def show(name: str, prediction: "Prediction") -> None:
        if as_json:
            print_json(answer_json(name, prediction))
        else:
            click.echo(f"{printable(name)}: {_as_text(prediction, top)}")

    choice = ModelChoice(model, backend, allow_unverified, min_confidence, require_signature)
    prepare = functools.partial(_prepare, choice, CollectChoice(collect, collect_mb, collect_group), explain)
    return print_answers(list(sources(pictures)), prepare, show, _doubts, strict)


def _doubts(prediction: "Prediction") -> list[str]:
    return [] if prediction.sure else [f"{prediction.label}, {prediction.reason}"]


def _prepare(
    choice: ModelChoice, collect: CollectChoice, explain: Path | None
) -> "Callable[[NamedSource], Prediction]":
    """Load the model and return the function that classifies a picture."""
    classifier, collection = choice.load(), collect.open()

    def work(named: NamedSource) -> "Prediction":
        from edge_digits_runtime.image.prepare import prepare

        name, source = named
        image = open_source(source)
        seen = prepare(image, classifier.input)
        prediction = classifier.classify_prepared(seen)
        if collection is not None:
            collection.offer(image, seen, prediction, collect.group)
        if explain is not None:
            _draw(explain, name, image, seen, prediction)
        return prediction

    return work


def _draw(folder: Path, name: str, image: "Image", seen: "Prepared", prediction: "Prediction") -> None:
    from edge_digits_runtime.drawing.explain import explain
    from edge_digits_runtime.records import files

    with files.replacing(folder / f"{flat_name(name)}.explained.png") as temporary:
        explain(image, seen, prediction).save(temporary)


def _as_text(prediction: "Prediction", top: int) -> str:
    first = prediction.label if prediction.value is None else f"{prediction.label}, turned to {prediction.value:.1f}"
    others = sorted(prediction.shares.items(), key=lambda each: (each[0] != prediction.label, -each[1]))[1:top]
    named = [(first, prediction.confidence), *others]
    answer = ", ".join(f"{printable(label)} ({percent(share, 1)})" for label, share in named)
    return answer if prediction.sure else f"{answer} not sure: {prediction.reason}"


def answer_json(name: str, prediction: "Prediction") -> dict[str, Any]:
    """Return an answer for the picture ``name`` as JSON-ready values."""
    from edge_digits_runtime.model.reasons import reason_code

    turn = {} if prediction.value is None else {"value": prediction.value}
    return {
        "file": name,
        "label": prediction.label,
        **turn,
        "confidence": round(prediction.confidence, 5),
        "probabilities": {label: round(float(share), 5) for label, share in prediction.shares.items()},
        "sure": prediction.sure,
        "reason": prediction.reason,
        "reason_code": reason_code(prediction.reason),
    }
