"""``edge-digits models``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from edge_digits_runtime.errors import EdgeDigitsError

from edge_digits.formatting import device, percent
from edge_digits.options import WRONG_INPUT
from edge_digits.printing import print_error, print_json, printable

if TYPE_CHECKING:
    from edge_digits_runtime.model.registry import InstalledModel

_COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("file bytes", "bytes", "{:,}".format),
    ("flatbuffer", "flatbuffer_bytes", "{:,}".format),
    ("parameters", "parameters", "{:,}".format),
    ("MACs", "macs", "{:,}".format),
    ("accuracy", "accuracy", percent),
    ("drop, pp", "drop_pp", "{:.2f}".format),
    ("invoke, µs", "p50_us", "{:,.1f}".format),
    ("file, µs", "file_p50_us", "{:,.0f}".format),
    ("MCU flash", "mcu_flash_bytes", "{:,}".format),
    ("MCU RAM", "mcu_ram_bytes", "{:,}".format),
)
"""For each column its title, the key of the JSON object, and the function that writes the value."""
_WIDTH = 10


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model, each on a line.")
def models(as_json: bool) -> int:
    """List the installed models, which --model takes by name: size, work for one picture, accuracy on MNIST's test
    pictures, how much of it quantization cost, and two medians with the device they were measured on: of an
    invocation, and of the whole way from a picture file to the answer.

    The default model comes with the runtime, the extra 'models' brings the others. A - stands for what is not known.
    MCU stands for a microcontroller, a Cortex-M0+: the bytes that the C of 'export' takes there.

    \b
    Example:
      edge-digits models
      edge-digits classify seven.png --model digits-m
    """
    from edge_digits_runtime.model import registry

    rows, code = [], 0
    for name, path in (registry.paths() | registry.line_paths()).items():
        try:
            rows.append(describe(registry.read(name, path)))
        except EdgeDigitsError as error:
            print_error(error)
            code = WRONG_INPUT
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        _print(rows)
    return code


def describe(model: "InstalledModel") -> dict[str, Any]:
    """Return what is known of an installed model as JSON-ready values."""
    card, evaluation = model.file.card, model.evaluation
    invoke = evaluation and evaluation.latency.get("invoke")
    file = evaluation and evaluation.latency.get("file")
    # The smallest processor is measured first.
    figures = model.microcontroller.processors[0] if model.microcontroller else None
    return {
        "name": model.name,
        "default": model.default,
        "bytes": len(model.file.content),
        "flatbuffer_bytes": model.file.flatbuffer_bytes,
        "parameters": card and card.parameters,
        "macs": card and card.macs,
        "accuracy": model.accuracy,
        "drop_pp": None if model.drop_pp is None else round(model.drop_pp, 4),
        "p50_us": invoke and round(invoke.p50, 3),
        "file_p50_us": file and round(file.p50, 3),
        "mcu_flash_bytes": figures and figures.flash_bytes,
        "mcu_ram_bytes": figures and figures.ram_bytes,
        "trained_on": [{"data": each.data, "terms": each.terms} for each in card.trained_on] if card else [],
        "licence": (card and card.licence) or None,
        "device": evaluation and device(evaluation.device),
        "path": str(model.path),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    width = max(len(row["name"]) for row in rows)
    click.echo("  ".join([" " * (width + 1), *(title.rjust(_WIDTH) for title, _, _ in _COLUMNS)]))
    for row in rows:
        cells = [("-" if row[key] is None else form(row[key])).rjust(_WIDTH) for _, key, form in _COLUMNS]
        mark = "*" if row["default"] else " "
        where = f"  on {row['device']}" if row["device"] else ""
        click.echo("  ".join([f"{row['name']:{width}}{mark}", *cells]) + where)
        click.echo(f"{'':{width}}   {printable(row['path'])}")
    click.echo("\n* used when no model is named")
