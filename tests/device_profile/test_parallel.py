"""Work shared among all cores gives the same results in the same order."""

import functools
import operator
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_digits import parallel
from edge_digits.cli import main
from edge_digits.samples import SAMPLES


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand all items but the first to two other processes."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(parallel, "_TRIED_S", 0.0)
    monkeypatch.setattr(parallel, "_WORTH_S", -1.0)


@pytest.mark.usefixtures("at_once")
def test_results_come_in_order_from_other_processes() -> None:
    items = [(f"item {k}", os.getpid()) for k in range(50)]
    assert list(parallel.in_order(functools.partial(operator.itemgetter, 0), items)) == [f"item {k}" for k in range(50)]
    first, second, *_ = parallel.in_order(functools.partial(functools.partial, _process), items)
    assert first == os.getpid() != second


def _process(_: object) -> int:
    return os.getpid()


@pytest.mark.usefixtures("at_once")
def test_an_error_arrives_and_ends_the_work() -> None:
    results = parallel.in_order(functools.partial(operator.itemgetter, 0), ["a", "b", "", "c"])
    assert next(results) == "a"
    with pytest.raises(IndexError):
        list(results)


def test_classify_prints_the_same_with_one_process_and_with_three(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    arguments = ["classify", "--json", *map(str, SAMPLES[:3]), str(bad), *map(str, SAMPLES)]
    alone = CliRunner().invoke(main, arguments)
    request.getfixturevalue("at_once")
    together = CliRunner().invoke(main, arguments)
    assert len(alone.stdout.splitlines()) == 13
    assert (together.stdout, together.stderr, together.exit_code) == (alone.stdout, alone.stderr, 2)
