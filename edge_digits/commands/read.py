"""``edge-digits read``."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from edge_digits_runtime.errors import PictureError

from edge_digits.commands.answers import (
    CollectChoice,
    ModelChoice,
    NamedSource,
    collect_options,
    model_options,
    pictures_argument,
    print_answers,
)
from edge_digits.options import UserPath
from edge_digits.printing import print_json, printable
from edge_digits.progress import say
from edge_digits.sources import STDIN, flat_name, open_source, sources

if TYPE_CHECKING:
    from edge_digits_runtime.page.reading import Page
    from PIL.Image import Image


@click.command()
@pictures_argument
@model_options
@collect_options
@click.option(
    "--expect",
    metavar="FORMAT",
    help="What every number looks like: a regular expression such as '\\d{1,3}\\.\\d', or integer, decimal, number, "
    "date, time, phone or amount. It is read so that it fits; what does not fit is not sure.",
)
@click.option(
    "--decimal",
    type=click.Choice([".", ",", "auto"]),
    default="auto",
    show_default=True,
    help="The decimal mark in the 'value' of --json; auto: the last of two different marks, or a single one.",
)
@click.option(
    "--by-digit",
    is_flag=True,
    help="For clean pages of handwritten digits: cut the ink into digits by rules, and classify each. MODEL is then a "
    "classifier. It knows no signs, and is worse on anything else.",
)
@click.option(
    "--profile",
    type=UserPath(dir_okay=False),
    metavar="METER.TOML",
    help="The pictures show the meter that 'profile' has described: read its digits where they always are, one "
    "character for each, and combine wheels that turn. The profile names the model.",
)
@click.option("--digits-only", is_flag=True, help="Leave out signs, points and spaces.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per picture: file, how it was turned, and its lines with value, confidence and boxes.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if a number is not sure, or a picture has no number at all, and say which.",
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
    expect: str | None,
    decimal: str,
    by_digit: bool,
    profile: Path | None,
    digits_only: bool,
    as_json: bool,
    min_confidence: float | None,
    strict: bool,
    annotate: Path | None,
    collect: Path | None,
    collect_mb: float,
    collect_group: str | None,
    backend: str | None,
    allow_unverified: bool,
    require_signature: Path | None,
) -> int:
    """Read all numbers of a picture as they are written: in a cell, on a list, a form, a table, or a whole page.

    Prints a line for each row, with a space between two numbers, and a ? for a character that is doubtful or no part of
    a number. Words are left out. A page that lies on its side or on its head is turned. A picture without numbers is a
    line on standard error.

    --collect keeps each line that is not sure, cut out of its picture; 'label' asks what is written there, and DIR then
    is a test set for 'evaluate'. With --profile it keeps each place of the meter that the model is not sure of.

    IMAGE is as for 'classify'. Where there are several pictures, the name of each stands above its lines.

    \b
    Example:
      edge-digits read meter.jpg
      edge-digits read page.png --annotate seen.png --json
      edge-digits read grid.png --by-digit
      edge-digits read log.png --expect '\\d{1,2}[.,]\\d' --strict
      edge-digits read --profile meter.toml cellar/*.jpg
    """
    named = list(sources(pictures))
    # One file, or a folder with a file for each picture.
    single = annotate if annotate and annotate.suffix and not os.path.isdir(annotate) else None  # noqa: PTH112
    if single:
        _check_single(single, len(named))
    kept = CollectChoice(collect, collect_mb, collect_group)
    if profile is not None:
        from edge_digits.commands.meter_reading import MeterChoice, read_meters

        others = {
            "--model": model, "--expect": expect, "--by-digit": by_digit, "--digits-only": digits_only,
            "--min-confidence": min_confidence,
        }  # fmt: skip
        given = [name for name, value in others.items() if value not in (None, False)]
        if given:
            raise click.UsageError(f"{given[0]} does not go with --profile: the profile says how the meter is read")
        meter = MeterChoice(profile, backend, allow_unverified)
        return read_meters(named, meter, kept, as_json, strict, annotate, single is None)
    if by_digit and expect is not None:
        raise click.UsageError("--expect is for lines that are read as a whole: leave out --by-digit or --expect")
    if expect is not None:
        from edge_digits_runtime.page.formats import Format

        # Before anything is read.
        Format(expect)

    def show(name: str, page: "Page") -> None:
        rows = page.rows(digits_only)
        if as_json:
            print_json({"file": name} | page.to_dict(decimal, digits_only))  # type: ignore[arg-type]
        elif len(named) > 1:
            click.echo("\n".join([f"{printable(name)}:", *rows]))
        elif rows:
            click.echo("\n".join(rows))
        # With --strict it is said with what else is doubtful.
        if not rows and not strict:
            say(f"{printable(name)}: no numbers found")

    choice = _Choice(model, backend, allow_unverified, min_confidence, require_signature, expect, by_digit)
    prepare = functools.partial(_prepare, choice, kept, annotate, single is None)
    return print_answers(named, prepare, show, _doubts, strict)


def _doubts(page: "Page") -> list[str]:
    """Return each number that is not sure, by its row; or that there are none."""
    if not page.lines:
        return ["no numbers found"]
    return [f"line {line.row + 1}: {line.text}, {line.reason}" for line in page.lines if not line.sure]


@dataclass(frozen=True)
class _Choice:
    """What the command line asks for; unlike a loaded model it can be sent to another process."""

    model: Path | None
    backend: str | None
    allow_unverified: bool
    min_confidence: float | None
    require_signature: Path | None
    expect: str | None
    by_digit: bool

    def reader(self) -> "Callable[[Image], Page]":
        """Load the models and return the function that reads a picture.

        Raises:
            ModelError: a model is missing, damaged, or of another kind.
            UsageError: no installed model has that name, or it is no model of digits.
            BackendError: the backend is not installed.
            SignatureError: the model is not signed with the key that is required.
        """
        options: dict[str, Any] = {
            "backend": self.backend,
            "allow_unverified": self.allow_unverified,
            "min_confidence": self.min_confidence,
            "require_signature": self.require_signature,
        }
        if self.by_digit:
            from edge_digits_runtime.page import digit_reading

            classifier = ModelChoice(self.model, **options).load()
            return lambda image: digit_reading.read(image, classifier).as_numbers()
        from edge_digits_runtime.page.formats import Format
        from edge_digits_runtime.page.reading import PageReader

        reader = PageReader(self.model, **options)
        form = None if self.expect is None else Format(self.expect)
        return lambda image: reader.read(image, form)


def _check_single(file: Path, pictures: int) -> None:
    """Refuse to write several pictures into one file, or one under a name that is no picture's."""
    from edge_digits_runtime.image.picture import is_picture_name

    if pictures > 1:
        raise click.UsageError(f"--annotate {file} names one file, and there are {pictures} pictures: name a folder")
    if not is_picture_name(file):
        raise click.UsageError(f"--annotate {file}: a picture is written to a name such as seen.png or seen.jpg")


def _prepare(
    choice: _Choice, collect: CollectChoice, annotate: Path | None, into_folder: bool
) -> "Callable[[NamedSource], Page]":
    """Load the models and return the function that reads a picture."""
    from edge_digits_runtime.page.reading import SHORTER_SIDE

    read_picture, collection = choice.reader(), collect.open_lines()

    def work(named: NamedSource) -> "Page":
        name, source = named
        image = open_source(source, SHORTER_SIDE)
        try:
            page = read_picture(image)
        except PictureError as error:
            raise PictureError(f"{'standard input' if name == STDIN else name}: {error}") from error
        if collection is not None:
            collection.offer_page(image, page, collect.group)
        if annotate is not None:
            from edge_digits_runtime.drawing.annotate import annotate as draw
            from edge_digits_runtime.records import files

            out = annotate / f"{flat_name(name)}.read.png" if into_folder else annotate
            with files.replacing(out) as temporary:
                draw(image, page).save(temporary)
        return page

    return work
