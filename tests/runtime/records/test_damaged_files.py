"""Files that are damaged, byte by byte and field by field, end in an error of ours."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device.measurement import evaluate
from edge_digits_runtime.errors import EvaluationError, ModelError, RunError
from edge_digits_runtime.model.card import ModelCard, parse_model_file, read_model_file
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation
from edge_digits_runtime.records.run import RunRecord
from numpy.typing import NDArray

Tiny = Callable[[str], Path]


def test_every_flipped_byte_behind_the_model_is_refused_or_harmless(tiny: Tiny) -> None:
    file = read_model_file(tiny("int8"))
    for at in range(file.flatbuffer_bytes, len(file.content)):
        content = bytearray(file.content)
        content[at] ^= 1 << at % 8
        try:
            parse_model_file(bytes(content), "flipped")
        except ModelError as error:
            assert str(error).startswith("flipped: ")  # noqa: PT017


@pytest.mark.parametrize(
    ("field", "value"),
    [("runtime", 5), ("runtime", None), ("min_confidence", "x"), ("name", None), ("accuracy", []), ("macs", "many")],
)
def test_a_card_with_a_field_of_another_type_is_refused(field: str, value: object) -> None:
    values = ModelCard("net", "int8", "a" * 64).to_dict()
    assert ModelCard.from_dict(values).name == "net"
    with pytest.raises(ModelError, match=field):
        ModelCard.from_dict(values | {field: value})


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """An evaluation as JSON, with pictures that were answered wrong."""
    data = Path(__file__).parents[1] / "models"
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    split = Split(images, np.arange(20, dtype=np.uint8) % 10)
    evaluation = evaluate(DigitClassifier(data / "int8.tflite"), split, DataInfo("noise", "test", "a" * 64))
    values: dict[str, Any] = json.loads(json.dumps(evaluation.to_dict()))
    assert values["pictures"]["index"]
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("device",), None),
        (("device", "name"), 5),
        (("device", "backend"), None),
        (("extra",), []),
        (("created",), 5),
        (("notes",), None),
        (("model", "name"), None),
        (("model", "bytes"), "many"),
        (("data", "sha256"), 1),
        (("latency_us", "invoke", "samples_us"), []),
        (("latency_us", "total", "samples_us"), []),
        (("latency_us", "invoke", "samples_us"), [float("nan")]),
        (("probabilities", 0, 0), float("nan")),
        (("pictures", "png"), "iVBORw0KGgo="),
        (("labels",), "x"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_an_evaluation_with_a_damaged_field_is_refused(
    path: tuple[str | int, ...], value: object, record: dict[str, Any]
) -> None:
    values = copy.deepcopy(record)
    assert len(Evaluation.from_dict(values).labels) == 20
    inner: Any = values
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    with pytest.raises(EvaluationError, match="damaged"):
        Evaluation.from_dict(values)


def test_every_damaged_picture_of_an_evaluation_is_refused_or_read(record: dict[str, Any]) -> None:
    good = record["pictures"]["png"]
    for at in range(100):
        bad = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        try:
            Evaluation.from_dict(record | {"pictures": record["pictures"] | {"png": bad}})
        except EvaluationError as error:
            assert "damaged" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "change", [{"data": None}, {"data": {"name": "MNIST"}}, {"data": {"source": 5}}, {"recipe": []}, {"macs": None}]
)
def test_a_run_with_a_damaged_field_is_refused(change: dict[str, Any]) -> None:
    values = RunRecord({"name": "net"}, {"source": None}, "", "", {}, {}, {}, {}, {}, {}, 1, 1).to_dict()
    assert RunRecord.from_dict(values).name == "net"
    with pytest.raises(RunError, match="damaged"):
        RunRecord.from_dict(values | change)


def test_an_output_of_ten_times_zero_is_no_digit(tiny: Tiny, drawn: tuple[NDArray[np.uint8], Any]) -> None:
    classifier = DigitClassifier(tiny("foreign-uint8-flat"))
    nothing = np.zeros_like(classifier.network.one(drawn[0][0]))
    answer = classifier.read_output(nothing, drawn[0][0])
    assert not answer.sure
