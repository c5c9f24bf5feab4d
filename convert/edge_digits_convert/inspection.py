"""Which layer loses what int8 costs: the error of each, by TensorFlow's quantization debugger.

The debugger computes each layer twice, in int8 and in float32, on what the int8 layers in front of it give. So an error
is what that layer alone adds, whatever came before it.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.native_stderr import quiet
from edge_digits_runtime.records import files
from numpy.typing import NDArray

from edge_digits_convert.calibration_pictures import CalibrationDraw, draw_pictures
from edge_digits_convert.quantization import configured_converter, naming
from edge_digits_convert.trained_run import RunPictures, TrainedRun

PICTURES = 100
"""Number of pictures that the errors are averaged over."""
ROUNDING = 12**-0.5
"""Root mean square of the error of rounding, in steps: a layer that loses nothing else has this."""


@dataclass(frozen=True)
class LayerError:
    """What one operator of an int8 model loses against float32."""

    layer: str
    """Name of the Keras layer, or of the tensor where it is of none."""
    operator: str
    """Its operator in the model, such as ``CONV_2D``."""
    signal: float
    """Root mean square of its float output."""
    error: float
    """Root mean square of the difference of the int8 output."""
    largest: float
    """Largest difference, as a mean over the pictures."""
    step: float
    """What one step of int8 stands for in its output."""

    @property
    def relative(self) -> float:
        """The error as a share of the signal."""
        return self.error / self.signal if self.signal else 0.0

    @property
    def steps(self) -> float:
        """The error in steps of int8; rounding alone makes 0.29."""
        return self.error / self.step if self.step else 0.0


def inspect_run(
    folder: Path, pictures: RunPictures, draw: CalibrationDraw | None = None, allow_code: bool = False
) -> tuple[LayerError, ...]:
    """Return the error of each layer of a run in int8, calibrated as `edge_digits_convert.convert` does.

    Args:
        folder: the run folder.
        pictures: those of the run; the errors are measured on the first validation pictures.
        draw: which training pictures int8 is calibrated on.
        allow_code: run code in the model, such as that of a Lambda layer.

    Raises:
        RunError: the run is missing or damaged.
        ModelError: the model cannot be quantized.
        DataError: a split is not the one that the run was trained with.
    """
    run = TrainedRun.load(folder, allow_code)
    run.check_pictures(pictures)
    drawn = draw_pictures(pictures.training, draw or CalibrationDraw())
    return inspect(run, drawn, pictures.validation.images[:PICTURES])


def inspect(run: TrainedRun, calibration: NDArray[np.uint8], pictures: NDArray[np.uint8]) -> tuple[LayerError, ...]:
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
    return tuple(_errors(debugger, names, weighted))


def worst(errors: Sequence[LayerError]) -> LayerError:
    """Return the layer that loses the largest share of its signal."""
    return max(errors, key=lambda each: each.relative)


def table(errors: Sequence[LayerError]) -> list[str]:
    """Return the errors as lines of text, the worst marked."""
    width = max(len("layer"), *(len(each.layer) for each in errors))
    lines = [f"{'layer':{width}}  {'operator':18}  {'error':>9}  {'of signal':>9}  {'in steps':>8}  {'largest':>9}"]
    for each in errors:
        mark = "  <- loses most" if each is worst(errors) else ""
        lines.append(
            f"{each.layer:{width}}  {each.operator:18}  {each.error:9.3g}  {100 * each.relative:7.2f} %  "
            f"{each.steps:8.2f}  {each.largest:9.3g}{mark}"
        )
    return lines


def save_picture(path: Path, errors: Sequence[LayerError], title: str) -> None:
    """Write a picture of the errors as bars, a PNG, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1 + 0.3 * len(errors)), layout="constrained")
    axes = figure.subplots()
    shares = [100 * each.relative for each in errors]
    colours = ["#b3261e" if each is worst(errors) else "#3b6ea5" for each in errors]
    bars = axes.barh([f"{each.layer} ({each.operator.lower()})" for each in errors], shares, color=colours)
    axes.bar_label(bars, [f"{share:.2f} %" for share in shares], padding=3, fontsize=8)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel("error that the layer adds in int8, % of its signal (root mean squares)")
    axes.set_title(title)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


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
