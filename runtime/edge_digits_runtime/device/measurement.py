"""Answer every picture of a data set and time every part of an answer, by the same code on workstation and device.

The rules are those of MLPerf Tiny where they fit, see `edge_digits_runtime.device.timing`. The process that answers all
pictures is the one that is timed, so accuracy and speed are those of the same interpreter.
"""

import dataclasses
import datetime
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.data import turns
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.timing import Loops, loops
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.model.backends import Backend
from edge_digits_runtime.model.card import ModelFile
from edge_digits_runtime.model.network import Network
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, ModelInfo, wrong_pictures
from edge_digits_runtime.records.fields import plain_text

SECONDS = 0.3
"""Seconds that each of five loops takes, about."""
COLD_STARTS = 5
FILE_CALLS = 200
"""Fewest picture files that each of five loops reads, so that the 99th percentile is one of a thousand."""
PICTURE_FILES = 10
_LOADS = 5
_ENLARGED = 6
# Writes one byte as soon as the answer is there, then the memory that it took to get there.
_COLD_START = """
import sys, numpy
from {module} import {name} as Model
classifier = Model(sys.argv[1], backend=sys.argv[2], allow_unverified=True)
classifier.classify(numpy.zeros(classifier.input.shape, numpy.uint8))
sys.stdout.write("."); sys.stdout.flush()
from edge_digits_runtime.device.facts import peak_memory_bytes
print(peak_memory_bytes() or "")
"""


class Answers(Protocol):
    """The answers of a model to n pictures."""

    @property
    def labels(self) -> NDArray[Any]:
        """Indices of classes, or texts, shape ``(n,)``."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of all classes, shape ``(n, k)``; of the text of a line, ``(n, 1)``."""

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Shape ``(n,)``."""


class Model(Protocol):
    """What can be evaluated: a `edge_digits_runtime.model.classifier.DigitClassifier`, or a
    `edge_digits_runtime.page.line.LineReader`."""

    name: str
    model: ModelFile
    backend: Backend
    network: Network
    threads: int
    labels: tuple[str, ...]
    input: Input

    def classify(self, picture: Any, /) -> object:
        """Answer one picture: pixels of the input, or a file."""

    def classify_batch(self, pictures: NDArray[np.uint8], /) -> Answers:
        """Answer pictures of the input, shape ``(n, height, width)``."""

    def read_output(self, output: NDArray[Any], pixels: NDArray[np.uint8], /) -> object:
        """Return what the output of the network for one picture says."""


def evaluate(
    classifier: Model,
    split: Split,
    data: DataInfo,
    *,
    seconds: float = SECONDS,
    threads: Sequence[int] | None = None,
    timed: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Answer all pictures of ``split`` and measure what an answer costs.

    Latencies are of one picture: ``preprocess`` (pixels to the type and scale of the input), ``invoke`` (the
    interpreter alone), ``postprocess`` (output to class, confidence and doubts) and ``total`` (all of
    `Model.classify` from such pixels). What a person waits for is ``file``: from the path of a picture file
    to the answer, with opening it, finding the digit in it and framing it; ``picture`` is the part of that from the
    opened picture to the pixels. The files are the first ten pictures, six times as large, and digits dark on light.
    ``peak_memory_bytes`` is that of a process that loads the model and answers one picture. ``extra`` holds

    - ``loops``: for each of these latencies five loops and their median (`edge_digits_runtime.device.timing.Loops`);
    - ``load_ms``: median time to read the model, check it and answer the first picture, in a running process;
    - ``cold_start_ms``: the same from the start of the process;
    - ``threads``: for each number of threads, ``one_us`` for a picture alone and ``many_us`` for one of all pictures;
    - ``conditions``: `edge_digits_runtime.device.facts.conditions` ``before`` and ``after``;
    - ``turns``: of a model that reads wheels, how many of them were read well; not only where it is timed.

    Args:
        classifier: the model.
        split: the pictures; at least one.
        data: which pictures they are.
        seconds: how long each of the five loops of ``invoke`` and ``total`` takes; those of the others take a third.
        threads: numbers of threads to try; None for 1 to 4, powers of two above, and all cores.
        timed: measure what an answer costs, too; else ``latency`` and ``extra`` are empty.
        progress: called with a few words before each step.

    Raises:
        DataError: no pictures.
    """
    if not len(split):
        raise DataError(f"{data.name}: no {data.split} pictures in it to evaluate")
    say = progress or _ignore
    found = facts.device_facts() | {
        "backend": f"{classifier.backend.name} {classifier.backend.version}",
        "threads": classifier.threads,
    }
    before = facts.conditions()
    say(f"answering {len(split):,} pictures")
    predictions = classifier.classify_batch(split.images)
    extra: dict[str, object] = {}
    if turns.are_turns(classifier.labels):
        extra["turns"] = turns.figures(split.labels, predictions.labels, predictions.sure, classifier.labels)
    evaluation = Evaluation(
        model=model_info(classifier),
        data=data,
        labels=split.labels,
        probabilities=predictions.probabilities,
        latency={},
        device=found,
        pictures=wrong_pictures(split.images, split.labels, predictions.labels, classifier.labels),
        texts=predictions.labels if split.labels.dtype.kind == "U" else None,
        sure=predictions.sure,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        classes=classifier.labels,
        input=classifier.input,
        extra=extra,
    )
    if not timed:
        return evaluation
    say("timing one picture at a time")
    parts = _time_parts(classifier, split, seconds)
    say("timing by number of threads")
    by_threads = _time_threads(classifier, split, seconds / 3, threads or thread_counts(facts.cores()))
    say("timing cold starts")
    cold = _cold_starts(classifier)
    after = facts.conditions()
    notes = [parts["invoke"].unsteady(), parts["file"].unsteady(), facts.slowed_down(before, after)]
    return dataclasses.replace(
        evaluation,
        latency={name: part.latency for name, part in parts.items()},
        peak_memory_bytes=cold.peak_memory_bytes,
        notes=tuple(note for note in notes if note),
        extra={
            **extra,
            "loops": {name: part.to_dict() for name, part in parts.items()},
            "load_ms": _load_ms(classifier),
            "cold_start_ms": cold.median_ms,
            "threads": by_threads,
            "conditions": {"before": before, "after": after},
        },
    )


