"""An evaluation: every answer, and what an answer costs. What is measured is looked at for sense, not for speed."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import datasets
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.measurement import evaluate, model_info, thread_counts, time_files
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.model import backends
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation
from numpy.typing import NDArray

Tiny = Callable[[str], Path]
Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8]]
PARTS = {"preprocess", "invoke", "postprocess", "total", "picture", "file"}


def info(split: Split) -> DataInfo:
    return DataInfo("drawn digits", "test", datasets.digest(split))


@pytest.fixture(scope="module")
def split(drawn: Drawn) -> Split:
    """The drawn digits, three of them with a wrong label."""
    labels = drawn[1].copy()
    labels[[5, 50, 77]] = (labels[[5, 50, 77]] + 1) % 10
    return Split(drawn[0], labels)


@pytest.fixture(autouse=True)
def one_cold_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting Python five times and reading a thousand files for each test would take most of their time."""
    monkeypatch.setattr("edge_digits_runtime.device.measurement.COLD_STARTS", 1)
    monkeypatch.setattr("edge_digits_runtime.device.measurement.FILE_CALLS", 4)


def test_everything_is_in_the_record(tiny: Tiny, split: Split, tmp_path: Path) -> None:
    steps: list[str] = []
    classifier = DigitClassifier(tiny("int8"))
    evaluation = evaluate(classifier, split, info(split), seconds=0.02, threads=[1, 2], progress=steps.append)
    assert evaluation.accuracy == 1 - 3 / 250
    assert sorted(evaluation.pictures) == [5, 50, 77]
    np.testing.assert_array_equal(evaluation.pictures[50], split.images[50])
    np.testing.assert_array_equal(evaluation.probabilities, classifier.classify_batch(split.images).probabilities)
    assert evaluation.device["backend"] == f"{classifier.backend.name} {classifier.backend.version}"
    assert {"name", "machine", "python", "cores"} <= set(evaluation.device)
    assert set(evaluation.latency) == set(evaluation.extra["loops"]) == PARTS
    files = {"picture", "file"}
    assert all(len(part.samples_us) == 1000 for name, part in evaluation.latency.items() if name not in files)
    assert all(len(evaluation.latency[name].samples_us) >= 20 for name in files)
    # No time is compared with another: on a machine with other work a part takes longer than the whole now and then.
    assert all(part.p50 > 0 for part in evaluation.latency.values())
    extra = evaluation.extra
    assert extra["load_ms"] > 0
    assert extra["cold_start_ms"] > 0
    assert [row["threads"] for row in extra["threads"]] == [1, 2]
    assert all(row["one_us"] > 0 and row["many_us"] > 0 for row in extra["threads"])
    # A process with numpy and an interpreter; less than this one with all of pytest.
    assert evaluation.peak_memory_bytes is not None
    assert 10e6 < evaluation.peak_memory_bytes < (facts.peak_memory_bytes() or 0)
    assert [step.split()[0] for step in steps] == ["answering", "timing", "timing", "timing"]

    evaluation.save(tmp_path / "evaluation.json")
    again = Evaluation.load(tmp_path / "evaluation.json")
    assert again.accuracy == evaluation.accuracy
    assert again.extra == extra
    assert again.latency["invoke"].p99 == pytest.approx(evaluation.latency["invoke"].p99, abs=1e-3)


def test_without_times_there_are_only_answers(tiny: Tiny, split: Split) -> None:
    steps: list[str] = []
    evaluation = evaluate(DigitClassifier(tiny("int8")), split, info(split), timed=False, progress=steps.append)
    assert (evaluation.latency, evaluation.extra, evaluation.peak_memory_bytes, evaluation.notes) == ({}, {}, None, ())
    assert evaluation.accuracy == 1 - 3 / 250
    assert Evaluation.from_dict(json.loads(json.dumps(evaluation.to_dict()))).latency == {}
    assert len(steps) == 1


