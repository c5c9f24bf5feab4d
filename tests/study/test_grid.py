"""The grid of a study: its jobs, what is done and what is left."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_study import grid
from edge_digits_study.definition import Study, System
from edge_digits_study.results import Results, Trial
from edge_digits_study.studies import STUDIES
from edge_digits_study.trial import TRIAL

Make = Callable[..., Trial]
STUDY = Study(
    name="two",
    title="Two systems",
    document="none",
    systems=(System("one", "one", "mlp-64"), System("two", "two", "mlp-128", seeds=1)),
    tables=(),
    targets=(),
    decisions=(),
)


def leave(folder: Path, trial: Trial) -> Path:
    """Write ``trial.json`` as a worker does, and return its path."""
    path = folder / trial.run / TRIAL
    trial.save(path)
    return path


def test_grid_has_every_system_with_seed_0_then_with_seed_1(tmp_path: Path) -> None:
    jobs = grid.jobs(STUDY, tmp_path, seeds=3)
    assert [job.label for job in jobs] == ["one seed 0", "two seed 0", "one seed 1", "one seed 2"]
    assert [job.recipe.seed for job in jobs] == [0, 0, 1, 2]
    assert jobs[0].folder == tmp_path / "trials" / "one-50epochs-seed0"


@pytest.mark.parametrize(("epochs", "most", "expected"), [(None, None, 50), (7, None, 7), (None, 2, 2), (1, 2, 1)])
def test_epochs_are_those_of_the_document_by_default(
    tmp_path: Path, epochs: int | None, most: int | None, expected: int
) -> None:
    (job,) = grid.jobs(STUDY, tmp_path, 1, epochs, most, STUDY.systems[:1])
    assert job.recipe.epochs == expected
    assert job.folder.name == f"one-{expected}epochs-seed0"


def test_systems_are_chosen_by_pattern() -> None:
    assert [system.name for system in grid.select(STUDY, [])] == ["one", "two"]
    assert [system.name for system in grid.select(STUDY, ["t*", "two"])] == ["two"]
    with pytest.raises(UsageError, match=r"no system of two is called three.*one, two"):
        grid.select(STUDY, ["one", "three"])


def test_trials_are_gathered_from_results_and_run_folders(make_trial: Make, tmp_path: Path) -> None:
    trials = (make_trial("one", 0), make_trial("one", 1, test=0.5), make_trial("gone"))
    Results("two", trials).save(tmp_path)
    leave(tmp_path, make_trial("one", 1))
    leave(tmp_path, make_trial("one", 2))
    gathered = grid.gather(STUDY, tmp_path)
    # Seed 0 ran on another machine, seed 1 was run again since, "gone" is no longer a system of the study.
    assert sorted((each.system, each.seed, each.accuracy["test"]) for each in gathered.trials) == [
        ("one", 0, 0.98),
        ("one", 1, 0.98),
        ("one", 2, 0.98),
    ]
    gathered.save(tmp_path)
    assert Results.load(tmp_path, "two") == Results("two", gathered.of("one"))


def test_results_of_another_study_are_refused(tmp_path: Path) -> None:
    Results("other", ()).save(tmp_path)
    with pytest.raises(RunError, match="holds the study 'other', not two"):
        grid.gather(STUDY, tmp_path)


def test_damaged_trial_is_named(make_trial: Make, tmp_path: Path) -> None:
    path = leave(tmp_path, make_trial("one"))
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(RunError, match=r"trial\.json: damaged"):
        grid.gather(STUDY, tmp_path)


@pytest.mark.parametrize("whose", ["device", "int8"])
def test_damaged_facts_of_a_device_are_named(make_trial: Make, tmp_path: Path, whose: str) -> None:
    path = leave(tmp_path, make_trial("one"))
    content = json.loads(path.read_text(encoding="utf-8"))
    (content if whose == "device" else content["int8"])["device"]["cores"] = "two"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError, match=r"trial\.json: damaged .*cores"):
        grid.gather(STUDY, tmp_path)


def test_jobs_are_left_that_are_not_done_or_can_be_converted_now(
    make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = grid.jobs(STUDY, tmp_path, seeds=3)
    for trial in (
        make_trial("one", 0, epochs=50),
        make_trial("one", 1, epochs=50, drop=None),
        make_trial("one", 2, epochs=49),
    ):
        leave(tmp_path, trial)
    results = grid.gather(STUDY, tmp_path)
    assert [job.label for job in grid.left(jobs, results)] == ["two seed 0", "one seed 1", "one seed 2"]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert [job.label for job in grid.left(jobs, results)] == ["two seed 0", "one seed 2"]


def test_main_systems_are_those_with_a_target_or_a_figure() -> None:
    names = [system.name for system in grid.main_systems(STUDIES["lightweight-cnn"])]
    targets = {target.system for target in STUDIES["lightweight-cnn"].targets}
    assert targets <= set(names)
    assert len(names) < len(STUDIES["lightweight-cnn"].systems)
