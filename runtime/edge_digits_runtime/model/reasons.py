"""Stable codes for the reasons why an answer is not sure.

The sentences are for people and may be reworded; a program branches on the code.
"""

CODES = {
    "no ink found": "no_ink",
    "no contrast": "no_contrast",
    "looks like no digit": "no_digit",
    "looks like none of the classes": "no_class",
    "may be a slash": "slash",
    "something that is not part of a number": "no_number",
    "nothing written": "empty",
}
"""Code by sentence, of the reasons that are always worded alike."""
PREFIXES = {"could be ": "ambiguous", "confidence ": "low_confidence"}
"""Code by the start of the sentence, of the reasons that name digits or figures."""
OTHER = "other"
ALL = (*CODES.values(), *PREFIXES.values(), OTHER)


def reason_code(reason: str | None) -> str | None:
    """Return the code of a reason, one of `ALL`; None for None.

    Example:
        >>> reason_code("could be a 3 or an 8 (52 % / 44 %)")
        'ambiguous'
    """
    if reason is None:
        return None
    if reason in CODES:
        return CODES[reason]
    return next((code for start, code in PREFIXES.items() if reason.startswith(start)), OTHER)
