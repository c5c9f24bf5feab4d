"""``edge-digits read``."""

import json
from pathlib import Path

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
from edge_digits.sources import flat_name, open_source, sources


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="IMAGE...")
@model_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture: file, lines, digits with boxes.")
@confidence_option
@click.option("--strict", is_flag=True, help="Exit with 1 if any digit of a line is not sure.")
@click.option(
    "--annotate",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Draw boxes and answers on the picture: a file, or a folder for several pictures.",
)
@backend_option
@unverified_option
def read(
    pictures: tuple[str, ...],
    model: Path | None,
    as_json: bool,
    min_confidence: float | None,
    strict: bool,
    annotate: Path | None,
    backend: str | None,
    allow_unverified: bool,
) -> int:
    """Read all digits of a picture: a number, several lines, a whole ruled page. Prints the lines, numbers on a line
    apart by a space, with a ? in a number for what looks like no digit. What has no digit beside it is left out.

    IMAGE is as for 'classify'. With several pictures each is announced by its name.

    \b
    Example:
      edge-digits read meter.jpg
      edge-digits read page.png --annotate seen.png --json
    """
    from edge_digits_runtime.drawing.annotate import annotate as draw
    from edge_digits_runtime.image.picture import is_picture_name
    from edge_digits_runtime.model.classifier import DigitClassifier
    from edge_digits_runtime.page import reading
    from edge_digits_runtime.records import files

    found = list(sources(pictures))
    # One file, or a folder with a file for each picture.
    single = annotate if annotate and annotate.suffix and not annotate.is_dir() else None
    if single and len(found) > 1:
        raise click.UsageError(f"--annotate {annotate} names one file, not one for each picture: name a folder")
    if single and not is_picture_name(single):
        raise click.UsageError(f"--annotate {annotate}: a picture is written to a name such as seen.png or seen.jpg")
    classifier = DigitClassifier(
        model, backend=backend, allow_unverified=allow_unverified, min_confidence=min_confidence
    )
    code = 0
    for name, source in found:
        try:
            image = open_source(source, reading.SHORTER_SIDE)
        except PictureError as error:
            click.echo(f"Error: {error}", err=True)
            code = WRONG_INPUT
            continue
        page = reading.read(image, classifier)
        if as_json:
            click.echo(json.dumps({"file": name} | page.to_dict(), ensure_ascii=False))
        else:
            if len(found) > 1:
                click.echo(f"{name}:")
            click.echo("\n".join(page.lines))
        if annotate is not None:
            with files.replacing(single or annotate / f"{flat_name(name)}.read.png") as temporary:
                draw(image, page).save(temporary)
        if strict and not all(digit.sure for digit in page.digits if digit.line is not None):
            code = max(code, NOT_SURE)
    return code
