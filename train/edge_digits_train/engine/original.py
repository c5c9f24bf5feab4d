"""Measure the Keras original as a .tflite is measured: in a process of its own that loads it and answers.

The process that trained a network holds its pictures and the optimizer's state, and its timings tell nothing of one
that only predicts.

    python -m edge_digits_train.engine.original MODEL.keras FOLDER

reads ``pictures.npz`` in FOLDER and writes ``measured.json`` there; `measure` calls it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.measurement import PICTURE_FILES, time_files
from edge_digits_runtime.device.timing import Loops, loops
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.records.timings import Latency

from edge_digits_train.engine.feed import pixels

SECONDS = 0.3
"""Seconds that each of five loops takes, about."""
WHAT = "Keras Model.predict_on_batch, compiled, one picture"
_PICTURES, _MEASURED = "pictures.npz", "measured.json"
_LONGEST_S = 600.0
"""Seconds that the process may take; on a desktop computer it takes 6 to 11."""
_CLUSTER = ("TF_CONFIG", "KERAS_DISTRIBUTION")
"""Variables, or starts of their names, that would make the process join a cluster that trains."""


@dataclass(frozen=True)
class Original:
    """What the Keras original costs."""

    latency: Mapping[str, Latency]
    """``invoke`` and ``file``, as of a ``.tflite``."""
    peak_memory_bytes: int | None
    """Largest resident set of the process after it answered one picture, in bytes."""
    notes: tuple[str, ...]
    """What disturbed the measurement."""
    extra: Mapping[str, Any]
    """``loops``, ``load_ms`` and ``conditions``, see `edge_digits_runtime.device.measurement.evaluate`."""


def measure(saved: Path, split: Split, form: Input) -> Original:
    """Measure a saved network in a fresh process.

    Args:
        saved: the ``.keras`` file.
        split: test pictures, at least one.
        form: how pictures become its pixels.

    Raises:
        RuntimeError: the process failed, and the message is the last line that it wrote; or it took too long.
    """
    backend = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND") or _backend()}
    # The process that trained keeps its share of the GPU; this one shall take only what it needs.
    memory = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_CLUSTER)}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / _PICTURES, images=split.images[:PICTURE_FILES], form=json.dumps(asdict(form)))
        command = [sys.executable, "-m", __name__, str(saved.absolute()), folder]
        variables = environment | memory | backend
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=variables, stdin=subprocess.DEVNULL, timeout=_LONGEST_S
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"took more than {_LONGEST_S:g} s") from error
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or [f"status {done.returncode}"]
            raise RuntimeError(last[0].strip())
        return _read(json.loads((Path(folder) / _MEASURED).read_text(encoding="utf-8")))


def _read(values: Mapping[str, Any]) -> Original:
    return Original(
        latency={
            name: Latency(np.array(part["samples_us"], np.float64), part["what"])
            for name, part in values["latency_us"].items()
        },
        peak_memory_bytes=values["peak_memory_bytes"],
        notes=tuple(values["notes"]),
        extra=values["extra"],
    )


def _backend() -> str:
    from edge_digits_train.engine.keras_session import keras

    return str(keras.backend.backend())


def _measured(saved: Path, images: Any, form: Input) -> dict[str, Any]:
    """Return what `measure` reads, all of it measured in this process."""
    before = facts.conditions()
    from edge_digits_train.engine.keras_session import devices, keras

    devices()
    start = time.perf_counter_ns()
    model = keras.models.load_model(saved, compile=False)
    picture = pixels(images[:1])
    model.predict_on_batch(picture)
    load_ms = (time.perf_counter_ns() - start) / 1e6
    peak = facts.peak_memory_bytes()

    def answer(file: Path) -> int:
        found = prepare(open_picture(file), form).pixels
        return int(np.argmax(model.predict_on_batch(pixels(found[None]))))

    split = Split(images, np.zeros(len(images), np.uint8))
    parts: dict[str, Loops] = {
        "invoke": loops(lambda: model.predict_on_batch(picture), WHAT, SECONDS),
        "file": time_files(answer, split, form, SECONDS),
    }
    after = facts.conditions()
    notes = [part.unsteady() for part in parts.values()] + [facts.slowed_down(before, after)]
    return {
        "latency_us": {name: part.latency.to_dict() for name, part in parts.items()},
        "peak_memory_bytes": peak,
        "notes": [note for note in notes if note],
        "extra": {
            "loops": {name: part.to_dict() for name, part in parts.items()},
            "load_ms": round(load_ms, 3),
            "conditions": {"before": before, "after": after},
        },
    }


def main(saved: str, folder: str) -> None:
    """Measure the network in ``saved`` on the pictures in ``folder``, and write the figures there."""
    with np.load(Path(folder) / _PICTURES) as stored:
        images, form = stored["images"], Input(**json.loads(str(stored["form"])))
    result = _measured(Path(saved), images, form)
    (Path(folder) / _MEASURED).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
