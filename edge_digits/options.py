"""Options and exit codes that several verbs share."""

import os
from pathlib import Path
from typing import Any

import click

NOT_SURE = 1
"""Exit code of a command with --strict where an answer is not sure."""
WRONG_INPUT = 2
"""Exit code after wrong use or bad input; a command that could do the rest of its work has done it."""


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
            click.BadParameter: the system refuses to look it up.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            # The point at the end says whether a folder may be entered.
            os.stat(f"{path}{os.sep}{os.curdir}" if os.path.isdir(path) else path)  # noqa: PTH112, PTH116
        except (FileNotFoundError, NotADirectoryError):
            pass  # The verb says what is missing, or makes it.
        except OSError as error:
            self.fail(f"{path}: {error.strerror}", param, ctx)
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
    "--allow-unverified", is_flag=True, help="Run a model even if it does not match the sha256 in its card."
)
confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="The confidence below which an answer is not sure.  [default: that in the model's card]",
)
data_option = click.option(
    "--data",
    type=UserPath(),
    metavar="PATH",
    help="An .npz in Keras' layout, a folder with IDX files, or a folder of class folders 0/ … 9/.  [default: MNIST]",
)
