"""What an export was measured to take is shown in every form of a report, and by ``models``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.model import registry
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord, ProcessorFigures

from edge_digits import report
from edge_digits.cli import main

LABELS = list(range(10)) * 10


@pytest.fixture
def evaluation(make_evaluation: Callable[..., Evaluation]) -> Evaluation:
    return make_evaluation(LABELS, LABELS)


def record_of(evaluation: Evaluation, sha256: str | None = None) -> MicrocontrollerRecord:
    figures = [ProcessorFigures("cortex-m0plus", 5329, 3532, 324, 2247125)]
    return MicrocontrollerRecord(
        "net", sha256 or evaluation.model.sha256, 251128, 200, "arm-none-eabi-gcc 12.2.1 -O2", "QEMU 7.2.22", figures
    )


def test_every_form_has_the_figures(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.save(tmp_path / "int8.evaluation.json")
    record_of(evaluation).save(tmp_path / "net.microcontroller.json")
    for arguments in ([tmp_path], [tmp_path / "int8.evaluation.json", tmp_path / "net.microcontroller.json"]):
        result = CliRunner().invoke(main, ["report", *map(str, arguments), "-o", str(tmp_path / "out")])
        assert result.exit_code == 0, result.output
        assert "cortex-m0plus: 5,329 bytes of flash, 3,532 of RAM, 2,247,125" in " ".join(result.stdout.split())
    for name in ("report.html", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        for part in ("cortex-m0plus", "5,329", "3,532", "324 of it stack", "8.95 a multiply-accumulate", "QEMU 7.2.22"):
            assert part in text, (name, part)
    values = json.loads((tmp_path / "out" / "report.json").read_text())
    (entry,) = values["microcontrollers"]
    assert entry["processors"][0]["instructions"] == 2247125


def test_without_a_record_there_is_no_table(evaluation: Evaluation) -> None:
    result = report.compare([evaluation])
    assert "icrocontroller" not in report.to_text(result) + report.to_markdown(result) + report.to_html(result)


def test_figures_of_another_model_are_refused(evaluation: Evaluation) -> None:
    with pytest.raises(EvaluationError, match="net was measured on microcontrollers, but there is no evaluation"):
        report.compare([evaluation], [record_of(evaluation, "f" * 64)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "edge-digits-microcontroller/9"}, "not of format"),
        ({"processors": []}, "processors"),
        ({"macs": -1}, "macs"),
        ({"sha256": "x"}, "sha256"),
        ({"more": 1}, "more"),
    ],
)
def test_a_damaged_record_is_one_line(
    evaluation: Evaluation, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "m.microcontroller.json"
    path.write_text(json.dumps(record_of(evaluation).to_dict() | change))
    with pytest.raises(EvaluationError, match=message) as caught:
        MicrocontrollerRecord.load(path)
    assert len(str(caught.value).splitlines()) == 1
    for content in (b"", b"[]", b"{", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(EvaluationError, match=r"m\.microcontroller\.json: "):
            MicrocontrollerRecord.load(path)
    with pytest.raises(EvaluationError, match="cannot be read"):
        MicrocontrollerRecord.load(tmp_path / "absent")


def test_models_shows_what_was_shipped() -> None:
    result = CliRunner().invoke(main, ["models", "--json"])
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    for name, path in registry.paths().items():
        shipped = registry.read(name, path).microcontroller
        # benchmarks/accuracy/microcontroller.py writes the records again after a model or the C has changed.
        assert shipped is not None, name
        first = shipped.processors[0]
        assert first.processor == "cortex-m0plus"
        assert shipped.pictures == 200
        assert (rows[name]["mcu_flash_bytes"], rows[name]["mcu_ram_bytes"]) == (first.flash_bytes, first.ram_bytes)
    assert all(rows[name]["mcu_flash_bytes"] is None for name in registry.line_paths())
    assert "MCU flash" in CliRunner().invoke(main, ["models"]).stdout
