"""Measure the runtime against everything else: ``uv run python benchmarks/speed/device.py [PART ...]``.

Writes ``docs/research/benchmarks.md``. With names from `PARTS`, only these parts are measured; the others stay as they
were last measured here. The networks are trained for it (mostly for one epoch) and the other runtimes are fetched by
uv; both are kept for the next time.
"""

import datetime
import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import backends
import classifier
import size
import startup
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.device import facts
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.records import files
from edge_digits_train.data import mnist
from networks import EPOCHS, FOLDER, ROOT, run_folder
from turns import Row, ratio, take_turns

TARGET = ROOT / "docs" / "research" / "benchmarks.md"
COMPARED = ("mlp-256-128", "digits-m")
"""The networks that all runtimes run; digits-m is that of the default model."""
VERSIONS = ("ai-edge-litert", "numpy", "pillow", "click", "tensorflow", "keras")
PAGE = """# Measured on the device

Written by

    uv run python benchmarks/speed/device.py

on {machine}; Python {python}, {versions}. Two sides take turns within one run; a ratio is the median of the ratios of
all turns, with the middle half of them in brackets: how far apart those are says how quiet the machine was.

{when}

{parts}
"""
TABLE = """| what | against | ours | theirs | ratio | wanted | reached |
|---|---|---|---|---|---|---|"""
Section = tuple[list[Row], str]
"""Rows of the first table, and the text below it."""


def models() -> dict[str, Path]:
    """Return the models that are measured alone, by the name in the table."""
    mlp = run_folder("mlp-256-128") / "mlp-256-128-int8.tflite"
    return {"`mlp-256-128` int8": mlp, "the default model": DEFAULT_MODEL}


def runtimes() -> Section:
    """Run the same networks on all runtimes."""
    rows, texts = [], []
    for name in COMPARED:
        results = backends.compare(run_folder(name))
        rows += backends.rows(f"`{name}`", results)
        texts.append(f"## `{name}` on other runtimes\n\n{backends.table(results)}")
    return rows, "\n\n".join([*texts, RUNTIMES])


RUNTIMES = """\
Everything on one thread, one picture at a time. `DigitClassifier` takes uint8 pixels and gives label, confidence and
reason; the others are given an input that is ready and give ten numbers. "Other answers" counts test pictures whose
label is not the one of LiteRT, "steps off" is the largest difference of an int8 output in steps of its scale. ONNX
Runtime runs the Keras network layer by layer, int8 by its own static quantization (500 training pictures, per channel).
OpenVINO refuses `.tflite` files whose tensors have no names, and `edge-digits convert` strips names: it is given the
same file with names put back. The networks are those of `benchmarks/speed/networks.py`, trained for an epoch or a
few."""


def forms() -> Section:
    """Measure int8 against float for each recipe."""
    pixels = mnist.load().test.images[0]
    lines = ["| network | float32 µs | int8 µs | int8 takes × |", "|---|---|---|---|"]
    for name in EPOCHS:
        run = run_folder(name)
        sides = [DigitClassifier(run / f"{name}-{form}.tflite").network.one for form in ("int8", "float32")]
        quantized, floating = take_turns([lambda side=side: side(pixels) for side in sides], 1000, 5)
        medians = " | ".join(f"{statistics.median(times) * 1e6:.1f}" for times in (floating, quantized))
        lines.append(f"| `{name}` | {medians} | {ratio(quantized, floating)} |")
    return [], "\n".join(["## int8 against float", "", *lines, "", FORMS])


FORMS = """\
The network alone, one picture on one thread. int8 is not faster everywhere: on x86-64 processors without VNNI,
networks of convolutions were slower in int8 than in float. `edge-digits evaluate` measures it on your device."""


PARTS: dict[str, Callable[[], Section]] = {
    "one": lambda: (classifier.one_picture_rows(models()), ""),
    "batch": lambda: (classifier.batch_rows(models()), ""),
    "startup": lambda: (startup.rows(), ""),
    "runtimes": runtimes,
    "size": lambda: (size.rows(), ""),
    "forms": forms,
}


def measure(part: str) -> None:
    """Measure one part and keep the result."""
    print(f"measuring: {part}", file=sys.stderr, flush=True)
    busy = os.getloadavg()[0]
    rows, text = PARTS[part]()
    kept = {"rows": [str(row) for row in rows], "text": text}
    # The load before, since a part that runs on all cores is a load itself.
    kept |= {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "load": round(busy)}
    files.write_bytes(_kept(part), json.dumps(kept).encode())


def page() -> str:
    """Return the page with every part that was ever measured here."""
    parts_found = {part: json.loads(_kept(part).read_text()) for part in PARTS if _kept(part).exists()}
    table = "\n".join([TABLE, *(row for part in parts_found.values() for row in part["rows"])])
    when = "; ".join(
        f"`{part}` {kept['date']}, {'not noted' if kept['load'] is None else kept['load']}"
        for part, kept in parts_found.items()
    )
    found = facts.device_facts()
    machine = f"{found['name']} ({', '.join(found['cpu_features'] or ())}), {found['cores']} cores, {found['system']}"
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    missing = ", ".join(part for part in PARTS if not _kept(part).exists())
    texts = [f"Not measured yet: {missing}."] if missing else []
    parts = "\n\n".join([table, *texts, *(part["text"] for part in parts_found.values() if part["text"])])
    when = f"Each part with its day and the load average of the machine before it: {when}."
    return PAGE.format(machine=machine, python=found["python"], versions=versions, parts=parts, when=when)


def _kept(part: str) -> Path:
    return FOLDER / f"{part}.json"


def main(parts: Sequence[str]) -> None:
    if unknown := set(parts) - PARTS.keys():
        sys.exit(f"no part is called {', '.join(unknown)}; allowed are {', '.join(PARTS)}")
    for part in parts or PARTS:
        measure(part)
    files.write_bytes(TARGET, page().encode())
    print(TARGET)


if __name__ == "__main__":
    main(sys.argv[1:])
