"""The characters that a line reader tells apart, and the label of a text."""

from edge_digits_runtime.page.decoding import REJECT, tidy

LABELS = tuple("0123456789.,-+/:=()×%€$£ " + REJECT)
"""In the order of the outputs of the network; the blank of CTC comes behind them."""
BLANK = len(LABELS)
LONGEST = 26
"""Largest number of characters in the label of a made line."""
_TIMES = "×x*"
_INDEX = {label: index for index, label in enumerate(LABELS)}


def encode(label: str) -> list[int]:
    """Return the index of each character of a label.

    Raises:
        KeyError: one of them is not in `LABELS`.
    """
    return [_INDEX[character] for character in label]


def is_letter(character: str) -> bool:
    """Return whether a character is to be read as `REJECT`."""
    return (character.isalpha() and character != "×") or character in "#&!?"


def label_of(text: str) -> str:
    """Return what a reader is to make of ``text``.

    Letters become `REJECT`, and so do the signs that belong to a word: between two letters, or at its beginning or end.
    ``*`` is a multiplication sign. So is an ``x``, which the caller has to replace by ``×`` where it is meant as one.

    Example:
        >>> label_of("12.5 kg"), label_of("No. 7"), label_of("3*4=12")
        ('12.5?', '?7', '3×4=12')
    """
    characters = list(text)
    rejected = [is_letter(character) for character in characters]
    for index, character in enumerate(characters):
        if rejected[index] or character not in ".,:-/'":
            continue
        before = index > 0 and rejected[index - 1]
        after = index + 1 < len(characters) and rejected[index + 1]
        last = index + 1 == len(characters) or characters[index + 1] == " "
        first = index == 0 or characters[index - 1] == " "
        rejected[index] = (before and (after or last)) or (after and first)
    marked = (REJECT if r else "×" if c in _TIMES else c for c, r in zip(characters, rejected, strict=True))
    return tidy("".join(marked))
