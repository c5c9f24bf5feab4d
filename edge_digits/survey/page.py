"""A survey as one HTML page with contact sheets, which opens from a file and refers to nothing outside itself."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from edge_digits.survey.survey import SPLITS, Survey
from edge_digits.survey.text import described, summary

PER_CLASS = 24
"""Pictures of each class on a contact sheet; all, where there are fewer."""
_PAIRS = 48
"""Pairs of pictures that are shown of each kind."""
_SEED = 0


def to_html(found: Survey) -> str:
    """Return the page. Style and pictures are in it, and it has no script."""
    environment = Environment(
        # The style is that of reports.
        loader=ChoiceLoader([PackageLoader("edge_digits.survey"), PackageLoader("edge_digits.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rng = np.random.default_rng(_SEED)
    return environment.get_template("data.html.j2").render(
        found=found,
        sentences=list(summary(found)),
        sheets=[_sheet(found, np.flatnonzero(found.labels == index), rng) for index in range(len(found.classes))],
        pairs=[
            (title, matches[:_PAIRS], len(matches))
            for title, matches in (
                ("Different labels", found.disagreeing),
                ("Test pictures like one for training", found.across_splits),
                ("Pictures like one of another group", found.across_groups),
                ("Pictures like another of their group or split", found.alike),
            )
            if matches
        ],
        described=described,
        picture=lambda place: _png(found, [found.image(place)]),
        splits=SPLITS,
    )


def _sheet(found: Survey, members: NDArray[np.intp], rng: np.random.Generator) -> str:
    """Return pictures of one class side by side, drawn at random."""
    chosen = np.sort(rng.choice(members, min(PER_CLASS, len(members)), replace=False))
    return _png(found, [found.images[index] for index in chosen])


def _png(found: Survey, pictures: Sequence[NDArray[np.uint8]]) -> str:
    """Return pictures in a row as a data URI, with a line of grey between them; ink is dark on white paper."""
    if not pictures:
        return ""
    shown = [np.pad(255 - each if found.input.kind == "ink" else each, 1, constant_values=160) for each in pictures]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(shown, axis=1)).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
