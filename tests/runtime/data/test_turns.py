"""Turns of a wheel: what they show, how far they are apart, what is right."""

import numpy as np
import pytest
from edge_digits_runtime.data import turns
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.model.classifier import Prediction

LABELS = (*turns.TENTHS, "blank", "minus")


def scores(**shares: float) -> list[float]:
    """Return a score for each of `LABELS`; ``t34`` is the turn 3.4."""
    every = dict.fromkeys(LABELS, 0.0) | {
        (f"{int(name[1:]) / 10:.1f}" if name[0] == "t" else name): share for name, share in shares.items()
    }
    return list(every.values())


@pytest.mark.parametrize(
    ("index", "label", "value"), [(34, "3", 3.4), (35, "4", 3.5), (96, "0", 9.6), (0, "0", 0.0), (100, "blank", None)]
)
def test_an_answer_has_the_nearest_digit_and_the_turn(index: int, label: str, value: float | None) -> None:
    answer = Prediction(index, 0.9, scores(t34=1.0), None, LABELS)
    assert (answer.label, answer.value) == (label, value)
    if value is None:
        with pytest.raises(UsageError, match="blank, which is no digit"):
            _ = answer.digit
    else:
        assert answer.digit == int(label)


def test_classes_that_do_not_begin_with_all_turns_are_plain() -> None:
    for labels in (turns.TENTHS[:-1], ("blank", *turns.TENTHS), ("0", "1")):
        assert not turns.are_turns(labels)
        answer = Prediction(1, 0.9, [0.1, 0.9, *[0.0] * (len(labels) - 2)], None, labels)
        assert (answer.label, answer.value) == (labels[1], None)
        assert list(answer.shares) == list(labels)


def test_shares_sum_the_turns_of_a_digit_over_the_end_of_the_circle() -> None:
    shares = Prediction(99, 0.9, scores(t99=1.0, t0=2.0, t4=0.5, t5=0.25, blank=0.25), None, LABELS).shares
    assert list(shares) == [*"0123456789", "blank", "minus"]
    assert shares["0"] == pytest.approx(3.5 / 4)
    assert (shares["1"], shares["blank"], shares["minus"]) == pytest.approx((0.0625, 0.0625, 0))


def test_confidence_is_summed_over_two_tenths_to_either_side_on_the_circle() -> None:
    rng = np.random.default_rng(0)
    many = rng.random((len(LABELS), 200))
    answers = rng.integers(0, len(LABELS), 200)
    answers[:6] = 0, 1, 98, 99, 100, 101
    summed = turns.confidence_scores(many, answers)
    for column, index, found in zip(many.T.tolist(), answers.tolist(), summed, strict=True):
        near = {index} if index >= 100 else {(index + step) % 100 for step in range(-2, 3)}
        assert found == pytest.approx(sum(column[k] for k in near))
        assert turns.confidence_score(column, index) == pytest.approx(found)


def test_right_is_within_a_tenth_on_the_circle_and_plain_classes_only_themselves() -> None:
    labels, answers = np.array([99, 34, 34, 100, 100, 0, 5]), np.array([0, 33, 36, 100, 101, 100, 95])
    assert turns.apart(labels, answers).tolist() == [1, 1, 2, 0, 100, 100, 10]
    assert turns.right(labels, answers, LABELS).tolist() == [True, True, False, True, False, False, False]
    assert turns.rests(np.array([0, 1, 9, 2, 31, 100])).tolist() == [True, True, True, False, True, False]
