"""Measure what `DigitClassifier` adds to the bare interpreter, for one picture and for 10,000.

The batch call is compared with the fastest of many loops of ``set_tensor; invoke; get_tensor``: with every batch size,
threads within an invocation and interpreters side by side, on pictures that are int8 before the clock starts.
"""

import statistics
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.device import facts
from edge_digits_runtime.model.backends import Interpreter
from edge_digits_train.data import mnist
from numpy.typing import NDArray
from turns import Row, Run, ratio, take_turns

ROUNDS, CALLS = 3000, 20
TUNING_ROUNDS, BATCH_ROUNDS = 5, 40
BATCHES = (10, 20, 50, 100, 200, 500, 1000, 2000)
BARE = "`set_tensor; invoke; get_tensor`"


def one_picture_rows(models: Mapping[str, Path]) -> list[Row]:
    """Return a row for each model, given by the name in the table: one picture at a time."""
    pixels = mnist.load().test.images[0]
    rows = []
    for name, model in models.items():
        ours, bare = take_turns(one_picture(DigitClassifier(model), pixels), ROUNDS, CALLS)
        what = f"`DigitClassifier`, one 28×28 array to label and confidence, {name}"
        mine, theirs = (statistics.median(times) * 1e6 for times in (ours, bare))
        against = f"bare {BARE}, input ready"
        why = (
            f"{mine - theirs:.1f} µs more to check the array, make the input of it, read label, confidence and doubts "
            "from the answer; the faster the processor, the larger a share"
        )
        rows.append(Row(what, against, f"{mine:.2f} µs", f"{theirs:.2f} µs", ratio(ours, bare), 1.25, why))
    return rows


def batch_rows(models: Mapping[str, Path]) -> list[Row]:
    """Return a row for each model, given by the name in the table: 10,000 pictures on all cores."""
    pictures = mnist.load().test.images
    rows = []
    for name, model in models.items():
        classifier = DigitClassifier(model, threads=facts.cores())
        loops = bare_loops(classifier, pictures)
        tuning = take_turns(list(loops.values()), TUNING_ROUNDS, 1)
        fastest, _ = min(zip(loops, map(statistics.median, tuning), strict=True), key=lambda side: side[1])
        # Measured again: the smallest of many medians is so by luck as well.
        sides = [partial(classifier.classify_batch, pictures), loops[fastest], partial(classifier.outputs, pictures)]
        ours, bare, outputs = take_turns(sides, BATCH_ROUNDS, 1)
        what = f"`classify_batch`, 10,000 pictures on {facts.cores()} cores, {name}"
        times = (f"{statistics.median(times) * 1e3:.1f} ms" for times in (ours, bare))
        why = f"{ratio(outputs, bare)} before labels and confidences are read from the outputs"
        rows.append(Row(what, f"best of {len(loops)} bare loops: {fastest}", *times, ratio(ours, bare), 1.05, why))
    return rows


def one_picture(classifier: DigitClassifier, pixels: NDArray[np.uint8]) -> list[Run]:
    """Return a call from picture to label and confidence, and the bare calls on an input that is ready."""
    interpreter = classifier.backend.interpreter(classifier.model.content, classifier.name)
    input_, output = classifier.network.input.index, classifier.network.output.index
    ready = inputs(classifier, pixels[None])

    def bare() -> NDArray[Any]:
        interpreter.set_tensor(input_, ready)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    def ours() -> tuple[int, float]:
        prediction = classifier.classify(pixels)
        return prediction.digit, prediction.confidence

    return [ours, bare]


def bare_loops(classifier: DigitClassifier, pictures: NDArray[np.uint8]) -> dict[str, Run]:
    """Return every way to answer all pictures with the interpreter alone, by the name in the table."""
    ready = inputs(classifier, pictures)
    sides: dict[str, Run] = {}
    for batch in BATCHES:
        for threads in range(1, facts.cores() + 1):
            within = [interpreter(classifier, batch, threads)]
            sides[f"batches of {batch}, {threads} threads within"] = partial(loop, classifier, within, ready, batch)
            if threads > 1:
                beside = [interpreter(classifier, batch, 1) for _ in range(threads)]
                sides[f"batches of {batch}, {threads} side by side"] = partial(loop, classifier, beside, ready, batch)
    return sides


def interpreter(classifier: DigitClassifier, batch: int, threads: int) -> Interpreter:
    return classifier.backend.interpreter(classifier.model.content, classifier.name, threads, batch)


def loop(classifier: DigitClassifier, interpreters: list[Interpreter], ready: NDArray[Any], batch: int) -> NDArray[Any]:
    """Answer all pictures, every n-th batch with each of n interpreters."""
    input_, output = classifier.network.input.index, classifier.network.output.index
    result = np.empty((len(ready), 10), classifier.network.output.dtype)

    def work(interpreter: Interpreter, starts: Iterable[int]) -> None:
        for start in starts:
            interpreter.set_tensor(input_, ready[start : start + batch])
            interpreter.invoke()
            result[start : start + batch] = interpreter.get_tensor(output)

    shares = [range(batch * i, len(ready), batch * len(interpreters)) for i in range(len(interpreters))]
    if len(interpreters) == 1:
        work(interpreters[0], shares[0])
    else:
        with ThreadPoolExecutor(len(interpreters)) as pool:
            list(pool.map(work, interpreters, shares))
    return result


def inputs(classifier: DigitClassifier, pictures: NDArray[np.uint8]) -> NDArray[Any]:
    """Return pictures in the type of the input: int8 with the top bit flipped, or float."""
    input_ = classifier.network.input
    ready = (pictures ^ 0x80).view(np.int8) if input_.dtype == np.int8 else pictures / np.float32(255)
    return ready.reshape(-1, *input_.shape[1:])
