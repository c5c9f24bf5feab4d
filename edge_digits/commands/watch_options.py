"""The options that ``watch`` and ``serve --profile`` have in common: how often, and where readings go."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge_digits.options import OutputPath, UserPath

if TYPE_CHECKING:
    from edge_digits_runtime.meter.profile import Profile

    from edge_digits.watching.doubts import Doubts
    from edge_digits.watching.record import Output

Command = TypeVar("Command", bound=Callable[..., Any])
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


@dataclass(frozen=True)
class WatchChoice:
    """How the command line asks for a meter to be watched."""

    every: float
    """Seconds from picture to picture."""
    size: tuple[int, int] | None
    csv_path: Path | None
    sqlite: Path | None
    mqtt: str | None
    mqtt_password_file: Path | None
    device_class: str | None
    doubts: Path | None
    doubts_mb: float

    def outputs(self, profile: "Profile") -> "tuple[list[Output], tuple[float, float] | None]":
        """Open everything that readings go to; return it, and what was published last, if one of the files says so.

        Raises:
            OutputError: a file cannot be used.
            UsageError: the address of the broker is none, or its library is missing.
        """
        outputs: list[Output] = []
        last = []
        if self.csv_path is not None:
            from edge_digits.watching.files_output import CsvFile

            table = CsvFile(self.csv_path)
            outputs.append(table)
            last.append(table.last(profile.name))
        if self.sqlite is not None:
            from edge_digits.watching.files_output import SqliteFile

            database = SqliteFile(self.sqlite)
            outputs.append(database)
            last.append(database.last(profile.name))
        if self.mqtt is not None:
            from edge_digits.watching.mqtt_output import MqttBroker

            outputs.append(MqttBroker(self.mqtt, profile, self.mqtt_password_file, self.device_class))
        return outputs, max((one for one in last if one is not None), default=None)

    def open_doubts(self, profile_path: Path) -> "Doubts | None":
        """Open the folder of doubtful pictures; None where none are kept.

        Raises:
            OutputError: it cannot be read.
        """
        if not self.doubts_mb:
            return None
        from edge_digits.watching.doubts import Doubts

        folder = self.doubts or profile_path.with_name(f"{profile_path.stem}-doubts")
        return Doubts(folder, round(self.doubts_mb * 1e6))


def watch_options(command: Command) -> Command:
    """Add the options that a `WatchChoice` is made of, and hand it to the command as ``watching``."""

    @functools.wraps(command)
    def packed(*arguments: Any, **options: Any) -> Any:
        chosen = {name: options.pop(name) for name in WatchChoice.__dataclass_fields__}
        return command(*arguments, watching=WatchChoice(**chosen), **options)

    for option in (
        click.option(
            "--doubts-mb",
            type=click.FloatRange(0, 100_000),
            default=50,
            show_default=True,
            help="Megabytes of them; then the oldest is removed. 0 keeps none.",
        ),
        click.option(
            "--doubts",
            type=OutputPath(file_okay=False),
            metavar="DIR",
            help="Where doubtful pictures are kept.  [default: the name of the profile with -doubts, beside it]",
        ),
        click.option("--device-class", metavar="NAME", help="For Home Assistant, such as gas.  [default: by the unit]"),
        click.option(
            "--mqtt-password-file",
            type=UserPath(dir_okay=False),
            metavar="FILE",
            help="File that holds the broker's password.",
        ),
        click.option(
            "--mqtt",
            metavar="URL",
            help="Send to a broker, as Home Assistant expects it: mqtt://[USER@]HOST[:PORT][/PREFIX], or mqtts. The "
            "password is in $EDGE_DIGITS_MQTT_PASSWORD or a file.",
        ),
        click.option(
            "--sqlite",
            type=OutputPath(dir_okay=False),
            metavar="FILE",
            help="Add to the tables readings and doubts of a database.",
        ),
        click.option(
            "--csv", "csv_path", type=OutputPath(dir_okay=False), metavar="FILE", help="Append to a CSV file."
        ),
        click.option("--size", type=SizeType(), metavar="WxH", help="Picture size that a camera is asked for."),
        click.option(
            "--every",
            type=DurationType(),
            default="60s",
            show_default=True,
            metavar="TIME",
            help="From picture to picture.",
        ),
    ):
        packed = option(packed)
    return packed  # type: ignore[return-value]
