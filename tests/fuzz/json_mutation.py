"""Change JSON: one value or several become what nobody expects there, or the text itself is damaged."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    12,
    2**31,
    2**53,
    10**400,
    0.5,
    -0.5,
    1e-320,
    1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
    "",
    "0",
    "8 GB",
    "../../etc/passwd",
    "$\\frac{1}{0}$ ^_{%&# | ` <b>&amp;\\",
    "<script>alert(1)</script>",
    "two\nlines",
    "\x1b[31m\x07",
    "\u202egnp.exe",
    "\ud800",
    "x" * 199,
    "x" * 5000,
    "0" * 64,
    "2026-05-01T12:30:00+00:00",
    "9999-99-99T99:99:99+00:00",
    "９",
    "iVBORw0KGgo=",
    [],
    [1],
    [[]],
    [None] * 10,
    {},
    {"": 1},
    {"threads": 1},
)
_CHARACTERS = b'{}[]",:0123456789eE+-.\\utfn \xff\x00'
Place = tuple[Any, ...]


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Yield the path of every value; of a list the first, the second and the last."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list) and value:
        for index in sorted({0, min(1, len(value) - 1), len(value) - 1}):
            yield from places(value[index], (*path, index))


def changed(record: Any, known: list[Place], rng: random.Random) -> bytes:
    """Return a record as JSON with one to four changes.

    Args:
        record: the values.
        known: its `places`.
        rng: draws the changes.
    """
    if rng.random() < 0.15:
        return _damaged(json.dumps(record).encode(), rng)
    values = copy.deepcopy(record)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _change(values, record, rng.choice(known), known, rng)
    return json.dumps(values).encode()


def _change(values: Any, record: Any, place: Place, known: list[Place], rng: random.Random) -> None:
    inner = values
    try:
        for part in place[:-1]:
            inner = inner[part]
        last = place[-1]
        before = inner[last]
    except (IndexError, KeyError, TypeError):
        return  # An earlier change took it away.
    if not isinstance(inner, dict | list):
        return  # It made a text of it.
    kind = rng.randrange(8)
    if kind <= 2:
        inner[last] = rng.choice(VALUES)
    elif kind == 3:
        inner[last] = copy.deepcopy(_at(record, rng.choice(known)))
    elif kind == 4:
        del inner[last]
    elif kind == 5 and isinstance(inner, dict):
        inner[rng.choice(("a name that nobody knows", "\x1b[31m", "", last + " "))] = before
    elif kind == 5:
        inner.insert(0, before)
    elif kind == 6 and isinstance(before, list):
        inner[last] = before[: len(before) // 2] if rng.random() < 0.5 else before * 2
    elif kind == 6 and isinstance(before, int | float):
        inner[last] = rng.choice((-before, before + 1, before - 1, before * 1e6, before / 3, str(before)))
    else:
        for _ in range(rng.choice((1, 25, 150))):
            before = rng.choice(([before], {"a": before}))
        inner[last] = before


def _at(record: Any, place: Place) -> Any:
    for part in place:
        record = record[part]
    return record


def _damaged(content: bytes, rng: random.Random) -> bytes:
    """Return text with bytes changed, put in, doubled or cut off."""
    text = bytearray(content)
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            text[at : at + 1] = bytes([rng.choice(_CHARACTERS)])
        elif kind == 1:
            text[at:at] = bytes(rng.choices(_CHARACTERS, k=rng.choice((1, 3))))
        elif kind == 2:
            text[at:at] = text[at : at + rng.choice((1, 20, 200))]
        elif kind == 3:
            text[at:at] = rng.choice((b"[", b'{"a":', b"-", b"9")) * rng.choice((1, 100_000))
        else:
            del text[at:]
    return bytes(text)
