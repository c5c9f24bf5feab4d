"""What a trained network answers, and how good that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.data import metrics
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.records import run
from numpy.typing import NDArray

from edge_digits_train.engine.feed import feed, pixels
from edge_digits_train.engine.keras_session import keras

BATCH = 500
"""Pictures at a time where nothing is learned; larger batches are no faster on a CPU."""


@dataclass(frozen=True)
class Score:
    """How good a trained network is on one split, without dropout, noise or any other regularization."""

    accuracy: float
    """Share of right answers in [0, 1]."""
    loss: float
    """Mean cross-entropy in nats."""


def predict(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return logits of shape ``(n, k)`` for pictures of shape ``(n, height, width)``."""
    logits: NDArray[np.float32] = model.predict(**feed(BATCH, pixels(images)), verbose=0)
    return logits


def score(folder: Path, splits: Mapping[str, Split]) -> dict[str, Score]:
    """Return how good the network in the run folder ``folder`` is on each of ``splits``, by the same names."""
    model = keras.models.load_model(folder / run.MODEL, compile=False)
    scores = {}
    for name, split in splits.items():
        logits = predict(model, split.images)
        right = metrics.accuracy(split.labels, logits.argmax(axis=1))
        scores[name] = Score(right, metrics.cross_entropy(split.labels, logits))
    return scores
