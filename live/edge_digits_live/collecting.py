"""The collection of a service: pictures that were unsure, and those that a person corrected."""

import functools
from typing import Any

from edge_digits_runtime.image.model_input import Prepared
from edge_digits_runtime.model.classifier import DigitClassifier, Prediction
from PIL import Image

from edge_digits.collection.store import Collection, Item
from edge_digits_live import answers
from edge_digits_live.bodies import Picture, RefusedError


class Collecting:
    """A collection as requests use it; there may be none."""

    def __init__(self, collection: Collection | None = None, group: str | None = None) -> None:
        self._collection, self._group = collection, group

    @property
    def on(self) -> bool:
        """True if pictures are collected."""
        return self._collection is not None

    @property
    def full(self) -> bool:
        """True if there is a collection that takes nothing more."""
        return self._collection is not None and self._collection.full

    def keep(self, group: str | None) -> answers.Keep | None:
        """Return what keeps an unsure picture; None where nothing is collected.

        Args:
            group: what the request says; None for that of the service.
        """
        if self._collection is None:
            return None
        return functools.partial(_offer, self._collection, group or self._group)

    def correct(
        self, picture: Picture, classifier: DigitClassifier, pixels: int, label: str, group: str | None
    ) -> dict[str, Any]:
        """Keep a picture with its right label.

        Raises:
            RefusedError: nothing is collected, or the label is no class of the model.
            PictureError: it cannot be read.
        """
        collection = self._there()
        if label not in classifier.labels:
            raise RefusedError(422, f"label {label!r:.50}; allowed are {', '.join(classifier.labels)}")
        found: list[str] = []

        def keep(image: Image.Image, seen: Prepared, prediction: Prediction) -> None:
            if seen.blank:
                raise RefusedError(422, f"{seen.reason}: nothing to learn from")
            found.append(collection.add(image, seen, prediction, group or self._group, label))

        answers.classify(picture, classifier, pixels, show=False, keep=keep)
        if found == ["full"]:
            raise RefusedError(507, "the collection is full; label what is there, or raise --collect-mb")
        return {"label": label, "stored": True}

    def waiting(self) -> dict[str, Any]:
        """Return the pictures that wait for a label, the surest first, and how many have one."""
        collection = self._there()
        items = [
            {"id": item.id, "said": item.said, "confidence": item.confidence, "reason": item.reason,
             "classes": list(item.classes), "group": item.group}
            for item in collection.waiting()
        ]  # fmt: skip
        return {"waiting": items, "labelled": len(collection.labelled()), "full": collection.full}

    def picture(self, name: str) -> bytes:
        """Return a picture that waits for a label, as PNG.

        Raises:
            RefusedError: none of that name waits. The name is only compared with those that do.
        """
        return self._there().picture(self._item(name))

    def label(self, name: str, label: str | None) -> dict[str, Any]:
        """Give a picture its label, or with None take it back.

        Raises:
            RefusedError: no such picture, or no such class.
        """
        collection = self._there()
        item = self._item(name) if label is not None else collection.item(name)
        if item is None:
            raise RefusedError(404, f"picture {name!r:.50}: none of that name")
        if label is None:
            collection.unlabel(item)
        elif label in item.classes:
            collection.label(item, label)
        else:
            raise RefusedError(422, f"label {label!r:.50}; allowed are {', '.join(item.classes)}")
        return {"id": item.id, "label": label}

    def _there(self) -> Collection:
        if self._collection is None:
            raise RefusedError(404, "nothing is collected; start the service with --collect DIR")
        return self._collection

    def _item(self, name: str) -> Item:
        for item in self._there().waiting():
            if item.id == name:
                return item
        raise RefusedError(404, f"picture {name!r:.50}: none of that name waits")


def _offer(collection: Collection, group: str | None, image: Image.Image, seen: Prepared, said: Prediction) -> None:
    collection.offer(image, seen, said, group)
