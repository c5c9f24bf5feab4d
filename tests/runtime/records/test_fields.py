"""Values that fit a record are read, and whatever does not is one line that names the field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import pytest
from edge_digits_runtime.records.fields import (
    As,
    Count,
    FieldError,
    Length,
    Line,
    Name,
    Numbers,
    Sha256,
    Share,
    Time,
    plain_text,
    read,
)
from hypothesis import given, settings
from hypothesis import strategies as st


class Open(TypedDict):
    degrees: float | None
    throttled: NotRequired[list[Line]]


@dataclass(frozen=True)
class Inner:
    share: Share
    kind: Literal["ink", 1] = "ink"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    names: tuple[Name, ...] = ()
    open: Open | None = None
    seen_as: Annotated[Mapping[str, Any] | None, As(Open)] = None
    ready: bool = False


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (str, "", ""),
        (str, "é×\n", "é×\n"),
        (int, -3, -3),
        (float, 3, 3.0),
        (float, -1e300, -1e300),
        (bool, False, False),
        (str | None, None, None),
        (Share, 0, 0.0),
        (Share, 1, 1.0),
        (Count, 2**53, 2**53),
        (Line, "", ""),
        (Name, "x" * 200, "x" * 200),
        (Sha256, "0f" * 32, "0f" * 32),
        (Time, "", ""),
        (Time, "2026-05-01T12:30:00+00:00", "2026-05-01T12:30:00+00:00"),
        (list[int], [], []),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
        (Any, {"a": [1, None, True, "x", 0.5]}, {"a": [1, None, True, "x", 0.5]}),
        (Literal["a", "b"], "b", "b"),
        (Inner, {"share": 0.5}, Inner(0.5)),
        (Outer, {"inner": {"share": 1, "kind": 1}}, Outer(Inner(1.0, 1))),
        (
            Outer,
            {"inner": {"share": 1}, "by_name": {"a": {"share": 0}}, "names": ["n"], "open": {"degrees": None}},
            Outer(Inner(1.0), {"a": Inner(0.0)}, ("n",), {"degrees": None}),
        ),
        (
            Open,
            {"degrees": 5, "beside": ["anything", {"in": "JSON"}]},
            {"degrees": 5.0, "beside": ["anything", {"in": "JSON"}]},
        ),
    ],
)
def test_values_that_fit_are_read(kind: Any, value: Any, wanted: Any) -> None:
    found = read(kind, json.loads(json.dumps(value)))
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (str, 5, "x is 5; allowed is text"),
        (str, None, "x is None; allowed is text"),
        (str, "\ud800", r"x is '\\ud800'; allowed is text"),
        (int, 5.0, "x is 5.0; allowed is a whole number"),
        (int, True, "x is True; allowed is a whole number"),
        (int, "8 GB", "x is '8 GB'; allowed is a whole number"),
        (float, "1", "x is '1'; allowed is a number"),
        (float, False, "x is False; allowed is a number"),
        (float, float("nan"), "x is nan; allowed is a number"),
        (float, float("inf"), "x is inf; allowed is a number"),
        (float, 10**400, r"x is 10{36}\.\.\.; allowed is a number"),
        (bool, 1, "x is 1; allowed is true or false"),
        (Share, 1.01, "x is 1.01; allowed is 0 to 1"),
        (Share, -1, "x is -1; allowed is 0 to 1"),
        (Count, -1, "x is -1; allowed is 0 to 9,007,199,254,740,992"),
        (Count, 2**53 + 1, "allowed is 0 to 9,007,199,254,740,992"),
        (Line, "a\nb", r"x is 'a\\nb'; allowed is one line of at most 1000 characters"),
        (Line, "\x1b[31m", "allowed is one line"),
        (Name, "x" * 201, r"x is 'x{36}\.\.\.; allowed is one line of at most 200 characters"),
        (Name, "  ", "allowed is a name"),
        (Sha256, "0F" * 32, "allowed is 64 hexadecimal digits"),
        (Sha256, "0f" * 32 + "\n", "allowed is 64 hexadecimal digits"),
        (Time, "yesterday", "allowed is a time such as"),
        (list[int], {}, "x is dict; allowed is a list"),
        (list[int], [1, "2"], r"x\[1\] is '2'; allowed is a whole number"),
        (Annotated[list[int], Length(2, 3)], [1], "x is list; allowed is a list of 2 to 3"),
        (Mapping[str, int], [], "x is list; allowed is an object"),
        (Mapping[str, int], {"a": None}, "x.a is None; allowed is a whole number"),
        (Mapping[Literal["a"], int], {"b": 1}, "a name in x is 'b'; allowed is 'a'"),
        (Mapping[str, int], {"\ud800": 1}, r"a name in x is '\\ud800'; allowed is text"),
        (Literal["a", 1], True, "x is True; allowed is 'a' or 1"),
        (Inner, [], "x is list; allowed is an object"),
        (Inner, {}, "x.share is missing"),
        (Inner, {"share": 2}, "x.share is 2; allowed is 0 to 1"),
        (Inner, {"share": 1, "more": 1}, "x.more is unknown; allowed are share, kind"),
        (
            Outer,
            {"inner": {"share": 1}, "by_name": {"a": {"share": None}}},
            "x.by_name.a.share is None; allowed is a number",
        ),
        (Outer, {"inner": {"share": 1}, "open": {}}, "x.open.degrees is missing"),
        (Outer, {"inner": {"share": 1}, "seen_as": {"degrees": "x"}}, "x.seen_as.degrees is 'x'; allowed is a number"),
        (Open, {"degrees": 1, "throttled": "no"}, "x.throttled is 'no'; allowed is a list"),
        (Open, {"degrees": 1, "beside": [float("inf")]}, r"x.beside\[0\] is inf; allowed is a number"),
        (Open, {"degrees": 1, "beside": 10**400}, "x.beside is 10"),
        (Open, {"degrees": 1, "beside": "\ud800"}, "x.beside is"),
    ],
)
def test_values_that_do_not_fit_give_one_line_that_names_them(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(FieldError, match=f"^{words}" if words.startswith(("x", "a ")) else words) as caught:
        read(kind, value, "x")
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "value",
    [
        [[0.1, 0.2], [0.3]],
        [[0.1, "0.2"]],
        [[0.1, None]],
        [[0.1, {}]],
        [[0.1, float("nan")]],
        [[0.1, float("inf")]],
        [[0.1, 1.1]],
        [[0.1, -0.1]],
        [[10**400, 0.5]],
        [[True, False]],
        [[0.1, 0.2, 0.3]],
        [0.1, 0.2],
        [],
        0.5,
        None,
        "0.5",
        {},
    ],
)
def test_arrays_that_do_not_fit_are_refused(value: Any) -> None:
    kind = Annotated[Any, Numbers((None, 2), 0, 1)]
    np.testing.assert_array_equal(read(kind, [[0, 1], [0.5, 0.25]], "x"), np.array([[0, 1], [0.5, 0.25]]))
    with pytest.raises(FieldError, match=r"allowed is n × 2 numbers from 0 to 1$"):
        read(kind, value, "x")


def test_deep_nesting_is_refused() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(FieldError, match="nested more than 20 deep"):
        read(Any, deep, "x")


def test_characters_that_records_refuse_become_question_marks() -> None:
    assert plain_text("a\nb\x1b[31m\ud800é") == "a?b?[31m?é"
    assert read(Line, plain_text("\x00\x9f\udfff")) == "???"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(
    ANYTHING,
    st.sampled_from([Outer, Open, Any, Mapping[str, Inner], list[Share], Annotated[Any, Numbers((None,), 0, 1)]]),
)
def test_anything_is_read_or_refused_and_what_is_read_can_be_written(value: Any, kind: Any) -> None:
    try:
        found = read(kind, value, "x")
    except FieldError:
        return
    if kind is Any:
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
