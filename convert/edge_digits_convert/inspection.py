"""Which layer loses what int8 costs: the error of each, by TensorFlow's quantization debugger.

The debugger computes each layer twice, in int8 and in float32, on what the int8 layers in front of it give. So an error
is what that layer alone adds, whatever came before it.
"""

import csv
import datetime
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.model.card import ModelCard
from edge_digits_runtime.native_stderr import quiet
from edge_digits_runtime.records.layers import LayerError, LayerRecord
from numpy.typing import NDArray

from edge_digits_convert.calibration_pictures import CalibrationDraw, draw_pictures
from edge_digits_convert.quantization import configured_converter, naming
from edge_digits_convert.trained_run import RunPictures, TrainedRun

PICTURES = 100
"""Number of pictures that the errors are averaged over."""


def inspect_run(
    folder: Path, pictures: RunPictures, card: ModelCard, draw: CalibrationDraw | None = None, allow_code: bool = False
) -> LayerRecord:
    """Return the error of each layer of a run in int8, calibrated as `edge_digits_convert.convert` does.

    Args:
        folder: the run folder.
        pictures: those of the run; the errors are measured on the first validation pictures.
        card: of the int8 model that was converted from the run.
        draw: which training pictures int8 was calibrated on.
        allow_code: run code in the model, such as that of a Lambda layer.

    Raises:
        RunError: the run is missing or damaged.
        ModelError: the model cannot be quantized.
        DataError: a split is not the one that the run was trained with.
    """
    run = TrainedRun.load(folder, allow_code)
    run.check_pictures(pictures)
    drawn = draw_pictures(pictures.training, draw or CalibrationDraw())
    measured = pictures.validation.images[:PICTURES]
    return LayerRecord(
        name=card.name,
        sha256=card.sha256,
        pictures=len(measured),
        layers=inspect(run, drawn, measured),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def inspect(run: TrainedRun, calibration: NDArray[np.uint8], pictures: NDArray[np.uint8]) -> list[LayerError]:
    """Return the error of each layer in the order in which they run.

    Args:
        run: the run.
        calibration: pictures whose activations give the ranges of int8, shape ``(n, height, width)``.
        pictures: those that the errors are measured on, of the same shape.

    Raises:
        RunError: the Keras model cannot be loaded.
        ModelError: the model cannot be quantized.
    """
    with naming(run.model), quiet():
        import tensorflow as tf

        from edge_digits_convert.inference import inference_function, load_model, pixels

        model = load_model(run.model, run.allow_code)
        options = tf.lite.experimental.QuantizationDebugOptions(
            layer_direct_compare_metrics={"signal": lambda plain, *_: float(np.mean(np.square(plain)))}
        )
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=configured_converter(inference_function(model), "int8", calibration),
            debug_dataset=lambda: ([pixels(picture[None])] for picture in pictures),
            debug_options=options,
        )
        debugger.run()
    names = [layer.name for layer in model.layers]
    weighted = [layer.name for layer in model.layers if any(len(weight.shape) > 1 for weight in layer.weights)]
    return list(_errors(debugger, names, weighted))


def table(record: LayerRecord) -> list[str]:
    """Return the errors as lines of text, the worst marked."""
    errors = record.layers
    width = max(len("layer"), *(len(each.layer) for each in errors))
    lines = [f"{'layer':{width}}  {'operator':18}  {'error':>9}  {'of signal':>9}  {'in steps':>8}  {'largest':>9}"]
    for each in errors:
        mark = "  <- loses most" if each is record.worst else ""
        lines.append(
            f"{each.layer:{width}}  {each.operator:18}  {each.error:9.3g}  {100 * each.relative:7.2f} %  "
            f"{each.steps:8.2f}  {each.largest:9.3g}{mark}"
        )
    return lines


def _errors(debugger: Any, names: Sequence[str], weighted: Sequence[str]) -> Iterator[LayerError]:
    """Yield what the debugger found; it says the tensor of each operator, not the Keras layer."""
    # Only the table that it writes has the names of the operators, and the scales.
    written = io.StringIO()
    debugger.layer_statistics_dump(written)
    written.seek(0)
    for row in csv.DictReader(written):
        yield LayerError(
            layer=layer_name(row["tensor_name"], names, weighted),
            operator=row["op_name"],
            signal=math.sqrt(float(row["signal"])),
            error=math.sqrt(float(row["mean_squared_error"])),
            largest=float(row["max_abs_error"]),
            step=float(row["scale"]),
        )


def layer_name(tensor: str, names: Sequence[str], weighted: Iterable[str] = ()) -> str:
    """Return the Keras layer that a tensor belongs to; the last one for the output, the tensor itself for none.

    A tensor of the converter is named after all that was fused into it, such as
    ``re_lu_1/Relu;conv2d_2_1/BiasAdd``; behind the name of a layer there may be a number.

    Args:
        tensor: its name.
        names: of all layers, in their order.
        weighted: of those with kernels, which win over what is fused into them.
    """
    if tensor.startswith(("PartitionedCall", "StatefulPartitionedCall", "Identity")):
        return names[-1]
    scopes = [part.split("/")[0] for part in tensor.split(";")]
    found = [name for scope in scopes for name in _matches(scope, names)]
    heavy = [name for name in found if name in set(weighted)]
    return min(heavy or found, key=list(names).index) if found else tensor.split(";")[0]


def _matches(scope: str, names: Sequence[str]) -> list[str]:
    """Return the name of the layer that a scope stands for, or none.

    Converting computes each layer a second time, so there is a number behind its name: ``conv2d_1`` is ``conv2d``, even
    where there is a layer ``conv2d_1`` as well.
    """
    numbered = [name for name in names if re.fullmatch(re.escape(name) + r"_\d+", scope)]
    return sorted(numbered, key=len)[-1:] or [name for name in names if name == scope]
