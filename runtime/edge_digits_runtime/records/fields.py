"""Read a JSON value as what a record declares, and say in one line what does not fit.

A record is a dataclass or a `TypedDict`. Its annotations say all there is to check, those of nested records, lists and
mappings included; `Annotated` adds a range, a pattern or the shape of an array:

    @dataclass(frozen=True)
    class Sample:
        name: Name
        share: Annotated[float, Within(0, 1)]
        counts: Mapping[str, list[Count]]

    read(Sample, json.loads(text))

A dataclass takes no field that it does not declare. A TypedDict may hold more than it declares, as long as it is
plain JSON: no NaN, no infinity, nothing that cannot be written as UTF-8.
"""

import dataclasses
import functools
import math
import re
import types
from collections.abc import Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.errors import UsageError

_DEEPEST = 20
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class FieldError(ValueError):
    """A value that does not fit; the message names the field, what it holds and what is allowed."""


# Plain classes: making a dataclass takes half a millisecond, and every process that runs a model imports this module.


class Within:
    """A range of numbers, both ends included."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def check(self, value: float) -> str | None:
        """Return what is allowed if ``value`` is not, else None."""
        return None if self.low <= value <= self.high else f"{self.low:,} to {self.high:,}"


class Matching:
    """Text that matches a regular expression as a whole."""

    def __init__(self, pattern: str, allowed: str) -> None:
        """Take the expression, and the same in words."""
        self.pattern, self.allowed = pattern, allowed

    def check(self, value: str) -> str | None:
        """Return what is allowed if ``value`` is not, else None."""
        return None if re.fullmatch(self.pattern, value) else self.allowed


class OneLine:
    """Text without control characters, such as line ends."""

    def __init__(self, longest: int) -> None:
        """Take the largest number of characters."""
        self.longest = longest

    def check(self, value: str) -> str | None:
        """Return what is allowed if ``value`` is not, else None."""
        fits = len(value) <= self.longest and not _CONTROL.search(value)
        return None if fits else f"one line of at most {self.longest} characters"


class Length:
    """Length of a list, both ends included."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def check(self, value: Sequence[Any]) -> str | None:
        """Return what is allowed if ``value`` is not, else None."""
        return None if self.low <= len(value) <= self.high else f"a list of {self.low} to {self.high}"


