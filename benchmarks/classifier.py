"""What `DigitClassifier` adds to the bare interpreter, for one picture and for 10,000.

    python benchmarks/classifier.py [MODEL ...]

Both sides take turns within one run, and what counts is the ratio of their medians. Against the batch call stands the
best of hand-tuned loops of ``set_tensor; invoke; get_tensor``: every batch size, threads within an invocation and
interpreters side by side, with pictures that are int8 before the clock starts. Without MODEL, the one that ships with
the runtime.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier, device
from edge_digits_runtime.backend import Interpreter
from edge_digits_runtime.installed import DEFAULT_MODEL
from edge_digits_train import mnist
from numpy.typing import NDArray

ROUNDS, CALLS = 300, 200
TUNING_ROUNDS, BATCH_ROUNDS = 7, 40
BATCHES = (10, 20, 50, 100, 200, 500, 1000, 2000)
Run = Callable[[], object]


def main(models: list[str]) -> None:
    """Print one table for each kind of call."""
    pictures = mnist.load().test.images
    facts = device.device_facts()
    print(f"{facts['name']}, {facts['cores']} cores, {', '.join(facts['cpu_features'])}\n")
    print("| one picture | bare µs | DigitClassifier µs | ratio |\n|---|---|---|---|")
    for model in models:
        bare, ours = take_turns(one_picture(DigitClassifier(model), pictures[0]), ROUNDS, CALLS)
        print(f"| `{model}` | {bare * 1e6:.2f} | {ours * 1e6:.2f} | {ours / bare:.3f} |", flush=True)
    print("\n| 10,000 pictures | best bare loop | its ms | classify_batch ms | ratio |\n|---|---|---|---|---|")
    for model in models:
        classifier = DigitClassifier(model, threads=device.cores())
        loops = bare_loops(classifier, pictures)
        times = dict(zip(loops, take_turns(list(loops.values()), TUNING_ROUNDS, 1), strict=True))
        name = min(times, key=times.__getitem__)
        # Measured anew: the least of many medians is least by luck as well.
        sides = [loops[name], partial(classifier.classify_batch, pictures)]
        bare, ours = take_turns(sides, BATCH_ROUNDS, 1)
        print(f"| `{model}` | {name} | {bare * 1e3:.1f} | {ours * 1e3:.1f} | {ours / bare:.3f} |", flush=True)


def take_turns(sides: list[Run], rounds: int, calls: int) -> list[float]:
    """Median seconds of one call of each side."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, kept in zip(sides, times, strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                side()
            kept.append((time.perf_counter() - start) / calls)
    # The first round makes what is made once.
    return [statistics.median(kept[1:]) for kept in times]


def one_picture(classifier: DigitClassifier, pixels: NDArray[np.uint8]) -> list[Run]:
    """The bare calls, with an input that is ready; and a picture in, label and confidence out."""
    interpreter = classifier.backend.interpreter(classifier.model.content, classifier.name)
    to, out = classifier.network.input.index, classifier.network.output.index
    ready = inputs(classifier, pixels[None])

    def bare() -> NDArray[Any]:
        interpreter.set_tensor(to, ready)
        interpreter.invoke()
        return interpreter.get_tensor(out)

    def ours() -> tuple[int, float]:
        prediction = classifier.classify(pixels)
        return prediction.digit, prediction.confidence

    return [bare, ours]


def bare_loops(classifier: DigitClassifier, pictures: NDArray[np.uint8]) -> dict[str, Run]:
    """Every way to answer all pictures with nothing but the interpreter, by what it is called."""
    ready = inputs(classifier, pictures)
    sides: dict[str, Run] = {}
    for batch in BATCHES:
        for threads in range(1, device.cores() + 1):
            within = [interpreter(classifier, batch, threads)]
            sides[f"batches of {batch}, {threads} threads within"] = partial(loop, classifier, within, ready, batch)
            if threads > 1:
                beside = [interpreter(classifier, batch, 1) for _ in range(threads)]
                sides[f"batches of {batch}, {threads} side by side"] = partial(loop, classifier, beside, ready, batch)
    return sides


def interpreter(classifier: DigitClassifier, batch: int, threads: int) -> Interpreter:
    return classifier.backend.interpreter(classifier.model.content, classifier.name, threads, batch)


def loop(classifier: DigitClassifier, interpreters: list[Interpreter], ready: NDArray[Any], batch: int) -> NDArray[Any]:
    """Answer all pictures, each interpreter every n-th batch."""
    to, out = classifier.network.input.index, classifier.network.output.index
    result = np.empty((len(ready), 10), classifier.network.output.dtype)

    def work(interpreter: Interpreter, starts: Iterable[int]) -> None:
        for start in starts:
            interpreter.set_tensor(to, ready[start : start + batch])
            interpreter.invoke()
            result[start : start + batch] = interpreter.get_tensor(out)

    shares = [range(batch * i, len(ready), batch * len(interpreters)) for i in range(len(interpreters))]
    if len(interpreters) == 1:
        work(interpreters[0], shares[0])
    else:
        with ThreadPoolExecutor(len(interpreters)) as pool:
            list(pool.map(work, interpreters, shares))
    return result


def inputs(classifier: DigitClassifier, pictures: NDArray[np.uint8]) -> NDArray[Any]:
    """Pictures as the input wants them: int8 with the top bit flipped, or float."""
    to = classifier.network.input
    ready = (pictures ^ 0x80).view(np.int8) if to.dtype == np.int8 else pictures / np.float32(255)
    return ready.reshape(-1, *to.shape[1:])


if __name__ == "__main__":
    main(sys.argv[1:] or [str(DEFAULT_MODEL)])
