"""``logits.py PICTURES OUT MODEL...``: what each model gives out for the test pictures, before anything rounds it.

Runs on either side with what the device profile installs. An evaluation holds probabilities to five decimals; steps
of the output scale are counted in the network's own numbers. Each picture goes in alone, as for `classify`, and with
others, as for `classify_batch`, since LiteRT may compute the two with different kernels.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import datasets


def main(pictures: str, out: str, *models: str) -> None:
    """Write ``MODEL.one`` and ``MODEL.many``, shape ``(n, 10)``, and ``MODEL.scale``, 0 where outputs are float."""
    images = datasets.load_test(pictures).test.images
    outputs: dict[str, Any] = {}
    for model in models:
        classifier = DigitClassifier(model)
        name = Path(model).stem
        outputs[f"{name}.one"] = np.stack([classifier.network.one(image).reshape(-1) for image in images])
        outputs[f"{name}.many"] = classifier.outputs(images)
        outputs[f"{name}.scale"] = np.array(classifier.output_scale)
    np.savez(out, **outputs)


main(*sys.argv[1:])
