"""The models that a service answers with: the one it was started with, and those that are installed."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import EdgeDigitsError
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.classifier import DigitClassifier

from edge_digits.commands.answers import ModelChoice
from edge_digits.commands.models import describe

_TIMED, _WARMUP = 200, 20
"""Pictures that the latency of a model is measured with, and pictures before these."""


class Models:
    """The models of a service by name.

    Attributes:
        default: name of the model that answers where none is named.
        sha256: hex digest of its flatbuffer.
        load: for each name what loads its classifier.
    """

    def __init__(self, choice: ModelChoice) -> None:
        """Find the installed models, and load the one that was chosen.

        Raises:
            EdgeDigitsError: that one cannot be loaded.
        """
        chosen = choice.load()
        paths = registry.paths()
        path = Path(chosen.name).resolve()
        known = [name for name, installed in paths.items() if installed.resolve() == path]
        card = chosen.model.card
        self.default: str = known[0] if known else _free_name(card.name if card else path.stem, paths)
        # Installed models are not signed.
        offered = {} if choice.require_signature else paths
        others = {
            name: functools.partial(_load_installed, choice, installed)
            for name, installed in offered.items()
            if name != self.default
        }
        first = _Once(chosen, choice.load)
        self.load: Mapping[str, Callable[[], DigitClassifier]] = {self.default: first, **others}
        self.sha256 = chosen.model.sha256
        self._path = path
        self._device = facts.device_facts()["name"]
        self._described: dict[str, dict[str, Any]] = {}

    def describe(self, name: str, classifier: DigitClassifier) -> dict[str, Any]:
        """Return what the page shows of a model: its card, and its latency as measured here when first asked for."""
        if name not in self._described:
            self._described[name] = self._measure(name, classifier)
        return self._described[name]

    def installed(self) -> list[dict[str, Any]]:
        """Return an object for each model, that of the service first; those that cannot be read are left out."""
        found = []
        for name in self.load:
            path = self._path if name == self.default else registry.paths()[name]
            try:
                row = describe(registry.read(name, path))
            except EdgeDigitsError:
                continue
            # Where it lies is no business of a client.
            del row["path"]
            found.append(row | {"default": name == self.default})
        return found

    def _measure(self, name: str, classifier: DigitClassifier) -> dict[str, Any]:
        # Imported here: 3 MB that no answer needs.
        from edge_digits_runtime.device import timing

        pixels = np.zeros(classifier.input.shape, np.uint8)
        pixels[classifier.input.height // 5 : -classifier.input.height // 5, classifier.input.width // 2] = 255
        measured = timing.latency(lambda: classifier.classify(pixels), "uint8 pixels to prediction", _TIMED, _WARMUP)
        card = classifier.model.card
        accuracy = card.accuracy if card else {}
        return {
            "name": name,
            "labels": list(classifier.labels),
            "input": {
                "kind": classifier.input.kind,
                "height": classifier.input.height,
                "width": classifier.input.width,
            },
            "min_confidence": classifier.min_confidence,
            "scheme": card and card.scheme,
            "data": card and card.data,
            "trained_on": [str(each) for each in card.trained_on] if card else [],
            "licence": (card and card.licence) or None,
            "accuracy": accuracy.get("test"),
            "parameters": card and card.parameters,
            "macs": card and card.macs,
            "bytes": len(classifier.model.content),
            "sha256": classifier.model.sha256,
            "created": card and card.created,
            "p50_us": round(measured.p50, 1),
            "device": self._device,
            "backend": classifier.backend.distribution,
        }


class _Once:
    """Hands out a classifier that is loaded already, once: each thread needs one of its own."""

    def __init__(self, loaded: DigitClassifier, load: Callable[[], DigitClassifier]) -> None:
        self._loaded, self._load = [loaded], load

    def __call__(self) -> DigitClassifier:
        try:
            # Only one thread gets it, since taking an item out of a list is one step.
            return self._loaded.pop()
        except IndexError:
            return self._load()


def _load_installed(choice: ModelChoice, path: Path) -> DigitClassifier:
    return DigitClassifier(path, backend=choice.backend, min_confidence=choice.min_confidence)


def _free_name(name: str, taken: Mapping[str, Path]) -> str:
    """Return ``name``, or one with a number behind it where an installed model has that name."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
