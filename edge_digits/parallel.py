"""The same work for many items with all cores, results in order."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_TRIED_S = 0.5
"""Work is tried this long in this process, to see what is left of it."""
_WORTH_S = 3.0
"""More processes, which need up to a second to start, are worth it if this much is left for one."""
_CHUNK_S = 0.1
"""A process gets work for about this long at once."""

_work: Callable[[Any], Any]
"""What a process that was started here does with an item."""


def in_order(prepare: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
    """What the function that ``prepare`` makes says of each item, one after the other.

    Little work is done here. Of more, the rest goes to a process on each core; what they print is lost.

    Args:
        prepare: called once here and once in each process, so it can be pickled, as can the items and results.
        items: what to work on.
    """
    work = prepare()
    begin = time.monotonic()
    for done, item in enumerate(items, 1):
        yield work(item)
        spent = time.monotonic() - begin
        if spent > _TRIED_S and spent / done * (len(items) - done) > _WORTH_S:
            # Not at the top: it imports what one picture does not need.
            from edge_digits_runtime.device import facts

            if (cores := facts.cores()) > 1:
                yield from _shared_out(prepare, items[done:], cores, max(1, int(_CHUNK_S / spent * done)))
                return


def _shared_out(
    prepare: Callable[[], Callable[[Any], Any]], items: Sequence[Any], cores: int, chunk: int
) -> Iterator[Any]:
    # Most calls need neither.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Not forked: the interpreter of the model may have threads, which do not survive that.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(cores, -(-len(items) // chunk)), context, _begin, (prepare,))
    try:
        with _no_interrupts():
            results = pool.map(_one, items, chunksize=chunk)
        yield from results
    finally:
        # Reached early when the user or the reader of the output has had enough.
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Processes started meanwhile never hear of Ctrl-C: this one does, and ends them."""
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
