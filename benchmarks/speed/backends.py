"""Run one network on every runtime that can: how fast is each, and do they agree?

Each runtime works in a process of its own; uv fetches those that are not installed here into an environment of their
own. All take turns, one picture at a time on one thread.
"""

import contextlib
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from turns import Row, Times, ratio

Pictures = NDArray[np.uint8]
Call = Callable[[NDArray[Any]], Any]
TURN_US = 1000
"""Microseconds that a turn takes, about; it has at least one call."""
ROUNDS = 40
KERAS_PICTURES = 100
"""Keras takes milliseconds a picture, so it answers only so many."""
REFERENCE, OURS = "LiteRT Interpreter", "DigitClassifier"
WHY = {
    REFERENCE: "what `DigitClassifier` wraps, with its input ready and its output unread",
    "tf.lite.Interpreter": "the kernels of LiteRT, with the input ready and the output unread",
    "LiteRT CompiledModel": "is given float32; `DigitClassifier` makes that of uint8 pixels",
    "tflite-runtime": "is given float32, and the float kernels of its older XNNPACK suit small maps",
}
"""Why a runtime may be faster."""


@dataclass(frozen=True)
class Side:
    """One runtime and one form of the network."""

    name: str
    form: str
    """``int8`` or ``float32``."""
    make: str
    """Name of the function below that prepares it."""
    packages: tuple[str, ...] = ()
    """Packages that uv fetches; none where this Python has them."""
    versions: tuple[str, ...] = ()
    """The distributions whose version is shown."""


TFLITE = ("tflite-runtime==2.14.*", "numpy<2")
ONNX = ("onnx", "onnxruntime", "numpy")
OPENVINO = ("openvino", "numpy")
SIDES = [
    *(
        Side(name, form, make, packages, versions)
        for form in ("int8", "float32")
        for name, make, packages, versions in (
            (REFERENCE, "litert", (), ("ai-edge-litert",)),
            (OURS, "classifier", (), ("edge-digits-runtime",)),
            ("LiteRT CompiledModel", "compiled_model", (), ("ai-edge-litert",)),
            ("tf.lite.Interpreter", "tf_lite", (), ("tensorflow",)),
            ("tflite-runtime", "tflite_runtime", TFLITE, ("tflite-runtime",)),
            ("ONNX Runtime", "onnx_runtime", ONNX, ("onnxruntime",)),
            ("OpenVINO", "openvino", OPENVINO, ("openvino",)),
        )
    ),
    Side("Keras model(x)", "float32", "keras_call", (), ("keras",)),
    Side("Keras predict_on_batch", "float32", "keras_predict_on_batch", (), ("keras",)),
    Side("Keras predict", "float32", "keras_predict", (), ("keras",)),
]


# --- the worker: one side, in a process of its own


