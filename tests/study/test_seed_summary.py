"""Summaries over seeds, against values computed by hand."""

from collections.abc import Callable

import pytest
from edge_digits_study import formatting
from edge_digits_study.definition import QUANTITIES, Published
from edge_digits_study.results import Results, Trial
from edge_digits_study.seed_summary import VALUES, Estimate, summarize
from edge_digits_study.studies import STUDIES

Make = Callable[..., Trial]
STUDY = STUDIES["mlp-against-cnn"]


def test_every_quantity_of_the_documents_is_measured() -> None:
    assert list(VALUES) == list(QUANTITIES)


def test_mean_and_sample_deviation_over_seeds(make_trial: Make) -> None:
    results = Results(STUDY.name, tuple(make_trial("cnn", seed, 0.98 + 0.01 * seed) for seed in range(3)))
    one = summarize(STUDY, results)["cnn"]
    # 98, 99, 100: mean 99, squared deviations 1 + 0 + 1 over n - 1 = 2.
    assert one.figures["test_accuracy"].mean == pytest.approx(99)
    assert one.figures["test_accuracy"].std == pytest.approx(1)
    assert one.figures["test_accuracy"].n == 3
    assert one.seeds == (0, 1, 2)
    # Training accuracy is 99.9 %: 1.9, 0.9, -0.1.
    assert one.figures["overfitting"].mean == pytest.approx(0.9)


def test_one_seed_has_no_deviation() -> None:
    assert Estimate.of([97.5]).std is None


@pytest.mark.parametrize(
    ("accuracy", "epoch"),
    [
        ([0.90, 0.95, 0.98, 0.979], 3),
        # 0.1 pp below the best is close enough, a little more is not.
        ([0.90, 0.979, 0.975, 0.980], 2),
        ([0.90, 0.9789, 0.975, 0.980], 4),
        ([0.98], 1),
    ],
)
def test_training_has_converged_at_the_first_epoch_within_a_tenth_of_a_point_of_the_best(
    make_trial: Make, accuracy: list[float], epoch: int
) -> None:
    trial = make_trial("cnn", val_accuracy=accuracy, epochs=len(accuracy))
    assert VALUES["convergence_epoch"](trial) == epoch


def test_minutes_are_the_sum_and_seconds_per_epoch_the_median(make_trial: Make) -> None:
    trial = make_trial("cnn", history={**make_trial("cnn").history, "seconds": [40.0, 10.0, 11.0, 10.0, 19.0]})
    assert VALUES["minutes"](trial) == pytest.approx(1.5)
    assert VALUES["seconds_per_epoch"](trial) == 11.0


def test_int8_is_summarized_over_the_seeds_that_are_converted(make_trial: Make) -> None:
    drops = (0.1, None, 0.3)
    trials = tuple(make_trial("cnn", seed, 0.99, drop=drop) for seed, drop in enumerate(drops))
    one = summarize(STUDY, Results(STUDY.name, trials))["cnn"]
    assert one.int8 is not None
    assert one.int8.drop.n == 2
    assert one.int8.drop.mean == pytest.approx(0.2)
    assert one.int8.drop.std == pytest.approx(0.1 * 2**0.5)
    assert one.int8.accuracy.mean == pytest.approx(98.8)
    assert one.figures["test_accuracy"].n == 3


def test_only_trials_with_the_most_epochs_count(make_trial: Make) -> None:
    trials = (make_trial("cnn", 0, 0.90, epochs=2), make_trial("cnn", 0, 0.98, epochs=3))
    one = summarize(STUDY, Results(STUDY.name, trials))["cnn"]
    assert (one.epochs, one.document_epochs) == (3, 5)
    assert one.figures["test_accuracy"].mean == pytest.approx(98)
    assert formatting.epochs(one) == "3 instead of 5"


def test_systems_without_trials_are_left_out(make_trial: Make) -> None:
    assert list(summarize(STUDY, Results(STUDY.name, (make_trial("mlp"),)))) == ["mlp"]


@pytest.mark.parametrize(
    ("values", "quantity", "words"),
    [
        ((97.88, 98.0, 98.12), "test_accuracy", "98.00 ± 0.12"),
        ((-0.001,), "overfitting", "0.00"),
        ((-0.51,), "overfitting", "−0.51"),
        ((235146.0,) * 3, "parameters", "235,146"),
        ((0.06963, 0.07121), "test_loss", "0.0704 ± 0.0011"),
        ((44.0, 45.0, 46.0), "convergence_epoch", "45.0 ± 1.0"),
    ],
)
def test_measured_figures_in_words(values: tuple[float, ...], quantity: str, words: str) -> None:
    assert formatting.measured(Estimate(values), quantity) == words


@pytest.mark.parametrize(
    ("figure", "quantity", "words"),
    [
        (Published(97.0), "recall", "97.0"),
        (Published(99.8633), "train_accuracy", "99.8633"),
        (Published(97.7, 0.2), "test_accuracy", "97.7 ± 0.2"),
        (Published(235_146), "parameters", "235,146"),
        (Published(75), "convergence_epoch", "75"),
        (None, "test_accuracy", "–"),
    ],
)
def test_published_figures_keep_their_decimals(figure: Published | None, quantity: str, words: str) -> None:
    assert formatting.published(figure, quantity) == words


@pytest.mark.parametrize(("pp", "words"), [(0.654, "0.65 pp"), (0.0033, "0.003 pp")])
def test_small_differences_are_not_shown_as_zero(pp: float, words: str) -> None:
    assert formatting.small(pp) == words
