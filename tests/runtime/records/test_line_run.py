"""The record of a line reader's run: written, read back, and refused where it does not fit."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import RECORD, RunRecord

RECORD_OF_A_LINE = LineRunRecord(
    recipe={"name": "line-m", "kind": "line"},
    generator=1,
    lines=100,
    weights_sha256="0" * 64,
    model_sha256="1" * 64,
    device={"name": "board", "machine": "aarch64", "python": "3.13", "backend": "keras 3", "kind": "CPU"},
    versions={"keras": "3.15.1"},
    history={"loss": [1.0], "val_exact": [0.5], "seconds": [2.0]},
    exact=0.5,
    validation_lines=10,
    parameters=3,
    macs=4,
)


def test_a_record_survives_being_written(tmp_path: Path) -> None:
    RECORD_OF_A_LINE.save(tmp_path)
    assert LineRunRecord.load(tmp_path) == RECORD_OF_A_LINE
    assert RECORD_OF_A_LINE.name == "line-m"


def test_it_is_no_run_of_a_classifier(tmp_path: Path) -> None:
    RECORD_OF_A_LINE.save(tmp_path)
    with pytest.raises(RunError, match=r"run\.json: the run of a line reader"):
        RunRecord.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"exact": 1.5},
        {"lines": -1},
        {"weights_sha256": "x"},
        {"recipe": {}},
        {"format": "other"},
        {"unknown": 1},
        {"device": {}},
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_line_that_names_the_file(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / RECORD).write_text(json.dumps(RECORD_OF_A_LINE.to_dict() | change), encoding="utf-8")
    with pytest.raises(RunError, match=r"run\.json: ") as error:
        LineRunRecord.load(tmp_path)
    assert "\n" not in str(error.value)


def test_fields_are_those_of_the_file() -> None:
    names = {field.name for field in dataclasses.fields(LineRunRecord)}
    assert set(RECORD_OF_A_LINE.to_dict()) == names | {"format"}