def model_info(classifier: Model) -> ModelInfo:
    """Return what the record says of a model: what its card says, or without a card, what its file and tensors show."""
    file, types = classifier.model, classifier.network.types
    whole = not any(np.issubdtype(kind, np.floating) for kind in types)
    if file.card is not None:
        name, scheme, weights = file.card.name, file.card.scheme, file.card.weights_sha256
    else:
        name, weights = plain_text(Path(classifier.name).stem)[:200], ""
        scheme = "int8" if whole else "float16" if np.float16 in types else "dynamic" if np.int8 in types else "float32"
    return ModelInfo(
        name=name,
        role="int8" if whole else "float-tflite",
        scheme=scheme,
        bytes=len(file.content),
        sha256=file.sha256,
        weights_sha256=weights,
    )


def thread_counts(cores: int) -> list[int]:
    """Return the numbers of threads worth trying: 1 to 4, then powers of two, and all cores."""
    return sorted({count for count in (1, 2, 3, 4, *(2**power for power in range(3, 10)), cores) if count <= cores})


def _ignore(_step: str) -> None:
    pass


def _time_parts(classifier: Model, split: Split, seconds: float) -> dict[str, Loops]:
    pixels, lane = split.images[0], classifier.network.lane
    output = lane.run(pixels)
    return {
        "preprocess": loops(lambda: lane.prepare(pixels), "pixels to input", seconds / 3),
        "invoke": invocations(classifier, pixels, seconds),
        "postprocess": loops(lambda: classifier.read_output(output, pixels), "output to prediction", seconds / 3),
        "total": loops(lambda: classifier.classify(pixels), "uint8 pixels to prediction", seconds),
        "picture": _time_picture(classifier.input, split, seconds / 3),
        "file": time_files(lambda file: classifier.classify(file), split, classifier.input, seconds),
    }


