"""Counting what was read right."""

import pytest
from edge_digits_runtime.data.line_metrics import edit_distance, score


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("", "", 0),
        ("", "12", 2),
        ("12", "12", 0),
        ("12.5", "125", 1),
        ("12", "21", 2),
        ("123", "143", 1),
        ("1234", "34", 2),
        ("99", "199", 1),
    ],
)
def test_edit_distance(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == distance


def test_counts() -> None:
    counted = score(["12.5", "7", "-3", ""], ["12,5", "7", "3", ""], [True, True, False, False])
    assert (counted.lines, counted.exact, counted.digits) == (4, 2, 4)
    assert (counted.sure, counted.sure_and_right, counted.silently_wrong) == (2, 1, 1)
    assert (counted.characters, counted.character_errors) == (7, 2)
    assert counted.exact_share == 0.5
    assert counted.character_error_rate == pytest.approx(2 / 7)


def test_empty_labels_have_no_error_rate_to_divide_by() -> None:
    assert score([""], ["1"], [True]).character_error_rate == 1
