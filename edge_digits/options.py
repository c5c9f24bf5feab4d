"""Options and exit codes that several verbs share."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import Grouping
    from edge_digits_runtime.image.model_input import Input

NOT_SURE = 1
"""Exit code of a command with --strict where an answer is not sure."""
WORSE = 1
"""Exit code where a new model is worse than the one before."""
WRONG_INPUT = 2
"""Exit code after wrong use or bad input; a command that could do the rest of its work has done it."""


ELSEWHERE = "edge_digits.elsewhere"
"""Key in the ``meta`` of a context whose command line is for another machine, so that its paths are not looked up."""


class UserPath(click.Path):
    """A path on the command line that the system can look up, whether or not anything is there.

    A name that is too long, or a folder that is closed to this user, is wrong use. Most of what works with paths asks
    first whether a file is there, and would raise.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            click.BadParameter: it is empty, or the system refuses to look it up.
        """
        if not os.fspath(value):
            # As a path it would be the folder in which the command was typed.
            self.fail("'' names nothing; give a file or a folder", param, ctx)
        if ctx is not None and ctx.meta.get(ELSEWHERE):
            return Path(value)
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            # The point at the end says whether a folder may be entered.
            os.stat(f"{path}{os.sep}{os.curdir}" if os.path.isdir(path) else path)  # noqa: PTH112, PTH116
        except (FileNotFoundError, NotADirectoryError):
            pass  # The verb says what is missing, or makes it.
        except OSError as error:
            self.fail(f"{path}: {error.strerror}", param, ctx)
        return path


class OutputPath(UserPath):
    """A path on the command line that a verb writes to: whether it can is checked at once, not after an hour's work."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            click.BadParameter: the system refuses to look it up, or nothing can be written there.
        """
        from edge_digits_runtime.errors import OutputError
        from edge_digits_runtime.records import files

        path = super().convert(value, param, ctx)
        if ctx is not None and ctx.meta.get(ELSEWHERE):
            return path
        try:
            files.check_writable(path, folder=not self.file_okay)
        except OutputError as error:
            self.fail(str(error), param, ctx)
        return path


model_option = click.option(
    "--model",
    type=UserPath(),
    metavar="MODEL",
    help="A .tflite file, or the name of an installed model (see 'models').  [default: the one in the runtime]",
)
backend_option = click.option(
    "--backend",
    type=click.Choice(["litert", "tflite-runtime"]),
    help="The interpreter.  [default: $EDGE_DIGITS_BACKEND, or the one that is installed]",
)
unverified_option = click.option(
    "--allow-unverified",
    is_flag=True,
    help="Run a model even if it does not match the sha256 in its card, or has operators that cannot be checked.",
)
signature_option = click.option(
    "--require-signature",
    type=UserPath(),
    metavar="PUBKEY",
    help="Refuse a model that is not signed with the private key of PUBKEY, before anything of it is parsed.",
)
sign_option = click.option(
    "--sign", type=UserPath(), metavar="KEY", help="Sign it with this private key, see 'keygen'."
)
confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="The confidence below which an answer is not sure.  [default: that in the model's card; of 'read', 0.9]",
)
_max_drop_option = click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    metavar="PP",
    help="Exit with 1 unless the upper bound of the drop's 95 % interval is at most PP percentage points.",
)
_point_option = click.option("--point", is_flag=True, help="With --max-drop: judge the drop itself, not its interval.")


def gate_options(command: Any) -> Any:
    """Add the options that `edge_digits.pipeline.print_gates` takes: a limit of the drop, and what is held to it."""
    return _max_drop_option(_point_option(command))


def check_gate(max_drop: float | None, point: bool) -> None:
    """Refuse ``--point`` without a limit, and a limit that is no number.

    Raises:
        click.UsageError: there is no limit, or it is ``nan``, which no range excludes.
    """
    if max_drop is not None and math.isnan(max_drop):
        raise click.UsageError("--max-drop nan: give percentage points, 0 to 100")
    if point and max_drop is None:
        raise click.UsageError("--point says how --max-drop judges: give --max-drop, too, or leave it out")


def check_licence(option: str, value: str) -> None:
    """Refuse what is no SPDX expression; nothing is allowed.

    Raises:
        click.UsageError: it is none.
    """
    from edge_digits_runtime.model.card import LICENCE

    if value and not re.fullmatch(LICENCE, value):
        raise click.UsageError(f"{option} {value!r:.60}: give an SPDX expression, such as MIT or CC-BY-4.0")


data_option = click.option(
    "--data",
    type=UserPath(),
    metavar="PATH",
    help="An .npz, a folder with IDX files, or a folder of class folders, such as 0/ … 9/ or A/ … Z/; "
    "mnist is the one packed here.  [default: mnist]",
)


class InputType(click.ParamType):  # type: ignore[type-arg]
    """``ink``, ``crop``, or ``crop:32x20`` with height and width in pixels."""

    name = "input"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "InputChoice":
        """Return the choice.

        Raises:
            click.BadParameter: it is none of the three.
        """
        if isinstance(value, InputChoice):
            return value
        match = re.fullmatch(r"(ink|crop)(?::([0-9]{1,4})x([0-9]{1,4}))?", value)
        if match is None:
            self.fail(f"{value!r:.40}; allowed is ink, crop, or crop with a size, such as crop:32x20", param, ctx)
        return InputChoice(match[1], None if match[2] is None else (int(match[2]), int(match[3])))


@dataclass(frozen=True)
class InputChoice:
    """What the command line says of the input of a model."""

    kind: str
    shape: tuple[int, int] | None
    """Height and width in pixels; None where none are given."""

    def resolved(self, shape: tuple[int, int]) -> "Input":
        """Return the input, of the size ``shape`` where the command line gives none.

        Raises:
            UsageError: the kind does not allow that size.
        """
        from edge_digits_runtime.image.model_input import Input

        return Input(self.kind, *(self.shape or shape))  # type: ignore[arg-type]


INK, CROP = InputChoice("ink", None), InputChoice("crop", None)
input_option = click.option(
    "--input",
    "form",
    type=InputType(),
    default=INK,
    show_default="ink",
    metavar="KIND[:HxW]",
    help="How a picture becomes pixels. ink: the digit is found and framed as in MNIST. crop: the whole picture is "
    "scaled, grey, its contrast stretched; crop:32x20 makes it 32 pixels high and 20 wide.",
)
_group_from_option = click.option(
    "--group-from",
    metavar="REGEX",
    help="What finds the group of a picture (its writer, meter, display) in its path within --data: the part in "
    "parentheses, as in '([^/_]+)_[0-9]+.png'. Pictures of a group stay together.",
)
_test_groups_option = click.option(
    "--test-groups",
    multiple=True,
    metavar="NAME,...",
    help="Groups that are held out for testing.  [default: a seeded draw]",
)


def grouping_options(command: Any) -> Any:
    """Add the options that `grouping` takes."""
    return _group_from_option(_test_groups_option(command))


def grouping(group_from: str | None, test_groups: tuple[str, ...]) -> "Grouping":
    """Return how pictures are put into groups.

    Raises:
        UsageError: ``group_from`` is no regular expression with a part in parentheses, or ``test_groups`` has no name.
    """
    from edge_digits_runtime.data.datasets import Grouping
    from edge_digits_runtime.errors import UsageError

    names = [name.strip() for each in test_groups for name in each.split(",")]
    found = tuple(name for name in names if name)
    if test_groups and not found:
        raise UsageError(f"--test-groups {test_groups[0]!r:.40} names no group; give names, with commas between them")
    return Grouping(group_from, found)
