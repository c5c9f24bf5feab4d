"""Published and measured figures compared, and the page about all studies, for numbers made by hand."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import RunError
from edge_digits_study import overview_page, published_comparison, together
from edge_digits_study.definition import Published
from edge_digits_study.published_comparison import ComparedFigure, StudyComparison
from edge_digits_study.results import Results, Trial
from edge_digits_study.seed_summary import Estimate, summarize
from edge_digits_study.studies import STUDIES
from edge_digits_study.study_page import FINDINGS

from edge_digits.cli import main

Make = Callable[..., Trial]
REPOSITORY = Path(__file__).parents[2] / "docs" / "research" / "studies"
FRONTIER = REPOSITORY.parent / "frontier.json"
STUDY = STUDIES["mlp-against-cnn"]


@pytest.fixture
def comparison(make_trial: Make, tmp_path: Path) -> Callable[..., StudyComparison]:
    """``comparison(mlp=[97.6, 97.7], cnn=[...])``: the first study with test accuracies in percent, by seed."""

    def make(**accuracies: list[float]) -> StudyComparison:
        trials = [
            make_trial(system.replace("_", "-"), seed, value / 100)
            for system, values in accuracies.items()
            for seed, value in enumerate(values)
        ]
        folder = tmp_path / STUDY.name
        Results(STUDY.name, tuple(trials)).save(folder)
        return published_comparison.compare({STUDY.name: folder})[0]

    return make


# --- rules


def test_one_more_seed_lies_within_the_prediction_interval() -> None:
    # Student's t at 97.5 % with 2 degrees of freedom is 4.302653.
    assert published_comparison.prediction_reach(Estimate((97.9, 98.0, 98.1))) == pytest.approx(
        4.302653 * 0.1 * math.sqrt(4 / 3), rel=1e-6
    )
    assert published_comparison.prediction_reach(Estimate((98.0,))) is None


def test_two_means_are_compared_by_welchs_interval() -> None:
    # Equal spreads and counts: 2 (n - 1) = 4 degrees of freedom, t = 2.776445, standard error 0.1 * sqrt(2 / 3).
    reach = published_comparison.welch_reach(Estimate((98.9, 99.0, 99.1)), Estimate((97.9, 98.0, 98.1)))
    assert reach == pytest.approx(2.776445 * 0.1 * math.sqrt(2 / 3), rel=1e-6)
    assert published_comparison.welch_reach(Estimate((99.0,) * 3), Estimate((98.0,) * 3)) == 0
    assert published_comparison.welch_reach(Estimate((98.9, 99.0, 99.1)), Estimate((98.0,))) is None


@pytest.mark.parametrize(
    ("accuracies", "beyond", "verdict"),
    [
        # Seeds 0.1 apart: std 0.1, so one more seed lies within 0.497 of the mean; published are 97.7 %.
        ([98.2, 98.3, 98.4], True, "beaten"),
        ([97.8, 97.9, 98.0], False, "reached"),
        ([97.7, 97.7, 97.7], False, "reached"),
        ([97.5, 97.6, 97.7], False, "within spread"),
        ([97.0, 97.1, 97.2], True, "not reached"),
        # One seed has no spread.
        ([99.0], None, "reached"),
        ([97.6], None, "not reached"),
    ],
)
def test_verdicts(make_trial: Make, accuracies: list[float], beyond: bool | None, verdict: str) -> None:
    trials = tuple(make_trial("mlp", seed, value / 100) for seed, value in enumerate(accuracies))
    one = summarize(STUDY, Results(STUDY.name, trials))["mlp"]
    figure = ComparedFigure(STUDY.system("mlp"), "test_accuracy", Published(97.7), one)
    assert (figure.beyond_spread, figure.verdict) == (beyond, verdict)


def test_a_system_that_was_not_run_has_no_difference() -> None:
    figure = ComparedFigure(STUDY.system("mlp"), "test_accuracy", Published(97.7), None)
    assert (figure.difference, figure.beyond_spread, figure.verdict) == (None, None, "not run")


def test_a_published_figure_in_several_tables_is_compared_once(tmp_path: Path) -> None:
    (comparison,) = published_comparison.compare({"lightweight-cnn": tmp_path})
    keys = [(figure.system.name, figure.quantity) for figure in comparison.figures]
    assert len(keys) == len(set(keys)) == 28
    assert {figure.verdict for figure in comparison.figures} == {"not run"}


# --- the best system


def test_the_best_and_who_is_behind_it(comparison: Callable[..., StudyComparison]) -> None:
    one = comparison(
        mlp=[97.6, 97.7, 97.8], cnn=[98.9, 99.0, 99.1], cnn_standardized=[98.8, 98.9, 99.0], mlp_standardized=[97]
    )
    assert [rival.summary.system.name for rival in one.rivals] == ["cnn-standardized", "mlp", "mlp-standardized"]
    assert [rival.beyond_spread for rival in one.rivals] == [False, True, None]
    assert [rival.published for rival in one.rivals] == [None, pytest.approx(1.2), None]
    words = " ".join(overview_page.to_text([one]).split())
    assert "Best: CNN 32-64 with 99.00 ± 0.10 % of the test pictures." in words
    assert "Behind it, but not by more than the spread: CNN 32-64, standardized input by 0.10 pp." in words
    assert "Behind it by more than the spread: MLP 256-128 by 1.30 pp, published 1.20." in words
    assert (
        "Behind it, with one seed and so without a known spread: MLP 256-128, standardized input by 2.00 pp." in words
    )
    assert "Best in the document: CNN 32-64 with 98.9 %." in words


def test_folds_are_not_in_the_ranking(make_trial: Make, tmp_path: Path) -> None:
    study = STUDIES["backpropagation"]
    trials = (make_trial("mlp", test=0.97), *(make_trial(name, test=0.99) for name in study.folds))
    Results(study.name, trials).save(tmp_path)
    (one,) = published_comparison.compare({study.name: tmp_path})
    assert [summary.system.name for summary in one.ranking] == ["mlp"]


# --- forms


def test_a_compared_figure_in_markdown(comparison: Callable[..., StudyComparison], tmp_path: Path) -> None:
    markdown = overview_page.to_markdown([comparison(cnn=[98.2, 98.3, 98.4])], tmp_path)
    measured = "98.30 ± 0.10 | 3 | 5 | −0.60 | yes | not reached | 98.30 ± 0.10 | 0.00 ± 0.00"
    assert f"| CNN 32-64 | test | 98.9 ± 0.2 | {measured} |" in markdown
    assert "| MLP 256-128 | test | 97.7 ± 0.2 | – | – | – | – | – | not run | – | – |" in markdown
    assert "**Of 8 published figures: 3 within spread, 1 not reached, 4 not run. " in markdown
    assert "The int8 drop is at most 0.10 pp for 1 of 1 systems.**" in markdown


def test_other_epochs_and_missing_int8_are_marked(make_trial: Make, tmp_path: Path) -> None:
    Results(STUDY.name, (make_trial("cnn", epochs=2, drop=None),)).save(tmp_path)
    markdown = overview_page.to_markdown(published_comparison.compare({STUDY.name: tmp_path}), tmp_path)
    assert (
        "| CNN 32-64 | test | 98.9 ± 0.2 | 98.00 | 1 | 2/5 | −0.90 | one seed | not reached | not converted | – |"
        in markdown
    )
    assert "int8 drop" not in markdown
    assert "Best: CNN 32-64 (2/5 epochs) with 98.00 % of the test pictures." in markdown


def test_pages_that_exist_are_linked(comparison: Callable[..., StudyComparison], tmp_path: Path) -> None:
    one = comparison(cnn=[98.2])
    assert "### MLP against CNN\n" in overview_page.to_markdown([one], tmp_path)
    (tmp_path / STUDY.name / "README.md").write_text("# A study\n")
    assert "### [MLP against CNN](mlp-against-cnn/README.md)\n" in overview_page.to_markdown([one], tmp_path)
    assert "](../mlp-against-cnn/README.md)\n" in overview_page.to_markdown([one], tmp_path / "elsewhere")


def test_text_fits_a_terminal(make_trial: Make, tmp_path: Path) -> None:
    for study in STUDIES.values():
        trials = [make_trial(system.name, seed) for system in study.systems for seed in range(3)]
        Results(study.name, tuple(trials)).save(tmp_path / study.name)
    words = overview_page.to_text(published_comparison.compare({name: tmp_path / name for name in STUDIES}))
    assert max(map(len, words.splitlines())) <= 100
    words.encode("latin-1")


# --- the verb


def test_compare_writes_the_page_and_prints_it(comparison: Callable[..., StudyComparison], tmp_path: Path) -> None:
    comparison(cnn=[98.2])
    out = tmp_path / "README.md"
    result = CliRunner().invoke(main, ["study", "compare", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0
    assert "Optimization of MLP and lightweight CNN" in result.stdout
    assert out.read_text(encoding="utf-8").startswith("# What the studies say together\n")


def test_the_studies_of_the_repository_come_first(
    comparison: Callable[..., StudyComparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, accuracy in (("docs/research/studies", 0.981), ("runs/studies", 0.982)):
        one = comparison(cnn=[100 * accuracy])
        target = tmp_path / folder / STUDY.name
        target.parent.mkdir(parents=True)
        one.folder.rename(target)
    assert "98.10" in CliRunner().invoke(main, ["study", "compare"]).stdout
    (tmp_path / "docs" / "research").rename(tmp_path / "docs" / "others")
    assert "98.20" in CliRunner().invoke(main, ["study", "compare"]).stdout


def test_a_missing_folder_and_damaged_results_are_errors(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["study", "compare", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "run a study with 'edge-digits study NAME'" in result.stderr
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(RunError, match="delete it and run the study again"):
        published_comparison.compare({STUDY.name: tmp_path})


def test_the_page_in_the_repository_is_made_from_the_results() -> None:
    comparisons = published_comparison.compare({name: REPOSITORY / name for name in STUDIES})
    expected = overview_page.to_markdown(comparisons, REPOSITORY, together.family(FRONTIER))
    assert (REPOSITORY / "README.md").read_text(encoding="utf-8") == expected, (
        "run: edge-digits study compare --out docs/research/studies/README.md --family docs/research/frontier.json"
    )


def test_every_published_figure_in_the_repository_is_run_and_reached_or_explained() -> None:
    for comparison in published_comparison.compare({name: REPOSITORY / name for name in STUDIES}):
        for figure in comparison.figures:
            assert figure.summary is not None
            assert figure.summary.epochs == figure.summary.document_epochs
            if figure.verdict == published_comparison.NOT_REACHED:
                words = (comparison.folder / FINDINGS).read_text(encoding="utf-8")
                assert figure.system.title.removeprefix("CNN, ") in words
