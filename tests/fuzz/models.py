"""Damage models with the structure of a flatbuffer in mind, and see that loading them ends in an answer or in one line.

    python tests/fuzz/models.py --count 100000 --seed 1

A mutant is a model that ships, or one of ``tests/runtime/models``, with one to four changes: a number is replaced by
one at a limit, by one of another place, or has a bit flipped; an offset leads somewhere else; a field is removed. Its
sha256 in the card is computed again. What is a failure is in `harness`; those are written to ``--keep FOLDER``.
"""

import random
import struct
import sys
from pathlib import Path
from typing import Any

import harness
import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.model import registry, schema
from edge_digits_runtime.model.card import ModelCard, append_card, read_model_file
from edge_digits_runtime.model.flatbuffer import Reader
from edge_digits_runtime.model.schema_fields import MODEL

FOLDER = Path(__file__).parents[1] / "runtime" / "models"
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


class Models:
    """Loads damaged models and runs them on four pictures, and on 300."""

    most_mb = None

    def __init__(self) -> None:
        self._models = originals()
        self._lines = {model.name for model in self._models if model.card and model.card.input.kind == "line"}

    def mutant(self, rng: random.Random) -> harness.Mutant:
        """Return a damaged model."""
        model = rng.choice(self._models)
        return f"{model.name}.tflite", mutant(model, rng)

    def run(self, mutant: harness.Mutant) -> str:
        """Load and run it."""
        name, content = mutant
        if Path(name).stem in self._lines:
            from edge_digits_runtime.page.line import LineReader

            LineReader(content).logits(np.zeros((32, 264), np.uint8))
        else:
            classifier = DigitClassifier(content)
            classifier.classify_batch(np.zeros((300, *classifier.network.shape), np.uint8))
        return "runs"


if __name__ == "__main__":
    sys.exit(harness.main(Models, __doc__))
