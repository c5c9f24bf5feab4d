"""``logits.py PICTURES OUT MODEL...``: write the raw output of each model for the test pictures.

It runs on either side with what the device profile installs. An evaluation holds probabilities to five decimals, so it
cannot show differences in steps of the output scale. Each picture goes in alone, as in `classify`, and with others, as
in `classify_batch`, since LiteRT may compute the two with different kernels.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import loading


def main(pictures: str, out: str, *models: str) -> None:
    """Write ``MODEL.one`` and ``MODEL.many``, shape ``(n, 10)``, and ``MODEL.scale``, 0 where outputs are float."""
    images = loading.load_test(pictures).test.images
    outputs: dict[str, Any] = {}
    for model in models:
        classifier = DigitClassifier(model)
        name = Path(model).stem
        outputs[f"{name}.one"] = np.stack([classifier.network.one(image).reshape(-1) for image in images])
        outputs[f"{name}.many"] = classifier.outputs(images)
        outputs[f"{name}.scale"] = np.array(classifier.output_scale)
    np.savez(out, **outputs)


main(*sys.argv[1:])
