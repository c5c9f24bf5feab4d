"""The figures of the page of a study, and the data that they show.

Curves, confusion matrix and folds are drawn from the results. Pictures and weights are only in the run folders, which
are large and need not be kept: without the run folder, a figure that was drawn from it before stays as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data import datasets
from edge_digits_runtime.mnist_format import DIGITS
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.run import EVALUATION, MODEL
from numpy.typing import NDArray

from edge_digits.formatting import counted
from edge_digits_study import plots
from edge_digits_study.definition import Study
from edge_digits_study.plots import Answer, Fold
from edge_digits_study.results import Trial
from edge_digits_study.seed_summary import SystemSummary

MAX_WRONG = 40
"""Largest number of wrong answers in a gallery."""


@dataclass(frozen=True)
class PagePlot:
    """A figure of the page of a study."""

    file: str
    """File name."""
    title: str
    """Heading on the page."""
    text: str
    """What the figure shows."""
    draw: Callable[[Study, Mapping[str, SystemSummary], Path, Path], None]
    """``draw(study, summaries, folder, path)`` writes the figure to ``path`` if the data for it are there."""


def draw(study: Study, summaries: Mapping[str, SystemSummary], folder: Path) -> None:
    """Draw every figure of ``study`` for which there are data into ``folder``."""
    for plot in PAGE_PLOTS:
        plot.draw(study, summaries, folder, folder / plot.file)


def _curves(study: Study, summaries: Mapping[str, SystemSummary], _folder: Path, path: Path) -> None:
    histories = {
        one.system.title: [trial.history for trial in one.trials]
        for name in study.curves
        if (one := summaries.get(name)) is not None
    }
    if histories:
        plots.curves(path, histories)


def _confusion(study: Study, summaries: Mapping[str, SystemSummary], _folder: Path, path: Path) -> None:
    if (featured := summaries.get(study.featured)) is not None:
        count = len(featured.trials)
        seeds = counted(count, "seed") + (", added up" if count > 1 else "")
        plots.confusion(path, confusion(featured), f"{featured.system.title}, {seeds}")


def _answers(study: Study, summaries: Mapping[str, SystemSummary], folder: Path, path: Path) -> None:
    found = _with_file(summaries.get(study.featured), folder, EVALUATION)
    if found is None:
        return
    trial, file = found
    evaluation = Evaluation.load(file)
    right, wrong = _right(evaluation), _wrong(evaluation)
    if right or wrong:
        count = int((evaluation.labels != evaluation.predicted).sum())
        title = f"{_of(study, trial)}: {count:,} of {len(evaluation.labels):,} test pictures wrong"
        words = "black: one right answer for each digit; red: " if right else "red: "
        words += (
            f"the {len(wrong)} most confident wrong answers"
            if count > len(wrong)
            else "the wrong answers by falling confidence"
        )
        plots.gallery(path, [*right, *wrong], f"{title}\n{words}")


def _weights(study: Study, summaries: Mapping[str, SystemSummary], folder: Path, path: Path) -> None:
    found = _with_file(summaries.get(study.weights), folder, MODEL)
    if found is not None:
        trial, file = found
        plots.weights(path, _first_kernel(file), f"{_of(study, trial)}: weights from the pixels to the first units")


def _folds(study: Study, summaries: Mapping[str, SystemSummary], _folder: Path, path: Path) -> None:
    done = [summaries[name] for name in study.folds if name in summaries]
    # A mean over only some of the folds is not a cross-validation.
    if done and len(done) == len(study.folds):
        plots.folds(
            path,
            [
                Fold(one.system.title, one.figures["validation_accuracy"].mean, one.figures["test_accuracy"].mean)
                for one in done
            ],
        )


PAGE_PLOTS = (
    PagePlot(
        "curves.png",
        "Curves",
        "Loss and accuracy by epoch: mean over seeds, ± one standard deviation as a band. Training values are means "
        "over the epoch while it was trained, with dropout and noise. The first epochs may lie outside the axes, and "
        "so may very small losses. No band goes below the lowest seed.",
        _curves,
    ),
    PagePlot("folds.png", "Folds", "Each fold is held out once. Mean ± one standard deviation over the folds.", _folds),
    PagePlot(
        "confusion.png",
        "Confusion",
        "Answers of the float original to the test pictures. Line: true digit, column: answer.",
        _confusion,
    ),
    PagePlot(
        "answers.png",
        "Right and wrong answers",
        "Test pictures with true → answered digit and the confidence of the answer.",
        _answers,
    ),
    PagePlot(
        "weights.png",
        "First layer",
        "Weights from the pixels to each unit. Ink on blue raises the output of the unit, ink on red lowers it.",
        _weights,
    ),
)


def confusion(summary: SystemSummary) -> NDArray[np.int64]:
    """Return the confusion matrix on the test pictures, added up over seeds, shape ``(10, 10)``."""
    counts: NDArray[np.int64] = np.array([trial.metrics["confusion"] for trial in summary.trials], np.int64).sum(axis=0)
    return counts


def _with_file(summary: SystemSummary | None, folder: Path, name: str) -> tuple[Trial, Path] | None:
    """Return the first trial whose run folder still has the file ``name``, and the path of the file."""
    files = [(trial, folder / trial.run / name) for trial in (summary.trials if summary else ())]
    return next(((trial, file) for trial, file in files if file.is_file()), None)


def _of(study: Study, trial: Trial) -> str:
    return f"{study.system(trial.system).title}, seed {trial.seed}, {trial.epochs} epochs"


def _wrong(evaluation: Evaluation) -> list[Answer]:
    """Return the wrong answers with the highest confidence."""
    confidence = evaluation.probabilities.max(axis=1)
    order = sorted(evaluation.pictures, key=lambda index: -confidence[index])
    return [_answer(evaluation, index, evaluation.pictures[index]) for index in order[:MAX_WRONG]]


def _right(evaluation: Evaluation) -> list[Answer]:
    """Return the first right answer for each digit; none if the pictures were not those of MNIST."""
    from edge_digits_train.data import mnist

    test = mnist.load().test
    if datasets.digest(test) != evaluation.data.sha256:
        return []
    right = evaluation.labels == evaluation.predicted
    of_digit = [np.flatnonzero(right & (evaluation.labels == digit))[:1] for digit in range(DIGITS)]
    return [_answer(evaluation, index, test.images[index]) for index in np.concatenate(of_digit).tolist()]


def _answer(evaluation: Evaluation, index: int, pixels: NDArray[np.uint8]) -> Answer:
    answer = int(evaluation.predicted[index])
    return Answer(pixels, int(evaluation.labels[index]), answer, float(evaluation.probabilities[index, answer]))


def _first_kernel(file: Path) -> NDArray[np.float32]:
    """Return the weights of the first layer that has weights, shape ``(784, units)``."""
    from edge_digits_train.engine.keras_session import keras

    model = keras.saving.load_model(file, compile=False)
    first: Any = next(layer for layer in model.layers if layer.weights)
    return np.asarray(keras.ops.convert_to_numpy(first.kernel), np.float32)
