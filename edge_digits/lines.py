"""Training and conversion of line readers, as the verbs ``train`` and ``convert`` call them, with progress shown."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from edge_digits_runtime.errors import RunError

from edge_digits.formatting import percent, points
from edge_digits.printing import printable
from edge_digits.progress import bars, say

if TYPE_CHECKING:
    from edge_digits_convert.line_conversion import LineConversionResult
    from edge_digits_runtime.records.line_run import LineRunRecord
    from edge_digits_train.recipes.line_recipe import LineRecipe

    from edge_digits.gate import Gate

CALIBRATION_LINES, CALIBRATION_PAGES = 500, 100
"""Lines and pages that int8 is calibrated on where nothing else is asked for."""


def choose_line_recipe(name: str | None, unfinished: Path | None, options: dict[str, Any]) -> "LineRecipe | None":
    """Return the line recipe that is to be trained; None if it is no line recipe.

    Args:
        name: what the user named, if anything.
        unfinished: the run folder to resume, if one is to be resumed.
        options: fields of the recipe that the user set; None stands for the recipe's own value.
    """
    from edge_digits_train.engine.checkpoint import Checkpoint
    from edge_digits_train.recipes.line_recipe import LINE_RECIPES, LineRecipe, is_line_recipe

    if name is not None:
        base = LINE_RECIPES.get(name)
    else:
        written = Checkpoint.load(unfinished).recipe.get("recipe", {}) if unfinished else {}
        base = LineRecipe.from_dict(written) if is_line_recipe(written) else None
    if base is None:
        return None
    return dataclasses.replace(base, **{field: value for field, value in options.items() if value is not None})


def train_line_run(recipe: "LineRecipe", out: Path, resume: bool, start: Path | None) -> "LineRunRecord":
    """Train a line recipe into the run folder ``out`` and say what came out."""
    from edge_digits_train.engine.line_training import LineProgress, train_lines

    say(
        f"Training {recipe.name} for {recipe.epochs} epochs of {recipe.lines:,} made lines: "
        f"{recipe.parameters:,} parameters, {recipe.macs:,} MACs."
    )
    with bars() as update:

        def show(at: LineProgress) -> None:
            figures = f"loss {at.loss:.3f}"
            if at.val_exact is not None:
                figures += f"  validation {at.val_exact:.4f}"
            # An epoch is done when it is validated.
            done = at.steps if at.val_exact is not None else min(at.step, at.steps - 1)
            update(f"epoch {at.epoch}/{at.epochs}", done, at.steps, figures)

        record = train_lines(recipe, out, resume, show, processes=_processes(recipe.lines), start=start)
    click.echo(
        f"{printable(out)}: {percent(record.exact)} of {record.validation_lines:,} validation lines read right, "
        f"after {record.lines:,} made lines, on {record.device['name']}"
    )
    return record


def is_line_run(folder: Path) -> bool:
    """Return whether a folder holds the finished run of a line reader."""
    from edge_digits_runtime.records import line_run
    from edge_digits_runtime.records.run import read_values

    try:
        return line_run.is_line_run(read_values(folder))
    except RunError:
        # Said again, with what is wrong, by whatever reads it as a run of a classifier.
        return False


def convert_line_run(
    run: Path,
    calibration_count: int | None = None,
    seed: int | None = None,
    out: Path | None = None,
    key: Path | None = None,
    licence: str = "",
) -> "LineConversionResult":
    """Convert the run of a line reader or row finder to int8 and say what came out."""
    from edge_digits_runtime.records import files
    from edge_digits_runtime.records.line_run import LineRunRecord

    record = LineRunRecord.load(run)
    files.check_writable(out or run / f"{record.name}-int8.tflite")
    if record.recipe["kind"] == "rows":
        result = _convert_rows(record, run, calibration_count or CALIBRATION_PAGES, seed or 0, out, key, licence)
        read, silently = f"{record.validation_lines:,} pages: F1 score of parts", ""
    else:
        result = _convert_lines(record, run, calibration_count or CALIBRATION_LINES, seed or 0, out, key, licence)
        read = f"{record.validation_lines:,} lines read right"
        silently = f", {percent(result.silently_wrong)} wrong and sure"
    click.echo(
        f"{printable(result.path)}: "
        f"{result.file_bytes:,} bytes with labels and card; validation {percent(result.exact)} of "
        f"{read} (drop {points(result.drop_pp)} pp){silently}"
    )
    return result


def _convert_rows(
    record: "LineRunRecord", run: Path, count: int, seed: int, out: Path | None, key: Path | None, licence: str
) -> "LineConversionResult":
    from edge_digits_convert.row_conversion import convert_rows
    from edge_digits_train.engine.line_training import VALIDATION_SEED, number_f1
    from edge_digits_train.lines.makers import page_maker

    say(f"{record.name} int8: making {count:,} pages for calibration and {record.validation_lines:,} for validation")
    with page_maker() as maker:
        calibration = maker.make(count, seed)
        validation = maker.make(record.validation_lines, VALIDATION_SEED, held_out=True)
    say(f"{record.name} int8: quantizing")
    return convert_rows(
        run,
        calibration.pictures,
        seed,
        validation.pictures,
        lambda outputs: number_f1(outputs, validation.targets),
        out,
        key,
        licence,
    )


def _convert_lines(
    record: "LineRunRecord", run: Path, count: int, seed: int, out: Path | None, key: Path | None, licence: str
) -> "LineConversionResult":
    from edge_digits_convert.line_conversion import LinePictures, convert_lines
    from edge_digits_train.engine.line_training import VALIDATION_SEED
    from edge_digits_train.lines.charset import LABELS
    from edge_digits_train.lines.makers import held_out_lines, line_maker

    say(f"{record.name} int8: making {count:,} lines for calibration and {record.validation_lines:,} for validation")
    with line_maker(_processes(count + record.validation_lines)) as maker:
        calibration = maker.make(count, seed)
        validation = maker.make(record.validation_lines, VALIDATION_SEED, held_out=True)
    test = held_out_lines().test
    return convert_lines(
        run,
        LABELS,
        LinePictures(calibration.pictures, calibration.labels),
        seed,
        LinePictures(validation.pictures, validation.labels),
        LinePictures(test.images, test.labels.tolist()),
        out,
        progress=lambda step: say(f"{record.name} int8: {step}"),
        key=key,
        licence=licence,
    )


def line_gate(result: "LineConversionResult", max_drop: float, by_point: bool) -> "Gate":
    """Return whether the share of exact lines that int8 loses is within ``max_drop`` percentage points."""
    import numpy as np

    from edge_digits.gate import Gate
    from edge_digits.paired import pair

    paired = pair(np.array(result.written), np.array(result.float_texts), np.array(result.texts))
    return Gate(result.path.name, paired, max_drop, by_point, what="line")


def _processes(lines: int) -> int:
    """Return how many processes are to make so many lines: a process takes seconds to start."""
    return 1 if lines < 2_000 else os.cpu_count() or 1
