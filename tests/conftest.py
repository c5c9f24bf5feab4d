"""What several tests of the command need."""

import functools
import hashlib
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime.data import datasets, npz
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.device import measurement
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_runtime.model.card import ModelCard, append_card
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, ModelInfo, wrong_pictures
from edge_digits_runtime.records.run import RunRecord
from edge_digits_runtime.records.timings import Latency
from hypothesis import settings

# No test fails because the machine is busy.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

MakeEvaluation = Callable[..., Evaluation]
_ROLES = {"keras": "float-original", "int8": "int8"}


def digest(text: str) -> str:
    """A sha256 that differs where ``text`` does."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``started(command, ...)``: a process as of `subprocess.Popen`, with text; killed when the test ends.

    In a ``with`` block of its own a failed check would wait for the process for ever.
    """
    processes: list[subprocess.Popen[str]] = []

    def start(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
        # A shell starts what runs in its background with Ctrl-C ignored, and a child inherits that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            processes.append(subprocess.Popen(command, text=True, **{"stdout": subprocess.PIPE} | options))
        finally:
            signal.signal(signal.SIGINT, before)
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        # Also closes its pipes.
        with process:
            pass


@pytest.fixture(scope="session")
def quick_measurement() -> Iterator[None]:
    """Let `evaluate` time each part for 0.1 s and start one cold process: 1 s of processor time instead of 11."""
    quick = functools.partial(measurement.evaluate, seconds=0.02)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "evaluate", quick)
        patch.setattr(measurement, "COLD_STARTS", 1)
        patch.setattr(measurement, "FILE_CALLS", 4)
        yield


@pytest.fixture(scope="session", autouse=True)
def originals_at_once() -> Iterator[None]:
    """Let no training start a process that measures its original: it takes 6 s; one test of it does."""
    if find_spec("edge_digits_train") is None:
        yield
        return
    from edge_digits_train.engine import original

    def measure(*_: Any) -> Any:
        samples = np.linspace(900, 1100, 1000)
        latency = {
            "invoke": Latency(samples, original.WHAT),
            "file": Latency(2 * samples, "picture file to prediction"),
        }
        return original.Original(latency, 700_000_000, (), {"load_ms": 1000.0})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(original, "measure", measure)
        yield


@pytest.fixture(scope="session")
def make_evaluation() -> MakeEvaluation:
    """Make an `Evaluation` out of labels and answers; the pictures are noise, the same ones every time."""

    def make(
        labels: Sequence[int],
        answers: Sequence[int],
        scheme: str = "int8",
        confidence: float | Sequence[float] = 0.91,
        name: str = "net",
        weights_sha256: str = "a" * 64,
        size: int = 1000,
        latency_us: float | Sequence[float] = 10.0,
        file_us: float | None = None,
        device: Mapping[str, Any] | None = None,
        pictures: str = "a",
        classes: Sequence[str] = DIGIT_CLASSES,
        form: Input = INK,
        **fields: Any,
    ) -> Evaluation:
        truth, predicted = np.array(labels, np.uint8), np.array(answers, np.uint8)
        top = np.broadcast_to(np.asarray(confidence, np.float64), truth.shape)
        probabilities = np.repeat((1 - top)[:, None] / (len(classes) - 1), len(classes), axis=1)
        probabilities[np.arange(len(truth)), predicted] = top
        images = np.random.default_rng(1).integers(0, 256, (len(truth), *form.shape), np.uint8)
        facts = {"name": "Laptop", "machine": "x86_64", "python": "3.11.2", "backend": "litert 2.3.0", "threads": 1}
        return Evaluation(
            model=ModelInfo(
                name, _ROLES.get(scheme, "float-tflite"), scheme, size, digest(scheme + weights_sha256), weights_sha256
            ),
            data=DataInfo("MNIST", "test", pictures * 64),
            labels=truth,
            probabilities=probabilities.astype(np.float32),
            latency={"invoke": Latency(np.atleast_1d(np.asarray(latency_us, np.float64)), "set_tensor + invoke")}
            | ({} if file_us is None else {"file": Latency(np.array([file_us]), "picture file to prediction")}),
            device=facts | dict(device or {}),
            pictures=wrong_pictures(images, truth, predicted, tuple(classes)),
            created="2026-05-01T12:30:00+00:00",
            classes=tuple(classes),
            input=form,
            **fields,
        )

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """``make_run({file name: (flatbuffer, scheme)}, split)``: a run folder of ``mlp-8`` with models, cards included.

    Its test pictures are ``split``, 20 pictures of noise by default, in the data set ``noise.npz`` beside the folder.
    """

    def make(models: Mapping[str, tuple[bytes, str]], test: Split | None = None) -> Path:
        if test is None:
            rng = np.random.default_rng(0)
            test = Split(rng.integers(0, 256, (20, 28, 28), np.uint8), np.arange(20, dtype=np.uint8) % 10)
        source = tmp_path / "noise.npz"
        nothing = Split(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))
        npz.save_test(source, DataSet("Noise", nothing, test))
        folder = tmp_path / "run"
        folder.mkdir()
        for name, (flatbuffer, scheme) in models.items():
            card = ModelCard(name="mlp-8", scheme=scheme, sha256="", accuracy={"test": 0.9812})
            (folder / name).write_bytes(append_card(flatbuffer, card))
        RunRecord(
            recipe={"name": "mlp-8"},
            data={
                "name": "Noise",
                "source": str(source),
                "sha256": {"train": "c" * 64, "validation": "d" * 64, "test": datasets.digest(test)},
                "counts": {"test": len(test)},
                "classes": DIGIT_CLASSES,
                "input": INK,
                "groups": {},
                "grouping": {"pattern": None, "test": []},
            },
            weights_sha256="a" * 64,
            model_sha256="b" * 64,
            device={"name": "here", "machine": "x86_64", "python": "3.11.2", "backend": "keras", "kind": "CPU"},
            versions={},
            history={},
            accuracy={"validation": 0.98, "test": 0.9812},
            metrics={
                **dict.fromkeys(("precision", "recall", "f1"), [0.98] * 10),
                "macro": dict.fromkeys(("precision", "recall", "f1"), 0.98),
                "confusion": [[0] * 10] * 10,
            },
            latency_us=dict.fromkeys(("p50", "p90", "p99", "mean", "std"), 800.0),
            parameters=1,
            macs=1,
        ).save(folder)
        return folder

    return make
