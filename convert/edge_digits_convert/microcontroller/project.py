"""All files of an export by their names in the folder."""

import numpy as np
from edge_digits_runtime.model.card import ModelCard
from numpy.typing import NDArray

from edge_digits_convert.microcontroller.c_text import comment, fill, numbers, template
from edge_digits_convert.microcontroller.layers import IntegerNetwork
from edge_digits_convert.microcontroller.plan import Plan
from edge_digits_convert.microcontroller.source import write_source

_COPIED = ("main.c", "Makefile", "CMakeLists.txt", "pico/blink.c", "firmware/firmware.c", "firmware/firmware.ld")
_ARDUINO = "arduino/digits"
"""Arduino compiles what is in the folder of a sketch, which has the name of the sketch."""


def project_files(
    network: IntegerNetwork,
    plan: Plan,
    card: ModelCard,
    pictures: NDArray[np.uint8],
    logits: NDArray[np.int8],
    origin: str,
) -> dict[str, str]:
    """Return the text of each file.

    Args:
        network: the layers.
        plan: where activations lie.
        card: card of the model.
        pictures: of the self-test, ``(n, height, width)``.
        logits: what they must give, ``(n, classes)``.
        origin: what the pictures are, such as ``MNIST test pictures``.
    """
    source = write_source(network, plan, card)
    values = {
        "name": comment(card.name),
        "sha256": card.sha256,
        "classes": str(network.classes),
        "height": str(network.height),
        "width": str(network.width),
        "macs": f"{network.macs:,}",
        "weights": f"{network.weight_bytes:,}",
        "buffer": f"{plan.size:,}",
        "pictures": str(len(pictures)),
        "origin": comment(origin),
        "pixels": ",\n".join(f"    {{\n{numbers(picture.reshape(-1).tolist())}}}" for picture in pictures),
        "logits": ",\n".join(f"    {{{', '.join(map(str, row))}}}" for row in logits.tolist()),
    }
    project = {
        "digits.h": source.header,
        "digits.c": source.code,
        **{name: template(name) for name in _COPIED},
        **{name: fill(template(name), values) for name in ("README.md", "self_test.h", "self_test.c")},
    }
    return project | {
        f"{_ARDUINO}/digits.ino": template("arduino/digits.ino"),
        f"{_ARDUINO}/digits.h": source.header,
        f"{_ARDUINO}/digits.c": source.code,
    }
