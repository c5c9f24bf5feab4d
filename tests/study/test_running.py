"""What a study runs, keeps and says, as far as it needs no training."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_study import run
from edge_digits_study.plan import Study, System
from edge_digits_study.results import RESULTS, Int8, Results, Trial
from edge_digits_study.studies import STUDIES
from edge_digits_study.trial import TRIAL, TRIALS

from edge_digits.cli import main

STUDY = Study(
    name="two",
    title="Two systems",
    document="none",
    systems=(System("one", "one", "mlp-64"), System("two", "two", "mlp-128", seeds=1)),
    tables=(),
    targets=(),
    taken=(),
)


def trial(system: str = "one", seed: int = 0, epochs: int = 50, accuracy: float = 0.98, **fields: Any) -> Trial:
    values: dict[str, Any] = {
        "history": {"loss": [0.5]},
        "accuracy": {"train": 0.99, "validation": 0.985, "test": accuracy},
        "loss": {"train": 0.1, "validation": 0.2, "test": 0.3},
        "metrics": {},
        "parameters": 1,
        "macs": 1,
        "float_p50_us": 100.0,
        "int8": Int8({"validation": 0.98, "test": accuracy - 0.001}, 0.1, 1000, 2000, 10.0),
        "device": {"name": "here"},
        "versions": {},
        "run": f"{TRIALS}/{system}-{epochs}epochs-seed{seed}",
    }
    return Trial(system=system, seed=seed, epochs=epochs, **values | fields)


def leave(folder: Path, each: Trial) -> None:
    """A trial as a worker leaves it."""
    path = folder / each.run / TRIAL
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(each.to_dict()), encoding="utf-8")


def test_grid_has_every_system_with_every_seed_first_seeds_first(tmp_path: Path) -> None:
    grid = run.jobs(STUDY, tmp_path, seeds=3)
    assert [job.label for job in grid] == ["one seed 0", "two seed 0", "one seed 1", "one seed 2"]
    assert [job.recipe.seed for job in grid] == [0, 0, 1, 2]
    assert grid[0].folder == tmp_path / "trials" / "one-50epochs-seed0"


@pytest.mark.parametrize(("epochs", "most", "expected"), [(None, None, 50), (7, None, 7), (None, 2, 2), (1, 2, 1)])
def test_epochs_are_the_documents_unless_told_otherwise(
    tmp_path: Path, epochs: int | None, most: int | None, expected: int
) -> None:
    (job,) = run.jobs(STUDY, tmp_path, 1, epochs, most, STUDY.systems[:1])
    assert job.recipe.epochs == expected
    assert job.folder.name == f"one-{expected}epochs-seed0"


def test_systems_are_chosen_by_pattern() -> None:
    assert [system.name for system in run.select(STUDY, [])] == ["one", "two"]
    assert [system.name for system in run.select(STUDY, ["t*", "two"])] == ["two"]
    with pytest.raises(UsageError, match=r"no system of two is called three.*one, two"):
        run.select(STUDY, ["one", "three"])


def test_trials_are_gathered_from_results_and_run_folders(tmp_path: Path) -> None:
    Results("two", (trial(seed=0), trial(seed=1, accuracy=0.5), trial("gone"))).save(tmp_path)
    leave(tmp_path, trial(seed=1))
    leave(tmp_path, trial(seed=2))
    gathered = run.gather(STUDY, tmp_path)
    # Seed 0 ran on another machine, seed 1 was converted since, "gone" is no system of the study any more.
    assert sorted((each.system, each.seed, each.accuracy["test"]) for each in gathered.trials) == [
        ("one", 0, 0.98),
        ("one", 1, 0.98),
        ("one", 2, 0.98),
    ]
    gathered.save(tmp_path)
    assert Results.load(tmp_path) == dataclasses.replace(gathered, trials=gathered.of("one"))


def test_results_of_another_study_are_refused(tmp_path: Path) -> None:
    Results("other", ()).save(tmp_path)
    with pytest.raises(RunError, match="holds the study other"):
        run.gather(STUDY, tmp_path)


def test_damaged_trial_is_named(tmp_path: Path) -> None:
    leave(tmp_path, trial())
    path = tmp_path / trial().run / TRIAL
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(RunError, match=r"trial\.json: cannot be read"):
        run.gather(STUDY, tmp_path)


def test_what_is_left_is_what_is_not_done_or_could_be_converted_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = run.jobs(STUDY, tmp_path, seeds=3)
    for each in (trial(seed=0), trial(seed=1, int8=None), trial(seed=2, epochs=49)):
        leave(tmp_path, each)
    results = run.gather(STUDY, tmp_path)
    assert [job.label for job in run.left(grid, results)] == ["two seed 0", "one seed 1", "one seed 2"]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert [job.label for job in run.left(grid, results)] == ["two seed 0", "one seed 2"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "noise.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    labels = np.arange(40, dtype=np.uint8) % 10
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path


def test_finished_study_starts_nothing(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "study"
    done = (trial("mlp", seed, 100, accuracy) for seed, accuracy in enumerate((0.97, 0.98, 0.99)))
    Results("mlp-classifier", tuple(done)).save(out)
    command = ["study", "mlp-classifier", "--trials-only", "--data", str(data), "--out", str(out)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "mlp: test 98.00 ± 1.00 %, int8 drop 0.10 ± 0.00 pp (100 epochs, 3 seeds)\n" in result.stdout
    assert str(out / RESULTS) in result.stdout
    assert "ray" not in sys.modules


def test_run_folder_with_other_settings_is_refused_before_anything_starts(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "study"
    folder = out / TRIALS / "mlp-1epochs-seed0"
    train = ["train", "mlp-50-20-10", "--epochs", "1", "--learning-rate", "0.2", "--data", str(data)]
    assert CliRunner().invoke(main, [*train, "--out", str(folder)]).exit_code == 0
    study = ["study", "mlp-classifier", "--epochs", "1", "--seeds", "1", "--data", str(data), "--out", str(out)]
    result = CliRunner().invoke(main, study)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"Error: {folder}: holds a run with other options")


def test_list_shows_every_study_and_how_much_of_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Results("mlp-classifier", (trial("mlp", 0, 100),)).save(Path("runs/studies/mlp-classifier"))
    lines = CliRunner().invoke(main, ["study"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(STUDIES)
    assert [line.split()[-2] for line in lines if line.startswith("mlp-classifier")] == ["1/3"]


def test_no_such_study_is_one_line() -> None:
    result = CliRunner().invoke(main, ["study", "nothing"])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_quick_look_is_at_what_the_page_shows_first() -> None:
    names = [system.name for system in run.foreground(STUDIES["lightweight-cnn"])]
    targets = {target.system for target in STUDIES["lightweight-cnn"].targets}
    assert targets <= set(names)
    assert len(names) < len(STUDIES["lightweight-cnn"].systems)
