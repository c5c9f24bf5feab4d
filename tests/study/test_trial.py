"""One trial, really trained: it continues where it was stopped, and does no step twice."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import RunError
from edge_digits_study import trial
from edge_digits_study.definition import System
from edge_digits_study.results import Trial
from edge_digits_study.trial import Job
from edge_digits_train.data import mnist

EPOCHS = 3
SYSTEM = System("small", "small", "mlp-64", {"batch_size": 32})


class StoppedError(Exception):
    """Stands for the death of the worker."""


@pytest.fixture(scope="module")
def dataset() -> DataSet:
    """600 training and 200 test pictures."""
    whole = mnist.load()
    train, test = (Split(split.images[:n], split.labels[:n]) for split, n in ((whole.train, 600), (whole.test, 200)))
    return DataSet("small", train, test)


def job(folder: Path) -> Job:
    return Job(SYSTEM.name, SYSTEM.build(0, EPOCHS), folder / "trials" / "small")


def run(folder: Path, dataset: DataSet, stop_at: str = "") -> tuple[Trial, list[str]]:
    """Run the trial until it says ``stop_at``; return it and the steps that it said."""
    steps: list[str] = []

    def say(step: str) -> None:
        steps.append(step)
        if step == stop_at:
            raise StoppedError

    return trial.run(job(folder), dataset, say), steps


@pytest.fixture(scope="module")
def whole(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, list[str], Path]:
    """A trial that was not stopped, the steps that it said, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return *run(folder, dataset), folder


def test_a_trial_trains_measures_and_converts(whole: tuple[Trial, list[str], Path]) -> None:
    done, steps, folder = whole
    assert steps == ["0/3", "1/3", "2/3", "3/3", "measuring", "int8"]
    assert Trial.load(folder / "trials" / "small" / "trial.json") == done
    assert done.int8 is not None
    assert done.int8.drop == pytest.approx(100 * (done.accuracy["test"] - done.int8.accuracy["test"]))
    assert done.accuracy["train"] > 0.7
    assert [len(values) for values in done.history.values()] == [EPOCHS] * 5  # type: ignore[arg-type]
    assert np.array(done.metrics["confusion"]).sum() == 200


@pytest.mark.parametrize(
    ("stop_at", "rest"),
    [
        # An epoch is saved after it is said to be done: the second one is trained again.
        ("2/3", ["0/3", "2/3", "3/3", "measuring", "int8"]),
        ("measuring", ["measuring", "int8"]),
        ("int8", ["int8"]),
    ],
)
def test_a_stopped_trial_continues(
    stop_at: str, rest: list[str], whole: tuple[Trial, list[str], Path], dataset: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, dataset, stop_at)
    done, steps = run(tmp_path, dataset)
    assert steps == rest
    expected, _, _ = whole
    # Bit for bit, however often it was stopped; only times differ.
    assert (done.accuracy, done.loss, done.metrics) == (expected.accuracy, expected.loss, expected.metrics)
    assert done.int8 is not None
    assert expected.int8 is not None
    assert (done.int8.accuracy, done.int8.bytes) == (expected.int8.accuracy, expected.int8.bytes)


def test_a_finished_trial_does_nothing(whole: tuple[Trial, list[str], Path], dataset: DataSet) -> None:
    done, _, folder = whole
    assert run(folder, dataset) == (done, [])


def test_without_tensorflow_a_trial_is_converted_later(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(trial, "can_convert", lambda: False)
        done, steps = run(tmp_path, dataset)
    assert done.int8 is None
    assert steps[-1] == "measuring"
    later, steps = run(tmp_path, dataset)
    assert steps == ["int8"]
    assert later.int8 is not None


def test_a_folder_with_other_pictures_is_refused(whole: tuple[Trial, list[str], Path], dataset: DataSet) -> None:
    _, _, folder = whole
    for name in ("train", "test"):
        split = getattr(dataset, name)
        other = DataSet(
            "other",
            **{"train": dataset.train, "test": dataset.test} | {name: Split(split.images, split.labels[::-1].copy())},
        )
        with pytest.raises(RunError, match="holds a run on other pictures than other"):
            trial.check(job(folder), other)
