"""An evaluation is validated when it is loaded, whatever is nested in it."""

import base64
import copy
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device.measurement import evaluate
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation
from PIL import Image

CLOSE = [0.5, 0.5, *[0.0] * 8]


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """An evaluation as JSON, with pictures that were answered wrong."""
    models = Path(__file__).parents[1] / "models"
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    split = Split(images, np.arange(20, dtype=np.uint8) % 10)
    evaluation = evaluate(
        DigitClassifier(models / "int8.tflite"), split, DataInfo("noise", "test", "a" * 64), seconds=0
    )
    values: dict[str, Any] = json.loads(json.dumps(evaluation.to_dict()))
    assert values["pictures"]["index"]
    return values


def png(image: Image.Image, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


LATENCY = {"what": "", "p50": 1, "p90": 1, "p99": 1, "mean": 1, "std": 0, "samples_us": [1, 1]}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("created", 5, "created is 5"),
        ("created", "2026-13", "created is '2026-13'"),
        ("notes", None, "notes is None"),
        ("notes", [5], "notes[0] is 5"),
        ("model", [], "model is list"),
        ("model.name", None, "model.name is None"),
        ("model.name", "\ud800", "model.name is '\\ud800'"),
        ("model.name", "\x1b[31m", "model.name is '\\x1b[31m'"),
        ("model.role", "float", "model.role is 'float'"),
        ("model.scheme", "int4", "model.scheme is 'int4'"),
        ("model.bytes", "many", "model.bytes is 'many'"),
        ("model.bytes", 0, "model.bytes is 0"),
        ("model.bytes", 10**400, "model.bytes is 1000"),
        ("model.sha256", "x", "model.sha256 is 'x'"),
        ("model.weights_sha256", "x", "model.weights_sha256 is 'x'"),
        ("model.colour", "red", "model.colour is unknown"),
        ("data.sha256", 1, "data.sha256 is 1"),
        ("data.split", "all", "data.split is 'all'"),
        ("data.count", 21, "labels, predicted, probabilities and data.count are not of the same number"),
        ("accuracy", 1.5, "accuracy is 1.5"),
        ("accuracy", 0.123, "accuracy and confusion are not those of labels and predicted"),
        ("confusion", [[0] * 10] * 10, "accuracy and confusion are not those"),
        ("confusion", [[0] * 10] * 9, "accuracy and confusion are not those"),
        ("confusion", [[0] * 10, [0] * 9], "confusion is list; allowed is n × n numbers"),
        ("classes", "0123456789", "classes is '0123456789'; allowed is a list"),
        ("classes", ["0"], "classes is list; allowed is a list of 2 to 128"),
        ("classes", [str(k) for k in range(129)], "classes is list; allowed is a list of 2 to 128"),
        ("classes", [*"012345678", "8"], "classes is list; allowed is names that are all different"),
        ("classes", [*"012345678", "a/b"], "classes[9] is 'a/b'; allowed is 1 to 40 printable characters"),
        ("classes", [*"012345678", 9], "classes[9] is 9; allowed is text"),
        ("classes", [*"01234567"], "labels hold 8; allowed are whole numbers 0 to 7"),
        ("classes", [*"0123456789a"], "probabilities are of 10 classes, but classes names 11"),
        ("latency_us", [], "latency_us is list"),
        ("latency_us", {"total": LATENCY}, "latency_us.invoke is missing"),
        ("latency_us.other", {}, "a name in latency_us is 'other'"),
        ("latency_us.invoke.samples_us", [], "latency_us.invoke.samples_us is list"),
        ("latency_us.total.samples_us", [], "latency_us.total.samples_us is list"),
        ("latency_us.invoke.samples_us", [float("nan")], "latency_us.invoke.samples_us is nan"),
        ("latency_us.invoke.samples_us", [1e308] * 3, "latency_us.invoke.samples_us is 1e+308"),
        ("latency_us.invoke.samples_us", [-1], "latency_us.invoke.samples_us is -1"),
        ("latency_us.invoke.samples_us", [0, 0, 5], "latency_us.invoke has a median of 0"),
        ("latency_us.invoke.p50", None, "latency_us.invoke.p50 is None"),
        ("peak_memory_bytes", "8 GB", "peak_memory_bytes is '8 GB'"),
        ("peak_memory_bytes", -1, "peak_memory_bytes is -1"),
        ("device", None, "device is None"),
        ("device.name", 5, "device.name is 5"),
        ("device.name", "", "device.name is ''"),
        ("device.backend", None, "device.backend is None"),
        ("device.memory_bytes", "8 GB", "device.memory_bytes is '8 GB'"),
        ("device.cores", 0, "device.cores is 0"),
        ("device.throttled", ["hot", 5], "device.throttled[1] is 5"),
        ("device.temperature_c", float("inf"), "device.temperature_c is inf"),
        ("device.beside", float("nan"), "device.beside is nan"),
        ("extra", [], "extra is list"),
        ("extra.conditions", {}, "extra.conditions.before is missing"),
        ("extra.conditions.before", {}, "extra.conditions.before.governor is missing"),
        ("extra.conditions.after.governor", float("inf"), "extra.conditions.after.governor is inf"),
        ("extra.threads", {"threads": 1}, "extra.threads is dict"),
        ("extra.threads", [{"threads": 1}], "extra.threads[0].one_us is missing"),
        ("extra.threads", [{"threads": "1", "one_us": 1, "many_us": 1}], "extra.threads[0].threads is '1'"),
        ("extra.threads", [{"threads": 0, "one_us": 1, "many_us": 1}], "extra.threads[0].threads is 0"),
        ("extra.loops", [], "extra.loops is list"),
        ("extra.loops.invoke.median_us", "", "extra.loops.invoke.median_us is ''"),
        ("extra.loops.invoke.loop_us", [], "extra.loops.invoke.loop_us is list"),
        ("extra.load_ms", "0.9", "extra.load_ms is '0.9'"),
        ("extra.cold_start_ms", float("nan"), "extra.cold_start_ms is nan"),
        ("extra.beside", {"deep": [float("inf")]}, "extra.beside.deep[0] is inf"),
        ("labels", "x", "labels is 'x'"),
        ("labels", [12] * 20, "labels hold 12; allowed are whole numbers 0 to 9"),
        ("labels", [0.5] * 20, "labels hold 0.5; allowed are whole numbers 0 to 9"),
        ("labels", [200] * 20, "labels is 200; allowed is n numbers from 0 to 127"),
        ("labels", [], "labels is list"),
        ("labels", "0" * 20, "labels is '00000000000000000000'; allowed is n numbers"),
        ("labels", [0] * 19, "labels, predicted, probabilities and data.count"),
        ("predicted", [0] * 21, "labels, predicted, probabilities and data.count"),
        ("probabilities", [[float("nan")] * 10] * 20, "probabilities is nan"),
        ("probabilities", [[float("inf")] * 10] * 20, "probabilities is inf"),
        ("probabilities", [[-0.1, 1.1, *[0.0] * 8]] * 20, "probabilities is -0.1"),
        ("probabilities", [[0.2] * 10] * 20, "probabilities are not 1 together"),
        ("probabilities", [[0.1] * 9] * 20, "probabilities are of 9 classes, but classes names 10"),
        ("probabilities", [["0.1"] * 10] * 20, "probabilities is list"),
        ("probabilities", [[0.0, 1.0, *[0.0] * 8]] * 20, "predicted classes are not those of the largest"),
        ("pictures", {"index": []}, "pictures.png is missing"),
        ("pictures.index", [], "pictures.index is not that of the wrong answers"),
        ("pictures.index", ["1"], "pictures.index[0] is '1'"),
        ("pictures.png", "", "pictures.png cannot be read"),
        ("pictures.png", "no base64!", "pictures.png cannot be read"),
        ("pictures.png", "iVBORw0KGgo=", "pictures.png cannot be read"),
        ("pictures.png", png(Image.new("L", (28, 28))), "pictures.png is not one column of"),
        ("pictures.png", png(Image.new("L", (20_000, 20_000))), "pictures.png is not one column of"),
        ("pictures.png", png(Image.new("RGB", (28, 28)), "EPS"), "pictures.png cannot be read"),
        ("pictures.png", png(Image.new("L", (28, 28)), "BMP"), "pictures.png cannot be read"),
        ("colour", "red", "colour is unknown"),
    ],
    ids=lambda value: f"{value!r:.40}",
)
def test_a_field_that_does_not_fit_is_refused(path: str, value: object, words: str, record: dict[str, Any]) -> None:
    values = copy.deepcopy(record)
    assert len(Evaluation.from_dict(values).labels) == 20
    inner: Any = values
    *parents, name = path.split(".")
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    with pytest.raises(EvaluationError) as caught:
        Evaluation.from_dict(values)
    assert str(caught.value).startswith(f"the evaluation is damaged ({words}")
    assert "\n" not in str(caught.value)


