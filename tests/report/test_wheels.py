"""Evaluations and reports of models that answer how far a wheel has turned."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.data import turns
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.report import Report, compare, to_dict, to_markdown
from edge_digits.report.html import to_html

MakeEvaluation = Callable[..., Evaluation]
CLASSES = (*turns.TENTHS, "blank", "minus")
LABELS = np.array([30, 30, 30, 34, 34, 34, 99, 0, 100, 101] * 20)
BEFORE = np.array([30, 31, 29, 34, 35, 33, 0, 99, 100, 101] * 20)
AFTER = BEFORE.copy()
# Beside the label still; a tenth too far; another digit; blank; a minus for a blank.
AFTER[[0, 3, 6, 7, 8]] = 31, 36, 10, 100, 101


@pytest.fixture(scope="module")
def report(make_evaluation: MakeEvaluation) -> Report:
    options = {"classes": CLASSES, "form": Input("crop", 28, 28)}
    before = make_evaluation(LABELS, BEFORE, "keras", **options)
    after = make_evaluation(LABELS, AFTER, **options)
    sure = np.ones(len(LABELS), bool)
    sure[7] = False
    found = turns.figures(LABELS, AFTER, sure, CLASSES)
    return compare([before, dataclasses.replace(after, extra={"turns": found})])


def test_a_turn_within_a_tenth_is_right(report: Report) -> None:
    before, after = (row.evaluation for row in report.rows)
    assert before.accuracy == 1.0
    assert np.flatnonzero(~after.right).tolist() == [3, 6, 7, 8]
    assert report.rows[1].drop is not None
    assert (report.rows[1].drop.lost, report.rows[1].drop.won) == (4, 0)
    kinds = [change.kind for change in report.families[0].comparisons[0].changes]
    assert kinds == ["lost"] * 4 + ["other"]


def test_confusion_is_of_digits(report: Report) -> None:
    after = report.rows[1].evaluation
    assert after.shown == (*"0123456789", "blank", "minus")
    assert after.confusion.shape == (12, 12)
    # 3.6 for 3.4 is a 4 for a 3; 1.0 for 9.9 is a 1 for a 0.
    assert (after.confusion[3, 4], after.confusion[0, 1], after.confusion[0, 10], after.confusion[10, 11]) == (
        np.sum((AFTER == 35) | (AFTER == 36)), 1, 1, 1,
    )  # fmt: skip


def test_figures_of_wheels_are_counted(report: Report) -> None:
    assert report.rows[1].evaluation.extra["turns"] == {
        "resting": 100,
        "resting_right": 98,
        "resting_sure": 99,
        "resting_sure_wrong": 1,
        "wheels": 160,
        "wheels_near": 157,
    }
    text = to_markdown(report)
    assert "## Wheels and displays" in text
    assert "| 100 | 98.00 % | 99.00 % | 1.00 % | 160 | 98.12 % |" in text
    assert "Wheels and displays" in to_html(report)
    record = to_dict(report)
    assert record["data"]["classes"] == [*"0123456789", "blank", "minus"]
    assert ("3.4", "3.4", "3.6") in [
        (change["truth"], change["before"], change["after"])
        for change in record["families"][0]["comparisons"][0]["changes"]
    ]


def test_a_record_of_turns_is_loaded_as_it_was_saved(report: Report) -> None:
    after = report.rows[1].evaluation
    loaded = Evaluation.from_dict(after.to_dict())
    assert loaded.to_dict() == after.to_dict()
    assert loaded.extra["turns"] == after.extra["turns"]


def test_the_confidence_of_a_turn_is_that_of_its_neighbours_too(report: Report) -> None:
    evaluation = report.rows[0].evaluation
    rest = (1 - 0.91) / (len(CLASSES) - 1)
    wanted = np.where(BEFORE < turns.COUNT, 0.91 + 4 * rest, 0.91)
    np.testing.assert_allclose(evaluation.confidences, wanted, rtol=1e-5)
