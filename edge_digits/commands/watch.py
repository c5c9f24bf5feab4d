"""``edge-digits watch``."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_digits.commands.answers import CollectChoice, collect_options
from edge_digits.commands.watch_options import WatchChoice, watch_options
from edge_digits.options import NOT_SURE, UserPath, backend_option, unverified_option
from edge_digits.printing import print_json, printable
from edge_digits.progress import say

if TYPE_CHECKING:
    from edge_digits.watching.record import Record


class Printed:
    """Readings on standard output, and doubts on standard error; with JSON, both on standard output."""

    name = "standard output"

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def write(self, record: "Record") -> None:
        """Print a line."""
        if self._as_json:
            print_json(record.to_dict())
        elif record.sure:
            unit = f" {record.unit}" if record.unit else ""
            click.echo(printable(f"{record.time[:19]}Z  {_shown(record)}{unit}"))
        else:
            kept = f", kept as {record.picture}" if record.picture else ""
            say(printable(f"{record.time[:19]}Z  {record.text}  not published: {record.reason}{kept}"))

    def close(self) -> None:
        """Do nothing: each line was written at once."""


def _shown(record: "Record") -> str:
    """Return the value with as many decimals as the meter has."""
    _, _, decimals = record.text.partition(".")
    return f"{record.value:.{len(decimals)}f}"


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--profile",
    "profile_path",
    type=UserPath(dir_okay=False),
    required=True,
    metavar="METER.TOML",
    help="What to look at: 'profile' makes it.",
)
@click.option(
    "--once", is_flag=True, help="End after one reading, or with what is in the folder. Exit 1 if none is sure."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each picture, doubtful ones too.")
@watch_options
@collect_options
@click.option("--install-service", is_flag=True, help="Install a systemd service that does this from now on.")
@click.option("--print", "print_service", is_flag=True, help="With --install-service: print it, install nothing.")
@backend_option
@unverified_option
@click.pass_context
def watch(
    context: click.Context,
    source: str,
    profile_path: Path,
    once: bool,
    as_json: bool,
    watching: WatchChoice,
    collect: Path | None,
    collect_mb: float,
    collect_group: str | None,
    install_service: bool,
    print_service: bool,
    backend: str | None,
    allow_unverified: bool,
) -> int:
    """Watch a meter: read it again and again, and publish what can be believed.

    SOURCE is a folder into which pictures come, http://… or https://… of a camera's snapshot, /dev/video0, picamera, or
    exec:COMMAND for a command that writes a picture to standard output. The password of a user in an address is in
    $EDGE_DIGITS_SOURCE_PASSWORD.

    A value that changes is published when the next picture bears it out. What is doubtful, goes back, or changes faster
    than the profile allows is not published; it is logged, and its picture kept. --collect keeps the places in it that
    the model is not sure of, to be labelled on the page of 'serve --collect DIR'.

    \b
    Example:
      edge-digits watch http://192.168.1.20/capture --profile meter.toml --every 60s --csv meter.csv
      edge-digits watch /dev/video0 --profile meter.toml --mqtt mqtt://meter@homeassistant.local
      edge-digits watch pictures --profile meter.toml --once --json
      edge-digits watch picamera --profile meter.toml --sqlite meter.db --install-service --print
    """
    if print_service and not install_service:
        raise click.UsageError("--print goes with --install-service")
    from edge_digits.commands.meter_reading import MeterChoice
    from edge_digits.watching.frames import open_source

    reader = MeterChoice(profile_path, backend, allow_unverified).load()
    if install_service:
        from edge_digits.watching.service import install

        return install(context, reader.profile.name, print_service)
    opened = open_source(source, watching.size)
    outputs, last = watching.outputs(reader.profile)
    collection = CollectChoice(collect, collect_mb, collect_group).open()
    from edge_digits.watching.loop import Watch

    watch = Watch(
        opened,
        reader,
        [Printed(as_json), *outputs],
        lambda line: say(printable(line)),
        watching.open_doubts(profile_path),
        last,
        None if collection is None else functools.partial(collection.offer_meter, group=collect_group),
    )
    watch.run(watching.every, once)
    return NOT_SURE if once and not watch.published else 0
