"""Hold the C that ``edge-digits export`` writes to what it promises, on all 10,000 MNIST test pictures.

    uv run python benchmarks/accuracy/microcontroller.py bits          # against TensorFlow Lite Micro and LiteRT
    uv run python benchmarks/accuracy/microcontroller.py sanitize      # address, undefined behaviour, valgrind
    uv run python benchmarks/accuracy/microcontroller.py target        # 200 pictures on emulated boards
    uv run python benchmarks/accuracy/microcontroller.py bits digits-xs runs/cnn-8-16-32-1/cnn-8-16-32-int8.tflite

Each prints a table in Markdown and exits with 1 if a promise is broken. Without models it takes those that ship.
``target`` also writes what ``edge-digits models`` shows into models/edge_digits_models, for the models that ship.
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from edge_digits_convert.microcontroller import Export, export
from edge_digits_convert.microcontroller.exporting import made_pictures
from edge_digits_convert.microcontroller.measuring import measure
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import ModelFile, read_model_file
from edge_digits_runtime.records.microcontroller import RECORD, MicrocontrollerRecord
from numpy.typing import NDArray

from edge_digits.data_sets import load_test

ROOT = Path(__file__).parents[2]
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
PICTURES_ON_TARGET = 200
RANDOM_INPUTS = 1_000_000
"""Random pictures for the sanitizers, of the smallest model; larger ones get as many as take the same time."""
VALGRIND_PICTURES = 20
HARNESS = """
#include "digits.h"
#include <stdio.h>
#include <stdlib.h>

/* Random pictures: noise, noise with few levels, and mostly black ones; prints a sum of all logits. */
int main(int count, char **arguments)
{
    const long pictures = count > 1 ? atol(arguments[1]) : 0;
    uint32_t state = 2463534242u;
    unsigned long sum = 0;
    for (long i = 0; i < pictures; i++) {
        uint8_t pixels[EDGE_DIGITS_PIXELS];
        int8_t logits[EDGE_DIGITS_CLASSES];
        uint16_t probabilities[EDGE_DIGITS_CLASSES];
        for (int p = 0; p < EDGE_DIGITS_PIXELS; p++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            const uint8_t noise = (uint8_t)(state >> 24);
            pixels[p] = i % 3 == 0 ? noise : i % 3 == 1 ? noise & 0xC0 : state % 8 ? 0 : noise;
        }
        edge_digits_classify(pixels, logits);
        edge_digits_probabilities(logits, probabilities);
        for (int c = 0; c < EDGE_DIGITS_CLASSES; c++)
            sum += (unsigned long)(logits[c] + 128) + probabilities[c];
    }
    printf("%lu\\n", sum);
    return 0;
}
"""

Logits = NDArray[np.int8]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["bits", "sanitize", "target"])
    parser.add_argument("models", nargs="*", help="files, or names of installed models")
    parser.add_argument("--count", type=int, default=10_000, help="test pictures at most")
    options = parser.parse_args()
    models = [registry.find(model) for model in options.models] or list(registry.paths().values())
    actions: dict[str, Callable[[Sequence[Path], int], bool]] = {"bits": bits, "sanitize": sanitize, "target": target}
    return 0 if actions[options.what](models, options.count) else 1


@contextmanager
def exported(model: Path) -> Iterator[tuple[Export, Split]]:
    """Yield an export in a temporary folder, and the test pictures of MNIST as the model takes them."""
    card = read_model_file(model).card
    assert card is not None
    with tempfile.TemporaryDirectory() as scratch:
        test = load_test(None, card.input).test
        yield export(model, Path(scratch) / "digits", made_pictures(*card.input.shape), "Pictures of noise."), test


def bits(models: Sequence[Path], count: int) -> bool:
    """Compare the logits of all pictures with those of three interpreters."""
    print("| model | test accuracy of the C | logits unlike TensorFlow Lite Micro | unlike BUILTIN_REF | "
          "unlike XNNPACK: logits, largest step, labels |")  # fmt: skip
    print("| --- | --- | --- | --- | --- |")
    same = True
    for model in models:
        with exported(model) as (made, test):
            images, labels = test.images[:count], test.labels[:count]
            file = read_model_file(model)
            ours = run_c(made, images)
            micro = run_micro(file, images)
            reference, fast = (
                run_litert(file, images, kind) for kind in (OpResolverType.BUILTIN_REF, OpResolverType.AUTO)
            )
            differ = int((ours != micro).sum())
            same &= differ == 0
            steps = np.abs(ours.astype(int) - fast)
            changed = int((ours.argmax(axis=1) != fast.argmax(axis=1)).sum())
            right = 100 * (ours.argmax(axis=1) == labels).mean()
            print(
                f"| {made.card.name} | {right:.2f} % | {differ} of {ours.size:,} "
                f"| {100 * (ours != reference).mean():.2f} %, {(ours.argmax(1) != reference.argmax(1)).sum()} labels | "
                f"{100 * (steps > 0).mean():.1f} %, {steps.max()}, {changed} |",
                flush=True,
            )
    return same


def run_c(made: Export, images: NDArray[np.uint8]) -> Logits:
    """Return the logits of the C, compiled for this machine."""
    library = made.path / "digits.so"
    compile_c(made.path, library, "-O3", "-shared", "-fPIC", sources=("digits.c",))
    classify = ctypes.CDLL(str(library)).edge_digits_classify
    classify.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    result = np.empty((len(images), made.network.classes), np.int8)
    for image, row in zip(np.ascontiguousarray(images), result, strict=True):
        classify(image.ctypes.data, row.ctypes.data)
    return result


def run_micro(file: ModelFile, images: NDArray[np.uint8]) -> Logits:
    """Return the logits of TensorFlow Lite Micro."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(file.content[: file.flatbuffer_bytes], arena_size=1 << 20)
    rows = []
    for values in (images ^ 0x80).view(np.int8)[..., None]:
        interpreter.set_input(values[None], 0)
        interpreter.invoke()
        rows.append(interpreter.get_output(0).reshape(-1).copy())
    return np.array(rows, np.int8)


