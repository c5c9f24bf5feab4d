"""Made-up trials."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from edge_digits_study.results import Int8, Trial
from edge_digits_study.trial import TRIALS

MakeTrial = Callable[..., Trial]
DEVICE = {"name": "Laptop", "kind": "CPU", "machine": "x86_64", "cores": 2, "memory_bytes": 8_000_000_000}


@pytest.fixture(scope="session")
def make_trial() -> MakeTrial:
    """Make a `Trial` with the test accuracy ``test``; its confusion matrix is always the same."""

    def make(
        system: str,
        seed: int = 0,
        test: float = 0.98,
        epochs: int = 5,
        drop: float | None = 0.0,
        val_accuracy: Sequence[float] | None = None,
        seconds: float = 12.0,
        **fields: Any,
    ) -> Trial:
        rising = [1 - 0.1 / (k + 1) for k in range(epochs)] if val_accuracy is None else list(val_accuracy)
        confusion = np.diag([100] * 10)
        confusion[4, 4], confusion[4, 9] = 90, 10
        values: dict[str, Any] = {
            "system": system,
            "seed": seed,
            "epochs": epochs,
            "history": {
                "loss": [0.5 / (k + 1) for k in range(epochs)],
                "accuracy": rising,
                "val_loss": [0.4 / (k + 1) for k in range(epochs)],
                "val_accuracy": rising,
                "seconds": [seconds] * epochs,
            },
            "accuracy": {"train": 0.999, "validation": 0.985, "test": test},
            "loss": {"train": 0.01, "validation": 0.05, "test": 0.06},
            "metrics": {
                "precision": [0.5] * 10,
                "recall": [0.5] * 10,
                "f1": [0.5] * 10,
                "macro": {"precision": test, "recall": test, "f1": test},
                "confusion": confusion.tolist(),
            },
            "parameters": 1234,
            "macs": 5678,
            "float_p50_us": 1500.0,
            "int8": None
            if drop is None
            else Int8({"validation": 0.98, "test": test - drop / 100}, drop, 50_000, 52_000, 20.0, DEVICE),
            "device": DEVICE,
            "versions": {"python": "3.11.2", "keras": "3.15.0"},
            "run": f"{TRIALS}/{system}-{epochs}epochs-seed{seed}",
        }
        return Trial(**values | fields)

    return make
