"""The record of a run: what it refuses, and where its data set is."""

import json
from pathlib import Path
from typing import Any

import pytest
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.image.model_input import INK
from edge_digits_runtime.records.run import RECORD, RunRecord


def record(source: str | None = None) -> RunRecord:
    return RunRecord(
        recipe={"name": "net", "seed": 1},
        data={
            "name": "MNIST",
            "source": source,
            "sha256": dict.fromkeys(("train", "validation", "test"), "a" * 64),
            "counts": {"test": 10_000},
            "classes": DIGIT_CLASSES,
            "input": INK,
            "groups": {},
            "grouping": {"pattern": None, "test": []},
        },
        weights_sha256="b" * 64,
        model_sha256="c" * 64,
        device={"name": "here", "machine": "x86_64", "python": "3.11.2", "backend": "keras 3", "kind": "CPU"},
        versions={"keras": "3.15.1"},
        history={"loss": [0.5, 0.25]},
        accuracy={"validation": 0.9, "test": 0.9},
        metrics={
            **dict.fromkeys(("precision", "recall", "f1"), [0.9] * 10),
            "macro": dict.fromkeys(("precision", "recall", "f1"), 0.9),
            "confusion": [[1] * 10] * 10,
        },
        latency_us=dict.fromkeys(("p50", "p90", "p99", "mean", "std"), 800.0),
        parameters=1000,
        macs=2000,
    )


DATA = record().to_dict()["data"]


def test_a_record_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    record().save(tmp_path)
    assert RunRecord.load(tmp_path) == record()
    assert RunRecord.load(tmp_path).name == "net"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "data is None"),
        ({"data": {"name": "MNIST"}}, "data.source is missing"),
        ({"data": DATA | {"source": 5}}, "data.source is 5"),
        ({"data": DATA | {"source": "small.npz"}}, "data.source is 'small.npz'; allowed is an absolute path"),
        ({"data": DATA | {"source": "../small.npz"}}, "data.source is '../small.npz'"),
        ({"data": DATA | {"sha256": DATA["sha256"] | {"test": "x"}}}, "data.sha256.test is 'x'"),
        ({"data": DATA | {"sha256": {"test": "a" * 64}}}, "data.sha256.train is missing"),
        ({"data": DATA | {"counts": {"test": -1}}}, "data.counts.test is -1"),
        ({"recipe": []}, "recipe is list"),
        ({"recipe": {}}, "recipe.name is missing"),
        ({"recipe": {"name": ""}}, "recipe.name is ''"),
        ({"weights_sha256": ""}, "weights_sha256 is ''"),
        ({"device": {}}, "device.name is missing"),
        ({"device": dict.fromkeys(("name", "machine", "python", "backend"), "x")}, "device.kind is missing"),
        ({"device": record().device | {"memory_bytes": "8 GB"}}, "device.memory_bytes is '8 GB'"),
        ({"versions": {"keras": 3}}, "versions.keras is 3"),
        ({"history": {"loss": [float("nan")]}}, r"history.loss\[0\] is nan"),
        ({"accuracy": {"test": 0.5}}, "accuracy.validation is missing"),
        ({"accuracy": {"validation": 0.5, "test": 50}}, "accuracy.test is 50"),
        ({"metrics": {}}, "metrics.precision is missing"),
        ({"metrics": record().metrics | {"f1": [0.5] * 9}}, "metrics are not of as many classes as data.classes names"),
        ({"metrics": record().metrics | {"f1": [0.5]}}, "metrics.f1 is list; allowed is a list of 2 to 128"),
        ({"metrics": record().metrics | {"confusion": [[1] * 9] * 10}}, "metrics are not of as many classes"),
        ({"data": DATA | {"classes": ["a", "b"]}}, "metrics are not of as many classes"),
        ({"data": DATA | {"classes": ["a", "a"]}}, "data.classes is list; allowed is names that are all"),
        ({"data": DATA | {"classes": ["a", "../b"]}}, r"data.classes\[1\] is '../b'"),
        (
            {"data": DATA | {"input": {"kind": "word"}}},
            "data.input.kind is 'word'; allowed is",
        ),
        ({"data": DATA | {"input": {"height": 99}}}, "data.input: input ink of 99×28; allowed is 28×28"),
        ({"data": DATA | {"groups": {"train": []}}}, "a name in data.groups is 'train'"),
        ({"data": DATA | {"grouping": {}}}, "data.grouping.pattern is missing"),
        ({"metrics": record().metrics | {"macro": None}}, "metrics.macro is None"),
        ({"latency_us": {"p50": 1}}, "latency_us.p90 is missing"),
        ({"macs": None}, "macs is None"),
        ({"created": "today"}, "created is 'today'"),
        ({"extra": {"rate": float("inf")}}, "extra.rate is inf"),
        ({"more": 1}, "more is unknown"),
    ],
    ids=lambda value: f"{value!r:.60}" if isinstance(value, dict) else "",
)
def test_a_record_with_a_field_that_does_not_fit_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    values = record().to_dict()
    assert RunRecord.from_dict(json.loads(json.dumps(values))) == record()
    (tmp_path / RECORD).write_text(json.dumps(values | change))
    with pytest.raises(RunError, match=rf"run\.json: the record of the run is damaged \({words}") as caught:
        RunRecord.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["small.npz", "./data/small.npz", "../small.npz"])
def test_a_relative_data_set_is_found_from_any_folder(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    (here / given).parent.mkdir(exist_ok=True)
    (here / given).touch()
    record(given).save(tmp_path)
    monkeypatch.chdir(elsewhere)
    source = RunRecord.load(tmp_path).data["source"]
    assert Path(source).is_absolute()
    assert Path(source).samefile(here / given)


def test_no_data_set_and_an_absolute_one_stay_as_they_are(tmp_path: Path) -> None:
    for source in (None, "/data/small.npz"):
        record(source).save(tmp_path)
        assert RunRecord.load(tmp_path).data["source"] == source


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"format": "edge-digits-run/1"}', "\\ud800"])
def test_a_file_that_is_no_record_gives_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(RunError, match=r"^[^\n]*run\.json: [^\n]*$"):
        RunRecord.load(tmp_path)