def run_litert(file: ModelFile, images: NDArray[np.uint8], kind: OpResolverType) -> Logits:
    """Return the logits of LiteRT with one set of kernels, each picture alone."""
    interpreter = Interpreter(model_content=file.content, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for values in (images ^ 0x80).view(np.int8)[..., None]:
        interpreter.set_tensor(given, values[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(made).reshape(-1))
    return np.array(rows, np.int8)


def sanitize(models: Sequence[Path], count: int) -> bool:
    """Run test pictures and random ones under the sanitizers of gcc, and a few under valgrind."""
    print("| model | test pictures | random pictures | under valgrind |\n| --- | --- | --- | --- |")
    work = None
    for model in models:
        with exported(model) as (made, test):
            work = work or RANDOM_INPUTS * made.network.macs
            random = min(RANDOM_INPUTS, work // made.network.macs)
            folder = made.path
            (folder / "harness.c").write_text(HARNESS)
            options = ("-O2", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
            compile_c(folder, folder / "pictures", *options)
            compile_c(folder, folder / "random", *options, sources=("digits.c", "harness.c"))
            pictures = np.ascontiguousarray(test.images[:count])
            lines = run([str(folder / "pictures")], pictures.tobytes()).splitlines()
            answers = np.array([line.split()[-made.network.classes :] for line in lines], np.int8)
            run([str(folder / "random"), str(random)])
            compile_c(folder, folder / "plain", "-O1", "-g")
            checked = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", str(folder / "plain")]
            few = run(checked, pictures[:VALGRIND_PICTURES].tobytes()).splitlines()
            assert few == lines[: len(few)]
            assert np.array_equal(answers, run_c(made, pictures)), "the sanitized program gives other logits"
            print(f"| {made.card.name} | {len(lines):,} | {random:,} | {len(few)} |", flush=True)
    return True


def target(models: Sequence[Path], count: int) -> bool:
    """Measure flash, RAM and instructions on emulated boards, whose logits must be those of this machine."""
    print("| model | processor | flash, bytes | RAM, bytes | of it stack | instructions | for a multiply-accumulate |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for model in models:
        with exported(model) as (made, test):
            pictures = test.images[: min(count, PICTURES_ON_TARGET)]
            record = measure(made.path, made.card, made.network, made.plan, pictures)
            show(record)
            if model in registry.paths().values():
                record.save(ROOT / "models" / registry.PACKAGE / f"{record.name}.{RECORD}")
    return True


def show(record: MicrocontrollerRecord) -> None:
    for figures in record.processors:
        print(
            f"| {record.name} | {figures.processor} | {figures.flash_bytes:,} | {figures.ram_bytes:,} "
            f"| {figures.stack_bytes:,} | {figures.instructions:,} | {figures.instructions / record.macs:.2f} |",
            flush=True,
        )


def compile_c(
    folder: Path, program: Path, *options: str, sources: Sequence[str] = ("main.c", "digits.c", "self_test.c")
) -> None:
    run(["gcc", *STRICT, *options, "-o", str(program), *(str(folder / name) for name in sources)])


def run(command: list[str], given: bytes = b"") -> str:
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout.decode()[-2000:]}{done.stderr.decode()[-4000:]}")
    return done.stdout.decode()


if __name__ == "__main__":
    sys.exit(main())