def test_every_field_is_needed(record: dict[str, Any]) -> None:
    # What evaluations that were made before lacked.
    for name in record.keys() - {"format", "sure", "silently_wrong"}:
        with pytest.raises(EvaluationError, match=f"{name} is missing"):
            Evaluation.from_dict({other: value for other, value in record.items() if other != name})


def test_of_equal_probabilities_the_recorded_answer_counts(record: dict[str, Any]) -> None:
    wrong = next(row for row in range(20) if record["predicted"][row] > 1)
    values = copy.deepcopy(record)
    row = [0.0] * 10
    row[0] = row[int(record["predicted"][wrong])] = 0.5
    values["probabilities"][wrong] = row
    found = Evaluation.from_dict(values)
    assert found.predicted[wrong] == int(record["predicted"][wrong])
    assert found.probabilities.max() <= 1


def test_a_picture_that_is_answered_with_ten_times_zero_keeps_its_answer(record: dict[str, Any]) -> None:
    values = copy.deepcopy(record)
    values["probabilities"][3] = [0.0] * 10
    found = Evaluation.from_dict(values)
    assert found.predicted[3] == int(record["predicted"][3])
    assert found.probabilities[3].max() < 1e-30


def test_an_evaluation_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.evaluation.json.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(70):
            file.write(b" " * (1 << 20))
    with pytest.raises(EvaluationError, match=r"not an evaluation: more than 64 MB$"):
        Evaluation.load(path)


def test_an_evaluation_as_large_as_a_disk_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(EvaluationError, match=r"not an evaluation: more than 64 MB$"):
        Evaluation.load(tmp_path / "x.json")
