"""What a model was trained on, and the terms of that data: what its card says for those who pass the model on.

NOTICE.md has the authors and the licences of what is packed here.
"""

import re
from dataclasses import dataclass

from edge_digits_runtime.model.card import TrainedOn
from edge_digits_runtime.records.run import RunRecord

MNIST = TrainedOn("MNIST", "CC-BY-SA-3.0")
OPTDIGITS = TrainedOn("Optical Recognition of Handwritten Digits", "CC-BY-4.0")
FONTS = TrainedOn("characters of the fonts that NOTICE.md lists", "LicenseRef-NOTICE.md")
SIGNS = TrainedOn("letters and signs of the fonts DejaVu and STIX", "Bitstream-Vera AND OFL-1.1")
METERS = TrainedOn("Tenth-of-step-of-a-meter-digit", "Apache-2.0")
DISPLAYS = TrainedOn("7segment-display-reader", "Apache-2.0")
_PACKED = {MNIST.data: (MNIST,), "meters and displays": (METERS, DISPLAYS)}
"""What is packed here, by the name that records give it."""
LINES = (MNIST, OPTDIGITS, FONTS, METERS)
"""What lines and pages are made of."""


@dataclass(frozen=True)
class Terms:
    """What a person says of a model that is converted."""

    data: str = ""
    """Licence of the pictures that were given with ``--data``, as an SPDX identifier."""
    licence: str = ""
    """What is granted for the model, as an SPDX expression."""


def trained_on(record: RunRecord, terms: Terms) -> tuple[TrainedOn, ...]:
    """Return all data that the network of a run was trained on.

    Args:
        record: of the run.
        terms: of pictures that are not packed here.
    """
    origin = [TrainedOn(f"weights that were {record.extra['origin']}", "")] if "origin" in record.extra else []
    if origin and not record.history.get("loss"):
        # Imported: the pictures of the run measure it; it was trained on others.
        return tuple(origin)
    # A mixture is named by its parts: "MNIST + 12 × kept".
    parts = [re.sub(r"^\d+ × ", "", part) for part in record.data["name"].split(" + ")]
    alone = record.data["source"] is not None and len(parts) == 1
    found = [
        each
        for part in parts
        for each in (_PACKED[part] if part in _PACKED and not alone else (TrainedOn(part, terms.data),))
    ]
    if record.recipe.get("distillation"):
        # Its teachers learned from both.
        found += [MNIST, OPTDIGITS]
    if record.recipe.get("optdigits"):
        found.append(OPTDIGITS)
    if record.recipe.get("outliers"):
        found.append(SIGNS)
    if record.recipe.get("drawn"):
        found.append(FONTS)
    return tuple(dict.fromkeys([*found, *origin]))
