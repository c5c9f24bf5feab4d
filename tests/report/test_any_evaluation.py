"""Whatever `Evaluation.load` accepts, the report can write in all its forms."""

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device.measurement import evaluate
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation

from edge_digits import report

REPORTED = 200
"""So many of the accepted evaluations are reported."""
WRITTEN = 10
"""So many of them are written as HTML with all charts, which takes a third of a second."""
VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    -1,
    12,
    0.5,
    1.5,
    1e-320,
    1e308,
    2**53,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "8 GB",
    "$\\frac{1}{0}$ ^_{%&# | ` <b> \\",
    "two\nlines",
    "\x1b[31m",
    "\ud800",
    "x" * 199,
    "x" * 2000,
    "0" * 64,
    "2026-05-01T12:30:00+00:00",
    "９",
    [],
    [1],
    [[]],
    {},
    {"threads": 1},
]


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """An evaluation with every field there is, after JSON."""
    models = Path(__file__).parents[1] / "runtime" / "models"
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    split = Split(images, np.arange(20, dtype=np.uint8) % 10)
    evaluation = evaluate(
        DigitClassifier(models / "int8.tflite"), split, DataInfo("noise", "test", "a" * 64), seconds=0
    )
    values: dict[str, Any] = json.loads(json.dumps(evaluation.to_dict()))
    assert values["pictures"]["index"]
    for part in values["latency_us"].values():
        # Copied for each of 5,000 changes.
        part["samples_us"] = part["samples_us"][:20]
    values["extra"] |= {"beside": {"deep": [1, "two", None]}}
    return values


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value; of a list the first and the last."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list) and value:
        for index in {0, len(value) - 1}:
            yield from places(value[index], (*path, index))


def mutations(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """``record`` with one value replaced or removed, or one more beside it."""
    for path in places(record):
        for value in (*VALUES, ...):
            changed = copy.deepcopy(record)
            inner: Any = changed
            for part in path[:-1]:
                inner = inner[part]
            if value is ...:
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
            yield f"{'.'.join(map(str, path))} = {value!r:.30}", changed
        if isinstance(inner, dict):
            changed = copy.deepcopy(record)
            inner = changed
            for part in path[:-1]:
                inner = inner[part]
            inner["a name that nobody knows"] = 5
            yield f"{'.'.join(map(str, path))} and another", changed


def test_every_change_of_a_field_is_refused_in_one_line_or_can_be_reported(
    record: dict[str, Any], tmp_path: Path
) -> None:
    original = Evaluation.from_dict(record)
    accepted: list[tuple[str, Evaluation]] = []
    refused: list[str] = []
    for change, values in mutations(record):
        try:
            accepted.append((change, Evaluation.from_dict(values)))
        except EvaluationError as error:
            refused.append(str(error))
    assert len(refused) > 3000
    assert [line for line in refused if "\n" in line or not line.isprintable()] == []
    assert len(accepted) > REPORTED
    drawn = [accepted[index] for index in np.random.default_rng(0).permutation(len(accepted))]
    for change, evaluation in drawn[:REPORTED]:
        result = compared(change, [evaluation])
        said = [report.to_text(result), report.to_markdown(result)]
        said.append(json.dumps(report.to_dict(result), allow_nan=False, ensure_ascii=False))
        assert all(text.encode() for text in said), change
        # Other pictures cannot be compared, which is one line.
        with contextlib.suppress(EvaluationError):
            compared(change, [evaluation, original])
    for change, evaluation in drawn[:WRITTEN]:
        assert report.write(compared(change, [evaluation]), tmp_path)


def compared(change: str, evaluations: list[Evaluation]) -> report.Report:
    try:
        return report.compare(evaluations)
    except EvaluationError:
        raise
    except Exception as error:
        raise AssertionError(f"accepted, but not reported: {change}") from error


def test_what_is_accepted_is_saved_and_loaded_as_it_was(record: dict[str, Any], tmp_path: Path) -> None:
    for name in ("evaluation.json", "evaluation.json.gz"):
        Evaluation.from_dict(record).save(tmp_path / name)
        again, wanted = Evaluation.load(tmp_path / name).to_dict(), copy.deepcopy(record)
        for part, values in again["latency_us"].items():
            for figure in ("p50", "p90", "p99", "mean", "std"):
                # Made from the samples, some of which were cut away.
                del values[figure], wanted["latency_us"][part][figure]
        assert again == wanted