def work(side: Side, run: Path, folder: Path) -> None:
    """Answer all pictures, then time some calls each time the parent asks."""
    pictures = np.load(folder / "test.npy")
    with _stdout_to_stderr():
        call, inputs = globals()[side.make](side.form, run, folder, pictures)
        scores = np.stack([np.asarray(call(inputs[i : i + 1])).reshape(10) for i in range(len(inputs))])
    np.save(folder / f"{SIDES.index(side)}.npy", scores)
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in side.versions), flush=True)
    calls = 1
    for _ in sys.stdin:
        start = time.perf_counter_ns()
        for _ in range(calls):
            call(inputs[:1])
        each = (time.perf_counter_ns() - start) / 1000 / calls
        calls = max(1, round(TURN_US / each))
        print(each, flush=True)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send what a runtime prints to standard error, since standard output goes to the parent."""
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


def _tflite(run: Path, form: str) -> bytes:
    (file,) = run.glob(f"*-{form}.tflite")
    return file.read_bytes()


def _unit(pictures: Pictures) -> NDArray[np.float32]:
    return (pictures / np.float32(255)).reshape(-1, 28, 28, 1)


def _inputs(form: str, pictures: Pictures) -> NDArray[Any]:
    return (pictures ^ 0x80).view(np.int8).reshape(-1, 28, 28, 1) if form == "int8" else _unit(pictures)


def _interpreter(interpreter: Any, form: str, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    interpreter.allocate_tensors()
    input_, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def call(one: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(input_, one)
        interpreter.invoke()
        result: NDArray[Any] = interpreter.get_tensor(output)
        return result

    return call, _inputs(form, pictures)


def litert(form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter

    return _interpreter(Interpreter(model_content=_tflite(run, form), num_threads=1), form, pictures)


def tf_lite(form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    import tensorflow as tf

    return _interpreter(tf.lite.Interpreter(model_content=_tflite(run, form), num_threads=1), form, pictures)


def tflite_runtime(form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    from tflite_runtime.interpreter import Interpreter

    return _interpreter(Interpreter(model_content=_tflite(run, form), num_threads=1), form, pictures)


def classifier(form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    """Go from uint8 pixels to label and confidence, which is more than the others do."""
    from edge_digits_runtime import DigitClassifier

    ours = DigitClassifier(_tflite(run, form), backend="litert")
    return lambda one: ours.classify(one[0]).scores, pictures


def compiled_model(form: str, run: Path, folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    from ai_edge_litert.compiled_model import CompiledModel

    file = folder / f"compiled-{form}.tflite"
    file.write_bytes(_tflite(run, form))
    model = CompiledModel.from_file(str(file))
    taken, given = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs = _inputs(form, pictures)

    def call(one: NDArray[Any]) -> Any:
        taken[0].write(one)
        model.run_by_index(0, taken, given)
        return given[0].read(10, inputs.dtype.type)

    return call, inputs


def onnx_runtime(form: str, _run: Path, folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    """Build the Keras network layer by layer; int8 by ONNX Runtime's own static quantization."""
    import onnx
    import onnxruntime

    inputs = _unit(pictures).reshape(-1, 1, 28, 28)
    model = onnx_model(json.loads((folder / "layers.json").read_text()), dict(np.load(folder / "weights.npz")))
    file = folder / f"onnx-{form}.onnx"
    onnx.save(model, file)
    if form == "int8":
        file = _onnx_int8(file, folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda one: session.run(None, {"x": one})[0], inputs


def _onnx_int8(file: Path, folder: Path) -> Path:
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        pending = iter(_unit(np.load(folder / "train.npy")).reshape(-1, 1, 1, 28, 28))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            one = next(self.pending, None)
            return None if one is None else {"x": one}

    target = file.with_stem("onnx-quantized")
    quantization.quantize_static(str(file), str(target), Reader(), per_channel=True)
    return target


def onnx_model(layers: Sequence[dict[str, Any]], weights: dict[str, NDArray[np.float32]]) -> Any:
    """Return the same network in ONNX, channels first."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    last, shape = "x", (1, 28, 28)

    def add(kind: str, *parts: NDArray[np.float32], **attributes: Any) -> None:
        nonlocal last
        names = [f"{kind}{len(nodes)}_{i}" for i in range(len(parts))]
        constants.extend(numpy_helper.from_array(p, n) for p, n in zip(parts, names, strict=True))
        nodes.append(helper.make_node(kind, [last, *names], [f"{kind}{len(nodes)}"], **attributes))
        last = f"{kind}{len(nodes) - 1}"

    for i, layer in enumerate(layers):
        kernel, bias = weights.get(f"{i}_0"), weights.get(f"{i}_1")
        if layer["kind"] in ("conv", "depthwise"):
            pads = {"same": "SAME_UPPER", "valid": "VALID"}[layer["padding"]]
            parts = [np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias]
            groups = shape[0] // kernel.shape[2]
            add("Conv", *parts, strides=[layer["stride"]] * 2, auto_pad=pads, group=groups)
            side = -(-(shape[1] - (layer["kernel"] - 1) * (layer["padding"] == "valid")) // layer["stride"])
            shape = (kernel.shape[-1], side, side)
        elif layer["kind"] == "pool":
            add("MaxPool", kernel_shape=[layer["size"]] * 2, strides=[layer["size"]] * 2)
            shape = (shape[0], shape[1] // layer["size"], shape[2] // layer["size"])
        elif layer["kind"] == "flatten":
            add("Flatten")
        elif layer["kind"] == "dense":
            if nodes and nodes[-1].op_type == "Flatten":
                # Keras flattens with the channels last.
                kernel = kernel.reshape(shape[1], shape[2], shape[0], -1).transpose(2, 0, 1, 3)
                kernel = kernel.reshape(-1, kernel.shape[-1])
            add("Gemm", np.ascontiguousarray(kernel), bias)
        elif layer["kind"] != "dropout":
            sys.exit(f"this benchmark has no ONNX for a layer of kind {layer['kind']}")
        if layer.get("activation") == "relu":
            add("Relu")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 1, 28, 28)), (last, (1, 10)))]
    graph = helper.make_graph(nodes, "digits", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def openvino(form: str, _run: Path, folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    import openvino as ov

    hints = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = ov.compile_model(
        ov.Core().read_model(folder / f"named-{form}.tflite"), "CPU", hints
    ).create_infer_request()
    return lambda one: request.infer([one])[0], _inputs(form, pictures)


def _keras(run: Path) -> Any:
    import keras

    return keras.models.load_model(run / "model.keras")


def keras_call(_form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    model = _keras(run)
    return lambda one: np.asarray(model(one, training=False)), _unit(pictures[:KERAS_PICTURES])


def keras_predict_on_batch(_form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    return _keras(run).predict_on_batch, _unit(pictures[:KERAS_PICTURES])


def keras_predict(_form: str, run: Path, _folder: Path, pictures: Pictures) -> tuple[Call, NDArray[Any]]:
    model = _keras(run)
    return lambda one: model.predict(one, verbose=0), _unit(pictures[:KERAS_PICTURES])


# --- the parent


@contextlib.contextmanager
def workers(sides: Sequence[Side], run: Path, folder: Path) -> Iterator[dict[Side, "subprocess.Popen[str]"]]:
    """Start a process for each side, ready to be timed; end them with the block."""
    started: dict[Side, subprocess.Popen[str]] = {}
    try:
        for side in sides:
            arguments = [str(Path(__file__).absolute()), str(SIDES.index(side)), str(run), str(folder)]
            command = [sys.executable, *arguments]
            if side.packages:
                fetched = [word for package in side.packages for word in ("--with", package)]
                command = [
                    "uv",
                    "run",
                    "--no-project",
                    "--no-config",
                    "--quiet",
                    "--python",
                    "3.11",
                    *fetched,
                    *arguments,
                ]
            pipe = subprocess.PIPE
            # From elsewhere, since uv applies the constraints of the project that it is called in.
            started[side] = subprocess.Popen(
                command, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, bufsize=1
            )
        yield started
    finally:
        for process in started.values():
            process.terminate()
            process.wait()


def ask(process: "subprocess.Popen[str]", question: str = "") -> str:
    """Return the next line of a worker, empty if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    if question:
        process.stdin.write(question + "\n")
    return process.stdout.readline().strip()


def save_weights(run: Path, folder: Path) -> None:
    """Save kernel and bias of each layer by its place in the recipe, with batch normalization folded in."""
    trained = iter([layer for layer in _keras(run).layers if layer.weights])
    found = {}
    for i, layer in enumerate(json.loads((folder / "layers.json").read_text())):
        if layer["kind"] not in ("conv", "depthwise", "dense"):
            continue
        kernel, *rest = next(trained).get_weights()
        if layer["kind"] == "depthwise":
            # Like the kernel of a convolution in which each output has one input.
            kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
        bias = rest[0] if rest else np.zeros(kernel.shape[-1], np.float32)
        if layer["batch_norm"]:
            norm = next(trained)
            gamma, beta, mean, variance = norm.get_weights()
            scale = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = kernel * scale, (bias - mean) * scale + beta
        found |= {f"{i}_0": kernel, f"{i}_1": bias}
    np.savez(folder / "weights.npz", **found)


def prepare(run: Path, folder: Path) -> None:
    """Put what the workers need into ``folder``."""
    import flatbuffers
    from edge_digits_convert.strip import FILE_IDENTIFIER, unpack
    from edge_digits_train.data import mnist

    data = mnist.load()
    np.save(folder / "test.npy", data.test.images)
    np.save(folder / "train.npy", data.train.images[:500])
    layers = json.loads((run / "run.json").read_text())["recipe"]["layers"]
    (folder / "layers.json").write_text(json.dumps(layers))
    # In a process whose stderr, where TensorFlow writes, is not this one's.
    subprocess.run([sys.executable, __file__, "weights", str(run), str(folder)], check=True, stderr=subprocess.DEVNULL)
    for form in ("int8", "float32"):
        # OpenVINO refuses tensors without names, which we strip.
        model = unpack(_tflite(run, form))
        for i, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = f"tensor{i}"
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
        (folder / f"named-{form}.tflite").write_bytes(builder.Output())


@dataclass(frozen=True)
class Result:
    """The result of one side."""

    side: Side
    versions: str
    """Empty where it does not run here; then the other fields are empty, too."""
    times: list[float]
    """Microseconds a picture in each turn."""
    scores: NDArray[Any]
    """Outputs for the test pictures, shape ``(n, 10)``."""

    @property
    def key(self) -> tuple[str, str]:
        return self.side.name, self.side.form


def compare(run: Path) -> dict[tuple[str, str], Result]:
    """Time all sides in turns and return the results by name and form.

    Args:
        run: a run folder with ``model.keras`` and ``.tflite`` files of both forms.
    """
    with tempfile.TemporaryDirectory(prefix="backends-") as name:
        folder = Path(name)
        prepare(run, folder)
        with workers(SIDES, run, folder) as started:
            versions = [ask(process) for process in started.values()]
            running = [process for process, version in zip(started.values(), versions, strict=True) if version]
            # Two turns to find out how many calls make one.
            times = iter(_take_turns(running, ROUNDS + 2))
            results = [
                Result(
                    side,
                    version,
                    next(times)[2:] if version else [],
                    np.load(folder / f"{SIDES.index(side)}.npy") if version else np.empty((0, 10)),
                )
                for side, version in zip(SIDES, versions, strict=True)
            ]
    return {result.key: result for result in results}


def _take_turns(processes: "Sequence[subprocess.Popen[str]]", rounds: int) -> Times:
    turns = [[float(ask(process, "go")) for process in processes] for _ in range(rounds)]
    return [list(times) for times in zip(*turns, strict=True)]


def rows(name: str, results: dict[tuple[str, str], Result]) -> list[Row]:
    """Compare `DigitClassifier` with the fastest of the others, for each form."""
    lines = []
    for form in ("int8", "float32"):
        ours = results[OURS, form]
        others = [
            r for r in results.values() if r.times and r.side.form == form and r.side.name not in (OURS, REFERENCE)
        ]
        fastest = min(others, key=lambda other: statistics.median(other.times))
        medians = (f"{statistics.median(side.times):.1f} µs" for side in (ours, fastest))
        what = f"the same network, one picture, {name} {form}"
        against = f"the fastest of {len(others)} others: {fastest.side.name}"
        lines.append(Row(what, against, *medians, ratio(ours.times, fastest.times), 1.0, _why(fastest)))
    return lines


def table(results: dict[tuple[str, str], Result]) -> str:
    """Return a table of all sides, their answers compared with those of LiteRT."""
    lines = [
        "| runtime | form | µs a picture | `DigitClassifier` takes × | other answers | steps off | why it is faster |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results.values():
        side = result.side
        if not result.versions:
            lines.append(f"| {side.name} | {side.form} | does not run here | | | | |")
            continue
        ours, theirs = result.scores, results[REFERENCE, side.form].scores[: len(result.scores)]
        other = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
        steps = np.abs(ours.astype(int) - theirs).max() if ours.dtype == theirs.dtype == np.int8 else ""
        times = ratio(results[OURS, side.form].times, result.times)
        why = _why(result) if side.name != OURS and round(times.median, 2) > 1 else ""
        lines.append(
            f"| {side.name} ({result.versions}) | {side.form} | {statistics.median(result.times):.1f} "
            f"| {'' if side.name == OURS else times} | {other} of {len(ours):,} | {steps} | {why} |"
        )
    return "\n".join(lines)


def _why(result: Result) -> str:
    return WHY.get(result.side.name, "")


if __name__ == "__main__":
    task, *paths = sys.argv[1:]
    given, shared = map(Path, paths)
    if task == "weights":
        save_weights(given, shared)
    else:
        work(SIDES[int(task)], given, shared)
