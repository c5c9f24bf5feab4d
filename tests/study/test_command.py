"""The verb ``study``, as far as nothing has to be trained by Ray."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_study.results import RESULTS, Results, Trial
from edge_digits_study.studies import STUDIES
from edge_digits_study.trial import TRIALS

from edge_digits.cli import main

Make = Callable[..., Trial]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "noise.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    labels = np.arange(40, dtype=np.uint8) % 10
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path


def test_finished_study_starts_nothing(make_trial: Make, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "study"
    accuracies = enumerate((0.97, 0.98, 0.99))
    done = (make_trial("mlp", seed, accuracy, epochs=100, drop=0.1) for seed, accuracy in accuracies)
    Results("mlp-classifier", tuple(done)).save(out)
    command = ["study", "mlp-classifier", "--trials-only", "--data", str(data), "--out", str(out)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "mlp: test 98.00 ± 1.00 %, int8 drop 0.10 ± 0.00 pp (100 epochs, 3 seeds)\n" in result.stdout
    assert str(out / RESULTS) in result.stdout
    assert "ray" not in sys.modules


def test_an_interrupted_study_says_how_to_go_on(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_digits_study.ray_runner.run", interrupted)
    out = tmp_path / "study"
    result = CliRunner().invoke(main, ["study", "mlp-classifier", "--data", str(data), "--out", str(out)])
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == f"Interrupted. The same command goes on: what is done is in {out}."


def test_run_folder_with_other_settings_is_refused_before_anything_starts(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "study"
    folder = out / TRIALS / "mlp-1epochs-seed0"
    train = ["train", "mlp-50-20-10", "--epochs", "1", "--learning-rate", "0.2", "--data", str(data)]
    assert CliRunner().invoke(main, [*train, "--out", str(folder)]).exit_code == 0
    study = ["study", "mlp-classifier", "--epochs", "1", "--seeds", "1", "--data", str(data), "--out", str(out)]
    result = CliRunner().invoke(main, study)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"Error: {folder}: holds a run with other options")


def test_list_shows_every_study_and_how_many_trials_are_done(
    make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Results("mlp-classifier", (make_trial("mlp", epochs=100),)).save(Path("runs/studies/mlp-classifier"))
    lines = CliRunner().invoke(main, ["study"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(STUDIES)
    assert [line.split()[-2] for line in lines if line.startswith("mlp-classifier")] == ["1/3"]


def test_an_unknown_study_is_one_line() -> None:
    result = CliRunner().invoke(main, ["study", "nothing"])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
