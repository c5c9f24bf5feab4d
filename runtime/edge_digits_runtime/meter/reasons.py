"""Why a meter was not read, and stable codes for it: the sentences may be reworded, a program branches on the code."""

from edge_digits_runtime.model.reasons import OTHER

NOT_FOUND = "the reference patches were not found"
NO_CONTRAST = "no contrast in slot"
DOES_NOT_FIT = "the wheels do not fit together"
DOUBTFUL = "doubtful: character"
LOW_CONFIDENCE = "confidence"
FELL = "is less than before"
TOO_FAST = "changes too fast"
TOO_SLOW = "changes too slowly"
NOT_BORNE_OUT = "the next picture does not bear it out"
NO_NEXT = "no further picture bears it out"
FIRST_ONES = "not enough pictures agree yet"
CODES = {
    NOT_FOUND: "not_found",
    NO_CONTRAST: "no_contrast",
    DOES_NOT_FIT: "does_not_fit",
    DOUBTFUL: "ambiguous",
    LOW_CONFIDENCE: "low_confidence",
    FELL: "fell",
    TOO_FAST: "too_fast",
    TOO_SLOW: "too_slow",
    NOT_BORNE_OUT: "not_borne_out",
    NO_NEXT: "no_next",
    FIRST_ONES: "first",
}
"""Code by how the sentence begins."""
ALL = (*CODES.values(), OTHER)


def meter_reason_code(reason: str | None) -> str | None:
    """Return the code of a reason, one of `ALL`; None for None.

    Example:
        >>> meter_reason_code("doubtful: character 3, 4")
        'ambiguous'
    """
    if reason is None:
        return None
    return next((code for start, code in CODES.items() if reason.startswith(start)), OTHER)
