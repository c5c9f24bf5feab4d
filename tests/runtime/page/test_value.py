"""Values of texts, with a point or a comma in front of the fraction."""

import pytest
from edge_digits_runtime.page.value import Mark, value_of


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("12.5", "auto", 12.5),
        ("12,5", "auto", 12.5),
        ("-3", "auto", -3.0),
        ("+3", "auto", 3.0),
        ("1.234,50", "auto", 1234.5),
        ("1,234.50", "auto", 1234.5),
        ("1.234.567", "auto", 1234567.0),
        ("1,234,567", "auto", 1234567.0),
        ("1.234", "auto", 1.234),
        ("1.234", ",", 1234.0),
        ("1,234", ".", 1234.0),
        ("1 234 567", "auto", 1234567.0),
        ("12 34", "auto", None),
        (".5", "auto", 0.5),
        ("€ 12,-", "auto", None),
        ("€12,50", "auto", 12.5),
        ("45 %", "auto", 45.0),
        ("20.07.2021", "auto", None),
        ("12:30", "auto", None),
        ("3+4", "auto", None),
        ("1?5", "auto", None),
        ("", "auto", None),
        ("-", "auto", None),
        ("12.", "auto", None),
        ("1.23.456", ",", None),
        ("0012", "auto", 12.0),
    ],
)
def test_values(text: str, decimal: Mark, value: float | None) -> None:
    assert value_of(text, decimal) == value