def test_the_note_of_a_device_that_slowed_down(tiny: Tiny, split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    states = itertools.chain([{"throttled": []}], itertools.repeat({"throttled": ["throttled now"]}))
    monkeypatch.setattr(facts, "device_facts", lambda: {"name": "a board"})
    monkeypatch.setattr(facts, "conditions", lambda: next(states))
    evaluation = evaluate(DigitClassifier(tiny("int8")), split, info(split), seconds=0.001, threads=[1])
    assert "the device slowed down while it was measured: throttled now" in evaluation.notes
    assert evaluation.extra["conditions"] == {"before": {"throttled": []}, "after": {"throttled": ["throttled now"]}}


def test_the_note_of_uneven_loops(tiny: Tiny, split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = DigitClassifier(tiny("int8"))
    from edge_digits_runtime.device import measurement as module
    from edge_digits_runtime.device.timing import Loops
    from edge_digits_runtime.records.timings import Latency

    def loops(_function: Any, what: str, _seconds: float, minimum: int = 200) -> Loops:
        return Loops(Latency(np.ones(1000), what), (1.0, 1.0, 1.0, 1.0, slowest), minimum)

    monkeypatch.setattr(module, "loops", loops)
    slowest = 1.24
    assert evaluate(classifier, split, info(split), threads=[1]).notes == ()
    slowest = 2.0
    notes = evaluate(classifier, split, info(split), threads=[1]).notes
    assert [note.partition(":")[0] for note in notes] == ["invoke", "picture file to prediction"]
    assert all("the slowest of 5 loops took 2.0 times as long as the fastest" in note for note in notes)


def test_the_files_that_are_timed_hold_the_pictures(split: Split) -> None:
    answers: list[tuple[str, int]] = []
    classifier = DigitClassifier()

    def answer(file: Path) -> None:
        answers.append((file.name, classifier.classify(file).digit))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_digits_runtime.device.measurement.FILE_CALLS", 2)
        time_files(answer, split, classifier.input, 0.0)
    assert {name for name, _ in answers} == {f"{index}.png" for index in range(10)}
    right = [int(name.removesuffix(".png")) for name, digit in answers if digit == split.labels[int(name[0])]]
    # Drawn digits, not written ones; by chance it would be one of the ten.
    assert len(set(right)) >= 5


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("int8", ("tiny", "int8", "int8", "5eed" * 16)),
        ("float32", ("tiny", "float-tflite", "float32", "5eed" * 16)),
        ("foreign-uint8-flat", ("foreign-uint8-flat", "int8", "int8", "")),
        ("foreign-half-scale", ("foreign-half-scale", "int8", "int8", "")),
        ("foreign-float32-plane", ("foreign-float32-plane", "float-tflite", "float32", "")),
    ],
)
def test_the_model_in_the_record(name: str, wanted: tuple[str, ...], tiny: Tiny) -> None:
    found = model_info(DigitClassifier(tiny(name)))
    assert (found.name, found.role, found.scheme, found.weights_sha256) == wanted
    assert found.bytes == tiny(name).stat().st_size
    assert len(found.sha256) == 64


def test_an_empty_split_gives_one_line(tiny: Tiny) -> None:
    nothing = Split(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))
    with pytest.raises(DataError, match="drawn digits: no test pictures in it to evaluate"):
        evaluate(DigitClassifier(tiny("int8")), nothing, info(nothing))


@pytest.mark.parametrize(
    ("cores", "counts"),
    [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 6]), (24, [1, 2, 3, 4, 8, 16, 24])],
)
def test_threads_worth_trying(cores: int, counts: list[int]) -> None:
    assert thread_counts(cores) == counts


def test_a_cold_start_that_fails_is_not_a_figure(tiny: Tiny, split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = DigitClassifier(tiny("int8"))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr("edge_digits_runtime.device.measurement._COLD_START", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="ended with 3"):
        evaluate(classifier, split, info(split), seconds=0.001, threads=[1])


def test_the_backend_of_the_record_is_the_one_in_use(tiny: Tiny) -> None:
    assert DigitClassifier(tiny("int8")).backend is backends.choose()
