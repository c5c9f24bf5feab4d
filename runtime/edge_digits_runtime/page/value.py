"""The value of a text that is a number."""

import re
from typing import Literal

Mark = Literal[".", ",", "auto"]
"""What parts the whole from the fraction: a point, a comma, or whatever a text itself tells."""
_NUMBER = re.compile(r"[-+]?(\d[\d.,]*|[.,]\d+)")


def value_of(text: str, decimal: Mark = "auto") -> float | None:
    """Return the value of a text, or None if it is not one number.

    Signs of currency, percent signs and spaces between thousands are passed over.

    Args:
        text: as it was read.
        decimal: ``.`` or ``,`` is the mark in front of the fraction, and the other one parts thousands. With ``auto``,
            of two different marks the last is the decimal mark; a mark that comes twice parts thousands; a single mark
            is the decimal mark.

    Example:
        >>> value_of("-12,5"), value_of("1.234,50 €"), value_of("20.07.2021"), value_of("1.234", ",")
        (-12.5, 1234.5, None, 1234.0)
    """
    bare = re.sub(r"(?<=\d) (?=\d{3}(\D|$))", "", text.strip("€$£% ")).strip("€$£% ")
    if not _NUMBER.fullmatch(bare):
        return None
    marks = [character for character in bare if character in ".,"]
    if decimal == "auto":
        last = marks[-1] if marks else "."
        point = last if marks.count(last) == 1 else "." if last == "," else ","
    else:
        point = decimal
    thousands = "," if point == "." else "."
    whole, mark, fraction = bare.partition(point)
    groups = whole.lstrip("+-").split(thousands)
    # Groups of thousands have three digits each, and none stands in the fraction.
    wrong = len(groups) > 1 and (not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]))
    if wrong or (not fraction.isdigit() and mark):
        return None
    return float(f"{'-' if bare[0] == '-' else ''}{''.join(groups) or '0'}.{fraction or '0'}")
