"""``edge-digits export``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_digits.options import OutputPath, UserPath
from edge_digits.printing import printable

if TYPE_CHECKING:
    import numpy as np
    from edge_digits_runtime.model.card import ModelCard
    from numpy.typing import NDArray

_PICTURES = 10


@click.command()
@click.argument("model", required=False, type=UserPath(), metavar="[MODEL]")
@click.option(
    "-o",
    "--out",
    type=OutputPath(file_okay=False),
    default=Path("digits"),
    show_default=True,
    help="The folder to write; it must not be there yet.",
)
@click.option(
    "--data",
    type=UserPath(),
    metavar="PATH",
    help="Where the pictures of the self-test come from: an .npz, a folder with IDX files, or class folders.  "
    "[default: MNIST, or noise for a model that is not for digits]",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Also compile it for Cortex-M0+, M4 and M33, run it on emulated boards, and write flash, RAM and instructions "
    "to microcontroller.json in the folder, for 'report'. Needs gcc-arm-none-eabi and qemu-system-arm.",
)
def export(model: Path | None, out: Path, data: Path | None, measure: bool) -> None:
    """Write an int8 MODEL as C for a microcontroller: no interpreter, no heap, no library. MODEL is a .tflite file or
    the name of an installed model; without it the one in the runtime is taken.

    The C gives the logits of TensorFlow Lite Micro in every bit. The folder has digits.h and digits.c, a program for
    this machine, a self-test, a Makefile for Cortex-M0+, M4 and M33, and projects for the Pico SDK and Arduino. If this
    machine has a C compiler, the self-test is run before the folder is there.

    \b
    Example:
      edge-digits export digits-xs -o digits
      make -C digits test
      edge-digits export digits-m -o measured --measure
    """
    from edge_digits_convert.microcontroller import export as write
    from edge_digits_runtime.model.card import read_model_file
    from edge_digits_runtime.model.registry import DEFAULT_MODEL, find

    from edge_digits.progress import say

    path = find(model) if model else DEFAULT_MODEL
    pictures, origin = _pictures(read_model_file(path).card, data)
    written = write(path, out, pictures, origin, measured=measure, progress=say)
    network = written.network
    click.echo(
        f"{printable(out)}: {written.card.name}, {network.macs:,} multiply-accumulates a picture; "
        f"{network.weight_bytes:,} bytes of weights and {written.plan.size:,} bytes of RAM"
    )
    if written.compiler:
        click.echo(f"self-test: compiled with {written.compiler}, {len(pictures)} of {len(pictures)} pictures right")
    else:
        click.echo("self-test: not run, since this machine has no C compiler; 'make test' in the folder runs it")
    if written.record:
        for figures in written.record.processors:
            per_mac = figures.instructions / max(written.record.macs, 1)
            click.echo(
                f"{figures.processor}: {figures.flash_bytes:,} bytes of flash, {figures.ram_bytes:,} of RAM, "
                f"{figures.instructions:,} instructions a picture ({per_mac:.2f} for a "
                "multiply-accumulate)"
            )


def _pictures(card: "ModelCard | None", data: Path | None) -> "tuple[NDArray[np.uint8], str]":
    """Return the pictures of the self-test, one of each class as far as they go, and what they are."""
    import numpy as np
    from edge_digits_convert.microcontroller.exporting import made_pictures
    from edge_digits_runtime.data.classes import are_digits
    from edge_digits_runtime.image.model_input import INK

    from edge_digits.data_sets import load_test

    form = card.input if card else INK
    if data is None and (card is None or form.kind != "ink" or not are_digits(card.labels)):
        return made_pictures(*form.shape), "Pictures of noise."
    dataset = load_test(data, form)
    _, first = np.unique(dataset.test.labels, return_index=True)
    rest = np.setdiff1d(np.arange(len(dataset.test)), first)
    chosen = np.sort(np.concatenate([first, rest])[:_PICTURES])
    return dataset.test.images[chosen], f"Test pictures of {dataset.name}."
