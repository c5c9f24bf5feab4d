"""The whole pipeline through the command: train, convert, classify, evaluate, report, on a slice of real MNIST."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_train.data import mnist

from edge_digits.cli import main
from edge_digits.commands.report import evaluation_files
from edge_digits.samples import SAMPLES


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def slice_of_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = mnist.load()
    path = tmp_path_factory.mktemp("data") / "slice.npz"
    np.savez(
        path,
        x_train=data.train.images[:6000],
        y_train=data.train.labels[:6000],
        x_test=data.test.images[:600],
        y_test=data.test.labels[:600],
    )
    return path


@pytest.fixture(scope="module")
def first_look(tmp_path_factory: pytest.TempPathFactory, slice_of_mnist: Path) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("quickstart")
    result = run("quickstart", "--out", out, "--epochs", "2", "--data", slice_of_mnist)
    assert result.exit_code == 0, result.output
    return out, result


def test_quickstart_trains_converts_classifies_evaluates_and_reports(first_look: tuple[Path, Result]) -> None:
    out, result = first_look
    assert {"report.html", "report.md", "report.json", "runs"} <= {path.name for path in out.iterdir()}
    rows = json.loads((out / "report.json").read_text())["rows"]
    assert [(row["name"].split()[0], row["role"]) for row in rows] == [
        (name, role) for name in ("mlp-256-128", "cnn-8-16-32") for role in ("float-original", "float-tflite", "int8")
    ]
    for row in rows:
        assert row["accuracy"] > 0.8
        assert row["p50_us"] > 0
        assert row["bytes"] > 5000
        assert abs(row["accuracy_drop_pp"] or 0) < 3
    assert "10 of 10" in result.stdout
    assert "Next:" in result.stdout


def test_quickstart_again_keeps_what_is_done(first_look: tuple[Path, Result], slice_of_mnist: Path) -> None:
    out, first = first_look
    before = written(out / "runs")
    result = run("quickstart", "--out", out, "--epochs", "2", "--data", slice_of_mnist)
    assert result.exit_code == 0, result.output
    assert written(out / "runs") == before
    assert [result.stderr.count(f"already {done}") for done in ("trained", "converted", "evaluated")] == [2, 4, 4]
    assert result.stdout.partition("The report")[2] == first.stdout.partition("The report")[2]


def test_quickstart_again_replaces_what_is_damaged_or_of_another_run(
    first_look: tuple[Path, Result], slice_of_mnist: Path
) -> None:
    out, _ = first_look
    mlp, cnn = (out / "runs" / name for name in ("mlp-256-128", "cnn-8-16-32"))
    model, evaluation = cnn / "cnn-8-16-32-int8.tflite", cnn / "cnn-8-16-32-float32.evaluation.json"
    before = written(out / "runs")
    model.write_bytes((mlp / "mlp-256-128-int8.tflite").read_bytes())
    evaluation.write_text(evaluation.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    result = run("quickstart", "--out", out, "--epochs", "2", "--data", slice_of_mnist)
    assert result.exit_code == 0, result.output
    assert Evaluation.load(evaluation).model.sha256 == read_model_file(cnn / "cnn-8-16-32-float32.tflite").sha256
    after = written(out / "runs")
    assert after.keys() == before.keys()
    # The same weights give the same model; only the time in its card differs.
    assert {path for path in after if after[path] != before[path]} == {model, evaluation}
    assert [result.stderr.count(f"already {done}") for done in ("trained", "converted", "evaluated")] == [2, 3, 3]


def test_quickstart_with_other_pictures_or_options_refuses_the_runs_that_are_there(
    first_look: tuple[Path, Result], slice_of_mnist: Path, tmp_path: Path
) -> None:
    out, _ = first_look
    with np.load(slice_of_mnist) as arrays:
        splits = dict(arrays)
    before = written(out / "runs")
    for name in ("y_train", "y_test"):
        other = splits | {name: splits[name][::-1]}
        np.savez(tmp_path / "other.npz", **other)
        refused = run("quickstart", "--out", out, "--epochs", "2", "--data", tmp_path / "other.npz")
        assert refused.exit_code == 2
        assert "mlp-256-128: holds a run on other pictures than other.npz; " in refused.stderr
    refused = run("quickstart", "--out", out, "--epochs", "3", "--data", slice_of_mnist)
    assert refused.exit_code == 2
    assert "mlp-256-128: holds a run with other options; " in refused.stderr
    assert written(out / "runs") == before


def written(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Return for every file below ``folder`` when it was written and what is in it."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_the_verbs_one_by_one(slice_of_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained = run("train", "--epochs", "1", "--seed", "7", "--corrupt", "0.1", "--data", slice_of_mnist)
    assert trained.exit_code == 0, trained.output
    assert (tmp_path / "runs" / "cnn-8-16-32-1" / "run.json").is_file()

    converted = run("convert", "--int8", "--dynamic", "--max-drop", "50")
    assert converted.stderr.count("is within the limit of 50.00 pp") == 2
    assert converted.exit_code == 0, converted.output
    # Without RUN the newest one is taken, and named.
    assert "runs/cnn-8-16-32-1" in converted.stdout
    model = tmp_path / "runs" / "cnn-8-16-32-1" / "cnn-8-16-32-int8.tflite"
    card = read_model_file(model).card
    assert card is not None
    assert (card.name, card.scheme) == ("cnn-8-16-32", "int8")
    assert (card.recipe["seed"], card.recipe["corruption"]) == (7, 0.1)

    # 600 pictures cannot show that nothing is lost.
    refused = run("convert", "--int8", "--max-drop", "0")
    assert refused.exit_code == 1
    assert "limit of 0.00 pp" in refused.stderr

    packed = run("testset", "--data", slice_of_mnist, "-o", "test.npz")
    assert packed.exit_code == 0, packed.output

    evaluated = run("evaluate", model, "--data", "test.npz", "-o", "device.json", "--count", "200")
    assert evaluated.exit_code == 0, evaluated.output
    evaluation = Evaluation.load(tmp_path / "device.json")
    assert len(evaluation.labels) == 200
    assert len(evaluation.latency["invoke"].samples_us) >= 1000

    # As for an emulated board, whose times say nothing.
    named = ["--accuracy-only", "--device-name", "Cortex-A72, emulated"]
    quick = run("evaluate", model, "--data", "test.npz", "-o", "emulated.json", "--count", "200", *named)
    assert quick.exit_code == 0, quick.output
    emulated = Evaluation.load(tmp_path / "emulated.json")
    assert (emulated.latency, emulated.device["name"]) == ({}, "Cortex-A72, emulated")
    assert emulated.predicted.tolist() == evaluation.predicted.tolist()
    assert run("evaluate", model, "--data", "test.npz", "--device-name", " ").exit_code == 2

    # The first 200 pictures are not the 600 of the float original.
    refused = run("report", "runs/cnn-8-16-32-1", "device.json")
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1

    assert run("evaluate", model, "--data", "test.npz", "-o", "device.json").exit_code == 0
    reported = run("report", "runs/cnn-8-16-32-1", "device.json", "-o", "out", "--max-drop", "100")
    assert reported.exit_code == 0, reported.output
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [gate["outcome"] for gate in record["gates"]] == ["within"]
    assert run("report", "runs/cnn-8-16-32-1", "device.json", "--max-drop", "0").exit_code == 1

    classified = run("classify", "--model", model, "--json", SAMPLES[0])
    assert classified.exit_code == 0, classified.output
    answer = json.loads(classified.stdout)
    assert set(answer) == {"file", "label", "confidence", "probabilities", "sure", "reason", "reason_code"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_a_folder_stands_for_all_evaluations_in_it_and_the_float_original_comes_first(tmp_path: Path) -> None:
    names = ["a.evaluation.json", "b.evaluation.json.gz", "evaluation.json", "report.json", "pi.json"]
    for name in names:
        (tmp_path / name).touch()
    files = evaluation_files((tmp_path / "pi.json", tmp_path, tmp_path / "a.evaluation.json"))
    assert [path.name for path in files] == ["pi.json", "evaluation.json", "a.evaluation.json", "b.evaluation.json.gz"]


def test_the_digit_models_that_ship_have_evaluations_of_one_test_set() -> None:
    folder = Path(__file__).parents[2] / "models" / "edge_digits_models"
    result = run("report", *folder.glob("digits-*.evaluation.json.gz"), "--json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["rows"]) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["convert", "nowhere"], "nowhere: no such run folder"),
        (["convert"], "no finished run under runs/"),
        (["train", "cnn-8-16"], "did you mean"),
        (["train", "--resume"], "nothing to resume"),
        (["train", "/abs", "--resume"], "nothing to resume"),
        (["train", "**", "--resume"], "nothing to resume"),
        (["train", "cnn-8-16-32", "--dropout", "0.5"], "no dropout layer"),
        (["convert", "nowhere", "--float", "--calibration-count", "50"], "int8 alone"),
        (["evaluate", "digits-m", "--threads", "100000"], "cores that may be used here"),
        (["train", "--data", "nothing.npz"], "nothing.npz"),
        (["report", "nothing.json"], "nothing.json"),
        (["report", "."], "no evaluation in this folder"),
        (["evaluate", "nothing.tflite"], "nothing.tflite"),
        (["recipes", "perceptron"], "no recipe 'perceptron'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_a_run_that_resumes(
    slice_of_mnist: Path, tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    command = [sys.executable, "-c", "from edge_digits.cli import main; main()", "train", "mlp-256-128"]
    arguments = ["--data", str(slice_of_mnist), "--out", "run", "--epochs", "200"]
    process = started([*command, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, stdout=None)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("epoch 2/200"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert rest.splitlines()[-1] == "Interrupted. Go on with: edge-digits train --resume --out run"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]
    refused = subprocess.run(
        [*command[:-2], "convert", "run"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 2
    assert "unfinished" in refused.stderr
