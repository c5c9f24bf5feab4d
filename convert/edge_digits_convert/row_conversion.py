"""From the run of a row finder to one self-describing int8 ``.tflite`` file, verified and measured."""

import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.image.model_input import PAGE_SHAPE, Input
from edge_digits_runtime.model.card import Calibration, ModelCard, append_card
from edge_digits_runtime.page.row_finder import CELL, LABELS, OUTPUTS, PARTS, RowFinder
from edge_digits_runtime.records import files
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import MODEL
from numpy.typing import NDArray

from edge_digits_convert.line_conversion import LineConversionResult, check_sha256, keras_outputs, quantized
from edge_digits_convert.quantization import naming
from edge_digits_convert.strip import strip
from edge_digits_convert.verification import check_model

Measure = Callable[[NDArray[np.float32]], float]


def convert_rows(
    folder: Path,
    calibration: NDArray[np.uint8],
    seed: int,
    validation: NDArray[np.uint8],
    measure: Measure,
    output: Path | None = None,
) -> LineConversionResult:
    """Quantize the run of a row finder to int8 and write the model file.

    Args:
        folder: the run folder.
        calibration: training pages, whose activations give the ranges of int8, shape ``(n, 256, 256)``.
        seed: of these pages.
        validation: pages of what was held out from training, in the same shape.
        measure: gives the share of what is right in [0, 1] of the outputs for the validation pages.
        output: the file to write; None for ``FOLDER/<recipe>-int8.tflite``.

    Raises:
        RunError: the run is missing, unfinished, damaged, or no row finder.
        ModelError: what the converter made is not an int8 model of pages.
    """
    record = LineRunRecord.load(folder)
    path = folder / MODEL
    cells = tuple(side // CELL for side in PAGE_SHAPE)
    with naming(path):
        check_sha256(path, record)
        model, flatbuffer = quantized(path, (*cells, PARTS * PARTS * OUTPUTS), calibration)
        check_model(flatbuffer, "int8", ((1, *PAGE_SHAPE, 1), (1, *cells, PARTS * PARTS * OUTPUTS)))
        slim = strip(flatbuffer)
    bare = ModelCard("rows", "int8", hashlib.sha256(slim).hexdigest(), labels=LABELS, input=Input("page", *PAGE_SHAPE))
    before, after = (RowFinder(append_card(content, bare)) for content in (flatbuffer, slim))
    if not all(np.array_equal(before.outputs(page), after.outputs(page)) for page in validation[:10]):
        raise ModelError("the slimmed model does not answer as the converted one does")
    exact = measure(np.stack([after.outputs(page) for page in validation]))
    float_exact = measure(keras_outputs(model, validation))
    card = ModelCard(
        name=record.name,
        scheme="int8",
        sha256=bare.sha256,
        recipe=record.recipe,
        data=f"{record.lines:,} made pages" + (f"; {record.origin}" if record.origin else ""),
        weights_sha256=record.weights_sha256,
        calibration=Calibration("train", len(calibration), seed),
        accuracy={"validation": exact},
        labels=LABELS,
        input=bare.input,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        parameters=record.parameters,
        macs=record.macs,
    )
    target = output or folder / f"{record.name}-int8.tflite"
    content = append_card(slim, card)
    files.write_bytes(target, content)
    return LineConversionResult(target, card, len(content), exact, float_exact, 0.0, (), (), ())
