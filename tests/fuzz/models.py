"""Damage models with the structure of a flatbuffer in mind, and see that loading them ends in an answer or in one line.

    python tests/fuzz/models.py --count 100000 --seed 1

A mutant is a model that ships, or one of ``tests/runtime/models``, with one to four changes: a number is replaced by
one at a limit, by one of another place, or has a bit flipped; an offset leads somewhere else; a field is removed. Its
sha256 in the card is computed again. Mutants are loaded, run on four pictures, and on 300, in a process that is started
again when it dies. The same seed makes the same mutants. Exit code 0 if none killed the process, took more than
20 seconds, or ended in another exception than `EdgeDigitsError`; the others are written to ``--keep FOLDER``.
"""

import argparse
import collections
import json
import multiprocessing
import random
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.errors import EdgeDigitsError
from edge_digits_runtime.model import registry, schema
from edge_digits_runtime.model.card import ModelCard, append_card, read_model_file
from edge_digits_runtime.model.flatbuffer import Reader
from edge_digits_runtime.model.schema_fields import MODEL

FOLDER = Path(__file__).parents[1] / "runtime" / "models"
SECONDS = 20
"""For one mutant; without load one takes 3 ms."""
Place = tuple[str, int]
"""A code of `struct`, and where it is stored."""


class Recorder(Reader):
    """Remembers where each value is, and where the offsets, lengths and lists of fields that lead there are."""

    def __init__(self, content: memoryview) -> None:
        super().__init__(content)
        self.values: set[Place] = set()
        self.structure: set[Place] = set()

    def _value(self, kind: Any, at: int) -> Any:
        value = super()._value(kind, at)
        if isinstance(kind, str) and kind not in ("union", "string", "bytes"):
            if kind[0] == "[":
                start = self.offset(at) + 4
                size = struct.calcsize(f"<{kind[1]}")
                self.values.update((kind[1], start + size * index) for index in range(len(value)))
            else:
                self.values.add((kind[0], at))
        elif kind == "bytes":
            # The content of large constants is only sampled, as the numbers that shapes and axes are.
            start = self.offset(at) + 4
            self.values.update(("i", start + index) for index in range(0, len(value) - 3, max(len(value) // 64 * 4, 4)))
        return value

    def _number(self, code: str, at: int) -> Any:
        self.structure.add((code, at))
        return super()._number(code, at)

    def table(self, fields: Any, at: int) -> dict[str, Any]:
        """Read a table, and remember the places of its fields."""
        values = super().table(fields, at)
        vtable = at - struct.unpack_from("<i", self._content, at)[0]
        size = struct.unpack_from("<H", self._content, vtable)[0]
        self.structure.update(("H", slot) for slot in range(vtable, vtable + size, 2))
        return values


class Original:
    """A model to damage."""

    def __init__(self, path: Path) -> None:
        file = read_model_file(path, allow_unverified=True)
        self.name, self.card = path.stem, file.card
        self.flatbuffer = file.content[: file.flatbuffer_bytes]
        recorder = Recorder(memoryview(self.flatbuffer))
        values = recorder.table(MODEL, recorder.offset(0))
        codes = values["operator_codes"]
        for graph in values["subgraphs"]:
            for operator in graph["operators"]:
                name = schema.OPERATORS[codes[operator["opcode_index"]]["builtin_code"]]
                if operator["builtin_options"] is not None and name in schema.OPTIONS:
                    operator["builtin_options"](schema.OPTIONS[name][1])
        self.values, self.structure = sorted(recorder.values), sorted(recorder.structure - recorder.values)


def originals() -> list[Original]:
    """Return all models of digits that are small, and the small model of lines."""
    paths = [*registry.paths().values(), *sorted(FOLDER.glob("*.tflite")), *registry.line_paths().values()]
    return [Original(path) for path in paths if path.stat().st_size < 120_000]


def mutant(model: Original, rng: random.Random) -> bytes:
    """Return a damaged model file."""
    content = bytearray(model.flatbuffer)
    # The reader finds nearly every wrong offset, so that few mutants need one.
    places = model.structure if rng.random() < 0.15 else model.values
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        _change(content, places, rng)
    return with_card(bytes(content), model.card)


def _change(content: bytearray, places: list[Place], rng: random.Random) -> None:
    code, at = rng.choice(places)
    size = struct.calcsize(f"<{code}")
    top = 256**size
    before = int.from_bytes(content[at : at + size], "little")
    kind = rng.randrange(8)
    if kind == 0:
        after = before ^ 1 << rng.randrange(8 * size)
    elif kind <= 2:
        # What stands at another place of the kind.
        _, other = rng.choice([place for place in places if place[0] == code])
        after = int.from_bytes(content[other : other + size], "little")
    elif kind <= 4:
        after = before + rng.choice((-28, -4, -2, -1, 1, 2, 4, 28))
    elif code == "f":
        value = rng.choice((0.0, -1.0, 1e-45, 1e-38, 1e-20, 1e-6, 0.5, 1e6, 1e20, 3e38, float("inf"), float("nan")))
        after = int.from_bytes(struct.pack("<f", value), "little")
    else:
        after = rng.choice((-1, -2, 0, 1, 2, 3, 7, 28, 255, top // 2, top // 2 - 1, 1 << rng.randrange(8 * size)))
    content[at : at + size] = (after % top).to_bytes(size, "little")


def with_card(flatbuffer: bytes, card: ModelCard | None) -> bytes:
    """Return a model file whose card has the sha256 of the damaged flatbuffer."""
    return flatbuffer if card is None else append_card(flatbuffer, card)


def load(content: bytes, line: bool) -> str:
    """Load and run a model; return what came of it.

    Raises:
        Exception: a fault of ours.
    """
    try:
        if line:
            from edge_digits_runtime.page.line import LineReader

            reader = LineReader(content)
            reader.logits(np.zeros((32, 264), np.uint8))
        else:
            classifier = DigitClassifier(content)
            pictures = np.zeros((300, *classifier.network.shape), np.uint8)
            classifier.classify_batch(pictures)
    except EdgeDigitsError as error:
        return f"{type(error).__name__}: {error}"
    return "runs"


def _work(seed: int, first: int, count: int, reports: Connection) -> None:
    """Load the mutants ``first`` and on, and report each before and after."""
    models = originals()
    for index in range(first, count):
        rng = random.Random(f"{seed}/{index}")
        model = rng.choice(models)
        content = mutant(model, rng)
        reports.send((index, None))
        try:
            outcome = load(content, model.card is not None and model.card.input.kind == "line")
        except Exception:
            outcome = f"traceback: {traceback.format_exc()}"
        reports.send((index, outcome))


def outcomes(seed: int, first: int, count: int) -> Iterator[tuple[int, str]]:
    """Yield the outcome of each mutant; a process that dies or hangs is started again behind it."""
    context = multiprocessing.get_context("spawn")
    while first < count:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(seed, first, count, sender))
        process.start()
        sender.close()
        index = first
        try:
            while first < count:
                if not receiver.poll(SECONDS + (30 if index == first else 0)):
                    process.kill()
                    yield index, "hangs"
                    break
                index, outcome = receiver.recv()
                if outcome is not None:
                    yield index, outcome
                    first = index + 1
        except EOFError:
            process.join()
            yield index, f"killed: exit code {process.exitcode}"
        process.join()
        if first < count:
            first = index + 1


def main() -> int:
    """Load the mutants, print a line for each kind of outcome, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="How many mutants.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first one.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="Folder for the mutants that fail.")
    options = parser.parse_args()
    begun, counts, failed = time.monotonic(), collections.Counter[str](), 0
    models = originals()
    for index, outcome in outcomes(options.seed, options.first, options.count):
        kind = outcome.partition(":")[0]
        counts[kind] += 1
        if kind in ("killed", "traceback", "hangs"):
            failed += 1
            print(f"mutant {index}: {outcome}", file=sys.stderr, flush=True)
            if options.keep:
                rng = random.Random(f"{options.seed}/{index}")
                options.keep.mkdir(parents=True, exist_ok=True)
                model = rng.choice(models)
                (options.keep / f"{index}-{model.name}.tflite").write_bytes(mutant(model, rng))
        if (index + 1) % 5000 == 0:
            print(json.dumps({"done": index + 1, **counts}), file=sys.stderr, flush=True)
    print(json.dumps({"seed": options.seed, "seconds": round(time.monotonic() - begun), **counts}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
