"""Time the C of ``edge-digits export`` on this machine, in turns with TensorFlow Lite Micro and LiteRT, on one thread.

    uv run python benchmarks/speed/microcontroller_speed.py            # the models that ship
    uv run python benchmarks/speed/microcontroller_speed.py digits-xs

Prints a table in Markdown: microseconds of processor time a picture, medians of all turns, and the ratios to both
others. TensorFlow Lite Micro runs its reference kernels, as they are in its Python package.
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from edge_digits_convert.microcontroller import export
from edge_digits_convert.microcontroller.exporting import made_pictures
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_train.data import mnist

TURNS, PICTURES = 25, 20
OPTIONS = ("-std=c99", "-O3")
"""As ``make host`` compiles it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="files, or names of installed models")
    names = parser.parse_args().models
    print("| model | C, µs | TensorFlow Lite Micro, µs | times as fast | LiteRT, µs | times as slow |")
    print("| --- | --- | --- | --- | --- | --- |")
    for path in [registry.find(name) for name in names] or list(registry.paths().values()):
        micro, ours, fast = (1e6 * seconds for seconds in medians(sides(path)))
        print(
            f"| {path.stem} | {ours:,.0f} | {micro:,.0f} | {micro / ours:.1f} | {fast:,.1f} | {ours / fast:.1f} |",
            flush=True,
        )


def medians(runs: list[Callable[[], None]]) -> list[float]:
    """Return seconds a picture for each side, all timed in turns."""
    turns: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(TURNS):
        for run, times in zip(runs, turns, strict=True):
            start = time.process_time()
            run()
            times.append((time.process_time() - start) / PICTURES)
    return [float(np.median(times)) for times in turns]


def sides(path: Path) -> list[Callable[[], None]]:
    """Return what runs `PICTURES` pictures on TensorFlow Lite Micro, as C, and on LiteRT."""
    from tflite_micro import runtime

    file = read_model_file(path)
    assert file.card is not None
    pictures = np.ascontiguousarray(mnist.load().test.images[:PICTURES])
    values = (pictures ^ 0x80).view(np.int8)[..., None]
    micro = runtime.Interpreter.from_bytes(file.content[: file.flatbuffer_bytes], arena_size=1 << 20)
    litert = Interpreter(model_content=file.content, num_threads=1)
    litert.allocate_tensors()
    given = litert.get_input_details()[0]["index"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "digits"
        export(path, folder, made_pictures(*file.card.input.shape), "Pictures of noise.")
        library = folder / "digits.so"
        command = ["gcc", *OPTIONS, "-shared", "-fPIC", "-o", str(library), str(folder / "digits.c")]
        if subprocess.run(command, check=False).returncode:
            sys.exit("the C does not compile")
        classify = ctypes.CDLL(str(library)).edge_digits_classify
    classify.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    logits = np.zeros(len(file.card.labels), np.int8)

    def run_micro() -> None:
        for picture in values:
            micro.set_input(picture[None], 0)
            micro.invoke()

    def run_c() -> None:
        for picture in pictures:
            classify(picture.ctypes.data, logits.ctypes.data)

    def run_litert() -> None:
        for picture in values:
            litert.set_tensor(given, picture[None])
            litert.invoke()

    return [run_micro, run_c, run_litert]


if __name__ == "__main__":
    main()
