"""The page of a study: systems that were run, that were not run, and that were run with fewer epochs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, ModelInfo, wrong_pictures
from edge_digits_runtime.records.timings import Latency
from edge_digits_study import page_plots, plots, study_page
from edge_digits_study.page_plots import PAGE_PLOTS
from edge_digits_study.results import Results, Trial
from edge_digits_study.seed_summary import summarize
from edge_digits_study.studies import STUDIES
from numpy.typing import NDArray
from PIL import Image

Make = Callable[..., Trial]
NOWHERE = Path(__file__).parent / "no-such-folder"
"""A folder without figures and findings."""
REPOSITORY = Path(__file__).parents[2] / "docs" / "research" / "studies"
MLP_AGAINST_CNN, CLASSIFIER, FOLDED = (
    STUDIES[name] for name in ("mlp-against-cnn", "mlp-classifier", "backpropagation")
)


def text(study_name: str, *trials: Trial) -> str:
    return study_page.to_markdown(STUDIES[study_name], Results(study_name, trials), NOWHERE)


def line(markdown: str, start: str) -> str:
    (found,) = (one for one in markdown.splitlines() if one.startswith(start))
    return found


# --- tables


def test_a_table_has_published_next_to_measured_figures(make_trial: Make) -> None:
    markdown = text("mlp-classifier", make_trial("mlp", 0, 0.97, epochs=100), make_trial("mlp", 1, 0.98, epochs=100))
    assert (
        """### Scores

