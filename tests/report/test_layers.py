"""What each layer loses in int8 is shown in every form of a report."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.layers import LayerError, LayerRecord

from edge_digits import report
from edge_digits.cli import main

LABELS = list(range(10)) * 10


@pytest.fixture
def evaluation(make_evaluation: Callable[..., Evaluation]) -> Evaluation:
    return make_evaluation(LABELS, LABELS)


def record_of(evaluation: Evaluation, sha256: str | None = None) -> LayerRecord:
    layers = [
        LayerError("conv|2d", "CONV_2D", signal=2.0, error=0.01, largest=0.03, step=0.02),
        LayerError("<dense>", "FULLY_CONNECTED", signal=4.0, error=0.5, largest=0.75, step=0.1),
    ]
    return LayerRecord("net", sha256 or evaluation.model.sha256, 100, layers)


def test_every_form_has_the_errors(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.save(tmp_path / "int8.evaluation.json")
    record_of(evaluation).save(tmp_path / "net-int8.layers.json")
    for arguments in ([tmp_path], [tmp_path / "int8.evaluation.json", tmp_path / "net-int8.layers.json"]):
        result = CliRunner().invoke(main, ["report", *map(str, arguments), "-o", str(tmp_path / "out")])
        assert result.exit_code == 0, result.output
        assert "net: of 2 layers <dense> loses most, 12.50 % of its signal" in result.stdout
    page, markdown = ((tmp_path / "out" / f"report.{form}").read_text() for form in ("html", "md"))
    for part in ("CONV_2D", "0.50 %", "12.50 %", "loses most", "5.00", "0.75", "100 validation pictures"):
        assert part in page, part
        assert part in markdown or part == "CONV_2D", part
    assert "&lt;dense&gt;" in page
    assert "conv\\|2d" in markdown
    assert page.count("<img") == report.to_html(report.compare([evaluation])).count("<img") + 1
    (entry,) = json.loads((tmp_path / "out" / "report.json").read_text())["layers"]
    assert entry["layers"][1]["error"] == 0.5


def test_those_of_another_model_are_a_note(evaluation: Evaluation) -> None:
    result = report.compare([evaluation], layers=[record_of(evaluation, "f" * 64)])
    assert result.layers == ()
    assert "the layers of net (sha256 ffffffffffff) were inspected, but that model was not evaluated" in result.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "edge-digits-layers/9"}, "not of format"),
        ({"layers": []}, "layers"),
        ({"pictures": 0}, "pictures"),
        ({"layers": [{"layer": "a", "operator": "B", "signal": -1, "error": 0, "largest": 0, "step": 0}]}, "signal"),
        ({"more": 1}, "more"),
    ],
)
def test_a_damaged_record_is_one_line(
    evaluation: Evaluation, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "m.layers.json"
    path.write_text(json.dumps(record_of(evaluation).to_dict() | change))
    with pytest.raises(EvaluationError, match=message) as caught:
        LayerRecord.load(path)
    assert len(str(caught.value).splitlines()) == 1


def test_shares_and_steps() -> None:
    error = LayerError("conv", "CONV_2D", signal=2.0, error=0.1, largest=0.3, step=0.2)
    assert (error.relative, error.steps) == (0.05, 0.5)
    still = LayerError("pool", "MAX_POOL_2D", signal=0.0, error=0.0, largest=0.0, step=0.0)
    assert (still.relative, still.steps) == (0.0, 0.0)
