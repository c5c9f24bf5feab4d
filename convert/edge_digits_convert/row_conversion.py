"""From the run of a row finder to one self-describing int8 ``.tflite`` file, verified and measured."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edge_digits_runtime.image.model_input import PAGE_SHAPE, Input
from edge_digits_runtime.model.card import Calibration, ModelCard, append_card
from edge_digits_runtime.page.row_finder import CELL, LABELS, OUTPUTS, PARTS, RowFinder
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import MODEL
from numpy.typing import NDArray

from edge_digits_convert.line_conversion import (
    LineConversionResult,
    check_sha256,
    finished_card,
    keras_outputs,
    quantized,
    slimmed,
    write_model,
)
from edge_digits_convert.quantization import naming

Measure = Callable[[NDArray[np.float32]], float]


def convert_rows(
    folder: Path,
    calibration: NDArray[np.uint8],
    seed: int,
    validation: NDArray[np.uint8],
    measure: Measure,
    output: Path | None = None,
    key: Path | None = None,
    licence: str = "",
) -> LineConversionResult:
    """Quantize the run of a row finder to int8 and write the model file.

    Args:
        folder: the run folder.
        calibration: training pages, whose activations give the ranges of int8, shape ``(n, 256, 256)``.
        seed: of these pages.
        validation: pages of what was held out from training, in the same shape.
        measure: gives the share of what is right in [0, 1] of the outputs for the validation pages.
        output: the file to write; None for ``FOLDER/<recipe>-int8.tflite``.
        key: file of the private key that signs the model; None for no signature.
        licence: what is granted for the model, as an SPDX expression; empty where nobody said.

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
        shapes = (1, *PAGE_SHAPE, 1), (1, *cells, PARTS * PARTS * OUTPUTS)
        slim = slimmed(flatbuffer, shapes, lambda content: _finder(content).outputs, validation)
    after = _finder(slim)
    exact = measure(np.stack([after.outputs(page) for page in validation]))
    float_exact = measure(keras_outputs(model, validation))
    calibrated = Calibration("train", len(calibration), seed)
    card = finished_card(_bare_card(slim), record, "pages", calibrated, {"validation": exact}, licence)
    target, size = write_model(slim, card, folder, output, key)
    return LineConversionResult(target, card, size, exact, float_exact, 0.0, (), (), ())


def _bare_card(flatbuffer: bytes) -> ModelCard:
    """Return a card with which a model can be run before it is measured."""
    digest = hashlib.sha256(flatbuffer).hexdigest()
    return ModelCard("rows", "int8", digest, labels=LABELS, input=Input("page", *PAGE_SHAPE))


def _finder(flatbuffer: bytes) -> RowFinder:
    return RowFinder(append_card(flatbuffer, _bare_card(flatbuffer)))
