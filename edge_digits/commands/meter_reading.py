"""The part of ``edge-digits read`` that reads meters by a profile."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from edge_digits_runtime.errors import PictureError

from edge_digits.commands.answers import CollectChoice, NamedSource, print_answers
from edge_digits.printing import print_json, printable
from edge_digits.progress import say
from edge_digits.sources import STDIN, flat_name, open_source

if TYPE_CHECKING:
    from edge_digits_runtime.meter.reading import MeterReader, MeterReading


@dataclass(frozen=True)
class MeterChoice:
    """The profile that the command line asks for; unlike a loaded one it can be sent to another process."""

    profile: Path
    backend: str | None = None
    allow_unverified: bool = False

    def load(self) -> "MeterReader":
        """Load profile, models and reference picture.

        Raises:
            ProfileError: something in the profile does not fit.
            ModelError: a model is missing or damaged.
            UsageError: no installed model has the name that the profile says.
            BackendError: the backend is not installed.
        """
        from edge_digits_runtime.meter.profile import load_profile
        from edge_digits_runtime.meter.reading import MeterReader

        return MeterReader(
            load_profile(self.profile),
            self.profile.parent,
            backend=self.backend,
            allow_unverified=self.allow_unverified,
        )


@dataclass(frozen=True)
class _Work:
    """Loads the profile and returns the function that reads a picture; it can be sent to another process."""

    choice: MeterChoice
    collect: CollectChoice
    annotate: Path | None
    into_folder: bool

    def __call__(self) -> "Callable[[NamedSource], MeterReading]":
        from edge_digits_runtime.meter.reading import SHORTER_SIDE

        reader, collection = self.choice.load(), self.collect.open()

        def work(named: NamedSource) -> "MeterReading":
            name, source = named
            image = open_source(source, SHORTER_SIDE)
            try:
                reading = reader.read(image)
            except PictureError as error:
                raise PictureError(f"{'standard input' if name == STDIN else name}: {error}") from error
            if collection is not None:
                collection.offer_meter(image, reader, reading, self.collect.group)
            if self.annotate is not None:
                from edge_digits_runtime.drawing.annotate_meter import annotate_meter
                from edge_digits_runtime.records import files

                out = self.annotate / f"{flat_name(name)}.read.png" if self.into_folder else self.annotate
                with files.replacing(out) as temporary:
                    annotate_meter(image, reader.profile, reading).save(temporary)
            return reading

        return work


def read_meters(
    named: list[NamedSource],
    choice: MeterChoice,
    collect: CollectChoice,
    as_json: bool,
    strict: bool,
    annotate: Path | None,
    into_folder: bool,
) -> int:
    """Read pictures of one meter, print a line for each, and return the exit code."""
    from edge_digits_runtime.meter.profile import load_profile

    # Once here, so that a mistake in it is said once, and before anything is read.
    profile = load_profile(choice.profile)

    def show(name: str, reading: "MeterReading") -> None:
        if as_json:
            content: dict[str, Any] = {"file": name, "meter": profile.name, "unit": profile.unit}
            print_json(content | reading.to_dict())
        else:
            click.echo(reading.written if len(named) == 1 else f"{printable(name)}: {reading.written}")
        # With --strict it is said at the end.
        if not reading.sure and not strict:
            say(f"{printable(name)}: {reading.reason}")

    def doubts(reading: "MeterReading") -> list[str]:
        return [] if reading.sure else [f"{reading.written}, {reading.reason}"]

    return print_answers(named, _Work(choice, collect, annotate, into_folder), show, doubts, strict)