| model | training accuracy, %: published | measured | test accuracy, %: published | measured | seeds | epochs trained |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| MLP 50-20-10 | 99.8633 | 99.90 ± 0.00 | 97.03 | 97.50 ± 0.71 | 2 | 100 |
"""
        in markdown
    )


def test_a_system_that_was_not_run_is_marked(make_trial: Make) -> None:
    markdown = text("mlp-against-cnn", make_trial("mlp"))
    performance = "97.7 ± 0.2 | 98.00 | 96.9 ± 1.2 | 98.00 | 97.0 ± 0.8 | 98.00 | 97.0 ± 0.9 | 98.00 | 1 | 5 |"
    assert f"| MLP | {performance}" in markdown
    assert "| CNN | 98.9 ± 0.2 | not run | 98.4 ± 1.0 | not run |" in markdown
    assert line(markdown, "| CNN 32-64: test") == "| CNN 32-64: test accuracy, % | ≥ 98.9 | not run | – | – | not run |"
    assert "Systems that are not run yet are run by `edge-digits study mlp-against-cnn`." in markdown


def test_fewer_epochs_are_marked(make_trial: Make) -> None:
    markdown = text("mlp-classifier", make_trial("mlp", epochs=7))
    assert line(markdown, "| MLP 50-20-10 |").endswith("| 1 | 7 instead of 100 |")
    assert line(markdown, "| MLP 50-20-10, SGD: test").endswith("| 1 | 7 instead of 100 | reached |")
    assert "    edge-digits study mlp-classifier --seeds 1 --epochs 7\n" in markdown


def test_the_commands_give_each_system_its_seeds_and_epochs(make_trial: Make) -> None:
    def commands(name: str, *trials: Trial) -> list[str]:
        study = STUDIES[name]
        return study_page.commands(study, summarize(study, Results(name, trials)))

    mlps = [make_trial(name, seed) for name in ("mlp", "mlp-standardized") for seed in range(2)]
    start = "edge-digits study mlp-against-cnn --seeds"
    assert commands("mlp-against-cnn", *mlps, make_trial("cnn", epochs=1)) == [
        f"{start} 2 --only 'mlp*'",
        f"{start} 1 --epochs 1 --only cnn",
    ]
    # Folds are trained with one seed, however many are asked for.
    folds = [make_trial(name, epochs=20) for name in FOLDED.folds]
    whole = [*folds, *(make_trial("mlp", seed, epochs=20) for seed in range(3))]
    assert commands("backpropagation", *whole) == ["edge-digits study backpropagation --seeds 3"]
    assert commands("backpropagation", *folds) == ["edge-digits study backpropagation --seeds 1 --only 'fold*'"]


def test_a_study_without_trials_has_a_page() -> None:
    markdown = text("dropout-noise")
    assert "Systems that are not run yet are run by `edge-digits study dropout-noise`." in markdown
    assert "Made by" not in markdown
    assert "Nothing is run yet." in markdown
    assert "## Classification report" not in markdown


# --- targets and int8


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [([0.9703], "reached"), ([0.9703, 0.9703, 0.9702], "**short by 0.003 pp**"), ([0.96], "**short by 1.03 pp**")],
)
def test_a_target_is_compared_with_the_mean(make_trial: Make, accuracy: list[float], verdict: str) -> None:
    trials = [make_trial("mlp", seed, value, epochs=100) for seed, value in enumerate(accuracy)]
    assert line(text("mlp-classifier", *trials), "| MLP 50-20-10, SGD: test").endswith(f"| {verdict} |")


@pytest.mark.parametrize(
    ("drops", "verdict"),
    [([0.05, 0.15], "reached"), ([0.1, 0.2, 0.15], "**over by 0.05 pp**"), ([None], "not converted")],
)
def test_the_drop_of_int8_may_be_a_tenth_of_a_point(make_trial: Make, drops: list[float | None], verdict: str) -> None:
    trials = [make_trial("mlp", seed, drop=drop) for seed, drop in enumerate(drops)]
    assert line(text("mlp-classifier", *trials), "| MLP 50-20-10, SGD: int8").endswith(f"| {verdict} |")


def test_int8_has_accuracy_drop_bytes_and_latency(make_trial: Make) -> None:
    trials = (make_trial("mlp", 0, 0.98, drop=0.2), make_trial("mlp", 1, 0.98, drop=None))
    assert "| MLP 50-20-10, SGD | 98.00 ± 0.00 | 97.80 | **0.20** | 1,234 | 50,000 | 1,500 | 20.0 | 1 of 2 |" in text(
        "mlp-classifier", *trials
    )


def test_devices_that_trained_and_converted_are_told_apart(make_trial: Make) -> None:
    gpu = {"name": "Fast GPU", "kind": "GPU", "machine": "x86_64", "cores": 16, "memory_bytes": 64_000_000_000}
    markdown = text("mlp-classifier", make_trial("mlp", epochs=100, device=gpu))
    (training,) = (one for one in markdown.splitlines() if one.startswith("| MLP 50-20-10, SGD |") and "GPU" in one)
    assert training.endswith("| 100 | 12.0 | Fast GPU | 1 |")
    assert "- 1 on Fast GPU, GPU, x86\\_64, 16 cores, 64 GB: python" in markdown
    assert "- 1 int8 model converted and measured on Laptop, CPU, x86\\_64, 2 cores, 8 GB" in markdown
    assert "median, one thread of Laptop, CPU" in markdown


def test_overfitting_and_convergence_have_their_definition(make_trial: Make) -> None:
    values = [0.90, 0.97, 0.9795, 0.98]
    markdown = text("mlp-classifier", make_trial("mlp", test=0.97, epochs=4, val_accuracy=values))
    # 99.9 % of the training pictures; the third epoch is within 0.1 pp of the best.
    assert line(markdown, "| MLP 50-20-10, SGD | 99.90 | 98.50 | 97.00 | 2.90 | 3.0 |")
    assert "Overfitting: training accuracy minus test accuracy" in markdown
    assert "within 0.1 pp of the best of the training" in markdown


# --- below the published figure, findings


def test_a_figure_that_was_not_reached_has_its_validation_beside_it(make_trial: Make) -> None:
    values = [0.95] * 60 + [0.991] + [0.97] * 20 + [0.98] * 19
    markdown = text("mlp-classifier", make_trial("mlp", test=0.9653, epochs=100, val_accuracy=values))
    assert "| test | 97.03 | 96.53 | 1 | −0.50 | not reached | 99.10 | 61 | 97.00 to 98.00 |" in markdown
    assert "## Below the published figure" not in text("mlp-classifier", make_trial("mlp", test=0.9703, epochs=100))


def test_findings_are_included_if_they_are_there(make_trial: Make, tmp_path: Path) -> None:
    results = Results(CLASSIFIER.name, (make_trial("mlp", epochs=100),))
    assert "## Found" not in study_page.to_markdown(CLASSIFIER, results, tmp_path)
    (tmp_path / "findings.md").write_text("## Found\n\nA cause.\n", encoding="utf-8")
    assert "\n## Found\n\nA cause.\n\n## Training\n" in study_page.to_markdown(CLASSIFIER, results, tmp_path)


# --- layers, report, machine


def test_layers_have_parameters_and_multiply_accumulates() -> None:
    markdown = text("mlp-against-cnn")
    # 14 × 14 × 3² × 32 × 64, and 3² × 32 × 64 + 64 parameters.
    assert "|  | conv3x3-64 | 14 × 14 × 64 | 18,496 | 3,612,672 |" in markdown
    assert "| MLP 256-128; MLP 256-128, standardized input | dense-256 | 256 | 200,960 | 200,704 |" in markdown
    assert "|  | together |  | 235,146 | 234,752 |" in markdown
    assert "|  | together |  | 421,642 | 4,241,152 |" in markdown


def test_the_classification_report_is_a_mean_over_seeds(make_trial: Make) -> None:
    trials = [make_trial("mlp", seed) for seed in range(2)]
    trials[1].metrics["recall"][3] = 0.7
    markdown = text("mlp-classifier", *trials)
    assert "| 3 | 50.00 ± 0.00 | 60.00 ± 14.14 | 50.00 ± 0.00 | 100 |" in markdown
    assert "| macro average | 98.00 ± 0.00 | 98.00 ± 0.00 | 98.00 ± 0.00 | 1,000 |" in markdown


def test_folds_have_a_mean_if_all_are_run(make_trial: Make) -> None:
    trials = [make_trial(name, 0, 0.97 + 0.001 * k, epochs=20) for k, name in enumerate(FOLDED.folds)]
    sentence = "Right over 5 folds: 98.50 ± 0.00 % of the pictures held out, 97.20 ± 0.16 % of the test pictures."
    assert sentence in text("backpropagation", *trials)
    assert "## Mean over the folds" not in text("backpropagation", *trials[:4])


def test_machine_versions_and_time(make_trial: Make) -> None:
    markdown = text("mlp-classifier", make_trial("mlp", 4, epochs=100), make_trial("mlp", 4, epochs=2))
    assert "1 training, 20.0 minutes in all; seeds 4. Not shown, with fewer epochs: 1." in markdown
    assert "- 1 on Laptop, CPU, x86\\_64, 2 cores, 8 GB: python 3.11.2, keras 3.15.0" in markdown


@pytest.mark.parametrize("name", STUDIES)
def test_decisions_are_on_the_page(name: str) -> None:
    markdown = text(name)
    assert markdown.count("\n- ") >= len(STUDIES[name].decisions) > 0
    assert "## Where the document is unclear\n" in markdown


# --- figures


@pytest.fixture
def evaluation() -> Evaluation:
    """Twelve answers to noise, three of them wrong."""
    labels = np.array([*range(10), 4, 9], np.uint8)
    answers = labels.copy()
    answers[[4, 10, 11]] = 9, 9, 4
    top = np.linspace(0.5, 0.9, 12, dtype=np.float32)
    probabilities = np.repeat((1 - top[:, None]) / 9, 10, axis=1)
    probabilities[range(12), answers] = top
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
    return Evaluation(
        ModelInfo("mlp", "float-original", "keras", 1, "a" * 64),
        DataInfo("noise", "test", "b" * 64),
        labels,
        probabilities,
        {"invoke": Latency(np.array([1.0]))},
        {"name": "Laptop", "machine": "x86_64", "python": "3.11.2", "backend": "keras"},
        wrong_pictures(images, labels, answers),
    )


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        assert image.getcolors(2) is None, "only one colour or two"
        return image.size


def test_figures_of_results_are_written_and_shown(make_trial: Make, tmp_path: Path) -> None:
    trials = [make_trial(name, 0, epochs=3) for name in FOLDED.folds]
    trials += [make_trial("mlp", seed, epochs=3) for seed in range(2)]
    written = study_page.write(FOLDED, Results(FOLDED.name, tuple(trials)), tmp_path)
    assert written == tmp_path / "README.md"
    drawn = {path.name for path in tmp_path.iterdir()} - {"README.md"}
    assert drawn == {"curves.png", "confusion.png", "folds.png"}
    for name in drawn:
        assert min(size(tmp_path / name)) > 200
        assert (tmp_path / name).stat().st_size < 100_000
        assert f"]({name})" in written.read_text(encoding="utf-8")


def test_a_figure_stays_without_the_run_folder_that_it_was_drawn_from(
    make_trial: Make, evaluation: Evaluation, tmp_path: Path
) -> None:
    trial = make_trial("mlp", epochs=2)
    run = tmp_path / trial.run
    run.mkdir(parents=True)
    evaluation.save(run / "evaluation.json")
    results = Results(CLASSIFIER.name, (trial,))
    study_page.write(CLASSIFIER, results, tmp_path)
    drawn = (tmp_path / "answers.png").read_bytes()
    assert size(tmp_path / "answers.png")
    (run / "evaluation.json").unlink()
    markdown = study_page.write(CLASSIFIER, results, tmp_path).read_text(encoding="utf-8")
    assert (tmp_path / "answers.png").read_bytes() == drawn
    assert "](answers.png)" in markdown
    # No weights were ever drawn.
    assert "](weights.png)" not in markdown


def test_with_a_damaged_evaluation_no_page_is_written(make_trial: Make, tmp_path: Path) -> None:
    from edge_digits_runtime.errors import EvaluationError

    trial = make_trial("mlp", epochs=2)
    (tmp_path / trial.run).mkdir(parents=True)
    (tmp_path / trial.run / "evaluation.json").write_text("{")
    with pytest.raises(EvaluationError):
        study_page.write(CLASSIFIER, Results(CLASSIFIER.name, (trial,)), tmp_path)
    assert not (tmp_path / "README.md").exists()


def test_first_layer_weights_are_those_of_the_model(
    make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_digits_train.engine.keras_model import build

    trial = make_trial("mlp", epochs=2)
    (tmp_path / trial.run).mkdir(parents=True)
    model = build(CLASSIFIER.system("mlp").build(seed=0))
    model.save(tmp_path / trial.run / "model.keras")
    kernels = []
    draw = plots.weights

    def keep(path: Path, kernel: NDArray[np.float32], title: str) -> None:
        kernels.append(kernel)
        draw(path, kernel, title)

    monkeypatch.setattr(plots, "weights", keep)
    study_page.write(CLASSIFIER, Results(CLASSIFIER.name, (trial,)), tmp_path)
    (kernel,) = kernels
    expected = next(weight for weight in model.weights if weight.shape[0] == 784)
    np.testing.assert_array_equal(kernel, np.array(expected))
    assert size(tmp_path / "weights.png")
    assert "](weights.png)" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_confusion_is_added_up_over_seeds(make_trial: Make) -> None:
    results = Results(CLASSIFIER.name, (make_trial("mlp", 0), make_trial("mlp", 1)))
    counts = page_plots.confusion(summarize(CLASSIFIER, results)["mlp"])
    assert counts[4].tolist() == [0, 0, 0, 0, 180, 0, 0, 0, 0, 20]
    assert counts.sum() == 2000


def test_curves_of_one_epoch_without_loss_can_be_drawn(tmp_path: Path) -> None:
    one = {"loss": [0.0], "val_loss": [0.1], "accuracy": [1.0], "val_accuracy": [1.0]}
    plots.curves(tmp_path / "curves.png", {"A": [one]})
    assert size(tmp_path / "curves.png")


def test_files_of_figures_are_unique() -> None:
    assert len({plot.file for plot in PAGE_PLOTS}) == len(PAGE_PLOTS)


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_in_the_repository_is_made_from_its_results(name: str) -> None:
    folder = REPOSITORY / name
    expected = study_page.to_markdown(STUDIES[name], Results.load(folder, name), folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == expected, (
        f"run: edge-digits study {name} --out {folder}"
    )
