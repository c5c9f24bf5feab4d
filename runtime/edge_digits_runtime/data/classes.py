"""Names of classes and of groups: what is allowed, and in which order classes come."""

import re
import unicodedata
from collections.abc import Iterable

from edge_digits_runtime.errors import DataError
from edge_digits_runtime.mnist_format import DIGITS

DIGIT_CLASSES = tuple(map(str, range(DIGITS)))
"""The classes of MNIST."""
FEWEST, MOST = 2, 128
"""Range of the number of classes."""
LONGEST = 40
"""Longest name of a class in characters."""
LONGEST_GROUP = 200
"""Longest name of a group in characters."""
ALLOWED = f"1 to {LONGEST} printable characters, no / or \\, no point at the beginning, no space at either end"
# Control characters, halves of surrogate pairs, private and unassigned ones, separators of lines and paragraphs, and
# marks that turn the direction of text; the joiner and the selector that emoji are made with may stay.
_UNPRINTABLE = frozenset(["Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"])
_JOINERS = "\u200d\u200c"


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names, the numbers in them as numbers: 2 before 10, A before B, digits before letters."""
    return sorted(names, key=lambda name: (_parts(name), name))


def are_digits(names: Iterable[str]) -> bool:
    """Whether all names are digits, so that each class is a number from 0 to 9."""
    # The classes of most models are this very tuple. Comparing names takes 1 µs, a fifth of a small model's call.
    return names is DIGIT_CLASSES or all(name in DIGIT_CLASSES for name in names)


def check_classes(source: object, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the classes of ``source`` as they are used, in Unicode's form NFC, in the order given.

    Raises:
        DataError: a name that is not allowed, two that are equal, fewer than 2 or more than 128; the message begins
            with ``source``.
    """
    found = check_names(source, names)
    if not FEWEST <= len(found) <= MOST:
        raise DataError(f"{source}: {len(found)} {'class' if len(found) == 1 else 'classes'}; allowed are 2 to {MOST}")
    return found


def check_names(source: object, names: Iterable[str]) -> tuple[str, ...]:
    """Return names of classes as `check_classes` does, any number of them."""
    found = tuple(unicodedata.normalize("NFC", name) for name in names)
    seen: set[str] = set()
    for name in found:
        if not is_class_name(name):
            raise DataError(f"{source}: a class of the name {shown(name)}; allowed are {ALLOWED}")
        if name in seen:
            raise DataError(f"{source}: two classes of the name {shown(name)}; each needs a name of its own")
        seen.add(name)
    return found


def is_class_name(name: str) -> bool:
    """Whether ``name`` is a name that a class may have."""
    fits = 1 <= len(name) <= LONGEST and name == name.strip() and not name.startswith(".")
    return fits and "/" not in name and "\\" not in name and _printable(name)


def check_group(source: object, name: str) -> str:
    """Return the name of a group as it is used, in Unicode's form NFC.

    Raises:
        DataError: it is empty, too long, or has characters that cannot be printed; the message begins with ``source``.
    """
    name = unicodedata.normalize("NFC", name)
    if not (1 <= len(name) <= LONGEST_GROUP and name.strip() and _printable(name)):
        raise DataError(f"{source}: a group {shown(name)}; allowed are 1 to {LONGEST_GROUP} printable characters")
    return name


def shown(name: str) -> str:
    """Return a name in quotes for a message, its unprintable characters escaped, cut off where it is long."""
    text = ascii(name) if not _printable(name) else repr(name)
    return text if len(text) <= LONGEST + 10 else f"{text[: LONGEST - 3]}..."


def _printable(name: str) -> bool:
    return all(c in _JOINERS or unicodedata.category(c) not in _UNPRINTABLE for c in name)


def _parts(name: str) -> list[tuple[str, int]]:
    """Split ``A12`` into A and 12; where one name has a number and the other none, the number comes first."""
    texts = re.split("([0-9]+)", name)
    numbers = [int(number) for number in texts[1::2]]
    return list(zip(texts[::2], [*numbers, -1], strict=True))
