"""Line readers from the command line: train, resume, convert, list, and options that do not fit."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime.page.line import LineReader
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.run import CHECKPOINT, EVALUATION, RECORD
from edge_digits_train.engine import line_training
from edge_digits_train.engine.line_training import LineTrainer
from edge_digits_train.lines import library, makers
from edge_digits_train.lines.makers import held_out_lines
from edge_digits_train.recipes import line_recipe
from edge_digits_train.recipes.line_recipe import LineArchitecture, LineRecipe

from edge_digits.cli import main
from edge_digits.deploy.bundle import trial

TINY = LineRecipe(
    "line-tiny",
    "For tests.",
    LineArchitecture(0, (4, 4, 4, 4), 8, ((8, 3, 1),)),
    batch_size=16,
    lines=20,
    epochs=2,
    validation_lines=10,
)


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library_folder: Path) -> None:
    monkeypatch.setitem(line_recipe.LINE_RECIPES, TINY.name, TINY)  # type: ignore[arg-type]
    monkeypatch.setattr(library, "library_folder", lambda _processes=1: library_folder)
    monkeypatch.setattr(makers, "TEST_LINES", 12)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.usefixtures("_tiny")
def test_train_stop_resume_and_convert(monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = LineTrainer.epoch

    def stop(self: LineTrainer, index: int, *rest: object) -> float:
        if index == 1:
            raise KeyboardInterrupt
        return epoch(self, index, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(line_training.LineTrainer, "epoch", stop)
        assert run("train", TINY.name).exit_code != 0
    folder = Path("runs/line-tiny-1")
    assert (folder / CHECKPOINT).exists()
    assert not (folder / RECORD).exists()
    resumed = run("train", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "runs/line-tiny-1: " in resumed.output
    assert "of 10 validation lines read right, after 40 made lines" in resumed.output
    converted = run("convert", "--calibration-count", "5")
    assert converted.exit_code == 0, converted.output
    assert "runs/line-tiny-1/line-tiny-int8.tflite: " in converted.output
    # Keras' own print-outs are kept off.
    assert "TensorSpec" not in converted.output
    assert LineReader(folder / "line-tiny-int8.tflite").card.name == TINY.name
    _goes_through_the_toolchain(folder)
    for options in (("--float",), ("--data", ".")):
        refused = run("convert", "runs/line-tiny-1", *options)
        assert refused.exit_code == 2
        assert "line reader" in refused.output


def _goes_through_the_toolchain(folder: Path) -> None:
    """Evaluate, report and bundle a line reader as a classifier."""
    model = folder / "line-tiny-int8.tflite"
    card = LineReader(model).card
    original, own = Evaluation.load(folder / EVALUATION), folder / "line-tiny-int8.evaluation.json"
    assert card.reference is not None
    assert card.reference.accuracy["test"] == original.accuracy
    assert original.of_lines
    assert original.model.role == "float-original"
    measured = run("evaluate", str(model), "-o", str(own))
    assert measured.exit_code == 0, measured.output
    evaluation = Evaluation.load(own)
    assert evaluation.data == original.data
    assert evaluation.accuracy == card.accuracy["test"]
    assert set(evaluation.latency) == {"preprocess", "invoke", "postprocess", "total", "picture", "file"}
    assert [LineReader(model).classify(picture).text for picture in held_out_lines().test.images] == list(
        evaluation.predicted
    )
    reported = run("report", str(folder), str(own), "-o", "report", "--max-drop", "100")
    assert reported.exit_code == 0, reported.output
    page = Path("report/report.html").read_text(encoding="utf-8")
    assert "of the characters wrong" in page
    assert "sure and wrong" in page
    values = json.loads(Path("report/report.json").read_text(encoding="utf-8"))
    keras, int8 = values["rows"]
    assert (keras["scheme"], int8["scheme"], int8["confusion"], int8["classes"]) == ("keras", "int8", None, None)
    assert int8["character_error_rate"] == round(evaluation.character_error_rate or 0, 6)
    packed = run("bundle", str(folder), "--no-runtime", "-o", "lines.zip")
    assert packed.exit_code == 0, packed.output
    with zipfile.ZipFile("lines.zip") as archive:
        archive.extractall("device")
    there = Path("device/edge-digits-bundle")
    assert "venv/bin/edge-digits read samples" in (there / "README.txt").read_text(encoding="utf-8")
    again = run(
        "evaluate", str(there / "model.tflite"), "--data", str(there / "test.npz"), "--accuracy-only", "-o", "e.json"
    )
    assert again.exit_code == 0, again.output
    assert Evaluation.load("e.json").data.sha256 == original.data.sha256
    tried = subprocess.run(
        ["sh", "-c", trial("echo", str(there))], capture_output=True, text=True, check=True, timeout=60
    )
    assert tried.stdout.startswith("read ")


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    "options",
    [("--dropout", "0.1"), ("--corrupt", "0.1"), ("--standardize",), ("--distribute",), ("--data", ".")],
    ids=lambda options: options[0],
)
def test_options_of_classifiers_are_refused(options: tuple[str, ...]) -> None:
    refused = run("train", TINY.name, *options)
    assert refused.exit_code == 2
    assert f"{options[0]} is not for line recipes" in refused.output
    assert not Path("runs").exists()


@pytest.mark.usefixtures("_tiny")
def test_a_start_that_is_no_run_leaves_no_folder() -> None:
    refused = run("train", TINY.name, "--from", "nowhere")
    assert refused.exit_code == 2
    assert "nowhere: no such run folder" in refused.output
    assert not list(Path("runs").glob("*"))
    refused = run("train", "mlp-256-128", "--from", "nowhere")
    assert refused.exit_code == 2
    assert "nowhere: no such run folder" in refused.output


def test_recipes_shows_line_recipes() -> None:
    assert "line-m" in run("recipes").output
    shown = run("recipes", "line-m").output
    assert "160 filters of 4×1" in shown
    assert "warmup steps        300" in shown
    written = json.loads(run("recipes", "line-m", "--json").output)
    assert (written["kind"], written["parameters"]) == ("line", 334_083)
