"""Do the same work for many items on all cores, with the results in order."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_TRIED_S = 0.5
"""Seconds that this process works alone, to estimate how long the rest takes."""
_WORTH_S = 3.0
"""Seconds of work that must be left before more processes are started, each of which takes up to a second."""
_CHUNK_S = 0.1
"""Seconds of work that a process is handed at a time."""

_work: Callable[[Any], Any]
"""The function that a process started by `_shared_out` applies to each item."""


def in_order(prepare: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the result for each item, in order.

    The work begins in this process. If it turns out to be long, a process on each core shares the rest; what those
    print is lost.

    Args:
        prepare: returns the function that is applied to each item. It is called once in each process, so it must be
            picklable, and so must items and results.
        items: the items.
    """
    work = prepare()
    begin = time.monotonic()
    for done, item in enumerate(items, 1):
        yield work(item)
        spent = time.monotonic() - begin
        if spent > _TRIED_S and spent / done * (len(items) - done) > _WORTH_S:
            # Imported here, since one picture does not need it.
            from edge_digits_runtime.device import facts

            if (cores := facts.cores()) > 1:
                yield from _shared_out(prepare, items[done:], cores, max(1, int(_CHUNK_S / spent * done)))
                return


def _shared_out(
    prepare: Callable[[], Callable[[Any], Any]], items: Sequence[Any], cores: int, chunk: int
) -> Iterator[Any]:
    # Imported here, since most calls need neither.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Not forked: the interpreter of the model may have threads, which a fork does not copy.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(cores, -(-len(items) // chunk)), context, _begin, (prepare,))
    try:
        with _no_interrupts():
            results = pool.map(_one, items, chunksize=chunk)
        yield from results
    finally:
        # Reached early after Ctrl-C, or when the reader of the output is gone.
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let processes that are started inside ignore Ctrl-C: this process receives it and ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(prepare: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    _work = prepare()


def _one(item: Any) -> Any:
    return _work(item)
