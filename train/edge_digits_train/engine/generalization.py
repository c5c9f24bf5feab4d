"""Say when a training went wrong: the network knows its training pictures alone, or nothing at all."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

SMALLEST_GAP = 0.02
"""A smaller gap of the accuracies, as a share in [0, 1], is not worth a word, however sure it is."""
SAME_ANSWER = 0.99
"""A network that gives one answer to this share of the pictures learned nothing."""
_SIGMAS = 3.0
"""Standard errors of the gap; by chance it is larger in one training of 700."""


def gap_warning(history: Mapping[str, list[float]], counts: Mapping[str, int], augmented: bool) -> str | None:
    """Return one line if validation is behind training by more than chance after the last epoch, else None.

    The accuracy in training is that of changed pictures, with dropout and noise where the recipe has them, and so lower
    than it would be on the pictures themselves: a gap that is seen is there.

    Args:
        history: as in the record of a run.
        counts: number of pictures by ``train`` and ``validation``.
        augmented: whether the recipe changes its pictures already; if not, the line names recipes that do.
    """
    learned, validated = history["accuracy"][-1], history["val_accuracy"][-1]
    pictures = [counts["train"], counts["validation"]]
    pooled = (learned * pictures[0] + validated * pictures[1]) / sum(pictures)
    chance = _SIGMAS * math.sqrt(pooled * (1 - pooled) * sum(1 / count for count in pictures))
    if learned - validated <= max(chance, SMALLEST_GAP):
        return None
    tries = ["more pictures, above all of other groups"]
    if not augmented:
        tries.append("a recipe that changes them (crop-s, digits-s-alone)")
    return (
        f"Validation is behind training: {100 * validated:.1f} % against {100 * learned:.1f} %, more than chance. "
        f"Try {', '.join(tries)}, or --dropout."
    )


def same_answer_warning(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> str | None:
    """Return one line if nearly all pictures get the same answer, else None.

    Args:
        confusion: counts of pictures, row the true class, column the answer.
        classes: their names.
    """
    answers = np.sum(confusion, axis=0)
    most = int(answers.argmax())
    share = answers[most] / answers.sum()
    if share < SAME_ANSWER:
        return None
    return (
        f"It learned nothing: {100 * share:.1f} % of the test pictures get the same answer, {classes[most]}. "
        "Try a smaller --learning-rate."
    )
