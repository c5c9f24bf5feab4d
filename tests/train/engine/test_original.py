"""The Keras original is measured in a process of its own."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.device import facts
from edge_digits_runtime.image.model_input import INK
from edge_digits_runtime.records import run
from edge_digits_train.engine import original


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module with its own `measure`, which `originals_at_once` replaces."""
    replaced = original.measure
    yield importlib.reload(original)
    monkeypatch.undo()
    original.measure = replaced


def test_a_fresh_process_measures_what_was_saved(
    real: ModuleType, finished: Path, small_mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker of a cluster would wait for the others for ever.
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"index": 0}}')
    found = real.measure(finished / run.MODEL, small_mnist.test, INK)
    assert {name: len(part.samples_us) for name, part in found.latency.items()} == {"invoke": 1000, "file": 1000}
    assert "predict_on_batch" in found.latency["invoke"].what
    # Both are the work of milliseconds, and a file needs all that an invocation needs.
    assert 0 < found.latency["invoke"].p50 < found.latency["file"].p50
    assert set(found.extra) == {"loops", "load_ms", "conditions"}
    assert found.extra["load_ms"] > 1
    assert all("loops" in note or "median" in note or "slowed" in note for note in found.notes)
    # Python with Keras and a backend; this process holds data sets and trained networks besides.
    assert found.peak_memory_bytes is not None
    assert 100e6 < found.peak_memory_bytes < 3e9
    assert found.peak_memory_bytes != facts.peak_memory_bytes()
    assert "TF_CONFIG" in os.environ


def test_a_process_that_fails_is_named(real: ModuleType, small_mnist: DataSet, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match=r"model\.keras"):
        real.measure(tmp_path / "model.keras", small_mnist.test, INK)


def test_a_process_that_never_ends_is_given_up(
    real: ModuleType, finished: Path, small_mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "_LONGEST_S", 0.05)
    with pytest.raises(RuntimeError, match=r"took more than 0\.05 s"):
        real.measure(finished / "model.keras", small_mnist.test, INK)


def test_the_figures_are_those_of_the_evaluation(finished: Path) -> None:
    from edge_digits_runtime.records.evaluation import Evaluation

    evaluation = Evaluation.load(finished / run.EVALUATION)
    assert evaluation.peak_memory_bytes == 700_000_000
    assert evaluation.extra == {"load_ms": 1000.0}
    assert evaluation.latency["file"].p50 == pytest.approx(2 * evaluation.latency["invoke"].p50)
