"""Formats: what matches is what Python's own ``re`` matches, prefix by prefix."""

import itertools
import re

import pytest
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.page.formats import NAMED, Format

EXPRESSIONS = [
    r"\d{1,3}\.\d",
    r"-?\d+",
    r"(1|23|4.)*5",
    r"[0-3]{2}",
    r"[^0-3]+",
    r"1?2?3",
    r"\D\d",
    r"(?:12|1)(2|3)",
    "",
    r"^12$",
    r"1{2,}",
    r"(?P<name>1)2",
]
TEXTS = ["".join(text) for length in range(5) for text in itertools.product("1235.-", repeat=length)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_format_matches_what_re_matches(expression: str) -> None:
    form, compiled = Format(expression), re.compile(expression)
    assert [form.matches(text) for text in TEXTS] == [compiled.fullmatch(text) is not None for text in TEXTS]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("integer", "-12", "1.2"),
        ("decimal", "12,5", "12"),
        ("number", "7", "7."),
        ("date", "20/07/2021", "20/07"),
        ("date", "2021-07-20", "2021-7"),
        ("time", "09:30", "9:3"),
        ("phone", "+49 30 1234567", "12"),
        ("amount", "€ 1.234,50", "12,345,6"),
    ],
)
def test_formats_have_names(name: str, good: str, bad: str) -> None:
    assert name in NAMED
    assert Format(name).matches(good)
    assert not Format(name).matches(bad)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("(", "is no regular expression"),
        ("[", "is no regular expression"),
        (r"(\d)\1", "cannot be matched"),
        (r"(?=1)2", "cannot be matched"),
        (r"\d{500}", "repeats 500 times; at most 64"),
        (r"((\d{60}){60}){60}", "is too long"),
        ("(" * 5000, "is no regular expression"),
    ],
    ids=lambda value: value[:20],
)
def test_what_cannot_be_matched_a_character_at_a_time_is_refused(expression: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Format(expression)
