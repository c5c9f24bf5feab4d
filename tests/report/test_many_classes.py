"""Reports of classes that are not the digits, up to 128 of them."""

import base64
import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.records.evaluation import Evaluation
from PIL import Image

from edge_digits.report import Report, compare, to_dict, to_markdown, to_text
from edge_digits.report.html import to_html
from edge_digits.report.tables import MANY_CLASSES, MOST_MISTAKES, mistakes

MakeEvaluation = Callable[..., Evaluation]
LETTERS = map(chr, range(ord("A"), ord("Z") + 1))
FORTY = (*"0123456789", *LETTERS, "blank", "minus", "<b>", "a name of forty letters is the longest!!")
CROP = Input("crop", 32, 20)


@pytest.fixture(scope="module")
def report(make_evaluation: MakeEvaluation) -> Report:
    """Each of 40 classes 30 times; int8 takes 5 As for Bs, and one of each class from C on for the next class."""
    labels = np.arange(1200) % 40
    answers = labels.copy()
    answers[np.flatnonzero(labels == 10)[:5]] = 11
    for letter in range(12, 39):
        answers[np.flatnonzero(labels == letter)[0]] = letter + 1
    options = {"classes": FORTY, "form": CROP}
    return compare([make_evaluation(labels, labels, "keras", **options), make_evaluation(labels, answers, **options)])


def test_the_most_frequent_mistakes_come_first(report: Report) -> None:
    table = mistakes(report.rows[1])
    assert table.columns == ("true class", "answer", "times", "of this class")
    assert [cell.text for cell in table.lines[0]] == ["A", "B", "5", "16.7 % of 30"]
    assert [cell.text for cell in table.lines[1]] == ["C", "D", "1", "3.3 % of 30"]
    assert len(table.lines) == MOST_MISTAKES
    assert mistakes(report.rows[0]).lines == ()


def test_all_forms_name_the_classes(report: Report) -> None:
    page, text = to_html(report), to_markdown(report)
    assert len(FORTY) > MANY_CLASSES
    assert "Class by class" in page
    assert "Most frequent mistakes" in page
    assert page.count("&lt;b&gt;") > 3
    assert "<b>\n" not in page
    assert 'class="confusion many names"' in page
    # One below the other: side by side, half of each would be cut off.
    assert page.count('<figure class="whole">') == 2
    assert "the most frequent mistakes; report.json has the whole matrix" in text
    assert "no mistakes" in text
    assert "| A | B | 5 | 16.7 % of 30 |" in text
    record = to_dict(report)
    assert record["data"]["classes"] == list(FORTY)
    assert np.shape(record["rows"][1]["confusion"]) == (40, 40)
    (comparison,) = record["families"][0]["comparisons"]
    changes = [(change["truth"], change["before"], change["after"]) for change in comparison["changes"]]
    assert (changes.count(("A", "A", "B")), changes.count(("Z", "Z", "blank"))) == (5, 1)
    assert len(comparison["lost"]) == 40
    assert "97.33 %" in to_text(report)


def test_whole_pictures_are_shown_as_they_are(report: Report) -> None:
    (comparison,) = report.families[0].comparisons
    change = comparison.changes[0]
    first = re.search(r"data:image/png;base64,([^\"]+)", to_html(report))
    assert first is not None
    with Image.open(io.BytesIO(base64.b64decode(first[1]))) as image:
        assert image.size == (20, 32)
        assert np.array_equal(np.asarray(image), change.pixels)
    assert "--w:20;--h:32" in to_html(report)


def test_a_record_of_other_classes_is_loaded_as_it_was_saved(make_evaluation: MakeEvaluation) -> None:
    labels = np.arange(200) % 40
    answers = (labels + (np.arange(200) % 50 == 0)) % 40
    evaluation = make_evaluation(labels, answers, classes=FORTY, form=CROP)
    with pytest.raises(EvaluationError, match=r"classes\[38\]|classes is list|classes"):
        # A name with a point at the beginning is none.
        Evaluation.from_dict(evaluation.to_dict() | {"classes": [*FORTY[:38], ".", "x"]})
    found = Evaluation.from_dict(evaluation.to_dict())
    assert (found.classes, found.input) == (FORTY, CROP)
    assert np.array_equal(found.predicted, answers)
    assert {index: picture.shape for index, picture in found.pictures.items()} == dict.fromkeys(
        (0, 50, 100, 150), (32, 20)
    )


@pytest.mark.parametrize("other", [{"classes": FORTY[:39]}, {"classes": FORTY, "form": Input("crop", 20, 32)}])
def test_models_of_other_classes_or_inputs_are_not_compared(
    other: dict[str, object], make_evaluation: MakeEvaluation
) -> None:
    labels = np.arange(39)
    first = make_evaluation(labels, labels, classes=FORTY, form=CROP)
    with pytest.raises(EvaluationError, match="of different classes or inputs: net int8 has 40 classes, input crop"):
        compare([first, make_evaluation(labels, labels, scheme="float32", **other)])
