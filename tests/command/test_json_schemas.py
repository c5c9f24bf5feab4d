"""What --json prints is what the schemas in docs/reference/schemas say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_runtime.image import model_input
from edge_digits_runtime.meter import reasons as meter_reasons
from edge_digits_runtime.meter.alignment import Placement
from edge_digits_runtime.meter.reading import MeterReading, SlotReading
from edge_digits_runtime.model import classifier, reasons
from edge_digits_runtime.page import digit_reading, line
from edge_digits_runtime.records.evaluation import Evaluation
from jsonschema import Draft202012Validator
from PIL import Image

from edge_digits import report
from edge_digits.cli import VERBS, main
from edge_digits.samples import SAMPLES
from edge_digits.watching.record import Record, timestamp

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


def schema(verb: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((SCHEMAS / f"{verb}.schema.json").read_text(encoding="utf-8"))
    return values


def check(verb: str, values: Any) -> None:
    Draft202012Validator(schema(verb)).validate(values)


def check_strict(verb: str, values: Any) -> None:
    """Check values, and that the schema refuses them with a field less, a field more, or a field of another type."""
    check(verb, values)
    validator = Draft202012Validator(schema(verb))
    for name in schema(verb)["required"]:
        assert not validator.is_valid({key: value for key, value in values.items() if key != name}), name
        assert not validator.is_valid(values | {name: {"an object": "of nothing"}}), name
    assert not validator.is_valid(values | {"more": 1})


def printed(verb: str, *arguments: object) -> list[Any]:
    """What a verb prints with --json: an object for each line."""
    result = CliRunner().invoke(main, [verb, *map(str, arguments), "--json"])
    assert result.exit_code in (0, 1), result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    Image.new("L", (60, 60), 255).save(tmp_path / "blank.png")
    return tmp_path / "blank.png"


def test_every_verb_with_json_has_a_schema() -> None:
    with_json = {verb for verb in VERBS if "--json" in CliRunner().invoke(main, [verb, "--help"]).output}
    assert {path.name.partition(".")[0] for path in SCHEMAS.iterdir()} == with_json


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.name)
def test_a_schema_is_one_and_allows_nothing_else(path: Path) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(values)
    assert not Draft202012Validator(values).is_valid({})


def test_no_schema_lets_anything_pass() -> None:
    def empty(values: Any, at: str) -> list[str]:
        """Where a schema in ``values`` says nothing."""
        if not isinstance(values, dict):
            return []
        inner = [
            *values.get("properties", {}).items(),
            ("items", values.get("items")),
            *values.get("$defs", {}).items(),
        ]
        return [at] * (values == {}) + [place for name, each in inner for place in empty(each, f"{at}/{name}")]

    assert [place for path in SCHEMAS.iterdir() for place in empty(json.loads(path.read_text()), path.name)] == []


def test_classify(blank: Path) -> None:
    answers = printed("classify", SAMPLES[7], blank)
    for answer in answers:
        check_strict("classify", answer)
    assert [answer["reason_code"] for answer in answers] == [None, "no_ink"]


@pytest.mark.parametrize("options", [[], ["--by-digit"], ["--digits-only", "--decimal", ","], ["--expect", "integer"]])
def test_read(blank: Path, options: list[str]) -> None:
    answers = printed("read", SAMPLES[7], blank, *options)
    for answer in answers:
        check_strict("read", answer)
    assert answers[0]["lines"][0]["value"] == 7


def test_what_a_meter_shows() -> None:
    view = Placement(1.0, 0.01, 2, 3)
    slots = (SlotReading("3", 3.4, 0.9), SlotReading("7", None, 1.0))
    for reading in (
        MeterReading("37", "37", 3.7, 0.999, None, slots, view, 1),
        MeterReading("3?", "37", None, 0.5, "doubtful: character 2", slots, view, 1),
        MeterReading("??", "", None, 0.0, meter_reasons.NOT_FOUND, decimals=1),
    ):
        check_strict("read.profile", {"file": "a.png", "meter": "water", "unit": "m³"} | reading.to_dict())
    for reason in (None, meter_reasons.TOO_FAST):
        value = 3.7 if reason is None else None
        record = Record(timestamp(1_700_000_000), "water", "3.7", value, "m³", reason, "a.png", None)
        check_strict("watch", record.to_dict())


def test_every_reason_of_a_meter_has_a_code() -> None:
    for name in ("read.profile", "watch"):
        assert schema(name)["properties"]["reason_code"]["enum"] == [*meter_reasons.ALL, None]
    assert meter_reasons.meter_reason_code(None) is None
    assert meter_reasons.meter_reason_code("something new") == "other"
    assert {meter_reasons.meter_reason_code(f"{start} 3") for start in meter_reasons.CODES} == {*meter_reasons.ALL} - {
        "other"
    }


@pytest.mark.parametrize("changed", [{"turned": 45}, {"turned": "90"}, {"lines": [{"value": "7"}]}])
def test_an_answer_of_read_that_is_none_is_refused(changed: dict[str, Any]) -> None:
    (answer,) = printed("read", SAMPLES[7])
    line = answer["lines"][0] | changed.get("lines", [{}])[0]
    check("read", answer)
    assert not Draft202012Validator(schema("read")).is_valid(answer | changed | {"lines": [line]})


@pytest.mark.parametrize("verb", ["doctor", "models", "recipes"])
def test_what_is_listed(verb: str) -> None:
    lines = printed(verb)
    assert lines
    for values in lines:
        check(verb, values)


def test_what_a_new_model_brought(tmp_path: Path, make_evaluation: Callable[..., Evaluation]) -> None:
    labels = [k % 10 for k in range(100)]
    make_evaluation(labels, [(label + (k < 9)) % 10 for k, label in enumerate(labels)]).save(tmp_path / "before.json")
    make_evaluation(labels, labels).save(tmp_path / "after.json")
    (values,) = printed("report", tmp_path / "after.json", "--before", tmp_path / "before.json")
    check_strict("report.before", values)
    assert (values["difference_pp"], values["worse"]) == (9, False)


def test_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 28, 28), np.uint8)
    images[1] = images[0]
    labels = np.arange(40, dtype=np.uint8) % 10
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    (values,) = printed("data", tmp_path / "own.npz")
    check("data", values)
    assert values["across_splits"] or values["equal"]


def test_report(make_evaluation: Callable[..., Evaluation]) -> None:
    labels = [k % 10 for k in range(300)]
    wrong = [(label + (k < 9)) % 10 for k, label in enumerate(labels)]
    given = [make_evaluation(labels, labels, "keras"), make_evaluation(labels, wrong, file_us=900)]
    emulated = make_evaluation(labels, wrong, "float32", device={"name": "emulated"})
    emulated.latency.clear()
    result = report.compare([*given, emulated])
    for each in (result, result.gated(1.0, by_point=False)):
        check("report", json.loads(json.dumps(report.to_dict(each))))


def test_every_reason_has_a_code() -> None:
    sentences = {
        model_input.NO_INK: "no_ink",
        model_input.NO_CONTRAST: "no_contrast",
        classifier.NO_DIGIT: "no_digit",
        classifier.NO_CLASS: "no_class",
        digit_reading.SLASH: "slash",
        line.NO_NUMBER: "no_number",
        line.EMPTY: "empty",
        "could be a 3 or an 8 (52 % / 44 %)": "ambiguous",
        "confidence 81%, sure from 90%": "low_confidence",
        "something new": "other",
    }
    assert {sentence: reasons.reason_code(sentence) for sentence in sentences} == sentences
    assert reasons.reason_code(None) is None
    assert set(schema("classify")["properties"]["reason_code"]["enum"]) == {*reasons.ALL, None}
    assert schema("read")["properties"]["lines"]["items"]["properties"]["reason_code"]["enum"] == [*reasons.ALL, None]
