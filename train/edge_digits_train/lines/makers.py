"""Make lines and pages in numbers, in this process or in several; and the lines that every line reader is tested on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.image.line import HEIGHT, WIDTH
from edge_digits_runtime.image.model_input import Input

from edge_digits_train.lines import library
from edge_digits_train.lines.charset import LABELS
from edge_digits_train.lines.generator import Lines
from edge_digits_train.lines.pages import Pages

TEST_LINES, TEST_SEED = 1_000, 999_998
"""Number and seed of the lines of `held_out_lines`."""
_CHUNK = 256
"""Number of lines that a process makes at a time."""


def held_out_lines(folder: Path | None = None) -> DataSet:
    """Make the lines that every line reader is tested on, of writers, fonts and meters that no training line has.

    None of them is among the lines that are used for validation.

    Args:
        folder: of the library; None for that of this computer.
    """
    with line_maker(1, folder) as maker:
        made = maker.make(TEST_LINES, TEST_SEED, held_out=True)
    form = Input("line", HEIGHT, WIDTH)
    test = Split(made.pictures, np.array(made.labels, np.str_))
    return DataSet(f"made lines {library.VERSION}", nothing(form), test, LABELS, form)


Made = TypeVar("Made", Lines, Pages)


class Maker(Generic[Made]):
    """Makes lines or pages, in this process or in several; see `line_maker` and `page_maker`."""

    def __init__(self, kind: type[Made], folder: Path, pool: ProcessPoolExecutor | None = None) -> None:
        self._kind: type[Made] = kind
        self._folder, self._pool = folder, pool

    def make(self, count: int, seed: int, first: int = 0, held_out: bool = False) -> Made:
        """Make the lines ``first`` to ``first + count - 1`` of a seed.

        Args:
            count: number of lines.
            seed: at least 0.
            first: number of the first line.
            held_out: whether they are made of writers, fonts and meters that no training line has anything of.
        """
        return self.begin(count, seed, first, held_out)()

    def begin(self, count: int, seed: int, first: int = 0, held_out: bool = False) -> Callable[[], Made]:
        """Start to make lines, where there are processes for it, and return what waits for them; as `make`."""
        starts = range(first, first + count, _CHUNK)
        jobs = [(self._kind, self._folder, held_out, seed, at, min(_CHUNK, first + count - at)) for at in starts]
        parts = map(_make, jobs) if self._pool is None else self._pool.map(_make, jobs)
        return lambda: self._kind.joined(list(parts))


def line_maker(processes: int = 1, folder: Path | None = None) -> AbstractContextManager[Maker[Lines]]:
    """Open a `Maker` of lines with so many processes of its own; with 1, lines are made in this one.

    Args:
        processes: at least 1.
        folder: of the library; None for that of this computer, which is made if it is not there yet.
    """
    return _maker(Lines, processes, folder)


def page_maker(processes: int = 1, folder: Path | None = None) -> AbstractContextManager[Maker[Pages]]:
    """Open a `Maker` of pages; as `line_maker`."""
    return _maker(Pages, processes, folder)


@contextmanager
def _maker(kind: type[Made], processes: int, folder: Path | None) -> Iterator[Maker[Made]]:
    folder = folder or library.library_folder(processes)
    if processes == 1:
        yield Maker(kind, folder)
        return
    # Not forked: the caller may have threads, as TensorFlow has.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield Maker(kind, folder, pool)


def _make(job: tuple[type[Made], Path, bool, int, int, int]) -> Made:
    kind, folder, held_out, seed, first, count = job
    return kind.made(library.load(folder, held_out), seed, first, count)
