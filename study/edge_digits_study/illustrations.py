"""Which figures a study gets, and where what they show comes from.

Curves, confusion and folds are in the results. Pictures and weights are in the run folders, which are large and need
not be kept: where one is gone, the figure that was drawn of it stays as it is. Each figure says what it is of.
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

from edge_digits_study import figures
from edge_digits_study.figures import Answer, Fold
from edge_digits_study.plan import Study
from edge_digits_study.results import Trial
from edge_digits_study.seed_summary import Measured

WRONG = 40
"""Most wrong answers in a gallery."""


@dataclass(frozen=True)
class Illustration:
    """A figure of a study's page."""

    file: str
    title: str
    text: str
    """What is to be seen, whichever run it was drawn of."""
    draw: Callable[[Study, Mapping[str, Measured], Path, Path], None]
    """``draw(study, measured, folder, path)`` writes the figure to ``path``, or nothing without what it needs."""


def draw(study: Study, measured: Mapping[str, Measured], folder: Path) -> None:
    """Draw every figure of ``study`` for which there is what it needs into ``folder``."""
    for one in ILLUSTRATIONS:
        one.draw(study, measured, folder, folder / one.file)


def _curves(study: Study, measured: Mapping[str, Measured], _folder: Path, path: Path) -> None:
    histories = {
        one.system.title: [trial.history for trial in one.trials]
        for name in study.curves
        if (one := measured.get(name)) is not None
    }
    if histories:
        figures.curves(path, histories)


def _confusion(study: Study, measured: Mapping[str, Measured], _folder: Path, path: Path) -> None:
    if (best := measured.get(study.best)) is not None:
        seeds = f"{len(best.trials)} seed" + "s, added up" * (len(best.trials) > 1)
        figures.confusion(path, confusion(best), f"{best.system.title}, {seeds}")


def _answers(study: Study, measured: Mapping[str, Measured], folder: Path, path: Path) -> None:
    found = _with_file(measured.get(study.best), folder, EVALUATION)
    if found is None:
        return
    trial, file = found
    evaluation = Evaluation.load(file)
    right, wrong = _right(evaluation), _wrong(evaluation)
    if right or wrong:
        count = int((evaluation.labels != evaluation.predicted).sum())
        title = f"{_of(study, trial)}: {count:,} of {len(evaluation.labels):,} test pictures wrong"
        words = "black: a right answer to each digit; red: " if right else "red: "
        words += f"the {len(wrong)} surest wrong answers" if count > len(wrong) else "the wrong answers, surest first"
        figures.gallery(path, [*right, *wrong], f"{title}\n{words}")


def _weights(study: Study, measured: Mapping[str, Measured], folder: Path, path: Path) -> None:
    found = _with_file(measured.get(study.weights), folder, MODEL)
    if found is not None:
        trial, file = found
        figures.weights(path, _first_kernel(file), f"{_of(study, trial)}: weights from the pixels to each first unit")


def _folds(study: Study, measured: Mapping[str, Measured], _folder: Path, path: Path) -> None:
    done = [measured[name] for name in study.folds if name in measured]
    # A mean over some of the folds would be no cross-validation.
    if done and len(done) == len(study.folds):
        figures.folds(
            path,
            [
                Fold(one.system.title, one.figures["validation_accuracy"].mean, one.figures["test_accuracy"].mean)
                for one in done
            ],
        )


ILLUSTRATIONS = (
    Illustration(
        "curves.png",
        "Curves",
        "Loss and accuracy by epoch: mean over seeds, ± one standard deviation as a band. Training figures are those "
        "of the epoch under way, with dropout and noise at work; the range leaves out where training begins.",
        _curves,
    ),
    Illustration(
        "folds.png", "Folds", "Each is held out once; mean and ± one standard deviation over the folds.", _folds
    ),
    Illustration("confusion.png", "Confusion", "Answers of the float original to the test pictures.", _confusion),
    Illustration(
        "answers.png",
        "Right and wrong answers",
        "Test pictures with true → answered digit and the confidence of the answer.",
        _answers,
    ),
    Illustration("weights.png", "First layer", "Blue draws the unit up where there is ink, red down.", _weights),
)


def confusion(one: Measured) -> NDArray[np.int64]:
    """Answers to the test pictures added up over seeds, shape ``(10, 10)``: row the true digit, column the answer."""
    counts: NDArray[np.int64] = np.array([trial.metrics["confusion"] for trial in one.trials], np.int64).sum(axis=0)
    return counts


def _with_file(one: Measured | None, folder: Path, name: str) -> tuple[Trial, Path] | None:
    """The first trial in whose run folder ``name`` still is."""
    files = [(trial, folder / trial.run / name) for trial in (one.trials if one else ())]
    return next(((trial, file) for trial, file in files if file.is_file()), None)


def _of(study: Study, trial: Trial) -> str:
    return f"{study.system(trial.system).title}, seed {trial.seed}, {trial.epochs} epochs"


def _wrong(evaluation: Evaluation) -> list[Answer]:
    """Those that the network was surest of."""
    confidence = evaluation.probabilities.max(axis=1)
    order = sorted(evaluation.pictures, key=lambda index: -confidence[index])
    return [_answer(evaluation, index, evaluation.pictures[index]) for index in order[:WRONG]]


def _right(evaluation: Evaluation) -> list[Answer]:
    """The first right answer to each digit; none where the pictures were not those of the packed MNIST."""
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
    """Weights of the first layer that has any, shape ``(784, units)``."""
    from edge_digits_train.engine.keras_session import keras

    model = keras.saving.load_model(file, compile=False)
    first: Any = next(layer for layer in model.layers if layer.weights)
    return np.asarray(keras.ops.convert_to_numpy(first.kernel), np.float32)
