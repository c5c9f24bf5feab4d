"""``edge-digits read``."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import PictureError

from edge_digits.commands.answers import ModelChoice, NamedSource, model_options, pictures_argument, print_answers
from edge_digits.options import UserPath
from edge_digits.printing import print_json, printable
from edge_digits.progress import say
from edge_digits.sources import STDIN, flat_name, open_source, sources

if TYPE_CHECKING:
    from edge_digits_runtime.page.reading import Page


@click.command()
@pictures_argument
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per picture: file, lines, digits.")
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if a digit in a line is not sure, or a picture has no digits at all, and say which.",
)
@click.option(
    "--annotate",
    type=UserPath(),
    metavar="OUT",
    help="Draw boxes and answers on the picture: a file, or a folder for several pictures.",
)
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
    """Read all digits of a picture: a number, several lines of numbers, or a whole page, also of ruled paper.

    Prints the lines from top to bottom, with a space between two numbers and a ? in a number for what looks like no
    digit. What has no digit beside it is left out. A picture without digits is one line on standard error.

    IMAGE is as for 'classify'. Where there are several pictures, the name of each stands above its lines.

    \b
    Example:
      edge-digits read meter.jpg
      edge-digits read page.png --annotate seen.png --json
    """
    named = list(sources(pictures))
    # One file, or a folder with a file for each picture.
    single = annotate if annotate and annotate.suffix and not os.path.isdir(annotate) else None  # noqa: PTH112
    if single:
        _check_single(single, len(named))

    def show(name: str, page: "Page") -> None:
        if as_json:
            print_json({"file": name} | page.to_dict())
        elif len(named) > 1:
            click.echo("\n".join([f"{printable(name)}:", *page.lines]))
        elif page.lines:
            click.echo("\n".join(page.lines))
        # With --strict it is said with what else is doubtful.
        if not page.lines and not strict:
            say(f"{printable(name)}: no digits found")

    prepare = functools.partial(
        _prepare, ModelChoice(model, backend, allow_unverified, min_confidence), annotate, single is None
    )
    return print_answers(named, prepare, show, _doubts, strict)


def _doubts(page: "Page") -> list[str]:
    """Return each digit of a line that is not sure, by line and place; or that there are none."""
    if not page.lines:
        return ["no digits found"]
    doubts, place, line = [], 0, -1
    for digit in page.digits:
        if digit.line is None:
            continue
        line, place = (line, place + 1) if digit.line == line else (digit.line, 1)
        if not digit.sure:
            doubts.append(f"line {line + 1}, digit {place}: {digit.digit}, {digit.reason}")
    return doubts


def _check_single(file: Path, pictures: int) -> None:
    """Refuse to write several pictures into one file, or one under a name that is no picture's."""
    from edge_digits_runtime.image.picture import is_picture_name

    if pictures > 1:
        raise click.UsageError(f"--annotate {file} names one file, and there are {pictures} pictures: name a folder")
    if not is_picture_name(file):
        raise click.UsageError(f"--annotate {file}: a picture is written to a name such as seen.png or seen.jpg")


def _prepare(choice: ModelChoice, annotate: Path | None, into_folder: bool) -> "Callable[[NamedSource], Page]":
    """Load the model and return the function that reads a picture."""
    from edge_digits_runtime.page import reading

    classifier = choice.load()

    def work(named: NamedSource) -> "Page":
        name, source = named
        image = open_source(source, reading.SHORTER_SIDE)
        try:
            page = reading.read(image, classifier)
        except PictureError as error:
            raise PictureError(f"{'standard input' if name == STDIN else name}: {error}") from error
        if annotate is not None:
            from edge_digits_runtime.drawing.annotate import annotate as draw
            from edge_digits_runtime.records import files

            out = annotate / f"{flat_name(name)}.read.png" if into_folder else annotate
            with files.replacing(out) as temporary:
                draw(image, page).save(temporary)
        return page

    return work
