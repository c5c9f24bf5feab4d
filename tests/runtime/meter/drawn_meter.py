"""A model that knows the wheels of one simulated meter: it compares a slot with all turns of them."""

from typing import Any

import numpy as np
from edge_digits_runtime.image.model_input import Input, Prepared
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.model.classifier import Prediction
from numpy.typing import NDArray
from PIL import ImageFilter
from simulated_meter import SimulatedMeter, View

TENTHS = tuple(f"{digit}.{tenth}" for digit in range(10) for tenth in range(10))

PATCHES = ((408, 350, 64, 64), (284, 64, 64, 64), (228, 308, 64, 64))
"""Of what is printed on a simulated meter."""
_EACH = 4
_PLACES = 100 * _EACH


class Answers:
    def __init__(self, probabilities: NDArray[np.float64]) -> None:
        self.probabilities = probabilities


class KnowsTheWheels:
    """Stands in for a model such as meter-m, without training and without errors where the view is good."""

    labels = TENTHS
    input = Input("crop", 32, 20)

    def __init__(self, meter: SimulatedMeter) -> None:
        windows = []
        for index in (0, meter.wheels - 1):
            x, y, width, height = meter.boxes[index]
            around = meter._face.crop((x - 8, y - 8, x + width + 8, y + height + 8))
            # Between the tenths, too: a tenth is three pixels.
            for place in range(_PLACES):
                around.paste(meter._window(index, place * 10 / _PLACES), (8, 8))
                blurred = around.filter(ImageFilter.GaussianBlur(View().blur))
                windows.append(prepare(blurred.crop((8, 8, 8 + width, 8 + height)), self.input).pixels)
        known = np.stack(windows).astype(np.float32).reshape(2 * _PLACES, -1)
        self._known = _unit(known).T

    def classify_batch(self, pictures: NDArray[np.uint8]) -> Answers:
        flat = _unit(pictures.reshape(len(pictures), -1).astype(np.float32))
        alike = (flat @ self._known).reshape(len(pictures), 2, _PLACES).max(axis=1)
        top = alike.max(axis=1, keepdims=True)
        # Each place counts for the nearest tenth; what is like none of them is like all of them.
        near = np.roll(np.exp((alike - top) * 60), _EACH // 2, axis=1).reshape(len(pictures), 100, _EACH).sum(axis=2)
        scores = near + np.exp((0.8 - top) * 60)
        return Answers(scores / scores.sum(axis=1, keepdims=True))

    def classify_prepared(self, prepared: Prepared) -> Prediction:
        shares = self.classify_batch(prepared.pixels[None]).probabilities[0]
        best = int(shares.argmax())
        around = float(np.roll(shares, 2 - best)[:5].sum())
        return Prediction(best, around, shares.tolist(), None if around > 0.9 else "doubtful", self.labels)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows with mean 0 and length 1, so that a product is a correlation."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6)


def known(meter: SimulatedMeter, **_: Any) -> dict[str, KnowsTheWheels]:
    return {"meter-m": KnowsTheWheels(meter)}
