"""``edge-digits watch``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_digits.options import NOT_SURE, UserPath, backend_option, unverified_option
from edge_digits.printing import print_json, printable
from edge_digits.progress import say

if TYPE_CHECKING:
    from edge_digits_runtime.meter.profile import Profile

    from edge_digits.watching.record import Output, Record

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class DurationType(click.ParamType):  # type: ignore[type-arg]
    """A time such as ``30``, ``60s``, ``5m`` or ``1h``, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds.

        Raises:
            click.BadParameter: it is something else, less than a tenth of a second or more than a day.
        """
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(|s|m|min|h)", str(value))
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if not 0.1 <= seconds <= 86_400:
            self.fail(f"{value!r:.40}; allowed is 0.1s to 24h, such as 60s, 5m or 1h", param, ctx)
        return seconds


class SizeType(click.ParamType):  # type: ignore[type-arg]
    """``1280x720``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return width and height.

        Raises:
            click.BadParameter: it is something else.
        """
        match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", str(value))
        if match is None:
            self.fail(f"{value!r:.40}; allowed is width and height in pixels, such as 1280x720", param, ctx)
        return int(match[1]), int(match[2])


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
    "--every", type=DurationType(), default="60s", show_default=True, metavar="TIME", help="From picture to picture."
)
@click.option(
    "--once", is_flag=True, help="End after one reading, or with what is in the folder. Exit 1 if none is sure."
)
@click.option("--size", type=SizeType(), metavar="WxH", help="Picture size that a camera is asked for.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each picture, doubtful ones too.")
@click.option("--csv", "csv_path", type=UserPath(dir_okay=False), metavar="FILE", help="Append to a CSV file.")
@click.option(
    "--sqlite",
    type=UserPath(dir_okay=False),
    metavar="FILE",
    help="Add to the tables readings and doubts of a database.",
)
@click.option(
    "--mqtt",
    metavar="URL",
    help="Send to a broker, as Home Assistant expects it: mqtt://[USER@]HOST[:PORT][/PREFIX], or mqtts. The password "
    "is in $EDGE_DIGITS_MQTT_PASSWORD or a file.",
)
@click.option(
    "--mqtt-password-file", type=UserPath(dir_okay=False), metavar="FILE", help="File that holds the broker's password."
)
@click.option("--device-class", metavar="NAME", help="For Home Assistant, such as gas.  [default: by the unit]")
@click.option(
    "--doubts",
    type=UserPath(file_okay=False),
    metavar="DIR",
    help="Where doubtful pictures are kept.  [default: the name of the profile with -doubts, beside it]",
)
@click.option(
    "--doubts-mb",
    type=click.FloatRange(0, 100_000),
    default=50,
    show_default=True,
    help="Megabytes of them; then the oldest is removed. 0 keeps none.",
)
@click.option("--install-service", is_flag=True, help="Install a systemd service that does this from now on.")
@click.option("--print", "print_service", is_flag=True, help="With --install-service: print it, install nothing.")
@backend_option
@unverified_option
@click.pass_context
def watch(
    context: click.Context,
    source: str,
    profile_path: Path,
    every: float,
    once: bool,
    size: tuple[int, int] | None,
    as_json: bool,
    csv_path: Path | None,
    sqlite: Path | None,
    mqtt: str | None,
    mqtt_password_file: Path | None,
    device_class: str | None,
    doubts: Path | None,
    doubts_mb: float,
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
    than the profile allows is not published; it is logged, and its picture kept.

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
    opened = open_source(source, size)
    outputs, last = _outputs(reader.profile, as_json, csv_path, sqlite, mqtt, mqtt_password_file, device_class)
    from edge_digits.watching.doubts import Doubts
    from edge_digits.watching.loop import Watch

    folder = doubts or profile_path.with_name(f"{profile_path.stem}-doubts")
    kept = Doubts(folder, round(doubts_mb * 1e6)) if doubts_mb else None
    watching = Watch(opened, reader, outputs, lambda line: say(printable(line)), kept, last)
    watching.run(every, once)
    return NOT_SURE if once and not watching.published else 0


def _outputs(
    profile: "Profile",
    as_json: bool,
    csv_path: Path | None,
    sqlite: Path | None,
    mqtt: str | None,
    password_file: Path | None,
    device_class: str | None,
) -> "tuple[list[Output], tuple[float, float] | None]":
    """Open everything that readings go to; return it, and what was published last, if one of the files says so."""
    outputs: list[Output] = [Printed(as_json)]
    last = []
    if csv_path is not None:
        from edge_digits.watching.files_output import CsvFile

        table = CsvFile(csv_path)
        outputs.append(table)
        last.append(table.last(profile.name))
    if sqlite is not None:
        from edge_digits.watching.files_output import SqliteFile

        database = SqliteFile(sqlite)
        outputs.append(database)
        last.append(database.last(profile.name))
    if mqtt is not None:
        from edge_digits.watching.mqtt_output import MqttBroker

        outputs.append(MqttBroker(mqtt, profile, password_file, device_class))
    return outputs, max((one for one in last if one is not None), default=None)
