"""Formats that a line is expected to have: regular expressions, matched a character at a time.

An expression becomes a nondeterministic automaton (Thompson 1968): a prefix of a text stands for the set of places that
it can have led to, and it is allowed while that set is not empty. Python's ``re`` can only match whole texts, but its
parser is used.
"""

import re
from collections.abc import Callable
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from edge_digits_runtime.errors import UsageError

NAMED = {
    "integer": r"[-+]?\d+",
    "decimal": r"[-+]?\d+[.,]\d+",
    "number": r"[-+]?\d+([.,]\d+)?",
    "date": r"(\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d\d))|(\d{4}-\d\d-\d\d)",
    "time": r"\d{1,2}[:.]\d\d([:.]\d\d)?",
    "phone": r"\+?[\d(][\d ()/-]{3,18}\d",
    "amount": r"([€$£] ?)?\d{1,3}([., ]?\d{3})*([.,](\d\d|-))?( ?[€$£])?",
}
"""Formats by name."""
_MOST_STATES = 2_000
_LONGEST_REPEAT = 64
Places = frozenset[int]
Test = Callable[[str], bool]


class Format:
    """The texts that match a regular expression from end to end.

    Attributes:
        text: as the user gave it.
        start: the places of the empty text.
    """

    def __init__(self, text: str) -> None:
        """Compile a name in `NAMED` or a regular expression: characters, classes, groups, ``|``, ``* + ? {m,n}``.

        Raises:
            UsageError: it is no regular expression, or has what cannot be matched a character at a time.

        Example:
            >>> form = Format(r"\\d{1,2}\\.\\d")
            >>> form.matches("12.5"), form.matches("12,5"), form.matches("12.")
            (True, False, False)
        """
        self.text = text
        self._edges: list[list[tuple[Test | None, int]]] = []
        try:
            parsed = _parser.parse(NAMED.get(text, text))
        except (re.error, RecursionError, OverflowError) as error:
            named = ", ".join(NAMED)
            raise UsageError(
                f"{text!r:.60} is no regular expression ({error}); give one, such as '\\d{{1,3}}\\.\\d', or a name: "
                f"{named}"
            ) from error
        first = self._new()
        self._end = self._sequence(parsed, first)
        self.start = self._closed({first})

    def after(self, places: Places, character: str) -> Places:
        """Return the places that a character leads to from ``places``; empty if it is not allowed there."""
        edges = (edge for place in places for edge in self._edges[place])
        return self._closed({target for test, target in edges if test is not None and test(character)})

    def complete(self, places: Places) -> bool:
        """Return whether a text that leads to ``places`` matches."""
        return self._end in places

    def matches(self, text: str) -> bool:
        """Return whether a text matches from end to end."""
        places = self.start
        for character in text:
            places = self.after(places, character)
        return self.complete(places)

    def _new(self) -> int:
        if len(self._edges) >= _MOST_STATES:
            raise UsageError(f"the format {self.text!r:.60} is too long: repeat fewer times")
        self._edges.append([])
        return len(self._edges) - 1

    def _closed(self, places: set[int]) -> Places:
        waiting = list(places)
        while waiting:
            for test, target in self._edges[waiting.pop()]:
                if test is None and target not in places:
                    places.add(target)
                    waiting.append(target)
        return frozenset(places)

    def _sequence(self, parsed: Any, place: int) -> int:
        for operator, argument in parsed:
            place = self._one(str(operator), argument, place)
        return place

    def _one(self, operator: str, argument: Any, place: int) -> int:
        """Add one part of the expression behind ``place``; return the place behind it."""
        if operator == "AT":
            # A text matches from end to end anyway.
            return place
        if operator == "SUBPATTERN":
            return self._sequence(argument[-1], place)
        end = self._new()
        if operator == "BRANCH":
            for branch in argument[1]:
                self._edges[self._sequence(branch, self._skip(place))].append((None, end))
        elif operator in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, inner = argument
            if least > _LONGEST_REPEAT:
                raise UsageError(f"the format {self.text!r:.60} repeats {least} times; at most {_LONGEST_REPEAT}")
            for _ in range(least):
                place = self._sequence(inner, place)
            if most == _constants.MAXREPEAT:
                again = self._skip(place)
                self._edges[self._sequence(inner, again)].append((None, again))
                self._edges[again].append((None, end))
            else:
                self._edges[place].append((None, end))
                for _ in range(min(most, _LONGEST_REPEAT) - least):
                    place = self._sequence(inner, place)
                    self._edges[place].append((None, end))
        else:
            self._edges[place].append((self._test(operator, argument), end))
        return end

    def _skip(self, place: int) -> int:
        new = self._new()
        self._edges[place].append((None, new))
        return new

    def _test(self, operator: str, argument: Any) -> Test:
        """Return whether a character fits a part of the expression that stands for one character."""
        if operator == "LITERAL":
            return lambda character: ord(character) == argument
        if operator == "NOT_LITERAL":
            return lambda character: ord(character) != argument
        if operator == "ANY":
            return lambda _character: True
        if operator == "RANGE":
            low, high = argument
            return lambda character: low <= ord(character) <= high
        if operator == "CATEGORY":
            known: dict[str, Test] = {
                "DIGIT": str.isdigit,
                "SPACE": str.isspace,
                "WORD": lambda c: c.isalnum() or c == "_",
            }
            name = str(argument).removeprefix("CATEGORY_")
            test = known.get(name.removeprefix("NOT_"))
            if test is not None:
                negative = name.startswith("NOT_")
                return lambda character: bool(test(character)) != negative
        if operator == "IN":
            parts = list(argument)
            negative = str(parts[0][0]) == "NEGATE"
            tests = [self._test(str(kind), value) for kind, value in parts[negative:]]
            return lambda character: any(test(character) for test in tests) != negative
        raise UsageError(
            f"the format {self.text!r:.60} has a {operator.lower()}, which cannot be matched; leave it out"
        )