class As:
    """A record that a field is read as, where it is declared as a mapping for those who use it."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Numbers:
    """An array of finite numbers, each from ``low`` to ``high``."""

    def __init__(self, shape: tuple[int | None, ...], low: float, high: float) -> None:
        """Take the length of each axis, None for any length of at least 1, and the range of the numbers."""
        self.shape, self.low, self.high = shape, low, high

    def read(self, value: Any, where: str) -> NDArray[np.float64]:
        """Return nested lists as float64."""
        try:
            array = np.asarray(value)
        except (OverflowError, ValueError) as error:
            raise _wrong(where, value, self._allowed()) from error
        fits = array.ndim == len(self.shape) and all(
            size >= 1 if wanted is None else size == wanted
            for size, wanted in zip(array.shape, self.shape, strict=True)
        )
        if not fits or array.dtype.kind not in "iuf":
            raise _wrong(where, value, self._allowed())
        # A NaN is in no range.
        outside = array[~((array >= self.low) & (array <= self.high))]
        if outside.size:
            raise _wrong(where, outside.flat[0].item(), self._allowed())
        return array.astype(np.float64)

    def _allowed(self) -> str:
        shape = " × ".join("n" if size is None else str(size) for size in self.shape)
        return f"{shape} numbers from {self.low:,} to {self.high:,}"


class NumbersOrTexts(Numbers):
    """A list of finite numbers as `Numbers`, or a list of texts of one line."""

    def __init__(self, low: float, high: float, longest: int) -> None:
        """Take the range of the numbers, and the largest number of characters of a text."""
        super().__init__((None,), low, high)
        self.longest = longest

    def read(self, value: Any, where: str) -> NDArray[Any]:
        """Return a list of numbers as float64, one of texts as ``str_``."""
        if not (isinstance(value, list) and value and isinstance(value[0], str)):
            return super().read(value, where)
        rule = OneLine(self.longest)
        return np.array([_annotated(str, (rule,), each, f"{where}[{k}]") for k, each in enumerate(value)], np.str_)

    def _allowed(self) -> str:
        return f"{super()._allowed()}, or texts"


Share = Annotated[float, Within(0, 1)]
Count = Annotated[int, Within(0, 2**53)]
Positive = Annotated[int, Within(1, 2**53)]
Line = Annotated[str, OneLine(1000)]
Name = Annotated[str, OneLine(200), Matching(r"[\s\S]*\S[\s\S]*", "a name")]
Sha256 = Annotated[str, Matching("[0-9a-f]{64}", "64 hexadecimal digits")]
Time = Annotated[str, Matching(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)?", "a time such as 2026-05-01T12:30:00+00:00")]
"""UTC, ISO 8601, to the second; empty where it is not known."""


def read(kind: Any, value: Any, where: str = "") -> Any:
    """Return ``value`` as ``kind``.

    Args:
        kind: a dataclass, a TypedDict, or any annotation made of str, int, float, bool, None, Any, Literal, unions
            with None, Mapping, Sequence, list, tuple and ``Annotated``.
        value: what `json.loads` returned.
        where: what messages call it, such as ``model.bytes``.

    Raises:
        FieldError: it, or something in it, does not fit.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:], value, where)
    if kind is Any:
        return _plain(value, where, 0)
    if origin in (Union, types.UnionType):
        (some,) = (argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else read(some, value, where)
    if origin is Literal:
        # By type as well: True equals 1.
        if not any(type(value) is type(one) and value == one for one in arguments):
            raise _wrong(where, value, " or ".join(map(repr, arguments)))
        return value
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return _record(kind, _expect(dict, value, where, "an object"), where)
    if origin is Mapping:
        key, some = arguments
        pairs = _expect(dict, value, where, "an object").items()
        return {read(key, name, f"a name in {where}"): read(some, each, _join(where, name)) for name, each in pairs}
    if origin is tuple or origin is list or origin is Sequence:
        each_one = [
            read(arguments[0], each, f"{where}[{index}]")
            for index, each in enumerate(_expect(list, value, where, "a list"))
        ]
        return tuple(each_one) if origin is tuple else each_one
    return _scalar(kind, value, where)


def plain_text(text: str) -> str:
    """Return ``text`` with a question mark for each control character, and for what UTF-8 cannot write.

    Names come from files, folders and devices, which may hold such characters; `Line` does not.
    """
    return _CONTROL.sub("?", text.encode("utf-8", "replace").decode("utf-8"))


def _annotated(kind: Any, rules: tuple[Any, ...], value: Any, where: str) -> Any:
    if isinstance(rules[0], Numbers):
        return rules[0].read(value, where)
    if isinstance(rules[0], As):
        return read(rules[0].kind, value, where)
    found = read(kind, value, where)
    for rule in rules:
        allowed = rule.check(found)
        if allowed:
            raise _wrong(where, value, allowed)
    return found


def _record(kind: Any, values: dict[str, Any], where: str) -> Any:
    hints, required = _declared(kind)
    absent = [name for name in required if name not in values]
    if absent:
        raise FieldError(f"{_join(where, absent[0])} is missing")
    unknown = [name for name in values if name not in hints]
    if unknown and not is_typeddict(kind):
        raise FieldError(f"{_join(where, unknown[0])} is unknown; allowed are {', '.join(hints)}")
    found = {
        read(str, name, f"a name in {where}"): read(hints.get(name, Any), value, _join(where, name))
        for name, value in values.items()
    }
    try:
        return kind(**found)
    except UsageError as error:
        # Fields that fit each by itself, but not together.
        raise FieldError(f"{where or 'the record'}: {error}") from error


@functools.cache
def _declared(kind: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the annotation of each field, and the fields that must be there."""
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        for name, hint in hints.items():
            if get_origin(hint) in (Required, NotRequired):
                hints[name] = get_args(hint)[0]
        return hints, tuple(name for name in hints if name in kind.__required_keys__)
    missing = dataclasses.MISSING
    needed = (f.name for f in dataclasses.fields(kind) if f.default is missing and f.default_factory is missing)
    return get_type_hints(kind, include_extras=True), tuple(needed)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is types.NoneType and value is None:
        return None
    if kind is str and isinstance(value, str) and _writable(value):
        return value
    # True is an int to Python.
    if kind is bool or isinstance(value, bool):
        return _expect(bool, value, where, "true or false") if kind is bool else _refuse(kind, value, where)
    if kind is int and isinstance(value, int):
        return value
    if kind is float and isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    return _refuse(kind, value, where)


def _writable(text: str) -> bool:
    """Return whether UTF-8 can write ``text``: JSON may hold half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_WORDS = {str: "text", int: "a whole number", float: "a number", types.NoneType: "null"}


def _refuse(kind: Any, value: Any, where: str) -> Any:
    raise _wrong(where, value, _WORDS[kind])


def _plain(value: Any, where: str, depth: int) -> Any:
    """Check a value that is declared as `Any`."""
    if depth > _DEEPEST:
        raise FieldError(f"{where[:100]} is nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        return {read(str, name, where): _plain(each, _join(where, name), depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, f"{where}[{index}]", depth + 1) for index, each in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        read(float, value, where)
        return value
    return read(str if isinstance(value, str) else float, value, where)


def _expect(kind: type[Any], value: Any, where: str, allowed: str) -> Any:
    if not isinstance(value, kind):
        raise _wrong(where, value, allowed)
    return value


def _join(where: str, name: str) -> str:
    return f"{where}.{plain_text(name)}" if where else plain_text(name)


def _wrong(where: str, value: Any, allowed: str) -> FieldError:
    shown = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return FieldError(f"{where[-100:] or 'the record'} is {_short(shown)}; allowed is {allowed}")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
