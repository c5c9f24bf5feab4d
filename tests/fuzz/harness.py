"""What the fuzzers have in common: mutants by number, a process that may die, and a count of what came of them.

A fuzzer makes a damaged input out of a random generator, and runs it. What it may end in is an answer, or an
`EdgeDigitsError` of one line. Anything else is a failure: a process that dies (``killed``), another exception
(``traceback``), more than `SECONDS` (``hangs``), a message of several lines (``lines``), anything on standard error
(``noise``), or more than the memory that is promised (``large``). The same seed makes the same mutants.
"""

import argparse
import collections
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from edge_digits_runtime.errors import EdgeDigitsError

SECONDS = 20
"""For one mutant; without load most take milliseconds."""
FAILURES = ("killed", "traceback", "hangs", "lines", "noise", "large")
_START_SECONDS = 120
"""Until a process has imported what it needs and has made its originals."""
Mutant = tuple[str, bytes]
"""A file name, whose suffix may matter, and the content."""


class Fuzzer(Protocol):
    """Makes and runs damaged inputs of a kind."""

    most_mb: int | None
    """Memory that the process may take meanwhile, in MB; None where nothing is promised."""

    def mutant(self, rng: random.Random) -> Mutant:
        """Return a damaged input."""

    def run(self, mutant: Mutant) -> str:
        """Run it and return what came of it, in a word.

        Raises:
            EdgeDigitsError: it was refused.
            Exception: a fault of ours.
        """


def drawn(seed: int, index: int) -> random.Random:
    """Return the random generator of a mutant."""
    return random.Random(f"{seed}/{index}")


def _work(make: Callable[[], Fuzzer], seed: int, first: int, count: int, reports: Connection) -> None:
    """Run the mutants ``first`` and on, and report each before and after."""
    fuzzer = make()
    reports.send((first, None))
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        for index in range(first, count):
            mutant = fuzzer.mutant(drawn(seed, index))
            reports.send((index, None))
            _forget_peak()
            try:
                outcome = fuzzer.run(mutant)
            except EdgeDigitsError as error:
                one_line = len(str(error).splitlines()) == 1
                outcome = f"{type(error).__name__ if one_line else 'lines'}: {error}"
            except Exception:
                outcome = f"traceback: {mutant[0]}: {traceback.format_exc()}"
            if noise.seek(0, os.SEEK_END):
                noise.seek(0)
                outcome = f"noise: {mutant[0]}: {noise.read(2000)!r}"
                noise.truncate(0)
            peak = _peak_mb()
            if fuzzer.most_mb is not None and peak > fuzzer.most_mb:
                outcome = f"large: {mutant[0]}: {peak} MB: {outcome}"
            reports.send((index, outcome))


def _forget_peak() -> None:
    """Let the peak of the memory begin anew, where the system can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_mb() -> int:
    """Return the peak of the memory since then in MB; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM")), 0)


def outcomes(make: Callable[[], Fuzzer], seed: int, first: int, count: int) -> Iterator[tuple[int, str]]:
    """Yield the outcome of each mutant; a process that dies or hangs is started again behind it."""
    context = multiprocessing.get_context("spawn")
    while first < count:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(make, seed, first, count, sender))
        process.start()
        sender.close()
        index, patience = first, _START_SECONDS
        try:
            while first < count:
                if not receiver.poll(patience):
                    process.kill()
                    yield index, "hangs"
                    break
                index, outcome = receiver.recv()
                patience = SECONDS
                if outcome is not None:
                    yield index, outcome
                    first = index + 1
        except EOFError:
            process.join()
            yield index, f"killed: exit code {process.exitcode}"
        process.join()
        if first < count:
            first = index + 1


def main(make: Callable[[], Fuzzer], description: str) -> int:
    """Run the mutants, print a line for each failure and the counts at the end, and return the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="How many mutants.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first one.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="Folder for the mutants that fail.")
    options = parser.parse_args()
    begun, counts, failed = time.monotonic(), collections.Counter[str](), 0
    fuzzer: Fuzzer | None = None
    for index, outcome in outcomes(make, options.seed, options.first, options.count):
        kind = outcome.partition(":")[0]
        counts[kind] += 1
        if kind in FAILURES:
            failed += 1
            print(f"mutant {index}: {outcome}", file=sys.stderr, flush=True)
            if options.keep:
                fuzzer = fuzzer or make()
                options.keep.mkdir(parents=True, exist_ok=True)
                name, content = fuzzer.mutant(drawn(options.seed, index))
                (options.keep / f"{index}-{name}").write_bytes(content)
        if (index + 1) % 5000 == 0:
            print(json.dumps({"done": index + 1, **counts}), file=sys.stderr, flush=True)
    print(json.dumps({"seed": options.seed, "seconds": round(time.monotonic() - begun), **counts}))
    return 1 if failed else 0
