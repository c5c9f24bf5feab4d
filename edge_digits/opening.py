"""Open a model of any kind that answers single pictures."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file

if TYPE_CHECKING:
    from edge_digits_runtime.device.measurement import Model


def open_model(
    model: str | os.PathLike[str],
    *,
    backend: str | None = None,
    threads: int = 1,
    allow_unverified: bool = False,
    require_signature: str | os.PathLike[str] | None = None,
) -> "Model":
    """Open a classifier, or a reader of lines where the card of the model says so.

    The arguments and errors are those of `edge_digits_runtime.model.classifier.DigitClassifier`.
    """
    card = read_model_file(registry.find(model), allow_unverified=True).card
    if card is not None and card.input.kind == "line":
        from edge_digits_runtime.page.line import LineReader

        kind: Callable[..., Model] = LineReader
    else:
        from edge_digits_runtime.model.classifier import DigitClassifier

        kind = DigitClassifier
    return kind(
        model,
        backend=backend,
        threads=threads,
        allow_unverified=allow_unverified,
        require_signature=require_signature,
    )
