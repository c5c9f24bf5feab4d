"""How well lines are read: exact texts, characters by edit distance, and what is wrong without a warning."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LineScore:
    """Counts over a set of lines."""

    lines: int
    exact: int
    """Lines whose text is right, every sign and space included."""
    digits: int
    """Lines whose digits are right and in order, whatever the signs."""
    sure: int
    """Lines that are called sure."""
    sure_and_right: int
    characters: int
    """Characters of the labels."""
    character_errors: int
    """Characters to insert, delete or replace, over all lines."""

    @property
    def silently_wrong(self) -> int:
        """Lines that are called sure and whose text is wrong."""
        return self.sure - self.sure_and_right

    @property
    def exact_share(self) -> float:
        """Share of the lines whose text is right, in [0, 1]."""
        return self.exact / self.lines

    @property
    def character_error_rate(self) -> float:
        """Errors for each character of the labels; may be above 1."""
        return self.character_errors / max(self.characters, 1)


def score(labels: Sequence[str], texts: Sequence[str], sure: Sequence[bool]) -> LineScore:
    """Count what was read right.

    Args:
        labels: what is written, at least one line.
        texts: what was read, as many.
        sure: whether each text is called sure.

    Example:
        >>> score(["12.5", "7"], ["12,5", "7"], [True, True]).silently_wrong
        1
    """
    right = [label == text for label, text in zip(labels, texts, strict=True)]
    return LineScore(
        lines=len(labels),
        exact=sum(right),
        digits=sum(_digits(label) == _digits(text) for label, text in zip(labels, texts, strict=True)),
        sure=sum(map(bool, sure)),
        sure_and_right=sum(bool(s) and r for s, r in zip(sure, right, strict=True)),
        characters=sum(map(len, labels)),
        character_errors=sum(edit_distance(label, text) for label, text in zip(labels, texts, strict=True)),
    )


def edit_distance(first: str, second: str) -> int:
    """Return the smallest number of insertions, deletions and replacements that turn one text into the other.

    Example:
        >>> edit_distance("12.5", "125"), edit_distance("", "7")
        (1, 1)
    """
    row = list(range(len(second) + 1))
    for number, character in enumerate(first, 1):
        diagonal, row[0] = row[0], number
        for column, other in enumerate(second, 1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (character != other)),
            )
    return row[-1]


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