def invocations(classifier: Model, pixels: NDArray[np.uint8], seconds: float = SECONDS) -> Loops:
    """Time the interpreter alone on one picture.

    Args:
        classifier: the model.
        pixels: uint8 of the shape of its input.
        seconds: how long each of the five loops takes.
    """
    lane = classifier.network.lane
    lane.prepare(pixels)
    return loops(lane.invoke, "invoke", seconds)


def time_files(answer: Callable[[Path], object], split: Split, form: Input, seconds: float = SECONDS) -> Loops:
    """Time the way from a picture file to an answer; each call takes another of ten files.

    Args:
        answer: answers the picture in a file.
        split: at least one picture; the first ten are written to files.
        form: input of the model, which says how a picture becomes pixels.
        seconds: how long each of the five loops takes, or longer for `FILE_CALLS` calls.
    """
    with _picture_files(split, form) as files:
        names = itertools.cycle(files)
        return loops(lambda: answer(next(names)), "picture file to prediction", seconds, minimum=FILE_CALLS)


@contextmanager
def _picture_files(split: Split, form: Input) -> Iterator[list[Path]]:
    """Yield PNG files of the first pictures, as large as small scans."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{index}.png" for index in range(min(PICTURE_FILES, len(split)))]
        for file, pixels in zip(files, split.images, strict=False):
            _enlarged(pixels, form).save(file)
        yield files


def _enlarged(pixels: NDArray[np.uint8], form: Input) -> Image.Image:
    """Return a picture six times as large as the model's input; where the model takes ink, a dark digit on paper."""
    picture = 255 - pixels if form.kind == "ink" else pixels
    return Image.fromarray(np.kron(picture, np.ones((_ENLARGED, _ENLARGED), np.uint8)))


def _time_picture(form: Input, split: Split, seconds: float) -> Loops:
    image = _enlarged(split.images[0], form)
    return loops(lambda: prepare(image, form), f"picture to {form} pixels", seconds, minimum=20)


def _time_threads(classifier: Model, split: Split, seconds: float, counts: Sequence[int]) -> list[Mapping[str, float]]:
    rows: list[Mapping[str, float]] = []
    for count in counts:
        network = classifier.network.with_threads(count)
        one = loops(network.lane.invoke, "one", seconds)
        # The first call makes the interpreters.
        network.many(split.images)
        start = time.perf_counter_ns()
        network.many(split.images)
        many_us = (time.perf_counter_ns() - start) / 1000 / len(split)
        rows.append({"threads": count, "one_us": round(one.median_us, 3), "many_us": round(many_us, 3)})
    return rows


def _load_ms(classifier: Model) -> float:
    times = []
    blank = np.zeros(classifier.network.shape, np.uint8)
    kind: Callable[..., Model] = type(classifier)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(classifier.model.content)
        for _ in range(_LOADS):
            start = time.perf_counter_ns()
            kind(file, backend=classifier.backend.name, allow_unverified=True).classify(blank)
            times.append((time.perf_counter_ns() - start) / 1e6)
    return round(statistics.median(times), 3)


@dataclass(frozen=True)
class _Cold:
    median_ms: float
    peak_memory_bytes: int | None


def _cold_starts(classifier: Model) -> _Cold:
    times, peaks = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(classifier.model.content)
        kind = type(classifier)
        program = _COLD_START.format(module=kind.__module__, name=kind.__name__)
        command = [sys.executable, "-c", program, str(file), classifier.backend.name]
        for _ in range(COLD_STARTS):
            start = time.perf_counter_ns()
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                child.stdout.read(1)
                times.append((time.perf_counter_ns() - start) / 1e6)
                peaks.append(child.stdout.read().strip())
            if child.returncode:
                raise RuntimeError(f"a process that answers one picture ended with {child.returncode}")
    return _Cold(round(statistics.median(times), 3), int(peaks[0]) if peaks[0] else None)
