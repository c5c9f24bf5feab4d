"""Options and exit codes that several verbs share."""

from pathlib import Path

import click

NOT_SURE = 1
"""Exit code of a command with --strict where an answer is not sure."""
WRONG_INPUT = 2
"""Exit code after wrong use or bad input; a command that could do the rest of its work has done it."""

model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
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
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="An .npz in Keras' layout, a folder with IDX files, or a folder of class folders 0/ … 9/.  [default: MNIST]",
)
